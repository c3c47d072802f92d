//! The databases of a hub: creates what is missing, and updates what is old.
//!
//! `hzmetrics setup-db` and `hzmetrics migrate` use it. The tables are data in `schema::tables`,
//! their initial rows in `schema::reference`, the migrations of old databases in [`changes`].

mod addresses;
pub(crate) mod bootstrap;
mod changes;
mod create;
mod hold;
mod ledger;
mod migrate;
pub(crate) mod partitions;
mod primary_keys;
pub(crate) mod ready;
mod seed;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Result;
use database::{Db, Target};
use kit::Messages;
use schema::tables::Engine;

pub(crate) use changes::Runner;
pub(crate) use create::{Setup, create_database, setup_db};
pub(crate) use hold::{Held, hold};
pub(crate) use migrate::{Migrate, migrate};

/// Creates the database and its tables if they are missing.
///
/// # Errors
/// A statement fails.
pub(crate) fn make(target: &Target, as_port: bool, messages: Messages) -> Result<()> {
    let (dry_run, seed) = (false, !as_port);
    let setup = create::Setup { dry_run, seed, as_port, engine: Engine::InnoDb, by_month: None, domainclass: None };
    create::setup_db(target, &setup, messages, &mut std::io::sink())
}

/// Migrations that are not recorded as done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PendingChanges {
    /// Their number.
    pub(crate) count: usize,
    /// Those that the stages need and that are not done either.
    pub(crate) required: Vec<u16>,
}

/// Finds out which migrations are pending; writes nothing.
///
/// # Errors
/// The connection is lost.
pub(crate) fn unrecorded(db: &mut Db) -> Result<PendingChanges> {
    let recorded = ledger::recorded(db)?;
    let mut left = PendingChanges::default();
    for change in changes::all().iter().filter(|change| !recorded.contains(&change.id)) {
        left.count += 1;
        if change.is_required() && change.is_done(db)? != Some(true) {
            left.required.push(change.id);
        }
    }
    Ok(left)
}

/// Applies the required migrations, for a caller that holds the lock of all writers.
///
/// # Errors
/// A migration fails.
pub(crate) fn bring_up_to_date(target: &Target, lock: PathBuf, messages: Messages, run: Runner<'_>) -> Result<()> {
    let plan = Migrate { apply: true, required_only: true, dry_run: false, as_port: false, lock: Some(lock) };
    migrate(target, &plan, messages, &mut std::io::sink(), &|| Ok(Held::default()), run)
}
