//! `hzmetrics compare` on two databases of a private server.

use fixtures::Finished;
use fixtures::db::{MODES, Pair, SqlMode, pair};
use schema::tables::Engine;
use serde_json::{Value, json};

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

pub(crate) fn compare(here: &Pair, there: &Pair, more: &str) -> Finished {
    let run = here.run(HZMETRICS).env("HZMETRICS_ROOT", here.home().join("root"));
    run.args(["compare", &there.metrics]).args(more.split_whitespace()).finish()
}

/// Two months of a small hub; ids begin after `first`, rows of one key are turned round with `turned`.
pub(crate) fn fill(pair: &Pair, first: u64, turned: bool) {
    let id = |n: u64| first + n;
    let list = |rows: [String; 3]| {
        let mut rows = rows.to_vec();
        if turned {
            rows.reverse();
        }
        rows.join(", ")
    };
    let session =
        |n: u64, when: &str| format!("({}, '{when}', 'US', '192.0.2.{n}', 'a.mit.edu', 'mit.edu', 10, 0, 1)", id(n));
    let request = |n: u64, session: u64, what: &str, when: &str| {
        format!("({}, {}, '{when}', '192.0.2.1', 'a.mit.edu', '{what}', 0)", id(n), id(session))
    };
    let statistics = |n: u64, users: u64| format!("({}, {n}, 7, {users}, '2025-06-00', 1)", id(n));
    pair.sql(&format!(
        "INSERT INTO websessions VALUES {};\n\
         INSERT INTO web (id, sessionid, datetime, ip, host, content, dnload) VALUES {};\n\
         INSERT INTO userlogin (id, datetime, user, ip, action) VALUES ({}, '2025-06-05', 'ann', '192.0.2.1', 'login');\n\
         INSERT INTO topvals (top, datetime, period, rank, name, value) VALUES (1, '2025-06-00', 1, {}, 'x', 5), \
         (1, '2025-06-00', 1, {}, 'y', 5), (1, '2025-06-00', 1, 1, 'z', 9);\n\
         INSERT INTO summary_user_vals (rowid, colid, datetime, period, value, valfmt) VALUES \
         (1, 1, '2025-06-00', 1, 31, 1), (1, 1, '2025-07-00', 1, 40, 1);\n\
         INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count, imported_at) VALUES \
         ({}, 'h-access.log-20250603', 'web', {}, {}, 3, NOW() - INTERVAL {first} DAY);\n\
         INSERT INTO toolstart (datetime, user, tool, ip, walltime) VALUES ('2025-07-01', 'ann', 'x', '192.0.2.1', 1.5);\n\
         INSERT INTO {{hub}}.jos_resource_stats_tools (id, resid, restype, users, datetime, period) VALUES {};\n\
         INSERT INTO {{hub}}.jos_resource_stats_tools_topvals (id, top, rank, name, value) VALUES ({}, 1, 1, 'edu', 5)",
        list([session(1, "2025-06-03 10:00:00"), session(2, "2025-06-30 23:00:00"), session(3, "2025-07-02 10:00:00")]),
        list([
            request(1, 1, "/a", "2025-06-03 10:00:00"),
            request(2, 1, "/b", "2025-06-03 10:00:00"),
            request(3, 3, "/a", "2025-07-02 10:00:00"),
        ]),
        id(9),
        if turned { 2 } else { 3 },
        if turned { 3 } else { 2 },
        id(1),
        id(1),
        id(3),
        list([statistics(1, 3), statistics(2, 3), statistics(3, 4)]),
        id(2),
    ));
}

/// Two databases with the same numbers.
fn twins(engine: Engine, mode: SqlMode) -> Option<[Pair; 2]> {
    let pairs = [pair(engine, mode)?, pair(engine, mode)?];
    fill(&pairs[0], 0, false);
    fill(&pairs[1], 100, true);
    Some(pairs)
}

/// The lines of differences.
fn found(done: &Finished) -> Vec<String> {
    done.text()
        .lines()
        .filter(|line| line.starts_with("    ") || line.starts_with("FAIL"))
        .map(|line| line.trim().to_owned())
        .collect()
}

#[test]
fn ids_times_of_writing_and_order_do_not_count() {
    for (engine, mode) in MODES {
        let Some([here, there]) = twins(engine, mode) else { return };
        for more in ["", "2025-06 2025-07"] {
            let done = compare(&here, &there, &format!("{more} --hub {}", there.hub)).ok();
            assert_eq!(found(&done), Vec::<String>::new(), "{}", done.text());
            for line in [
                "OK    web ",
                "OK    jos_resource_stats_tools_topvals  1 row",
                "no difference; not compared: import_files",
            ] {
                assert!(done.text().lines().any(|known| known.starts_with(line)), "{line}\n{}", done.text());
            }
        }
    }
}

