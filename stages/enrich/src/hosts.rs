//! Host names by address text: from a table, from the cache of earlier runs, or from name servers,
//! each distinct address once.
//!
//! The caller gets a slot for each address and checks later whether its name has arrived. Keeps
//! every distinct address of the run with its name, about 100 bytes each.

use std::collections::hash_map::Entry;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use kit::door::named;
use kit::list;
use rustc_hash::FxHashMap;
use schema::{address, text};

use crate::dns::{Answer, Resolver, Settings, UNKNOWN};
use crate::dnscache::Cache;

/// How often the cache is written during a run.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// The current or future name of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u32);

enum State {
    Waiting,
    Unknown,
    Known(Box<str>),
}

/// Where names come from, and the names known so far.
pub struct Hosts {
    table: Option<FxHashMap<Box<str>, Box<str>>>,
    servers: Option<Settings>,
    resolver: Option<Resolver>,
    cache: Option<(Cache, PathBuf)>,
    saved: Instant,
    slots: FxHashMap<Box<str>, Slot>,
    states: Vec<State>,
    /// Slots by address text; two texts may be the same address.
    waiting: FxHashMap<IpAddr, Vec<Slot>>,
    n_failed: u64,
    n_answered: u64,
}

impl Hosts {
    /// Nothing known and nobody to ask: every name is `?`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: None,
            servers: None,
            resolver: None,
            cache: None,
            saved: Instant::now(),
            slots: FxHashMap::default(),
            states: Vec::new(),
            waiting: FxHashMap::default(),
            n_failed: 0,
            n_answered: 0,
        }
    }

    /// Addresses in this table have the name it gives, `?` if it gives none.
    #[must_use]
    pub fn with_table(mut self, table: FxHashMap<Box<str>, Box<str>>) -> Self {
        self.table = Some(table);
        self
    }

    /// Addresses that are not in a table are looked up at name servers.
    #[must_use]
    pub fn with_servers(mut self, settings: Settings) -> Self {
        self.servers = Some(settings);
        self
    }

    /// Keeps answers in this file; returns how many damaged lines it has.
    ///
    /// # Errors
    /// The file exists but cannot be read.
    pub fn with_cache(mut self, path: &Path) -> Result<(Self, usize)> {
        let Some(settings) = &self.servers else { return Ok((self, 0)) };
        let cache = Cache::load(path, settings.rule, now())?;
        let n_bad = cache.n_bad();
        self.cache = Some((cache, path.to_owned()));
        Ok((self, n_bad))
    }

    /// The slot of an address; starts its lookup if needed.
    ///
    /// # Errors
    /// The resolver cannot be started.
    pub fn slot(&mut self, ip: &str) -> Result<Slot> {
        if let Some(&slot) = self.slots.get(ip) {
            return Ok(slot);
        }
        let slot = Slot(u32::try_from(self.states.len()).context("too many addresses")?);
        let state = self.begin(ip, slot)?;
        self.slots.insert(ip.into(), slot);
        self.states.push(state);
        Ok(slot)
    }

    fn begin(&mut self, text: &str, slot: Slot) -> Result<State> {
        if let Some(name) = self.table.as_ref().and_then(|table| table.get(&*address::canonical(text))) {
            return Ok(if name.is_empty() { State::Unknown } else { State::Known(name.clone()) });
        }
        // text that is not an address has no reverse name
        let (Some(settings), Some(ip)) = (&self.servers, address::parse(text)) else { return Ok(State::Unknown) };
        if let Some(answer) = self.cache.as_ref().and_then(|(cache, _)| cache.get(ip)) {
            return Ok(state(answer.clone()));
        }
        match self.waiting.entry(ip) {
            Entry::Occupied(mut found) => found.get_mut().push(slot),
            Entry::Vacant(free) => {
                let resolver = match &mut self.resolver {
                    Some(resolver) => resolver,
                    none => none.insert(Resolver::start(settings)?),
                };
                resolver.ask(ip)?;
                free.insert(vec![slot]);
            }
        }
        Ok(State::Waiting)
    }

    /// The name in a slot, `?` for none; `None` while the lookup is in progress.
    #[must_use]
    pub fn name(&self, slot: Slot) -> Option<&str> {
        match self.states.get(slot.0 as usize) {
            Some(State::Known(name)) => Some(name),
            Some(State::Waiting) => None,
            Some(State::Unknown) | None => Some(UNKNOWN),
        }
    }

    /// Stores the answers that have arrived.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn poll(&mut self) -> Result<()> {
        while let Some((ip, answer)) = self.resolver.as_mut().and_then(Resolver::try_answer) {
            self.take(ip, answer);
        }
        if self.cache.is_some() && self.saved.elapsed() > SAVE_EVERY {
            self.save()?;
        }
        Ok(())
    }

    /// Waits for an answer, and stores all that have arrived.
    ///
    /// # Errors
    /// The resolver has stopped, or the cache cannot be written.
    pub fn wait(&mut self) -> Result<()> {
        let Some(resolver) = &mut self.resolver else { bail!("no lookup is in progress") };
        match resolver.wait()? {
            Some((ip, answer)) => self.take(ip, answer),
            None => bail!("no lookup is in progress"),
        }
        self.poll()
    }

    fn take(&mut self, ip: IpAddr, answer: Answer) {
        self.n_failed += u64::from(answer == Answer::Failed);
        self.n_answered += u64::from(answer != Answer::Failed);
        for slot in self.waiting.remove(&ip).unwrap_or_default() {
            if let Some(place) = self.states.get_mut(slot.0 as usize) {
                *place = state(answer.clone());
            }
        }
        if let Some((cache, _)) = &mut self.cache {
            cache.put(ip, answer, now());
        }
    }

    /// How many lookups got no answer from any server; they become `?`, like addresses without a
    /// name.
    #[must_use]
    pub const fn n_failed(&self) -> u64 {
        self.n_failed
    }

    /// How many lookups were answered, also those of addresses without a name.
    #[must_use]
    pub const fn n_answered(&self) -> u64 {
        self.n_answered
    }

    /// How many distinct addresses were requested.
    #[must_use]
    pub const fn n_addresses(&self) -> usize {
        self.states.len()
    }

    /// Writes the cache.
    ///
    /// # Errors
    /// It cannot be written; the old one is then unchanged.
    pub fn save(&mut self) -> Result<()> {
        self.saved = Instant::now();
        match &mut self.cache {
            Some((cache, path)) => cache.save(path),
            None => Ok(()),
        }
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self::new()
    }
}

