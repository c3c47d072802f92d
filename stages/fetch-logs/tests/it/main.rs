//! `fetch-logs` as an executable.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod identity;
mod named;
mod planted;
mod staging;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use fixtures::contract::{Bad, Contract, Input};
use fixtures::{Run, gzip};
use tempfile::TempDir;

fn fetch_logs() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_fetch-logs"))
}

fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A log directory with every possible structure.
fn hub() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = root.path();
    write(at, "httpd/daily/hub-access.log-20250702", "two\n");
    write(at, "httpd/daily/hub-access.log-20250701", "one\n");
    let members = [gzip("old "), gzip("year\n")].concat();
    write(at, "httpd/daily/2024/hub-access.log-20241231.gz", members);
    write(at, "httpd/daily.holding/hub-access.log-20250703", zstd::encode_all(&b"three\n"[..], 1).unwrap());
    write(at, "httpd/daily/new-hub-access.log", "not yet\n");
    write(at, "httpd/daily/other-access.log-20250701", "other\n");
    write(at, "httpd/imported/hub-access.log-20250630", "done\n");
    write(at, "hubzero/daily/cmsauth.log-20250701", "auth\n");
    write(at, "hubzero/daily/cmsdebug.log-20250701", "debug\n");
    root
}

fn names(done: &fixtures::Finished) -> Vec<String> {
    let name = |r: serde_json::Value| r["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    done.of_kind("source").into_iter().map(name).collect()
}

fn contract_of_fetch_logs() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_fetch-logs"),
        name: "fetch-logs",
        command: &[],
        main_kind: "source",
        reads: None,
        give: |run, folder, input| {
            fs::create_dir_all(folder.join("logs/daily")).unwrap();
            let log = folder.join("logs/daily/hub-access.log-20250701");
            match input {
                Input::Nothing => {}
                Input::Many => fs::write(log, "x\n".repeat(1 << 20)).unwrap(),
                Input::Good | Input::Bad => fs::write(log, "one\n").unwrap(),
            }
            let link = folder.join("logs/daily/hub-access.log-20250702");
            if input == Input::Bad {
                std::os::unix::fs::symlink("/etc/hostname", link).unwrap();
            }
            let run = run.args(["--logs", "logs"]);
            if input == Input::Many { run.arg("--cat") } else { run }
        },
        of_nothing: Some(""),
        of_good: "hub-access.log-20250701\",\"stream\":\"access\",\"date\":\"20250701\"",
        bad: Bad::Fails("hub-access.log-20250702"),
    }
}

fixtures::contract!(contract_of_fetch_logs);

#[test]
fn both_streams_are_found_in_all_places() {
    let root = hub();
    let done = fetch_logs().args(["--site", "hub", "--logs"]).arg(root.path()).finish().ok();
    let expected = [
        "hub-access.log-20241231.gz",
        "hub-access.log-20250701",
        "hub-access.log-20250702",
        "hub-access.log-20250703",
        "cmsauth.log-20250701",
    ];
    assert_eq!(names(&done), expected);
    let records = done.records();
    let fields = |i: usize| ["stream", "date", "compression"].map(|f| records[i][f].as_str().unwrap().to_owned());
    assert_eq!(fields(0), ["access", "20241231", "gzip"]);
    assert_eq!(fields(3), ["access", "20250703", "zstd"]);
    assert_eq!(fields(4), ["auth", "20250701", "none"]);
    assert_eq!(records[1]["bytes"], 4);
    let parts = fetch_logs()
        .args(["--site", "hub", "--logs"])
        .args([root.path().join("httpd"), root.path().join("hubzero/daily")])
        .finish()
        .ok();
    assert_eq!(names(&parts), expected, "the parts give the same as the whole");
    let any = fetch_logs().arg("--logs").arg(root.path()).finish().ok();
    assert!(names(&any).contains(&"other-access.log-20250701".to_owned()));
    let csv = fetch_logs().args(["--format", "csv", "--logs"]).arg(root.path()).finish().ok();
    assert_eq!(csv.text().lines().count(), 7);
    assert!(
        csv.text().starts_with("kind,path,stream,date,bytes,compression,log_format,path_bytes\n"),
        "{}",
        csv.text()
    );
}

