//! A log as the list of staged logs describes it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::discovery::Stream;
use crate::fingerprint::Fingerprint;

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
    /// Its first byte that was staged: not 0 when the bytes before were imported earlier.
    pub begin: u64,
    /// How many bytes at its end are a line without an end.
    pub open: u64,
    /// What was read of it; lists of earlier versions do not say.
    pub read: Option<Fingerprint>,
    /// Device and inode of the staging file.
    pub staged_in: Option<(u64, u64)>,
    /// The line of the list.
    pub line: u64,
}

impl StagedLog {
    /// Whether this is the staging file that the log went to, by its inode; `None` when the list
    /// does not say.
    #[must_use]
    pub fn is_in(&self, file: &Metadata) -> Option<bool> {
        self.staged_in.map(|place| place == (file.dev(), file.ino()))
    }
}
