//! `--to db` and `--db`: which files are loaded, what is read from the tables before, what happens
//! after an error, and what becomes of a staging file that is loaded.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kit::config::Config;
use kit::db::{Db, DbError, ErrorKind, Which};
use kit::discovery;
use kit::ledger::{self, Target};
use kit::staged::{self, StagedLog};
use kit::{Messages, Output};
use schema::Opt;

use crate::agents::{self, Known, Words};
use crate::block::Rules;
use crate::exclude;
use crate::import::{self, Book, Staged, Stream, Stretch, Unit};
use crate::line::Layout;
use crate::receipt::Receipt;
use crate::sink::Nowhere;
use crate::tables::{Tables, base_name};

/// The pauses before a file is tried again after a deadlock, a lock wait or a lost server.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(9),
    Duration::from_secs(27),
];

/// What is asked of a run on the tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) ledger: bool,
    pub(crate) dry_run: bool,
}

/// The metrics database, and what was in its lists.
pub(crate) struct Server {
    pub(crate) db: Db,
    /// The exclude list.
    pub(crate) excluded: Vec<exclude::Row>,
}

impl Server {
    /// Connects and reads the exclude list.
    ///
    /// # Errors
    /// The server cannot be reached, or lacks the table.
    pub(crate) fn connect(config: &Config) -> Result<Self> {
        let mut db = Db::connect(&config.target(), Which::Metrics)?;
        let text = |cells: kit::db::Cells<'_>, at| cells.text(at).unwrap_or_default().into_owned();
        let excluded = db
            .all("SELECT filter, type FROM exclude_list", (), |cells| Ok((text(cells, 0), text(cells, 1))))
            .context("reading the exclude list")?;
        Ok(Self { db, excluded })
    }
}

/// The robots that are known before a file: those of the table and those given.
fn known(db: &mut Db, given: &[String], words: &Words, exact: bool) -> Result<Known> {
    let mut known = Known::default();
    for agent in db.texts("SELECT useragent FROM bot_useragents", ()).context("reading the list of robots")? {
        known.insert(&agent);
    }
    for agent in given {
        known.insert(&agents::stored(agent.as_bytes()));
    }
    if !exact {
        known.remove_spared(words);
    }
    Ok(known)
}

/// One run on the tables.
pub(crate) struct Load<'a> {
    pub(crate) server: Server,
    pub(crate) rules: Arc<Rules>,
    /// Robots that were given besides those of the table.
    pub(crate) robots: Vec<String>,
    pub(crate) wishes: Wishes,
    pub(crate) messages: Messages,
    pub(crate) book: Book<'a>,
}

