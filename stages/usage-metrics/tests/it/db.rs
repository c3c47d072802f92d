//! The nightly job on a real server, in all four modes.

use std::fmt::Write as _;

use fixtures::Run;
use fixtures::db::{MODES, Pair, SqlMode, pair, private_server};
use fixtures::kills::kill_and_run_again;
use schema::tables::Engine;

use fixtures::name_server::Reply;
use fixtures::services::Services;

fn on(pair: &Pair) -> Run {
    pair.run(env!("CARGO_BIN_EXE_usage-metrics"))
}

fn step(pair: &Pair, only: &str) -> Run {
    on(pair).args(["--db", "--only", only])
}

fn quiet(run: Run) {
    let done = run.finish().ok();
    assert!(done.stdout.is_empty() && done.stderr.is_empty(), "a good run says nothing: {}", done.stderr);
}

const SESSIONS: &str = "SELECT id, datetime, ipcountry, ip, host, duration, domain, jobs, webevents FROM websessions \
                        ORDER BY id";

/// Row and session of every row with one, `4=43`.
fn stamps(pair: &Pair, table: &str) -> String {
    let query = format!("SELECT CONCAT(id, '=', sessionid) FROM {table} WHERE sessionid IS NOT NULL ORDER BY id");
    pair.lines(&query).join(" ")
}

/// Everything that the stage writes.
fn state(pair: &Pair) -> Vec<String> {
    written(pair, "id, ")
}

/// The same without the ids of tool starts: an insert rolled back after a kill has used some up.
fn contents(pair: &Pair) -> Vec<String> {
    written(pair, "")
}

fn written(pair: &Pair, number: &str) -> Vec<String> {
    let toolstart = format!(
        "SELECT {number}sessionid, datetime, success, user, ip, host, domain, tool, execunit, walltime, cputime, \
         ipcountry, countrycitizen, countryresident, orgtype FROM toolstart ORDER BY id"
    );
    [
        SESSIONS,
        "SELECT id, sessionid, datetime, ip, host, domain, ipcountry FROM web ORDER BY id",
        &toolstart,
        "SELECT sessnum, user, ip FROM sessionlog_metrics ORDER BY sessnum",
        "SELECT username FROM jos_xprofiles_metrics ORDER BY username",
        "SELECT datetime, hits FROM webhits ORDER BY datetime",
        "SELECT ip, countrySHORT FROM {hub}.jos_metrics_ipgeo_cache ORDER BY ip",
    ]
    .iter()
    .flat_map(|query| pair.lines(query))
    .collect()
}

/// Requests of July 2025: day and time, address, host, domain; `-` is NULL.
fn web(pair: &Pair, rows: &[(&str, &str, &str, &str)]) {
    let text = |text: &str| if text == "-" { "NULL".to_owned() } else { format!("'{text}'") };
    let rows: Vec<String> = rows
        .iter()
        .map(|(time, ip, host, domain)| format!("('2025-07-{time}', '{ip}', {}, {})", text(host), text(domain)))
        .collect();
    pair.sql(&format!("INSERT INTO web (datetime, ip, host, domain) VALUES {}", rows.join(", ")));
}

#[test]
fn the_example_in_the_specification_is_reproduced() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql("INSERT INTO websessions (id, datetime, host, domain) VALUES (40, '2025-06-01', '', '')");
        let (b, c, z) = ("b.example.com", "c.example.com", "z.example.com");
        web(
            &pair,
            &[
                ("03 09:00:00", "", "alpha.example.org", "example.org"),
                ("03 09:10:00", "10.1.1.1", "alpha.example.org", ""),
                ("03 10:00:00", "10.1.1.10", b, "example.com"),
                ("03 09:00:00", "10.1.1.10", c, "example.net"),
                ("03 10:00:00", "10.1.1.2", "?", "?"),
                ("03 10:30:00", "10.1.1.2", "?", "?"),
                ("03 11:00:01", "10.1.1.2", "?", "?"),
                ("08 12:00:00", "10.1.1.2", "?", "?"),
                ("09 12:00:00", "10.1.1.3", "-", "-"),
                ("31 23:50:00", "10.1.9.9", z, "example.com"),
            ],
        );
        pair.sql(
            "INSERT INTO toolstart (sessionid, datetime, ip, host, success, tool) VALUES
             (NULL, '2025-07-03 09:59:59', '10.1.1.2', '?', 1, ''), (7, '2025-07-03 10:05:00', '99.9.9.9', '?', 1, ''),
             (NULL, '2025-07-03 10:10:00', '10.1.1.2', '?', 0, ''), (NULL, '2025-07-03 10:59:59', '10.1.1.2', '', 1, ''),
             (NULL, '2025-07-03 11:00:00', '10.1.1.2', '?', 1, ''), (NULL, '2025-07-03 11:20:00', '77.7.7.7', '?', 1, '')",
        );
        let expected = [
            "40\t2025-06-01 00:00:00\t\t\t\t0\t\t0\t0",
            "41\t2025-07-03 09:00:00\t\t10.1.1.1\talpha.example.org\t600\texample.org\t0\t0",
            "42\t2025-07-03 10:00:00\t\t10.1.1.10\tb.example.com\t-3600\texample.com\t0\t0",
            "43\t2025-07-03 10:00:00\t\t10.1.1.2\t?\t1800\t?\t2\t0",
            "44\t2025-07-03 11:00:01\t\t10.1.1.2\t?\t0\t?\t1\t0",
            "45\t2025-07-09 12:00:00\t\t10.1.1.3\t\t0\t\t0\t0",
        ];
        for _ in 0..2 {
            quiet(step(&pair, "sessions").arg("2025-07"));
            assert_eq!(pair.lines(SESSIONS), expected, "{engine:?} {mode:?}");
            assert_eq!(stamps(&pair, "web"), "1=41 2=41 3=42 4=42 5=43 6=43 7=44 9=45");
            assert_eq!(stamps(&pair, "toolstart"), "2=43 4=43 6=44", "an earlier stamp is overwritten");
        }
    }
}

