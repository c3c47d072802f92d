//! The geo service: addresses in, places out, by HTTP.
//!
//! Two forms of request are used: one address per request, like the original scripts, and a hundred at once,
//! like the port for countries. IPv6 addresses are sent one at a time, as text (`ip=`), and found in the
//! element `ip` of the answer. Nothing is stored here; see [`crate::geo_cache`].

use std::collections::HashMap;
use std::io::Read as _;
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use kit::progress::Handle;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use ureq::http::{Response, Uri, header::LOCATION};
use ureq::{Agent, Body};

/// The URLs of the service, in the order in which they are tried. The original scripts and the port
/// also used URLs without encryption; anyone on the way could have answered.
const URLS: [&str; 2] = ["https://help.hubzero.org/ipinfo/v1", "https://hubzero.org/ipinfo/v1"];

/// Maximum number of addresses in one batch request.
pub const BATCH: usize = 100;
/// Number of requests in progress at a time.
const REQUESTS: usize = 10;
/// After this many requests in a row without an answer the service counts as down for this run.
const PATIENCE: u32 = 20;
/// How long the original scripts wait for an answer.
const LEGACY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the port waits for each URL.
pub const PORT_TIMEOUT: Duration = Duration::from_secs(5);
/// A longer answer is not from this service: a hundred addresses take about 50 KB.
const MAX_ANSWER: u64 = 1 << 20;
/// Maximum nesting depth of elements; the service uses three.
const MAX_DEPTH: usize = 16;
/// Maximum number of redirects per request.
const MAX_REDIRECTS: usize = 3;
/// The widths of the cache's columns, in characters; names of places are cut to them.
const MAX_NAME: usize = 128;

/// The place of an address, as given by the service. `-` is its word for "not known".
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
    /// The place of an unknown address: every field is `-`.
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

/// What the service said about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This place.
    Found(Place),
    /// It knows nothing about the address.
    Unknown,
    /// It does not accept our key.
    BadKey,
    /// The answer could not be understood; says why.
    Failed(String),
}

/// Whose behaviour to reproduce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// One URL, one minute per answer, values unchanged.
    Legacy,
    /// The other URLs if one does not answer, a few seconds for each; values trimmed, empty ones
    /// `-`.
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
    shown: Handle,
}

impl GeoService {
    /// The service at `url`, asked with `key`; `timeout` replaces the manner's own.
    #[must_use]
    pub fn new(url: &str, key: &str, manner: Manner, timeout: Option<Duration>) -> Self {
        let first = url.trim_end_matches('/');
        let has_others = manner == Manner::Port || URLS.contains(&first);
        let others = URLS.iter().filter(|other| has_others && **other != first);
        let urls = std::iter::once(&first).chain(others).map(|&url| url.to_owned()).collect();
        let usual = if manner == Manner::Port { PORT_TIMEOUT } else { LEGACY_TIMEOUT };
        let config = Agent::config_builder()
            .timeout_global(Some(timeout.unwrap_or(usual)))
            .user_agent("hzmetrics")
            .max_redirects(0)
            .max_idle_connections_per_host(REQUESTS)
            .build();
        let key = in_a_query(key);
        Self { agent: config.into(), urls, key, manner, n_failed_in_a_row: AtomicU32::new(0), shown: Handle::default() }
    }

    /// Advances this with every address.
    pub fn show(&mut self, shown: Handle) {
        self.shown = shown;
    }

    /// Asks for each address (as a number) separately. The answers are in the order of the numbers.
    #[must_use]
    pub fn one_by_one(&self, numbers: &[u32]) -> Vec<Answer> {
        at_a_time(numbers, |&n| self.one(n), |_| self.shown.advance(1))
    }

    /// Asks for a hundred addresses at once. The answers are in the order of the numbers.
    #[must_use]
    pub fn in_batches(&self, numbers: &[u32]) -> Vec<Answer> {
        let batches: Vec<&[u32]> = numbers.chunks(BATCH).collect();
        let shown = |batch: &&[u32]| self.shown.advance(batch.len() as u64);
        at_a_time(&batches, |batch| self.batch(batch), shown).into_iter().flatten().collect()
    }

