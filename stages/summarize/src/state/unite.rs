//! Which states may be put together, and how: those of one hub into one, and those of all hubs into the
//! scan that makes the cells.

use anyhow::{Result, bail, ensure};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use schema::collation::hash_parts;
use schema::{Month, Stamp};

use crate::axis::Axis;
use crate::row::NO_ID;
use crate::scan::{Fact, Scan, day_code};
use crate::state::chunks::{Chunk, Meaning, N_CHUNKS, NONE, Store};
use crate::state::file::{Header, State};
use crate::state::keeper::Sessions;
use crate::state::requested::Paths;
use crate::state::tables::{Id, Login, NO_KEY, Starts, Tables};
use crate::state::when;

/// Sorts states by hub and time, and refuses what does not belong together. `of_one_part`: they are to
/// be continued, all of the same part, and the other parts need not be there.
///
/// # Errors
/// See the messages.
pub(crate) fn check(states: &mut [State], of_one_part: bool) -> Result<()> {
    states.sort_by(|a, b| key(&a.header).cmp(&key(&b.header)));
    for hub in states.chunk_by(|a, b| a.header.hub == b.header.hub) {
        if of_one_part || hub.iter().all(|state| state.header.part.is_none()) {
            check_months(hub)?;
        } else {
            check_parts(hub)?;
        }
        pairs(hub).try_for_each(|(a, b)| check_ids(a, b))?;
    }
    Ok(())
}

fn key(header: &Header) -> (&str, Option<Month>, Month, u32) {
    (&header.hub, header.first, header.through, header.part.map_or(0, |part| part.number))
}

fn pairs(states: &[State]) -> impl Iterator<Item = (&State, &State)> {
    let behind = |n: usize| states.get(n + 1..).unwrap_or_default();
    states.iter().enumerate().flat_map(move |(n, a)| behind(n).iter().map(move |b| (a, b)))
}

/// States of one hub at different times.
fn check_months(states: &[State]) -> Result<()> {
    for (a, b) in pairs(states) {
        let (Some(a_first), Some(b_first)) = (a.header.first, b.header.first) else { continue };
        ensure!(
            a.header.through < b_first || b.header.through < a_first,
            "{} and {} hold the same months of the same hub ({} and {}); parts of a hub need --part when they are \
             made, several hubs --hub",
            a.name,
            b.name,
            span(&a.header),
            span(&b.header)
        );
    }
    Ok(())
}

/// Parts of one hub at the same time.
fn check_parts(states: &[State]) -> Result<()> {
    let parts: Vec<_> = states.iter().filter_map(|state| state.header.part).collect();
    let Some(n_parts) = parts.first().map(|part| part.of) else { return Ok(()) };
    ensure!(
        parts.len() == states.len() && parts.iter().all(|part| part.of == n_parts),
        "states of parts of a hub and other states of the hub cannot be put together"
    );
    let mut numbers: Vec<_> = parts.iter().map(|part| part.number).collect();
    numbers.sort_unstable();
    ensure!(
        numbers.iter().copied().eq(1..=n_parts),
        "all {n_parts} parts of a hub are needed, each once; here are {numbers:?}"
    );
    let through = states.first().map(|state| state.header.through);
    ensure!(
        states.iter().all(|state| Some(state.header.through) == through),
        "the parts of a hub must go through the same month"
    );
    Ok(())
}

fn span(header: &Header) -> String {
    header.first.map_or_else(|| "none".to_owned(), |first| format!("{first} to {}", header.through))
}

fn common(a: &[Id], b: &[Id]) -> Option<i64> {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    few.iter().find(|id| many.binary_search(id).is_ok()).map(|id| id.id)
}

fn check_ids(a: &State, b: &State) -> Result<()> {
    if let Some(id) = common(&a.tables.ids, &b.tables.ids) {
        bail!("two sessions have the number {id}, in {} and in {}", a.name, b.name);
    }
    for (a, b) in [(a, b), (b, a)] {
        if let Some(id) = common(&a.tables.ids, &b.tables.strangers) {
            bail!("session {id} is in {}, a download of it in {}: requests belong with their sessions", a.name, b.name);
        }
        if let Some(number) = shared_tool_session(&a.tables, &b.tables) {
            bail!(
                "tool session {number} is in {}, and it or a job of it in {}: jobs belong with their sessions",
                a.name,
                b.name
            );
        }
    }
    Ok(())
}

