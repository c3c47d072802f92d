//! The pipe's face: the logs that were found, as `source` records or as their lines.

use anyhow::{Context as _, Result};
use kit::{Output, fill, path_text};
use logs::discovery::Found;
use schema::json::{push_int, push_str};

use crate::opener::Opener;

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
pub(crate) fn sources(logs: &[Found], opener: &Opener, mut output: Output) -> Result<()> {
    let mut line = Vec::new();
    for log in logs {
        line.clear();
        source_record(log, opener, &mut line)?;
        output.record(&line)?;
    }
    output.finish()
}

/// Writes the content of the logs, decompressed, one after the other with nothing between them.
pub(crate) fn lines(logs: &[Found], opener: &Opener, mut output: Output) -> Result<()> {
    for log in logs {
        let mut reader = opener.reading(&log.path)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            let n = fill(&mut reader, &mut buffer).with_context(|| format!("reading {}", log.path.display()))?;
            if n == 0 {
                break;
            }
            output.raw().write_all(&buffer[..n]).context("writing log lines")?;
        }
    }
    output.finish()
}
