//! `hzmetrics backup` and `restore` on a private server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fixtures::Finished;
use fixtures::db::{MODES, Pair, SqlMode, names, pair};
use schema::tables::Engine;

use crate::compare::{compare, fill};

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn run(pair: &Pair, args: &[&str]) -> Finished {
    let run =
        pair.run(HZMETRICS).env("HZMETRICS_ROOT", pair.home().join("root")).env("HZMETRICS_NOW", "2025-08-02T10:00");
    run.args(args).finish()
}

/// A hub with numbers, and its backup.
fn backed_up(engine: Engine, mode: SqlMode) -> Option<(Pair, PathBuf)> {
    let pair = pair(engine, mode)?;
    fill(&pair, 0, false);
    pair.sql(
        "REPLACE INTO pipeline_state (k, v) VALUES ('mode', 'normal'), ('dirty_months', '2025-06');\n\
         INSERT INTO import_files (id, path, hash) VALUES (1, '/x/h-access.log-20250603', 'abc');\n\
         INSERT INTO {hub}.jos_users (id, username) VALUES (1, 'ann');\n\
         INSERT INTO userlogin (datetime, user, ip, action) VALUES ('2025-06-09', 'a\\\\b''\"\\0 %é', '192.0.2.9', 'login');\n\
         INSERT INTO {hub}.jos_metrics_ipgeo_cache (ip, countrySHORT) VALUES (-1062731775, 'US')",
    );
    let folder = pair.home().join("backups");
    fs::create_dir(&folder).unwrap();
    run(&pair, &["backup", folder.to_str().unwrap()]).ok();
    let backup = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    Some((pair, backup))
}

/// Whether both hubs have the same rows, ours and those about imports and the state.
#[track_caller]
fn assert_same(here: &Pair, there: &Pair) {
    let done = compare(here, there, &format!("--hub {}", there.hub));
    assert_eq!(done.code, 0, "{}{}", done.text(), done.stderr);
    for sql in [
        "SELECT * FROM import_files",
        "SELECT k, v FROM pipeline_state ORDER BY k",
        "SELECT id, sessionid FROM web ORDER BY id",
        "SELECT filename, pk_start, pk_end, imported_at FROM imported_sources",
        "SELECT HEX(user) FROM userlogin ORDER BY id",
    ] {
        assert_eq!(here.lines(sql), there.lines(sql), "{sql}");
    }
}

#[test]
fn a_backup_restores_into_an_empty_server_and_the_hub_lives_on() {
    for (engine, mode) in MODES {
        let Some((here, backup)) = backed_up(engine, mode) else { return };
        for entry in fs::read_dir(&backup).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        }
        let there = names(mode).unwrap();
        there.create_hub(true);
        let from = backup.to_str().unwrap();
        run(&there, &["restore", from, "--dry-run"]).ok();
        assert!(there.refusal("SELECT 1 FROM web").is_some(), "a dry run creates nothing");
        run(&there, &["restore", from]).ok();
        assert_same(&here, &there);
        assert_eq!(here.shape(&here.metrics), there.shape(&there.metrics));
        // what belongs to the CMS is not in it
        assert_eq!(there.lines("SELECT COUNT(*) FROM {hub}.jos_users"), ["0"]);
        there.sql("INSERT INTO {hub}.jos_users (id, username) VALUES (1, 'ann')");
        for pair in [&here, &there] {
            let log = pair.home().join("late.log");
            fs::write(&log, "2025-06-09 10:00:00 5 [bob] 192.0.2.1 login\n").unwrap();
            run(pair, &["import-auth", log.to_str().unwrap()]).ok();
            run(pair, &["summarize-month", "2025-06"]).ok();
            run(pair, &["mark-dirty", "2025-07"]).ok();
        }
        assert_eq!(there.lines("SELECT COUNT(*) FROM userlogin"), ["3"]);
        let done = compare(&here, &there, &format!("--hub {}", there.hub));
        assert_eq!(done.code, 0, "{}", done.text());
    }
}

#[test]
fn a_database_with_rows_is_replaced_only_when_asked() {
    let Some((here, backup)) = backed_up(Engine::InnoDb, SqlMode::Strict) else { return };
    let there = pair(Engine::MyIsam, SqlMode::Strict).unwrap();
    fill(&there, 500, true);
    let from = backup.to_str().unwrap();
    let refused = run(&there, &["restore", from]).expect_code(1);
    assert!(refused.stderr.contains("is not empty") && refused.stderr.contains("--replace"), "{}", refused.stderr);
    assert_eq!(there.lines("SELECT MIN(id) FROM web"), ["501"]);
    // the metrics database may be new while the hub's is not
    there.sql("DROP DATABASE {metrics}");
    let refused = run(&there, &["restore", from]).expect_code(1);
    assert!(refused.stderr.contains("has rows"), "{}", refused.stderr);
    run(&there, &["restore", from, "--replace"]).ok();
    assert_same(&here, &there);
    run(&there, &["restore", from, "--replace"]).ok();
    assert_same(&here, &there);
}

