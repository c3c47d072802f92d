//! Reads tables into the scan: each once, with the columns that are used, in no particular order
//! except key order where seconds are added up. One thread reads the requests, one the sessions,
//! one the rest; the rows are absorbed as they arrive.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use anyhow::{Context as _, Result};
use database::{Db, Target, Value, Which};
use schema::collation::Like;
use schema::tables::quote;
use schema::{Compat, Month, Opt, Period, Stamp};

use crate::andmore::{self, Catalogue, Request, Resource, Usage, Visit};
use crate::axis::Axis;
use crate::eye::Eye;
use crate::reference::Lists;
use crate::row::{
    HitsRow, HubJobRow, HubSessionRow, Keep as _, LoginRow, ProfileRow, Row, SessionRow, ToolVersionRow, ToolstartRow,
    WebRow,
};
use crate::scan::{Fact, Lens, Scan};
use crate::state::keeper::{Fact as Kept, Keeper};
use crate::state::requested::{Collected, Seen};
use crate::tables::needs::Needs;
use crate::why::{Record, Requests, record};

/// How many facts a reading thread sends to the absorbing one at once.
const BATCH: usize = 4096;

/// The continents of countries and the classes of domains.
pub(super) fn places(metrics: &mut Db) -> Result<Lists> {
    metrics.require(&["country_continent", "domainclass"])?;
    let text = |row: database::Cells<'_>, at| row.text(at).unwrap_or_default().into_owned();
    let continents =
        metrics.all("SELECT country, continent FROM country_continent", (), |row| Ok((text(row, 0), text(row, 1))))?;
    let domains = metrics
        .all("SELECT domain, class FROM domainclass", (), |row| Ok((text(row, 0), row.int(1).unwrap_or_default())))?;
    Ok((continents, domains))
}

/// The resources whose usage is computed, with all their paths. `read_only` does not require the
/// table that is written.
pub(super) fn catalogue(hub: &mut Db, read_only: bool) -> Result<Catalogue> {
    let prefix = hub.target().prefix.clone();
    let mut needed = vec![format!("{prefix}resources"), format!("{prefix}resource_assoc")];
    if !read_only {
        needed.push(format!("{prefix}resource_stats"));
    }
    hub.require(&needed)?;
    let (resources, assoc) = (hub.prefixed("resources"), hub.prefixed("resource_assoc"));
    // no order among resources of the same time: the server's order decides new ids, as in the
    // original
    let asked = hub.all(
        &format!(
            "SELECT id FROM {resources} WHERE published = 1 AND standalone = 1 AND type <> 7 ORDER BY publish_up DESC"
        ),
        (),
        |row| Ok(row.int(0).unwrap_or_default()),
    )?;
    let list = hub.all(&format!("SELECT id, type, path FROM {resources}"), (), |row| {
        Ok(Resource {
            id: row.int(0).unwrap_or_default(),
            kind: row.int(1).unwrap_or_default(),
            path: row.text(2).unwrap_or_default().into_owned(),
        })
    })?;
    let children = hub.all(&format!("SELECT parent_id, child_id FROM {assoc}"), (), |row| {
        Ok((row.int(0).unwrap_or_default(), row.int(1).unwrap_or_default()))
    })?;
    Ok(Catalogue::new(&asked, &list, &children))
}

/// What the reading threads send.
enum Message<S> {
    Facts(Vec<S>),
    Visits(Vec<Visit>),
    Paths(Vec<Seen>),
    Failed(anyhow::Error),
}

/// The absorbing thread has stopped because of an error.
#[derive(Debug)]
struct ReceiverGone;

impl std::fmt::Display for ReceiverGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the rows are no longer needed")
    }
}

impl std::error::Error for ReceiverGone {}

/// Collects facts and sends them in batches.
struct Sender<'a, S> {
    to: &'a SyncSender<Message<S>>,
    facts: Vec<S>,
    visits: Vec<Visit>,
    paths: Vec<Seen>,
}

