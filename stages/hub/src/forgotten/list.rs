//! The list itself: keyed hashes, in a private file.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use kit::door;
use schema::{address, collation};
use serde::{Deserialize, Serialize};

use crate::keyed::Key;

/// More bytes than a list ever has.
const LONGEST: u64 = 64 << 20;

/// What a hash was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A user name, whatever its case.
    Name,
    /// A user number.
    Id,
    /// An e-mail address.
    Email,
    /// An address that only this person used.
    Address,
}

/// What becomes of a person's rows and lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// They stay, with other names in them.
    Pseudonym,
    /// They go.
    Delete,
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    what: What,
    hash: String,
    /// The last day that it holds for, `YYYY-MM-DD`.
    until: String,
    pub(super) how: How,
    /// Whether the text is also a usual word of URLs, so that it counts only where users are named.
    #[serde(default)]
    pub(super) is_word: bool,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    /// 32 hexadecimal digits.
    key: String,
    forgotten: Vec<Entry>,
}

/// The list.
#[derive(Debug, Clone)]
pub struct Forgotten {
    key: Key,
    entries: HashMap<(What, u128), Entry>,
}

impl Forgotten {
    /// An empty list with a new key.
    ///
    /// # Errors
    /// The system gives no random bits.
    pub fn new() -> Result<Self> {
        Ok(Self { key: Key::draw()?, entries: HashMap::new() })
    }

    /// The list in a file of ours; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let reading = || format!("reading the list of the forgotten, {}", path.display());
        match door::read_to_string(path, LONGEST) {
            Ok(text) => Self::parse(&text).with_context(reading).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(reading),
        }
    }

    /// The list in a file that a user named.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn given(path: &Path) -> Result<Self> {
        let reading = || format!("reading the list of the forgotten, {}", path.display());
        let text = io::read_to_string(io::Read::take(door::named::open(path).with_context(reading)?, LONGEST));
        Self::parse(&text.with_context(reading)?).with_context(reading)
    }

    fn parse(text: &str) -> Result<Self> {
        let stored: Stored = serde_json::from_str(text)?;
        let key = Key::parse(&stored.key)?;
        let mut entries = HashMap::new();
        for entry in stored.forgotten {
            let hash = u128::from_str_radix(&entry.hash, 16).context("a hash has 32 hexadecimal digits")?;
            entries.insert((entry.what, hash), entry);
        }
        Ok(Self { key, entries })
    }

    /// Writes the list, for nobody but its owner.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut forgotten: Vec<Entry> = self.entries.values().cloned().collect();
        forgotten.sort_by(|a, b| a.hash.cmp(&b.hash));
        let stored = Stored { key: self.key.text(), forgotten };
        door::write_private(path, &serde_json::to_vec_pretty(&stored)?)
            .with_context(|| format!("writing the list of the forgotten, {}", path.display()))
    }

    /// Adds a text, or makes an entry of it hold until a later day.
    pub fn add(&mut self, what: What, text: &str, until: &str, how: How) {
        let hash = self.hash(what, text);
        let is_word = what == What::Name && super::words::is_word(text);
        let entry = Entry { what, hash: format!("{hash:032x}"), until: until.to_owned(), how, is_word };
        self.entries.insert((what, hash), entry);
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether this text is forgotten, for what happened on a day that begins with `YYYY-MM-DD`.
    #[must_use]
    pub fn of(&self, what: What, text: &str, day: &[u8]) -> Option<How> {
        self.entry(what, text).filter(|entry| entry.holds(day)).map(|entry| entry.how)
    }

    /// What becomes of something that a user did at an address; empty texts and the number 0 mean nobody.
    #[must_use]
    pub fn person(&self, user: &str, id: i64, ip: &str, day: &[u8]) -> Option<How> {
        let known = |what, text: &str| if text.is_empty() { None } else { self.of(what, text, day) };
        let id = if id == 0 { None } else { known(What::Id, &id.to_string()) };
        [known(What::Name, user), id, known(What::Address, ip)].into_iter().flatten().max()
    }

    pub(super) fn entry(&self, what: What, text: &str) -> Option<&Entry> {
        self.entries.get(&(what, self.hash(what, text)))
    }

    fn hash(&self, what: What, text: &str) -> u128 {
        let (tag, text) = match what {
            What::Name => (b'n', collation::fold(text)),
            What::Id => (b'i', text.trim_start_matches('0').to_owned()),
            What::Email => (b'e', collation::fold(text)),
            What::Address => (b'a', address::canonical(text).to_ascii_lowercase()),
        };
        self.keyed(tag, text.as_bytes())
    }

    pub(super) fn keyed(&self, tag: u8, text: &[u8]) -> u128 {
        self.key.hash(tag, text)
    }
}

impl Entry {
    pub(super) fn holds(&self, day: &[u8]) -> bool {
        day.get(..10).is_none_or(|day| day <= self.until.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_private_and_is_read_back() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        assert!(Forgotten::read(&path).unwrap().is_none());
        let mut list = Forgotten::new().unwrap();
        list.add(What::Name, "JDoe", "2025-07-31", How::Delete);
        list.add(What::Id, "1234", "2025-07-31", How::Pseudonym);
        list.add(What::Address, "2001:DB8:0::1", "2025-07-31", How::Pseudonym);
        list.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.to_lowercase().contains("jdoe") && !text.contains("1234\""), "{text}");
        for again in [Forgotten::read(&path).unwrap().unwrap(), Forgotten::given(&path).unwrap()] {
            assert_eq!(again.of(What::Name, "jdoe", b"2025-07-31 23:00:00"), Some(How::Delete));
            assert_eq!(again.of(What::Name, "jdoe", b"2025-08-01"), None, "a later account of that name");
            assert_eq!(again.of(What::Name, "jdo", b"2025-07-31"), None);
            assert_eq!(again.of(What::Address, "2001:db8::1", b"2025-01-01"), Some(How::Pseudonym));
            assert_eq!(again.person("jdoe", 1234, "", b"2025-01-01"), Some(How::Delete));
            assert_eq!(again.person("", 1234, "192.0.2.1", b"2025-01-01"), Some(How::Pseudonym));
            assert_eq!(again.person("", 0, "", b"2025-01-01"), None);
        }
    }

    #[test]
    fn another_key_gives_other_hashes() {
        let (one, other) = (Forgotten::new().unwrap(), Forgotten::new().unwrap());
        assert_ne!(one.hash(What::Name, "jdoe"), other.hash(What::Name, "jdoe"));
        assert_ne!(one.hash(What::Name, "5"), one.hash(What::Id, "5"));
    }
}
