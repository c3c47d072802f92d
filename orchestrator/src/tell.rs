//! After a run: the metrics for collectors, the messages about troubles, and the sign of life.
//!
//! None of this fails a run or changes its exit code. What is not configured costs nothing.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use hub::health::{self, Progress, Records};
use hub::statsd::{self, Statsd};
use kit::door::{self, Temporary};
use serde_json::json;

use crate::health::Health;
use crate::health::facts::{Facts, Look};
use crate::health::metrics;
use crate::health::reading::State;
use crate::health::verdict::Checked;
use crate::hub::Hub;
use crate::json::VERSION;
use crate::pipeline::state::Mode;

/// What has just ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// A tick without the work of a run.
    Tick,
    /// The work of a run, with its exit code.
    Run(u8),
}

/// Tells everybody who wants to be told.
pub(crate) fn everybody(hub: &Hub, after: After) {
    let say = |what: &str, done: Result<()>| {
        if let Err(error) = done {
            hub.log.warning(format_args!("{what}: {error:#}"));
        }
    };
    if let After::Run(code) = after {
        say("the progress is not remembered", progress(hub));
        ping(hub, code);
    }
    let (metrics, notify) = (&hub.config.metrics, &hub.config.notify);
    let statsd = hub.statsd_address().filter(|address| statsd::check(address).is_ok());
    if metrics.textfile.is_none() && notify.command.is_none() && statsd.is_none() {
        return;
    }
    let health = match Health::examine(hub, Look::Often) {
        Ok(health) => health,
        Err(error) => return say("nobody was told of the state of the hub", Err(error)),
    };
    if let Some(path) = &metrics.textfile {
        say("no metrics for Prometheus", textfile(path, &metrics::text(&health)));
    }
    if let Some(address) = statsd {
        Statsd::start("hzmetrics hub", &address).gauges(metrics::gauges(&health));
    }
    if let Some(command) = &notify.command {
        say("[notify] command", troubles(hub, command, &health));
    }
}

/// Writes the metrics whole, for whoever collects files: everybody may read them.
pub(crate) fn textfile(path: &Path, text: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = Temporary::beside(path)?;
        file.write_all(text.as_bytes())?;
        file.set_mode(0o644)?;
        file.publish(path.file_name().unwrap_or_default())
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Remembers since when the pipeline has come no further.
fn progress(hub: &Hub) -> Result<()> {
    let facts = Facts::look(hub, Look::Often)?;
    let Some(state) = facts.state() else { return Ok(()) };
    let at = (state.mode != Mode::Normal).then(|| facts.progress());
    let folder = hub.config.paths.staging();
    if door::look(&folder)?.is_some() {
        health::change(&hub.config.paths, |records| {
            let known = records.progress.take();
            let begun = |at| Progress { at, since: facts.now };
            records.progress = at.map(|at| known.filter(|known| known.at == at).unwrap_or_else(|| begun(at)));
        })?;
    }
    Ok(())
}

/// Fetches the address of the sign of life. Whoever waits for it notices when it does not come.
fn ping(hub: &Hub, code: u8) {
    let Some(url) = &hub.config.notify.heartbeat_url else { return };
    let url = if code == 0 { url.clone() } else { format!("{}/fail", url.trim_end_matches('/')) };
    if let Err(error) = serve::ping(&url) {
        hub.log.info(format_args!("[notify] heartbeat_url: {error}"));
    }
}

/// What follows from another trouble, and is no news while that lasts.
const CONSEQUENCES: [&str; 6] = ["failed", "age", "analyzed", "month", "mode", "pending"];

/// What there is to say.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    failed: Vec<&'static str>,
    recovered: Vec<String>,
}

