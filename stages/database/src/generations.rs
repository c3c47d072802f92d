//! Which months have changed since a state was made from the tables: the table `hz_generations`.
//!
//! It has a number for each month, which whoever changes rows raises, and in the row `tables` a number for all of
//! them. A writer that begins compares when the tables were last changed with what the last writer noted; after
//! a program that knows nothing of this (legacy, the port, a restored dump, a killed run) the number of all is drawn
//! again. Until `summarize` makes the first state from tables there is no row, and nothing of this costs anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hub::config::Which;
use schema::tables::{GENERATIONS, WRITER};
use schema::{Month, text};

use crate::connection::Db;
use crate::token::{random_bits, token};

/// The tables whose rows a state holds.
pub const COUNTED: [&str; 4] = ["toolstart", "userlogin", "web", "websessions"];

/// The row of all tables.
const TABLES: &str = "tables";

/// The row of changes whose months are not known.
const EVERY: &str = "every";

/// When a table was last changed is not known.
const UNKNOWN: &str = "unknown";

/// The numbers that a state is compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generations {
    /// Drawn again after a program that raises no numbers.
    pub tables: u64,
    /// Of changes whose months are not known.
    pub every: u64,
    /// Of the months that were ever changed.
    pub months: BTreeMap<Month, u64>,
}

