//! Collects what a state keeps from rows. Nothing here depends on the months that will be asked for, on
//! the lists of domains and continents, or on the hub's tools.

use std::sync::Arc;

use anyhow::{Result, bail};
use rustc_hash::FxHashMap;
use schema::collation::{Like, equal, hash, hash_parts};
use schema::{Compat, Month, Opt, Stamp};

use crate::count::Distinct;
use crate::downloads::{Extensions, Verdict, judge};
use crate::places::of_organisation;
use crate::row::{
    HitsRow, HubSessionRow, Keep, LoginRow, Look, NO_ID, ProfileRow, Row, SessionRow, ToolVersionRow, ToolstartRow,
    WebRow,
};
use crate::scan::{Fact as ScanFact, LONG_SECS, Numbers, day_code, digest_hub_job, ip_key};
use crate::state::chunks::{Chunk, Download, Event, N_CHUNKS, NONE, Store, chunk_of, flag};
use crate::state::tables::{
    Domain, First, Id, Job, Login, NO_KEY, Profile, Starter, Starts, Sums, Tables, ToolSession, Version,
};
use crate::state::when::{self, NEVER};
use crate::twins;

/// Whose rows these are, and which months may be among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub compat: Compat,
    /// Empty where there is one hub only.
    pub hub: String,
    /// Accounts of people that several hubs know, by the hash of the local name.
    pub accounts: FxHashMap<u128, u128>,
    /// First month that may be there.
    pub from: Option<Month>,
    /// Last month that may be there.
    pub through: Option<Month>,
}

/// What rows are looked at through.
#[derive(Debug, Clone)]
pub(crate) struct Glass {
    origin: Origin,
    extensions: Extensions,
    system_name: Like,
    development: Like,
}

/// A row, reduced.
#[derive(Debug)]
pub(crate) enum Fact {
    Session(Box<SessionFact>),
    Download {
        session: i64,
        when: u16,
        tail: Option<Box<str>>,
    },
    Login(Login),
    Toolstart {
        datetime: Stamp,
        starter: Starter,
    },
    ToolSession(ToolSession),
    Job(Job),
    Profile(Profile),
    Resource(Box<str>),
    Version(Version),
    Hits {
        when: u16,
        hits: i64,
    },
    /// A row of a month that must not be there, and why.
    Outside(String),
}

/// A session, reduced.
#[derive(Debug)]
pub(crate) struct SessionFact {
    id: i64,
    visitor: u128,
    domain: Option<u128>,
    country: u128,
    when: u16,
    flags: u8,
    duration: i64,
    jobs: i64,
}

impl Look for Glass {
    type Fact = Fact;

    fn digest(&self, row: Row<'_>) -> Option<Fact> {
        let dated = match row {
            Row::Web(WebRow { datetime: Some(t), .. })
            | Row::Session(SessionRow { datetime: t, .. })
            | Row::Login(LoginRow { datetime: t, .. })
            | Row::Toolstart(ToolstartRow { datetime: t, .. })
            | Row::HubSession(HubSessionRow { start: t, .. })
            | Row::Hits(HitsRow { datetime: t, .. }) => Some(t),
            _ => None,
        };
        match row {
            Row::Web(row) => self.web(row),
            Row::Session(row) => Self::session(row),
            Row::Login(row) => self.login(row),
            Row::Toolstart(row) => self.toolstart(row),
            Row::HubSession(row) => self.hub_session(row),
            Row::HubJob(row) => match digest_hub_job(row)? {
                ScanFact::HubJob { sessnum, cpu } => Some(Fact::Job(Job { sessnum, cpu: cpu.to_bits() })),
                _ => None,
            },
            Row::Profile(row) => Some(self.profile(row)),
            Row::Resource(path) => Some(Fact::Resource(path.into())),
            Row::ToolVersion(row) => self.version(row),
            Row::Hits(HitsRow { datetime, hits }) => Some(Fact::Hits { when: when::code(datetime), hits }),
        }
        .map(|fact| dated.and_then(|t| self.outside(t)).unwrap_or(fact))
    }
}

impl Glass {
    fn outside(&self, t: Stamp) -> Option<Fact> {
        let month = t.counts_in()?;
        if self.origin.from.is_some_and(|from| month < from) {
            return Some(Fact::Outside(format!("a record of {t} is of a month that a state holds already")));
        }
        if let Some(through) = self.origin.through.filter(|through| month > *through) {
            return Some(Fact::Outside(format!(
                "a record of {t} is later than {through}: a state holds the months through the one asked for, and its \
                 records must end with it"
            )));
        }
        None
    }

