//! Which file a log was when it was read, and its content.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use super::hash::{Digest, HEAD, Hash};

/// The identity of a file in the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Number of the device.
    pub device: u64,
    /// Number of the inode.
    pub inode: u64,
    /// Bytes on disk.
    pub size: u64,
    /// Its modification time in nanoseconds since 1970.
    pub mtime: i64,
}

impl Identity {
    /// From the metadata of a file.
    #[must_use]
    pub fn of(meta: &Metadata) -> Self {
        let mtime = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
        Self { device: meta.dev(), inode: meta.ino(), size: meta.len(), mtime }
    }
}

/// What was read of a log, and from which file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Number of the device.
    pub device: u64,
    /// Number of the inode.
    pub inode: u64,
    /// Size of the file in bytes when it was opened.
    pub size: u64,
    /// Its modification time then, in nanoseconds since 1970.
    pub mtime: i64,
    /// Number of decompressed bytes read, from the first one on.
    pub bytes: u64,
    /// Hash of all these bytes.
    pub hash: Hash,
    /// Hash of the first [`HEAD`] of them, or of all if there are fewer.
    pub head: Hash,
}

impl Fingerprint {
    pub(super) fn of(file: Identity, digest: &Digest) -> Self {
        let Identity { device, inode, size, mtime } = file;
        Self { device, inode, size, mtime, bytes: digest.bytes(), hash: digest.hash(), head: digest.head() }
    }

    /// The identity of the file.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        Identity { device: self.device, inode: self.inode, size: self.size, mtime: self.mtime }
    }

    /// Whether both have the same content.
    #[must_use]
    pub fn is_same_content(&self, other: &Self) -> bool {
        (self.bytes, self.hash) == (other.bytes, other.hash)
    }

    /// Whether a log that begins with these bytes ([`HEAD`] of them, or all that it has) may have the
    /// same content or begin with it.
    #[must_use]
    pub fn begins(&self, beginning: &[u8]) -> bool {
        let length = usize::try_from(self.bytes.min(HEAD)).unwrap_or(usize::MAX);
        let mut digest = Digest::default();
        digest.update(beginning.get(..length).unwrap_or_default());
        digest.bytes() == self.bytes.min(HEAD) && digest.hash() == self.head
    }
}
