//! The ledger of imports, `imported_sources`: one row for each log file and table, with the ids of
//! the rows that came from it.
//!
//! The importer writes this row in the transaction with the file's data, so that both are stored or
//! neither. The commands that check and repair the ledger read it here too.

mod entry;
pub mod files;
mod reconstruct;
mod removed;
mod repair;
mod rows;

use anyhow::{Context as _, Result};
use mysql::Value;

use crate::Db;

pub use entry::{Begun, Entry, Range, TABLE, Target, base_name, begin, finish, is_part, is_there, of_file, of_target};
pub use reconstruct::{Derived, Keys, Rebuilt, Reconstruct, Verdict};
pub use removed::{removed, to_remove};
pub use repair::{Correction, Repair, Stopped, apply_repair, plan_repair};
pub use rows::{can_be_right, drift};

/// Deletes an entry and its rows, in the caller's transaction; returns how many rows were deleted.
/// Without a range only the entry is deleted.
///
/// # Errors
/// The server refuses it, or the number of rows in the range differs from the number imported and
/// `force` is not set.
pub fn forget(db: &mut Db, entry: &Entry, force: bool) -> Result<u64> {
    let doing = || format!("deleting what was imported from {}", entry.filename);
    let table = entry.target.name();
    let mut deleted = 0;
    db.changes_no_cell();
    if let Some(Range { start, end }) = entry.range {
        // webhits has no ids: its entries never have a range
        anyhow::ensure!(entry.target != Target::Webhits, "entry {} has ids of webhits, which has none", entry.id);
        if !force && let Some(n) = drift(db, entry)? {
            let rows = kit::counted(n, "row is", "rows are");
            anyhow::bail!("{rows} in the range of {}, and {} came from it", entry.filename, entry.rows);
        }
        db.will_change_rows(&format!("{table} t WHERE t.id BETWEEN {start} AND {end}"))?;
        deleted = db.delete(table, "id BETWEEN ? AND ?", (start, end)).with_context(doing)?;
    }
    db.run("DELETE FROM imported_sources WHERE id = ?", (entry.id,)).with_context(doing)?;
    files::forget(db, entry.id).with_context(doing)?;
    Ok(deleted)
}

/// Adds entries reconstructed from the remaining rows, in the caller's transaction.
///
/// # Errors
/// The server refuses one, for example because the file has an entry already.
pub fn add_reconstructed(db: &mut Db, target: Target, files: &[Rebuilt]) -> Result<()> {
    let now = db.texts("SELECT NOW()", ())?.into_iter().next().unwrap_or_default();
    let columns = ["filename", "target_table", "pk_start", "pk_end", "row_count", "imported_at", "origin"];
    let mut insert = db.insert(crate::Verb::Insert, TABLE, &columns);
    for file in files {
        let range = file.derived.map(|derived| derived.range);
        insert.push([
            Value::from(&file.filename),
            target.name().into(),
            range.map_or(Value::NULL, |range| range.start.into()),
            range.map_or(Value::NULL, |range| range.end.into()),
            file.derived.map_or(0, |derived| derived.rows).into(),
            Value::from(&now),
            "reconstruct".into(),
        ])?;
    }
    insert.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests;
