//! Removes rows of months that a state stands for: in small transactions, or whole partitions.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use schema::Month;
use schema::partitions;
use schema::tables::quote;

use super::kept::{Gone, Group};
use crate::Db;

/// How many rows the first transaction removes, and at most any of them.
const FIRST_BATCH: u32 = 100;
const MOST: u32 = 5_000;

/// How long a transaction may take that removes rows: others wait for it.
const LONG: Duration = Duration::from_millis(500);

/// Rows of a table that are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The table.
    pub table: &'static str,
    /// How many there are.
    pub rows: u64,
    /// How many bytes of the table they take, as far as the server knows.
    pub bytes: u64,
    /// What they fulfil.
    condition: String,
    /// The month after them.
    stop: Month,
}

/// The rows of a group that are to go, table by table.
///
/// # Errors
/// The server fails.
pub fn removals(db: &mut Db, group: Group, gone: &Gone) -> Result<Vec<Removal>> {
    let mut list = Vec::new();
    for &table in group.tables() {
        if !db.has_table(table)? {
            continue;
        }
        let condition = gone.condition();
        let count = |db: &mut Db, which: &str| {
            let n = db.number(&format!("SELECT COUNT(*) FROM {table} WHERE {which}"), ())?;
            Ok::<_, anyhow::Error>(n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
        };
        let rows = count(db, &condition)?;
        let sql = "SELECT data_length + index_length FROM information_schema.tables \
                   WHERE table_schema = DATABASE() AND table_name = ?";
        let size = db.number(sql, (table,))?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let all = if rows > 0 { count(db, "1")? } else { 1 };
        let bytes = u64::try_from(u128::from(size) * u128::from(rows) / u128::from(all.max(1))).unwrap_or(size);
        list.push(Removal { table, rows, bytes, condition, stop: gone.rows.next() });
    }
    Ok(list)
}

/// The number of the newest row of a table if it is among those that are to go: ids of new rows follow that of the
/// newest one.
///
/// # Errors
/// The server fails.
pub fn left(db: &mut Db, group: Group, through: Month) -> Result<Option<&'static str>> {
    let stop = through.next().start();
    for &table in group.tables() {
        let sql = format!("SELECT `datetime` < '{stop}' FROM {table} ORDER BY id DESC LIMIT 1");
        if db.has_table(table)? && db.number(&sql, ())? == Some(1) {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// Fewer rows if those took long, more if they did not.
fn next_batch(batch: u32, took: Duration) -> u32 {
    if took > LONG {
        (batch / 2).max(1)
    } else if took < LONG / 4 {
        batch.saturating_mul(2).min(MOST)
    } else {
        batch
    }
}

impl Removal {
    /// Removes the rows. After each transaction, of about half a second, `between` hears how many rows it removed; there
    /// others may change anything.
    ///
    /// # Errors
    /// The server refuses a statement, or `between` fails.
    pub fn run(&self, db: &mut Db, mut between: impl FnMut(&mut Db, u64) -> Result<()>) -> Result<()> {
        self.partitions(db).with_context(|| format!("removing partitions of {}", self.table))?;
        let mut batch = FIRST_BATCH;
        loop {
            let begin = Instant::now();
            let doing = format!("removing old rows of {}", self.table);
            let gone = db.transaction_with_retry(&doing, &[self.table], |db| {
                // nobody reads these rows any more
                db.changes_no_cell();
                db.delete(self.table, &format!("{} LIMIT {batch}", self.condition), ())
            })?;
            if gone == 0 {
                return Ok(());
            }
            batch = next_batch(batch, begin.elapsed());
            between(db, gone)?;
        }
    }

    /// Empties the partitions of these months at once, and makes the first partition end where they end.
    fn partitions(&self, db: &mut Db) -> Result<()> {
        let names = db.partitions_before(self.table, self.stop)?;
        if names.is_empty() {
            return Ok(());
        }
        let list = names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
        let at = quote(self.table);
        db.alter(&format!("ALTER TABLE {at} TRUNCATE PARTITION {list}"))?;
        db.alter(&format!("ALTER TABLE {at} REORGANIZE PARTITION {list} INTO ({})", partitions::earlier(self.stop)))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_stay_short_on_a_slow_server() {
        let (slow, fast) = (Duration::from_secs(3), Duration::from_millis(9));
        let after = |batch, took: &[Duration]| took.iter().fold(batch, |batch, took| next_batch(batch, *took));
        assert_eq!(after(FIRST_BATCH, &[fast; 9]), MOST);
        assert_eq!(after(FIRST_BATCH, &[slow; 20]), 1);
        assert_eq!(after(800, &[slow, fast, LONG / 2]), 800);
    }
}
