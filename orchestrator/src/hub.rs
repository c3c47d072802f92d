//! What a command on a hub needs: configuration, log, lock, databases.
//!
//! Commands that do not touch a hub's data (the shell, `convert`) work without it.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use database::writer::{self, Writer, WriterResult};
use database::{Db, DbError, ErrorKind, Target, Which};
use hub::STAGE_LOG;
use hub::config::{self, Config};
use hub::lock::{HOLDER, Lock, LockResult};
use hub::log::{Log, Sinks, Stderr};
use hub::statsd;
use kit::repeats::{Repeated, Sheet};
use kit::{Busy, Messages, RUN_ID};
use logs::discovery::Stream;
use rustix::io::FdFlags;
use schema::{Compat, Exit, Opt};
use serde_json::Value;

use crate::guard;
use crate::overrides::{COMPAT, Overrides};
use crate::shell::Shell;

/// How the lock of the machine, and the row of the writer, are asked for.
type AskLock = fn(&Path, Duration) -> Result<LockResult>;
type AskRow = fn(&Target, Duration) -> Result<WriterResult>;

/// Who reads a command's messages on standard error if all goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The user who typed it: its messages are its purpose.
    Person,
    /// Nobody, unless standard error is a terminal: the command may be in a crontab.
    Cron,
}

/// A hub, as seen by one command.
pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) compat: Compat,
    pub(crate) log: Log,
    /// Whether a log was named that cannot be imported: the command then ends with code 1.
    pub(crate) refused: Cell<bool>,
    /// How many logs this command refused, including known ones.
    pub(crate) n_refused: Cell<usize>,
    /// What a dry run would do, in order.
    pub(crate) plan: RefCell<Vec<Value>>,
    /// What is worked on, for the progress on a terminal.
    pub(crate) context: RefCell<String>,
    /// Whether the work was left to another run that is in progress.
    pub(crate) left_to_another: Cell<bool>,
    /// Why the configuration could not be read; the settings are then the defaults.
    pub(crate) trouble: Option<String>,
    overrides: Overrides,
    name: String,
    /// The row of the writer, held to the end of the command.
    writer: RefCell<Option<Writer>>,
    /// What repeats in the stages that this command starts.
    sheet: RefCell<Option<Sheet>>,
}

impl Hub {
    /// For the command `name`; if it `goes_on`, a configuration that cannot be read is not an
    /// error.
    ///
    /// # Errors
    /// The configuration cannot be read or is malformed, or a compatibility option is unknown.
    pub(crate) fn open(name: &str, overrides: &Overrides, audience: Audience, goes_on: bool) -> Result<Self> {
        let env = |name: &str| overrides.get(name);
        let (config, trouble) = match config::read(None, &env) {
            Ok(config) => (config, None),
            Err(error) if goes_on => (config::without_file(&env), Some(format!("{error:#}"))),
            Err(error) => return Err(error),
        };
        let compat = overrides.compat(&config)?;
        let stderr = match audience {
            _ if compat.has(Opt::LpCli) => Stderr::Lines,
            Audience::Person => Stderr::Talk,
            Audience::Cron => Stderr::Quiet,
        };
        // a report that root asks for leaves nothing among the files of others
        let file = Some(config.paths.log()).filter(|_| !hub::identity::is_root_among_others(&config));
        let sinks = Sinks::of(file, &env, stderr);
        let words: Vec<_> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        // who is to be forgotten is not written down
        let said = if name == "forget-user" { name.to_owned() } else { words.join(" ") };
        let log = Log::open("hzmetrics", &sinks, &format!("hzmetrics {said}"));
        Ok(Self {
            config,
            compat,
            log,
            trouble,
            refused: Cell::new(false),
            n_refused: Cell::new(0),
            context: RefCell::default(),
            left_to_another: Cell::new(false),
            plan: RefCell::default(),
            overrides: overrides.clone(),
            name: name.to_owned(),
            writer: RefCell::default(),
            sheet: RefCell::default(),
        })
    }

