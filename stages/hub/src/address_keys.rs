//! The hashes that stand for the addresses of old months, and the keys that they are made with.
//!
//! One address and one key give one hash. A key holds for some months; when the last of them is hashed, the key is
//! destroyed, and nobody can find out any more which address a hash was.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use kit::door;
use schema::{Month, address};
use serde::{Deserialize, Serialize};

use crate::keyed::{Key, digits};

/// More bytes than the file ever has.
const LONGEST: u64 = 1 << 20;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressKey(Key);

impl AddressKey {
    /// What stands for an address, or for a host name that spells one out: `x` and fourteen digits.
    #[must_use]
    pub fn hash(&self, text: &str) -> String {
        let text = address::canonical(text.trim_end_matches(' ')).to_ascii_lowercase();
        std::iter::once('x').chain(digits(self.0.hash(b'h', text.as_bytes()), address::HASH - 1)).collect()
    }

    /// By which the key is known in the database; it says nothing about the key.
    #[must_use]
    pub fn name(&self) -> String {
        digits(self.0.hash(b'k', b""), 8).collect()
    }
}

/// The keys that are still needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressKeys(Vec<Held>);

/// A key and its months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    first: Month,
    last: Month,
    key: AddressKey,
}

/// In the file.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    first: String,
    last: String,
    key: String,
}

impl AddressKeys {
    /// The keys in a file of ours; none if it is missing.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let reading = || format!("reading the keys of addresses, {}", path.display());
        let text = match door::read_to_string(path, LONGEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            read => read.with_context(reading)?,
        };
        let stored: Vec<Stored> = serde_json::from_str(&text).with_context(reading)?;
        let held = stored.into_iter().map(|stored| {
            let key = AddressKey(Key::parse(&stored.key)?);
            anyhow::Ok(Held { first: stored.first.parse()?, last: stored.last.parse()?, key })
        });
        held.collect::<Result<_>>().map(Self).with_context(reading)
    }

    /// The key of a month.
    #[must_use]
    pub fn of(&self, month: Month) -> Option<&AddressKey> {
        self.0.iter().find(|held| held.first <= month && month <= held.last).map(|held| &held.key)
    }

    /// The last month of the key of a month.
    #[must_use]
    pub fn last_of(&self, month: Month) -> Option<Month> {
        self.0.iter().find(|held| held.first <= month && month <= held.last).map(|held| held.last)
    }

    /// Draws the key of the `n` months that a month is one of.
    ///
    /// # Errors
    /// The system gives no random bits.
    pub fn draw(&mut self, month: Month, n: u32) -> Result<AddressKey> {
        self.0.retain(|held| month < held.first || held.last < month);
        let first = month.minus(month.ordinal() % n.max(1));
        let key = AddressKey(Key::draw()?);
        self.0.push(Held { first, last: first.plus(n.saturating_sub(1)), key });
        Ok(key)
    }

    /// Drops the keys whose months are over with this one; whether there were any.
    pub fn destroy(&mut self, through: Month) -> bool {
        let n = self.0.len();
        self.0.retain(|held| held.last > through);
        self.0.len() < n
    }

    /// Writes the keys, readable by their owner alone.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let writing = || format!("writing the keys of addresses, {}", path.display());
        if self.0.is_empty() {
            return match door::remove(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).with_context(writing),
                _ => Ok(()),
            };
        }
        if let Some(folder) = path.parent() {
            door::make_folder(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        let stored: Vec<Stored> = self
            .0
            .iter()
            .map(|held| Stored { first: held.first.to_string(), last: held.last.to_string(), key: held.key.0.text() })
            .collect();
        door::write_private(path, &serde_json::to_vec_pretty(&stored)?).with_context(writing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_has_one_hash_with_one_key() {
        let mut keys = AddressKeys::default();
        let key = keys.draw(month("2025-01"), 1).unwrap();
        let hash = key.hash("2001:DB8::1");
        assert!(address::is_hash(&hash), "{hash}");
        assert_eq!(hash, key.hash("2001:db8:0::1 "));
        assert_ne!(hash, key.hash("2001:db8::2"));
        assert_ne!(hash, keys.draw(month("2025-02"), 1).unwrap().hash("2001:db8::1"));
        assert_ne!(key.name(), keys.of(month("2025-02")).unwrap().name());
    }

    #[test]
    fn keys_are_private_and_are_destroyed_when_their_months_are_over() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        assert_eq!(AddressKeys::read(&path).unwrap(), AddressKeys::default());
        let mut keys = AddressKeys::default();
        let key = keys.draw(month("2025-02"), 3).unwrap();
        for (text, is_there) in [("2024-12", false), ("2025-01", true), ("2025-03", true), ("2025-04", false)] {
            assert_eq!(keys.of(month(text)).is_some(), is_there, "{text}");
        }
        keys.write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut again = AddressKeys::read(&path).unwrap();
        assert_eq!(again.of(month("2025-03")), Some(&key));
        assert!(!again.destroy(month("2025-02")));
        assert!(again.destroy(month("2025-03")));
        again.write(&path).unwrap();
        assert!(!path.exists());
        std::fs::write(&path, "{}").unwrap();
        assert!(AddressKeys::read(&path).is_err());
    }
}
