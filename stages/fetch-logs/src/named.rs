//! Logs whose names match patterns: those of any web server, however they are rotated.
//!
//! They are searched for below the directories at any depth. Two logs with one name in two directories
//! are two logs. Order: by the date in the name; then, log by log, from the oldest number to the file
//! that is still being written.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use logs::discovery::{self, Found};
use logs::rotation::{self, Turn};

use crate::left::{DEPTH, Left, Why};
use crate::opener::Opener;

/// A log with what determines its place in the order.
struct Named {
    found: Found,
    turn: Turn,
    /// Its directory, and its name before rotation.
    family: (PathBuf, String),
    mtime: (i64, i64),
    file: (u64, u64),
}

/// The logs below the directories whose names match one of the patterns.
///
/// # Errors
/// A named directory cannot be read, or a log that occurs twice cannot.
pub(crate) fn below(
    roots: &[PathBuf],
    patterns: &[glob::Pattern],
    opener: &Opener,
    left: &mut Left,
) -> Result<Vec<Found>> {
    let mut named = Vec::new();
    for root in roots {
        fs::read_dir(root).with_context(|| format!("reading {}", root.display()))?;
        walk(root, patterns, DEPTH, left, &mut named);
    }
    named.sort_by(|a, b| a.found.path.cmp(&b.found.path));
    let named = without_copies(named, opener, left)?;
    Ok(in_order(named))
}

fn walk(at: &Path, patterns: &[glob::Pattern], depth: u32, left: &mut Left, named: &mut Vec<Named>) {
    let entries = match fs::read_dir(at) {
        Ok(entries) => entries,
        Err(e) => return left.add(at.to_owned(), Why::NoLog(format!("cannot be read ({e})"))),
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && depth > 0 && name != "imported" && !is_hidden(&name) {
            walk(&path, patterns, depth - 1, left, named);
        }
        if is_folder || is_hidden(&name) {
            continue;
        }
        if !patterns.iter().any(|pattern| pattern.matches(&name.to_string_lossy())) {
            left.add(path, Why::Name);
        } else if let Some(what) = discovery::why_no_log(&path) {
            left.add(path, Why::NoLog(what));
        } else if let (Ok(found), Ok(meta)) = (Found::given(&path), fs::metadata(&path)) {
            named.push(Named::new(found, &meta));
        }
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

impl Named {
    fn new(found: Found, meta: &Metadata) -> Self {
        let rotated = rotation::of(&found.name);
        let family = (found.path.parent().unwrap_or(Path::new("")).to_owned(), rotated.stem.to_owned());
        let turn = rotated.turn;
        Self { turn, family, mtime: (meta.mtime(), meta.mtime_nsec()), file: (meta.dev(), meta.ino()), found }
    }
}

/// Leaves out a link to a log that is included, and the compressed form of a log next to it.
fn without_copies(named: Vec<Named>, opener: &Opener, left: &mut Left) -> Result<Vec<Named>> {
    let mut kept: Vec<Named> = Vec::with_capacity(named.len());
    let mut files: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let mut plain: HashMap<PathBuf, PathBuf> = HashMap::new();
    for log in named {
        let path = &log.found.path;
        if let Some(same) = files.get(&log.file) {
            left.add(path.clone(), Why::Same(same.clone()));
            continue;
        }
        match plain.get(&discovery::plain(path)) {
            Some(earlier) if opener.same_content(earlier, path)? => {
                left.add(path.clone(), Why::Same(earlier.clone()));
                continue;
            }
            Some(_) => {}
            None => {
                plain.insert(discovery::plain(path), path.clone());
            }
        }
        files.insert(log.file, path.clone());
        kept.push(log);
    }
    Ok(kept)
}

fn in_order(mut named: Vec<Named>) -> Vec<Found> {
    // logs without a date are ordered by when they were first written
    let mut last: HashMap<(PathBuf, String), (i64, i64)> = HashMap::new();
    for log in &named {
        let mtime = last.entry(log.family.clone()).or_insert(log.mtime);
        *mtime = log.mtime.max(*mtime);
    }
    named.sort_by_cached_key(|log| {
        let (day, within, ago) = match log.turn {
            Turn::At { day, within } => (day, within, 0),
            Turn::Ago(n) => (u32::MAX, 0, i64::from(n)),
            Turn::Unknown => (u32::MAX, 0, -1),
        };
        // dated logs of one day are ordered by time, whichever directory they are in
        let family = (day == u32::MAX).then(|| (last.get(&log.family).copied(), log.family.clone()));
        (day, within, family, -ago, log.mtime, log.found.path.clone())
    });
    named.into_iter().map(|log| log.found).collect()
}
