//! Logs that the importer refused. They are listed next to the staging files, reported once a day,
//! and accepted or set aside with `hzmetrics import`.
//!
//! A log on this list is no longer pending: other logs are imported and the month is closed without it.
//! If its content changes, it is tried again.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::door;
use logs::discovery::{self, Stream};
use logs::refused::{self, Refused};

use super::decisions;
use crate::hub::Hub;

/// Today, `YYYY-MM-DD`.
fn today() -> Result<String> {
    Ok(decisions::day(kit::today()?))
}

/// The logs that need not be tried again. A log that was refused without being read is tried once a
/// day.
///
/// # Errors
/// The list cannot be read.
pub(crate) fn settled(hub: &Hub) -> Result<HashSet<PathBuf>> {
    let today = today()?;
    let list = refused::remembered(&hub.config.paths.staging())?;
    let is_settled = |log: &Refused| log.is_unchanged() && (log.hash.is_some() || log.last_named == today);
    Ok(list.into_iter().filter(is_settled).map(|log| log.path).collect())
}

/// The receipt's information about a refused log.
pub(crate) fn of_receipt(path: &Path, stream: Stream, reason: &str, receipt: &serde_json::Value) -> Refused {
    let number = |name: &str| receipt.get(name).and_then(serde_json::Value::as_u64);
    let text = |name: &str| receipt.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let mut refused = Refused {
        path: path.to_owned(),
        stream: stream.name().to_owned(),
        reason: reason.to_owned(),
        lines: number("lines"),
        device: number("device"),
        inode: number("inode"),
        size: number("size"),
        mtime: receipt.get("mtime").and_then(serde_json::Value::as_i64),
        bytes: number("bytes"),
        hash: text("hash"),
        head: text("head"),
        ..Refused::default()
    };
    if let Some(meta) = fs::symlink_metadata(path).ok().filter(|_| refused.device.is_none()) {
        let mtime = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
        (refused.device, refused.inode) = (Some(meta.dev()), Some(meta.ino()));
        (refused.size, refused.mtime) = (Some(meta.len()), Some(mtime));
    }
    refused
}

/// The record for something that was not read at all.
pub(crate) fn unread(path: &Path, stream: Stream, reason: &str) -> Refused {
    of_receipt(path, stream, reason, &serde_json::Value::Null)
}

/// Why a log does not belong to the log folders: it is a link out of them, or not a file. It does not
/// prevent others from being imported.
pub(crate) fn planted(hub: &Hub, path: &Path) -> Option<anyhow::Error> {
    let logs = hub.config.paths.open_logs();
    let error = anyhow::Error::from(logs.open(path).err().filter(|_| logs.holds(path))?);
    let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
    (is_link || door::is_in_the_way(&error)).then_some(error)
}

/// What has the name of a log, or is a link to a folder, but cannot be a log.
fn no_logs(hub: &Hub) -> Vec<Refused> {
    let site = Some(hub.config.site.name.as_str());
    let mut found = Vec::new();
    for stream in [Stream::Access, Stream::Auth] {
        for folder in ["daily", "daily.holding"].map(|name| hub.logs(stream).join(name)) {
            let left = discovery::left_out(&folder, stream, site);
            found.extend(left.iter().map(|left| unread(&left.path, stream, &format!("it {}", left.what))));
            for log in discovery::tree(&folder, stream, site).unwrap_or_default() {
                found.extend(planted(hub, &log.path).map(|error| unread(&log.path, stream, &format!("{error:#}"))));
            }
        }
    }
    found
}

/// The refused logs, and everything that cannot be a log, recorded or not.
///
/// # Errors
/// A list cannot be read.
pub(crate) fn all(hub: &Hub) -> Result<Vec<Refused>> {
    let mut list = refused::list(&hub.config.paths.staging())?;
    let known: HashSet<PathBuf> = list.iter().map(|log| log.path.clone()).collect();
    list.extend(no_logs(hub).into_iter().filter(|log| !known.contains(&log.path)));
    Ok(list)
}

