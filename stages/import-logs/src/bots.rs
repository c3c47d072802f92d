//! The bot decision: which user agents are bots, and which of them the list already knows.
//!
//! A line is dropped if its agent is in the list, and the bots of a file enter the list before the
//! first line of that file is judged. For most agents (ASCII text that fits the column) their own
//! words decide at once. The few others (text beyond ASCII, or so long that the stored part may
//! equal another agent) are collected by a look-ahead, see [`LookAhead`].

pub(crate) mod cache;
mod cause;
pub(crate) mod file;
pub(crate) mod hashes;
pub(crate) mod list;
pub(crate) mod patterns;
pub(crate) mod published;
pub(crate) mod uses;
pub(crate) mod words;

use std::cell::OnceCell;
use std::sync::Arc;

use schema::collation;
use schema::text;

use crate::exclude::Exclude;
use crate::request;
use crate::rows::RowFormat;
pub(crate) use cause::Cause;
use hashes::HashList;
use list::{BotList, fits_the_column};
use words::{Found, Words, stored};

/// What must be known about the agents of a file before its first line is judged: hashes of their
/// text as the collation compares it. Agents that the list never keeps are left out.
#[derive(Debug, Default)]
pub(crate) struct LookAhead {
    /// Stored texts of bots whose own words do not decide every comparison.
    pub(crate) special: HashList,
    /// Agents without a bot word that equal an ASCII bot, if that bot occurs.
    pub(crate) suspects: HashList,
}

impl LookAhead {
    /// Whether an agent of this kind can matter.
    pub(crate) fn concerns(agent: &[u8]) -> bool {
        agent.len() > text::TINYTEXT || !agent.is_ascii()
    }

    /// Records an agent for which [`LookAhead::concerns`] holds.
    pub(crate) fn note(&mut self, agent: &[u8], words: &Words) {
        if words.is_bot(agent) {
            let stored = stored(agent);
            if !words.is_spared(&stored) {
                self.special.insert(collation::hash(&stored));
            }
        } else if let Ok(agent) = std::str::from_utf8(agent)
            && fits_the_column(agent)
        {
            let folded = collation::fold(agent);
            if folded.is_ascii() && words.is_bot(folded.as_bytes()) && !words.is_spared(&folded) {
                self.suspects.insert(collation::hash(&folded));
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.special.extend(other.special.iter());
        self.suspects.extend(other.suspects.iter());
    }
}

/// How agents are judged.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) words: Words,
    pub(crate) exclude: Arc<Exclude>,
    /// Compare byte by byte with the list as it was before the file.
    pub(crate) exact: bool,
    /// Record for each bot why it is one.
    pub(crate) explain: bool,
    /// The format of the rows of this run.
    pub(crate) format: RowFormat,
}

/// A judged agent with its stored text.
#[derive(Debug)]
pub(crate) struct Agent {
    bytes: Box<[u8]>,
    /// A bot by its own words.
    pub(crate) is_bot: bool,
    /// In the exclude list.
    pub(crate) is_excluded: bool,
    /// In the list of bots.
    pub(crate) is_known: bool,
    /// Why it is a bot, if a report was requested.
    pub(crate) cause: Option<Cause>,
    /// Whether it is an Internet Explorer that only bots use, once that was asked.
    old_explorer: OnceCell<bool>,
    /// The stored text: as a JSON string, or plain for a table.
    pub(crate) text: Box<[u8]>,
    /// The block that saw it last.
    block: u64,
}

impl Agent {
    /// Whether it is an Internet Explorer that only bots use.
    pub(crate) fn is_old_explorer(&self) -> bool {
        *self.old_explorer.get_or_init(|| request::is_old_explorer(&self.bytes))
    }
}

impl Judge {
    /// The text of an agent as a row has it.
    pub(crate) fn stored(&self, agent: &[u8]) -> Vec<u8> {
        let stored = stored(agent);
        match self.format {
            RowFormat::Values => stored.into_bytes(),
            RowFormat::Records => {
                let mut json = Vec::with_capacity(stored.len() + 16);
                schema::json::push_str(&mut json, &stored);
                json
            }
        }
    }

    fn judge(&self, agent: &[u8], known: &BotList) -> Agent {
        let is_person = self.words.is_person(agent);
        let Found { is_listed, has_word } = if is_person { Found::default() } else { self.words.find(agent) };
        // a list may hold agents that are not names: they are left out, and the list of bots does not
        // learn them
        let is_named = !matches!(agent, b"" | b"0" | b"-");
        let is_bot = is_named && (is_listed || has_word);
        let is_known =
            is_listed || (!is_person && agent != b"-" && !agent.is_empty() && self.is_known(agent, is_bot, known));
        Agent {
            is_bot,
            is_excluded: self.exclude.agent(agent),
            is_known,
            cause: (self.explain && (is_known || is_bot)).then(|| self.words.cause(agent)),
            old_explorer: OnceCell::new(),
            text: self.stored(agent).into(),
            bytes: agent.into(),
            block: 0,
        }
    }

