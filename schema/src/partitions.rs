//! The big tables divided by month: the statements that create them so, and how a partition is recognised.
//!
//! `hzmetrics setup-db --month-partitions` asks for it. A month then is a partition of its own, so that reading a month
//! reads no other, and a month can be removed at once. Every unique key of a divided table must hold the column by
//! which it is divided, so the primary key is `id` and `datetime`. `database::partitions` looks at what a server has.

use crate::month::Month;
use crate::stamp::Stamp;
use crate::tables::{Charset, Engine, KeyKind, Table, quote};

/// The tables that can be divided: those that grow with the requests, by the time of their rows.
pub const BY_MONTH: [&str; 4] = ["toolstart", "userlogin", "web", "websessions"];

/// The column that says in which partition a row is.
pub const COLUMN: &str = "datetime";

/// The partition of the rows before the first month.
const EARLIER: &str = "earlier";

/// The partition of the rows after the last month.
const LATER: &str = "later";

/// The months that have a partition of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions {
    /// The first of them. Earlier rows are all in one partition.
    pub first: Month,
    /// The last of them. Later rows are all in one partition.
    pub last: Month,
}

impl Partitions {
    /// The month through which a table is prepared: the last of the next year.
    #[must_use]
    pub fn prepared(today: Month) -> Month {
        Month::new(today.year().saturating_add(1), 12).unwrap_or(today)
    }

    /// What follows a CREATE or ALTER statement.
    #[must_use]
    pub fn clause(&self) -> String {
        let earlier = less_than(EARLIER, self.first.start());
        let months = own(self.first, self.last);
        format!("PARTITION BY RANGE COLUMNS ({}) ({earlier}, {months}, {})", quote(COLUMN), later())
    }
}

/// The statement that gives partitions of their own to the months `first` to `last`, which are after all others.
#[must_use]
pub fn add(table: &str, first: Month, last: Month) -> String {
    let months = own(first, last);
    format!("ALTER TABLE {} REORGANIZE PARTITION {} INTO ({months}, {})", quote(table), quote(LATER), later())
}

fn own(first: Month, last: Month) -> String {
    let one = |month: Month| less_than(&format!("m{}", month.to_string().replace('-', "_")), month.next().start());
    first.through(last).map(one).collect::<Vec<_>>().join(", ")
}

fn less_than(name: &str, bound: Stamp) -> String {
    format!("PARTITION {} VALUES LESS THAN ('{bound}')", quote(name))
}

fn later() -> String {
    format!("PARTITION {} VALUES LESS THAN (MAXVALUE)", quote(LATER))
}

/// The partition of the rows before `stop`.
#[must_use]
pub fn earlier(stop: Month) -> String {
    less_than(EARLIER, stop.start())
}

/// The months of the partitions of a table, in their order, from the bounds as the server prints them. A partition
/// that holds more than a month, or less, has none.
#[must_use]
pub fn months(bounds: &[impl AsRef<str>]) -> Vec<Option<Month>> {
    let begins = |bound: &str| {
        let text = bound.trim_matches('\'');
        let stamp = Stamp::parse(&if text.len() == 10 { format!("{text} 00:00:00") } else { text.to_owned() })?;
        stamp.month().filter(|month| month.start() == stamp)
    };
    let mut before = None;
    let month = |bound: &str| {
        let next = begins(bound);
        std::mem::replace(&mut before, next).filter(|month: &Month| Some(month.next()) == next)
    };
    bounds.iter().map(AsRef::as_ref).map(month).collect()
}

impl Table {
    /// As [`Table::create`], divided by month; `None` for a table that is not.
    #[must_use]
    pub fn create_by_month(&self, at: &str, engine: Engine, charset: Charset, by: &Partitions) -> Option<String> {
        let (short, long) = self.keys_by_month()?;
        let whole = self.create(at, engine, charset).replacen(&short, &long, 1);
        Some(format!("{whole}\n{}", by.clause()))
    }

