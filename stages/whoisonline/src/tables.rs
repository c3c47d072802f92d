//! The tables' face: updates the hub's table of live sessions: removes old ones, adds new ones, and finds
//! host names and places for those without.
//!
//! The steps and their order are those of the original script; each writes a whole set of addresses
//! at once.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use database::{Db, Params, Value, Which};
use enrich::country::dotted_quad;
use enrich::dns::{NameRule, Settings, UNKNOWN as NO_NAME};
use enrich::geo_cache;
use enrich::geo_service::{Answer, GeoService, Manner, Place};
use enrich::hosts::Hosts;
use enrich::options::NameServerOptions;
use enrich::place_cache::PlaceCache;
use hub::config::{self, Config};
use hub::lock::Lock;
use kit::{Io, Messages, atomic_file};
use schema::tables::quote;
use schema::{Compat, Opt, address, collation};

use crate::args::Args;
use crate::domain::{self, Rule};
use crate::map;
use crate::session::{self, Session, TABLE};

/// The CMS's own table of sessions.
const SESSIONS: &str = "session";
/// A session without activity for more seconds than this is over.
const IDLE_SECS: u32 = 3600;
/// Addresses per statement.
const CHUNK: usize = 200;
/// The columns filled from a place, in the order of its values.
const PLACE: [&str; 6] = ["countrySHORT", "countryLONG", "ipREGION", "ipCITY", "ipLATITUDE", "ipLONGITUDE"];

/// Does what the cron line does: updates the table, and writes the map.
///
/// # Errors
/// The configuration is unusable, another run is in progress, a server fails, or the map cannot be written.
pub(crate) fn refresh(args: &Args, io: &Io) -> Result<()> {
    let config = config::load(None, &config::process_env)?;
    let compat = args.common.compat;
    let path = config.map_folder(compat)?.join("whoisonline.xml");
    let target = config.target();
    if args.dry_run {
        let table = format!("{}.{}{TABLE}", target.hub_db, target.prefix);
        io.messages.note(format_args!("dry run: would update {table} and write {}", path.display()));
        return Ok(());
    }
    let _lock = Lock::for_stage(&config.paths.whoisonline_lock(), Duration::ZERO, io.messages)?;
    let mut hub = Db::connect(&target, Which::Hub)?;
    let mut refresh = Refresh { hub: &mut hub, config: &config, compat, messages: io.messages };
    refresh.run()?;
    let sessions = session::on_the_map(refresh.hub)?;
    let write = |out: &mut dyn std::io::Write| map::write(&sessions, compat.into(), out).context("writing the map");
    atomic_file(&path, write)?;
    refresh.clear_idle()
}

/// The sessions of the table as it is.
///
/// # Errors
/// The configuration is unusable, or the server fails.
pub(crate) fn sessions() -> Result<Vec<Session>> {
    let config = config::load(None, &config::process_env)?;
    session::on_the_map(&mut Db::connect(&config.target(), Which::Hub)?)
}

/// Updates the table.
struct Refresh<'a> {
    hub: &'a mut Db,
    config: &'a Config,
    compat: Compat,
    messages: Messages,
}

