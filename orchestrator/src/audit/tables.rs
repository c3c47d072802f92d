//! What an audit reads: each table once, with the columns and months that the checks need.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use database::Db;
use schema::tables::quote;
use schema::{Month, Stamp};

use super::scope::Scope;
use crate::pipeline::facts::month;

/// The ids of all sessions, as ranges of consecutive ids: memory grows with the gaps, not with the
/// ids.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ids(Vec<(i64, i64)>);

impl Ids {
    pub(super) fn of_sessions(db: &mut Db) -> Result<Self> {
        let mut ids = Self::default();
        db.each("SELECT id FROM websessions ORDER BY id", (), |cells| {
            ids.push(cells.int(0).unwrap_or(0));
            Ok(())
        })?;
        Ok(ids)
    }

    /// In ascending order.
    fn push(&mut self, id: i64) {
        match self.0.last_mut() {
            Some((_, last)) if id == last.saturating_add(1) => *last = id,
            _ => self.0.push((id, id)),
        }
    }

    fn has(&self, id: i64) -> bool {
        let before = self.0.partition_point(|(first, _)| *first <= id);
        before.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| id <= *last)
    }
}

/// Facts about the rows of a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MonthOfRows {
    pub(super) rows: u64,
    /// Rows without host, domain, country.
    pub(super) missing: [u64; 3],
    /// Rows of addresses without a name.
    pub(super) unnamed: u64,
    /// Rows with the number of a session that does not exist.
    pub(super) orphans: u64,
}

/// The day of the oldest request or session, at midnight.
pub(super) fn first_day(db: &mut Db) -> Result<Option<Stamp>> {
    let mut first: Option<Stamp> = None;
    for table in ["web", "websessions"] {
        // zero dates come before all calendar days
        let sql = format!("SELECT CAST(MIN(datetime) AS char) FROM {table} WHERE datetime >= '0001-01-01'");
        let found = db.texts(&sql, ())?.into_iter().next().and_then(|text| Stamp::parse(&text));
        first = first.into_iter().chain(found.map(Stamp::midnight)).min();
    }
    Ok(first)
}

/// The rows of each month of a table with hosts, domains and countries; with `sessions`, also their
/// session numbers.
pub(super) fn enriched(
    db: &mut Db,
    table: &str,
    scope: Scope,
    sessions: Option<&Ids>,
) -> Result<BTreeMap<Month, MonthOfRows>> {
    let hint = db.released(table)?;
    let stamp = if sessions.is_some() { "COALESCE(sessionid, 0)" } else { "0" };
    let sql = format!(
        "SELECT {hint} YEAR(datetime), MONTH(datetime), (host IS NULL OR host = '') + 2 * (domain IS NULL OR domain = '') \
         + 4 * (ipcountry IS NULL OR ipcountry = '') + 8 * (host IS NOT NULL AND host = '?'), {stamp} FROM {table} WHERE datetime >= ? AND datetime < ?"
    );
    let mut months: BTreeMap<Month, MonthOfRows> = BTreeMap::new();
    // rows usually come month by month
    let mut now = (MonthOfRows::default(), None);
    db.each(&sql, (scope.start.to_string(), scope.end.to_string()), |cells| {
        let month = month(cells.int(0), cells.int(1));
        if month != now.1 {
            let before = std::mem::replace(&mut now, (MonthOfRows::default(), month));
            add(&mut months, before.1, before.0);
        }
        let flags = cells.int(2).unwrap_or(0);
        now.0.rows += 1;
        for (bit, missing) in now.0.missing.iter_mut().enumerate() {
            *missing += u64::from(flags & (1 << bit) != 0);
        }
        now.0.unnamed += u64::from(flags & 8 != 0);
        let session = cells.int(3).unwrap_or(0);
        now.0.orphans += u64::from(session != 0 && sessions.is_some_and(|ids| !ids.has(session)));
        Ok(())
    })?;
    add(&mut months, now.1, now.0);
    Ok(months)
}

