//! The commands that correct what was imported, on a private server.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fixtures::Finished;
use fixtures::db::{MODES, Pair, SqlMode, pair};
use hub::lock::{Lock, LockResult};
use schema::tables::Engine;

use crate::support::Place;

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn root(pair: &Pair) -> PathBuf {
    pair.home().join("root")
}

fn run(pair: &Pair, line: &str) -> Finished {
    pair.run(HZMETRICS).env("HZMETRICS_ROOT", root(pair)).args(line.split(' ')).finish()
}

/// Everything that the commands may write.
fn contents(pair: &Pair) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in [
        ("web", "id, datetime, ip, content, dnload"),
        ("userlogin", "id, datetime, user"),
        ("webhits", "datetime, hits"),
        ("imported_sources", "id, filename, target_table, pk_start, pk_end, row_count, origin"),
        ("summary_misc_vals", "rowid, colid, datetime, period, value, valfmt"),
        ("pipeline_state", "k, v"),
    ] {
        all.push(table.to_owned());
        all.extend(pair.lines(&format!("SELECT {columns} FROM {table} ORDER BY {columns}")));
    }
    all
}

const LEDGER: &str =
    "SELECT filename, target_table, pk_start, pk_end, row_count, origin FROM imported_sources ORDER BY id";

fn fill_ledger(pair: &Pair) {
    let rows: Vec<String> = (1..=20).map(|i| format!("({i}, '2025-07-01 00:00:{i:02}', '/{i}')")).collect();
    pair.sql(&format!("INSERT INTO web (id, datetime, content) VALUES {}", rows.join(",")));
    pair.sql("INSERT INTO userlogin (id, datetime, user, uidNumber, ip, action) VALUES (1, '2025-07-01', 'a', 1, '', 'login')");
    pair.sql(
        "INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count, imported_at) VALUES \
         (1, 'x-access.log-20250701', 'web', 1, 5, 5, NOW()), (2, 'x-access.log-20250702', 'web', 6, 20, 15, NOW()), \
         (3, 'x-access.log-20250702', 'webhits', NULL, NULL, 0, NOW()), (4, 'cmsauth.log-20250701', 'userlogin', 1, 1, 1, NOW()), \
         (5, 'x-access.log-20250703', 'web', NULL, NULL, 0, NOW())",
    );
}

#[test]
fn an_import_is_forgotten() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        fill_ledger(&pair);
        let before = contents(&pair);
        let dry = run(&pair, "forget-import x-access.log-20250702 --dry-run").ok();
        assert!(dry.stderr.contains("would delete from web the ids 6..20"), "{}", dry.stderr);
        assert_eq!(contents(&pair), before);
        for unknown in ["nope", "x-access.log-20250701 --table userlogin"] {
            let none = run(&pair, &format!("forget-import {unknown}")).expect_code(1);
            assert!(none.stderr.contains("no record"), "{}", none.stderr);
        }
        assert_eq!(contents(&pair), before);

        let only = run(&pair, "forget-import --table webhits x-access.log-20250702").ok();
        assert!(only.stderr.contains("has no range"), "{}", only.stderr);
        assert_eq!(pair.value("SELECT COUNT(*) FROM web").as_deref(), Some("20"));
        let done = run(&pair, "forget-import x-access.log-20250702").ok();
        assert!(done.stderr.contains("removed 15 rows from web"), "{}", done.stderr);
        assert_eq!(done.stderr.contains("know no transactions"), engine == Engine::MyIsam, "{}", done.stderr);
        assert_eq!(pair.lines("SELECT id FROM web ORDER BY id"), ["1", "2", "3", "4", "5"]);
        run(&pair, "forget-import x-access.log-20250702").expect_code(1);
        run(&pair, "forget-import x-access.log-20250703 --table all").ok();
        assert_eq!(
            pair.lines(LEDGER),
            ["x-access.log-20250701\tweb\t1\t5\t5\timporter", "cmsauth.log-20250701\tuserlogin\t1\t1\t1\timporter"]
        );
        run(&pair, "forget-import cmsauth.log-20250701").ok();
        assert_eq!(pair.value("SELECT COUNT(*) FROM userlogin").as_deref(), Some("0"));
    }
}

