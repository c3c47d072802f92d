//! The one scan: accepts rows in any order and keeps only what the cells of every period need.
//!
//! A row is first digested through a [`Lens`], which is shared and works in parallel, then absorbed
//! in the order of the input. The memory is bounded by distinct visitors, users, domains and days,
//! by 16 bytes per session, and by the small tables of the middleware. [`Scan::finish`] computes the
//! figures; the method is described in `docs/decisions/0006-one-scan.md`.

use std::sync::Arc;

use anyhow::Result;
use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHashSet};
use schema::collation::{Like, equal, hash};
use schema::{Compat, Opt, Stamp};

use crate::axis::{Axis, Moment, Visibility};
use crate::count::{Distinct, Tally};
use crate::downloads::{Extensions, Verdict, judge};
use crate::places::{Columns, Places};
use crate::row::{
    HitsRow, HubJobRow, HubSessionRow, Keep, LoginRow, Look, NO_ID, ProfileRow, Row, SessionRow, ToolVersionRow,
    ToolstartRow, WebRow,
};
use crate::spill::Spill;
use crate::tools::WORKSPACE;

/// Seconds from which a session without tools is interactive use, not a download.
pub(crate) const LONG_SECS: i64 = 900;

/// Starts of tools up to then are in no span of days.
pub(crate) const EPOCH: Stamp = Stamp::from_parts(1995, 1, 1, 0, 0, 0);

/// What the figures depend on besides the rows.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The periods.
    pub axis: Axis,
    /// Countries and domains.
    pub places: Places,
    /// Rappture tools besides `workspace`.
    pub apps: Vec<String>,
    /// Which program's results to reproduce.
    pub compat: Compat,
}

impl Ground {
    /// Whether a login from this address makes its visitors registered ones: the port does not know an
    /// empty address.
    pub(crate) fn bars(&self, ip: u64) -> bool {
        !(self.compat.has(Opt::LpSummary) && ip == ip_key(""))
    }
}

/// Numbers for distinct keys, in order of appearance; a key is its own hash.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    table: HashTable<u32>,
    keys: Vec<u128>,
}

impl Numbers {
    /// The number of a key; a new key gets a new one.
    pub(crate) fn of(&mut self, key: u128) -> u32 {
        let short = |key: u128| key as u64 ^ ((key >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let keys = &self.keys;
        let found = self.table.find(short(key), |&i| keys[i as usize] == key);
        if let Some(&i) = found {
            return i;
        }
        let n = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        if self.keys.len() == self.keys.capacity() {
            // grow by a quarter, not to twice the size: this is the largest table
            self.keys.reserve_exact(self.keys.len() / 4 + 1024);
        }
        self.keys.push(key);
        let keys = &self.keys;
        self.table.insert_unique(short(key), n, |&i| short(keys[i as usize]));
        n
    }

    pub(crate) fn keys(&self) -> &[u128] {
        &self.keys
    }

    /// Drops the index: no more keys are coming.
    pub(crate) fn close(&mut self) {
        self.table = HashTable::new();
        self.keys.shrink_to_fit();
    }

    /// Bytes used, approximately.
    pub(crate) fn held(&self) -> usize {
        self.keys.capacity() * size_of::<u128>() + self.table.allocation_size()
    }
}

/// The key of an address: the number of a dotted quad, or a hash of any other text. Only addresses
/// that somebody logged in from are ever looked up by it, so 63 bits are plenty.
pub(crate) fn ip_key(ip: &str) -> u64 {
    const HASHED: u64 = 1 << 63;
    let text = ip.trim_end_matches(' ');
    text.parse::<std::net::Ipv4Addr>().map_or_else(|_| (hash(text) >> 64) as u64 | HASHED, |v4| u32::from(v4).into())
}

/// What matters about a session besides its visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub seen: Visibility,
    /// Columns 1 to 6.
    pub columns: u8,
    /// Class of its domain, see [`Places::class`].
    pub class: u8,
    /// No tool was started and the duration is not negative.
    pub plain: bool,
    /// It lasted [`LONG_SECS`] or more.
    pub long: bool,
    /// Its host is not NULL.
    pub hosted: bool,
}

/// A session, by number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    pub id: i64,
    pub visitor: u32,
    pub shape: u32,
}