#[test]
fn traps_of_the_session_rules_are_respected() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let many = (0..200).map(|_| "('2025-07-25 10:00:00', '7.7.7.7', 1, '')").collect::<Vec<_>>().join(", ");
        pair.sql(&format!("INSERT INTO toolstart (datetime, ip, success, tool) VALUES {many}"));
        web(
            &pair,
            &[
                ("08 00:01:00", "1.1.1.1", "-", "-"), // days of no window
                ("16 23:59:59", "1.1.1.1", "-", "-"),
                ("24 00:00:00", "1.1.1.1", "-", "-"),
                ("01 10:00:00", "1.1.1.2", "-", "-"), // text order: after 1.1.1.10
                ("01 10:00:00", "1.1.1.10", "-", "-"),
                ("07 23:59:59", "", "only.a.host", "-"), // before both
                ("01 10:00:00", "", "?", "-"),           // neither known: no part in it
                ("01 10:00:00", "", "", "-"),
                ("25 10:00:00", "7.7.7.7", "-", "-"), // more tool starts than the column holds
                ("31 23:59:59", "9.9.9.9", "-", "-"), // the last session stays open
            ],
        );
        pair.sql(
            "INSERT INTO web (datetime, ip, sessionid) VALUES ('2025-07-01 10:00:00', '1.1.1.3', 0), \
             ('2025-07-01 10:00:00', '1.1.1.4', 3), ('2025-06-30 23:59:59', '1.1.1.5', NULL), \
             ('2025-08-01 00:00:00', '1.1.1.6', NULL)",
        );
        quiet(step(&pair, "sessions").arg("2025-07"));
        assert_eq!(stamps(&pair, "web"), "4=3 5=2 6=1 9=5 11=4 12=3", "{engine:?} {mode:?}");
        assert_eq!(
            pair.lines("SELECT id, jobs FROM websessions ORDER BY id"),
            ["1\t0", "2\t0", "3\t0", "4\t0", "5\t127"]
        );
        assert_eq!(pair.value("SELECT COUNT(*) FROM toolstart WHERE sessionid = 5").as_deref(), Some("200"));
        // the number of a removed last session is used again, while its old numbers stay in
        // requests
        pair.sql("DELETE FROM websessions WHERE id = 5");
        web(&pair, &[("25 12:00:00", "5.5.5.5", "-", "-")]);
        quiet(step(&pair, "sessions").arg("2025-07"));
        assert_eq!(stamps(&pair, "web"), "4=3 5=2 6=1 9=5 11=4 12=3 15=5");
    }
}

/// According to its statistics, a table that was just filled is empty; a join that relies on them
/// reads all of it for each row.
#[test]
fn outdated_statistics_of_the_server_do_no_harm() {
    let Some(server) = private_server() else { return };
    let pair = server.names(SqlMode::Lax);
    pair.create_hub(true);
    pair.create_metrics(Engine::InnoDb, true);
    pair.sql(
        "ALTER TABLE toolstart STATS_PERSISTENT = 1 STATS_AUTO_RECALC = 0;
         INSERT INTO toolstart (datetime, ip, success, tool) SELECT '2025-07-25 10:00:00', '7.7.7.7', 1, '' FROM seq_1_to_3000;
         RENAME TABLE toolstart TO moved;
         RENAME TABLE moved TO toolstart",
    );
    web(&pair, &[("25 10:00:00", "7.7.7.7", "-", "-"), ("25 10:00:00", "8.8.8.8", "-", "-")]);
    let read = || -> u64 {
        let name = "handler_read_rnd_next";
        let sql = format!("SELECT variable_value FROM information_schema.global_status WHERE variable_name = '{name}'");
        pair.value(&sql).unwrap().parse().unwrap()
    };
    let before = read();
    quiet(step(&pair, "sessions").arg("2025-07"));
    let n = read() - before;
    assert_eq!(pair.value("SELECT COUNT(*) FROM toolstart WHERE sessionid = 1").as_deref(), Some("3000"));
    assert!(n < 100_000, "{n} rows were read one after the other");
}

#[test]
fn bots_are_removed_only_within_the_dates() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql(
            "DELETE FROM exclude_list;
             INSERT INTO exclude_list (filter, type) VALUES ('b.com', 'domain'), ('%.Crawl_r.net', 'host'),
             ('literal\\\\_x', 'host'), ('ip.com', 'ip'), ('ua.com', 'useragent')",
        );
        let rows = "(datetime, ip, host, domain) VALUES
             ('2025-06-30 00:00:00', 'kept', 'h', 'b.com'), ('2025-06-30 23:59:00', 'gone', 'h', 'B.com '),
             ('2025-08-01 00:00:00', 'gone', 'h', 'b.com'), ('2025-08-01 00:00:01', 'kept', 'h', 'b.com'),
             ('2025-07-10 00:00:00', 'kept', 'h', 'x.b.com'), ('2025-07-10 00:00:00', 'gone', 'a.crawler.NET', NULL),
             ('2025-07-10 00:00:00', 'kept', 'a.crawler.net ', ''), ('2025-07-10 00:00:00', 'kept', 'crawler.net', ''),
             ('2025-07-10 00:00:00', 'gone', 'literal_x', ''), ('2025-07-10 00:00:00', 'kept', 'literalyx', ''),
             ('2025-07-10 00:00:00', 'kept', NULL, NULL), ('2025-07-10 00:00:00', 'kept', 'ip.com', 'ua.com')";
        pair.sql(&format!("INSERT INTO web {rows}"));
        pair.sql(
            "INSERT INTO websessions (id, datetime, ip, host, domain) SELECT id, datetime, ip, host, domain FROM web",
        );
        let dry = step(&pair, "clean-bots").args(["--dry-run", "2025-07"]).finish().ok();
        for words in ["web 2025-06-30..2025-08-01: 4 rows", "websessions 2025-06-30..2025-08-01: 4 rows", "5 weeks"] {
            assert!(dry.stderr.contains(words), "{words}\n{}", dry.stderr);
        }
        quiet(step(&pair, "clean-bots").args(["--table", "websessions", "--date", "2025-07"]));
        let left =
            |table: &str| pair.lines(&format!("SELECT ip, COUNT(*) FROM {table} GROUP BY ip ORDER BY ip")).join(" ");
        assert_eq!((left("websessions"), left("web")), ("kept\t8".to_owned(), "gone\t4 kept\t8".to_owned()));
        quiet(step(&pair, "clean-bots").arg("2025-07"));
        assert_eq!(left("web"), "kept\t8", "{engine:?} {mode:?}");
        // a filter without text matches empty values
        pair.sql("INSERT INTO exclude_list (filter, type) VALUES ('', 'domain')");
        quiet(step(&pair, "clean-bots").args(["--table", "web", "--date", "2025-07-10"]));
        assert_eq!(left("web"), "kept\t5");
    }
}