/// A tool session of `a` that `b` has too, or jobs of it.
fn shared_tool_session(a: &Tables, b: &Tables) -> Option<i64> {
    let of_jobs = b.jobs.iter().map(|job| job.sessnum);
    let known: FxHashSet<i64> = b.tool_sessions.iter().map(|row| row.sessnum).chain(of_jobs).collect();
    let mut numbers = a.tool_sessions.iter().map(|row| row.sessnum);
    numbers.find(|number| *number != NO_ID && known.contains(number))
}

/// Checks the records of the input against the states of their hub.
///
/// # Errors
/// A session is in both, or apart from its requests.
pub(crate) fn check_input(states: &[State], input: &State) -> Result<()> {
    states.iter().filter(|state| state.header.hub == input.header.hub).try_for_each(|state| check_ids(state, input))
}

/// Refuses hubs of which nothing is known of the months up to `last`: their numbers would be too low, and nothing else
/// would say so.
///
/// # Errors
/// The states of a hub end earlier, and no records continue them.
pub(crate) fn check_ends(states: &[State], input: &State, last: Month) -> Result<()> {
    for state in states {
        let of_hub = |other: &&State| other.header.hub == state.header.hub;
        let end = states.iter().filter(of_hub).map(|state| state.header.through).max().unwrap_or(last);
        let goes_on = of_hub(&input) && input.header.first.is_some_and(|first| first > end);
        ensure!(
            end >= last || goes_on,
            "{} ends with {end}, and there are no records of its hub after that, up to {last}. If there were none, say so \
             by a state through {last}: --month {last}{} --state-from {} --state-to FILE < /dev/null",
            state.name,
            if state.header.hub.is_empty() { String::new() } else { format!(" --hub {}", state.header.hub) },
            state.name
        );
    }
    Ok(())
}

/// The months between two states of a hub, or a state and the records, of which nothing is known.
pub(crate) fn holes(states: &[State]) -> Vec<String> {
    let mut spans: Vec<(&str, Month, Month)> = states
        .iter()
        .filter_map(|state| Some((state.header.hub.as_str(), state.header.first?, state.header.through)))
        .collect();
    spans.sort_unstable();
    let mut found = Vec::new();
    let mut before: Option<(&str, Month)> = None;
    for (hub, first, through) in spans {
        let same = before.filter(|(of, _)| *of == hub);
        if let Some((_, end)) = same.filter(|(_, end)| end.next() < first) {
            let (from, to) = (end.next(), first.previous());
            let months = if from == to { format!("{from}") } else { format!("{from} to {to}") };
            let of = if hub.is_empty() { String::new() } else { format!(" of the hub `{hub}`") };
            found.push(format!("there are no records{of} of {months}, between what the states hold"));
        }
        before = Some((hub, same.map_or(through, |(_, end)| end.max(through))));
    }
    found
}

/// Whose profiles count: those of the last state that has any, of all its parts.
fn leave_profiles_of_the_last(states: &mut [State]) {
    let with = states.iter().filter(|state| !state.tables.profiles.is_empty());
    let Some(last) = with.map(|state| state.header.through).max() else { return };
    for state in states.iter_mut().filter(|state| state.header.through != last) {
        state.tables.profiles.clear();
    }
}

/// One state of all that are known of one hub.
///
/// # Errors
/// They are of several hubs, or a file is damaged.
pub(crate) fn into_one(mut states: Vec<State>, header: Header) -> Result<State> {
    ensure!(
        states.iter().all(|state| state.header.hub == header.hub),
        "a state is of one hub; put states of several together when the cells are made"
    );
    leave_profiles_of_the_last(&mut states);
    let mut tables = Tables::default();
    let mut ranks = Ranks::default();
    let mut parts = Vec::new();
    let mut paths: Option<Paths> = None;
    for state in states {
        tables.unite(state.tables);
        paths = match (paths, state.paths) {
            (Some(a), Some(b)) => Some(a.unite(b)),
            (a, b) => a.or(b),
        };
        parts.push((ranks.add(&state.sessions), state.sessions.store));
    }
    let unite = |n: usize| -> Result<Chunk> {
        let renumber = |(new, store): &(Renumbered, Store)| Ok(new.apply(store.chunk(n)?));
        let list: Result<Vec<Chunk>> = parts.iter().map(renumber).collect();
        Ok(Chunk::unite(&list?))
    };
    let chunks: Result<Vec<Chunk>> = (0..N_CHUNKS).into_par_iter().map(unite).collect();
    let sessions = ranks.into_sessions(Store::Memory(chunks?));
    ensure!(sessions.countries.len() < usize::from(u16::MAX), "more than 65,000 different countries");
    Ok(State { name: String::new(), header, tables, sessions, paths })
}

