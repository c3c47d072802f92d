//! The logs that were found, as `source` records or as their bytes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::{Compression, Output, door, path_text};
use logs::discovery::{self, Found};
use logs::fingerprint::{Fingerprint, Reading};
use schema::json::{push_int, push_str};

/// Opens logs: those below the folders that were searched as the folders allow it, those that were
/// named as any program does.
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

    /// Opens a log and decompresses it on the way.
    pub(crate) fn reading(&self, path: &Path) -> Result<Reading> {
        Reading::of_file(self.open(path)?).with_context(|| format!("reading {}", path.display()))
    }

    /// Reads a log to its end, for its fingerprint alone.
    pub(crate) fn read_to_end(&self, path: &Path) -> Result<Option<Fingerprint>> {
        let mut reading = self.reading(path)?;
        let read = io::copy(&mut reading, &mut io::sink()).and_then(|_| reading.finish());
        read.with_context(|| format!("reading {}", path.display()))
    }

    /// How a file is compressed, by its first bytes.
    fn compression(&self, path: &Path) -> Result<Compression> {
        let mut magic = Vec::with_capacity(4);
        self.open(path)?.take(4).read_to_end(&mut magic).with_context(|| format!("reading {}", path.display()))?;
        Ok(Compression::of(&magic))
    }
}

/// Appends the `source` record of a log, without a line end.
pub(crate) fn source_record(log: &Found, opener: &Opener, line: &mut Vec<u8>) -> Result<()> {
    line.extend_from_slice(b"{\"kind\":\"source\",");
    path_text::push_fields(line, &log.path);
    line.extend_from_slice(b",\"stream\":");
    push_str(line, log.stream.name());
    if let Some(date) = log.date() {
        line.extend_from_slice(b",\"date\":");
        push_str(line, date);
    }
    line.extend_from_slice(b",\"bytes\":");
    push_int(line, i64::try_from(log.bytes).unwrap_or(i64::MAX));
    line.extend_from_slice(b",\"compression\":");
    push_str(line, opener.compression(&log.path)?.name());
    line.push(b'}');
    Ok(())
}

/// Writes one `source` record for each log.
pub(crate) fn records(logs: &[Found], opener: &Opener, mut output: Output) -> Result<()> {
    let mut line = Vec::new();
    for log in logs {
        line.clear();
        source_record(log, opener, &mut line)?;
        output.record(&line)?;
    }
    output.finish()
}

/// Writes what is in the logs, decompressed, one after the other with nothing between them.
pub(crate) fn bytes(logs: &[Found], opener: &Opener, mut output: Output) -> Result<()> {
    for log in logs {
        let mut reader = opener.reading(&log.path)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e).with_context(|| format!("reading {}", log.path.display())),
            };
            output.raw().write_all(&buffer[..n]).context("writing log lines")?;
        }
    }
    output.finish()
}
