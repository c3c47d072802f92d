//! `--why`: lists the rows that a number of the tool tables is made of. The rows are those that the steps count
//! ([`stats::walk`], [`tops::walk`], [`lists::ranked`]); if a listing does not come to the number, the run ends.

mod listing;
mod write;

use std::collections::HashSet;

use anyhow::{Result, bail};
use schema::answer::{Answer, Parts};
use schema::asked::Figure;
use schema::number;

use crate::args::Question;
use crate::rows::{Rows, TextId, ToolSession};
use crate::stats::{self, Counted, Stat, ToolStat};
use crate::{lists, tops};
use listing::{Entry, Listing, Source};

/// Passes the records of the answer to `put`. `rows` are the statistics of the month.
///
/// # Errors
/// The listing does not come to the number, or `put` fails.
pub(crate) fn answer(
    tables: &Rows,
    rows: &[ToolStat],
    question: &Question,
    mut put: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let Question { figure, month, period, first, .. } = *question;
    let (listing, written) = match figure {
        Figure::Tool { resid, column } => of_tool(tables, rows, question, resid, column, text_of),
        Figure::Resource { resid, column } => of_tool(tables, rows, question, resid, column, text_of_copy),
        Figure::Top { resid, top, rank } => of_top(tables, rows, question, resid, (top, rank)),
        Figure::List { top, rank } => of_list(tables, rows, question, top, rank),
    };
    if listing.value != written {
        bail!(
            "{figure}, period {period}: the listing gives {:?}, the number is {written:?}; this is a defect of the program, \
             please report it",
            listing.value
        );
    }
    let mut parts = Parts::default();
    listing.entries.iter().for_each(|entry| parts.add(entry.part, entry.adds));
    let (cell, rule) = (figure.to_string(), write::rule(figure, month, period));
    let value = listing.value.as_deref();
    let mut out = Vec::new();
    Answer { cell: &cell, table: figure.table(), place: None, month, period, value, parts, rule: &rule }.push(&mut out);
    put(&out)?;
    for entry in listing.entries.iter().take(first) {
        out.clear();
        write::evidence(&mut out, tables, (&cell, period), entry);
        put(&out)?;
    }
    Ok(())
}

/// A number of statistics, as its table holds it.
fn text_of(stat: &Stat, column: &str) -> String {
    match column {
        "users" => stat.users.to_string(),
        "sessions" => stat.sessions.to_string(),
        "simulations" => stat.simulations.to_string(),
        "jobs" => stat.jobs.to_string(),
        "avg_cpus" => stat.avg_cpus.to_string(),
        "tot_cpus" => stat.tot_cpus.to_string(),
        _ => seconds_of(stat, column).to_string(),
    }
}

fn seconds_of(stat: &Stat, column: &str) -> f64 {
    match column {
        "avg_wall" => stat.avg_wall,
        "tot_wall" => stat.tot_wall,
        "avg_cpu" => stat.avg_cpu,
        "tot_cpu" => stat.tot_cpu,
        "avg_view" => stat.avg_view,
        "tot_view" => stat.tot_view,
        "avg_wait" => stat.avg_wait,
        _ => stat.tot_wait,
    }
}

/// The same as the copy for the resource pages holds it.
fn text_of_copy(stat: &Stat, column: &str) -> String {
    match column {
        "users" | "jobs" => text_of(stat, column),
        _ => stats::as_int(seconds_of(stat, column)).to_string(),
    }
}

