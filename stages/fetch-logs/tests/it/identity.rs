//! `fetch-logs --stage` started by root: which user it becomes, and what it refuses otherwise. The
//! other programs have tests of their own; the decision is the same in all.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use fixtures::Run;
use fixtures::closed::close_off;
use hub::lock::{Lock, LockResult};

use super::{fetch_logs, write};

/// A user that exists on every system.
const NOBODY: u32 = 65534;

/// A host whose log folders belong to `nobody`.
struct Host(tempfile::TempDir);

/// `None`, after printing a message, if we cannot change owners.
fn host() -> Option<Host> {
    if !hub::identity::is_root() {
        fixtures::skip("only root can give its rights away");
        return None;
    }
    let host = Host(tempfile::tempdir().unwrap());
    fs::set_permissions(host.0.path(), Permissions::from_mode(0o755)).unwrap();
    write(host.0.path(), "etc/hubzero.conf", "site = hub\n");
    host.log("httpd/daily/hub-access.log-20250701", "one\n");
    host.log("hubzero/daily/cmsauth.log-20250701", "two\n");
    for folder in ["var/log/httpd/daily", "var/log/hubzero/daily"] {
        host.give(folder);
    }
    Some(host)
}

impl Host {
    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }
    fn log(&self, path: &str, text: &str) {
        write(&self.at("var/log"), path, text);
    }
    fn give(&self, path: &str) {
        chown(self.at(path), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    fn stage(&self) -> Run {
        fetch_logs().arg("--stage").env("HZMETRICS_ROOT", self.0.path())
    }
    fn refused(&self, words: &[&str]) {
        let done = self.stage().finish().expect_code(2);
        for word in words {
            assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
        }
        assert!(!self.at("var/log/hubzero/metrics/_hub_apache.log").exists(), "something was done");
    }
}

fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().uid()
}

#[test]
fn root_takes_the_identity_of_the_owner_of_the_logs() {
    let Some(host) = host() else { return };
    host.stage().finish().ok();
    let staging = host.at("var/log/hubzero/metrics");
    for name in ["", "_hub_apache.log", "_hub_auth.log", "_staged.ndjson"] {
        assert_eq!(owner(&staging.join(name)), NOBODY, "{name}");
    }
    assert_eq!(owner(&host.at("var/run/hzmetrics")), NOBODY, "made by root, for the user");
    assert_eq!(owner(&host.at("var/run")), 0);
}