/// Jobs of the hub: (sessnum, user, address), (sessnum, job, event, start, wall, cpu).
const JOBS: &str = "INSERT INTO {hub}.sessionlog (sessnum, username, remoteip, exechost, start, appname) VALUES
    (1, 'alice', '8.0.0.1', 'node1', '2025-07-01', 'tool'), (2, 'Bob', '8.0.0.1', 'node2', '2025-07-01', 'other'),
    (3, 'GridStat', '8.0.0.1', '', '2025-07-01', 'x'), (4, 'HCtester', '8.0.0.1', '', '2025-07-01', 'x'),
    (5, 'gridstatx', '8.0.0.1', '', '2025-07-01', 'x'), (6, 'carl', '2001:db8::1:2:3:4', 'n', '2025-07-01', 'x');
    INSERT INTO {hub}.joblog (sessnum, job, event, venue, start, walltime, cputime) VALUES
    (1, 1, 'application', '', '2025-07-01 10:00:00', 120.4, 0.4), (2, 1, 'application', '', '2025-07-01 10:00:00', 30.5, 3),
    (2, 2, 'application', '', '2025-07-01 11:00:00', 40.5, 0.5), (2, 3, 'application', '', '2025-07-01 11:00:00', 50.5, 8),
    (2, 4, '[waiting]', '', '2025-07-01 12:00:00', 9, 9), (2, 5, 'application', '', '2025-07-01 12:00:00', NULL, 7),
    (3, 1, 'application', '', '2025-07-01 10:00:00', 1, 1), (4, 1, 'application', '', '2025-07-01 10:00:00', 1, 1),
    (5, 1, 'application', '', '2025-07-01 10:00:00', 1, NULL), (9, 1, 'application', '', '2025-07-01 10:00:00', 1, 1)";

const STARTS: &str =
    "SELECT id, datetime, success, user, ip, tool, execunit, walltime, cputime FROM toolstart ORDER BY id";

#[test]
fn tool_starts_come_from_the_job_log() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql(JOBS);
        pair.sql("INSERT INTO toolstart (datetime, user, ip, tool, walltime, cputime) VALUES ('2025-07-01 10:00:00', 'Bob', '8.0.0.1', '', 0, NULL)");
        quiet(step(&pair, "middleware-wall"));
        let wall = [
            "1\t2025-07-01 10:00:00\t0\tBob\t8.0.0.1\t\tNULL\t0\tNULL",
            // capitals come first in byte order: at alice the row of Bob is skipped
            "2\t2025-07-01 10:00:00\t1\talice\t8.0.0.1\ttool\tnode1\t120\t0",
            "3\t2025-07-01 10:00:00\t1\tBob\t8.0.0.1\tother\tnode2\t31\t0",
            "4\t2025-07-01 10:00:00\t1\tgridstatx\t8.0.0.1\tx\t\t1\t0",
            "5\t2025-07-01 11:00:00\t1\tBob\t8.0.0.1\tother\tnode2\t41\t0",
            "6\t2025-07-01 11:00:00\t1\tBob\t8.0.0.1\tother\tnode2\t51\t0",
            "7\t2025-07-01 12:00:00\t1\tBob\t8.0.0.1\tother\tnode2\t0\t0",
        ];
        assert_eq!(pair.lines(STARTS), wall, "{engine:?} {mode:?}");
        let dry = step(&pair, "middleware-cpu").arg("--dry-run").finish().ok();
        // 0.4 is rounded to zero; the job that only waited takes the row of the real job
        assert!(dry.stderr.contains("0 tool starts to add, 4 to complete"), "{}", dry.stderr);
        for _ in 0..2 {
            quiet(step(&pair, "middleware-cpu"));
            let cpu = pair.lines("SELECT id, cputime FROM toolstart WHERE cputime > 0 ORDER BY id");
            assert_eq!(cpu, ["1\t3", "5\t1", "6\t8", "7\t9"]);
        }
        let before = pair.lines(STARTS);
        quiet(step(&pair, "middleware-wall"));
        assert_eq!(pair.lines(STARTS), before, "a second run adds nothing");
        // an address that is too long is cut, and never found again
        pair.sql("INSERT INTO {hub}.joblog (sessnum, job, event, venue, start, walltime) VALUES (6, 1, '', '', '2025-07-02', 1)");
        for n in 1..3 {
            quiet(step(&pair, "middleware-wall"));
            let cut = pair.lines("SELECT ip FROM toolstart WHERE user = 'carl'");
            assert_eq!(cut, vec!["2001:db8::1:2:3"; n]);
        }
    }
}

