//! `_staged.ndjson`: which logs were put together into the staging files, and where in them; and
//! `_imported.ndjson`: what became of each of them.
//!
//! `fetch-logs --stage` writes the first list last, `import-logs --db` books its files in the ledger
//! and writes the second, `archive --db` moves what was loaded and removes the first. Without the
//! first list all three behave as the legacy lines do, so any of them may be replaced alone.
//! Neither list is believed: paths lie below the log folders, places within the staging file.

mod outcome;

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::discovery::Stream;
use crate::fingerprint::Fingerprint;
use crate::roots::Roots;
use kit::Lines;
use kit::door;

pub use outcome::{Outcome, imported_path, imported_since, read_imported, write_imported};

/// The longest line of a list, and the most lines of one.
const LONGEST: usize = 64 << 10;
const MOST: u64 = 1_000_000;

/// One log within a staging file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedLog {
    /// Where the log lies.
    pub path: PathBuf,
    /// Which staging file it went to.
    pub stream: Stream,
    /// Where it begins in the staging file, in bytes.
    pub offset: u64,
    /// How many bytes of the staging file are its.
    pub bytes: u64,
    /// Its first byte that was staged: not 0 when the bytes before were imported earlier.
    pub begin: u64,
    /// How many bytes at its end are a line without an end.
    pub open: u64,
    /// What was read of it; lists of earlier versions do not say.
    pub read: Option<Fingerprint>,
    /// Device and inode of the staging file.
    pub staged_in: Option<(u64, u64)>,
    /// The line of the list.
    pub line: u64,
}

impl StagedLog {
    /// Whether this is the staging file that the log went to, by its inode; `None` when the list
    /// does not say.
    #[must_use]
    pub fn is_in(&self, file: &Metadata) -> Option<bool> {
        self.staged_in.map(|place| place == (file.dev(), file.ino()))
    }
}

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

/// The list beside the staging files in `staging`.
#[must_use]
pub fn list_path(staging: &Path) -> PathBuf {
    staging.join("_staged.ndjson")
}

/// Reads the list; `None` when there is none. Every path in it may be used.
///
/// # Errors
/// It cannot be read, or a line of it is no such record, names a path that lies elsewhere, or one
/// that was named before; the error says which line.
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
        ensure!(end.is_some_and(|end| i64::try_from(end).is_ok()), "there is no such place in a file");
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

/// Checks that the logs of each stream lie one after the other.
///
/// # Errors
/// They do not; the error says in which line of the list.
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

/// Calls `each` with the lines of a list; `false` when there is no such file.
fn each_line(path: &Path, mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<bool> {
    let file = match door::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e).with_context(|| format!("opening {}", path.display())),
    };
    let mut lines = Lines::new(file);
    while let Some(line) = lines.next_line().with_context(|| format!("reading {}", path.display()))? {
        let at = || format!("{}:{}", path.display(), line.number);
        if line.cut || line.text.len() > LONGEST || line.number > MOST {
            bail!("{}: too long for a list", at());
        }
        each(line.number, line.text).with_context(at)?;
    }
    Ok(true)
}

/// Whether the list was written before `file`, a staging file under either of its names: then it
/// is of an earlier night, and somebody who knows no list has staged this one.
#[must_use]
pub fn is_older_than(staging: &Path, file: &Path) -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    written(&list_path(staging)).zip(written(file)).is_some_and(|(list, file)| list < file)
}

#[cfg(test)]
mod tests;
