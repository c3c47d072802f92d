//! What a log was when it was read: which file, how many bytes, and hashes of them.
//!
//! A log is its content. Device, inode, size and time are the short cut: where they are the same
//! nothing is read again, where they differ the bytes decide. The hashes are taken while the bytes
//! are read for another purpose, see [`Reading`].

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use kit::door::named;

mod reading;

pub use reading::Reading;

/// How many bytes the hash of a beginning covers.
pub const HEAD: u64 = 4096;

const BUFFER: usize = 256 << 10;

/// A 128-bit hash, written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub u128);

impl Hash {
    /// The first twelve digits: what names in the ledger of imports carry.
    #[must_use]
    pub fn short(self) -> String {
        format!("{:012x}", self.0 >> 80)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let bits = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
        bits.map(Self).ok_or_else(|| "a hash is 32 hexadecimal digits".to_owned())
    }
}

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// A file as the file system knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Number of the device.
    pub device: u64,
    /// Number of the inode.
    pub inode: u64,
    /// Bytes as it lies there.
    pub size: u64,
    /// Nanoseconds since 1970 of its last change.
    pub mtime: i64,
}

impl Identity {
    /// Of a file whose metadata these are.
    #[must_use]
    pub fn of(meta: &Metadata) -> Self {
        let mtime = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
        Self { device: meta.dev(), inode: meta.ino(), size: meta.len(), mtime }
    }
}

/// What was read of a log, and of which file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Number of the device.
    pub device: u64,
    /// Number of the inode.
    pub inode: u64,
    /// Bytes as the file lay there when it was opened.
    pub size: u64,
    /// Nanoseconds since 1970 of its last change before it was opened.
    pub mtime: i64,
    /// Decompressed bytes that were read, from the first one on.
    pub bytes: u64,
    /// Hash of all of them.
    pub hash: Hash,
    /// Hash of the first [`HEAD`] of them, or of all when they are fewer.
    pub head: Hash,
}

/// What a path holds now, compared with a [`Fingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    /// The same content.
    Same,
    /// The same content, and more behind it.
    Grown,
    /// Another content, or no regular file.
    Other,
    /// Nothing.
    Gone,
}

impl Fingerprint {
    fn of(file: Identity, digest: &Digest) -> Self {
        let Identity { device, inode, size, mtime } = file;
        Self { device, inode, size, mtime, bytes: digest.bytes, hash: digest.hash(), head: digest.head() }
    }

    /// The file it was.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        Identity { device: self.device, inode: self.inode, size: self.size, mtime: self.mtime }
    }

    /// Whether both have the same content.
    #[must_use]
    pub fn is_same_content(&self, other: &Self) -> bool {
        (self.bytes, self.hash) == (other.bytes, other.hash)
    }

    /// Whether a log that begins with these bytes, [`HEAD`] of them or all that it has, may have the same
    /// content or begin with it.
    #[must_use]
    pub fn begins(&self, beginning: &[u8]) -> bool {
        let length = usize::try_from(self.bytes.min(HEAD)).unwrap_or(usize::MAX);
        let mut digest = Digest::default();
        digest.update(beginning.get(..length).unwrap_or_default());
        digest.bytes() == self.bytes.min(HEAD) && digest.hash() == self.head
    }

    /// Looks at what lies at `path` now; a log whose archiving is not finished is found under its
    /// hidden name. Content is read only where the short cut fails.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn compare(&self, path: &Path) -> Result<Now> {
        let lies_at = crate::discovery::lying_at(path);
        let looking = || format!("looking at {}", path.display());
        match fs::metadata(&lies_at) {
            Ok(meta) if !meta.is_file() => return Ok(Now::Other),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Now::Gone),
            Err(e) => return Err(e).with_context(looking),
        }
        self.compare_file(named::open(&lies_at).with_context(looking)?)
            .with_context(|| format!("reading {}", path.display()))
    }

    /// The same for a file that is open.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn compare_file(&self, file: File) -> io::Result<Now> {
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Ok(Now::Other);
        }
        if Identity::of(&meta) == self.identity() {
            return Ok(Now::Same);
        }
        self.compare_content(&mut Reading::of_file(file)?)
    }

    fn compare_content(&self, reading: &mut Reading) -> io::Result<Now> {
        let mut digest = Digest::default();
        let mut buffer = vec![0; BUFFER];
        let head = self.bytes.min(HEAD);
        for (end, hash) in [(head, self.head), (self.bytes, self.hash)] {
            while digest.bytes < end {
                let room = usize::try_from(end - digest.bytes).unwrap_or(BUFFER).min(BUFFER);
                let n = read_some(reading, &mut buffer[..room])?;
                if n == 0 {
                    return Ok(Now::Other);
                }
                digest.update(&buffer[..n]);
            }
            if digest.hash() != hash {
                return Ok(Now::Other);
            }
        }
        Ok(if read_some(reading, &mut buffer[..1])? == 0 { Now::Same } else { Now::Grown })
    }
}