/// Numbers for names that several states know.
#[derive(Default)]
struct Ranks {
    domains: FxHashMap<u128, u32>,
    countries: FxHashMap<u128, u32>,
    tails: FxHashMap<String, u32>,
}

/// New numbers by the old ones.
struct Renumbered {
    domains: Vec<u32>,
    countries: Vec<u32>,
    tails: Vec<u32>,
}

fn number<K: std::hash::Hash + Eq + Clone>(known: &mut FxHashMap<K, u32>, keys: &[K]) -> Vec<u32> {
    let mut one = |key: &K| {
        let n = u32::try_from(known.len()).unwrap_or(NONE);
        *known.entry(key.clone()).or_insert(n)
    };
    keys.iter().map(&mut one).collect()
}

fn in_order<K>(known: FxHashMap<K, u32>) -> Vec<K> {
    let mut list: Vec<_> = known.into_iter().collect();
    list.sort_unstable_by_key(|(_, n)| *n);
    list.into_iter().map(|(key, _)| key).collect()
}

impl Ranks {
    fn add(&mut self, sessions: &Sessions) -> Renumbered {
        Renumbered {
            domains: number(&mut self.domains, &sessions.domains),
            countries: number(&mut self.countries, &sessions.countries),
            tails: number(&mut self.tails, &sessions.tails),
        }
    }

    fn into_sessions(self, store: Store) -> Sessions {
        let (domains, countries) = (in_order(self.domains), in_order(self.countries));
        Sessions { domains, countries, tails: in_order(self.tails), store }
    }
}

impl Renumbered {
    fn apply(&self, mut chunk: Chunk) -> Chunk {
        let new = |list: &[u32], n: usize| list.get(n).copied().unwrap_or(NONE);
        for event in &mut chunk.events {
            event.domain = new(&self.domains, event.domain as usize);
            event.country = u16::try_from(new(&self.countries, event.country.into())).unwrap_or(u16::MAX);
        }
        for download in &mut chunk.downloads {
            download.tail = new(&self.tails, download.tail as usize);
        }
        chunk
    }
}

/// Feeds a scan with the small tables of all states; what is left are their sessions.
pub(crate) fn fill(scan: &mut Scan, states: &mut [State]) {
    for hub in states.chunk_by_mut(|a, b| a.header.hub == b.header.hub) {
        leave_profiles_of_the_last(hub);
        let mut tables = Tables::default();
        let mut name = String::new();
        for state in hub {
            name.clone_from(&state.header.hub);
            // the values that check the sessions of the hub are no longer needed
            state.tables.ids = Vec::new();
            tables.unite(std::mem::take(&mut state.tables));
        }
        fill_hub(scan, &name, tables);
    }
}

/// A number that another hub may have too.
fn own(hub: &str, number: i64) -> i64 {
    if hub.is_empty() || number == NO_ID { number } else { hash_parts(&[hub, &number.to_string()]) as i64 }
}

