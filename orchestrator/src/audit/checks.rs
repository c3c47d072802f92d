//! The checks of an audit: pure functions of what was read from the database.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use schema::{Month, Period, Stamp};

use database::ledger::Target;
use database::ledger::files::Share;

use super::report::{Remedy, Report};
use super::scope::Scope;
use super::shares::{MissingShare, ROWS_MIN};
use super::tables::{Cell, MonthOfRows};
use crate::pipeline::decisions::day;

/// About half of all addresses have no name; if this share of requests has none, the name server did not
/// answer.
const NEARLY_ALL: f64 = 0.95;
/// Logins are rare; only a month with at least this many should also have requests.
const LOGINS_MIN: u64 = 10;
/// Shorter gaps between imported days are normal.
const GAP_MIN: i64 = 7;
/// Hits cells are compared in these periods, which begin with a calendar month.
const HITS_PERIODS: [Period; 2] = [Period::Month, Period::Quarter];

/// Months in which nearly all visitors lack a name: `?` does not count as missing, so the shares do
/// not show it.
pub(super) fn unnamed(web: &BTreeMap<Month, MonthOfRows>, report: &mut Report<'_>) -> Result<()> {
    for (&month, seen) in web {
        let share = MissingShare { month, total: seen.rows, missing: seen.unnamed };
        if seen.rows < ROWS_MIN || share.ratio() < NEARLY_ALL {
            continue;
        }
        report.warning(format_args!(
            "{month}: {} of {} requests are from a host without a name (`?`): the name server answered nothing",
            share.missing, share.total
        ))?;
        let advice = format!(
            "(see `hzmetrics doctor` for the name server; then UPDATE web SET host = NULL, domain = NULL WHERE host = '?' \
             in {month}, `hzmetrics resolve-dns metrics web {month}`, `hzmetrics mark-dirty {month}`)"
        );
        report.found("web", "(no names)", month, Remedy::Advice(advice));
    }
    Ok(())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A non-negative decimal number: digits, perhaps a point and digits.
fn number(text: &str) -> Option<f64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    (is_digits(whole) && is_digits(rest)).then(|| text.parse().ok()).flatten()
}

fn key(cell: &Cell) -> (i64, i64, i64) {
    (cell.row, cell.col, cell.format)
}

/// The all-time number of users must not decrease from month to month.
pub(super) fn drops(users: &[Cell], scope: Scope, report: &mut Report<'_>) -> Result<()> {
    let all_time = |cell: &&Cell| cell.period == Period::AllTime.code() && (cell.row, cell.col) == (1, 1);
    let counts: BTreeMap<Month, u64> = users
        .iter()
        .filter(all_time)
        .filter(|cell| cell.label >= scope.start && cell.label < scope.end && is_digits(&cell.value))
        .filter_map(|cell| Some((cell.label.month()?, cell.value.parse().ok()?)))
        .collect();
    let drops: Vec<_> = counts.iter().zip(counts.iter().skip(1)).filter(|((_, old), (_, new))| new < old).collect();
    if drops.is_empty() {
        return Ok(());
    }
    report.warning(format_args!(
        "summary_user_vals.period=14  — {} month-to-month drop(s) in cumulative all-time count",
        drops.len()
    ))?;
    for ((before, old), (month, new)) in drops {
        report.detail(format_args!("{before}: {old}  →  {month}: {new}  (Δ -{})", old - new))?;
        let remedy = Remedy::Command(format!("summarize-month {month}"));
        report.found("summary_user_vals", "(period-14 drop)", *month, remedy);
    }
    Ok(())
}

