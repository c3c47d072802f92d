//! The ledger of imports, compared with the rows that it refers to.

use std::collections::BTreeMap;

use anyhow::Result;
use database::Db;
use database::ledger::{Entry, Range, Target};
use schema::Stamp;

use super::report::{Remedy, Report};

/// The days in the names of imported logs, as day numbers.
pub(super) fn days(entries: &[Entry]) -> impl Iterator<Item = i64> {
    entries.iter().filter_map(|entry| day_of(database::ledger::base_name(&entry.filename)))
}

/// The last eight consecutive digits of a name, if they are a day.
fn day_of(name: &str) -> Option<i64> {
    let run = name.split(|c: char| !c.is_ascii_digit()).rfind(|run| run.len() >= 8)?;
    let digits = run.as_bytes().chunks_exact(8).next_back()?;
    let part = |from: usize, to: usize| std::str::from_utf8(digits.get(from..to)?).ok()?.parse::<u16>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    let is_day = year > 0 && day > 0 && schema::Month::new(year, month).is_some_and(|month| day <= month.days());
    is_day.then(|| Stamp::from_parts(year, month, day, 0, 0, 0).day_number()).flatten()
}

/// How the ranges of a table's entries relate to each other.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ranges {
    /// Entries of the importer whose range has another number of ids than rows were imported. Servers
    /// may skip ids, so the rows in the range decide.
    span: Vec<i64>,
    /// Entries of the importer that begin inside an earlier one.
    overlapping: usize,
    /// Ids between `first` and `last` that no range covers.
    uncovered: Vec<Range>,
}

impl Ranges {
    /// `known`: lowest and highest id of the table.
    fn of(entries: &[Entry], known: Option<Range>) -> Self {
        let mut list: Vec<(Range, &Entry)> = entries.iter().filter_map(|entry| Some((entry.range?, entry))).collect();
        list.sort_by_key(|(range, _)| (range.start, range.end));
        let mut found = Self::default();
        let Some(first) = list.first().map(|(range, _)| range.start) else { return found };
        if let Some(known) = known.filter(|known| known.start < first) {
            found.uncovered.push(Range { start: known.start, end: first - 1 });
        }
        let mut covered = first - 1;
        let mut imported = None;
        for (range, entry) in list {
            if !entry.is_reconstructed {
                if range.end - range.start + 1 != entry.rows {
                    found.span.push(entry.id);
                }
                found.overlapping += usize::from(imported.is_some_and(|end| range.start <= end));
                imported = imported.max(Some(range.end));
            }
            if range.start > covered + 1 {
                found.uncovered.push(Range { start: covered + 1, end: range.start - 1 });
            }
            covered = covered.max(range.end);
        }
        if let Some(known) = known.filter(|known| known.end > covered) {
            found.uncovered.push(Range { start: covered + 1, end: known.end });
        }
        found
    }
}

/// Reads the rows that matter and reports what does not match.
pub(super) fn check(db: &mut Db, target: Target, entries: &[Entry], report: &mut Report<'_>) -> Result<()> {
    let table = target.name();
    let place = format!("{table}_ledger");
    for entry in entries.iter().filter(|entry| entry.is_unfinished()) {
        report.warning(format_args!("{table}: the import of {} never ended", entry.filename))?;
        let command = format!("forget-import {}", entry.filename);
        report.found_in(&place, "(unfinished)", Remedy::Command(command));
    }
    if !entries.iter().any(|entry| entry.range.is_some()) {
        return Ok(());
    }
    let lowest = db.number(&format!("SELECT MIN(id) FROM {table}"), ())?;
    let highest = db.number(&format!("SELECT MAX(id) FROM {table}"), ())?;
    let known = lowest.zip(highest).map(|(start, end)| Range { start, end });
    let ranges = Ranges::of(entries, known);
    let mut n_wrong = 0;
    for entry in entries.iter().filter(|entry| ranges.span.contains(&entry.id)) {
        n_wrong += usize::from(!database::ledger::can_be_right(db, entry)?);
    }
    if n_wrong > 0 {
        report.warning(format_args!("{table}: {n_wrong} imported_sources entry(ies) with span != row_count"))?;
        report.found_in(&place, "(span)", Remedy::Command("repair-imported-sources --apply".into()));
    }
    if ranges.overlapping > 0 {
        report.warning(format_args!(
            "{table}: {} overlapping imported_sources range(s) — possible duplicate/corrupt provenance",
            ranges.overlapping
        ))?;
        let advice = "(look at the overlapping ranges in imported_sources)";
        report.found_in(&place, "(overlap)", Remedy::Advice(advice.into()));
    }
    // the stretches do not overlap, and each is one lookup in the primary key
    let mut untracked = 0;
    for range in &ranges.uncovered {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE id BETWEEN ? AND ?");
        untracked += db.number(&sql, (range.start, range.end))?.unwrap_or(0);
    }
    if untracked > 0 {
        report.warning(format_args!(
            "{table}: {untracked} row(s) outside all imported_sources ranges — no import provenance"
        ))?;
        let command = format!("reconstruct-imported-sources --apply  ({untracked} untracked {table} row(s))");
        report.found_in(&place, "(uncovered)", Remedy::Command(command));
    }
    Ok(())
}

