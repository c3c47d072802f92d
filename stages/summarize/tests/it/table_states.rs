//! States from tables: the cells of a scan over everything, and refused once the tables say something else.

use std::collections::BTreeSet;
use std::path::Path;

use fixtures::Finished;
use fixtures::db::{Pair, SqlMode, pair, private_server};
use fixtures::random::Random;
use schema::tables::Engine;
use serde_json::Value;

use super::EXE;
use super::made::{COMPAT, history, today};

/// What a hub has in its tables, whose keys are unique.
fn fill(pair: &Pair, seed: u64) {
    let mut random = Random::new(seed);
    let mut known = BTreeSet::new();
    let mut is_new = |record: &Value| {
        let key = |name: &str| record[name].to_string().replace(' ', "").to_lowercase();
        match record["kind"].as_str().unwrap() {
            "hub_session" | "hub_job" => known.insert(["kind", "sessnum", "job", "event"].map(key)),
            "login" => known.insert(["datetime", "user", "ip", "action"].map(key)),
            _ => true,
        }
    };
    let records: Vec<Value> = history(&mut random).into_iter().map(|made| made.record).collect();
    pair.insert(&records.into_iter().filter(&mut is_new).collect::<Vec<_>>());
    pair.insert(&today(&mut random));
    pair.sql(
        "INSERT INTO country_continent VALUES ('US', 'NA'), ('DE', 'EU');\n\
         INSERT INTO domainclass (domain, class) VALUES ('mit.edu', 1), ('nasa.gov', 3);\n\
         INSERT INTO exclude_list (type, filter) VALUES ('domain', 'bot.org')",
    );
}

fn look(pair: &Pair, args: &[&str]) -> Finished {
    pair.run(EXE).args(["--from", "db", "--to", "-"]).args(args).finish()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_state_and_the_rows_since_give_the_cells_of_all_rows() {
    for (n, engine) in [Engine::InnoDb, Engine::MyIsam].into_iter().enumerate() {
        for (m, compat) in COMPAT.into_iter().enumerate() {
            let Some(pair) = pair(engine, SqlMode::Strict) else { return };
            fill(&pair, (n * 10 + m) as u64);
            let folder = tempfile::tempdir().unwrap();
            let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
            let whole = |months: &[&str]| look(&pair, &[&["--compat", compat], months].concat()).ok().text();
            let kept = |args: &[&str], months: &[&str]| {
                let done = look(&pair, &[&["--compat", compat], months, args].concat()).ok();
                assert_eq!(done.stderr, "");
                assert_eq!(done.text(), whole(months), "{engine:?} {compat} {args:?}");
            };
            kept(&["--state-to", text(&a)], &["2024-12"]);
            kept(&["--state-from", text(&a), "--state-to", text(&b)], &["2025-01"]);
            // what is read from the tables each time may change
            pair.sql(
                "UPDATE {hub}.sessionlog SET walltime = walltime / 3, username = 'u9' WHERE sessnum < 4;\n\
                 DELETE FROM {hub}.joblog WHERE sessnum = 5;\n\
                 UPDATE jos_xprofiles_metrics SET countryresident = 'CN' WHERE uidNumber = 1;\n\
                 UPDATE webhits SET hits = hits + 1000;\n\
                 INSERT INTO {hub}.jos_resources (path) VALUES ('y/z.css');\n\
                 UPDATE domainclass SET class = 2 WHERE domain = 'mit.edu'",
            );
            kept(&["--state-from", text(&b), "--state-to", text(&c)], &["2025-02"]);
            // several months, months before the end of the state, and groups of cells
            kept(&["--state-from", text(&b)], &["--since", "2024-12", "--through", "2025-03"]);
            kept(&["--state-from", text(&c)], &["2024-12"]);
            kept(&["--state-from", text(&c)], &["2025-03", "--only", "reg,misc"]);
            // the tables themselves, and the step of the usage beside it
            let done =
                pair.run(EXE).args(["--db", "--compat", compat, "2025-03", "--state-from"]).arg(&c).finish().ok();
            assert_eq!((done.text().as_str(), done.stderr.as_str()), ("", ""));
            let n_cells = pair.lines("SELECT * FROM summary_user_vals").len();
            assert_eq!(n_cells, whole(&["2025-03"]).lines().filter(|line| line.contains("user_vals")).count());
        }
    }
}

#[test]
fn a_state_is_refused_once_the_tables_say_something_else() {
    // whether no program of ours did it: then nothing says which rows, and the tables are as those of another database
    let kinds = [
        ("UPDATE websessions SET ipcountry = 'FR' WHERE id = 3", None),
        ("DELETE FROM websessions WHERE id = 3", None),
        ("INSERT INTO userlogin (datetime, user, action) VALUES ('2024-11-11', 'late', 'login')", None),
        ("UPDATE toolstart SET orgtype = 'x'", None),
        ("UPDATE web SET content = '/resources/1/download/x' WHERE sessionid = 3", None),
        ("ALTER TABLE web ENGINE=InnoDB", None),
        ("DELETE FROM hz_generations", None),
        ("INSERT INTO exclude_list (type, filter) VALUES ('host', 'x%')", Some("exclude list")),
        ("INSERT INTO hz_generations (what, generation) VALUES ('2024-11', 1)", Some("rows of 2024-11")),
        ("INSERT INTO hz_generations (what, generation) VALUES ('every', 1)", Some("rows of any month")),
        ("UPDATE imported_sources SET row_count = 6", Some("ledger of imports")),
        ("DELETE FROM imported_sources", Some("ledger of imports")),
        ("UPDATE {hub}.jos_resources SET path = 'none'", Some("no resource has a file of the kind `gz`")),
        ("DELETE FROM web", None),
        ("TRUNCATE websessions", None),
        ("DROP TABLE hz_writer", Some("hzmetrics migrate --apply")),
        ("DROP TABLE hz_generations", Some("hzmetrics migrate --apply")),
    ];
    for engine in [Engine::MyIsam, Engine::InnoDb] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        fill(&pair, 5);
        pair.sql(
            "UPDATE {hub}.jos_resources SET path = 'a.gz';\n\
             INSERT INTO imported_sources (filename, target_table, imported_at, row_count) VALUES ('a', 'web', NOW(), 5)",
        );
        let folder = tempfile::tempdir().unwrap();
        let a = folder.path().join("a");
        for (n, (change, words)) in kinds.into_iter().enumerate() {
            // some are enough where it is the same code
            if engine == Engine::MyIsam && n % 2 == 1 {
                continue;
            }
            if pair.lines("SHOW TABLES LIKE 'hz_%'").len() < 3 {
                let refused = look(&pair, &["2025-01", "--state-to", text(&a)]).expect_code(1);
                assert!(refused.stderr.contains("hzmetrics migrate --apply"), "{}", refused.stderr);
                continue;
            }
            // a table that was rebuilt has no time of its last change until somebody writes to it
            pair.sql(&format!(
                "DELETE FROM hz_generations WHERE what <> 'tables';\n\
                 UPDATE {{hub}}.jos_resources SET path = 'a.gz';\nUPDATE web SET referrer = '{n}'"
            ));
            let _ = look(&pair, &["2025-01", "--state-to", text(&a)]).ok();
            // later months may change
            pair.sql("INSERT IGNORE INTO hz_generations (what, generation) VALUES ('2025-02', 1)");
            let _ = look(&pair, &["2025-02", "--state-from", text(&a)]).ok();
            pair.sql(change);
            let words = words.unwrap_or("is no longer valid: the tables are of another database");
            for _ in 0..2 {
                let done = look(&pair, &["2025-02", "--state-from", text(&a)]).expect_code(1);
                assert!(done.stderr.contains(words), "{engine:?} {change}: {}", done.stderr);
                assert_eq!(done.text(), "");
            }
        }
    }
}