    /// The same hub for another thread, with a log of its own that only the file gets.
    pub(crate) fn for_another_thread(&self) -> Self {
        let env = |name: &str| self.overrides.get(name);
        let file = Some(self.config.paths.log()).filter(|_| !hub::identity::is_root_among_others(&self.config));
        Self {
            config: self.config.clone(),
            compat: self.compat,
            log: Log::open("hzmetrics", &Sinks::of(file, &env, Stderr::Nothing), "hzmetrics serve: answers"),
            trouble: self.trouble.clone(),
            refused: Cell::new(false),
            n_refused: Cell::new(0),
            context: RefCell::default(),
            left_to_another: Cell::new(false),
            plan: RefCell::default(),
            overrides: self.overrides.clone(),
            name: self.name.clone(),
            writer: RefCell::default(),
            sheet: RefCell::default(),
        }
    }

    /// Where figures go for statsd, whatever it is; nothing when it is switched off.
    pub(crate) fn statsd_address(&self) -> Option<String> {
        let given = self.overrides.get(statsd::VARIABLE).map(|text| text.to_string_lossy().into_owned());
        let given = given.filter(|text| !text.is_empty()).or_else(|| self.config.metrics.statsd.clone());
        given.filter(|address| address != statsd::OFF)
    }

    /// Reports invalid arguments; returns the exit code. The port found these faults during its work
    /// and ended with code 1.
    pub(crate) fn wrong_arguments(&self, text: impl Display) -> u8 {
        self.log.error(text);
        let exit = if self.compat.has(Opt::LpCli) { Exit::Failed } else { Exit::Usage };
        exit.code()
    }

    /// A session in the metrics database.
    ///
    /// # Errors
    /// The configuration names no databases, or the server cannot be reached.
    pub(crate) fn db(&self) -> Result<Db> {
        self.config.check()?;
        Db::connect(&self.config.target(), Which::Metrics)
    }

    /// The same for a command that uses the ledger of imports.
    ///
    /// # Errors
    /// Also if the table does not exist.
    pub(crate) fn db_with_ledger(&self) -> Result<Db> {
        let mut db = self.db()?;
        anyhow::ensure!(
            database::ledger::is_there(&mut db)?,
            "there is no table imported_sources: `hzmetrics setup-db` or `hzmetrics migrate --apply` creates it"
        );
        Ok(db)
    }

