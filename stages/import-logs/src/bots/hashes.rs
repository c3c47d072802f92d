//! Sets of hashes: millions of them take 16 bytes each.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A hasher for values that are hashes already.
#[derive(Default)]
pub(crate) struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

/// A set of hashes that does not hash them again.
pub(crate) type Hashes = HashSet<u128, BuildHasherDefault<Unhashed>>;

/// How many hashes a table holds before they are merged into the sorted list, which takes less
/// memory.
const RECENT: usize = 1 << 18;

/// A set of hashes: mostly a sorted list, 16 bytes each. Clones share it.
#[derive(Debug, Default, Clone)]
pub(crate) struct HashList {
    sorted: Arc<Vec<u128>>,
    recent: Hashes,
}

impl HashList {
    pub(crate) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.sorted.is_empty()
    }

    pub(crate) fn contains(&self, key: u128) -> bool {
        self.recent.contains(&key) || self.sorted.binary_search(&key).is_ok()
    }

    /// Adds a hash; `false` if it was there already.
    pub(crate) fn insert(&mut self, key: u128) -> bool {
        if self.contains(key) {
            return false;
        }
        self.recent.insert(key);
        if self.recent.len() >= RECENT {
            let sorted = Arc::make_mut(&mut self.sorted);
            sorted.reserve_exact(self.recent.len());
            sorted.extend(self.recent.drain());
            sorted.sort_unstable();
        }
        true
    }

    pub(crate) fn extend(&mut self, keys: impl IntoIterator<Item = u128>) {
        for key in keys {
            self.insert(key);
        }
    }

    pub(super) fn remove(&mut self, keys: &Hashes) {
        self.recent.retain(|key| !keys.contains(key));
        if self.sorted.iter().any(|key| keys.contains(key)) {
            Arc::make_mut(&mut self.sorted).retain(|key| !keys.contains(key));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u128> {
        self.sorted.iter().chain(&self.recent).copied()
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;

    #[test]
    fn no_hash_is_lost_when_the_table_is_merged() {
        let mut list = HashList::default();
        let key = |i: u32| xxh3_128(&i.to_le_bytes());
        let n = u32::try_from(2 * RECENT + 10).unwrap();
        assert!((0..n).all(|i| list.insert(key(i))));
        assert!(list.sorted.len() == 2 * RECENT && list.recent.len() == 10);
        assert!((0..n).all(|i| list.contains(key(i)) && !list.insert(key(i))));
        assert!(!list.contains(key(n)));
        list.remove(&[key(0), key(n - 1)].into_iter().collect());
        assert!(!list.contains(key(0)) && !list.contains(key(n - 1)) && list.contains(key(1)));
        assert_eq!(list.iter().count(), n as usize - 2);
    }
}
