//! `hzmetrics unpublish`: removes the published numbers of a month, and prevents them from being
//! published again.
//!
//! Requests, logins and sessions are kept: only what readers see is removed, which is the cells of
//! the summary pages and the statistics of tools and resources. Cells of later months whose periods
//! include this month are unchanged.

use std::collections::BTreeSet;

use anyhow::Result;
use database::{Db, Which};
use schema::Month;
use schema::tables::quote;

use super::HubCommand;
use super::values::DryRun;
use crate::hub::Hub;
use crate::pipeline::facts::SUMMARIES;
use crate::pipeline::pages;
use crate::pipeline::state::{self, Key, State};
use crate::pipeline::worker::{Effort, Worker};

/// Remove the published numbers of a month and withhold it
///
/// Deletes the cells of the month and its statistics in the hub's database. Requests, logins and
/// sessions are kept. Runs leave the month alone until `summarize`, `analyze`, `process --month` or
/// `mark-dirty` names it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The month; may be in the future
    #[arg(value_name = "YYYY-MM")]
    month: Month,

    #[command(flatten)]
    mode: DryRun,
}

/// A table with rows of a month, and the condition that selects them.
struct Published {
    table: String,
    condition: String,
}

impl Published {
    fn count(&self, db: &mut Db) -> Result<u64> {
        if !db.has_table(&self.table)? {
            return Ok(0);
        }
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {}", quote(&self.table), self.condition);
        Ok(db.number(&sql, ())?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    fn delete(&self, db: &mut Db) -> Result<u64> {
        if !db.has_table(&self.table)? {
            return Ok(0);
        }
        db.delete(&self.table, &self.condition, ())
    }
}

/// Rows of a month are dated day zero, or its first day for the usage of resources.
fn in_month(month: Month) -> String {
    format!("datetime >= '{}' AND datetime < '{}'", month.label(), month.next().label())
}

/// The cells of the metrics database.
fn cells(month: Month) -> Vec<Published> {
    let of = |table: &str| Published { table: table.to_owned(), condition: in_month(month) };
    SUMMARIES.into_iter().chain(["summary_andmore_vals"]).map(of).collect()
}

/// The statistics in the hub's database. Top values refer to rows of statistics, so they are
/// deleted first.
fn statistics(prefix: &str, month: Month) -> Vec<Published> {
    let month = in_month(month);
    let tools = format!("{prefix}resource_stats_tools");
    let mut list = vec![Published {
        table: format!("{tools}_topvals"),
        condition: format!("id IN (SELECT id FROM {} WHERE {month})", quote(&tools)),
    }];
    let rest = [tools, format!("{prefix}resource_stats"), format!("{prefix}stats_topvals")];
    list.extend(rest.map(|table| Published { table, condition: month.clone() }));
    list
}

/// Deletes the rows in one database, all or none if the tables support transactions.
fn delete(db: &mut Db, month: Month, list: &[Published]) -> Result<u64> {
    let tables: Vec<&str> = list.iter().map(|published| published.table.as_str()).collect();
    db.transaction_with_retry(&format!("unpublishing {month}"), &tables, |db| {
        list.iter().try_fold(0, |sum, published| Ok(sum + published.delete(db)?))
    })
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let (month, dry_run) = (self.month, self.mode.dry_run);
        let lock = hub.lock(!dry_run)?;
        let mut db = hub.db()?;
        let mut of_hub = Db::connect(&hub.config.target(), Which::Hub)?;
        let (cells, statistics) = (cells(month), statistics(&hub.config.db_prefix, month));
        if dry_run {
            for (db, list) in [(&mut db, &cells), (&mut of_hub, &statistics)] {
                for published in list {
                    let n = published.count(db)?;
                    let rows = kit::counted(n, "row", "rows");
                    hub.log.info(format_args!("[unpublish] [dry-run] would delete {rows} of {}", published.table));
                }
            }
            hub.log.info(format_args!("[unpublish] [dry-run] would withhold {month}"));
            return Ok(0);
        }
        // done first: a run killed from here on leaves rows, but nobody publishes the month in the meantime
        withhold(hub, &mut db, month)?;
        let n_cells = delete(&mut db, month, &cells)?;
        let n_statistics = delete(&mut of_hub, month, &statistics)?;
        let (cells, rows) = (kit::counted(n_cells, "cell", "cells"), kit::counted(n_statistics, "row", "rows"));
        hub.log.info(format_args!("[unpublish] {month}: {cells} and {rows} of statistics removed"));
        hub.log.info(format_args!(
            "[unpublish] {month} is withheld until `hzmetrics summarize {month}` or `hzmetrics mark-dirty {month}`"
        ));
        pages::write_due(&mut Worker::new(hub, lock.as_ref(), Effort::Real)?, &mut db, &|| false)?;
        Ok(0)
    }
}

fn withhold(hub: &Hub, db: &mut Db, month: Month) -> Result<()> {
    let State { mut withheld, dirty, .. } = State::read(db)?;
    withheld.insert(month);
    let mut values = vec![(Key::Withheld, state::list(&withheld))];
    if dirty.contains(&month) {
        let left: BTreeSet<Month> = dirty.into_iter().filter(|other| *other != month).collect();
        values.push((Key::Dirty, state::list(&left)));
    }
    state::store(hub, db, &values)
}
