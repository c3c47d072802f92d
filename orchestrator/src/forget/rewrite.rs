//! A file rewritten without a person: compressed as it was, with its owner, permissions and time.
//!
//! The new file gets its name when it is complete. Its content follows from the old one alone, so a run that is
//! killed and done again gives the same bytes.

use std::fs::{File, FileTimes};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use hub::forgotten::{Forgotten, How, Kind};
use kit::{Compression, door};
use logs::fingerprint::{Digest, Hash, Identity};
use rustix::fs::{Gid, Uid};

use super::needles::Needles;

/// The longest piece of a line that is looked at as one.
const LONGEST: u64 = 1 << 20;

/// What there is to do in a file.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Lines of the person.
    pub(super) n_own: u64,
    /// Lines in which something is replaced.
    pub(super) n_mentions: u64,
    /// Lines that have a name or an address as a part of a longer word, and keep it.
    pub(super) n_left: u64,
    /// Whether it is not text.
    pub(super) is_binary: bool,
}

impl Look {
    pub(super) const fn n_changed(&self) -> u64 {
        self.n_own + self.n_mentions
    }
}

/// How files are rewritten.
pub(super) struct Rewriter<'r> {
    pub(super) list: &'r Forgotten,
    pub(super) needles: &'r Needles,
    pub(super) kind: Kind,
}

/// The beginning of a file before and after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix {
    /// How many bytes, and their hash.
    pub(super) old: (u64, Hash),
    /// The same of what they became, and the hash of its head.
    pub(super) new: (u64, Hash),
    pub(super) new_head: Hash,
}

/// A new file that waits for its name.
pub(super) struct Rewritten {
    /// Its own name.
    waiting: PathBuf,
    path: PathBuf,
    /// What became of the beginnings that were asked for.
    pub(super) prefixes: Vec<Prefix>,
    pub(super) old: Identity,
    pub(super) new: Identity,
}

impl Rewritten {
    /// Replaces the old one with it.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub(super) fn publish(&self) -> Result<()> {
        door::rename(&self.waiting, &self.path).with_context(|| format!("replacing {}", self.path.display()))
    }
}

impl Rewriter<'_> {
    /// What a line becomes; `None` if it stays. A line that goes becomes nothing.
    fn line(&self, line: &[u8]) -> Option<(Vec<u8>, bool)> {
        if !self.needles.may_be_in(line) {
            return None;
        }
        let done = self.list.scrub(line, self.kind, b"")?;
        let goes = done.is_own && done.how == How::Delete;
        Some((if goes { Vec::new() } else { done.text }, done.is_own))
    }

    /// Reads a file to see what there is to do.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn look(&self, file: File) -> io::Result<Look> {
        let mut look = Look::default();
        each_line(kit::open_reader(file)?, |line| {
            if !self.needles.may_be_in(line) {
                return Ok(());
            }
            let left = match self.line(line) {
                None => self.needles.are_in(line),
                Some((text, is_own)) => {
                    *(if is_own { &mut look.n_own } else { &mut look.n_mentions }) += 1;
                    self.needles.are_in(&text)
                }
            };
            look.n_left += u64::from(left);
            look.is_binary |= line.contains(&0);
            Ok(())
        })?;
        Ok(look)
    }

    /// Writes the new file beside the old one. `lengths` are beginnings of the old one, in decompressed bytes.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(super) fn rewrite(&self, mut file: File, path: &Path, lengths: &[u64]) -> Result<Rewritten> {
        let meta = file.metadata()?;
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".forgetting");
        let waiting = path.with_file_name(name);
        if door::look(&waiting)?.is_some() {
            door::remove(&waiting).with_context(|| format!("removing {}", waiting.display()))?;
        }
        let mut magic = [0; Compression::MAGIC];
        let n = kit::fill(&mut file, &mut magic)?;
        io::Seek::rewind(&mut file)?;
        let compression = Compression::of(&magic[..n]);
        let new = door::create_new(&waiting, 0o600).with_context(|| format!("creating {}", waiting.display()))?;
        let mut packer = Packer::new(compression, new.try_clone()?)?;
        let prefixes = self.copy(file, &mut packer, lengths)?;
        packer.finish()?;
        keep_owner(&new, &meta)?;
        new.sync_all()?;
        let (old, new) = (Identity::of(&meta), Identity::of(&new.metadata()?));
        Ok(Rewritten { waiting, path: path.to_owned(), prefixes, old, new })
    }

    fn copy(&self, file: File, packer: &mut Packer, lengths: &[u64]) -> Result<Vec<Prefix>> {
        let mut lengths: Vec<u64> = lengths.to_vec();
        lengths.sort_unstable();
        lengths.dedup();
        let mut next = lengths.into_iter().peekable();
        let (mut old, mut new, mut prefixes) = (Digest::default(), Digest::default(), Vec::new());
        each_line(kit::open_reader(file)?, |line| {
            let other = self.line(line);
            let text = other.as_ref().map_or(line, |(text, _)| text);
            packer.write_all(text)?;
            let (mut at, mut new_at) = (0, 0);
            while let Some(length) = next.next_if(|length| *length <= old.bytes() + (line.len() - at) as u64) {
                let n = usize::try_from(length - old.bytes()).unwrap_or(0);
                old.update(&line[at..at + n]);
                at += n;
                // of a line that was cut there as much as can be
                let new_end = if at == line.len() { text.len() } else { at.min(text.len()).max(new_at) };
                new.update(&text[new_at..new_end]);
                new_at = new_end;
                prefixes.push(Prefix {
                    old: (old.bytes(), old.hash()),
                    new: (new.bytes(), new.hash()),
                    new_head: new.head(),
                });
            }
            old.update(&line[at..]);
            new.update(&text[new_at..]);
            Ok(())
        })?;
        Ok(prefixes)
    }
}

