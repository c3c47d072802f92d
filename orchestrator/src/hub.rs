//! The surroundings of a command that works on a hub: configuration, log, lock, databases.
//!
//! Commands that take no part in a hub's daily life (the shell, `convert`) do without it.

use std::cell::Cell;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use database::{Db, Which};
use hub::STAGE_LOG;
use hub::config::{self, Config, process_env};
use hub::lock::{Asked, HOLDER, Lock};
use hub::log::{LOG_FORMAT, Log, Sinks, Stderr};
use kit::{Messages, Usage};
use rustix::io::FdFlags;
use schema::{Compat, Opt};

use crate::cli::Assignment;
use crate::pipeline::nobody_at_work;
use crate::shell::{Shell, Variables};

/// To whom a command speaks on standard error when all goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// To the person who typed it: what it says is what it is for.
    Report,
    /// To nobody, unless standard error is a terminal: it may stand in a crontab.
    Cron,
}

/// A hub, as one command sees it.
pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) compat: Compat,
    pub(crate) log: Log,
    /// Whether a log was named that cannot be imported: the command ends with 1.
    pub(crate) refused: Cell<bool>,
    /// How many logs were refused by this command, known ones too.
    pub(crate) n_refused: Cell<usize>,
    /// Why the configuration could not be read; then it is that of a hub without one.
    pub(crate) trouble: Option<String>,
    base: Vec<Assignment>,
    name: &'static str,
}

impl Hub {
    /// For the command `name`. `base` are the variables that stand for options before it.
    ///
    /// # Errors
    /// The configuration cannot be read or is malformed.
    pub(crate) fn open(name: &'static str, base: &[Assignment], voice: Voice) -> Result<Self> {
        let config = config::read(None, &|name: &str| variable(base, name))?;
        Self::with(name, base, voice, config)
    }

    /// The same for a command that goes on when the configuration cannot be read.
    ///
    /// # Errors
    /// The compatibility options of the environment are not known.
    pub(crate) fn open_anyway(name: &'static str, base: &[Assignment], voice: Voice) -> Result<Self> {
        let env = |name: &str| variable(base, name);
        match config::read(None, &env) {
            Ok(config) => Self::with(name, base, voice, config),
            Err(error) => {
                let hub = Self::with(name, base, voice, config::without_file(&env))?;
                Ok(Self { trouble: Some(format!("{error:#}")), ..hub })
            }
        }
    }

    fn with(name: &'static str, base: &[Assignment], voice: Voice, config: Config) -> Result<Self> {
        let env = |name: &str| variable(base, name);
        let compat = compat(&config, &env)?;
        let stderr = match voice {
            _ if compat.has(Opt::LpCli) => Stderr::Lines,
            Voice::Report => Stderr::Talk,
            Voice::Cron => Stderr::Quiet,
        };
        let sinks = Sinks {
            // a report that root asks for leaves nothing among the files of others
            file: Some(config.paths.log()).filter(|_| !hub::identity::is_root_among_others(&config)),
            json: env(LOG_FORMAT).is_some_and(|format| format == "json"),
            syslog: Some(config.paths.at("/dev/log")),
            stderr,
        };
        let words: Vec<_> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let log = Log::open("hzmetrics", &sinks, &format!("hzmetrics {}", words.join(" ")));
        Ok(Self {
            config,
            compat,
            log,
            trouble: None,
            refused: Cell::new(false),
            n_refused: Cell::new(0),
            base: base.to_vec(),
            name,
        })
    }

    /// A session in the metrics database.
    ///
    /// # Errors
    /// The configuration names no databases, or the server cannot be reached.
    pub(crate) fn db(&self) -> Result<Db> {
        self.config.check()?;
        Db::connect(&self.config.target(), Which::Metrics)
    }

    /// The lock of all writers, for as long as the result lives; `None` for a run that writes
    /// nothing, and when the process that started us holds it.
    ///
    /// # Errors
    /// Somebody else holds it ([`kit::Busy`]), or works on the same tables without it
    /// ([`crate::pipeline::Others`]), or it cannot be made.
    pub(crate) fn lock(&self, writes: bool) -> Result<Option<Lock>> {
        if !writes {
            return Ok(None);
        }
        self.config.check_distinct()?;
        nobody_at_work(&self.config.paths)?;
        match Lock::ask(&self.config.paths.pid_lock(), Duration::ZERO)? {
            Asked::Held(lock) => {
                if let Some(stale) = &lock.stale {
                    self.log.warning(stale);
                }
                Ok(Some(lock))
            }
            Asked::Inherited => Ok(None),
            Asked::Busy(pid) => Err(hub::lock::busy(pid).into()),
        }
    }

    /// A shell whose stages are let through the lock that we hold.
    ///
    /// # Errors
    /// Signals cannot be watched.
    pub(crate) fn shell(&self, lock: Option<&Lock>) -> Result<Shell> {
        let mut variables = Variables::from_environment();
        for (name, value) in &self.base {
            variables.export(name, OsString::from_vec(value.clone()));
        }
        if let Some(compat) = self.config.compat.filter(|_| variables.get("HZMETRICS_COMPAT").is_empty()) {
            // stages know the variable, not the section of the file
            variables.export("HZMETRICS_COMPAT", compat.to_string().into());
        }
        // what stages say belongs to the record of the run
        variables.export(STAGE_LOG, self.config.paths.log().into());
        if let Some(lock) = lock {
            // should we be killed, the stage at work goes on, and so does the lock until it ends
            rustix::io::fcntl_setfd(lock, FdFlags::empty()).context("passing the lock on")?;
            variables.export(HOLDER, std::process::id().to_string().into());
        }
        let mut shell = Shell::new(self.name, variables, Messages::new("hzmetrics", false))?;
        shell.hand_on(&self.config)?;
        Ok(shell)
    }

    /// Where imported logs of the web server go.
    pub(crate) fn imported_web(&self) -> PathBuf {
        self.config.paths.web_logs().join("imported")
    }

    /// Where imported logs of the CMS go.
    pub(crate) fn imported_cms(&self) -> PathBuf {
        self.config.paths.cms_logs().join("imported")
    }
}

/// The compatibility options: of the command line or the environment, else of the configuration.
///
/// # Errors
/// There is no option of that name.
pub(crate) fn compat(config: &Config, env: config::Env<'_>) -> Result<Compat> {
    match env("HZMETRICS_COMPAT") {
        Some(list) => Compat::parse(&list.to_string_lossy()).map_err(|e| Usage(e.to_string()).into()),
        None => Ok(config.compat.unwrap_or_default()),
    }
}

/// A variable as the processes that we start would see it.
pub(crate) fn variable(base: &[Assignment], name: &str) -> Option<OsString> {
    let ours = base.iter().rev().find(|(known, _)| known == name);
    ours.map(|(_, value)| OsString::from_vec(value.clone())).or_else(|| process_env(name))
}
