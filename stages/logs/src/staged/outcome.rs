//! `_imported.ndjson`: the result of the import for each log. The file is written completely, by
//! rename, after the commit and before the staging file is renamed.
//!
//! An outcome is kept as long as its log is at its place, so that staging a log that has grown
//! starts where the import ended.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::lines::each_line;
use super::log::StagedLog;
use crate::discovery::{self, Stream};
use crate::fingerprint::{Fingerprint, Now};

/// What became of one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Always `imported`.
    pub kind: String,
    /// The path of the log.
    #[serde(flatten, with = "kit::path_text::fields")]
    pub path: PathBuf,
    /// `access` or `auth`.
    pub stream: String,
    /// Why nothing of it was loaded; absent if it was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Its first line, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_line: Option<String>,
    /// Lines read.
    #[serde(default)]
    pub lines: u64,
    /// Where the next part begins, in decompressed bytes.
    #[serde(default)]
    pub resume: u64,
    /// What was read of it.
    pub read: Fingerprint,
}

impl Outcome {
    /// For a log whose fingerprint is in the list; `refused` as in the record.
    #[must_use]
    pub fn of(log: &StagedLog, refused: Option<String>) -> Option<Self> {
        let read = log.read.clone()?;
        Some(Self {
            kind: "imported".to_owned(),
            path: log.path.clone(),
            stream: log.stream.name().to_owned(),
            refused,
            first_line: None,
            lines: 0,
            resume: read.bytes.saturating_sub(log.open),
            read,
        })
    }

    /// Whether this log, with this content, is in the tables.
    #[must_use]
    pub fn has_loaded(&self, log: &StagedLog) -> bool {
        self.refused.is_none()
            && self.is_of(log.stream, &log.path)
            && log.read.as_ref().is_some_and(|read| read.is_same_content(&self.read))
    }

    /// Whether it refers to the log with this path, compressed or not.
    #[must_use]
    pub fn is_of(&self, stream: Stream, path: &Path) -> bool {
        self.stream == stream.name() && discovery::plain(&self.path) == discovery::plain(path)
    }
}

/// The list of outcomes next to the staging files in `staging`.
#[must_use]
pub fn imported_path(staging: &Path) -> PathBuf {
    staging.join("_imported.ndjson")
}

/// Reads the list of outcomes; none if there is no list.
///
/// # Errors
/// The list cannot be read, or contains an invalid line.
pub fn read_imported(staging: &Path) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    each_line(&imported_path(staging), |_, text| {
        outcomes.push(serde_json::from_slice(text)?);
        Ok(())
    })?;
    Ok(outcomes)
}

/// Writes the list of outcomes: the new ones, and those older ones whose logs are still at their
/// place and have no new outcome.
///
/// # Errors
/// It cannot be written.
pub fn write_imported(staging: &Path, new: &[Outcome], older: &[Outcome]) -> Result<()> {
    let is_kept = |old: &&Outcome| {
        let is_replaced = new.iter().any(|new| (&new.path, &new.stream) == (&old.path, &old.stream));
        !is_replaced && discovery::lying_at(&old.path).exists()
    };
    let path = imported_path(staging);
    kit::atomic_file(&path, |file| {
        for outcome in older.iter().filter(is_kept).chain(new) {
            serde_json::to_writer(&mut *file, outcome)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
    .with_context(|| format!("writing {}", path.display()))
}

/// The outcomes for the current content of a log or a prefix of it, the longest last. `open` opens the
/// log.
///
/// # Errors
/// The log cannot be read.
pub fn imported_since<'o>(
    outcomes: &'o [Outcome],
    stream: Stream,
    path: &Path,
    open: impl Fn() -> Result<File>,
) -> Result<Vec<(&'o Outcome, Now)>> {
    let mut found = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.refused.is_none() && outcome.is_of(stream, path)) {
        let now = outcome.read.compare_file(open()?).with_context(|| format!("reading {}", path.display()))?;
        if matches!(now, Now::Same | Now::Grown) {
            found.push((outcome, now));
        }
    }
    found.sort_by_key(|(outcome, _)| outcome.read.bytes);
    Ok(found)
}
