//! Names in tables, on a real server in all four modes.

use fixtures::Run;
use fixtures::db::{MODES, Pair, SqlMode, pair};
use schema::tables::Engine;

use fixtures::name_server::{NameServer, Reply};

fn names() -> NameServer {
    NameServer::start(|ip| match ip.octets()[3] {
        1 => Reply::name("Dns.Google"),
        2 => Reply::name("host.my_net.example.com"),
        3 => Reply::NxDomain,
        _ => Reply::name("other.example.com"),
    })
}

fn ask(pair: &Pair, server: &NameServer) -> Run {
    pair.run(env!("CARGO_BIN_EXE_resolve-dns")).args(["-n", &server.address()])
}

fn quiet(run: Run) {
    let done = run.finish().ok();
    assert!(done.stdout.is_empty() && done.stderr.is_empty(), "a good run says nothing: {}", done.stderr);
}

fn fill(pair: &Pair) {
    pair.sql(
        "INSERT INTO web (datetime, ip, host) VALUES
         ('2025-07-05 10:00:00', '8.0.0.1', NULL), ('2025-07-05 11:00:00', '8.0.0.2', ''), ('2025-07-31 23:59:59', '8.0.0.3', ''),
         ('2025-07-05 00:00:00', '8.0.0.4', NULL), ('2025-07-06 00:00:00', '8.0.0.5', NULL), ('2025-07-06 00:00:01', '8.0.0.5', NULL),
         ('2024-01-01 10:00:00', '8.0.0.1', NULL), ('2025-07-05 10:00:00', '8.0.0.1', '?'), ('2025-07-05 10:00:00', '', NULL),
         ('2025-07-05 10:00:00', 'nonsense', NULL), ('2025-06-30 23:59:59', '8.0.0.6', NULL), ('2025-08-01 00:00:00', '8.0.0.7', NULL);
         INSERT INTO toolstart (datetime, ip, tool) VALUES ('2025-07-05 10:00:00', '8.0.0.2', ''), ('2025-07-05 10:00:00', '8.0.0.8', '');
         INSERT INTO sessionlog_metrics (sessnum, user, ip, start) VALUES (1, 'a', '8.0.0.3', '2025-07-05 10:00:00'),
         (2, 'a', '8.0.0.1', '2024-07-05 10:00:00');
         INSERT INTO websessions (id, datetime, ip) VALUES (1, '2025-07-05 10:00:00', '8.0.0.1')",
    );
}

fn hosts(pair: &Pair, table: &str) -> String {
    let date = if table == "sessionlog_metrics" { "start" } else { "datetime" };
    pair.lines(&format!(
        "SELECT CONCAT(IFNULL(ip, ''), '=', IFNULL(host, 'NULL')) FROM {table} ORDER BY ip, {date}, host"
    ))
    .join(" ")
}

const WEB: &str = "=NULL 8.0.0.1=Dns.Google 8.0.0.1=? 8.0.0.1=Dns.Google 8.0.0.2=host 8.0.0.3=? 8.0.0.4=NULL \
                   8.0.0.5=other.example.com 8.0.0.5=other.example.com 8.0.0.6=NULL 8.0.0.7=NULL nonsense=?";

#[test]
fn the_three_tables_of_the_nightly_jobs_are_filled() {
    let server = names();
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        fill(&pair);
        for _ in 0..2 {
            quiet(ask(&pair, &server).args(["--db", "2025-07"]));
            assert_eq!(hosts(&pair, "web"), WEB, "{engine:?} {mode:?}");
            assert_eq!(hosts(&pair, "toolstart"), "8.0.0.2=host 8.0.0.8=other.example.com");
            assert_eq!(hosts(&pair, "sessionlog_metrics"), "8.0.0.1=NULL 8.0.0.3=?");
            assert_eq!(hosts(&pair, "websessions"), "8.0.0.1=NULL");
        }
    }
}

