//! `hzmetrics rebuild-webhits`: counts the hits of each day again from the requests in `web`, then
//! updates the one summary cell that uses them.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::ArgGroup;
use database::hits::{self, Missing};
use database::pruned::Pruned;
use database::{Db, Verb};
use kit::Progress;
use schema::{Exit, Month, Period, Stamp};

use super::HubCommand;
use super::values::{DryRun, month_begun};
use crate::hub::Hub;

/// The number of requests on each day of a month.
type Days = BTreeMap<Stamp, i64>;

/// Count the hits of each day again from web
///
/// Then refreshes the hits in the summaries of all later months.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub(crate) struct Args {
    /// One month, not a future one
    #[arg(long, group = "which", value_name = "YYYY-MM", value_parser = month_begun)]
    month: Option<Month>,

    /// All months that have requests
    #[arg(long, group = "which")]
    all: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let (month, dry_run) = (self.month, self.mode.dry_run);
        let _lock = hub.lock(!dry_run)?;
        let mut db = hub.db()?;
        let pruned = Pruned::read(&mut db)?;
        if let Some(why) = month.and_then(|month| pruned.refusal(month)) {
            hub.log.error(format_args!("[rebuild-webhits] {why}"));
            return Ok(Exit::Failed.code());
        }
        let mut months = count(hub, &mut db, month)?;
        // what is left of their requests is not all
        months.retain(|month, _| !pruned.has_lost_requests(*month));
        let Some((&oldest, &newest)) = months.keys().next().zip(months.keys().next_back()) else {
            hub.log.info("  no months found in web");
            return Ok(0);
        };
        let span = if oldest == newest { oldest.to_string() } else { format!("{oldest} .. {newest}") };
        hub.log.info(format_args!("  will rebuild webhits for {} month(s): {span}", months.len()));
        if !dry_run {
            hub.warn_without_transactions(&mut db, &["webhits"])?;
        }
        let shown = Progress::things("hits", "months", months.len() as u64);
        for (month, days) in &months {
            shown.advance(1);
            let between = (month.start().to_string(), month.next().start().to_string());
            if dry_run {
                let there = db.number("SELECT COUNT(*) FROM webhits WHERE datetime >= ? AND datetime < ?", between)?;
                hub.log.info(format_args!(
                    "  [dry-run] {month}: would replace {} webhits row(s) with {} day(s)",
                    there.unwrap_or(0),
                    days.len()
                ));
                continue;
            }
            db.transaction_with_retry(&format!("counting the hits of {month}"), &["webhits"], |db| {
                db.run("DELETE FROM webhits WHERE datetime >= ? AND datetime < ?", between.clone())?;
                let mut insert = db.insert(Verb::Insert, "webhits", &["datetime", "hits"]);
                for (day, hits) in days {
                    insert.push([day.to_string().into(), (*hits).into()])?;
                }
                insert.finish()?;
                Ok(())
            })?;
            hub.log.info(format_args!("  {month}: rebuilt {} day(s)", days.len()));
        }
        refresh(hub, &mut db, oldest, dry_run)?;
        hub.log.info(">>> done");
        Ok(0)
    }
}

/// The requests of each day, of one month or of all months that have any. A given month is included
/// even without requests.
fn count(hub: &Hub, db: &mut Db, only: Option<Month>) -> Result<BTreeMap<Month, Days>> {
    let mut months: BTreeMap<Month, Days> = only.map(|month| (month, Days::new())).into_iter().collect();
    let mut odd = 0;
    let sql = "SELECT DATE(datetime), COUNT(*) FROM web";
    let mut take = |cells: database::Cells<'_>| {
        let (day, hits) = (cells.stamp(0).unwrap_or(Stamp::ZERO), cells.int(1).unwrap_or(0));
        match day.month().filter(|_| day.day() > 0) {
            Some(month) => drop(months.entry(month).or_default().insert(day, hits)),
            None => odd += hits,
        }
        Ok(())
    };
    match only {
        Some(month) => {
            let sql = format!("{sql} WHERE datetime >= ? AND datetime < ? GROUP BY 1");
            db.each(&sql, (month.start().to_string(), month.next().start().to_string()), &mut take)?;
        }
        None => drop(db.each(&format!("{sql} GROUP BY 1"), (), &mut take)?),
    }
    if odd > 0 {
        let have = kit::counted(
            odd,
            "request has no day in its date and counts",
            "requests have no day in their date and count",
        );
        hub.log.warning(format_args!("  {have} nowhere"));
    }
    Ok(months)
}

/// Computes the hits cell of every month from `oldest` to the previous one again.
fn refresh(hub: &Hub, db: &mut Db, oldest: Month, dry_run: bool) -> Result<()> {
    let last = kit::current_month()?.previous();
    if oldest > last {
        hub.log.info(format_args!("  no cells of summary_misc_vals to refresh ({oldest} is not over)"));
        return Ok(());
    }
    let n_months = oldest.through(last).count();
    let n_cells = n_months * Period::WRITE_ORDER.len();
    let would = if dry_run { "[dry-run] would refresh" } else { "refreshing" };
    hub.log.info(format_args!(
        "  {would} the hits in summary_misc_vals for {n_months} month(s) x {} period(s) = {n_cells} cell(s)",
        Period::WRITE_ORDER.len()
    ));
    if dry_run {
        return Ok(());
    }
    hits::refresh(db, oldest, last, &hub.compat, Missing::Add)?;
    hub.log.info(format_args!("  refreshed {n_cells} cell(s)"));
    Ok(())
}