#[test]
fn rows_of_others_in_a_range_are_not_silently_deleted() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    fill_ledger(&pair);
    pair.sql("UPDATE imported_sources SET pk_end = 7 WHERE id = 1");
    let warned = run(&pair, "forget-import x-access.log-20250701 --dry-run").ok();
    assert!(warned.stderr.contains("rows of x-access.log-20250702 are in the same range"), "{}", warned.stderr);
}

#[test]
fn ranges_are_repaired() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        fill_ledger(&pair);
        assert!(run(&pair, "repair-imported-sources").ok().stderr.contains("no corrections needed"));
        pair.sql("UPDATE imported_sources SET pk_start = 11, pk_end = 12 WHERE id = 2");
        pair.sql("UPDATE imported_sources SET pk_start = 2 WHERE id = 1");
        let before = contents(&pair);
        let shown = run(&pair, "repair-imported-sources").ok();
        for words in [
            "web: 2 row(s) need correction (of 2 scanned)",
            "userlogin: 0 row(s) need correction (of 1 scanned)",
            "web/x-access.log-20250702: pk_start 11 -> 6, pk_end 12 -> 20",
            "--apply writes",
        ] {
            assert!(shown.stderr.contains(words), "{words}\n{}", shown.stderr);
        }
        assert_eq!(contents(&pair), before);
        assert!(run(&pair, "repair-imported-sources --apply").ok().stderr.contains("applied 2 update(s)"));
        assert_eq!(
            pair.lines(LEDGER)[..2],
            ["x-access.log-20250701\tweb\t1\t5\t5\timporter", "x-access.log-20250702\tweb\t6\t20\t15\timporter"]
        );
        assert!(run(&pair, "repair-imported-sources --apply").ok().stderr.contains("no corrections needed"));
    }
}

fn request(second: u32, day: &str, url: &str) -> String {
    format!(
        "{day} 08:00:{second:02} EDT 1 - \"GET {url} HTTP/1.1\" 200 12 10.0.0.1 \"-\" \"A\" T 0 1 2 J C A c v t a i\n"
    )
}