/// A tool session of the middleware.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToolSession {
    pub sessnum: i64,
    pub user: u32,
    pub app: u32,
    pub moment: Moment,
    /// Seconds; NaN means NULL.
    pub cpu: f64,
    pub wall: f64,
    pub view: f64,
}

/// Successful starts of one user between two bounds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Starts {
    /// Exactly at the bound.
    pub at_bound: u32,
    /// After it.
    pub inside: u32,
    /// The latest.
    pub latest: Option<Stamp>,
}

/// The first successful starts of one user.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct First {
    /// Of all.
    pub ever: Option<Stamp>,
    /// After 1995-01-01 00:00:00.
    pub since_1995: Option<Stamp>,
}

impl First {
    /// Takes a start in.
    pub(crate) fn note(&mut self, datetime: Stamp) {
        let earlier = |old: &mut Option<Stamp>| *old = Some(old.map_or(datetime, |old| old.min(datetime)));
        earlier(&mut self.ever);
        if datetime > EPOCH {
            earlier(&mut self.since_1995);
        }
    }
}

/// A digested row.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    Download { session: i64, seen: Option<Visibility> },
    MaybeDownload { session: i64, seen: Option<Visibility>, tail: Box<str> },
    Session { row: SessionFact },
    Login { user: Option<u128>, ip: u64, moment: Option<Moment>, day: u32, seen: Option<Visibility> },
    Toolstart { user: Option<u128>, datetime: Stamp, moment: Option<Moment>, columns: Columns },
    HubSession { sessnum: Option<i64>, user: u128, system: bool, app: u128, moment: Moment, seconds: [f64; 3] },
    HubJob { sessnum: i64, cpu: f64 },
    Profile { uid: Option<i64>, user: Option<u128>, columns: Columns, registered: Option<Visibility> },
    Resource { path: Box<str> },
    ToolVersion { tool: u128, instance: u128 },
    Hits { moment: Moment, hits: i64 },
}

/// A digested session.
#[derive(Debug, Clone)]
pub(crate) struct SessionFact {
    pub id: i64,
    pub visitor: u128,
    pub domain: Option<u128>,
    pub moment: Moment,
    pub duration: i64,
    jobs: i64,
    pub shape: Shape,
}

impl SessionFact {
    /// Whether somebody stayed: a long session, or one with tools.
    pub(crate) const fn is_stay(&self) -> bool {
        self.duration >= LONG_SECS || self.jobs > 0
    }

    /// Whether it counts as a visit.
    pub(crate) const fn is_visit(&self) -> bool {
        self.duration >= 0 || self.jobs > 0
    }
}

/// What rows are digested with: it does not change while rows are read, except for the extensions.
#[derive(Debug, Clone)]
pub(crate) struct Lens {
    ground: Arc<Ground>,
    extensions: Extensions,
    system_name: Like,
    development: Like,
}

/// Everything that is kept. [`Scan::finish`] reads the fields.
#[derive(Debug)]
pub(crate) struct Scan {
    pub ground: Arc<Ground>,
    lens: Arc<Lens>,
    // sessions and their downloads
    pub visitors: Numbers,
    pub sessions: Vec<Session>,
    pub shapes: Vec<Shape>,
    shape_numbers: FxHashMap<Shape, u32>,
    pub domains: Numbers,
    pub domain_seen: Distinct<(u32, Visibility)>,
    pub visits: Tally,
    pub stays: Tally,
    pub stay_secs: Tally,
    pub downloads: Distinct<(i64, Option<Visibility>)>,
    maybe: Distinct<(u32, i64, Option<Visibility>)>,
    tails: FxHashMap<Box<str>, u32>,
    // logins
    pub users: Numbers,
    pub user_seen: Distinct<(u32, Visibility)>,
    pub ip_seen: Distinct<(u64, Visibility)>,
    pub ip_users: Distinct<(u32, u64)>,
    /// Day, user, and whether at any time but midnight of a bound.
    pub day_users: Distinct<(u32, u32, bool)>,
    pub profiles: FxHashMap<u128, Columns>,
    pub registered: Distinct<(i64, Visibility)>,
    // tools
    pub starters: Numbers,
    /// `None` is the group of rows without a user.
    pub starts: FxHashMap<(Option<u32>, u16), Starts>,
    pub firsts: FxHashMap<Option<u32>, First>,
    pub starter_seen: Distinct<(u32, Columns, Visibility)>,
    pub user_starts: Tally,
    pub tool_users: Numbers,
    /// Users of the middleware that are not people.
    pub system_users: FxHashSet<u32>,
    apps: Numbers,
    pub tool_sessions: Vec<ToolSession>,
    pub jobs: Vec<(i64, f64)>,
    versions: FxHashSet<(u128, u128)>,
    // web server
    pub hits: Tally,
    pub hit_rows: Tally,
    /// Sessions and downloads that did not fit into memory.
    pub spill: Option<Spill>,
}