#[test]
fn the_identity_cannot_be_taken_back() {
    let Some(host) = host() else { return };
    host.stage().finish().ok();
    let LockResult::Held(_lock) = Lock::ask(&host.at("var/run/hzmetrics/hzmetrics.pid"), Duration::ZERO).unwrap()
    else {
        panic!("somebody has the lock")
    };
    host.give("var/run/hzmetrics/hzmetrics.pid");
    // it waits for the lock, so that it can be inspected
    let mut command = Command::new(env!("CARGO_BIN_EXE_fetch-logs"));
    let mut child = close_off(&mut command, host.0.path())
        .args(["--stage", "--lock-wait", "600"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let path = format!("/proc/{}/status", child.id());
    let status = || fs::read_to_string(&path).unwrap();
    while !status().contains("Uid:\t65534") && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = status();
    child.kill().unwrap();
    child.wait().unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let all_four = [NOBODY.to_string().as_str()].repeat(4).join("\t");
    assert_eq!((line("Uid:"), line("Gid:")), (all_four.clone(), all_four));
    assert!(!line("Groups:").split_whitespace().any(|group| group == "0"), "{status}");
    for set in ["CapInh:", "CapPrm:", "CapEff:"] {
        assert_eq!(line(set).trim_matches('0'), "", "{set}");
    }
}

#[test]
fn the_configuration_names_the_user() {
    let Some(host) = host() else { return };
    chown(host.at("var/log/hubzero/daily"), Some(0), Some(0)).unwrap();
    fs::set_permissions(host.at("var/log/hubzero/daily"), Permissions::from_mode(0o777)).unwrap();
    chown(host.at("var/log/httpd/daily"), Some(0), Some(0)).unwrap();
    host.refused(&["hubzero/daily", "[run]", "user = NAME"]);
    write(&host.at("etc/hubzero-metrics"), "access.cfg", "$hub_db = 'x';\n");
    write(&host.at("etc/hubzero-metrics"), "hzmetrics.conf", "[run]\nuser = nobody\n");
    host.stage().finish().ok();
    assert_eq!(owner(&host.at("var/log/hubzero/metrics/_hub_auth.log")), NOBODY);
    for (name, words) in [("root", "root is not a user to run as"), ("no-such-user", "there is no user no-such-user")] {
        write(&host.at("etc/hubzero-metrics"), "hzmetrics.conf", format!("[run]\nuser = {name}\n"));
        let done = host.stage().finish().expect_code(2);
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
}

#[test]
fn an_owner_without_a_name_is_refused() {
    let Some(host) = host() else { return };
    chown(host.at("var/log/httpd/daily"), Some(4_000_000_000), None).unwrap();
    host.refused(&["httpd/daily", "4000000000", "has no name", "[run]"]);
}

#[test]
fn missing_permissions_are_named_with_the_command_that_fixes_them() {
    let Some(host) = host() else { return };
    let mode = |path: &str, mode| fs::set_permissions(host.at(path), Permissions::from_mode(mode)).unwrap();
    let log = "var/log/httpd/daily/hub-access.log-20250701";
    mode(log, 0o600);
    host.refused(&["nobody", "cannot read", log, "setfacl -m u:nobody:r "]);
    mode(log, 0o640);
    chown(host.at(log), Some(0), Some(4)).unwrap();
    host.refused(&["usermod -a -G adm nobody"]);
    mode(log, 0o644);
    // as on Debian
    mode("var/log/httpd", 0o750);
    chown(host.at("var/log/httpd"), Some(0), Some(4)).unwrap();
    host.refused(&["usermod -a -G adm nobody"]);
    mode("var/log/httpd", 0o755);
    write(&host.at("etc/hubzero-metrics"), "access.cfg", "$hub_db = 'x';\n");
    mode("etc/hubzero-metrics/access.cfg", 0o600);
    host.refused(&["the configuration", "chgrp nogroup ", "access.cfg && chmod g+r "]);
    mode("etc/hubzero-metrics/access.cfg", 0o644);
    // handed over by the first of these runs
    chown(host.at("var/log/hubzero/metrics"), Some(0), Some(0)).unwrap();
    host.refused(&["cannot write to", "hubzero/metrics", "chgrp nogroup ", "chmod g+rwx "]);
    host.give("var/log/hubzero/metrics");
    write(&host.at("var/run/hzmetrics"), "hzmetrics.pid", "");
    host.refused(&["cannot write to", "hzmetrics.pid"]);
    host.give("var/run/hzmetrics/hzmetrics.pid");
    host.stage().finish().ok();
}

#[test]
fn where_all_is_roots_root_stays_silently() {
    let Some(host) = host() else { return };
    for folder in ["var/log/httpd/daily", "var/log/hubzero/daily"] {
        chown(host.at(folder), Some(0), Some(0)).unwrap();
        // the group root counts as root
        fs::set_permissions(host.at(folder), Permissions::from_mode(0o775)).unwrap();
    }
    let done = host.stage().finish().ok();
    assert_eq!(done.stderr, "");
    assert_eq!(owner(&host.at("var/log/hubzero/metrics/_hub_apache.log")), 0);
}

#[test]
fn a_filter_keeps_the_identity_of_its_caller() {
    let Some(host) = host() else { return };
    let out = host.at("out.ndjson");
    fetch_logs().args(["--logs", host.at("var/log").to_str().unwrap(), "--to"]).arg(&out).finish().ok();
    assert_eq!(owner(&out), 0);
}