fn state(answer: Answer) -> State {
    match answer {
        Answer::Name(name) => State::Known(name),
        Answer::NoName | Answer::Failed => State::Unknown,
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Reads a table of names: CSV with at least the columns `ip` and `host`, in any order. The first
/// row for an address counts.
///
/// # Errors
/// The columns are missing, or the file cannot be read.
pub fn table(reader: impl Read) -> Result<FxHashMap<Box<str>, Box<str>>> {
    let mut table = FxHashMap::default();
    list::read(reader, &["ip", "host"], &[], |row| {
        let (Some(ip), Some(host)) = (row.get(0), row.get(1)) else {
            bail!("line {} lacks `ip` or `host`", row.line);
        };
        let host = text::storable(host.as_bytes());
        table.entry((*address::canonical(ip)).into()).or_insert_with(|| text::cut_bytes(&host, text::TINYTEXT).into());
        Ok(())
    })?;
    Ok(table)
}

/// Reads a table of names from a file.
///
/// # Errors
/// The file cannot be read, or is not such a table.
pub fn read_table(path: &Path) -> Result<FxHashMap<Box<str>, Box<str>>> {
    let read = || table(named::open(path)?);
    read().with_context(|| format!("reading the table {}", path.display()))
}

impl Drop for Hosts {
    /// Adds what became of the lookups to the figures of the run.
    fn drop(&mut self) {
        kit::measure::count("dns.answered", self.n_answered);
        kit::measure::count("dns.failed", self.n_failed);
        kit::measure::count("dns.pending", self.waiting.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_answers_without_a_server() {
        let csv = "host,note,ip\na.b,x,1.1.1.1\n,y,1.1.1.2\nsecond,z,1.1.1.1\nsix,,2001:DB8::0:1\n";
        let mut hosts = Hosts::new().with_table(table(csv.as_bytes()).unwrap());
        for (ip, expected) in [
            ("1.1.1.1", "a.b"),
            ("1.1.1.2", "?"),
            ("1.1.1.3", "?"),
            ("nonsense", "?"),
            ("", "?"),
            ("2001:db8::1", "six"),
            ("::ffff:1.1.1.1", "a.b"),
        ] {
            let slot = hosts.slot(ip).unwrap();
            assert_eq!(hosts.name(slot), Some(expected), "{ip}");
            assert_eq!(hosts.slot(ip).unwrap(), slot);
        }
        assert_eq!(hosts.n_addresses(), 7);
        assert!(hosts.wait().is_err());
    }

    #[test]
    fn a_table_needs_its_columns() {
        assert!(table(&b"a,b\n"[..]).is_err());
        assert!(table(&b""[..]).is_err());
        assert!(table(&b"ip,host\n1.1.1.1\n"[..]).is_err());
    }
}