/// A calendar day as a number that sorts like it.
pub(crate) fn day_code(t: Stamp) -> u32 {
    u32::from(t.year()) << 9 | u32::from(t.month_of_year()) << 5 | u32::from(t.day())
}

/// The day as text.
pub(crate) fn day_text(code: u32) -> String {
    format!("{:04}-{:02}-{:02}", code >> 9, code >> 5 & 15, code & 31)
}

impl Lens {
    /// The facts in a row; `None` if no cell needs any.
    pub(crate) fn digest(&self, row: Row<'_>) -> Option<Fact> {
        match row {
            Row::Web(row) => self.digest_web(row),
            Row::Session(row) => self.digest_session(row),
            Row::Login(row) => self.digest_login(row),
            Row::Toolstart(row) => self.digest_toolstart(row),
            Row::HubSession(row) => self.digest_hub_session(row),
            Row::HubJob(row) => digest_hub_job(row),
            Row::Profile(row) => Some(self.digest_profile(row)),
            Row::Resource(path) => Some(Fact::Resource { path: path.into() }),
            Row::ToolVersion(row) => self.digest_tool_version(row),
            Row::Hits(HitsRow { datetime, hits }) => {
                Some(Fact::Hits { moment: self.ground.axis.moment(datetime)?, hits })
            }
        }
    }

    /// Whether a URL that waited for the extensions has one of them.
    pub(crate) fn has_extension(&self, tail: &str) -> bool {
        self.extensions.match_tail(tail)
    }

    fn digest_web(&self, row: WebRow<'_>) -> Option<Fact> {
        let session = row.sessionid;
        let seen = || row.datetime.and_then(|t| self.ground.axis.seen(t));
        if row.dnload {
            return Some(Fact::Download { session, seen: seen() });
        }
        if self.ground.compat.has(Opt::DownloadsFlag) {
            return None;
        }
        match judge(row.content) {
            Verdict::No => None,
            Verdict::Yes => Some(Fact::Download { session, seen: seen() }),
            Verdict::If(tail) if self.extensions.match_tail(tail) => Some(Fact::Download { session, seen: seen() }),
            Verdict::If(tail) => Some(Fact::MaybeDownload { session, seen: seen(), tail: tail.into() }),
        }
    }

    fn digest_session(&self, row: SessionRow<'_>) -> Option<Fact> {
        let moment = self.ground.axis.moment(row.datetime)?;
        let seen = self.ground.axis.seen_at(moment);
        if seen.row >= self.ground.axis.n_rows() || seen.level == 0 {
            return None;
        }
        let domain = row.domain.map(hash);
        let host = row.host.map_or(0, |host| hash(host) >> 64);
        Some(Fact::Session {
            row: SessionFact {
                id: row.id.unwrap_or(NO_ID),
                visitor: u128::from(ip_key(row.ip)) << 64 | host,
                domain,
                moment,
                duration: row.duration,
                jobs: row.jobs,
                shape: Shape {
                    seen,
                    columns: self.ground.places.of_visitor(row.ipcountry),
                    class: domain.map_or(0, |domain| self.ground.places.class(domain)),
                    plain: row.jobs == 0 && row.duration >= 0,
                    long: row.duration >= LONG_SECS,
                    hosted: row.host.is_some(),
                },
            },
        })
    }

