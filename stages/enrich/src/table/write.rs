//! Writing values back: a temporary table of the keys, and one UPDATE that joins it.
//!
//! A long UPDATE keeps only one core of the server busy. If a step has many adjacent rows to write,
//! two sessions each write one half of them in parallel, split by `id`, each in its own
//! transaction. If one fails, the other's rows stay written; the next run finds the rest, because
//! every step examines only empty columns.

use std::thread;

use anyhow::{Result, anyhow};
use database::{BY_KEY, Db, KeyTable, MEMORY_ROWS, Store, Value};

use super::Table;

/// From how many rows on two sessions pay off: with fewer, the second one costs more than it saves.
const MANY: u64 = 50_000;

/// One `id` out of this many rows is kept to find the middle.
const SAMPLE: u64 = 512;

/// Where rows are: how many there are, between which `id`s, and where their middle is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rows {
    n: u64,
    ends: Option<(u64, u64)>,
    sample: Vec<u64>,
}

impl Rows {
    /// Adds a row; `id` is `None` in a table without such a key.
    pub(super) fn add(&mut self, id: Option<u64>) {
        self.n += 1;
        let Some(id) = id else { return };
        self.ends = Some(self.ends.map_or((id, id), |(first, last)| (first.min(id), last.max(id))));
        if self.n.is_multiple_of(SAMPLE) {
            self.sample.push(id);
        }
    }

    /// The ranges of `id`, both ends included, that two sessions write, with about as many rows
    /// each, so that neither waits long for the other at the border. `None` if one session is as
    /// good: for few rows, or rows so scattered that scanning from the first to the last would
    /// mostly read others.
    fn halves(mut self) -> Option<[(u64, u64); 2]> {
        let (first, last) = self.ends?;
        if self.n < MANY || (last - first) / 2 >= self.n {
            return None;
        }
        let at = self.sample.len() / 2;
        let middle = *self.sample.select_nth_unstable(at).1;
        (middle < last).then_some([(first, middle), (middle + 1, last)])
    }
}

/// What to write, and where.
pub(super) struct Write<'a> {
    /// The name of the values, for messages.
    pub what: &'a str,
    /// The table of keys; `k` below.
    pub keys: &'a KeyTable<'a>,
    /// Whether all its columns are short, and none is a TEXT.
    pub short: bool,
    /// The condition that joins the table `t` with the keys.
    pub on: &'a str,
    /// The assignment.
    pub set: &'a str,
    /// Which rows of `t`.
    pub condition: &'a str,
    /// Whether there may be matching rows that the search for missing values did not see.
    pub elsewhere: bool,
}

