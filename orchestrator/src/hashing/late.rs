//! Rows with addresses that were added to a month after it was hashed: logs that came late and were imported by
//! `--accept`. The state names the months, so that nothing has to search for such rows.

use anyhow::{Context as _, Result};
use database::Db;
use database::address_changes::{self, AddressChanges};
use hub::address_keys::{AddressKey, AddressKeys};
use schema::Month;

use super::how::How;
use super::rows;
use crate::hub::Hub;

/// Hashes them; how many months. They are older than any month that is due, so nothing else is asked of them.
///
/// # Errors
/// The server or the disk fails.
pub(super) fn hash(hub: &Hub, db: &mut Db, how: How) -> Result<usize> {
    let changes = AddressChanges::read(db)?;
    // a month that was begun is completed with its own key
    let begun = changes.hashing.as_ref().map(|(month, _)| *month);
    let months: Vec<Month> = changes.late().iter().copied().filter(|month| Some(*month) != begun).collect();
    for month in &months {
        if how.is_dry {
            let n = rows::Work { db, month: *month, key: None }.run()?;
            let rows = kit::counted(n, "late row", "late rows");
            hub.log.info(format_args!("[addresses] [dry-run] {month}: would hash the addresses of {rows}"));
        } else {
            hash_month(hub, db, how, *month)?;
        }
    }
    Ok(months.len())
}

fn hash_month(hub: &Hub, db: &mut Db, how: How, month: Month) -> Result<()> {
    let (key, is_other) = key(hub, db, how, month)?;
    let n = rows::Work { db, month, key: Some(&key) }.run();
    let n = n.with_context(|| format!("hashing the addresses of late rows of {month}"))?;
    address_changes::end_late(db, month)?;
    let rows = kit::counted(n, "late row", "late rows");
    let with = if is_other {
        "a new key, because that of the month is destroyed: their visitors count as others"
    } else {
        "the key of the month"
    };
    hub.log.info(format_args!("[addresses] {month}: the addresses of {rows} are hashed with {with}"));
    Ok(())
}

/// The key of a month, and whether it is another than that of its earlier rows. A new one is in the file before it is
/// used, so that a run that is killed is completed with the same key; it is destroyed with the others.
fn key(hub: &Hub, db: &mut Db, how: How, month: Month) -> Result<(AddressKey, bool)> {
    let path = hub.config.paths.address_keys();
    let mut keys = AddressKeys::read(&path)?;
    if let Some(key) = keys.of(month).copied() {
        // those of months that are all hashed were destroyed before
        let completed = AddressChanges::read(db)?.completed_through();
        return Ok((key, keys.last_of(month) <= completed));
    }
    let key = keys.draw(month, how.choice.key_months)?;
    keys.write(&path)?;
    Ok((key, true))
}
