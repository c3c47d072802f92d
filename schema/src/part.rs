//! One part of the work on a stream, and which visitors belong to it.
//!
//! A visitor is an address as the server compares it, or a host name where there is no address.

use std::fmt;
use std::str::FromStr;

use crate::collation::{equal, hash};

/// Most parts that a stream can be cut into.
pub const MAX_PARTS: u32 = 4096;

/// Part `number` (from 1) of `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which one.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Part {
    /// Whether the requests of a visitor belong to this part.
    #[must_use]
    pub fn takes(self, ip: Option<&str>, host: Option<&str>) -> bool {
        let ip = ip.unwrap_or_default();
        let visitor = if equal(ip, "") { host.unwrap_or_default() } else { ip };
        // both halves of the hash, so that short texts spread over few parts too
        let mixed = hash(visitor) % u128::from(self.of);
        mixed == u128::from(self.number - 1)
    }

    /// Whether it passes on what is not a request.
    #[must_use]
    pub const fn passes_on(self) -> bool {
        self.number == 1
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(n, of)| Some((n.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if number >= 1 && number <= of && of <= MAX_PARTS => Ok(Self { number, of }),
            _ => Err(format!("not a part like 2/7, of at most {MAX_PARTS}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered_from_one() {
        assert_eq!("2/7".parse(), Ok(Part { number: 2, of: 7 }));
        assert_eq!(Part { number: 2, of: 7 }.to_string(), "2/7");
        for text in ["0/7", "8/7", "1/0", "7", "1/4097", "a/b", "-1/2", ""] {
            assert!(text.parse::<Part>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_visitor_is_in_one_part_whatever_the_spelling() {
        let parts: Vec<_> = (1..=7).map(|number| Part { number, of: 7 }).collect();
        let part_of = |ip: Option<&str>, host: Option<&str>| {
            let mine: Vec<_> = parts.iter().filter(|part| part.takes(ip, host)).map(|part| part.number).collect();
            assert_eq!(mine.len(), 1, "{ip:?} {host:?}");
            mine[0]
        };
        let mut used = std::collections::HashSet::new();
        for n in 0..200 {
            used.insert(part_of(Some(&format!("10.0.0.{n}")), None));
        }
        assert_eq!(used.len(), 7);
        for (a, b) in [("FE80::1", "fe80::1 "), ("1.2.3.4", "1.2.3.4  ")] {
            assert_eq!(part_of(Some(a), Some("x")), part_of(Some(b), None));
        }
        for ip in [None, Some(""), Some("  ")] {
            assert_eq!(part_of(ip, Some("A.Example")), part_of(Some(""), Some("a.example ")));
        }
    }
}
