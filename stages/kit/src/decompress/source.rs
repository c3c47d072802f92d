//! The input of a decoder. Its next bytes can be examined without consuming them, and it remembers
//! whether a failure came from the input or from the decoder.

use std::io::{self, BufRead, BufReader, Read};

/// Larger reads bypass the buffer, which saves a copy.
const BUFFER: usize = 64 << 10;

/// A buffered stream of bytes.
pub(super) struct Source<R> {
    /// Buffered bytes, and how many of them are consumed.
    ahead: Vec<u8>,
    taken: usize,
    reader: BufReader<R>,
    is_at_end: bool,
    has_failed: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        let reader = BufReader::with_capacity(BUFFER, reader);
        Self { ahead: Vec::new(), taken: 0, reader, is_at_end: false, has_failed: false }
    }

    /// The next `n` bytes, fewer at the end. A pipe may deliver them one by one.
    pub(super) fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        let mut bytes = Vec::with_capacity(n);
        self.by_ref().take(n as u64).read_to_end(&mut bytes)?;
        bytes.extend_from_slice(&self.ahead[self.taken..]);
        (self.ahead, self.taken, self.is_at_end) = (bytes, 0, false);
        Ok(&self.ahead[..n.min(self.ahead.len())])
    }

    /// Whether the reader has tried to read past the last byte.
    pub(super) const fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Whether the stream could not be read.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Skips zeros; returns how many.
    pub(super) fn skip_zeros(&mut self) -> io::Result<u64> {
        self.skip_while(u64::MAX, |bytes| bytes.iter().position(|byte| *byte != 0))
    }

    /// Skips up to this many bytes; returns how many there were.
    pub(super) fn skip(&mut self, n: u64) -> io::Result<u64> {
        self.skip_while(n, |_| None)
    }

    /// Skips everything that is left; returns how many bytes.
    pub(super) fn skip_all(&mut self) -> io::Result<u64> {
        self.skip_while(u64::MAX, |_| None)
    }

    /// Skips up to `most` bytes, and stops where `end` says.
    fn skip_while(&mut self, most: u64, end: impl Fn(&[u8]) -> Option<usize>) -> io::Result<u64> {
        let mut skipped = 0;
        while skipped < most {
            let bytes = self.fill_buf()?;
            let room = usize::try_from(most - skipped).unwrap_or(usize::MAX).min(bytes.len());
            let stop = end(&bytes[..room]);
            let n = stop.unwrap_or(room);
            self.consume(n);
            skipped += n as u64;
            if stop.is_some() || room == 0 {
                break;
            }
        }
        Ok(skipped)
    }

    /// Records the result of a read; the caller retries an interrupted one.
    fn note<T>(&mut self, done: &io::Result<T>, is_end: bool) -> bool {
        let is_interrupted = done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted);
        self.has_failed = done.is_err() && !is_interrupted;
        self.is_at_end |= is_end;
        is_interrupted
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ahead = &self.ahead[self.taken..];
        if !ahead.is_empty() {
            let n = ahead.len().min(buffer.len());
            buffer[..n].copy_from_slice(&ahead[..n]);
            self.taken += n;
            return Ok(n);
        }
        loop {
            let done = self.reader.read(buffer);
            let is_end = matches!(done, Ok(0)) && !buffer.is_empty();
            if !self.note(&done, is_end) {
                return done;
            }
        }
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken < self.ahead.len() {
            return Ok(&self.ahead[self.taken..]);
        }
        loop {
            let done = self.reader.fill_buf().map(<[u8]>::is_empty);
            let is_end = matches!(done, Ok(true));
            if !self.note(&done, is_end) {
                done?;
                return Ok(self.reader.buffer());
            }
        }
    }

    fn consume(&mut self, n: usize) {
        if self.taken < self.ahead.len() {
            self.taken += n;
        } else {
            self.reader.consume(n);
        }
    }
}