    fn digest_login(&self, row: LoginRow<'_>) -> Option<Fact> {
        if !equal(row.action, "login") && !equal(row.action, "simulation") {
            return None;
        }
        let moment = self.ground.axis.moment(row.datetime);
        let seen = self.ground.axis.seen(row.datetime);
        Some(Fact::Login { user: row.user.map(hash), ip: ip_key(row.ip), moment, day: day_code(row.datetime), seen })
    }

    fn digest_toolstart(&self, row: ToolstartRow<'_>) -> Option<Fact> {
        (row.success == 1).then(|| Fact::Toolstart {
            user: row.user.map(hash),
            datetime: row.datetime,
            moment: self.ground.axis.moment(row.datetime),
            columns: self.ground.places.of_person(row.countryresident, row.orgtype),
        })
    }

    fn digest_hub_session(&self, row: HubSessionRow<'_>) -> Option<Fact> {
        let moment = self.ground.axis.moment(row.start)?;
        if self.ground.axis.seen_at(moment).row >= self.ground.axis.n_rows() {
            return None;
        }
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Some(Fact::HubSession {
            sessnum: row.sessnum,
            user: hash(row.username),
            system: equal(row.username, "gridstat") || self.system_name.matches(row.username),
            app: hash(row.appname),
            moment,
            seconds: [number(row.cputime), number(row.walltime), number(row.viewtime)],
        })
    }

    fn digest_profile(&self, row: ProfileRow<'_>) -> Fact {
        Fact::Profile {
            uid: row.uid,
            user: row.username.map(hash),
            columns: self.ground.places.of_person(row.countryresident, row.orgtype),
            registered: row.registered.and_then(|t| self.ground.axis.seen(t)),
        }
    }

    fn digest_tool_version(&self, row: ToolVersionRow<'_>) -> Option<Fact> {
        if self.development.matches(row.instance) || row.instance.is_empty() && self.ground.compat.has(Opt::LpSummary) {
            return None;
        }
        Some(Fact::ToolVersion { tool: hash(row.toolname), instance: hash(row.instance) })
    }
}

impl Look for Lens {
    type Fact = Fact;

    fn digest(&self, row: Row<'_>) -> Option<Fact> {
        Self::digest(self, row)
    }
}

impl Keep for Scan {
    type Look = Lens;

    fn look(&self) -> Arc<Lens> {
        Arc::clone(&self.lens)
    }

    fn absorb(&mut self, fact: Fact) {
        Self::absorb(self, fact);
    }

    fn relieve(&mut self, limit: usize) -> Result<()> {
        Self::relieve(self, limit)
    }
}

impl Scan {
    /// Empty.
    pub(crate) fn new(ground: Ground) -> Self {
        let ground = Arc::new(ground);
        let lens = Arc::new(Lens {
            ground: Arc::clone(&ground),
            extensions: Extensions::default(),
            system_name: Like::new("hctest%"),
            development: Like::new("%\\_dev"),
        });
        let tally = || Tally::new(&ground.axis);
        Self {
            visitors: Numbers::default(),
            sessions: Vec::new(),
            shapes: Vec::new(),
            shape_numbers: FxHashMap::default(),
            domains: Numbers::default(),
            domain_seen: Distinct::new(),
            visits: tally(),
            stays: tally(),
            stay_secs: tally(),
            downloads: Distinct::new(),
            maybe: Distinct::new(),
            tails: FxHashMap::default(),
            users: Numbers::default(),
            user_seen: Distinct::new(),
            ip_seen: Distinct::new(),
            ip_users: Distinct::new(),
            day_users: Distinct::new(),
            profiles: FxHashMap::default(),
            registered: Distinct::new(),
            starters: Numbers::default(),
            starts: FxHashMap::default(),
            firsts: FxHashMap::default(),
            starter_seen: Distinct::new(),
            user_starts: tally(),
            tool_users: Numbers::default(),
            system_users: FxHashSet::default(),
            apps: Numbers::default(),
            tool_sessions: Vec::new(),
            jobs: Vec::new(),
            versions: FxHashSet::default(),
            hits: tally(),
            hit_rows: tally(),
            lens,
            ground,
            spill: None,
        }
    }

