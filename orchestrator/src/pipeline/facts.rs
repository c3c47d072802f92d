//! What is true of a month: looked up in the database and in the log folders.

use std::collections::BTreeSet;

use anyhow::Result;
use kit::db::Db;
use kit::discovery::{self, Stream};
use schema::{Month, Period, Stamp};

use super::decide::Facts;
use super::state::State;
use crate::hub::Hub;
use crate::pending::{self, Pending};

/// Tables whose rows make a month one that has data.
const BASE: [&str; 4] = ["web", "userlogin", "webhits", "websessions"];
/// Tables that the summary of a month fills.
pub(crate) const SUMMARIES: [&str; 3] = ["summary_user_vals", "summary_misc_vals", "summary_simusage_vals"];
/// Tables whose rows are stamped with a session.
pub(crate) const STAMPED: [&str; 2] = ["web", "toolstart"];

/// First instants of a month and of the next one, for a condition on a date column.
pub(crate) fn bounds(month: Month) -> (String, String) {
    (month.start().to_string(), month.next().start().to_string())
}

fn windows() -> String {
    Period::WRITE_ORDER.map(|period| period.code().to_string()).join(",")
}

/// Whether logs of a month are pending.
pub(crate) fn has_source(pending: &Pending, month: Month) -> bool {
    !pending_days(pending, month).is_empty()
}

/// The pending days of a month, `YYYYMMDD`.
pub(crate) fn pending_days(pending: &Pending, month: Month) -> Vec<String> {
    pending.days(&month.to_string().replace('-', ""))
}

/// Whether a base table has a row of a month.
pub(crate) fn has_data(db: &mut Db, month: Month) -> Result<bool> {
    for table in BASE {
        let sql = format!("SELECT 1 FROM {table} WHERE datetime >= ? AND datetime < ? LIMIT 1");
        if db.number(&sql, bounds(month))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a month has a cell of its own window.
pub(crate) fn is_summarized(db: &mut Db, month: Month) -> Result<bool> {
    let sql = "SELECT 1 FROM summary_user_vals WHERE datetime = ? AND period = ? LIMIT 1";
    Ok(db.number(sql, (month.label().to_string(), Period::Month.code()))?.is_some())
}

/// Whether a month has cells of all six windows in all three tables.
pub(crate) fn is_fully_summarized(db: &mut Db, month: Month) -> Result<bool> {
    for table in SUMMARIES {
        let sql =
            format!("SELECT COUNT(DISTINCT period) FROM {table} WHERE datetime = ? AND period IN ({})", windows());
        if db.number(&sql, (month.label().to_string(),))? != Some(6) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Months before `current` with cells of some but not all windows in one of the tables.
pub(crate) fn incomplete(db: &mut Db, current: Month) -> Result<BTreeSet<Month>> {
    let mut months = BTreeSet::new();
    for table in SUMMARIES {
        let sql = format!(
            "SELECT YEAR(datetime), MONTH(datetime) FROM {table} WHERE period IN ({}) GROUP BY 1, 2 \
             HAVING COUNT(DISTINCT period) < 6",
            windows()
        );
        db.each(&sql, (), |cells| {
            let (year, month) = (cells.int(0).unwrap_or(0), cells.int(1).unwrap_or(0));
            let month = u16::try_from(year).ok().zip(u8::try_from(month).ok());
            months.extend(month.and_then(|(year, month)| Month::new(year, month)).filter(|month| *month < current));
            Ok(())
        })?;
    }
    Ok(months)
}

/// Whether a stamped row of a month points to a session that does not exist.
pub(crate) fn has_orphans(db: &mut Db, month: Month) -> Result<bool> {
    for table in STAMPED {
        let sql = format!(
            "SELECT 1 FROM {table} r LEFT JOIN websessions s ON s.id = r.sessionid \
             WHERE r.datetime >= ? AND r.datetime < ? AND r.sessionid <> 0 AND s.id IS NULL LIMIT 1"
        );
        if db.number(&sql, bounds(month))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the logs of a month have arrived: its last day was imported, or the next month has
/// data. The calendar proves nothing.
pub(crate) fn is_complete(hub: &Hub, db: &mut Db, month: Month) -> Result<bool> {
    Ok(last_day_is_imported(hub, month)? || has_data(db, month.next())?)
}

/// Whether the access log of a month's last day is among the imported ones.
pub(crate) fn last_day_is_imported(hub: &Hub, month: Month) -> Result<bool> {
    let site = Some(hub.config.site.name.as_str());
    let imported = pending::dated(discovery::flat(&hub.imported_web(), Stream::Access, site)?);
    let last = format!("{:04}{:02}{:02}", month.year(), month.month(), month.days());
    Ok(imported.iter().any(|log| log.day == last))
}

/// Months before `current` with requests. A jump from month to month along the index, whatever the
/// number of requests.
fn months_of_web(db: &mut Db, current: Month) -> Result<Vec<Month>> {
    let mut months = Vec::new();
    // zero dates come before all calendar days
    let mut from = "0001-01-01 00:00:00".to_owned();
    loop {
        let sql = "SELECT CAST(MIN(datetime) AS char) FROM web WHERE datetime >= ?";
        let first = db.texts(sql, (from,))?.into_iter().next().and_then(|text| Stamp::parse(&text));
        let Some(month) = first.and_then(Stamp::month).filter(|month| *month < current) else { return Ok(months) };
        // a date like 2025-07-00 comes before the first of its month
        months.push(month);
        from = month.next().start().to_string();
    }
}

/// The months that have pending logs.
pub(crate) fn pending_months(pending: &Pending) -> BTreeSet<Month> {
    let month = |day: String| {
        let (year, rest) = day.split_at_checked(4)?;
        Month::new(year.parse().ok()?, rest.get(..2)?.parse().ok()?)
    };
    pending.days("").into_iter().filter_map(month).collect()
}

/// What is known of a month.
pub(crate) fn facts(db: &mut Db, pending: &Pending, state: &State, month: Month) -> Result<Facts> {
    let (source, data) = (has_source(pending, month), has_data(db, month)?);
    Ok(Facts {
        source,
        data,
        full: is_fully_summarized(db, month)?,
        dirty: state.dirty.contains(&month),
        orphans: has_orphans(db, month)?,
    })
}

/// The months before `current` that need work, the oldest first.
pub(crate) fn backlog(db: &mut Db, pending: &Pending, state: &State, current: Month) -> Result<Vec<Month>> {
    let mut candidates = pending_months(pending);
    candidates.extend(&state.dirty);
    for month in months_of_web(db, current)? {
        if !is_summarized(db, month)? {
            candidates.insert(month);
        }
    }
    let mut months = Vec::new();
    for month in candidates.into_iter().filter(|month| *month < current) {
        let known = has_source(pending, month) || state.dirty.contains(&month);
        if known || !is_fully_summarized(db, month)? || has_orphans(db, month)? {
            months.push(month);
        }
    }
    Ok(months)
}
