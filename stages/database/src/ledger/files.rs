//! What the entries of the ledger were read from: the table `import_files`, one row for each entry,
//! with the same id.
//!
//! The importer writes a row in the transaction with the file's data. The table is ours alone:
//! older hubs lack it before `hzmetrics migrate --apply`, and entries of the port have no row in
//! it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use mysql::Value;

use logs::rotation::{self, without_suffix};

use super::entry::{self, COLUMNS, Entry, N_COLUMNS, Target, base_name, is_part};
use crate::{Cells, Db, Verb};

/// The table's name.
pub const TABLE: &str = "import_files";

/// Why a file was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// It was understood.
    #[default]
    Loaded,
    /// It was not understood, but somebody accepted it as it is.
    Accepted,
}

impl Status {
    /// Its word in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Accepted => "accepted",
        }
    }
}

/// What was read for an entry of the ledger. `None` means that it was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileRow {
    /// The path of the file.
    pub path: Option<String>,
    /// The device of the file.
    pub device: Option<u64>,
    /// Its inode.
    pub inode: Option<u64>,
    /// Its size on disk in bytes.
    pub size: Option<u64>,
    /// When it was last modified, in nanoseconds since 1970.
    pub mtime: Option<i64>,
    /// The first byte of this part, decompressed; 0 for a whole file.
    pub offset: Option<u64>,
    /// Where the next part of a growing file begins: the number of decompressed bytes up to the end
    /// of this part.
    pub bytes: Option<u64>,
    /// Hash of all decompressed bytes up to there, 32 hex digits.
    pub hash: Option<String>,
    /// Hash of the first 4 KiB, or of everything if it is shorter.
    pub head: Option<String>,
    /// Lines read.
    pub lines: Option<u64>,
    /// Rows that came from them.
    pub rows: Option<u64>,
    /// Lines that did not fit the layout.
    pub rejected: Option<u64>,
    /// Lines dropped by a rule, by rule.
    pub dropped: BTreeMap<String, u64>,
    /// Lines of IPv6 clients among those.
    pub ipv6: Option<u64>,
    /// The layout that was recognised.
    pub layout: Option<String>,
    /// Why it was imported.
    pub status: Status,
    /// The run that imported it; written only, where the table can hold that ([`has_runs`]).
    pub run: Option<String>,
}

/// Whether the table exists.
///
/// # Errors
/// The connection is lost.
pub fn is_there(db: &mut Db) -> Result<bool> {
    db.has_table(TABLE)
}

/// The id of the entry for `filename` (as in the ledger) and a table.
///
/// # Errors
/// The connection is lost, or there is no ledger.
pub fn entry_id(db: &mut Db, filename: &str, target: Target) -> Result<Option<i64>> {
    db.number("SELECT id FROM imported_sources WHERE filename = ? AND target_table = ?", (filename, target.name()))
}

/// Whether the table says which run imported a file: migration 1005 adds the column.
///
/// # Errors
/// The connection is lost.
pub fn has_runs(db: &mut Db) -> Result<bool> {
    db.has_column(TABLE, RUN)
}

/// The column that older tables lack.
const RUN: &str = "run";

const FIELDS: [&str; 17] = [
    "id",
    "path",
    "device",
    "inode",
    "size",
    "mtime",
    "offset",
    "bytes",
    "hash",
    "head",
    "lines_read",
    "rows_kept",
    "rejected",
    "dropped",
    "ipv6",
    "layout",
    "status",
];

/// How many characters the columns `path` and `layout` hold.
const PATH_WIDTH: usize = 1024;
const LAYOUT_WIDTH: usize = 64;

/// Records what the entry `entry_id` was read from, in the caller's transaction; replaces an older
/// row with that id.
///
/// # Errors
/// The server refuses it.
pub fn record(db: &mut Db, entry_id: i64, file: &FileRow) -> Result<()> {
    let mut insert = db.insert(Verb::Replace, TABLE, &fields(file));
    insert.push(std::iter::once(Value::from(entry_id)).chain(values(file)))?;
    insert.finish().with_context(|| format!("recording what entry {entry_id} of the ledger was read from"))?;
    Ok(())
}

