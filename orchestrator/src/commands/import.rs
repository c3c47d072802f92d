//! `hzmetrics import`: imports pending logs, and accepts or sets aside refused logs.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use kit::Uses;
use kit::path_text;
use logs::discovery::Stream;
use logs::refused;
use schema::Month;

use super::HubCommand;
use super::values::{Day, DryRun};
use crate::hub::{Audience, Hub};
use crate::pipeline::importer::{Importer, Outcome, Take, out_of_order};
use crate::pipeline::pending::{self, Pending};
use crate::pipeline::{facts, refusals};

/// Import pending days only
///
/// Each log is one transaction; afterwards it is moved to imported/. Days are imported in order,
/// unless --force is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The oldest month with pending logs
    #[arg(long, group = "which")]
    next: bool,

    /// One month
    #[arg(long, group = "which", value_name = "YYYY-MM")]
    month: Option<Month>,

    /// One day
    #[arg(long, group = "which", value_name = "YYYY-MM-DD")]
    day: Option<Day>,

    /// A refused log: import it as it is
    #[arg(long, group = "which", value_name = "FILE")]
    accept: Option<PathBuf>,

    /// A refused log: move it to refused/ next to daily/
    #[arg(long, group = "which", value_name = "FILE")]
    set_aside: Option<PathBuf>,

    /// Import even if out of order
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::LOGS)
    }

    fn audience(&self) -> Audience {
        self.mode.audience()
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let dry_run = self.mode.dry_run;
        if let Some(log) = &self.accept {
            return accept(hub, log, dry_run);
        }
        if let Some(log) = &self.set_aside {
            return set_aside(hub, log, dry_run);
        }
        if !self.next && self.month.is_none() && self.day.is_none() {
            return Ok(hub.wrong_arguments("say which logs: --next, --month, --day, --accept or --set-aside"));
        }
        let lock = hub.lock(!dry_run)?;
        let pending = Pending::look(hub)?;
        let (days, what) = match (self.month, self.day) {
            (Some(month), _) => (facts::pending_days(&pending, month), month.to_string()),
            (None, Some(day)) => (vec![day.digits()], day.to_string()),
            (None, None) => {
                let Some(first) = pending.days("").into_iter().next() else {
                    hub.log.info("nothing is pending in daily/");
                    return if dry_run { Ok(0) } else { refusals::end(hub, 0) };
                };
                let (year, month) = first.get(..6).and_then(|month| month.split_at_checked(4)).unwrap_or_default();
                (pending.days(&format!("{year}{month}")), format!("{year}-{month}"))
            }
        };
        let Some(first) = days.first() else {
            hub.log.info(format_args!("no pending days in daily/ for {what}"));
            return Ok(0);
        };
        if !self.force && out_of_order(hub, &pending, first)? {
            return Ok(1);
        }
        let would = if dry_run { "[dry-run] would import" } else { "importing" };
        hub.log.info(format_args!("{would} {} day(s) for {what}", days.len()));
        let mut importer = Importer { hub, lock: lock.as_ref() };
        for day in &days {
            let _step = hub.log.step(format!("import-day {day}"));
            importer.day(&pending, day, dry_run)?;
        }
        hub.log.info(">>> done");
        if dry_run { Ok(0) } else { refusals::end(hub, 0) }
    }
}

/// Imports a refused log as it is.
fn accept(hub: &Hub, given: &Path, dry_run: bool) -> Result<u8> {
    let lock = hub.lock(!dry_run)?;
    let (path, stream) = find(hub, given)?;
    if dry_run {
        hub.log.info(format_args!("[dry-run] would import {} whatever is in it", path.display()));
        return Ok(0);
    }
    let importer = Importer { hub, lock: lock.as_ref() };
    let Outcome::Loaded(receipt) = importer.load(&path, stream, Take::AsItIs)? else {
        bail!("import-logs still refused {}", path.display());
    };
    importer.put_away(&path, stream, &receipt);
    refusals::forget(hub, &path)?;
    Ok(0)
}

/// Moves a refused log out of the way.
fn set_aside(hub: &Hub, given: &Path, dry_run: bool) -> Result<u8> {
    let _lock = hub.lock(!dry_run)?;
    let (path, _) = find(hub, given)?;
    if dry_run {
        hub.log.info(format_args!("[dry-run] would move {} to refused/", path.display()));
    } else {
        refusals::set_aside(hub, &path)?;
    }
    Ok(0)
}

/// The log given by `--accept` or `--set-aside`: a path, or the name of a refused or pending log.
///
/// # Errors
/// There is none, or several have that name.
fn find(hub: &Hub, given: &Path) -> Result<(PathBuf, Stream)> {
    let mut known: Vec<(PathBuf, Stream)> = Vec::new();
    for log in refused::list(&hub.config.paths.staging())? {
        known.push((log.path.clone(), Stream::from_name(&log.stream).unwrap_or(Stream::Access)));
    }
    for stream in [Stream::Access, Stream::Auth] {
        known.extend(pending::logs(hub, stream)?.into_iter().map(|log| (log.path, stream)));
    }
    let name = path_text::name(given.as_os_str());
    known.retain(|(path, _)| path == given || path_text::base_name(path) == name);
    known.sort_by(|a, b| a.0.cmp(&b.0));
    known.dedup_by(|a, b| a.0 == b.0);
    match known.as_slice() {
        [log] => Ok(log.clone()),
        [] => bail!("no log {} was refused or is pending", given.display()),
        _ => bail!("several logs are called {}: give the path of one", given.display()),
    }
}
