//! User agents: which are robots, and which of them the list already knows.
//!
//! A line is dropped when its agent is in the list, and the robots of a file enter the list
//! before the first line of that file is judged. For an agent of ASCII text that fits the column
//! its own words decide at once; the few others (text beyond ASCII, or too long, so that its
//! stored beginning may equal another agent) are collected by a look ahead, see [`LookAhead`].

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use anyhow::{Context as _, Result, anyhow};
use hashbrown::HashTable;
use kit::{Lines, list};
use schema::collation::{self, Like};
use schema::text;
use xxhash_rust::xxh3::xxh3_64;

use crate::block::Form;
use crate::exclude::Exclude;
use crate::request;
use crate::robots::{HashList, Known, fits_the_column};

/// An agent that contains one of these, ASCII case ignored, is a robot.
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

/// The words that make a robot, and those that take it off the list again.
#[derive(Debug)]
pub(crate) struct Words {
    terms: AhoCorasick,
    spared: [Like; 2],
}

impl Words {
    pub(crate) fn new(more: bool) -> Result<Self> {
        let terms = TERMS.iter().chain(if more { &MORE_TERMS[..] } else { &[] });
        let terms = AhoCorasickBuilder::new().ascii_case_insensitive(true).build(terms);
        let terms = terms.map_err(|e| anyhow!("building the list of robot words: {e}"))?;
        Ok(Self { terms, spared: [Like::new("%searchtool%"), Like::new("% feed/%")] })
    }

