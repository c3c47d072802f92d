//! `_staged.ndjson`: which logs were combined into the staging files, and where in them; and
//! `_imported.ndjson`: what became of each.
//!
//! `fetch-logs --stage` writes the first list as its last action. `import-logs --db` records its files
//! in the ledger and writes the second, and `archive --db` moves what was loaded and removes the first.
//! Without the first list all three behave like the legacy lines, so any one of them may be replaced
//! alone. Neither list is trusted: paths must be below the log folders, and positions inside the
//! staging file.

mod lines;
mod log;
mod outcome;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::discovery::Stream;
use crate::fingerprint::Fingerprint;
use crate::roots::Roots;

use lines::each_line;
pub use log::StagedLog;
pub use outcome::{Outcome, imported_path, imported_since, read_imported, write_imported};

#[derive(Deserialize)]
struct StagedRecord {
    #[serde(flatten, with = "kit::path_text::fields")]
    path: PathBuf,
    stream: String,
    staged_offset: u64,
    staged_bytes: u64,
    #[serde(default)]
    staged_begin: u64,
    #[serde(default)]
    staged_open: u64,
    read: Option<Fingerprint>,
    staged_device: Option<u64>,
    staged_inode: Option<u64>,
}

/// The list next to the staging files in `staging`.
#[must_use]
pub fn list_path(staging: &Path) -> PathBuf {
    staging.join("_staged.ndjson")
}

/// Reads the list; `None` if there is none. Every path in it may be used.
///
/// # Errors
/// The list cannot be read, or has a line that is invalid, names a path outside the log folders, or
/// a path a second time; the error gives the line.
pub fn read(staging: &Path, roots: &Roots) -> Result<Option<Vec<StagedLog>>> {
    let path = list_path(staging);
    let mut logs = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let found = each_line(&path, |n, text| {
        let record: StagedRecord = serde_json::from_slice(text)?;
        let stream =
            Stream::from_name(&record.stream).with_context(|| format!("`{}` is not a stream", record.stream))?;
        roots.check(&record.path).map_err(anyhow::Error::msg)?;
        ensure!(seen.insert((record.path.clone(), stream)), "{} was named before", record.path.display());
        let end = record.staged_offset.checked_add(record.staged_bytes);
        ensure!(end.is_some_and(|end| i64::try_from(end).is_ok()), "a file cannot be that long");
        logs.push(StagedLog {
            path: record.path,
            stream,
            offset: record.staged_offset,
            bytes: record.staged_bytes,
            begin: record.staged_begin,
            open: record.staged_open.min(record.staged_bytes),
            read: record.read,
            staged_in: record.staged_device.zip(record.staged_inode),
            line: n,
        });
        Ok(())
    })?;
    Ok(found.then_some(logs))
}

/// Checks that the logs of each stream follow each other without gaps.
///
/// # Errors
/// They do not; the error gives the line of the list.
pub fn check_places(staging: &Path, logs: &[StagedLog]) -> Result<()> {
    for stream in [Stream::Access, Stream::Auth] {
        let mut end = 0;
        for log in logs.iter().filter(|log| log.stream == stream) {
            if log.offset != end {
                let (list, line) = (list_path(staging), log.line);
                bail!("{}:{line}: it begins at byte {}, the log before it ends at {end}", list.display(), log.offset);
            }
            end = log.offset.saturating_add(log.bytes);
        }
    }
    Ok(())
}

/// Whether the list was written before `file`, a staging file under either of its names: then it
/// belongs to an earlier night, and a program that does not write lists has staged this one.
#[must_use]
pub fn is_older_than(staging: &Path, file: &Path) -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    written(&list_path(staging)).zip(written(file)).is_some_and(|(list, file)| list < file)
}

#[cfg(test)]
mod tests;
