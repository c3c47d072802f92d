//! A state as a file: eight bytes that say what it is, then sections, each with its length, in one order:
//! the header, names, tables, two for each chunk of visitors, and two for the usage of resources if it is kept.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use kit::door::named;
use rayon::prelude::*;
use schema::{Month, Part};
use serde_json::{Value, json};

use crate::state::chunks::{N_CHUNKS, Store, pack_chunk};
use crate::state::keeper::Sessions;
use crate::state::origin::Origin;
use crate::state::record::{Record, compress, decompress, pack, records, unpack};
use crate::state::requested::Paths;
use crate::state::tables::Tables;

const MAGIC: &[u8; 8] = b"HZSTATE1";

records! {
    /// The hash of a name.
    Key { key: u128 }
}

/// What a state is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub compat: String,
    pub hub: String,
    pub part: Option<Part>,
    /// The first month with a record, if there is any.
    pub first: Option<Month>,
    /// The last month.
    pub through: Month,
    /// By what a state from tables is known to hold.
    pub tables: Option<Origin>,
}

/// What is known of the months of one hub.
#[derive(Debug)]
pub(crate) struct State {
    /// The file, or `the records`, for messages.
    pub name: String,
    pub header: Header,
    pub tables: Tables,
    pub sessions: Sessions,
    /// What the usage of resources is counted from, if it was asked for.
    pub paths: Option<Paths>,
}

impl Header {
    fn text(&self) -> String {
        json!({
            "compat": self.compat,
            "hub": self.hub,
            "part": self.part.map(|part| part.to_string()),
            "first": self.first.map(|month| month.to_string()),
            "through": self.through.to_string(),
            "tables": self.tables.as_ref().map(Origin::to_json),
        })
        .to_string()
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let part = text("part").map(|part| part.parse().ok());
        let first = text("first").map(|month| month.parse().ok());
        Some(Self {
            compat: text("compat")?.to_owned(),
            hub: text("hub")?.to_owned(),
            part: if part.is_some() { Some(part??) } else { None },
            first: if first.is_some() { Some(first??) } else { None },
            through: text("through")?.parse().ok()?,
            tables: match value.get("tables") {
                None | Some(Value::Null) => None,
                Some(tables) => Some(Origin::from_json(tables)?),
            },
        })
    }
}

fn pack_texts(texts: &[String]) -> Result<Vec<u8>> {
    compress(&serde_json::to_vec(texts)?)
}

fn unpack_texts(section: &[u8]) -> Result<Vec<String>> {
    serde_json::from_slice(&decompress(section)?).context("a section is damaged")
}

fn pack_keys(keys: &[u128]) -> Result<Vec<u8>> {
    pack(&keys.iter().map(|key| Key { key: *key }).collect::<Vec<_>>())
}

fn unpack_keys(section: &[u8]) -> Result<Vec<u128>> {
    Ok(unpack::<Key>(section)?.into_iter().map(|key| key.key).collect())
}

/// Calls `$each!(field)` for the tables of records, in the order of the file.
macro_rules! each_table {
    ($each:ident) => {
        $each!(domains);
        $each!(sums);
        $each!(logins);
        $each!(profiles);
        $each!(starts);
        $each!(firsts);
        $each!(starters);
        $each!(tool_sessions);
        $each!(jobs);
        $each!(versions);
        $each!(ids);
        $each!(strangers);
    };
}