    fn is_known(&self, agent: &[u8], is_bot: bool, known: &BotList) -> bool {
        // bytes that are not valid text equal nothing
        let Ok(agent) = std::str::from_utf8(agent) else { return false };
        if self.exact {
            return known.has_exactly(agent);
        }
        if agent == "0" {
            return false;
        }
        let trimmed = agent.trim_end_matches(' ');
        if is_bot && trimmed.len() <= text::TINYTEXT && agent.is_ascii() && !self.words.is_spared(agent) {
            return true;
        }
        known.has_like(agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(exact: bool) -> Judge {
        let words = Words::new(false).unwrap();
        Judge { words, exclude: Arc::default(), exact, explain: true, format: RowFormat::Records }
    }

    fn is_known(agent: &[u8], list: &[&str]) -> bool {
        let mut known = BotList::new(false);
        list.iter().for_each(|bot| known.insert(bot, &judge(false).words));
        judge(false).judge(agent, &known).is_known
    }

    #[test]
    fn words_of_an_agent_decide_whether_it_is_a_bot() {
        assert!(is_known(b"MyBOT/1", &[]));
        assert!(!is_known(b"Mozilla/5.0", &[]));
        assert!(!is_known(b"My searchTool/1", &[]), "taken off the list");
        assert!(!is_known(b"RSS Feed/2.0", &[]), "taken off the list");
        assert!(is_known(b"RSSfeed/2.0", &[]));
        assert!(!is_known(b"curl/8", &[]));
        assert!(!is_known(b"bot\xff", &[]), "no text");
        let long = format!("bot{}", "x".repeat(300));
        assert!(!is_known(long.as_bytes(), &[&long[..255]]), "compared in full");
        let blanks = format!("bot{}", " ".repeat(300));
        assert!(is_known(blanks.as_bytes(), &[]));
    }

    #[test]
    fn the_list_is_compared_under_the_collation() {
        assert!(is_known(b"EVIL/1  ", &["evil/1"]));
        assert!(is_known("Èvil/1".as_bytes(), &["evil/1"]));
        assert!(!is_known(b"-", &["-"]) && !is_known(b"0", &["0"]) && !is_known(b"", &[""]));
        let mut known = BotList::new(true);
        known.insert("Evil/1", &judge(true).words);
        assert!(judge(true).judge(b"Evil/1", &known).is_known);
        assert!(!judge(true).judge(b"evil/1", &known).is_known);
        assert!(!judge(true).judge(b"newbot", &known).is_known);
    }

    #[test]
    fn lists_add_to_the_words_and_people_are_spared() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let bots = [file("a", "^.?$\npython-requests\n"), file("b", "[{\"pattern\": \"^curl\"}]")];
        let people = [file("p", "CUBOT\nYaSearchBrowser\n")];
        let words = Words::new(false).unwrap().with_lists(&bots, &people).unwrap();
        let judge = Judge { words, ..judge(false) };
        let mut known = BotList::new(false);
        known.insert("Mozilla (CUBOT_P20)", &judge.words);
        known.insert("evil", &judge.words);
        let decided = |agent: &str| {
            let judged = judge.judge(agent.as_bytes(), &known);
            assert_eq!(judged.is_known, judged.cause.is_some(), "{agent}");
            let (list, pattern) = judge.words.decided(judged.cause?);
            let list = list.rsplit('/').next().unwrap_or_default().to_owned();
            Some((list, pattern.unwrap_or_default().to_owned(), judged.is_bot))
        };
        let by = |list: &str, pattern: &str, is_bot| Some((list.to_owned(), pattern.to_owned(), is_bot));
        assert_eq!(decided("Python-Requests/2"), by("a", "python-requests", true));
        assert_eq!(decided("curl/8"), by("b", "^curl", true));
        assert_eq!(decided("-"), by("a", "^.?$", false));
        assert_eq!(decided("Googlebot, curl"), by("words", "googlebot", true));
        assert_eq!(decided("EVIL"), by("known bots", "", false));
        assert_eq!(decided("Mozilla (CUBOT_P20)"), None);
        assert_eq!(decided("YaSearchBrowser curl bot"), None);
        assert_eq!(decided("Firefox"), None);
        let mut ahead = LookAhead::default();
        ahead.note("é python-requests".as_bytes(), &judge.words);
        ahead.note("é CUBOT".as_bytes(), &judge.words);
        assert_eq!(ahead.special.iter().count(), 1);
    }

    #[test]
    fn only_agents_beyond_ascii_or_too_long_need_a_look_ahead() {
        let words = Words::new(false).unwrap();
        let mut ahead = LookAhead::default();
        for agent in ["Bötti", "Bot é", "plain bot", "spider ü", "ü searchtool", "ü"] {
            if LookAhead::concerns(agent.as_bytes()) {
                ahead.note(agent.as_bytes(), &words);
            }
        }
        let sorted = |texts: &[&str]| {
            let mut hashes: Vec<_> = texts.iter().map(|text| collation::hash(text)).collect();
            hashes.sort_unstable();
            hashes
        };
        let of = |list: HashList| {
            let mut hashes: Vec<_> = list.iter().collect();
            hashes.sort_unstable();
            hashes
        };
        assert_eq!(of(ahead.special), sorted(&["Bot é", "spider ü"]));
        assert_eq!(of(ahead.suspects), sorted(&["BOTTI"]));
    }
}
