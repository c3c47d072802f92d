//! What bots requested: requests, hits, visitors and bytes by agent, for `--bots-report`.
//!
//! Each block counts its own requests, a file adds up its blocks, and the run adds up the imported
//! files. Memory grows by 16 bytes for each address of an agent. If there are too many agents, the
//! rest is counted together, by what decided.

use std::hash::BuildHasherDefault;
use std::path::Path;

use anyhow::{Context as _, Result};
use hashbrown::HashMap;
use kit::{Endpoint, Format, Messages, Output};
use schema::json;
use xxhash_rust::xxh3::xxh3_64;

use super::Cause;
use super::hashes::{HashList, Unhashed};
use super::words::{Words, stored};

/// How many agents get figures of their own.
const AGENTS: usize = 100_000;

/// What one agent requested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Figures {
    requests: u64,
    hits: u64,
    visitors: u64,
    bytes: u64,
}

/// One agent, or all those beyond the limit with the same cause.
#[derive(Debug, Clone)]
struct Use {
    /// Absent for those beyond the limit.
    agent: Option<Box<[u8]>>,
    cause: Cause,
    figures: Figures,
}

/// What bots requested.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uses {
    /// By the hash of the agent, or of the cause.
    agents: HashMap<u64, Use, BuildHasherDefault<Unhashed>>,
    /// Agents with their clients, as hashes.
    pairs: HashList,
}

/// Agent and client as one hash: its lower half, which hash sets use, depends on both.
fn pair(agent: u64, client: u64) -> u128 {
    u128::from(agent) << 64 | u128::from(agent ^ client)
}

impl Uses {
    pub(crate) fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Counts a request of a bot. It is a hit if only the bot rule dropped it.
    pub(crate) fn add(&mut self, agent: &[u8], cause: Cause, client: &[u8], is_hit: bool, bytes: &[u8]) {
        let bytes = std::str::from_utf8(bytes).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let figures = Figures { requests: 1, hits: is_hit.into(), visitors: 0, bytes };
        let key = self.count(xxh3_64(agent), Some(agent), cause, figures);
        self.see(pair(key, xxh3_64(client)));
    }

    /// Adds figures, except visitors; returns the key they are counted under.
    fn count(&mut self, key: u64, agent: Option<&[u8]>, cause: Cause, more: Figures) -> u64 {
        let is_full = self.agents.len() >= AGENTS && !self.agents.contains_key(&key);
        let (key, agent) = if is_full { (cause.key(), None) } else { (key, agent) };
        let new = || Use { agent: agent.map(Into::into), cause, figures: Figures::default() };
        let figures = &mut self.agents.entry(key).or_insert_with(new).figures;
        figures.requests += more.requests;
        figures.hits += more.hits;
        figures.bytes = figures.bytes.saturating_add(more.bytes);
        key
    }

    fn see(&mut self, pair: u128) {
        if self.pairs.insert(pair)
            && let Some(of) = self.agents.get_mut(&((pair >> 64) as u64))
        {
            of.figures.visitors += 1;
        }
    }

    /// Adds the figures of another part.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut moved = HashMap::<u64, u64, BuildHasherDefault<Unhashed>>::default();
        for (&key, of) in &other.agents {
            let now = self.count(key, of.agent.as_deref(), of.cause, of.figures);
            if now != key {
                moved.insert(key, now);
            }
        }
        for seen in other.pairs.iter() {
            let agent = (seen >> 64) as u64;
            let client = seen as u64 ^ agent;
            self.see(pair(moved.get(&agent).copied().unwrap_or(agent), client));
        }
    }

    /// Writes the report, agents with most requests first: CSV if the name of the file ends in
    /// `.csv`, otherwise one record per line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path, words: &Words, messages: Messages) -> Result<()> {
        let is_csv = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let format = if is_csv { Format::Csv } else { Format::Ndjson };
        let kind = schema::Kind::BotReport.name();
        let mut output = Output::new(&Endpoint::File(path.to_owned()), format, kind, messages)?;
        let mut all: Vec<_> = self.agents.values().collect();
        all.sort_unstable_by(|a, b| b.figures.requests.cmp(&a.figures.requests).then_with(|| a.agent.cmp(&b.agent)));
        for of in all {
            output.record(&of.to_json(words))?;
        }
        output.finish().with_context(|| format!("writing the report on bots {}", path.display()))
    }
}

impl Use {
    fn to_json(&self, words: &Words) -> Vec<u8> {
        let mut line = b"{\"kind\":\"bot_report\"".to_vec();
        if let Some(agent) = &self.agent {
            line.extend_from_slice(b",\"useragent\":");
            json::push_str(&mut line, &stored(agent));
        }
        let Figures { requests, hits, visitors, bytes } = self.figures;
        for (name, n) in [("requests", requests), ("hits", hits), ("visitors", visitors), ("bytes", bytes)] {
            line.extend_from_slice(format!(",\"{name}\":{n}").as_bytes());
        }
        let (list, pattern) = words.decided(self.cause);
        line.extend_from_slice(b",\"list\":");
        json::push_str(&mut line, &list);
        if let Some(pattern) = pattern {
            line.extend_from_slice(b",\"pattern\":");
            json::push_str(&mut line, pattern);
        }
        line.push(b'}');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(uses: &Uses) -> Vec<(Option<String>, [u64; 4])> {
        let mut all: Vec<_> = uses
            .agents
            .values()
            .map(|of| {
                let Figures { requests, hits, visitors, bytes } = of.figures;
                let agent = of.agent.as_ref().map(|agent| String::from_utf8_lossy(agent).into_owned());
                (agent, [requests, hits, visitors, bytes])
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_visitor_in_several_parts_counts_once() {
        let part = |clients: &[&str]| {
            let mut uses = Uses::default();
            for client in clients {
                uses.add(b"bot", Cause::Word(11), client.as_bytes(), *client != "c", b"10");
            }
            uses
        };
        let mut all = part(&["a", "a", "b"]);
        all.merge(&part(&["b", "c"]));
        all.add(b"curl", Cause::Known, b"a", true, b"-");
        assert_eq!(figures(&all), [(Some("bot".to_owned()), [5, 4, 3, 50]), (Some("curl".to_owned()), [1, 1, 1, 0])]);
    }

    #[test]
    fn agents_beyond_the_limit_are_counted_together() {
        let mut uses = Uses::default();
        for i in 0..AGENTS + 10 {
            uses.add(format!("bot {i}").as_bytes(), Cause::Word(11), b"1.1.1.1", true, b"1");
        }
        assert_eq!(uses.agents.len(), AGENTS + 1);
        assert_eq!(figures(&uses)[0], (None, [10, 10, 1, 10]));
        let mut more = Uses::default();
        more.add(b"another", Cause::Word(11), b"2.2.2.2", false, b"1");
        uses.merge(&more);
        assert_eq!(figures(&uses)[0], (None, [11, 10, 2, 11]));
    }
}
