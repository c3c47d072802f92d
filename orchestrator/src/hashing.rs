//! Replaces the addresses of old months by hashes: `[privacy] hash_after_days`. For runs and `hash-addresses`.
//!
//! Whole months are hashed, the oldest first, when nothing looks at their addresses any more. The key is in its file
//! and the month in the state before the first row changes, and a row that is hashed is left alone, so a run that was
//! killed is completed by the next with the same hashes.

mod due;
mod how;
mod late;
mod rows;

use anyhow::{Context as _, Result, ensure};
use database::Db;
use database::address_changes::{self, AddressChanges};
use hub::address_keys::{AddressKey, AddressKeys};
use schema::Month;

pub(crate) use how::How;

use crate::hub::Hub;

/// Hashes what is due, until `is_time_up`; how many months. Rows that were added to hashed months come first.
///
/// # Errors
/// The server or the disk fails, or the key of a month that was begun is missing.
pub(crate) fn hash_due(hub: &Hub, db: &mut Db, how: How, is_time_up: &dyn Fn() -> bool) -> Result<usize> {
    let n_late = late::hash(hub, db, how)?;
    let due = due::months(hub, db, how.choice.days)?;
    if let Some((month, why)) = due.stays {
        let text = format_args!("[addresses] {month} is older than {} days, and stays: {why}", how.choice.days);
        if why == due::FOLLOWED { hub.log.info(text) } else { hub.log.warning(text) }
    }
    if !how.is_dry {
        destroy_keys(hub, db)?;
    }
    let mut n = 0;
    for month in due.months {
        if how.is_dry {
            let rows = rows::Work { db, month, key: None }.run()?;
            let rows = kit::counted(rows, "row", "rows");
            hub.log.info(format_args!("[addresses] [dry-run] {month}: would hash the addresses of {rows}"));
        } else if n > 0 && is_time_up() {
            hub.log.info("[addresses] the time is up; the next run continues here");
            break;
        } else {
            hash(hub, db, how, month)?;
        }
        n += 1;
    }
    Ok(n + n_late)
}

/// Hashes one month.
fn hash(hub: &Hub, db: &mut Db, how: How, month: Month) -> Result<()> {
    let key = key(hub, db, how, month)?;
    hub.warn_without_transactions(db, &rows::TABLES.map(|table| table.name))?;
    address_changes::begin_hashing(db, month, &key.name())?;
    let n = rows::Work { db, month, key: Some(&key) }.run().with_context(|| format!("hashing addresses of {month}"))?;
    address_changes::end_hashing(db, month)?;
    let rows = kit::counted(n, "row", "rows");
    hub.log.info(format_args!("[addresses] {month}: the addresses of {rows} are hashed"));
    destroy_keys(hub, db)
}

/// The key of a month: that in the file, or a new one.
fn key(hub: &Hub, db: &mut Db, how: How, month: Month) -> Result<AddressKey> {
    let path = hub.config.paths.address_keys();
    let mut keys = AddressKeys::read(&path)?;
    let begun = AddressChanges::read(db)?.hashing.filter(|(begun, _)| *begun == month).map(|(_, name)| name);
    if let Some(key) = keys.of(month).filter(|key| begun.as_ref().is_none_or(|name| *name == key.name())) {
        return Ok(*key);
    }
    ensure!(
        begun.is_none() || how.new_key,
        "a run was hashing the addresses of {month} with a key that {} does not have: copy the file from the machine where \
         it ran, or continue with another key by `hzmetrics hash-addresses --new-key`",
        path.display()
    );
    let key = keys.draw(month, how.choice.key_months)?;
    keys.write(&path)?;
    Ok(key)
}

/// Destroys the keys of months that are hashed.
fn destroy_keys(hub: &Hub, db: &mut Db) -> Result<()> {
    let changes = AddressChanges::read(db)?;
    let Some(through) = changes.completed_through() else { return Ok(()) };
    let path = hub.config.paths.address_keys();
    let mut keys = AddressKeys::read(&path)?;
    if keys.destroy(through) {
        keys.write(&path)?;
        hub.log.info(format_args!("[addresses] the key of the months through {through} is destroyed"));
    }
    Ok(())
}
