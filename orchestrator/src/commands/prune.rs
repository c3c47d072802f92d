//! `hzmetrics prune`: removes what is older than the configuration says.

use anyhow::{Context as _, Result};
use database::Db;
use database::pruned::{Group, Pruned, Removal};
use hub::lock::Lock;
use kit::{Progress, Uses, counted, door, grouped};
use schema::{Exit, Month};

use super::HubCommand;
use super::values::DryRun;
use crate::backup;
use crate::hub::Hub;
use crate::pipeline::state;
use crate::prune::bounds::Bounds;
use crate::prune::files::{self, Old};
use crate::prune::keep::keep;
use crate::prune::rows::Wanted;
use crate::prune::turns::Turns;
use crate::prune::{logs, rows};

/// Remove what is older than [retention] says
///
/// Imported logs, rows of requests, sessions and logins, staging files, refused logs and files of rejects, old answers
/// of name servers, backups: each goes only if its key is set. Summaries stay. Before rows go, a state of their months
/// is kept in the database that gives the same numbers. Says how many rows and bytes are freed, what stays, and why.
///
/// If another run is writing, it exits at once with code 75, as all commands that write. Once it has begun, it lets
/// others write every few seconds and waits up to four hours for its next turn.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::LOGS)
    }

    fn record(&self) -> Option<&'static str> {
        (!self.mode.dry_run).then_some("hzmetrics prune")
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let bounds = Bounds::of(&hub.config.retention, kit::current_month()?)?;
        let is_dry = self.mode.dry_run;
        let mut turns = if is_dry { None } else { Some(Turns::begin(hub)?) };
        let work = Work { hub, is_dry };
        if let Some(first_kept) = bounds.logs {
            work.logs(&mut hub.db_with_ledger()?, first_kept)?;
        }
        work.files(turns.as_ref().and_then(Turns::lock), &bounds)?;
        work.rows(&mut hub.db()?, turns.as_mut(), &bounds)?;
        Ok(Exit::Done.code())
    }
}

/// One run.
struct Work<'h> {
    hub: &'h Hub,
    is_dry: bool,
}

impl Work<'_> {
    const fn would(&self) -> &'static str {
        if self.is_dry { "[dry-run] would remove " } else { "removed " }
    }

    const fn freed(&self) -> &'static str {
        if self.is_dry { "would be freed" } else { "freed" }
    }

    fn logs(&self, db: &mut Db, first_kept: Month) -> Result<()> {
        let (hub, old) = (self.hub, logs::look(self.hub, db, first_kept)?);
        say_what_stays(hub, &old);
        let (mut n, mut bytes) = (0_usize, 0_u64);
        for (month, logs) in &old.logs {
            for log in logs {
                self.remove(&Old { path: log.path.clone(), bytes: log.bytes })?;
                n += 1;
                bytes += log.bytes;
            }
            let logs = counted(logs.len(), "log", "logs");
            hub.log.info(format_args!("[prune] {month}: {}{logs}", self.would()));
        }
        let logs = counted(n, "log", "logs");
        hub.log.info(format_args!("[prune] {logs} before {first_kept}, {} bytes {}", grouped(bytes), self.freed()));
        Ok(())
    }

    fn remove(&self, old: &Old) -> Result<()> {
        if self.is_dry {
            return Ok(());
        }
        door::remove(&old.path).with_context(|| format!("removing {}", old.path.display()))
    }

    fn files(&self, lock: Option<&Lock>, bounds: &Bounds) -> Result<()> {
        let hub = self.hub;
        let mut old = Vec::new();
        if let Some(days) = bounds.staged {
            old.extend(files::staged(hub, days)?);
        }
        if let Some(days) = bounds.rejects {
            old.extend(files::rejects(hub, days)?);
        }
        for file in &old {
            self.remove(file)?;
            hub.log.info(format_args!("[prune] {}{}", self.would(), file.path.display()));
        }
        if bounds.staged.or(bounds.rejects).is_some() {
            let bytes = grouped(old.iter().map(|file| file.bytes).sum::<u64>());
            let n = counted(old.len(), "file", "files");
            hub.log.info(format_args!("[prune] {n} of staging and rejects, {bytes} bytes {}", self.freed()));
        }
        if let Some(days) = bounds.dns_cache {
            files::names(hub, lock, days, self.is_dry)?;
        }
        if let Some((folder, n_kept)) = &bounds.backups {
            let bytes = backup::remove_old(hub, folder, *n_kept, self.is_dry)?;
            hub.log.info(format_args!("[prune] backups: {} bytes {}", grouped(bytes), self.freed()));
        }
        Ok(())
    }

    fn rows(&self, db: &mut Db, turns: Option<&mut Turns<'_>>, bounds: &Bounds) -> Result<()> {
        let hub = self.hub;
        let groups = [(Group::Web, bounds.web), (Group::Logins, bounds.logins)];
        let groups: Vec<_> = groups.into_iter().filter_map(|(group, first)| Some((group, first?))).collect();
        let wanted = rows::all_wanted(hub, db, &groups)?;
        for one in &wanted {
            if let Some((month, why)) = one.stays {
                hub.log.warning(format_args!("[prune] {} from {month} on stay: {why}", one.group.what()));
            }
        }
        let list = match turns {
            None => {
                let list = would_go(db, &wanted)?;
                list.iter().for_each(|removal| self.say_rows(removal));
                list
            }
            Some(turns) => {
                if wanted.iter().any(|one| one.through.is_some()) {
                    keep(hub, db, turns, &groups)?;
                }
                let (known, list) = rows::left_over(db, turns)?;
                list.iter().try_for_each(|removal| self.remove_rows(db, turns, &known, removal))?;
                list
            }
        };
        if list.is_empty() && !wanted.is_empty() {
            hub.log.info(format_args!("[prune] 0 rows {}", self.freed()));
        }
        Ok(())
    }

    fn remove_rows(&self, db: &mut Db, turns: &mut Turns<'_>, known: &Pruned, removal: &Removal) -> Result<()> {
        let shown = Progress::things(removal.table, "rows", removal.rows);
        rows::remove(db, turns, known, removal, |n| shown.advance(n))?;
        self.say_rows(removal);
        Ok(())
    }

    fn say_rows(&self, Removal { table, rows, bytes, .. }: &Removal) {
        self.hub.log.info(format_args!(
            "[prune] {table}: {}{}, about {} bytes {}",
            self.would(),
            counted(*rows, "row", "rows"),
            grouped(*bytes),
            self.freed()
        ));
    }
}

/// The rows that would go, table by table.
fn would_go(db: &mut Db, wanted: &[Wanted]) -> Result<Vec<Removal>> {
    let mut list = Vec::new();
    for one in wanted {
        list.extend(rows::would_go(db, one)?);
    }
    list.retain(|removal| removal.rows > 0);
    Ok(list)
}

fn say_what_stays(hub: &Hub, old: &logs::Old) {
    if !old.unpublished.is_empty() {
        hub.log.warning(format_args!(
            "[prune] logs of {} stay: these months are not published with all periods, are withheld or are dirty",
            state::list(&old.unpublished)
        ));
    }
    for path in &old.unknown {
        hub.log.warning(format_args!("[prune] {} stays: it is not in the ledger of imports", path.display()));
    }
}
