//! Finds the rows that came from an archived log: its lines are read again and looked up in the
//! table.
//!
//! This is for hubs with rows older than the ledger. A line is identified by what a row keeps of
//! it; lines that were filtered during the import find no row, so the old filters need not be
//! known. The result describes the rows that remain: rows deleted since then appear as a gap or not
//! at all.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use schema::{Compat, Opt, Stamp, address, text};
use xxhash_rust::xxh3::Xxh3Default;

use super::entry::{Entry, Range, Target, base_name, is_part, of_target};
use crate::{Cells, Db};
use logs::parse;

/// The rows that the lines of a log would give: a 16-byte hash for each distinct one.
#[derive(Debug, Default)]
pub struct Keys {
    target: Option<Target>,
    keys: HashSet<u128>,
    days: BTreeSet<Stamp>,
}

impl Keys {
    /// Reads a log, plain or compressed.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub fn read(path: &Path, target: Target) -> Result<Self> {
        let mut keys = Self { target: Some(target), ..Self::default() };
        let mut lines = kit::Lines::new(kit::open(&logs::discovery::lying_at(path))?);
        while let Some(line) = lines.next_line().with_context(|| format!("reading {}", path.display()))? {
            keys.add(line.text);
        }
        Ok(keys)
    }

    /// Adds one line, without its line feed.
    fn add(&mut self, line: &[u8]) {
        let found = match self.target {
            Some(Target::Userlogin) => login(line),
            _ => request(line),
        };
        if let Some((stamp, key)) = found {
            self.keys.insert(key);
            self.days.insert(stamp.midnight());
        }
    }

    /// Whether no line was understood.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The rows of the table that match these lines.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn find(&self, db: &mut Db) -> Result<Option<Derived>> {
        let target = self.target.unwrap_or(Target::Web);
        let columns = if target == Target::Userlogin { "ip, user, action" } else { "ip, content, ''" };
        let table = target.name();
        let buffered = db.released(table)?;
        let sql =
            format!("SELECT {buffered} id, datetime, {columns} FROM {table} WHERE datetime >= ? AND datetime <= ?");
        let mut derived: Option<Derived> = None;
        for day in &self.days {
            let last = Stamp::from_parts(day.year(), day.month_of_year(), day.day(), 23, 59, 59);
            db.each(&sql, (day.to_string(), last.to_string()), |cells| {
                let Some(id) = cells.int(0) else { return Ok(()) };
                if self.keys.contains(&row_key(cells)) {
                    let known = derived.get_or_insert(Derived { range: Range { start: id, end: id }, rows: 0 });
                    known.range.start = known.range.start.min(id);
                    known.range.end = known.range.end.max(id);
                    known.rows += 1;
                }
                Ok(())
            })?;
        }
        Ok(derived)
    }
}

/// The ids from the first of both ranges to the last.
fn together(one: Option<Range>, other: Option<Range>) -> Option<Range> {
    let both = |one: Range, other: Range| Range { start: one.start.min(other.start), end: one.end.max(other.end) };
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}

fn row_key(cells: Cells<'_>) -> u128 {
    let part = |at| cells.bytes(at).unwrap_or_default();
    key(&cells.stamp(1).unwrap_or(Stamp::ZERO), &[&part(2), &part(3), &part(4)])
}

fn key(stamp: &Stamp, parts: &[&[u8]]) -> u128 {
    let mut hasher = Xxh3Default::new();
    hasher.update(&stamp.to_ascii());
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest128()
}

/// An address in the form stored in a row; IPv6 clients only have rows if they are stored whole.
fn stored(ip: &str) -> Cow<'_, str> {
    address::stored(ip, ip.contains(':'))
}

/// Time and content of a line of an access log, in the form of a row of `web`.
fn request(line: &[u8]) -> Option<(Stamp, u128)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let as_text = String::from_utf8_lossy(line);
    let with_end = [line, b"\n"].concat();
    // the port removes the line end first, legacy keeps it; either may have loaded this line
    let found = parse::access_unicode(&as_text).map(|fields| (as_text.as_bytes(), fields));
    let found = found.or_else(|| parse::access(&with_end).map(|fields| (&with_end[..], fields)));
    let (line, fields) = found.or_else(|| parse::access_ipv6(&with_end).map(|fields| (&with_end[..], fields)))?;
    let of = |(start, end): parse::Span| line.get(start..end).unwrap_or_default();
    let (_, url) = parse::split_at_whitespace(of(fields.request));
    let url = parse::collapse_slashes(url);
    let url = text::storable(&url);
    let ip = text::storable(of(fields.client));
    let stamp = parse::datetime(of(fields.date), of(fields.time));
    let ip = stored(&ip);
    let parts = [ip.as_bytes(), text::cut_bytes(&url, 255).as_bytes(), b""];
    Some((stamp, key(&stamp, &parts)))
}

/// Time and content of a line of an auth log, in the form of a row of `userlogin`.
fn login(line: &[u8]) -> Option<(Stamp, u128)> {
    let port = Compat::LEGACY.with(Opt::LpAuthTrailing).with(Opt::LpAuthBracket);
    let login = parse::auth(line, port).or_else(|| parse::auth_ipv6(line, port))?;
    let stamp = parse::datetime(login.date, login.time);
    let (ip, user, action) = (text::storable(login.ip), text::storable(login.user), text::storable(login.action));
    let ip = stored(&ip);
    let parts = [&*ip, text::cut_chars(&user, 255), text::cut_chars(&action, 40)];
    Some((stamp, key(&stamp, &parts.map(str::as_bytes))))
}

