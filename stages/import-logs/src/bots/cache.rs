//! The agents that a thread has judged: most lines repeat an agent seen before.

use std::cell::RefCell;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::list::BotList;
use super::{Agent, Judge};

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

/// Judges agents for one block, and remembers them for the next block of the same thread.
pub(crate) struct Agents<'a> {
    judge: &'a Judge,
    known: &'a BotList,
    block: u64,
    cache: std::cell::RefMut<'a, Cache>,
}

/// Gives `work` the thread's judged agents. `block` is the block's own number, above zero.
pub(crate) fn with_agents<T>(judge: &Judge, known: &BotList, block: u64, work: impl FnOnce(&mut Agents<'_>) -> T) -> T {
    CACHE.with(|cache| {
        let mut cache = cache.borrow_mut();
        if cache.version != known.version || cache.bytes > CACHE_BYTES {
            *cache = Cache { version: known.version, ..Cache::default() };
        }
        work(&mut Agents { judge, known, block, cache })
    })
}

impl Agents<'_> {
    /// The judged agent, and whether this block sees it for the first time.
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
