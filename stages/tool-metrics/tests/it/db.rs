//! The nightly job on a real server, in all four modes.

use std::sync::atomic::{AtomicBool, Ordering};

use fixtures::Run;
use fixtures::db::{MODES, Pair, SqlMode, pair};
use fixtures::kills::kill_and_run_again;
use schema::tables::Engine;

use fixtures::name_server::Reply;
use fixtures::services::Services;

/// A small hub. gridstat runs tools too; two tools share a title; one resource is not a tool.
const HUB: &str = "INSERT INTO {hub}.jos_resources (id, title, type, alias, published, standalone) VALUES
    (7, 'Zeta', 7, 'zeta', 1, 1), (9, 'alpha', 7, 'alpha', 1, 1), (8, 'Alpha', 7, 'second', 0, 1),
    (5, 'Part', 7, 'part', 1, 0), (6, 'No name', 7, '', 1, 1), (4, 'Paper', 3, 'paper', 1, 1);
    INSERT INTO {hub}.jos_tool_version (id, toolname, instance) VALUES (1, 'zeta', 'zeta_r1'), (2, 'zeta', 'zeta_dev'),
    (3, 'ZETA', 'zeta_r2_DEV'), (4, 'other', 'other_r1');
    INSERT INTO {hub}.sessionlog (sessnum, username, remoteip, start, appname, walltime, viewtime) VALUES
    (30, 'gridstat', '8.0.0.1', '2025-07-05 10:00:00', 'zeta', 488.5, 10.25),
    (10, 'Bob', '8.0.0.2', '2025-07-06 10:00:00', 'ZETA_R1', 488.5, 0),
    (11, 'bob ', '10.0.0.1', '2025-07-01 00:00:00', 'zeta', 1000, 1),
    (12, 'ann', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff', '2025-07-10 10:00:00', 'zeta_dev', 5, 5),
    (13, 'ann', '8.0.0.3', '2025-08-01 00:00:00', 'zeta', 7, 7),
    (14, 'ann', '8.0.0.3', '2025-03-01 10:00:00', 'alpha', 2147483648.5, NULL),
    (15, 'eve', '8.0.0.9', '2025-07-12 10:00:00', 'nowhere', 1, 1);
    INSERT INTO {hub}.joblog (sessnum, job, superjob, event, venue, walltime, cputime, ncpus, start) VALUES
    (10, 0, 0, 'application', '', 100, 50, 0, '2020-01-01 00:00:00'), (10, 1, 0, 'simulation', 'a', 10, 7.5, 2, '2025-07-06 10:00:00'),
    (10, 2, 0, '[waiting]', 'a', 3.25, 1, 3, '2025-07-06 10:00:00'), (10, 3, 1, 'simulation', 'b', 1, 0.5, 0, '2025-07-06 10:00:00');
    INSERT INTO {hub}.jos_users (id, username) VALUES (1, 'bob'), (2, 'ann');
    INSERT INTO {hub}.jos_user_profiles (id, user_id, profile_key, profile_value) VALUES
    (1, 1, 'countryresident', 'de'), (2, 1, 'orgtype', 'industry'), (3, 2, 'countryresident', 'zz');
    INSERT INTO {hub}.jos_xprofiles (uidNumber, username, orgtype, emailConfirmed) VALUES
    (1, 'bob', 'industry', 1), (2, 'ann', '', 3), (3, 'eve', 'government', 0), (4, 'dan', 'x', -5);
    INSERT INTO countries (code, name) VALUES ('DE', 'GERMANY')";

fn services() -> Services {
    Services::start(|last| match last {
        1 => Reply::name("grid.example.com"),
        2 => Reply::name("pc.cs.purdue.edu"),
        3 => Reply::NxDomain,
        _ => Reply::NoData,
    })
}

/// The nightly job.
fn job(services: &Services, pair: &Pair) -> Run {
    services.asked_by(pair.run(env!("CARGO_BIN_EXE_tool-metrics")).arg("--db"))
}

/// Everything that the stage writes.
fn state(pair: &Pair) -> Vec<String> {
    [
        "SELECT id, sessnum, user, ip, host, domain, countryresident, orgtype, ipcountry FROM sessionlog_metrics ORDER BY sessnum",
        "SELECT username, orgtype FROM jos_xprofiles_metrics ORDER BY username",
        "SELECT id, resid, restype, users, sessions, simulations, jobs, avg_wall, tot_wall, avg_cpu, tot_cpu, avg_view, tot_view,
         avg_wait, tot_wait, avg_cpus, tot_cpus, datetime, period FROM {hub}.jos_resource_stats_tools ORDER BY id",
        "SELECT resid, restype, users, jobs, avg_wall, tot_wall, avg_cpu, tot_cpu, datetime, period FROM {hub}.jos_resource_stats
         ORDER BY datetime, resid, period, restype",
        "SELECT id, top, `rank`, name, value FROM {hub}.jos_resource_stats_tools_topvals ORDER BY id, top, `rank`",
        "SELECT top, datetime, period, `rank`, name, value FROM {hub}.jos_stats_topvals ORDER BY datetime, top, period, `rank`",
        "SELECT ip, countrySHORT FROM {hub}.jos_metrics_ipgeo_cache ORDER BY ip",
    ]
    .iter()
    .flat_map(|query| pair.lines(query))
    .collect()
}

fn hub_engine(pair: &Pair, engine: Engine) {
    if engine == Engine::InnoDb {
        for table in ["resource_stats_tools", "resource_stats", "resource_stats_tools_topvals", "stats_topvals"] {
            pair.sql(&format!("ALTER TABLE {{hub}}.jos_{table} ENGINE=InnoDB"));
        }
    }
}

#[test]
fn a_month_has_the_same_values_in_every_mode() {
    let services = services();
    let mut all = Vec::new();
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        hub_engine(&pair, engine);
        pair.sql(HUB);
        let done = job(&services, &pair).arg("2025-07").finish().ok();
        assert!(done.stdout.is_empty() && done.stderr.is_empty(), "a good run says nothing: {}", done.stderr);
        let first = state(&pair);
        job(&services, &pair).arg("2025-07").finish().ok();
        assert_eq!(state(&pair), first, "{engine:?} {mode:?}: run twice");
        all.push(first);
        // without names of countries there is still one place for each code
        pair.sql("DELETE FROM countries");
        job(&services, &pair).args(["--only", "tool-tops", "2025-07"]).finish().ok();
        let names = "SELECT `rank`, name, value FROM {hub}.jos_resource_stats_tools_topvals WHERE id = 20 AND top = 1 ORDER BY `rank`";
        assert_eq!(pair.lines(names), ["0\tTotal Users\t2", "1\tUnknown\t1", "2\tUnknown\t1"]);
    }
    for other in &all[1..] {
        assert_eq!(*other, all[0], "the same values in every mode");
    }
    let lines = &all[0];
    for expected in [
        // an address too long for its column is cut; midnights are looked up only together with other rows of
        // the address
        "1\t10\tBob\t8.0.0.2\tpc.cs.purdue.edu\tpurdue.edu\tDE\tINDUSTRY\tUS",
        "2\t11\tbob \t10.0.0.1\tNULL\tNULL\tDE\tINDUSTRY\tNULL",
        "3\t12\tann\t2001:db8:aaaa:b\t?\t?\tZZ\tNULL\tNULL",
        "4\t13\tann\t8.0.0.3\tNULL\tNULL\tZZ\tNULL\tUS",
        "7\t30\tgridstat\t8.0.0.1\tgrid.example.com\texample.com\tNULL\tNULL\tUS",
        // equal titles are ordered by number; a tool runs under its alias and all versions except
        // development versions
        "2\t8\t7\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t2025-07-00 00:00:00\t1",
        "20\t7\t7\t2\t2\t2\t2\t488.5\t977\t4\t8\t5.125\t10.25\t1.625\t3.25\t3\t5\t2025-07-00 00:00:00\t1",
        "19\t7\t7\t2\t3\t2\t2\t988.5\t1977\t4\t8\t5.625\t11.25\t1.625\t3.25\t3\t5\t2025-07-00 00:00:00\t0",
        // the copy: rounded half away from zero, limited by its column
        "7\t7\t2\t2\t489\t977\t4\t8\t2025-07-00 00:00:00\t1",
        "9\t7\t1\t0\t0\t2147483647\t0\t0\t2025-07-00 00:00:00\t0",
        // lists of the tool: gridstat has no profile, a country without a name, a domain
        "20\t1\t0\tTotal Users\t2",
        "20\t1\t1\tUnknown\t1",
        "20\t1\t2\tGERMANY\t1",
        "20\t2\t1\texample.com\t1",
        "20\t2\t2\tpurdue.edu\t1",
        "20\t3\t1\tindustry\t1",
        // a tool that nobody used
        "2\t1\t0\tTotal Users\t0",
        "2\t1\t1\tUnknown\t0",
        "2\t2\t0\tTotal Users\t0",
        "2\t3\t0\tTotal Users\t0",
        // all tools: the total counts every name; hidden tools have no place, zeros do
        "2\t2025-07-00 00:00:00\t1\t0\tTotal Simulation Users\t4",
        "6\t2025-07-00 00:00:00\t0\t1\t9 ~ alpha\t2147483649",
        "6\t2025-07-00 00:00:00\t1\t1\t7 ~ Zeta\t977",
        "6\t2025-07-00 00:00:00\t1\t2\t9 ~ alpha\t0",
        "6\t2025-07-00 00:00:00\t1\t3\t5 ~ Part\t0",
        "ann\t",
        "bob\tindustry",
        "134217729\tUS",
    ] {
        assert!(lines.iter().any(|line| line == expected), "missing: {expected}\n{}", lines.join("\n"));
    }
    let none = |start: &str| assert!(!lines.iter().any(|l| l.starts_with(start)), "{start}\n{}", lines.join("\n"));
    none("eve\tgovernment");
    none("13\t1\t0"); // a part of another resource has statistics but no lists
    assert_eq!(lines.iter().filter(|l| l.contains(" ~ ") && l.ends_with("\t0")).count() % 2, 0);
}