/// The remaining rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Derived {
    /// From the lowest to the highest id.
    pub range: Range,
    /// How many rows there are.
    pub rows: i64,
}

impl Derived {
    /// Ids between them that are not rows of the file.
    #[must_use]
    pub const fn gaps(&self) -> i64 {
        self.range.end - self.range.start + 1 - self.rows
    }
}

/// A file that is not in the ledger, with its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Base name.
    pub filename: String,
    /// Its rows; `None` if there are none.
    pub derived: Option<Derived>,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do: it is in the ledger, or, when validating, not in it.
    Skipped,
    /// It is not in the ledger, and this is its entry.
    New(Rebuilt),
    /// The ledger is right.
    Agrees,
    /// The ledger is wrong, or no line could be read.
    Wrong,
}

/// Goes through the archived logs for a table, oldest first.
#[derive(Debug)]
pub struct Reconstruct {
    target: Target,
    validate: bool,
    any_suffix: bool,
    known: HashMap<String, Entry>,
    highest: Option<i64>,
    /// Files read.
    pub considered: usize,
    /// What does not match, in words.
    pub anomalies: Vec<String>,
}

impl Reconstruct {
    /// Starts from the entries of the ledger. `validate` examines the files that have one;
    /// otherwise those that have none. With `any_suffix` a file also counts as known if it was
    /// imported before it was compressed.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn begin(db: &mut Db, target: Target, validate: bool, any_suffix: bool) -> Result<Self> {
        let mut known: HashMap<String, Entry> = HashMap::new();
        let (parts, entries): (Vec<_>, Vec<_>) =
            of_target(db, target)?.into_iter().partition(|entry| is_part(&entry.filename));
        for entry in entries {
            if any_suffix {
                known.entry(logs::discovery::without_suffix(&entry.filename).to_owned()).or_insert(entry.clone());
            }
            known.insert(entry.filename.clone(), entry);
        }
        // a growing log has all its rows, including those of its further parts
        for part in parts {
            let base = base_name(&part.filename);
            let plain = logs::discovery::without_suffix(base);
            let names = if base == plain { vec![base] } else { vec![base, plain] };
            for name in names {
                let Some(whole) = known.get_mut(name) else { continue };
                whole.range = together(whole.range, part.range);
                whole.rows += part.rows;
            }
        }
        Ok(Self { target, validate, any_suffix, known, highest: None, considered: 0, anomalies: Vec::new() })
    }

    /// How many files are in the ledger.
    #[must_use]
    pub fn known(&self) -> usize {
        self.known.values().map(|entry| entry.id).collect::<HashSet<_>>().len()
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        let plain = || self.known.get(logs::discovery::without_suffix(name)).filter(|_| self.any_suffix);
        self.known.get(name).or_else(plain)
    }

    /// Examines one file.
    ///
    /// # Errors
    /// It cannot be read, or the connection is lost.
    pub fn file(&mut self, db: &mut Db, path: &Path, name: &str) -> Result<Verdict> {
        let entry = self.entry(name).cloned();
        if entry.is_some() != self.validate {
            return Ok(Verdict::Skipped);
        }
        self.considered += 1;
        let keys = Keys::read(path, self.target)?;
        if keys.is_empty() {
            self.anomalies.push(format!("{name}: no line could be read"));
            return Ok(Verdict::Wrong);
        }
        let derived = keys.find(db)?;
        Ok(self.judge(name, entry.as_ref(), derived))
    }

    fn judge(&mut self, name: &str, entry: Option<&Entry>, derived: Option<Derived>) -> Verdict {
        if let Some(Derived { range, .. }) = derived {
            if let Some(highest) = self.highest.filter(|highest| range.start <= *highest) {
                let Range { start, end } = range;
                self.anomalies.push(format!(
                    "{name}: its rows {start}..{end} overlap those of an earlier file, which end at {highest}"
                ));
            }
            self.highest = Some(self.highest.map_or(range.end, |highest| highest.max(range.end)));
        }
        let Some(entry) = entry else { return Verdict::New(Rebuilt { filename: name.to_owned(), derived }) };
        let wrong = match (derived, entry.range) {
            (None, None) => None,
            (None, Some(_)) if entry.rows == 0 => None,
            (None, Some(Range { start, end })) => {
                Some(format!("no row is left, but the ledger claims {} ({start}..{end})", entry.rows))
            }
            (Some(found), None) => {
                let rows = kit::counted(found.rows, "row is", "rows are");
                Some(format!("the ledger has no range, but {rows} there"))
            }
            (Some(Derived { range, .. }), Some(told)) if range.start < told.start || range.end > told.end => {
                let (a, b, c, d) = (range.start, range.end, told.start, told.end);
                Some(format!("its rows are {a}..{b}, outside the {c}..{d} of the ledger"))
            }
            (Some(_), Some(_)) => None,
        };
        match wrong {
            None => Verdict::Agrees,
            Some(words) => {
                self.anomalies.push(format!("{name}: {words}"));
                Verdict::Wrong
            }
        }
    }
}
