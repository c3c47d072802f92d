//! Counts the rows in the ranges of entries: since ids may have gaps, this decides whether a range is
//! right and what may be deleted.

use anyhow::Result;

use super::entry::{Entry, Range, Target};
use super::removed::with_removed;
use crate::Db;

/// How many rows are in the range of an entry, if it has one and their number differs from the number
/// imported: some were deleted, or others are among them.
///
/// # Errors
/// The connection is lost.
pub fn drift(db: &mut Db, entry: &Entry) -> Result<Option<i64>> {
    let Some(range) = entry.range.filter(|_| entry.target != Target::Webhits) else { return Ok(None) };
    Ok(Some(count_with_removed(db, entry, range)?).filter(|&n| n != entry.rows))
}

/// How many rows an import has, and had before some were removed for their age.
fn count_with_removed(db: &mut Db, entry: &Entry, range: Range) -> Result<i64> {
    match with_removed(db, entry, range)? {
        Some(n) => Ok(n),
        None => count(db, entry.target, range),
    }
}

/// How many rows a table has between two ids.
pub(super) fn count(db: &mut Db, target: Target, Range { start, end }: Range) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM {} WHERE id BETWEEN ? AND ?", target.name());
    Ok(db.number(&sql, (start, end))?.unwrap_or(0))
}

/// Whether the range of an entry can be right, judging by its number of rows. A server may skip ids
/// (`auto_increment_increment`, duplicate rows), and rows of bots are deleted later.
///
/// # Errors
/// The connection is lost.
pub fn can_be_right(db: &mut Db, entry: &Entry) -> Result<bool> {
    let Some(range) = entry.range else { return Ok(true) };
    let n = count_with_removed(db, entry, range)?;
    let may_be_deleted = entry.target == Target::Web && n < entry.rows && range.end - range.start + 1 >= entry.rows;
    Ok(n == entry.rows || may_be_deleted)
}
