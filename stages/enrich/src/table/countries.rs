//! Countries of addresses: from a database file, from the hub's cache table, from the geo service.

use std::net::Ipv4Addr;

use anyhow::Result;
use database::{Db, KeyTable, Value};
use rustc_hash::{FxHashMap, FxHashSet};
use schema::text;

use super::write::Write;
use super::{Filled, Missing, Span, Table, empty};
use crate::country::{self, Countries, NONE};
use crate::geo_cache;
use crate::geo_service::{self, Answer, GeoService, Place};

const KEYS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_countries",
    columns: &[("ip", "varchar(40) NOT NULL"), ("country", "char(2) NOT NULL"), ("inside", "tinyint NOT NULL")],
    keys: 1,
};

/// How many addresses are asked for before their answers are kept: what a run that is killed
/// asks again.
const KEEP_EVERY: usize = 1000;

/// What is written for addresses without a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing: they are looked up again in the next run.
    Legacy,
    /// `-`, for private ranges without asking. An address that the service gave no answer for
    /// stays empty here too, so that an outage loses nothing.
    Port,
}

/// What is known of an address.
enum Known {
    Country(Box<str>),
    /// It was looked up and has none.
    None,
    /// Nobody answered.
    Nothing,
}

/// Where countries come from, and what was learned in this run.
pub struct Geo {
    file: Option<Countries>,
    service: Option<GeoService>,
    rule: Rule,
    known: FxHashMap<u32, Known>,
    n_asked: u64,
    trouble: Option<String>,
    bad_key: bool,
}

impl Geo {
    /// `file` is asked first, then the hub's cache, then `service`; each may be missing.
    #[must_use]
    pub fn new(file: Option<Countries>, service: Option<GeoService>, rule: Rule) -> Self {
        Self { file, service, rule, known: FxHashMap::default(), n_asked: 0, trouble: None, bad_key: false }
    }

    /// How many addresses the service was asked for.
    #[must_use]
    pub const fn n_asked(&self) -> u64 {
        self.n_asked
    }

    /// How many addresses nobody answered for.
    #[must_use]
    pub fn n_failed(&self) -> usize {
        self.known.values().filter(|known| matches!(known, Known::Nothing)).count()
    }

    /// What was wrong with the service, in words; once.
    #[must_use]
    pub fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    fn number(&self, ip: &str) -> Option<Ipv4Addr> {
        match self.rule {
            Rule::Legacy => country::dotted_quad(ip),
            Rule::Port => country::lenient_dotted_quad(ip),
        }
    }

    /// Looks up what is not known yet. Answers of the service go into the cache as they come.
    fn learn(&mut self, hub: &mut Db, addresses: impl Iterator<Item = Ipv4Addr>) -> Result<()> {
        let mut open: FxHashSet<u32> = FxHashSet::default();
        for ip in addresses {
            let number = u32::from(ip);
            if self.known.contains_key(&number) {
                continue;
            }
            match self.file.as_ref().map(|file| file.country(ip)).transpose()?.flatten() {
                Some(code) => self.set(number, &code),
                None => {
                    open.insert(number);
                }
            }
        }
        let mut open: Vec<u32> = open.into_iter().collect();
        open.sort_unstable();
        if open.is_empty() {
            return Ok(());
        }
        for (number, place) in geo_cache::read(hub, &open)? {
            self.set(number, &place.country);
        }
        open.retain(|number| !self.known.contains_key(number));
        for some in open.chunks(KEEP_EVERY) {
            self.ask(hub, some)?;
        }
        Ok(())
    }

    fn ask(&mut self, hub: &mut Db, numbers: &[u32]) -> Result<()> {
        let Some(service) = self.service.as_ref().filter(|_| !self.bad_key) else {
            self.known.extend(numbers.iter().map(|&number| (number, Known::Nothing)));
            return Ok(());
        };
        self.n_asked += numbers.len() as u64;
        let answers = match self.rule {
            Rule::Legacy => service.one_by_one(numbers),
            Rule::Port => service.in_batches(numbers),
        };
        let mut places: Vec<(u32, &Place)> = Vec::new();
        for (&number, answer) in numbers.iter().zip(&answers) {
            match answer {
                Answer::Found(place) => {
                    self.set(number, &place.country);
                    if self.rule == Rule::Port || place.country != NONE {
                        places.push((number, place));
                    }
                }
                Answer::Unknown => self.set(number, ""),
                Answer::BadKey => {
                    self.bad_key = true;
                    self.trouble =
                        Some("the geo service does not take our key; see hub_key in the configuration".to_owned());
                    self.known.insert(number, Known::Nothing);
                }
                Answer::Failed(why) => {
                    self.trouble.get_or_insert_with(|| why.clone());
                    self.known.insert(number, Known::Nothing);
                }
            }
        }
        geo_cache::write(hub, places)
    }

    fn set(&mut self, number: u32, code: &str) {
        // a cache may hold what a service once made up
        let known = if geo_service::is_country(code) { Known::Country(code.into()) } else { Known::None };
        self.known.insert(number, known);
    }
}

/// The addresses in the span that have no country yet.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn missing(db: &mut Db, table: &Table, span: &Span) -> Result<Vec<String>> {
    Ok(rows_without(db, table, span)?.keys)
}

fn rows_without(db: &mut Db, table: &Table, span: &Span) -> Result<Missing> {
    super::missing(db, table, "ip", &format!("{}{}", empty("t.ipcountry"), span.and(&table.t_date())))
}

/// Looks up the addresses in the span that have no country yet, and writes what was found to
/// every row of the address without a country, whatever its date.
///
/// # Errors
/// A table is missing, a server fails, or the database file is damaged.
pub fn fill(db: &mut Db, hub: &mut Db, table: &Table, span: &Span, geo: &mut Geo) -> Result<Filled> {
    let Missing { keys: addresses, rows: missing } = rows_without(db, table, span)?;
    let port = geo.rule == Rule::Port;
    let is_private = |ip: &str| port && country::is_private_text(ip);
    let public: Vec<Ipv4Addr> = addresses.iter().filter(|ip| !is_private(ip)).filter_map(|ip| geo.number(ip)).collect();
    geo.learn(hub, public.into_iter())?;
    let mut rows: Vec<[Value; 3]> = Vec::new();
    for ip in &addresses {
        let mut row = |code: &str, inside| {
            rows.push([Value::from(ip), Value::from(text::cut_chars(code, 2)), Value::from(inside)]);
        };
        if is_private(ip) {
            row(NONE, true);
            continue;
        }
        match geo.number(ip).map(|ip| geo.known.get(&u32::from(ip))) {
            Some(Some(Known::Country(code))) => row(code, false),
            // no address at all, or one without a country
            None | Some(Some(Known::None)) if port => row(NONE, false),
            _ => {}
        }
    }
    let within = if port { format!(" AND (k.inside = 0 OR (1{}))", span.and(&table.t_date())) } else { String::new() };
    let write = Write {
        what: "countries",
        keys: &KEYS,
        short: true,
        on: "k.ip = t.ip",
        set: "t.ipcountry = k.country",
        condition: &format!("{}{within}", empty("t.ipcountry")),
        elsewhere: true,
    };
    Ok(Filled { keys: addresses.len() as u64, rows: write.run(db, table, &rows, missing)? })
}
