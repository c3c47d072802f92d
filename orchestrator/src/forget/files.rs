//! A person in files: the logs in `daily/` and `imported/`, what is beside the staging files, further files that
//! were named; and the log of the orchestrator, in which the person is struck out in place.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use database::Db;
use database::ledger::files::{self, FileRow};
use database::ledger::{self, Target};
use hub::forgotten::{Forgotten, How, Kind};
use kit::door;
use logs::discovery::{self, Found, Stream};
use logs::rotation;
use logs::staged;

use super::needles::Needles;
use super::person::Person;
use super::rewrite::{Look, Prefix, Rewriter, Rewritten};
use super::work::{Work, listed};
use crate::hub::Hub;

/// What was done to files.
#[derive(Debug, Default)]
struct Done {
    n_looked_at: usize,
    n_rewritten: usize,
    n_own: u64,
    n_mentions: u64,
    /// Files that still name the person, and why.
    left: Vec<String>,
    /// Files with names that contain the person's as a part.
    n_parts: u64,
}

impl Work<'_> {
    /// All files; whether none is left that names the person.
    pub(super) fn files(&mut self) -> Result<bool> {
        let needles = Needles::new(self.person)?;
        let mut done = Done::default();
        for stream in [Stream::Access, Stream::Auth] {
            for log in self.logs(stream)? {
                let path = discovery::lying_at(&log.path);
                let opened = self.hub.config.paths.open_logs().open(&path);
                self.file(&needles, opened, &path, Some(&log), &mut done)?;
            }
        }
        for path in self.beside_the_staging_files()?.into_iter().chain(self.person.also.iter().cloned()) {
            self.file(&needles, door::open(&path), &path, None, &mut done)?;
        }
        self.pages(&needles, &mut done)?;
        self.staged(&needles, &mut done);
        self.tell(&done);
        self.n_found += done.n_own + done.n_mentions + done.left.len() as u64;
        Ok(done.left.is_empty())
    }

    fn logs(&self, stream: Stream) -> Result<Vec<Found>> {
        let site = Some(self.hub.config.site.name.as_str());
        let mut all = discovery::tree_unfinished(&self.hub.logs(stream).join("daily"), stream, site)?;
        all.extend(discovery::flat_unfinished(&self.hub.imported(stream), stream, site)?);
        Ok(all)
    }

    /// What we keep beside the staging files, but for those that wait for their import, the list itself, and our log.
    fn beside_the_staging_files(&self) -> Result<Vec<PathBuf>> {
        let paths = &self.hub.config.paths;
        let mut found = Vec::new();
        let waiting = [paths.staged_access(), paths.staged_auth(), staged::list_path(&paths.staging())];
        let own = [paths.forgotten(), paths.being_forgotten(), paths.log()];
        for name in door::list(&paths.staging()).unwrap_or_default() {
            let path = paths.staging().join(&name);
            let is_file = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
            let is_other = name.to_string_lossy().ends_with(".forgetting");
            if is_file && !is_other && !waiting.contains(&path) && !own.contains(&path) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// One file.
    fn file(
        &mut self,
        needles: &Needles,
        opened: std::io::Result<File>,
        path: &Path,
        log: Option<&Found>,
        done: &mut Done,
    ) -> Result<()> {
        let kind = log.map_or(Kind::Text, |log| if log.stream == Stream::Auth { Kind::Auth } else { Kind::Access });
        // what is beside the staging files may be logs as well
        let name = kit::path_text::base_name(path);
        let kind = match kind {
            Kind::Text if name.contains("_auth") => Kind::Auth,
            Kind::Text if name.contains("_apache") => Kind::Access,
            kind => kind,
        };
        let list = self.list.clone();
        let rewriter = Rewriter { list: &list, needles, kind };
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                done.left.push(format!("{} could not be looked at: {error}", path.display()));
                return Ok(());
            }
        };
        done.n_looked_at += 1;
        let look = match file.try_clone().and_then(|file| rewriter.look(file)) {
            Ok(look) => look,
            Err(error) => {
                done.left.push(format!("{} could not be read: {error}", path.display()));
                return Ok(());
            }
        };
        done.n_parts += look.n_left;
        if look.n_changed() == 0 {
            return Ok(());
        }
        if look.is_binary && log.is_none() {
            done.left.push(format!("{} is not text: remove it", path.display()));
            return Ok(());
        }
        if !self.is_dry {
            let mut file = file;
            std::io::Seek::rewind(&mut file)?;
            self.replace(&rewriter, file, path, log)?;
        }
        self.tell_of(path, &look);
        done.n_rewritten += 1;
        done.n_own += look.n_own;
        done.n_mentions += look.n_mentions;
        Ok(())
    }

    fn tell_of(&self, path: &Path, look: &Look) {
        let own = if self.deletes() { "deleted" } else { "under other names" };
        self.hub.log.debug(format_args!(
            "[forget-user] {}: {} {own}, {} with a mention",
            path.display(),
            look.n_own,
            look.n_mentions
        ));
    }

    /// Rewrites a file. The ledger learns the new fingerprint first: a log with the old one is rewritten again by
    /// the next call, and nobody imports until then.
    fn replace(&mut self, rewriter: &Rewriter<'_>, file: File, path: &Path, log: Option<&Found>) -> Result<()> {
        let known = match log {
            Some(log) => known_as(self.db, log)?,
            None => Vec::new(),
        };
        let lengths: Vec<u64> = known.iter().flat_map(|(_, row)| [row.bytes, row.offset]).flatten().collect();
        let new = rewriter.rewrite(file, path, &lengths).with_context(|| format!("rewriting {}", path.display()))?;
        let corrections: Vec<(i64, FileRow)> =
            known.into_iter().filter_map(|(id, row)| Some((id, corrected(row, &new)?))).collect();
        if !corrections.is_empty() {
            self.db.transaction_with_retry("noting what a log is now", &[files::TABLE], |db| {
                corrections.iter().try_for_each(|(id, row)| files::correct(db, *id, row))
            })?;
        }
        new.publish()
    }

    /// Staging files that wait for their import: the import leaves the person out.
    fn staged(&self, needles: &Needles, done: &mut Done) {
        let paths = &self.hub.config.paths;
        for (path, kind) in [(paths.staged_access(), Kind::Access), (paths.staged_auth(), Kind::Auth)] {
            let rewriter = Rewriter { list: &self.list, needles, kind };
            let look = door::open(&path).and_then(|file| rewriter.look(file));
            if look.is_ok_and(|look| look.n_changed() > 0) {
                done.left.push(format!("{} waits for its import; repeat this after it", path.display()));
            }
        }
    }

    /// Pages of the report: numbers, so they are not changed.
    fn pages(&self, needles: &Needles, done: &mut Done) -> Result<()> {
        let Some(folder) = &self.hub.config.report.path else { return Ok(()) };
        for name in door::list(folder).unwrap_or_default() {
            let path = folder.join(name);
            let rewriter = Rewriter { list: &self.list, needles, kind: Kind::Text };
            let look = door::open(&path).and_then(|file| rewriter.look(file));
            if look.is_ok_and(|look| look.n_changed() > 0) {
                done.left.push(format!("{} names the person: write it again with `hzmetrics report`", path.display()));
            }
        }
        Ok(())
    }

    fn tell(&self, done: &Done) {
        let own = if self.deletes() { "deleted" } else { "under other names" };
        self.say(format_args!(
            "files: {} looked at, {} rewritten: {} {own}, {} with a mention",
            done.n_looked_at,
            done.n_rewritten,
            kit::counted(done.n_own, "line", "lines"),
            done.n_mentions
        ));
        if done.n_parts > 0 {
            self.hub.log.warning(format_args!(
                "[forget-user] {} the name or an address as a part of a longer word or as an ordinary word; that stays",
                kit::counted(done.n_parts, "line has", "lines have")
            ));
        }
        for left in &done.left {
            self.hub.log.warning(format_args!("[forget-user] {left}"));
        }
        self.say(format_args!(
            "what was copied elsewhere is not changed: backups, kept states, files of records, the logs that the web \
             server and the CMS are still writing"
        ));
    }
}

