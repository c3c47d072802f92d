//! The logs that were found, as `source` records or as their bytes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use kit::discovery::{self, Found};
use kit::{Compression, Output};
use schema::json::{push_int, push_str};

/// How a file is compressed, by its first bytes.
fn compression(path: &Path) -> Result<Compression> {
    let mut magic = Vec::with_capacity(4);
    File::open(discovery::lying_at(path))
        .and_then(|file| file.take(4).read_to_end(&mut magic))
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(Compression::of(&magic))
}

/// Appends the `source` record of a log, without a line end.
pub(crate) fn source_record(log: &Found, line: &mut Vec<u8>) -> Result<()> {
    let path = log.path.to_str().with_context(|| format!("the path {} is not UTF-8", log.path.display()))?;
    line.extend_from_slice(b"{\"kind\":\"source\",\"path\":");
    push_str(line, path);
    line.extend_from_slice(b",\"stream\":");
    push_str(line, log.stream.name());
    if let Some(date) = log.date() {
        line.extend_from_slice(b",\"date\":");
        push_str(line, date);
    }
    line.extend_from_slice(b",\"bytes\":");
    push_int(line, i64::try_from(log.bytes).unwrap_or(i64::MAX));
    line.extend_from_slice(b",\"compression\":");
    push_str(line, compression(&log.path)?.name());
    line.push(b'}');
    Ok(())
}

/// Writes one `source` record for each log.
pub(crate) fn records(logs: &[Found], mut output: Output) -> Result<()> {
    let mut line = Vec::new();
    for log in logs {
        line.clear();
        source_record(log, &mut line)?;
        output.record(&line)?;
    }
    output.finish()
}

/// Writes what is in the logs, decompressed, one after the other with nothing between them.
pub(crate) fn bytes(logs: &[Found], mut output: Output) -> Result<()> {
    for log in logs {
        let mut reader = kit::open(&log.path)?;
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