/// Requests and logins come from two logs: a month with only one of them has lost the other.
pub(super) fn one_sided(
    web: &BTreeMap<Month, MonthOfRows>,
    logins: &BTreeMap<Month, u64>,
    report: &mut Report<'_>,
) -> Result<()> {
    let months: BTreeSet<Month> = web.keys().chain(logins.keys()).copied().collect();
    let mut bad = Vec::new();
    for month in months {
        let requests = web.get(&month).map_or(0, |seen| seen.rows);
        let logins = logins.get(&month).copied().unwrap_or(0);
        if requests >= ROWS_MIN && logins == 0 {
            bad.push((month, "userlogin/cmsauth", requests, logins));
        } else if logins >= LOGINS_MIN && requests == 0 {
            bad.push((month, "web/apache", requests, logins));
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    report.warning(format_args!(
        "asymmetric source coverage  — {} month(s) where one of (apache, cmsauth) logs was lost or never imported",
        bad.len()
    ))?;
    for (month, missing, requests, logins) in bad {
        report.detail(format_args!("{month}: web={requests}  userlogin={logins}  (missing: {missing})"))?;
        let advice = format!("(look for the logs of {month}, import them, then `hzmetrics mark-dirty {month}`)");
        report.found("source_coverage", "(asymmetric)", month, Remedy::Advice(advice));
    }
    Ok(())
}

/// Months with requests but without a summary of their own, except withheld ones.
pub(super) fn without_summary(
    web: &BTreeMap<Month, MonthOfRows>,
    users: &[Cell],
    withheld: &BTreeSet<Month>,
    report: &mut Report<'_>,
) -> Result<()> {
    let own = users.iter().filter(|cell| cell.period == Period::Month.code());
    let mut summarized: BTreeSet<Month> = own.filter_map(|cell| cell.label.month()).collect();
    summarized.extend(withheld);
    for &month in web.keys().filter(|month| !summarized.contains(month)) {
        report.warning(format_args!("{month}: web has data but no period-1 summary"))?;
        let remedy = Remedy::Command(format!("summarize-month {month}"));
        report.found("summary_user_vals", "(missing)", month, remedy);
    }
    Ok(())
}

/// Months in scope with only some of the periods.
pub(super) fn some_periods(months: &BTreeSet<Month>, scope: Scope, report: &mut Report<'_>) -> Result<()> {
    for &month in months.iter().filter(|month| scope.start.month().is_none_or(|first| **month >= first)) {
        report.warning(format_args!("{month}: summary exists but missing periods"))?;
        report.found("summary_user_vals", "(periods)", month, Remedy::Command(format!("summarize-month {month}")));
    }
    Ok(())
}

/// Cells of future months, and of months without any source. `no_source` are the months with cells
/// but without a row, a log or a ledger entry.
pub(super) fn impossible(
    published: &BTreeMap<Month, u64>,
    current: Month,
    no_source: &BTreeSet<Month>,
    report: &mut Report<'_>,
) -> Result<()> {
    for (&month, n) in published {
        let (what, words) = if month > current {
            ("(future)", "a month in the future")
        } else if no_source.contains(&month) {
            ("(no source)", "a month without requests, logins, sessions, hits or logs")
        } else {
            continue;
        };
        report.warning(format_args!("{month}: {n} published row(s) of {words}"))?;
        report.found("published", what, month, Remedy::Command(format!("unpublish {month}")));
    }
    Ok(())
}

/// Days on which more than a tenth was not understood or came from IPv6 clients.
pub(super) fn day_shares(days: &BTreeMap<(String, Target), Share>, report: &mut Report<'_>) -> Result<()> {
    for ((day, target), share) in days {
        let place = format!("{}_lines", target.name());
        let month = day.get(..6).and_then(|text| format!("{}-{}", &text[..4], &text[4..]).parse().ok());
        let mut found = |what, words: &str, advice: &str| -> Result<()> {
            report.warning(format_args!("{day} {}: {words}: {}", target.name(), share.words()))?;
            let remedy = Remedy::Advice(format!("({advice})"));
            match month {
                Some(month) => report.found(&place, what, month, remedy),
                None => report.found_in(&place, what, remedy),
            }
            Ok(())
        };
        if share.has_many_rejects() {
            found(
                "(rejects)",
                "more than a tenth of the lines does not fit",
                "look at the layout of the log: `import-logs --rejects FILE LOG`",
            )?;
        }
        if share.has_much_ipv6() {
            found(
                "(ipv6)",
                "more than a tenth of the lines is of IPv6 clients and left out",
                "the numbers lack these visitors, as the original's did; options = ipv6 under [compat] counts them from the next import on",
            )?;
        }
    }
    Ok(())
}

/// Session numbers of sessions that do not exist, by month.
pub(super) fn orphans(table: &str, months: &BTreeMap<Month, u64>, report: &mut Report<'_>) -> Result<()> {
    for (&month, n) in months.iter().filter(|(_, n)| **n > 0) {
        report
            .warning(format_args!("{month}: {n} orphan {table}.sessionid stamp(s) reference missing websessions.id"))?;
        let table = format!("{table}_orphans");
        report.found(&table, "(orphan_stamps)", month, Remedy::Command(format!("mark-dirty {month}")));
    }
    Ok(())
}

/// Tool starts that are there more often than their jobs; the rebuild of all months from the first on takes them away.
pub(super) fn doubled(months: &BTreeMap<Month, u64>, report: &mut Report<'_>) -> Result<()> {
    let Some((first, _)) = months.first_key_value() else { return Ok(()) };
    for (month, n) in months {
        report
            .warning(format_args!("{month}: {n} tool start(s) more than jobs: two runs made them at the same time"))?;
    }
    report.found("toolstart", "(doubled)", *first, Remedy::Command(format!("rebuild-from {first}")));
    Ok(())
}

/// Where hits are counted from the requests that were kept, a month has as many of both.
pub(super) fn hits_of_web(
    web: &BTreeMap<Month, MonthOfRows>,
    hits: &[(Stamp, i64)],
    scope: Scope,
    report: &mut Report<'_>,
) -> Result<()> {
    let mut sums: BTreeMap<Month, i64> = BTreeMap::new();
    for (stamp, hits) in hits.iter().filter(|(stamp, _)| *stamp >= scope.start && *stamp < scope.end) {
        if let Some(month) = stamp.month() {
            *sums.entry(month).or_default() += hits;
        }
    }
    for (&month, seen) in web {
        let sum = sums.get(&month).copied().unwrap_or(0);
        if i64::try_from(seen.rows) != Ok(sum) {
            report.warning(format_args!("{month}: web↔webhits drift (web={} wh_sum={sum})", seen.rows))?;
            let remedy = Remedy::Command(format!("rebuild-webhits --month {month}"));
            report.found("webhits", "(parity)", month, remedy);
        }
    }
    Ok(())
}

/// The hits cell must equal the sum of the hits in its period. `open`: without the period's first
/// instant. `command` takes a month and fixes it. Months in `withheld` have no cell.
pub(super) fn hits_cells(
    misc: &[Cell],
    hits: &[(Stamp, i64)],
    scope: Scope,
    withheld: &BTreeSet<Month>,
    open: bool,
    command: &str,
    report: &mut Report<'_>,
) -> Result<()> {
    let in_scope = hits.iter().filter(|(stamp, _)| *stamp >= scope.start && *stamp < scope.end);
    let months: BTreeSet<Month> = in_scope.filter_map(|(stamp, _)| stamp.month()).collect();
    for &month in months.difference(withheld) {
        for period in HITS_PERIODS {
            let (start, stop) = (period.start(month), Period::stop(month));
            let in_period = |stamp: Stamp| (if open { stamp > start } else { stamp >= start }) && stamp < stop;
            let sum = hits.iter().filter(|(stamp, _)| in_period(*stamp)).map(|(_, hits)| *hits).reduce(|a, b| a + b);
            let expected = sum.map_or_else(String::new, |sum| sum.to_string());
            let is_ours =
                |cell: &&Cell| (cell.row, cell.col, cell.period, cell.label) == (8, 1, period.code(), month.label());
            let stored = misc.iter().find(is_ours).map_or("", |cell| cell.value.as_str());
            if whole(stored) == expected {
                continue;
            }
            let or_empty = |text: &str| if text.is_empty() { "(empty)".to_owned() } else { text.to_owned() };
            report.warning(format_args!(
                "{month}: hits cell drift (period={} stored={} expected={})",
                period.code(),
                or_empty(&whole(stored)),
                or_empty(&expected)
            ))?;
            report.found("summary_misc_vals", "(hits_parity)", month, Remedy::Command(format!("{command} {month}")));
            // one finding per month: the command writes all periods
            break;
        }
    }
    Ok(())
}

/// A number without its fraction; any other text unchanged.
fn whole(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => format!("{:.0}", number.trunc()),
        _ => text.to_owned(),
    }
}

/// A week or more without rows and without an imported log.
pub(super) fn gaps(
    table: &str,
    label: &str,
    days: &BTreeSet<i64>,
    scope: Scope,
    report: &mut Report<'_>,
) -> Result<()> {
    let Some(today) = scope.today.day_number() else { return Ok(()) };
    // today's log does not prove that yesterday's is late
    let ends = days.range(..today).copied().chain(days.range(today..).next().map(|_| today));
    let ends: Vec<i64> = ends.collect();
    for (before, after) in ends.iter().zip(ends.iter().skip(1)) {
        let n_days = after - before - 1;
        if n_days < GAP_MIN {
            continue;
        }
        let (first, last) = (nth_day(before + 1), nth_day(after - 1));
        let text = format!("{}..{}", day(first), day(last));
        report.warning(format_args!("{label} import gap: {text} ({n_days} day(s), no source file)"))?;
        if let Some(month) = first.month() {
            let advice = format!("(look into daily/ and imported/ for {label} logs of {text})");
            report.found(&format!("{table}_import"), "(import_gap)", month, Remedy::Advice(advice));
        }
    }
    Ok(())
}

/// The day with this number.
fn nth_day(number: i64) -> Stamp {
    let first = Stamp::from_parts(1, 1, 1, 0, 0, 0);
    first.plus_days(number - first.day_number().unwrap_or(0))
}

/// The next id of a table must be above all existing ones: otherwise the next row collides and is
/// dropped.
pub(super) fn next_ids(tables: &[(&'static str, i64, i64)], report: &mut Report<'_>) -> Result<()> {
    for (table, next, highest) in tables.iter().filter(|(_, next, highest)| next <= highest) {
        report.warning(format_args!(
            "{table}: AUTO_INCREMENT={next} <= MAX(id)={highest} — next INSERT will PK-collide and silently drop (under \
             INSERT IGNORE)"
        ))?;
        let advice = format!("(as root of the server: ALTER TABLE {table} AUTO_INCREMENT={})", highest + 1);
        report.found_in(&format!("{table}_autoincr"), "(reseed)", Remedy::Advice(advice));
    }
    Ok(())
}

/// Invalid values in the stored state.
pub(super) fn state(pairs: &BTreeMap<String, String>) -> Vec<String> {
    let value = |key: &str| pairs.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let month = |text: &str| text.parse::<Month>().ok();
    let mut bad = Vec::new();
    if let Some(mode) = value("mode").filter(|mode| !["normal", "catchup", "rebuild"].contains(mode)) {
        bad.push(format!("mode='{mode}' not in {{normal,catchup,rebuild}}"));
    }
    let mut withheld = value("withheld_months").unwrap_or("").split(',').map(str::trim).filter(|text| !text.is_empty());
    if let Some(text) = withheld.find(|text| month(text).is_none()) {
        bad.push(format!("withheld_months contains '{text}' (not YYYY-MM)"));
    }
    for key in ["rebuild_cursor", "catchup_started", "rebuild_cascade_from"] {
        if let Some(text) = value(key).filter(|text| month(text).is_none()) {
            bad.push(format!("{key}='{text}' not YYYY-MM"));
        }
    }
    let is_day = |text: &&str| text.len() == 10 && Stamp::parse(&format!("{text} 00:00:00")).is_some();
    if let Some(text) = value("analyzed").filter(|text| !is_day(text)) {
        bad.push(format!("analyzed='{text}' not YYYY-MM-DD"));
    }
    let mut dirty = value("dirty_months").unwrap_or("").split(',').map(str::trim).filter(|text| !text.is_empty());
    if let Some(text) = dirty.find(|text| month(text).is_none()) {
        bad.push(format!("dirty_months contains '{text}' (not YYYY-MM)"));
    }
    let started = value("catchup_started").and_then(month);
    let analyzed = value("analyzed").filter(is_day).and_then(|text| month(text.get(..7)?));
    if let Some((started, analyzed)) = started.zip(analyzed)
        && started > analyzed
    {
        bad.push(format!(
            "catchup_started='{started}' > analyzed='{analyzed}' (orchestrator never ran the catchup it was asked for)"
        ));
    }
    bad
}

/// The newest cell of a summary must belong to the previous month. `is_needless`: the hub has
/// nothing to count there.
pub(super) fn freshness(
    table: &str,
    cells: &[Cell],
    is_needless: bool,
    previous: Month,
    report: &mut Report<'_>,
) -> Result<()> {
    // future dates would hide that the last months are missing
    let is_past = |cell: &&Cell| cell.label <= previous.next().label();
    let newest = cells.iter().filter(|cell| cell.has_value).filter(is_past).map(|cell| cell.label).max();
    match newest {
        None if is_needless => {
            return report
                .ok(format_args!("{table}: empty — no simulation-tool data on this hub (toolstart is empty)"));
        }
        None => report.warning(format_args!("{table}: no non-empty cells at all (expected at least {previous})"))?,
        Some(newest) if newest >= previous.label() => return Ok(()),
        Some(newest) => {
            let month = newest.to_string().chars().take(7).collect::<String>();
            report.warning(format_args!("{table}: most-recent datetime {month} trails prev_month {previous}"))?;
        }
    }
    report.found(table, "(stale)", previous, Remedy::Command(format!("summarize-month {previous}")));
    Ok(())
}

/// All users are the sum of the registered, the interactive and the downloading ones.
pub(super) fn totals(users: &[Cell], scope: Scope, report: &mut Report<'_>) -> Result<()> {
    let mut parts: BTreeMap<(Stamp, u8, i64, i64), f64> = BTreeMap::new();
    for cell in users.iter().filter(|cell| (6..=8).contains(&cell.row)) {
        *parts.entry((cell.label, cell.period, cell.col, cell.format)).or_default() +=
            cell.value.parse().unwrap_or(0.0);
    }
    let wrong = users
        .iter()
        .filter(|cell| cell.row == 1 && !cell.value.is_empty() && cell.label >= scope.start)
        .filter(|cell| {
            let sum = parts.get(&(cell.label, cell.period, cell.col, cell.format)).copied().unwrap_or(0.0);
            (cell.value.parse().unwrap_or(0.0) - sum).abs() >= 0.00005
        });
    let months: BTreeSet<Month> = wrong.filter_map(|cell| cell.label.month()).collect();
    for month in months {
        report.warning(format_args!("{month}: summary_user_vals[1] ≠ SUM([6,7,8])"))?;
        let remedy = Remedy::Command(format!("summarize-month {month}"));
        report.found("summary_user_vals", "(invariant)", month, remedy);
    }
    Ok(())
}

/// Whether an all-time cell can only grow: a plain count or sum of what was imported. Rows about
/// visitors without a login shrink if an address logs in; averages may do anything.
const fn only_grows(table: &str, row: i64, col: i64) -> bool {
    match table.as_bytes() {
        b"summary_user_vals" => row == 2 || (row == 6 && col == 1),
        b"summary_misc_vals" => row != 7,
        _ => row != 7 && row != 8,
    }
}

/// An all-time count must not be lower than a month earlier.
pub(super) fn shrunk(table: &str, cells: &[Cell], scope: Scope, report: &mut Report<'_>) -> Result<()> {
    let all_time = || cells.iter().filter(|cell| cell.period == Period::AllTime.code());
    let of_month = |cell: &Cell| cell.label.month().filter(|month| month.label() == cell.label);
    let known: BTreeMap<_, (&str, f64)> = all_time()
        .filter_map(|cell| Some(((of_month(cell)?, key(cell)), (cell.value.as_str(), number(&cell.value)?))))
        .collect();
    for ((month, key), (value, now)) in &known {
        if month.label() < scope.start || !only_grows(table, key.0, key.1) {
            continue;
        }
        if let Some((old, before)) = known.get(&(month.previous(), *key))
            && now < before
        {
            report.warning(format_args!(
                "{month}: {table}[rowid={},colid={},valfmt={}] period-14 regressed {old} → {value}",
                key.0, key.1, key.2
            ))?;
            let advice = format!("(rows were deleted? then rebuild-from the month; {table} of all time only grows)");
            report.found(table, "(period14_regression)", *month, Remedy::Advice(advice));
        }
    }
    Ok(())
}

/// Months with requests but without logins.
pub(super) fn without_logins(
    web: &BTreeMap<Month, MonthOfRows>,
    logins: &BTreeMap<Month, u64>,
    report: &mut Report<'_>,
) -> Result<()> {
    for (&month, seen) in web.iter().filter(|(month, _)| !logins.contains_key(month)) {
        report.warning(format_args!("{month}: web has {} rows but userlogin has 0 — cmsauth import gap", seen.rows))?;
        let advice = format!("(look for the cmsauth logs of {month})");
        report.found("userlogin", "(missing_source)", month, Remedy::Advice(advice));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::shares::{HALF, Shares};
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn said(check: impl FnOnce(&mut Report<'_>) -> Result<()>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut report = Report::to(|_, text| {
            lines.push(text.to_owned());
            Ok(())
        });
        check(&mut report).unwrap();
        report.end("").unwrap();
        drop(report);
        lines.retain(|line| line != "all checks passed —  clean" && !line.contains("finding(s)"));
        lines
    }

    #[test]
    fn shares_above_five_times_the_upper_median() {
        let check = |missing: &[(u64, u64)], floor: f64, expected: &[usize]| {
            let months = (0_u32..).zip(missing).map(|(n, (rows, missing))| {
                let seen = MonthOfRows { rows: *rows, missing: [0, *missing, 0], ..MonthOfRows::default() };
                (month("2024-01").plus(n), seen)
            });
            let shares = Shares::of(&months.collect(), 1, floor, HALF);
            let bad: Vec<usize> =
                shares.bad.iter().map(|share| (share.month.ordinal() - month("2024-01").ordinal()) as usize).collect();
            assert_eq!(bad, expected, "{missing:?}");
        };
        check(&[], 0.05, &[]);
        check(&[(1000, 0), (1000, 0), (1000, 500)], 0.05, &[2]);
        check(&[(1000, 80); 24], 0.05, &[]);
        // a value exactly at the threshold is not above it
        check(&[(1000, 0), (1000, 0), (1000, 0), (1000, 50), (1000, 51)], 0.05, &[4]);
        // the upper of the two medians counts
        check(&[(1000, 0), (1000, 150)], 0.05, &[]);
        check(&[(99, 99), (100, 0), (100, 0), (100, 6)], 0.05, &[3]);
        check(&[(100, 0), (100, 0), (100, 1)], 0.0, &[2]);
        // a value that is missing everywhere is still missing
        check(&[(1000, 1000), (1000, 1000), (1000, 500), (1000, 501)], 0.05, &[0, 1, 3]);
        check(&[(1000, 700), (1000, 900)], 0.8, &[1]);
    }

    fn cell(row: i64, month_text: &str, period: Period, value: &str) -> Cell {
        Cell {
            row,
            col: 1,
            label: month(month_text).label(),
            period: period.code(),
            value: value.to_owned(),
            has_value: !value.is_empty(),
            format: 1,
        }
    }

    #[test]
    fn hits_cells_are_compared_with_the_hits_of_their_periods() {
        let at = |text: &str| Stamp::parse(&format!("{text} 00:00:00")).unwrap();
        // the first day belongs to both periods, the first of the next month to none
        let hits = [("2025-07-01", 40), ("2025-07-02", 2), ("2025-08-01", 1000)].map(|(day, hits)| (at(day), hits));
        let scope = Scope { start: at("2025-01-01"), end: at("2025-08-01"), today: at("2025-09-10") };
        let check = |own: &str, quarter: &str, open: bool, expected: &[&str]| {
            let cells = [
                cell(8, "2025-07", Period::Month, own),
                cell(8, "2025-07", Period::Quarter, quarter),
                // other rows, periods and months are not checked
                cell(7, "2025-07", Period::Month, "5"),
                cell(8, "2025-07", Period::AllTime, "5"),
                cell(8, "2025-08", Period::Month, "5"),
            ];
            let found = said(|report| hits_cells(&cells, &hits, scope, &BTreeSet::new(), open, "fix", report));
            assert_eq!(found, expected, "{own} {quarter} {open}");
        };
        check("42", "42", false, &[]);
        check("42.0", "42", false, &[]);
        let command = "    hzmetrics fix 2025-07";
        // a period that excludes its first instant loses the first day
        let lost = "WARN  2025-07: hits cell drift (period=1 stored=2 expected=42)";
        check("2", "42", false, &[lost, command]);
        check("2", "2", true, &[]);
        check("42", "2", true, &["WARN  2025-07: hits cell drift (period=1 stored=42 expected=2)", command]);
        check("42", "41", false, &["WARN  2025-07: hits cell drift (period=3 stored=41 expected=42)", command]);
        check("", "", false, &["WARN  2025-07: hits cell drift (period=1 stored=(empty) expected=42)", command]);
        // one finding per month
        check("2", "3", false, &[lost, command]);
    }

    #[test]
    fn a_summary_without_last_months_cells_is_stale() {
        let check = |table: &str, cells: &[Cell], is_needless: bool, expected: &[&str]| {
            let found = said(|report| freshness(table, cells, is_needless, month("2026-04"), report));
            assert_eq!(found, expected, "{table} {is_needless}");
        };
        let command = "    hzmetrics summarize-month 2026-04";
        let users = "WARN  summary_user_vals: no non-empty cells at all (expected at least 2026-04)";
        check("summary_user_vals", &[], false, &[users, command]);
        // cells without a value do not count
        check("summary_user_vals", &[cell(1, "2026-04", Period::Month, "")], false, &[users, command]);
        check("summary_user_vals", &[cell(1, "2026-04", Period::Month, "0")], false, &[]);
        check("summary_user_vals", &[cell(1, "2026-05", Period::Month, "0")], false, &[]);
        let old = "WARN  summary_user_vals: most-recent datetime 2026-03 trails prev_month 2026-04";
        check("summary_user_vals", &[cell(1, "2026-03", Period::Month, "0")], false, &[old, command]);
        // a hub without tools has no simulations
        let tools = "WARN  summary_simusage_vals: no non-empty cells at all (expected at least 2026-04)";
        check("summary_simusage_vals", &[], false, &[tools, command]);
        let without = "OK    summary_simusage_vals: empty — no simulation-tool data on this hub (toolstart is empty)";
        check("summary_simusage_vals", &[], true, &[without]);
        let old = old.replace("user", "simusage");
        check("summary_simusage_vals", &[cell(1, "2026-03", Period::Month, "0")], true, &[&old, command]);
    }

    #[test]
    fn a_next_id_below_the_highest_is_found() {
        let check = |next: i64, highest: i64, n_lines: usize| {
            assert_eq!(said(|report| next_ids(&[("web", next, highest)], report)).len(), n_lines, "{next} {highest}");
        };
        check(101, 100, 0);
        check(100, 100, 2);
        check(50, 100, 2);
        assert_eq!(
            said(|report| next_ids(&[("web", 50, 100), ("userlogin", 51, 50)], report)),
            [
                "WARN  web: AUTO_INCREMENT=50 <= MAX(id)=100 — next INSERT will PK-collide and silently drop (under INSERT \
                 IGNORE)",
                "    (as root of the server: ALTER TABLE web AUTO_INCREMENT=101)",
            ]
        );
    }

    #[test]
    fn weeks_without_imports_are_found() {
        let today = Stamp::from_parts(2026, 5, 19, 0, 0, 0);
        let scope = Scope { start: today, end: today, today };
        let check = |days: &[(u8, u8)], expected: &[&str]| {
            let number = |(month, day): &(u8, u8)| Stamp::from_parts(2026, *month, *day, 0, 0, 0).day_number().unwrap();
            let found = said(|report| gaps("web", "apache", &days.iter().map(number).collect(), scope, report));
            let gaps: Vec<&str> =
                found.iter().filter_map(|line| line.strip_prefix("WARN  apache import gap: ")).collect();
            assert_eq!(gaps, expected);
        };
        check(&[], &[]);
        check(&[(1, 1)], &[]);
        check(&[(1, 1), (1, 2), (1, 9)], &[]);
        check(&[(1, 1), (1, 2), (1, 10)], &["2026-01-03..2026-01-09 (7 day(s), no source file)"]);
        // only until yesterday
        check(&[(5, 11), (5, 19)], &["2026-05-12..2026-05-18 (7 day(s), no source file)"]);
        check(&[(5, 11), (6, 19), (7, 1)], &["2026-05-12..2026-05-18 (7 day(s), no source file)"]);
        check(&[(5, 12), (6, 19)], &[]);
        check(&[(6, 1), (7, 1)], &[]);
    }

    #[test]
    fn invalid_values_of_the_state_are_found() {
        let check = |pairs: &[(&str, &str)], expected: &[&str]| {
            let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(state(&pairs), expected);
        };
        let sound = [("mode", "normal"), ("analyzed", "2026-06-07"), ("catchup_started", "2022-01")];
        check(&[], &[]);
        check(&sound, &[]);
        check(
            &[("rebuild_cursor", "2026-06"), ("rebuild_cascade_from", ""), ("dirty_months", "2025-01,,2025-02")],
            &[],
        );
        check(&[("mode", "limbo")], &["mode='limbo' not in {normal,catchup,rebuild}"]);
        check(&[("rebuild_cascade_from", "2026-13")], &["rebuild_cascade_from='2026-13' not YYYY-MM"]);
        check(&[("analyzed", "2026-6-7")], &["analyzed='2026-6-7' not YYYY-MM-DD"]);
        check(&[("dirty_months", "2026-06,x,y")], &["dirty_months contains 'x' (not YYYY-MM)"]);
        check(&[("analyzed", "2026-06-01"), ("catchup_started", "2026-06")], &[]);
        check(
            &[("analyzed", "2024-01-15"), ("catchup_started", "2026-06")],
            &["catchup_started='2026-06' > analyzed='2024-01' (orchestrator never ran the catchup it was asked for)"],
        );
    }

    #[test]
    fn numbers_in_cells_are_read() {
        for (text, expected) in [("7", Some(7.0)), ("7.25", Some(7.25)), ("", None), (" 7", None), ("-1", None)] {
            assert_eq!(number(text), expected, "{text}");
        }
        assert_eq!([number("5 users on 2026-04-02"), number("7."), number(".5"), number("1e3")], [None; 4]);
        for (text, expected) in [("6900", "6900"), ("6900.9", "6900"), ("", ""), ("x", "x")] {
            assert_eq!(whole(text), expected);
        }
    }
}
