//! Migration 1004: the tables that had no primary key get one. Clusters may require it
//! (`wsrep_mode=REQUIRED_PRIMARY_KEY`), and find the rows to change by it.
//!
//! Where a unique key can be the primary key, its columns are, so that rows stay in its order. The other tables get an
//! invisible column: `SELECT *` and an INSERT without a list of columns do not see it.

use anyhow::Result;
use database::Db;
use schema::tables::{self, HIDDEN_KEY, KeyKind, Table, quote};

/// The tables that lack it, in the order of the definitions. A table that was given another primary key needs none.
///
/// # Errors
/// The summaries are missing, or the connection is lost.
pub(super) fn lacking(db: &mut Db) -> Result<Vec<&'static Table>> {
    db.number("SELECT 1 FROM summary_user_vals LIMIT 0", ())?;
    let sql = "SELECT t.table_name FROM information_schema.tables t WHERE t.table_schema = DATABASE() \
               AND t.table_name NOT IN (SELECT s.table_name FROM information_schema.statistics s \
               WHERE s.table_schema = DATABASE() AND s.index_name = 'PRIMARY')";
    let without = db.texts(sql, ())?;
    let is_without = |table: &&Table| without.iter().any(|name| name == table.name);
    Ok(tables::METRICS.iter().filter(|table| had_none(table)).filter(is_without).collect())
}

/// Whether the original table has no primary key.
fn had_none(table: &Table) -> bool {
    let is_also_unique = |columns| table.keys.iter().any(|key| key.kind == KeyKind::Unique && key.columns == columns);
    table.column(HIDDEN_KEY).is_some() || table.primary().is_some_and(|key| is_also_unique(key.columns))
}

/// Adds it, to each table by one statement, so that an interrupted run can be repeated. The rows keep their order.
///
/// # Errors
/// The server refuses a statement.
pub(super) fn add(db: &mut Db) -> Result<()> {
    for table in lacking(db)? {
        let Some(key) = table.primary() else { continue };
        let column = table.column(HIDDEN_KEY).map(|column| format!("ADD COLUMN {}, ", column.definition()));
        let column = column.unwrap_or_default();
        db.run(&format!("ALTER TABLE {} {column}ADD {}", quote(table.name), key.definition()), ())?;
    }
    Ok(())
}