#[test]
fn damaged_backups_change_nothing() {
    let Some((here, backup)) = backed_up(Engine::InnoDb, SqlMode::Strict) else { return };
    let from = backup.to_str().unwrap();
    let archive = backup.join("metrics.sql.zst");
    let whole = fs::read(&archive).unwrap();
    let before = here.lines("SELECT table_name, create_time FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name <> 'hz_writer'");
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    for (bytes, words) in [(&damaged[..], "metrics.sql.zst"), (&whole[..middle], "is missing or was changed")] {
        fs::write(&archive, bytes).unwrap();
        let failed = run(&here, &["restore", from, "--replace"]).expect_code(1);
        assert!(failed.stderr.contains(words), "{}", failed.stderr);
    }
    fs::write(&archive, &whole).unwrap();
    fs::rename(backup.join("backup.json"), backup.join("other")).unwrap();
    let failed = run(&here, &["restore", from, "--replace"]).expect_code(1);
    assert!(failed.stderr.contains("not a complete backup"), "{}", failed.stderr);
    let after = here.lines("SELECT table_name, create_time FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name <> 'hz_writer'");
    assert_eq!(before, after);
}

/// Replaces an archive by other text, of which the manifest knows.
fn exchange(backup: &Path, name: &str, text: &str) {
    let bytes = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let manifest = backup.join("backup.json");
    let known = fs::read_to_string(&manifest).unwrap();
    let size = fs::metadata(backup.join(name)).unwrap().len();
    let changed = known.replace(&format!("\"bytes\":{size}"), &format!("\"bytes\":{}", bytes.len()));
    assert_ne!(changed, known);
    fs::write(backup.join(name), &bytes).unwrap();
    fs::write(manifest, changed).unwrap();
}

#[test]
fn a_restore_that_failed_halfway_stops_every_writer_until_it_is_done_again() {
    let Some((here, backup)) = backed_up(Engine::InnoDb, SqlMode::Strict) else { return };
    let there = names(SqlMode::Strict).unwrap();
    there.create_hub(true);
    let bad = there.home().join("bad");
    fs::create_dir(&bad).unwrap();
    for entry in fs::read_dir(&backup).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), bad.join(entry.file_name())).unwrap();
    }
    exchange(&bad, "hub.sql.zst", "INSERT INTO nothing VALUES (1);\n-- Dump completed\n");
    let failed = run(&there, &["restore", bad.to_str().unwrap()]).expect_code(1);
    assert!(failed.stderr.contains("mariadb failed") && failed.stderr.contains("nothing"), "{}", failed.stderr);
    assert_eq!(there.lines("SELECT COUNT(*) FROM web"), ["3"], "the first archive was loaded");
    let log = there.home().join("late.log");
    fs::write(&log, "2025-06-09 10:00:00 5 [bob] 192.0.2.1 login\n").unwrap();
    for args in [&["mark-dirty", "2025-06"][..], &["run"], &["import-auth", log.to_str().unwrap()], &["backup", "/tmp"]]
    {
        let refused = run(&there, args);
        assert!(refused.code != 0 && refused.stderr.contains("was not finished"), "{args:?}: {}", refused.stderr);
    }
    run(&there, &["restore", backup.to_str().unwrap()]).ok();
    assert_same(&here, &there);
    run(&there, &["mark-dirty", "2025-06"]).ok();
}

#[test]
fn old_backups_of_this_hub_are_removed_on_request() {
    let Some((here, first)) = backed_up(Engine::InnoDb, SqlMode::Strict) else { return };
    let folder = first.parent().unwrap();
    for name in ["hzmetrics-notes", "hzmetrics-unfinished", "other"] {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("x"), "").unwrap();
    }
    // a name is a second
    let again = run(&here, &["backup", folder.to_str().unwrap()]).expect_code(1);
    assert!(again.stderr.contains("exists"), "{}", again.stderr);
    let later =
        here.run(HZMETRICS).env("HZMETRICS_ROOT", here.home().join("root")).env("HZMETRICS_NOW", "2025-08-03T10:00");
    later.args(["backup", folder.to_str().unwrap(), "--keep", "1"]).finish().ok();
    assert!(!first.exists());
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(names[1..], ["hzmetrics-notes", "hzmetrics-unfinished", "other"]);
    let failed = run(&here, &["backup", "/nonexistent/folder"]).expect_code(1);
    assert!(failed.stderr.contains("creating /nonexistent/folder/hzmetrics-"), "{}", failed.stderr);
}
