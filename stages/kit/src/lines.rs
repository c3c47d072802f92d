//! Bytes in: opening files plain or compressed, and reading lines of bounded length.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::door::named;

/// The longest line that is read, in bytes; what is longer is cut there and marked.
pub const MAX_LINE: usize = 16 << 20;

const BUFFER: usize = 256 << 10;

/// How much is read for the first bytes. Who asks for more at once gets it without another copy.
const MAGIC_BUFFER: usize = 64 << 10;

/// How a stream of bytes is compressed, seen from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As is.
    None,
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames.
    Zstd,
}

impl Compression {
    /// From the first four bytes of a stream (fewer when it is shorter).
    #[must_use]
    pub fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The name in `source` records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Opens a file and decompresses it on the fly if need be. Reading fails when a compressed
/// stream is cut short or damaged.
///
/// # Errors
/// The file cannot be opened or its first bytes cannot be read.
pub fn open(path: &Path) -> Result<Box<dyn Read + Send>> {
    let file = named::open(path).with_context(|| format!("opening {}", path.display()))?;
    open_reader(file).with_context(|| format!("reading {}", path.display()))
}

/// The same for any stream.
///
/// # Errors
/// The first bytes cannot be read.
pub fn open_reader(reader: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut reader = BufReader::with_capacity(MAGIC_BUFFER, reader);
    let mut magic = Vec::with_capacity(4);
    // a pipe may deliver its first bytes one by one
    reader.by_ref().take(4).read_to_end(&mut magic)?;
    let compression = Compression::of(&magic);
    let whole = io::Cursor::new(magic).chain(reader);
    Ok(match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(Gzip::new(BufReader::with_capacity(BUFFER, whole))),
        Compression::Zstd => {
            Box::new(zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(BUFFER, whole))?)
        }
    })
}

/// The members of a gzip stream, one after the other. Zeros behind a member, with which tapes and
/// block devices fill their last block, end it as they do for `gzip` itself.
struct Gzip<R> {
    member: Member<R>,
}

enum Member<R> {
    Read(Box<flate2::bufread::GzDecoder<R>>),
    /// Behind a member.
    Ended(R),
    /// After a failure, or while a member is exchanged.
    Nothing,
}

impl<R: BufRead> Gzip<R> {
    fn new(reader: R) -> Self {
        Self { member: Member::Read(Box::new(flate2::bufread::GzDecoder::new(reader))) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.member, Member::Nothing) {
                Member::Read(mut decoder) => match decoder.read(buffer) {
                    Ok(0) => self.member = Member::Ended(decoder.into_inner()),
                    done => {
                        let again = done.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::Interrupted);
                        if done.is_ok() || again {
                            self.member = Member::Read(decoder);
                        }
                        return done;
                    }
                },
                Member::Ended(mut reader) => {
                    let next = match behind_a_member(&mut reader) {
                        Ok(next) => next,
                        Err(e) => {
                            self.member = Member::Ended(reader);
                            return Err(e);
                        }
                    };
                    if !next {
                        return Ok(0);
                    }
                    self.member = Member::Read(Box::new(flate2::bufread::GzDecoder::new(reader)));
                }
                Member::Nothing => return Ok(0),
            }
        }
    }
}

/// Skips zeros; whether another member follows. What is neither is damage.
fn behind_a_member(reader: &mut impl BufRead) -> io::Result<bool> {
    let mut padded = false;
    loop {
        let buffer = reader.fill_buf()?;
        let Some(zeros) = buffer.iter().position(|byte| *byte != 0) else {
            let n = buffer.len();
            if n == 0 {
                return Ok(false);
            }
            padded = true;
            reader.consume(n);
            continue;
        };
        if padded || zeros > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "something else behind the zeros of a gzip stream"));
        }
        return Ok(true);
    }
}

/// One line of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The bytes without the line feed.
    pub text: &'a [u8],
    /// Whether a line feed ended it; only a last line may lack it.
    pub terminated: bool,
    /// Whether it was longer than [`MAX_LINE`]; the text is then its beginning.
    pub cut: bool,
    /// The number of the line, from 1.
    pub number: u64,
}

/// Reads lines of bounded length from a stream.
pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    n: u64,
}

impl<R: Read> Lines<BufReader<R>> {
    /// Lines of `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER, reader), line: Vec::new(), n: 0 }
    }

    /// The lines of what is left of a stream of which `n` lines were read otherwise.
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
    fn lines_with_and_without_an_end() {
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n"), [(String::new(), true)]);
        assert_eq!(all(b"a\nb"), [("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(all(b"a\r\n\nb\n"), [("a\r".to_owned(), true), (String::new(), true), ("b".to_owned(), true)]);
    }

    #[test]
    fn a_line_without_end_is_cut_not_swallowed() {
        let mut lines = Lines::new(io::repeat(b'x').take(MAX_LINE as u64 + 10).chain(&b"\nnext\n"[..]));
        let line = lines.next_line().unwrap().unwrap();
        assert!(line.cut && line.terminated && line.text.len() == MAX_LINE);
        assert_eq!(lines.next_line().unwrap().unwrap().text, b"next");
    }

    #[test]
    fn compressed_streams_are_recognised() {
        use std::io::Write as _;
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(b"one\n").unwrap();
        let mut bytes = gz.finish().unwrap();
        bytes.extend_from_within(..); // a second member
        let read = |bytes: Vec<u8>| {
            let mut text = String::new();
            open_reader(io::Cursor::new(bytes)).unwrap().read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(read(bytes.clone()).unwrap(), "one\none\n");
        assert!(read(bytes[..bytes.len() - 5].to_vec()).is_err(), "a cut stream is an error");
        assert!(read([&bytes[..], b"x"].concat()).is_err(), "nonsense behind it");
        // a tape's last block
        for zeros in [1, 511, 2 * BUFFER] {
            let mut padded = bytes.clone();
            padded.resize(bytes.len() + zeros, 0);
            assert_eq!(read(padded.clone()).unwrap(), "one\none\n", "{zeros}");
            padded.push(7);
            assert!(read(padded.clone()).is_err(), "{zeros}");
            padded.pop();
            padded.extend_from_slice(&bytes);
            assert!(read(padded).is_err(), "a member behind zeros is refused, not left out");
        }
        let mut bytes = zstd::encode_all(&b"two\n"[..], 1).unwrap();
        bytes.extend_from_within(..);
        assert_eq!(read(bytes.clone()).unwrap(), "two\ntwo\n");
        assert!(read(bytes[..bytes.len() - 3].to_vec()).is_err());
        assert_eq!(read(b"pl".to_vec()).unwrap(), "pl");
        assert_eq!(read(Vec::new()).unwrap(), "");
    }
}
