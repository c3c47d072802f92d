//! `hzmetrics status`: the state of the pipeline, the pending logs and the settings. Changes nothing. If
//! the database cannot be reached, it shows the rest.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;
use database::Db;
use database::ledger::files;
use kit::Uses;
use logs::discovery::{self, Stream};
use logs::refused;
use schema::Month;

use super::{HubCommand, print};
use crate::hub::Hub;
use crate::pipeline::facts::ToCome;
use crate::pipeline::pending::{self, Dated, Pending};
use crate::pipeline::state::{self, Mode, State};
use crate::pipeline::{decisions, facts};

/// Show the state, the pending logs and the settings
///
/// Changes nothing. If the database cannot be reached, everything else is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        print(status(hub)?.as_bytes())
    }
}

/// The text for standard output.
fn status(hub: &Hub) -> Result<String> {
    let current = kit::current_month()?;
    let mut text = String::from("=== orchestrator state ===\n");
    let mut db = hub.db();
    let state = db.as_mut().map_err(|e| format!("{e:#}")).and_then(|db| State::read(db).map_err(|e| format!("{e:#}")));
    let state = state.unwrap_or_else(|error| {
        let _ = writeln!(text, "  (could not read pipeline_state: {error})");
        State::default()
    });
    let incomplete = || -> Result<(usize, Option<Month>)> {
        let mut db: Db = hub.db()?;
        let months = facts::incomplete(&mut db, current)?;
        Ok((months.len(), months.first().copied()))
    };
    for (label, value) in lines(&state, current, incomplete) {
        let _ = writeln!(text, "  {label:<17}: {value}");
    }
    text.push_str("=== pending import (all source dirs) ===\n");
    let site = Some(hub.config.site.name.as_str());
    for (label, stream) in [("httpd access", Stream::Access), ("cmsauth     ", Stream::Auth)] {
        logs(&mut text, label, pending::logs(hub, stream));
    }
    text.push_str("=== imported/ (already processed) ===\n");
    for (label, stream) in [("httpd  ", Stream::Access), ("hubzero", Stream::Auth)] {
        logs(&mut text, label, discovery::flat(&hub.imported(stream), stream, site).map(pending::dated));
    }
    let config = &hub.config;
    let file = config.file.as_ref().map_or_else(|| "(none — required)".to_owned(), |file| file.display().to_string());
    let _ = writeln!(
        text,
        "=== config + DNS settings ===\n  config file: {file}\n  nameserver : {}\n  concurrency: {}\n  timeout    : {:?}s",
        config.dns.nameserver_name(),
        config.dns.concurrency,
        config.dns.timeout.as_secs_f64()
    );
    text.push_str("=== withheld, refused, left out ===\n");
    for (label, value) in left_out(hub, &state, current) {
        let _ = writeln!(text, "  {label:<17}: {value}");
    }
    Ok(text)
}

/// How many days of imports are shown.
const DAYS: usize = 7;

/// What is not in the numbers, or not published.
fn left_out(hub: &Hub, state: &State, current: Month) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut line = |label: &str, value: String| lines.push((label.to_owned(), value));
    let months = state::list(&state.withheld).replace(',', ", ");
    line("withheld months", if months.is_empty() { "(none)".to_owned() } else { months });
    match refused::list(&hub.config.paths.staging()) {
        Err(error) => line("refused logs", format!("({error:#})")),
        Ok(list) if list.is_empty() => line("refused logs", "(none)".to_owned()),
        Ok(list) => list.iter().for_each(|log| {
            line("refused log", format!("{} since {}: {}", log.path.display(), log.since, log.reason));
        }),
    }
    let of_database = || -> Result<(Vec<String>, Vec<String>)> {
        let mut db = hub.db()?;
        let to_come = ToCome::look(&mut db, &Pending::look(hub)?, current)?;
        Ok((to_come.lines(), days(&mut db)?))
    };
    match of_database() {
        Err(error) => line("imported days", format!("({error:#})")),
        Ok((to_come, days)) => {
            to_come.into_iter().for_each(|words| line("dated in future", words));
            days.into_iter().for_each(|words| line("imported day", words));
        }
    }
    lines
}

/// What became of the lines of the last days.
fn days(db: &mut Db) -> Result<Vec<String>> {
    if !files::is_there(db)? {
        return Ok(vec!["(no table import_files: `hzmetrics migrate --apply` makes it)".to_owned()]);
    }
    let shares = files::shares_by_day(db, "")?;
    let all: BTreeSet<&String> = shares.keys().map(|(day, _)| day).collect();
    let last: BTreeSet<&String> = all.into_iter().rev().take(DAYS).collect();
    let shown = shares.iter().filter(|((day, _), _)| last.contains(day));
    Ok(shown.map(|((day, target), share)| format!("{day} {}: {}", target.name(), share.words())).collect())
}

