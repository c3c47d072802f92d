//! Which logs a run takes, and in which order.
//!
//! From directories: everything in `daily/` (and below) and `daily.holding/`, access logs before
//! auth logs, by day. A log that occurs twice (plain and compressed, or in two directories) is
//! taken once. From files and patterns: in the given order.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::Messages;
use logs::discovery::{self, Found, LeftOut, Stream, without_suffix};
use schema::Month;

use crate::left::{Left, Why};
use crate::pattern;

/// What to look for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) site: Option<String>,
    pub(crate) stream: Option<Stream>,
    /// `YYYYMMDD`
    pub(crate) date: Option<String>,
    pub(crate) month: Option<Month>,
    /// Whether to take one log per day and stream, as the port does.
    pub(crate) one_per_day: bool,
}

impl Wanted {
    pub(crate) fn takes(&self, found: &Found) -> bool {
        self.why_not(found).is_none()
    }

    /// Why a log is not wanted, if so.
    pub(crate) fn why_not(&self, found: &Found) -> Option<Why> {
        let date = found.date();
        let month = self.month.map(|m| m.to_string().replace('-', ""));
        if self.stream.is_some_and(|wanted| wanted != found.stream) {
            return Some(Why::Stream);
        }
        let is_of_day = self.date.as_deref().is_none_or(|wanted| date == Some(wanted));
        let is_of_month = month.is_none_or(|month| date.is_some_and(|d| d.starts_with(&month)));
        (!is_of_day || !is_of_month).then_some(Why::Day)
    }
}

/// The logs below the given directories.
pub(crate) fn below(roots: &[PathBuf], wanted: &Wanted, left: &mut Left, messages: Messages) -> Result<Vec<Found>> {
    let (mut all, mut candidates) = (Vec::new(), Vec::new());
    let mut no_logs = BTreeSet::new();
    for stream in [Stream::Access, Stream::Auth] {
        let mut places = Vec::new();
        for root in roots {
            fs::read_dir(root).with_context(|| format!("reading {}", root.display()))?;
            places.extend(in_root(root, stream, wanted)?);
            no_logs.extend(left_out(root, stream, wanted).into_iter().map(|left| (left.path, left.what)));
        }
        candidates.extend(places.iter().cloned());
        let logs = once_each(places, wanted, left, messages);
        all.append(&mut left.filter(logs, |found| wanted.why_not(found)));
    }
    for (path, what) in no_logs {
        messages.warn(format_args!("{} {what}: it is left out", path.display()));
        left.add(path, Why::NoLog(what));
    }
    left.add_other_names(roots, &candidates);
    let is_hub = roots.iter().any(|root| has_places(root));
    if candidates.is_empty() && !is_hub && wanted.stream != Some(Stream::Auth) {
        let names = left.suggested().join(" ");
        if !names.is_empty() {
            messages.warn(format_args!(
                "no log has a name of a hub (SITE-access…log…); for these web logs add --name {names}"
            ));
        }
    }
    Ok(all)
}

/// Whether logs of a hub are stored below a directory.
fn has_places(root: &Path) -> bool {
    let is_place = |at: &Path| at.join("daily").is_dir() || at.join("daily.holding").is_dir();
    let below = fs::read_dir(root).into_iter().flatten().flatten();
    root.ends_with("daily") || is_place(root) || below.into_iter().any(|entry| is_place(&entry.path()))
}

/// What a folder contains that cannot be a log of the stream, if the stream is wanted.
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
    Ok(once_each(found, wanted, &mut Left::default(), messages))
}

/// Candidates of one directory: it may be the place itself, contain `daily/` and `daily.holding/`,
/// or contain directories (`httpd`, `hubzero`, …) that do.
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

/// Drops all but the first of identical logs, with a warning, and sorts the rest by day and name.
fn once_each(mut found: Vec<Found>, wanted: &Wanted, left: &mut Left, messages: Messages) -> Vec<Found> {
    if wanted.one_per_day {
        found = left.filter(found, |f| f.date().is_none().then_some(Why::Day));
        // stable: `daily/` stays before `daily.holding/`, with paths in order in each
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
                left.add(log.path, Why::Same(path.clone()));
            }
        }
    }
    kept.sort_by(|a, b| (a.date(), &a.name, &a.path).cmp(&(b.date(), &b.name, &b.path)));
    kept
}

/// Files and patterns as given; a pattern's matches are sorted, and there must be at least one.
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
