//! Thousands of patterns of agents, matched all at once.
//!
//! Nearly all published patterns are plain texts, some anchored at the beginning or the end: one
//! automaton finds these. The few others form one set of regular expressions.

use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use anyhow::{Result, anyhow};
use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::exclude::automaton_for;

use super::published::{self, Entry, Meaning, is_meta};

/// How many bytes the automata of a set of patterns may take, while they are built and while they
/// are used. The second amount is taken once per thread.
const MADE: usize = 64 << 20;
const USED: usize = 8 << 20;

/// A text to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Literal {
    text: Vec<u8>,
    is_start: bool,
    is_end: bool,
    exact: bool,
}

/// Patterns of one or more lists, numbered in the order of the lists.
#[derive(Debug)]
pub(crate) struct Patterns {
    lists: Vec<PathBuf>,
    /// List and text of each pattern.
    patterns: Vec<(u32, Box<str>)>,
    /// The plain texts, with their numbers.
    literals: Vec<(u32, Literal)>,
    automaton: AhoCorasick,
    /// The others, with their numbers.
    set: RegexSet,
    set_numbers: Vec<u32>,
}

impl Patterns {
    /// Reads lists.
    ///
    /// # Errors
    /// A list cannot be read, or contains an invalid pattern; the message names file and place.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut all = Vec::new();
        for path in paths {
            all.extend(published::read(path)?.into_iter().map(|entry| (path.as_path(), entry)));
        }
        Self::new(paths, &all)
    }

    fn new(paths: &[PathBuf], all: &[(&Path, Entry)]) -> Result<Self> {
        let mut patterns = Vec::with_capacity(all.len());
        let (mut literals, mut expressions) = (Vec::new(), Vec::new());
        for ((path, entry), number) in all.iter().zip(0..) {
            let list = paths.iter().zip(0..).find(|(known, _)| known == path).map_or(0, |(_, at)| at);
            patterns.push((list, entry.text.as_str().into()));
            match literal(entry) {
                Some(literal) if literal.text.is_empty() && !(literal.is_start && literal.is_end) => {
                    return Err(anyhow!(
                        "{}: {}: the pattern is empty: every agent matches",
                        path.display(),
                        entry.place
                    ));
                }
                Some(literal) => literals.push((number, literal)),
                None => expressions.push((number, expression(entry), *path, entry)),
            }
        }
        // takes some megabytes, shared by all threads, and is the fastest kind
        let automaton = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .kind(automaton_for(
                literals.iter().map(|(_, literal)| literal.text.as_slice()),
                Some(AhoCorasickKind::DFA),
            ))
            .build(literals.iter().map(|(_, literal)| &literal.text))
            .map_err(|e| anyhow!("building the automaton for the lists of bots: {e}"))?;
        // compiled one by one, they show which of them is wrong
        for (_, text, path, entry) in &mut expressions {
            if compile([&text]).is_err() {
                // classes of characters beyond ASCII need Unicode
                *text = text.replacen("-u)", ")", 1);
                compile([&text]).map_err(|error| {
                    let why = error.to_string();
                    let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    anyhow!("{}: {}: `{}` is not a regular expression: {why}", path.display(), entry.place, entry.text)
                })?;
            }
        }
        let set = compile(expressions.iter().map(|(_, text, ..)| text));
        let set = set.map_err(|e| anyhow!("building the automaton for the lists of bots: {e}"))?;
        let set_numbers = expressions.iter().map(|(number, ..)| *number).collect();
        Ok(Self { lists: paths.to_vec(), patterns, literals, automaton, set, set_numbers })
    }

    /// Whether a pattern matches the agent.
    pub(crate) fn is_match(&self, agent: &[u8]) -> bool {
        self.plain(agent).next().is_some() || (!self.set_numbers.is_empty() && self.set.is_match(agent))
    }

    /// The number of the first pattern that matches the agent.
    pub(crate) fn first(&self, agent: &[u8]) -> Option<u32> {
        let set = self.set.matches(agent).iter().next().and_then(|at| self.set_numbers.get(at)).copied();
        self.plain(agent).chain(set).min()
    }

    /// The list and the text of a pattern.
    pub(crate) fn of(&self, number: u32) -> Option<(&Path, &str)> {
        let (list, text) = self.patterns.get(number as usize)?;
        Some((self.lists.get(*list as usize)?, text))
    }

    /// The numbers of the plain patterns that match the agent.
    fn plain<'a>(&'a self, agent: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
        self.automaton.find_overlapping_iter(agent).filter_map(move |found| {
            let (number, literal) = self.literals.get(found.pattern().as_usize())?;
            let is_it = (!literal.is_start || found.start() == 0)
                && (!literal.is_end || found.end() == agent.len())
                && (!literal.exact || agent.get(found.range())? == literal.text);
            is_it.then_some(*number)
        })
    }
}

