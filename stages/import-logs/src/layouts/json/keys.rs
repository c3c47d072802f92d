//! The keys of nested objects that lead to fields: found by one look into a table, whatever the
//! number of paths in a mapping.
//!
//! `a.b` is the key `b` in the object `a`, or the key `a.b`. Case does not matter.

use std::collections::HashMap;

use super::slot::{Slot, Want};

/// The keys of all objects.
#[derive(Debug, Clone)]
pub(super) struct Keys(Vec<Object>);

/// The keys of one object.
#[derive(Debug, Clone)]
struct Object {
    /// The first key of each bucket, counted from 1.
    first: [u16; BUCKETS],
    keys: Vec<Key>,
}

/// What a key means.
#[derive(Debug, Clone)]
pub(super) struct Key {
    text: Vec<u8>,
    /// The fields that its value may fill, with the ranks of their paths.
    pub(super) fields: Vec<(Slot, u8)>,
    /// The object that it may hold.
    pub(super) below: Option<usize>,
    /// The next key of the same bucket, counted from 1.
    next: u16,
}

const BUCKETS: usize = 256;

/// A path from one of its points on: its number, and where that part begins.
type Rest = (usize, usize);

fn bucket(key: &[u8]) -> usize {
    let byte = |at: Option<&u8>| at.map_or(0, |b| usize::from(b.to_ascii_lowercase()));
    let (first, middle, last) = (byte(key.first()), byte(key.get(key.len() / 2)), byte(key.last()));
    (key.len() * 31 + first * 7 + middle * 13 + last) % BUCKETS
}

impl Keys {
    /// The outermost object.
    pub(super) const TOP: usize = 0;

    /// The keys in the paths of a mapping.
    pub(super) fn new(wants: &[Want]) -> Self {
        let mut keys = Self(Vec::new());
        let all: Vec<Rest> = (0..wants.len()).map(|i| (i, 0)).collect();
        keys.add(&all, wants, &mut HashMap::new());
        keys
    }

    /// The object whose keys begin these rests of paths.
    fn add(&mut self, rests: &[Rest], wants: &[Want], known: &mut HashMap<Vec<Rest>, usize>) -> usize {
        if let Some(&at) = known.get(rests) {
            return at;
        }
        let at = self.0.len();
        known.insert(rests.to_vec(), at);
        self.0.push(Object { first: [0; BUCKETS], keys: Vec::new() });
        let mut found: Vec<(Key, Vec<Rest>)> = Vec::new();
        for &(i, start) in rests {
            let Some(want) = wants.get(i) else { continue };
            let Some(rest) = want.path.get(start..) else { continue };
            let points = rest.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(end, _)| end);
            for end in points.chain([rest.len()]) {
                let text = &rest[..end];
                let n = found.iter().position(|(key, _)| key.text.eq_ignore_ascii_case(text)).unwrap_or(found.len());
                if n == found.len() {
                    found.push((Key { text: text.to_vec(), fields: Vec::new(), below: None, next: 0 }, Vec::new()));
                }
                let Some((key, below)) = found.get_mut(n) else { continue };
                if end == rest.len() {
                    key.fields.push((want.slot, want.rank));
                } else {
                    below.push((i, start + end + 1));
                }
            }
        }
        for (key, below) in found {
            let below = (!below.is_empty()).then(|| self.add(&below, wants, known));
            if let Some(object) = self.0.get_mut(at) {
                object.add(Key { below, ..key });
            }
        }
        at
    }

    /// What a key of an object means; `None` if it means nothing.
    #[inline]
    pub(super) fn find(&self, object: usize, key: &[u8]) -> Option<&Key> {
        let Object { first, keys } = self.0.get(object)?;
        let mut n = first[bucket(key)];
        loop {
            let found = keys.get(usize::from(n.checked_sub(1)?))?;
            if found.text == key || found.text.eq_ignore_ascii_case(key) {
                return Some(found);
            }
            n = found.next;
        }
    }
}

impl Object {
    fn add(&mut self, key: Key) {
        let bucket = bucket(&key.text);
        let next = self.first[bucket];
        self.keys.push(Key { next, ..key });
        // fewer than the points in all paths
        self.first[bucket] = u16::try_from(self.keys.len()).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(paths: &[&str]) -> Keys {
        let want = |(i, path): (usize, &&str)| Want {
            path: path.as_bytes().to_vec(),
            slot: Slot::Url,
            rank: u8::try_from(i).unwrap(),
        };
        Keys::new(&paths.iter().enumerate().map(want).collect::<Vec<_>>())
    }

    /// The ranks of the paths that a chain of keys leads to.
    fn ranks(keys: &Keys, chain: &[&str]) -> Vec<u8> {
        let (last, before) = chain.split_last().unwrap();
        let below = |object: Option<usize>, key: &&str| keys.find(object?, key.as_bytes())?.below;
        let Some(object) = before.iter().fold(Some(Keys::TOP), below) else { return Vec::new() };
        let found = keys.find(object, last.as_bytes());
        found.map_or_else(Vec::new, |key| key.fields.iter().map(|(_, rank)| *rank).collect())
    }

    #[test]
    fn paths_are_found_as_nested_and_as_flat_keys() {
        let keys = keys(&["a.b.c", "A.b.d", "a.b", "a", "x", "a.b.c"]);
        assert_eq!(ranks(&keys, &["a", "b", "c"]), [0, 5]);
        assert_eq!(ranks(&keys, &["a.b.C"]), [0, 5]);
        assert_eq!(ranks(&keys, &["a", "b.c"]), [0, 5]);
        assert_eq!(ranks(&keys, &["a.b", "d"]), [1]);
        assert_eq!(ranks(&keys, &["a", "B"]), [2]);
        assert_eq!(ranks(&keys, &["a"]), [3]);
        for none in [&["b"][..], &["a", "c"], &["ab"], &[""], &["x", "a"], &["a.b.c.d"]] {
            assert_eq!(ranks(&keys, none), [0; 0], "{none:?}");
        }
    }

    #[test]
    fn long_paths_need_few_objects() {
        let path = vec!["a"; super::super::MOST_POINTS + 1].join(".");
        assert!(keys(&[&path, &path]).0.len() <= path.len());
    }
}