fn fill_hub(scan: &mut Scan, hub: &str, tables: Tables) {
    let ground = std::sync::Arc::clone(&scan.ground);
    let axis = &ground.axis;
    let key = |key: u128| (key != NO_KEY).then_some(key);
    let columns = |has_country: u8, country: u128, columns: u16| {
        columns | if has_country == 0 { 0 } else { ground.places.of_residence_key(country) }
    };
    for row in &tables.domains {
        if let Some(seen) = when::instant(row.when).and_then(|t| axis.seen(t)) {
            let domain = scan.domains.of(row.domain);
            scan.domain_seen.push((domain, seen));
        }
    }
    for row in &tables.sums {
        let Some(moment) = when::instant(row.when).and_then(|t| axis.moment(t)) else { continue };
        scan.hits.add(moment, row.hits);
        scan.hit_rows.add(moment, row.hit_rows);
        let seen = axis.seen_at(moment);
        if seen.row < axis.n_rows() && seen.level > 0 {
            scan.visits.add(moment, row.visits);
            scan.stays.add(moment, row.stays);
            scan.stay_secs.add(moment, row.stay_secs);
        }
    }
    for Login { user, ip, day, late } in tables.logins {
        let t = Stamp::from_parts((day >> 9) as u16, (day >> 5 & 15) as u8, (day & 31) as u8, 0, 0, late);
        let (moment, seen) = (axis.moment(t), axis.seen(t));
        scan.absorb(Fact::Login { user: key(user), ip, moment, day: day_code(t), seen });
    }
    for row in tables.profiles {
        let registered = when::instant(row.registered).and_then(|t| axis.seen(t));
        let uid = (row.has_uid != 0).then(|| own(hub, row.uid));
        let columns = columns(row.has_country, row.country, row.columns);
        scan.absorb(Fact::Profile { uid, user: key(row.user), columns, registered });
    }
    for row in &tables.firsts {
        let user = key(row.user).map(|user| scan.starters.of(user));
        let since = (row.since_1995 > 0).then(|| Stamp::from_bits(row.since_1995));
        scan.first_starts(user, Stamp::from_bits(row.ever), since);
    }
    for Starts { user, month, at_first, after, latest } in tables.starts {
        let user = key(user).map(|user| scan.starters.of(user));
        for (code, n) in [(month * 2, at_first), (month * 2 + 1, after)] {
            let moment = when::instant(code).and_then(|t| axis.moment(t));
            if let Some(moment) = moment.filter(|_| n > 0) {
                scan.more_starts(user, moment, n, Stamp::from_bits(latest));
            }
        }
    }
    for row in &tables.starters {
        let user = scan.starters.of(row.user);
        if let Some(seen) = when::instant(row.when).and_then(|t| axis.seen(t)) {
            scan.starter_seen.push((user, columns(row.has_country, row.country, row.columns), seen));
        }
    }
    for row in &tables.tool_sessions {
        let Some(moment) = when::instant(row.when).and_then(|t| axis.moment(t)) else { continue };
        if axis.seen_at(moment).row < axis.n_rows() {
            scan.absorb(Fact::HubSession {
                sessnum: Some(own(hub, row.sessnum)),
                user: row.user,
                system: row.system != 0,
                app: row.app,
                moment,
                seconds: [row.cpu, row.wall, row.view].map(f64::from_bits),
            });
        }
    }
    for row in &tables.jobs {
        scan.absorb(Fact::HubJob { sessnum: own(hub, row.sessnum), cpu: f64::from_bits(row.cpu) });
    }
    for row in &tables.versions {
        scan.absorb(Fact::ToolVersion { tool: row.tool, instance: row.instance });
    }
    scan.add_extensions(&tables.extensions);
}

/// What the numbers of the states mean for a scan, whose extensions are all known.
pub(crate) fn meanings<'a>(scan: &Scan, states: &'a [State]) -> Vec<Meaning<'a>> {
    let (places, lens) = (&scan.ground.places, scan.lens());
    let one = |state: &'a State| Meaning {
        store: &state.sessions.store,
        classes: state.sessions.domains.iter().map(|domain| places.class(*domain)).collect(),
        columns: state.sessions.countries.iter().map(|country| places.of_visitor_key(*country)).collect(),
        downloads: state.sessions.tails.iter().map(|tail| lens.has_extension(tail)).collect(),
    };
    states.iter().map(one).collect()
}

/// The first month that a state can be asked for.
pub(crate) const FIRST_MONTH: Month = match Month::new(1996, 1) {
    Some(month) => month,
    None => panic!("a month"),
};

/// Whether all periods of the months begin in 1995 or later, as those that a state knows.
pub(crate) fn can_serve(axis: &Axis) -> bool {
    axis.months().first().is_none_or(|first| *first >= FIRST_MONTH)
}
