//! Decompression. The format is recognised by the first bytes of a stream, never by a file name.
//!
//! A stream may have any number of parts (members, frames, streams), one after the other. Anything else
//! after them is an error that says so: lines must not be lost silently. Each decoder finds the end of
//! its part; this file examines the rest of the stream.

use std::io::{self, BufRead, Read};

use source::Source;

use crate::count::counted;

mod source;
#[cfg(test)]
mod tests;

/// The maximum memory for the dictionary of an xz stream, in KiB. `xz -9` needs 64 MiB; a file of a
/// few hundred bytes can request 4 GiB.
const XZ_MEMORY: u32 = 80 << 10;

/// How a stream is compressed, recognised from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not compressed.
    None,
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames.
    Zstd,
    /// bzip2, any number of streams.
    Bzip2,
    /// xz, any number of streams.
    Xz,
    /// LZ4 frames, any number of them.
    Lz4,
}

impl Compression {
    /// How many bytes of a stream show how it is compressed.
    pub const MAGIC: usize = 10;

    /// The suffixes of file names, one for each compression.
    pub const ENDINGS: [&str; 5] = [".gz", ".zst", ".bz2", ".xz", ".lz4"];

    /// From the first [`Compression::MAGIC`] bytes of a stream (fewer if it is shorter).
    #[must_use]
    pub const fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            // a block, or the end of a stream without any
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Self::Bzip2,
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x04, 0x22, 0x4D, 0x18, ..] => Self::Lz4,
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
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lz4 => "lz4",
        }
    }
}

/// Decompresses a stream on the fly if needed.
///
/// # Errors
/// The first bytes cannot be read.
pub fn open_reader(reader: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut source = Source::new(reader);
    let compression = Compression::of(source.peek(Compression::MAGIC)?);
    if compression == Compression::None {
        return Ok(Box::new(source));
    }
    Ok(Box::new(Parts { compression, state: State::Between(source), first: Vec::new() }))
}

/// The parts of a compressed stream, one after the other.
struct Parts<R: Read> {
    compression: Compression,
    state: State<R>,
    /// The first bytes of the output.
    first: Vec<u8>,
}

enum State<R: Read> {
    Within(Box<Decoder<R>>),
    /// Before the first part, or after a part.
    Between(Source<R>),
    /// At the end, or after a failure.
    Done,
}

enum Decoder<R: Read> {
    Gzip(flate2::bufread::GzDecoder<Source<R>>),
    Zstd(zstd::stream::read::Decoder<'static, Source<R>>),
    Bzip2(bzip2::bufread::BzDecoder<Source<R>>),
    Xz(Box<lzma_rust2::XzReader<Source<R>>>),
    Lz4(lz4_flex::frame::FrameDecoder<Source<R>>),
}

impl<R: Read> Decoder<R> {
    /// Decodes one part, which begins at the source's current byte.
    fn new(compression: Compression, source: Source<R>) -> io::Result<Option<Self>> {
        Ok(Some(match compression {
            Compression::None => return Ok(None),
            Compression::Gzip => Self::Gzip(flate2::bufread::GzDecoder::new(source)),
            Compression::Zstd => Self::Zstd(zstd::stream::read::Decoder::with_buffer(source)?.single_frame()),
            Compression::Bzip2 => Self::Bzip2(bzip2::bufread::BzDecoder::new(source)),
            Compression::Xz => Self::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(source, false, XZ_MEMORY))),
            Compression::Lz4 => Self::Lz4(lz4_flex::frame::FrameDecoder::new(source)),
        }))
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
            Self::Lz4(decoder) => match decoder.read(buffer) {
                // it treats a frame that is cut between two blocks as complete
                Ok(0) if decoder.get_ref().is_at_end() => Err(io::ErrorKind::UnexpectedEof.into()),
                done => done,
            },
        }
    }

    fn source(&self) -> &Source<R> {
        match self {
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
            Self::Bzip2(decoder) => decoder.get_ref(),
            Self::Xz(decoder) => decoder.inner(),
            Self::Lz4(decoder) => decoder.get_ref(),
        }
    }

    fn into_source(self) -> Source<R> {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Lz4(decoder) => decoder.into_inner(),
        }
    }
}

