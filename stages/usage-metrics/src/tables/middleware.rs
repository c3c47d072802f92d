//! The steps middleware-wall and middleware-cpu on tables: compares the hub's job log with
//! `toolstart`.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use database::address_changes::AddressChanges;
use database::{Db, KeyTable, Value, Verb, hub_data};
use hub::forgotten::Forgotten;
use schema::{Compat, Opt, address, text};

use crate::middleware::{self, Changes, Job, Metric, Start};
use crate::names::{Name, Names};

const VALUES: KeyTable<'_> =
    KeyTable { name: "hzmetrics_values", columns: &[("id", "bigint NOT NULL"), ("value", "double NOT NULL")], keys: 1 };

/// Width of the column of `toolstart` for the user.
const USER: usize = 150;

/// The job log in memory, for both steps: about 100 bytes per job.
pub(crate) struct Jobs {
    names: Names,
    jobs: Vec<Job>,
    /// Whether IPv6 addresses are stored whole.
    whole: bool,
    /// Months whose addresses are hashed: their jobs have none here, and are known by time and user.
    changes: AddressChanges,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NChanged {
    pub(crate) inserted: usize,
    pub(crate) updated: usize,
}

impl Jobs {
    /// Reads all jobs, with the users and addresses of their sessions, but for those of the forgotten; with
    /// `whole`, IPv6 addresses are in canonical form.
    ///
    /// # Errors
    /// A table is missing, or the server fails.
    pub(crate) fn read(hub: &mut Db, whole: bool, list: Option<&Forgotten>, changes: AddressChanges) -> Result<Self> {
        hub.require(&["joblog", "sessionlog"])?;
        let sql = format!(
            "SELECT {} j.start, s.username, s.remoteip, s.appname, s.exechost, j.walltime, j.cputime, \
             j.sessnum, j.job, j.event, j.venue, j.event = '[waiting]' \
             FROM joblog j JOIN sessionlog s ON s.sessnum = j.sessnum \
             WHERE s.username <> 'gridstat' AND s.username NOT LIKE 'hctest%'",
            hub.released("joblog")?
        );
        let (mut names, mut jobs) = (Names::new(), Vec::new());
        hub.each(&sql, (), |row| {
            let start = row.stamp(0).context("a job without a start")?;
            let (mut user, mut ip) = (row.text(1), row.text(2));
            if list.is_some() {
                let day = start.to_string();
                let own = (user.take().unwrap_or_default(), ip.take().unwrap_or_default());
                let Some(other) = hub_data::under_other_names(list, own.0, own.1, &day) else { return Ok(()) };
                (user, ip) = (Some(other.0), Some(other.1));
            }
            let user = names.intern_option(user.as_deref());
            let ip = ip.as_deref().map(|ip| if whole { address::canonical(ip) } else { ip.into() });
            let ip = if changes.is_hashed_at(start) { Name::EMPTY } else { names.intern_option(ip.as_deref()) };
            let mut name = |at| names.intern_option(row.text(at).as_deref());
            jobs.push(Job {
                start,
                user,
                ip,
                tool: name(3),
                exechost: name(4),
                walltime: row.float(5),
                cputime: row.float(6),
                sessnum: row.uint(7).unwrap_or(0),
                job: row.uint(8).unwrap_or(0),
                event: name(9),
                venue: name(10),
                waited: row.int(11) == Some(1),
            });
            Ok(())
        })?;
        Ok(Self { names, jobs, whole, changes })
    }

    /// Compares with the existing tool starts and writes what is missing.
    ///
    /// # Errors
    /// The table is missing, or the server fails.
    pub(crate) fn apply(&mut self, db: &mut Db, metric: Metric, compat: Compat, dry_run: bool) -> Result<NChanged> {
        db.require(&["toolstart"])?;
        if self.whole {
            db.require_whole_addresses(&["toolstart"])?;
        }
        if dry_run {
            return Ok(NChanged::of(&self.changes(db, metric, compat)?));
        }
        let column = column(metric);
        db.transaction_with_retry(&format!("writing the {column} of tool starts"), &["toolstart"], |db| {
            let changes = self.changes(db, metric, compat)?;
            // no cell depends on the columns that are updated
            let new = changes.insert.iter().filter_map(|(place, _)| self.jobs.get(*place));
            match new.map(|job| job.start.month().filter(|_| job.start.day() > 0)).collect::<Option<BTreeSet<_>>>() {
                Some(months) => db.will_change(months)?,
                None => db.will_change_every_month()?,
            }
            self.insert(db, &changes)?;
            if !changes.update.is_empty() {
                let rows = changes.update.iter().map(|(id, value)| [Value::from(*id), Value::from(*value)]);
                let by_id = db.by_id("toolstart")?;
                let update = format!(
                    "UPDATE hzmetrics_values k STRAIGHT_JOIN toolstart t {by_id} ON t.id = k.id SET t.{column} = k.value"
                );
                db.with_key_table(&VALUES, rows, |db| Ok(db.run(&update, ())?))?;
            }
            Ok(NChanged::of(&changes))
        })
    }

    fn changes(&mut self, db: &mut Db, metric: Metric, compat: Compat) -> Result<Changes> {
        let sql = format!(
            "SELECT {} id, `datetime`, `user`, ip, {} FROM toolstart",
            db.released("toolstart")?,
            column(metric)
        );
        let (names, changes) = (&mut self.names, &self.changes);
        let mut starts = db.all(&sql, (), |row| {
            let stamp = row.stamp(1).context("a tool start without a time")?;
            Ok(Start {
                id: row.uint(0).unwrap_or(0),
                stamp,
                user: names.intern_option(row.text(2).as_deref()),
                ip: if changes.is_hashed_at(stamp) { Name::EMPTY } else { names.intern_option(row.text(3).as_deref()) },
                value: row.float(4),
            })
        })?;
        let weighed = self.names.weigh();
        middleware::sort_jobs(&mut self.jobs, &weighed);
        middleware::sort_starts(&mut starts, &weighed);
        Ok(if compat.has(Opt::LpMiddleware) {
            middleware::merge(&self.jobs, &starts, &weighed, metric)
        } else {
            middleware::walk(&self.jobs, &starts, &self.names, metric)
        })
    }

    fn insert(&self, db: &mut Db, changes: &Changes) -> Result<()> {
        let columns = ["datetime", "success", "user", "ip", "tool", "execunit", "walltime"];
        let mut insert = db.insert(Verb::Insert, "toolstart", &columns);
        for (place, value) in &changes.insert {
            let Some(job) = self.jobs.get(*place) else { continue };
            let text = |name, width| Value::from(text::cut_chars(self.names.text(name), width));
            insert.push([
                Value::Bytes(job.start.to_ascii().to_vec()),
                Value::from(1),
                text(job.user, USER),
                Value::from(&*address::stored(self.names.text(job.ip), self.whole)),
                Value::from(text::cut_bytes(self.names.text(job.tool), text::TINYTEXT)),
                Value::from(text::cut_bytes(self.names.text(job.exechost), text::TINYTEXT)),
                // the column cannot store negative values
                Value::from(value.map(|value| value.max(0.0))),
            ])?;
        }
        insert.finish()?;
        Ok(())
    }
}

impl NChanged {
    const fn of(changes: &Changes) -> Self {
        Self { inserted: changes.insert.len(), updated: changes.update.len() }
    }
}

const fn column(metric: Metric) -> &'static str {
    match metric {
        Metric::Wall => "walltime",
        Metric::Cpu => "cputime",
    }
}
