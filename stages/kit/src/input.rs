//! Records in: NDJSON or CSV from standard input or files, told apart by the first byte.
//!
//! Every record arrives as one JSON line, whatever it was read from. A line that is no record is
//! rejected and reading goes on.

use std::borrow::Cow;
use std::io::{self, BufRead as _, BufReader, Read};

use anyhow::{Context as _, Result};
use schema::csv::Header;
use schema::json;

use crate::lines::{self, Lines};
use crate::{Endpoint, Rejects};

/// About how many bytes of records a batch holds.
const BATCH_BYTES: usize = 4 << 20;

/// One record: its kind, and the line it is written as, without the line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The text of the `kind` field.
    pub kind: Cow<'a, str>,
    /// The whole line.
    pub line: &'a [u8],
    /// Where it was read: the path, `-` for standard input.
    pub path: &'a str,
    /// Where it was read: the line number, from 1.
    pub number: u64,
}

/// Some records in their order, held in one buffer.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    places: Vec<u64>,
    path: String,
}

impl Batch {
    /// How many lines there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Line `i`, without its end.
    #[must_use]
    pub fn line(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start..self.ends[i]]
    }

    /// The lines in order.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|i| self.line(i))
    }

    /// Where line `i` was read: path and line number.
    #[must_use]
    pub fn place(&self, i: usize) -> (&str, u64) {
        (&self.path, self.places[i])
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.places.clear();
    }

    fn push(&mut self, line: &[u8], place: u64) {
        self.bytes.extend_from_slice(line);
        self.ends.push(self.bytes.len());
        self.places.push(place);
    }
}

enum Source {
    Lines(Lines<BufReader<Box<dyn Read + Send>>>),
    Csv { reader: csv::Reader<BufReader<Box<dyn Read + Send>>>, header: Header, row: csv::StringRecord, line: Vec<u8> },
}

/// The record stream that a stage reads.
pub struct Input {
    sources: std::vec::IntoIter<Endpoint>,
    current: Option<(String, Source)>,
    batch: Batch,
}

impl Input {
    /// The records of the sources, one after the other.
    #[must_use]
    pub fn new(sources: Vec<Endpoint>) -> Self {
        Self { sources: sources.into_iter(), current: None, batch: Batch::default() }
    }

    /// Records of any readable stream, named `path` in messages.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub fn from_reader(reader: impl Read + Send + 'static, path: &str, rejects: &mut Rejects) -> Result<Self> {
        let mut input = Self::new(Vec::new());
        input.current = source(lines::open_reader(reader)?, path, rejects)?.map(|source| (path.to_owned(), source));
        Ok(input)
    }

    /// Calls `each` for every record in order.
    ///
    /// # Errors
    /// A source cannot be read, or what `each` returned.
    pub fn for_each(
        &mut self,
        rejects: &mut Rejects,
        mut each: impl FnMut(Record<'_>, &mut Rejects) -> Result<()>,
    ) -> Result<()> {
        while let Some(batch) = self.next_batch(rejects)? {
            for i in 0..batch.len() {
                let line = batch.line(i);
                let (path, number) = batch.place(i);
                match json::kind_of(line) {
                    Ok(kind) => each(Record { kind, line, path, number }, rejects)?,
                    Err(bad) => rejects.reject(path, number, bad.reason(), line)?,
                }
            }
        }
        Ok(())
    }

    /// The next lines of the stream, a few MB of them, not yet checked to be records; `None` at
    /// the end. Empty lines are skipped.
    ///
    /// # Errors
    /// A source cannot be read.
    pub fn next_batch(&mut self, rejects: &mut Rejects) -> Result<Option<&Batch>> {
        let mut batch = std::mem::take(&mut self.batch);
        let read = self.read_batch(&mut batch, rejects);
        self.batch = batch;
        Ok(read?.then_some(&self.batch))
    }

    /// As [`Input::next_batch`], into a batch of the caller's, so that one can be read while
    /// another is worked on; `false` at the end.
    ///
    /// # Errors
    /// A source cannot be read.
    pub fn read_batch(&mut self, batch: &mut Batch, rejects: &mut Rejects) -> Result<bool> {
        batch.clear();
        loop {
            if self.current.is_none() {
                let Some(endpoint) = self.sources.next() else { return Ok(false) };
                let (path, reader) = match endpoint {
                    Endpoint::Standard => {
                        ("-".to_owned(), lines::open_reader(io::stdin()).context("reading standard input")?)
                    }
                    Endpoint::File(path) => (path.display().to_string(), lines::open(&path)?),
                    Endpoint::Database => anyhow::bail!("tables are not read as a record stream here"),
                };
                self.current = source(reader, &path, rejects)?.map(|source| (path, source));
            }
            let Some((path, source)) = &mut self.current else { continue };
            batch.path.clone_from(path);
            let more = fill(source, path, batch, rejects).with_context(|| format!("reading {path}"))?;
            if !more {
                self.current = None;
            }
            if !batch.is_empty() {
                rejects.looked_at(batch.len() as u64);
                return Ok(true);
            }
        }
    }
}

