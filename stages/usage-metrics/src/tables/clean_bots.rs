//! The step clean-bots on tables: requests and sessions of the domains and hosts in `exclude_list`.
//! The server compares, so its collation and its LIKE decide.

use anyhow::Result;
use database::{Db, KeyTable, Value};
use enrich::table::Span;
use schema::tables::quote;

const IDS: KeyTable<'_> = KeyTable { name: "hzmetrics_bots", columns: &[("id", "bigint NOT NULL")], keys: 1 };

/// The filters used here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) domains: Vec<String>,
    pub(crate) hosts: Vec<String>,
}

impl Filters {
    /// Reads the list.
    ///
    /// # Errors
    /// The list is missing, or the server fails.
    pub(crate) fn read(db: &mut Db) -> Result<Self> {
        db.require(&["exclude_list"])?;
        let mut read =
            |kind: &str| db.texts("SELECT DISTINCT filter FROM exclude_list WHERE type = ? ORDER BY filter", (kind,));
        Ok(Self { domains: read("domain")?, hosts: read("host")? })
    }

    /// The rows in the span that match.
    ///
    /// # Errors
    /// The table is missing, or the server fails.
    pub(crate) fn find(&self, db: &mut Db, table: &str, span: &Span) -> Result<Vec<u64>> {
        db.require(&[table])?;
        let mut conditions = Vec::new();
        if !self.domains.is_empty() {
            conditions.push(format!("domain IN ({})", vec!["?"; self.domains.len()].join(", ")));
        }
        conditions.extend(self.hosts.iter().map(|_| "host LIKE ?".to_owned()));
        if conditions.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {} id FROM {} WHERE ({}){}",
            db.released(table)?,
            quote(table),
            conditions.join(" OR "),
            span.and("`datetime`")
        );
        let filters: Vec<Value> = self.domains.iter().chain(&self.hosts).map(Value::from).collect();
        let mut ids = db.all(&sql, filters, |row| Ok(row.uint(0).unwrap_or(0)))?;
        ids.sort_unstable();
        Ok(ids)
    }
}

/// Deletes the matching rows in the span; returns how many there were.
///
/// # Errors
/// A table is missing, or the server fails.
pub(crate) fn clean(db: &mut Db, table: &str, span: &Span) -> Result<u64> {
    let filters = Filters::read(db)?;
    db.transaction_with_retry(&format!("removing bots from {table}"), &[table], |db| {
        // found first and deleted by id: a DELETE with a search locks every row that it examines
        let ids = filters.find(db, table, span)?;
        if ids.is_empty() {
            db.changes_no_cell();
            return Ok(0);
        }
        let by_id = db.by_id(table)?;
        let time = span.and("t.`datetime`");
        let rows = format!("{} k STRAIGHT_JOIN {} t {by_id} ON t.id = k.id{time}", IDS.name, quote(table));
        // not every engine says how many rows it has deleted
        db.with_key_table(&IDS, ids.iter().map(|id| [Value::from(*id)]), |db| {
            db.will_change_rows(&rows)?;
            Ok(db.run(&format!("DELETE t FROM {rows}"), ())?)
        })?;
        Ok(ids.len() as u64)
    })
}