/// Records a log that was refused now, and reports it if it is new.
///
/// # Errors
/// The list cannot be read or written.
pub(crate) fn remember(hub: &Hub, mut log: Refused) -> Result<()> {
    hub.n_refused.set(hub.n_refused.get() + 1);
    let staging = hub.config.paths.staging();
    let mut list = refused::remembered(&staging)?;
    match list.iter().find(|known| known.is_same(&log)) {
        Some(known) => (log.since, log.last_named) = (known.since.clone(), known.last_named.clone()),
        None => {
            (log.since, log.last_named) = (today()?, today()?);
            name(hub, &log);
        }
    }
    list.retain(|known| known.path != log.path);
    list.push(log);
    store(hub, &list)
}

fn name(hub: &Hub, log: &Refused) {
    hub.refused.set(true);
    let (path, reason, name) = (log.path.display(), &log.reason, log.name());
    if !is_file(&log.path) {
        hub.log.error(format_args!("{path} was not imported: {reason}; remove it, or put the log itself there"));
        return;
    }
    hub.log.error(format_args!(
        "{path} was not imported: {reason}; `hzmetrics import --accept {name}` imports it as it is, \
         `hzmetrics import --set-aside {name}` moves it to refused/"
    ));
}

/// Whether this is a file itself, not a link to one.
pub(crate) fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

fn store(hub: &Hub, list: &[Refused]) -> Result<()> {
    let staging = hub.config.paths.staging();
    if !list.is_empty() {
        door::make_folder(&staging).with_context(|| format!("making {}", staging.display()))?;
    }
    refused::store(&staging, list)
}

/// Removes a log from the list, and those that no longer exist.
///
/// # Errors
/// The list cannot be read or written.
pub(crate) fn forget(hub: &Hub, path: &Path) -> Result<()> {
    let staging = hub.config.paths.staging();
    if !refused::list_path(&staging).exists() {
        return Ok(());
    }
    let mut list = refused::remembered(&staging)?;
    list.retain(|log| log.path != path);
    store(hub, &list)
}

/// The end of a command that imports: reports logs last reported on an earlier day, and what is not a log.
/// Its exit code is 1 once a day, and whenever a log is refused for the first time.
///
/// # Errors
/// The list cannot be read or written.
pub(crate) fn end(hub: &Hub, code: u8) -> Result<u8> {
    no_logs(hub).into_iter().try_for_each(|log| remember(hub, log))?;
    let (staging, today) = (hub.config.paths.staging(), today()?);
    let mut list = refused::remembered(&staging)?;
    let mut is_changed = false;
    for log in list.iter_mut().filter(|log| log.last_named != today) {
        log.last_named.clone_from(&today);
        name(hub, log);
        is_changed = true;
    }
    if is_changed {
        store(hub, &list)?;
    }
    Ok(if hub.refused.get() { code.max(1) } else { code })
}

/// Moves a log to `refused/` next to its `daily/`, with its own name or, if that is in use, a
/// numbered one.
///
/// # Errors
/// It cannot be moved.
pub(crate) fn set_aside(hub: &Hub, path: &Path) -> Result<()> {
    let is_daily = |folder: &&Path| folder.file_name().is_some_and(|name| name == "daily" || name == "daily.holding");
    let root = path.ancestors().skip(1).find(is_daily).and_then(Path::parent);
    let folder = root.with_context(|| format!("{} is not below daily/", path.display()))?.join("refused");
    door::make_log_folder(&folder).with_context(|| format!("making {}", folder.display()))?;
    let to = folder.join(path.file_name().unwrap_or_default());
    let to = move_to_free_name(path, &to, 0).with_context(|| format!("moving {}", path.display()))?;
    forget(hub, path)?;
    hub.log.info(format_args!("{} → {}", path.display(), to.display()));
    Ok(())
}

/// Renames a file to `to`, or to `to.~N~` with the first free number from `first` on; 0 means no
/// number.
pub(super) fn move_to_free_name(path: &Path, to: &Path, first: u32) -> io::Result<PathBuf> {
    for n in first.. {
        let mut free = to.as_os_str().to_owned();
        if n > 0 {
            free.push(format!(".~{n}~"));
        }
        let free = PathBuf::from(free);
        match door::rename_new(path, &free) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| free),
        }
    }
    Err(io::Error::other("no number is left"))
}