impl Refresh<'_> {
    /// Does everything before the map is written.
    fn run(&mut self) -> Result<()> {
        self.hub.require(&[TABLE, SESSIONS].map(|name| format!("{}{name}", self.config.db_prefix)))?;
        self.clear_idle()?;
        self.take_new()?;
        self.spread_names()?;
        self.find_names()?;
        self.find_places()
    }

    /// Removes sessions that are over.
    fn clear_idle(&mut self) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE UNIX_TIMESTAMP() - time > {IDLE_SECS}", self.table());
        self.write("removing old sessions", |hub| Ok(hub.run(&sql, ())?))?;
        Ok(())
    }

    /// Adds one session for each user at each address. Existing sessions are unchanged.
    fn take_new(&mut self) -> Result<()> {
        const COLUMNS: &str = "session_id, username, time, guest, userid, ip";
        let sql = format!(
            "INSERT IGNORE INTO {} ({COLUMNS}) SELECT {COLUMNS} FROM {} \
             WHERE UNIX_TIMESTAMP() - time < {IDLE_SECS} GROUP BY ip, username",
            self.table(),
            self.hub.prefixed(SESSIONS)
        );
        self.write("adding new sessions", |hub| Ok(hub.run(&sql, ())?))?;
        Ok(())
    }

    /// Copies the name of another session with the same address. If there are several names, the
    /// one that appears last in the table wins.
    fn spread_names(&mut self) -> Result<()> {
        let sql =
            format!("SELECT ip, host, domain FROM {} WHERE host <> '' AND host <> '{}'", self.table(), domain::UNKNOWN);
        self.write("copying host names", |hub| {
            let mut seen = HashSet::new();
            let mut named = LastByAddress::default();
            hub.each(&sql, (), |row| {
                let text = |at| row.text(at).unwrap_or_default().into_owned();
                let fold = |at| row.text(at).map(|text| collation::fold(&text));
                if seen.insert([fold(0), fold(1), fold(2)]) {
                    named.set(text(0), vec![text(1), text(2)]);
                }
                Ok(())
            })?;
            set_by_address(hub, &["host", "domain"], named)
        })
    }

    /// Looks up the names of addresses that have none yet. An address without a name gets the
    /// address itself.
    fn find_names(&mut self) -> Result<()> {
        let sql = format!("SELECT DISTINCT ip FROM {} WHERE (host = '' OR host IS NULL) AND ip <> ''", self.table());
        let addresses = self.hub.texts(&sql, ()).context("reading addresses without a name")?;
        if addresses.is_empty() {
            return Ok(());
        }
        let mut hosts = Hosts::new();
        match self.name_servers() {
            Ok(settings) => hosts = hosts.with_servers(settings),
            // the map is worth more than its names
            Err(error) => self.messages.note(format_args!("no host names: {error:#}")),
        }
        let rule = if self.compat.has(Opt::LpWhoisonline) { Rule::Port } else { Rule::Legacy };
        let slots = addresses.iter().map(|ip| hosts.slot(ip)).collect::<Result<Vec<_>>>()?;
        let mut named = LastByAddress::default();
        for (ip, slot) in addresses.iter().zip(slots) {
            let name = loop {
                match hosts.name(slot) {
                    Some(NO_NAME) => break ip.clone(),
                    Some(name) => break name.to_owned(),
                    None => hosts.wait()?,
                }
            };
            let domain = domain::of(ip, &name, rule).to_owned();
            named.set(ip.clone(), vec![name, domain]);
        }
        self.write("writing host names", |hub| set_by_address(hub, &["host", "domain"], named.clone()))
    }

    fn name_servers(&self) -> Result<Settings> {
        let mut settings = NameServerOptions::default().settings(&self.config.dns, self.compat)?;
        if settings.rule == NameRule::Port {
            settings.rule = NameRule::PortAsIs;
        }
        Ok(settings)
    }

    /// Finds the places of addresses that have none yet, and whether their domain is a bot's.
    fn find_places(&mut self) -> Result<()> {
        let port = self.compat.has(Opt::LpWhoisonline);
        let sql = format!("SELECT ip, domain, bot FROM {} WHERE ipLATITUDE IS NULL", self.table());
        let mut seen = HashSet::new();
        let mut asked: Vec<(String, Option<String>, i64)> = Vec::new();
        let reading = self.hub.each(&sql, (), |row| {
            let fold = |at| row.text(at).map(|text| collation::fold(&text));
            if seen.insert((fold(0), fold(1), row.int(2))) {
                let text = |at| row.text(at).map(std::borrow::Cow::into_owned);
                asked.push((text(0).unwrap_or_default(), text(1), row.int(2).unwrap_or(0)));
            }
            Ok(())
        });
        reading.context("reading addresses without a place")?;
        if asked.is_empty() {
            return Ok(());
        }
        let bots = self.bot_domains()?;
        let places = self.places(asked.iter().map(|(ip, ..)| ip.as_str()))?;
        let mut found = LastByAddress::default();
        for (ip, domain, bot) in asked {
            let domain = domain.unwrap_or_default();
            let listed = bots.contains(&collation::fold(&domain)) && !(port && domain.is_empty());
            let bot = if bot == 0 { i64::from(listed) } else { bot };
            let unknown = Place::unknown();
            let place = self.address(&ip).and_then(|ip| places.get(&ip)).unwrap_or(&unknown);
            let mut values: Vec<String> = place.values().map(str::to_owned).to_vec();
            values.push(bot.to_string());
            found.set(ip, values);
        }
        let mut columns = PLACE.to_vec();
        columns.push("bot");
        self.write("writing places", |hub| set_by_address(hub, &columns, found.clone()))
    }

    /// Domains of bots, folded.
    fn bot_domains(&mut self) -> Result<HashSet<String>> {
        let sql =
            format!("SELECT filter FROM {}.exclude_list WHERE type = 'domain'", quote(&self.hub.target().metrics_db));
        let filters = self.hub.texts(&sql, ()).context("reading the domains of bots")?;
        Ok(filters.iter().map(|filter| collation::fold(filter)).collect())
    }

    /// The address in a text; IPv6 only if it counts. An address that the CMS has cut is not one.
    fn address(&self, ip: &str) -> Option<IpAddr> {
        if self.compat.has(Opt::Ipv6) { address::parse(ip) } else { dotted_quad(ip).map(IpAddr::V4) }
    }

    /// Reports what was wrong with the geo service.
    fn say_of_service(&self, n_asked: usize, bad_key: bool, failures: &[String]) {
        let url = &self.config.geo_url;
        let asked = kit::counted(n_asked, "address", "addresses");
        let n = failures.len();
        let trouble = match failures.first() {
            _ if bad_key => {
                Some(("our key is not accepted", format!("the geo service at {url} does not accept our key")))
            }
            Some(first) => {
                let kind = if n < n_asked { "no answer for some addresses" } else { "no answer" };
                Some((kind, format!("no place for {n} of {asked}: {first}")))
            }
            None => None,
        };
        self.messages.used("geo service", trouble.as_ref().map(|(kind, text)| (*kind, text as _)));
    }

    /// The places of addresses: from the caches, then from the service. The service's answers with
    /// a country are stored in the table of places, or for IPv6 in the file.
    fn places<'i>(&mut self, addresses: impl Iterator<Item = &'i str>) -> Result<HashMap<IpAddr, Place>> {
        let mut wanted: Vec<IpAddr> = addresses.filter_map(|ip| self.address(ip)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut numbers: Vec<u32> = Vec::new();
        let mut ipv6: Vec<Ipv6Addr> = Vec::new();
        for ip in wanted {
            match ip {
                IpAddr::V4(ip) => numbers.push(ip.into()),
                IpAddr::V6(ip) => ipv6.push(ip),
            }
        }
        let v4 = |number| IpAddr::V4(Ipv4Addr::from_bits(number));
        let known = geo_cache::read(self.hub, &numbers)?;
        numbers.retain(|number| !known.contains_key(number));
        let mut places: HashMap<IpAddr, Place> = known.into_iter().map(|(number, place)| (v4(number), place)).collect();
        let mut cache = if ipv6.is_empty() { None } else { Some(PlaceCache::load(&self.config.paths.runtime())?) };
        ipv6.retain(|ip| {
            let place = cache.as_ref().and_then(|cache| cache.get(*ip)).cloned();
            place.map(|place| places.insert(IpAddr::V6(*ip), place)).is_none()
        });
        let asked: Vec<IpAddr> =
            numbers.iter().map(|number| v4(*number)).chain(ipv6.iter().copied().map(IpAddr::V6)).collect();
        if asked.is_empty() {
            return Ok(places);
        }
        let manner = if self.compat.has(Opt::LpWhoisonline) { Manner::Port } else { Manner::Legacy };
        let service = GeoService::new(&self.config.geo_url, self.config.geo_key.reveal(), manner, None);
        let mut news = HashMap::new();
        let mut failures = Vec::new();
        let mut bad_key = false;
        let answers = service.one_by_one(&numbers).into_iter().chain(service.each_ipv6(&ipv6));
        for (&ip, answer) in asked.iter().zip(answers) {
            match answer {
                Answer::Found(place) => drop(news.insert(ip, place)),
                Answer::Unknown => {}
                Answer::BadKey => bad_key = true,
                Answer::Failed(why) => failures.push(why),
            }
        }
        self.say_of_service(asked.len(), bad_key, &failures);
        let mut kept: Vec<(u32, &Place)> = Vec::new();
        for (ip, place) in news.iter().filter(|(_, place)| place.country != "-") {
            match (ip, &mut cache) {
                (IpAddr::V4(ip), _) => kept.push((u32::from(*ip), place)),
                (IpAddr::V6(ip), Some(cache)) => cache.put(*ip, place),
                (IpAddr::V6(_), None) => {}
            }
        }
        kept.sort_unstable_by_key(|(number, _)| *number);
        geo_cache::write(self.hub, kept)?;
        if let Some(cache) = &mut cache {
            cache.save()?;
        }
        places.extend(news);
        Ok(places)
    }

    fn table(&self) -> String {
        self.hub.prefixed(TABLE)
    }

    /// Runs statements that write the table, with a retry after a deadlock.
    fn write<T>(&mut self, doing: &str, work: impl FnMut(&mut Db) -> Result<T>) -> Result<T> {
        let table = format!("{}{TABLE}", self.hub.target().prefix);
        self.hub.transaction_with_retry(doing, &[&table], work)
    }
}

