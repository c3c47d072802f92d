//! Files that nobody needs any more: staging files that were imported, refused logs that somebody set aside, lists of
//! rejects, and old answers in the cache of names.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use hub::lock::Lock;
use kit::door;
use logs::discovery::Stream;
use rustix::fs::FileType;

use crate::hub::Hub;

/// The folder next to `daily/` for logs that somebody set aside.
const SET_ASIDE: &str = "refused";

/// An old file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Old {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Staging files whose logs were imported `days` days ago or earlier. Those that wait for their import stay.
///
/// # Errors
/// A file cannot be looked at.
pub(crate) fn staged(hub: &Hub, days: u64) -> Result<Vec<Old>> {
    let paths = &hub.config.paths;
    let imported = [paths.staged_access(), paths.staged_auth()].map(|staged| paths.imported_staged(&staged));
    old(imported, days)
}

/// Logs that were set aside, and files of rejects, that are `days` days old or older.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn rejects(hub: &Hub, days: u64) -> Result<Vec<Old>> {
    let mut paths = Vec::new();
    for stream in [Stream::Access, Stream::Auth] {
        paths.extend(in_folder(&hub.logs(stream).join(SET_ASIDE))?);
    }
    if let Some(folder) = hub.config.retention.get("rejects_path") {
        let folder = Path::new(folder);
        anyhow::ensure!(folder.is_absolute(), "[retention] rejects_path is not an absolute path: {}", folder.display());
        for path in in_folder(folder)? {
            if is_of_rejects(&path) {
                paths.push(path);
            }
        }
    }
    old(paths, days)
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    match door::list(folder) {
        Ok(names) => Ok(names.into_iter().map(|name| folder.join(name)).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", folder.display())),
    }
}

/// Whether a file is what `--rejects` writes: its first record says so.
fn is_of_rejects(path: &Path) -> bool {
    const ENOUGH: u64 = 64 << 10;
    if path.extension() != Some(OsStr::new("ndjson")) {
        return false;
    }
    let begin = door::open(path).ok().and_then(|file| {
        let mut bytes = Vec::new();
        let mut file = std::io::Read::take(file, ENOUGH);
        std::io::Read::read_to_end(&mut file, &mut bytes).ok()?;
        Some(bytes)
    });
    begin.is_some_and(|bytes| bytes.starts_with(br#"{"kind":"reject""#))
}

/// Those that are regular files and old enough.
fn old(paths: impl IntoIterator<Item = PathBuf>, days: u64) -> Result<Vec<Old>> {
    let stop = kit::seconds_since_1970()?.saturating_sub_unsigned(days.saturating_mul(86_400));
    let mut list = Vec::new();
    for path in paths {
        let stat = door::look(&path).with_context(|| format!("looking at {}", path.display()))?;
        let Some(stat) = stat.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_mtime <= stop)
        else {
            continue;
        };
        list.push(Old { path, bytes: stat.st_size.unsigned_abs() });
    }
    list.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(list)
}

/// Removes answers from the cache of names that are older than `days` days: the stage that writes it does it, and says
/// how many.
///
/// # Errors
/// The stage fails.
pub(crate) fn names(hub: &Hub, lock: Option<&Lock>, days: u64, is_dry: bool) -> Result<()> {
    let setting = hub.config.settings().iter().find(|setting| setting.key.is("dns", "cache"));
    let Some(path) = setting.map(|setting| OsString::from(setting.shown())) else {
        hub.log.info("[prune] there is no cache of names ([dns] cache)");
        return Ok(());
    };
    let mut args = vec!["--forget-after".into(), days.to_string().into(), "--cache".into(), path];
    args.extend(is_dry.then(|| "--dry-run".into()));
    let code = hub.shell(lock)?.run_program("resolve-dns", args)?;
    anyhow::ensure!(code == 0, "resolve-dns ended with exit code {code}");
    Ok(())
}
