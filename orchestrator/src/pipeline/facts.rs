//! Facts about a month, from the database and the log folders.

use std::collections::BTreeSet;

use anyhow::Result;
use database::Db;
use database::pruned::Pruned;
use logs::discovery::{self, Stream};
use schema::{Month, Period, Stamp};

use super::decisions::Facts;
use super::pending::{self, Pending};
use super::state::State;
use crate::hub::Hub;

/// A month with rows in one of these tables has data.
const BASE: [&str; 4] = ["web", "userlogin", "webhits", "websessions"];
/// Tables filled by the summary of a month.
pub(crate) const SUMMARIES: [&str; 3] = ["summary_user_vals", "summary_misc_vals", "summary_simusage_vals"];
/// Tables whose rows have session numbers.
pub(crate) const STAMPED: [&str; 2] = ["web", "toolstart"];

/// First instants of a month and of the next one, for a condition on a date column.
pub(crate) fn bounds(month: Month) -> (String, String) {
    (month.start().to_string(), month.next().start().to_string())
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

/// Whether a month has a cell of its own period.
pub(crate) fn is_summarized(db: &mut Db, month: Month) -> Result<bool> {
    let sql = "SELECT 1 FROM summary_user_vals WHERE datetime = ? AND period = ? LIMIT 1";
    Ok(db.number(sql, (month.label().to_string(), Period::Month.code()))?.is_some())
}

/// Whether a month has cells of all six periods in all three tables.
pub(crate) fn is_fully_summarized(db: &mut Db, month: Month) -> Result<bool> {
    for table in SUMMARIES {
        let sql = format!(
            "SELECT COUNT(DISTINCT period) FROM {table} WHERE datetime = ? AND period IN ({})",
            Period::codes()
        );
        if db.number(&sql, (month.label().to_string(),))? != Some(6) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The month in two cells; a date like `2025-00-00` is in no month.
pub(crate) fn month(year: Option<i64>, month: Option<i64>) -> Option<Month> {
    Month::new(u16::try_from(year?).ok()?, u8::try_from(month?).ok()?)
}

/// Months before `current` with cells of some but not all periods in one of the tables.
pub(crate) fn incomplete(db: &mut Db, current: Month) -> Result<BTreeSet<Month>> {
    let mut months = BTreeSet::new();
    for table in SUMMARIES {
        let sql = format!(
            "SELECT YEAR(datetime), MONTH(datetime) FROM {table} WHERE period IN ({}) GROUP BY 1, 2 \
             HAVING COUNT(DISTINCT period) < 6",
            Period::codes()
        );
        db.each(&sql, (), |cells| {
            months.extend(month(cells.int(0), cells.int(1)).filter(|month| *month < current));
            Ok(())
        })?;
    }
    Ok(months)
}

/// Whether a row of a month has the number of a session that does not exist.
pub(crate) fn has_orphans(db: &mut Db, month: Month) -> Result<bool> {
    // tool starts keep the numbers of sessions that were removed for their age
    if Pruned::read(db)?.has_lost_requests(month) {
        return Ok(false);
    }
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

/// Whether the logs of a month are complete: its last day was imported, or the next month has data.
/// The calendar does not matter.
pub(crate) fn is_complete(hub: &Hub, db: &mut Db, month: Month) -> Result<bool> {
    Ok(last_day_is_imported(hub, month)? || has_data(db, month.next())?)
}

/// Whether the access log of a month's last day was imported.
pub(crate) fn last_day_is_imported(hub: &Hub, month: Month) -> Result<bool> {
    let site = Some(hub.config.site.name.as_str());
    let imported = pending::dated(discovery::flat(&hub.imported(Stream::Access), Stream::Access, site)?);
    let last = format!("{:04}{:02}{:02}", month.year(), month.month(), month.days());
    Ok(imported.iter().any(|log| log.day == last))
}

/// Months before `current` with requests. Jumps from month to month along the index, whatever the
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

/// Requests and pending logs dated after the current month, which are in no numbers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ToCome {
    /// How many requests, with the first and the last day.
    pub(crate) requests: Option<(i64, String, String)>,
    /// The days of the logs, `YYYYMMDD`.
    pub(crate) logs: Vec<String>,
}

impl ToCome {
    /// # Errors
    /// The connection is lost.
    pub(crate) fn look(db: &mut Db, pending: &Pending, current: Month) -> Result<Self> {
        let next = current.next();
        let sql = "SELECT COUNT(*), CAST(DATE(MIN(datetime)) AS char), CAST(DATE(MAX(datetime)) AS char) FROM web \
                   WHERE datetime >= ?";
        let found = db.all(sql, (next.start().to_string(),), |cells| {
            let day = |at| cells.text(at).map(std::borrow::Cow::into_owned);
            Ok(day(1).zip(day(2)).map(|(first, last)| (cells.int(0).unwrap_or(0), first, last)))
        })?;
        let first = next.to_string().replace('-', "");
        let logs = pending.days("").into_iter().filter(|day| day.get(..6).is_some_and(|month| month >= first.as_str()));
        Ok(Self { requests: found.into_iter().flatten().next(), logs: logs.collect() })
    }

    /// In words, one line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let requests = self.requests.iter().map(|(n, first, last)| {
            format!("{n} request(s) dated {first} .. {last}: no month in the future is published")
        });
        let logs = self.logs.first().zip(self.logs.last()).map(|(first, last)| {
            format!("{} log(s) named for {first} .. {last}: they wait for their month", self.logs.len())
        });
        requests.chain(logs).collect()
    }
}

