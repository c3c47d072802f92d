//! `--db`: does what the legacy line did, moving everything from `daily/` that was staged.
//!
//! Or what the port did: logs at any depth, and then removing empty folders.
//!
//! With the list that `fetch-logs --stage` left, logs that arrived later stay pending. So do all
//! logs of a stream whose staging file was not imported, each log that `_imported.ndjson` does not
//! name as loaded, and each that is no longer what was read. If the legacy line imported the
//! staging file, no results are recorded, and everything in it counts as loaded. Without the list
//! everything is moved.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hub::config::Config;
use kit::{Messages, Progress};
use logs::discovery;
use logs::discovery::Stream;
use logs::fingerprint::Fingerprint;
use logs::staged::{self, Outcome, StagedLog};

use crate::move_log::{self, Collision, Rules};

/// What to move, and how.
pub(crate) struct Daily<'a> {
    pub(crate) config: &'a Config,
    pub(crate) rules: Rules,
    /// Only logs of this day, `YYYYMMDD`.
    pub(crate) date: Option<&'a str>,
    pub(crate) dry_run: bool,
    pub(crate) messages: Messages,
}

/// Which part of `daily/` a group of names is, in the order in which the groups are moved.
struct Group {
    directory: PathBuf,
    head: String,
    /// The stream it was staged for, if it was staged.
    stream: Option<Stream>,
}

