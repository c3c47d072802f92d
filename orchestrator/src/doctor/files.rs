//! Our own files in folders that others may write to: the log, locks, the copy of the state, staging files.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use hub::config::Paths;
use rustix::fs::{Access, access};

use super::checked_hub::CheckedHub;
use super::report::Report;
use crate::accounts::Names;

/// What is wrong with a file, and how to fix it; nothing if the file does not exist.
fn trouble(path: &Path, names: &Names) -> Option<(String, String)> {
    let shown = path.display();
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        // a file that cannot be examined is a problem of its folder
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => return None,
        Err(error) => return Some((format!("{shown}: {error}"), format!("ls -ld {shown}"))),
    };
    let kind = meta.file_type();
    let what = match kind {
        _ if kind.is_symlink() => "a link",
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a FIFO",
        _ if kind.is_socket() => "a socket",
        _ if kind.is_block_device() || kind.is_char_device() => "a device",
        _ => "",
    };
    if !what.is_empty() {
        let text = format!("{shown} is {what} where a file of hzmetrics is expected (owner {})", names.owned(&meta));
        let fix = if kind.is_dir() { format!("rmdir {shown}") } else { format!("rm {shown}") };
        return Some((text, fix));
    }
    access(path, Access::READ_OK | Access::WRITE_OK).err()?;
    let me = names.me();
    Some((format!("{shown} cannot be written by {me} (mode {})", names.owned(&meta)), format!("chown {me} {shown}")))
}

/// All of these files.
fn list(paths: &Paths) -> Vec<PathBuf> {
    let staging = paths.staging();
    let mut list = vec![paths.log(), paths.pid_lock(), paths.whoisonline_lock(), paths.migrate_lock(), paths.state()];
    list.extend(
        [paths.staged_access(), paths.staged_auth()]
            .iter()
            .flat_map(|staged| [staged.clone(), paths.imported_staged(staged)]),
    );
    list.extend(
        [
            "_staged.ndjson",
            "_imported.ndjson",
            "_refused.ndjson",
            "_health.json",
            "_health.lock",
            "_health.notify.lock",
        ]
        .map(|name| staging.join(name)),
    );
    list
}

/// Root may access everything, so its result says nothing about the hub's account.
pub(super) fn asked_as_root(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    if !hub::identity::is_root_among_others(config) {
        return;
    }
    let user = Names::read(&config.paths).account(config).unwrap_or_else(|| "USER".to_owned());
    report.warn(
        format_args!("asked as root, who may read and write everything: what {user} may do was not checked"),
        format_args!("runuser -u {user} -- hzmetrics doctor"),
    );
}

/// Checks those that exist.
pub(super) fn ours(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let paths = &checked.hub.config.paths;
    let names = Names::read(paths);
    let found: Vec<_> = list(paths).iter().filter_map(|path| trouble(path, &names)).collect();
    if found.is_empty() {
        return report.ok("files: log, locks, state and staging files are regular files, or do not exist yet");
    }
    for (text, fix) in found {
        report.fail_ours(format_args!("file: {text}"), fix);
    }
}