#[test]
fn tool_starts_are_created_as_by_the_port() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(JOBS);
    pair.sql("INSERT INTO toolstart (datetime, user, ip, tool, cputime) VALUES ('2025-07-01 11:00:00', 'bob', '8.0.0.1', '', 0), ('2025-07-01 11:00:00', 'Bob', '8.0.0.1', '', 0)");
    for only in ["middleware-wall", "middleware-cpu"] {
        quiet(step(&pair, only).args(["--compat", "lp_middleware"]));
    }
    let rows = pair.lines("SELECT id, datetime, user, walltime, cputime FROM toolstart ORDER BY id");
    let expected = [
        "1\t2025-07-01 11:00:00\tbob\t0\t1",
        "2\t2025-07-01 11:00:00\tBob\t0\t1",
        "3\t2025-07-01 10:00:00\talice\t120\t0",
        "4\t2025-07-01 10:00:00\tBob\t31\t3",
        "5\t2025-07-01 10:00:00\tgridstatx\t1\t0",
        "6\t2025-07-01 12:00:00\tBob\tNULL\t9",
    ];
    assert_eq!(rows, expected);
}

fn services() -> Services {
    Services::start(|last| match last {
        1 => Reply::name("Grid.Example.com"),
        2 => Reply::name("pc.cs.purdue.edu"),
        3 => Reply::NxDomain,
        9 => Reply::name("x.crawler.net"),
        _ => Reply::NoData,
    })
}

/// The nightly job.
fn job(services: &Services, pair: &Pair) -> Run {
    services.asked_by(on(pair).arg("--db"))
}

/// A month in which every step has something to do.
fn month(pair: &Pair) {
    pair.sql(JOBS);
    pair.sql(
        "DELETE FROM exclude_list;
         INSERT INTO exclude_list (filter, type) VALUES ('crawler.net', 'domain');
         INSERT INTO {hub}.jos_users (id, username) VALUES (1, 'bob'), (2, 'ann');
         INSERT INTO {hub}.jos_user_profiles (id, user_id, profile_key, profile_value) VALUES
         (1, 1, 'countryresident', 'de'), (2, 1, 'orgtype', 'industry'), (3, 2, 'orgtype', 'x');
         INSERT INTO {hub}.jos_xprofiles (uidNumber, username, orgtype, emailConfirmed) VALUES (1, 'bob', 'industry', 1);
         INSERT INTO webhits VALUES ('2025-07-01', 70), ('2025-06-01', 60)",
    );
    web(
        pair,
        &[
            ("01 10:00:00", "8.0.0.1", "-", "-"),
            ("01 10:10:00", "8.0.0.1", "-", "-"),
            ("02 10:00:00", "8.0.0.9", "-", "-"), // a bot
            ("03 10:00:00", "8.0.0.3", "-", "-"), // no name
            ("05 00:00:00", "8.0.0.2", "-", "-"), // a midnight alone is not looked up
            ("09 10:00:00", "10.0.0.1", "www.a.com", "-"),
            ("17 10:00:00", "8.0.0.77", "x.y.co.uk", "?"),
            ("31 10:00:00", "9.9.9.9", "z.com", "z.com"),
        ],
    );
    pair.sql(
        "INSERT INTO web (datetime, ip, host, ipcountry) VALUES ('2025-06-30 00:00:00', '8.0.0.5', 'www.b.com', NULL),
         ('2025-06-29 23:59:59', '8.0.0.6', 'www.c.com', NULL), ('2025-08-02', '8.0.0.1', NULL, NULL),
         ('2025-08-02', '8.0.0.1', NULL, '-')",
    );
}

#[test]
fn a_month_has_the_same_values_in_every_mode() {
    let services = services();
    let mut all = Vec::new();
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        month(&pair);
        quiet(job(&services, &pair).arg("2025-07"));
        let first = state(&pair);
        quiet(job(&services, &pair).arg("2025-07"));
        assert_eq!(state(&pair), first, "{engine:?} {mode:?}: run twice");
        all.push(first);
    }
    for other in &all[1..] {
        assert_eq!(*other, all[0], "the same values in every mode");
    }
    let lines = &all[0];
    for expected in [
        // the bot has a session number and is gone afterwards; the last session is never closed
        "5\t2025-07-09 10:00:00\t\t10.0.0.1\twww.a.com\t0\ta.com\t0\t0",
        "1\t1\t2025-07-01 10:00:00\t8.0.0.1\tGrid.Example.com\texample.com\tUS",
        "4\t3\t2025-07-03 10:00:00\t8.0.0.3\t?\t?\tUS",
        "5\t2\t2025-07-05 00:00:00\t8.0.0.2\tNULL\tNULL\tUS",
        "7\t6\t2025-07-17 10:00:00\t8.0.0.77\tx.y.co.uk\ty.co.uk\tUS",
        "9\tNULL\t2025-06-30 00:00:00\t8.0.0.5\twww.b.com\tb.com\tNULL",
        "10\tNULL\t2025-06-29 23:59:59\t8.0.0.6\twww.c.com\tNULL\tNULL",
        // written whatever the date, but not over `-`
        "11\tNULL\t2025-08-02 00:00:00\t8.0.0.1\tGrid.Example.com\tNULL\tUS",
        "12\tNULL\t2025-08-02 00:00:00\t8.0.0.1\tGrid.Example.com\tNULL\t-",
        "1\t1\t2025-07-01 10:00:00\t1\talice\t8.0.0.1\tGrid.Example.com\texample.com\ttool\tnode1\t120\t0\tUS\tNULL\tNULL\tNULL",
        "2\t1\t2025-07-01 10:00:00\t1\tBob\t8.0.0.1\tGrid.Example.com\texample.com\tother\tnode2\t31\t3\tUS\tNULL\tDE\tINDUSTRY",
        "2025-07-01 00:00:00\t70",
        "bob",
    ] {
        assert!(lines.iter().any(|line| line == expected), "missing: {expected}\n{}", lines.join("\n"));
    }
    assert!(!lines.iter().any(|line| line.contains("8.0.0.9") || line.contains("crawler")), "{}", lines.join("\n"));
}

