//! The answers of name servers, kept in a file between runs.
//!
//! One line per address: what was answered, and when. Names are kept for a long time, "no name" for
//! a shorter one, and a server that did not answer is soon asked again. A damaged line is ignored;
//! the file is written as a whole or not at all. The caller provides the current time.

use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use kit::door::named;
use rustc_hash::FxHashMap;
use schema::text;

use crate::dns::{Answer, NameRule};

/// How long a name is valid, in seconds.
pub const NAME_SECS: u64 = 30 * 86_400;
/// How long "there is no name" is valid, in seconds.
pub const NO_NAME_SECS: u64 = 7 * 86_400;
/// How long "no server answered" is valid, in seconds.
pub const FAILED_SECS: u64 = 3600;

/// How much the clocks of machines that share a file may differ.
const SKEW_SECS: u64 = 3600;

const fn lifetime(answer: &Answer) -> u64 {
    match answer {
        Answer::Name(_) => NAME_SECS,
        Answer::NoName => NO_NAME_SECS,
        Answer::Failed => FAILED_SECS,
    }
}

fn header(rule: NameRule) -> &'static str {
    match rule {
        NameRule::Legacy => "hzmetrics names 1 legacy",
        NameRule::Port => "hzmetrics names 1 port",
        NameRule::PortAsIs => "hzmetrics names 1 port, as is",
    }
}

/// Answers by address, each with the second of its arrival.
pub struct Cache {
    rule: NameRule,
    answers: FxHashMap<IpAddr, (Answer, u64)>,
    changed: bool,
    n_bad: usize,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(rule: NameRule) -> Self {
        Self { rule, answers: FxHashMap::default(), changed: false, n_bad: 0 }
    }

    /// Reads a file; a missing file is an empty cache, and so is a file whose names were extracted
    /// by another rule.
    ///
    /// # Errors
    /// The file exists but cannot be read.
    pub fn load(path: &Path, rule: NameRule, now: u64) -> Result<Self> {
        let mut cache = Self::new(rule);
        // a device or a FIFO stores nothing, and opening it might wait for a writer
        if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
            cache.changed = true;
            return Ok(cache);
        }
        let file = match named::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(cache),
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        };
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        let mut first = true;
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).with_context(|| format!("reading {}", path.display()))? == 0 {
                break;
            }
            let whole = line.pop() == Some(b'\n');
            if std::mem::take(&mut first) {
                if line != header(rule).as_bytes() {
                    cache.n_bad += usize::from(!line.starts_with(b"hzmetrics names 1 "));
                    cache.changed = true;
                    break;
                }
                continue;
            }
            match parse(&line).filter(|_| whole) {
                Some((ip, answer, at)) if at <= now.saturating_add(SKEW_SECS) => {
                    if now < at.saturating_add(lifetime(&answer)) {
                        cache.answers.insert(ip, (answer, at));
                    } else {
                        cache.changed = true;
                    }
                }
                _ => {
                    cache.n_bad += 1;
                    cache.changed = true;
                }
            }
        }
        Ok(cache)
    }

    /// Reads a file whatever the rule of its names, and leaves out answers that are older than `age` seconds or no longer
    /// valid; says how many were in the file that are left out. `None` if the file does not exist or holds something else.
    ///
    /// # Errors
    /// The file exists but cannot be read.
    pub fn load_and_forget(path: &Path, now: u64, age: u64) -> Result<Option<(Self, usize)>> {
        let text = match named::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        };
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let rules = [NameRule::Legacy, NameRule::Port, NameRule::PortAsIs];
        let Some(rule) = rules.into_iter().find(|rule| header(*rule).as_bytes() == first) else { return Ok(None) };
        let n_before = text.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty()).count();
        let mut cache = Self::load(path, rule, now)?;
        cache.answers.retain(|_, (_, at)| now < at.saturating_add(age));
        let n = n_before.saturating_sub(cache.answers.len());
        cache.changed |= n > 0;
        Ok(Some((cache, n)))
    }

    /// How many damaged lines the file had.
    #[must_use]
    pub const fn n_bad(&self) -> usize {
        self.n_bad
    }

    /// What is known about an address.
    #[must_use]
    pub fn get(&self, ip: IpAddr) -> Option<&Answer> {
        self.answers.get(&ip).map(|(answer, _)| answer)
    }

    /// Stores an answer that was given at `now`.
    pub fn put(&mut self, ip: IpAddr, answer: Answer, now: u64) {
        self.answers.insert(ip, (answer, now));
        self.changed = true;
    }

    /// Writes the file, if anything is new.
    ///
    /// # Errors
    /// The file cannot be written; the old one is then unchanged.
    pub fn save(&mut self, path: &Path) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        let mut sorted: Vec<_> = self.answers.iter().collect();
        sorted.sort_unstable_by_key(|(ip, _)| **ip);
        kit::named_file(path, |out| {
            writeln!(out, "{}", header(self.rule))?;
            for (ip, (answer, at)) in sorted {
                match answer {
                    Answer::Name(name) => writeln!(out, "{ip} {at} name {name}")?,
                    Answer::NoName => writeln!(out, "{ip} {at} none")?,
                    Answer::Failed => writeln!(out, "{ip} {at} failed")?,
                }
            }
            Ok(())
        })?;
        self.changed = false;
        Ok(())
    }
}

