//! The column collation, `utf8mb3_general_ci`: which texts the server considers equal, smaller,
//! alike.
//!
//! Each character has one weight, and comparison compares weights. Trailing blanks are ignored (but
//! not in patterns). The text must be as stored: characters outside the Basic Multilingual Plane
//! have the weight of the replacement character.

mod weights;

use std::cmp::Ordering;

use xxhash_rust::xxh3::xxh3_128;

const ASCII: [u16; 128] = {
    let mut table = [0; 128];
    let mut i = 0;
    while i < 128 {
        {
            table[i] = (i as u8).to_ascii_uppercase() as u16;
        }
        i += 1;
    }
    table
};

/// The weight of one character.
#[must_use]
pub fn weight(c: char) -> u16 {
    let code = u32::from(c);
    if code < 128 {
        return ASCII[code as usize];
    }
    let Ok(code) = u16::try_from(code) else { return 0xFFFD };
    weights::WEIGHTS.binary_search_by_key(&code, |&(c, _)| c).map_or(code, |at| weights::WEIGHTS[at].1)
}

fn trimmed(text: &str) -> &str {
    text.trim_end_matches(' ')
}

/// Whether `a = b` for the server.
#[must_use]
pub fn equal(a: &str, b: &str) -> bool {
    compare(a, b) == Ordering::Equal
}

