//! What the ledger of imports knows about a log: by its content if possible, by its name if an
//! entry has nothing else.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::Path;

use anyhow::{Result, bail};
use database::Db;
use database::ledger::files::{self, FileRow};
use database::ledger::{self, Entry, Target};
use logs::discovery::{is_called_compressed, without_suffix};
use logs::fingerprint::{self, Fingerprint, Hash, Identity, Prefix};
use logs::rotation;

/// The width of the ledger's column for names, in characters.
const WIDTH: usize = 255;

/// What to do with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Import it under its base name.
    New,
    /// An earlier run has imported it.
    Known(Option<Fingerprint>),
    /// Import it under another name, because its base name belongs to another content.
    Another { name: String, read: Fingerprint },
    /// Import what was added to it.
    Rest {
        name: String,
        earlier: Fingerprint,
        read: Fingerprint,
        /// The first byte of the rest.
        offset: u64,
    },
    /// Its base name belongs to another content, and other names are not allowed.
    Refused(String),
}

/// One entry with what is known about its content.
#[derive(Debug, Clone)]
struct KnownLog {
    entry: Entry,
    read: Option<Fingerprint>,
}

/// The content of an entry, and the base name it was entered under.
#[derive(Debug)]
struct Rotated {
    base: String,
    is_dated: bool,
    read: Fingerprint,
}

/// The entries for a table, by base name without a compression suffix.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: HashMap<String, Vec<KnownLog>>,
    /// Base names and contents of entries, by the name before any rotation: a log is also known
    /// under the names it is rotated to.
    rotated: HashMap<String, Vec<Rotated>>,
    /// Only the base name decides.
    by_name: bool,
    /// A last line without a line end is left to the next part.
    whole_lines: bool,
}

