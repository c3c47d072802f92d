//! What a listing keeps of the rows: the result of the scan for each, and the row itself as a
//! record.

use std::cell::RefCell;
use std::sync::Arc;

use database::Cells;
use rustc_hash::{FxHashMap, FxHashSet};
use schema::cells::Summary;
use schema::json::push_str;
use schema::{Place, Stamp, json};

use crate::axis::{Moment, Visibility};
use crate::eye::Eye;
use crate::finish::{dimensions, events};
use crate::places::Columns;
use crate::row::{NO_ID, Row};
use crate::scan::{Fact, First, Lens, SessionFact};

/// A row as a JSON line without its end.
pub(crate) type Record = Box<[u8]>;

/// A line of the auth log.
#[derive(Debug)]
pub(crate) struct Login {
    pub user: Option<u128>,
    pub ip: u64,
    pub moment: Option<Moment>,
    pub day: u32,
    pub seen: Option<Visibility>,
    pub record: Record,
}

/// A successful start of a tool.
#[derive(Debug)]
pub(crate) struct Start {
    pub user: Option<u128>,
    pub datetime: Stamp,
    pub moment: Option<Moment>,
    pub columns: Columns,
    pub record: Record,
}

/// A tool session of the middleware.
#[derive(Debug)]
pub(crate) struct ToolSession {
    pub sessnum: i64,
    pub user: u128,
    pub app: u128,
    pub moment: Moment,
    /// CPU, wall and interaction time; NaN is NULL.
    pub seconds: [f64; 3],
    pub record: Record,
}

/// A profile.
#[derive(Debug)]
pub(crate) struct Profile {
    pub uid: Option<i64>,
    pub user: Option<u128>,
    pub columns: Columns,
    pub registered: Option<Visibility>,
    pub record: Record,
}

/// All rows that may count in a cell, in the order in which they were read.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub sessions: Vec<(SessionFact, Record)>,
    pub downloads: Vec<(i64, Option<Visibility>, Record)>,
    maybe: Vec<(i64, Option<Visibility>, Box<str>, Record)>,
    pub logins: Vec<Login>,
    pub starts: Vec<Start>,
    pub tool_sessions: Vec<ToolSession>,
    pub jobs: Vec<(i64, f64, Record)>,
    pub profiles: Vec<Profile>,
    pub hits: Vec<(Moment, i64, Record)>,
    /// Middleware users that are not people.
    pub system_users: FxHashSet<u128>,
    /// The first starts of every user.
    pub firsts: FxHashMap<Option<u128>, First>,
    /// Downloads by session, as places in the list.
    pub of_session: FxHashMap<i64, Vec<usize>>,
}

impl Kept {
    /// Keeps a row.
    pub(crate) fn take(&mut self, fact: Fact, record: Record) {
        match fact {
            Fact::Download { session, seen } => self.downloads.push((session, seen, record)),
            Fact::MaybeDownload { session, seen, tail } => self.maybe.push((session, seen, tail, record)),
            Fact::Session { row } => self.sessions.push((row, record)),
            Fact::Login { user, ip, moment, day, seen } => {
                self.logins.push(Login { user, ip, moment, day, seen, record });
            }
            Fact::Toolstart { user, datetime, moment, columns } => {
                self.firsts.entry(user).or_default().note(datetime);
                self.starts.push(Start { user, datetime, moment, columns, record });
            }
            Fact::HubSession { sessnum, user, system, app, moment, seconds } => {
                if system {
                    self.system_users.insert(user);
                }
                let sessnum = sessnum.unwrap_or(NO_ID);
                self.tool_sessions.push(ToolSession { sessnum, user, app, moment, seconds, record });
            }
            Fact::HubJob { sessnum, cpu } => self.jobs.push((sessnum, cpu, record)),
            Fact::Profile { uid, user, columns, registered } => {
                self.profiles.push(Profile { uid, user, columns, registered, record });
            }
            Fact::Hits { moment, hits } => self.hits.push((moment, hits, record)),
            Fact::Resource { .. } | Fact::ToolVersion { .. } => {}
        }
    }

    /// Decides the requests that waited for the extensions, after all rows have been read.
    pub(crate) fn settle(&mut self, lens: &Lens) {
        for (session, seen, tail, record) in std::mem::take(&mut self.maybe) {
            if lens.has_extension(&tail) {
                self.downloads.push((session, seen, record));
            }
        }
        for (at, (session, ..)) in self.downloads.iter().enumerate() {
            self.of_session.entry(*session).or_default().push(at);
        }
    }
}

/// The content of a row, and the row itself if a listing may show it.
pub(crate) type Sight = (Fact, Option<Record>);

/// Reads rows for the scan, and keeps those that may be listed.
#[derive(Debug)]
pub(crate) struct KeepingEye {
    /// The lens of the scan.
    pub lens: Arc<Lens>,
    /// The earliest start of the requested periods: earlier sessions are in none of them.
    pub start: u16,
    /// Which sessions a cell may be made of.
    pub sessions: Sessions,
}

/// Which sessions a cell may be made of.
#[derive(Debug, Clone)]
pub(crate) enum Sessions {
    All,
    /// Those that can be events among these dimensions.
    Of {
        dims: Vec<usize>,
        n_classes: usize,
    },
}

impl Sessions {
    /// Those that cells may be made of.
    pub(crate) fn of(places: &[Place], classes: &[i64]) -> Self {
        let mut dims = Vec::new();
        for place in places {
            let which: &[bool] = match (place.summary, place.rowid) {
                (Summary::Misc, 1..=5) => return Self::All,
                (Summary::Users, 1) => &[false, true],
                (Summary::Users, 3 | 7) => &[false],
                (Summary::Users, 4 | 8) => &[true],
                _ => &[],
            };
            dims.extend(which.iter().flat_map(|downloads| dimensions(*downloads, place.colid, classes)));
        }
        Self::Of { dims, n_classes: classes.len() }
    }