    /// What rows are digested with, with the extensions known so far.
    pub(crate) const fn lens(&self) -> &Arc<Lens> {
        &self.lens
    }

    /// Absorbs the facts in a row, in the order of the rows.
    pub(crate) fn absorb(&mut self, fact: Fact) {
        match fact {
            Fact::Download { session, seen } => self.downloads.push((session, seen)),
            Fact::MaybeDownload { session, seen, tail } => {
                let n = u32::try_from(self.tails.len()).unwrap_or(u32::MAX);
                let tail = *self.tails.entry(tail).or_insert(n);
                self.maybe.push((tail, session, seen));
            }
            Fact::Session { row } => self.absorb_session(&row),
            Fact::Login { user, ip, moment, day, seen } => self.absorb_login(user, ip, moment, day, seen),
            Fact::Toolstart { user, datetime, moment, columns } => {
                self.absorb_toolstart(user, datetime, moment, columns);
            }
            Fact::HubSession { sessnum, user, system, app, moment, seconds: [cpu, wall, view] } => {
                let user = self.tool_users.of(user);
                if system {
                    self.system_users.insert(user);
                }
                let app = self.apps.of(app);
                let sessnum = sessnum.unwrap_or(NO_ID);
                self.tool_sessions.push(ToolSession { sessnum, user, app, moment, cpu, wall, view });
            }
            Fact::HubJob { sessnum, cpu } => self.jobs.push((sessnum, cpu)),
            Fact::Profile { uid, user, columns, registered } => {
                if let Some(user) = user {
                    *self.profiles.entry(user).or_default() |= columns;
                }
                if let (Some(uid), Some(seen)) = (uid, registered) {
                    self.registered.push((uid, seen));
                }
            }
            Fact::Resource { path } => Arc::make_mut(&mut self.lens).extensions.add_path(&path),
            Fact::ToolVersion { tool, instance } => {
                self.versions.insert((tool, instance));
            }
            Fact::Hits { moment, hits } => {
                self.hits.add(moment, hits);
                self.hit_rows.add(moment, 1);
            }
        }
    }

    fn absorb_session(&mut self, row: &SessionFact) {
        if let Some(domain) = row.domain {
            let domain = self.domains.of(domain);
            self.domain_seen.push((domain, row.shape.seen));
        }
        if row.is_stay() {
            self.stays.add(row.moment, 1);
            self.stay_secs.add(row.moment, row.duration);
        }
        if row.is_visit() {
            self.visits.add(row.moment, 1);
            let n = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
            let shape = *self.shape_numbers.entry(row.shape).or_insert(n);
            if shape == n {
                self.shapes.push(row.shape);
            }
            let visitor = self.visitors.of(row.visitor);
            if self.sessions.len() == self.sessions.capacity() {
                self.sessions.reserve_exact(self.sessions.len() / 4 + 4096);
            }
            self.sessions.push(Session { id: row.id, visitor, shape });
        }
    }

    fn absorb_login(
        &mut self,
        user: Option<u128>,
        ip: u64,
        moment: Option<Moment>,
        day: u32,
        seen: Option<Visibility>,
    ) {
        if let Some(seen) = seen
            && self.ground.bars(ip)
        {
            self.ip_seen.push((ip, seen));
        }
        let Some(user) = user else { return };
        let user = self.users.of(user);
        self.ip_users.push((user, ip));
        if let Some(seen) = seen {
            self.user_seen.push((user, seen));
        }
        if let Some(moment) = moment
            && self.ground.axis.seen_at(moment).row < self.ground.axis.n_rows()
        {
            self.day_users.push((day, user, !moment.at_bound));
        }
    }