#[test]
fn rows_keep_their_ids_and_other_months_are_unchanged() {
    let services = services();
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        hub_engine(&pair, engine);
        pair.sql(HUB);
        pair.sql(
            "INSERT INTO {hub}.jos_resource_stats_tools (id, resid, restype, users, datetime, period) VALUES
             (100, 7, 7, 99, '2025-07-00', 1), (101, 7, 7, 98, '2025-07-00', 1), (102, 77, 7, 5, '2025-07-00', 1),
             (103, 7, 7, 3, '2025-06-00', 1), (104, 4, 3, 2, '2025-07-00', 1);
             INSERT INTO {hub}.jos_resource_stats_tools_topvals VALUES (101, 1, 5, 'old', 1), (103, 1, 0, 'June', 3), (101, 4, 0, 'x', 1);
             INSERT INTO {hub}.jos_stats_topvals (top, datetime, period, `rank`, name, value) VALUES
             (2, '2025-07-00', 1, 40, 'old', 1), (2, '2025-06-00', 1, 0, 'June', 3), (3, '2025-07-00', 1, 0, 'another list', 1);
             INSERT INTO {hub}.jos_resource_stats (id, resid, restype, users, datetime, period) VALUES
             (50, 7, 7, 1, '2025-07-00', 1), (51, 7, 7, 4, '2025-07-01', 1)",
        );
        job(&services, &pair)
            .args(["--only", "import-hub-data,tool-stats,tool-tops,tool-toplists", "2025-07"])
            .finish()
            .ok();
        let rows =
            pair.lines("SELECT id, resid, users FROM {hub}.jos_resource_stats_tools WHERE id <= 104 ORDER BY id");
        // if a tool has two rows, the last one counts; nothing is deleted
        assert_eq!(rows, ["100\t7\t99", "101\t7\t2", "102\t77\t5", "103\t7\t3", "104\t4\t2"], "{engine:?} {mode:?}");
        let new = pair.lines("SELECT id, resid, period FROM {hub}.jos_resource_stats_tools WHERE id > 104 ORDER BY id");
        assert_eq!(new.len(), 23);
        let order: Vec<&str> = new.iter().map(|line| line.split_once('\t').unwrap().1).collect();
        assert_eq!(order[..8], ["8\t0", "8\t1", "8\t3", "8\t12", "8\t13", "8\t14", "9\t0", "9\t1"]);
        assert_eq!(order[18..], ["7\t0", "7\t3", "7\t12", "7\t13", "7\t14"]);
        let copies = pair.lines("SELECT id, users FROM {hub}.jos_resource_stats WHERE id <= 51 ORDER BY id");
        assert_eq!(copies, ["50\t2", "51\t4"]);
        let tops = pair.lines("SELECT id, top, `rank`, name FROM {hub}.jos_resource_stats_tools_topvals WHERE id IN (101, 103) ORDER BY id, top, `rank`");
        assert!(!tops.iter().any(|line| line.contains("old")), "{tops:?}");
        assert!(tops.contains(&"103\t1\t0\tJune".to_owned()) && tops.contains(&"101\t4\t0\tx".to_owned()), "{tops:?}");
        let lists = pair.lines(
            "SELECT name FROM {hub}.jos_stats_topvals WHERE name IN ('old', 'June', 'another list') ORDER BY id",
        );
        assert_eq!(lists, ["June", "another list"]);
        // rows of other types and of deleted tools count in the sums, and have places while they are
        // published
        let total = pair.lines("SELECT `rank`, name, value FROM {hub}.jos_stats_topvals WHERE top = 2 AND period = 1 AND datetime = '2025-07-00' ORDER BY `rank`");
        assert_eq!(
            total[..4],
            ["0\tTotal Simulation Users\t4", "1\t7 ~ Zeta\t99", "2\t7 ~ Zeta\t2", "3\t4 ~ Paper\t2"]
        );
        let ids = pair.lines("SELECT id, resid, period FROM {hub}.jos_resource_stats_tools ORDER BY id");
        // a new tool between the others
        pair.sql("INSERT INTO {hub}.jos_resources (id, title, type, alias, published, standalone) VALUES (20, 'Beta', 7, 'beta', 1, 1)");
        job(&services, &pair).args(["--only", "tool-stats", "2025-07"]).finish().ok();
        let after = pair.lines("SELECT id, resid, period FROM {hub}.jos_resource_stats_tools ORDER BY id");
        assert_eq!(after[..ids.len()], ids, "{engine:?} {mode:?}");
        assert_eq!(after.len(), ids.len() + 6);
    }
}

