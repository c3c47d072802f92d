//! Countries of addresses: from a database file, from the hub's cache table, from the geo service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use database::{Db, KeyTable, Value};
use kit::Progress;
use rustc_hash::{FxHashMap, FxHashSet};
use schema::text;

use super::write::Write;
use super::{Filled, Missing, Span, Table, empty};
use crate::country::{self, Countries, NONE};
use crate::geo_cache;
use crate::geo_service::{self, Answer, GeoService, Place};
use crate::place_cache::PlaceCache;

/// The key of a table of addresses.
pub(super) const ADDRESS: &str = "varchar(45) NOT NULL";

const KEYS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_countries",
    columns: &[("ip", ADDRESS), ("country", "char(2) NOT NULL"), ("inside", "tinyint NOT NULL")],
    keys: 1,
};

/// How many addresses are looked up before their answers are stored: after a kill, at most so many
/// are looked up again.
const KEEP_EVERY: usize = 1000;

/// What is written for addresses without a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing: they are looked up again in the next run.
    Legacy,
    /// `-`, for private ranges without a lookup. An address for which the service gave no answer
    /// stays empty here too, so that an outage loses nothing.
    Port,
}

/// What is known about an address.
enum Known {
    Country(Box<str>),
    /// It was looked up and has no country.
    None,
    /// Nobody answered.
    Nothing,
}

/// Where countries come from, and what was found in this run.
pub struct Geo {
    file: Option<Countries>,
    service: Option<GeoService>,
    rule: Rule,
    /// Where the service's answers for IPv6 addresses are stored, if they are looked up.
    ipv6: Option<PlaceCache>,
    known: FxHashMap<IpAddr, Known>,
    n_asked: u64,
    trouble: Option<String>,
    bad_key: bool,
}

/// What went wrong at the geo service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeoTrouble {
    /// In a few words, the same for each run.
    pub kind: &'static str,
    /// The first failure in words.
    pub text: String,
}

impl Geo {
    /// `file` is used first, then the hub's cache, then `service`; each may be missing.
    #[must_use]
    pub fn new(file: Option<Countries>, service: Option<GeoService>, rule: Rule) -> Self {
        Self { file, service, rule, ipv6: None, known: FxHashMap::default(), n_asked: 0, trouble: None, bad_key: false }
    }

    /// Also looks up IPv6 addresses at the service; its answers are stored in `cache`.
    #[must_use]
    pub fn with_ipv6(mut self, cache: PlaceCache) -> Self {
        self.ipv6 = Some(cache);
        self
    }

    /// How many addresses were looked up at the service.
    #[must_use]
    pub const fn n_asked(&self) -> u64 {
        self.n_asked
    }

    /// How many addresses got no answer.
    #[must_use]
    pub fn n_failed(&self) -> usize {
        self.known.values().filter(|known| matches!(known, Known::Nothing)).count()
    }

    /// What was wrong with the service; given only once.
    #[must_use]
    pub fn trouble(&mut self) -> Option<GeoTrouble> {
        let text = self.trouble.take()?;
        let kind = match () {
            () if self.bad_key => "our key is not accepted",
            () if (self.n_failed() as u64) < self.n_asked => "no answer for some addresses",
            () => "no answer",
        };
        Some(GeoTrouble { kind, text })
    }

    fn address(&self, ip: &str) -> Option<IpAddr> {
        let quad = match self.rule {
            Rule::Legacy => country::dotted_quad(ip),
            Rule::Port => country::lenient_dotted_quad(ip),
        };
        // legacy does not know IPv6 addresses, and does not look them up
        let may_be_ipv6 = self.file.is_some() || self.ipv6.is_some();
        quad.map(IpAddr::V4).or_else(|| country::ipv6(ip).filter(|_| may_be_ipv6))
    }

    /// Whether the port writes `-` without a lookup.
    fn is_private(&self, ip: &str) -> bool {
        let ipv6 = || match country::ipv6(ip) {
            Some(IpAddr::V6(ip)) => schema::address::is_private(ip),
            Some(IpAddr::V4(ip)) => country::is_private_text(&ip.to_string()),
            None => false,
        };
        self.rule == Rule::Port && (country::is_private_text(ip) || self.ipv6.is_some() && ipv6())
    }

    /// Looks up what is not known yet. Answers of the service are stored in the cache as they
    /// arrive.
    fn learn(&mut self, hub: &mut Db, addresses: impl Iterator<Item = IpAddr>) -> Result<()> {
        let mut open: FxHashSet<IpAddr> = FxHashSet::default();
        for ip in addresses {
            if self.known.contains_key(&ip) {
                continue;
            }
            match self.file.as_ref().map(|file| file.country(ip)).transpose()?.flatten() {
                Some(code) => self.set(ip, &code),
                None => {
                    open.insert(ip);
                }
            }
        }
        let (mut numbers, mut open6): (Vec<u32>, Vec<Ipv6Addr>) = (Vec::new(), Vec::new());
        for ip in open {
            match ip {
                IpAddr::V4(ip) => numbers.push(ip.into()),
                IpAddr::V6(ip) => open6.push(ip),
            }
        }
        self.learn_ipv4(hub, numbers)?;
        self.learn_ipv6(open6)
    }

