//! The list of bots as hashes, and the texts of new ones.
//!
//! A text is represented by the 128-bit hash of its form under the column's collation. The texts
//! themselves are kept elsewhere where they are needed, see [`BotTexts`].

use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use schema::{collation, text};
use xxhash_rust::xxh3::xxh3_128;

use super::hashes::{HashList, Hashes};
use super::words::Words;

/// The agents in the list before a file, with what the look-ahead found in the file itself.
#[derive(Debug, Default, Clone)]
pub(crate) struct BotList {
    /// Differs between any two states, so that results derived from another state are not used.
    pub(crate) version: u64,
    /// By their form under the collation.
    folded: HashList,
    /// By their bytes, if they are compared byte by byte.
    exact: Option<HashList>,
    /// Those that the list will not keep but still holds: by collation and by bytes.
    spared: [Hashes; 2],
}

impl BotList {
    /// An empty list; `exact` if agents are compared byte by byte.
    pub(crate) fn new(exact: bool) -> Self {
        Self { exact: exact.then(HashList::default), ..Self::default() }
    }

    /// Invalidates what threads remember, even from an earlier try with the same list.
    pub(crate) fn renew(&mut self) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        self.version = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    }

    /// Adds an agent that the list holds, by its stored text. Agents that the list never keeps are
    /// left out, except in lists that are compared byte by byte: see [`BotList::remove_spared`].
    pub(crate) fn insert(&mut self, stored: &str, words: &Words) {
        if !words.is_spared(stored) {
            self.add(stored);
        } else if self.exact.is_some() && self.add(stored) {
            self.spared[0].insert(collation::hash(stored));
            self.spared[1].insert(xxh3_128(stored.as_bytes()));
        }
    }

    /// Adds a new agent by its stored text; `false` if the list has an equal one, or never keeps
    /// it.
    pub(crate) fn insert_new(&mut self, stored: &str, words: &Words) -> bool {
        !self.has_hash(collation::hash(stored)) && !words.is_spared(stored) && self.add(stored)
    }

    fn add(&mut self, stored: &str) -> bool {
        let new = self.insert_hash(collation::hash(stored));
        if let Some(exact) = self.exact.as_mut().filter(|_| new) {
            exact.insert(xxh3_128(stored.as_bytes()));
        }
        new
    }

    /// Adds an agent by the hash of its form under the collation.
    pub(crate) fn insert_hash(&mut self, key: u128) -> bool {
        let new = self.folded.insert(key);
        if new {
            self.renew();
        }
        new
    }

    /// Removes the agents that the list never keeps.
    pub(crate) fn remove_spared(&mut self) {
        let [folded, bytes] = std::mem::take(&mut self.spared);
        if folded.is_empty() {
            return;
        }
        self.folded.remove(&folded);
        if let Some(exact) = &mut self.exact {
            exact.remove(&bytes);
        }
        self.renew();
    }

    /// Whether the list has an agent with these bytes.
    pub(crate) fn has_exactly(&self, agent: &str) -> bool {
        self.exact.as_ref().is_some_and(|exact| exact.contains(xxh3_128(agent.as_bytes())))
    }

    /// Whether the list has an agent equal under the collation.
    pub(crate) fn has_like(&self, agent: &str) -> bool {
        !self.folded.is_empty() && fits_the_column(agent) && self.folded.contains(collation::hash(agent))
    }

    pub(crate) fn has_hash(&self, key: u128) -> bool {
        self.folded.contains(key)
    }
}

/// Whether an agent is short enough to equal a stored one; trailing blanks do not count.
pub(crate) fn fits_the_column(agent: &str) -> bool {
    let agent = agent.trim_end_matches(' ');
    agent.len() <= text::TINYTEXT || agent.chars().nth(text::TINYTEXT).is_none()
}

/// How many bytes of texts are kept in memory.
const HELD: usize = 4 << 20;

/// Texts in their order; on disk if there are many.
pub(crate) struct BotTexts(BufWriter<tempfile::SpooledTempFile>);

fn doing() -> &'static str {
    "keeping new bots in a temporary file"
}

impl Default for BotTexts {
    fn default() -> Self {
        Self(BufWriter::new(tempfile::spooled_tempfile(HELD)))
    }
}

impl BotTexts {
    /// Adds a text of at most 255 bytes.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn push(&mut self, stored: &str) -> Result<()> {
        let len = u8::try_from(stored.len()).with_context(doing)?;
        self.0.write_all(&[len]).and_then(|()| self.0.write_all(stored.as_bytes())).with_context(doing)
    }

    /// Passes on the texts and forgets them.
    ///
    /// # Errors
    /// The disk is full, or what `each` returned.
    pub(crate) fn take(&mut self, mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let writer = std::mem::take(self).0;
        let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error).with_context(doing)?;
        file.rewind().with_context(doing)?;
        let mut reader = BufReader::new(file);
        let (mut len, mut text) = ([0], [0; text::TINYTEXT]);
        while reader.read(&mut len).with_context(doing)? > 0 {
            let text = &mut text[..usize::from(len[0])];
            reader.read_exact(text).with_context(doing)?;
            each(std::str::from_utf8(text).with_context(doing)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_in_order_even_from_disk() {
        let mut texts = BotTexts::default();
        let long = "é".repeat(127);
        let n = HELD / long.len() + 100;
        for i in 0..n {
            texts.push(if i % 2 == 0 { &long } else { "" }).unwrap();
        }
        let mut seen = 0;
        let each = |text: &str| {
            assert_eq!(text, if seen % 2 == 0 { &long } else { "" });
            seen += 1;
            Ok(())
        };
        texts.take(each).unwrap();
        assert_eq!(seen, n);
        texts.take(|_| panic!("nothing is left")).unwrap();
    }

    #[test]
    fn an_agent_beyond_the_column_equals_nothing() {
        assert!(fits_the_column(&"é".repeat(255)) && !fits_the_column(&"é".repeat(256)));
        assert!(fits_the_column(&format!("x{}", " ".repeat(999))));
    }
}
