//! `hzmetrics status`: the state of the pipeline, the pending logs and the settings. Changes nothing. If
//! the database cannot be reached, it shows the rest.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;
use database::pruned::Group;
use kit::Uses;
use schema::Month;
use serde_json::{Map, Value};

use super::{HubCommand, print};
use crate::colours::{Mood, value};
use crate::health::Health;
use crate::health::facts::{Facts, Known, Look, OfDatabase};
use crate::health::json::{self, For};
use crate::hub::Hub;
use crate::pipeline::decisions;
use crate::pipeline::pending::Dated;
use crate::pipeline::state::{self, Mode, State};

/// Show the state, the pending logs and the settings
///
/// Changes nothing. If the database cannot be reached, everything else is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object with the health of the hub instead of lines
    #[arg(long)]
    json: bool,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        if self.json {
            let health = Health::examine(hub, Look::Once)?;
            return print(json::of_health(&health, For::Person, settings(hub)).as_bytes());
        }
        print(status(hub, &Facts::look(hub, Look::Once)?).as_bytes())
    }
}

/// The settings, for the JSON object.
fn settings(hub: &Hub) -> Map<String, Value> {
    let config = &hub.config;
    let mut settings = Map::new();
    settings.insert("site".to_owned(), config.site.name.clone().into());
    settings
        .insert("config_file".to_owned(), config.file.as_ref().map(|file| file.to_string_lossy().into_owned()).into());
    settings.insert("nameserver".to_owned(), config.dns.nameserver_name().into());
    settings
}

/// The text for standard output.
fn status(hub: &Hub, facts: &Facts) -> String {
    let mut text = String::from("=== orchestrator state ===\n");
    let unread;
    let state = match &facts.metrics {
        Ok(found) => &found.state,
        Err(error) => {
            let words = value(Mood::Bad, format!("(could not read pipeline_state: {error})"));
            let _ = writeln!(text, "  {words}");
            unread = State::default();
            &unread
        }
    };
    let incomplete = || match &facts.metrics {
        Ok(found) => found.incomplete.clone(),
        Err(error) => Err(error.clone()),
    };
    for (label, text_of) in lines(state, facts.current, incomplete) {
        let _ = writeln!(text, "  {label:<17}: {}", coloured(label, text_of));
    }
    text.push_str("=== pending import (all source dirs) ===\n");
    for (label, found) in [("httpd access", &facts.access), ("cmsauth     ", &facts.auth)] {
        logs(&mut text, label, &found.pending);
    }
    text.push_str("=== imported/ (already processed) ===\n");
    for (label, found) in [("httpd  ", &facts.access), ("hubzero", &facts.auth)] {
        logs(&mut text, label, &found.imported);
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
    if config.paths.being_forgotten().exists() {
        let words = "unfinished: `hzmetrics forget-user --resume` finishes it; until then nothing else writes";
        let _ = writeln!(text, "  {:<17}: {}", "forget-user", value(Mood::Bad, words.to_owned()));
    }
    for (label, text_of) in left_out(facts, state) {
        let _ = writeln!(text, "  {label:<17}: {}", coloured(&label, text_of));
    }
    text
}

/// A value in the colour of what it means.
fn coloured(label: &str, text: String) -> String {
    let mood = match label {
        "mode" if text == Mode::Normal.word() => Mood::Good,
        "mode" | "dirty months" | "dated in future" | "sweep remaining" => Mood::Attention,
        "withheld months" if text != "(none)" => Mood::Attention,
        "addr. to hash" => Mood::Attention,
        "refused log" | "not understood" => Mood::Bad,
        "refused logs" | "imported days" if text != "(none)" => Mood::Bad,
        _ => return text,
    };
    value(mood, text)
}

/// How many days of imports are shown.
const DAYS: usize = 7;

/// What is missing from the numbers, or not published.
fn left_out(facts: &Facts, state: &State) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut line = |label: &str, value: String| lines.push((label.to_owned(), value));
    let months = state::list(&state.withheld).replace(',', ", ");
    line("withheld months", if months.is_empty() { "(none)".to_owned() } else { months });
    let changed = facts.metrics.as_ref().map(changed).unwrap_or_default();
    changed.into_iter().for_each(|(label, words)| line(label, words));
    match &facts.refused {
        Err(error) => line("refused logs", format!("({error})")),
        Ok(list) if list.is_empty() => line("refused logs", "(none)".to_owned()),
        Ok(list) => list.iter().for_each(|log| {
            line("refused log", format!("{} since {}: {}", log.path.display(), log.since, log.reason));
        }),
    }
    match facts.metrics.as_ref().map(|found| found.to_come.as_ref().and_then(|to_come| Ok((to_come, days(found)?)))) {
        Err(error) | Ok(Err(error)) => line("imported days", format!("({error})")),
        Ok(Ok((to_come, days))) => {
            to_come.lines().into_iter().for_each(|words| line("dated in future", words));
            days.into_iter().for_each(|words| line("imported day", words));
        }
    }
    lines
}