fn add(months: &mut BTreeMap<Month, MonthOfRows>, month: Option<Month>, seen: MonthOfRows) {
    let Some(month) = month else { return };
    let all = months.entry(month).or_default();
    all.rows += seen.rows;
    all.orphans += seen.orphans;
    all.unnamed += seen.unnamed;
    for (all, seen) in all.missing.iter_mut().zip(seen.missing) {
        *all += seen;
    }
}

/// Rows of each month with the number of a session that does not exist.
pub(super) fn stamps_without_session(
    db: &mut Db,
    table: &str,
    scope: Scope,
    sessions: &Ids,
) -> Result<BTreeMap<Month, u64>> {
    let hint = db.released(table)?;
    let sql = format!(
        "SELECT {hint} YEAR(datetime), MONTH(datetime), sessionid FROM {table} \
         WHERE datetime >= ? AND datetime < ? AND sessionid <> 0"
    );
    let mut months = BTreeMap::new();
    db.each(&sql, (scope.start.to_string(), scope.end.to_string()), |cells| {
        if let Some(month) = month(cells.int(0), cells.int(1))
            && cells.int(2).is_some_and(|session| !sessions.has(session))
        {
            *months.entry(month).or_insert(0) += 1;
        }
        Ok(())
    })?;
    Ok(months)
}

/// Logins of each month.
pub(super) fn logins(db: &mut Db, scope: Scope) -> Result<BTreeMap<Month, u64>> {
    let sql = "SELECT YEAR(datetime), MONTH(datetime), COUNT(*) FROM userlogin \
               WHERE datetime >= ? AND datetime < ? GROUP BY 1, 2";
    let mut months = BTreeMap::new();
    db.each(sql, (scope.start.to_string(), scope.end.to_string()), |cells| {
        if let Some(month) = month(cells.int(0), cells.int(1)) {
            months.insert(month, cells.uint(2).unwrap_or(0));
        }
        Ok(())
    })?;
    Ok(months)
}

/// A stored value of a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) row: i64,
    pub(super) col: i64,
    /// The month, with day zero.
    pub(super) label: Stamp,
    pub(super) period: u8,
    /// Without trailing blanks; empty for NULL.
    pub(super) value: String,
    /// Whether the server distinguishes it from an empty text: it does not for the number 0.
    pub(super) has_value: bool,
    pub(super) format: i64,
}

/// All values of a summary table.
pub(super) fn cells(db: &mut Db, table: &str) -> Result<Vec<Cell>> {
    let sql = format!(
        "SELECT rowid, colid, CAST(datetime AS char), period, CAST(value AS char), value <> '', valfmt FROM {table}"
    );
    db.all(&sql, (), |cells| {
        Ok(Cell {
            row: cells.int(0).unwrap_or(0),
            col: cells.int(1).unwrap_or(0),
            label: cells.text(2).and_then(|text| Stamp::parse(&text)).unwrap_or(Stamp::ZERO),
            period: cells.int(3).and_then(|period| u8::try_from(period).ok()).unwrap_or(u8::MAX),
            value: cells.text(4).unwrap_or_default().trim_end().to_owned(),
            has_value: cells.int(5) == Some(1),
            format: cells.int(6).unwrap_or(0),
        })
    })
}

