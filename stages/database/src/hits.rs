//! The summary cell that adds up the hits of each day: computed again after hits were counted again.
//!
//! Called by `hzmetrics rebuild-webhits` and by the step of usage-metrics that keeps hits
//! consistent with requests; everything else of a summary is written only by summarize.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use schema::{Compat, Month, Opt, Period, Stamp};

use crate::{Db, KeyTable, Verb};

/// Row and column of the hits in `summary_misc_vals`.
const CELL: (i64, i64) = (8, 1);

/// What to do with a missing cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Create it.
    Add,
    /// Leave it out: a month without its other cells would not be a summary.
    Leave,
}

/// Computes the hits of the months from `oldest` to `last` again, all six periods of each.
///
/// # Errors
/// A table is missing, or the server fails.
pub fn refresh(db: &mut Db, oldest: Month, last: Month, compat: &Compat, missing: Missing) -> Result<()> {
    let with_start = !compat.has(Opt::HitsStartExclusive);
    db.transaction_with_retry("refreshing the hits of the summaries", &["webhits", "summary_misc_vals"], |db| {
        let hits = Hits::read(db)?;
        let cells: Vec<Cell> = oldest
            .through(last)
            .flat_map(|month| Period::WRITE_ORDER.map(|period| (month, period)))
            .map(|(month, period)| {
                let sum = hits.sum(period.start(month), Period::stop(month), with_start);
                let value = sum.map_or_else(String::new, |sum| sum.to_string());
                Cell { month, period, value }
            })
            .collect();
        write(db, &cells, missing)
    })
}

/// A value of the summary.
struct Cell {
    month: Month,
    period: Period,
    value: String,
}

/// Hits by date, each with the running total.
struct Hits(Vec<(Stamp, i128)>);

impl Hits {
    fn read(db: &mut Db) -> Result<Self> {
        let rows = db.all("SELECT datetime, SUM(hits) FROM webhits GROUP BY datetime", (), |cells| {
            let hits = cells.text(1).and_then(|text| text.parse().ok()).unwrap_or(0);
            Ok((cells.stamp(0).unwrap_or(Stamp::ZERO), hits))
        })?;
        Ok(Self::new(rows))
    }

    fn new(mut rows: Vec<(Stamp, i128)>) -> Self {
        rows.sort_unstable();
        let mut sum = 0;
        for (_, hits) in &mut rows {
            sum += *hits;
            *hits = sum;
        }
        Self(rows)
    }

    /// The hits of a period; `None` if it has no rows.
    fn sum(&self, start: Stamp, stop: Stamp, with_start: bool) -> Option<i128> {
        let before = |stamp: Stamp, with: bool| self.0.partition_point(|(at, _)| *at < stamp || (with && *at == stamp));
        let (from, to) = (before(start, !with_start), before(stop, false));
        let up_to = |n: usize| n.checked_sub(1).map_or(0, |last| self.0.get(last).map_or(0, |(_, sum)| *sum));
        (to > from).then(|| up_to(to) - up_to(from))
    }
}

/// Writes cells, in the caller's transaction. A cell that exists once is updated in place, so that
/// readers never miss it even without transactions.
fn write(db: &mut Db, cells: &[Cell], missing: Missing) -> Result<()> {
    let (row, column) = CELL;
    let first = cells.iter().map(|cell| cell.month).min();
    let Some(first) = first else { return Ok(()) };
    let mut there: BTreeMap<(Stamp, i64), usize> = BTreeMap::new();
    let sql = "SELECT datetime, period FROM summary_misc_vals WHERE rowid = ? AND colid = ? AND datetime >= ?";
    db.each(sql, (row, column, first.label().to_string()), |found| {
        let key = (found.stamp(0).unwrap_or(Stamp::ZERO), found.int(1).unwrap_or(0));
        *there.entry(key).or_default() += 1;
        Ok(())
    })?;
    let count = |cell: &&Cell| there.get(&(cell.month.label(), cell.period.code().into())).copied().unwrap_or(0);
    let (in_place, mut to_insert): (Vec<&Cell>, Vec<&Cell>) = cells.iter().partition(|cell| count(cell) == 1);
    to_insert.retain(|cell| missing == Missing::Add || count(cell) > 0);
    let keys = KeyTable {
        name: "hzmetrics_hits",
        columns: &[("datetime", "datetime NOT NULL"), ("period", "tinyint NOT NULL"), ("value", "varchar(200)")],
        keys: 2,
    };
    let rows = in_place.iter().map(|cell| {
        [cell.month.label().to_string().into(), i64::from(cell.period.code()).into(), cell.value.as_str().into()]
    });
    db.with_key_table(&keys, rows, |db| {
        let sql = "UPDATE summary_misc_vals v JOIN hzmetrics_hits k ON v.datetime = k.datetime AND v.period = k.period \
                   SET v.value = k.value, v.valfmt = 1 WHERE v.rowid = ? AND v.colid = ?";
        Ok(db.run(sql, (row, column))?)
    })?;
    let doubled: BTreeSet<(Stamp, i64)> = there.into_iter().filter(|(_, n)| *n > 1).map(|(key, _)| key).collect();
    for (label, period) in doubled {
        let sql = "DELETE FROM summary_misc_vals WHERE rowid = ? AND colid = ? AND datetime = ? AND period = ?";
        db.run(sql, (row, column, label.to_string(), period))?;
    }
    let columns = ["rowid", "colid", "datetime", "period", "value", "valfmt"];
    let mut insert = db.insert(Verb::Insert, "summary_misc_vals", &columns);
    for cell in to_insert {
        insert.push([
            row.into(),
            column.into(),
            cell.month.label().to_string().into(),
            i64::from(cell.period.code()).into(),
            cell.value.as_str().into(),
            1_i64.into(),
        ])?;
    }
    insert.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_added_up_by_period() {
        let at = |text: &str| Stamp::parse(text).unwrap();
        let hits = Hits::new(vec![(at("2025-07-02 00:00:00"), 5), (at("2025-07-01 00:00:00"), 3)]);
        let sum = |start: &str, stop: &str, with| hits.sum(at(start), at(stop), with);
        assert_eq!(sum("2025-07-01 00:00:00", "2025-08-01 00:00:00", true), Some(8));
        assert_eq!(sum("2025-07-01 00:00:00", "2025-08-01 00:00:00", false), Some(5));
        assert_eq!(sum("2025-07-01 00:00:00", "2025-07-02 00:00:00", true), Some(3));
        assert_eq!(sum("2025-06-01 00:00:00", "2025-07-01 00:00:00", true), None);
        assert_eq!(sum("2025-08-01 00:00:00", "2025-07-01 00:00:00", true), None);
        assert_eq!(
            Hits::new(vec![(at("2025-07-01 00:00:00"), 0)]).sum(Stamp::ZERO, at("2026-01-01 00:00:00"), true),
            Some(0)
        );
    }
}
