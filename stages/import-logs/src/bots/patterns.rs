//! Thousands of patterns of agents, matched all at once.
//!
//! Many published patterns are plain texts, some anchored at the beginning or the end: one automaton finds
//! these. The others form a set of regular expressions, and the automaton also looks for texts of which an
//! agent must have one to match any of them, so that most agents are examined once.

use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use anyhow::{Result, anyhow};
use regex::bytes::{RegexSet, RegexSetBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

use crate::exclude::automaton_for;

use super::published::{self, Entry, Meaning, is_meta};

/// How many bytes the automata of a set of patterns may take, while they are built and while they
/// are used. The second amount is taken once per thread.
const MADE: usize = 64 << 20;
const USED: usize = 8 << 20;

/// The number of a word that is in no list.
const WORD: u32 = u32::MAX;

/// The number of a text that an agent must have to match one of the expressions.
const SIGN: u32 = u32::MAX - 1;

/// A text to search for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Those of them for which there are no signs.
    unsigned: RegexSet,
}

impl Patterns {
    /// Reads lists. `words` are looked for in the same pass, but are in no list.
    ///
    /// # Errors
    /// A list cannot be read, or contains an invalid pattern; the message names file and place.
    pub(crate) fn read(paths: &[PathBuf], words: &[&str]) -> Result<Self> {
        let mut all = Vec::new();
        for path in paths {
            all.extend(published::read(path)?.into_iter().map(|entry| (path.as_path(), entry)));
        }
        Self::new(paths, &all, words)
    }

    fn new(paths: &[PathBuf], all: &[(&Path, Entry)], words: &[&str]) -> Result<Self> {
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
        let found = |text: &[u8]| Literal { text: text.to_vec(), ..Literal::default() };
        literals.extend(words.iter().map(|word| (WORD, found(word.as_bytes()))));
        let signs: Vec<_> = expressions.iter().map(|(_, _, _, entry)| signs(&entry.text)).collect();
        literals.extend(signs.iter().flatten().flatten().map(|sign| (SIGN, found(sign))));
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
        let building = |e| anyhow!("building the automaton for the lists of bots: {e}");
        let set = compile(expressions.iter().map(|(_, text, ..)| text)).map_err(building)?;
        let without_signs = expressions.iter().zip(&signs).filter(|(_, signs)| signs.is_none());
        let unsigned = compile(without_signs.map(|((_, text, ..), _)| text)).map_err(building)?;
        let set_numbers = expressions.iter().map(|(number, ..)| *number).collect();
        Ok(Self { lists: paths.to_vec(), patterns, literals, automaton, set, set_numbers, unsigned })
    }

    /// Whether a pattern matches the agent.
    pub(crate) fn is_match(&self, agent: &[u8]) -> bool {
        self.find(agent).0
    }

    /// Whether a pattern matches the agent, and if none does, whether it contains a word.
    pub(crate) fn find(&self, agent: &[u8]) -> (bool, bool) {
        let (mut has_word, mut has_sign) = (false, false);
        for number in self.plain(agent) {
            match number {
                WORD => has_word = true,
                SIGN => has_sign = true,
                _ => return (true, has_word),
            }
        }
        let set = if has_sign { &self.set } else { &self.unsigned };
        (!set.is_empty() && set.is_match(agent), has_word)
    }

    /// The number of the first pattern that matches the agent.
    pub(crate) fn first(&self, agent: &[u8]) -> Option<u32> {
        let set = self.set.matches(agent).iter().next().and_then(|at| self.set_numbers.get(at)).copied();
        self.plain(agent).filter(|number| *number < SIGN).chain(set).min()
    }

    /// The list and the text of a pattern.
    pub(crate) fn of(&self, number: u32) -> Option<(&Path, &str)> {
        let (list, text) = self.patterns.get(number as usize)?;
        Some((self.lists.get(*list as usize)?, text))
    }

    /// The numbers of the plain patterns that match the agent, and of the words and signs in it.
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

/// Texts of which every agent that matches an expression has one, whatever its case.
fn signs(expression: &str) -> Option<Vec<Vec<u8>>> {
    /// Shorter texts are in too many agents.
    const SHORTEST: usize = 3;
    // flags may change what case and characters are
    let has_flags = expression.match_indices("(?").any(|(at, _)| !expression[at + 2..].starts_with(':'));
    if has_flags || !expression.is_ascii() {
        return None;
    }
    // case is ignored where the texts are looked for
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(expression).ok()?;
    let of = |kind: ExtractKind| {
        let found = Extractor::new().kind(kind).limit_class(2).limit_total(32).extract(&hir);
        Some((found.min_literal_len()?, found)).filter(|(shortest, _)| *shortest >= SHORTEST)
    };
    let (_, found) = [of(ExtractKind::Prefix), of(ExtractKind::Suffix)].into_iter().flatten().max_by_key(|it| it.0)?;
    Some(found.literals()?.iter().map(|text| text.as_bytes().to_vec()).collect())
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
        Patterns::new(&paths, &all, &["spider", "bot"])
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
    fn signs_of_an_expression_are_in_every_agent_that_matches() {
        let of = |expression: &str| {
            let texts = signs(expression)?.into_iter().map(|text| String::from_utf8(text).unwrap());
            Some(texts.collect::<Vec<_>>().join(" "))
        };
        for (expression, found) in [
            ("crawl0[\\s\\+]er|^bot0\\d*$", Some("crawl0 bot0")),
            ("Spider7\\/v?[0-9]", Some("Spider7/v Spider7/")),
            ("[^a]fish$", Some("fish")),
            ("http.?client", Some("client")),
            ("(?:a|b)zebra", Some("azebra bzebra")),
            ("^.?$", None),
            ("ab|.*", None),
            ("(?i)abcd", None),
            ("a\\d", None),
            ("^[脝陆]+$", None),
        ] {
            assert_eq!(of(expression).as_deref(), found, "{expression}");
        }
        let patterns = of_expressions(&["crawl0[\\s\\+]er", "^.?$"]);
        assert!(patterns.is_match(b"a CRAWL0+ER") && patterns.is_match(b"-") && !patterns.is_match(b"crawl0"));
    }

    fn of_expressions(expressions: &[&str]) -> Patterns {
        let entries: Vec<_> = expressions.iter().map(|text| (*text, ANY_CASE)).collect();
        of(&[("list", &entries)]).unwrap()
    }

    #[test]
    fn words_are_found_in_the_same_pass_and_are_in_no_list() {
        let patterns = of(&[("list", &[("curl", Meaning::Text), ("^a.b$", ANY_CASE)])]).unwrap();
        for (agent, found) in [
            ("a Spider", (false, true)),
            ("SpiderBot", (false, true)),
            ("firefox", (false, false)),
            ("axb", (true, false)),
        ] {
            assert_eq!(patterns.find(agent.as_bytes()), found, "{agent}");
            assert_eq!(patterns.first(agent.as_bytes()).is_some(), found.0, "{agent}");
        }
        assert!(patterns.is_match(b"spider curl") && !patterns.is_match(b"spider"));
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
