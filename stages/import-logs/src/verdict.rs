//! Verdicts: what became of each line of a log, for `--verdicts`.
//!
//! A block records its lines and its decisions; the writing side adds the place, the reason and what
//! is decided later. The verdicts of a file stay in a temporary file until it is committed.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use kit::door::named;
use kit::{Usage, path_text};
use schema::json;
use schema::text::storable;

use crate::line::Line;
use crate::rules::Rule;

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Kept,
    Dropped(Rule),
    /// The reason is found later.
    Rejected,
}

/// A line of a block.
#[derive(Debug, Clone)]
struct Judged {
    /// Start of the line in the block.
    start: u32,
    /// Whether it follows another one in the same line of the file.
    is_fused: bool,
    /// End of its fields in the joined text.
    end: usize,
    outcome: Outcome,
}

/// The lines of a block, in their order.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// The fields of all lines, in the form of the record.
    text: Vec<u8>,
    lines: Vec<Judged>,
}

fn push_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !value.is_empty() {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        json::push_str(out, &storable(value));
    }
}

impl Verdicts {
    /// Records the fields of the next line.
    pub(crate) fn fields(&mut self, line: &Line<'_>) {
        push_field(&mut self.text, "client", line.client);
        push_field(&mut self.text, "host", line.host.unwrap_or_default());
        let datetime = [&line.date[..], b" ", line.time.bytes()].concat();
        push_field(&mut self.text, "datetime", &datetime);
        if line.request_id != b"-" {
            push_field(&mut self.text, "request_id", line.request_id);
        }
    }

    /// The same for a login.
    pub(crate) fn login(&mut self, date: &[u8], time: &[u8], client: &[u8]) {
        push_field(&mut self.text, "client", client);
        push_field(&mut self.text, "datetime", &[date, b" ", time].concat());
    }

    /// Records what became of it. `start` is its start in the block.
    pub(crate) fn push(&mut self, start: usize, is_fused: bool, outcome: Outcome) {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        self.lines.push(Judged { start, is_fused, end: self.text.len(), outcome });
    }

    /// Start of a line in the block, whether it was joined to the one before, its fields, and what
    /// became of it.
    pub(crate) fn get(&self, at: usize) -> Option<(usize, bool, &[u8], &Outcome)> {
        let line = self.lines.get(at)?;
        let begin = at.checked_sub(1).and_then(|at| self.lines.get(at)).map_or(0, |before| before.end);
        let fields = self.text.get(begin..line.end)?;
        Some((line.start as usize, line.is_fused, fields, &line.outcome))
    }
}

/// The record of a line, up to its verdict.
pub(crate) fn begin(path: &Path, line: u64, offset: u64, layout: &str, fields: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.len() + 160);
    out.extend_from_slice(b"{\"kind\":\"verdict\",");
    path_text::push_fields(&mut out, path);
    out.extend_from_slice(format!(",\"line\":{line},\"offset\":{offset},\"layout\":").as_bytes());
    json::push_str(&mut out, layout);
    out.extend_from_slice(fields);
    out
}

/// Ends the record of a line that is kept, or dropped by a rule.
pub(crate) fn end(record: &mut Vec<u8>, dropped: Option<Rule>) {
    match dropped {
        None => record.extend_from_slice(b",\"verdict\":\"kept\"}\n"),
        Some(rule) => {
            record.extend_from_slice(b",\"verdict\":\"dropped\",\"rule\":");
            json::push_str(record, rule.word());
            record.extend_from_slice(b"}\n");
        }
    }
}

/// The same for a rejected line.
pub(crate) fn end_rejected(record: &mut Vec<u8>, reason: &str) {
    record.extend_from_slice(b",\"verdict\":\"rejected\",\"reason\":");
    json::push_str(record, reason);
    record.extend_from_slice(b"}\n");
}

/// How many bytes of verdicts are kept in memory.
const HELD: usize = 4 << 20;

/// The file of verdicts, and the verdicts of the log being read.
pub(crate) struct VerdictFile {
    file: File,
    name: String,
    current: BufWriter<tempfile::SpooledTempFile>,
}

impl VerdictFile {
    /// Opens the file; new verdicts are appended.
    ///
    /// # Errors
    /// It cannot be opened, or the records go there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = named::append_with_mode(path, 0o640).with_context(|| format!("opening {name} for writing"))?;
        let place = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
        let records = io::stdout().as_fd().try_clone_to_owned().map(File::from).ok();
        let is_shared = records.as_ref().and_then(place).is_some_and(|records| Some(records) == place(&file));
        if is_shared && path != Path::new("/dev/null") {
            return Err(
                Usage(format!("--verdicts {name}: the records go there; verdicts need a file of their own")).into()
            );
        }
        Ok(Self { file, name, current: Self::spool() })
    }

    fn spool() -> BufWriter<tempfile::SpooledTempFile> {
        BufWriter::with_capacity(64 << 10, tempfile::spooled_tempfile(HELD))
    }

    /// Adds one or more complete records.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn add(&mut self, records: &[u8]) -> Result<()> {
        self.current.write_all(records).context("keeping verdicts in a temporary file")
    }

    /// Discards the verdicts of a log that is not imported, or is read again.
    pub(crate) fn forget(&mut self) {
        self.current = Self::spool();
    }

    /// Writes the verdicts of a log that is committed.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn commit(&mut self) -> Result<()> {
        let done = std::mem::replace(&mut self.current, Self::spool());
        let writing = || format!("writing the verdicts {}", self.name);
        let mut file = done.into_inner().map_err(io::IntoInnerError::into_error).with_context(writing)?;
        file.rewind().with_context(writing)?;
        io::copy(&mut file, &mut self.file).with_context(writing)?;
        Ok(())
    }
}
