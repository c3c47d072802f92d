//! Folders that must exist and that we must be able to write to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use schema::Opt;

use super::checked_hub::CheckedHub;
use super::report::Report;
use crate::accounts::Names;
use crate::setup::bootstrap;

/// What is wrong with a folder.
fn state(folder: &Path) -> Option<&'static str> {
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some("cannot be examined"),
        Ok(found) if found.is_dir() => {
            access(folder, Access::WRITE_OK | Access::EXEC_OK).err().map(|_| "cannot be written to")
        }
        Ok(_) => Some("is not a folder"),
        Err(_) => Some("is missing"),
    }
}

/// How to fix it.
fn fix(folder: &Path, state: &str, me: &str) -> String {
    let shown = folder.display();
    match state {
        "is missing" => format!("install -d -o {me} -g {me} -m 750 {shown}"),
        "is not a folder" => format!("mv {shown} {shown}.old && install -d -o {me} -g {me} -m 750 {shown}"),
        "cannot be examined" => format!("setfacl -m u:{me}:rx {}", folder.parent().unwrap_or(folder).display()),
        _ => format!("chown {me} {shown}   # or: setfacl -m u:{me}:rwx {shown}"),
    }
}

/// Our own folders, created first with `--fix`.
pub(super) fn ours(checked: &mut CheckedHub<'_>, report: &mut Report) {
    if checked.repairs
        && let Err(error) = bootstrap::make_folders(checked.hub)
    {
        checked.hub.log.error(format_args!("{error:#}"));
    }
    let me = Names::read(&checked.hub.config.paths).me();
    for folder in bootstrap::folders(checked.hub) {
        match state(&folder) {
            None => report.ok(format_args!("folder: {}", folder.display())),
            Some(trouble) => {
                let text = format!("folder: {} {trouble}", folder.display());
                report.fail(text, fix(&folder, trouble, &me));
            }
        }
    }
}

/// The folder where `whoisonline` writes its map.
fn map_folder(hub_dir: &Path, is_port: bool) -> PathBuf {
    let (new, old) = (hub_dir.join("app/site/stats/maps"), hub_dir.join("site/stats/maps"));
    let is_new = if is_port { new.is_dir() } else { hub_dir.join("app").is_dir() };
    if is_new { new } else { old }
}

/// The CMS's folder for maps.
pub(super) fn maps(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    let Some(file) = &config.file else { return };
    let Ok(hub_dir) = config.hub_dir() else {
        return report.fail_ours(
            format_args!("maps: {} has no hub_dir, so whoisonline does not know where its map goes", file.display()),
            format_args!("add hub_dir, the folder of the CMS, to {}", file.display()),
        );
    };
    let folder = map_folder(hub_dir, checked.hub.compat.has(Opt::LpWhoisonline));
    match state(&folder) {
        None => report.ok(format_args!("maps: {}", folder.display())),
        Some(trouble) => {
            let me = Names::read(&config.paths).me();
            let text = format!("maps: {} {trouble}: whoisonline cannot write its map", folder.display());
            report.fail_ours(text, fix(&folder, trouble, &me));
        }
    }
}
