//! Addresses, host names and domains as small numbers: each distinct text is stored once.
//!
//! Rows need four bytes per text; whatever depends only on the text (its place in the server's
//! order, whether it is blank, whether a bot filter matches) is computed once per distinct text.

use hashbrown::HashTable;
use rayon::prelude::*;
use schema::collation;
use xxhash_rust::xxh3::xxh3_64;

/// The number of a text in [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Name(u32);

impl Name {
    /// No text: NULL in a table, an absent field in a record.
    pub(crate) const NULL: Self = Self(0);
    /// The empty text.
    pub(crate) const EMPTY: Self = Self(1);
    /// `?`: no name, no domain.
    pub(crate) const UNKNOWN: Self = Self(2);
    /// `0`, which the session rules treat as empty.
    pub(crate) const ZERO: Self = Self(3);

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether the session rules treat it as a value: not NULL, not empty, not `0`.
    pub(crate) const fn is_value(self) -> bool {
        self.0 != Self::NULL.0 && self.0 != Self::EMPTY.0 && self.0 != Self::ZERO.0
    }

    /// The name itself if it is a value, otherwise the empty text.
    pub(crate) const fn or_empty(self) -> Self {
        if self.is_value() { self } else { Self::EMPTY }
    }
}

/// The distinct texts. Memory: their bytes and about 16 bytes each.
pub(crate) struct Names {
    text: String,
    ends: Vec<usize>,
    table: HashTable<u32>,
}

impl Names {
    pub(crate) fn new() -> Self {
        // NULL has a number, but no text that could be looked up
        let mut names = Self { text: String::new(), ends: vec![0], table: HashTable::new() };
        for text in ["", "?", "0"] {
            names.intern(text);
        }
        names
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a name, empty for NULL.
    pub(crate) fn text(&self, name: Name) -> &str {
        text_at(&self.text, &self.ends, name.index())
    }

    /// The text of the name with this index.
    pub(crate) fn text_at(&self, index: usize) -> &str {
        text_at(&self.text, &self.ends, index)
    }

    /// The number of a text.
    pub(crate) fn intern(&mut self, text: &str) -> Name {
        let Self { text: all, ends, table } = self;
        let hash = |i: u32| xxh3_64(text_at(all, ends, i as usize).as_bytes());
        let is_it = |&i: &u32| text_at(all, ends, i as usize) == text;
        match table.entry(xxh3_64(text.as_bytes()), is_it, |&i| hash(i)) {
            hashbrown::hash_table::Entry::Occupied(found) => Name(*found.get()),
            hashbrown::hash_table::Entry::Vacant(free) => {
                // 4 G distinct texts would not fit into memory anyway
                let name = u32::try_from(ends.len()).unwrap_or(u32::MAX);
                free.insert(name);
                all.push_str(text);
                ends.push(all.len());
                Name(name)
            }
        }
    }

    /// The number of a text, or of NULL.
    pub(crate) fn intern_option(&mut self, text: Option<&str>) -> Name {
        text.map_or(Name::NULL, |text| self.intern(text))
    }

    /// All names with their texts; NULL is first, with an empty one.
    fn all(&self) -> impl IndexedParallelIterator<Item = &str> {
        (0..self.len()).into_par_iter().map(|i| text_at(&self.text, &self.ends, i))
    }

    /// The result of the server's comparisons for each name known so far.
    pub(crate) fn weigh(&self) -> Weighed {
        let traits: Vec<Trait> = self.all().map(Trait::of).collect();
        let mut order: Vec<u32> = (1..self.ends.len()).map(|i| i as u32).collect();
        let text = |i: u32| text_at(&self.text, &self.ends, i as usize);
        order.par_sort_unstable_by(|&a, &b| collation::compare(text(a), text(b)));
        let mut rank = vec![0; self.len()];
        let mut current = 0;
        let mut previous: Option<u32> = None;
        for &i in &order {
            if previous.is_none_or(|p| !collation::equal(text(p), text(i))) {
                current += 1;
            }
            rank[i as usize] = current;
            previous = Some(i);
        }
        Weighed { rank, traits }
    }

    /// A test on each name known so far, computed in parallel; false for NULL.
    pub(crate) fn test(&self, test: impl Fn(&str) -> bool + Sync) -> Vec<bool> {
        self.all().enumerate().map(|(i, text)| i > 0 && test(text)).collect()
    }
}

fn text_at<'a>(all: &'a str, ends: &[usize], i: usize) -> &'a str {
    if i == 0 { "" } else { &all[ends[i - 1]..ends[i]] }
}

/// How a text compares with `''` and `?` on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trait {
    Blank,
    Question,
    Other,
}

impl Trait {
    fn of(text: &str) -> Self {
        match text.trim_end_matches(' ') {
            "" => Self::Blank,
            "?" => Self::Question,
            _ => Self::Other,
        }
    }
}

/// Order and classes of names under the column collation.
pub(crate) struct Weighed {
    rank: Vec<u32>,
    traits: Vec<Trait>,
}

impl Weighed {
    /// The rank in the server's order: equal for texts that the server considers equal, 0 for NULL,
    /// which comes first.
    pub(crate) fn rank(&self, name: Name) -> u32 {
        self.rank.get(name.index()).copied().unwrap_or(u32::MAX)
    }

    /// NULL or equal to the empty text.
    pub(crate) fn is_blank(&self, name: Name) -> bool {
        self.traits.get(name.index()) == Some(&Trait::Blank)
    }

    /// Equal to `?`.
    pub(crate) fn is_question(&self, name: Name) -> bool {
        self.traits.get(name.index()) == Some(&Trait::Question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stored_once() {
        let mut names = Names::new();
        let a = names.intern("a");
        assert_eq!(names.intern("a"), a);
        assert_ne!(names.intern("A"), a);
        assert_eq!(names.intern(""), Name::EMPTY);
        assert_eq!(names.intern("?"), Name::UNKNOWN);
        assert_eq!(names.intern("0"), Name::ZERO);
        assert_eq!(names.intern_option(None), Name::NULL);
        assert_eq!((names.text(a), names.text(Name::NULL)), ("a", ""));
        for i in 0..10_000 {
            names.intern(&i.to_string());
        }
        assert_eq!(names.intern("a"), a);
        assert_eq!(names.len(), 4 + 2 + 9999);
    }

    #[test]
    fn order_and_classes_are_the_servers() {
        let mut names = Names::new();
        let sorted = ["-", "10.1.1.1", "10.1.1.10", "10.1.1.2", "a", "b"].map(|text| names.intern(text));
        let (upper, blanks, question) = (names.intern("A "), names.intern("  "), names.intern("? "));
        let weighed = names.weigh();
        assert!(sorted.windows(2).all(|pair| weighed.rank(pair[0]) < weighed.rank(pair[1])));
        assert_eq!(weighed.rank(upper), weighed.rank(sorted[4]));
        assert_eq!(weighed.rank(Name::NULL), 0);
        assert!(weighed.rank(Name::EMPTY) > 0 && weighed.rank(Name::EMPTY) < weighed.rank(sorted[0]));
        assert!(weighed.is_blank(blanks) && weighed.is_blank(Name::NULL) && weighed.is_question(question));
        assert!(!weighed.is_blank(question) && !weighed.is_question(upper));
    }
}