#[test]
fn without_a_month_the_current_one_is_computed() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(HUB);
    pair.sql(
        "UPDATE {hub}.sessionlog SET start = NOW() - INTERVAL 1 DAY - INTERVAL 1 SECOND WHERE sessnum = 10;
         UPDATE {hub}.sessionlog SET start = NOW() - INTERVAL 9 DAY WHERE sessnum = 30;
         UPDATE {hub}.sessionlog SET start = NOW() WHERE sessnum = 15",
    );
    job(&services, &pair).finish().ok();
    let label = pair.value("SELECT DISTINCT datetime FROM {hub}.jos_resource_stats_tools").unwrap();
    assert_eq!(Some(label), pair.value("SELECT DATE_FORMAT(NOW(), '%Y-%m-00 00:00:00')"));
    let hosts =
        pair.lines("SELECT sessnum, host FROM sessionlog_metrics WHERE sessnum IN (10, 15, 30) ORDER BY sessnum");
    assert_eq!(hosts, ["10\tpc.cs.purdue.edu", "15\tNULL", "30\tNULL"], "the last seven days without today");
}

#[test]
fn a_withheld_month_is_left_alone_until_it_is_named() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(HUB);
    let current = pair.value("SELECT DATE_FORMAT(NOW(), '%Y-%m')").unwrap();
    pair.sql(&format!("INSERT INTO pipeline_state (k, v) VALUES ('withheld_months', '2025-06,{current}')"));
    let n = || pair.value("SELECT COUNT(*) FROM {hub}.jos_resource_stats_tools").unwrap();
    let done = job(&services, &pair).finish().ok();
    assert_eq!((done.stderr.as_str(), n().as_str()), ("", "0"));
    assert_ne!(pair.value("SELECT COUNT(*) FROM sessionlog_metrics").unwrap(), "0", "the other steps are made");
    job(&services, &pair).arg(&current).finish().ok();
    assert_ne!(n(), "0");
}

