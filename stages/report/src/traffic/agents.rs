//! Browsers and systems from user agents, and the names of bots.
//!
//! By `woothee`: its lists are compiled in (no file to install, nothing to keep up to date on a hub), it knows
//! browsers, systems and the large crawlers, needs only `regex`, and is fast enough (2 µs for an
//! agent, and each is parsed once). `uaparser` reads a file of a thousand regular expressions at run time and takes
//! a hundred times as long. What users say of it: its names lag behind the youngest browsers, which appear under the
//! name of their engine (Chrome), so only families are shown, no versions of browsers. Windows 11 calls itself 10.

use rustc_hash::FxHashMap;
use woothee::parser::Parser;
use woothee::woothee::VALUE_UNKNOWN;
use xxhash_rust::xxh3::xxh3_64;

use super::count::{Counts, MAX_KEYS};
use super::visitor::Visitor;

/// Requests by browser and system.
#[derive(Default)]
pub(super) struct Agents {
    /// The keys of the browser and the system of an agent, by the key of the agent.
    parsed: FxHashMap<u64, (u64, u64)>,
    names: FxHashMap<u64, Box<str>>,
    pub(super) browsers: Counts,
    pub(super) systems: Counts,
}

/// The name of a browser or system that is not known.
pub(super) const OTHER: &str = "";

impl Agents {
    /// Counts an agent, by its hash; `text` is asked when it was not parsed yet.
    pub(super) fn add(&mut self, key: u64, visitor: Visitor, text: impl FnOnce() -> String) {
        let known = self.parsed.get(&key).copied();
        let (browser, system) = known.unwrap_or_else(|| self.parse(key, &text()));
        let name = |key: u64| self.names.get(&key).map_or(OTHER, |name| name).to_owned();
        self.browsers.add(browser, visitor, || name(browser));
        self.systems.add(system, visitor, || name(system));
    }

    fn parse(&mut self, key: u64, agent: &str) -> (u64, u64) {
        if self.parsed.len() >= MAX_KEYS {
            self.parsed.clear();
        }
        let found = Parser::new().parse(agent).unwrap_or_default();
        let keys = (self.key(found.name), self.key(found.os));
        self.parsed.insert(key, keys);
        keys
    }

    fn key(&mut self, name: &str) -> u64 {
        let name = if name == VALUE_UNKNOWN { OTHER } else { name };
        let key = xxh3_64(name.as_bytes());
        self.names.entry(key).or_insert_with(|| name.into());
        key
    }
}

/// A system as people call it.
pub(super) fn system_name(name: &str) -> String {
    match name {
        "Mac OSX" => "macOS",
        // which calls itself so, too
        "Windows 10" => "Windows 10 or 11",
        _ => name,
    }
    .to_owned()
}

/// The crawler that an agent is; `None` for one that the lists do not have.
pub(super) fn crawler(agent: &str) -> Option<String> {
    let parser = Parser::new();
    let found = parser.parse(agent).filter(|found| found.category == "crawler" && found.name != VALUE_UNKNOWN)?;
    let is_guess = found.name.contains("misc");
    (!is_guess).then(|| found.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_systems_have_names() {
        for (agent, browser, system) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
                "Chrome",
                "Windows 10",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
                "Edge",
                "Windows 10",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox", "Linux"),
            ("", OTHER, OTHER),
            ("\u{202e}<script>", OTHER, OTHER),
        ] {
            let mut agents = Agents::default();
            for _ in 0..2 {
                agents.add(1, Visitor::default(), || agent.to_owned());
            }
            let of =
                |counts: &Counts| counts.sorted().iter().map(|e| (e.name.to_string(), e.count)).collect::<Vec<_>>();
            assert_eq!(of(&agents.browsers), [(browser.to_owned(), 2)], "{agent}");
            assert_eq!(of(&agents.systems), [(system.to_owned(), 2)], "{agent}");
        }
    }

    #[test]
    fn crawlers_have_names_only_where_the_lists_know_them() {
        let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        assert_eq!(crawler(google).as_deref(), Some("Googlebot"));
        assert_eq!(crawler("JaneDoe-bot/1.0"), None);
        assert_eq!(crawler("curl/8.0"), None);
    }
}
