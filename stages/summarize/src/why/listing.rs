//! The rows that count in a cell, and the value that they give. The conditions are those of the scan:
//! [`events`], [`dimensions`] and [`crate::scan::Lens`].

use std::rc::Rc;

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use schema::cells::Summary;
use schema::collation::hash;
use schema::{Opt, Place, Stamp, json, number};

use super::kept::{Kept, Login, Start, ToolSession};
use crate::axis::{Moment, Visibility, Window};
use crate::cells::{average, busiest_day, cpu, total};
use crate::finish::{
    CLASSES, HEAVY_SECS, REGULAR_STARTS, VISITOR, both, days_between, dimensions, events, is_faithful,
};
use crate::row::NO_ID;
use crate::scan::{EPOCH, First, Ground, SessionFact, day_text, ip_key};

/// What a row adds to the cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Adds {
    /// An earlier row of the same user or visitor has already added it.
    Nothing,
    Whole(i64),
    Seconds(f64),
}

/// One row of a listing.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'k> {
    /// Which number of the rule it belongs to.
    pub part: &'static str,
    pub adds: Adds,
    /// The visitor or user.
    pub who: Rc<str>,
    /// The row as a record.
    pub record: &'k [u8],
}

/// The listing of a cell.
#[derive(Debug)]
pub(crate) struct Listing<'k> {
    pub entries: Vec<Entry<'k>>,
    /// The value that the rows give; `None` for a cell that is not written.
    pub value: Option<String>,
}

/// The rows of one period.
pub(crate) struct View<'k> {
    pub kept: &'k Kept,
    pub ground: &'k Ground,
    pub rappture: &'k FxHashSet<u128>,
    pub window: Window,
}

/// Entries by counted thing, in the order of their first rows.
pub(crate) struct Groups<'k, K> {
    places: FxHashMap<K, usize>,
    lists: Vec<Vec<Entry<'k>>>,
}

impl<'k, K: std::hash::Hash + Eq> Groups<'k, K> {
    pub(crate) fn new() -> Self {
        Self { places: FxHashMap::with_hasher(FxBuildHasher), lists: Vec::new() }
    }

    /// Adds a row of `key`; the first row of a key adds one to the cell.
    pub(crate) fn push(&mut self, key: K, part: &'static str, who: impl FnOnce() -> String, record: &'k [u8]) {
        let at = *self.places.entry(key).or_insert(self.lists.len());
        if at == self.lists.len() {
            self.lists.push(Vec::new());
        }
        let Some(list) = self.lists.get_mut(at) else { return };
        let who = list.first().map_or_else(|| who().into(), |first| Rc::clone(&first.who));
        let adds = if list.is_empty() { Adds::Whole(1) } else { Adds::Nothing };
        list.push(Entry { part, adds, who, record });
    }

    /// Whether there is a row of `key`.
    fn has(&self, key: &K) -> bool {
        self.places.contains_key(key)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    pub(crate) fn into_entries(self) -> Vec<Entry<'k>> {
        self.lists.into_iter().flatten().collect()
    }
}

/// A field of a record as text.
fn field(record: &[u8], names: &[&str]) -> Option<String> {
    let found = names.iter().find_map(|name| json::find(record, name).ok().flatten())?;
    json::text_or_digits(record.get(found)?).ok().flatten().map(std::borrow::Cow::into_owned)
}

/// The user of a row.
fn user_of(record: &[u8]) -> String {
    field(record, &["user", "username"]).unwrap_or_else(|| "(no user)".to_owned())
}

/// The visitor of a session: address and host name.
pub(crate) fn visitor_of(record: &[u8]) -> String {
    let ip = field(record, &["ip"]).unwrap_or_default();
    field(record, &["host"]).map_or_else(|| ip.clone(), |host| format!("{ip} {host}"))
}

/// The address part of a visitor.
const fn ip_of(visitor: u128) -> u64 {
    (visitor >> 64) as u64
}

