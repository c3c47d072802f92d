//! Lines that cannot be used: counted, the first few shown, all listed with `--rejects FILE`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use schema::json;

use crate::Messages;
use crate::output::NamedFile;

/// How many rejected lines are shown on standard error.
const SHOWN: u64 = 5;
/// How much of a rejected line is shown on standard error, in characters.
const SHOWN_CHARS: usize = 160;

/// Collects rejected lines of one run.
pub struct Rejects {
    path: Option<PathBuf>,
    file: Option<NamedFile>,
    messages: Messages,
    count: u64,
    read: u64,
    line: Vec<u8>,
}

impl Rejects {
    pub(crate) fn new(path: Option<PathBuf>, messages: Messages) -> Self {
        Self { path, file: None, messages, count: 0, read: 0, line: Vec::new() }
    }

    /// Shows no lines from now on: for the cron forms, which are silent when they succeed.
    pub const fn hush(&mut self) {
        self.messages = Messages::new(self.messages.name(), true);
    }

    /// How many lines were rejected so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds to the number of lines that were looked at, for the closing message.
    pub const fn looked_at(&mut self, n_lines: u64) {
        self.read += n_lines;
    }

    fn open(&mut self) -> Result<()> {
        if let (Some(path), None) = (&self.path, &self.file) {
            self.file = Some(NamedFile::create(path)?);
        }
        Ok(())
    }

    /// Rejects one line.
    ///
    /// # Errors
    /// The rejects file cannot be written.
    pub fn reject(&mut self, path: &str, line_no: u64, reason: &str, text: &[u8]) -> Result<()> {
        self.count += 1;
        if self.count <= SHOWN {
            let shown: String = String::from_utf8_lossy(text).chars().take(SHOWN_CHARS).collect();
            let cut = if shown.len() < text.len() && shown.chars().count() == SHOWN_CHARS { "…" } else { "" };
            self.messages.note(format_args!("{path}:{line_no}: {reason}: {shown}{cut}"));
        }
        self.open()?;
        if let Some(file) = &mut self.file {
            let line = &mut self.line;
            line.clear();
            line.extend_from_slice(b"{\"kind\":\"reject\",\"path\":");
            json::push_str(line, path);
            line.extend_from_slice(b",\"line\":");
            line.extend_from_slice(line_no.to_string().as_bytes());
            line.extend_from_slice(b",\"reason\":");
            json::push_str(line, reason);
            line.extend_from_slice(b",\"text\":");
            json::push_str(line, &String::from_utf8_lossy(text));
            if std::str::from_utf8(text).is_err() {
                line.extend_from_slice(b",\"hex\":\"");
                line.extend(text.iter().flat_map(|b| {
                    [b"0123456789abcdef"[usize::from(b >> 4)], b"0123456789abcdef"[usize::from(b & 15)]]
                }));
                line.push(b'"');
            }
            line.extend_from_slice(b"}\n");
            file.write_all(line).context("writing the rejects file")?;
        }
        Ok(())
    }

    /// Closes the file (it exists even when nothing was rejected) and says the count. Called at the end
    /// of a run that succeeds; one that fails and leaves a list behind calls it itself.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(&mut self) -> Result<u64> {
        self.open()?;
        self.file.take().map_or(Ok(()), NamedFile::finish)?;
        if self.count > 0 {
            let of = if self.read >= self.count { format!(" of {}", self.read) } else { String::new() };
            self.messages.note(format_args!("{}{of} lines rejected", self.count));
        }
        Ok(self.count)
    }
}