#[test]
fn a_dry_run_changes_nothing_and_reports() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(HUB);
    pair.sql("INSERT INTO sessionlog_metrics (sessnum, user, ip, start, host) VALUES (10, 'x', '8.0.0.2', '2025-07-06 10:00:00', 'a.b.edu'), (99, 'bob', '8.0.0.1', '2025-07-06 10:00:00', '')");
    let before = state(&pair);
    let done = job(&services, &pair).args(["--dry-run", "2025-07"]).finish().ok();
    assert_eq!(state(&pair), before);
    for words in [
        "6 tool sessions to add, 2 profiles to copy",
        ".sessionlog_metrics 2025-07-01..2025-08-01: 1 unresolved IPs (ns=127.0.0.1:",
        "[resolve-dns]",
        "c=100)",
        "1 distinct host without",
        "a.b.edu -> b.edu",
        "profiles of 1 user to apply",
        "2 distinct IPs",
        "5 weeks",
        "24 rows of tool statistics",
    ] {
        assert!(done.stderr.contains(words), "missing: {words}\n{}", done.stderr);
    }
    assert!(done.stdout.is_empty() && services.geo.asked().is_empty() && services.names.n_asked() == 0);
}

#[test]
fn tables_can_be_read_and_records_written() {
    let services = services();
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Lax) else { return };
    pair.sql(HUB);
    job(&services, &pair).args(["--only", "import-hub-data", "2025-07"]).finish().ok();
    let run = || pair.run(env!("CARGO_BIN_EXE_tool-metrics")).args(["--from", "db", "2025-07"]);
    let done = run().finish().ok();
    let stats = done.of_kind("toolstat");
    assert_eq!(stats.len(), 24);
    let zeta = stats.iter().find(|s| s["resid"] == 7 && s["period"] == 1).unwrap();
    assert_eq!((&zeta["users"], &zeta["avg_wall"]), (&2.into(), &488.5.into()));
    assert!(done.of_kind("toptool").iter().any(|t| t["top"] == 3 && t["name"] == "industry"));
    assert_eq!(pair.value("SELECT COUNT(*) FROM {hub}.jos_resource_stats_tools").as_deref(), Some("0"));
    let csv = run().args(["--only", "tool-toplists", "--format", "csv", "--kind", "toplist"]).finish().ok();
    assert!(csv.text().contains("Total Simulation Users"), "{}", csv.text());
}