impl<'k> View<'k> {
    /// The listing of a cell.
    pub(crate) fn listing(&self, place: Place) -> Listing<'k> {
        match place.summary {
            Summary::Users => {
                let entries = self.users(place.rowid, place.colid);
                let value = whole(&entries).to_string();
                Listing { entries, value: Some(value) }
            }
            Summary::Simulation => self.simulation(place.rowid),
            Summary::Misc => self.misc(place.rowid),
        }
    }

    /// Whether the period contains a row with this visibility.
    fn sees(&self, seen: Visibility) -> bool {
        seen.row < self.ground.axis.n_rows() && seen.level > self.window.start
    }

    /// Whether the period contains an instant; `with_start` says whether its start belongs to it.
    fn has(&self, moment: Moment, with_start: bool) -> bool {
        let Window { start, stop } = self.window;
        (start..stop).contains(&moment.bucket) && (moment.bucket > start || !moment.at_bound || with_start)
    }

    fn as_port(&self) -> bool {
        self.ground.compat.has(Opt::LpSummary)
    }

    fn users(&self, rowid: u8, colid: u8) -> Vec<Entry<'k>> {
        let of_residences = colid <= 6;
        let visitors =
            |downloads| self.visitors(&dimensions(downloads, colid, self.ground.places.classes()), downloads);
        let joined = |downloads| self.joined(colid, downloads);
        match rowid {
            1 => [6, 7, 8].into_iter().flat_map(|rowid| self.users(rowid, colid)).collect(),
            2 => self.simulating(colid),
            3 | 4 if of_residences => [visitors(rowid == 4), joined(rowid == 4)].concat(),
            3 | 4 => joined(rowid == 4),
            6 => self.registered(colid),
            7 => visitors(false),
            8 => visitors(true),
            _ => Vec::new(),
        }
    }

    /// Logins of the period with a user.
    fn logins(&self) -> impl Iterator<Item = (&'k Login, u128)> {
        let seen = self.kept.logins.iter().filter(|login| login.seen.is_some_and(|seen| self.sees(seen)));
        seen.filter_map(|login| Some((login, login.user?)))
    }

    fn registered(&self, colid: u8) -> Vec<Entry<'k>> {
        let part = "registered users";
        let bit = 1 << (colid - 1);
        let mut columns: FxHashMap<u128, u16> = FxHashMap::default();
        for profile in &self.kept.profiles {
            if let Some(user) = profile.user {
                *columns.entry(user).or_default() |= profile.columns;
            }
        }
        let counts = |user: &u128| (columns.get(user).copied().unwrap_or(0) | 1) & bit != 0;
        let mut groups = Groups::new();
        for (login, user) in self.logins().filter(|(_, user)| counts(user)) {
            groups.push(user, part, || user_of(&login.record), &login.record);
        }
        if colid > 1 {
            for profile in &self.kept.profiles {
                if let Some(user) = profile.user.filter(|user| groups.has(user)) {
                    groups.push(user, part, String::new, &profile.record);
                }
            }
        }
        groups.into_entries()
    }

    /// Starts of the period.
    fn starts(&self) -> impl Iterator<Item = &'k Start> {
        self.kept.starts.iter().filter(|start| start.moment.is_some_and(|moment| self.has(moment, false)))
    }

    fn simulating(&self, colid: u8) -> Vec<Entry<'k>> {
        let mut groups = Groups::new();
        for start in self.starts().filter(|start| start.columns & (1 << (colid - 1)) != 0) {
            if let Some(user) = start.user {
                groups.push(user, "simulation users", || user_of(&start.record), &start.record);
            }
        }
        groups.into_entries()
    }

    /// The downloads of a session, with their positions in the list.
    fn downloads_of(&self, session: &SessionFact) -> &'k [usize] {
        let list = self.kept.of_session.get(&session.id).filter(|_| session.id != NO_ID);
        list.map_or(&[], Vec::as_slice)
    }

    /// The events of the period's sessions among these dimensions.
    fn events(&self, dims: &[usize], mut emit: impl FnMut(usize, bool, &'k SessionFact, &'k [u8])) {
        let n_classes = self.ground.places.classes().len();
        for (session, record) in self.kept.sessions.iter().filter(|(session, _)| session.is_visit()) {
            let times = self.downloads_of(session).iter().map(|at| self.kept.downloads[*at].1);
            let mut met: Vec<(usize, bool)> = Vec::new();
            events(&session.shape, times, n_classes, |dim, unregistered, seen| {
                let event = (usize::from(dim), unregistered);
                if dims.contains(&event.0) && self.sees(seen) && !met.contains(&event) {
                    met.push(event);
                }
            });
            met.into_iter().for_each(|(dim, unregistered)| emit(dim, unregistered, session, record));
        }
    }

    /// The downloads of a session that count for an event of `dim`.
    fn downloads(&self, dim: usize, session: &'k SessionFact) -> impl Iterator<Item = &'k [u8]> {
        let all = self.downloads_of(session).iter().map(|at| &self.kept.downloads[*at]);
        let of_class = dim >= CLASSES;
        let asked = all.filter(move |(_, when, _)| {
            !of_class || when.is_some_and(|when| self.sees(both(session.shape.seen, when)))
        });
        asked.map(|(_, _, record)| &**record)
    }

    fn visitors(&self, dims: &[usize], downloads: bool) -> Vec<Entry<'k>> {
        let part = if downloads { "unregistered download users" } else { "unregistered interactive users" };
        let localhost = ip_key("127.0.0.1");
        let logins = self.kept.logins.iter().filter(|login| login.seen.is_some_and(|seen| self.sees(seen)));
        let barred: FxHashSet<u64> = logins.map(|login| login.ip).filter(|ip| self.ground.bars(*ip)).collect();
        let mut groups = Groups::new();
        self.events(dims, |dim, unregistered, session, record| {
            let ip = ip_of(session.visitor);
            if !unregistered || dim != VISITOR && (ip == localhost || barred.contains(&ip)) {
                return;
            }
            let key = (dim, session.visitor);
            groups.push(key, part, || visitor_of(record), record);
            if downloads {
                self.downloads(dim, session).for_each(|request| groups.push(key, part, String::new, request));
            }
        });
        groups.into_entries()
    }

    /// Users who ever logged in from an address with such sessions.
    fn joined(&self, colid: u8, downloads: bool) -> Vec<Entry<'k>> {
        let part = "users who logged in from such an address";
        let of_residences = colid <= 6;
        let dims = dimensions(downloads, colid, self.ground.places.classes());
        let localhost = ip_key("127.0.0.1");
        let ignored = self.as_port().then(|| ip_key(""));
        let mut logins: FxHashMap<u64, Vec<(u128, &'k [u8])>> = FxHashMap::default();
        let mut seen: FxHashSet<(u128, u64)> = FxHashSet::default();
        let mut always: FxHashSet<u128> = FxHashSet::default();
        let mut groups = Groups::new();
        for login in &self.kept.logins {
            let Some(user) = login.user.filter(|user| seen.insert((*user, login.ip))) else { continue };
            logins.entry(login.ip).or_default().push((user, &login.record));
            if login.ip == localhost && of_residences {
                always.insert(user);
                groups.push((0, user), part, || user_of(&login.record), &login.record);
            }
        }
        let mut shown: FxHashSet<(usize, u128, u64)> = FxHashSet::default();
        self.events(&dims, |dim, _, session, record| {
            let ip = ip_of(session.visitor);
            for &(user, login) in logins.get(&ip).into_iter().flatten() {
                if of_residences && (always.contains(&user) || Some(ip) == ignored) {
                    continue;
                }
                let key = (if of_residences { 0 } else { dim }, user);
                if shown.insert((key.0, user, ip)) {
                    groups.push(key, part, || user_of(login), login);
                }
                groups.push(key, part, String::new, record);
                if downloads {
                    self.downloads(dim, session).for_each(|request| groups.push(key, part, String::new, request));
                }
            }
        });
        groups.into_entries()
    }

    fn simulation(&self, rowid: u8) -> Listing<'k> {
        let users = || self.simulating(1);
        let of_users = |entries: Vec<Entry<'k>>| {
            let value = whole(&entries).to_string();
            Listing { entries, value: Some(value) }
        };
        if rowid == 1 {
            return of_users(users());
        }
        let n_users = whole(&users());
        if n_users == 0 {
            // without users, the other rows keep their old values
            return Listing { entries: Vec::new(), value: None };
        }
        let seconds = |entries: Vec<Entry<'k>>| {
            let value = total(sum(&entries, None), self.as_port()).to_string();
            Listing { entries, value: Some(value) }
        };
        let ratio = |counted: Vec<Entry<'k>>, unit| {
            let value = average(clip(whole(&counted)), clip(n_users), unit, self.as_port()).to_string();
            Listing { entries: [counted, users()].concat(), value: Some(value) }
        };
        match rowid {
            2 => of_users(self.runs()),
            3 => {
                let entries = [self.cpu_of_sessions(), self.cpu_of_jobs()].concat();
                let [sessions, jobs] = [OTHER_TOOLS, JOBS].map(|part| sum(&entries, Some(part)));
                let value = cpu(sessions, jobs, self.as_port()).to_string();
                Listing { entries, value: Some(value) }
            }
            4 => seconds(self.seconds_of_people(1)),
            5 => seconds(self.seconds_of_people(2)),
            6 => of_users(self.heavy()),
            7 => ratio(self.runs(), 1),
            8 => ratio(self.days_between_runs(), 86_400),
            9 => of_users(self.by_user(|starts| (starts.len() as u64 >= REGULAR_STARTS).then_some(1), "regular users")),
            _ => of_users(self.by_user(|starts| self.came_back(starts).then_some(1), "users who came back")),
        }
    }

    fn runs(&self) -> Vec<Entry<'k>> {
        let runs = self.starts().filter(|start| start.user.is_some());
        let entry = |start: &'k Start| Entry {
            part: "runs",
            adds: Adds::Whole(1),
            who: user_of(&start.record).into(),
            record: &start.record,
        };
        runs.map(entry).collect()
    }

    /// Starts of the period by user, for the users who count; the first of each adds the number.
    fn by_user(&self, number: impl Fn(&[&'k Start]) -> Option<i64>, part: &'static str) -> Vec<Entry<'k>> {
        let mut places: FxHashMap<Option<u128>, usize> = FxHashMap::default();
        let mut users: Vec<Vec<&'k Start>> = Vec::new();
        for start in self.starts() {
            let at = *places.entry(start.user).or_insert(users.len());
            if at == users.len() {
                users.push(Vec::new());
            }
            users[at].push(start);
        }
        let mut entries = Vec::new();
        for starts in &users {
            let Some(number) = number(starts) else { continue };
            for (i, start) in starts.iter().enumerate() {
                let adds = if i == 0 { Adds::Whole(number) } else { Adds::Nothing };
                entries.push(Entry { part, adds, who: user_of(&start.record).into(), record: &start.record });
            }
        }
        entries
    }

    /// The first starts of users; legacy looks up those of a missing user by an empty name.
    fn first_and_latest(&self, starts: &[&Start]) -> Option<(First, Stamp)> {
        let user = starts.first()?.user;
        let first = self.kept.firsts.get(&user.or_else(|| Some(hash("")))).copied().unwrap_or_default();
        Some((first, starts.iter().map(|start| start.datetime).max()?))
    }

    fn came_back(&self, starts: &[&Start]) -> bool {
        let nobody = self.as_port() && starts.iter().any(|start| start.user.is_none());
        !nobody && self.first_and_latest(starts).is_some_and(|(first, latest)| is_faithful(first, latest))
    }

    fn days_between_runs(&self) -> Vec<Entry<'k>> {
        let days = |starts: &[&'k Start]| {
            let nobody = self.as_port() && starts.iter().any(|start| start.user.is_none());
            let twice = starts.iter().filter(|start| start.datetime > EPOCH).count() > 1;
            let (first, latest) = self.first_and_latest(starts).filter(|_| twice && !nobody)?;
            Some(days_between(first, latest, self.as_port()))
        };
        self.by_user(days, "days between the first and the last run")
    }

    /// Tool sessions of the period.
    fn tool_sessions(&self) -> impl Iterator<Item = &'k ToolSession> {
        self.kept.tool_sessions.iter().filter(|session| self.has(session.moment, false))
    }

    fn is_person(&self, session: &ToolSession) -> bool {
        !self.kept.system_users.contains(&session.user)
    }

    fn cpu_of_sessions(&self) -> Vec<Entry<'k>> {
        let others = self.tool_sessions().filter(|session| !self.rappture.contains(&session.app));
        others.filter_map(|session| of_seconds(session, OTHER_TOOLS, 0)).collect()
    }

    fn cpu_of_jobs(&self) -> Vec<Entry<'k>> {
        let mut by_number: FxHashMap<i64, Vec<&'k ToolSession>> = FxHashMap::default();
        for session in self.tool_sessions().filter(|session| session.sessnum != NO_ID) {
            by_number.entry(session.sessnum).or_default().push(session);
        }
        let mut entries = Vec::new();
        for (sessnum, cpu, record) in &self.kept.jobs {
            for session in by_number.get(sessnum).into_iter().flatten() {
                if self.rappture.contains(&session.app) && self.is_person(session) {
                    let who = user_of(&session.record).into();
                    entries.push(Entry { part: JOBS, adds: Adds::Seconds(*cpu), who, record });
                }
            }
        }
        entries
    }

    fn seconds_of_people(&self, which: usize) -> Vec<Entry<'k>> {
        let people = self.tool_sessions().filter(|session| self.is_person(session));
        people.filter_map(|session| of_seconds(session, "tool sessions", which)).collect()
    }

    fn heavy(&self) -> Vec<Entry<'k>> {
        let mut seconds: FxHashMap<u128, f64> = FxHashMap::default();
        for session in self.tool_sessions().filter(|session| self.is_person(session)) {
            let sum = seconds.entry(session.user).or_default();
            let [cpu, ..] = session.seconds;
            if !cpu.is_nan() {
                *sum = number::sum(*sum, cpu);
            }
        }
        let mut groups = Groups::new();
        for session in self.tool_sessions().filter(|session| self.is_person(session)) {
            if seconds.get(&session.user).is_some_and(|seconds| *seconds >= HEAVY_SECS) {
                groups.push(session.user, "heavy users", || user_of(&session.record), &session.record);
            }
        }
        groups.into_entries()
    }

    fn misc(&self, rowid: u8) -> Listing<'k> {
        let counted = |entries: Vec<Entry<'k>>| {
            let value = whole(&entries).to_string();
            Listing { entries, value: Some(value) }
        };
        let or_empty = |entries: Vec<Entry<'k>>| {
            let value = if entries.is_empty() { String::new() } else { whole(&entries).to_string() };
            Listing { entries, value: Some(value) }
        };
        match rowid {
            1 => counted(self.domains()),
            2 => counted(self.sessions("stays", SessionFact::is_stay, |_| 1)),
            3 => or_empty(self.sessions("seconds", SessionFact::is_stay, |session| session.duration)),
            4 => counted(self.all_visitors()),
            5 => counted(self.sessions("visits", SessionFact::is_visit, |_| 1)),
            6 => counted(self.registrations()),
            7 => self.busiest(),
            _ => or_empty(self.hits()),
        }
    }

    /// Sessions of the period.
    fn of_period(&self) -> impl Iterator<Item = &'k (SessionFact, super::kept::Record)> {
        self.kept.sessions.iter().filter(|(session, _)| self.has(session.moment, false))
    }

    fn domains(&self) -> Vec<Entry<'k>> {
        let mut groups = Groups::new();
        for (session, record) in self.of_period() {
            if let Some(domain) = session.domain {
                groups.push(domain, "domains", || field(record, &["domain"]).unwrap_or_default(), record);
            }
        }
        groups.into_entries()
    }

    fn sessions(
        &self,
        part: &'static str,
        counts: fn(&SessionFact) -> bool,
        adds: fn(&SessionFact) -> i64,
    ) -> Vec<Entry<'k>> {
        let counted = self.of_period().filter(|(session, _)| counts(session));
        let entry = |(session, record): &'k (SessionFact, super::kept::Record)| Entry {
            part,
            adds: Adds::Whole(adds(session)),
            who: visitor_of(record).into(),
            record,
        };
        counted.map(entry).collect()
    }

    fn all_visitors(&self) -> Vec<Entry<'k>> {
        let mut groups = Groups::new();
        self.events(&[VISITOR], |_, _, session, record| {
            groups.push(session.visitor, "visitors", || visitor_of(record), record);
        });
        groups.into_entries()
    }

    fn registrations(&self) -> Vec<Entry<'k>> {
        let mut groups = Groups::new();
        for profile in &self.kept.profiles {
            if let (Some(uid), true) = (profile.uid, profile.registered.is_some_and(|seen| self.sees(seen))) {
                groups.push(uid, "registrations", || user_of(&profile.record), &profile.record);
            }
        }
        groups.into_entries()
    }

    fn busiest(&self) -> Listing<'k> {
        let of_period = || self.kept.logins.iter().filter(|login| login.moment.is_some_and(|m| self.has(m, false)));
        let mut days: std::collections::BTreeMap<u32, FxHashSet<u128>> = std::collections::BTreeMap::new();
        for login in of_period() {
            if let Some(user) = login.user {
                days.entry(login.day).or_default().insert(user);
            }
        }
        let mut best: Option<(usize, u32)> = None;
        for (day, users) in &days {
            if best.is_none_or(|(most, _)| users.len() > most) {
                best = Some((users.len(), *day));
            }
        }
        let mut groups = Groups::new();
        for login in of_period().filter(|login| best.is_some_and(|(_, day)| login.day == day)) {
            if let Some(user) = login.user {
                groups.push(user, "users on the busiest day", || user_of(&login.record), &login.record);
            }
        }
        let best = best.map(|(n, day)| (u32::try_from(n).unwrap_or(u32::MAX), day_text(day)));
        Listing { entries: groups.into_entries(), value: Some(busiest_day(best)) }
    }

    fn hits(&self) -> Vec<Entry<'k>> {
        let with_start = !self.ground.compat.has(Opt::HitsStartExclusive);
        let days = self.kept.hits.iter().filter(|(moment, ..)| self.has(*moment, with_start));
        let entry = |(_, hits, record): &'k (Moment, i64, super::kept::Record)| Entry {
            part: "hits",
            adds: Adds::Whole(*hits),
            who: Rc::default(),
            record,
        };
        days.map(entry).collect()
    }
}

const OTHER_TOOLS: &str = "CPU seconds of sessions of other tools";
const JOBS: &str = "CPU seconds of jobs of Rappture tools";

/// A tool session with one of its times; `None` if that is NULL.
fn of_seconds<'k>(session: &'k ToolSession, part: &'static str, which: usize) -> Option<Entry<'k>> {
    let seconds = session.seconds.get(which).copied().filter(|seconds| !seconds.is_nan())?;
    Some(Entry { part, adds: Adds::Seconds(seconds), who: user_of(&session.record).into(), record: &session.record })
}

/// The sum of integer entries.
fn whole(entries: &[Entry<'_>]) -> i128 {
    let number = |entry: &Entry<'_>| if let Adds::Whole(n) = entry.adds { i128::from(n) } else { 0 };
    entries.iter().map(number).sum()
}

/// The sum of seconds, of one part or all, added in the order of the rows.
fn sum(entries: &[Entry<'_>], part: Option<&str>) -> f64 {
    let of_part = entries.iter().filter(|entry| part.is_none_or(|part| entry.part == part));
    let seconds = of_part.filter_map(|entry| if let Adds::Seconds(s) = entry.adds { Some(s) } else { None });
    seconds.fold(0.0, number::sum)
}

fn clip(n: i128) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
