//! `hzmetrics rebuild-webhits`: counts the hits of each day again from the requests in `web`, then
//! the one summary cell that reads them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use clap::ArgMatches;
use kit::db::{Db, KeyTable, Verb};
use schema::{Month, Opt, Period, Stamp};

use super::warn_without_transactions;
use crate::hub::Hub;

/// Row and column of the hits in `summary_misc_vals`.
const CELL: (i64, i64) = (8, 1);

/// Requests of each day of a month.
type Days = BTreeMap<Stamp, i64>;

pub(crate) fn rebuild(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let month = matches.get_one::<String>("month").map(|month| month.parse::<Month>()).transpose()?;
    let dry_run = matches.get_flag("dry-run");
    let _lock = hub.lock(!dry_run)?;
    let mut db = hub.db()?;
    let months = count(hub, &mut db, month)?;
    let Some((&oldest, &newest)) = months.keys().next().zip(months.keys().next_back()) else {
        hub.log.info("  no months found in web");
        return Ok(0);
    };
    let span = if oldest == newest { oldest.to_string() } else { format!("{oldest} .. {newest}") };
    hub.log.info(format_args!("  will rebuild webhits for {} month(s): {span}", months.len()));
    if !dry_run {
        warn_without_transactions(hub, &mut db, &["webhits"])?;
    }
    for (month, days) in &months {
        let between = (month.start().to_string(), month.next().start().to_string());
        if dry_run {
            let there = db.number("SELECT COUNT(*) FROM webhits WHERE datetime >= ? AND datetime < ?", between)?;
            hub.log.info(format_args!(
                "  [dry-run] {month}: would replace {} webhits row(s) with {} day(s)",
                there.unwrap_or(0),
                days.len()
            ));
            continue;
        }
        db.transaction_with_retry(&format!("counting the hits of {month}"), &["webhits"], |db| {
            db.run("DELETE FROM webhits WHERE datetime >= ? AND datetime < ?", between.clone())?;
            let mut insert = db.insert(Verb::Insert, "webhits", &["datetime", "hits"]);
            for (day, hits) in days {
                insert.push([day.to_string().into(), (*hits).into()])?;
            }
            insert.finish()?;
            Ok(())
        })?;
        hub.log.info(format_args!("  {month}: rebuilt {} day(s)", days.len()));
    }
    refresh(hub, &mut db, oldest, dry_run)?;
    hub.log.info(">>> done");
    Ok(0)
}

/// The requests of each day, of one month or of all that have any. A month that was asked for is
/// there even without requests.
fn count(hub: &Hub, db: &mut Db, only: Option<Month>) -> Result<BTreeMap<Month, Days>> {
    let mut months: BTreeMap<Month, Days> = only.map(|month| (month, Days::new())).into_iter().collect();
    let mut odd = 0;
    let sql = "SELECT DATE(datetime), COUNT(*) FROM web";
    let mut take = |cells: kit::db::Cells<'_>| {
        let (day, hits) = (cells.stamp(0).unwrap_or(Stamp::ZERO), cells.int(1).unwrap_or(0));
        match day.month().filter(|_| day.day() > 0) {
            Some(month) => drop(months.entry(month).or_default().insert(day, hits)),
            None => odd += hits,
        }
        Ok(())
    };
    match only {
        Some(month) => {
            let sql = format!("{sql} WHERE datetime >= ? AND datetime < ? GROUP BY 1");
            db.each(&sql, (month.start().to_string(), month.next().start().to_string()), &mut take)?;
        }
        None => drop(db.each(&format!("{sql} GROUP BY 1"), (), &mut take)?),
    }
    if odd > 0 {
        hub.log.warning(format_args!("  {odd} requests have no day in their date and count nowhere"));
    }
    Ok(months)
}

/// Computes the hits cell of every month from `oldest` to the previous one again.
fn refresh(hub: &Hub, db: &mut Db, oldest: Month, dry_run: bool) -> Result<()> {
    let last = kit::current_month()?.previous();
    if oldest > last {
        hub.log.info(format_args!("  no cells of summary_misc_vals to refresh ({oldest} is not over)"));
        return Ok(());
    }
    let months: Vec<Month> = oldest.through(last).collect();
    let n_cells = months.len() * Period::WRITE_ORDER.len();
    let would = if dry_run { "[dry-run] would refresh" } else { "refreshing" };
    hub.log.info(format_args!(
        "  {would} the hits in summary_misc_vals for {} month(s) x {} period(s) = {n_cells} cell(s)",
        months.len(),
        Period::WRITE_ORDER.len()
    ));
    if dry_run {
        return Ok(());
    }
    let with_start = !hub.compat.has(Opt::HitsStartExclusive);
    db.transaction_with_retry("refreshing the hits of the summaries", &["webhits", "summary_misc_vals"], |db| {
        let hits = Hits::read(db)?;
        let cells: Vec<Cell> = months
            .iter()
            .flat_map(|month| Period::WRITE_ORDER.map(|period| (*month, period)))
            .map(|(month, period)| {
                let sum = hits.sum(period.start(month), Period::stop(month), with_start);
                let value = sum.map_or_else(String::new, |sum| sum.to_string());
                Cell { month, period, value }
            })
            .collect();
        write(db, &cells)
    })?;
    hub.log.info(format_args!("  refreshed {n_cells} cell(s)"));
    Ok(())
}

/// A value of the summary.
struct Cell {
    month: Month,
    period: Period,
    value: String,
}

/// Hits by date, each with the sum of all up to it.
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

    /// The hits of a window; `None` when there is no row in it.
    fn sum(&self, start: Stamp, stop: Stamp, with_start: bool) -> Option<i128> {
        let before = |stamp: Stamp, with: bool| self.0.partition_point(|(at, _)| *at < stamp || (with && *at == stamp));
        let (from, to) = (before(start, !with_start), before(stop, false));
        let up_to = |n: usize| n.checked_sub(1).map_or(0, |last| self.0.get(last).map_or(0, |(_, sum)| *sum));
        (to > from).then(|| up_to(to) - up_to(from))
    }
}

/// Writes cells, in the caller's transaction. A cell that is there once gets its new value in
/// place, so that no reader misses it even where nothing protects a transaction.
fn write(db: &mut Db, cells: &[Cell]) -> Result<()> {
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
    let once = |cell: &&Cell| there.get(&(cell.month.label(), cell.period.code().into())) == Some(&1);
    let (in_place, anew): (Vec<&Cell>, Vec<&Cell>) = cells.iter().partition(once);
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
    for cell in anew {
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
    fn sums_of_windows() {
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
