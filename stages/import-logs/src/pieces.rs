//! Bytes in: a stream cut into blocks at line ends and, if requested, at the ends of its sources.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use kit::fill;

use crate::join;
use crate::layouts::prefix::Prefix;

/// The approximate size of a block, in bytes.
pub(crate) const BLOCK: usize = 256 << 10;

/// Memory of finished blocks, for reuse: allocating fresh memory takes longer than reading the
/// bytes into it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    /// How many blocks to keep.
    const MOST: usize = 32;

    /// Memory of an earlier block; its content does not matter.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes back the memory of a block; the extra memory of long lines is freed.
    pub(crate) fn give_back(&self, block: Vec<u8>) {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() < Self::MOST && block.capacity() <= 2 * BLOCK {
            blocks.push(block);
        }
    }
}

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Complete lines; the last block of a stream may end without a line feed.
    Block(Vec<u8>),
    /// The beginning of a line that is too long to be used.
    TooLong(Vec<u8>, u64),
    /// A source of the stream ends here: at the end of the line with its last byte.
    Cut,
}

/// Cuts a stream into pieces.
pub(crate) struct Pieces<R> {
    reader: R,
    spare: Spare,
    rest: Vec<u8>,
    ended: bool,
    /// How many bytes were passed on.
    position: u64,
    /// Where sources end, in bytes from the beginning, ascending.
    cuts: VecDeque<u64>,
    /// What stands before lines whose parts must stay together.
    joins: Option<Prefix>,
    /// Whether a line whose last part is missing is left unread at the end.
    leaves_open: bool,
    /// How many bytes at the end were left unread: parts of a line, and what stands behind the first.
    pub(crate) n_left: u64,
}

impl<R: Read> Pieces<R> {
    pub(crate) fn new(reader: R, spare: &Spare) -> Self {
        Self::with_cuts(reader, spare, VecDeque::new())
    }

    /// The same for a stream composed of sources, which end at `cuts`.
    pub(crate) fn with_cuts(reader: R, spare: &Spare, cuts: VecDeque<u64>) -> Self {
        Self {
            reader,
            spare: spare.clone(),
            rest: Vec::new(),
            ended: false,
            position: 0,
            cuts,
            joins: None,
            leaves_open: false,
            n_left: 0,
        }
    }

    /// The same, with the parts of a line of a container's log in one block.
    pub(crate) fn joining(self, joins: Option<Prefix>) -> Self {
        Self { joins, ..self }
    }

    /// The same, leaving a line unread at the end if its last part is missing.
    pub(crate) fn leaving_open(self, leaves_open: bool) -> Self {
        Self { leaves_open, ..self }
    }

    /// The input of the bytes.
    pub(crate) const fn reader(&self) -> &R {
        &self.reader
    }

    /// The input, to change how it is read.
    pub(crate) const fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The input, giving up the rest.
    pub(crate) fn into_reader(self) -> R {
        self.reader
    }