#[test]
fn a_month_is_processed_as_by_the_port() {
    let services = services();
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        month(&pair);
        pair.sql("INSERT INTO toolstart (datetime, sessionid, ip, tool) VALUES ('2025-07-30', 999, '1.1.1.1', ''), ('2025-06-30', 999, '1.1.1.1', '')");
        pair.sql(
            "INSERT INTO summary_misc_vals (rowid, colid, datetime, period, value, valfmt) VALUES \
             (8, 1, '2025-06-00', 14, '60', 1), (8, 1, '2025-07-00', 1, '999', 1), (7, 1, '2025-08-00', 12, 'x', 1), \
             (8, 1, '2025-08-00', 12, '999', 1), (8, 1, '2025-09-00', 1, '9', 1)",
        );
        quiet(job(&services, &pair).args(["--compat", "port", "2025-07"]));
        // the hits in later summaries are updated; a month without a summary gets no single cell
        let cells = "SELECT rowid, DATE_FORMAT(datetime, '%Y-%m'), period, value FROM summary_misc_vals ORDER BY datetime, rowid";
        assert_eq!(
            pair.lines(cells),
            ["8\t2025-06\t14\t60", "8\t2025-07\t1\t7", "7\t2025-08\t12\tx", "8\t2025-08\t12\t67", "8\t2025-09\t1\t"]
        );
        // the bot was removed before sessions were built: it has no number
        let sessions = pair.lines("SELECT id, ip, ipcountry FROM websessions ORDER BY id");
        assert_eq!(
            sessions,
            ["1\t8.0.0.1\tUS", "2\t8.0.0.2\tUS", "3\t8.0.0.3\tUS", "4\t10.0.0.1\t-", "5\t8.0.0.77\tUS"]
        );
        assert_eq!(pair.lines("SELECT sessionid FROM toolstart WHERE ip = '1.1.1.1' ORDER BY id"), ["NULL", "999"]);
        let hits = pair.lines("SELECT DATE(datetime), hits FROM webhits ORDER BY datetime");
        let expected = ["06-01\t60", "07-01\t2", "07-03\t1", "07-05\t1", "07-09\t1", "07-17\t1", "07-31\t1"];
        assert_eq!(hits, expected.map(|line| format!("2025-{line}")), "{engine:?} {mode:?}");
        // lower case, and midnights are looked up
        assert_eq!(pair.value("SELECT host FROM web WHERE id = 1").as_deref(), Some("grid.example.com"));
        assert_eq!(pair.value("SELECT host FROM web WHERE id = 5").as_deref(), Some("pc.cs.purdue.edu"));
    }
}

#[test]
fn sessions_can_wait_for_the_end_of_the_month() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    pair.sql("INSERT INTO web (datetime, ip) SELECT DATE_FORMAT(NOW(), '%Y-%m-01 10:00:00'), '1.1.1.1' UNION ALL SELECT DATE_FORMAT(NOW(), '%Y-%m-01 10:00:00'), '1.1.1.2'");
    let count = || pair.value("SELECT COUNT(*) FROM websessions").unwrap_or_default();
    let waiting = || job(&services, &pair).args(["--compat", "sessions-at-month-close"]);
    waiting().finish().ok();
    assert_eq!(count(), "0");
    waiting().arg("--with-sessions").finish().ok();
    assert_eq!(count(), "1");
    pair.sql("DELETE FROM websessions;\nUPDATE web SET sessionid = NULL");
    job(&services, &pair).finish().ok();
    assert_eq!(count(), "1", "by default every night");
    pair.sql("DELETE FROM websessions;\nUPDATE web SET sessionid = NULL");
    waiting().args(["--only", "sessions"]).finish().ok();
    assert_eq!(count(), "1", "a step that is named runs");
}

#[test]
fn a_month_in_progress_is_processed_as_by_the_port() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    month(&pair);
    pair.sql("INSERT INTO websessions (id, datetime, ip) VALUES (50, '2025-07-04', '8.0.0.2')");
    let at = |now: &str| {
        quiet(job(&services, &pair).args(["--compat", "port", "2025-07"]).env("HZMETRICS_NOW", now));
    };
    at("2025-07-20T10:10");
    // rows have everything of their own: names, domains, countries; bots are gone
    assert_eq!(
        pair.lines("SELECT id, host, domain, ipcountry FROM web WHERE datetime < '2025-07-05' AND id < 9 ORDER BY id"),
        ["1\tgrid.example.com\texample.com\tUS", "2\tgrid.example.com\texample.com\tUS", "4\t?\t?\tUS"]
    );
    let tool =
        "SELECT DISTINCT host, domain, ipcountry, countryresident FROM toolstart WHERE user = 'Bob' AND tool = 'other'";
    assert_eq!(pair.lines(tool), ["grid.example.com\texample.com\tUS\tDE"]);
    assert_eq!(pair.lines("SELECT user FROM sessionlog_metrics").len(), 6, "the hub's data");
    // sessions are untouched: none are built, named or cleared
    let sessions = || pair.lines("SELECT id, host, domain, ipcountry FROM websessions WHERE id = 50 OR id < 50");
    assert_eq!(sessions(), ["50\tNULL\tNULL\t"]);
    assert_eq!(pair.lines("SELECT id FROM web WHERE sessionid <> 0"), [""; 0]);
    // once the month is over they are built, without being requested
    at("2025-08-01T00:10");
    assert_eq!(pair.value("SELECT COUNT(*) FROM websessions WHERE id > 50").as_deref(), Some("5"));
    assert_eq!(sessions(), ["50\tpc.cs.purdue.edu\tpurdue.edu\tUS"], "named and placed like requests");
}