fn archived(pair: &Pair, name: &str, text: &str) {
    let folder = if name.starts_with("cmsauth") { "var/log/hubzero/imported" } else { "var/log/httpd/imported" };
    let path = root(pair).join(folder).join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let bytes = match Path::new(name).extension().and_then(|e| e.to_str()) {
        Some("gz") => {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gz.write_all(text.as_bytes()).unwrap();
            gz.finish().unwrap()
        }
        Some("zst") => zstd::encode_all(text.as_bytes(), 1).unwrap(),
        _ => text.as_bytes().to_vec(),
    };
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_ledger_is_rebuilt_from_the_archive() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        assert!(run(&pair, "reconstruct-imported-sources").ok().stderr.contains("no access logs in"));
        let file = |day: &str, n: u32| (1..=n).map(|i| request(i, day, &format!("/{i}"))).collect::<String>();
        archived(&pair, "x-access.log-20250701.gz", &file("2025-07-01", 4));
        archived(&pair, "y-access.log-20250702.zst", &file("2025-07-02", 3));
        archived(&pair, "x-access.log-20250601", &file("2025-06-01", 2));
        archived(&pair, "x-access.log-20250703", &file("2025-07-03", 2));
        archived(&pair, "cmsauth.log-20250701", "2025-07-01 08:00:01 7 [bob] 10.0.0.1 login\n");
        // the third row of the first file was deleted, the last file has no rows left
        pair.sql(
            "INSERT INTO web (id, datetime, ip, content) VALUES (11, '2025-06-01 08:00:01', '10.0.0.1', '/1'), \
             (12, '2025-06-01 08:00:02', '10.0.0.1', '/2'), (21, '2025-07-01 08:00:01', '10.0.0.1', '/1'), \
             (22, '2025-07-01 08:00:02', '10.0.0.1', '/2'), (24, '2025-07-01 08:00:04', '10.0.0.1', '/4'), \
             (25, '2025-07-02 08:00:01', '10.0.0.1', '/1'), (26, '2025-07-02 08:00:02', '10.0.0.1', '/2'), \
             (27, '2025-07-02 08:00:03', '10.0.0.1', '/3')",
        );
        pair.sql(
            "INSERT INTO userlogin (id, datetime, user, uidNumber, ip, action) VALUES \
             (5, '2025-07-01 08:00:01', 'bob', 7, '10.0.0.1', 'login')",
        );
        // imported before it was compressed
        pair.sql(
            "INSERT INTO imported_sources (filename, target_table, pk_start, pk_end, row_count, imported_at) VALUES \
             ('y-access.log-20250702', 'web', 25, 27, 3, NOW())",
        );
        let before = contents(&pair);
        let shown = run(&pair, "reconstruct-imported-sources").ok();
        for words in [
            "4 access log(s) in scope; 1 already in ledger (dry-run)",
            "x-access.log-20250701.gz: pk_start=21 pk_end=24 row_count=3  (1 id-gaps)",
            "3 untracked file(s) would be added",
            "cmsauth.log-20250701: pk_start=5 pk_end=5 row_count=1",
        ] {
            assert!(shown.stderr.contains(words), "{words}\n{}", shown.stderr);
        }
        let since = run(&pair, "reconstruct-imported-sources --since 2025-07 --target web").ok();
        assert!(since.stderr.contains("3 access log(s) in scope") && !since.stderr.contains("cmsauth"));
        assert_eq!(contents(&pair), before);

        run(&pair, "reconstruct-imported-sources --apply").ok();
        let expected = [
            "y-access.log-20250702\tweb\t25\t27\t3\timporter",
            "x-access.log-20250601\tweb\t11\t12\t2\treconstruct",
            "x-access.log-20250701.gz\tweb\t21\t24\t3\treconstruct",
            "x-access.log-20250703\tweb\tNULL\tNULL\t0\treconstruct",
            "cmsauth.log-20250701\tuserlogin\t5\t5\t1\treconstruct",
        ];
        assert_eq!(pair.lines(LEDGER), expected);
        let again = run(&pair, "reconstruct-imported-sources --apply").ok();
        assert!(again.stderr.contains("inserted 0 ledger row(s)"), "{}", again.stderr);
        assert_eq!(pair.lines(LEDGER), expected);

        let valid = run(&pair, "reconstruct-imported-sources --validate").ok();
        assert!(valid.stderr.contains("4 agree, 0 disagree (of 4 tracked"), "{}", valid.stderr);
        pair.sql("UPDATE imported_sources SET pk_end = 22 WHERE filename = 'x-access.log-20250701.gz'");
        pair.sql("UPDATE imported_sources SET pk_start = 1, pk_end = 2, row_count = 2 WHERE filename LIKE '%0703'");
        let before = contents(&pair);
        let wrong = run(&pair, "reconstruct-imported-sources --validate --apply").expect_code(1);
        for words in ["2 agree, 2 disagree", "21..24, outside the 21..22", "no row is left, but the ledger claims 2"] {
            assert!(wrong.stderr.contains(words), "{words}\n{}", wrong.stderr);
        }
        assert_eq!(contents(&pair), before);
    }
}

#[test]
fn mismatches_are_named() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    archived(&pair, "x-access.log-20250701", &(request(1, "2025-07-01", "/a") + &request(2, "2025-07-02", "/b")));
    archived(&pair, "x-access.log-20250702", &(request(1, "2025-07-02", "/c") + &request(1, "2025-07-01", "/a")));
    archived(&pair, "x-access.log-20250703", "nonsense\n");
    pair.sql(
        "INSERT INTO web (id, datetime, ip, content) VALUES (1, '2025-07-01 08:00:01', '10.0.0.1', '/a'), \
         (2, '2025-07-02 08:00:02', '10.0.0.1', '/b'), (3, '2025-07-02 08:00:01', '10.0.0.1', '/c')",
    );
    let done = run(&pair, "reconstruct-imported-sources --apply").expect_code(1);
    for words in
        ["2 anomalies", "its rows 1..3 overlap those of an earlier file, which end at 2", "no line could be read"]
    {
        assert!(done.stderr.contains(words), "{words}\n{}", done.stderr);
    }
    assert_eq!(pair.lines(LEDGER).len(), 2);
    // a damaged archive ends the run, and nothing is written
    pair.sql("DELETE FROM imported_sources");
    fs::write(root(&pair).join("var/log/httpd/imported/x-access.log-20250704.gz"), [0x1F, 0x8B, 8, 0, 1]).unwrap();
    let broken = run(&pair, "reconstruct-imported-sources --apply").expect_code(1);
    assert!(broken.stderr.contains("20250704.gz"), "{}", broken.stderr);
    assert_eq!(pair.lines(LEDGER).len(), 0);
}

