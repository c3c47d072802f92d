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

/// A consequence is reported by itself if it is still critical so long after its cause is over, in seconds.
const LEFT_OVER: i64 = 24 * 3600;
/// In the record: the command got it.
const TOLD: &str = "told";
/// In the record: it follows from a trouble that was reported. Later followed by the time when that was over.
const KNOWN: &str = "known";

/// What has to be reported.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    failed: Vec<&'static str>,
    recovered: Vec<&'static str>,
}

/// Compares the checks with what was reported before. A check that could not be made keeps its state. Only
/// what needs no message is recorded here; see [`troubles`] for the rest.
fn news(records: &mut Records, checks: &[Checked], now: i64) -> News {
    let mut news = News::default();
    let is_consequence = |name: &str| CONSEQUENCES.contains(&name);
    let is_told = |records: &Records, name: &str| records.told.get(name).is_some_and(|word| word == TOLD);
    let is_cause =
        |check: &&Checked| matches!(check.state, State::Critical | State::Unknown) && !is_consequence(check.name);
    let lasts = checks.iter().filter(is_cause).any(|check| is_told(records, check.name));
    for check in checks {
        let word = records.told.get(check.name).cloned();
        match (check.state, word.as_deref()) {
            (State::Critical, None) if lasts && is_consequence(check.name) => {
                records.told.insert(check.name.to_owned(), KNOWN.to_owned());
            }
            (State::Critical, None) => news.failed.push(check.name),
            (State::Critical, Some(TOLD)) => {}
            (State::Critical, Some(known)) => match (lasts, since(known)) {
                (true, _) => drop(records.told.insert(check.name.to_owned(), KNOWN.to_owned())),
                (false, None) => drop(records.told.insert(check.name.to_owned(), format!("{KNOWN} {now}"))),
                (false, Some(over)) if now.saturating_sub(over) >= LEFT_OVER => news.failed.push(check.name),
                (false, Some(_)) => {}
            },
            (State::Ok | State::Warning, Some(TOLD)) => news.recovered.push(check.name),
            (State::Ok | State::Warning, Some(_)) => drop(records.told.remove(check.name)),
            _ => {}
        }
    }
    news
}

/// Since when the cause of a known consequence has been over.
fn since(known: &str) -> Option<i64> {
    known.strip_prefix(KNOWN)?.trim_start().parse().ok()
}

/// Records that the command got a message.
fn told(records: &mut Records, event: Event, names: &[&str]) {
    for name in names {
        match event {
            Event::Failure => drop(records.told.insert((*name).to_owned(), TOLD.to_owned())),
            Event::Recovery => drop(records.told.remove(*name)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Failure,
    Recovery,
}

/// Reports to a program the troubles that begin and end, each once. A message counts as delivered when the
/// program has succeeded, and is repeated after the next run if it failed. A run that is killed between
/// the two repeats it once; none is lost.
fn troubles(hub: &Hub, command: &str, health: &Health) -> Result<()> {
    let paths = &hub.config.paths;
    // another run is delivering: what it does not know yet is found again
    let Some(_lock) = health::try_lock_messages(paths)? else { return Ok(()) };
    let mut found = News::default();
    // also shows that the record can be written: otherwise each run would repeat the message
    health::change(paths, |records| found = news(records, &health.checks, health.facts.now))?;
    let deliver = |event: Event, names: &[&str]| -> Result<()> {
        if !names.is_empty() {
            send(hub, command, &object(hub, health, event, names))?;
            health::change(paths, |records| told(records, event, names))?;
        }
        Ok(())
    };
    // one that fails does not keep the other back
    let failed = deliver(Event::Failure, &found.failed);
    let recovered = deliver(Event::Recovery, &found.recovered);
    let done = failed.and(recovered);
    let mut was_known = false;
    health::change(paths, |records| {
        was_known = std::mem::replace(&mut records.undelivered, done.is_err()) && done.is_err();
    })?;
    match done {
        Err(error) if was_known => hub.log.info(format_args!("[notify] command: again, {error:#}")),
        Err(error) => anyhow::bail!("{error:#}; the message is repeated after each run until it succeeds"),
        Ok(()) => {}
    }
    Ok(())
}

/// The message.
fn object(hub: &Hub, health: &Health, event: Event, names: &[&str]) -> String {
    let named = health.checks.iter().filter(|check| names.contains(&check.name));
    let checks: Vec<_> =
        named.map(|check| json!({"name": check.name, "state": check.state.word(), "text": check.words()})).collect();
    let event = match event {
        Event::Failure => "failure",
        Event::Recovery => "recovery",
    };
    let object = json!({
        "version": VERSION,
        "event": event,
        "site": hub.config.site.name,
        "run": kit::run_id(),
        "time": health.facts.now,
        "checks": checks,
    });
    format!("{object}\n")
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
            let news = news(&mut records, &checks(states), 0);
            assert_eq!((news.failed.as_slice(), news.recovered.as_slice()), (failed, recovered));
            told(&mut records, Event::Failure, &news.failed);
            told(&mut records, Event::Recovery, &news.recovered);
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
    #[test]
    fn what_was_not_delivered_is_news_again() {
        use State::{Critical, Ok};
        let mut records = Records::default();
        let down = checks(&[("database", Critical)]);
        for _ in 0..2 {
            assert_eq!(news(&mut records, &down, 0).failed, ["database"]);
        }
        // it came and went without a message
        assert_eq!(news(&mut records, &checks(&[("database", Ok)]), 0), News::default());
        told(&mut records, Event::Failure, &news(&mut Records::default(), &down, 0).failed);
        for _ in 0..2 {
            assert_eq!(news(&mut records, &checks(&[("database", Ok)]), 0).recovered, ["database"]);
        }
    }

    #[test]
    fn a_consequence_that_outlives_its_cause_by_a_day_is_reported() {
        use State::{Critical, Ok};
        let mut records = Records::default();
        let mut step = |database: State, failed: State, now: i64| {
            let news = news(&mut records, &checks(&[("database", database), ("failed", failed)]), now);
            told(&mut records, Event::Failure, &news.failed);
            told(&mut records, Event::Recovery, &news.recovered);
            (news.failed, news.recovered)
        };
        let nothing = (vec![], vec![]);
        assert_eq!(step(Critical, Ok, 0), (vec!["database"], vec![]));
        assert_eq!(step(Critical, Critical, 10), nothing);
        assert_eq!(step(Ok, Critical, 1_000), (vec![], vec!["database"]));
        assert_eq!(step(Ok, Critical, 1_000 + LEFT_OVER - 1), nothing);
        assert_eq!(step(Ok, Critical, 1_000 + LEFT_OVER), (vec!["failed"], vec![]));
        assert_eq!(step(Ok, Critical, 1_000 + 2 * LEFT_OVER), nothing);
        assert_eq!(step(Ok, Ok, 1_000 + 3 * LEFT_OVER), (vec![], vec!["failed"]));
    }
}
