//! An entry of the ledger: written in the transaction with the data, and read by later runs.

use anyhow::{Context as _, Result};
use logs::discovery::Stream;

use crate::{Cells, Db};

/// The table's name.
pub const TABLE: &str = "imported_sources";

/// A table that log files are imported into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Requests, from access logs.
    Web,
    /// Logins, from auth logs.
    Userlogin,
    /// Hits per day; only old ledgers have such rows.
    Webhits,
}

impl Target {
    /// All targets.
    pub const ALL: [Self; 3] = [Self::Web, Self::Userlogin, Self::Webhits];

    /// The table's name, as in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Userlogin => "userlogin",
            Self::Webhits => "webhits",
        }
    }

    /// The target with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// The table for a stream.
    #[must_use]
    pub const fn of(stream: Stream) -> Self {
        match stream {
            Stream::Access => Self::Web,
            Stream::Auth => Self::Userlogin,
        }
    }
}

/// The base name of the file for a name in the ledger: `NAME` for `NAME`, for other content with
/// that name (`NAME#` and 12 hex digits) and for a further part (either one and `@OFFSET`).
///
/// ```
/// use database::ledger::{base_name, is_part};
///
/// let rest = "hub-access.log-20250710#0123456789ab@4096";
/// assert_eq!(base_name(rest), "hub-access.log-20250710");
/// assert!(is_part(rest));
/// ```
#[must_use]
pub fn base_name(filename: &str) -> &str {
    let Some((base, content)) = filename.rsplit_once('#') else { return filename };
    let (hash, offset) = content.split_once('@').unwrap_or((content, "0"));
    let is_hash = hash.len() == 12 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_offset = !offset.is_empty() && offset.bytes().all(|b| b.is_ascii_digit());
    if is_hash && is_offset { base } else { filename }
}

/// Whether a name in the ledger is a further part of a log that has grown.
#[must_use]
pub fn is_part(filename: &str) -> bool {
    base_name(filename) != filename && filename.rsplit_once('@').is_some_and(|(_, offset)| !offset.contains('#'))
}

/// The result of [`begin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// A new file; it now has a row, still without a range.
    New,
    /// An earlier run committed this file.
    Committed,
}

/// Whether there is a ledger: databases of the legacy scripts have none.
///
/// # Errors
/// The connection is lost.
pub fn is_there(db: &mut Db) -> Result<bool> {
    db.has_table(TABLE)
}

/// Records the file `filename` (its base name as found) as imported into `target`, in the caller's
/// transaction. After [`Begun::New`] the caller inserts the data and ends with [`finish`]; after
/// [`Begun::Committed`] there is nothing left to do.
///
/// # Errors
/// The server refuses it.
pub fn begin(db: &mut Db, filename: &str, target: Target) -> Result<Begun> {
    let sql =
        "INSERT IGNORE INTO imported_sources (filename, target_table, imported_at, row_count) VALUES (?, ?, NOW(), 0)";
    let added =
        db.run(sql, (filename, target.name())).with_context(|| format!("recording the import of {filename}"))?;
    Ok(if added == 0 { Begun::Committed } else { Begun::New })
}

/// Records which rows came from the file: the first and last id of the new rows, and their number.
/// A file without rows keeps its empty range.
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
    let doing = || format!("recording the rows of {filename}");
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

/// The ids of the rows of a file, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub start: i64,
    /// The last.
    pub end: i64,
}

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its own id.
    pub id: i64,
    /// Base name of the file.
    pub filename: String,
    /// The table of its rows.
    pub target: Target,
    /// Its rows; `None` if there are none or they are unknown.
    pub range: Option<Range>,
    /// How many rows.
    pub rows: i64,
    /// Whether it was reconstructed later from the remaining rows.
    pub is_reconstructed: bool,
}

impl Entry {
    /// Whether the server died while it loaded the file into tables without transactions: then a
    /// part of the rows may be there. Until all rows are stored, the importer sets the row count to
    /// -1.
    #[must_use]
    pub const fn is_unfinished(&self) -> bool {
        self.rows < 0
    }
}

/// The columns of an entry; the ledger has the alias `s`.
pub(super) const COLUMNS: &str =
    "s.id, s.filename, s.target_table, s.pk_start, s.pk_end, s.row_count, CAST(s.origin AS char)";

/// The number of these columns.
pub(super) const N_COLUMNS: usize = 7;

pub(super) fn entry(cells: Cells<'_>) -> Result<Entry> {
    let target = cells.text(2).unwrap_or_default();
    let range = cells.int(3).zip(cells.int(4)).map(|(start, end)| Range { start, end });
    Ok(Entry {
        id: cells.int(0).unwrap_or_default(),
        filename: cells.text(1).unwrap_or_default().into_owned(),
        target: Target::from_name(&target).with_context(|| format!("the ledger names a table `{target}`"))?,
        range,
        rows: cells.int(5).unwrap_or_default(),
        is_reconstructed: cells.text(6).as_deref() == Some("reconstruct"),
    })
}

/// The entries of a file, `web` first.
///
/// # Errors
/// The connection is lost, or there is no ledger.
pub fn of_file(db: &mut Db, filename: &str) -> Result<Vec<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM imported_sources s WHERE filename = ? ORDER BY target_table");
    db.all(&sql, (filename,), entry)
}

/// The entries of a table, newest first.
///
/// # Errors
/// The connection is lost, or there is no ledger.
pub fn of_target(db: &mut Db, target: Target) -> Result<Vec<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM imported_sources s WHERE target_table = ? ORDER BY id DESC");
    db.all(&sql, (target.name(),), entry)
}
