//! Ranges of entries that are wrong: they follow from the number of rows of each import.

use anyhow::{Context as _, Result};

use super::entry::{Entry, Range, Target, of_target};
use crate::Db;

/// A range that should be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The entry as it is.
    pub entry: Entry,
    /// What its range should be.
    pub range: Range,
}

/// What a look at the entries of a table found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repair {
    /// How many entries were considered.
    pub considered: usize,
    /// What should be corrected, newest first.
    pub corrections: Vec<Correction>,
    /// Why it stopped before the oldest.
    pub stopped: Option<Stopped>,
}

/// Why a repair plan ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The table has no rows.
    Empty,
    /// Older entries lie among reconstructed ones, up to this id; so many were left alone.
    Reconstructed {
        /// Highest id of a reconstructed entry.
        up_to: i64,
        /// Entries left alone.
        left: usize,
    },
    /// The counts of the entries add up to more than there are ids: other rows were inserted too.
    BeforeFirst {
        /// The entry that would begin before id 1.
        filename: String,
    },
}

/// Plans the ranges of a table's entries anew: every import took the ids right below those of the
/// import after it, the newest one ends at the highest id of the table.
///
/// # Errors
/// The server is lost.
pub fn plan_repair(db: &mut Db, target: Target) -> Result<Repair> {
    let entries = of_target(db, target)?;
    let last = db.number(&format!("SELECT MAX(id) FROM {}", target.name()), ())?;
    Ok(plan(entries, last))
}

pub(super) fn plan(entries: Vec<Entry>, last: Option<i64>) -> Repair {
    let reconstructed = entries.iter().filter(|entry| entry.is_reconstructed);
    let up_to = reconstructed.filter_map(|entry| entry.range).map(|range| range.end).max().unwrap_or(0);
    let counts = |entry: &Entry| !entry.is_reconstructed && entry.range.is_some() && entry.rows > 0;
    let entries: Vec<Entry> = entries.into_iter().filter(counts).collect();
    let mut repair = Repair { considered: entries.len(), ..Repair::default() };
    if repair.considered == 0 {
        return repair;
    }
    let Some(mut end) = last else {
        repair.stopped = Some(Stopped::Empty);
        return repair;
    };
    for (n, entry) in entries.into_iter().enumerate() {
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
