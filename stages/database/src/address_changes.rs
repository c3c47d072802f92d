//! Months in which stored addresses are not those of the logs any more: shortened at import, or hashed later. The state
//! names them.
//!
//! What was computed from the whole addresses cannot be computed again, so nobody does it unless told to. Nothing of a
//! hashed month gets an address again.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use schema::{Month, Stamp};

use crate::{Db, Verb};

/// The state.
const STATE: &str = "pipeline_state";
/// Its keys: months, months, months, and the month that is being hashed with the name of its key.
const SHORTENED: &str = "shortened_months";
const HASHED: &str = "hashed_months";
const LATE: &str = "late_addresses";
const HASHING: &str = "hashing_month";

/// Such months.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressChanges {
    shortened: BTreeSet<Month>,
    hashed: BTreeSet<Month>,
    /// Hashed months to which rows with addresses were added afterwards.
    late: BTreeSet<Month>,
    /// The month that is being hashed, or was when a run was killed, and the name of its key.
    pub hashing: Option<(Month, String)>,
}

impl AddressChanges {
    /// What the state says; nothing if there is none.
    ///
    /// # Errors
    /// The server fails, or the state cannot be understood.
    pub fn read(db: &mut Db) -> Result<Self> {
        let mut found = Self::default();
        if !db.has_table(STATE)? {
            return Ok(found);
        }
        let sql = "SELECT k, v FROM pipeline_state WHERE k IN (?, ?, ?, ?)";
        let pairs = db.all(sql, (SHORTENED, HASHED, LATE, HASHING), |row| {
            let text = |at| row.text(at).unwrap_or_default().into_owned();
            Ok((text(0), text(1)))
        })?;
        for (key, value) in pairs {
            let understood = || format!("{STATE} has `{value}` for {key}");
            match key.as_str() {
                SHORTENED => found.shortened = months(&value).with_context(understood)?,
                HASHED => found.hashed = months(&value).with_context(understood)?,
                LATE => found.late = months(&value).with_context(understood)?,
                _ => found.hashing = hashing(&value).with_context(understood)?,
            }
        }
        Ok(found)
    }

    /// Whether the addresses of a month are hashed, or some of them.
    #[must_use]
    pub fn is_hashed(&self, month: Month) -> bool {
        self.hashed.contains(&month) || self.hashing.as_ref().is_some_and(|(hashing, _)| *hashing == month)
    }

    /// Whether the addresses of the month of a moment are hashed; day zero is in the month before.
    #[must_use]
    pub fn is_hashed_at(&self, stamp: Stamp) -> bool {
        stamp.counts_in().is_some_and(|month| self.is_hashed(month))
    }

    /// The last month that is hashed, or begun: no earlier one is hashed later.
    #[must_use]
    pub fn hashed_through(&self) -> Option<Month> {
        self.hashed.last().copied().max(self.hashing.as_ref().map(|(month, _)| *month))
    }

    /// The last month that is hashed wholly.
    #[must_use]
    pub fn completed_through(&self) -> Option<Month> {
        self.hashed.last().copied()
    }

    /// The months whose addresses are hashed, or are being hashed.
    #[must_use]
    pub fn hashed(&self) -> BTreeSet<Month> {
        self.hashed.iter().copied().chain(self.hashing.iter().map(|(month, _)| *month)).collect()
    }

    /// The months of which addresses were shortened.
    #[must_use]
    pub const fn shortened(&self) -> &BTreeSet<Month> {
        &self.shortened
    }

    /// The hashed months to which rows with addresses were added, which the next hashing hashes.
    #[must_use]
    pub const fn late(&self) -> &BTreeSet<Month> {
        &self.late
    }

    /// Whether the stored addresses of a month are not those of its logs.
    #[must_use]
    pub fn has(&self, month: Month) -> bool {
        self.is_hashed(month) || self.shortened.contains(&month)
    }

    /// Which of the months from `first` to `last` have hashes, in words.
    #[must_use]
    pub fn hashed_in(&self, first: Month, last: Month) -> Option<String> {
        span(&self.hashed(), first, last).map(|months| format!("the addresses of {months} were hashed"))
    }

    /// Why hashed months are not computed again without being told to, if there are any from `first` to `last`.
    #[must_use]
    pub fn hashed_refusal(&self, first: Month, last: Month) -> Option<String> {
        self.hashed_in(first, last).map(|why| refused(&why))
    }

    /// The same for all months whose addresses were changed.
    #[must_use]
    pub fn refusal(&self, first: Month, last: Month) -> Option<String> {
        let shortened = || {
            let months = span(&self.shortened, first, last)?;
            Some(format!("addresses of {months} were shortened when they were imported"))
        };
        self.hashed_in(first, last).or_else(shortened).map(|why| refused(&why))
    }
}

fn refused(why: &str) -> String {
    format!(
        "{why}: the numbers of these months may not be the published ones when they are computed again; --force computes \
         them anyway"
    )
}

/// Fails where hashed months would be computed again.
///
/// # Errors
/// There are any from `first` to `last`, or the server fails.
pub fn refuse_hashed(db: &mut Db, first: Month, last: Month) -> Result<()> {
    match AddressChanges::read(db)?.hashed_refusal(first, last) {
        Some(why) => Err(anyhow::anyhow!(why)),
        None => Ok(()),
    }
}