    fn absorb_toolstart(&mut self, user: Option<u128>, datetime: Stamp, moment: Option<Moment>, columns: Columns) {
        let user = user.map(|user| self.starters.of(user));
        self.firsts.entry(user).or_default().note(datetime);
        let Some(moment) = moment else { return };
        let seen = self.ground.axis.seen_at(moment);
        if seen.row >= self.ground.axis.n_rows() {
            return;
        }
        let starts = self.starts.entry((user, moment.bucket)).or_default();
        let count = if moment.at_bound { &mut starts.at_bound } else { &mut starts.inside };
        *count = count.saturating_add(1);
        starts.latest = starts.latest.max(Some(datetime));
        if let Some(user) = user {
            self.user_starts.add(moment, 1);
            if seen.level > 0 {
                self.starter_seen.push((user, columns, seen));
            }
        }
    }

    /// Notes the first starts of a user: of all, and since 1995.
    pub(crate) fn first_starts(&mut self, user: Option<u32>, ever: Stamp, since_1995: Option<Stamp>) {
        let first = self.firsts.entry(user).or_default();
        first.note(ever);
        since_1995.into_iter().for_each(|since| first.note(since));
    }

    /// Notes `n` starts of a user at one moment, and the latest thereabouts.
    pub(crate) fn more_starts(&mut self, user: Option<u32>, moment: Moment, n: u32, latest: Stamp) {
        if self.ground.axis.seen_at(moment).row >= self.ground.axis.n_rows() {
            return;
        }
        let starts = self.starts.entry((user, moment.bucket)).or_default();
        let count = if moment.at_bound { &mut starts.at_bound } else { &mut starts.inside };
        *count = count.saturating_add(n);
        starts.latest = starts.latest.max(Some(latest));
        if user.is_some() {
            self.user_starts.add(moment, n.into());
        }
    }

    /// Learns extensions of the hub's files.
    pub(crate) fn add_extensions(&mut self, extensions: &[String]) {
        let lens = Arc::make_mut(&mut self.lens);
        extensions.iter().for_each(|extension| lens.extensions.add(extension));
    }

    /// Bytes that grow with sessions, visitors and downloads.
    pub(crate) fn held(&self) -> usize {
        self.visitors.held() + self.sessions.capacity() * size_of::<Session>() + self.downloads.held()
    }

    /// Bytes of everything else: users, days and the tables of tools, which stay in memory.
    fn held_anyway(&self) -> usize {
        // a hash table has an eighth of its slots free, and an additional byte for each
        let map = |capacity: usize, size: usize| capacity / 7 * 8 * (size + 1);
        let numbers = [&self.domains, &self.users, &self.starters, &self.tool_users, &self.apps];
        numbers.iter().map(|numbers| numbers.held()).sum::<usize>()
            + self.domain_seen.held()
            + self.user_seen.held()
            + self.ip_seen.held()
            + self.ip_users.held()
            + self.day_users.held()
            + self.registered.held()
            + self.starter_seen.held()
            + self.maybe.held()
            + map(self.starts.capacity(), size_of::<((Option<u32>, u16), Starts)>())
            + map(self.firsts.capacity(), size_of::<(Option<u32>, First)>())
            + map(self.profiles.capacity(), size_of::<(u128, Columns)>())
            + map(self.tails.capacity(), size_of::<(Box<str>, u32)>() + 32)
            + self.tool_sessions.capacity() * size_of::<ToolSession>()
            + self.jobs.capacity() * size_of::<(i64, f64)>()
    }

