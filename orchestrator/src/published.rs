//! The published cells: what the summary tables contain now.

use anyhow::Result;
use database::Db;
use schema::cells::Summary;
use schema::usage::Cells;
use schema::{Month, Period, Place, Stamp};

/// The cells of a month and a period. If a cell exists several times, the last one counts, as on the hub's
/// pages.
///
/// # Errors
/// A table is missing, or the connection is lost.
pub(crate) fn cells(db: &mut Db, month: Month, period: Period) -> Result<Cells> {
    let mut cells = Cells::default();
    for summary in Summary::ALL {
        let table = summary.table();
        db.require(&[table])?;
        let sql = format!("SELECT rowid, colid, value FROM {table} WHERE `datetime` = ? AND period = ?");
        db.each(&sql, (month.label().to_string(), period.code()), |row| {
            let number = |at| row.int(at).and_then(|n| u8::try_from(n).ok());
            if let (Some(rowid), Some(colid)) = (number(0), number(1)) {
                let value = row.text(2).unwrap_or_default().into_owned();
                cells.insert(Place::new(summary, rowid, colid), period.code(), value);
            }
            Ok(())
        })?;
    }
    Ok(cells)
}

/// The last published month.
///
/// # Errors
/// The table is missing, or the connection is lost.
pub(crate) fn last_month(db: &mut Db) -> Result<Option<Month>> {
    db.require(&[Summary::Users.table()])?;
    let sql = "SELECT MAX(`datetime`) FROM summary_user_vals WHERE period = ?";
    let label = db.all(sql, (Period::Month.code(),), |row| Ok(row.stamp(0)))?.into_iter().flatten().next();
    Ok(label.and_then(|label: Stamp| Month::new(label.year(), label.month_of_year())))
}