#[test]
fn a_dry_run_changes_nothing_and_reports() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    month(&pair);
    let before = state(&pair);
    let done = job(&services, &pair).args(["--dry-run", "2025-07", "--compat", "port"]).finish().ok();
    assert_eq!(state(&pair), before);
    assert!(done.stdout.is_empty() && services.geo.asked().is_empty() && services.names.n_asked() == 0);
    for words in [
        "6 tool sessions to add, 1 profile to copy",
        "middleware-wall: 6 tool starts to add",
        ".web 2025-07-01..2025-08-01: 4 unresolved IPs (ns=127.0.0.1:",
        "www.a.com -> a.com",
        "web 2025-06-30..2025-08-01: 0 rows to delete, by 1 domain and 0 hosts, 5 weeks",
        "hits of 7 days to recount",
        "6 sessions of 8 requests to add",
        "stamps of 0 requests",
        "distinct IPs without a country",
    ] {
        assert!(done.stderr.contains(words), "missing: {words}\n{}", done.stderr);
    }
}

#[test]
fn sessions_can_be_written_as_records() {
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Strict) else { return };
    web(&pair, &[("01 10:00:00", "1.1.1.1", "a.b", "-"), ("01 10:00:00", "2.2.2.2", "-", "-")]);
    let done = on(&pair).args(["--from", "db", "2025-07"]).finish().ok();
    assert_eq!(
        done.text(),
        "{\"kind\":\"session\",\"id\":1,\"datetime\":\"2025-07-01 10:00:00\",\"ipcountry\":\"\",\"ip\":\"1.1.1.1\",\"host\":\"a.b\",\
         \"domain\":\"\",\"duration\":0,\"jobs\":0,\"webevents\":0}\n"
    );
    assert_eq!(pair.value("SELECT COUNT(*) FROM websessions").as_deref(), Some("0"));
    let csv = on(&pair).args(["--from", "db", "--format", "csv", "2025-06"]).finish().ok();
    assert_eq!(csv.text().lines().count(), 1, "a header for no rows");
}

/// Some pseudo-random numbers.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Requests and tool starts of July from few addresses and hosts: as SQL and as records.
fn traffic(n: u64, seed: u64) -> (String, String) {
    let mut next = numbers(seed);
    let (mut web, mut tools, mut records) = (Vec::new(), Vec::new(), String::new());
    let hosts =
        ["NULL", "''", "'?'", "'a.example.com'", "'A.example.com'", "'b-1.org'", "'0'", "'\u{e9}.fr'", "'e.fr '"];
    for _ in 0..n {
        let ip = ["", "1.1.1.1", "1.1.1.10", "1.1.1.2", "10.0.0.1", "0"][next(6) as usize];
        let host = hosts[next(9) as usize];
        let time = format!("2025-07-{:02} {:02}:{:02}:{:02}", next(31) + 1, next(3), next(4) * 15 + next(2), next(2));
        let tool = next(5) == 0;
        let rows = if tool { &mut tools } else { &mut web };
        rows.push(format!("('{time}', '{ip}', {host}{})", if tool { ", 1, ''" } else { "" }));
        let kind = if tool { "toolstart\",\"success\":1" } else { "web\"" };
        let host = if host == "NULL" { String::new() } else { format!(",\"host\":\"{}\"", host.trim_matches('\'')) };
        let _ = writeln!(records, "{{\"kind\":\"{kind},\"datetime\":\"{time}\",\"ip\":\"{ip}\"{host}}}");
    }
    let sql = format!(
        "INSERT INTO web (datetime, ip, host) VALUES {};\nINSERT INTO toolstart (datetime, ip, host, success, tool) VALUES {}",
        web.join(", "),
        tools.join(", ")
    );
    (sql, records)
}

#[test]
fn tables_and_stream_give_the_same_sessions() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let (sql, records) = traffic(3000, 7 + mode as u64);
        pair.sql(&sql);
        let stream = fixtures::run(env!("CARGO_BIN_EXE_usage-metrics")).args(["--only", "sessions"]);
        let stream = stream.stdin(records).finish().ok();
        let shown = on(&pair).args(["--from", "db", "2025-07"]).finish().ok();
        let expected: Vec<_> = stream.of_kind("session");
        assert!(expected.len() > 300, "{}", expected.len());
        assert_eq!(shown.of_kind("session"), expected, "{engine:?} {mode:?}");
        quiet(step(&pair, "sessions").arg("2025-07"));
        for (table, kind) in [("web", "web"), ("toolstart", "toolstart")] {
            let given = pair.lines(&format!("SELECT IFNULL(sessionid, '') FROM {table} ORDER BY id"));
            let expected: Vec<String> = stream
                .of_kind(kind)
                .iter()
                .map(|record| record.get("sessionid").map_or(String::new(), ToString::to_string))
                .collect();
            assert_eq!(given, expected, "{table}");
        }
        assert_eq!(pair.value("SELECT COUNT(*) FROM websessions"), Some(expected.len().to_string()));
    }
}

#[test]
fn sessions_killed_at_random_moments_and_run_again() {
    let (sql, _) = traffic(10_000, 11);
    let fill = |pair: &Pair, _| {
        pair.sql(&sql);
        pair.sql("INSERT INTO websessions (id, datetime, host, domain) VALUES (5, '2025-06-01', '', '')");
    };
    let job = |pair: &Pair| {
        // the server may still be executing the last statement of a killed run
        pair.wait_until_idle();
        step(pair, "sessions").arg("2025-07")
    };
    kill_and_run_again("usage-metrics, sessions", 20, fill, job, state);
}

#[test]
fn whole_nights_killed_at_random_moments_and_run_again() {
    let services = services();
    let (sql, _) = traffic(2_000, 12);
    let fill = |pair: &Pair, _| {
        month(pair);
        pair.sql(&sql);
    };
    let job = |pair: &Pair| {
        pair.wait_until_idle();
        job(&services, pair).arg("2025-07")
    };
    kill_and_run_again("usage-metrics, whole night", 6, fill, job, contents);
}

