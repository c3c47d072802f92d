//! Bytes in: opens plain or compressed files, and reads lines of bounded length.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::decompress::open_reader;
use crate::door::named;

/// The maximum length of a line in bytes; a longer line is cut there and marked.
pub const MAX_LINE: usize = 16 << 20;

const BUFFER: usize = 256 << 10;

/// Opens a file and decompresses it on the fly if needed. Reading fails if a compressed stream is
/// cut short or damaged.
///
/// # Errors
/// The file cannot be opened or its first bytes cannot be read.
pub fn open(path: &Path) -> Result<Box<dyn Read + Send>> {
    let file = named::open(path).with_context(|| format!("opening {}", path.display()))?;
    open_reader(file).with_context(|| format!("reading {}", path.display()))
}

/// Reads until the buffer is full or the stream ends; returns the number of bytes.
///
/// # Errors
/// The stream cannot be read.
pub fn fill(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match reader.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

/// One line of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The bytes without the line feed.
    pub text: &'a [u8],
    /// Whether it ended with a line feed; only a last line may lack it.
    pub terminated: bool,
    /// Whether it was longer than [`MAX_LINE`]; the text is then only its beginning.
    pub cut: bool,
    /// The number of the line, from 1.
    pub number: u64,
}

/// Reads lines of bounded length from a stream.
pub struct Lines<R> {
    reader: R,
    /// A line that did not fit into the reader's buffer, as far as it was read.
    line: Vec<u8>,
    /// How many bytes of the reader's buffer the last line had.
    used: usize,
    n: u64,
}

impl<R: Read> Lines<BufReader<R>> {
    /// Lines of `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER, reader), line: Vec::new(), used: 0, n: 0 }
    }

    /// The lines of the rest of a stream, of which `n` lines were read elsewhere.
    pub fn after(n: u64, reader: R) -> Self {
        Self { n, ..Self::new(reader) }
    }
}

impl<R: BufRead> Lines<R> {
    /// The next line.
    ///
    /// # Errors
    /// The stream cannot be read, or its compression is damaged.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.reader.consume(std::mem::take(&mut self.used));
        let end = loop {
            match self.reader.fill_buf() {
                Ok(buffer) => break memchr::memchr(b'\n', buffer),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        };
        match end {
            Some(end) if end <= MAX_LINE => {
                self.used = end + 1;
                self.n += 1;
                // the buffer is as it was
                let text = self.reader.fill_buf()?.get(..end).unwrap_or_default();
                Ok(Some(Line { text, terminated: true, cut: false, number: self.n }))
            }
            _ => self.long_line(),
        }
    }

    /// A line whose end is not in the buffer.
    fn long_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut cut = false;
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if buffer.is_empty() {
                if self.line.is_empty() && !cut {
                    return Ok(None);
                }
                self.n += 1;
                return Ok(Some(Line { text: &self.line, terminated: false, cut, number: self.n }));
            }
            let end = memchr::memchr(b'\n', buffer);
            let taken = end.unwrap_or(buffer.len());
            let room = MAX_LINE - self.line.len();
            cut |= taken > room;
            self.line.extend_from_slice(&buffer[..taken.min(room)]);
            self.reader.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                self.n += 1;
                return Ok(Some(Line { text: &self.line, terminated: true, cut, number: self.n }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<(String, bool)> {
        let mut lines = Lines::new(bytes);
        let mut out = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            out.push((String::from_utf8_lossy(line.text).into_owned(), line.terminated));
        }
        out
    }

    #[test]
    fn the_last_line_may_lack_a_line_feed() {
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n"), [(String::new(), true)]);
        assert_eq!(all(b"a\nb"), [("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(all(b"a\r\n\nb\n"), [("a\r".to_owned(), true), (String::new(), true), ("b".to_owned(), true)]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut lines = Lines::new(io::repeat(b'x').take(MAX_LINE as u64 + 10).chain(&b"\nnext\n"[..]));
        let line = lines.next_line().unwrap().unwrap();
        assert!(line.cut && line.terminated && line.text.len() == MAX_LINE);
        assert_eq!(lines.next_line().unwrap().unwrap().text, b"next");
    }
}
