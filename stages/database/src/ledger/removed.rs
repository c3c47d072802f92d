//! How many rows of an import were removed for their age: the ledger keeps the number that was imported.

use std::collections::BTreeMap;

use anyhow::Result;
use schema::Month;
use schema::tables::PRUNED;

use super::entry::{Entry, Range, Target, is_there, of_target};
use crate::Db;
use crate::pruned::{Gone, Group, Pruned};

/// How many rows come from each import that are of months through `through` and were not removed before.
///
/// # Errors
/// The server fails.
pub fn to_remove(db: &mut Db, group: Group, through: Month) -> Result<Vec<(i64, i64)>> {
    let target = match group {
        Group::Web => Target::Web,
        Group::Logins => Target::Userlogin,
    };
    let mut list = Vec::new();
    if !is_there(db)? {
        return Ok(list);
    }
    let known = Pruned::read(db)?;
    let from = known.of(group).map_or_else(|| "1".to_owned(), |known| format!("NOT ({})", known.condition()));
    let until = Gone::through(through).condition();
    let sql = format!("SELECT COUNT(*) FROM {} WHERE id BETWEEN ? AND ? AND {from} AND {until}", target.name());
    for entry in of_target(db, target)? {
        let Some(range) = entry.range else { continue };
        let n = db.number(&sql, (range.start, range.end))?.unwrap_or(0);
        if n > 0 {
            list.push((entry.id, n));
        }
    }
    Ok(list)
}

/// How many rows of each import of a table were removed, by the number of its entry.
///
/// # Errors
/// The server fails.
pub fn removed(db: &mut Db, target: Target) -> Result<BTreeMap<i64, i64>> {
    if !db.has_table(PRUNED)? {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT number, value FROM hz_pruned WHERE kind = 'import' AND name = ?";
    let rows = db.all(sql, (target.name(),), |row| Ok(row.int(0).zip(row.int(1))))?;
    Ok(rows.into_iter().flatten().collect())
}

/// How many rows an import has in the table, and those that were removed for their age; `None` where none of this table
/// were removed.
pub(super) fn with_removed(db: &mut Db, entry: &Entry, Range { start, end }: Range) -> Result<Option<i64>> {
    let table = entry.target.name();
    let pruned = Pruned::read(db)?;
    let Some(gone) = pruned.of_table(table) else { return Ok(None) };
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE id BETWEEN ? AND ? AND NOT ({})", gone.condition());
    let left = db.number(&sql, (start, end))?.unwrap_or(0);
    let sql = "SELECT value FROM hz_pruned WHERE kind = 'import' AND name = ? AND number = ?";
    Ok(Some(left + db.number(sql, (table, entry.id))?.unwrap_or(0)))
}