#[test]
fn hits_are_counted_again() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        assert!(run(&pair, "rebuild-webhits --all").ok().stderr.contains("no months found"));
        pair.sql(
            "INSERT INTO web (datetime, content) VALUES ('2025-05-31 23:59:59', ''), ('2025-07-01', ''), \
             ('2025-07-01 23:59:59', ''), ('2025-07-09', ''), ('2025-08-01', ''), ('0000-00-00', ''), ('2025-07-00', '')",
        );
        pair.sql(
            "INSERT INTO webhits VALUES ('2025-07-01', 99), ('2025-07-01', 1), ('2025-06-30', 7), ('2025-08-01', 5)",
        );
        pair.sql(
            "INSERT INTO summary_misc_vals (rowid, colid, datetime, period, value, valfmt) VALUES \
             (8, 1, '2025-07-00', 1, '100', 2), (8, 1, '2025-07-00', 12, '1', 1), (8, 1, '2025-07-00', 12, '2', 1), \
             (7, 1, '2025-07-00', 1, 'keep', 1), (8, 1, '2025-06-00', 1, 'keep', 1)",
        );
        let before = contents(&pair);
        let dry = run(&pair, "rebuild-webhits --month 2025-07 --dry-run").ok();
        assert!(dry.stderr.contains("2025-07: would replace 2 webhits row(s) with 2 day(s)"), "{}", dry.stderr);
        assert!(dry.stderr.contains("would refresh the hits"), "{}", dry.stderr);
        assert_eq!(contents(&pair), before);

        let hits = "SELECT datetime, hits FROM webhits ORDER BY datetime";
        let cells = "SELECT datetime, period, value, valfmt FROM summary_misc_vals \
                     WHERE rowid = 8 AND colid = 1 AND datetime BETWEEN '2025-06-00' AND '2025-08-00' ORDER BY datetime, period";
        for _ in 0..2 {
            run(&pair, "rebuild-webhits --month 2025-07").ok();
            assert_eq!(
                pair.lines(hits),
                [
                    "2025-06-30 00:00:00\t7",
                    "2025-07-01 00:00:00\t2",
                    "2025-07-09 00:00:00\t1",
                    "2025-08-01 00:00:00\t5"
                ]
            );
            assert_eq!(
                pair.lines(cells),
                [
                    "2025-06-00 00:00:00\t1\tkeep\t1",
                    "2025-07-00 00:00:00\t0\t10\t1",
                    "2025-07-00 00:00:00\t1\t3\t1",
                    "2025-07-00 00:00:00\t3\t3\t1",
                    "2025-07-00 00:00:00\t12\t10\t1",
                    "2025-07-00 00:00:00\t13\t10\t1",
                    "2025-07-00 00:00:00\t14\t10\t1",
                    "2025-08-00 00:00:00\t0\t15\t1",
                    "2025-08-00 00:00:00\t1\t5\t1",
                    "2025-08-00 00:00:00\t3\t8\t1",
                    "2025-08-00 00:00:00\t12\t15\t1",
                    "2025-08-00 00:00:00\t13\t15\t1",
                    "2025-08-00 00:00:00\t14\t15\t1",
                ]
            );
        }
        assert_eq!(pair.value("SELECT value FROM summary_misc_vals WHERE rowid = 7").as_deref(), Some("keep"));
        // the newest month with a cell is the previous one, whatever the day
        let last = pair.value(
            "SELECT MAX(datetime) = DATE_FORMAT(CURDATE() - INTERVAL 1 MONTH, '%Y-%m-00') FROM summary_misc_vals",
        );
        assert_eq!(last.as_deref(), Some("1"));

        // June has old hits and no requests: its rows are kept, because it is not in `web`
        let all = run(&pair, "rebuild-webhits --all").ok();
        assert!(all.stderr.contains("3 month(s): 2025-05 .. 2025-08"), "{}", all.stderr);
        assert!(all.stderr.contains("2 requests have no day"), "{}", all.stderr);
        assert_eq!(pair.lines(hits)[..2], ["2025-05-31 00:00:00\t1", "2025-06-30 00:00:00\t7"]);
        let empty = run(&pair, "rebuild-webhits --month 2025-06").ok();
        assert!(empty.stderr.contains("2025-06: rebuilt 0 day(s)"), "{}", empty.stderr);
        assert_eq!(pair.value("SELECT COUNT(*) FROM webhits WHERE datetime = '2025-06-30'").as_deref(), Some("0"));
        let quiet = pair
            .value("SELECT value FROM summary_misc_vals WHERE rowid = 8 AND datetime = '2025-06-00' AND period = 1");
        assert_eq!(quiet.as_deref(), Some(""));
    }
}