/// Those of some months that are in a span: the first to the last.
fn span(months: &BTreeSet<Month>, first: Month, last: Month) -> Option<String> {
    let mut inside = months.iter().filter(|month| (first..=last).contains(*month));
    let first = inside.next()?;
    Some(inside.next_back().map_or_else(|| first.to_string(), |last| format!("{first} to {last}")))
}

/// Notes that addresses of these months were shortened.
///
/// # Errors
/// The server fails.
pub fn note_shortened(db: &mut Db, months: &BTreeSet<Month>) -> Result<()> {
    if months.is_empty() || !db.has_table(STATE)? {
        return Ok(());
    }
    let known = AddressChanges::read(db)?.shortened;
    if months.is_subset(&known) { Ok(()) } else { store(db, SHORTENED, &list(known.union(months))) }
}

/// Notes, with the rows, that rows with addresses were added to those of these months that are hashed.
///
/// # Errors
/// The server fails.
pub fn note_late(db: &mut Db, months: &BTreeSet<Month>) -> Result<()> {
    let known = AddressChanges::read(db)?;
    let new: BTreeSet<Month> = months.iter().copied().filter(|month| known.is_hashed(*month)).collect();
    if new.is_subset(&known.late) { Ok(()) } else { store(db, LATE, &list(known.late.union(&new))) }
}

/// Notes that the rows that were added to a month are hashed too.
///
/// # Errors
/// The server fails.
pub fn end_late(db: &mut Db, month: Month) -> Result<()> {
    let mut late = AddressChanges::read(db)?.late;
    late.remove(&month);
    db.transaction_with_retry("noting that late rows are hashed", &[STATE], |db| store_late(db, &late))
}

/// Notes, before the first row is changed, that a month is being hashed.
///
/// # Errors
/// The server fails, or there is no state.
pub fn begin_hashing(db: &mut Db, month: Month, key: &str) -> Result<()> {
    db.require(&[STATE])?;
    store(db, HASHING, &format!("{month} {key}"))
}

/// Notes that a month is hashed.
///
/// # Errors
/// The server fails.
pub fn end_hashing(db: &mut Db, month: Month) -> Result<()> {
    let AddressChanges { mut hashed, mut late, .. } = AddressChanges::read(db)?;
    hashed.insert(month);
    late.remove(&month);
    db.transaction_with_retry("noting that a month is hashed", &[STATE], |db| {
        store(db, HASHED, &list(hashed.iter()))?;
        store_late(db, &late)?;
        db.run("DELETE FROM pipeline_state WHERE k = ?", (HASHING,))?;
        Ok(())
    })
}

fn store_late(db: &mut Db, late: &BTreeSet<Month>) -> Result<()> {
    if late.is_empty() {
        db.run("DELETE FROM pipeline_state WHERE k = ?", (LATE,))?;
        return Ok(());
    }
    store(db, LATE, &list(late.iter()))
}

fn store(db: &mut Db, key: &str, value: &str) -> Result<()> {
    let mut insert = db.insert(Verb::Replace, STATE, &["k", "v"]);
    insert.push([key.into(), value.into()])?;
    insert.finish()?;
    Ok(())
}

fn list<'m>(months: impl Iterator<Item = &'m Month>) -> String {
    months.map(Month::to_string).collect::<Vec<_>>().join(",")
}

fn months(text: &str) -> Result<BTreeSet<Month>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(anyhow::Error::from)).collect()
}

fn hashing(text: &str) -> Result<Option<(Month, String)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let (month, key) = text.split_once(' ').context("a month and the name of a key")?;
    ensure!(!key.is_empty(), "a month and the name of a key");
    Ok(Some((month.parse()?, key.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn refusals_name_the_months() {
        let changes = AddressChanges {
            shortened: months("2025-05,2025-06").unwrap(),
            hashed: months("2025-01,2025-02").unwrap(),
            late: BTreeSet::new(),
            hashing: hashing("2025-03 abc").unwrap(),
        };
        let why = |first, last| changes.refusal(month(first), month(last)).unwrap_or_default();
        assert!(why("2024-01", "2025-12").starts_with("the addresses of 2025-01 to 2025-03 were hashed: "));
        assert!(why("2025-03", "2025-05").starts_with("the addresses of 2025-03 were hashed: "));
        assert!(why("2025-04", "2025-12").starts_with("addresses of 2025-05 to 2025-06 were shortened"));
        for (first, last) in
            [("2024-01", "2024-12"), ("2025-04", "2025-04"), ("2025-07", "2026-01"), ("2025-02", "2025-01")]
        {
            assert_eq!(why(first, last), "", "{first} {last}");
        }
        assert_eq!(changes.hashed_through(), Some(month("2025-03")));
        assert!(changes.is_hashed(month("2025-03")) && !changes.is_hashed(month("2025-05")));
        assert_eq!(AddressChanges::default().refusal(month("2025-01"), month("2025-02")), None);
        assert!(months("2025-13").is_err() && hashing("2025-01").is_err());
    }
}