impl<'a, S> Sender<'a, S> {
    const fn new(to: &'a SyncSender<Message<S>>) -> Self {
        Self { to, facts: Vec::new(), visits: Vec::new(), paths: Vec::new() }
    }

    fn fact(&mut self, fact: Option<S>) -> Result<()> {
        self.facts.extend(fact);
        if self.facts.len() >= BATCH {
            self.to.send(Message::Facts(std::mem::take(&mut self.facts))).map_err(|_| ReceiverGone)?;
        }
        Ok(())
    }

    fn flush_visits(&mut self, least: usize) -> Result<()> {
        if self.visits.len() >= least.max(1) {
            self.to.send(Message::Visits(std::mem::take(&mut self.visits))).map_err(|_| ReceiverGone)?;
        }
        if self.paths.len() >= least.max(1) {
            self.to.send(Message::Paths(std::mem::take(&mut self.paths))).map_err(|_| ReceiverGone)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.flush_visits(1)?;
        self.to.send(Message::Facts(self.facts)).map_err(|_| ReceiverGone)?;
        Ok(())
    }
}

/// Starts a reading thread.
fn start<'scope, S: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    to: &SyncSender<Message<S>>,
    read: impl FnOnce(&SyncSender<Message<S>>) -> Result<()> + Send + 'scope,
) {
    let to = to.clone();
    scope.spawn(move || {
        if let Err(error) = read(&to) {
            // nobody receives after the first error
            let _ = to.send(Message::Failed(error));
        }
    });
}

/// The first months that are read of tables that states hold; `None` for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Since {
    pub sessions: Option<Month>,
    pub logins: Option<Month>,
    pub starts: Option<Month>,
}

impl Since {
    /// The same month for all.
    pub(super) const fn all(month: Option<Month>) -> Self {
        Self { sessions: month, logins: month, starts: month }
    }
}

/// Tables that states hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Sessions,
    Logins,
    Starts,
}

/// Which rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Those that the cells need.
    Whole,
    /// Of tables that states hold those that they do not hold and before the end; of others all.
    From(Since),
    /// Those after the end that count for earlier sessions and visitors.
    After,
}

/// The tables of one scan.
#[derive(Debug)]
pub(super) struct Reader {
    pub target: Target,
    pub needs: Needs,
    pub extent: Extent,
    pub compat: Compat,
    /// How many bytes the scan may use, and the usage too.
    pub room: usize,
}

/// What requests are read for besides the cells.
#[derive(Clone, Copy)]
pub(super) enum ForUsage<'a> {
    Nothing,
    /// The usage of resources in some months.
    Visits(&'a Catalogue, &'a Axis),
    /// What it is counted from, to be kept.
    Paths,
}

impl ForUsage<'_> {
    /// How the URLs begin that matter, and when they no longer do.
    fn which(&self, stop: Option<Stamp>) -> Option<(Vec<&'static str>, Stamp)> {
        let (heads, stop) = match self {
            Self::Nothing => return None,
            Self::Visits(catalogue, axis) => (catalogue.matcher.heads().to_vec(), Period::stop(*axis.months().last()?)),
            Self::Paths => (andmore::HEADS.to_vec(), stop?),
        };
        (!heads.is_empty()).then_some((heads, stop))
    }
}

/// What was collected for the usage of resources.
pub(super) struct ReadUsage {
    pub visits: Usage,
    pub paths: Collected,
}

impl Reader {
    /// Which rows of a table are read, if any. `any_date`: a scan needs those after the end too.
    fn within(&self, table: Held, stop: Stamp, any_date: bool) -> Option<String> {
        let since = match self.extent {
            Extent::Whole if any_date => return Some("1".to_owned()),
            Extent::After => return any_date.then(|| format!("`datetime` >= '{stop}'")),
            Extent::Whole => None,
            Extent::From(since) => match table {
                Held::Sessions => since.sessions,
                Held::Logins => since.logins,
                Held::Starts => since.starts,
            },
        };
        let from = since.map_or_else(String::new, |from| format!("`datetime` >= '{}' AND ", from.start()));
        Some(format!("{from}`datetime` < '{stop}'"))
    }