#[test]
fn the_first_midnight_can_be_excluded() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql("INSERT INTO web (datetime, content) VALUES ('2025-07-01', ''), ('2025-07-02', '')");
    let cell = "SELECT value FROM summary_misc_vals WHERE datetime = '2025-07-00' AND period = 1";
    run(&pair, "rebuild-webhits --month 2025-07").ok();
    assert_eq!(pair.lines(cell), ["2"]);
    run(&pair, "--compat hits-start=exclusive rebuild-webhits --month 2025-07").ok();
    assert_eq!(pair.lines(cell), ["1"]);
}

#[test]
fn old_requests_get_a_download_verdict() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql("DROP TABLE pipeline_state");
        assert!(run(&pair, "backfill-dnload").ok().stderr.contains("no months with unprocessed rows"));
        pair.sql(
            "INSERT INTO web (id, datetime, content, dnload) VALUES (1, '2025-06-30', '/resources/1/download/x', NULL), \
             (2, '2025-07-01', '/RESOURCES/a.PDF?x', NULL), (3, '2025-07-01', '/resources/a.pdf.html', NULL), \
             (4, '2025-07-02', '/x.pdf', NULL), (5, '2025-07-02', '/resources/b.pdf', 0), (6, '2025-08-02', '/y', 1), \
             (400007, '2025-08-02', '/resources/c.zip#p', NULL), (400008, '0000-00-00', '/resources/d.zip', NULL)",
        );
        let verdicts = "SELECT id, dnload FROM web ORDER BY id";
        let before = pair.lines(verdicts);
        let dry = run(&pair, "backfill-dnload --dry-run").ok();
        assert!(dry.stderr.contains("3 month(s): 2025-06 .. 2025-08"), "{}", dry.stderr);
        assert!(dry.stderr.contains("2025-07: [dry-run] would judge 3 request(s)"), "{}", dry.stderr);
        assert_eq!(pair.lines(verdicts), before);

        let some = run(&pair, "backfill-dnload --start 2025-07").ok();
        assert!(some.stderr.contains("4 request(s) judged, 2 of them downloads"), "{}", some.stderr);
        assert_eq!(
            pair.lines(verdicts),
            ["1\tNULL", "2\t1", "3\t0", "4\t0", "5\t0", "6\t1", "400007\t1", "400008\tNULL"]
        );
        assert_eq!(pair.lines("SELECT k, v FROM pipeline_state"), ["dirty_months\t2025-07,2025-08"]);
        run(&pair, "backfill-dnload").ok();
        assert_eq!(pair.lines(verdicts)[0], "1\t1");
        assert_eq!(pair.lines(verdicts)[7], "400008\t1");
        assert_eq!(pair.lines("SELECT v FROM pipeline_state"), ["2025-06,2025-07,2025-08"]);
        let again = run(&pair, "backfill-dnload").ok();
        assert!(again.stderr.contains("no months with unprocessed rows"), "{}", again.stderr);
    }
}

#[test]
fn a_column_too_narrow_for_all_months_is_an_error() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    pair.sql("ALTER TABLE pipeline_state MODIFY v varchar(255) NOT NULL");
    let rows: Vec<String> = (0..40).map(|i| format!("('20{:02}-{:02}-01', '/')", 10 + i / 12, 1 + i % 12)).collect();
    pair.sql(&format!("INSERT INTO web (datetime, content) VALUES {}", rows.join(",")));
    let refused = run(&pair, "backfill-dnload").expect_code(1);
    assert!(refused.stderr.contains("cannot hold all of dirty_months"), "{}", refused.stderr);
    assert_eq!(pair.value("SELECT COUNT(*) FROM web WHERE dnload IS NOT NULL").as_deref(), Some("0"));
    // the port's command never fails
    run(&pair, "--compat port backfill-dnload").ok();
}

