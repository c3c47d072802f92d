//! The domain of a host name, by the rule of the usage reports.
//!
//! Usually the last two labels; three or four under some country codes and military names. The rule
//! has odd results (`1.2.3.4` gives `3.4`), but they are counted in published reports, so they are
//! kept. Pure; called by every stage that fills `domain`.

use std::borrow::Cow;

/// Stands for "no domain can be derived", and for "no name" in `host`.
pub const UNKNOWN: &str = "?";

/// How the length of a label is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// In bytes of UTF-8.
    Bytes,
    /// In characters, as the port does.
    Chars,
}

impl Length {
    fn is_two(self, label: &str) -> bool {
        match self {
            Self::Bytes => label.len() == 2,
            Self::Chars => label.chars().count() == 2,
        }
    }
}

/// Second-level labels under which domains are registered, below a two-letter top level.
const SECOND_LEVEL: [&str; 11] = ["com", "net", "org", "edu", "gov", "mil", "ac", "co", "ne", "or", "ed"];
/// Labels below `mil` with domains of their own.
const MILITARY: [&str; 3] = ["af", "army", "navy"];
/// Labels of a state below `us` with domains of their own.
const US_THIRD_LEVEL: [&str; 4] = ["k12", "lib", "cc", "tec"];

/// The host name in the form that the rule needs: each character in lower case, as by the server's
/// `LOWER` (one character stays one character).
#[must_use]
pub fn lower(host: &str) -> Cow<'_, str> {
    if !host.bytes().any(|b| b.is_ascii_uppercase() || b >= 0x80) {
        return Cow::Borrowed(host);
    }
    let one = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(only), None) => only,
            _ => c,
        }
    };
    Cow::Owned(host.chars().map(one).collect())
}

/// The domain of a host name in lower case, `?` if there is none.
///
/// ```
/// use schema::domain::{Length, domain_of};
///
/// assert_eq!(domain_of("pc17.physics.example.edu", Length::Bytes), "example.edu");
/// assert_eq!(domain_of("www.example.ac.uk", Length::Bytes), "example.ac.uk");
/// ```
#[must_use]
pub fn domain_of(host: &str, length: Length) -> &str {
    // start of the last labels: L0, L1, L2, L3
    let mut starts = [0; 4];
    let mut n_labels = 0;
    let mut end = host.len();
    for start in &mut starts {
        let dot = memchr::memrchr(b'.', &host.as_bytes()[..end]);
        *start = dot.map_or(0, |at| at + 1);
        n_labels += 1;
        match dot {
            Some(at) => end = at,
            None => break,
        }
    }
    if n_labels == 1 {
        return UNKNOWN;
    }
    let label = |i: usize| {
        let end = if i == 0 { host.len() } else { starts[i - 1] - 1 };
        &host[starts[i]..end]
    };
    let (top, second) = (label(0), label(1));
    let mut from = starts[1];
    if n_labels == 2 {
        from = tail_of_dialup_name(second).map_or(from, |tail| starts[0] - 1 - tail.len());
    } else {
        let country = length.is_two(top);
        let pair = country && length.is_two(second) && second != "ub";
        if pair || country && SECOND_LEVEL.contains(&second) || top == "mil" && MILITARY.contains(&second) {
            from = starts[2];
        }
        if n_labels == 4 && top == "us" && US_THIRD_LEVEL.contains(&label(2)) {
            from = starts[3];
        }
    }
    match &host[from..] {
        "." => UNKNOWN,
        domain => domain,
    }
}

/// The rest of a label like `host-10-1-2-3-example` without the numbers in front: the part after
/// the last joiner, if four pieces come before it. `None` if it is not such a label.
fn tail_of_dialup_name(label: &str) -> Option<&str> {
    [(b'-', b'-'), (b'_', b'-'), (b'_', b'_'), (b'-', b'_')].into_iter().find_map(|(inner, joiner)| {
        // something must follow the joiner, so it is not the last byte
        let before_last = label.as_bytes().split_last()?.1;
        let at = memchr::memrchr(joiner, before_last)?;
        is_four_pieces(&label.as_bytes()[..at], inner).then(|| &label[at + 1..])
    })
}