#[test]
fn errors_say_what_is_wrong() {
    let services = services();
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    pair.sql(HUB);
    pair.sql("DROP TABLE {hub}.jos_resource_stats_tools_topvals; \nDROP TABLE {hub}.jos_user_profiles");
    let done = job(&services, &pair).arg("2025-07").finish().expect_code(1);
    done.said(&[
        "jos_resource_stats_tools_topvals",
        "jos_user_profiles",
        "comes with the CMS",
        "not done: user-info, tool-tops",
    ]);
    // the other steps did their work
    assert_ne!(pair.value("SELECT COUNT(*) FROM {hub}.jos_stats_topvals").as_deref(), Some("0"));
    let exe = || fixtures::run(env!("CARGO_BIN_EXE_tool-metrics"));
    for args in [&["--only", "hosts"][..], &["--to", "db"], &["--only", "hosts", "--from", "db"]] {
        let done = exe().args(args).finish().expect_code(2);
        assert!(!done.stderr.is_empty());
    }
    let done = pair.run(env!("CARGO_BIN_EXE_tool-metrics")).args(["--db", "--only", "domains", "2025-07"]);
    done.env("HZMETRICS_DB_SOCKET", "/nowhere/s").finish().expect_code(1);
}

#[test]
fn killed_at_random_moments_and_run_again() {
    let services = services();
    let fill = |pair: &Pair, engine| {
        hub_engine(pair, engine);
        pair.sql(HUB);
    };
    let state = |pair: &Pair| {
        let left = pair.lines("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE '%\\_\\_%'");
        assert!(left.is_empty(), "{left:?}");
        without_ids(&state(pair))
    };
    kill_and_run_again("tool-metrics", 12, fill, |pair| job(&services, pair).arg("2025-07"), state);
}

/// The server's next id jumps after a transaction that was undone.
fn without_ids(lines: &[String]) -> Vec<String> {
    let mut lines: Vec<String> =
        lines.iter().map(|l| l.split_once('\t').map_or(l.as_str(), |(_, rest)| rest).to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn nobody_sees_half_of_a_month() {
    let services = services();
    for engine in [Engine::MyIsam, Engine::InnoDb] {
        let Some(pair) = pair(engine, SqlMode::Lax) else { return };
        hub_engine(&pair, engine);
        pair.sql(HUB);
        job(&services, &pair).arg("2025-07").finish().ok();
        let stop = AtomicBool::new(false);
        let queries = [
            "SELECT COUNT(*) FROM {hub}.jos_resource_stats_tools",
            "SELECT COUNT(*) FROM {hub}.jos_resource_stats",
            "SELECT COUNT(*) FROM {hub}.jos_resource_stats_tools_topvals",
            "SELECT COUNT(*) FROM {hub}.jos_stats_topvals",
            "SELECT COUNT(*) FROM jos_xprofiles_metrics",
        ];
        let counts = || queries.map(|query| pair.value(query));
        let whole = counts();
        let seen = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    seen.push(counts());
                }
                seen
            });
            let stops = fixtures::Stops(&stop);
            for _ in 0..5 {
                let steps = "import-hub-data,tool-stats,tool-tops,tool-toplists";
                job(&services, &pair).args(["--only", steps, "2025-07"]).finish().ok();
            }
            drop(stops);
            reader.join().unwrap()
        });
        assert!(seen.len() > 5, "{}", seen.len());
        for counts in seen {
            assert_eq!(counts, whole, "{engine:?}");
        }
    }
}