#[test]
fn only_one_writer_at_a_time() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let path = pair.home().join("state/hzmetrics.pid");
    let LockResult::Held(lock) = Lock::ask(&path, Duration::ZERO).unwrap() else { panic!("the lock is not free") };
    let before = contents(&pair);
    for line in [
        "forget-import x",
        "repair-imported-sources --apply",
        "reconstruct-imported-sources --apply",
        "rebuild-webhits --all",
        "backfill-dnload",
        "import --next",
        "import-apache x",
        "import-hub-data",
    ] {
        let busy = run(&pair, line).expect_code(75);
        assert!(busy.stderr.contains("another run is in progress"), "{line}: {}", busy.stderr);
    }
    assert_eq!(contents(&pair), before);
    // a command that writes nothing need not wait
    run(&pair, "forget-import x --dry-run").expect_code(1);
    for line in ["repair-imported-sources", "rebuild-webhits --all --dry-run", "backfill-dnload --dry-run"] {
        run(&pair, line).ok();
    }
    // started by the holder
    let held = pair.run(HZMETRICS).env("HZMETRICS_LOCK_HOLDER", std::process::id().to_string());
    held.args(["backfill-dnload"]).finish().ok();
    drop(lock);
    run(&pair, "backfill-dnload").ok();
}

#[test]
fn without_ledger_or_server_commands_say_what_is_missing() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    for line in ["forget-import x", "repair-imported-sources", "reconstruct-imported-sources", "rebuild-webhits --all"]
    {
        let gone = pair.run(HZMETRICS).env("HZMETRICS_DB_SOCKET", "/nowhere/s").args(line.split(' ')).finish();
        assert!(gone.expect_code(1).stderr.contains("/nowhere/s"), "{line}");
    }
    pair.sql("DROP TABLE imported_sources");
    for line in ["forget-import x", "repair-imported-sources", "reconstruct-imported-sources"] {
        let none = run(&pair, line).expect_code(1);
        assert!(none.stderr.contains("migrate --apply"), "{line}: {}", none.stderr);
    }
    let bare = fixtures::run(HZMETRICS).env("HZMETRICS_ROOT", root(&pair)).arg("repair-imported-sources").finish();
    assert!(bare.expect_code(2).stderr.contains("there is no configuration"));
}

#[test]
fn the_log_records_what_was_done() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    run(&pair, "backfill-dnload --dry-run").ok();
    run(&pair, "forget-import nope").expect_code(1);
    let log = fs::read_to_string(pair.home().join("manage.log")).unwrap();
    let without_time: Vec<&str> = log.lines().map(|line| &line[29..]).collect();
    assert_eq!(without_time.iter().filter(|line| line.starts_with(" DEBUG === hzmetrics ")).count(), 2, "{log}");
    assert!(without_time[0].starts_with(" DEBUG === hzmetrics backfill-dnload --dry-run === run "), "{log}");
    assert!(without_time.contains(&" INFO  [forget-import] no record found for nope"), "{log}");
    // as in the port: complete lines on standard error
    let lines = run(&pair, "--compat port forget-import nope").expect_code(1).stderr;
    assert!(
        lines.lines().last().is_some_and(|line| line.ends_with(" INFO  [forget-import] no record found for nope")),
        "{lines}"
    );
    assert!(lines.lines().all(|line| line.as_bytes()[10] == b'T'), "{lines}");
}

#[test]
fn wrong_usage_is_exit_2_and_changes_nothing() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    fill_ledger(&pair);
    let before = contents(&pair);
    for line in [
        "forget-import",
        "forget-import x-access.log-20250701 web",
        "forget-import x-access.log-20250701 --table toolstart",
        "repair-imported-sources --dry-run",
        "reconstruct-imported-sources --target webhits",
        "reconstruct-imported-sources --since 2025",
        "rebuild-webhits",
        "rebuild-webhits --month 2025-13",
        "rebuild-webhits --all --month 2025-07",
        "backfill-dnload --start 2025",
        "backfill-dnload 2025-07",
    ] {
        let wrong = run(&pair, line).expect_code(2);
        assert!(wrong.stdout.is_empty() && !wrong.stderr.is_empty(), "{line}");
    }
    assert_eq!(contents(&pair), before);
}

