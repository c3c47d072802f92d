//! The words that identify a bot.

use std::borrow::Cow;
use std::path::PathBuf;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use anyhow::{Result, anyhow};
use schema::collation::{self, Like};
use schema::text;

use super::cause::Cause;
use super::patterns::Patterns;

/// An agent that contains one of these is a bot; ASCII case is ignored.
const TERMS: [&str; 22] = [
    "owler",
    "serpstatbot",
    "turnitin",
    "facebookexternalhit",
    "googleother",
    "feedfetcher",
    "msnbot",
    "gsa-crawler",
    "googlebot",
    "yandex",
    "spider",
    "bot",
    "search",
    "crawl",
    "archive",
    "harvest",
    "slurp",
    "feed",
    "nutch",
    "robot",
    "fetch",
    "findlinks",
];

/// The port's additions.
const MORE_TERMS: [&str; 11] = [
    "scrapy",
    "prtg",
    "pycurl",
    "yeti",
    "python-requests",
    "python-urllib",
    "curl",
    "wget",
    "go-http",
    "node-fetch",
    "libwww",
];

/// The words that identify a bot, and those that take an agent off the list again.
#[derive(Debug)]
pub(crate) struct Words {
    all: Vec<&'static str>,
    terms: AhoCorasick,
    spared: [Like; 2],
    /// Lists of bots, in addition to the words.
    listed: Option<Patterns>,
    /// Agents that are people, whatever the words and the lists say.
    people: Option<Patterns>,
}

/// What of an agent is a bot's.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Found {
    /// A pattern of a list matches it.
    pub(crate) is_listed: bool,
    /// It contains a bot word; only looked for if no list has it.
    pub(crate) has_word: bool,
}

impl Words {
    pub(crate) fn new(more: bool) -> Result<Self> {
        let all: Vec<&str> = TERMS.iter().chain(if more { &MORE_TERMS[..] } else { &[] }).copied().collect();
        let terms = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(&all);
        let terms = terms.map_err(|e| anyhow!("building the list of bot words: {e}"))?;
        let spared = [Like::new("%searchtool%"), Like::new("% feed/%")];
        Ok(Self { all, terms, spared, listed: None, people: None })
    }

    /// With lists of bots, and of people.
    ///
    /// # Errors
    /// A list cannot be read, or contains an invalid pattern.
    pub(crate) fn with_lists(mut self, bots: &[PathBuf], people: &[PathBuf]) -> Result<Self> {
        let read =
            |paths: &[PathBuf], words: &[&str]| (!paths.is_empty()).then(|| Patterns::read(paths, words)).transpose();
        (self.listed, self.people) = (read(bots, &self.all)?, read(people, &[])?);
        Ok(self)
    }

    /// Whether an agent is a bot by a word or by a list.
    pub(crate) fn is_bot(&self, agent: &[u8]) -> bool {
        let Found { is_listed, has_word } = self.find(agent);
        (is_listed || has_word) && !self.is_person(agent)
    }

    /// What of an agent is a bot's, even if it is a person.
    pub(crate) fn find(&self, agent: &[u8]) -> Found {
        match &self.listed {
            None => Found { is_listed: false, has_word: self.terms.is_match(agent) },
            Some(listed) => {
                let (is_listed, has_word) = listed.find(agent);
                Found { is_listed, has_word }
            }
        }
    }

    /// Whether an agent is a person, whatever the words and the lists say.
    pub(crate) fn is_person(&self, agent: &[u8]) -> bool {
        self.people.as_ref().is_some_and(|people| people.is_match(agent))
    }

    /// Why an agent that is in the list is a bot.
    pub(crate) fn cause(&self, agent: &[u8]) -> Cause {
        if let Some(found) = self.terms.find(agent) {
            return Cause::Word(found.pattern().as_u32() as u8);
        }
        self.listed.as_ref().and_then(|listed| listed.first(agent)).map_or(Cause::Known, Cause::Listed)
    }

    /// The list that decided, and the word or pattern in it.
    pub(crate) fn decided(&self, cause: Cause) -> (Cow<'_, str>, Option<&str>) {
        match cause {
            Cause::Word(at) => {
                let word = TERMS.iter().chain(&MORE_TERMS).nth(at.into()).copied();
                (Cow::Borrowed("words"), word)
            }
            Cause::Listed(number) => match self.listed.as_ref().and_then(|listed| listed.of(number)) {
                Some((list, pattern)) => (list.to_string_lossy(), Some(pattern)),
                None => (Cow::Borrowed(""), None),
            },
            Cause::Known => (Cow::Borrowed("known bots"), None),
        }
    }

    /// Whether the list never keeps this text.
    pub(crate) fn is_spared(&self, stored: &str) -> bool {
        let weights = collation::pattern_weights(stored);
        self.spared.iter().any(|like| like.matches_weights(&weights))
    }
}

/// The text that the list stores for an agent.
pub(crate) fn stored(agent: &[u8]) -> String {
    text::cut_bytes(&text::storable(agent), text::TINYTEXT).to_owned()
}
