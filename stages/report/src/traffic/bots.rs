//! Bots by name, from `bot` records (agents) and `bot_report` records (what they asked for).

use std::borrow::Cow;
use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::agents::crawler;
use crate::amount::LEAST;
use crate::privacy::Privacy;

/// How many different agents are told apart; of more, one that appears twice counts twice.
const MAX_AGENTS: usize = 1_000_000;

/// How many different names are told apart; the others are one.
const MAX_NAMES: usize = 65_536;

/// What bots of one name did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bot {
    pub(super) agents: u64,
    pub(super) requests: u64,
    pub(super) hits: u64,
    pub(super) bytes: u64,
    /// At least so many clients.
    pub(super) visitors: u64,
}

/// What a bot is called, empty if it is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Name {
    pub(super) text: String,
    /// Whether a list of crawlers has it; if not, it may be somebody's own.
    pub(super) is_listed: bool,
}

impl Name {
    fn of(agent: &str) -> Self {
        crawler(agent).map_or_else(
            || Self { text: product(agent).chars().take(40).collect(), is_listed: false },
            |text| Self { text, is_listed: true },
        )
    }

    /// Whether everybody may read the name of a bot with so many clients.
    fn is_open(&self, visitors: u64, privacy: Privacy) -> bool {
        self.is_listed || privacy == Privacy::Private || visitors >= LEAST.into()
    }
}

/// The name of a bot, and the list that has it.
pub(super) type Key = (String, String);

/// All bots.
#[derive(Debug, Default)]
pub(super) struct Bots {
    seen: FxHashSet<u64>,
    named: BTreeMap<Name, u64>,
    reported: BTreeMap<(Name, String), Bot>,
}

#[derive(Deserialize)]
struct BotRecord<'a> {
    #[serde(borrow)]
    useragent: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ReportRecord<'a> {
    #[serde(borrow)]
    useragent: Option<Cow<'a, str>>,
    #[serde(default)]
    requests: u64,
    #[serde(default)]
    hits: u64,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    visitors: u64,
    #[serde(borrow)]
    list: Option<Cow<'a, str>>,
}

impl Bots {
    /// # Errors
    /// The record has no agent.
    pub(super) fn add(&mut self, line: &[u8]) -> Result<(), String> {
        let record: BotRecord<'_> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
        let key = xxh3_64(record.useragent.as_bytes());
        if self.seen.len() < MAX_AGENTS && !self.seen.insert(key) {
            return Ok(());
        }
        let name = Name::of(&record.useragent);
        let is_new = self.named.len() >= MAX_NAMES && !self.named.contains_key(&name);
        *self.named.entry(if is_new { Name::default() } else { name }).or_default() += 1;
        Ok(())
    }

    /// # Errors
    /// A field is of another type.
    pub(super) fn add_report(&mut self, line: &[u8]) -> Result<(), String> {
        let record: ReportRecord<'_> = serde_json::from_slice(line).map_err(|e| e.to_string())?;
        let name = record.useragent.as_deref().map(Name::of).unwrap_or_default();
        let mut key = (name, list(record.list.as_deref()));
        if self.reported.len() >= MAX_NAMES && !self.reported.contains_key(&key) {
            key = Default::default();
        }
        let bot = self.reported.entry(key).or_default();
        bot.agents += u64::from(record.useragent.is_some());
        bot.requests += record.requests;
        bot.hits += record.hits;
        bot.bytes += record.bytes;
        // those of several agents may be the same
        bot.visitors = bot.visitors.max(if record.useragent.is_some() { record.visitors } else { 0 });
        Ok(())
    }

