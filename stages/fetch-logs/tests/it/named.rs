//! Logs of any web server: names by every convention, and the messages about files left out.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use fixtures::Finished;
use fixtures::gzip;
use serde_json::Value;

use crate::{fetch_logs, names, write};

fn paths(done: &Finished, root: &Path) -> Vec<String> {
    let path = |record: Value| {
        let path = record["path"].as_str().unwrap().to_owned();
        path.strip_prefix(root.to_str().unwrap()).unwrap().trim_start_matches('/').to_owned()
    };
    done.of_kind("source").into_iter().map(path).collect()
}

fn list(path: &Path) -> Vec<(String, String)> {
    let entry = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let name = record["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        (name, record["reason"].as_str().unwrap().to_owned())
    };
    fs::read_to_string(path).unwrap().lines().map(entry).collect()
}

/// Names of web logs, none of which is a hub's.
const HABITS: [&str; 23] = [
    "access.log",
    "access.log.1",
    "access.log.2.gz",
    "access.log.10.gz",
    "access.log-20250710",
    "access.log-20250711.gz",
    "access.log-2025071108",
    "access.log_2025-07-10",
    "access.log.2025-07-11",
    "access.log.1752105600",
    "access.log.3.bz2",
    "access.log.4.xz",
    "access.log.5.zst",
    "access.log.6.lz4",
    "access_log",
    "access_log-20250710",
    "access_log.1",
    "ssl_access_log",
    "ssl_access_log-20250710.gz",
    "other_vhosts_access.log",
    "other_vhosts_access.log.1",
    "access-20250710.log",
    "u_ex250710.log",
];

#[test]
fn field_76_names_by_every_convention_are_found() {
    let root = tempfile::tempdir().unwrap();
    for name in HABITS {
        write(root.path(), name, format!("{name}\n"));
    }
    write(root.path(), "error.log", "no request\n");
    let patterns = ["access*", "ssl_access_log*", "other_vhosts_access.log*", "u_ex*"];
    let done = fetch_logs().arg("--logs").arg(root.path()).arg("--name").args(patterns).finish().ok();
    let mut found = names(&done);
    found.sort();
    let mut expected = HABITS.map(str::to_owned);
    expected.sort();
    assert_eq!(found, expected);
    assert!(done.stderr.contains("23 logs; 1 file left out: 1 by name"), "{}", done.stderr);
    let july = fetch_logs().arg("--logs").arg(root.path()).args(["--name", "*access*", "--date", "20250711"]).finish();
    let of_day = ["access.log-20250711.gz", "access.log.2025-07-11", "access.log-2025071108"];
    assert_eq!(names(&july.ok()), of_day);
    let lines = fetch_logs().arg("--logs").arg(root.path()).args(["--name", "access_log*", "--cat"]).finish().ok();
    assert_eq!(lines.text(), "access_log-20250710\naccess_log.1\naccess_log\n");
}

#[test]
fn field_76_without_a_pattern_the_message_suggests_one() {
    let root = tempfile::tempdir().unwrap();
    for name in HABITS {
        write(root.path(), &format!("nginx/{name}"), "x\n");
    }
    write(root.path(), "error.log", "x\n");
    write(root.path(), ".hidden-access.log", "x\n");
    let left = root.path().join("left");
    let run = |folder: &str| fetch_logs().arg("--logs").arg(root.path().join(folder)).arg("--left-out").arg(&left);
    let done = run("").finish().ok();
    assert_eq!(done.text(), "");
    let told = |done: &Finished, text: &str| assert!(done.stderr.contains(text), "{text}: {}", done.stderr);
    told(&done, "no log has a name of a hub (SITE-access…log…); for these web logs add --name 'access*' 'access.log*'");
    told(&done, "0 logs; 24 files left out: 24 by name");
    let list = list(&left);
    assert_eq!(list.len(), 24);
    assert_eq!(list[0], ("error.log".to_owned(), "its name is not that of a log".to_owned()));
    // a hub whose logs have all been imported causes no warning
    write(root.path(), "nginx/daily/hub-error.log-1", "x\n");
    let done = run("nginx").arg("--quiet").finish().ok();
    assert_eq!(done.stderr, "");
}

