//! How many rows are in the ranges of entries: that decides whether a range is right, since ids may have
//! gaps, and what may be deleted.

use anyhow::Result;

use super::entry::{Entry, Range, Target};
use crate::Db;

/// How many rows there are in the range of an entry, when it has one and they are not as many as came
/// from the file: some were deleted since, or others are among them.
///
/// # Errors
/// The server is lost.
pub fn drift(db: &mut Db, entry: &Entry) -> Result<Option<i64>> {
    let Some(range) = entry.range.filter(|_| entry.target != Target::Webhits) else { return Ok(None) };
    Ok(Some(count(db, entry.target, range)?).filter(|&n| n != entry.rows))
}

/// How many rows a table has between two ids.
pub(super) fn count(db: &mut Db, target: Target, Range { start, end }: Range) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM {} WHERE id BETWEEN ? AND ?", target.name());
    Ok(db.number(&sql, (start, end))?.unwrap_or(0))
}

/// Whether the range of an entry can be right, by the number of rows in it. A server may leave ids out
/// (`auto_increment_increment`, rows that were there already), and rows of bots are deleted later.
///
/// # Errors
/// The server is lost.
pub fn can_be_right(db: &mut Db, entry: &Entry) -> Result<bool> {
    let Some(range) = entry.range else { return Ok(true) };
    let n = count(db, entry.target, range)?;
    let may_be_deleted = entry.target == Target::Web && n < entry.rows && range.end - range.start + 1 >= entry.rows;
    Ok(n == entry.rows || may_be_deleted)
}
