//! Months whose addresses were hashed or shortened in one of two databases: their rows differ from those of a database
//! that has the addresses.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;
use database::Db;
use database::address_changes::AddressChanges;
use schema::Month;
use serde_json::{Value, json};

use crate::pipeline::state::ranges;

/// Those of both sides, of the months that are compared.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    here: Months,
    there: Months,
}

#[derive(Debug, Clone, Default)]
struct Months {
    hashed: BTreeSet<Month>,
    shortened: BTreeSet<Month>,
}

impl Months {
    fn read(db: &mut Db, wanted: &[Month]) -> Result<Self> {
        let changes = AddressChanges::read(db)?;
        let inside = |months: &BTreeSet<Month>| {
            months.iter().copied().filter(|month| wanted.is_empty() || wanted.contains(month)).collect()
        };
        Ok(Self { hashed: inside(&changes.hashed()), shortened: inside(changes.shortened()) })
    }
}

impl Addresses {
    /// What the metrics databases say; `wanted` are the months that are compared, all if it is empty.
    ///
    /// # Errors
    /// A server fails.
    pub(crate) fn read(here: &mut Db, there: &mut Db, wanted: &[Month]) -> Result<Self> {
        Ok(Self { here: Months::read(here, wanted)?, there: Months::read(there, wanted)? })
    }

    /// What the one here says; the other is made from logs.
    ///
    /// # Errors
    /// The server fails.
    pub(crate) fn of_here(here: &mut Db, wanted: &[Month]) -> Result<Self> {
        Ok(Self { here: Months::read(here, wanted)?, there: Months::default() })
    }

    /// A line for each side and change; nothing if all addresses are those of the logs.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (side, found) in [("here", &self.here), ("there", &self.there)] {
            for (what, months) in [("hashed", &found.hashed), ("shortened", &found.shortened)] {
                if !months.is_empty() {
                    let _ = writeln!(text, "addresses that are {what} {side}: those of {}", ranges(months).join(", "));
                }
            }
        }
        text
    }

    /// The months of both sides.
    pub(super) fn json(&self) -> Value {
        let list = |months: &BTreeSet<Month>| months.iter().map(Month::to_string).collect::<Vec<_>>();
        json!({
            "hashed_here": list(&self.here.hashed), "hashed_there": list(&self.there.hashed),
            "shortened_here": list(&self.here.shortened), "shortened_there": list(&self.there.shortened),
        })
    }
}
