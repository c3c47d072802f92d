//! The databases of a hub: make what is missing, bring what is old up to date.
//!
//! `hzmetrics setup-db` and `hzmetrics migrate` come here. The tables are data in `schema::tables`,
//! the rows they start with in `schema::reference`, the changes of old databases in [`changes`].

mod changes;
mod command;
mod create;
mod ledger;
mod migrate;
mod seed;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Result, bail};
use database::{Db, Target};
use kit::Messages;
use schema::Exit;
use schema::tables::Engine;

pub(crate) use changes::Runner;
pub(crate) use command::{migrate_command, setup_command};

/// Makes the database and its tables where they are missing.
///
/// # Errors
/// A statement fails.
pub(crate) fn make(target: &Target, seed: bool, messages: Messages) -> Result<()> {
    let setup = create::Setup { dry_run: false, seed, engine: Engine::InnoDb, domainclass: None };
    create::setup_db(target, &setup, messages, &mut std::io::sink())
}

/// Changes that are not recorded as done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Unrecorded {
    /// Their number.
    pub(crate) count: usize,
    /// Those of them that the stages need and that are not done either.
    pub(crate) required: Vec<u16>,
}

/// Looks which changes are left; writes nothing.
///
/// # Errors
/// The server is lost.
pub(crate) fn unrecorded(db: &mut Db) -> Result<Unrecorded> {
    let recorded = ledger::recorded(db)?;
    let mut left = Unrecorded::default();
    for change in changes::all().iter().filter(|change| !recorded.contains(&change.id)) {
        left.count += 1;
        if change.is_required() && change.is_done(db)? != Some(true) {
            left.required.push(change.id);
        }
    }
    Ok(left)
}

/// Applies the required changes, for a caller who holds the lock of all writers.
///
/// # Errors
/// A change fails.
pub(crate) fn bring_up_to_date(target: &Target, lock: PathBuf, messages: Messages, run: Runner<'_>) -> Result<()> {
    let asked = migrate::Migrate { apply: true, required_only: true, dry_run: false, lock: Some(lock) };
    match migrate::migrate(target, &asked, messages, &mut std::io::sink(), &|| Ok(Some(None)), run)? {
        Exit::Done => Ok(()),
        exit => bail!("the migrations ended with exit code {}", exit.code()),
    }
}
