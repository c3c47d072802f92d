//! Fills the rows that statistics are computed from with the content of the tables, each read once.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use database::{Cells, Db};
use schema::{Month, Period, Stamp, collation};

use crate::rows::{HubJob, HubSession, Resource, Rows, ToolSession};
use crate::stats::{self, Stat, ToolStat};

/// The tools, the resources `ids`, and the versions of all tools.
pub(super) fn resources(hub: &mut Db, tables: &mut Rows, ids: &[i64]) -> Result<()> {
    let mut list: Vec<String> = ids.iter().map(i64::to_string).collect();
    list.sort_unstable();
    list.dedup();
    let or = if list.is_empty() { String::new() } else { format!(" OR id IN ({})", list.join(",")) };
    let sql = format!(
        "SELECT id, title, type, alias, published, standalone FROM {} WHERE type = 7{or}",
        hub.prefixed("resources")
    );
    tables.resources = hub.all(&sql, (), |row| {
        Ok(Resource {
            id: row.int(0).unwrap_or_default(),
            title: text(row, 1),
            kind: row.int(2).unwrap_or_default(),
            alias: text(row, 3),
            published: row.int(4) == Some(1),
            standalone: row.int(5) == Some(1),
        })
    })?;
    let sql = format!("SELECT toolname, instance FROM {} ORDER BY id", hub.prefixed("tool_version"));
    tables.versions = hub.all(&sql, (), |row| Ok((text(row, 0), text(row, 1))))?;
    Ok(())
}

/// The sessions of all tools before the end of the month, and their jobs.
pub(super) fn sessions_and_jobs(hub: &mut Db, tables: &mut Rows, month: Month) -> Result<()> {
    let names = names_of_tools(tables);
    // most sessions share a few names
    let mut is_tool: HashMap<Box<str>, bool> = HashMap::new();
    // rows go directly into memory, so a table without row locks is locked only briefly
    let sql = "SELECT sessnum, username, appname, start, walltime, viewtime FROM sessionlog WHERE start < ?";
    let stop = Period::stop(month).to_string();
    hub.each(sql, (&stop,), |row| {
        let (Some(sessnum), Some(app), Some(start)) = (row.uint(0), row.text(2), row.stamp(3)) else { return Ok(()) };
        let known = match is_tool.get(&*app) {
            Some(&known) => known,
            None => *is_tool.entry((&*app).into()).or_insert_with(|| names.contains(&collation::fold(&app))),
        };
        if known {
            let (user, app) = (tables.texts.add(&row.text(1).unwrap_or_default()), tables.texts.add(&app));
            let (walltime, viewtime) = (row.float(4).unwrap_or(0.0), row.float(5).unwrap_or(0.0));
            tables.sessions.push(HubSession { sessnum, user, app, start, walltime, viewtime });
        }
        Ok(())
    })?;
    let mut numbers: Vec<u64> = tables.sessions.iter().map(|session| session.sessnum).collect();
    numbers.sort_unstable();
    let sql = "SELECT sessnum, job, superjob, event, venue, walltime, cputime, ncpus FROM joblog WHERE sessnum >= ?";
    let first = numbers.first().copied().unwrap_or_default();
    hub.each(sql, (first,), |row| {
        let Some(sessnum) = row.uint(0).filter(|number| numbers.binary_search(number).is_ok()) else { return Ok(()) };
        tables.jobs.push(HubJob {
            sessnum,
            job: row.uint(1).unwrap_or_default(),
            is_top: row.uint(2) == Some(0),
            event: tables.texts.add(&row.text(3).unwrap_or_default()),
            venue: tables.texts.add(&row.text(4).unwrap_or_default()),
            walltime: row.float(5).unwrap_or(0.0),
            cputime: row.float(6).unwrap_or(0.0),
            ncpus: row.int(7).unwrap_or(0),
        });
        Ok(())
    })?;
    Ok(())
}

