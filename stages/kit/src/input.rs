//! Records in: NDJSON or CSV from standard input or files, recognised by the first byte.
//!
//! Every record is passed on as one JSON line, whatever it was read from. A line that is not a
//! record is rejected and reading continues.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, Read};

use anyhow::{Context as _, Result};
use schema::csv::Header;
use schema::json;

use crate::csv_rows::{Row, Rows};
use crate::decompress;
use crate::lines::{self, Lines};
use crate::{Endpoint, NoRecord, Progress, Rejects};

/// The approximate number of bytes in a batch.
const BATCH_BYTES: usize = 4 << 20;

/// One record: its kind, and its JSON line without the line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The text of the `kind` field.
    pub kind: Cow<'a, str>,
    /// The whole line.
    pub line: &'a [u8],
    /// Its file: the path, `-` for standard input.
    pub path: &'a str,
    /// Its line number in the file, from 1.
    pub number: u64,
}

/// Several records in order, in one buffer.
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

    /// Whether there are no lines.
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

    /// Path and line number of line `i`.
    #[must_use]
    pub fn place(&self, i: usize) -> (&str, u64) {
        (&self.path, self.places[i])
    }

    /// Whether there are as many lines as a batch of a stream has.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    /// Removes the lines.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.places.clear();
    }

    /// Adds a line that was read elsewhere, and its number there.
    pub fn push(&mut self, line: &[u8], place: u64) {
        self.bytes.extend_from_slice(line);
        self.ends.push(self.bytes.len());
        self.places.push(place);
    }
}

enum Source {
    Lines(Lines<BufReader<Box<dyn Read + Send>>>),
    Csv {
        rows: Box<Rows<BufReader<Box<dyn Read + Send>>>>,
        header: Header,
        line: Vec<u8>,
        /// How many lines come before those that the reader counts.
        before: u64,
    },
}

/// The record stream that a stage reads.
pub struct Input {
    sources: std::vec::IntoIter<Endpoint>,
    current: Option<(String, Source)>,
    batch: Batch,
    shown: Progress,
    /// How many lines were read and rejected before the first of this stream.
    before: Option<(u64, u64)>,
}

impl Input {
    /// The records of the sources, one after the other.
    #[must_use]
    pub fn new(sources: Vec<Endpoint>) -> Self {
        let shown = Progress::things("", "records", 0);
        Self { sources: sources.into_iter(), current: None, batch: Batch::default(), shown, before: None }
    }

    /// Records from any stream, called `path` in messages.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub fn from_reader(reader: impl Read + Send + 'static, path: &str, rejects: &mut Rejects) -> Result<Self> {
        let mut input = Self::new(Vec::new());
        input.before = Some(rejects.so_far());
        input.current =
            source(decompress::open_reader(reader)?, path, rejects)?.map(|source| (path.to_owned(), source));
        Ok(input)
    }

    /// Fails at the end of the stream if it had lines and each of them was rejected: what follows would count
    /// nothing.
    fn ended(&self, rejects: &mut Rejects) -> Result<()> {
        let (read_before, rejected_before) = self.before.unwrap_or_default();
        let (read, rejected) = rejects.so_far();
        let n_rejected = rejected - rejected_before;
        if n_rejected == 0 || n_rejected < read - read_before {
            return Ok(());
        }
        rejects.finish()?;
        Err(NoRecord(n_rejected).into())
    }

    /// Calls `each` for every record in order.
    ///
    /// # Errors
    /// A source cannot be read, no line is a record ([`NoRecord`]), or the error returned by `each`.
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

    /// The next lines of the stream, a few MB of them, not yet checked to be records; `None` at the
    /// end. Empty lines are skipped.
    ///
    /// # Errors
    /// A source cannot be read, or every line of the stream was rejected ([`NoRecord`]).
    pub fn next_batch(&mut self, rejects: &mut Rejects) -> Result<Option<&Batch>> {
        let mut batch = std::mem::take(&mut self.batch);
        let read = self.read_batch(&mut batch, rejects);
        self.batch = batch;
        if read? {
            return Ok(Some(&self.batch));
        }
        self.ended(rejects)?;
        Ok(None)
    }

    /// Hands each batch to `take` while the next one is read, and rejects the lines that it returns with a reason.
    ///
    /// # Errors
    /// A source cannot be read, every line of the stream was rejected ([`NoRecord`]), or `take` fails.
    pub fn each_batch(
        &mut self,
        rejects: &mut Rejects,
        mut take: impl FnMut(&Batch) -> Result<Vec<(usize, String)>> + Send,
    ) -> Result<()> {
        let (mut batch, mut next) = (Batch::default(), Batch::default());
        let mut more = self.read_batch(&mut next, rejects)?;
        while more {
            std::mem::swap(&mut batch, &mut next);
            let (read, bad) = rayon::join(|| self.read_batch(&mut next, rejects), || take(&batch));
            for (i, reason) in bad? {
                let (path, number) = batch.place(i);
                rejects.reject(path, number, &reason, batch.line(i))?;
            }
            more = read?;
        }
        self.ended(rejects)
    }

    /// Reads the next lines into `batch`, so that they can be read while others are processed; `false` at the end.
    fn read_batch(&mut self, batch: &mut Batch, rejects: &mut Rejects) -> Result<bool> {
        batch.clear();
        self.before.get_or_insert_with(|| rejects.so_far());
        loop {
            if self.current.is_none() {
                let Some(endpoint) = self.sources.next() else { return Ok(false) };
                let (path, reader) = match endpoint {
                    Endpoint::Standard => (
                        "-".to_owned(),
                        crate::stdin().and_then(decompress::open_reader).context("reading standard input")?,
                    ),
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
                self.shown.advance(batch.len() as u64);
                return Ok(true);
            }
        }
    }
}