#[test]
fn what_was_changed_is_named_and_nothing_else() {
    let Some([here, there]) = twins(Engine::InnoDb, SqlMode::Strict) else { return };
    there.sql(
        "UPDATE summary_user_vals SET value = 32 WHERE datetime = '2025-06-00';\n\
         UPDATE websessions SET duration = 11 WHERE ip = '192.0.2.2';\n\
         UPDATE imported_sources SET row_count = 4;\n\
         UPDATE toolstart SET walltime = walltime + 0.0000002;\n\
         UPDATE {hub}.jos_resource_stats_tools SET users = NULL WHERE resid = 3",
    );
    let done = compare(&here, &there, &format!("--hub {}", there.hub)).expect_code(1);
    let expected = [
        "FAIL  imported_sources       1 row",
        "changed: 1 row",
        "filename h-access.log-20250603, target_table web: row_count 3, there 4",
        "FAIL  summary_user_vals      2 rows",
        "changed: 1 row",
        "datetime 2025-06-00 00:00:00, period 1, rowid 1, colid 1: value 31, there 32",
        "FAIL  toolstart              1 row",
        "changed: 1 row",
        "datetime 2025-07-01 00:00:00, user ann, tool x, ip 192.0.2.1: walltime 1.5, there 1.500000238418579",
        "FAIL  websessions            3 rows",
        "changed: 1 row",
        "datetime 2025-06-30 23:00:00, ip 192.0.2.2: duration 10, there 11",
        "FAIL  jos_resource_stats_tools           3 rows",
        "changed: 1 row",
        "datetime 2025-06-00 00:00:00, period 1, resid 3, restype 7: users 4, there NULL",
    ];
    let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        found(&done).iter().map(|line| squeezed(line)).collect::<Vec<_>>(),
        expected.map(squeezed),
        "{}",
        done.text()
    );
    // of the month alone
    let done = compare(&here, &there, "2025-07").expect_code(1);
    assert_eq!(found(&done).len(), 3, "{}", done.text());
    let done = compare(&here, &there, "2025-06 --json --rows 0").expect_code(1);
    let report: Value = serde_json::from_str(&done.text()).unwrap();
    assert_eq!(report["differs"], true);
    let cells =
        report["tables"].as_array().unwrap().iter().find(|table| table["table"] == "summary_user_vals").unwrap();
    let changed = json!([{"kind": "changed", "options": [], "count": 1, "examples": []}]);
    assert_eq!((&cells["rows_here"], &cells["differences"]), (&json!(1), &changed));
    for (side, months) in [(&here, "2025-06"), (&there, "2025-06,2025-07")] {
        side.sql(&format!(
            "REPLACE INTO pipeline_state (k, v) VALUES ('hashed_months', '{months}'), ('shortened_months', '{months}')"
        ));
    }
    let full = serde_json::from_str(&compare(&here, &there, "2025-06 --json").expect_code(1).text()).unwrap();
    let odd: Value = {
        there.sql("ALTER TABLE regions ADD COLUMN more int;\nUPDATE web SET host = 'A.MIT.edu'");
        serde_json::from_str(&compare(&here, &there, "--json --allow lp_dns").expect_code(1).text()).unwrap()
    };
    crate::monitoring::outputs::compare("compare", &[full, odd], &[]);
}

#[test]
fn rows_and_tables_of_one_side_are_found() {
    let Some([here, there]) = twins(Engine::MyIsam, SqlMode::Lax) else { return };
    there.sql(
        "DELETE FROM web WHERE content = '/b';\n\
         INSERT INTO web (datetime, ip, content) VALUES ('0000-00-00', '192.0.2.9', '/zero');\n\
         INSERT INTO webhits VALUES ('2031-01-01', 4);\n\
         UPDATE toolstart SET sessionid = 4711;\n\
         DROP TABLE classes",
    );
    here.sql("INSERT INTO classes (class, name) VALUES (1, 'edu');\nALTER TABLE regions ADD COLUMN more int");
    let done = compare(&here, &there, "").expect_code(1);
    let text = done.text();
    for line in [
        "FAIL  classes                1 row, there 0  (only one database has this table)",
        "        only one side has the column more",
        "        only here: 1 row",
        "            datetime 2025-06-03 10:00:00, ip 192.0.2.1, content /b: session 2025-06-03 10:00:00 192.0.2.1, \
         host a.mit.edu, dnload 0",
        "            datetime 0000-00-00 00:00:00, ip 192.0.2.9, content /zero",
        "            datetime 2031-01-01 00:00:00: hits 4",
        "        changed: 1 row (clear-orphan-stamps)",
        "5 tables differ; not compared: ",
    ] {
        assert!(text.lines().any(|known| known.starts_with(line)), "{line}\n{text}");
    }
}

