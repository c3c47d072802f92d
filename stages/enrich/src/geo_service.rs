//! The geo service: addresses in, places out, by HTTP.
//!
//! Two forms of question are known: one address a request, as the original scripts ask, and a
//! hundred at once, as the later port asks for countries. Nothing is kept here; see [`crate::geo_cache`].

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use ureq::Agent;
use ureq::config::RedirectAuthHeaders;

/// Where the original country step asks, whatever the configuration says.
pub const COUNTRY_URL: &str = "http://hubzero.org/ipinfo/v1";

/// The other doors of the service that the later port tries when the first does not answer.
const OTHER_URLS: [&str; 4] = [
    "https://help.hubzero.org/ipinfo/v1",
    "https://hubzero.org/ipinfo/v1",
    "http://help.hubzero.org/ipinfo/v1",
    "http://hubzero.org/ipinfo/v1",
];

/// Addresses in one request of the batch form, at most.
pub const BATCH: usize = 100;
/// Requests under way at a time.
const REQUESTS: usize = 10;
/// After so many requests in a row without an answer the service counts as down for this run.
const PATIENCE: u32 = 20;
/// How long the original scripts wait for an answer.
const LEGACY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the later port waits for each door.
pub const PORT_TIMEOUT: Duration = Duration::from_secs(5);
/// A longer answer is none of this service.
const MAX_ANSWER: u64 = 4 << 20;

/// Where an address is, as the service says it. `-` is its word for "not known".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Two-letter country code; may be empty.
    pub country: String,
    /// Name of the country.
    pub country_name: String,
    /// Region.
    pub region: String,
    /// City.
    pub city: String,
    /// Degrees north, as text.
    pub latitude: String,
    /// Degrees east, as text.
    pub longitude: String,
}

impl Place {
    /// The place of an address that nobody knows: every field `-`.
    #[must_use]
    pub fn unknown() -> Self {
        let dash = || "-".to_owned();
        Self {
            country: dash(),
            country_name: dash(),
            region: dash(),
            city: dash(),
            latitude: dash(),
            longitude: dash(),
        }
    }

    /// The six values, in the order of the table columns.
    #[must_use]
    pub fn values(&self) -> [&str; 6] {
        [&self.country, &self.country_name, &self.region, &self.city, &self.latitude, &self.longitude]
    }
}

/// What the service said of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This place.
    Found(Place),
    /// It knows nothing of the address.
    Unknown,
    /// It does not take our key.
    BadKey,
    /// No answer that can be understood, and why.
    Failed(String),
}

/// Whose manners are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// One door, a minute's patience, values as they are.
    Legacy,
    /// The other doors when one is closed, a few seconds for each; values trimmed, empty ones `-`.
    Port,
}

/// The service.
#[derive(Debug)]
pub struct GeoService {
    agent: Agent,
    urls: Vec<String>,
    key: String,
    manner: Manner,
    n_failed_in_a_row: AtomicU32,
}

impl GeoService {
    /// The service at `url`, asked with `key`; `timeout` instead of what the manner waits.
    #[must_use]
    pub fn new(url: &str, key: &str, manner: Manner, timeout: Option<Duration>) -> Self {
        let first = url.trim_end_matches('/');
        let others = OTHER_URLS.iter().filter(|other| manner == Manner::Port && **other != first);
        let urls = std::iter::once(&first).chain(others).map(|&url| url.to_owned()).collect();
        let usual = if manner == Manner::Port { PORT_TIMEOUT } else { LEGACY_TIMEOUT };
        let config = Agent::config_builder()
            .timeout_global(Some(timeout.unwrap_or(usual)))
            .user_agent("hzmetrics")
            .redirect_auth_headers(RedirectAuthHeaders::Never)
            .max_idle_connections_per_host(REQUESTS)
            .build();
        let key = in_a_query(key);
        Self { agent: config.into(), urls, key, manner, n_failed_in_a_row: AtomicU32::new(0) }
    }

    /// Asks for each address (as a number) on its own. The answers are in the order of the numbers.
    #[must_use]
    pub fn one_by_one(&self, numbers: &[u32]) -> Vec<Answer> {
        at_a_time(numbers, |&n| self.one(n))
    }