    fn learn_ipv4(&mut self, hub: &mut Db, mut open: Vec<u32>) -> Result<()> {
        open.sort_unstable();
        if open.is_empty() {
            return Ok(());
        }
        for (number, place) in geo_cache::read(hub, &open)? {
            self.set(v4(number), &place.country);
        }
        open.retain(|number| !self.known.contains_key(&v4(*number)));
        let _shown = self.show("addresses", open.len());
        for some in open.chunks(KEEP_EVERY) {
            let ask = |service: &GeoService, rule| match rule {
                Rule::Legacy => service.one_by_one(some),
                Rule::Port => service.in_batches(some),
            };
            let addresses: Vec<IpAddr> = some.iter().map(|number| v4(*number)).collect();
            let places = self.ask(&addresses, ask);
            geo_cache::write(hub, places.iter().map(|(at, place)| (some[*at], place)))?;
        }
        Ok(())
    }

    fn show(&mut self, what: &'static str, n: usize) -> Progress {
        let shown = Progress::things("geo service", what, n as u64);
        if let Some(service) = &mut self.service {
            service.show(shown.handle());
        }
        shown
    }

    fn learn_ipv6(&mut self, mut open: Vec<Ipv6Addr>) -> Result<()> {
        open.sort_unstable();
        let Some(mut cache) = self.ipv6.take() else {
            // the file has been tried, and there is no other source
            self.known.extend(open.into_iter().map(|ip| (IpAddr::V6(ip), Known::None)));
            return Ok(());
        };
        open.retain(|ip| {
            let place = cache.get(*ip);
            place.inspect(|place| self.set(IpAddr::V6(*ip), &place.country)).is_none()
        });
        let _shown = self.show("IPv6 addresses", open.len());
        for some in open.chunks(KEEP_EVERY) {
            let addresses: Vec<IpAddr> = some.iter().copied().map(IpAddr::V6).collect();
            for (at, place) in self.ask(&addresses, |service, _| service.each_ipv6(some)) {
                cache.put(some[at], &place);
            }
            cache.save()?;
        }
        self.ipv6 = Some(cache);
        Ok(())
    }

    /// Asks the service, and returns which answers are worth keeping, by their index in the list.
    fn ask(&mut self, addresses: &[IpAddr], ask: impl Fn(&GeoService, Rule) -> Vec<Answer>) -> Vec<(usize, Place)> {
        let Some(service) = self.service.as_ref().filter(|_| !self.bad_key) else {
            self.known.extend(addresses.iter().map(|&ip| (ip, Known::Nothing)));
            return Vec::new();
        };
        self.n_asked += addresses.len() as u64;
        let mut places = Vec::new();
        for (at, (&ip, answer)) in addresses.iter().zip(ask(service, self.rule)).enumerate() {
            match answer {
                Answer::Found(place) => {
                    self.set(ip, &place.country);
                    if self.rule == Rule::Port || place.country != NONE {
                        places.push((at, place));
                    }
                }
                Answer::Unknown => self.set(ip, ""),
                Answer::BadKey => {
                    self.bad_key = true;
                    self.trouble =
                        Some("the geo service does not accept our key; see hub_key in the configuration".to_owned());
                    self.known.insert(ip, Known::Nothing);
                }
                Answer::Failed(why) => {
                    self.trouble.get_or_insert(why);
                    self.known.insert(ip, Known::Nothing);
                }
            }
        }
        places
    }

    fn set(&mut self, ip: IpAddr, code: &str) {
        // a cache may contain what a service once made up
        let known = if geo_service::is_country(code) { Known::Country(code.into()) } else { Known::None };
        self.known.insert(ip, known);
    }
}

fn v4(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(number))
}

/// The addresses in the span without a country.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn missing(db: &mut Db, table: &Table, span: &Span) -> Result<Vec<String>> {
    Ok(rows_without(db, table, span)?.keys)
}

fn rows_without(db: &mut Db, table: &Table, span: &Span) -> Result<Missing> {
    super::missing(db, table, "ip", &format!("{}{}", empty("t.ipcountry"), span.and(&table.t_date())))
}

/// Looks up the addresses in the span that have no country yet, and writes the results to every row of the
/// address without a country, whatever its date. Results from a database file are written only to rows in
/// the span, because other months were never filled from a file.
///
/// # Errors
/// A table is missing, a server fails, or the database file is damaged.
pub fn fill(db: &mut Db, hub: &mut Db, table: &Table, span: &Span, geo: &mut Geo) -> Result<Filled> {
    let Missing { keys: addresses, rows: missing } = rows_without(db, table, span)?;
    let port = geo.rule == Rule::Port;
    let public: Vec<IpAddr> =
        addresses.iter().filter(|ip| !geo.is_private(ip)).filter_map(|ip| geo.address(ip)).collect();
    geo.learn(hub, public.into_iter())?;
    let mut rows: Vec<[Value; 3]> = Vec::new();
    for ip in &addresses {
        let mut row = |code: &str, inside| {
            rows.push([Value::from(ip), Value::from(text::cut_chars(code, 2)), Value::from(inside)]);
        };
        if geo.is_private(ip) {
            row(NONE, true);
            continue;
        }
        match geo.address(ip).map(|ip| geo.known.get(&ip)) {
            Some(Some(Known::Country(code))) => row(code, false),
            // no address at all, or one without a country
            None | Some(Some(Known::None)) if port => row(NONE, false),
            _ => {}
        }
    }
    let only_span = geo.file.is_some();
    let inside = span.and(&table.t_date());
    let within = match (only_span, port) {
        (true, _) => inside,
        (false, true) => format!(" AND (k.inside = 0 OR (1{inside}))"),
        (false, false) => String::new(),
    };
    let write = Write {
        what: "countries",
        keys: &KEYS,
        short: true,
        on: "k.ip = t.ip",
        set: "t.ipcountry = k.country",
        condition: &format!("{}{within}", empty("t.ipcountry")),
        elsewhere: !only_span,
    };
    Ok(Filled { keys: addresses.len() as u64, rows: write.run(db, table, &rows, missing)? })
}
