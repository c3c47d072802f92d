//! What others may plant in place of our files: links, FIFOs, folders. Nothing hangs, nothing is
//! written through them, and the message names them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use fixtures::{Finished, run};

use super::{fetch_logs, write};

fn host() -> tempfile::TempDir {
    let host = tempfile::tempdir().unwrap();
    write(host.path(), "etc/hubzero.conf", "site = hub\n");
    write(&host.path().join("var/log"), "httpd/daily/hub-access.log-20250701", "one\n");
    fs::create_dir_all(host.path().join("var/run/hzmetrics")).unwrap();
    fs::create_dir_all(host.path().join("var/log/hubzero/metrics")).unwrap();
    host
}

fn stage(host: &Path) -> Finished {
    fetch_logs().arg("--stage").env("HZMETRICS_ROOT", host).finish()
}

fn plant(what: &str, at: &Path, precious: &Path) {
    match what {
        "a symbolic link" => symlink(precious, at).unwrap(),
        "a FIFO" => drop(run("mkfifo").arg(at).finish().ok()),
        _ => fs::create_dir(at).unwrap(),
    }
}

const OTHERS: [&str; 3] = ["a symbolic link", "a FIFO", "a folder"];

#[test]
fn anything_planted_as_lock_or_staging_file_is_named() {
    for name in ["var/run/hzmetrics/hzmetrics.pid", "var/log/hubzero/metrics/_hub_apache.log"] {
        for what in OTHERS {
            let host = host();
            let precious = host.path().join("precious");
            fs::write(&precious, "kept").unwrap();
            plant(what, &host.path().join(name), &precious);
            let done = stage(host.path()).expect_code(1);
            assert!(done.stderr.contains(what) && done.stderr.contains(name), "{name}: {}", done.stderr);
            assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
        }
    }
}

#[test]
fn anything_planted_as_the_list_is_named() {
    for what in OTHERS {
        let host = host();
        let precious = host.path().join("precious");
        fs::write(&precious, "kept").unwrap();
        let list = host.path().join("var/log/hubzero/metrics/_staged.ndjson");
        plant(what, &list, &precious);
        let done = stage(host.path());
        assert!(done.code == 1 || list.symlink_metadata().unwrap().is_file(), "{what}: {}", done.stderr);
        assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
    }
}

#[test]
fn staged_copies_are_never_easier_to_read_than_their_logs() {
    for (umask, log, expected) in [
        ("000", 0o644, 0o640),
        ("000", 0o666, 0o640),
        ("000", 0o600, 0o600),
        ("022", 0o644, 0o640),
        ("077", 0o640, 0o640),
    ] {
        let host = host();
        let path = host.path().join("var/log/httpd/daily/hub-access.log-20250701");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(log)).unwrap();
        let script = format!("umask {umask}; exec \"$0\" --stage");
        let exe = PathBuf::from(env!("CARGO_BIN_EXE_fetch-logs"));
        run("sh").args(["-c", &script]).arg(exe).env("HZMETRICS_ROOT", host.path()).finish().ok();
        let staged = host.path().join("var/log/hubzero/metrics/_hub_apache.log");
        assert_eq!(fs::metadata(staged).unwrap().mode() & 0o777, expected, "umask {umask}, log {log:o}");
    }
}