    /// Asks for a hundred addresses at once. The answers are in the order of the numbers.
    #[must_use]
    pub fn in_batches(&self, numbers: &[u32]) -> Vec<Answer> {
        let batches: Vec<&[u32]> = numbers.chunks(BATCH).collect();
        at_a_time(&batches, |batch| self.batch(batch)).into_iter().flatten().collect()
    }

    fn one(&self, number: u32) -> Answer {
        let reply = match self.ask(&format!("n_ip={number}")) {
            Ok(reply) => reply,
            Err(error) => return Answer::Failed(format!("{error:#}")),
        };
        let first = reply.sets.first().filter(|set| set.number() == Some(number));
        match (self.trimmed(reply.status()), first) {
            ("_SUCCESS_", Some(set)) => Answer::Found(self.place(set)),
            (BAD_KEY, _) => Answer::BadKey,
            _ => Answer::Unknown,
        }
    }

    fn batch(&self, numbers: &[u32]) -> Vec<Answer> {
        let list: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let reply = match self.ask(&format!("n_ips={}", list.join(","))) {
            Ok(reply) => reply,
            Err(error) => return vec![Answer::Failed(format!("{error:#}")); numbers.len()],
        };
        if self.trimmed(reply.status()) == BAD_KEY {
            return vec![Answer::BadKey; numbers.len()];
        }
        // of two sets for one address the last counts
        let found: HashMap<u32, &IpSet> = reply
            .sets
            .iter()
            .filter(|set| set.get("status").trim() == "_SUCCESS_")
            .filter_map(|set| Some((set.number()?, set)))
            .collect();
        let answer = |n: &u32| found.get(n).map_or(Answer::Unknown, |set| Answer::Found(self.place(set)));
        numbers.iter().map(answer).collect()
    }