/// Reads a log to its end for its fingerprint alone.
///
/// # Errors
/// It cannot be read, or changed meanwhile.
pub fn of(path: &Path) -> Result<Fingerprint> {
    let mut reading = Reading::open(path)?;
    let mut buffer = vec![0; BUFFER];
    let mut read = || -> io::Result<Fingerprint> {
        while read_some(&mut reading, &mut buffer)? > 0 {}
        reading.finish()?.ok_or_else(|| io::Error::other("it is no regular file"))
    };
    read().with_context(|| format!("reading {}", path.display()))
}

/// The first [`HEAD`] bytes of a log, decompressed.
///
/// # Errors
/// It cannot be read.
pub fn beginning(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reading = Reading::open(path)?.take(HEAD);
    reading.read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes)
}

/// The beginning of a log up to some byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// How many bytes, decompressed.
    pub bytes: u64,
    /// Their hash.
    pub hash: Hash,
    /// Where the line begins that is not ended by then.
    pub line: u64,
}

/// As [`of`], with the beginnings of these lengths; those longer than the log are left out.
///
/// # Errors
/// As [`of`].
pub fn with_prefixes(path: &Path, lengths: &[u64]) -> Result<(Fingerprint, Vec<Prefix>)> {
    let mut reading = Reading::open(path)?;
    let prefixes = prefixes(&mut reading, lengths).with_context(|| format!("reading {}", path.display()))?;
    let read = reading.finish().with_context(|| format!("reading {}", path.display()))?;
    Ok((read.with_context(|| format!("{} is no regular file", path.display()))?, prefixes))
}

/// The beginnings of these lengths of a stream, which is read to its end.
///
/// # Errors
/// It cannot be read.
pub fn prefixes(reader: &mut impl Read, lengths: &[u64]) -> io::Result<Vec<Prefix>> {
    let mut lengths = lengths.to_vec();
    lengths.sort_unstable();
    lengths.dedup();
    let mut buffer = vec![0; BUFFER];
    let (mut digest, mut line, mut found) = (Digest::default(), 0, Vec::new());
    let mut next = lengths.into_iter().peekable();
    loop {
        while next.next_if_eq(&digest.bytes).is_some() {
            found.push(Prefix { bytes: digest.bytes, hash: digest.hash(), line });
        }
        let room = next.peek().and_then(|end| usize::try_from(end - digest.bytes).ok()).unwrap_or(BUFFER);
        let n = read_some(reader, &mut buffer[..room.min(BUFFER)])?;
        if n == 0 {
            return Ok(found);
        }
        if let Some(end) = memchr::memrchr(b'\n', &buffer[..n]) {
            line = digest.bytes + end as u64 + 1;
        }
        digest.update(&buffer[..n]);
    }
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// The hashes of bytes that come one after the other.
#[derive(Clone, Default)]
pub struct Digest {
    hasher: Xxh3Default,
    head: Hash,
    bytes: u64,
}

impl Digest {
    /// Takes in the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        if self.bytes < HEAD {
            let room = usize::try_from(HEAD - self.bytes).unwrap_or(0).min(bytes.len());
            let (first, rest) = bytes.split_at(room);
            self.take(first);
            self.head = self.hash();
            bytes = rest;
        }
        self.take(bytes);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// How many bytes there were.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The hash of all bytes so far.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash(self.hasher.digest128())
    }

    /// The hash of the first [`HEAD`] bytes.
    #[must_use]
    pub fn head(&self) -> Hash {
        if self.bytes == 0 { self.hash() } else { self.head }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
