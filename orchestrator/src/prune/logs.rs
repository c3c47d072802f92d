//! Imported logs that are older than `[retention] logs_months`: which of them may go.
//!
//! A log goes when the ledger of imports has it and its month is published with all periods; whatever else is in the
//! folder stays. Rows are never deleted here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use database::Db;
use database::ledger::{self, Entry, Target};
use logs::discovery::{self, Found, Stream};
use schema::Month;

use crate::hub::Hub;
use crate::pipeline::facts;
use crate::pipeline::state::State;

/// Old logs.
#[derive(Debug, Default)]
pub(crate) struct Old {
    /// Those that may go, by month.
    pub(crate) logs: BTreeMap<Month, Vec<Log>>,
    /// Months whose logs stay because their numbers are not final.
    pub(crate) unpublished: BTreeSet<Month>,
    /// Old logs that are not in the ledger.
    pub(crate) unknown: Vec<PathBuf>,
}

/// A log that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Looks for logs of months before `first_kept`.
///
/// # Errors
/// A folder or the ledger cannot be read.
pub(crate) fn look(hub: &Hub, db: &mut Db, first_kept: Month) -> Result<Old> {
    let mut old = Old::default();
    let mut found: BTreeMap<Month, Vec<Found>> = BTreeMap::new();
    for stream in [Stream::Access, Stream::Auth] {
        let known = names_in_ledger(db, Target::of(stream))?;
        for log in discovery::flat(&hub.imported(stream), stream, Some(hub.config.site.name.as_str()))? {
            let Some(month) = log.date().and_then(month_of).filter(|month| *month < first_kept) else { continue };
            if known.contains(&plain_name(&log.name)) {
                found.entry(month).or_default().push(log);
            } else {
                old.unknown.push(log.path);
            }
        }
    }
    let state = State::read(db)?;
    for (month, logs) in found {
        let is_final =
            !state.dirty.contains(&month) && !state.withheld.contains(&month) && facts::is_fully_summarized(db, month)?;
        if is_final {
            let log = |log: Found| Log { path: log.path, bytes: log.bytes };
            old.logs.insert(month, logs.into_iter().map(log).collect());
        } else {
            old.unpublished.insert(month);
        }
    }
    Ok(old)
}

/// Whether the log of an entry of the ledger is still in `imported/` or `daily/`.
///
/// # Errors
/// A folder cannot be read.
pub(crate) fn is_log_there(hub: &Hub, entry: &Entry) -> Result<bool> {
    let stream = if entry.target == Target::Userlogin { Stream::Auth } else { Stream::Access };
    let name = plain_name(ledger::base_name(&entry.filename));
    let site = Some(hub.config.site.name.as_str());
    let archived = discovery::flat_unfinished(&hub.imported(stream), stream, site)?;
    let waiting = discovery::tree_unfinished(&hub.logs(stream).join("daily"), stream, site)?;
    Ok(archived.iter().chain(&waiting).any(|log| plain_name(&log.name) == name))
}

/// The names of imported logs without the suffix of a compression.
fn names_in_ledger(db: &mut Db, target: Target) -> Result<BTreeSet<String>> {
    let entries = ledger::of_target(db, target).context("reading the ledger of imports")?;
    Ok(entries.iter().map(|entry| plain_name(ledger::base_name(&entry.filename))).collect())
}

fn plain_name(name: &str) -> String {
    let ending = kit::Compression::ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
    ending.unwrap_or(name).to_owned()
}

/// The month of a day, `YYYYMMDD`.
pub(crate) fn month_of(day: &str) -> Option<Month> {
    let (year, rest) = day.split_at_checked(4)?;
    Month::new(year.parse().ok()?, rest.get(..2)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_months_of_logs_are_read() {
        assert_eq!(plain_name("h-access.log-20250603.gz"), plain_name("h-access.log-20250603"));
        assert_eq!(month_of("20250603").map(|month| month.to_string()).as_deref(), Some("2025-06"));
        for bad in ["", "2025", "20251301", "2025é"] {
            assert_eq!(month_of(bad), None, "{bad}");
        }
    }
}
