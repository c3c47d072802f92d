//! Looking after what was imported: the ledger of imports, hits a day, old downloads,
//! missing countries.
//!
//! Each command works on the metrics database directly, in transactions where the tables know
//! them, and can be run again after it was killed.

mod countries;
mod downloads;
mod forget;
mod hits;
mod ranges;
mod reconstruct;

use database::Db;

use crate::hub::Hub;

pub(crate) use countries::fill as fill_countries;
pub(crate) use downloads::backfill;
pub(crate) use forget::forget;
pub(crate) use hits::rebuild;
pub(crate) use ranges::repair;
pub(crate) use reconstruct::reconstruct;

/// Says so when the tables protect nothing against a crash in the middle.
fn warn_without_transactions(hub: &Hub, db: &mut Db, tables: &[&str]) -> anyhow::Result<()> {
    if !db.is_transactional(tables)? {
        hub.log.warning(format_args!(
            "{} know no transactions: a run that is killed leaves half of its work (`hzmetrics migrate` converts them)",
            tables.join(", ")
        ));
    }
    Ok(())
}

/// Ends with words when there is no ledger of imports.
fn need_ledger(db: &mut Db) -> anyhow::Result<()> {
    anyhow::ensure!(
        database::ledger::is_there(db)?,
        "there is no table imported_sources: `hzmetrics setup-db` or `hzmetrics migrate --apply` makes it"
    );
    Ok(())
}