/// Calls `each` with every line of a stream, its end included; very long ones come in pieces.
pub(super) fn each_line(reader: impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(256 << 10, reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        each(&line)?;
    }
}

/// Owner, permissions and time of the old file, as far as we may.
fn keep_owner(new: &File, meta: &std::fs::Metadata) -> Result<()> {
    let _ = rustix::fs::fchown(new, Some(Uid::from_raw(meta.uid())), Some(Gid::from_raw(meta.gid())));
    rustix::fs::fchmod(new, rustix::fs::Mode::from_raw_mode(meta.mode() & 0o7777))?;
    let times = FileTimes::new().set_modified(meta.modified()?);
    new.set_times(times).context("keeping the time of the file")
}

/// Compresses as the old file was.
enum Packer {
    Plain(BufWriter<File>),
    Gzip(Box<flate2::write::GzEncoder<BufWriter<File>>>),
    Zstd(Box<zstd::Encoder<'static, BufWriter<File>>>),
    Bzip2(Box<bzip2::write::BzEncoder<BufWriter<File>>>),
    Xz(Box<lzma_rust2::XzWriter<BufWriter<File>>>),
    Lz4(Box<lz4_flex::frame::FrameEncoder<BufWriter<File>>>),
}

impl Packer {
    fn new(compression: Compression, file: File) -> io::Result<Self> {
        let file = BufWriter::with_capacity(256 << 10, file);
        Ok(match compression {
            Compression::None => Self::Plain(file),
            Compression::Gzip => Self::Gzip(Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::new(6)))),
            Compression::Zstd => Self::Zstd(Box::new(zstd::Encoder::new(file, 3)?)),
            Compression::Bzip2 => Self::Bzip2(Box::new(bzip2::write::BzEncoder::new(file, bzip2::Compression::best()))),
            Compression::Xz => {
                Self::Xz(Box::new(lzma_rust2::XzWriter::new(file, lzma_rust2::XzOptions::with_preset(6))?))
            }
            Compression::Lz4 => Self::Lz4(Box::new(lz4_flex::frame::FrameEncoder::new(file))),
        })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Gzip(packer) => packer.finish(),
            Self::Zstd(packer) => packer.finish(),
            Self::Bzip2(packer) => packer.finish(),
            Self::Xz(packer) => packer.finish(),
            Self::Lz4(packer) => packer.finish().map_err(io::Error::from),
        }?
        .flush()
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(packer) => packer.write(bytes),
            Self::Zstd(packer) => packer.write(bytes),
            Self::Bzip2(packer) => packer.write(bytes),
            Self::Xz(packer) => packer.write(bytes),
            Self::Lz4(packer) => packer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
