//! Bulk write-back: values computed for distinct keys go into a temporary table, and one joined
//! UPDATE writes them to the rows.

use anyhow::Result;
use mysql::Value;
use schema::tables::quote;

use super::{Db, Verb};

/// A temporary table of keys and values.
#[derive(Debug, Clone, Copy)]
pub struct KeyTable<'a> {
    /// Its name.
    pub name: &'a str,
    /// Columns with their types, the key first. Texts compare as in all other tables.
    pub columns: &'a [(&'a str, &'a str)],
    /// How many columns, from the first, form the primary key.
    pub keys: usize,
}

/// What follows the name of a key table in a join that begins with the other table: every row is
/// looked up by its key, whatever the statistics say.
pub const BY_KEY: &str = "FORCE INDEX (PRIMARY)";

/// Where to store a key table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In a temporary InnoDB table.
    Disk,
    /// In the server's memory, where a lookup is slightly faster. Every row takes its full width, so
    /// this is for short columns, none of them TEXT, and for at most [`MEMORY_ROWS`] rows.
    Memory,
}

/// The maximum number of rows of a key table in memory.
pub const MEMORY_ROWS: usize = 200_000;

/// How many bytes they may take, including the server's index.
const MEMORY_BYTES: u32 = 256 << 20;

impl Db {
    /// What follows the name of `table` in a join that begins with a key table of its `id`s.
    /// According to its statistics, a table that was just filled is empty, so the server would read
    /// all of it for each key, which takes minutes instead of a tenth of a second. Empty if the primary
    /// key does not begin with `id`. In a table that is divided by month each key is looked up in each
    /// partition that the condition leaves, so the condition should name the time where it is known.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn by_id(&mut self, table: &str) -> Result<&'static str> {
        Ok(if self.has_ids(table)? { BY_KEY } else { "" })
    }

    /// Whether `id` is the primary key of `table`, or its beginning as in a table that is divided by month.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn has_ids(&mut self, table: &str) -> Result<bool> {
        let sql = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() \
                   AND table_name = ? AND index_name = 'PRIMARY' AND seq_in_index = 1 AND column_name = 'id'";
        Ok(self.number(sql, (table,))? == Some(1))
    }

    /// Creates the table, fills it, does `work` (an UPDATE that joins it), and drops it. If two keys
    /// are equal under the collation, the first row is kept.
    ///
    /// # Errors
    /// The server refuses a statement, or `work` fails.
    pub fn with_key_table<R, T>(
        &mut self,
        table: &KeyTable<'_>,
        rows: impl IntoIterator<Item = R>,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T>
    where
        R: IntoIterator<Item = Value>,
    {
        self.with_key_table_in(Store::Disk, table, rows, work)
    }

    /// The same with a given store.
    ///
    /// # Errors
    /// Those of [`Db::with_key_table`].
    pub fn with_key_table_in<R, T>(
        &mut self,
        store: Store,
        table: &KeyTable<'_>,
        rows: impl IntoIterator<Item = R>,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T>
    where
        R: IntoIterator<Item = Value>,
    {
        let engine = match store {
            Store::Disk => "InnoDB",
            Store::Memory => {
                // the server's default limit is 16 MB
                self.run(&format!("SET SESSION max_heap_table_size = {MEMORY_BYTES}"), ())?;
                "MEMORY"
            }
        };
        let name = quote(table.name);
        let drop = format!("DROP TEMPORARY TABLE IF EXISTS {name}");
        self.run(&drop, ())?;
        let columns: Vec<String> = table.columns.iter().map(|(name, ty)| format!("{} {ty}", quote(name))).collect();
        let keys: Vec<String> = table.columns.iter().take(table.keys).map(|(name, _)| quote(name)).collect();
        let charset = self.charset;
        self.run(
            &format!(
                "CREATE TEMPORARY TABLE {name} ({}, PRIMARY KEY ({})) ENGINE={engine} DEFAULT CHARSET={} COLLATE={}",
                columns.join(", "),
                keys.join(", "),
                charset.name(),
                charset.collation()
            ),
            (),
        )?;
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let mut insert = self.insert(Verb::Ignore, table.name, &names);
        for row in rows {
            insert.push(row)?;
        }
        insert.finish()?;
        let value = work(self)?;
        self.run(&drop, ())?;
        Ok(value)
    }
}
