//! Migration 1004: the tables that had no primary key get an invisible one. Clusters may require a key
//! (`wsrep_mode=REQUIRED_PRIMARY_KEY`), and find the rows to change by it; `SELECT *` and an INSERT without a list of
//! columns do not see the column.

use anyhow::Result;
use database::Db;
use schema::tables::{self, HIDDEN_KEY, quote};

/// The tables that lack it, in the order of the definitions. A table that was given another primary key needs none.
///
/// # Errors
/// The summaries are missing, or the connection is lost.
pub(super) fn lacking(db: &mut Db) -> Result<Vec<&'static tables::Table>> {
    db.number("SELECT 1 FROM summary_user_vals LIMIT 0", ())?;
    let sql = "SELECT t.table_name FROM information_schema.tables t WHERE t.table_schema = DATABASE() \
               AND t.table_name NOT IN (SELECT s.table_name FROM information_schema.statistics s \
               WHERE s.table_schema = DATABASE() AND s.index_name = 'PRIMARY')";
    let without = db.texts(sql, ())?;
    let has_hidden = |table: &&tables::Table| table.column(HIDDEN_KEY).is_some();
    Ok(tables::METRICS
        .iter()
        .filter(has_hidden)
        .filter(|table| without.iter().any(|name| name == table.name))
        .collect())
}

/// Adds it, to each table by one statement, so that an interrupted run can be repeated. The rows keep their order.
///
/// # Errors
/// The server refuses a statement.
pub(super) fn add(db: &mut Db) -> Result<()> {
    for table in lacking(db)? {
        let Some(column) = table.column(HIDDEN_KEY) else { continue };
        let (at, definition, key) = (quote(table.name), column.definition(), quote(HIDDEN_KEY));
        db.run(&format!("ALTER TABLE {at} ADD COLUMN {definition}, ADD PRIMARY KEY ({key})"), ())?;
    }
    Ok(())
}