/// Whether `head` is four non-empty pieces joined by three `inner`; a piece may contain more of them.
fn is_four_pieces(head: &[u8], inner: u8) -> bool {
    let mut from = 1; // a piece has at least one byte
    for _ in 0..3 {
        match head.get(from..).and_then(|rest| memchr::memchr(inner, rest)) {
            Some(at) => from += at + 2,
            None => return false,
        }
    }
    from <= head.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(host: &str, expected: &str) {
        assert_eq!(domain_of(host, Length::Bytes), expected, "{host}");
    }

    #[test]
    fn domains_are_those_of_the_specification() {
        for (host, expected) in [
            ("cs.purdue.edu", "purdue.edu"),
            ("host.co.jp", "host.co.jp"),
            ("x.foo.com.au", "foo.com.au"),
            ("com.au", "com.au"),
            ("a.b.ub.cc", "ub.cc"),
            ("x.aa.bb", "x.aa.bb"),
            ("a.b.army.mil", "b.army.mil"),
            ("x.army.us", "army.us"),
            ("x.edu.info", "edu.info"),
            ("x.or.at", "x.or.at"),
            ("school.fairfax.k12.va.us", "fairfax.k12.va.us"),
            ("k12.va.us", "k12.va.us"),
            ("site.foo.k12.va.de", "k12.va.de"),
            ("a.cc.us", "a.cc.us"),
            ("1.2.3.4", "3.4"),
            ("10.20.30.40", "20.30.40"),
            (".com", ".com"),
            ("foo.", "foo."),
            ("example.com.", "com."),
            ("a..b", ".b"),
            (".", "?"),
            ("..", "?"),
            ("localhost", "?"),
            ("", "?"),
            ("?", "?"),
            ("x.a-b-c-d-foo.com", "a-b-c-d-foo.com"),
            ("host-a-b-c-d-foo.com", "foo.com"),
            ("a-b-c-foo.com", "a-b-c-foo.com"),
            ("a_b_c_d-foo.com", "foo.com"),
            ("a-b-c-d_foo.com", "foo.com"),
            ("a_b_c_d_e-f_g.com", "f_g.com"),
            ("a-b-c-d-e-.com", "e-.com"),
            ("a-b-c-d-.com", "a-b-c-d-.com"),
            ("ip-1-2-3-4.internal", "4.internal"),
        ] {
            check(host, expected);
        }
    }

    #[test]
    fn odd_names_have_the_domains_of_the_original() {
        check("a-b-c-d-foo.com", "foo.com");
        check("ub.cc.ub.cc", "ub.cc");
        check("a.af.mil", "a.af.mil");
        check("a.ed.de", "a.ed.de");
        check("w.x.tec.ca.us", "x.tec.ca.us");
        check("x.tec.ca.us", "x.tec.ca.us");
        check("a.b.c.k12.va.us", "c.k12.va.us");
        check("a.k12.army.us", "a.k12.army.us"); // wins over the two labels that `army.us` would give
        check("....", "?");
        check("--------foo.com", "foo.com");
        check("a--------.com", "-.com");
        check("a------.com", "a------.com"); // four pieces, but nothing behind them
        check("a_b_c_d_foo.com", "foo.com");
        check("a-b_c-d_foo.com", "a-b_c-d_foo.com");
    }

    #[test]
    fn lengths_are_in_bytes_or_characters() {
        assert_eq!(domain_of("x.éé.de", Length::Bytes), "éé.de");
        assert_eq!(domain_of("x.éé.de", Length::Chars), "x.éé.de");
        assert_eq!(domain_of("x.é.de", Length::Bytes), "x.é.de");
    }

    #[test]
    fn each_character_becomes_lower_case_on_its_own() {
        assert!(matches!(lower("plain-1.com"), Cow::Borrowed(_)));
        assert_eq!(lower("DNS.Google"), "dns.google");
        assert_eq!(lower("ÄX.İ"), "äx.İ");
    }

    /// The same rule, with lists of labels and an exhaustive search for the split.
    fn slow(host: &str) -> String {
        let labels: Vec<&str> = host.split('.').rev().collect();
        if labels.len() == 1 {
            return "?".to_owned();
        }
        let join = |n: usize| labels[..n].iter().rev().copied().collect::<Vec<_>>().join(".");
        let mut result = join(2);
        let (l0, l1) = (labels[0], labels[1]);
        if labels.len() > 2 {
            if l0.len() == 2 && l1.len() == 2 && l1 != "ub"
                || l0.len() == 2 && SECOND_LEVEL.contains(&l1)
                || l0 == "mil" && MILITARY.contains(&l1)
            {
                result = join(3);
            }
            if labels.len() > 3 && l0 == "us" && US_THIRD_LEVEL.contains(&labels[2]) {
                result = join(4);
            }
        } else {
            let four = |head: &str, inner: char| {
                let at: Vec<usize> = head.match_indices(inner).map(|(i, _)| i).collect();
                at.iter().any(|&a| {
                    at.iter().any(|&b| at.iter().any(|&c| a > 0 && b > a + 1 && c > b + 1 && c + 1 < head.len()))
                })
            };
            'shapes: for (inner, joiner) in [('-', '-'), ('_', '-'), ('_', '_'), ('-', '_')] {
                for (i, _) in l1.match_indices(joiner).collect::<Vec<_>>().into_iter().rev() {
                    if i + 1 < l1.len() && four(&l1[..i], inner) {
                        result = format!("{}.{l0}", &l1[i + 1..]);
                        break 'shapes;
                    }
                }
            }
        }
        if result == "." { "?".to_owned() } else { result }
    }

    proptest! {
        #[test]
        fn agrees_with_the_slow_rule(host in "([a-c_-]{0,9}|us|ub|k12|cc|army|mil|co|\\.){0,7}") {
            prop_assert_eq!(domain_of(&host, Length::Bytes), slow(&host));
        }

        #[test]
        fn agrees_on_one_label_and_a_top(host in "[ab_-]{0,14}\\.(com|us|)") {
            prop_assert_eq!(domain_of(&host, Length::Bytes), slow(&host));
        }

        #[test]
        fn never_panics_and_is_a_suffix(host in any::<String>()) {
            for length in [Length::Bytes, Length::Chars] {
                let domain = domain_of(&host, length);
                prop_assert!(domain == "?" || host.ends_with(domain));
            }
        }
    }
}