/// How many rows of each month are published in these tables; rows with a date outside any month do
/// not count.
pub(super) fn published(db: &mut Db, tables: &[String], months: &mut BTreeMap<Month, u64>) -> Result<()> {
    for table in tables {
        if !db.has_table(table)? {
            continue;
        }
        let sql = format!("SELECT YEAR(datetime), MONTH(datetime), COUNT(*) FROM {} GROUP BY 1, 2", quote(table));
        db.each(&sql, (), |cells| {
            if let Some(month) = month(cells.int(0), cells.int(1)) {
                *months.entry(month).or_default() += cells.uint(2).unwrap_or(0);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Whether a tool was started in a month.
pub(super) fn has_tool_starts(db: &mut Db, month: Month) -> Result<bool> {
    let sql = "SELECT 1 FROM toolstart WHERE datetime >= ? AND datetime < ? LIMIT 1";
    Ok(db.number(sql, (month.start().to_string(), month.next().start().to_string()))?.is_some())
}

/// Hits with their days, in order.
pub(super) fn hits(db: &mut Db) -> Result<Vec<(Stamp, i64)>> {
    let sql = "SELECT CAST(datetime AS char), hits FROM webhits ORDER BY datetime";
    let rows = db.all(sql, (), |cells| {
        Ok(cells.text(0).and_then(|text| Stamp::parse(&text)).map(|day| (day, cells.int(1).unwrap_or(0))))
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// The days on which a table has rows, as day numbers.
pub(super) fn days(db: &mut Db, table: &str) -> Result<BTreeSet<i64>> {
    let sql = "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? \
               AND column_name = 'datetime' AND seq_in_index = 1 LIMIT 1";
    let mut days = BTreeSet::new();
    if db.number(sql, (table,))?.is_none() {
        let sql = format!("SELECT DISTINCT CAST(DATE(datetime) AS char) FROM {table}");
        let texts = db.texts(&sql, ())?;
        days.extend(texts.iter().filter_map(|text| Stamp::parse(text)?.day_number()));
        return Ok(days);
    }
    // jumps from day to day along the index, whatever the number of rows
    let mut from = Stamp::from_parts(1, 1, 1, 0, 0, 0);
    loop {
        let sql = format!("SELECT CAST(MIN(datetime) AS char) FROM {table} WHERE datetime >= ?");
        let next = db.texts(&sql, (from.to_string(),))?.into_iter().next();
        let Some(next) = next.and_then(|text| Stamp::parse(&text)) else { return Ok(days) };
        days.extend(next.day_number());
        let after = match (next.day_number(), next.month()) {
            (Some(_), _) => next.midnight().plus_days(1),
            // a day zero comes before the first of its month
            (None, Some(month)) => month.start(),
            (None, None) => Stamp::from_parts(next.year(), 1, 1, 0, 0, 0),
        };
        // the calendar ends with the year 9999
        if after <= from || after.year() > 9999 {
            return Ok(days);
        }
        from = after;
    }
}

/// Tables with their next id and their highest existing id.
pub(super) fn next_ids(db: &mut Db) -> Result<Vec<(&'static str, i64, i64)>> {
    let mut list = Vec::new();
    for table in ["web", "userlogin", "websessions", "imported_sources"] {
        let sql =
            "SELECT auto_increment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
        let Some(next) = db.number(sql, (table,))? else { continue };
        if let Some(highest) = db.number(&format!("SELECT MAX(id) FROM {table}"), ())? {
            list.push((table, next, highest));
        }
    }
    Ok(list)
}

pub(super) fn is_empty(db: &mut Db, table: &str) -> Result<bool> {
    Ok(db.number(&format!("SELECT 1 FROM {table} LIMIT 1"), ())?.is_none())
}

/// Dirty months that have not changed for two days, and since when.
pub(super) fn long_dirty(db: &mut Db) -> Result<Option<(String, String)>> {
    if !db.has_table("pipeline_state")? {
        return Ok(None);
    }
    let sql = "SELECT v, CAST(updated_at AS char) FROM pipeline_state \
               WHERE k = 'dirty_months' AND v <> '' AND updated_at < NOW() - INTERVAL 48 HOUR";
    let rows = db.all(sql, (), |cells| {
        let text = |at| cells.text(at).unwrap_or_default().into_owned();
        Ok((text(0), text(1)))
    })?;
    Ok(rows.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn existing_ids_are_found() {
        let mut ids = Ids::default();
        assert!(!ids.has(1));
        for id in [1, 2, 3, 7, 9, 10] {
            ids.push(id);
        }
        assert_eq!(ids.0, [(1, 3), (7, 7), (9, 10)]);
        let found: Vec<i64> = (-1..13).filter(|id| ids.has(*id)).collect();
        assert_eq!(found, [1, 2, 3, 7, 9, 10]);
    }
}