#[test]
fn differences_that_an_option_explains_are_named_and_can_be_allowed() {
    let Some([here, there]) = twins(Engine::InnoDb, SqlMode::Strict) else { return };
    there.sql(
        "UPDATE web SET host = 'A.MIT.edu', dnload = NULL WHERE content = '/b';\n\
         INSERT INTO web (datetime, ip, content) VALUES ('2025-06-09', '192.0.2.9', '/robots.txt');\n\
         INSERT INTO userlogin (datetime, user, ip, action) VALUES ('2025-06-09', 'ann', '192.0.2.9', 'logout');\n\
         DELETE FROM imported_sources",
    );
    let done = compare(&here, &there, "").expect_code(1);
    let expected = ["(lp_atomic)", "(lp_auth_actions)", "(lp_dnload_inline, lp_dns)", "(lp_robots)"];
    let text = done.text();
    let explained: Vec<_> =
        text.lines().filter(|line| line.contains(" row (")).map(|line| &line[line.find('(').unwrap()..]).collect();
    assert_eq!(explained, expected, "{text}");
    let done = compare(&here, &there, "--allow port").ok();
    assert!(done.text().contains("(lp_robots)") && done.text().contains("\nno difference;"), "{}", done.text());
    let _ = compare(&here, &there, "--allow port,no-lp_dns").expect_code(1);
    // a row that two options must explain together
    there.sql("UPDATE web SET ipcountry = 'DE' WHERE content = '/b'");
    let _ = compare(&here, &there, "--allow port").expect_code(1);
}

#[test]
fn another_database_must_be_named_and_exist() {
    let Some(here) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let _ = compare(&here, &here, "").expect_code(2);
    let run =
        |database: &str| here.run(HZMETRICS).env("HZMETRICS_ROOT", here.home()).args(["compare", database]).finish();
    let done = run("no_such_database").expect_code(1);
    let words = "there is no database `no_such_database`, or ";
    assert!(done.stderr.contains(words) && done.stderr.contains("(GRANT SELECT is enough)"), "{}", done.stderr);
}

/// The recipe of docs/operations.md.
#[test]
fn a_month_computed_again_in_a_copy_is_the_same() {
    let Some(here) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    fill(&here, 0, false);
    let hzmetrics = |config: &std::path::Path, line: &str| {
        let run = here
            .run(HZMETRICS)
            .env("HZMETRICS_ROOT", here.home().join("root"))
            .env("HZMETRICS_NOW", "2025-08-02T10:00");
        run.arg("-c").arg(config).args(line.split(' ')).finish()
    };
    let ours = here.config();
    hzmetrics(&ours, "summarize-month 2025-06").ok();
    let folder = here.home().join("backups");
    std::fs::create_dir(&folder).unwrap();
    hzmetrics(&ours, &format!("backup {}", folder.display())).ok();
    let backup = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    // another database of the same account
    let copy = fixtures::db::names(SqlMode::Strict).unwrap();
    copy.create_metrics(Engine::InnoDb, false);
    let text = zstd::decode_all(std::fs::File::open(backup.join("metrics.sql.zst")).unwrap()).unwrap();
    let load = fixtures::run("mariadb").args(["--no-defaults", "--binary-mode", "-uroot", "-S"]).arg(here.socket());
    load.arg(&copy.metrics).stdin(text).finish().ok();
    let config = here.home().join("copy.cfg");
    let text = std::fs::read_to_string(&ours).unwrap();
    std::fs::write(&config, text.replace(&here.metrics, &copy.metrics)).unwrap();
    copy.sql("DELETE FROM summary_user_vals WHERE datetime = '2025-06-00';\nDELETE FROM userlogin_lite");
    let _ = compare(&here, &copy, "2025-06").expect_code(1);
    let tables_of_hub = || here.lines("SELECT * FROM {hub}.jos_resource_stats");
    let before = tables_of_hub();
    hzmetrics(&config, "summarize-month 2025-06").ok();
    compare(&here, &copy, "2025-06").ok();
    assert_eq!(tables_of_hub(), before, "nothing is written to the hub's database");
    copy.sql("UPDATE userlogin SET datetime = '2025-05-31' WHERE user = 'ann'");
    hzmetrics(&config, "summarize-month 2025-06").ok();
    let done = compare(&here, &copy, "2025-06").expect_code(1);
    assert!(done.text().contains("FAIL  userlogin "), "{}", done.text());
}