/// What readers see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// The newest month before the current one with all six periods in all three tables.
    pub(crate) complete: Option<Month>,
    /// The oldest month after it that is over and should be published; the first month with requests where
    /// none is complete.
    pub(crate) missing: Option<Month>,
    /// Cells of months that have not begun.
    pub(crate) to_come: u64,
}

impl Published {
    /// # Errors
    /// The connection is lost.
    pub(crate) fn look(db: &mut Db, withheld: &BTreeSet<Month>, current: Month) -> Result<Self> {
        let (complete, to_come) = complete_months(db, current)?;
        let complete = complete.into_iter().filter(|month| *month < current).max();
        let first = match complete {
            Some(month) => Some(month.next()),
            None => months_of_web(db, current)?.first().copied(),
        };
        let missing = first.and_then(|first| first.through(current.previous()).find(|month| !withheld.contains(month)));
        Ok(Self { complete, missing, to_come })
    }
}

/// The months with all six periods in all three tables.
///
/// # Errors
/// The connection is lost.
pub(crate) fn published_months(db: &mut Db, current: Month) -> Result<BTreeSet<Month>> {
    complete_months(db, current).map(|(months, _)| months)
}

/// The same, and how many cells are of months after `current`.
fn complete_months(db: &mut Db, current: Month) -> Result<(BTreeSet<Month>, u64)> {
    let (mut complete, mut to_come): (Option<BTreeSet<Month>>, u64) = (None, 0);
    for table in SUMMARIES {
        let (of_table, n) = months_with_all_periods(db, table, current)?;
        complete =
            Some(complete.map_or_else(|| of_table.clone(), |all| all.intersection(&of_table).copied().collect()));
        to_come += n;
    }
    Ok((complete.unwrap_or_default(), to_come))
}

/// The months of a summary table with all six periods, and how many cells are of months after `current`.
fn months_with_all_periods(db: &mut Db, table: &str, current: Month) -> Result<(BTreeSet<Month>, u64)> {
    let sql = format!(
        "SELECT YEAR(datetime), MONTH(datetime), COUNT(DISTINCT period), COUNT(*) FROM {table} WHERE period IN ({}) \
         GROUP BY 1, 2",
        Period::codes()
    );
    let (mut months, mut to_come) = (BTreeSet::new(), 0);
    db.each(&sql, (), |cells| {
        if let Some(month) = month(cells.int(0), cells.int(1)) {
            to_come += if month > current { cells.uint(3).unwrap_or(0) } else { 0 };
            months.extend((cells.int(2) == Some(6)).then_some(month));
        }
        Ok(())
    })?;
    Ok((months, to_come))
}

