//! The rule of a number in a sentence, and a row of a listing as a record.

use std::io::Write as _;

use schema::asked::Figure;
use schema::{Month, Period, json};

use super::listing::{Entry, Source};
use crate::rows::Rows;

/// What a list over all tools counts, as the name of a part.
pub(super) const fn of_list(top: u8) -> &'static str {
    match top {
        2 => "users",
        5 => "jobs",
        6 => "tot_wall",
        7 => "tot_cpu",
        _ => "tot_view",
    }
}

/// The rule, with the dates of the period.
pub(super) fn rule(figure: Figure, month: Month, period: Period) -> String {
    let dates = format!("that began after {} and before {}", period.start(month), Period::stop(month));
    match figure {
        Figure::Tool { column, .. } => format!("{}.", of_column(column, &dates)),
        Figure::Resource { column, .. } => format!("{}; as a whole number.", of_column(column, &dates)),
        Figure::Top { rank: 0, .. } => "The users of the tool, from its row in resource_stats_tools.".to_owned(),
        Figure::Top { top, .. } => {
            let by = ["country of residence", "domain", "organisation"];
            let by = by.get(usize::from(top) - 1).copied().unwrap_or_default();
            format!("Users of the tool with one {by}, in its sessions {dates} in sessionlog_metrics.")
        }
        Figure::List { top: 2, rank: 0 } => format!("Users of sessions {dates} in sessionlog_metrics."),
        Figure::List { top, rank: 0 } => {
            format!("The sum of {} in resource_stats_tools, over all tools.", of_list(top))
        }
        Figure::List { top, rank } => {
            format!("{} of the tool at place {rank}, from its row in resource_stats_tools.", of_list(top))
        }
    }
}

fn of_column(column: &str, dates: &str) -> String {
    let of_sessions = format!("of sessions of the tool {dates}");
    match column {
        "users" => format!("Users {of_sessions}"),
        "sessions" => format!("Sessions of the tool {dates}"),
        "simulations" => format!("Jobs without a superior job {of_sessions}, except the event application"),
        "jobs" => format!("Jobs with a number above 0 {of_sessions}, except the event [waiting]"),
        "tot_wall" => format!("Seconds from beginning to end {of_sessions}"),
        "tot_view" => format!("Seconds of interaction {of_sessions}"),
        "tot_cpu" => format!("CPU seconds of jobs with a number above 0 {of_sessions}, except the event [waiting]"),
        "tot_wait" => format!("Seconds of the event [waiting] of jobs with a number above 0 {of_sessions}"),
        "tot_cpus" => format!("Processors of all jobs {of_sessions}"),
        _ => {
            let total = of_column(&column.replace("avg_", "tot_"), dates);
            format!("{total}; divided by the simulations in these sessions")
        }
    }
}

/// The record of a row.
pub(super) fn evidence(out: &mut Vec<u8>, tables: &Rows, (cell, period): (&str, Period), entry: &Entry<'_>) {
    let Entry { part, adds, source } = entry;
    // writing to memory does not fail
    let _ = write!(
        out,
        "{{\"kind\":\"evidence\",\"cell\":\"{cell}\",\"period\":{period},\"part\":\"{part}\",\"adds\":{adds}"
    );
    let mut text = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            let _ = write!(out, ",\"{name}\":");
            json::push_str(out, value);
        }
    };
    let known = |id| Some(tables.texts.text(id));
    match source {
        Source::Session(session) => {
            text("who", known(session.user));
            text("source", Some("hub_session"));
            let _ = write!(out, ",\"id\":{},\"datetime\":\"{}\"", session.sessnum, session.start);
            out.extend_from_slice(b",\"tool\":");
            json::push_str(out, tables.texts.text(session.app));
        }
        Source::Job(job, user) => {
            text("who", user.and_then(known));
            text("source", Some("hub_job"));
            let _ = write!(out, ",\"id\":{}", job.sessnum);
            out.extend_from_slice(b",\"action\":");
            json::push_str(out, &format!("job {}: {}", job.job, tables.texts.text(job.event)));
        }
        Source::ToolSession(session, value) => {
            text("who", known(session.user));
            text("source", Some("tool_session"));
            text("datetime", Some(&session.start.to_string()));
            text("country", session.country.and_then(known));
            text("domain", session.domain.and_then(known));
            text("orgtype", value.and_then(known));
            text("tool", known(session.app));
        }
        Source::Statistics(row) => {
            text("source", Some("toolstat"));
            let _ = write!(out, ",\"id\":{}", row.resid);
            let tool = tables.resources.iter().find(|resource| resource.id == row.resid);
            if let Some(tool) = tool {
                out.extend_from_slice(b",\"tool\":");
                json::push_str(out, &tool.title);
            }
        }
    }
    out.extend_from_slice(b"}\n");
}