    /// Asks for each IPv6 address separately. The answers are in the order of the addresses.
    #[must_use]
    pub fn each_ipv6(&self, addresses: &[Ipv6Addr]) -> Vec<Answer> {
        let ask = |ip: &Ipv6Addr| self.found(&format!("ip={ip}"), |set| set.get("ip").trim().parse() == Ok(*ip));
        at_a_time(addresses, ask, |_| self.shown.advance(1))
    }

    fn one(&self, number: u32) -> Answer {
        self.found(&format!("n_ip={number}"), |set| set.number() == Some(number))
    }

    /// The answer for one address; `is_it` checks that its first set is for that address.
    fn found(&self, question: &str, is_it: impl Fn(&IpSet) -> bool) -> Answer {
        let reply = match self.ask(question) {
            Ok(reply) => reply,
            Err(error) => return Answer::Failed(format!("{error:#}")),
        };
        let first = reply.sets.first().filter(|set| is_it(set));
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
        // if an address has two sets, the last one counts
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
        let nothing = if self.manner == Manner::Port { "-" } else { "" };
        let value = |name: &str, is_well: fn(&str) -> bool| {
            let value = self.trimmed(set.get(name));
            let well = value == "-" || (!value.is_empty() && is_well(value));
            if well { cleaned(value) } else { nothing.to_owned() }
        };
        Place {
            country: value("countryCode", is_country),
            country_name: value("countryName", |_| true),
            region: value("region", |_| true),
            city: value("city", |_| true),
            latitude: value("lat", |text| is_degrees(text, 90.0)),
            longitude: value("long", |text| is_degrees(text, 180.0)),
        }
    }

    /// One request, to each URL until one answers.
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