impl Write<'_> {
    /// Writes `rows` of keys and values to the table whose `missing` rows were found, and returns
    /// how many rows have changed.
    ///
    /// # Errors
    /// The server fails.
    pub(super) fn run<const N: usize>(
        &self,
        db: &mut Db,
        table: &Table,
        rows: &[[Value; N]],
        missing: Rows,
    ) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        let halves = missing.halves().filter(|_| db.is_transactional(&[table.name()]).unwrap_or(false));
        // if the server allows no second session, one does all the work
        let Some((halves, mut second)) = halves.and_then(|halves| Some((halves, db.another().ok()?))) else {
            return self.session(db, table, rows, &[self.update(table, "", "")], true);
        };
        let [lower, upper] = halves.map(|(first, last)| {
            let within = format!(" AND t.id BETWEEN {first} AND {last}");
            self.update(table, BY_KEY, &within)
        });
        let mut lower = vec![lower];
        if self.elsewhere {
            let [(first, _), (_, last)] = halves;
            lower.push(self.update(table, "", &format!(" AND (t.id < {first} OR t.id > {last})")));
        }
        if counts(table) {
            // now, because each would wait for the end of the other
            db.will_change_rows(&format!("{} t WHERE {}", table.quoted(), self.condition))?;
        }
        thread::scope(|scope| {
            let upper = scope.spawn(|| self.session(&mut second, table, rows, &[upper], false));
            let lower = self.session(db, table, rows, &lower, false);
            let upper = upper.join().unwrap_or_else(|_| Err(anyhow!("the second session ended")));
            Ok(lower? + upper?)
        })
    }

    /// One transaction with these statements; returns how many rows have changed. `notes`: it notes the months
    /// that it changes.
    fn session<const N: usize>(
        &self,
        db: &mut Db,
        table: &Table,
        rows: &[[Value; N]],
        updates: &[Update],
        notes: bool,
    ) -> Result<u64> {
        let doing = format!("writing {} to {}", self.what, table.name());
        let store = if self.short && rows.len() <= MEMORY_ROWS { Store::Memory } else { Store::Disk };
        db.transaction_with_retry(&doing, &[table.name()], |db| {
            db.with_key_table_in(store, self.keys, rows.iter().cloned(), |db| {
                db.changes_no_cell();
                for update in updates.iter().filter(|_| notes && counts(table)) {
                    db.will_change_rows(&update.rows())?;
                }
                let mut n = 0;
                for update in updates {
                    n +=
                        db.run(&format!("UPDATE {} SET {} WHERE {}", update.tables, self.set, update.condition), ())?;
                }
                Ok(n)
            })
        })
    }

    /// The table comes first: its rows are then updated in the order in which they are stored, which for
    /// a month is three times as fast as going by keys; for a few rows the server uses an index.
    fn update(&self, table: &Table, index: &str, within: &str) -> Update {
        let tables = format!("{} t {index} STRAIGHT_JOIN {} k {BY_KEY} ON {}", table.quoted(), self.keys.name, self.on);
        Update { tables, condition: format!("({}){within}", self.condition) }
    }
}

/// Whether cells depend on host names, domains or countries of a table.
fn counts(table: &Table) -> bool {
    table.name() == "websessions"
}

/// An UPDATE without its assignment.
struct Update {
    tables: String,
    condition: String,
}

impl Update {
    /// What follows FROM in a search for its rows.
    fn rows(&self) -> String {
        format!("{} WHERE {}", self.tables, self.condition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halves(ids: impl IntoIterator<Item = u64>) -> Option<[(u64, u64); 2]> {
        let mut rows = Rows::default();
        ids.into_iter().for_each(|id| rows.add(Some(id)));
        rows.halves()
    }

    #[test]
    fn both_halves_have_about_the_same_number_of_rows() {
        assert_eq!(halves(1..=MANY - 1), None, "few");
        let [(first, middle), (next, last)] = halves(1..=MANY).unwrap();
        assert_eq!((first, next, last), (1, middle + 1, MANY));
        assert!(middle.abs_diff(MANY / 2) <= SAMPLE, "{middle}");
        // dense below 100,000, every fourth id above: the middle is by rows
        let ids = || (1..=100_000).chain((100_004..=300_000).step_by(4));
        let [(_, middle), _] = halves(ids()).unwrap();
        assert!(middle.abs_diff(75_000) <= 2 * SAMPLE, "{middle}");
        let mut backwards: Vec<u64> = ids().collect();
        backwards.reverse();
        let [(first, other), (_, last)] = halves(backwards).unwrap();
        assert_eq!((first, last), (1, 300_000));
        assert!(middle.abs_diff(other) <= 2 * SAMPLE, "{middle} {other}");
    }

    #[test]
    fn one_session_writes_scattered_rows_and_rows_without_ids() {
        assert_eq!(halves((1..=100_000).map(|n| n * 3)), None);
        assert!(halves((1..=100_000).map(|n| n * 2)).is_some());
        let mut rows = Rows::default();
        (0..2 * MANY).for_each(|_| rows.add(None));
        assert_eq!(rows.halves(), None);
        assert_eq!(halves(std::iter::repeat_n(7, 100_000)), None, "one id");
        assert_eq!(halves(std::iter::repeat_n(u64::MAX, 100_000).chain([0])), None);
    }
}