impl Load<'_> {
    fn has_ledger(&mut self) -> Result<bool> {
        Ok(self.wishes.ledger && ledger::is_there(&mut self.server.db)?)
    }

    fn wants(&self, stream: &Stream) -> bool {
        let steps = self.rules.steps;
        match stream {
            Stream::Access(_) => steps.webhits || steps.robots || steps.web,
            Stream::Auth => steps.auth,
        }
    }

    fn is_complete(&self, target: Target) -> bool {
        let steps = self.rules.steps;
        if target == Target::Userlogin { steps.auth } else { steps.webhits && steps.robots && steps.web }
    }

    /// Whether the ledger has the file. One that a run without transactions left unfinished can be
    /// taken neither for loaded nor for missing.
    fn is_known(&mut self, name: &str, target: Target) -> Result<bool> {
        let entry = ledger::of_file(&mut self.server.db, name)?.into_iter().find(|e| e.target == target);
        if entry.as_ref().is_some_and(ledger::Entry::is_unfinished) {
            bail!(
                "{name}: the server died or failed while this file was moved into tables without transactions, so part \
                 of its rows and its hits may be there; delete them, say `hzmetrics forget-import {name}`, and import it \
                 again (`hzmetrics migrate --apply` makes imports whole or nothing)"
            );
        }
        Ok(entry.is_some())
    }

    /// The direct way: each file a transaction, each with its receipt on `output`.
    ///
    /// # Errors
    /// A file cannot be read or loaded; those before it are.
    pub(crate) fn files(&mut self, mut units: Vec<Unit>, output: &mut Output) -> Result<Vec<Receipt>> {
        units.retain(|unit| self.wants(&unit.stream));
        let ledger = self.has_ledger()?;
        let mut given = Vec::new();
        if ledger {
            let mut open = Vec::new();
            let mut names = HashSet::new();
            for unit in units {
                let target = Target::of(unit.stream.kind());
                let Some(path) = unit.path.as_deref().filter(|_| self.is_complete(target)) else {
                    open.push(unit);
                    continue;
                };
                let name = base_name(path);
                let is_known = self.is_known(&name, target)?;
                if is_known || !names.insert((name, target)) {
                    // a file that is gone needs no receipt, but a message
                    fs::metadata(discovery::lying_at(path)).with_context(|| format!("opening {}", path.display()))?;
                    self.messages.note(format_args!("{}: already committed by prior run", path.display()));
                    let mut receipt = Receipt::of(&unit);
                    receipt.already = true;
                    if !self.wishes.dry_run {
                        output.record(&receipt.to_json())?;
                        output.flush()?;
                    }
                    given.push(receipt);
                } else {
                    open.push(unit);
                }
            }
            units = open;
        }
        given.extend(self.load(&units, ledger, Some(output), true)?);
        Ok(given)
    }

    fn load(&mut self, units: &[Unit], ledger: bool, output: Option<&mut Output>, warn: bool) -> Result<Vec<Receipt>> {
        let judge = &self.rules.judge;
        let robots = known(&mut self.server.db, &self.robots, &judge.words, judge.exact)?;
        if self.wishes.dry_run {
            import::run(units, &self.rules, robots, &mut Nowhere, &mut self.book)?;
            return Ok(Vec::new());
        }
        let mut targets: Vec<_> = units.iter().map(|unit| Target::of(unit.stream.kind())).collect();
        targets.sort_unstable();
        targets.dedup();
        let mut tables = Tables::new(&mut self.server.db, &self.rules, ledger, &targets, output)?;
        if warn && !tables.transactional && !units.is_empty() {
            self.messages.note(
                "tables without transactions: a server that dies can leave part of a file in them; \
                 `hzmetrics migrate --apply` makes them safe",
            );
        }
        let mut pauses = PAUSES.iter();
        let mut robots = Some(robots);
        let mut is_lost = false;
        while let Some(rest) = units.get(tables.n_done..).filter(|rest| !rest.is_empty()) {
            let n_before = tables.n_done;
            let tried = attempt(rest, &self.rules, &self.robots, &mut tables, &mut self.book, &mut robots, is_lost);
            let Err(error) = tried else { break };
            if tables.n_done > n_before {
                pauses = PAUSES.iter();
            }
            tables.abandon(&error);
            let unit = units.get(tables.n_done);
            let kind = DbError::of(&error).map(DbError::kind);
            let comes_back = is_lost && kind == Some(ErrorKind::Unreachable);
            is_lost = comes_back || kind == Some(ErrorKind::Gone);
            let may = kind.is_some_and(ErrorKind::is_retryable) || comes_back;
            let can = tables.transactional && unit.is_some_and(|unit| unit.path.is_some());
            let knows = !tables.unknown_commit || tables.ledger;
            match pauses.next().filter(|_| may && can && knows) {
                Some(pause) => std::thread::sleep(*pause),
                None if !knows => {
                    return Err(error.context(format!(
                        "importing {}: nobody knows whether it was still stored, and there is no ledger of imports",
                        unit.map(Unit::name).unwrap_or_default()
                    )));
                }
                None if kind.is_some() => {
                    let name = unit.map(Unit::name).unwrap_or_default();
                    return Err(error.context(format!("importing {name}")));
                }
                None => return Err(error),
            }
        }
        Ok(tables.given)
    }

    /// The cron form: the staging files, access first. One that is loaded gets its other name.
    /// With `lp_atomic` each source that the list names is a file of its own, as when it is read
    /// where it lies.
    ///
    /// # Errors
    /// A staging file cannot be read, loaded or renamed.
    pub(crate) fn staging(&mut self, config: &Config, layout: &Layout) -> Result<()> {
        let paths = &config.paths;
        let ledger = self.has_ledger()?;
        let listed = if ledger { staged::read(&paths.staging())? } else { None };
        for (stream, path) in
            [(Stream::Access(layout.clone()), paths.staged_access()), (Stream::Auth, paths.staged_auth())]
        {
            if !self.wants(&stream) || !path.exists() {
                continue;
            }
            let complete = self.is_complete(Target::of(stream.kind()));
            let whole = Unit { path: Some(path.clone()), stream, date: None, staged: None, plain: true };
            let sources = match listed.as_deref().filter(|_| complete) {
                Some(listed) => self.sources(&whole, &path, listed)?,
                None => None,
            };
            let units = match sources {
                None => vec![whole],
                Some(logs) if self.rules.compat.has(Opt::LpAtomic) => {
                    logs.iter().map(|log| whole.of_staged(stretches(std::slice::from_ref(log)))).collect()
                }
                Some(logs) if logs.is_empty() => Vec::new(),
                Some(logs) => vec![whole.of_staged(stretches(&logs))],
            };
            if !units.is_empty() {
                self.load(&units, ledger, None, io::stderr().is_terminal())?;
            }
            if complete && !self.wishes.dry_run {
                let to = paths.imported_staged(&path);
                fs::rename(&path, &to).with_context(|| format!("renaming {} to {}", path.display(), to.display()))?;
            }
        }
        Ok(())
    }

    /// The sources of a staging file that the ledger does not know; `None` when the list says
    /// nothing of it or is of another file.
    fn sources<'l>(
        &mut self,
        unit: &Unit,
        path: &Path,
        listed: &'l [StagedLog],
    ) -> Result<Option<Vec<(&'l StagedLog, String)>>> {
        let kind = unit.stream.kind();
        let logs: Vec<&StagedLog> = listed.iter().filter(|log| log.stream == kind).collect();
        if logs.is_empty() {
            return Ok(None);
        }
        let size = fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?.len();
        let is_older = path.parent().is_some_and(|staging| staged::is_older_than(staging, path));
        if is_older || !covers(&logs, size) {
            self.messages.note(format_args!(
                "{} is not the file that its list describes; it is loaded without the ledger of imports",
                path.display()
            ));
            return Ok(None);
        }
        let target = Target::of(kind);
        let mut names = HashSet::new();
        let mut wanted = Vec::new();
        for log in logs {
            let name = base_name(&log.path);
            let is_known = self.is_known(&name, target)?;
            if !is_known && names.insert(name.clone()) {
                wanted.push((log, name));
            }
        }
        Ok(Some(wanted))
    }
}