    /// The answer to a request. Only redirects to the same host are followed.
    fn get(&self, url: &str) -> Result<Response<Body>> {
        let mut at: Uri = url.parse().context("no address of a service")?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.agent.get(&at).call()?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let next =
                location.context("a redirect without a destination").and_then(|location| beside(&at, location))?;
            if !is_same_host(&at, &next) {
                bail!("it redirects to another host, {}", next.host().unwrap_or("which has no name"));
            }
            at = next;
        }
        bail!("it redirects too often")
    }

    fn ask_at(&self, url: &str, question: &str) -> Result<Reply> {
        let asking = || format!("asking the geo service at {url}");
        let full = format!("{url}/?&hub_key={}&{question}", self.key);
        // the key stays out of messages
        let hidden = |error: anyhow::Error| anyhow!(format!("{error:#}").replace(&self.key, "…"));
        let response = self.get(&full).map_err(hidden).with_context(asking)?;
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

/// The address that a redirect from `at` names: a complete one, or a path on the same host.
fn beside(at: &Uri, location: &str) -> Result<Uri> {
    let authority = at.authority().map_or("", |authority| authority.as_str());
    let scheme = at.scheme_str().unwrap_or("https");
    let whole = match location {
        path if path.starts_with("//") => format!("{scheme}:{path}"),
        path if path.starts_with('/') => format!("{scheme}://{authority}{path}"),
        whole => whole.to_owned(),
    };
    whole.parse().with_context(|| format!("a redirect to `{whole}`"))
}

/// Whether a redirect stays on the host that was asked, and keeps its encryption.
fn is_same_host(from: &Uri, to: &Uri) -> bool {
    let default_port = |uri: &Uri| if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let port = |uri: &Uri| uri.port_u16().unwrap_or_else(|| default_port(uri));
    let upgraded = from.scheme_str() == Some("http") && to.scheme_str() == Some("https");
    from.host().map(str::to_ascii_lowercase) == to.host().map(str::to_ascii_lowercase)
        && ((from.scheme_str() == to.scheme_str() && port(from) == port(to)) || upgraded)
}

/// Two capital letters.
pub(crate) fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// A number of degrees within a limit.
fn is_degrees(text: &str, most: f64) -> bool {
    let is_plain = text.trim().bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    is_plain && text.trim().parse::<f64>().is_ok_and(|degrees| degrees.abs() <= most)
}

/// A name without characters that could control a terminal or a page, cut to its column.
fn cleaned(text: &str) -> String {
    text.chars().filter(|&c| !kit::is_unseen(c)).take(MAX_NAME).collect()
}

const BAD_KEY: &str = "_INVALID_KEY_OR_KEY-HUB_HOSTNAME_MISMATCH_";

/// Does `work` for each item, several at a time; the results are in the order of the items.
fn at_a_time<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync, done_with: impl Fn(&T) + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..REQUESTS.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(item);
                    done_with(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Escapes what is not allowed in the query of a URL.
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

    /// Parses an answer. If elements have the same name, the first counts; text in deeper elements does
    /// not count.
    fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader::from_str(text);
        let mut reply = Self::default();
        let mut path: Vec<String> = Vec::new();
        let mut value = String::new();
        let mut has_root = false;
        loop {
            let event = reader.read_event().context("the answer is not XML")?;
            if let Event::Start(tag) | Event::Empty(tag) = &event {
                if path.is_empty() && std::mem::replace(&mut has_root, true) {
                    bail!("the answer is not XML: more than one root");
                }
                path.push(tag.name().as_ref().to_owned());
                if path.len() > MAX_DEPTH {
                    bail!("the answer is not XML of this service: elements are nested too deeply");
                }
                if reply.is_field(&path) {
                    value.clear();
                } else if path.len() == 2 && path[1] == "ipset" {
                    reply.sets.push(IpSet::default());
                }
            }
            match event {
                Event::Start(_) => {}
                Event::Text(text) if path.is_empty() && !text.xml10_content().trim().is_empty() => {
                    bail!("the answer is not XML: text outside the root");
                }
                Event::Text(text) if reply.is_field(&path) => value.push_str(&text.xml10_content()),
                Event::CData(text) if reply.is_field(&path) => value.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().context("the answer is not XML")?;
                    let text = match (character, resolve_predefined_entity(&reference)) {
                        (Some(c), _) => c.to_string(),
                        (None, Some(text)) => text.to_owned(),
                        (None, None) => bail!("the answer is not XML: an unknown entity"),
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
                Event::Eof => bail!("the answer is not XML: it ends early"),
                _ => {}
            }
        }
    }

    /// Whether the element at `path` contains a value that is needed.
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
    use fixtures::geo::{GeoServer, Says};

    fn place(country: &str, latitude: &str) -> Place {
        Place { country: country.to_owned(), latitude: latitude.to_owned(), ..Place::default() }
    }

    fn parse(text: &str) -> Reply {
        Reply::parse(text).unwrap()
    }

    #[test]
    fn answers_are_read_unchanged() {
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
    fn invalid_xml_is_not_an_answer() {
        for text in ["", "words", "<a>", "<a></b>", "<a/><b/>", "<a/>tail", "<a>&nbsp;</a>", "<a>&#xD800;</a>", "\0"] {
            assert!(Reply::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn answers_are_limited_in_size_and_values() {
        let deep = format!("{}{}", "<a>".repeat(1000), "</a>".repeat(1000));
        assert!(Reply::parse(&deep).is_err());
        let place = |country: &str, city: &str, latitude: &str| {
            let server = GeoServer::start({
                let values = [country, "Land", "R", city, latitude, "181"].map(str::to_owned);
                move |_| Says::Place(values.clone())
            });
            let ask = |manner| GeoService::new(&server.url(), "k", manner, None).one_by_one(&[1]).remove(0);
            match (ask(Manner::Legacy), ask(Manner::Port)) {
                (Answer::Found(legacy), Answer::Found(port)) => [legacy, port],
                other => panic!("{other:?}"),
            }
        };
        for country in ["us", "USA", "U", "U1", "<b", "ÄÖ", "'x"] {
            assert_eq!(place(country, "C", "1").map(|p| p.country), ["", "-"], "{country}");
        }
        for latitude in ["inf", "NaN", "1e3", "91", "-90.5", "x", "1;2"] {
            assert_eq!(place("US", "C", latitude).map(|p| p.latitude), ["", "-"], "{latitude}");
        }
        let [legacy, _] = place("US", &format!("a\u{202e}b\u{1b}{}", "c".repeat(5000)), "-90");
        assert_eq!((legacy.country.as_str(), legacy.latitude.as_str(), legacy.longitude.as_str()), ("US", "-90", ""));
        assert_eq!(legacy.city, format!("ab{}", "c".repeat(126)));
    }

    #[test]
    fn redirects_stay_on_the_host() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        let goes = |from: &str, to: &str| {
            let from = uri(from);
            beside(&from, to).is_ok_and(|to| is_same_host(&from, &to))
        };
        for to in ["https://a.org/y", "https://A.org:443/y", "/y?x=1", "//a.org/y"] {
            assert!(goes("https://a.org/x", to), "{to}");
        }
        for to in ["https://b.org/x", "http://a.org/x", "https://a.org:8443/x", "//b.org/", "https://a.org.b.org/", ""]
        {
            assert!(!goes("https://a.org/x", to), "{to}");
        }
        assert!(goes("http://a.org/x", "https://a.org/x") && !goes("http://a.org/x", "https://b.org/x"));
        let target = GeoServer::start(|_| Says::place(["US", "", "", "", "1", "2"]));
        let elsewhere = target.url();
        let server = GeoServer::redirecting(move |path| {
            Some(if path.starts_with("/ipinfo") { path.replace("/ipinfo", "/other") } else { elsewhere.clone() })
        });
        let answers = GeoService::new(&server.url(), "secret", Manner::Legacy, None).one_by_one(&[1]);
        assert!(matches!(&answers[0], Answer::Failed(why) if why.contains("another host")), "{answers:?}");
        assert_eq!(server.asked().len(), 2);
        assert_eq!(target.asked(), [""; 0]);
    }

    #[test]
    fn addresses_are_asked_for_one_at_a_time() {
        let server = GeoServer::start(|n| match n {
            1 => Says::place(["US", "United States", " Indiana", "West Lafayette", "40.4", "-86.9"]),
            2 => Says::Unknown,
            3 => Says::BadKey,
            4 => Says::Garbage,
            5 => Says::NotFound,
            6 => Says::PlaceOf(7, ["DE", "", "", "", "1", "2"].map(str::to_owned)),
            7 => Says::place(["", "", "", "", "1", "2"]),
            _ => Says::place(["XX", "-", "-", "-", "-", "-"]),
        });
        let ask = |manner| GeoService::new(&server.url(), "k&y", manner, None).one_by_one(&[1, 2, 3, 4, 5, 6, 7]);
        let legacy = ask(Manner::Legacy);
        let Answer::Found(found) = &legacy[0] else { panic!("{legacy:?}") };
        assert_eq!(found.values(), ["US", "United States", " Indiana", "West Lafayette", "40.4", "-86.9"]);
        assert_eq!(legacy[1..3], [Answer::Unknown, Answer::BadKey]);
        assert!(matches!(&legacy[3], Answer::Failed(why) if why.contains("not XML")), "{legacy:?}");
        assert!(matches!(&legacy[4], Answer::Failed(why) if why.contains("404")), "{legacy:?}");
        assert_eq!(legacy[5..], [Answer::Unknown, Answer::Found(place("", "1").with_longitude("2"))]);
        let mut asked = server.asked();
        asked.sort();
        assert_eq!(asked[0], "/ipinfo/v1/?&hub_key=k%26y&n_ip=1");
        assert_eq!(asked.len(), 7);
    }

    #[test]
    fn addresses_are_asked_for_a_hundred_at_a_time() {
        let server = GeoServer::start(|n| match n {
            7 => Says::NotFound,
            n => Says::place(["US", "", " x ", "", "1", &(n % 180).to_string()]),
        });
        let service = GeoService::new(&server.url(), "key", Manner::Port, Some(Duration::from_secs(20)));
        let numbers: Vec<u32> = (1..=250).collect();
        let answers = service.in_batches(&numbers);
        assert_eq!(answers.len(), 250);
        for (n, answer) in numbers.iter().zip(&answers) {
            match answer {
                Answer::Unknown => assert_eq!(*n, 7),
                Answer::Found(place) => {
                    assert_eq!(place.values(), ["US", "-", "x", "-", "1", &(n % 180).to_string()]);
                }
                other => panic!("{n}: {other:?}"),
            }
        }
        assert_eq!(server.asked().len(), 3);
        assert_eq!(service.in_batches(&[]), []);
    }

    #[test]
    fn a_service_that_is_down_is_soon_left_alone() {
        let server = GeoServer::start(|_| Says::NotFound);
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