/// The maximum length of a header row, in bytes.
const MAX_HEADER: u64 = 64 << 10;

/// Examines the first byte that is not blank: `{` is NDJSON, anything else CSV with a header. If the
/// first line is not a valid header it is rejected, and the rest is read as NDJSON.
fn source(reader: Box<dyn Read + Send>, path: &str, rejects: &mut Rejects) -> Result<Option<Source>> {
    let reading = || format!("reading {path}");
    let mut reader = BufReader::with_capacity(256 << 10, reader);
    let mut n_lines = 0;
    let first = loop {
        let buffer = reader.fill_buf().with_context(reading)?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let blank = buffer.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(buffer.len());
        n_lines += buffer[..blank].iter().filter(|&&b| b == b'\n').count() as u64;
        let first = buffer.get(blank).copied();
        reader.consume(blank);
        if let Some(first) = first {
            break first;
        }
    };
    if first == b'{' {
        let whole: Box<dyn Read + Send> = Box::new(reader);
        return Ok(Some(Source::Lines(Lines::after(n_lines, whole))));
    }
    let mut line = Vec::new();
    reader.by_ref().take(MAX_HEADER).read_until(b'\n', &mut line).with_context(reading)?;
    let header = match Rows::new(line.as_slice()).next_row() {
        Ok(Some(Row::Cells(cells))) => Header::from_row(cells.iter(), None),
        Ok(_) => Err("not UTF-8".to_owned()),
        Err(e) => Err(e.to_string()),
    };
    match header {
        Ok(header) => {
            let rest: Box<dyn Read + Send> = Box::new(reader);
            let rows = Box::new(Rows::new(BufReader::new(rest)));
            Ok(Some(Source::Csv { rows, header, line: Vec::new(), before: n_lines + 1 }))
        }
        Err(reason) => {
            let text = line.trim_ascii_end();
            unread(rejects, path, n_lines + 1, &format!("neither NDJSON nor CSV of a known kind: {reason}"), text)?;
            let ended = line.ends_with(b"\n");
            let rest: Box<dyn Read + Send> = Box::new(reader);
            Ok(Some(Source::Lines(Lines::after(n_lines + u64::from(ended), rest))))
        }
    }
}

/// Rejects a line that is in no batch.
fn unread(rejects: &mut Rejects, path: &str, number: u64, reason: &str, text: &[u8]) -> Result<()> {
    rejects.looked_at(1);
    rejects.reject(path, number, reason, text)
}