impl Generations {
    /// The numbers of the months through `last`.
    ///
    /// # Errors
    /// Nobody watches these tables, or the server fails.
    pub fn read(db: &mut Db, last: Month) -> Result<Self> {
        let mut found = Self { tables: 0, every: 0, months: BTreeMap::new() };
        require(db.has_table(GENERATIONS)?)?;
        db.each("SELECT what, generation FROM hz_generations", (), |row| {
            let (what, n) = (row.text(0).unwrap_or_default(), row.uint(1).unwrap_or(0));
            match what.as_ref() {
                TABLES => found.tables = n,
                EVERY => found.every = n,
                month => {
                    let month = month.parse().ok().filter(|month| *month <= last);
                    found.months.extend(month.map(|month| (month, n)));
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Why a state of these numbers is no longer valid, if so.
    #[must_use]
    pub fn differ(&self, now: &Self) -> Option<String> {
        if self.tables != now.tables {
            return Some(
                "the tables are of another database, were changed by a program that notes no changes (legacy, the port, \
                 a restored dump), a run was killed, or the server was restarted"
                    .to_owned(),
            );
        }
        if self.every != now.every {
            return Some("rows of any month were changed since".to_owned());
        }
        let months: BTreeSet<&Month> = self.months.keys().chain(now.months.keys()).collect();
        let mut changed = months.into_iter().filter(|month| self.months.get(month) != now.months.get(month));
        changed.next().map(|month| format!("rows of {month} were changed since"))
    }
}

/// For a process that must be the writer, because writers notice changes.
///
/// # Errors
/// There is no row of the writer to be held.
pub fn require_writer() -> Result<()> {
    require(token().is_some())
}

fn require(is_there: bool) -> Result<()> {
    ensure!(
        is_there,
        "a state from tables needs the tables {GENERATIONS} and {WRITER}, by which changes are noticed: \
         `hzmetrics migrate --apply` creates them"
    );
    Ok(())
}

/// From now on changes are noticed. Returns when the tables were last changed.
///
/// # Errors
/// The server fails.
pub fn watch(db: &mut Db) -> Result<String> {
    let now = last_changes(db)?;
    if db.has_table(GENERATIONS)? && seen(db)?.is_none() {
        let sql = "INSERT INTO hz_generations (what, generation, seen) VALUES (?, ?, ?)";
        db.run(sql, (TABLES, draw()?, &now))?;
    }
    db.watched = None;
    Ok(now)
}

/// No state holds any more that was made before.
///
/// # Errors
/// The server fails.
pub fn forget(db: &mut Db) -> Result<()> {
    if db.has_table(GENERATIONS)? {
        db.run("DELETE FROM hz_generations", ())?;
        db.watched = None;
    }
    Ok(())
}

/// When each table was last changed, as far as the server knows.
///
/// # Errors
/// The server fails.
pub fn last_changes(db: &mut Db) -> Result<String> {
    let mut texts = Vec::new();
    for table in COUNTED {
        let sql = "SELECT CONCAT_WS(' ', engine, create_time, update_time) FROM information_schema.tables \
                   WHERE table_schema = DATABASE() AND table_name = ? AND engine IN ('InnoDB', 'MyISAM', 'Aria') \
                   AND update_time IS NOT NULL";
        let when = db.texts(sql, (table,))?.into_iter().next();
        let is_empty = !db.has_table(table)? || db.number(&format!("SELECT 1 FROM {table} LIMIT 1"), ())?.is_none();
        let when = if is_empty { "empty".to_owned() } else { when.unwrap_or_else(|| UNKNOWN.to_owned()) };
        texts.push(format!("{table} {when}"));
    }
    Ok(texts.join(", "))
}

/// Whether two results of [`last_changes`] say that nothing was changed between them.
#[must_use]
pub fn are_same(before: &str, now: &str) -> bool {
    before == now && !now.contains(UNKNOWN)
}

/// What the last writer noted; `None` if nobody watches.
fn seen(db: &mut Db) -> Result<Option<String>> {
    let sql = "SELECT IFNULL(seen, '') FROM hz_generations WHERE what = 'tables'";
    Ok(db.texts(sql, ())?.into_iter().next())
}

fn draw() -> Result<u64> {
    let [a, b, c, d, e, f, g, h, ..] = random_bits()?;
    Ok(u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1)
}

/// A writer begins: looks whether somebody else has written since the last one ended.
pub(crate) fn begin(db: &mut Db) -> Result<()> {
    if !db.has_table(GENERATIONS)? {
        return Ok(());
    }
    let Some(seen) = seen(db)? else { return Ok(()) };
    if !are_same(&seen, &last_changes(db)?) {
        db.run("UPDATE hz_generations SET generation = ? WHERE what = 'tables'", (draw()?,))?;
    }
    Ok(())
}

/// A writer ends: notes when the tables were last changed. Times are whole seconds, so it waits for the end of this
/// one; whoever takes the lock next changes them in another.
pub(crate) fn end(db: &mut Db, token: &str) -> Result<()> {
    if !db.has_table(GENERATIONS)? || seen(db)?.is_none() {
        return Ok(());
    }
    let now = last_changes(db)?;
    let clock = "SELECT CAST(NOW() AS char), 1000000 - MICROSECOND(NOW(6))";
    let clock =
        db.all(clock, (), |row| Ok((row.text(0).unwrap_or_default().into_owned(), row.uint(1).unwrap_or(0))))?;
    // whoever lost the row of the writer knows nothing of the tables any more
    let sql = "UPDATE hz_generations g JOIN hz_writer w ON w.part = 'owner' AND w.token = ? SET g.seen = ? \
               WHERE g.what = 'tables'";
    db.run(sql, (token, text::cut_bytes(&now, 1000)))?;
    if let Some((_, rest)) = clock.first().filter(|(second, _)| now.contains(second.as_str())) {
        std::thread::sleep(Duration::from_micros(*rest));
    }
    Ok(())
}

impl Db {
    /// Whether states were made from the tables of this session.
    fn is_watched(&mut self) -> Result<bool> {
        if self.which() != Which::Metrics {
            return Ok(false);
        }
        if let Some(known) = self.watched {
            return Ok(known);
        }
        let is_watched = self.has_table(GENERATIONS)? && seen(self)?.is_some();
        self.watched = Some(is_watched);
        Ok(is_watched)
    }

    /// Notes, before it happens, that rows of these months change that cells are computed from.
    ///
    /// # Errors
    /// The server fails.
    pub fn will_change(&mut self, months: impl IntoIterator<Item = Month>) -> Result<()> {
        self.raise(|_| Ok(months.into_iter().map(|month| month.to_string()).collect()))
    }

    /// As [`Db::will_change`], of rows of any month.
    ///
    /// # Errors
    /// The server fails.
    pub fn will_change_every_month(&mut self) -> Result<()> {
        self.raise(|_| Ok(BTreeSet::from([EVERY.to_owned()])))
    }

    /// As [`Db::will_change`], of rows that are found by `rows`: what follows FROM, with `t` for the table.
    ///
    /// # Errors
    /// The server fails.
    pub fn will_change_rows(&mut self, rows: &str) -> Result<()> {
        self.raise(|db| db.months_of(rows))
    }

    /// Notes that the transaction changes nothing that cells are computed from.
    pub const fn changes_no_cell(&mut self) {
        self.told = true;
    }

    /// The months of the rows that are found by `rows`, as for [`Db::will_change_rows`].
    ///
    /// # Errors
    /// The server fails.
    pub fn months_of_rows(&mut self, rows: &str) -> Result<BTreeSet<Month>> {
        Ok(self.months_of(rows)?.iter().filter_map(|month| month.parse().ok()).collect())
    }

    fn months_of(&mut self, rows: &str) -> Result<BTreeSet<String>> {
        let sql = format!("SELECT DISTINCT YEAR(t.`datetime`), MONTH(t.`datetime`), DAY(t.`datetime`) = 0 FROM {rows}");
        let mut months = BTreeSet::new();
        self.each(&sql, (), |row| {
            let number = |at| row.int(at).and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
            match Month::new(number(0), u8::try_from(number(1)).unwrap_or(0)) {
                // day zero is in the month before
                Some(month) if number(2) == 0 => months.insert(month.to_string()),
                Some(month) if month.ordinal() > 0 => months.insert(month.previous().to_string()),
                _ => months.insert(EVERY.to_owned()),
            };
            Ok(())
        })?;
        Ok(months)
    }

    fn raise(&mut self, of: impl FnOnce(&mut Self) -> Result<BTreeSet<String>>) -> Result<()> {
        self.told = true;
        if !self.is_watched()? {
            return Ok(());
        }
        let what = of(self).context("looking which months change")?;
        if what.is_empty() {
            return Ok(());
        }
        let rows: Vec<String> = what.iter().map(|what| format!("('{what}', 1)")).collect();
        let sql = format!(
            "INSERT INTO hz_generations (what, generation) VALUES {} ON DUPLICATE KEY UPDATE generation = generation + 1",
            rows.join(", ")
        );
        self.run(&sql, ())?;
        Ok(())
    }

    /// After the work of a transaction that did not say what it changes.
    pub(crate) fn suppose_changes(&mut self, tables: &[&str]) -> Result<()> {
        let is_told = std::mem::replace(&mut self.told, false);
        if is_told || !tables.iter().any(|table| COUNTED.contains(table)) {
            return Ok(());
        }
        self.will_change_every_month()
    }
}