/// One try of the rest of the files.
fn attempt(
    units: &[Unit],
    rules: &Arc<Rules>,
    given: &[String],
    tables: &mut Tables<'_>,
    book: &mut Book<'_>,
    robots: &mut Option<Known>,
    is_lost: bool,
) -> Result<()> {
    if is_lost {
        tables.db.reconnect()?;
    }
    let known = match robots.take() {
        Some(known) => known,
        None => known(tables.db, given, &rules.judge.words, rules.judge.exact)?,
    };
    import::run(units, rules, known, tables, book)
}

/// Whether the logs lie one after the other and fill the staging file.
fn covers(logs: &[&StagedLog], size: u64) -> bool {
    let mut end = 0;
    logs.iter().all(|log| {
        let fits = log.offset == end;
        end = log.offset.saturating_add(log.bytes);
        fits
    }) && end == size
}

/// The stretches that hold these logs; neighbours share one.
fn stretches(logs: &[(&StagedLog, String)]) -> Staged {
    let mut staged = Staged::default();
    for (log, name) in logs {
        let end = log.offset + log.bytes;
        match staged.stretches.last_mut().filter(|last| last.end == log.offset) {
            Some(last) => {
                last.end = end;
                last.cuts.push_back(end - last.start);
            }
            None => {
                let cuts = VecDeque::from([log.bytes]);
                staged.stretches.push(Stretch { start: log.offset, end, cuts });
            }
        }
        staged.names.push(name.clone());
    }
    staged
}

/// The stream of a log that is named without one.
pub(crate) fn stream_of(path: &Path) -> discovery::Stream {
    let is_auth = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cmsauth"));
    if is_auth { discovery::Stream::Auth } else { discovery::Stream::Access }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn log(offset: u64, bytes: u64) -> StagedLog {
        StagedLog { path: PathBuf::from(format!("/d/{offset}")), stream: discovery::Stream::Access, offset, bytes }
    }

    #[test]
    fn a_list_describes_its_file() {
        let (a, b, c) = (log(0, 5), log(5, 0), log(5, 7));
        assert!(covers(&[&a, &b, &c], 12));
        assert!(!covers(&[&a, &b, &c], 13) && !covers(&[&a, &c], 11) && !covers(&[&c], 7));
        assert!(!covers(&[&log(0, u64::MAX), &a], 5));
    }

    #[test]
    fn neighbours_share_a_stretch() {
        let logs = [log(0, 5), log(5, 0), log(20, 7), log(27, 1)];
        let named: Vec<_> = logs.iter().map(|log| (log, base_name(&log.path))).collect();
        let staged = stretches(&named);
        let first = Stretch { start: 0, end: 5, cuts: VecDeque::from([5, 5]) };
        let second = Stretch { start: 20, end: 28, cuts: VecDeque::from([7, 8]) };
        assert_eq!(staged.stretches, [first, second]);
        assert_eq!(staged.names, ["0", "5", "20", "27"]);
    }
}
