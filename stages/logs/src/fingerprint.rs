//! The fingerprint of a log: which file it was, how many bytes were read, and their hashes.
//!
//! A log is identified by its content. If device, inode, size and time are unchanged, the content is
//! assumed to be unchanged and is not read again; otherwise the bytes decide. The hashes are computed
//! while the log is read for another purpose, see [`Reading`].

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, Result};

use kit::door::named;

mod hash;
mod identity;
mod reading;

pub use hash::{Digest, HEAD, Hash};
pub use identity::{Fingerprint, Identity};
pub use reading::Reading;
use reading::read_some;

const BUFFER: usize = 256 << 10;

/// What a path contains now, compared with a [`Fingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    /// The same content.
    Same,
    /// The same content, and more after it.
    Grown,
    /// Other content, or not a regular file.
    Other,
    /// Nothing exists there.
    Gone,
}

impl Fingerprint {
    /// Examines what is at `path` now; a log whose archiving is not finished is found under its
    /// hidden name. The content is read only if device, inode, size or time differ.
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

    /// The same for an open file.
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
            while digest.bytes() < end {
                let room = usize::try_from(end - digest.bytes()).unwrap_or(BUFFER).min(BUFFER);
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

/// Reads a log to its end only for its fingerprint.
///
/// # Errors
/// It cannot be read, or changed in the meantime.
pub fn of(path: &Path) -> Result<Fingerprint> {
    let mut reading = Reading::open(path)?;
    let mut buffer = vec![0; BUFFER];
    let mut read = || -> io::Result<Fingerprint> {
        while read_some(&mut reading, &mut buffer)? > 0 {}
        reading.finish()?.ok_or_else(|| io::Error::other("it is not a regular file"))
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

/// The first bytes of a log, up to some position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// How many bytes, decompressed.
    pub bytes: u64,
    /// Their hash.
    pub hash: Hash,
    /// Start of the line that is not complete by then.
    pub line: u64,
}

/// Like [`of`], with the prefixes of these lengths; those longer than the log are left out, and the last
/// one is the whole log.
///
/// # Errors
/// Those of [`of`].
pub fn with_prefixes(path: &Path, lengths: &[u64]) -> Result<(Fingerprint, Vec<Prefix>)> {
    let mut reading = Reading::open(path)?;
    let prefixes = prefixes(&mut reading, lengths).with_context(|| format!("reading {}", path.display()))?;
    let read = reading.finish().with_context(|| format!("reading {}", path.display()))?;
    Ok((read.with_context(|| format!("{} is not a regular file", path.display()))?, prefixes))
}

/// The prefixes of a stream with these lengths, and the whole stream, which is read to its end.
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
        while next.next_if_eq(&digest.bytes()).is_some() {
            found.push(Prefix { bytes: digest.bytes(), hash: digest.hash(), line });
        }
        let room = next.peek().and_then(|end| usize::try_from(end - digest.bytes()).ok()).unwrap_or(BUFFER);
        let n = read_some(reader, &mut buffer[..room.min(BUFFER)])?;
        if n == 0 {
            if found.last().is_none_or(|last: &Prefix| last.bytes < digest.bytes()) {
                found.push(Prefix { bytes: digest.bytes(), hash: digest.hash(), line });
            }
            return Ok(found);
        }
        if let Some(end) = memchr::memrchr(b'\n', &buffer[..n]) {
            line = digest.bytes() + end as u64 + 1;
        }
        digest.update(&buffer[..n]);
    }
}

#[cfg(test)]
mod tests;