/// The order of `ORDER BY`: by weights, with the shorter text padded with blanks.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (trimmed(a), trimmed(b));
    let (mut left, mut right) = (a.chars().map(weight), b.chars().map(weight));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) => {
                let order = x.unwrap_or(0x20).cmp(&y.unwrap_or(0x20));
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

/// Appends the sort key of `text` to `out`: the server considers two texts equal if and only if
/// their keys have the same bytes. ASCII text stays readable (upper case).
pub fn fold_into(text: &str, out: &mut Vec<u8>) {
    let text = trimmed(text);
    if text.is_ascii() {
        out.extend(text.bytes().map(|b| b.to_ascii_uppercase()));
        return;
    }
    let mut buffer = [0; 4];
    for c in text.chars() {
        let folded = char::from_u32(weight(c).into()).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(folded.encode_utf8(&mut buffer).as_bytes());
    }
}

/// The sort key of `text` as a string; see [`fold_into`].
#[must_use]
pub fn fold(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    fold_into(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// A 128-bit hash of the sort key, which identifies a text among millions.
#[must_use]
pub fn hash(text: &str) -> u128 {
    hash_parts(&[text])
}

/// A 128-bit hash of several texts as one key; `["a", "bc"]` and `["ab", "c"]` differ.
#[must_use]
pub fn hash_parts(parts: &[&str]) -> u128 {
    let mut key = Vec::with_capacity(64);
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            key.push(0xFF); // never part of UTF-8
        }
        fold_into(part, &mut key);
    }
    xxh3_128(&key)
}

/// The weights of a text for pattern matching, where trailing blanks count.
#[must_use]
pub fn pattern_weights(text: &str) -> Vec<u16> {
    text.chars().map(weight).collect()
}

/// A compiled LIKE pattern: `%` matches any run, `_` any character, and a backslash escapes the
/// next character.
#[derive(Debug, Clone)]
pub struct Like {
    parts: Vec<PatternPart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PatternPart {
    Any,
    One,
    Exactly(u16),
}

impl Like {
    /// Compiles `pattern` as the server reads it.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let mut parts = Vec::with_capacity(pattern.len());
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            parts.push(match c {
                '%' => PatternPart::Any,
                '_' => PatternPart::One,
                '\\' => PatternPart::Exactly(weight(chars.next().unwrap_or('\\'))),
                c => PatternPart::Exactly(weight(c)),
            });
        }
        parts.dedup_by(|a, b| *a == PatternPart::Any && *b == PatternPart::Any);
        Self { parts }
    }

    /// Whether `text` is LIKE the pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.matches_weights(&pattern_weights(text))
    }

    /// The same for weights that the caller computed once with [`pattern_weights`].
    #[must_use]
    pub fn matches_weights(&self, text: &[u16]) -> bool {
        self.search(text, || {})
    }

    /// The same; calls `step` for each weight that is examined.
    fn search(&self, text: &[u16], mut step: impl FnMut()) -> bool {
        let (mut t, mut p) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            step();
            match self.parts.get(p) {
                Some(PatternPart::Any) => {
                    retry = Some((p, t));
                    p += 1;
                }
                Some(PatternPart::One) => (t, p) = (t + 1, p + 1),
                Some(PatternPart::Exactly(w)) if *w == text[t] => (t, p) = (t + 1, p + 1),
                _ => {
                    let Some((star, from)) = retry else { return false };
                    retry = Some((star, from + 1));
                    (t, p) = (from + 1, star + 1);
                }
            }
        }
        self.parts[p..].iter().all(|part| *part == PatternPart::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_equal_if_the_server_says_so() {
        for (a, b) in [("Alice", "ALICE  "), ("é", "E"), ("ß", "s"), ("", "   "), ("Ünï", "uni")] {
            assert!(equal(a, b), "{a} {b}");
            assert_eq!(hash(a), hash(b));
            assert_eq!(fold(a), fold(b));
        }
        for (a, b) in [("a", "b"), (" a", "a"), ("ss", "ß"), ("a b", "ab")] {
            assert!(!equal(a, b), "{a} {b}");
            assert_ne!(hash(a), hash(b));
        }
        assert_ne!(hash_parts(&["a", "bc"]), hash_parts(&["ab", "c"]));
        assert_eq!(hash_parts(&["a ", "bc"]), hash_parts(&["A", "bc "]));
    }

    #[test]
    fn order_is_that_of_the_specification() {
        let mut sorted = ["_", "a", "Z", "?", "9", "0", ".", "-", "", "10.1.1.2", "10.1.1.10", "10.1.1.1"];
        sorted.sort_by(|a, b| compare(a, b));
        assert_eq!(sorted, ["", "-", ".", "0", "10.1.1.1", "10.1.1.10", "10.1.1.2", "9", "?", "a", "Z", "_"]);
        assert_eq!(compare("a\t", "a"), Ordering::Less); // the shorter is padded with blanks
    }

    #[test]
    fn patterns_match_as_on_the_server() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(Like::new(pattern).matches(text), expected, "{text} LIKE {pattern}");
        };
        check("%crawl%", "aCRAWLb", true);
        check("%.rcac.purdue.edu", "x.rcac.PURDUE.edu", true);
        check("%.rcac.purdue.edu", "x.rcac.purdue.edu ", false);
        check("a_c", "abc", true);
        check("a_c", "ac", false);
        check("a\\_c", "a_c", true);
        check("a\\_c", "abc", false);
        check("%a%b%", "xxaxxbxx", true);
        check("%a%b", "xxbxxa", false);
        check("", "", true);
        check("%", "", true);
        check("", "x", false);
        check("é%", "EX", true);
        check("%ab", "aab", true);
    }

    #[test]
    fn the_work_of_like_is_bounded_by_pattern_and_text() {
        let steps_a_char = |pattern: &str, text: &str| {
            let weights = pattern_weights(text);
            let mut steps = 0_usize;
            Like::new(pattern).search(&weights, || steps += 1);
            assert!(steps >= weights.len().min(1), "{pattern}: nothing was counted");
            steps / weights.len().max(1)
        };
        let units = ["searchtoo", " feed", " ", "a", "ab", "%", "_", "searchtool", "é"];
        for unit in units {
            let texts = [1 << 10, 8 << 10, 64 << 10].map(|len: usize| unit.repeat(len / unit.len()));
            // the patterns for the list of bots: a longer text needs no more steps per character
            for pattern in ["%searchtool%", "% feed/%"] {
                for text in &texts {
                    assert!(steps_a_char(pattern, text) <= 12, "{pattern} {unit}");
                }
            }
            // any other pattern: at most the longest part without `%` per character
            for pattern in ["%a%a%a%a%b", "%a_a_a%b", "%aaaaaaaaab", "%%%%_%_%_x", "%ab%ba%"] {
                for text in &texts {
                    assert!(steps_a_char(pattern, text) <= 2 * pattern.len(), "{pattern} {unit}");
                }
            }
        }
    }
}