fn parse(line: &[u8]) -> Option<(IpAddr, Answer, u64)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let ip = words.next()?.parse().ok()?;
    let at = words.next()?.parse().ok()?;
    let answer = match (words.next()?, words.next()) {
        ("name", Some(name)) => {
            let good = !name.is_empty() && name.len() <= text::TINYTEXT && name.bytes().all(|b| b.is_ascii_graphic());
            Answer::Name(good.then_some(name)?.into())
        }
        ("none", None) => Answer::NoName,
        ("failed", None) => Answer::Failed,
        _ => return None,
    };
    words.next().is_none().then_some((ip, answer, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_kind_of_answer_has_its_own_lifetime() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("names");
        let mut cache = Cache::load(&path, NameRule::Legacy, NOW).unwrap();
        cache.put(ip("1.1.1.1"), Answer::Name("one.one".into()), NOW);
        cache.put(ip("1.1.1.2"), Answer::NoName, NOW);
        cache.put(ip("::1"), Answer::Failed, NOW);
        cache.save(&path).unwrap();
        let known = |after: u64| {
            let cache = Cache::load(&path, NameRule::Legacy, NOW + after).unwrap();
            assert_eq!(cache.n_bad(), 0);
            ["1.1.1.1", "1.1.1.2", "::1"].map(|text| cache.get(ip(text)).is_some())
        };
        assert_eq!(known(0), [true, true, true]);
        assert_eq!(known(FAILED_SECS), [true, true, false]);
        assert_eq!(known(NO_NAME_SECS), [true, false, false]);
        assert_eq!(known(NAME_SECS), [false, false, false]);
        let cache = Cache::load(&path, NameRule::Legacy, NOW).unwrap();
        assert_eq!(cache.get(ip("1.1.1.1")), Some(&Answer::Name("one.one".into())));
        assert!(Cache::load(&path, NameRule::Port, NOW).unwrap().get(ip("1.1.1.1")).is_none());
    }

    #[test]
    fn damaged_lines_are_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("names");
        let good = format!("1.1.1.1 {NOW} name a.b\n");
        let bad = [
            "",
            "x",
            "1.1.1.300 1 none",
            "1.1.1.4 x none",
            "1.1.1.5 1800000000 name",
            "1.1.1.6 1800000000 name a b",
            "1.1.1.7 1800000000 name \u{7f}",
            "1.1.1.8 1800000000 none x",
            "1.1.1.9 1900000000 none",
            "1.1.1.10 1800000000 name ",
        ];
        let mut bytes = format!("{}\n{good}{}\n", header(NameRule::Legacy), bad.join("\n")).into_bytes();
        bytes.extend_from_slice(b"\xff\xfe 1 none\n1.1.1.11 1800000000 no"); // and cut short
        std::fs::write(&path, bytes).unwrap();
        let mut cache = Cache::load(&path, NameRule::Legacy, NOW).unwrap();
        assert_eq!((cache.n_bad(), cache.answers.len()), (bad.len() + 2, 1));
        cache.save(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n{good}", header(NameRule::Legacy)));
    }

    #[test]
    fn another_file_is_not_a_cache() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("names");
        std::fs::write(&path, b"\x00\x01garbage").unwrap();
        let cache = Cache::load(&path, NameRule::Legacy, NOW).unwrap();
        assert_eq!((cache.n_bad(), cache.answers.len()), (1, 0));
        assert!(Cache::load(directory.path(), NameRule::Legacy, NOW).is_err());
    }
}