/// Corrects the row of an entry, in the caller's transaction; which run imported it stays as it is.
///
/// # Errors
/// The server refuses it.
pub fn correct(db: &mut Db, entry_id: i64, file: &FileRow) -> Result<()> {
    let file = FileRow { run: None, ..file.clone() };
    let set: Vec<String> =
        fields(&file).into_iter().skip(1).map(|field| format!("{} = ?", schema::tables::quote(field))).collect();
    let values: Vec<Value> = values(&file).into_iter().chain([Value::from(entry_id)]).collect();
    db.run(&format!("UPDATE {TABLE} SET {} WHERE id = ?", set.join(", ")), values)
        .with_context(|| format!("correcting what entry {entry_id} of the ledger was read from"))?;
    Ok(())
}

/// The columns of a row.
fn fields(file: &FileRow) -> Vec<&'static str> {
    FIELDS.into_iter().chain(file.run.as_ref().map(|_| RUN)).collect()
}

/// The values of a row after its id.
fn values(file: &FileRow) -> Vec<Value> {
    let cut =
        |text: &Option<String>, width| text.as_deref().map(|text| schema::text::cut_chars(text, width).to_owned());
    let dropped = (!file.dropped.is_empty()).then(|| serde_json::to_string(&file.dropped).unwrap_or_default());
    let mut values = vec![
        cut(&file.path, PATH_WIDTH).into(),
        file.device.into(),
        file.inode.into(),
        file.size.into(),
        file.mtime.into(),
        file.offset.into(),
        file.bytes.into(),
        Value::from(&file.hash),
        Value::from(&file.head),
        file.lines.into(),
        file.rows.into(),
        file.rejected.into(),
        dropped.into(),
        file.ipv6.into(),
        cut(&file.layout, LAYOUT_WIDTH).into(),
        file.status.name().into(),
    ];
    values.extend(file.run.as_ref().map(Value::from));
    values
}

/// The same as a complete statement, for a script that runs on the server: the entry is identified by
/// its name, and the number of rows is an expression.
#[must_use]
pub fn statement(filename: &str, target: Target, file: &FileRow, rows: &str) -> String {
    let name = Value::from(filename).as_sql(false);
    let mut values: Vec<String> = values(file).iter().map(|value| value.as_sql(false)).collect();
    if let Some(value) = FIELDS.iter().position(|field| *field == "rows_kept").and_then(|at| values.get_mut(at - 1)) {
        rows.clone_into(value);
    }
    let fields: Vec<String> = fields(file).iter().map(|field| schema::tables::quote(field)).collect();
    format!(
        "REPLACE INTO {TABLE} ({}) SELECT id, {} FROM imported_sources WHERE filename = {name} AND target_table = '{}'; ",
        fields.join(", "),
        values.join(", "),
        target.name()
    )
}

/// The row in the columns from `at` on; `None` if the entry has none.
fn row(cells: Cells<'_>, at: usize) -> Option<FileRow> {
    let text = |n| cells.text(at + n).map(std::borrow::Cow::into_owned);
    let uint = |n| cells.uint(at + n);
    cells.int(at)?;
    Some(FileRow {
        path: text(1),
        device: uint(2),
        inode: uint(3),
        size: uint(4),
        mtime: cells.int(at + 5),
        offset: uint(6),
        bytes: uint(7),
        hash: text(8),
        head: text(9),
        lines: uint(10),
        rows: uint(11),
        rejected: uint(12),
        // a text that is not such an object is ignored
        dropped: text(13).and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        ipv6: uint(14),
        layout: text(15),
        status: if text(16).as_deref() == Some("accepted") { Status::Accepted } else { Status::Loaded },
        run: None,
    })
}