    /// The key of a login name.
    fn person(&self, user: &str) -> u128 {
        let Origin { hub, accounts, .. } = &self.origin;
        let local = hash(user);
        match accounts.get(&local) {
            Some(account) => *account,
            None if hub.is_empty() || equal(user, "") => local,
            None => hash_parts(&[hub, user]),
        }
    }

    fn web(&self, row: WebRow<'_>) -> Option<Fact> {
        let (session, when) = (row.sessionid, row.datetime.map_or(NEVER, when::code));
        let download = |tail: Option<&str>| Some(Fact::Download { session, when, tail: tail.map(Into::into) });
        if row.dnload {
            return download(None);
        }
        if self.origin.compat.has(Opt::DownloadsFlag) {
            return None;
        }
        match judge(row.content) {
            Verdict::No => None,
            Verdict::Yes => download(None),
            Verdict::If(tail) => download(Some(tail).filter(|tail| !self.extensions.match_tail(tail))),
        }
    }

    fn session(row: SessionRow<'_>) -> Option<Fact> {
        let when = when::code(row.datetime);
        let plain = if row.jobs == 0 && row.duration >= 0 { flag::PLAIN } else { 0 };
        let long = if row.duration >= LONG_SECS { flag::LONG } else { 0 };
        let hosted = if row.host.is_some() { flag::HOSTED } else { 0 };
        let host = row.host.map_or(0, |host| hash(host) >> 64);
        (when != NEVER).then(|| {
            Fact::Session(Box::new(SessionFact {
                id: row.id.unwrap_or(NO_ID),
                visitor: u128::from(ip_key(row.ip)) << 64 | host,
                domain: row.domain.map(hash),
                country: hash(row.ipcountry),
                when,
                flags: plain | long | hosted,
                duration: row.duration,
                jobs: row.jobs,
            }))
        })
    }

    fn login(&self, row: LoginRow<'_>) -> Option<Fact> {
        if !equal(row.action, "login") && !equal(row.action, "simulation") {
            return None;
        }
        let user = row.user.map_or(NO_KEY, |user| self.person(user));
        let late = u8::from(!row.datetime.is_midnight());
        Some(Fact::Login(Login { user, ip: ip_key(row.ip), day: day_code(row.datetime), late }))
    }

    fn toolstart(&self, row: ToolstartRow<'_>) -> Option<Fact> {
        let starter = || Starter {
            user: row.user.map_or(NO_KEY, |user| self.person(user)),
            has_country: u8::from(row.countryresident.is_some()),
            country: row.countryresident.map_or(NO_KEY, hash),
            columns: of_organisation(row.orgtype),
            when: when::code(row.datetime),
        };
        (row.success == 1).then(|| Fact::Toolstart { datetime: row.datetime, starter: starter() })
    }

    fn hub_session(&self, row: HubSessionRow<'_>) -> Option<Fact> {
        let when = when::code(row.start);
        let bits = |value: Option<f64>| value.unwrap_or(f64::NAN).to_bits();
        let system = equal(row.username, "gridstat") || self.system_name.matches(row.username);
        (when != NEVER).then(|| {
            Fact::ToolSession(ToolSession {
                sessnum: row.sessnum.unwrap_or(NO_ID),
                user: self.person(row.username),
                system: system.into(),
                app: hash(row.appname),
                when,
                cpu: bits(row.cputime),
                wall: bits(row.walltime),
                view: bits(row.viewtime),
            })
        })
    }

    fn profile(&self, row: ProfileRow<'_>) -> Fact {
        Fact::Profile(Profile {
            user: row.username.map_or(NO_KEY, |user| self.person(user)),
            has_country: u8::from(row.countryresident.is_some()),
            country: row.countryresident.map_or(NO_KEY, hash),
            columns: of_organisation(row.orgtype),
            has_uid: u8::from(row.uid.is_some()),
            uid: row.uid.unwrap_or(0),
            registered: row.registered.map_or(NEVER, when::code),
        })
    }