    /// The next piece.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        if self.cuts.front().is_some_and(|&cut| cut <= self.position) {
            self.cuts.pop_front();
            return Ok(Some(Piece::Cut));
        }
        let piece = self.next_bytes()?;
        if piece.is_none() && self.cuts.pop_front().is_some() {
            return Ok(Some(Piece::Cut));
        }
        Ok(piece)
    }

    fn next_bytes(&mut self) -> io::Result<Option<Piece>> {
        let mut bytes = self.spare.take();
        let rest = std::mem::take(&mut self.rest);
        let room = BLOCK.max(rest.len());
        if bytes.is_empty() {
            // fresh memory is zero anyway
            bytes = vec![0; room];
        } else {
            bytes.resize(room, 0);
        }
        bytes[..rest.len()].copy_from_slice(&rest);
        let (mut n, mut goal) = (rest.len(), BLOCK);
        while !self.ended {
            let missing = goal.saturating_sub(n);
            bytes.resize(n + missing, 0);
            let more = fill(&mut self.reader, &mut bytes[n..])?;
            self.ended = more < missing;
            n += more;
            bytes.truncate(n);
            if let Some(end) = memchr::memrchr(b'\n', &bytes) {
                if let Some(cut) = self.cut_in(&bytes) {
                    self.rest = bytes.split_off(cut);
                    // what was read already may still contain lines
                    self.ended = false;
                } else if !self.ended {
                    let end = match self.joins.map(|prefix| join::end_of_whole(&bytes[..=end], prefix)) {
                        None => end + 1,
                        Some(Some(end)) => end,
                        // a line that is too long stays in parts
                        Some(None) if bytes.len() >= kit::MAX_LINE => end + 1,
                        Some(None) => {
                            goal = (bytes.len() * 2).min(kit::MAX_LINE);
                            continue;
                        }
                    };
                    self.rest = bytes.split_off(end);
                } else if let Some(prefix) = self.joins.filter(|_| self.leaves_open) {
                    let whole = join::end_of_whole(&bytes[..=end], prefix).unwrap_or(0);
                    // the last part of a line that is too long never comes
                    if whole <= end && bytes.len() - whole < kit::MAX_LINE {
                        self.n_left = (bytes.len() - whole) as u64;
                        bytes.truncate(whole);
                    }
                }
                self.position += bytes.len() as u64;
                return Ok((!bytes.is_empty()).then_some(Piece::Block(bytes)));
            }
            if bytes.len() >= kit::MAX_LINE {
                let start = self.position;
                self.position += bytes.len() as u64;
                let beginning = bytes[..1024].to_vec();
                drop(bytes);
                self.skip_line()?;
                return Ok(Some(Piece::TooLong(beginning, self.position - start)));
            }
            goal = (goal * 2).min(kit::MAX_LINE);
        }
        bytes.truncate(n);
        self.position += bytes.len() as u64;
        Ok((!bytes.is_empty()).then_some(Piece::Block(bytes)))
    }

    /// Where to cut bytes that begin at the current position: after the first line end at or after
    /// the end of the current source.
    fn cut_in(&self, bytes: &[u8]) -> Option<usize> {
        let last = usize::try_from(self.cuts.front()?.checked_sub(self.position + 1)?).ok()?;
        let end = last + memchr::memchr(b'\n', bytes.get(last..)?)? + 1;
        (end < bytes.len()).then_some(end)
    }

    /// Reads to the end of the current line.
    fn skip_line(&mut self) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(BLOCK);
        loop {
            bytes.clear();
            let n = self.reader.by_ref().take(BLOCK as u64).read_to_end(&mut bytes)?;
            if let Some(end) = memchr::memchr(b'\n', &bytes) {
                self.rest = bytes.split_off(end + 1);
                self.position += bytes.len() as u64;
                return Ok(());
            }
            self.position += n as u64;
            if n < BLOCK {
                self.ended = true;
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Pieces::new(bytes, &Spare::default());
        std::iter::from_fn(|| pieces.next_piece().unwrap()).collect()
    }

    #[test]
    fn blocks_end_with_a_line() {
        assert_eq!(all(b""), []);
        assert_eq!(all(b"a"), [Piece::Block(b"a".to_vec())]);
        let text: Vec<u8> = (0..200_000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        let pieces = all(&text);
        assert!(pieces.len() > 5);
        let mut joined = Vec::new();
        for piece in pieces {
            let Piece::Block(block) = piece else { panic!("too long") };
            assert_eq!(block.last(), Some(&b'\n'));
            assert!(block.len() <= BLOCK);
            joined.extend(block);
        }
        assert!(joined == text);
    }

    #[test]
    fn reused_memory_leaves_nothing_in_the_next_block() {
        let spare = Spare::default();
        for text in [&b"one\ntwo\nthr"[..], b"x", b"", b"four\n"] {
            for n in [10, BLOCK, 2 * BLOCK] {
                spare.give_back(vec![b'\n'; n]);
            }
            let mut pieces = Pieces::new(text, &spare);
            let blocks: Vec<_> = std::iter::from_fn(|| pieces.next_piece().unwrap()).collect();
            let bytes: Vec<u8> = blocks
                .iter()
                .flat_map(|piece| if let Piece::Block(b) = piece { &b[..] } else { b"" })
                .copied()
                .collect();
            assert_eq!(bytes, text);
        }
        spare.give_back(Vec::with_capacity(3 * BLOCK));
        assert!(spare.take().capacity() <= 2 * BLOCK, "the extra memory of a long line is freed");
    }

    #[test]
    fn a_line_without_its_last_part_is_left_at_the_end() {
        let part = |mark: &str| format!("2025-07-10T08:00:01.1Z stdout {mark} {}\n", "x".repeat(1000));
        let whole = part("F").repeat(600);
        for open in [part("P"), part("P").repeat(3), part("P") + "2025-07-10T08:00:01.1Z std", String::new()] {
            for (whole, prefix) in [(&*whole, Prefix::Cri), ("", Prefix::Cri)] {
                let text = whole.to_owned() + &open;
                let mut pieces =
                    Pieces::new(text.as_bytes(), &Spare::default()).joining(Some(prefix)).leaving_open(true);
                let mut read = Vec::new();
                while let Some(Piece::Block(block)) = pieces.next_piece().unwrap() {
                    read.extend(block);
                }
                assert!(read == whole.as_bytes());
                assert_eq!(pieces.n_left, open.len() as u64);
            }
        }
        // what is longer than any line is not left
        let text = part("P").repeat(kit::MAX_LINE / 1000);
        let mut pieces = Pieces::new(text.as_bytes(), &Spare::default()).joining(Some(Prefix::Cri)).leaving_open(true);
        while pieces.next_piece().unwrap().is_some() {}
        assert!(pieces.n_left < 1 << 20, "{}", pieces.n_left);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let mut text = vec![b'x'; 3 * BLOCK];
        text.extend(b"\ny\n");
        assert_eq!(all(&text).len(), 1);
        let mut text = b"a\n".to_vec();
        text.extend(vec![b'x'; kit::MAX_LINE + 3 * BLOCK]);
        text.extend(b"\nb\nc");
        let [Piece::Block(a), Piece::TooLong(long, n_bytes), Piece::Block(b)] = &all(&text)[..] else {
            panic!("other pieces")
        };
        assert_eq!((&a[..], &long[..2], &b[..]), (&b"a\n"[..], &b"xx"[..], &b"b\nc"[..]));
        assert_eq!(*n_bytes, (kit::MAX_LINE + 3 * BLOCK + 1) as u64);
        assert_eq!(all(&vec![b'x'; kit::MAX_LINE + 5]).len(), 1);
    }
}