#[test]
fn names_that_are_not_utf8_are_listed_and_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let daily = root.path().join(OsStr::from_bytes(b"\xc3/daily"));
    fs::create_dir_all(&daily).unwrap();
    let logs = [b"hub-access%.log-20250710\xfe" as &[u8], b"hub-access%.log-20250710\xff"];
    for name in logs {
        fs::write(daily.join(OsStr::from_bytes(name)), name).unwrap();
    }
    write(&daily, "hub-access.log-20250711", "UTF-8 but for the folder\n");
    for args in [
        ["--logs"].map(Into::into).to_vec(),
        logs.map(|name| daily.join(OsStr::from_bytes(name)).into_os_string()).to_vec(),
    ] {
        let paths = if args.len() == 1 { vec![root.path()] } else { Vec::new() };
        let done = fetch_logs().args(&args).args(paths).finish().ok();
        assert!(done.stderr.is_empty(), "{}", done.stderr);
        let records = done.of_kind("source");
        let encoded = |name: &str| format!("{}/%C3/daily/hub-access%25.log-20250710%{name}", root.path().display());
        assert_eq!(records[0]["path_bytes"], encoded("FE"));
        assert_eq!(records[1]["path_bytes"], encoded("FF"));
        assert!(records[0]["path"].as_str().unwrap().ends_with("-20250710\u{FFFD}"));
        assert_eq!((&records[0]["date"], records.len()), (&"20250710".into(), if args.len() == 1 { 3 } else { 2 }));
    }
}

#[test]
fn logs_are_selected_by_day_month_and_stream() {
    let root = hub();
    let select = |args: &[&str]| {
        names(&fetch_logs().args(["--site", "hub", "--logs"]).arg(root.path()).args(args).finish().ok())
    };
    assert_eq!(select(&["--date", "20250701"]), ["hub-access.log-20250701", "cmsauth.log-20250701"]);
    assert_eq!(select(&["--month", "2024-12"]), ["hub-access.log-20241231.gz"]);
    // also below daily/ and in daily.holding/
    assert_eq!(select(&["--date", "20241231"]), ["hub-access.log-20241231.gz"]);
    assert_eq!(select(&["--date", "20250703"]), ["hub-access.log-20250703"]);
    assert_eq!(select(&["--date", "20241231", "--compat", "port"]), ["hub-access.log-20241231.gz"]);
    assert_eq!(select(&["--compat", "port"]).len(), 5);
    assert_eq!(select(&["--stream", "auth"]), ["cmsauth.log-20250701"]);
    assert!(select(&["--date", "20990101"]).is_empty());
}

#[test]
fn cat_prints_the_decompressed_lines() {
    let root = hub();
    let done = fetch_logs().args(["--cat", "--site", "hub", "--logs"]).arg(root.path()).finish().ok();
    assert_eq!(done.text(), "old year\none\ntwo\nthree\nauth\n");
    let to_file = root.path().join("all.log");
    let again = fetch_logs()
        .args(["--cat", "--site", "hub", "--logs"])
        .arg(root.path())
        .arg("--to")
        .arg(&to_file)
        .finish()
        .ok();
    assert!(again.stdout.is_empty());
    assert_eq!(fs::read_to_string(to_file).unwrap(), done.text());
}