impl Ledger {
    /// Reads the ledger.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn read(db: &mut Db, target: Target, by_name: bool, whole_lines: bool) -> Result<Self> {
        let mut entries: HashMap<String, Vec<KnownLog>> = HashMap::new();
        let mut rotated: HashMap<String, Vec<Rotated>> = HashMap::new();
        for (entry, row) in files::all(db, target)? {
            let base = ledger::base_name(&entry.filename).to_owned();
            let read = row.as_ref().and_then(read_of);
            if let Some(read) = read.clone().filter(|read| read.bytes > 0 && !by_name) {
                let name = rotation::of(&base);
                let entry = Rotated { base: base.clone(), is_dated: name.is_dated(), read };
                rotated.entry(name.family().to_owned()).or_default().push(entry);
            }
            entries.entry(without_suffix(&base).to_owned()).or_default().push(KnownLog { entry, read });
        }
        Ok(Self { entries, rotated, by_name, whole_lines })
    }

    fn family(&self, base: &str) -> &[KnownLog] {
        self.entries.get(without_suffix(base)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The contents of entries under other names that the log may have had before it was rotated.
    fn under_other_names(&self, base: &str) -> Vec<&Fingerprint> {
        let name = rotation::of(base);
        let known = self.rotated.get(name.family()).map(Vec::as_slice).unwrap_or_default();
        // a hub has thousands of dated logs: most are decided without examining their names
        let may_be_it = |other: &&Rotated| {
            !(other.is_dated && name.is_dated())
                && without_suffix(&other.base) != without_suffix(base)
                && rotation::may_be_one(&other.base, base)
        };
        known.iter().filter(may_be_it).map(|other| &other.read).collect()
    }

    /// What an entry with exactly this name decides by itself, if anything. An entry left
    /// unfinished by a run without transactions counts neither as loaded nor as missing.
    fn by_name(&self, base: &str) -> Result<Option<&KnownLog>> {
        let exact = self.family(base).iter().find(|known| known.entry.filename == base);
        if let Some(known) = self.family(base).iter().find(|known| known.entry.is_unfinished()) {
            let name = &known.entry.filename;
            bail!(
                "{name}: the server died or failed while this file was moved into tables without transactions, so \
                 part of its rows and its hits may be there; delete them, run `hzmetrics forget-import {name}`, \
                 and import it again (`hzmetrics migrate --apply` makes imports whole or nothing)"
            );
        }
        Ok(exact)
    }

    /// Judges a file. Its content is read only if its name, or a name it may have had before it was
    /// rotated, is known and the file is not the very one that was imported. For logs with other names
    /// the beginning is compared first. With `has_open_tail` a last line without a line end does not
    /// count yet.
    ///
    /// # Errors
    /// The file cannot be read, or an earlier import of it was left unfinished.
    pub(crate) fn judge(&self, base: &str, path: &Path, meta: &Metadata, has_open_tail: bool) -> Result<Verdict> {
        let exact = self.by_name(base)?;
        let verdict = without_content(exact, self.family(base), self.by_name);
        if let Some(Verdict::Known(_)) = verdict {
            return Ok(Verdict::Known(None));
        }
        let mut known: Vec<&Fingerprint> = self.family(base).iter().filter_map(|known| known.read.as_ref()).collect();
        let mut others = self.under_other_names(base);
        let identity = Identity::of(meta);
        // a last line that was left unread may count by now
        let is_read = |read: &Fingerprint| has_open_tail || read.bytes >= read.size || is_called_compressed(path);
        let is_it = |read: &&&Fingerprint| read.identity() == identity && is_read(read);
        if let Some(read) = known.iter().chain(&others).find(is_it) {
            return Ok(Verdict::Known(Some(Fingerprint::clone(read))));
        }
        if !others.is_empty() {
            let beginning = fingerprint::beginning(path)?;
            others.retain(|read| read.begins(&beginning));
        }
        if others.is_empty()
            && let Some(verdict) = verdict
        {
            return Ok(verdict);
        }
        known.extend(others);
        let lengths: Vec<u64> = known.iter().map(|read| read.bytes).collect();
        let (read, prefixes) = fingerprint::with_prefixes(path, &lengths)?;
        let ends_at = prefixes.last().map_or(0, |whole| whole.line);
        match self.by_content(base, &known, read, &prefixes) {
            Verdict::Rest { earlier, .. } if has_open_tail && ends_at <= earlier.bytes => {
                Ok(Verdict::Known(Some(earlier)))
            }
            verdict => Ok(verdict),
        }
    }

    /// Judges a source of a staging file; the list says what was read of it. `prefixes` computes the
    /// fingerprints of the first bytes of what was staged.
    ///
    /// # Errors
    /// The staging file cannot be read, or an earlier import of the source was left unfinished.
    pub(crate) fn judge_staged(
        &self,
        base: &str,
        read: Option<&Fingerprint>,
        prefixes: impl FnOnce(&[u64]) -> Result<Vec<Prefix>>,
    ) -> Result<Verdict> {
        let exact = self.by_name(base)?;
        if let Some(verdict) = without_content(exact, self.family(base), self.by_name) {
            return Ok(verdict);
        }
        let Some(read) = read else {
            return Ok(if exact.is_some() { Verdict::Known(None) } else { Verdict::New });
        };
        let known: Vec<&Fingerprint> = self.family(base).iter().filter_map(|known| known.read.as_ref()).collect();
        let lengths: Vec<u64> = known.iter().map(|read| read.bytes).collect();
        Ok(self.by_content(base, &known, read.clone(), &prefixes(&lengths)?))
    }

    fn by_content(&self, base: &str, known: &[&Fingerprint], read: Fingerprint, prefixes: &[Prefix]) -> Verdict {
        let family = || known.iter().copied();
        let is_name_taken = self.family(base).iter().any(|known| known.entry.filename == base);
        // an empty file has nothing that is not stored already
        if family().any(|known| known.is_same_content(&read)) || (read.bytes == 0 && is_name_taken) {
            return Verdict::Known(Some(read));
        }
        if self.by_name {
            return if is_name_taken { Verdict::Refused(other_content(base)) } else { Verdict::New };
        }
        let begins = |known: &&Fingerprint| {
            known.bytes < read.bytes && prefixes.iter().any(|p| (p.bytes, p.hash) == (known.bytes, known.hash))
        };
        if let Some(earlier) = family().filter(begins).max_by_key(|known| known.bytes) {
            let line = prefixes.iter().find(|p| p.bytes == earlier.bytes).map_or(0, |p| p.line);
            let offset = if self.whole_lines { line } else { earlier.bytes };
            return Verdict::Rest { name: rest_name(base, read.hash, offset), earlier: earlier.clone(), read, offset };
        }
        if !is_name_taken {
            return Verdict::New;
        }
        Verdict::Another { name: other_name(base, read.hash), read }
    }
}

/// What can be decided without reading the content.
fn without_content(exact: Option<&KnownLog>, family: &[KnownLog], by_name: bool) -> Option<Verdict> {
    match exact {
        Some(KnownLog { read: None, .. }) => Some(Verdict::Known(None)),
        Some(_) => None,
        None if by_name || family.iter().all(|known| known.read.is_none()) => Some(Verdict::New),
        None => None,
    }
}

fn other_content(base: &str) -> String {
    format!("{base} is in the ledger of imports with another content, and with `lp_atomic` a name can have only one")
}

/// The ledger name for another content with the same base name.
pub(crate) fn other_name(base: &str, hash: Hash) -> String {
    with_suffix(base, &format!("#{}", hash.short()))
}

/// The ledger name for a part of a growing log.
pub(crate) fn rest_name(base: &str, hash: Hash, offset: u64) -> String {
    with_suffix(base, &format!("#{}@{offset}", hash.short()))
}

fn with_suffix(base: &str, suffix: &str) -> String {
    format!("{}{suffix}", schema::text::cut_chars(base, WIDTH - suffix.len()))
}

fn read_of(row: &FileRow) -> Option<Fingerprint> {
    Some(Fingerprint {
        device: row.device?,
        inode: row.inode?,
        size: row.size?,
        mtime: row.mtime?,
        bytes: row.bytes?,
        hash: row.hash.as_ref()?.parse().ok()?,
        head: row.head.as_ref()?.parse().ok()?,
    })
}