/// Whether reconstructed entries still have as many rows as were counted. Only for logins: requests
/// of bots are deleted later, and old imports mixed rows of several files.
pub(super) fn check_reconstructed(db: &mut Db, entries: &[Entry], report: &mut Report<'_>) -> Result<()> {
    let table = Target::Userlogin.name();
    let list: Vec<(Range, i64)> = entries
        .iter()
        .filter(|entry| entry.is_reconstructed && entry.target == Target::Userlogin)
        .filter_map(|entry| Some((entry.range?, entry.rows)))
        .collect();
    let Some(first) = list.iter().map(|(range, _)| range.start).min() else { return Ok(()) };
    let last = list.iter().map(|(range, _)| range.end).max().unwrap_or(first);
    // one scan of the ids: how many there are up to each end of a range
    let ends = list.iter().flat_map(|(range, _)| [range.start - 1, range.end]);
    let mut up_to: BTreeMap<i64, i64> = ends.map(|end| (end, 0)).collect();
    let mut ends = up_to.iter_mut().peekable();
    let mut n_ids = 0;
    let sql = format!("SELECT id FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id");
    db.each(&sql, (first, last), |cells| {
        let id = cells.int(0).unwrap_or(0);
        while let Some((_, count)) = ends.next_if(|(end, _)| **end < id) {
            *count = n_ids;
        }
        n_ids += 1;
        Ok(())
    })?;
    ends.for_each(|(_, count)| *count = n_ids);
    let count = |end: i64| up_to.get(&end).copied().unwrap_or(0);
    let drifted = list.iter().filter(|(range, rows)| count(range.end) - count(range.start - 1) != *rows).count();
    if drifted > 0 {
        report.warning(format_args!(
            "{table}: {drifted} origin='reconstruct' ledger row(s) where actual row-count in pk_start..pk_end <> row_count \
             (survivor invariant broken — rows were deleted, or the ledger was changed)"
        ))?;
        let command = format!(
            "reconstruct-imported-sources --apply --target {table}  (after deleting the {drifted} entries: known files \
             are skipped)"
        );
        report.found_in(&format!("{table}_ledger"), "(reconstruct_drift)", Remedy::Command(command));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_found_in_names() {
        let day = |month, day| Stamp::from_parts(2025, month, day, 0, 0, 0).day_number();
        for (name, expected) in [
            ("h-access-20250710.log.gz", day(7, 10)),
            ("h-access.log-20250710", day(7, 10)),
            ("20240101-20250710", day(7, 10)),
            ("h-2025071012", day(7, 10)),
            ("h-20250732", None),
            ("h-20250229", None),
            ("h-2025-07-10", None),
            ("h-00000710", None),
            ("", None),
        ] {
            assert_eq!(day_of(name), expected, "{name}");
        }
    }

    fn entry(start: i64, end: i64, rows: i64, is_reconstructed: bool) -> Entry {
        let range = Some(Range { start, end });
        Entry { id: start, filename: "x".into(), target: Target::Web, range, rows, is_reconstructed }
    }

    fn check(entries: &[Entry], known: (i64, i64), span: usize, overlapping: usize, uncovered: &[(i64, i64)]) {
        let known = Some(Range { start: known.0, end: known.1 });
        let uncovered: Vec<Range> = uncovered.iter().map(|(start, end)| Range { start: *start, end: *end }).collect();
        let found = Ranges::of(entries, known);
        assert_eq!((found.span.len(), found.overlapping, found.uncovered), (span, overlapping, uncovered));
    }

    #[test]
    fn gaps_and_overlaps_of_ranges_are_counted() {
        check(&[entry(1, 100, 100, false), entry(101, 200, 100, false)], (1, 200), 0, 0, &[]);
        check(&[entry(101, 250, 100, false), entry(1, 100, 100, false)], (1, 250), 1, 0, &[]);
        check(&[entry(1, 100, 100, false), entry(50, 150, 101, false)], (1, 150), 0, 1, &[]);
        check(
            &[entry(5, 100, 96, false), entry(103, 110, 8, false)],
            (1, 150),
            0,
            0,
            &[(1, 4), (101, 102), (111, 150)],
        );
        // a wide range covers the gaps between narrow ones
        check(
            &[entry(1, 100, 100, false), entry(10, 20, 9, true), entry(103, 110, 8, false)],
            (1, 110),
            0,
            0,
            &[(101, 102)],
        );
        // reconstructed ranges may contain fewer rows and may overlap
        check(&[entry(1, 100, 7, true), entry(50, 150, 8, true), entry(60, 70, 11, false)], (1, 150), 0, 0, &[]);
        let nothing = Entry { range: None, ..entry(1, 1, 0, false) };
        check(&[nothing], (1, 9), 0, 0, &[]);
    }
}
