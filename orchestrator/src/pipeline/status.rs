//! `hzmetrics status`: what the pipeline remembers, what waits for it, how it is set up. Reads only;
//! without a database it shows the rest.

use std::fmt::Write as _;

use anyhow::Result;
use kit::db::Db;
use kit::discovery::{self, Stream};
use schema::Month;

use super::state::{self, Mode, State};
use super::{decide, facts};
use crate::hub::Hub;
use crate::pending::{self, Dated};

/// The text for standard output.
pub(crate) fn status(hub: &Hub) -> Result<String> {
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
    for (label, stream, folder) in
        [("httpd  ", Stream::Access, hub.imported_web()), ("hubzero", Stream::Auth, hub.imported_cms())]
    {
        logs(&mut text, label, discovery::flat(&folder, stream, site).map(pending::dated));
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
    Ok(text)
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
        if let Some(next) = decide::walk(state, previous) {
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