/// Entries of the ledger with their rows; `condition` refers to `s` (the ledger) and `f`.
fn select(condition: &str) -> String {
    let of = |table: &str, columns: &[&str]| -> String {
        columns.iter().map(|column| format!("{table}.{}", schema::tables::quote(column))).collect::<Vec<_>>().join(", ")
    };
    format!(
        "SELECT {COLUMNS}, {} FROM imported_sources s LEFT JOIN import_files f ON f.id = s.id WHERE {condition}",
        of("f", &FIELDS)
    )
}

fn both(cells: Cells<'_>) -> Result<(Entry, Option<FileRow>)> {
    Ok((entry::entry(cells)?, row(cells, N_COLUMNS)))
}

/// What an entry was read from.
///
/// # Errors
/// The connection is lost, or the table is missing.
pub fn of_entry(db: &mut Db, entry_id: i64) -> Result<Option<FileRow>> {
    let found = db.all(&select("s.id = ?"), (entry_id,), both)?;
    Ok(found.into_iter().next().and_then(|(_, row)| row))
}

/// The entries for a table whose content has this hash, oldest first.
///
/// # Errors
/// The connection is lost, or the table is missing.
pub fn of_hash(db: &mut Db, target: Target, hash: &str) -> Result<Vec<(Entry, FileRow)>> {
    let sql = select("f.hash = ? AND s.target_table = ? ORDER BY s.id");
    let found = db.all(&sql, (hash, target.name()), both)?;
    Ok(found.into_iter().filter_map(|(entry, row)| Some((entry, row?))).collect())
}

/// All entries for a table with a base name: the first content, other contents (`NAME#HASH`), further
/// parts of growing logs (`NAME#HASH@OFFSET`), oldest first. Entries of the port have no row.
///
/// # Errors
/// The connection is lost, or the table is missing.
pub fn parts_of(db: &mut Db, base: &str, target: Target) -> Result<Vec<(Entry, Option<FileRow>)>> {
    // LIKE would require escaping characters in the name
    let sql = select(
        "(s.filename = ? OR LEFT(s.filename, CHAR_LENGTH(?) + 1) = CONCAT(?, '#')) AND s.target_table = ? ORDER BY s.id",
    );
    let mut found = db.all(&sql, (base, base, base, target.name()), both)?;
    found.retain(|(entry, _)| entry.filename == base || base_name(&entry.filename) == base);
    Ok(found)
}

/// The further parts of an entry's log that were imported later. Without the entry they would be
/// mistaken for a whole log. If two growing logs have the same name, their first bytes distinguish
/// them.
///
/// # Errors
/// The connection is lost.
pub fn parts_after(db: &mut Db, entry: &Entry) -> Result<Vec<Entry>> {
    if !is_there(db)? {
        return Ok(Vec::new());
    }
    let base = base_name(&entry.filename);
    let mut family = all(db, entry.target)?;
    family.retain(|(known, _)| rotation::may_be_one(base, base_name(&known.filename)));
    let own = family.iter().find(|(known, _)| known.id == entry.id).and_then(|(_, row)| row.clone());
    let n_bytes = own.as_ref().and_then(|row| row.bytes).unwrap_or(0);
    let head = own.filter(|_| n_bytes >= logs::fingerprint::HEAD).and_then(|row| row.head);
    let continues = |part: &Entry, row: Option<&FileRow>| {
        let is_later = part.id > entry.id && is_part(&part.filename);
        let has_its_name = without_suffix(base_name(&part.filename)) == without_suffix(base);
        let begins_alike = match &head {
            Some(head) => row.and_then(|row| row.head.as_ref()) == Some(head),
            // it is too short to compare: if it was rotated since, a part that continues it begins at its
            // end or earlier
            None => has_its_name || row.and_then(|row| row.offset).is_some_and(|offset| offset <= n_bytes),
        };
        is_later && begins_alike
    };
    Ok(family.into_iter().filter(|(part, row)| continues(part, row.as_ref())).map(|(part, _)| part).collect())
}

/// All entries for a table, oldest first, each with its row if there is one.
///
/// # Errors
/// The connection is lost, or there is no ledger.
pub fn all(db: &mut Db, target: Target) -> Result<Vec<(Entry, Option<FileRow>)>> {
    if is_there(db)? {
        return db.all(&select("s.target_table = ? ORDER BY s.id"), (target.name(),), both);
    }
    let entries = entry::of_target(db, target)?;
    Ok(entries.into_iter().rev().map(|entry| (entry, None)).collect())
}