    pub(crate) fn is_robot(&self, agent: &[u8]) -> bool {
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

/// What must be known of the agents of a file before its first line is judged: hashes of what the
/// collation makes of them. Agents that the list never keeps are left out.
#[derive(Debug, Default)]
pub(crate) struct LookAhead {
    /// Stored texts of robots whose own words do not settle every comparison.
    pub(crate) special: HashList,
    /// Agents that are no robots by their own words but equal an ASCII robot, if it occurs.
    pub(crate) suspects: HashList,
}

impl LookAhead {
    /// Whether an agent of this kind can matter.
    pub(crate) fn concerns(agent: &[u8]) -> bool {
        agent.len() > text::TINYTEXT || !agent.is_ascii()
    }

    /// Notes an agent for which [`LookAhead::concerns`] holds.
    pub(crate) fn note(&mut self, agent: &[u8], words: &Words) {
        if words.is_robot(agent) {
            let stored = stored(agent);
            if !words.is_spared(&stored) {
                self.special.insert(collation::hash(&stored));
            }
        } else if let Ok(agent) = std::str::from_utf8(agent)
            && fits_the_column(agent)
        {
            let folded = collation::fold(agent);
            if folded.is_ascii() && words.is_robot(folded.as_bytes()) && !words.is_spared(&folded) {
                self.suspects.insert(collation::hash(&folded));
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.special.extend(other.special.iter());
        self.suspects.extend(other.suspects.iter());
    }
}

/// What is asked of every agent.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) words: Words,
    pub(crate) exclude: Arc<Exclude>,
    /// Compare byte by byte with the list as it was before the file.
    pub(crate) exact: bool,
    /// What the rows of the run are made as.
    pub(crate) form: Form,
}

/// An agent as judged, with its stored text.
#[derive(Debug)]
pub(crate) struct Agent {
    bytes: Box<[u8]>,
    /// A robot by its own words.
    pub(crate) is_robot: bool,
    /// In the exclude list.
    pub(crate) is_excluded: bool,
    /// In the list of robots.
    pub(crate) is_known: bool,
    /// An Internet Explorer that only robots use.
    pub(crate) is_old_explorer: bool,
    /// The stored text: a JSON string, or as it is for a table.
    pub(crate) text: Box<[u8]>,
    /// The block that saw it last.
    block: u64,
}

impl Judge {
    fn judge(&self, agent: &[u8], known: &Known) -> Agent {
        let named = !matches!(agent, b"" | b"0");
        let is_robot = named && self.words.is_robot(agent);
        let stored = stored(agent);
        let text = match self.form {
            Form::Rows => stored.into_bytes(),
            Form::Records => {
                let mut json = Vec::with_capacity(stored.len() + 16);
                schema::json::push_str(&mut json, &stored);
                json
            }
        };
        Agent {
            is_robot,
            is_excluded: self.exclude.agent(agent),
            is_known: agent != b"-" && !agent.is_empty() && self.is_known(agent, is_robot, known),
            is_old_explorer: !matches!(agent, b"" | b"-") && request::is_old_explorer(agent),
            text: text.into(),
            bytes: agent.into(),
            block: 0,
        }
    }

    fn is_known(&self, agent: &[u8], is_robot: bool, known: &Known) -> bool {
        // bytes that are no text equal nothing
        let Ok(agent) = std::str::from_utf8(agent) else { return false };
        if self.exact {
            return known.has_exactly(agent);
        }
        if agent == "0" {
            return false;
        }
        let trimmed = agent.trim_end_matches(' ');
        if is_robot && trimmed.len() <= text::TINYTEXT && agent.is_ascii() && !self.words.is_spared(agent) {
            return true;
        }
        known.has_like(agent)
    }
}

/// How many bytes of agents a thread remembers.
const CACHE_BYTES: usize = 4 << 20;

/// The agents that one thread has judged.
#[derive(Default)]
struct Cache {
    version: u64,
    bytes: usize,
    agents: HashTable<Agent>,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// Judges agents for one block, remembering them for the next one of the same thread.
pub(crate) struct Agents<'a> {
    judge: &'a Judge,
    known: &'a Known,
    block: u64,
    cache: std::cell::RefMut<'a, Cache>,
}

/// Gives `work` the thread's judged agents. `block` is a number of its own above zero.
pub(crate) fn with_agents<T>(judge: &Judge, known: &Known, block: u64, work: impl FnOnce(&mut Agents<'_>) -> T) -> T {
    CACHE.with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.version != known.version || cache.bytes > CACHE_BYTES {
            *cache = Cache { version: known.version, ..Cache::default() };
        }
        work(&mut Agents { judge, known, block, cache })
    })
}

impl Agents<'_> {
    /// The agent as judged, and whether this block sees it for the first time.
    pub(crate) fn get(&mut self, agent: &[u8]) -> (&Agent, bool) {
        let hash = xxh3_64(agent);
        let Cache { agents, bytes, .. } = &mut *self.cache;
        let entry = agents.entry(hash, |known| &*known.bytes == agent, |known| xxh3_64(&known.bytes));
        let found = entry
            .or_insert_with(|| {
                *bytes += 2 * agent.len() + size_of::<Agent>();
                self.judge.judge(agent, self.known)
            })
            .into_mut();
        let first = found.block != self.block;
        found.block = self.block;
        (found, first)
    }
}

/// Hands the stored texts of a list of robots to `each`: one agent a line, or CSV or NDJSON records
/// of kind `bot`.
///
/// # Errors
/// The file cannot be read, or a record in it is none.
pub(crate) fn read_bots(path: &Path, mut each: impl FnMut(&str)) -> Result<()> {
    let reading = || format!("reading the list of robots {}", path.display());
    let mut rest = BufReader::new(kit::open(path)?);
    let mut head = Vec::new();
    rest.by_ref().take(MAX_HEAD).read_until(b'\n', &mut head).with_context(reading)?;
    let first = head.trim_ascii().to_vec();
    let whole = Cursor::new(head).chain(rest);
    if first == b"useragent" || first.starts_with(b"kind,useragent") {
        return bots_of_csv(whole, each).with_context(reading);
    }
    let is_json = first.first() == Some(&b'{');
    let mut lines = Lines::new(whole);
    while let Some(line) = lines.next_line().with_context(reading)? {
        if !is_json {
            let text = line.text.strip_suffix(b"\r").unwrap_or(line.text);
            if !text.is_empty() {
                each(&stored(text));
            }
        } else if !line.text.trim_ascii().is_empty() {
            let bot = serde_json::from_slice::<Bot>(line.text).with_context(reading)?;
            bot.useragent.iter().for_each(|agent| each(&stored(agent.as_bytes())));
        }
    }
    Ok(())
}

/// Where the header of a list is looked for, in bytes.
const MAX_HEAD: u64 = 64 << 10;

#[derive(serde::Deserialize)]
struct Bot {
    useragent: Option<String>,
}

fn bots_of_csv(list: impl Read, mut each: impl FnMut(&str)) -> Result<()> {
    list::read(list, &["useragent"], &[], |row| {
        if let Some(cell) = row.get(0) {
            let agent = cell.strip_prefix("\\\\").map_or(Cow::Borrowed(cell), |rest| format!("\\{rest}").into());
            each(&stored(agent.as_bytes()));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(exact: bool) -> Judge {
        Judge { words: Words::new(false).unwrap(), exclude: Arc::default(), exact, form: Form::Records }
    }

    fn is_known(agent: &[u8], list: &[&str]) -> bool {
        let mut known = Known::new(false);
        list.iter().for_each(|bot| known.insert(bot, &judge(false).words));
        judge(false).judge(agent, &known).is_known
    }

    #[test]
    fn own_words_decide() {
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
        let mut known = Known::new(true);
        known.insert("Evil/1", &judge(true).words);
        assert!(judge(true).judge(b"Evil/1", &known).is_known);
        assert!(!judge(true).judge(b"evil/1", &known).is_known);
        assert!(!judge(true).judge(b"newbot", &known).is_known);
    }

    #[test]
    fn what_to_look_ahead_for() {
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
