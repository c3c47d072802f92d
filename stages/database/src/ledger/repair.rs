//! Repairs the ranges of entries: they follow from the number of rows of each import.

use std::collections::HashSet;

use anyhow::{Context as _, Result};

use super::entry::{Entry, Range, Target, of_target};
use super::rows::{can_be_right, count};
use crate::Db;

/// A range that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The current entry.
    pub entry: Entry,
    /// Its correct range.
    pub range: Range,
}

/// The result of checking the entries for a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repair {
    /// How many entries were checked.
    pub considered: usize,
    /// The corrections, newest first.
    pub corrections: Vec<Correction>,
    /// Why the check stopped before the oldest entry.
    pub stopped: Option<Stopped>,
}

/// Why a repair plan ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The table has no rows.
    Empty,
    /// Older entries overlap reconstructed ones, up to this id; so many were not changed.
    Reconstructed {
        /// Highest id of a reconstructed entry.
        up_to: i64,
        /// Entries not changed.
        left: usize,
    },
    /// The counts of the entries add up to more than there are ids: there are other rows too.
    BeforeFirst {
        /// The entry that would begin before id 1.
        filename: String,
    },
    /// Ids have gaps, and there are rows that no entry counts: their origin is unknown.
    Unclear {
        /// The newest entry affected.
        filename: String,
    },
}

/// Computes the ranges again for entries that cannot be right: every import has the ids just below
/// those of the next import, and the newest one ends at the highest id of the table. If ids have gaps,
/// rows are counted instead of ids.
///
/// # Errors
/// The connection is lost.
pub fn plan_repair(db: &mut Db, target: Target) -> Result<Repair> {
    let entries = of_target(db, target)?;
    let last = db.number(&format!("SELECT MAX(id) FROM {}", target.name()), ())?;
    let step = db.number("SELECT @@auto_increment_increment", ())?.unwrap_or(1);
    let mut right = HashSet::new();
    let mut has_gaps = step != 1;
    for entry in entries.iter().filter(|entry| !entry.is_reconstructed) {
        let Some(range) = entry.range.filter(|range| last.is_some_and(|last| range.end <= last)) else { continue };
        if can_be_right(db, entry)? {
            right.insert(entry.id);
            has_gaps |= range.end - range.start + 1 != entry.rows;
        }
    }
    if has_gaps { plan_by_rows(db, target, entries, last, &right) } else { Ok(plan(entries, last, &right)) }
}

/// The highest id of a reconstructed entry, and the entries to check.
fn considered(entries: Vec<Entry>) -> (i64, Vec<Entry>) {
    let reconstructed = entries.iter().filter(|entry| entry.is_reconstructed);
    let up_to = reconstructed.filter_map(|entry| entry.range).map(|range| range.end).max().unwrap_or(0);
    let counts = |entry: &Entry| !entry.is_reconstructed && entry.range.is_some() && entry.rows > 0;
    (up_to, entries.into_iter().filter(counts).collect())
}

/// The plan if ids have gaps. Wrong entries share the rows between two right ones, if their number
/// matches.
fn plan_by_rows(
    db: &mut Db,
    target: Target,
    entries: Vec<Entry>,
    last: Option<i64>,
    right: &HashSet<i64>,
) -> Result<Repair> {
    let (up_to, entries) = considered(entries);
    let mut repair = Repair { considered: entries.len(), ..Repair::default() };
    let Some(last) = last.filter(|_| !entries.is_empty()) else {
        repair.stopped = (!entries.is_empty()).then_some(Stopped::Empty);
        return Ok(repair);
    };
    let table = target.name();
    let mut upper = last;
    for group in entries.chunk_by(|a, b| right.contains(&a.id) == right.contains(&b.id)) {
        if group.iter().any(|entry| right.contains(&entry.id)) {
            let starts = group.iter().filter_map(|entry| entry.range).map(|range| range.start - 1);
            upper = starts.min().unwrap_or(upper).min(upper);
            continue;
        }
        let ends = entries.iter().filter(|entry| right.contains(&entry.id)).filter_map(|entry| entry.range);
        let lower = ends.map(|range| range.end).filter(|&end| end <= upper).max().unwrap_or(0).max(up_to);
        let recorded: i64 = group.iter().map(|entry| entry.rows).sum();
        if count(db, target, Range { start: lower + 1, end: upper })? != recorded {
            repair.stopped = group.first().map(|entry| Stopped::Unclear { filename: entry.filename.clone() });
            break;
        }
        for entry in group {
            let sql = format!("SELECT id FROM {table} WHERE id > ? AND id <= ? ORDER BY id DESC LIMIT ?, 1");
            let end = db.number(&sql, (lower, upper, 0))?;
            let Some((start, end)) = db.number(&sql, (lower, upper, entry.rows - 1))?.zip(end) else { break };
            let range = Range { start, end };
            upper = start - 1;
            if entry.range != Some(range) {
                repair.corrections.push(Correction { entry: entry.clone(), range });
            }
        }
    }
    Ok(repair)
}

pub(super) fn plan(entries: Vec<Entry>, last: Option<i64>, right: &HashSet<i64>) -> Repair {
    let (up_to, entries) = considered(entries);
    let mut repair = Repair { considered: entries.len(), ..Repair::default() };
    if repair.considered == 0 {
        return repair;
    }
    let Some(mut end) = last else {
        repair.stopped = Some(Stopped::Empty);
        return repair;
    };
    for (n, entry) in entries.into_iter().enumerate() {
        if let Some(range) = entry.range.filter(|range| right.contains(&entry.id) && range.end <= end) {
            end = range.start - 1;
            continue;
        }
        let start = end.saturating_sub(entry.rows).saturating_add(1);
        if up_to > 0 && start <= up_to {
            repair.stopped = Some(Stopped::Reconstructed { up_to, left: repair.considered - n });
            break;
        }
        if start <= 0 {
            repair.stopped = Some(Stopped::BeforeFirst { filename: entry.filename });
            break;
        }
        let range = Range { start, end };
        end = start - 1;
        if entry.range != Some(range) {
            repair.corrections.push(Correction { entry, range });
        }
    }
    repair
}

/// Writes corrections, in the caller's transaction.
///
/// # Errors
/// The server refuses it.
pub fn apply_repair(db: &mut Db, corrections: &[Correction]) -> Result<()> {
    for Correction { entry, range } in corrections {
        let sql = "UPDATE imported_sources SET pk_start = ?, pk_end = ? WHERE id = ?";
        db.run(sql, (range.start, range.end, entry.id))
            .with_context(|| format!("correcting the range of {}", entry.filename))?;
    }
    Ok(())
}