#[test]
fn a_single_table_can_be_named_in_several_ways() {
    let server = names();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    for args in [
        &["metrics", "web", "2025-07"][..],
        &["--db", "metrics", "web", "2025-07"],
        &["metrics", "--concurrency", "50", "web", "-t", "3", "2025-07"],
        &["metrics", "web", "-c", "50", "2025-07"],
        &["metrics", "web", "2025-07", "-c", "-5"],
        &["--db", "--database", "metrics", "--table", "web", "--date", "2025-07"],
        &["--table", "web", "2025-07"],
    ] {
        pair.sql("DELETE FROM web;\nDELETE FROM toolstart;\nDELETE FROM sessionlog_metrics;\nDELETE FROM websessions");
        fill(&pair);
        quiet(ask(&pair, &server).args(args));
        assert_eq!(hosts(&pair, "web"), WEB, "{args:?}");
        assert_eq!(hosts(&pair, "toolstart"), "8.0.0.2=NULL 8.0.0.8=NULL", "{args:?}");
    }
    // all rows, including midnights and other months
    quiet(ask(&pair, &server).args(["metrics", "--all", "web"]));
    assert_eq!(hosts(&pair, "web").matches("NULL").count(), 1);
    // a table of the hub
    pair.sql("CREATE TABLE {hub}.visits (datetime datetime, ip varchar(15), host tinytext);\nINSERT INTO {hub}.visits VALUES ('2025-07-05 10:00:00', '8.0.0.1', NULL)");
    // we may write only six of the hub's tables
    let refused = ask(&pair, &server).args(["hub", "visits", "2025"]).finish().expect_code(1);
    let lacking = format!("missing: GRANT UPDATE ON `{}`.`visits` TO `{}`@`localhost`;", pair.hub, pair.mode.user());
    assert!(refused.stderr.contains(&lacking), "{}", refused.stderr);
    pair.sql(&format!("GRANT UPDATE ON {{hub}}.visits TO {}@localhost", pair.mode.user()));
    quiet(ask(&pair, &server).args(["hub", "visits", "2025"]));
    assert_eq!(pair.value("SELECT host FROM {hub}.visits").as_deref(), Some("Dns.Google"));
}

#[test]
fn the_port_writes_lower_case_to_the_given_dates() {
    let server = names();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    fill(&pair);
    quiet(ask(&pair, &server).args(["--compat", "port", "metrics", "web", "2025-07"]));
    let expected = "=NULL 8.0.0.1=NULL 8.0.0.1=? 8.0.0.1=dns.google 8.0.0.2=host.my_net.example.com 8.0.0.3=? \
                    8.0.0.4=other.example.com 8.0.0.5=other.example.com 8.0.0.5=other.example.com 8.0.0.6=NULL 8.0.0.7=NULL nonsense=?";
    assert_eq!(hosts(&pair, "web"), expected);
}

#[test]
fn without_a_date_the_last_seven_days_are_filled() {
    let server = names();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    pair.sql(
        "INSERT INTO toolstart (datetime, ip, tool) VALUES (CURDATE() - INTERVAL 1 SECOND, '8.0.0.1', ''), (NOW(), '8.0.0.3', ''),
         (CURDATE() - INTERVAL 7 DAY + INTERVAL 1 SECOND, '8.0.0.2', ''), (CURDATE() - INTERVAL 7 DAY, '8.0.0.4', '')",
    );
    quiet(ask(&pair, &server).arg("--db"));
    assert_eq!(hosts(&pair, "toolstart"), "8.0.0.1=Dns.Google 8.0.0.2=host 8.0.0.3=NULL 8.0.0.4=NULL");
}

#[test]
fn a_dry_run_asks_no_server() {
    let server = names();
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Strict) else { return };
    fill(&pair);
    let before = hosts(&pair, "web");
    let dry = |args: &[&str]| {
        let done = ask(&pair, &server).args(args).finish().ok();
        assert!(done.stdout.is_empty());
        done.stderr
    };
    for args in [
        &["metrics", "web", "--dry-run", "2025-07"][..],
        &["--dry-run", "metrics", "web", "2025-07"],
        &["metrics", "web", "2025-07", "--dry-run"],
    ] {
        let said = dry(args);
        let begin =
            format!("[resolve-dns] {}.web 2025-07-01..2025-08-01: 5 unresolved IPs (ns=127.0.0.1:", pair.metrics);
        assert!(said.contains(&begin) && said.contains(" c=100) scan 0."), "{said}");
    }
    assert!(dry(&["metrics", "web", "--dry-run", "--all", "-c", "7"]).contains(".web ALL: 8 unresolved IPs"));
    assert!(dry(&["metrics", "web", "--dry-run", "2025-07.."]).contains(".web 2025-07-01..: 7 unresolved IPs"));
    assert!(dry(&["metrics", "web", "--dry-run", "2023"]).contains("2023-01-01..2024-01-01: 0 unresolved IPs"));
    assert_eq!((hosts(&pair, "web"), server.n_asked()), (before, 0));
}