    /// The first month of requests that are read.
    const fn since(&self) -> Option<Month> {
        match self.extent {
            Extent::From(since) => since.sessions,
            Extent::Whole | Extent::After => None,
        }
    }

    /// An index helps where few rows are read.
    const fn hint(&self) -> &'static str {
        match self.extent {
            Extent::Whole | Extent::From(Since { sessions: None, .. }) => "USE INDEX ()",
            Extent::From(_) | Extent::After => "",
        }
    }

    /// Fills a keeper; with `paths`, also collects what the usage of resources is counted from.
    pub(super) fn keep(&self, keeper: &mut Keeper, stop: Stamp, paths: bool, hub: &mut Db) -> Result<Collected> {
        self.extensions(hub, |path| keeper.absorb(Kept::Resource(path.into())))?;
        let glass = keeper.look();
        let usage = if paths { ForUsage::Paths } else { ForUsage::Nothing };
        let read = self.read(Some((&*glass, stop)), usage, |facts| {
            facts.into_iter().for_each(|fact| keeper.absorb(fact));
            Ok(())
        })?;
        Ok(read.paths)
    }

    /// Fills the scan, and collects usage.
    pub(super) fn scan(&self, scan: Option<&mut Scan>, usage: ForUsage<'_>, hub: &mut Db) -> Result<Usage> {
        let Some(scan) = scan else { return Ok(self.read::<Lens>(None, usage, |_| Ok(()))?.visits) };
        self.extensions(hub, |path| scan.absorb(Fact::Resource { path: path.into() }))?;
        let lens = Arc::clone(scan.lens());
        let stop = scan.ground.axis.months().last().map(|&month| Period::stop(month));
        let read = self.read(stop.map(|stop| (&*lens, stop)), usage, |facts| {
            facts.into_iter().for_each(|fact| scan.absorb(fact));
            scan.relieve(self.room)
        })?;
        Ok(read.visits)
    }

    /// Hands the paths of the hub's files to `learn`: known first, their extensions spare a scan all that may
    /// be a download.
    pub(super) fn extensions(&self, hub: &mut Db, mut learn: impl FnMut(&str)) -> Result<()> {
        if !self.needs.requests || self.compat.has(Opt::DownloadsFlag) {
            return Ok(());
        }
        hub.require(&[format!("{}resources", self.target.prefix)])?;
        hub.each(&format!("SELECT path FROM {}", hub.prefixed("resources")), (), |row| {
            if let Some(path) = row.text(0) {
                learn(&path);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Reads the tables, each in a thread of its own. What `eye` sees of rows before `stop` goes to `absorb`.
    pub(super) fn read<E: Eye>(
        &self,
        eye: Option<(&E, Stamp)>,
        usage: ForUsage<'_>,
        mut absorb: impl FnMut(Vec<E::Sight>) -> Result<()>,
    ) -> Result<ReadUsage> {
        let mut collected = ReadUsage { visits: Usage::new(), paths: Collected::default() };
        std::thread::scope(|scope| {
            let (to, from) = sync_channel::<Message<E::Sight>>(16);
            if let Some((eye, stop)) = eye {
                if self.needs.sessions {
                    start(scope, &to, move |to| self.sessions(eye, stop, to));
                }
                start(scope, &to, move |to| self.others(eye, stop, to));
            }
            let web_eye = eye.filter(|_| self.needs.requests);
            if web_eye.is_some() || !matches!(usage, ForUsage::Nothing) {
                start(scope, &to, move |to| self.web(web_eye, usage, to));
            }
            drop(to);
            for read in from {
                match read {
                    Message::Facts(facts) => absorb(facts)?,
                    Message::Visits(visits) => {
                        visits.into_iter().for_each(|visit| collected.visits.absorb(visit));
                        collected.visits.relieve(self.room)?;
                    }
                    Message::Paths(seen) => seen.into_iter().for_each(|seen| collected.paths.take(seen)),
                    Message::Failed(error) => return Err(error),
                }
            }
            Ok(collected)
        })
    }

    fn connect(&self, which: Which) -> Result<Db> {
        Db::connect(&self.target, which)
    }

    fn sessions<E: Eye>(&self, eye: &E, stop: Stamp, to: &SyncSender<Message<E::Sight>>) -> Result<()> {
        let mut db = self.connect(Which::Metrics)?;
        db.require(&["websessions"])?;
        let mut sender = Sender::new(to);
        let Some(within) = self.within(Held::Sessions, stop, false) else { return Ok(()) };
        // all sessions are read in the order in which they are stored, some of them by index
        let which = self.needs.window.map_or_else(
            || format!("{} WHERE {within}", self.hint()),
            |(since, _)| format!("WHERE `datetime` >= '{since}' AND {within}"),
        );
        let sql =
            format!("SELECT id, `datetime`, ipcountry, ip, host, domain, duration, jobs FROM websessions {which}");
        let read = db.each(&sql, (), |row| {
            let Some(datetime) = row.stamp(1) else { return Ok(()) };
            let (host, domain) = (row.text(4), row.text(5));
            let session = SessionRow {
                id: row.int(0),
                datetime,
                ipcountry: &row.text(2).unwrap_or_default(),
                ip: &row.text(3).unwrap_or_default(),
                host: host.as_deref(),
                domain: domain.as_deref(),
                duration: row.int(6).unwrap_or_default(),
                jobs: row.int(7).unwrap_or_default(),
            };
            sender.fact(eye.see(Row::Session(session), &row))
        });
        read.context("reading websessions")?;
        sender.finish()
    }

    /// The requests, for downloads (with a lens) and for usage; the server leaves out rows that are
    /// neither. Its patterns compare like ours.
    fn web<E: Eye>(
        &self,
        eye: Option<(&E, Stamp)>,
        usage: ForUsage<'_>,
        to: &SyncSender<Message<E::Sight>>,
    ) -> Result<()> {
        let mut db = self.connect(Which::Metrics)?;
        db.require(&["web"])?;
        let mut columns = "sessionid, `datetime`, dnload, content".to_owned();
        let mut conditions = Vec::new();
        let mut params = Vec::new();
        if let Some((eye, stop)) = eye {
            columns += eye.more("web");
            let within = self.within(Held::Sessions, stop, true).unwrap_or_default();
            let or = if self.compat.has(Opt::DownloadsFlag) { "" } else { " OR content LIKE '/resources/%'" };
            conditions.push(format!("{within} AND sessionid IS NOT NULL AND (dnload = ?{or})"));
            params.push(Value::from(1));
        }
        let stop = eye.map(|(_, stop)| stop);
        let eye = eye.map(|(eye, _)| eye);
        if let Some((heads, stop)) = usage.which(stop) {
            let likes: Vec<String> = heads.iter().map(|head| format!("content LIKE '{head}%'")).collect();
            let since =
                self.since().map_or_else(String::new, |since| format!("`datetime` >= '{}' AND ", since.start()));
            conditions.push(format!("{since}`datetime` < ? AND host IS NOT NULL AND ({})", likes.join(" OR ")));
            params.push(Value::from(stop.to_string()));
            columns += ", ip, host";
        }
        if conditions.is_empty() {
            return Ok(());
        }
        let forms = andmore::HEADS.map(|head| Like::new(&format!("{head}%")));
        let has_usage = columns.ends_with("host");
        let which = self.of_sessions(&mut db)?;
        let sql = format!("SELECT {columns} FROM web {which} (({}))", conditions.join(") OR ("));
        let mut sender = Sender::new(to);
        let read = db.each(&sql, params, |row| {
            let content = row.text(3).unwrap_or_default();
            let datetime = row.stamp(1);
            if let (Some(eye), Some(sessionid)) = (eye, row.int(0)) {
                let dnload = row.int(2) == Some(1);
                let request = WebRow { sessionid, datetime, content: &content, dnload };
                sender.fact(eye.see(Row::Web(request), &row))?;
            }
            if let (true, Some(datetime)) = (has_usage, datetime)
                && let Some(host) = row.text(5)
            {
                let ip = row.text(4).unwrap_or_default();
                let request = Request { datetime, content: &content, ip: &ip, host: &host };
                match usage {
                    ForUsage::Nothing => {}
                    ForUsage::Visits(catalogue, axis) => {
                        andmore::digest(&catalogue.matcher, axis, &request, |visit| sender.visits.push(visit));
                    }
                    ForUsage::Paths => sender.paths.extend(Self::seen(&forms, stop, &request)),
                }
                sender.flush_visits(BATCH)?;
            }
            Ok(())
        });
        read.context("reading web")?;
        sender.finish()
    }

    /// A request that matters for the usage of resources; rows that are read for downloads may not.
    fn seen(forms: &[Like], stop: Option<Stamp>, request: &Request<'_>) -> Option<Seen> {
        let Request { datetime, content, ip, host } = *request;
        let is_in = stop.is_some_and(|stop| datetime < stop);
        (is_in && forms.iter().any(|form| form.matches(content)))
            .then(|| Seen::of(datetime, content, ip, host))
            .flatten()
    }

    /// How requests are found by their sessions, if only some sessions are needed; with many it is faster to read
    /// all requests, and to leave out those of earlier and later sessions.
    fn of_sessions(&self, metrics: &mut Db) -> Result<String> {
        /// One session out of so many.
        const FEW: i64 = 8;
        let all = format!("{} WHERE", self.hint());
        let Some((since, stop)) = self.needs.window else { return Ok(all) };
        let needed = format!("FROM websessions WHERE `datetime` >= '{since}' AND `datetime` < '{stop}'");
        let mut count =
            |from: &str| Ok::<_, anyhow::Error>(metrics.number(&format!("SELECT COUNT(*) {from}"), ())?.unwrap_or(0));
        let (n_needed, n_all) = (count(&needed)?, count("FROM websessions")?);
        if n_needed.saturating_mul(FEW) < n_all {
            return Ok(format!("WHERE sessionid IN (SELECT id {needed}) AND"));
        }
        let mut bound = |which: &str| metrics.number(&format!("SELECT {which}(id) {needed}"), ());
        Ok(match (bound("MIN")?, bound("MAX")?) {
            (Some(first), Some(last)) => format!("{all} sessionid BETWEEN {first} AND {last} AND"),
            _ => all,
        })
    }

    fn others<E: Eye>(&self, eye: &E, stop: Stamp, to: &SyncSender<Message<E::Sight>>) -> Result<()> {
        let mut sender = Sender::new(to);
        let mut metrics = self.connect(Which::Metrics)?;
        if self.needs.logins {
            let within = self.within(Held::Logins, stop, true).unwrap_or_default();
            logins(&mut metrics, eye, &within, &mut sender).context("reading userlogin")?;
        }
        let Some(within) = self.within(Held::Starts, stop, false) else { return sender.finish() };
        if self.needs.profiles {
            profiles(&mut metrics, eye, &mut sender).context("reading profiles")?;
        }
        if self.needs.starts {
            toolstarts(&mut metrics, eye, &within, &mut sender).context("reading toolstart")?;
        }
        if self.needs.hits {
            hits(&mut metrics, eye, stop, &mut sender).context("reading webhits")?;
        }
        if self.needs.middleware {
            let mut hub = self.connect(Which::Hub)?;
            middleware(&mut hub, eye, stop, &mut sender).context("reading tool sessions")?;
        }
        sender.finish()
    }
}

/// The requests of sessions.
pub(super) fn requests(metrics: &mut Db, sessions: &[i64]) -> Result<Requests> {
    let mut found = Requests::default();
    for some in sessions.chunks(500) {
        let list: Vec<String> = some.iter().map(i64::to_string).collect();
        let sql = format!(
            "SELECT sessionid, `datetime`, dnload, content, id, ip, host FROM web WHERE sessionid IN ({}) ORDER BY id",
            list.join(",")
        );
        metrics.each(&sql, (), |row| {
            let Some(sessionid) = row.int(0) else { return Ok(()) };
            let content = row.text(3).unwrap_or_default();
            let request = WebRow { sessionid, datetime: row.stamp(1), content: &content, dnload: false };
            let more = |at: usize| row.text(at).map(std::borrow::Cow::into_owned);
            found.entry(sessionid).or_default().push(record(&Row::Web(request), more));
            Ok(())
        })?;
    }
    Ok(found)
}

/// The requests of a time that begin with one of `heads`, with their records.
pub(super) fn requests_for(
    metrics: &mut Db,
    heads: &[&str],
    (from, stop): (Stamp, Stamp),
    mut take: impl FnMut(&Request<'_>, &dyn Fn() -> Record),
) -> Result<()> {
    metrics.require(&["web"])?;
    let likes: Vec<String> = heads.iter().map(|head| format!("content LIKE '{head}%'")).collect();
    if likes.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT sessionid, `datetime`, dnload, content, id, ip, host FROM web \
         WHERE `datetime` >= '{from}' AND `datetime` < '{stop}' AND host IS NOT NULL AND ({})",
        likes.join(" OR ")
    );
    let read = metrics.each(&sql, (), |row| {
        let (Some(datetime), content) = (row.stamp(1), row.text(3).unwrap_or_default()) else { return Ok(()) };
        let (ip, host) = (row.text(5).unwrap_or_default(), row.text(6).unwrap_or_default());
        let request = Request { datetime, content: &content, ip: &ip, host: &host };
        let web = WebRow {
            sessionid: row.int(0).unwrap_or_default(),
            datetime: row.stamp(1),
            content: &content,
            dnload: false,
        };
        let more = |at: usize| row.text(at).map(std::borrow::Cow::into_owned);
        take(&request, &|| record(&Row::Web(web), more));
        Ok(())
    });
    read.context("reading web")?;
    Ok(())
}

/// With any date: rows 3 and 4 look for users of any time.
fn logins<E: Eye>(db: &mut Db, eye: &E, within: &str, sender: &mut Sender<'_, E::Sight>) -> Result<()> {
    db.require(&["userlogin"])?;
    let sql = format!(
        "SELECT `datetime`, user, ip, action{} FROM userlogin WHERE action IN (?, 'simulation') AND {within}",
        eye.more("userlogin")
    );
    db.each(&sql, ("login",), |row| {
        let Some(datetime) = row.stamp(0) else { return Ok(()) };
        sender.fact(eye.see(
            Row::Login(LoginRow {
                datetime,
                user: row.text(1).as_deref(),
                ip: &row.text(2).unwrap_or_default(),
                action: &row.text(3).unwrap_or_default(),
            }),
            &row,
        ))
    })?;
    Ok(())
}

fn profiles<E: Eye>(db: &mut Db, eye: &E, sender: &mut Sender<'_, E::Sight>) -> Result<()> {
    let name = format!("{}xprofiles_metrics", db.target().prefix);
    db.require(&[&name])?;
    let sql = format!("SELECT uidNumber, username, countryresident, orgtype, registerDate FROM {}", quote(&name));
    db.each(&sql, (), |row| {
        sender.fact(eye.see(
            Row::Profile(ProfileRow {
                uid: row.int(0),
                username: row.text(1).as_deref(),
                countryresident: row.text(2).as_deref(),
                orgtype: row.text(3).as_deref(),
                registered: row.stamp(4),
            }),
            &row,
        ))
    })?;
    Ok(())
}

fn toolstarts<E: Eye>(db: &mut Db, eye: &E, within: &str, sender: &mut Sender<'_, E::Sight>) -> Result<()> {
    db.require(&["toolstart"])?;
    let sql = format!(
        "SELECT `datetime`, success, user, countryresident, orgtype{} FROM toolstart \
         WHERE success = ? AND {within}",
        eye.more("toolstart")
    );
    db.each(&sql, (1,), |row| {
        let Some(datetime) = row.stamp(0) else { return Ok(()) };
        sender.fact(eye.see(
            Row::Toolstart(ToolstartRow {
                datetime,
                success: row.int(1).unwrap_or_default(),
                user: row.text(2).as_deref(),
                countryresident: row.text(3).as_deref(),
                orgtype: row.text(4).as_deref(),
            }),
            &row,
        ))
    })?;
    Ok(())
}

fn hits<E: Eye>(db: &mut Db, eye: &E, stop: Stamp, sender: &mut Sender<'_, E::Sight>) -> Result<()> {
    db.require(&["webhits"])?;
    db.each("SELECT `datetime`, hits FROM webhits WHERE `datetime` < ?", (stop.to_string(),), |row| {
        let (Some(datetime), Some(hits)) = (row.stamp(0), row.int(1)) else { return Ok(()) };
        sender.fact(eye.see(Row::Hits(HitsRow { datetime, hits }), &row))
    })?;
    Ok(())
}

/// Tool sessions and jobs in the order of their keys, in which seconds are added up; and the names
/// under which tools run.
fn middleware<E: Eye>(db: &mut Db, eye: &E, stop: Stamp, sender: &mut Sender<'_, E::Sight>) -> Result<()> {
    let versions = format!("{}tool_version", db.target().prefix);
    db.require(&["sessionlog", "joblog", &versions])?;
    db.each(&format!("SELECT toolname, instance FROM {}", quote(&versions)), (), |row| {
        let (Some(toolname), Some(instance)) = (row.text(0), row.text(1)) else { return Ok(()) };
        sender.fact(eye.see(Row::ToolVersion(ToolVersionRow { toolname: &toolname, instance: &instance }), &row))
    })?;
    let sql = format!(
        "SELECT {} sessnum, username, start, appname, walltime, viewtime, cputime FROM sessionlog \
         WHERE start < ? ORDER BY sessnum",
        db.released("sessionlog")?
    );
    db.each(&sql, (stop.to_string(),), |row| {
        let Some(start) = row.stamp(2) else { return Ok(()) };
        sender.fact(eye.see(
            Row::HubSession(HubSessionRow {
                sessnum: row.int(0),
                username: &row.text(1).unwrap_or_default(),
                start,
                appname: &row.text(3).unwrap_or_default(),
                walltime: row.float(4),
                viewtime: row.float(5),
                cputime: row.float(6),
            }),
            &row,
        ))
    })?;
    let sql = format!(
        "SELECT {} sessnum, job, event, cputime FROM joblog \
         WHERE job > ? AND event <> '[waiting]' AND cputime IS NOT NULL ORDER BY sessnum, job, event, venue",
        db.released("joblog")?
    );
    db.each(&sql, (0,), |row| {
        let Some(sessnum) = row.int(0) else { return Ok(()) };
        sender.fact(eye.see(
            Row::HubJob(HubJobRow {
                sessnum,
                job: row.int(1).unwrap_or_default(),
                event: &row.text(2).unwrap_or_default(),
                cputime: row.float(3),
            }),
            &row,
        ))
    })?;
    Ok(())
}
