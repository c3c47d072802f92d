//! Missing permissions: root's files, checked from an ordinary account. Needs root, to change owners.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use super::*;

/// The user nobody, which exists everywhere.
const NOBODY: u32 = 65_534;

/// Changes the owner of everything below a folder.
fn give(folder: &Path, uid: u32) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            give(&path, uid);
        }
        chown(path, Some(uid), Some(uid)).unwrap();
    }
    chown(folder, Some(uid), Some(uid)).unwrap();
}

/// A hub owned by nobody; `None`, after printing a message, if we cannot change owners.
fn hub() -> Option<Hub> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        fixtures::skip("files of other accounts need root");
        return None;
    }
    let hub = Hub::new()?;
    hub.write("root/etc/passwd", "root:x:0:0::/:/bin/sh\nwebuser:x:65534:65534::/:/bin/sh\n");
    hub.write("root/etc/group", "root:x:0:\nadm:x:4:\nwebuser:x:65534:\n");
    // where nobody may execute it
    fs::copy(env!("CARGO_BIN_EXE_hzmetrics"), hub.path("hzmetrics")).unwrap();
    give(hub.pair.home(), NOBODY);
    Some(hub)
}

fn doctor(hub: &Hub) -> Finished {
    let id = NOBODY.to_string();
    let run = fixtures::run("setpriv").args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    hub.settled(run.arg(hub.path("hzmetrics")).arg("doctor")).finish()
}

#[track_caller]
fn is_well(hub: &Hub) {
    let text = doctor(hub).ok().text();
    assert!(text.ends_with("\nall is well\n"), "{text}");
}

/// Gives a file to root with this mode and group, checks doctor's finding, gives it back, and checks that all
/// is well.
#[track_caller]
fn as_roots(hub: &Hub, name: &str, mode: u32, gid: u32, parts: &[&str], fix: &str) {
    let path = hub.path(name);
    let before = fs::metadata(&path).unwrap().mode();
    chown(&path, Some(0), Some(gid)).unwrap();
    hub.mode(name, mode);
    let done = doctor(hub).expect_code(1);
    finds(&done.text(), FAIL, parts, fix);
    chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    hub.mode(name, before & 0o7777);
    is_well(hub);
}

#[test]
fn files_of_other_owners_are_found() {
    let Some(hub) = hub() else { return };
    is_well(&hub);
    // root may read everything, and is told so
    let asked_by_root = hub.doctor().ok().text();
    finds(&asked_by_root, WARN, &["asked as root", "what webuser may do"], "runuser -u webuser -- hzmetrics doctor");
    let unread = "1 of 1 pending cannot be read by webuser, the first ";
    as_roots(&hub, LOG, 0o640, 4, &[unread, "h-access.log-20260518 (640 root:adm)"], "usermod -aG adm webuser");
    as_roots(&hub, LOG, 0o600, 0, &[unread, "(600 root:root)"], "setfacl -R -m u:webuser:rX ");
    as_roots(
        &hub,
        "manage.log",
        0o644,
        0,
        &["manage.log cannot be written by webuser (mode 644 root:root)"],
        "chown webuser ",
    );
    let daily = "root/var/log/httpd/daily";
    as_roots(&hub, daily, 0o755, 0, &["folder: ", "httpd/daily cannot be written to"], "chown webuser ");
    as_roots(&hub, daily, 0o750, 0, &["logs: ", "httpd/daily"], "setfacl -R -m u:webuser:rwX ");
    as_roots(&hub, "state", 0o755, 0, &["folder: ", "/state cannot be written to"], "chown webuser ");
    as_roots(
        &hub,
        "root/var/log/hubzero/metrics",
        0o755,
        0,
        &["hubzero/metrics cannot be written to"],
        "chown webuser ",
    );
    as_roots(&hub, "hub/app/site/stats/maps", 0o755, 0, &["maps: ", "cannot be written to"], "chown webuser ");
    as_roots(&hub, "my.cfg", 0o640, 0, &["configuration: ", "my.cfg", "Permission denied"], "chmod 640");
}