#[test]
fn files_next_to_a_hubs_logs_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let left = root.path().join("left");
    for name in ["hub-access.log-20250701", "hub-access.log-20250801", "hub-error.log-20250701", "new-hub-access.log"] {
        write(root.path(), &format!("httpd/daily/{name}"), "x\n");
    }
    write(root.path(), "httpd/imported/hub-access.log-20250601", "x\n");
    write(root.path(), "httpd/conf/access.conf.d/x", "x\n");
    let logs = root.path().join("httpd");
    let run = || fetch_logs().arg("--logs").arg(&logs).arg("--left-out").arg(&left);
    let done = run().args(["--month", "2025-07"]).finish().ok();
    assert_eq!(names(&done), ["hub-access.log-20250701"]);
    assert!(done.stderr.contains("1 log; 3 files left out: 1 by day, 2 by name"), "{}", done.stderr);
    let expected = [
        ("hub-access.log-20250801", "its name does not have the day or month"),
        ("hub-error.log-20250701", "its name is not that of a log"),
        ("new-hub-access.log", "its name is not that of a log"),
    ];
    assert_eq!(list(&left), expected.map(|(name, why)| (name.to_owned(), why.to_owned())));
    // the list is written even if nothing is left out
    fs::remove_file(logs.join("daily/hub-error.log-20250701")).unwrap();
    fs::remove_file(logs.join("daily/new-hub-access.log")).unwrap();
    let done = run().finish().ok();
    assert_eq!((names(&done).len(), list(&left).len(), &*done.stderr), (2, 0, ""));
}

#[test]
fn logs_come_in_the_order_in_which_they_were_written() {
    let root = tempfile::tempdir().unwrap();
    let old = SystemTime::now() - Duration::from_secs(90_000);
    for (name, is_old) in [
        ("web1/access.log", false),
        ("web1/access.log.1", false),
        ("web1/access.log.2.gz", false),
        ("web1/access.log.10.gz", false),
        ("web2/access.log-20250711", false),
        ("web2/access.log-20250710.gz", false),
        ("web2/access.log", false),
        ("web1/access.log-2025071023", false),
        ("web1/access.log.old", true),
        ("web1/access.log.bak", false),
    ] {
        write(root.path(), name, if name.ends_with("gz") { gzip(name.as_bytes()) } else { name.into() });
        if is_old {
            File::options().write(true).open(root.path().join(name)).unwrap().set_modified(old).unwrap();
        }
    }
    let run = || fetch_logs().arg("--logs").arg(root.path()).args(["--name", "access.log*"]).finish().ok();
    let found = paths(&run(), root.path());
    let place = |name: &str| found.iter().position(|path| path == name).unwrap();
    let dated = ["web2/access.log-20250710.gz", "web1/access.log-2025071023", "web2/access.log-20250711"];
    assert_eq!(found[..3], dated, "two sites, day by day");
    assert_eq!(found[3], "web1/access.log.old", "of the others, what was written to first");
    let numbered = ["web1/access.log.10.gz", "web1/access.log.2.gz", "web1/access.log.1", "web1/access.log"];
    let places = numbered.map(place);
    assert!(places.is_sorted() && places[3] - places[0] == 3, "{found:?}");
    assert_eq!(found, paths(&run(), root.path()));
}

#[test]
fn field_73_a_log_and_its_compressed_form_are_one_and_two_sites_are_two() {
    let root = tempfile::tempdir().unwrap();
    let left = root.path().join("left");
    for site in ["web1", "web2"] {
        write(root.path(), &format!("{site}/access.log-20250711"), "one\n");
    }
    write(root.path(), "web1/access.log-20250711.gz", gzip(b"one\n"));
    write(root.path(), "web2/access.log-20250711.xz", fs::read(fixtures::folder().join("compressed/many.xz")).unwrap());
    std::os::unix::fs::symlink("access.log-20250711", root.path().join("web2/access.log.current")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.path().join("web2/access.log.gone")).unwrap();
    let done = fetch_logs()
        .arg("--logs")
        .arg(root.path())
        .args(["--name", "access.log*", "--left-out"])
        .arg(&left)
        .finish()
        .ok();
    let expected = ["web1/access.log-20250711", "web2/access.log-20250711", "web2/access.log-20250711.xz"];
    assert_eq!(paths(&done, root.path()), expected, "another content of that name is another log");
    let reasons: Vec<_> = list(&left).into_iter().map(|(name, _)| name).collect();
    assert_eq!(reasons, ["access.log-20250711.gz", "access.log.current", "access.log.gone"]);
    assert!(done.stderr.contains("3 files left out: 2 as copies, 1 as not readable"), "{}", done.stderr);
}

#[test]
fn wrong_patterns_are_wrong_usage() {
    for arguments in
        [&["--name", "a**b", "--logs", "."][..], &["--name", "x"], &["--name", "x", "--logs", ".", "--site", "h"]]
    {
        fetch_logs().args(arguments).finish().expect_code(2);
    }
}