/// Values by address; the last ones count. Addresses that the table considers equal are merged.
#[derive(Debug, Clone, Default)]
struct LastByAddress {
    at: HashMap<String, usize>,
    rows: Vec<(String, Vec<String>)>,
}

impl LastByAddress {
    fn set(&mut self, ip: String, values: Vec<String>) {
        match self.at.entry(collation::fold(&ip)) {
            std::collections::hash_map::Entry::Occupied(at) => {
                if let Some(row) = self.rows.get_mut(*at.get()) {
                    row.1 = values;
                }
            }
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(self.rows.len());
                self.rows.push((ip, values));
            }
        }
    }
}

/// Sets columns on every row of each address. The values are literals in one statement for many
/// addresses: this compares with the column under whatever collation the CMS gave it, and needs no
/// temporary table, which an account may not be allowed to create in the hub's database.
fn set_by_address(hub: &mut Db, columns: &[&str], values: LastByAddress) -> Result<()> {
    let table = hub.prefixed(TABLE);
    for rows in values.rows.chunks(CHUNK) {
        let cases = "WHEN ? THEN ? ".repeat(rows.len());
        let set: Vec<String> =
            columns.iter().map(|column| format!("{0} = CASE ip {cases}ELSE {0} END", quote(column))).collect();
        let marks = vec!["?"; rows.len()].join(",");
        let sql = format!("UPDATE {table} SET {} WHERE ip IN ({marks})", set.join(", "));
        let mut params: Vec<Value> = Vec::with_capacity(rows.len() * (2 * columns.len() + 1));
        for at in 0..columns.len() {
            for (ip, values) in rows {
                params.push(Value::from(ip));
                params.push(values.get(at).map_or(Value::NULL, Value::from));
            }
        }
        params.extend(rows.iter().map(|(ip, _)| Value::from(ip)));
        hub.run(&sql, Params::Positional(params))?;
    }
    Ok(())
}
