//! Counts by key with bounded memory: exact up to [`MAX_KEYS`] different keys, beyond it the Space-Saving method in
//! batches. With each batch the keys with the smallest counts go, and a key that appears after that has an error of
//! at most the largest count that went.

use rustc_hash::FxHashMap;

use super::visitor::{Sample, Visitor};

/// How many different keys are counted exactly.
pub(super) const MAX_KEYS: usize = 65_536;

/// The count of one key.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Box<str>,
    /// Never more than the true number, and less by at most `error`.
    pub(super) count: u64,
    error: u64,
    /// The first few of its visitors.
    pub(super) visitors: Sample,
}

/// Counts by key; a key is the hash of a name.
#[derive(Debug, Default)]
pub(super) struct Counts {
    entries: FxHashMap<u64, Entry>,
    /// How much a count that is there may be too low, and what a key that is not there has at most.
    error: u64,
}

impl Counts {
    /// Counts a key once. `name` is asked only when the key is not there yet.
    pub(super) fn add(&mut self, key: u64, visitor: Visitor, name: impl FnOnce() -> String) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.count += 1;
            entry.visitors.add(visitor);
            return;
        }
        if self.entries.len() >= MAX_KEYS {
            self.prune();
        }
        let mut visitors = Sample::default();
        visitors.add(visitor);
        self.entries.insert(key, Entry { name: name().into(), count: 1, error: self.error, visitors });
    }

    /// Drops the smaller half.
    fn prune(&mut self) {
        let mut most: Vec<u64> = self.entries.values().map(|entry| entry.count + entry.error).collect();
        let (_, limit, _) = most.select_nth_unstable(MAX_KEYS / 2);
        let limit = *limit;
        self.entries.retain(|_, entry| entry.count + entry.error > limit);
        self.error = self.error.max(limit);
    }

    /// The most that a count may be too low; 0 if all are exact.
    pub(super) const fn error(&self) -> u64 {
        self.error
    }

    /// All, the most first, those of the same count by name.
    pub(super) fn sorted(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        entries
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashMap;

    use super::*;

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut counts = Counts::default();
        for i in 0..1000_u64 {
            counts.add(i % 3, Visitor::of(&i.to_string()), || format!("k{}", i % 3));
        }
        let found: Vec<_> = counts.sorted().iter().map(|entry| (&*entry.name, entry.count)).collect();
        assert_eq!(found, [("k0", 334), ("k1", 333), ("k2", 333)]);
        assert_eq!(counts.error(), 0);
    }

    #[test]
    fn many_keys_are_wrong_by_no_more_than_is_said() {
        let mut counts = Counts::default();
        let mut truth: FxHashMap<u64, u64> = FxHashMap::default();
        let mut state = 7_u64;
        for i in 0..400_000_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = if i % 2 == 0 { (state >> 33) % 50 } else { 1000 + (state >> 33) % 300_000 };
            *truth.entry(key).or_default() += 1;
            counts.add(key, Visitor::of("a"), || key.to_string());
        }
        assert!(counts.error() > 0 && counts.entries.len() <= MAX_KEYS);
        for (key, n) in &truth {
            let found = counts.entries.get(key).map_or(0, |entry| entry.count);
            assert!(found <= *n && *n <= found + counts.error(), "{key}: {n}, {found} ± {}", counts.error());
        }
        assert!(counts.sorted().iter().take(50).all(|entry| entry.name.parse::<u64>().unwrap() < 50));
    }
}
