//! File names that match `*`, `?` and `[…]`.
//!
//! As in `sh`: a `/` and a leading dot must be matched explicitly, results are sorted by bytes, and
//! a word without matches is kept as it is.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// A byte of a field, and whether it was quoted.
pub(crate) type Marked = (u8, bool);

/// The names that a field matches, or the field itself.
pub(crate) fn expand(field: &[Marked]) -> Vec<OsString> {
    let plain = || OsString::from_vec(field.iter().map(|(byte, _)| *byte).collect());
    if !field.iter().any(|mark| matches!(mark, (b'*' | b'?' | b'[', false))) {
        return vec![plain()];
    }
    let mut found = Vec::new();
    walk(Vec::new(), field, &mut found);
    if found.is_empty() {
        return vec![plain()];
    }
    found.sort_unstable();
    found.into_iter().map(OsString::from_vec).collect()
}

/// Adds all paths that begin with `base` (empty, or text up to a slash) and continue according to
/// `rest`.
fn walk(mut base: Vec<u8>, mut rest: &[Marked], found: &mut Vec<Vec<u8>>) {
    loop {
        let n = rest.iter().take_while(|(byte, _)| *byte != b'/').count();
        let (part, after) = rest.split_at(n);
        let n_slashes = after.iter().take_while(|(byte, _)| *byte == b'/').count();
        let (slashes, after) = after.split_at(n_slashes);
        let pattern = pattern(part);
        if pattern.iter().all(|one| matches!(one, PatternUnit::Unit(_))) {
            base.extend(part.iter().chain(slashes).map(|(byte, _)| *byte));
            if after.is_empty() {
                let there = !base.is_empty() && path(&base).symlink_metadata().is_ok();
                found.extend(there.then_some(base));
                return;
            }
            rest = after;
            continue;
        }
        let directory = if base.is_empty() { Path::new(".") } else { path(&base) };
        let Ok(entries) = directory.read_dir() else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.as_bytes();
            if name.first() == Some(&b'.') && pattern.first() != Some(&PatternUnit::Unit(u32::from(b'.'))) {
                continue;
            }
            if !matches(&pattern, &units(name)) {
                continue;
            }
            let mut longer = base.clone();
            longer.extend_from_slice(name);
            if slashes.is_empty() {
                found.push(longer);
            } else if path(&longer).is_dir() {
                longer.extend(slashes.iter().map(|(byte, _)| *byte));
                walk(longer, after, found);
            }
        }
        return;
    }
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// An element of a pattern.
#[derive(Debug, PartialEq, Eq)]
enum PatternUnit {
    Unit(u32),
    Any,
    Star,
    Set { not: bool, ranges: Vec<(u32, u32)>, classes: Vec<Class> },
}

type Class = fn(&char) -> bool;

/// Characters; invalid bytes become numbers above every character.
fn units(bytes: &[u8]) -> Vec<u32> {
    let chunks = bytes.utf8_chunks();
    let of = |chunk: std::str::Utf8Chunk<'_>| {
        let invalid: Vec<_> = chunk.invalid().iter().map(|byte| 0x11_0000 + u32::from(*byte)).collect();
        chunk.valid().chars().map(u32::from).chain(invalid).collect::<Vec<_>>()
    };
    chunks.flat_map(of).collect()
}

fn pattern(part: &[Marked]) -> Vec<PatternUnit> {
    // quotes enclose whole characters, so the mark of the first byte counts
    let bytes: Vec<_> = part.iter().map(|(byte, _)| *byte).collect();
    let mut marked = Vec::new();
    let mut at = 0;
    for unit in units(&bytes) {
        let len = char::from_u32(unit).map_or(1, char::len_utf8);
        marked.push((unit, part[at].1));
        at += len;
    }
    let mut ones = Vec::new();
    let mut at = 0;
    while let Some((unit, quoted)) = marked.get(at).copied() {
        let special = if quoted { None } else { u8::try_from(unit).ok() };
        at += 1;
        ones.push(match special {
            Some(b'*') => PatternUnit::Star,
            Some(b'?') => PatternUnit::Any,
            Some(b'[') => match set(&marked[at..]) {
                Some((set, n)) => {
                    at += n;
                    set
                }
                None => PatternUnit::Unit(unit),
            },
            _ => PatternUnit::Unit(unit),
        });
    }
    ones
}