fn compile(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<RegexSet, regex::Error> {
    RegexSetBuilder::new(texts).size_limit(MADE).dfa_size_limit(USED).build()
}

/// The expression with its flags: bytes, and case-insensitive unless `exact`.
fn expression(entry: &Entry) -> String {
    let exact = matches!(entry.meaning, Meaning::Expression { exact: true });
    format!("(?{}-u){}", if exact { "" } else { "i" }, entry.text)
}

/// The entry as a plain text, if it is one.
fn literal(entry: &Entry) -> Option<Literal> {
    let exact = match entry.meaning {
        Meaning::Text => {
            let text = entry.text.clone().into_bytes();
            return Some(Literal { text, is_start: false, is_end: false, exact: false });
        }
        Meaning::Expression { exact } => exact,
    };
    let bytes = entry.text.as_bytes();
    let (is_start, bytes) = bytes.strip_prefix(b"^").map_or((false, bytes), |rest| (true, rest));
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        match rest {
            [] => return Some(Literal { text, is_start, is_end: false, exact }),
            [b'$'] => return Some(Literal { text, is_start, is_end: true, exact }),
            [b'\\', byte, after @ ..] if byte.is_ascii_punctuation() && !matches!(byte, b'<' | b'>') => {
                text.push(*byte);
                rest = after;
            }
            [byte, after @ ..] if !is_meta(*byte) || *byte == b']' || *byte == b'}' => {
                text.push(*byte);
                rest = after;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lists: &[(&str, &[(&str, Meaning)])]) -> Result<Patterns> {
        let paths: Vec<PathBuf> = lists.iter().map(|(name, _)| PathBuf::from(name)).collect();
        let mut all = Vec::new();
        for ((_, entries), path) in lists.iter().zip(&paths) {
            for (i, (text, meaning)) in entries.iter().enumerate() {
                let place = format!("entry {}", i + 1);
                all.push((path.as_path(), Entry { text: (*text).to_owned(), meaning: *meaning, place }));
            }
        }
        Patterns::new(&paths, &all)
    }

    const ANY_CASE: Meaning = Meaning::Expression { exact: false };
    const EXACT: Meaning = Meaning::Expression { exact: true };

    fn check(pattern: &str, meaning: Meaning, agent: &str, expected: bool) {
        let patterns = of(&[("list", &[(pattern, meaning)])]).unwrap();
        assert_eq!(patterns.is_match(agent.as_bytes()), expected, "{pattern} {agent}");
        assert_eq!(patterns.first(agent.as_bytes()).is_some(), expected, "{pattern} {agent}");
        // what is treated as plain text must mean the same as the expression
        if matches!(meaning, Meaning::Expression { .. }) && pattern.is_ascii() {
            let entry = Entry { text: pattern.to_owned(), meaning, place: String::new() };
            assert_eq!(
                compile([expression(&entry)]).unwrap().is_match(agent.as_bytes()),
                expected,
                "{pattern} {agent}"
            );
        }
    }

    #[test]
    fn patterns_of_published_lists_match_as_their_authors_meant() {
        for (pattern, agent, expected) in [
            ("^ruby$", "Ruby", true),
            ("^ruby$", "Ruby/3", false),
            ("^Buck\\/[0-9]", "buck/2", true),
            ("^.?$", "-", true),
            ("^.?$", "", true),
            ("^.?$", "ab", false),
            ("^$", "", true),
            ("^$", "a", false),
            ("[^a]fish", "jellyfish", true),
            ("[^a]fish", "afish", false),
            ("Alexandria(\\s|\\+)prototype", "alexandria+prototype", true),
            ("^\\%?default\\%?$", "%default%", true),
            ("http.?client", "Apache-HttpClient/4", true),
            ("^Mozilla\\/4\\.5\\+\\[en]\\+\\(Win98;\\+I\\)$", "Mozilla/4.5+[en]+(Win98;+I)", true),
            ("com\\.plumanalytics", "comXplumanalytics", false),
            ("Optimizer\\)", "x (Optimizer)", true),
            ("GoogleAssociationService$", "GoogleAssociationService", true),
            ("GoogleAssociationService$", "GoogleAssociationService/1", false),
            ("^curl", "libcurl", false),
            ("a|^b$", "xa", true),
            ("a|^b$", "xb", false),
        ] {
            check(pattern, ANY_CASE, agent, expected);
        }
        check("[wW]get", EXACT, "Wget/1", true);
        check("[wW]get", EXACT, "WGET/1", false);
        check("Googlebot\\/", EXACT, "Googlebot/2", true);
        check("Googlebot\\/", EXACT, "googlebot/2", false);
        check("bigsur.ai", Meaning::Text, "BIGSUR.AI", true);
        check("bigsur.ai", Meaning::Text, "bigsurXai", false);
    }

    #[test]
    fn agents_are_matched_as_bytes() {
        check("^脝脝陆$", ANY_CASE, "脝脝陆", true);
        check("^[脝陆]+$", ANY_CASE, "脝脝陆", true);
        let patterns = of(&[("list", &[("^.\\W$", ANY_CASE)])]).unwrap();
        assert!(patterns.is_match(b"\xff\xfe"), "an agent is bytes");
    }

    #[test]
    fn the_first_pattern_of_the_first_list_decides() {
        let one: &[(&str, Meaning)] = &[("nothing", ANY_CASE), ("c.rl", ANY_CASE), ("rl", ANY_CASE)];
        let patterns = of(&[("one", one), ("two", &[("curl", Meaning::Text)])]).unwrap();
        let decides = |agent: &str| {
            let (list, text) = patterns.of(patterns.first(agent.as_bytes())?)?;
            Some((list.display().to_string(), text.to_owned()))
        };
        assert_eq!(decides("a curl"), Some(("one".to_owned(), "c.rl".to_owned())));
        assert_eq!(decides("a url"), Some(("one".to_owned(), "rl".to_owned())));
        assert_eq!(decides("firefox"), None);
    }

    #[test]
    fn an_invalid_pattern_is_named_with_its_place() {
        let why = |pattern: &str| {
            let lists: &[(&str, &[(&str, Meaning)])] =
                &[("fine", &[("bot", ANY_CASE)]), ("odd", &[("a", EXACT), (pattern, EXACT)])];
            format!("{:#}", of(lists).unwrap_err())
        };
        for pattern in ["a(", "(?<!cu)bot", "*"] {
            let why = why(pattern);
            assert!(why.starts_with("odd: entry 2: `") && why.contains("is not a regular expression: "), "{why}");
        }
        assert!(why("").contains("every agent matches"));
        assert!(of(&[]).unwrap().first(b"bot").is_none());
    }
}
