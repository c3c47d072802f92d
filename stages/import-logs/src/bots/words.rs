//! The words that make a bot.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use anyhow::{Result, anyhow};
use schema::collation::{self, Like};
use schema::text;

/// An agent that contains one of these, ASCII case ignored, is a bot.
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

/// The words that make a bot, and those that take it off the list again.
#[derive(Debug)]
pub(crate) struct Words {
    terms: AhoCorasick,
    spared: [Like; 2],
}

impl Words {
    pub(crate) fn new(more: bool) -> Result<Self> {
        let terms = TERMS.iter().chain(if more { &MORE_TERMS[..] } else { &[] });
        let terms = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(terms);
        let terms = terms.map_err(|e| anyhow!("building the list of bot words: {e}"))?;
        Ok(Self { terms, spared: [Like::new("%searchtool%"), Like::new("% feed/%")] })
    }

    pub(crate) fn is_bot(&self, agent: &[u8]) -> bool {
        self.terms.is_match(agent)
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