/// The lines of the state, labels and values.
fn lines(
    state: &State,
    current: Month,
    incomplete: impl FnOnce() -> Result<(usize, Option<Month>)>,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("mode", state.mode.word().to_owned()),
        ("last analyzed", state.analyzed.clone().unwrap_or_else(|| "(never)".to_owned())),
    ];
    if let Some(started) = state.catchup_started {
        lines.push(("catchup_started", started.to_string()));
    }
    if !state.dirty.is_empty() {
        lines.push(("dirty months", state::list(&state.dirty).replace(',', ", ")));
    }
    if state.mode == Mode::Rebuild {
        let previous = current.previous();
        let cursor = state.cursor.map_or_else(|| "(unset)".to_owned(), |cursor| cursor.to_string());
        if let Some(next) = decisions::walk(state, previous) {
            lines.push(("rebuild phase", "walk".to_owned()));
            let left = next.through(previous).count();
            lines.push(("rebuild_cursor", format!("{cursor}  ({left} month(s) remaining through {previous})")));
        } else {
            lines.push(("rebuild phase", "sweep".to_owned()));
            lines.push(("rebuild_cursor", format!("{cursor}  (past prev_month, walk done)")));
            let left = match incomplete() {
                Ok((count, Some(oldest))) => format!("{count} month(s) (oldest: {oldest})"),
                Ok(_) => "0  (next tick → normal)".to_owned(),
                Err(error) => format!("(could not enumerate: {error:#})"),
            };
            lines.push(("sweep remaining", left));
        }
    }
    for text in &state.malformed {
        lines.push(("not understood", text.clone()));
    }
    lines
}

fn logs(text: &mut String, label: &str, logs: Result<Vec<Dated>>) {
    let value = match logs {
        Err(error) => format!("({error:#})"),
        Ok(logs) => span(&logs),
    };
    let _ = writeln!(text, "  {label}: {value}");
}

fn span(logs: &[Dated]) -> String {
    match (logs.first(), logs.last()) {
        (Some(first), Some(last)) if first.day != last.day => {
            format!("{}  ({} .. {})", logs.len(), first.day, last.day)
        }
        (Some(only), _) => format!("{}  ({})", logs.len(), only.day),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)], incomplete: Option<(usize, &str)>, expected: &[&str]) {
        let state = State::parse(pairs.iter().copied());
        let incomplete = incomplete.map(|(n, month)| (n, month.parse().ok()));
        let found = lines(&state, "2026-05".parse().unwrap(), || incomplete.ok_or_else(|| anyhow::anyhow!("lost")));
        let found: Vec<String> = found.iter().map(|(label, value)| format!("{label:<17}: {value}")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_line_of_the_state() {
        check(&[], None, &["mode             : normal", "last analyzed    : (never)"]);
        check(
            // a cursor of an earlier rebuild says nothing now
            &[
                ("mode", "catchup"),
                ("catchup_started", "2022-01"),
                ("dirty_months", "2022-05,2022-01"),
                ("rebuild_cursor", "2024-01"),
            ],
            None,
            &[
                "mode             : catchup",
                "last analyzed    : (never)",
                "catchup_started  : 2022-01",
                "dirty months     : 2022-01, 2022-05",
            ],
        );
        check(
            &[("mode", "rebuild"), ("analyzed", "2026-05-18"), ("rebuild_cursor", "2022-06")],
            None,
            &[
                "mode             : rebuild",
                "last analyzed    : 2026-05-18",
                "rebuild phase    : walk",
                "rebuild_cursor   : 2022-06  (47 month(s) remaining through 2026-04)",
            ],
        );
        let sweep = |left: &'static str| {
            [
                "mode             : rebuild",
                "last analyzed    : (never)",
                "rebuild phase    : sweep",
                "rebuild_cursor   : 2026-06  (past prev_month, walk done)",
                left,
            ]
        };
        let state = &[("mode", "rebuild"), ("rebuild_cursor", "2026-06"), ("catchup_started", "")];
        check(state, Some((3, "2020-10")), &sweep("sweep remaining  : 3 month(s) (oldest: 2020-10)"));
        check(state, Some((0, "")), &sweep("sweep remaining  : 0  (next tick → normal)"));
        check(state, None, &sweep("sweep remaining  : (could not enumerate: lost)"));
        // the month before this one is still walked, and where catching up began when there is no cursor
        for (pairs, cursor, left) in [
            (&[("mode", "rebuild"), ("rebuild_cursor", "2026-04")][..], "2026-04", 1),
            (&[("mode", "rebuild"), ("catchup_started", "2025-05")], "(unset)", 12),
        ] {
            let state = State::parse(pairs.iter().copied());
            let found = lines(&state, "2026-05".parse().unwrap(), || anyhow::bail!("not asked"));
            let expected = format!("{cursor}  ({left} month(s) remaining through 2026-04)");
            assert!(found.contains(&("rebuild phase", "walk".to_owned())), "{found:?}");
            assert!(found.contains(&("rebuild_cursor", expected)), "{found:?}");
        }
        let state = State::parse([("mode", "rebuild")]);
        let found = lines(&state, "2026-05".parse().unwrap(), || Ok((0, None)));
        assert!(found.contains(&("rebuild phase", "sweep".to_owned())), "{found:?}");
    }

    #[test]
    fn spans_of_logs() {
        let log = |day: &str| Dated { day: day.to_owned(), path: "x".into() };
        assert_eq!(span(&[]), "0");
        assert_eq!(span(&[log("20260501")]), "1  (20260501)");
        assert_eq!(span(&[log("20260501"), log("20260503")]), "2  (20260501 .. 20260503)");
    }
}