const CLASSES: &[(&str, Class)] = &[
    ("alpha", char::is_ascii_alphabetic),
    ("digit", char::is_ascii_digit),
    ("alnum", char::is_ascii_alphanumeric),
    ("upper", char::is_ascii_uppercase),
    ("lower", char::is_ascii_lowercase),
    ("space", |c| c.is_ascii_whitespace() || *c == '\u{B}'),
    ("blank", |c| matches!(c, ' ' | '\t')),
    ("punct", char::is_ascii_punctuation),
    ("xdigit", char::is_ascii_hexdigit),
    ("cntrl", char::is_ascii_control),
    ("graph", char::is_ascii_graphic),
    ("print", |c| c.is_ascii_graphic() || *c == ' '),
];

/// What follows `[`, up to its `]`; `None` if there is no `]`.
fn set(marked: &[(u32, bool)]) -> Option<(PatternUnit, usize)> {
    let is = |at: usize, byte: u8| marked.get(at) == Some(&(u32::from(byte), false));
    let not = is(0, b'!') || is(0, b'^');
    let first = usize::from(not);
    let mut at = first;
    let (mut ranges, mut classes) = (Vec::new(), Vec::new());
    loop {
        if is(at, b']') && at > first {
            return Some((PatternUnit::Set { not, ranges, classes }, at + 1));
        }
        if is(at, b'[') && is(at + 1, b':') {
            let known = CLASSES.iter().find(|(name, _)| {
                let n = name.len();
                name.bytes().enumerate().all(|(i, b)| is(at + 2 + i, b)) && is(at + 2 + n, b':') && is(at + 3 + n, b']')
            });
            if let Some((name, class)) = known {
                classes.push(*class);
                at += name.len() + 4;
                continue;
            }
        }
        let (low, _) = *marked.get(at)?;
        at += 1;
        if is(at, b'-') && marked.get(at + 1).is_some() && !is(at + 1, b']') {
            ranges.push((low, marked[at + 1].0));
            at += 2;
        } else {
            ranges.push((low, low));
        }
    }
}

fn matches(pattern: &[PatternUnit], name: &[u32]) -> bool {
    // if the rest does not fit, the last star takes one more unit: linear in memory, never
    // exponential in time
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fits = match (pattern.get(p), name.get(n)) {
            (None, None) => return true,
            (Some(PatternUnit::Star), _) => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            (Some(PatternUnit::Unit(unit)), Some(found)) => unit == found,
            (Some(PatternUnit::Any), Some(_)) => true,
            (Some(PatternUnit::Set { not, ranges, classes }), Some(found)) => {
                let in_class = |c: char| classes.iter().any(|class| class(&c));
                let inside = ranges.iter().any(|(low, high)| low <= found && found <= high)
                    || char::from_u32(*found).is_some_and(in_class);
                inside != *not
            }
            _ => false,
        };
        if fits {
            p += 1;
            n += 1;
        } else if let Some((star, taken)) = retry
            && taken < name.len()
        {
            retry = Some((star, taken + 1));
            (p, n) = (star, taken + 1);
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, yes: &[&str], no: &[&str]) {
        let marked: Vec<_> = text.bytes().map(|b| (b, false)).collect();
        let pattern = pattern(&marked);
        for name in yes {
            assert!(matches(&pattern, &units(name.as_bytes())), "{text} matches {name}");
        }
        for name in no {
            assert!(!matches(&pattern, &units(name.as_bytes())), "{text} does not match {name}");
        }
    }

    #[test]
    fn patterns_match_as_in_sh() {
        check("*", &["", "a", "ab"], &[]);
        check("a*b*c", &["abc", "axxbbcc", "abbc"], &["ab", "abcd", "acb"]);
        check("?é", &["aé", "éé"], &["é", "aée"]);
        check("[a-c]x", &["ax", "cx"], &["dx", "x", "-x"]);
        check("[!a-c]", &["d", "-", "é"], &["a", "c", ""]);
        check("[]a]", &["]", "a"], &["b"]);
        check("[a-]", &["a", "-"], &["b"]);
        check("[[:digit:]_]*", &["1x", "_"], &["x", ":"]);
        check("[a", &["[a"], &["a"]);
        check("[", &["["], &[""]);
        check("*a*a*a*a*a*a*a*a*a*b", &["aaaaaaaaaab"], &["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]);
    }

    #[test]
    fn quoted_characters_are_literal() {
        let marked = [(b'*', true), (b'*', false)];
        assert!(matches(&pattern(&marked), &units(b"*x")) && !matches(&pattern(&marked), &units(b"x")));
    }
}
