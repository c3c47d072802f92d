//! Opens the logs that were found, each according to its rules.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::{Compression, door, fill};
use logs::discovery;
use logs::fingerprint::{Fingerprint, Reading};

/// Opens logs: those below searched folders under the restrictions for these folders, those named
/// by the user like any program.
#[derive(Debug, Default)]
pub(crate) struct Opener(door::Logs);

impl Opener {
    pub(crate) fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(door::Logs::within(folders))
    }

    pub(crate) fn open(&self, path: &Path) -> Result<File> {
        let lies_at = discovery::lying_at(path);
        let opened = if self.0.holds(&lies_at) { self.0.open(&lies_at) } else { door::named::open(&lies_at) };
        opened.with_context(|| format!("opening {}", path.display()))
    }

    /// Opens a log and decompresses it on the fly.
    pub(crate) fn reading(&self, path: &Path) -> Result<Reading> {
        Reading::of_file(self.open(path)?).with_context(|| format!("reading {}", path.display()))
    }

    /// Reads a log to its end, only for its fingerprint.
    pub(crate) fn read_to_end(&self, path: &Path) -> Result<Option<Fingerprint>> {
        let mut reading = self.reading(path)?;
        let read = io::copy(&mut reading, &mut io::sink()).and_then(|_| reading.finish());
        read.with_context(|| format!("reading {}", path.display()))
    }

    /// How a file is compressed, by its first bytes.
    pub(crate) fn compression(&self, path: &Path) -> Result<Compression> {
        let mut magic = Vec::with_capacity(Compression::MAGIC);
        let mut beginning = self.open(path)?.take(Compression::MAGIC as u64);
        beginning.read_to_end(&mut magic).with_context(|| format!("reading {}", path.display()))?;
        Ok(Compression::of(&magic))
    }

    /// Whether two logs have the same lines, one of them compressed.
    pub(crate) fn same_content(&self, a: &Path, b: &Path) -> Result<bool> {
        let (mut left, mut right) = (self.reading(a)?, self.reading(b)?);
        let (mut x, mut y) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            let n = fill(&mut left, &mut x).with_context(|| format!("reading {}", a.display()))?;
            let m = fill(&mut right, &mut y).with_context(|| format!("reading {}", b.display()))?;
            if x[..n] != y[..m] {
                return Ok(false);
            }
            if n == 0 {
                return Ok(true);
            }
        }
    }
}