    fn has(&self, session: &SessionFact) -> bool {
        let Self::Of { dims, n_classes } = self else { return true };
        let mut is_event = false;
        // as if it had a download
        events(&session.shape, std::iter::once(Some(session.shape.seen)), *n_classes, |dim, _, _| {
            is_event |= dims.contains(&usize::from(dim));
        });
        is_event
    }
}

impl KeepingEye {
    /// Whether the row may be listed.
    pub(crate) fn wants(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Session { row } => row.shape.seen.level > self.start && self.sessions.has(row),
            Fact::Resource { .. } | Fact::ToolVersion { .. } => false,
            _ => true,
        }
    }
}

impl Eye for KeepingEye {
    type Sight = Sight;

    fn see(&self, row: Row<'_>, cells: &Cells<'_>) -> Option<Sight> {
        let fact = self.lens.digest(row)?;
        let record = self.wants(&fact).then(|| {
            let more = |at: usize| cells.text(at).map(std::borrow::Cow::into_owned);
            record(&row, more)
        });
        Some((fact, record))
    }

    fn more(&self, table: &str) -> &'static str {
        match table {
            "web" => ", id, ip, host",
            "userlogin" => ", id",
            "toolstart" => ", id, ip, host, tool",
            _ => "",
        }
    }
}

thread_local! {
    /// Where records are written: each is then copied once, at its size.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes a record, field by field.
struct Fields(Vec<u8>);

impl Fields {
    fn new(kind: &str) -> Self {
        let mut line = SCRATCH.take();
        line.clear();
        line.extend_from_slice(b"{\"kind\":\"");
        line.extend_from_slice(kind.as_bytes());
        line.push(b'"');
        Self(line)
    }

    fn text(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.name(name);
            push_str(&mut self.0, value);
        }
        self
    }

    fn int(mut self, name: &str, value: Option<i64>) -> Self {
        if let Some(value) = value {
            self.name(name);
            json::push_int(&mut self.0, value);
        }
        self
    }

    fn float(mut self, name: &str, value: Option<f64>) -> Self {
        if let Some(value) = value {
            self.name(name);
            self.0.extend_from_slice(value.to_string().as_bytes());
        }
        self
    }

    fn stamp(mut self, name: &str, value: Option<Stamp>) -> Self {
        let Some(value) = value else { return self };
        self.name(name);
        self.0.push(b'"');
        self.0.extend_from_slice(&value.to_ascii());
        self.0.push(b'"');
        self
    }

    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn end(mut self) -> Record {
        self.0.push(b'}');
        let record = Record::from(self.0.as_slice());
        SCRATCH.set(self.0);
        record
    }
}

/// A row as a record; `more` are the columns of [`KeepingEye::more`], by their position in the row.
pub(crate) fn record(row: &Row<'_>, more: impl Fn(usize) -> Option<String>) -> Record {
    let number = |at| more(at).and_then(|text| text.parse().ok());
    match row {
        Row::Web(row) => Fields::new("web")
            .int("id", number(4))
            .int("sessionid", Some(row.sessionid))
            .stamp("datetime", row.datetime)
            .text("ip", more(5).as_deref())
            .text("host", more(6).as_deref())
            .text("content", Some(row.content))
            .end(),
        Row::Session(row) => Fields::new("session")
            .int("id", row.id)
            .stamp("datetime", Some(row.datetime))
            .text("ipcountry", Some(row.ipcountry))
            .text("ip", Some(row.ip))
            .text("host", row.host)
            .text("domain", row.domain)
            .int("duration", Some(row.duration))
            .int("jobs", Some(row.jobs))
            .end(),
        Row::Login(row) => Fields::new("login")
            .int("id", number(4))
            .stamp("datetime", Some(row.datetime))
            .text("user", row.user)
            .text("ip", Some(row.ip))
            .text("action", Some(row.action))
            .end(),
        Row::Toolstart(row) => Fields::new("toolstart")
            .int("id", number(5))
            .stamp("datetime", Some(row.datetime))
            .text("user", row.user)
            .text("ip", more(6).as_deref())
            .text("host", more(7).as_deref())
            .text("tool", more(8).as_deref())
            .text("countryresident", row.countryresident)
            .text("orgtype", row.orgtype)
            .end(),
        Row::HubSession(row) => Fields::new("hub_session")
            .int("sessnum", row.sessnum)
            .text("username", Some(row.username))
            .stamp("start", Some(row.start))
            .text("appname", Some(row.appname))
            .float("walltime", row.walltime)
            .float("viewtime", row.viewtime)
            .float("cputime", row.cputime)
            .end(),
        Row::HubJob(row) => Fields::new("hub_job")
            .int("sessnum", Some(row.sessnum))
            .int("job", Some(row.job))
            .text("event", Some(row.event))
            .float("cputime", row.cputime)
            .end(),
        Row::Profile(row) => Fields::new("hub_profile")
            .int("uidNumber", row.uid)
            .text("username", row.username)
            .text("countryresident", row.countryresident)
            .text("orgtype", row.orgtype)
            .stamp("registerDate", row.registered)
            .end(),
        Row::Hits(row) => Fields::new("hits").stamp("datetime", Some(row.datetime)).int("hits", Some(row.hits)).end(),
        Row::Resource(path) => Fields::new("hub_resource").text("path", Some(path)).end(),
        Row::ToolVersion(row) => {
            let fields = Fields::new("hub_tool_version").text("toolname", Some(row.toolname));
            fields.text("instance", Some(row.instance)).end()
        }
    }
}
