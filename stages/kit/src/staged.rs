//! `_staged.ndjson`: which logs were put together into the staging files, and where in them.
//!
//! `fetch-logs --stage` writes it last, `import-logs --db` books its files in the ledger,
//! `archive --db` moves them and removes it. Without it all three behave as the legacy lines do,
//! so any of them may be replaced alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::discovery::Stream;
use crate::door;

/// One log within a staging file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedLog {
    /// Where the log lies.
    pub path: PathBuf,
    /// Which staging file it went to.
    pub stream: Stream,
    /// Where it begins in the staging file, in bytes.
    pub offset: u64,
    /// How many bytes of the staging file are its.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct StagedRecord {
    path: PathBuf,
    stream: String,
    staged_offset: u64,
    staged_bytes: u64,
}

/// More than a list of logs ever has.
const LIST_BYTES: u64 = 256 << 20;

/// The list beside the staging files in `staging`.
#[must_use]
pub fn list_path(staging: &Path) -> PathBuf {
    staging.join("_staged.ndjson")
}

/// Reads the list; `None` when there is none.
///
/// # Errors
/// It cannot be read, or a line of it is no such record.
pub fn read(staging: &Path) -> Result<Option<Vec<StagedLog>>> {
    let path = list_path(staging);
    let text = match door::read_to_string(&path, LIST_BYTES) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
    };
    let mut logs = Vec::new();
    for (n, line) in (1..).zip(text.lines()) {
        let at = || format!("{}:{n}", path.display());
        let record: StagedRecord = serde_json::from_str(line).with_context(at)?;
        let stream = Stream::from_name(&record.stream).with_context(at)?;
        logs.push(StagedLog { path: record.path, stream, offset: record.staged_offset, bytes: record.staged_bytes });
    }
    Ok(Some(logs))
}

/// Whether the list was written before `file`, a staging file under either of its names: then it
/// is of an earlier night, and somebody who knows no list has staged this one.
#[must_use]
pub fn is_older_than(staging: &Path, file: &Path) -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    written(&list_path(staging)).zip(written(file)).is_some_and(|(list, file)| list < file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_of_the_files_that_were_there_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let (list, file) = (list_path(directory.path()), directory.path().join("_hub_apache.log"));
        let set = |path: &Path, seconds| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::create(path).unwrap().set_modified(time).unwrap();
        };
        assert!(!is_older_than(directory.path(), &file));
        set(&list, 100);
        assert!(!is_older_than(directory.path(), &file));
        for (seconds, expected) in [(99, false), (100, false), (101, true)] {
            set(&file, seconds);
            assert_eq!(is_older_than(directory.path(), &file), expected, "{seconds}");
        }
    }

    #[test]
    fn the_list_is_read_or_missing_or_named() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()).unwrap(), None);
        let line = r#"{"kind":"source","path":"/d/a.log","stream":"auth","bytes":9,"compression":"gzip","staged_offset":5,"staged_bytes":70}"#;
        fs::write(list_path(directory.path()), format!("{line}\n")).unwrap();
        let log = StagedLog { path: "/d/a.log".into(), stream: Stream::Auth, offset: 5, bytes: 70 };
        assert_eq!(read(directory.path()).unwrap(), Some(vec![log]));
        fs::write(list_path(directory.path()), format!("{line}\n{{}}\n")).unwrap();
        let error = read(directory.path()).unwrap_err();
        assert!(format!("{error:#}").contains("_staged.ndjson:2"), "{error:#}");
    }
}
