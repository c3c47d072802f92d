//! Lines that cannot be used: counted, the first few shown, all listed with `--rejects FILE`.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use schema::json;

use crate::Messages;
use crate::count::counted;
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

/// How many bytes of a line are converted to text at once.
const PART: usize = 64 << 10;

/// Writes the text of a rejected line after the beginning of its record, in parts: the record of a
/// line may be many times as long as the line.
fn write_text(file: &mut impl Write, part: &mut Vec<u8>, text: &[u8]) -> io::Result<()> {
    part.push(b'"');
    for chunk in text.utf8_chunks() {
        let mut rest = chunk.valid();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(PART));
            json::push_inside(part, piece);
            write_full(file, part)?;
            rest = behind;
        }
        if !chunk.invalid().is_empty() {
            json::push_inside(part, "\u{FFFD}");
            write_full(file, part)?;
        }
    }
    part.push(b'"');
    if std::str::from_utf8(text).is_err() {
        part.extend_from_slice(b",\"hex\":\"");
        for piece in text.chunks(PART) {
            part.extend(
                piece
                    .iter()
                    .flat_map(|b| [b"0123456789abcdef"[usize::from(b >> 4)], b"0123456789abcdef"[usize::from(b & 15)]]),
            );
            write_full(file, part)?;
        }
        part.push(b'"');
    }
    part.extend_from_slice(b"}\n");
    file.write_all(part)
}

/// Writes a part once it is long enough.
fn write_full(file: &mut impl Write, part: &mut Vec<u8>) -> io::Result<()> {
    if part.len() >= PART {
        file.write_all(part)?;
        part.clear();
    }
    Ok(())
}

impl Rejects {
    pub(crate) fn new(path: Option<PathBuf>, messages: Messages) -> Self {
        Self { path, file: None, messages, count: 0, read: 0, line: Vec::new() }
    }

    /// Shows no lines from now on: for the cron forms, which are silent if they succeed.
    pub const fn hush(&mut self) {
        self.messages = Messages::new(self.messages.name(), true);
    }

    /// How many lines were rejected so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many lines were read and rejected so far.
    pub(crate) const fn so_far(&self) -> (u64, u64) {
        (self.read, self.count)
    }

    /// Adds to the number of lines read, for the final message.
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
            let head = &text[..text.len().min(4 * (SHOWN_CHARS + 1))];
            let shown: String = String::from_utf8_lossy(head).chars().take(SHOWN_CHARS).collect();
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
            write_text(file, line, text).context("writing the rejects file")?;
        }
        Ok(())
    }

    /// Closes the file (it exists even if nothing was rejected) and prints the count. Called at the end
    /// of a successful run; a failing run that keeps the list calls it itself.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(&mut self) -> Result<u64> {
        self.open()?;
        self.file.take().map_or(Ok(()), NamedFile::finish)?;
        if self.count > 0 {
            let of = if self.read >= self.count { format!("{} of ", self.count) } else { String::new() };
            let n = if of.is_empty() { self.count } else { self.read };
            self.messages.note(format_args!("{of}{} rejected", counted(n, "line", "lines")));
        }
        Ok(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest piece written at once, and everything written.
    #[derive(Default)]
    struct Pieces(usize, Vec<u8>);

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.max(bytes.len());
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn long_lines_are_written_in_parts() {
        for unit in [&b"x"[..], b"\0", b"\xff", "é\"".as_bytes(), b"a\xc3", b"\xf0\x9f\x98\x80\xe2"] {
            let text = unit.repeat(5 * PART / unit.len());
            let mut written = Pieces::default();
            write_text(&mut written, &mut b"{\"text\":".to_vec(), &text).unwrap();
            assert!(written.0 <= 8 * PART, "{} bytes at once", written.0);
            let record: serde_json::Value = serde_json::from_slice(&written.1).unwrap();
            assert_eq!(record["text"].as_str().unwrap(), String::from_utf8_lossy(&text));
            let hex = record["hex"].as_str();
            assert_eq!(hex.is_some(), std::str::from_utf8(&text).is_err());
            assert!(hex.is_none_or(|hex| hex.len() == 2 * text.len()));
        }
    }
}
