//! Filling columns of tables: the distinct keys with missing values are selected once, looked up
//! here, and written back through one temporary table of keys and one joined UPDATE.
//!
//! The number of statements does not depend on the number of rows. Every step fills only empty
//! columns, so it can be run again, and runs in one transaction if the engine has any; in two
//! parallel ones if there is much to write (see `write`).

pub mod countries;
pub mod domains;
pub mod hosts;
pub mod span;
pub mod user_info;
mod write;

use anyhow::Result;
use database::Db;
use kit::Usage;
use rustc_hash::FxHashSet;
use schema::tables::quote;

pub use span::{Span, When};

/// A table whose columns are filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    name: String,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filled {
    /// Distinct keys with a missing value.
    pub keys: u64,
    /// Rows that got a value; none in a dry run.
    pub rows: u64,
}

impl Table {
    /// The table `name` of the database that a session is in.
    ///
    /// # Errors
    /// The name contains anything but letters, digits and `_` ([`Usage`]).
    pub fn new(name: &str) -> Result<Self> {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Usage(format!("`{name}` is not the name of a table")).into());
        }
        Ok(Self { name: name.to_owned() })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn quoted(&self) -> String {
        quote(&self.name)
    }

    /// Its date column, quoted.
    fn date(&self) -> &'static str {
        if self.name == "sessionlog_metrics" { "`start`" } else { "`datetime`" }
    }

    /// The same column, with the alias `t`.
    fn t_date(&self) -> String {
        format!("t.{}", self.date())
    }
}

/// Whether a column is empty: NULL or the empty text.
fn empty(column: &str) -> String {
    format!("({column} IS NULL OR {column} = '')")
}

/// What lacks a value: the distinct keys in byte order, and where their rows are.
#[derive(Debug, Default)]
struct Missing {
    keys: Vec<String>,
    rows: write::Rows,
}

/// The distinct values of `column`, and the rows, where `condition` holds; the table is called `t`. The query
/// does not use DISTINCT: the server would follow an index on the column and fetch each row from somewhere
/// else, which takes several times as long as reading the rows in table order.
fn missing(db: &mut Db, table: &Table, column: &str, condition: &str) -> Result<Missing> {
    db.require(&[table.name()])?;
    let id = if db.has_ids(table.name())? { "t.id" } else { "NULL" };
    let sql =
        format!("SELECT {} t.{column}, {id} FROM {} t WHERE {condition}", db.released(table.name())?, table.quoted());
    let mut rows = write::Rows::default();
    let mut seen: FxHashSet<Box<str>> = FxHashSet::default();
    db.each(&sql, (), |row| {
        rows.add(row.uint(1));
        if let Some(text) = row.text(0)
            && !seen.contains(&*text)
        {
            seen.insert(text.into());
        }
        Ok(())
    })?;
    let mut keys: Vec<String> = seen.into_iter().map(String::from).collect();
    // keys are in the order of the index that they are inserted into
    keys.sort_unstable();
    Ok(Missing { keys, rows })
}