/// Deletes the row of a deleted entry, if the table exists.
pub(super) fn forget(db: &mut Db, entry_id: i64) -> Result<()> {
    if is_there(db)? {
        db.run("DELETE FROM import_files WHERE id = ?", (entry_id,))?;
    }
    Ok(())
}

/// What became of the lines in a day's logs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share {
    /// Lines read.
    pub lines: u64,
    /// Rows that came from them.
    pub rows: u64,
    /// Lines that did not fit the layout.
    pub rejected: u64,
    /// Lines dropped by a rule, by rule.
    pub dropped: BTreeMap<String, u64>,
    /// Lines of IPv6 clients among those.
    pub ipv6: u64,
}

/// A file or day with more than this percentage of rejects is reported.
pub const MANY_REJECTS: u64 = 10;
/// A day with more than this percentage of IPv6 clients is reported.
pub const MANY_IPV6: u64 = 10;

impl Share {
    /// Whether more than a tenth of the lines did not fit.
    #[must_use]
    pub const fn has_many_rejects(&self) -> bool {
        self.rejected * 100 > self.lines * MANY_REJECTS
    }

    /// Whether more than a tenth of the lines came from IPv6 clients, which hub layouts leave out.
    #[must_use]
    pub const fn has_much_ipv6(&self) -> bool {
        self.ipv6 * 100 > self.lines * MANY_IPV6
    }

    /// `part` of the lines in percent; 0 if there are none.
    #[must_use]
    pub fn percent(&self, part: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
        let share = part as f64 * 100.0 / self.lines.max(1) as f64;
        share
    }

    /// What became of the lines, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let rules: Vec<String> =
            self.dropped.iter().filter(|(_, n)| **n > 0).map(|(rule, n)| format!("{rule} {n}")).collect();
        let rules = if rules.is_empty() { String::new() } else { format!(" ({})", rules.join(", ")) };
        format!(
            "{} lines, {} kept, {} rejected ({:.1}%), {} dropped{rules}, IPv6 {:.1}%",
            self.lines,
            self.rows,
            self.rejected,
            self.percent(self.rejected),
            self.dropped.values().sum::<u64>(),
            self.percent(self.ipv6)
        )
    }

    fn add(&mut self, file: &FileRow) {
        self.lines += file.lines.unwrap_or(0);
        self.rows += file.rows.unwrap_or(0);
        self.rejected += file.rejected.unwrap_or(0);
        for (rule, n) in &file.dropped {
            *self.dropped.entry(rule.clone()).or_default() += n;
        }
        self.ipv6 += file.ipv6.unwrap_or(0);
    }
}

/// What became of the lines of each day and table, from the day `since` on (`YYYYMMDD`), oldest
/// first. The day is the one in the log's name, or else the day of its import. Entries without a
/// row are left out, and a database without the table has none.
///
/// # Errors
/// The connection is lost.
pub fn shares_by_day(db: &mut Db, since: &str) -> Result<BTreeMap<(String, Target), Share>> {
    let mut days: BTreeMap<(String, Target), Share> = BTreeMap::new();
    if !is_there(db)? || !entry::is_there(db)? {
        return Ok(days);
    }
    let at = N_COLUMNS + FIELDS.len();
    let sql = select("f.id IS NOT NULL").replacen(" FROM ", ", DATE_FORMAT(s.imported_at, '%Y%m%d') FROM ", 1);
    db.each(&sql, (), |cells| {
        let (entry, Some(file)) = both(cells)? else { return Ok(()) };
        let imported = cells.text(at).unwrap_or_default();
        let day = logs::discovery::date_of(base_name(&entry.filename)).unwrap_or(&imported);
        if day >= since {
            days.entry((day.to_owned(), entry.target)).or_default().add(&file);
        }
        Ok(())
    })?;
    Ok(days)
}