    /// Warns if the tables have no protection against a crash in the middle.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn warn_without_transactions(&self, db: &mut Db, tables: &[&str]) -> Result<()> {
        if !db.is_transactional(tables)? {
            self.log.warning(format_args!(
                "{} know no transactions: a run that is killed leaves half of its work (`hzmetrics migrate` converts them)",
                tables.join(", ")
            ));
        }
        Ok(())
    }

    /// The lock of all writers, held as long as the result lives; `None` for a run that writes
    /// nothing, and if the process that started us holds it.
    ///
    /// # Errors
    /// Another process holds it ([`Busy`]), or works on the same tables without it ([`kit::Busy`]),
    /// or it cannot be created.
    pub(crate) fn lock(&self, writes: bool) -> Result<Option<Lock>> {
        Ok(self.try_lock(writes)??)
    }

    /// The same for a caller that continues without it if another run of ours is in progress.
    ///
    /// # Errors
    /// All other errors.
    pub(crate) fn try_lock(&self, writes: bool) -> Result<Result<Option<Lock>, Busy>> {
        if !writes {
            return Ok(Ok(None));
        }
        match self.try_local_lock(Lock::ask, Duration::ZERO)? {
            Ok(lock) => Ok(self.become_writer(Writer::ask, Duration::ZERO)?.map(|()| lock)),
            Err(busy) => Ok(Err(busy)),
        }
    }

    /// The lock of all writers for a few seconds, after which [`Hub::give_back`] lets others in.
    ///
    /// # Errors
    /// Another process still holds it after `wait` ([`Busy`]), or those of [`Hub::lock`].
    pub(crate) fn lock_in_turns(&self, wait: Duration) -> Result<Option<Lock>> {
        let lock = self.try_local_lock(Lock::ask_in_turns, wait)??;
        self.become_writer(Writer::ask_in_turns, wait)??;
        Ok(lock)
    }

    /// Lets others write; nothing where the process that started us holds the lock.
    pub(crate) fn give_back(&self, lock: Option<Lock>) {
        // in this order: whoever gets the lock next finds the row free
        drop(self.writer.take());
        drop(lock);
    }

    /// The lock of this machine alone, for work on files.
    ///
    /// # Errors
    /// Somebody else holds it ([`Busy`]), or it cannot be created.
    pub(crate) fn local_lock(&self) -> Result<Option<Lock>> {
        Ok(self.try_local_lock(Lock::ask, Duration::ZERO)??)
    }

    /// Takes the row of the writer in the database, if there is one.
    fn become_writer(&self, ask: AskRow, wait: Duration) -> Result<Result<(), Busy>> {
        let mut held = self.writer.borrow_mut();
        if held.is_some() {
            return Ok(Ok(()));
        }
        // without a configuration there is no database to write to, and whoever needs one says so
        if self.config.check().is_err() {
            return Ok(Ok(()));
        }
        match ask(&self.config.target(), wait) {
            Ok(WriterResult::Held(writer)) => *held = Some(writer),
            Ok(WriterResult::Inherited) => {}
            Ok(WriterResult::Absent(why)) => self.log.debug(why),
            Ok(WriterResult::Busy(busy)) => return Ok(Err(busy)),
            // a database that is made now has no row yet
            Err(error) if DbError::of(&error).is_some_and(|e| e.kind() == ErrorKind::NoDatabase) => {}
            Err(error) => return Err(error),
        }
        Ok(Ok(()))
    }

    fn try_local_lock(&self, ask: AskLock, wait: Duration) -> Result<Result<Option<Lock>, Busy>> {
        self.config.check_distinct()?;
        guard::nobody_at_work(&self.config.paths)?;
        match ask(&self.config.paths.pid_lock(), wait)? {
            LockResult::Held(lock) => {
                if let Some(stale) = &lock.stale {
                    self.log.warning(stale);
                }
                Ok(Ok(Some(lock)))
            }
            LockResult::Inherited => Ok(Ok(None)),
            LockResult::Busy(pid) => Ok(Err(hub::lock::busy(pid))),
        }
    }

    /// A shell whose stages may use the lock that we hold.
    ///
    /// # Errors
    /// Signals cannot be watched.
    pub(crate) fn shell(&self, lock: Option<&Lock>) -> Result<Shell> {
        let mut variables = self.overrides.variables();
        if let Some(compat) = self.config.compat.filter(|_| variables.get(COMPAT).is_empty()) {
            // stages read the variable, not the section of the file
            variables.export(COMPAT, compat.to_string().into());
        }
        // the stages' messages belong in the log of the run
        variables.export(STAGE_LOG, self.config.paths.log().into());
        variables.export(RUN_ID, kit::run_id().into());
        // stages need not look for themselves, nor say again what is wrong with it
        let statsd = self.statsd_address().filter(|address| statsd::check(address).is_ok());
        variables.export(statsd::VARIABLE, statsd.unwrap_or_else(|| statsd::OFF.to_owned()).into());
        if let Some(lock) = lock {
            // if we are killed, the running stage continues and keeps the lock until it ends
            rustix::io::fcntl_setfd(lock, FdFlags::empty()).context("passing the lock on")?;
            variables.export(HOLDER, std::process::id().to_string().into());
        }
        let mut sheet = self.sheet.borrow_mut();
        if sheet.is_none() {
            *sheet = Sheet::begin();
        }
        if let Some(sheet) = &*sheet {
            let (name, number) = sheet.variable();
            variables.export(name, number.into());
        }
        if let Some(token) = writer::token() {
            variables.export(writer::TOKEN, token.into());
        }
        let mut shell = Shell::new(&self.name, variables, Messages::new("hzmetrics", false))?;
        shell.hand_on(&self.config)?;
        shell.show_context(&self.context.borrow());
        Ok(shell)
    }

    /// Reports what repeated in the stages: each printed its first occurrence only.
    pub(crate) fn tell_repeated(&self) {
        let repeated = self.sheet.take().map(|mut sheet| sheet.repeated());
        match repeated {
            Some(Ok(all)) => {
                for Repeated { source, trouble, n, of } in all {
                    self.log.warning(format_args!("{source}: {trouble}, {n} of {of} steps"));
                }
            }
            Some(Err(error)) => self.log.warning(format_args!("what repeated in this run is not known: {error}")),
            None => {}
        }
    }

    /// The folder with `daily/` and `imported/` of a stream.
    pub(crate) fn logs(&self, stream: Stream) -> PathBuf {
        match stream {
            Stream::Access => self.config.paths.web_logs(),
            Stream::Auth => self.config.paths.cms_logs(),
        }
    }

    /// Where imported logs are moved to.
    pub(crate) fn imported(&self, stream: Stream) -> PathBuf {
        self.logs(stream).join("imported")
    }
}