impl<R: Read> Read for Parts<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            // a decoder that failed must not be used again
            match std::mem::replace(&mut self.state, State::Done) {
                State::Within(mut decoder) => match decoder.read(buffer) {
                    Ok(0) => self.state = State::Between(decoder.into_source()),
                    Ok(n) => {
                        self.look_at(&buffer[..n])?;
                        self.state = State::Within(decoder);
                        return Ok(n);
                    }
                    // errors of the file or pipe are reported unchanged
                    Err(error) if decoder.source().has_failed() => return Err(error),
                    Err(error) => return Err(damaged(self.compression, &error)),
                },
                State::Between(mut source) => {
                    let Some(compression) = next_part(&mut source, self.compression)? else { return Ok(0) };
                    self.compression = compression;
                    let Some(decoder) = Decoder::new(compression, source)? else { return Ok(0) };
                    self.state = State::Within(Box::new(decoder));
                }
                State::Done => return Ok(0),
            }
        }
    }
}

impl<R: Read> Parts<R> {
    /// Recognises from the first bytes of the output whether it is compressed again.
    fn look_at(&mut self, bytes: &[u8]) -> io::Result<()> {
        let missing = Compression::MAGIC.saturating_sub(self.first.len());
        if missing == 0 {
            return Ok(());
        }
        self.first.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        let inner = Compression::of(&self.first);
        if inner == Compression::None {
            return Ok(());
        }
        let (outer, inner) = (self.compression.name(), inner.name());
        Err(invalid(format!("it is compressed twice, with {inner} and then with {outer}; decompress it once")))
    }
}

/// The compression of the part that begins here; `None` at the end of the stream. Frames for other
/// programs are skipped, and so are zeros, with which tapes and block devices fill their last
/// block.
fn next_part(source: &mut Source<impl Read>, before: Compression) -> io::Result<Option<Compression>> {
    let mut zeros = 0;
    loop {
        zeros += source.skip_zeros()?;
        let magic = source.peek(Compression::MAGIC)?;
        if magic.is_empty() {
            return Ok(None);
        }
        if let [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] = magic {
            skip_frame(source)?;
            continue;
        }
        let next = Compression::of(magic);
        // in xz, zeros may separate two streams; elsewhere their meaning is unknown
        if next != Compression::None && (zeros == 0 || (before, next) == (Compression::Xz, Compression::Xz)) {
            return Ok(Some(next));
        }
        let what = if next != Compression::None {
            "more compressed data after zeros"
        } else if is_text(source.fill_buf()?) {
            "text"
        } else {
            "something else"
        };
        let n = source.skip_all()?;
        return Err(invalid(format!("{} of {what} after the compressed data", counted(n, "byte", "bytes"))));
    }
}

/// Skips a frame of zstd or lz4 that is for other programs.
fn skip_frame(source: &mut Source<impl Read>) -> io::Result<()> {
    let mut head = [0; 8];
    source.read_exact(&mut head).map_err(|error| cut_short(error, Compression::Zstd))?;
    let size = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    if source.skip(size)? < size {
        return Err(cut_short(io::ErrorKind::UnexpectedEof.into(), Compression::Zstd));
    }
    Ok(())
}

fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(256)];
    start.iter().all(|byte| *byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r'))
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn cut_short(error: io::Error, compression: Compression) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { damaged(compression, &error) } else { error }
}

/// A decoder's error, in words that name the format.
fn damaged(compression: Compression, error: &io::Error) -> io::Error {
    let name = compression.name();
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(io::ErrorKind::UnexpectedEof, format!("the {name} data is cut short"))
        }
        io::ErrorKind::OutOfMemory => {
            invalid(format!("the {name} data needs more than {} MiB of memory to decompress", XZ_MEMORY >> 10))
        }
        kind => io::Error::new(kind, format!("the {name} data is damaged: {error}")),
    }
}