#[test]
fn settings_have_an_order_of_precedence() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    let said = |run: Run| run.args(["metrics", "web", "--dry-run", "2025-07"]).finish().ok().stderr;
    let run = || pair.run(env!("CARGO_BIN_EXE_resolve-dns"));
    let ini = pair.home().join("hzmetrics.conf");
    let path = ini.to_string_lossy().into_owned();
    std::fs::write(&ini, "[dns]\nnameserver = 127.0.0.9 # or system\nconcurrency = 500 ; unbound\n").expect("a file");
    let file = || run().env("HZMETRICS_CONFIG", &path);
    assert!(said(file()).contains("(ns=127.0.0.9 c=500)"), "{}", said(file()));
    let env = || file().env("HZMETRICS_DNS_NAMESERVER", "127.0.0.8").env("HZMETRICS_DNS_CONCURRENCY", "9");
    assert!(said(env()).contains("(ns=127.0.0.8 c=9)"));
    assert!(said(env().args(["--nameserver", "127.0.0.7", "-c", "3"])).contains("(ns=127.0.0.7 c=3)"));
    assert!(said(env().args(["-c", "-3"])).contains("(ns=127.0.0.8 c=1)"));
    // a value that is not a number is ignored
    assert!(said(file().env("HZMETRICS_DNS_CONCURRENCY", "many")).contains("(ns=127.0.0.9 c=500)"));
}

#[test]
fn addresses_of_a_table_can_be_written_as_records() {
    let server = names();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    fill(&pair);
    let before = hosts(&pair, "web");
    let done = ask(&pair, &server).args(["--from", "db", "--to", "-", "metrics", "web", "2025-07"]).finish().ok();
    let expected = [
        "8.0.0.1\",\"host\":\"Dns.Google",
        "8.0.0.2\",\"host\":\"host",
        "8.0.0.3\",\"host\":\"?",
        "8.0.0.5\",\"host\":\"other.example.com",
        "nonsense\",\"host\":\"?",
    ];
    let lines: String = expected.iter().map(|rest| format!("{{\"kind\":\"web\",\"ip\":\"{rest}\"}}\n")).collect();
    assert_eq!(done.text(), lines);
    assert_eq!(hosts(&pair, "web"), before);
    // the output can be used as a table of names
    let csv = ask(&pair, &server).args(["--from", "db", "--format", "csv", "metrics", "web", "2025-07"]).finish().ok();
    let map = pair.home().join("map.csv");
    std::fs::write(&map, &csv.stdout).expect("a file");
    quiet(pair.run(env!("CARGO_BIN_EXE_resolve-dns")).arg("--map").arg(&map).args(["metrics", "web", "2025-07"]));
    assert_eq!(hosts(&pair, "web"), WEB);
}

#[test]
fn errors_say_what_is_wrong() {
    let server = names();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    for args in [
        &["metrics"][..],
        &["elsewhere", "web"],
        &["metrics", "web; DROP TABLE web"],
        &["metrics", "web", "2025-13"],
        &["metrics", "web", "2025-08..2025-07"],
        &["metrics", "web", "2025-07", "--all"],
        &["metrics", "web", "2025-07", "more"],
        &["metrics", "web", "--table", "web"],
        &["--db", "July"],
        &["2025-07"],
        &["--dry-run"],
        &["--to", "db"],
    ] {
        let done = ask(&pair, &server).args(args).finish().expect_code(2);
        assert!(!done.stderr.is_empty() && done.stdout.is_empty(), "{args:?}");
    }
    let done = ask(&pair, &server).args(["metrics", "nothing"]).finish().expect_code(1);
    assert!(done.stderr.contains("no table `nothing`"), "{}", done.stderr);
    pair.sql("DROP TABLE web");
    fill_without_web(&pair);
    let done = ask(&pair, &server).args(["--db", "2025-07"]).finish().expect_code(1);
    assert!(done.stderr.contains("not done: web"), "{}", done.stderr);
    assert_eq!(hosts(&pair, "toolstart"), "8.0.0.2=host", "the others are");
}

fn fill_without_web(pair: &Pair) {
    pair.sql("INSERT INTO toolstart (datetime, ip, tool) VALUES ('2025-07-05 10:00:00', '8.0.0.2', '')");
}

#[test]
fn no_server_is_asked_about_a_hashed_address() {
    let server = names();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql("INSERT INTO web (datetime, ip, host) VALUES ('2025-07-05 10:00:00', 'xabcdefghij2345', NULL)");
    quiet(ask(&pair, &server).args(["metrics", "web", "2025-07"]));
    assert_eq!((server.n_asked(), hosts(&pair, "web").as_str()), (0, "xabcdefghij2345=?"));
}