/// The entries of the ledger that may be of a log, with what was read for them.
fn known_as(db: &mut Db, log: &Found) -> Result<Vec<(i64, FileRow)>> {
    let all = files::all(db, Target::of(log.stream))?;
    let may_be = |name: &str| rotation::may_be_one(ledger::base_name(name), &log.name);
    Ok(all
        .into_iter()
        .filter(|(entry, _)| may_be(&entry.filename))
        .filter_map(|(entry, row)| Some((entry.id, row?)))
        .collect())
}

/// What the ledger says of a log after it was rewritten; `None` if the entry is of other content.
fn corrected(row: FileRow, new: &Rewritten) -> Option<FileRow> {
    let at = |bytes: u64| new.prefixes.iter().find(|prefix| prefix.old.0 == bytes);
    let Prefix { old, new: (bytes, hash), new_head } = *at(row.bytes?)?;
    if row.hash.as_deref() != Some(old.1.to_string().as_str()) {
        return None;
    }
    let offset = row.offset.map(|offset| at(offset).map_or(offset, |prefix| prefix.new.0));
    let is_this = row.inode == Some(new.old.inode) && row.size == Some(new.old.size);
    let file = if is_this { new.new } else { new.old };
    let of = |old: Option<u64>, now: u64| if is_this { Some(now) } else { old };
    Some(FileRow {
        bytes: Some(bytes),
        hash: Some(hash.to_string()),
        head: Some(new_head.to_string()),
        offset,
        device: of(row.device, file.device),
        inode: of(row.inode, file.inode),
        size: of(row.size, file.size),
        mtime: if is_this { Some(file.mtime) } else { row.mtime },
        ..row
    })
}

/// Strikes the person out of the log of the orchestrator, which other programs may have open.
///
/// # Errors
/// It cannot be read or written.
pub(super) fn mask_log(hub: &Hub, person: &Person) -> Result<()> {
    let path = hub.config.paths.log();
    if door::look(&path)?.is_none() {
        return Ok(());
    }
    let masking = || format!("striking the person out of {}", path.display());
    let file = door::open_or_create(&path).with_context(masking)?;
    let list: Forgotten = listed(Forgotten::new()?, &Person { how: How::Pseudonym, ..person.clone() });
    let needles = Needles::new(person)?;
    let mut at = 0_u64;
    let reader = file.try_clone().with_context(masking)?;
    super::rewrite::each_line(reader, |line| {
        if needles.may_be_in(line)
            && let Some(done) = list.scrub(line, Kind::Text, b"")
        {
            for place in done.places {
                file.write_all_at(&vec![b'*'; place.len()], at + place.start as u64)?;
            }
        }
        at += line.len() as u64;
        Ok(())
    })
    .with_context(masking)
}