/// Two sessions write the rows, each in its own transaction, so one half may be there without the
/// other.
#[test]
fn two_sessions_killed_at_random_moments_and_run_again() {
    let fill = |pair: &Pair, _| {
        // without the indexes, which take most of the time to fill
        pair.sql(
            "ALTER TABLE web DROP KEY content, DROP KEY ip, DROP KEY ipcountry, DROP KEY web_host, \
             DROP KEY web_dnload_dt, DROP KEY web_dt_ip, DROP KEY web_sessionid_dnload;
             INSERT INTO web (datetime, ip, host) SELECT '2025-07-01' + INTERVAL seq MOD 40000 MINUTE, '8.0.0.2', \
             CONCAT('a.d', seq MOD 900, '.com') FROM seq_1_to_60000",
        );
    };
    let job = |pair: &Pair| {
        pair.wait_until_idle();
        step(pair, "domains").args(["--table", "web", "2025-07"])
    };
    let state = |pair: &Pair| pair.lines("SELECT domain, COUNT(*), SUM(id) FROM web GROUP BY domain ORDER BY domain");
    kill_and_run_again("usage-metrics, domains of many rows", 2, fill, job, state);
}

#[test]
fn sessions_left_by_a_killed_run_are_removed() {
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Lax) else { return };
    let (sql, _) = traffic(500, 3);
    pair.sql(&sql);
    pair.sql("INSERT INTO websessions (id, datetime, host, domain) VALUES (5, '2025-06-01', '', '')");
    quiet(step(&pair, "sessions").arg("2025-07"));
    let whole = state(&pair);
    // killed after the sessions; then in the middle of them
    for gone in ["", "DELETE FROM websessions WHERE id > 20"] {
        pair.sql(&format!("UPDATE web SET sessionid = NULL;\n{gone}"));
        quiet(step(&pair, "sessions").arg("2025-07"));
        assert_eq!(state(&pair), whole, "{gone}");
    }
    // sessions that differ from those that would be built are kept
    pair.sql("UPDATE web SET sessionid = NULL;\nUPDATE websessions SET duration = duration + 1 WHERE id > 5");
    let before = pair.value("SELECT COUNT(*) FROM websessions").unwrap_or_default().parse::<u64>().unwrap_or(0);
    quiet(step(&pair, "sessions").arg("2025-07"));
    let after = pair.value("SELECT COUNT(*) FROM websessions").unwrap_or_default().parse::<u64>().unwrap_or(0);
    assert_eq!(after, 2 * before - 1);
}

/// Answers of the services go to every row of an address, as in the original; results from a file only
/// to the month.
#[test]
fn a_country_database_fills_only_the_given_month() {
    let services = services();
    let countries = "SELECT CONCAT(datetime, ' ', IFNULL(ipcountry, '')) FROM";
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        let file = pair.home().join("countries.mmdb");
        let networks =
            [("8.0.0.0".parse().unwrap(), 8, "CH".to_owned()), ("2001:db8::".parse().unwrap(), 32, "DE".to_owned())];
        std::fs::write(&file, fixtures::mmdb::country_database_of_both(&networks)).unwrap();
        let days =
            ["2025-05-10", "2025-06-30 00:00:01", "2025-07-01", "2025-07-31 23:59:59", "2025-08-01", "2025-09-10"];
        let rows = |ip: &str| days.map(|day| format!("('{day}', '{ip}', 'h')")).join(", ");
        pair.sql(&format!(
            "INSERT INTO web (datetime, ip, host) VALUES {}, {};\n\
             INSERT INTO websessions (id, datetime, ip, host) SELECT id, datetime, ip, host FROM web;\n\
             INSERT INTO toolstart (datetime, ip, host, tool) SELECT datetime, ip, host, '' FROM web",
            rows("8.8.8.8"),
            rows("2001:db8::1")
        ));
        quiet(job(&services, &pair).args(["--only", "countries", "--geoip"]).arg(&file).arg("2025-07"));
        for table in ["web", "websessions", "toolstart"] {
            let filled = pair.lines(&format!("{countries} {table} WHERE ipcountry <> '' ORDER BY id"));
            let (first, last) = ("2025-07-01 00:00:00", "2025-07-31 23:59:59");
            let expected = [first, last].map(|at| format!("{at} CH")).into_iter();
            let expected: Vec<_> = expected.chain([first, last].map(|at| format!("{at} DE"))).collect();
            assert_eq!(filled, expected, "{engine:?} {table}");
        }
        // the first midnight after the month belongs to the range that the original examines
        quiet(job(&services, &pair).args(["--only", "countries", "2025-07"]));
        assert_eq!(
            pair.lines("SELECT ipcountry, COUNT(*) FROM web WHERE ip = '8.8.8.8' GROUP BY 1"),
            ["CH\t2", "US\t4"]
        );
    }
}

#[test]
fn the_database_of_countries_is_named_by_option_environment_or_file() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let named = |code: &str| {
        let file = pair.home().join(format!("{code}.mmdb"));
        let networks = [("8.0.0.0".parse().unwrap(), 8, code.to_owned())];
        std::fs::write(&file, fixtures::mmdb::country_database_of_both(&networks)).unwrap();
        file
    };
    let (in_file, in_environment, as_option) = (named("CH"), named("DE"), named("FR"));
    let country = |run: Run| {
        pair.sql("DELETE FROM web; INSERT INTO web (datetime, ip, host) VALUES ('2025-07-10', '8.8.8.8', 'h')");
        quiet(run.args(["--only", "countries", "2025-07"]));
        pair.value("SELECT ipcountry FROM web").unwrap()
    };
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc/hubzero-metrics");
    std::fs::create_dir_all(&etc).unwrap();
    let job = || job(&services, &pair).env("HZMETRICS_ROOT", root.path());
    // without any of them the service says it
    assert_eq!(country(job()), "US");
    std::fs::write(etc.join("hzmetrics.conf"), format!("[logs]\ngeoip = {}\n", in_file.display())).unwrap();
    assert_eq!(country(job()), "CH");
    assert_eq!(country(job().env("HZMETRICS_GEOIP", &in_environment)), "DE");
    assert_eq!(country(job().env("HZMETRICS_GEOIP", &in_environment).arg("--geoip").arg(&as_option)), "FR");
}

