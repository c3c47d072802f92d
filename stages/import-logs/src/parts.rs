//! Parts of a large plain log, so that all threads can look through it at once: each line belongs to the
//! part in which it begins.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// About how long a part is, in bytes.
const PART: u64 = 4 << 20;

/// The parts of a log.
pub(crate) struct Parts<'a> {
    file: &'a File,
    /// From its first line to its length when it was opened.
    bytes: Range<u64>,
}

impl<'a> Parts<'a> {
    pub(crate) const fn new(file: &'a File, bytes: Range<u64>) -> Self {
        Self { file, bytes }
    }

    /// The bytes of each part, in order.
    pub(crate) fn all(&self) -> Vec<Range<u64>> {
        self.of_length(PART)
    }

    fn of_length(&self, length: u64) -> Vec<Range<u64>> {
        let Range { start, end } = self.bytes;
        let part = |i| start + i * length..end.min(start + (i + 1) * length);
        (0..end.saturating_sub(start).div_ceil(length)).map(part).collect()
    }

    /// The lines that begin in a part.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn lines_of(&self, part: &Range<u64>) -> io::Result<LinesOf<'a>> {
        let Range { start, end } = *part;
        let mut lines = LinesOf { file: self.file, next: start, end, size: self.bytes.end, is_done: false };
        if start > self.bytes.start {
            // the first line of a part begins behind the line that holds the byte before
            (lines.next, lines.end) = (start - 1, start);
            io::copy(&mut lines, &mut io::sink())?;
            (lines.end, lines.is_done) = (end, lines.next >= end);
        }
        Ok(lines)
    }
}

/// Reads the lines that begin in a part, the last one to its end.
pub(crate) struct LinesOf<'a> {
    file: &'a File,
    next: u64,
    end: u64,
    size: u64,
    is_done: bool,
}

impl Read for LinesOf<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_done {
            return Ok(0);
        }
        let room = usize::try_from(self.size.saturating_sub(self.next)).unwrap_or(usize::MAX).min(buffer.len());
        let mut n = self.file.read_at(&mut buffer[..room], self.next)?;
        if n == 0 && room > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file shrank while it was read"));
        }
        // the line that holds the last byte of the part is the last one
        let last = usize::try_from(self.end.saturating_sub(self.next + 1)).unwrap_or(usize::MAX);
        if let Some(at) = buffer[..n].get(last..).and_then(|bytes| memchr::memchr(b'\n', bytes)) {
            n = last + at + 1;
            self.is_done = true;
        }
        self.next += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn each_line_belongs_to_one_part() {
        for text in ["", "\n", "one\n\ntwo", "\n\n\nthree\nfour and more\nfive\n", "no line feed at all"] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let size = text.len() as u64;
            for start in 0..=size {
                for length in 1..=size + 1 {
                    let parts = Parts::new(&file, start..size);
                    let mut all = String::new();
                    for part in parts.of_length(length) {
                        let n_before = all.len();
                        parts.lines_of(&part).unwrap().read_to_string(&mut all).unwrap();
                        let lines = &all[n_before..];
                        assert!(lines.is_empty() || lines.ends_with('\n') || text.ends_with(lines), "{lines:?}");
                    }
                    assert_eq!(all, text[usize::try_from(start).unwrap()..], "{text:?} from {start} by {length}");
                }
            }
        }
    }

    #[test]
    fn parts_are_without_gap() {
        let file = tempfile::tempfile().unwrap();
        for (start, size) in [(0, 0), (0, 1), (5, PART), (1, PART + 1), (0, 3 * PART), (7, 3 * PART + 8)] {
            let parts = Parts::new(&file, start..size).all();
            assert_eq!(parts.first().map_or(start, |part| part.start), start);
            assert_eq!(parts.last().map_or(start, |part| part.end), size);
            assert!(parts.windows(2).all(|two| two[0].end == two[1].start));
        }
    }
}
