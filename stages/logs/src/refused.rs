//! `_refused.ndjson`: logs that the importer did not understand. They are listed next to the staging
//! files until they are accepted, set aside, changed or removed.
//!
//! The orchestrator writes the list; `status` and `doctor` read it. The importer does not know it: it
//! only gives the reason for a refusal in its receipt.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use kit::{door, path_text};

use crate::staged;

/// The maximum size of a list, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// A refused log. The identity of the file is recorded as in receipts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// Its path.
    #[serde(flatten, with = "path_text::fields")]
    pub path: PathBuf,
    /// `access` or `auth`.
    pub stream: String,
    /// The reason, in words, with its first line.
    pub reason: String,
    /// The day it was first refused, `YYYY-MM-DD`.
    pub since: String,
    /// The day it was last mentioned on standard error, `YYYY-MM-DD`.
    pub last_named: String,
    /// Lines read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// The device of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u64>,
    /// Its inode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// Its size on disk in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its modification time, in nanoseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtime: Option<i64>,
    /// Number of decompressed bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Hash of all these bytes, 32 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Hash of the first 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

impl Refused {
    /// Whether the file is still the one that was refused, by its inode, size and time. A file that
    /// was touched is examined again, and its content decides.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        let Ok(now) = fs::symlink_metadata(&self.path) else { return false };
        let mtime = now.mtime().saturating_mul(1_000_000_000).saturating_add(now.mtime_nsec());
        (self.device, self.inode, self.size, self.mtime)
            == (Some(now.dev()), Some(now.ino()), Some(now.len()), Some(mtime))
    }

    /// Whether both have the same content and name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.path == other.path && self.hash == other.hash && self.bytes == other.bytes
    }

    /// The base name, as [`path_text::name`] writes it.
    #[must_use]
    pub fn name(&self) -> String {
        path_text::base_name(&self.path)
    }
}

/// The list next to the staging files in `staging`.
#[must_use]
pub fn list_path(staging: &Path) -> PathBuf {
    staging.join("_refused.ndjson")
}

/// The refused logs, in the order of their names: those in the list, and those that the last
/// `import-logs --db` left out. Logs that no longer exist are left out.
///
/// # Errors
/// A list cannot be read, or contains an invalid line.
pub fn list(staging: &Path) -> Result<Vec<Refused>> {
    let mut list = remembered(staging)?;
    let since =
        fs::metadata(staged::imported_path(staging)).and_then(|meta| meta.modified()).map(day).unwrap_or_default();
    for outcome in staged::read_imported(staging)? {
        let Some(reason) = outcome.refused.filter(|_| list.iter().all(|known| known.path != outcome.path)) else {
            continue;
        };
        list.push(Refused {
            path: outcome.path,
            stream: outcome.stream,
            reason,
            since: since.clone(),
            lines: Some(outcome.lines),
            ..Refused::default()
        });
    }
    list.retain(|refused| refused.path.symlink_metadata().is_ok());
    list.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(list)
}

/// The local day of a moment, `YYYY-MM-DD`.
fn day(moment: std::time::SystemTime) -> String {
    jiff::Timestamp::try_from(moment)
        .map(|moment| moment.to_zoned(jiff::tz::TimeZone::system()).date().to_string())
        .unwrap_or_default()
}

/// The logs in `_refused.ndjson`; none if there is no such list. Logs that no longer exist are left
/// out.
///
/// # Errors
/// The list cannot be read, or contains an invalid line.
pub fn remembered(staging: &Path) -> Result<Vec<Refused>> {
    let path = list_path(staging);
    let text = match door::read_to_string(&path, MAX_LIST) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
    };
    let mut list = Vec::new();
    for (n, line) in (1..).zip(text.lines()) {
        let refused: Refused = serde_json::from_str(line).with_context(|| format!("{}:{n}", path.display()))?;
        if refused.path.symlink_metadata().is_ok() {
            list.push(refused);
        }
    }
    list.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(list)
}

/// Writes the complete list; an empty one is removed.
///
/// # Errors
/// It cannot be written.
pub fn store(staging: &Path, list: &[Refused]) -> Result<()> {
    let path = list_path(staging);
    if list.is_empty() {
        return match door::remove(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("removing {}", path.display()))
            }
            _ => Ok(()),
        };
    }
    kit::atomic_file(&path, |out| {
        for refused in list {
            serde_json::to_writer(&mut *out, refused)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
    .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_written_and_removed() {
        let staging = tempfile::tempdir().unwrap();
        assert_eq!(list(staging.path()).unwrap(), []);
        store(staging.path(), &[]).unwrap();
        let log = staging.path().join("h-access.log-20250701");
        fs::write(&log, "x\n").unwrap();
        let meta = fs::metadata(&log).unwrap();
        let refused = Refused {
            path: log.clone(),
            stream: "access".to_owned(),
            reason: "no line fits; the first is `x`".to_owned(),
            since: "2025-07-02".to_owned(),
            last_named: "2025-07-03".to_owned(),
            lines: Some(1),
            device: Some(meta.dev()),
            inode: Some(meta.ino()),
            size: Some(2),
            mtime: Some(meta.mtime() * 1_000_000_000 + meta.mtime_nsec()),
            bytes: Some(2),
            hash: Some("0f".repeat(16)),
            head: None,
        };
        let gone = Refused { path: staging.path().join("gone"), ..Refused::default() };
        store(staging.path(), &[refused.clone(), gone.clone()]).unwrap();
        assert_eq!(list(staging.path()).unwrap(), std::slice::from_ref(&refused), "a missing log is not listed");
        assert!(refused.is_unchanged() && refused.is_same(&refused.clone()));
        assert!(!gone.is_unchanged() && !refused.is_same(&gone));
        fs::write(&log, "xy\n").unwrap();
        assert!(!refused.is_unchanged());
        // logs that the cron line left out are listed too, but not stored
        let other = staging.path().join("h-access.log-20250702");
        fs::write(&other, "x\n").unwrap();
        let zeros = "0".repeat(32);
        let outcome = format!(
            r#"{{"kind":"imported","path":"{}","stream":"access","refused":"no line fits","lines":1,"read":{{"device":1,"inode":1,"size":2,"mtime":1,"bytes":2,"hash":"{zeros}","head":"{zeros}"}}}}"#,
            other.display()
        );
        fs::write(staged::imported_path(staging.path()), format!("{outcome}\n")).unwrap();
        let found = list(staging.path()).unwrap();
        assert_eq!(
            found.iter().map(Refused::name).collect::<Vec<_>>(),
            ["h-access.log-20250701", "h-access.log-20250702"]
        );
        assert_eq!((found[1].reason.as_str(), found[1].since.len()), ("no line fits", 10));
        assert_eq!(remembered(staging.path()).unwrap(), [refused]);
        fs::write(list_path(staging.path()), "{\"path\":\"gone\"}\nnot json\n").unwrap();
        let error = list(staging.path()).unwrap_err();
        assert!(format!("{error:#}").contains("_refused.ndjson:2"), "{error:#}");
        store(staging.path(), &[]).unwrap();
        assert!(!list_path(staging.path()).exists());
    }
}
