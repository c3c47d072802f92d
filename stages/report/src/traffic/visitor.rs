//! Visitors, as far as the rule of five needs them: whether at least five different ones are behind a number.

use rustc_hash::FxHashSet;
use xxhash_rust::xxh3::xxh3_64;

use crate::amount::LEAST;

/// How many are remembered.
const N: usize = LEAST as usize;

/// A visitor by the hash of the address. Two that are mistaken for one only make a number look smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Visitor(u32);

impl Visitor {
    pub(super) fn of(address: &str) -> Self {
        Self(xxh3_64(address.as_bytes()) as u32)
    }
}

/// The first five different visitors.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    first: [Visitor; N],
    n: u8,
}

impl Sample {
    pub(super) fn add(&mut self, visitor: Visitor) {
        let n = usize::from(self.n);
        let Some(free) = self.first.get(..n).filter(|known| !known.contains(&visitor)).map(|_| n) else { return };
        if let Some(place) = self.first.get_mut(free) {
            *place = visitor;
            self.n += 1;
        }
    }

    /// How many there are; five also stands for more.
    pub(super) const fn len(&self) -> u8 {
        self.n
    }

    /// How many different visitors several have, up to five of each.
    pub(super) fn together<'a>(samples: impl Iterator<Item = &'a Self>) -> usize {
        let all: FxHashSet<Visitor> =
            samples.flat_map(|sample| sample.first.iter().copied().take(usize::from(sample.n))).collect();
        all.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_visitors_are_counted_up_to_five() {
        let mut sample = Sample::default();
        for (address, n) in [("a", 1), ("a", 1), ("b", 2), ("c", 3), ("b", 3), ("d", 4), ("e", 5), ("f", 5)] {
            sample.add(Visitor::of(address));
            assert_eq!(sample.len(), n, "{address}");
        }
        let mut other = Sample::default();
        other.add(Visitor::of("a"));
        other.add(Visitor::of("z"));
        assert_eq!(Sample::together([sample, other].iter()), 6);
    }
}
