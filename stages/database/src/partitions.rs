//! Tables that are divided by month (`setup-db --month-partitions`): which month has a partition of its own, and
//! partitions for months to come.

use std::collections::BTreeMap;

use anyhow::Result;
use schema::Month;
use schema::partitions::{self, BY_MONTH, COLUMN};
use schema::tables::quote;

use crate::connection::Db;

/// Where partitions hold the rows themselves. Those of Spider point to tables on other servers, which may hold
/// other months as well.
const LOCAL: [&str; 3] = ["InnoDB", "MyISAM", "Aria"];

impl Db {
    /// Which of the big tables are divided by month; usually none.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn divided_tables(&mut self) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
             AND table_name IN ('{}') AND create_options LIKE '%partitioned%' ORDER BY 1",
            BY_MONTH.join("', '")
        );
        let mut divided = Vec::new();
        for table in self.texts(&sql, ())? {
            if !self.month_partitions(&table)?.is_empty() {
                divided.push(table);
            }
        }
        Ok(divided)
    }

    /// The partitions of `table` that hold the rows of one month, all of them and no others, by month. None for a
    /// table that is not divided by month on this server.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn month_partitions(&mut self, table: &str) -> Result<BTreeMap<Month, String>> {
        let found = self.partitions(table)?;
        let months = partitions::months(&found.iter().map(|(_, bound)| bound).collect::<Vec<_>>());
        Ok(months.into_iter().zip(found).filter_map(|(month, (name, _))| Some((month?, name))).collect())
    }

    /// The partition of `table` that holds the rows of `month`, all of them and no others.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn partition_of(&mut self, table: &str, month: Month) -> Result<Option<String>> {
        Ok(self.month_partitions(table)?.remove(&month))
    }

    /// The partitions that hold the rows before `stop`, in their order; none where the month before it has no partition
    /// of its own.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn partitions_before(&mut self, table: &str, stop: Month) -> Result<Vec<String>> {
        let found = self.partitions(table)?;
        let months = partitions::months(&found.iter().map(|(_, bound)| bound).collect::<Vec<_>>());
        let last = months.iter().rposition(|month| month.is_some_and(|month| month < stop));
        Ok(found.into_iter().take(last.map_or(0, |last| last + 1)).map(|(name, _)| name).collect())
    }

    /// Gives partitions of their own to the months after the last one that has one, up to `last`; says how many
    /// months.
    ///
    /// # Errors
    /// The server refuses the statement.
    pub fn add_month_partitions(&mut self, table: &str, last: Month) -> Result<usize> {
        let ends_open = self.partitions(table)?.last().is_some_and(|(_, bound)| bound == "MAXVALUE");
        let newest = self.month_partitions(table)?.into_keys().next_back();
        let Some(first) = newest.map(Month::next).filter(|first| ends_open && *first <= last) else { return Ok(0) };
        self.run(&partitions::add(table, first, last), ())?;
        Ok(first.through(last).count())
    }

    /// Names and bounds of the partitions of a table that is divided by the time of its rows, in their order.
    fn partitions(&mut self, table: &str) -> Result<Vec<(String, String)>> {
        let engine = self.engine(table)?.unwrap_or_default();
        if !LOCAL.iter().any(|local| engine.eq_ignore_ascii_case(local)) {
            return Ok(Vec::new());
        }
        let sql = "SELECT partition_name, partition_description FROM information_schema.partitions \
                   WHERE table_schema = DATABASE() AND table_name = ? AND partition_method = 'RANGE COLUMNS' \
                   AND partition_expression = ? AND subpartition_name IS NULL ORDER BY partition_ordinal_position";
        self.all(sql, (table, quote(COLUMN)), |row| {
            let text = |at| row.text(at).unwrap_or_default().into_owned();
            Ok((text(0), text(1)))
        })
    }
}

#[cfg(test)]
mod tests {
    use fixtures::db::{MODES, Pair, names};
    use hub::config::{Target, Which};
    use schema::partitions::Partitions;
    use schema::tables::metrics;

    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn connect(pair: &Pair) -> Db {
        let target = Target::at_socket(&pair.socket(), pair.mode.user(), fixtures::db::PASSWORD)
            .with_databases(&pair.hub, &pair.metrics);
        Db::connect(&target, Which::Metrics).unwrap()
    }

    #[test]
    fn a_month_is_in_the_partition_that_holds_it_alone() {
        for (engine, mode) in MODES {
            let Some(pair) = names(mode) else { return };
            pair.create_hub(true);
            pair.create_metrics(engine, true);
            pair.sql(
                "INSERT INTO web (datetime) VALUES ('0000-00-00'), ('2025-10-31 23:59:59'), ('2025-11-01'), \
                 ('2025-11-30 23:59:59'), ('2025-12-00'), ('2025-12-01'), ('2030-01-01')",
            );
            let mut db = connect(&pair);
            assert_eq!(db.divided_tables().unwrap(), [""; 0]);
            assert_eq!(db.partition_of("web", month("2025-11")).unwrap(), None);
            assert_eq!(db.add_month_partitions("web", month("2026-03")).unwrap(), 0);
            let by = Partitions { first: month("2025-11"), last: month("2025-12") };
            db.run(&metrics("web").unwrap().divide("web", &by).unwrap(), ()).unwrap();
            assert!(db.has_ids("web").unwrap(), "the key begins with the id");
            assert_eq!(db.divided_tables().unwrap(), ["web"]);
            assert_eq!(db.partition_of("web", month("2025-11")).unwrap().as_deref(), Some("m2025_11"));
            assert_eq!(db.partition_of("web", month("2025-10")).unwrap(), None, "earlier rows are not one month");
            let rows = |name: &str| pair.value(&format!("SELECT COUNT(*) FROM web PARTITION ({name})")).unwrap();
            assert_eq!(["earlier", "m2025_11", "m2025_12", "later"].map(rows), ["2", "3", "1", "1"]);

            assert_eq!(db.add_month_partitions("web", month("2026-03")).unwrap(), 3);
            assert_eq!(db.add_month_partitions("web", month("2026-03")).unwrap(), 0);
            assert_eq!(db.month_partitions("web").unwrap().len(), 5);
            assert_eq!(db.partition_of("web", month("2026-03")).unwrap().as_deref(), Some("m2026_03"));
            assert_eq!(rows("later"), "1");
            assert_eq!(db.all("SELECT COUNT(*) FROM web", (), |row| Ok(row.int(0))).unwrap(), [Some(7)]);
            // quarters, and other expressions, are somebody else's
            pair.sql(
                "ALTER TABLE websessions DROP PRIMARY KEY, ADD PRIMARY KEY (id, datetime) PARTITION BY RANGE \
                      COLUMNS (datetime) (PARTITION a VALUES LESS THAN ('2025-01-01'), PARTITION b VALUES LESS THAN \
                      ('2025-04-01'), PARTITION c VALUES LESS THAN (MAXVALUE));\n\
                      ALTER TABLE toolstart DROP PRIMARY KEY, ADD PRIMARY KEY (id, datetime) PARTITION BY KEY (id) \
                      PARTITIONS 2",
            );
            assert_eq!(db.divided_tables().unwrap(), ["web"]);
            assert_eq!(db.add_month_partitions("websessions", month("2026-03")).unwrap(), 0);
        }
    }
}