/// The parts of a column: for an average the sum and what it is divided by.
fn parts_of(column: &'static str) -> Vec<&'static str> {
    match column {
        "avg_wall" => vec!["tot_wall", "simulations"],
        "avg_cpu" => vec!["tot_cpu", "simulations"],
        "avg_view" => vec!["tot_view", "simulations"],
        "avg_wait" => vec!["tot_wait", "simulations"],
        "avg_cpus" => vec!["tot_cpus", "simulations"],
        _ => vec![column],
    }
}

/// What a row adds to a part, if it belongs there.
fn adds(part: &str, counted: Counted<'_>) -> Option<f64> {
    match (part, counted) {
        ("users" | "sessions", Counted::Session(_)) => Some(1.0),
        ("tot_wall", Counted::Session(session)) => Some(session.walltime),
        ("tot_view", Counted::Session(session)) => Some(session.viewtime),
        ("jobs", Counted::Job(_, counts)) => counts.run.then_some(1.0),
        ("tot_cpu", Counted::Job(job, counts)) => counts.run.then_some(job.cputime),
        ("tot_wait", Counted::Job(job, counts)) => counts.wait.then_some(job.walltime),
        ("simulations", Counted::Job(_, counts)) => counts.simulation.then_some(1.0),
        ("tot_cpus", Counted::Job(job, _)) => Some(job.ncpus as f64),
        _ => None,
    }
}

fn of_tool<'a>(
    tables: &'a Rows,
    rows: &[ToolStat],
    question: &Question,
    resid: i64,
    column: &'static str,
    text: fn(&Stat, &str) -> String,
) -> (Listing<'a>, Option<String>) {
    let tools = stats::tools(tables);
    let written = rows.iter().find(|row| row.resid == resid && row.period == question.period);
    let (Some(tool), Some(written)) = (tools.iter().position(|tool| tool.id == resid), written) else {
        return (Listing::default(), None);
    };
    let parts = parts_of(column);
    let mut lists: Vec<Vec<Entry<'a>>> = parts.iter().map(|_| Vec::new()).collect();
    let (mut users, mut user_of) = (HashSet::new(), std::collections::HashMap::new());
    let mut stat = Stat::default();
    let of_app = stats::tools_of_apps(tables, &tools);
    stats::walk(tables, question.month, &of_app, |found, window, counted| {
        if found != tool || stats::PERIODS.get(window) != Some(&question.period) {
            return;
        }
        if let Counted::Session(session) = counted {
            user_of.insert(session.sessnum, session.user);
            stat.users += i64::from(users.insert(tables.texts.group(session.user)));
        }
        for (part, list) in parts.iter().zip(&mut lists) {
            let Some(adds) = adds(part, counted) else { continue };
            // only the first session of a user adds one
            let adds = if *part == "users" && stat.users == whole(list) { 0.0 } else { adds };
            let source = match counted {
                Counted::Session(session) => Source::Session(session),
                Counted::Job(job, _) => Source::Job(job, user_of.get(&job.sessnum).copied()),
            };
            list.push(Entry { part, adds, source });
        }
    });
    for (part, list) in parts.iter().zip(&lists) {
        come_to(&mut stat, part, list);
    }
    stats::average(&mut stat, question.raw);
    let entries = lists.into_iter().flatten().collect();
    (Listing { entries, value: Some(text(&stat, column)) }, Some(text(&written.stat, column)))
}

/// The sum of whole numbers.
fn whole(entries: &[Entry<'_>]) -> i64 {
    entries.iter().map(|entry| entry.adds as i64).sum()
}

/// Sums up a part, as the statistics do.
fn come_to(stat: &mut Stat, part: &str, list: &[Entry<'_>]) {
    let seconds = || list.iter().fold(0.0, |sum, entry| number::sum(sum, entry.adds));
    match part {
        "sessions" => stat.sessions = whole(list),
        "simulations" => stat.simulations = whole(list),
        "jobs" => stat.jobs = whole(list),
        "tot_wall" => stat.tot_wall = seconds(),
        "tot_cpu" => stat.tot_cpu = seconds(),
        "tot_view" => stat.tot_view = seconds(),
        "tot_wait" => stat.tot_wait = seconds(),
        "tot_cpus" => {
            let cpus = |entry: &Entry<'_>| if let Source::Job(job, _) = entry.source { job.ncpus } else { 0 };
            stat.tot_cpus = list.iter().fold(0, |sum: i64, entry| sum.saturating_add(cpus(entry)));
        }
        _ => stat.users = whole(list),
    }
}

/// Users of tool sessions, each counted once.
fn users<'a>(tables: &Rows, sessions: impl Iterator<Item = (&'a ToolSession, Option<TextId>)>) -> Vec<Entry<'a>> {
    let mut seen = HashSet::new();
    let entry = |(session, value): (&'a ToolSession, _)| Entry {
        part: "users",
        adds: f64::from(u8::from(seen.insert(tables.texts.group(session.user)))),
        source: Source::ToolSession(session, value),
    };
    sessions.map(entry).collect()
}