impl Daily<'_> {
    fn groups(&self) -> [Group; 4] {
        let paths = &self.config.paths;
        let site = &self.config.site.name;
        let group = |root: PathBuf, head: String, stream| Group { directory: root.join("daily"), head, stream };
        [
            group(paths.web_logs(), format!("{site}-access"), Some(Stream::Access)),
            group(paths.web_logs(), format!("new-{site}-access"), None),
            group(paths.cms_logs(), "cmsauth".to_owned(), Some(Stream::Auth)),
            group(paths.cms_logs(), "cmsdebug".to_owned(), None),
        ]
    }

    pub(crate) fn run(&self) -> Result<()> {
        let staging = self.config.paths.staging();
        let listed = staged::read(&staging, &self.config.paths.log_roots())?;
        let noted = if listed.is_some() { staged::read_imported(&staging)? } else { Vec::new() };
        let outcomes = Outcomes { by_others: self.imported_by_others(listed.as_deref(), &noted), noted };
        let (mut n_failed, mut n_grown, mut n_all) = (0, 0, 0);
        let shown = Progress::things("", "logs", 0);
        let mut archive = |path: &Path, entry: Option<&StagedLog>| {
            n_all += 1;
            shown.advance(1);
            match outcomes.read_of(entry).and_then(|read| self.archive(path, read)) {
                Ok(()) => {}
                Err(error) if move_log::is_failure(&error, self.messages) => n_failed += 1,
                Err(_) => n_grown += 1,
            }
        };
        let mut n_waiting = 0;
        let mut tried = HashSet::new();
        for group in self.groups() {
            if let (Some(stream), Some(listed)) = (group.stream, &listed)
                && let Some(why) = self.not_imported(stream, listed)
            {
                self.messages.error(why);
                n_waiting += 1;
                continue;
            }
            let mut logs = self.logs(&group)?;
            logs.retain(|log| self.is_wanted(&name_of(log)));
            // the list is from an earlier night, and the legacy line staged since: then all logs
            // go, as without a list
            let listed =
                listed.as_deref().filter(|listed| !group.stream.is_some_and(|stream| self.is_outdated(stream, listed)));
            for path in logs {
                let entry = match (group.stream, listed) {
                    (Some(stream), Some(listed)) => {
                        let entry = listed.iter().find(|log| log.stream == stream && log.path == path);
                        if entry.is_none() {
                            continue;
                        }
                        entry
                    }
                    _ => None,
                };
                archive(&path, entry);
                tried.insert(path);
            }
        }
        let all = listed.as_deref().unwrap_or_default();
        let others = all.iter().filter(|log| outside_daily(log, &self.groups()) || self.has_vanished(log, all));
        for log in others.filter(|log| self.is_wanted(&name_of(&log.path))) {
            if tried.insert(log.path.clone()) {
                archive(&log.path, Some(log));
            }
        }
        if self.is_port() && !self.dry_run {
            self.remove_emptied(&tried);
        }
        if n_failed + n_waiting > 0 {
            bail!("{} of {n_all} logs not archived", n_failed + n_waiting);
        }
        // it still records what was read of other days' logs, and of a log that has grown
        if listed.is_some() && n_grown == 0 && !self.dry_run && self.date.is_none() {
            let path = staged::list_path(&staging);
            kit::door::remove(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        Ok(())
    }

    fn is_port(&self) -> bool {
        self.rules.collision == Collision::OldKeepsName
    }

    /// The logs of a group, in the order in which they are moved. For the port, a stream has one log
    /// per day, at any depth of `daily/` or in `daily.holding/`; others wait until it is gone.
    fn logs(&self, group: &Group) -> Result<Vec<PathBuf>> {
        let Some(stream) = group.stream.filter(|_| self.is_port()) else {
            let names = names(&group.directory, &group.head)?;
            return Ok(names.into_iter().map(|name| group.directory.join(name)).collect());
        };
        let site = Some(self.config.site.name.as_str());
        let mut found = Vec::new();
        for mut logs in [
            discovery::tree_unfinished(&group.directory, stream, site)?,
            discovery::flat_unfinished(&group.directory.with_file_name("daily.holding"), stream, site)?,
        ] {
            logs.sort_by(|a, b| (a.date(), &a.path).cmp(&(b.date(), &b.path)));
            found.append(&mut logs);
        }
        let mut days = HashSet::new();
        found.retain(|log| log.date().is_some_and(|day| days.insert(day.to_owned())));
        found.sort_by(|a, b| a.date().cmp(&b.date()));
        Ok(found.into_iter().map(|log| log.path).collect())
    }

    /// Removes folders below `daily/` and `daily.holding/` from which logs were moved, if they are
    /// now empty.
    fn remove_emptied(&self, moved: &HashSet<PathBuf>) {
        let groups = self.groups();
        let folders: HashSet<&Path> = moved.iter().filter_map(|path| path.parent()).collect();
        for folder in folders.into_iter().filter(|folder| groups.iter().all(|group| group.directory != **folder)) {
            // a folder that is not empty stays, and a failure does not matter
            let _ = fs::remove_dir(folder);
        }
    }

    /// Whether a log belongs to the given day.
    fn is_wanted(&self, name: &str) -> bool {
        self.date.is_none_or(|date| discovery::date_of(name) == Some(date))
    }

    /// The streams whose listed staging file was imported by the legacy line. Ours records what
    /// became of every log before it renames the file, so if the file is renamed and nothing is
    /// recorded, it was not ours.
    fn imported_by_others(&self, listed: Option<&[StagedLog]>, noted: &[Outcome]) -> Vec<Stream> {
        let mut streams = vec![Stream::Access, Stream::Auth];
        streams.retain(|&stream| {
            let imported = fs::metadata(self.config.paths.imported_staged(&self.staged(stream))).ok();
            let mut logs = listed.unwrap_or_default().iter().filter(|log| log.stream == stream).peekable();
            let is_there = logs.peek().is_some() && !self.staged(stream).exists();
            is_there
                && logs.all(|log| {
                    imported.as_ref().is_some_and(|file| log.is_in(file) == Some(true))
                        && outcome_of(log, noted).is_none()
                })
        });
        streams
    }

    fn archive(&self, path: &Path, read: Option<&Fingerprint>) -> Result<()> {
        let imported = move_log::imported_of(path)
            .with_context(|| format!("{} is not below a directory `daily`", path.display()))?;
        if self.dry_run {
            let to = move_log::target(path, &imported, self.rules)?;
            self.messages.note(format_args!("would move {} to {}", path.display(), to.display()));
            return Ok(());
        }
        move_log::move_log(path, &imported, self.rules, read).map(drop)
    }

    fn staged(&self, stream: Stream) -> PathBuf {
        match stream {
            Stream::Access => self.config.paths.staged_access(),
            Stream::Auth => self.config.paths.staged_auth(),
        }
    }

    /// Whether the staging file imported last differs from the one in the list.
    fn is_outdated(&self, stream: Stream, listed: &[StagedLog]) -> bool {
        let paths = &self.config.paths;
        let imported = paths.imported_staged(&self.staged(stream));
        let meta = fs::metadata(&imported).ok();
        let of_stream = listed.iter().find(|log| log.stream == stream);
        let is_ours = of_stream.zip(meta).and_then(|(log, meta)| log.is_in(&meta)) == Some(true);
        !is_ours && staged::is_older_than(&paths.staging(), &imported)
    }

    /// Whether an imported log is no longer in `daily/`: it is in the archive already, or gone.
    fn has_vanished(&self, log: &StagedLog, listed: &[StagedLog]) -> bool {
        log.read.is_some()
            && !discovery::lying_at(&log.path).exists()
            && !self.is_outdated(log.stream, listed)
            && self.not_imported(log.stream, listed).is_none()
    }

    /// Why the logs of a stream may not be moved yet: their staging file is not imported.
    fn not_imported(&self, stream: Stream, listed: &[StagedLog]) -> Option<String> {
        let file = self.staged(stream);
        let waits = listed.iter().any(|log| log.stream == stream) && file.exists();
        waits.then(|| format!("{} was not imported yet; its logs stay in daily/", file.display()))
    }
}

/// What is known about the logs of a list.
struct Outcomes {
    noted: Vec<Outcome>,
    /// Streams imported by the legacy line, which loads everything and records nothing.
    by_others: Vec<Stream>,
}

impl Outcomes {
    /// What was read of a log that may be moved because it was loaded. Lists of earlier versions do
    /// not say, and their logs may be moved.
    ///
    /// # Errors
    /// It was not loaded.
    fn read_of<'l>(&self, entry: Option<&'l StagedLog>) -> Result<Option<&'l Fingerprint>> {
        let Some((log, read)) = entry.and_then(|log| Some((log, log.read.as_ref()?))) else { return Ok(None) };
        if self.by_others.contains(&log.stream) || self.noted.iter().any(|outcome| outcome.has_loaded(log)) {
            return Ok(Some(read));
        }
        let why = outcome_of(log, &self.noted).and_then(|outcome| outcome.refused.as_deref());
        bail!("{} was not imported and stays: {}", log.path.display(), why.unwrap_or("no import of it is recorded"))
    }
}

/// What is recorded about the content of a log.
fn outcome_of<'o>(log: &StagedLog, noted: &'o [Outcome]) -> Option<&'o Outcome> {
    let read = log.read.as_ref()?;
    noted.iter().find(|outcome| outcome.path == log.path && outcome.read.is_same_content(read))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether a staged log is anywhere but directly in one of the directories (`--deep`).
fn outside_daily(log: &StagedLog, groups: &[Group]) -> bool {
    !groups.iter().any(|group| log.path.parent() == Some(&group.directory))
}

/// Base names in `directory` that begin with `head` and contain `log` after it, sorted; a log that
/// a killed run was compressing counts under its own name.
fn names(directory: &Path, head: &str) -> Result<Vec<OsString>> {
    let reading = || format!("reading {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).with_context(reading),
    };
    let mut names = HashSet::new();
    for entry in entries {
        let name = entry.with_context(reading)?.file_name();
        let name = discovery::without_working_mark(&name);
        if discovery::is_log(&name.to_string_lossy(), head) && !directory.join(name).is_dir() {
            names.insert(name.to_owned());
        }
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort();
    Ok(names)
}