impl State {
    /// Writes the state.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, out: &mut dyn Write) -> Result<()> {
        let mut section = |bytes: &[u8]| -> Result<()> {
            out.write_all(&(bytes.len() as u64).to_le_bytes())?;
            Ok(out.write_all(bytes)?)
        };
        let Self { header, tables, sessions, .. } = self;
        section(&compress(header.text().as_bytes())?)?;
        section(&pack_keys(&sessions.domains)?)?;
        section(&pack_keys(&sessions.countries)?)?;
        section(&pack_texts(&sessions.tails)?)?;
        section(&pack_texts(&tables.extensions)?)?;
        macro_rules! write {
            ($field:ident) => {
                section(&pack(&tables.$field)?)?
            };
        }
        each_table!(write);
        let chunks: Result<Vec<_>> =
            (0..N_CHUNKS).into_par_iter().map(|n| pack_chunk(&sessions.store.chunk(n)?)).collect();
        for [events, downloads] in chunks? {
            section(&events)?;
            section(&downloads)?;
        }
        if let Some(Paths { paths, requested }) = &self.paths {
            section(&pack_texts(paths)?)?;
            section(&pack(requested)?)?;
        }
        Ok(())
    }

    /// Writes the state to a file that the user named: whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let write = |out: &mut dyn Write| {
            out.write_all(MAGIC)?;
            self.write(out)
        };
        kit::named_file(path, write).with_context(|| format!("writing the state {}", path.display()))
    }

    /// Reads a state.
    ///
    /// # Errors
    /// It cannot be read, is not a state, or is damaged.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let read = || Self::parse(path.display().to_string(), named::read(path)?);
        read().with_context(|| format!("reading the state {}", path.display()))
    }

    /// The bytes of its file.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        self.write(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads a state from the bytes of its file; `name` is for messages.
    ///
    /// # Errors
    /// They are not a state, or damaged.
    pub(crate) fn parse(name: String, bytes: Vec<u8>) -> Result<Self> {
        if !bytes.starts_with(MAGIC) {
            bail!("this is not a state of `summarize --state-to`, or one of another version");
        }
        let mut sections = Sections { bytes: &bytes, at: MAGIC.len() };
        let header = Header::parse(&decompress(sections.bytes()?)?).context("a header that cannot be read")?;
        let domains = unpack_keys(sections.bytes()?)?;
        let countries = unpack_keys(sections.bytes()?)?;
        let tails = unpack_texts(sections.bytes()?)?;
        let mut tables = Tables { extensions: unpack_texts(sections.bytes()?)?, ..Tables::default() };
        macro_rules! read {
            ($field:ident) => {
                tables.$field = records_of(sections.bytes()?)?
            };
        }
        each_table!(read);
        let places: Result<Vec<_>> = (0..N_CHUNKS).map(|_| Ok([sections.next()?, sections.next()?])).collect();
        let places = places?;
        let mut paths = None;
        if sections.at < bytes.len() {
            let texts = unpack_texts(sections.bytes()?)?;
            paths = Some(Paths { paths: texts, requested: records_of(sections.bytes()?)? }.check()?);
        }
        ensure!(sections.at == bytes.len(), "there is more than a state in it");
        let sessions = Sessions { domains, countries, tails, store: Store::File(name.clone(), bytes, places) };
        Ok(Self { name, header, tables, sessions, paths })
    }
}

fn records_of<R: Record>(section: &[u8]) -> Result<Vec<R>> {
    unpack(section)
}

/// The sections of a file, one after the other.
struct Sections<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Sections<'a> {
    fn next(&mut self) -> Result<Range<usize>> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = crate::state::record::take::<8>(&mut rest).map(u64::from_le_bytes);
        let length = length.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= rest.len());
        let from = self.at + 8;
        self.at = from + length.context("it ends too early: the file is not whole")?;
        Ok(from..self.at)
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let place = self.next()?;
        Ok(self.bytes.get(place).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use database::generations::Generations;

    use super::*;

    #[test]
    fn headers_come_back() {
        let month = |text: &str| text.parse().unwrap();
        for (part, first) in [(None, None), ("2/7".parse().ok(), Some(month("2024-12")))] {
            let (compat, hub, through) = ("default".to_owned(), "a\"b".to_owned(), month("2025-06"));
            let months = [(through, 7)].into();
            let generations = Generations { tables: u64::MAX >> 1, every: 3, months };
            for tables in [None, Some(Origin { generations, excludes: u128::MAX, last_entry: 9, ledger: 5 })] {
                let (compat, hub) = (compat.clone(), hub.clone());
                let header = Header { compat, hub, part, first, through, tables };
                assert_eq!(Header::parse(header.text().as_bytes()), Some(header));
            }
        }
        assert_eq!(Header::parse(b"{}"), None);
    }
}