/// Looks at the first byte that is no blank: `{` is NDJSON, anything else CSV with a header.
fn source(reader: Box<dyn Read + Send>, path: &str, rejects: &mut Rejects) -> Result<Option<Source>> {
    let mut reader = BufReader::with_capacity(256 << 10, reader);
    let first = loop {
        let buffer = reader.fill_buf().with_context(|| format!("reading {path}"))?;
        if buffer.is_empty() {
            return Ok(None);
        }
        if let Some(at) = buffer.iter().position(|b| !b.is_ascii_whitespace()) {
            let first = buffer[at];
            reader.consume(at);
            break first;
        }
        let n = buffer.len();
        reader.consume(n);
    };
    if first == b'{' {
        let whole: Box<dyn Read + Send> = Box::new(reader);
        return Ok(Some(Source::Lines(Lines::new(whole))));
    }
    let whole: Box<dyn Read + Send> = Box::new(reader);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(whole));
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(e) => {
            rejects.reject(path, 1, &format!("neither NDJSON nor CSV: {e}"), b"")?;
            return Ok(Some(rest(reader.into_inner())));
        }
    };
    match Header::from_row(headers.iter(), None) {
        Ok(header) => Ok(Some(Source::Csv { reader, header, row: csv::StringRecord::new(), line: Vec::new() })),
        Err(reason) => {
            let text = headers.iter().collect::<Vec<_>>().join(",");
            rejects.reject(path, 1, &format!("neither NDJSON nor CSV of a known kind: {reason}"), text.as_bytes())?;
            Ok(Some(rest(reader.into_inner())))
        }
    }
}

/// What follows an unreadable header: later lines may be records, so they are read as NDJSON.
fn rest(reader: BufReader<Box<dyn Read + Send>>) -> Source {
    let whole: Box<dyn Read + Send> = Box::new(reader);
    Source::Lines(Lines::new(whole))
}

/// Adds lines to the batch until it is full; `false` at the end of the source.
fn fill(source: &mut Source, path: &str, batch: &mut Batch, rejects: &mut Rejects) -> Result<bool> {
    while batch.bytes.len() < BATCH_BYTES {
        match source {
            Source::Lines(lines) => {
                let Some(line) = lines.next_line()? else { return Ok(false) };
                let text = line.text.trim_ascii();
                if line.cut {
                    rejects.reject(path, line.number, "line too long", &text[..text.len().min(1024)])?;
                } else if !text.is_empty() {
                    batch.push(text, line.number);
                }
            }
            Source::Csv { reader, header, row, line } => {
                let place = reader.position().line();
                match reader.read_record(row) {
                    Ok(false) => return Ok(false),
                    Ok(true) => {
                        line.clear();
                        match header.line(row.iter(), line) {
                            Ok(()) => batch.push(line, place),
                            Err(reason) => rejects.reject(path, place, reason, row.as_slice().as_bytes())?,
                        }
                    }
                    Err(e) if matches!(e.kind(), csv::ErrorKind::Io(_)) => return Err(e.into()),
                    Err(e) => rejects.reject(path, place, &format!("bad CSV row: {e}"), b"")?,
                }
            }
        }
    }
    Ok(true)
}