/// Every name under which a tool runs, as collation keys.
fn names_of_tools(tables: &Rows) -> HashSet<String> {
    let tools = stats::tools(tables);
    let aliases: HashSet<String> = tools.iter().map(|tool| collation::fold(&tool.alias)).collect();
    let versions = tables.versions.iter().filter(|(tool, _)| aliases.contains(&collation::fold(tool)));
    let versions: Vec<String> = versions.map(|(_, instance)| collation::fold(instance)).collect();
    aliases.iter().cloned().chain(versions).collect()
}

/// The data for lists: tool sessions before the end of the month with their users' places,
/// profiles, names of countries.
pub(super) fn people(metrics: &mut Db, profiles: &str, tables: &mut Rows, month: Month) -> Result<()> {
    let sql = "SELECT id, user, appname, start, domain, countryresident FROM sessionlog_metrics WHERE start < ?";
    let texts = &mut tables.texts;
    let mut sessions: Vec<(u64, ToolSession)> = Vec::new();
    let stop = Period::stop(month).to_string();
    metrics.each(sql, (&stop,), |row| {
        let (Some(id), Some(start)) = (row.uint(0), row.stamp(3)) else { return Ok(()) };
        let mut add = |at: usize| row.text(at).map(|text| texts.add(&text));
        let (user, app) = (add(1), add(2));
        let (Some(user), Some(app)) = (user, app) else { return Ok(()) };
        sessions.push((id, ToolSession { user, app, start, domain: add(4), country: add(5) }));
        Ok(())
    })?;
    // of several spellings, the one in the first row is shown
    sessions.sort_unstable_by_key(|(id, _)| *id);
    tables.tool_sessions = sessions.into_iter().map(|(_, session)| session).collect();
    let sql =
        format!("SELECT {} username, orgtype FROM {}", metrics.released(profiles)?, schema::tables::quote(profiles));
    metrics.each(&sql, (), |row| {
        let name = row.text(0).unwrap_or_default();
        // users without any tool are in no list
        if let Some(user) = tables.texts.find_group(&name) {
            let orgtype = tables.texts.add(&row.text(1).unwrap_or_default());
            tables.profiles.push((user, orgtype));
        }
        Ok(())
    })?;
    let rows = metrics.all("SELECT code, name FROM countries", (), |row| Ok((text(row, 0), text(row, 1))))?;
    tables.countries = rows.into_iter().map(|(code, name)| (collation::fold(&code), name)).collect();
    Ok(())
}

/// The statistics rows of a month, by id; `only_tools` leaves out other types of resources.
pub(super) fn stats(hub: &mut Db, month: Month, only_tools: bool) -> Result<Vec<ToolStat>> {
    let restype = if only_tools { " AND restype = 7" } else { "" };
    let sql = format!(
        "SELECT id, resid, period, users, jobs, tot_wall, tot_cpu, tot_view FROM {} WHERE datetime = ?{restype} ORDER BY id",
        hub.prefixed("resource_stats_tools")
    );
    let rows = hub.all(&sql, (label(month.label()),), |row| {
        let period = row.int(2).and_then(|code| u8::try_from(code).ok()).and_then(Period::from_code);
        Ok(period.map(|period| ToolStat {
            id: row.int(0).unwrap_or_default(),
            resid: row.int(1).unwrap_or_default(),
            period,
            stat: Stat {
                users: row.int(3).unwrap_or(0),
                jobs: row.int(4).unwrap_or(0),
                tot_wall: row.float(5).unwrap_or(0.0),
                tot_cpu: row.float(6).unwrap_or(0.0),
                tot_view: row.float(7).unwrap_or(0.0),
                ..Stat::default()
            },
        }))
    })?;
    Ok(rows.into_iter().flatten().collect())
}

/// A label in the form that the server accepts: text, because date types refuse day zero.
pub(super) fn label(label: Stamp) -> String {
    label.to_string()
}

fn text(row: Cells<'_>, at: usize) -> String {
    row.text(at).unwrap_or_default().into_owned()
}
