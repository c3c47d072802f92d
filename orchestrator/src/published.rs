//! The published cells: what the summary tables contain now.

use anyhow::Result;
use database::Db;
use schema::asked::Figure;
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

/// A number of the tables of tools and resources, as it is in its table.
///
/// # Errors
/// A table is missing, or the connection is lost.
pub(crate) fn figure(hub: &mut Db, figure: Figure, month: Month, period: Period) -> Result<Option<String>> {
    hub.require(&[&format!("{}{}", hub.target().prefix, figure.table())])?;
    let table = hub.prefixed(figure.table());
    let label = month.label().to_string();
    let (sql, column) = match figure {
        Figure::Resource { resid, column } => {
            // usage has the first day of the month, copies of statistics of tools have day zero
            let labels = format!("'{label}', '{}'", month.start());
            let sql = format!(
                "SELECT `{column}` FROM {table} WHERE resid = {resid} AND `datetime` IN ({labels}) AND period = {period} \
                 ORDER BY id DESC LIMIT 1"
            );
            (sql, column)
        }
        Figure::Tool { resid, column } => {
            let of_row = format!("resid = {resid} AND `datetime` = '{label}' AND period = {period}");
            (format!("SELECT `{column}` FROM {table} WHERE {of_row} ORDER BY id LIMIT 1"), column)
        }
        Figure::Top { resid, top, rank } => {
            let of_tool = format!(
                "SELECT MIN(id) FROM {} WHERE resid = {resid} AND restype = 7 AND `datetime` = '{label}' AND period = {period}",
                hub.prefixed("resource_stats_tools")
            );
            (format!("SELECT value FROM {table} WHERE id = ({of_tool}) AND top = {top} AND `rank` = {rank}"), "value")
        }
        Figure::List { top, rank } => {
            let of_list = format!("top = {top} AND `rank` = {rank} AND `datetime` = '{label}' AND period = {period}");
            (format!("SELECT value FROM {table} WHERE {of_list} LIMIT 1"), "value")
        }
    };
    let is_double = matches!(figure, Figure::Tool { .. }) && column.contains('_') && !column.ends_with("_cpus");
    let text = |row: database::Cells<'_>| {
        if is_double { row.float(0).map(|n| n.to_string()) } else { row.int(0).map(|n| n.to_string()) }
    };
    Ok(hub.all(&sql, (), |row| Ok(text(row)))?.into_iter().flatten().next())
}

/// Whether a resource is a tool.
///
/// # Errors
/// The table is missing, or the connection is lost.
pub(crate) fn is_tool(hub: &mut Db, resid: i64) -> Result<bool> {
    hub.require(&[&format!("{}resources", hub.target().prefix)])?;
    let sql = format!("SELECT type FROM {} WHERE id = {resid}", hub.prefixed("resources"));
    Ok(hub.number(&sql, ())? == Some(7))
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
