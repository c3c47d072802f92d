//! After a run: writes the metrics for collectors, sends messages about troubles, and calls the
//! heartbeat address.
//!
//! None of this makes a run fail or changes its exit code. What is not configured costs nothing.

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

/// Informs every configured receiver.
pub(crate) fn everybody(hub: &Hub, after: After) {
    let say = |what: &str, done: Result<()>| {
        if let Err(error) = done {
            hub.log.warning(format_args!("{what}: {error:#}"));
        }
    };
    if let After::Run(code) = after {
        say("the progress was not recorded", progress(hub));
        ping(hub, code);
    }
    let (metrics, notify) = (&hub.config.metrics, &hub.config.notify);
    let statsd = hub.statsd_address().filter(|address| statsd::check(address).is_ok());
    if metrics.textfile.is_none() && notify.command.is_none() && statsd.is_none() {
        return;
    }
    let health = match Health::examine(hub, Look::Often) {
        Ok(health) => health,
        Err(error) => return say("no messages were sent: the state of the hub is not known", Err(error)),
    };
    if let Some(path) = &metrics.textfile {
        say("the metrics for Prometheus were not written", textfile(path, &metrics::text(&health)));
    }
    if let Some(address) = statsd {
        Statsd::open("hzmetrics hub", &address).gauges(metrics::gauges(&health));
    }
    if let Some(command) = &notify.command {
        say("[notify] command", troubles(hub, command, &health));
    }
}

/// Writes the whole metrics file for a collector; everybody may read it.
pub(crate) fn textfile(path: &Path, text: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = Temporary::beside(path)?;
        file.write_all(text.as_bytes())?;
        file.set_mode(0o644)?;
        file.publish(path.file_name().unwrap_or_default())
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Records since when the pipeline has made no progress.
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

/// Fetches the heartbeat address. The service behind it notices if this does not happen.
fn ping(hub: &Hub, code: u8) {
    let Some(url) = &hub.config.notify.heartbeat_url else { return };
    let url = if code == 0 { url.clone() } else { format!("{}/fail", url.trim_end_matches('/')) };
    if let Err(error) = serve::ping(&url) {
        hub.log.info(format_args!("[notify] heartbeat_url: {error}"));
    }
}

/// Checks that fail because of another trouble, and are not reported while that lasts.
const CONSEQUENCES: [&str; 6] = ["failed", "age", "analyzed", "month", "mode", "pending"];

/// A message.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    failed: Vec<&'static str>,
    recovered: Vec<String>,
}

/// Compares the checks with what was reported before, and records what is reported now. A check that
/// could not be made keeps its state.
fn news(records: &mut Records, checks: &[Checked]) -> News {
    let mut news = News::default();
    let is_critical = |check: &&Checked| check.state == State::Critical;
    let is_cause = |check: &&Checked| is_critical(check) && !CONSEQUENCES.contains(&check.name);
    let lasts = checks.iter().filter(is_cause).any(|check| records.told.contains_key(check.name));
    for check in checks {
        let was_told = records.told.contains_key(check.name);
        match check.state {
            State::Critical if !was_told => {
                // it follows from a trouble that was reported
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

/// Reports to a program the troubles that begin and end, each once.
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
    fn each_trouble_is_reported_once() {
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
        // neither what follows from it nor its duration is reported
        step(&[("database", Critical), ("failed", Critical), ("month", Unknown)], &[], &[]);
        step(&[("database", Critical), ("failed", Critical)], &[], &[]);
        // another trouble is
        step(&[("database", Critical), ("failed", Critical), ("disk", Critical)], &["disk"], &[]);
        // a check that could not be made has not recovered
        step(&[("database", Unknown), ("failed", Critical), ("disk", Critical)], &[], &[]);
        step(&[("database", Ok), ("failed", Ok), ("disk", Warning)], &[], &["database", "disk"]);
        step(&[("database", Ok), ("failed", Critical)], &["failed"], &[]);
        step(&[("failed", Ok)], &[], &["failed"]);
    }
}
