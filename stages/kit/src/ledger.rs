//! The ledger of imports, `imported_sources`: one row for each log file and table, with the ids of
//! the rows that came from it.
//!
//! The importer writes a row inside the transaction of the file's data, so that file and row are
//! there together or not at all. The commands that look after the ledger read it here too.

use anyhow::{Context as _, Result};

use crate::db::Db;
use crate::discovery::Stream;

/// The table's name.
pub const TABLE: &str = "imported_sources";

/// A table that log files are imported into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Requests, from access logs.
    Web,
    /// Logins, from auth logs.
    Userlogin,
    /// Hits a day; only old ledgers have such rows.
    Webhits,
}

impl Target {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Web, Self::Userlogin, Self::Webhits];

    /// The table's name, which is also its word in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Userlogin => "userlogin",
            Self::Webhits => "webhits",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// The table that a stream is imported into.
    #[must_use]
    pub const fn of(stream: Stream) -> Self {
        match stream {
            Stream::Access => Self::Web,
            Stream::Auth => Self::Userlogin,
        }
    }
}

/// What [`begin`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// A file not seen before; its row is there now, still without a range.
    New,
    /// An earlier run committed this file.
    Committed,
}

/// Whether there is a ledger: databases of the original scripts have none.
///
/// # Errors
/// The server is lost.
pub fn is_there(db: &mut Db) -> Result<bool> {
    db.has_table(TABLE)
}

/// Notes the file `filename` (its base name as found) as imported into `target`, in the caller's
/// transaction. For a [`Begun::New`] one the caller inserts the data and ends with [`finish`]; a
/// [`Begun::Committed`] one has been imported, nothing is left to do.
///
/// # Errors
/// The server refuses it.
pub fn begin(db: &mut Db, filename: &str, target: Target) -> Result<Begun> {
    let sql =
        "INSERT IGNORE INTO imported_sources (filename, target_table, imported_at, row_count) VALUES (?, ?, NOW(), 0)";
    let added = db.run(sql, (filename, target.name())).with_context(|| format!("noting the import of {filename}"))?;
    Ok(if added == 0 { Begun::Committed } else { Begun::New })
}

/// Notes which rows came from the file: the first and last id of the new rows, and how many rows
/// there are. A file without rows keeps its empty range.
///
/// # Errors
/// The server refuses it, or there is no such entry.
pub fn finish(
    db: &mut Db,
    filename: &str,
    target: Target,
    first: Option<u64>,
    last: Option<u64>,
    rows: u64,
) -> Result<()> {
    let doing = || format!("noting the rows of {filename}");
    let known = db
        .number(
            "SELECT COUNT(*) FROM imported_sources WHERE filename = ? AND target_table = ?",
            (filename, target.name()),
        )
        .with_context(doing)?;
    anyhow::ensure!(known == Some(1), "the ledger of imports has no entry for {filename}");
    let sql =
        "UPDATE imported_sources SET pk_start = ?, pk_end = ?, row_count = ? WHERE filename = ? AND target_table = ?";
    db.run(sql, (first, last, rows, filename, target.name())).with_context(doing)?;
    Ok(())
}

#[cfg(test)]
mod tests;