/// The months with pending logs.
pub(crate) fn pending_months(pending: &Pending) -> BTreeSet<Month> {
    let month = |day: String| {
        let (year, rest) = day.split_at_checked(4)?;
        Month::new(year.parse().ok()?, rest.get(..2)?.parse().ok()?)
    };
    pending.days("").into_iter().filter_map(month).collect()
}

/// Facts about a month.
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

/// The months before `current` that need work, oldest first. For withheld months only their logs
/// are due.
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
        if state.withheld.contains(&month) && !has_source(pending, month) {
            continue;
        }
        let known = has_source(pending, month) || state.dirty.contains(&month);
        if known || !is_fully_summarized(db, month)? || has_orphans(db, month)? {
            months.push(month);
        }
    }
    Ok(months)
}

#[cfg(test)]
pub(super) mod tests {
    use database::{Target, Which};
    use fixtures::db::{MODES, PASSWORD, Pair, pair};

    use super::*;

    pub(in crate::pipeline) fn connect(pair: &Pair) -> Db {
        let target =
            Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics);
        Db::connect(&target, Which::Metrics).unwrap()
    }

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn pending(days: &[&str]) -> Pending {
        let log = |day: &&str| pending::Dated { day: (*day).to_owned(), path: "x".into() };
        Pending { access: Vec::new(), auth: days.iter().map(log).collect() }
    }

    fn cells(pair: &Pair, table: &str, month: &str, periods: &[u8]) {
        for period in periods {
            pair.sql(&format!(
                "INSERT INTO summary_{table}_vals (rowid, colid, datetime, period, value, valfmt) \
                 VALUES (1, 1, '{month}-00', {period}, 1, 1)"
            ));
        }
    }

    const ALL: [u8; 6] = [0, 1, 3, 12, 13, 14];

    #[test]
    fn a_month_has_data_if_any_base_table_has_rows_in_it() {
        for (engine, mode) in MODES {
            let Some(pair) = pair(engine, mode) else { return };
            let mut db = connect(&pair);
            for (i, table) in BASE.iter().enumerate() {
                assert!(!has_data(&mut db, month("2024-12")).unwrap());
                let id = if *table == "websessions" { "id, " } else { "" };
                let value = if *table == "websessions" { "5, " } else { "" };
                pair.sql(&format!("INSERT INTO {table} ({id}datetime) VALUES ({value}'2024-12-31 23:59:59')"));
                for (text, expected) in [("2024-11", false), ("2024-12", true), ("2025-01", false), ("2023-12", false)]
                {
                    assert_eq!(has_data(&mut db, month(text)).unwrap(), expected, "{i} {text}");
                }
                // the first instant of a month belongs to it
                pair.sql(&format!("UPDATE {table} SET datetime = '2025-01-01 00:00:00'"));
                let found = ["2024-12", "2025-01"].map(|text| has_data(&mut db, month(text)).unwrap());
                assert_eq!(found, [false, true], "{table}");
                pair.sql(&format!("DELETE FROM {table}"));
            }
        }
    }

    #[test]
    fn a_month_is_fully_summarized_with_six_periods_in_three_tables() {
        for (engine, mode) in MODES {
            let Some(pair) = pair(engine, mode) else { return };
            let mut db = connect(&pair);
            let (july, current) = (month("2024-07"), month("2025-01"));
            cells(&pair, "misc", "2024-07", &[1]);
            assert!(!is_summarized(&mut db, july).unwrap(), "only the table of users counts");
            assert!(incomplete(&mut db, current).unwrap().contains(&july));
            cells(&pair, "misc", "2024-07", &[0, 3, 12, 13, 14]);
            cells(&pair, "user", "2024-07", &[0, 3, 12, 13, 14]);
            assert!(!is_summarized(&mut db, july).unwrap(), "only its own period counts");
            cells(&pair, "user", "2024-07", &[1]);
            assert!(is_summarized(&mut db, july).unwrap());
            assert!(!is_fully_summarized(&mut db, july).unwrap(), "a table lacks it");
            // the state of a month that was caught up and not yet rebuilt
            for table in ["user", "misc", "simusage"] {
                cells(&pair, table, "2024-05", &[1]);
            }
            let may = month("2024-05");
            assert!(is_summarized(&mut db, may).unwrap() && !is_fully_summarized(&mut db, may).unwrap());
            assert_eq!(incomplete(&mut db, current).unwrap().into_iter().collect::<Vec<_>>(), [may]);
            for table in SUMMARIES {
                pair.sql(&format!("DELETE FROM {table} WHERE datetime = '2024-05-00'"));
            }
            assert!(!is_summarized(&mut db, may).unwrap() && !is_fully_summarized(&mut db, may).unwrap());
            // a table without any cell of a month is not incomplete
            assert!(incomplete(&mut db, current).unwrap().is_empty());
            cells(&pair, "simusage", "2024-07", &[0, 1, 3, 12, 13, 99]);
            assert!(!is_fully_summarized(&mut db, july).unwrap(), "a period is missing");
            assert_eq!(incomplete(&mut db, current).unwrap().into_iter().collect::<Vec<_>>(), [july]);
            assert!(incomplete(&mut db, july).unwrap().is_empty(), "months before only");
            cells(&pair, "simusage", "2024-07", &[14]);
            assert!(is_fully_summarized(&mut db, july).unwrap());
            assert!(incomplete(&mut db, current).unwrap().is_empty());
            assert!(!is_fully_summarized(&mut db, month("2024-08")).unwrap());
        }
    }

    #[test]
    fn missing_sessions_are_found_in_their_month() {
        let Some(pair) = pair(MODES[0].0, MODES[0].1) else { return };
        let mut db = connect(&pair);
        pair.sql(
            "INSERT INTO websessions (id, datetime) VALUES (7, '2020-01-01');\n\
             INSERT INTO web (datetime, sessionid) VALUES ('2024-07-01', 7), ('2024-07-02', 0), ('2024-07-03', NULL), \
             ('2024-06-30 23:59:59', 8), ('2024-08-01', 8)",
        );
        let found = |db: &mut Db| ["2024-06", "2024-07", "2024-08"].map(|text| has_orphans(db, month(text)).unwrap());
        assert_eq!(found(&mut db), [true, false, true]);
        pair.sql("INSERT INTO toolstart (datetime, sessionid) VALUES ('2024-07-31 23:59:59', 9)");
        assert_eq!(found(&mut db), [true, true, true]);
        pair.sql("DELETE FROM websessions;\nDELETE FROM toolstart");
        assert_eq!(found(&mut db), [true, true, true]);
    }

    #[test]
    fn the_backlog_has_months_that_need_work() {
        for (engine, mode) in MODES {
            let Some(pair) = pair(engine, mode) else { return };
            let mut db = connect(&pair);
            pair.sql(
                "INSERT INTO web (datetime) VALUES ('0000-00-00'), ('2023-12-31 23:59:59'), ('2024-02-01'), ('2024-02-29'), \
                 ('2024-03-05'), ('2024-04-05'), ('2024-07-01'), ('2024-08-01');\n\
                 INSERT INTO userlogin (datetime, user) VALUES ('2022-01-01', 'a')",
            );
            for table in ["user", "misc", "simusage"] {
                // 2024-03 is complete; 2024-04 has only its own period, so a sweep completes it
                cells(&pair, table, "2024-03", &ALL);
                cells(&pair, table, "2024-04", &[1]);
                cells(&pair, table, "2024-05", &ALL);
                cells(&pair, table, "2024-06", &ALL);
            }
            let mut check = |days: &[&str], dirty: &str, expected: &[&str]| {
                let state = State::parse([("dirty_months", dirty)]);
                let found = backlog(&mut db, &pending(days), &state, month("2024-07")).unwrap();
                assert_eq!(found.iter().map(Month::to_string).collect::<Vec<_>>(), expected);
            };
            check(&[], "", &["2023-12", "2024-02"]);
            // logs and marks bring back complete months, and months without data
            check(&["20240301", "20240715"], "2024-05,2024-08", &["2023-12", "2024-02", "2024-03", "2024-05"]);
            check(&["20100131", "20241301"], "", &["2010-01", "2023-12", "2024-02"]);
        }
    }

    #[test]
    fn all_facts_about_a_month_are_found() {
        let Some(pair) = pair(MODES[0].0, MODES[0].1) else { return };
        let mut db = connect(&pair);
        let state = State::parse([("dirty_months", "2024-07")]);
        let mut check = |text: &str, days: &[&str], expected| {
            assert_eq!(facts(&mut db, &pending(days), &state, month(text)).unwrap(), expected, "{text}");
        };
        let dirty = Facts { dirty: true, ..Facts::default() };
        check("2024-06", &["20240701"], Facts::default());
        check("2024-07", &["20240701"], Facts { source: true, ..dirty });
        pair.sql("INSERT INTO web (datetime, sessionid) VALUES ('2024-07-01', 3)");
        check("2024-07", &[], Facts { data: true, orphans: true, ..dirty });
        for table in ["user", "misc", "simusage"] {
            cells(&pair, table, "2024-07", &ALL);
        }
        check("2024-07", &[], Facts { data: true, orphans: true, full: true, ..dirty });
    }

    /// The facts about a month and its logs, for every combination of data.
    #[test]
    fn logs_rows_and_summaries_are_separate_facts() {
        let Some(pair) = pair(MODES[0].0, MODES[0].1) else { return };
        let mut db = connect(&pair);
        pair.sql(
            "INSERT INTO web (datetime) VALUES ('2023-12-15'), ('2024-02-10'), ('2024-07-10'), ('2024-09-01'), ('2024-11-30')",
        );
        for table in ["user", "misc", "simusage"] {
            cells(&pair, table, "2024-02", &[1]);
            cells(&pair, table, "2024-07", &[1]);
            cells(&pair, table, "2024-09", &ALL);
            cells(&pair, table, "2024-11", &ALL);
        }
        let logs = pending(&["20220615", "20231215", "20240229", "20240901"]);
        for (text, source, data, is_own, full) in [
            ("2022-06", true, false, false, false),
            ("2023-12", true, true, false, false),
            ("2024-02", true, true, true, false),
            ("2024-07", false, true, true, false),
            ("2024-09", true, true, true, true),
            ("2024-11", false, true, true, true),
            // a gap
            ("2024-04", false, false, false, false),
        ] {
            let found = facts(&mut db, &logs, &State::default(), month(text)).unwrap();
            assert_eq!(found, Facts { source, data, full, ..Facts::default() }, "{text}");
            assert_eq!(is_summarized(&mut db, month(text)).unwrap(), is_own, "{text}");
        }
    }

    #[test]
    fn logs_belong_to_the_month_in_their_name() {
        let check = |days: &[&str], expected: &[&str]| {
            let found: Vec<_> = pending_months(&pending(days)).iter().map(Month::to_string).collect();
            assert_eq!(found, expected);
        };
        check(&[], &[]);
        check(&["20240518"], &["2024-05"]);
        // oldest first, whatever their order; eight digits that are not a date belong to no month
        check(&["20240518", "20220301", "20211201", "20211231", "99999999"], &["2021-12", "2022-03", "2024-05"]);
        // an access log of one day and an auth log of an older one
        let mut both = pending(&["20211201"]);
        both.access.push(pending::Dated { day: "20240518".to_owned(), path: "x".into() });
        assert_eq!(pending_months(&both).first().copied(), Some(month("2021-12")));
    }
}
