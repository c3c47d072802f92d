//! Reading a log once: it is decompressed, and its fingerprint is computed at the same time.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::hash::{Digest, HEAD};
use super::identity::{Fingerprint, Identity};
use kit::Compression;
use kit::door::named;

/// Reads a log, plain or compressed, up to its length when it was opened: what is appended in the
/// meantime is left to the next run, and a log that shrinks is an error.
///
/// Streams that are not regular files are read to their end and have no fingerprint.
pub struct Reading {
    /// The file, for another pass and for the check at the end.
    file: Option<(File, Identity)>,
    /// Its first bytes on disk.
    beginning: Vec<u8>,
    stream: Box<dyn Read + Send>,
    digest: Digest,
    /// The hash state after the last complete line, if that is recorded.
    whole_lines: Option<Digest>,
    /// Whether this pass computes no fingerprint, as for a stream.
    is_look: bool,
    /// Bytes that were read already and are returned first.
    again: Cursor<Vec<u8>>,
    /// How many bytes the stream gave, over all passes.
    n_streamed: u64,
}

impl Reading {
    /// Opens a log; a log whose archiving is not finished is found under its hidden name.
    ///
    /// # Errors
    /// It cannot be opened, or its first bytes cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let lies_at = crate::discovery::lying_at(path);
        let file = named::open(&lies_at).with_context(|| format!("opening {}", path.display()))?;
        Self::of_file(file).with_context(|| format!("reading {}", path.display()))
    }

    /// The same for an open file.
    ///
    /// # Errors
    /// Its first bytes cannot be read.
    pub fn of_file(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Self::of_stream(file);
        }
        let identity = Identity::of(&meta);
        let mut beginning = Vec::new();
        (&file).take(HEAD.min(identity.size)).read_to_end(&mut beginning)?;
        let stream = from_beginning(&file, identity.size)?;
        let again = Cursor::default();
        let (digest, whole_lines) = Default::default();
        Ok(Self {
            file: Some((file, identity)),
            beginning,
            stream,
            digest,
            whole_lines,
            is_look: false,
            again,
            n_streamed: 0,
        })
    }

    /// The same for a stream that can be read once.
    ///
    /// # Errors
    /// Its first bytes cannot be read.
    pub fn of_stream(reader: impl Read + Send + 'static) -> io::Result<Self> {
        let stream = kit::open_reader(reader)?;
        let (beginning, digest, whole_lines, again) = Default::default();
        Ok(Self { file: None, beginning, stream, digest, whole_lines, is_look: true, again, n_streamed: 0 })
    }

    /// How far the file was read, in bytes on disk; for a stream in decompressed bytes.
    #[must_use]
    pub fn disk_position(&self) -> u64 {
        self.file.as_ref().map_or(self.n_streamed, |(file, _)| (&*file).stream_position().unwrap_or(0))
    }

    /// Whether it can be read again.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// The file and its length, if its bytes on disk are those of the log.
    #[must_use]
    pub fn plain(&self) -> Option<(&File, u64)> {
        let is_plain = Compression::of(&self.beginning) == Compression::None;
        self.file.as_ref().filter(|_| is_plain).map(|(file, identity)| (file, identity.size))
    }

    /// Starts again from the first byte: the same file with the same length, whatever the path
    /// refers to now. Both passes must see the same bytes.
    ///
    /// # Errors
    /// It is not a regular file, or its first bytes have changed.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.check()?;
        let Some((file, identity)) = &self.file else { return Err(io::Error::other("a stream is read once")) };
        self.stream = from_beginning(file, identity.size)?;
        self.digest = Digest::default();
        self.whole_lines = self.whole_lines.take().map(|_| Digest::default());
        self.is_look = false;
        self.again = Cursor::default();
        Ok(())
    }

    /// Skips the fingerprint for the rest of this pass; [`Reading::rewind`] starts one that
    /// computes it.
    pub const fn look(&mut self) {
        self.is_look = true;
    }

    /// Records where the last complete line ends, for [`Reading::of_whole_lines`].
    pub fn note_lines(&mut self) {
        self.whole_lines.get_or_insert_default();
    }

    /// What was read without an incomplete last line, if lines are recorded and there are complete
    /// ones.
    #[must_use]
    pub fn of_whole_lines(&self) -> Option<Fingerprint> {
        let digest = self.whole_lines.as_ref()?;
        // carriage returns alone may end lines, which is unknown here
        let has_no_feed = digest.bytes() == 0 && self.beginning.contains(&b'\r');
        let file = self.file.as_ref().filter(|_| !self.is_look && !has_no_feed);
        file.map(|(_, identity)| Fingerprint::of(*identity, digest))
    }

    /// What was read without its last bytes, which are read again for that. Everything must have been read.
    /// `None` where there is no fingerprint.
    ///
    /// # Errors
    /// The log was written over in the meantime.
    pub fn without_last(&mut self, n_bytes: u64) -> io::Result<Option<Fingerprint>> {
        if self.file.is_none() || self.is_look {
            return Ok(None);
        }
        let whole = self.digest.clone();
        self.rewind()?;
        let lengths = [whole.bytes().saturating_sub(n_bytes), whole.bytes()];
        let mut buffer = vec![0; 256 << 10];
        let mut found = None;
        for length in lengths {
            while self.digest.bytes() < length {
                let room = usize::try_from(length - self.digest.bytes()).unwrap_or(usize::MAX).min(buffer.len());
                if read_some(self, &mut buffer[..room])? == 0 {
                    break;
                }
            }
            found = found.or_else(|| self.fingerprint());
        }
        if (self.digest.bytes(), self.digest.hash()) != (whole.bytes(), whole.hash()) {
            return Err(io::Error::other("the file was written over while it was read"));
        }
        Ok(found)
    }

    /// Skips what an earlier run has read; with `whole_lines` goes back to the start of its last
    /// line if that was incomplete. Returns the position of the next byte.
    ///
    /// # Errors
    /// The log does not begin with what the earlier run read.
    pub fn skip(&mut self, earlier: &Fingerprint, whole_lines: bool) -> Result<u64> {
        let line = self.pass(earlier)?;
        if whole_lines && line.len() < kit::MAX_LINE {
            self.again(line);
        }
        Ok(self.position())
    }

    /// Gives bytes again that were read last.
    pub fn again(&mut self, bytes: Vec<u8>) {
        self.again = Cursor::new(bytes);
    }

    /// Reads past what an earlier run has read. Returns its last line if that had no end; of one that is
    /// too long, at least as much as makes it so.
    ///
    /// # Errors
    /// The log does not begin with what the earlier run read.
    pub fn pass(&mut self, earlier: &Fingerprint) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut buffer = vec![0; 256 << 10];
        while self.digest.bytes() < earlier.bytes {
            let left = usize::try_from(earlier.bytes - self.digest.bytes()).unwrap_or(usize::MAX);
            let room = left.min(buffer.len());
            let n = read_some(self, &mut buffer[..room])?;
            ensure!(n > 0, "it is shorter than what was imported of it");
            match memchr::memrchr(b'\n', &buffer[..n]) {
                Some(end) => line = buffer[end + 1..n].to_vec(),
                // a line that is too long is not used, and neither is half of it
                None if line.len() < kit::MAX_LINE => line.extend_from_slice(&buffer[..n]),
                None => {}
            }
        }
        ensure!(self.digest.hash() == earlier.hash, "it does not begin with what was imported of it");
        Ok(line)
    }

    /// The position of the next byte, in decompressed bytes.
    #[must_use]
    pub fn position(&self) -> u64 {
        let given = self.again.position();
        let again = (self.again.get_ref().len() as u64).saturating_sub(given);
        self.digest.bytes().saturating_sub(again)
    }

    /// What was read so far, and from which file; `None` for a stream that is not a regular file, and in
    /// a pass without fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let file = self.file.as_ref().filter(|_| !self.is_look);
        file.map(|(_, identity)| Fingerprint::of(*identity, &self.digest))
    }

    /// The same at the end, after checking that the file is still what was read.
    ///
    /// # Errors
    /// It shrank or was overwritten in the meantime.
    pub fn finish(&self) -> io::Result<Option<Fingerprint>> {
        self.check()?;
        Ok(self.fingerprint())
    }

    fn check(&self) -> io::Result<()> {
        let Some((file, identity)) = &self.file else { return Ok(()) };
        let size = file.metadata()?.len();
        if size < identity.size {
            return Err(shrank(identity.size, size));
        }
        let mut now = vec![0; self.beginning.len()];
        file.read_exact_at(&mut now, 0)?;
        if now == self.beginning {
            return Ok(());
        }
        Err(io::Error::other("the file was written over while it was read"))
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.again.read(buffer)?;
        if n > 0 || buffer.is_empty() {
            return Ok(n);
        }
        let n = self.stream.read(buffer)?;
        self.n_streamed += n as u64;
        if self.is_look {
            return Ok(n);
        }
        let end = self.whole_lines.is_some().then(|| memchr::memrchr(b'\n', &buffer[..n])).flatten();
        let (lines, rest) = buffer[..n].split_at(end.map_or(0, |end| end + 1));
        self.digest.update(lines);
        if let (Some(whole_lines), Some(_)) = (&mut self.whole_lines, end) {
            *whole_lines = self.digest.clone();
        }
        self.digest.update(rest);
        Ok(n)
    }
}

fn from_beginning(file: &File, size: u64) -> io::Result<Box<dyn Read + Send>> {
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(0))?;
    kit::open_reader(Bounded { file, size, given: 0 })
}

fn shrank(from: u64, to: u64) -> io::Error {
    let text = format!("the file shrank while it was read, from {from} to {to} bytes");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

/// The first bytes of a file, all of which must be there.
struct Bounded {
    file: File,
    size: u64,
    given: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.size - self.given).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read(&mut buffer[..room])?;
        if n == 0 && room > 0 {
            return Err(shrank(self.size, self.given));
        }
        self.given += n as u64;
        Ok(n)
    }
}

/// Reads the next bytes, even if interrupted by a signal.
pub(super) fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