    /// Moves sessions, visitors and downloads to temporary files if they use more than `limit`
    /// bytes, or more than the other tables leave of it. They always get at least a megabyte: files
    /// of a few rows each would not help.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn relieve(&mut self, limit: usize) -> Result<()> {
        const LEAST: usize = 1 << 20;
        let held = self.held();
        // the limit is half of the memory, because growing lists need twice their size for a moment
        if held <= limit.min(LEAST) || held <= limit.saturating_sub(self.held_anyway() / 2) {
            return Ok(());
        }
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill::new()?),
        };
        for session in std::mem::take(&mut self.sessions) {
            spill.session(self.visitors.keys()[session.visitor as usize], session.id, session.shape)?;
        }
        for download in std::mem::replace(&mut self.downloads, Distinct::new()).into_sorted() {
            spill.download(download)?;
        }
        self.visitors = Numbers::default();
        Ok(())
    }

    /// Digests and absorbs one row at once.
    #[cfg(test)]
    pub(crate) fn add(&mut self, row: Row<'_>) {
        if let Some(fact) = self.lens.digest(row) {
            self.absorb(fact);
        }
    }

    /// Decides the URLs that waited for the extensions.
    pub(crate) fn settle_downloads(&mut self) {
        let mut verdicts = vec![false; self.tails.len()];
        for (tail, number) in std::mem::take(&mut self.tails) {
            verdicts[number as usize] = self.lens.extensions.match_tail(&tail);
        }
        for (tail, session, seen) in std::mem::replace(&mut self.maybe, Distinct::new()).into_sorted() {
            if verdicts[tail as usize] {
                self.downloads.push((session, seen));
            }
        }
    }

    /// The Rappture tools. Names are expanded by the instances of their versions, once.
    pub(crate) fn rappture_tools(&self) -> FxHashSet<u128> {
        let mut tools: FxHashSet<u128> = self.ground.apps.iter().map(|app| hash(app)).collect();
        tools.insert(hash(WORKSPACE));
        let instances: Vec<_> = self.versions.iter().filter(|(tool, _)| tools.contains(tool)).map(|v| v.1).collect();
        tools.extend(instances);
        tools
    }

    /// By application: whether it is a Rappture tool.
    pub(crate) fn rappture(&self) -> Vec<bool> {
        let tools = self.rappture_tools();
        self.apps.keys().iter().map(|app| tools.contains(app)).collect()
    }
}

/// What a job says, if it counts.
pub(crate) fn digest_hub_job(row: HubJobRow<'_>) -> Option<Fact> {
    let counts = row.job > 0 && !equal(row.event, "[waiting]");
    row.cputime.filter(|_| counts).map(|cpu| Fact::HubJob { sessnum: row.sessnum, cpu })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_distinct_keys() {
        for (a, b) in [("1.2.3.4", "1.2.3.4 "), ("FE80::1", "fe80::1"), ("", "  ")] {
            assert_eq!(ip_key(a), ip_key(b));
        }
        for (a, b) in [("1.2.3.4", "1.2.3.5"), ("01.2.3.4", "1.2.3.4"), ("", "0.0.0.0"), ("?", "-")] {
            assert_ne!(ip_key(a), ip_key(b));
        }
    }

    #[test]
    fn days_sort_as_numbers_and_are_printed() {
        let code = |text| day_code(Stamp::parse(text).unwrap());
        assert!(code("2025-07-00 01:00:00") < code("2025-07-01") && code("2024-12-31") < code("2025-00-00"));
        assert_eq!(day_text(code("2025-07-31 10:00:00")), "2025-07-31");
    }

    #[test]
    fn the_other_tables_count_against_the_limit() {
        let month = "2025-07".parse().unwrap();
        let compat = Compat::LEGACY;
        let ground = Ground { axis: Axis::new(month, month), places: Places::default(), apps: Vec::new(), compat };
        let mut scan = Scan::new(ground);
        let datetime = Stamp::parse("2025-07-10 00:00:00").unwrap();
        for id in 0..60_000 {
            let ip = format!("10.0.{}.{}", id >> 8, id & 255);
            let (host, domain) = (Some("h"), None);
            let row = SessionRow { id: Some(id), datetime, ipcountry: "", ip: &ip, host, domain, duration: 0, jobs: 0 };
            scan.add(Row::Session(row));
        }
        let limit = scan.held() + 100_000;
        assert!(limit > 2 << 20);
        scan.relieve(limit).unwrap();
        assert!(scan.spill.is_none());
        for n in 0..20_000 {
            scan.add(Row::HubJob(HubJobRow { sessnum: n, job: 1, event: "", cputime: Some(1.0) }));
        }
        scan.relieve(limit).unwrap();
        assert!(scan.spill.is_some() && scan.held() == 0);
    }

    #[test]
    fn sessions_stay_small() {
        assert_eq!(size_of::<Session>(), 16);
    }
}