#[test]
fn missing_countries_are_filled_in_every_table() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(
        "INSERT INTO web (datetime, content, ipcountry) VALUES ('2025-05-01', '', 'US'), ('2025-06-01', '', NULL), \
         ('2025-07-01', '', ''), ('2025-07-02', '', NULL), ('0000-00-00', '', NULL)",
    );
    let place = Place::new(&["usage-metrics"]);
    let list = place.path("list");
    let run = |line: &str, fails_on: &str| {
        let run = pair.run(place.path("the bin/hzmetrics")).env("FAKE_LIST", &list).env("FAKE_FAILS_ON", fails_on);
        let done = run.env("HZMETRICS_ROOT", root(&pair)).args(line.split(' ')).finish();
        let calls = fs::read_to_string(&list).unwrap_or_default();
        let _ = fs::remove_file(&list);
        (done, calls.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let (done, calls) = run("fill-geo --all", "");
    assert!(done.ok().stderr.contains("2 month(s): 2025-06 .. 2025-07"));
    assert_eq!(calls.len(), 8);
    assert_eq!(calls[0], "--db --only countries --table web --date 2025-06");
    assert_eq!(calls[7], "--db --only countries --table sessionlog_metrics --date 2025-07");
    let (done, calls) = run("fill-geo --month 2024-02 --dry-run", "");
    done.ok();
    assert_eq!(calls[1], "--db --only countries --table websessions --date 2024-02 --dry-run");
    let (done, calls) = run("fill-geo --month 2024-02", "toolstart");
    assert!(done.expect_code(1).stderr.contains("toolstart in 2024-02"));
    assert_eq!(calls.len(), 3);
    pair.sql("UPDATE web SET ipcountry = '-'");
    assert!(run("fill-geo --all", "").0.ok().stderr.contains("no months"));
    run("fill-geo", "").0.expect_code(2);
}

#[test]
fn a_log_that_has_grown_is_forgotten_with_its_further_parts() {
    let Some(pair) = pair(MODES[0].0, MODES[0].1) else { return };
    let rows: Vec<String> = (1..=9).map(|id| format!("({id}, '2025-07-01')")).collect();
    let head = "0f".repeat(16);
    pair.sql(&format!(
        "INSERT INTO web (id, datetime) VALUES {};\n\
         INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count) VALUES \
         (1, 'h-access.log-20250701', 'web', 1, 2, 2), (2, 'h-access.log-20250701#0123456789ab@9000', 'web', 3, 4, 2), \
         (3, 'h-access.log-20250701#ba9876543210', 'web', 5, 6, 2), \
         (4, 'h-access.log-20250701.gz#0123456789ac@9999', 'web', 7, 8, 2), \
         (5, 'h-access.log-20250701#ba9876543211@7000', 'web', 9, 9, 1);\n\
         INSERT INTO import_files (id, bytes, head) VALUES (1, 9000, '{head}'), (2, 9999, '{head}'), (3, 7000, 'x'), \
         (4, 12000, '{head}'), (5, 8000, 'x')",
        rows.join(",")
    ));
    let told = run(&pair, "forget-import h-access.log-20250701 --dry-run").ok().stderr;
    assert_eq!(told.matches("is a further part of h-access.log-20250701: it goes too").count(), 2, "{told}");
    assert_eq!(pair.lines("SELECT COUNT(*) FROM web"), ["9"]);
    run(&pair, "forget-import h-access.log-20250701").ok();
    // other content with that name is kept, with its own part
    assert_eq!(pair.lines("SELECT id FROM web ORDER BY id"), ["5", "6", "9"]);
    assert_eq!(pair.lines("SELECT id FROM imported_sources ORDER BY id"), ["3", "5"]);
    assert_eq!(pair.lines("SELECT id FROM import_files ORDER BY id"), ["3", "5"]);
}
