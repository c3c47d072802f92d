//! Which logs a run takes, and in which order.
//!
//! From directories: everything in `daily/` (and below) and `daily.holding/`, access logs before
//! auth logs, by day. A log that is there twice (plain and compressed, or in two directories)
//! is taken once. From files and patterns: as they are given.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::Messages;
use logs::discovery::{self, Found, LeftOut, Stream, without_suffix};
use schema::Month;

use crate::pattern;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) site: Option<String>,
    pub(crate) stream: Option<Stream>,
    /// `YYYYMMDD`
    pub(crate) date: Option<String>,
    pub(crate) month: Option<Month>,
    /// One log for each day and stream, as the later port.
    pub(crate) one_per_day: bool,
}

impl Wanted {
    pub(crate) fn takes(&self, found: &Found) -> bool {
        let date = found.date();
        let month = self.month.map(|m| m.to_string().replace('-', ""));
        self.stream.is_none_or(|s| s == found.stream)
            && self.date.as_deref().is_none_or(|wanted| date == Some(wanted))
            && month.is_none_or(|month| date.is_some_and(|d| d.starts_with(&month)))
    }
}

/// The logs below the given directories.
pub(crate) fn below(roots: &[PathBuf], wanted: &Wanted, messages: Messages) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    let mut left = BTreeSet::new();
    for stream in [Stream::Access, Stream::Auth] {
        let mut places = Vec::new();
        for root in roots {
            fs::read_dir(root).with_context(|| format!("reading {}", root.display()))?;
            places.extend(in_root(root, stream, wanted)?);
            left.extend(left_out(root, stream, wanted).into_iter().map(|left| (left.path, left.what)));
        }
        let mut logs = once_each(places, wanted, messages);
        logs.retain(|found| wanted.takes(found));
        all.append(&mut logs);
    }
    for (path, what) in left {
        messages.warn(format_args!("{} {what}: it is left out", path.display()));
    }
    Ok(all)
}

/// What a folder has in it that cannot be a log of the stream, if the stream is wanted.
pub(crate) fn left_out(root: &Path, stream: Stream, wanted: &Wanted) -> Vec<LeftOut> {
    if wanted.stream.is_none_or(|only| only == stream) {
        discovery::left_out(root, stream, wanted.site.as_deref())
    } else {
        Vec::new()
    }
}

/// The logs of one stream in `daily/` at any depth and `daily.holding/` of one directory.
pub(crate) fn of_stream(root: &Path, stream: Stream, wanted: &Wanted, messages: Messages) -> Result<Vec<Found>> {
    let site = wanted.site.as_deref();
    let mut found = discovery::tree_unfinished(&root.join("daily"), stream, site)?;
    found.extend(discovery::flat_unfinished(&root.join("daily.holding"), stream, site)?);
    Ok(once_each(found, wanted, messages))
}

/// Candidates of one directory: it may be the place itself, hold `daily/` and `daily.holding/`,
/// or hold directories (`httpd`, `hubzero`, …) that do.
fn in_root(root: &Path, stream: Stream, wanted: &Wanted) -> Result<Vec<Found>> {
    let site = wanted.site.as_deref();
    let mut found = discovery::flat_unfinished(root, stream, site)?;
    let mut holders = vec![root.to_owned()];
    let reading = || format!("reading {}", root.display());
    for entry in fs::read_dir(root).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let name = entry.file_name();
        if entry.path().is_dir() && name != "daily" && name != "daily.holding" && name != "imported" {
            holders.push(entry.path());
        }
    }
    holders.sort();
    for holder in &holders {
        found.extend(discovery::tree_unfinished(&holder.join("daily"), stream, site)?);
    }
    for holder in &holders {
        found.extend(discovery::flat_unfinished(&holder.join("daily.holding"), stream, site)?);
    }
    if root.file_name().is_some_and(|n| n == "daily") {
        let mut seen: Vec<PathBuf> = found.iter().map(|f| f.path.clone()).collect();
        for more in discovery::tree_unfinished(root, stream, site)? {
            if !seen.contains(&more.path) {
                seen.push(more.path.clone());
                found.push(more);
            }
        }
    }
    Ok(found)
}

/// Drops the second and later of logs that are the same one, with a warning, and sorts the rest
/// by day and name.
fn once_each(mut found: Vec<Found>, wanted: &Wanted, messages: Messages) -> Vec<Found> {
    if wanted.one_per_day {
        found.retain(|f| f.date().is_some());
        // stable: `daily/` stays before `daily.holding/`, paths in order inside each
        found.sort_by(|a, b| a.date().cmp(&b.date()));
    }
    let key = |f: &Found| {
        if wanted.one_per_day { f.date().unwrap_or("").to_owned() } else { without_suffix(&f.name).to_owned() }
    };
    let mut first: HashMap<String, PathBuf> = HashMap::new();
    let mut kept = Vec::with_capacity(found.len());
    for log in found {
        match first.get(&key(&log)) {
            None => {
                first.insert(key(&log), log.path.clone());
                kept.push(log);
            }
            Some(path) if *path == log.path => {}
            Some(path) => {
                let what = log.date().map_or_else(|| log.name.clone(), str::to_owned);
                messages.note(format_args!(
                    "duplicate {} log for {what}: keeping {}, ignoring {}",
                    log.stream.name(),
                    path.display(),
                    log.path.display()
                ));
            }
        }
    }
    kept.sort_by(|a, b| (a.date(), &a.name, &a.path).cmp(&(b.date(), &b.name, &b.path)));
    kept
}

/// Files and patterns as given; a pattern's matches are sorted, and it must match something.
pub(crate) fn given(arguments: &[PathBuf], wanted: &Wanted) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for argument in arguments {
        let text = argument.to_str().filter(|text| text.contains(['*', '?', '[']) && !argument.exists());
        let Some(pattern) = text else {
            found.push(Found::given(argument)?);
            continue;
        };
        let before = found.len();
        for path in pattern::matches(pattern)?.iter().filter(|path| path.is_file()) {
            found.push(Found::given(path)?);
        }
        anyhow::ensure!(found.len() > before, "no file matches {pattern}");
    }
    found.retain(|f| wanted.takes(f));
    Ok(found)
}