/// Months whose rows or addresses are no longer what was imported; nothing if there are none.
fn changed(found: &OfDatabase) -> Vec<(&'static str, String)> {
    let months = |months: &BTreeSet<Month>| state::ranges(months).join(", ");
    let mut lines = Vec::new();
    match &found.pruned {
        Err(error) => lines.push(("pruned", format!("({error})"))),
        Ok(pruned) => lines.extend(Group::ALL.into_iter().filter_map(|group| {
            let gone = pruned.of(group)?;
            Some(("pruned", format!("{} through {}", group.what(), gone.rows)))
        })),
    }
    match &found.addresses {
        Err(error) => lines.push(("addresses", format!("({error})"))),
        Ok(changes) => {
            lines.push(("addresses hashed", months(&changes.hashed())));
            lines.push(("addr. shortened", months(changes.shortened())));
            let late = months(changes.late());
            let words = "late rows; `hzmetrics hash-addresses` hashes them";
            lines.push(("addr. to hash", if late.is_empty() { late } else { format!("{late}  ({words})") }));
        }
    }
    lines.retain(|(_, text)| !text.is_empty());
    lines
}

/// What became of the lines of the last days.
fn days(found: &OfDatabase) -> Result<Vec<String>, &String> {
    let Some(shares) = found.shares.as_ref()? else {
        return Ok(vec!["(no table import_files: `hzmetrics migrate --apply` creates it)".to_owned()]);
    };
    let all: BTreeSet<&String> = shares.keys().map(|(day, _)| day).collect();
    let last: BTreeSet<&String> = all.into_iter().rev().take(DAYS).collect();
    let shown = shares.iter().filter(|((day, _), _)| last.contains(day));
    Ok(shown.map(|((day, target), share)| format!("{day} {}: {}", target.name(), share.words())).collect())
}

/// The lines about the state: labels and values.
fn lines(state: &State, current: Month, incomplete: impl FnOnce() -> Known<Vec<Month>>) -> Vec<(&'static str, String)> {
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
                Ok(months) => match months.first() {
                    Some(oldest) => format!("{} month(s) (oldest: {oldest})", months.len()),
                    None => "0  (next tick → normal)".to_owned(),
                },
                Err(error) => format!("(could not enumerate: {error})"),
            };
            lines.push(("sweep remaining", left));
        }
    }
    for text in &state.malformed {
        lines.push(("not understood", text.clone()));
    }
    lines
}

fn logs(text: &mut String, label: &str, logs: &Known<Vec<Dated>>) {
    let value = match logs {
        Err(error) => format!("({error})"),
        Ok(logs) => span(logs),
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

    fn check(pairs: &[(&str, &str)], incomplete: Option<(u32, &str)>, expected: &[&str]) {
        let state = State::parse(pairs.iter().copied());
        let months = |(n, oldest): (u32, &str)| -> Vec<Month> {
            let oldest: Option<Month> = oldest.parse().ok();
            oldest.into_iter().flat_map(|oldest| (0..n).map(move |i| oldest.plus(i))).collect()
        };
        let found =
            lines(&state, "2026-05".parse().unwrap(), || incomplete.map(months).ok_or_else(|| "lost".to_owned()));
        let found: Vec<String> = found.iter().map(|(label, value)| format!("{label:<17}: {value}")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_state_is_shown_line_by_line() {
        check(&[], None, &["mode             : normal", "last analyzed    : (never)"]);
        check(
            // a cursor from an earlier rebuild has no meaning now
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
        // the previous month is still walked; without a cursor, the walk begins where catching up began
        for (pairs, cursor, left) in [
            (&[("mode", "rebuild"), ("rebuild_cursor", "2026-04")][..], "2026-04", 1),
            (&[("mode", "rebuild"), ("catchup_started", "2025-05")], "(unset)", 12),
        ] {
            let state = State::parse(pairs.iter().copied());
            let found = lines(&state, "2026-05".parse().unwrap(), || Err("not asked".to_owned()));
            let expected = format!("{cursor}  ({left} month(s) remaining through 2026-04)");
            assert!(found.contains(&("rebuild phase", "walk".to_owned())), "{found:?}");
            assert!(found.contains(&("rebuild_cursor", expected)), "{found:?}");
        }
        let state = State::parse([("mode", "rebuild")]);
        let found = lines(&state, "2026-05".parse().unwrap(), || Ok(Vec::new()));
        assert!(found.contains(&("rebuild phase", "sweep".to_owned())), "{found:?}");
    }

    #[test]
    fn spans_of_logs_are_shown_with_their_days() {
        let log = |day: &str| Dated { day: day.to_owned(), path: "x".into() };
        assert_eq!(span(&[]), "0");
        assert_eq!(span(&[log("20260501")]), "1  (20260501)");
        assert_eq!(span(&[log("20260501"), log("20260503")]), "2  (20260501 .. 20260503)");
    }
}