/// Adds lines to the batch until it is full; `false` at the end of the source.
fn fill(source: &mut Source, path: &str, batch: &mut Batch, rejects: &mut Rejects) -> Result<bool> {
    while batch.bytes.len() < BATCH_BYTES {
        match source {
            Source::Lines(lines) => {
                let Some(line) = lines.next_line()? else { return Ok(false) };
                let text = line.text.trim_ascii();
                if line.cut {
                    unread(rejects, path, line.number, "line too long", &text[..text.len().min(1024)])?;
                } else if !text.is_empty() {
                    batch.push(text, line.number);
                }
            }
            Source::Csv { rows, header, line, before } => {
                let place = *before + rows.line();
                match rows.next_row().with_context(|| format!("the record at line {place}"))? {
                    None => return Ok(false),
                    Some(Row::Cells(cells)) => {
                        line.clear();
                        match header.line(cells.iter(), line) {
                            Ok(()) => batch.push(line, place),
                            Err(reason) => unread(rejects, path, place, reason, cells.text.as_bytes())?,
                        }
                    }
                    Some(Row::TooLong) => unread(rejects, path, place, "record too long", b"")?,
                    Some(Row::NotText) => unread(rejects, path, place, "bad CSV row: not UTF-8", b"")?,
                }
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::Messages;

    /// The records of a text with their line numbers, and how many lines were rejected; `None` if all were.
    fn read(text: &str) -> Option<(Vec<String>, u64)> {
        let mut rejects = Rejects::new(None, Messages::new("test", true));
        let bytes = io::Cursor::new(text.as_bytes().to_vec());
        let mut input = Input::from_reader(bytes, "-", &mut rejects).unwrap();
        let mut seen = Vec::new();
        let each = |r: Record<'_>, _: &mut Rejects| {
            seen.push(format!("{} {}", r.number, String::from_utf8_lossy(r.line)));
            Ok(())
        };
        match input.for_each(&mut rejects, each) {
            Err(error) if error.is::<NoRecord>() => None,
            done => done.map(|()| Some((seen, rejects.count()))).unwrap(),
        }
    }

    #[test]
    fn ndjson_may_have_blank_lines_and_invalid_ones() {
        let (seen, n_rejected) = read("\n \n{\"kind\":\"a\"}\n\nnonsense\n {\"kind\":\"b\"} \n{}").unwrap();
        assert_eq!(seen, ["3 {\"kind\":\"a\"}", "6 {\"kind\":\"b\"}"]);
        assert_eq!(n_rejected, 2);
    }

    #[test]
    fn records_after_an_unreadable_first_line_are_read() {
        let (seen, n_rejected) = read("nonsense\n{\"kind\":\"a\"}\n{\"kind\":\"b\"}\n").unwrap();
        assert_eq!(seen, ["2 {\"kind\":\"a\"}", "3 {\"kind\":\"b\"}"]);
        assert_eq!(n_rejected, 1);
    }

    #[test]
    fn a_stream_in_which_every_line_is_rejected_is_an_error() {
        let record = "{\"kind\":\"hits\"}\n";
        let csv = |rows| format!("datetime,hits\n{rows}");
        let long = "x".repeat(9 << 20);
        for text in ["nonsense", "nonsense\nmore\n", "\n{}\n\n{}", &csv("a,b,c\n"), &long] {
            assert_eq!(read(text), None, "{}", &text[..text.len().min(40)]);
            assert!(
                text.len() > 99 || read(&format!("{text}\n{record}")).is_some() || text.contains("datetime"),
                "{text}"
            );
        }
        let none = Some((Vec::new(), 0));
        assert_eq!([read(""), read(" \n\n"), read(&csv(""))], [none.clone(), none.clone(), none]);
        let (seen, n_rejected) = read(&csv("a,b,c\n2025-07-01 00:00:00,3\na,b,c\n")).unwrap();
        assert_eq!((seen.len(), n_rejected), (1, 2));
    }

    #[test]
    fn an_open_quote_ends_the_run() {
        let mut rejects = Rejects::new(None, Messages::new("test", true));
        let text = "datetime,hits\n2025-07-01 00:00:00,3\n2025-07-02 00:00:00,\"4\n2025-07-03 00:00:00,5\n";
        let mut input = Input::from_reader(io::Cursor::new(text.as_bytes().to_vec()), "-", &mut rejects).unwrap();
        let error = input.for_each(&mut rejects, |_, _| Ok(())).unwrap_err();
        assert!(format!("{error:#}").contains("line 3: a quote that is not closed"), "{error:#}");
    }

    #[test]
    fn csv_records_have_line_numbers_too() {
        let (seen, n_rejected) = read("\ndatetime,hits\n2025-07-01 00:00:00,3\n2025-07-02 00:00:00,4\n").unwrap();
        let line =
            |n, day, hits| format!("{n} {{\"kind\":\"hits\",\"datetime\":\"2025-07-{day} 00:00:00\",\"hits\":{hits}}}");
        assert_eq!(seen, [line(3, "01", 3), line(4, "02", 4)]);
        assert_eq!(n_rejected, 0);
    }
}