#[test]
fn a_log_that_is_there_twice_is_taken_once() {
    let root = hub();
    write(root.path(), "httpd/daily/hub-access.log-20250701.gz", gzip("one\n"));
    write(root.path(), "httpd/daily.holding/hub-access.log-20250702", "two\n");
    let run = || fetch_logs().args(["--site", "hub", "--stream", "access", "--logs"]).arg(root.path());
    let done = run().finish().ok();
    assert_eq!(names(&done).iter().filter(|n| n.contains("2025070")).count(), 3, "{:?}", names(&done));
    assert_eq!(done.stderr.matches("duplicate access log").count(), 2, "{}", done.stderr);
    // the port takes one log per day, whatever its name
    write(root.path(), "httpd/daily/hub-access-ssl.log-20250702", "ssl\n");
    assert_eq!(names(&run().finish().ok()).iter().filter(|n| n.contains("20250702")).count(), 2);
    let port = run().args(["--compat", "port"]).finish().ok();
    let second: Vec<_> = names(&port).into_iter().filter(|n| n.contains("20250702")).collect();
    assert_eq!(second, ["hub-access-ssl.log-20250702"], "the smallest path wins");
    assert!(port.stderr.contains("duplicate access log for 20250702: keeping"), "{}", port.stderr);
}

#[test]
fn files_and_patterns_can_be_named() {
    let root = hub();
    let daily = root.path().join("httpd/daily");
    let pattern = daily.join("hub-access.log-202507*");
    let done = fetch_logs().arg(root.path().join("hubzero/daily/cmsauth.log-20250701")).arg(pattern).finish().ok();
    assert_eq!(names(&done), ["cmsauth.log-20250701", "hub-access.log-20250701", "hub-access.log-20250702"]);
    assert_eq!(done.records()[0]["stream"], "auth");
    for missing in ["nowhere.log", "nothing-*.log"] {
        let failed = fetch_logs().arg(daily.join(missing)).finish().expect_code(1);
        assert!(failed.stderr.contains(missing), "{}", failed.stderr);
    }
    let failed = fetch_logs().args(["--logs", "/nonexistent"]).finish().expect_code(1);
    assert!(failed.stderr.contains("/nonexistent"), "{}", failed.stderr);
}

#[test]
fn a_damaged_log_fails_and_leaves_nothing() {
    let root = hub();
    let whole = gzip("some text that is long enough to be cut\n");
    write(root.path(), "httpd/daily/hub-access.log-20250704.gz", &whole[..whole.len() - 6]);
    let target = root.path().join("all.log");
    let failed =
        fetch_logs().args(["--cat", "--logs"]).arg(root.path()).arg("--to").arg(&target).finish().expect_code(1);
    assert!(failed.stderr.contains("hub-access.log-20250704.gz"), "{}", failed.stderr);
    assert!(!target.exists());
    let left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn without_logs_csv_has_only_a_header() {
    let root = tempfile::tempdir().unwrap();
    let csv = fetch_logs().args(["--format", "csv", "--logs"]).arg(root.path()).finish().ok();
    assert_eq!(csv.text().lines().count(), 1, "the header");
}

#[test]
fn wrong_usage_is_reported() {
    for args in [&[][..], &["--date", "2025-07-01", "x"], &["--logs"], &["--db"], &["--cat", "--format", "csv", "x"]] {
        let done = fetch_logs().args(args).finish().expect_code(2);
        assert!(done.stdout.is_empty() && !done.stderr.is_empty());
        // in a chain the message must show which program it comes from
        assert!(done.stderr.lines().all(|line| line.starts_with("fetch-logs: ")), "{}", done.stderr);
    }
}

#[test]
fn random_bytes_are_a_log_like_any_other() {
    let root = tempfile::tempdir().unwrap();
    let bytes = fixtures::random::ten_megabytes(1);
    write(root.path(), "daily/hub-access.log-20250701", &bytes);
    let done = fetch_logs().args(["--cat", "--logs"]).arg(root.path()).finish().ok();
    assert_eq!(done.stdout, bytes);
    assert_eq!(fetch_logs().arg("--logs").arg(root.path()).finish().ok().records().len(), 1);
}