/// Compares the checks with what was told before, and notes what is told now. A check that cannot be
/// made is as it was.
fn news(records: &mut Records, checks: &[Checked]) -> News {
    let mut news = News::default();
    let is_critical = |check: &&Checked| check.state == State::Critical;
    let is_cause = |check: &&Checked| is_critical(check) && !CONSEQUENCES.contains(&check.name);
    let lasts = checks.iter().filter(is_cause).any(|check| records.told.contains_key(check.name));
    for check in checks {
        let was_told = records.told.contains_key(check.name);
        match check.state {
            State::Critical if !was_told => {
                // it belongs to a trouble that somebody knows of
                let is_known = lasts && CONSEQUENCES.contains(&check.name);
                let word = if is_known { "known" } else { "told" };
                records.told.insert(check.name.to_owned(), word.to_owned());
                news.failed.extend((!is_known).then_some(check.name));
            }
            State::Ok | State::Warning if was_told => {
                let word = records.told.remove(check.name);
                news.recovered.extend((word.as_deref() == Some("told")).then(|| check.name.to_owned()));
            }
            _ => {}
        }
    }
    news
}

/// Tells a program of troubles that begin and that end, each once.
fn troubles(hub: &Hub, command: &str, health: &Health) -> Result<()> {
    let mut found = News::default();
    health::change(&hub.config.paths, |records| found = news(records, &health.checks))?;
    let of = |names: &[&str]| -> Vec<_> {
        let named = health.checks.iter().filter(|check| names.contains(&check.name));
        named.map(|check| json!({"name": check.name, "state": check.state.word(), "text": check.words()})).collect()
    };
    let recovered: Vec<&str> = found.recovered.iter().map(String::as_str).collect();
    for (event, names) in [("failure", found.failed.as_slice()), ("recovery", &recovered)] {
        if names.is_empty() {
            continue;
        }
        let object = json!({
            "version": VERSION,
            "event": event,
            "site": hub.config.site.name,
            "run": kit::run_id(),
            "time": health.facts.now,
            "checks": of(names),
        });
        send(hub, command, &format!("{object}\n"))?;
    }
    Ok(())
}

/// Starts the program with the event on its standard input.
fn send(hub: &Hub, command: &str, event: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let path = folder.path().join("event.json");
    door::create_new(&path, 0o600)?.write_all(event.as_bytes())?;
    let mut shell = hub.shell(None)?;
    shell.variables.set("HZMETRICS_EVENT", path.into_os_string());
    let code = shell.run(format!("{command} < \"$HZMETRICS_EVENT\"\n").as_bytes())?;
    anyhow::ensure!(code == 0, "it ended with exit code {code}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(states: &[(&'static str, State)]) -> Vec<Checked> {
        let check = |(name, state): &(&'static str, State)| Checked {
            name,
            state: *state,
            text: String::new(),
            detail: None,
            perf: Vec::new(),
        };
        states.iter().map(check).collect()
    }

    #[test]
    fn one_message_for_one_trouble() {
        use State::{Critical, Ok, Unknown, Warning};
        let mut records = Records::default();
        let mut step = |states: &[(&'static str, State)], failed: &[&str], recovered: &[&str]| {
            let news = news(&mut records, &checks(states));
            assert_eq!(
                (news.failed.as_slice(), news.recovered.as_slice()),
                (failed, recovered.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice())
            );
        };
        step(&[("database", Ok), ("failed", Ok)], &[], &[]);
        step(&[("database", Critical), ("month", Unknown)], &["database"], &[]);
        // what follows from it is no news, nor that it lasts
        step(&[("database", Critical), ("failed", Critical), ("month", Unknown)], &[], &[]);
        step(&[("database", Critical), ("failed", Critical)], &[], &[]);
        // another trouble is
        step(&[("database", Critical), ("failed", Critical), ("disk", Critical)], &["disk"], &[]);
        // what cannot be looked at has not ended
        step(&[("database", Unknown), ("failed", Critical), ("disk", Critical)], &[], &[]);
        step(&[("database", Ok), ("failed", Ok), ("disk", Warning)], &[], &["database", "disk"]);
        step(&[("database", Ok), ("failed", Critical)], &["failed"], &[]);
        step(&[("failed", Ok)], &[], &["failed"]);
    }
}
