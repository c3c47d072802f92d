//! A log as described in the list of staged logs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::discovery::Stream;
use crate::fingerprint::Fingerprint;

/// One log inside a staging file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedLog {
    /// The path of the log.
    pub path: PathBuf,
    /// The staging file that it went to.
    pub stream: Stream,
    /// Its start in the staging file, in bytes.
    pub offset: u64,
    /// Its length in the staging file, in bytes.
    pub bytes: u64,
    /// The first byte of the log that was staged: not 0 if the bytes before were imported earlier.
    pub begin: u64,
    /// The length of the incomplete line at its end, in bytes.
    pub open: u64,
    /// What was read of it; lists of earlier versions lack it.
    pub read: Option<Fingerprint>,
    /// Device and inode of the staging file.
    pub staged_in: Option<(u64, u64)>,
    /// The line of the list.
    pub line: u64,
}

impl StagedLog {
    /// Whether this is the staging file that the log went to, by its inode; `None` if the list does
    /// not say.
    #[must_use]
    pub fn is_in(&self, file: &Metadata) -> Option<bool> {
        self.staged_in.map(|place| place == (file.dev(), file.ino()))
    }
}