    /// The statement that divides a table that is there.
    #[must_use]
    pub fn divide(&self, at: &str, by: &Partitions) -> Option<String> {
        let (_, long) = self.keys_by_month()?;
        Some(format!("ALTER TABLE {at} DROP PRIMARY KEY, ADD {long} {}", by.clause()))
    }

    /// Its primary key as it usually is, and when divided.
    fn keys_by_month(&self) -> Option<(String, String)> {
        let key = self.keys.iter().find(|key| key.kind == KeyKind::Primary && BY_MONTH.contains(&self.name))?;
        let short = key.definition();
        let long = format!("{}, {})", short.strip_suffix(')')?, quote(COLUMN));
        Some((short, long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{METRICS, metrics};

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn a_divided_table_has_the_time_in_its_key() {
        let by = Partitions { first: month("2025-11"), last: month("2025-12") };
        let clause = "PARTITION BY RANGE COLUMNS (`datetime`) (\
                      PARTITION `earlier` VALUES LESS THAN ('2025-11-01 00:00:00'), \
                      PARTITION `m2025_11` VALUES LESS THAN ('2025-12-01 00:00:00'), \
                      PARTITION `m2025_12` VALUES LESS THAN ('2026-01-01 00:00:00'), \
                      PARTITION `later` VALUES LESS THAN (MAXVALUE))";
        let web = metrics("web").unwrap();
        let created = web.create_by_month("web", Engine::InnoDb, Charset::Utf8mb3, &by).unwrap();
        assert!(created.contains("PRIMARY KEY (`id`, `datetime`)") && created.ends_with(clause), "{created}");
        let divided = web.divide("`m`.`web`", &by).unwrap();
        let expected = "ALTER TABLE `m`.`web` DROP PRIMARY KEY, ADD PRIMARY KEY (`id`, `datetime`) ";
        assert_eq!(divided, format!("{expected}{clause}"));
        assert_eq!(metrics("webhits").unwrap().divide("webhits", &by), None);
        assert_eq!(
            add("web", month("2026-01"), month("2026-01")),
            "ALTER TABLE `web` REORGANIZE PARTITION `later` INTO (PARTITION `m2026_01` VALUES LESS THAN \
             ('2026-02-01 00:00:00'), PARTITION `later` VALUES LESS THAN (MAXVALUE))"
        );
        assert_eq!(Partitions::prepared(month("2025-12")), month("2026-12"));
    }

    /// What a server refuses otherwise.
    #[test]
    fn every_unique_key_of_a_divided_table_holds_the_time() {
        let divided: Vec<&Table> = METRICS.iter().filter(|table| BY_MONTH.contains(&table.name)).collect();
        assert_eq!(divided.len(), BY_MONTH.len());
        for table in divided {
            assert!(table.column(COLUMN).is_some_and(|column| column.ty == "datetime" && !column.nullable));
            assert_eq!(table.primary().unwrap().columns, ["id"], "{}", table.name);
            for key in table.keys.iter().filter(|key| key.kind == KeyKind::Unique) {
                assert!(key.columns.contains(&COLUMN), "{}.{}", table.name, key.name);
            }
        }
    }

    #[test]
    fn only_a_whole_month_is_a_partition_of_its_own() {
        let months = |bounds: &[&str]| {
            months(bounds).iter().map(|m| m.map_or_else(String::new, |m| m.to_string())).collect::<Vec<_>>()
        };
        let bounds = ["'2025-11-01 00:00:00'", "'2025-12-01 00:00:00'", "'2026-01-01'", "MAXVALUE"];
        assert_eq!(months(&bounds), ["", "2025-11", "2025-12", ""]);
        assert_eq!(months(&["'2025-01-01'", "'2025-04-01'", "'2025-04-15'", "'2025-05-01'"]), ["", "", "", ""]);
        assert_eq!(months(&["'2025-01-01 00:00:01'", "'2025-02-01'", "'nonsense'", "'2025-03-01'"]), ["", "", "", ""]);
        assert_eq!(months(&[]), [""; 0]);
    }
}