    fn version(&self, row: ToolVersionRow<'_>) -> Option<Fact> {
        let as_port = self.origin.compat.has(Opt::LpSummary);
        if self.development.matches(row.instance) || row.instance.is_empty() && as_port {
            return None;
        }
        Some(Fact::Version(Version { tool: hash(row.toolname), instance: hash(row.instance) }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    domain: u32,
    country: u16,
    when: u16,
    flags: u8,
}

/// What was collected.
#[derive(Debug)]
pub(crate) struct Keeper {
    glass: Arc<Glass>,
    tables: Tables,
    visitors: Numbers,
    domains: Numbers,
    countries: Numbers,
    shapes: Vec<Shape>,
    shape_numbers: FxHashMap<Shape, u32>,
    sessions: Vec<(i64, u32, u32)>,
    downloads: Distinct<(i64, u16, u32)>,
    tails: FxHashMap<Box<str>, u32>,
    domain_seen: Distinct<(u32, u16)>,
    logins: Distinct<Login>,
    starters: Distinct<Starter>,
    sums: FxHashMap<u16, Sums>,
    starts: FxHashMap<(u128, u16), Starts>,
    firsts: FxHashMap<u128, First>,
    outside: Option<String>,
}

/// What a state knows of sessions, with its own numbers.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub domains: Vec<u128>,
    pub countries: Vec<u128>,
    pub tails: Vec<String>,
    pub store: Store,
}

impl Keep for Keeper {
    type Look = Glass;

    fn look(&self) -> Arc<Glass> {
        Arc::clone(&self.glass)
    }

    fn absorb(&mut self, fact: Fact) {
        match fact {
            Fact::Session(row) => self.session(&row),
            Fact::Download { session, when, tail } => {
                let tail = tail.map_or(NONE, |tail| {
                    let n = u32::try_from(self.tails.len()).unwrap_or(NONE);
                    *self.tails.entry(tail).or_insert(n)
                });
                if session != NO_ID {
                    self.downloads.push((session, when, tail));
                }
            }
            Fact::Login(login) => self.logins.push(login),
            Fact::Toolstart { datetime, starter } => self.toolstart(datetime, starter),
            Fact::ToolSession(row) => self.tables.tool_sessions.push(row),
            Fact::Job(job) => self.tables.jobs.push(job),
            Fact::Profile(profile) => self.tables.profiles.push(profile),
            Fact::Resource(path) => Arc::make_mut(&mut self.glass).extensions.add_path(&path),
            Fact::Version(version) => self.tables.versions.push(version),
            Fact::Hits { when, hits } => {
                if let Some(sums) = self.sums(when) {
                    sums.hits += hits;
                    sums.hit_rows += 1;
                }
            }
            Fact::Outside(why) => {
                self.outside.get_or_insert(why);
            }
        }
    }

    fn relieve(&mut self, _: usize) -> Result<()> {
        match self.outside.take() {
            Some(why) => bail!(why),
            None => Ok(()),
        }
    }
}

impl Keeper {
    /// Nothing seen yet.
    pub(crate) fn new(origin: Origin) -> Self {
        let glass = Arc::new(Glass {
            origin,
            extensions: Extensions::default(),
            system_name: Like::new("hctest%"),
            development: Like::new("%\\_dev"),
        });
        Self {
            glass,
            tables: Tables::default(),
            visitors: Numbers::default(),
            domains: Numbers::default(),
            countries: Numbers::default(),
            shapes: Vec::new(),
            shape_numbers: FxHashMap::default(),
            sessions: Vec::new(),
            downloads: Distinct::new(),
            tails: FxHashMap::default(),
            domain_seen: Distinct::new(),
            logins: Distinct::new(),
            starters: Distinct::new(),
            sums: FxHashMap::default(),
            starts: FxHashMap::default(),
            firsts: FxHashMap::default(),
            outside: None,
        }
    }

    fn sums(&mut self, when: u16) -> Option<&mut Sums> {
        (when != NEVER).then(|| self.sums.entry(when).or_insert(Sums { when, ..Sums::default() }))
    }

    fn session(&mut self, row: &SessionFact) {
        let domain = row.domain.map_or(NONE, |domain| self.domains.of(domain));
        if domain != NONE {
            self.domain_seen.push((domain, row.when));
        }
        let Some(sums) = self.sums(row.when) else { return };
        if row.duration >= LONG_SECS || row.jobs > 0 {
            sums.stays += 1;
            sums.stay_secs += row.duration;
        }
        if row.duration < 0 && row.jobs <= 0 {
            return;
        }
        sums.visits += 1;
        let country = u16::try_from(self.countries.of(row.country)).unwrap_or(u16::MAX);
        let shape = Shape { domain, country, when: row.when, flags: row.flags };
        let n = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
        let number = *self.shape_numbers.entry(shape).or_insert(n);
        if number == n {
            self.shapes.push(shape);
        }
        self.sessions.push((row.id, self.visitors.of(row.visitor), number));
    }

    fn toolstart(&mut self, datetime: Stamp, starter: Starter) {
        let Starter { user, when, .. } = starter;
        let bits = datetime.to_bits();
        let since_1995 = if datetime > Stamp::from_parts(1995, 1, 1, 0, 0, 0) { bits } else { 0 };
        let first = self.firsts.entry(user).or_insert(First { user, ever: bits, since_1995 });
        first.ever = first.ever.min(bits);
        if since_1995 > 0 && (first.since_1995 == 0 || since_1995 < first.since_1995) {
            first.since_1995 = since_1995;
        }
        if when == NEVER {
            return;
        }
        let month = when / 2;
        let starts = self.starts.entry((user, month)).or_insert(Starts { user, month, ..Starts::default() });
        let count = if when % 2 == 0 { &mut starts.at_first } else { &mut starts.after };
        *count = count.saturating_add(1);
        starts.latest = starts.latest.max(bits);
        if user != NO_KEY {
            self.starters.push(starter);
        }
    }

    /// Everything, as a state has it.
    ///
    /// # Errors
    /// Two sessions have one number, or there are too many countries.
    pub(crate) fn finish(mut self) -> Result<(Tables, Sessions)> {
        if let Some(why) = self.outside {
            bail!(why);
        }
        if self.countries.keys().len() >= usize::from(u16::MAX) {
            bail!("more than 65,000 different countries");
        }
        twins::refuse(self.sessions.iter().map(|session| session.0))?;
        let mut tables = self.tables;
        let domains = self.domains.keys().to_vec();
        let domain = |n: u32| domains.get(n as usize).copied().unwrap_or(NO_KEY);
        tables.domains =
            self.domain_seen.into_sorted().into_iter().map(|(n, when)| Domain { domain: domain(n), when }).collect();
        tables.sums = self.sums.into_values().collect();
        tables.logins = self.logins.into_sorted();
        tables.starts = self.starts.into_values().collect();
        tables.firsts = self.firsts.into_values().collect();
        tables.starters = self.starters.into_sorted();
        tables.extensions = self.glass.extensions.texts();
        let mut tails: Vec<(Box<str>, u32)> = self.tails.into_iter().collect();
        tails.sort_unstable_by_key(|(_, n)| *n);
        let is_settled: Vec<bool> = tails.iter().map(|(tail, _)| self.glass.extensions.match_tail(tail)).collect();
        let mut downloads = self.downloads.into_sorted();
        for (_, _, tail) in &mut downloads {
            if is_settled.get(*tail as usize) == Some(&true) {
                *tail = NONE;
            }
        }
        self.sessions.sort_unstable_by_key(|session| session.0);
        let mut chunks = vec![Chunk::default(); N_CHUNKS];
        let mut downloads = downloads.into_iter().peekable();
        for (id, visitor, shape) in self.sessions {
            let Some(visitor) = self.visitors.keys().get(visitor as usize).copied() else { continue };
            let Some(Shape { domain, country, when, flags }) = self.shapes.get(shape as usize).copied() else {
                continue;
            };
            let Some(chunk) = chunks.get_mut(chunk_of(visitor)) else { continue };
            let event = u32::try_from(chunk.events.len())?;
            chunk.events.push(Event { visitor, domain, country, when, flags });
            if id == NO_ID {
                continue;
            }
            tables.ids.push(Id { id });
            while let Some((of, when, tail)) = downloads.next_if(|d| d.0 <= id) {
                if of == id {
                    chunk.downloads.push(Download { event, when, tail });
                } else {
                    tables.strangers.push(Id { id: of });
                }
            }
        }
        tables.strangers.extend(downloads.map(|(id, ..)| Id { id }));
        tables.settle();
        let chunks = chunks.iter().map(|chunk| Chunk::unite(std::slice::from_ref(chunk))).collect();
        let tails = tails.into_iter().map(|(tail, _)| tail.into()).collect();
        let countries = self.countries.keys().to_vec();
        Ok((tables, Sessions { domains, countries, tails, store: Store::Memory(chunks) }))
    }
}
