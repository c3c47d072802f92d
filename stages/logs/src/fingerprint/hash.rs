//! Hashes of the bytes of a log, computed while they are read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

/// How many bytes the hash of the beginning covers.
pub const HEAD: u64 = 4096;

/// A 128-bit hash, written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub u128);

impl Hash {
    /// The first twelve digits, as used in names in the ledger of imports.
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

/// The hash state for consecutive bytes.
#[derive(Clone, Default)]
pub struct Digest {
    hasher: Xxh3Default,
    head: Hash,
    bytes: u64,
}

impl Digest {
    /// Adds the next bytes.
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