#[test]
fn a_state_of_other_tables_is_refused() {
    let Some(first) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let Some(second) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    fill(&first, 1);
    fill(&second, 1);
    let _ = look(&first, &["2024-12", "--state-to", text(&a)]).ok();
    let _ = look(&second, &["2024-12", "--state-to", text(&b)]).ok();
    let refused = |args: &[&str], code: i32, words: &str| {
        let done = look(&second, args).expect_code(code);
        assert!(done.stderr.contains(words), "{args:?} {}", done.stderr);
    };
    refused(&["2025-01", "--state-from", text(&a)], 1, "are of another database");
    refused(&["2025-01", "--state-from", text(&b), "--compat", "port"], 1, "was made with --compat");
    refused(&["2025-01", "--state-from", text(&b), "--hub", "x"], 1, "is of another hub");
    refused(&["2025-01", "--state-from", text(&b), text(&b)], 2, "only one state can be continued");
    refused(&["2024-12", "--state-to", text(&c), "--part", "1/2"], 2, "--part is for records");
    refused(&["2024-11", "--state-from", text(&b), "--state-to", text(&c)], 1, "must go at least as far");
    let month = second.value("SELECT DATE_FORMAT(NOW(), '%Y-%m')").unwrap();
    refused(&[&month, "--state-to", text(&c)], 2, "is not over");
    let _ = fixtures::run(EXE).args(["--month", "2024-12", "--state-to"]).arg(&c).finish().ok();
    refused(&["2025-01", "--state-from", text(&c)], 1, "was made from records");
}

#[test]
fn a_state_is_refused_after_the_server_was_restarted() {
    let Some(server) = private_server() else { return };
    let pair = server.names(SqlMode::Strict);
    pair.create_hub(true);
    pair.create_metrics(Engine::InnoDb, true);
    fill(&pair, 3);
    let folder = tempfile::tempdir().unwrap();
    let a = folder.path().join("a");
    let _ = look(&pair, &["2024-12", "--state-to", text(&a)]).ok();
    server.kill();
    server.restart();
    let done = look(&pair, &["2025-01", "--state-from", text(&a)]).expect_code(1);
    assert!(done.stderr.contains("or the server was restarted"), "{}", done.stderr);
}
