//! Which folders belong to root alone. The tests of `fetch-logs` cover the consequences.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

use super::*;
use crate::config::Env;

#[test]
fn folders_are_judged_by_themselves() {
    if !is_root() {
        return fixtures::skip("only root can give folders to others");
    }
    let root = tempfile::tempdir().unwrap();
    let env: Env<'_> = &|name| (name == "HZMETRICS_ROOT").then(|| root.path().into());
    let staging = root.path().join("var/log/hubzero/metrics");
    fs::create_dir_all(&staging).unwrap();
    let shared = || {
        let config = crate::config::read(None, env).unwrap();
        is_root_among_others(&config)
    };
    let set = |uid, gid, mode| {
        chown(&staging, Some(uid), Some(gid)).unwrap();
        fs::set_permissions(&staging, Permissions::from_mode(mode)).unwrap();
    };
    for (uid, gid, mode, expected) in [
        (0, 0, 0o755, false),
        (0, 0, 0o775, false),
        (0, 4, 0o755, false),
        (0, 4, 0o775, true),
        (0, 0, 0o757, true),
        (0, 0, 0o1777, true),
        (33, 0, 0o700, true),
    ] {
        set(uid, gid, mode);
        assert_eq!(shared(), expected, "{uid}:{gid} {mode:o}");
    }
    set(0, 0, 0o755);
    // the owner of a link decides where it leads
    fs::rename(&staging, root.path().join("elsewhere")).unwrap();
    symlink(root.path().join("elsewhere"), &staging).unwrap();
    assert!(!shared());
    lchown(&staging, Some(33), None).unwrap();
    assert!(shared());
}