fn of_top<'a>(
    tables: &'a Rows,
    rows: &'a [ToolStat],
    question: &Question,
    resid: i64,
    (top, rank): (u8, i64),
) -> (Listing<'a>, Option<String>) {
    let Some(row) = rows.iter().find(|row| row.resid == resid && row.period == question.period) else {
        return (Listing::default(), None);
    };
    let places = tops::compute(tables, rows, question.month);
    let Some(place) = places.iter().find(|place| (place.id, place.top, place.rank) == (row.id, top, rank)) else {
        return (Listing::default(), None);
    };
    let written = Some(place.value.to_string());
    let list = usize::from(top) - 1;
    let tools: Vec<_> = tables.resources.iter().filter(|tool| tool.standalone && tool.id == resid).take(1).collect();
    let mut sessions: Vec<(&ToolSession, Option<TextId>)> = Vec::new();
    tops::walk(tables, question.month, &stats::tools_of_apps(tables, &tools), |_, window, of, session, value| {
        if of == list && stats::PERIODS.get(window) == Some(&question.period) {
            sessions.push((session, value));
        }
    });
    if rank == 0 || sessions.is_empty() {
        let entries = vec![Entry { part: "users", adds: row.stat.users as f64, source: Source::Statistics(row) }];
        return (Listing { value: Some(whole(&entries).to_string()), entries }, written);
    }
    let group = |value: &Option<TextId>| value.map(|text| tables.texts.group(text));
    let at = usize::try_from(rank).unwrap_or(usize::MAX) - 1;
    let Some(key) = tops::in_order(tables, &sessions).get(at).copied() else { return (Listing::default(), written) };
    let of_group = sessions.into_iter().filter(|(_, value)| group(value) == key);
    // countries and domains are in the sessions
    let entries = users(tables, of_group.map(|(session, value)| (session, value.filter(|_| top == 3))));
    (Listing { value: Some(whole(&entries).to_string()), entries }, written)
}

fn of_list<'a>(
    tables: &'a Rows,
    rows: &'a [ToolStat],
    question: &Question,
    top: u8,
    rank: i64,
) -> (Listing<'a>, Option<String>) {
    let Question { month, period, raw, .. } = *question;
    let places = lists::compute(tables, rows, month, raw);
    let place = places.iter().find(|place| (place.top, place.period, place.rank) == (top, period, rank));
    let (Some(place), Some(column)) = (place, lists::column_of(top)) else { return (Listing::default(), None) };
    let written = Some(place.value.to_string());
    let entry = |row: &'a ToolStat| Entry {
        part: write::of_list(top),
        adds: column(&row.stat),
        source: Source::Statistics(row),
    };
    let entries: Vec<Entry<'a>> = if rank > 0 {
        let at = usize::try_from(rank).unwrap_or(usize::MAX) - 1;
        lists::ranked(tables, rows, period, column).get(at).map(|(row, _)| entry(row)).into_iter().collect()
    } else if top == 2 {
        let is_inside = |session: &&ToolSession| {
            stats::windows(month, session.start).any(|window| stats::PERIODS.get(window) == Some(&period))
        };
        users(tables, tables.tool_sessions.iter().filter(is_inside).map(|session| (session, None)))
    } else {
        rows.iter().filter(|row| row.period == period).map(entry).collect()
    };
    let sum = entries.iter().map(|entry| entry.adds).sum();
    (Listing { value: Some(lists::integer(sum, raw).to_string()), entries }, written)
}

#[cfg(test)]
#[path = "../tests/unit/why.rs"]
mod tests;