#[test]
fn single_steps_can_run_on_one_table() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    month(&pair);
    pair.sql("INSERT INTO websessions (id, datetime, ip, host) VALUES (1, '2025-07-05 10:00:00', '8.0.0.2', NULL), (2, '2024-07-05', '8.0.0.3', 'a.b.org')");
    let one = |only: &str, table: &str, more: &[&str]| {
        quiet(job(&services, &pair).args(["--only", only, "--database", "metrics", "--table", table]).args(more));
        pair.lines("SELECT id, host, domain, ipcountry FROM websessions ORDER BY id").join(" | ")
    };
    assert_eq!(
        one("hosts", "websessions", &["--date", "2025-07-05"]),
        "1\tpc.cs.purdue.edu\tNULL\t | 2\ta.b.org\tNULL\t"
    );
    assert_eq!(
        one("domains", "websessions", &["--date", "2025-07"]),
        "1\tpc.cs.purdue.edu\tpurdue.edu\t | 2\ta.b.org\tNULL\t"
    );
    assert_eq!(one("domains", "websessions", &["--all"]), "1\tpc.cs.purdue.edu\tpurdue.edu\t | 2\ta.b.org\tb.org\t");
    assert_eq!(
        one("countries", "websessions", &["--date", "2024..2025"]),
        "1\tpc.cs.purdue.edu\tpurdue.edu\tUS | 2\ta.b.org\tb.org\tUS"
    );
    pair.sql("INSERT INTO toolstart (datetime, user, tool) VALUES ('2025-07-01', 'ann', '')");
    one("user-info", "toolstart", &["2025-07"]);
    assert_eq!(pair.value("SELECT orgtype FROM toolstart WHERE user = 'ann'").as_deref(), Some("X"));
}

#[test]
fn errors_say_what_is_wrong() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    month(&pair);
    for args in [
        &["--db", "2025-13"][..],
        &["--db", "2025-07-01"],
        &["--db", "--date", "2025-08..2025-07", "--only", "domains"],
        &["--db", "--all", "--only", "clean-bots"],
        &["--db", "--date", "2025-07..", "--only", "countries", "--table", "web"],
        &["--db", "--date", "2025", "--only", "sessions"],
        &["--db", "--table", "web"],
        &["--db", "--only", "clean-bots", "--table", "toolstart"],
        &["--db", "--only", "sessions", "--table", "web"],
        &["--db", "--only", "domains", "--table", "web; DROP TABLE web"],
        &["--db", "--only", "domains", "--table", "web", "--database", "other"],
        &["--only", "middleware-wall"],
        &["--only", "hosts"],
        &["2025-07"],
        &["--dry-run"],
        &["--to", "db"],
        &["--from", "db", "--only", "domains"],
        &["--from", "db", "--from", "x", "2025-07"],
    ] {
        let done = on(&pair).args(args).finish().expect_code(2);
        assert!(!done.stderr.is_empty() && done.stdout.is_empty(), "{args:?}");
    }
    // a step that fails does not stop the others
    pair.sql("DROP TABLE {hub}.joblog;\nDROP TABLE exclude_list");
    let done = job(&services(), &pair).args(["2025-07", "--only", "middleware-wall,clean-bots,sessions,domains"]);
    let done = done.finish().expect_code(1);
    done.said(&[
        "joblog",
        "comes with the CMS",
        "exclude_list",
        "not done: middleware-wall, clean-bots web, clean-bots websessions",
    ]);
    assert_ne!(pair.value("SELECT COUNT(*) FROM websessions").as_deref(), Some("0"));
    let nowhere = step(&pair, "sessions").env("HZMETRICS_DB_SOCKET", "/nowhere/s").finish().expect_code(1);
    assert!(nowhere.stderr.contains("/nowhere/s"), "{}", nowhere.stderr);
    step(&pair, "sessions").env("HZMETRICS_ACCESS_CFG", "/nowhere/access.cfg").finish().expect_code(1);
}

#[test]
fn nobody_is_asked_about_a_hashed_address() {
    let services = services();
    for compat in ["legacy", "port", "legacy,ipv6"] {
        let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
        pair.sql(
            "INSERT INTO web (id, datetime, ip) VALUES (1, '2025-07-05 10:00:00', 'xabcdefghij2345'), \
             (2, '2025-07-05 10:00:00', 'x2222222222222a');
             INSERT INTO websessions (id, datetime, ip) VALUES (1, '2025-07-05 10:00:00', 'xabcdefghij2345');
             INSERT INTO toolstart (datetime, ip, tool) VALUES ('2025-07-05 10:00:00', 'xabcdefghij2345', '');
             INSERT INTO sessionlog_metrics (sessnum, user, ip, start) VALUES (1, 'a', 'xabcdefghij2345', '2025-07-05 10:00:00')",
        );
        let steps = ["--only", "hosts,domains,countries", "--compat", compat, "2025-07"];
        let _ = job(&services, &pair).args(steps).finish().ok();
        assert!(services.geo.asked().is_empty() && services.names.n_asked() == 0, "{compat}");
        for table in ["web", "websessions", "toolstart", "sessionlog_metrics"] {
            let odd = format!(
                "SELECT COUNT(*) FROM {table} WHERE IFNULL(host, '?') NOT IN ('?', '') OR IFNULL(ipcountry, '-') NOT IN ('-', '')"
            );
            assert_eq!(pair.lines(&odd), ["0"], "{compat} {table}");
        }
        assert_eq!(pair.lines("SELECT ip FROM web ORDER BY id"), ["xabcdefghij2345", "x2222222222222a"]);
    }
}
