//! The rows of a table, sorted by the bytes of their values, from a thread of its own.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use anyhow::{Result, anyhow};
use database::Db;
use schema::Month;
use schema::tables::quote;

use super::columns::Table;
use super::merge::Row;

/// How many rows are handed over at a time, and how many such batches wait.
const BATCH: usize = 500;
const WAITING: usize = 4;

/// A stretch of time that is read at once; all rows if neither end is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stretch {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

impl Stretch {
    /// A month with its label, which is its day zero.
    pub(super) fn month(month: Month) -> Self {
        Self { from: Some(month.label().to_string()), to: Some(month.next().label().to_string()) }
    }

    pub(super) fn condition(&self, column: &str) -> String {
        let end = |end: &Option<String>, order: &str| end.as_ref().map(|at| format!("t.{column} {order} '{at}'"));
        let ends: Vec<String> = [end(&self.from, ">="), end(&self.to, "<")].into_iter().flatten().collect();
        if ends.is_empty() { String::new() } else { format!(" WHERE {}", ends.join(" AND ")) }
    }
}

fn statement(table: &Table, charset: &str, condition: &str) -> String {
    let cast = |sql: &str| format!("CAST(CONVERT({sql} USING {charset}) AS BINARY)");
    let columns: Vec<String> = table.columns.iter().map(|column| cast(&column.sql)).collect();
    let order: Vec<String> = (1..=columns.len()).map(|at| at.to_string()).collect();
    format!("SELECT {} FROM {} t{condition} ORDER BY {}", columns.join(", "), quote(&table.name), order.join(", "))
}

type Batch = Result<Vec<Row>>;

/// Rows that arrive from another thread.
pub(super) struct Rows {
    from: Receiver<Batch>,
    batch: std::vec::IntoIter<Row>,
}

impl Iterator for Rows {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.batch.next() {
                return Some(Ok(row));
            }
            match self.from.recv().ok()? {
                Ok(batch) => self.batch = batch.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Begins to read a table.
pub(super) fn read<'scope>(
    scope: &'scope Scope<'scope, '_>,
    db: &'scope mut Db,
    table: &'scope Table,
    condition: String,
) -> Rows {
    let (to, from) = sync_channel(WAITING);
    scope.spawn(move || {
        if let Err(error) = send(db, table, &condition, &to) {
            let database = db.target().database(db.which()).to_owned();
            let _ = to.send(Err(error.context(format!("reading {} of {database}", table.name))));
        }
    });
    Rows { from, batch: Vec::new().into_iter() }
}

fn send(db: &mut Db, table: &Table, condition: &str, to: &SyncSender<Batch>) -> Result<()> {
    let sql = statement(table, db.charset().name(), condition);
    let gone = || anyhow!("nobody reads on");
    let (mut batch, mut last): (Vec<Row>, Option<Row>) = (Vec::new(), None);
    db.each(&sql, (), |cells| {
        let row: Row = (0..cells.len()).map(|at| cells.bytes(at).map(std::borrow::Cow::into_owned)).collect();
        // long texts are sorted by their beginning only
        if last.as_ref().is_some_and(|last| *last > row) {
            return Err(anyhow!("the server returned rows in another order than asked for"));
        }
        last = Some(row.clone());
        batch.push(row);
        if batch.len() == BATCH {
            to.send(Ok(std::mem::take(&mut batch))).map_err(|_| gone())?;
        }
        Ok(())
    })?;
    to.send(Ok(batch)).map_err(|_| gone())
}

/// The condition for the rows of months in a table without dates of its own; `None` if it has no months.
pub(super) fn undated(table: &Table, months: &[Month]) -> Option<String> {
    let either = |conditions: Vec<String>| format!(" WHERE ({})", conditions.join(" OR "));
    if table.name == "imported_sources" {
        let digits = |month: &Month| month.to_string().replace('-', "");
        return Some(either(months.iter().map(|month| format!("t.filename LIKE '%-{}%'", digits(month))).collect()));
    }
    if table.name == "sessionlog_metrics" {
        let dates = |month: &Month| Stretch::month(*month).condition("start").replacen(" WHERE ", "(", 1) + ")";
        return Some(either(months.iter().map(dates).collect()));
    }
    let parent = table.name.strip_suffix("_topvals").filter(|parent| parent.ends_with("resource_stats_tools"))?;
    let dates = |month: &Month| {
        Stretch::month(*month).condition("datetime").replacen(" WHERE ", "(", 1).replace("t.", "r.") + ")"
    };
    let rows = either(months.iter().map(dates).collect());
    Some(format!(" WHERE t.id IN (SELECT r.id FROM {} r{rows})", quote(parent)))
}