    /// Agents by name, the most first.
    pub(super) fn by_agents(&self, privacy: Privacy) -> Vec<(String, u64)> {
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for (name, n) in &self.named {
            let open = if name.is_open(0, privacy) { name.text.as_str() } else { "" };
            *sums.entry(open.to_owned()).or_default() += n;
        }
        let mut named: Vec<_> = sums.into_iter().collect();
        // of the same number, those with a name first
        named.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), name.is_empty()));
        named
    }

    /// What was reported, the most requests first.
    pub(super) fn by_requests(&self, privacy: Privacy) -> Vec<(Key, Bot)> {
        let mut sums: BTreeMap<Key, Bot> = BTreeMap::new();
        for ((name, list), bot) in &self.reported {
            let is_open = name.is_open(bot.visitors, privacy);
            let key = if is_open { (name.text.clone(), list.clone()) } else { Key::default() };
            let sum = sums.entry(key).or_default();
            sum.agents += bot.agents;
            sum.requests += bot.requests;
            sum.hits += bot.hits;
            sum.bytes += bot.bytes;
            sum.visitors = sum.visitors.max(bot.visitors);
        }
        let mut reported: Vec<_> = sums.into_iter().collect();
        reported.sort_by_key(|((name, _), bot)| (std::cmp::Reverse(bot.requests), name.is_empty()));
        reported
    }
}

/// The word of an agent that names the program: one with `bot` or the like in it, else the first.
fn product(agent: &str) -> &str {
    let is_bot = |word: &&str| {
        let lower = word.to_ascii_lowercase();
        ["bot", "crawl", "spider"].iter().any(|part| lower.contains(part))
    };
    let words = || agent.split([' ', ';', '(', ')', ',', '+']).filter(|word| !word.is_empty());
    let is_name = |word: &&str| !word.contains("://") && !word.contains('@') && !word.starts_with("www.");
    let found = words().filter(is_name).find(is_bot).or_else(|| words().find(is_name)).unwrap_or_default();
    found.split(['/', ':']).next().unwrap_or_default()
}

/// The list without the folder that it is in: a path says something about the machine.
fn list(list: Option<&str>) -> String {
    list.and_then(|list| list.rsplit('/').next()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOGLE: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

    #[test]
    fn an_agent_counts_once_and_names_of_few_are_for_the_private_copy() {
        let mut bots = Bots::default();
        for agent in [GOOGLE, GOOGLE, &GOOGLE.replace("2.1", "2.2"), "janes-own/1"] {
            bots.add(format!(r#"{{"kind":"bot","useragent":"{agent}"}}"#).as_bytes()).unwrap();
        }
        let named = |name: &str, n| (name.to_owned(), n);
        assert_eq!(bots.by_agents(Privacy::Public), [named("Googlebot", 2), named("", 1)]);
        assert_eq!(bots.by_agents(Privacy::Private), [named("Googlebot", 2), named("janes-own", 1)]);
        assert!(bots.add(b"{}").is_err());
    }

    #[test]
    fn reports_are_summed_by_name_and_list() {
        let mut bots = Bots::default();
        for (agent, visitors) in [(GOOGLE, 1), ("GPTBot/1.2", 5), ("janes-bot/1", 4), ("joes-bot/1", 4)] {
            let line = format!(
                r#"{{"useragent":"{agent}","requests":7,"hits":5,"bytes":3,"visitors":{visitors},"list":"/etc/x/bots.txt"}}"#
            );
            bots.add_report(line.as_bytes()).unwrap();
        }
        bots.add_report(br#"{"requests":100,"visitors":50}"#).unwrap();
        let found = |privacy| bots.by_requests(privacy).into_iter().map(|((name, _), bot)| (name, bot.requests));
        let named = |name: &str, n| (name.to_owned(), n);
        assert_eq!(
            found(Privacy::Public).collect::<Vec<_>>(),
            [named("", 114), named("GPTBot", 7), named("Googlebot", 7)]
        );
        assert_eq!(found(Privacy::Private).count(), 5);
        assert_eq!(list(Some("/etc/x/bots.txt")), "bots.txt");
    }

    #[test]
    fn programs_have_a_name() {
        for (agent, name) in [
            ("Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", "SemrushBot"),
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
                "ClaudeBot",
            ),
            ("curl/8.0", "curl"),
            ("http://example.org/bot", ""),
            ("", ""),
        ] {
            assert_eq!(product(agent), name, "{agent}");
        }
    }
}