    fn trimmed<'t>(&self, text: &'t str) -> &'t str {
        if self.manner == Manner::Port { text.trim() } else { text }
    }

    fn place(&self, set: &IpSet) -> Place {
        let value = |name: &str| {
            let value = self.trimmed(set.get(name));
            if self.manner == Manner::Port && value.is_empty() { "-".to_owned() } else { value.to_owned() }
        };
        Place {
            country: value("countryCode"),
            country_name: value("countryName"),
            region: value("region"),
            city: value("city"),
            latitude: value("lat"),
            longitude: value("long"),
        }
    }

    /// One question, at each door until one answers.
    fn ask(&self, question: &str) -> Result<Reply> {
        if self.n_failed_in_a_row.load(Ordering::Relaxed) >= PATIENCE {
            bail!("the geo service at {} does not answer", self.urls[0]);
        }
        let mut first_error = None;
        for url in &self.urls {
            match self.ask_at(url, question) {
                Ok(reply) => {
                    self.n_failed_in_a_row.store(0, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        self.n_failed_in_a_row.fetch_add(1, Ordering::Relaxed);
        Err(first_error.unwrap_or_else(|| anyhow!("no geo service")))
    }

    fn ask_at(&self, url: &str, question: &str) -> Result<Reply> {
        let asking = || format!("asking the geo service at {url}");
        let full = format!("{url}/?&hub_key={}&{question}", self.key);
        // the key stays out of messages
        let hidden = |error: String| anyhow!(error.replace(&self.key, "…"));
        let response = self.agent.get(&full).call().map_err(|e| hidden(e.to_string())).with_context(asking)?;
        let mut body = Vec::new();
        let mut reader = response.into_body().into_reader().take(MAX_ANSWER + 1);
        reader.read_to_end(&mut body).with_context(asking)?;
        if body.len() as u64 > MAX_ANSWER {
            return Err(anyhow!("the answer is too long")).with_context(asking);
        }
        let text = match self.manner {
            Manner::Legacy => String::from_utf8(body).context("the answer is not UTF-8").with_context(asking)?,
            Manner::Port => String::from_utf8_lossy(&body).into_owned(),
        };
        Reply::parse(&text).with_context(asking)
    }
}

const BAD_KEY: &str = "_INVALID_KEY_OR_KEY-HUB_HOSTNAME_MISMATCH_";

/// Does `work` for each item, some at a time; results in the order of the items.
fn at_a_time<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..REQUESTS.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Escapes what cannot stand in the query of a URL.
fn in_a_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

/// One `ipset` of an answer: the text of its elements.
#[derive(Debug, Default)]
struct IpSet(HashMap<String, String>);

impl IpSet {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self) -> Option<u32> {
        self.get("n_ip").trim().parse().ok()
    }
}

/// An answer: a root element with a status and sets.
#[derive(Debug, Default)]
struct Reply {
    status: Option<String>,
    sets: Vec<IpSet>,
}

impl Reply {
    fn status(&self) -> &str {
        self.status.as_deref().unwrap_or_default()
    }

    /// Reads an answer. Of elements of one name the first counts; text inside deeper elements does not.
    fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader::from_str(text);
        let mut reply = Self::default();
        let mut path: Vec<String> = Vec::new();
        let mut value = String::new();
        let mut has_root = false;
        loop {
            let event = reader.read_event().context("the answer is no XML")?;
            if let Event::Start(tag) | Event::Empty(tag) = &event {
                if path.is_empty() && std::mem::replace(&mut has_root, true) {
                    bail!("the answer is no XML: more than one root");
                }
                path.push(tag.name().as_ref().to_owned());
                if reply.is_field(&path) {
                    value.clear();
                } else if path.len() == 2 && path[1] == "ipset" {
                    reply.sets.push(IpSet::default());
                }
            }
            match event {
                Event::Start(_) => {}
                Event::Text(text) if path.is_empty() && !text.xml10_content().trim().is_empty() => {
                    bail!("the answer is no XML: text outside the root");
                }
                Event::Text(text) if reply.is_field(&path) => value.push_str(&text.xml10_content()),
                Event::CData(text) if reply.is_field(&path) => value.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().context("the answer is no XML")?;
                    let text = match (character, resolve_predefined_entity(&reference)) {
                        (Some(c), _) => c.to_string(),
                        (None, Some(text)) => text.to_owned(),
                        (None, None) => bail!("the answer is no XML: an unknown entity"),
                    };
                    if reply.is_field(&path) {
                        value.push_str(&text);
                    }
                }
                Event::End(_) | Event::Empty(_) => {
                    if reply.is_field(&path) {
                        reply.take(&path, std::mem::take(&mut value));
                    }
                    path.pop();
                }
                Event::Eof if has_root && path.is_empty() => return Ok(reply),
                Event::Eof => bail!("the answer is no XML: it ends early"),
                _ => {}
            }
        }
    }

    /// Whether the element at `path` holds a value that is wanted.
    fn is_field(&self, path: &[String]) -> bool {
        match path {
            [_, name] => name == "status" && self.status.is_none(),
            [_, set, name] => set == "ipset" && self.sets.last().is_some_and(|set| !set.0.contains_key(name)),
            _ => false,
        }
    }

    fn take(&mut self, path: &[String], value: String) {
        match (path, self.sets.last_mut()) {
            ([_, _], _) => self.status = Some(value),
            ([_, _, name], Some(set)) => drop(set.0.insert(name.clone(), value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fixtures::geo::GeoServer;

    fn place(country: &str, latitude: &str) -> Place {
        Place { country: country.to_owned(), latitude: latitude.to_owned(), ..Place::default() }
    }

    fn parse(text: &str) -> Reply {
        Reply::parse(text).unwrap()
    }

    #[test]
    fn answers_are_read_as_they_are() {
        let reply = parse(
            "<?xml version='1.0'?>\n<ipinfo><!-- x --><status>_SUCCESS_</status><status>no</status><ipset>\n\
             <n_ip> 16843009 </n_ip><city>A &amp; B<x>not</x>&#233;<![CDATA[<c>]]></city><city>no</city><region/>\n\
             </ipset><ipset><n_ip>2</n_ip></ipset></ipinfo>\n",
        );
        assert_eq!((reply.status(), reply.sets.len()), ("_SUCCESS_", 2));
        assert_eq!((reply.sets[0].number(), reply.sets[1].number()), (Some(16_843_009), Some(2)));
        assert_eq!((reply.sets[0].get("city"), reply.sets[0].get("region")), ("A & Bé<c>", ""));
        assert_eq!(parse("<x/>").status(), "");
        assert_eq!(parse("<x><status/><status>late</status></x>").status(), "");
        assert_eq!(parse("<x><ipset><status>inner</status></ipset></x>").status(), "");
    }

    #[test]
    fn what_is_no_xml_is_no_answer() {
        for text in ["", "words", "<a>", "<a></b>", "<a/><b/>", "<a/>tail", "<a>&nbsp;</a>", "<a>&#xD800;</a>", "\0"] {
            assert!(Reply::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn one_address_a_request() {
        let server = GeoServer::start(|n| match n {
            1 => GeoServer::place(1, ["US", "United States", " Indiana", "West Lafayette", "40.4", "-86.9"]),
            2 => GeoServer::status("_NO_IP_GEO_DATA_FOUND_"),
            3 => GeoServer::status(BAD_KEY),
            4 => Some("<html><body>busy".to_owned()),
            5 => None,
            6 => GeoServer::place(7, ["DE", "", "", "", "1", "2"]),
            7 => GeoServer::place(7, ["", "", "", "", "1", "2"]),
            _ => GeoServer::place(n, ["XX", "-", "-", "-", "-", "-"]),
        });
        let ask = |manner| GeoService::new(&server.url(), "k&y", manner, None).one_by_one(&[1, 2, 3, 4, 5, 6, 7]);
        let legacy = ask(Manner::Legacy);
        let Answer::Found(found) = &legacy[0] else { panic!("{legacy:?}") };
        assert_eq!(found.values(), ["US", "United States", " Indiana", "West Lafayette", "40.4", "-86.9"]);
        assert_eq!(legacy[1..3], [Answer::Unknown, Answer::BadKey]);
        assert!(matches!(&legacy[3], Answer::Failed(why) if why.contains("no XML")), "{legacy:?}");
        assert!(matches!(&legacy[4], Answer::Failed(why) if why.contains("404")), "{legacy:?}");
        assert_eq!(legacy[5..], [Answer::Unknown, Answer::Found(place("", "1").with_longitude("2"))]);
        let mut asked = server.asked();
        asked.sort();
        assert_eq!(asked[0], "/ipinfo/v1/?&hub_key=k%26y&n_ip=1");
        assert_eq!(asked.len(), 7);
    }

    #[test]
    fn a_hundred_addresses_a_request() {
        let server = GeoServer::start(|n| match n {
            7 => None,
            n => GeoServer::place(n, ["US", "", " x ", "", "1", &n.to_string()]),
        });
        let service = GeoService::new(&server.url(), "key", Manner::Port, Some(Duration::from_secs(20)));
        let numbers: Vec<u32> = (1..=250).collect();
        let answers = service.in_batches(&numbers);
        assert_eq!(answers.len(), 250);
        for (n, answer) in numbers.iter().zip(&answers) {
            match answer {
                Answer::Unknown => assert_eq!(*n, 7),
                Answer::Found(place) => {
                    assert_eq!(place.values(), ["US", "-", "x", "-", "1", &n.to_string()]);
                }
                other => panic!("{n}: {other:?}"),
            }
        }
        assert_eq!(server.asked().len(), 3);
        assert_eq!(service.in_batches(&[]), []);
    }

    #[test]
    fn a_service_that_is_down_is_not_asked_for_ever() {
        let server = GeoServer::start(|_| None);
        let service = GeoService::new(&server.url(), "key", Manner::Legacy, None);
        let answers = service.one_by_one(&vec![1; 500]);
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Failed(_))));
        let n_asked = server.asked().len();
        assert!((20..40).contains(&n_asked), "{n_asked}");
        let nobody = GeoService::new("http://127.0.0.1:1/x", "secret", Manner::Legacy, None).one_by_one(&[1]);
        assert!(matches!(&nobody[0], Answer::Failed(why) if why.contains("127.0.0.1:1") && !why.contains("secret")));
    }

    impl Place {
        fn with_longitude(mut self, longitude: &str) -> Self {
            self.longitude = longitude.to_owned();
            self
        }
    }
}
