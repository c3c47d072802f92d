//! The checks: what each measures, in which unit, and its default limits.
//!
//! The server publishes the text of a check, so it contains numbers, days and months but never the name
//! of a file, an account or a host; those are in its detail.

use std::collections::BTreeSet;

use database::ledger::files::Share;
use hub::health::{Record, Records};

use super::facts::{Facts, Known, OfDatabase, Outside};
use super::ranges::Limits;
use super::reading::{Reading, State};
use crate::doctor::{Report, Severity};
use crate::pipeline::state::Mode;

/// A check.
#[derive(Debug)]
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    /// What it measures, in one line.
    pub(crate) about: &'static str,
    /// The unit of its values: `s`, `%`, or none for a count.
    pub(crate) unit: &'static str,
    /// The default limits, `WARNING,CRITICAL`.
    limits: &'static str,
    /// Whether it runs when no check is named.
    pub(crate) is_usual: bool,
    pub(crate) look: fn(&Facts, &Outside) -> Reading,
}

impl Signal {
    /// Whether the doctor decides how bad it is; then there are no limits.
    pub(crate) fn is_by_report(&self) -> bool {
        ["schedule", "nameserver", DOCTOR].contains(&self.name)
    }

    /// The default limits.
    pub(crate) fn limits(&self) -> Limits {
        self.limits.parse().unwrap_or_default()
    }

    /// The default limits as text.
    pub(crate) const fn limits_text(&self) -> &'static str {
        self.limits
    }

    /// Limits from the configuration or an option.
    ///
    /// # Errors
    /// They are not understood.
    #[expect(clippy::unused_self, reason = "limits of a check")]
    pub(crate) fn parse(&self, text: &str) -> Result<Limits, String> {
        text.parse()
    }
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// How long a failure counts of a program that no schedule starts.
const BY_HAND: i64 = 3 * DAY;

const fn signal(
    name: &'static str,
    unit: &'static str,
    limits: &'static str,
    look: fn(&Facts, &Outside) -> Reading,
    about: &'static str,
) -> Signal {
    Signal { name, about, unit, limits, is_usual: true, look }
}

/// The name of the check that runs the doctor.
pub(crate) const DOCTOR: &str = "doctor";
/// The name of the check that runs an audit.
pub(crate) const AUDIT: &str = "audit";

/// All checks.
pub(crate) const SIGNALS: [Signal; 17] = [
    signal("database", "s", "5,20", database, "both databases answer; seconds until they do"),
    signal(
        "age",
        "s",
        ",",
        age,
        "seconds since each scheduled program last succeeded; by default more than its pause and a quarter",
    ),
    signal("failed", "", "0,0", failed, "programs whose last run failed"),
    signal(
        "schedule",
        "",
        "0,0",
        |_, outside| of_report(&outside.schedule, "schedule"),
        "crontabs and timers start everything once",
    ),
    signal("pending", "", "3,10", pending, "days of access logs that wait to be imported"),
    signal("refused", "", "0,0", refused, "logs that were refused"),
    signal("analyzed", "", "1,2", analyzed, "days since the current month was last analyzed"),
    signal("mode", "s", "172800,345600", mode, "seconds for which catching up or rebuilding has not moved"),
    signal("month", "", "2,4", month, "days for which a finished month has not been published"),
    signal(
        "rejects",
        "%",
        "10,25",
        |facts, _| share(facts, "rejects", "do not fit the layout", |s| s.percent(s.rejected)),
        "the largest share of lines of a day that did not fit, last seven days",
    ),
    signal(
        "ipv6",
        "%",
        "10,30",
        |facts, _| share(facts, "ipv6", "are left out as IPv6 clients", |s| s.percent(s.ipv6)),
        "the largest share of lines of a day left out because of IPv6, last seven days",
    ),
    signal("future", "", "0,0", future, "requests, logs and published cells of months that have not begun"),
    signal("lock", "s", "14400,43200", lock, "seconds for which one run has held the lock"),
    signal("disk", "%", "10:,5:", disk, "the share of each file system that is free"),
    signal("nameserver", "", "0,0", |_, outside| of_report(&outside.name_server, "nameserver"), "name servers answer"),
    Signal {
        is_usual: false,
        ..signal(DOCTOR, "", "0,0", |_, _| Reading::default(), "problems and warnings of `hzmetrics doctor`")
    },
    Signal {
        is_usual: false,
        ..signal(AUDIT, "", "0,", |_, _| Reading::default(), "findings of `hzmetrics audit --months 3`")
    },
];

/// The check of this name.
///
/// # Errors
/// There is no such check; the text lists the existing ones.
pub(crate) fn find(name: &str) -> Result<&'static Signal, String> {
    static ALL: [Signal; SIGNALS.len()] = SIGNALS;
    let names = || ALL.iter().map(|signal| signal.name).collect::<Vec<_>>().join(", ");
    ALL.iter().find(|signal| signal.name == name).ok_or_else(|| {
        match schema::near::nearest(name, ALL.iter().map(|signal| signal.name)) {
            Some(like) => format!("there is no check `{name}`; did you mean `{like}`? There are {}", names()),
            None => format!("there is no check `{name}`; there are {}", names()),
        }
    })
}

/// Seconds in words.
pub(crate) fn words(seconds: i64) -> String {
    match seconds {
        s if s >= 2 * DAY => format!("{} days", s / DAY),
        s if s >= 2 * HOUR => format!("{} hours", s / HOUR),
        s if s >= 120 => format!("{} minutes", s / 60),
        s => format!("{s} seconds"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds and counts far below 2^52")]
const fn float(n: i64) -> f64 {
    n as f64
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}

/// What the database contains, or a reading that says why that is not known.
fn asked<T>(facts: &Facts, get: impl FnOnce(&OfDatabase) -> &Known<T>, read: impl FnOnce(&T) -> Reading) -> Reading {
    match facts.metrics.as_ref().map(get) {
        Ok(Ok(found)) => read(found),
        Ok(Err(why)) => Reading::unknown("the database cannot be read", why),
        // the check `database` says why
        Err(_) => Reading::unknown("the database does not answer", ""),
    }
}

fn database(facts: &Facts, _: &Outside) -> Reading {
    match (&facts.metrics, &facts.cms) {
        (Ok(metrics), Ok(cms)) => Reading {
            values: vec![("database_metrics".to_owned(), metrics.seconds), ("database_hub".to_owned(), *cms)],
            ..Reading::calm("both databases answer")
        },
        (Err(why), _) => Reading::wrong(State::Critical, "the metrics database does not answer", why),
        (_, Err(why)) => Reading::wrong(State::Critical, "the hub's database does not answer", why),
    }
}

fn records(facts: &Facts, read: impl FnOnce(&Records) -> Reading) -> Reading {
    match &facts.records {
        Ok(records) => read(records),
        Err(why) => Reading::unknown("the records of runs cannot be read", why),
    }
}

/// The limits of a program with this interval between starts: one start may be late, two may not.
fn late(pause: i64) -> Limits {
    let limit = pause + HOUR.max(pause / 4);
    format!("{limit},{}", limit + pause).parse().unwrap_or_default()
}

fn age(facts: &Facts, _: &Outside) -> Reading {
    records(facts, |records| {
        let mut reading = Reading::default();
        let mut never: Vec<&str> = Vec::new();
        let mut oldest: Option<(i64, &str)> = None;
        for expected in &facts.expected {
            let runs =
                expected.programs.iter().filter_map(|name| Some((*name, records.programs.get(*name)?.last_success?)));
            let pause = i64::try_from(expected.pause.as_secs()).unwrap_or(i64::MAX);
            let Some((name, at)) = runs.max_by_key(|(_, at)| *at) else {
                never.extend(expected.programs.first());
                continue;
            };
            let age = (facts.now - at).max(0);
            oldest = oldest.max(Some((age.saturating_mul(1000) / pause.max(1), name)));
            reading.values.push((format!("age_{}", name.replace(' ', "_")), float(age)));
            reading.limits.push(late(pause));
        }
        reading.text = match (oldest, never.is_empty()) {
            _ if !never.is_empty() => format!("not yet successful: {}", never.join(", ")),
            (Some((_, name)), _) => {
                let at = records.programs.get(name).and_then(|record| record.last_success).unwrap_or(facts.now);
                format!("{name} succeeded {} ago", words((facts.now - at).max(0)))
            }
            (None, _) => "no schedule that this account can read".to_owned(),
        };
        reading.at_least =
            if !never.is_empty() { Some(State::Warning) } else { reading.values.is_empty().then_some(State::Unknown) };
        reading
    })
}

fn failed(facts: &Facts, _: &Outside) -> Reading {
    records(facts, |records| {
        let is_expected = |name: &str| facts.expected.iter().any(|expected| expected.programs.contains(&name));
        // a failure by hand long ago needs no attention, and a program started by another one is that one's
        // concern
        let counts = |name: &str, record: &Record| {
            is_expected(name) || (!record.is_part && facts.now - record.last_run < BY_HAND)
        };
        let failed = records.programs.iter().filter(|(name, record)| record.has_failed() && counts(name, record));
        let names: Vec<String> = failed
            .map(|(name, record)| format!("{name} (exit code {}, run {})", record.last_exit, record.last_id))
            .collect();
        let text = if names.is_empty() {
            "the last run of every program succeeded".to_owned()
        } else {
            format!("the last run failed: {}", names.join(", "))
        };
        Reading::of("failed", count(names.len()), text)
    })
}

fn of_report(report: &Report, name: &str) -> Reading {
    let (n_fail, n_warn) = (report.count(Severity::Fail), report.count(Severity::Warn));
    let detail = report.troubles().collect::<Vec<_>>().join("; ");
    let at_least = if n_fail > 0 { Some(State::Critical) } else { (n_warn > 0).then_some(State::Warning) };
    let text = match (n_fail, n_warn) {
        (0, 0) => "nothing found".to_owned(),
        (fail, warn) => format!("{fail} problem(s), {warn} warning(s)"),
    };
    let limits = vec![Limits::default()];
    let detail = Some(detail).filter(|detail| !detail.is_empty());
    Reading { at_least, detail, limits, ..Reading::of(name, count(n_fail + n_warn), text) }
}

/// The report of the doctor as the reading of a check.
pub(crate) fn of_doctor(report: &Report) -> Reading {
    of_report(report, DOCTOR)
}

/// `YYYYMMDD` with dashes.
fn dashed(day: &str) -> String {
    match (day.get(..4), day.get(4..6), day.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => day.to_owned(),
    }
}

fn pending(facts: &Facts, _: &Outside) -> Reading {
    match &facts.access.pending {
        Err(why) => Reading::unknown("the folder of pending logs cannot be read", why),
        Ok(logs) => {
            let oldest = logs.first().map(|log| format!(", the oldest of {}", dashed(&log.day))).unwrap_or_default();
            Reading::of("pending", count(logs.len()), format!("{} day(s) of access logs wait{oldest}", logs.len()))
        }
    }
}

fn refused(facts: &Facts, _: &Outside) -> Reading {
    match &facts.refused {
        Err(why) => Reading::unknown("the list of refused logs cannot be read", why),
        Ok(list) => {
            let names: Vec<String> = list.iter().map(|log| format!("{} ({})", log.name(), log.reason)).collect();
            let detail = Some(names.join("; ")).filter(|names| !names.is_empty());
            Reading { detail, ..Reading::of("refused", count(list.len()), format!("{} log(s) refused", list.len())) }
        }
    }
}

/// Whether the pipeline with its state does the work here, rather than the seven cron lines.
fn has_state(facts: &Facts) -> bool {
    let is_expected = facts.expected.iter().any(|expected| expected.programs.contains(&"hzmetrics run"));
    is_expected || facts.state().is_some_and(|state| state.analyzed.is_some())
}

fn analyzed(facts: &Facts, _: &Outside) -> Reading {
    let Some(state) = facts.state() else { return Reading::unknown("the database does not answer", "") };
    if !has_state(facts) {
        return Reading::calm("not kept by single stages");
    }
    let day = state.analyzed.as_deref().and_then(schema::Stamp::parse).and_then(schema::Stamp::day_number);
    match day.zip(facts.today.day_number()) {
        None => Reading::wrong(State::Warning, "the current month was never analyzed", ""),
        Some((day, today)) => {
            let days = (today - day).max(0);
            Reading::of("analyzed", float(days), format!("analyzed {days} day(s) ago"))
        }
    }
}

fn mode(facts: &Facts, _: &Outside) -> Reading {
    let Some(state) = facts.state() else { return Reading::unknown("the database does not answer", "") };
    if state.mode == Mode::Normal {
        return Reading::of("mode", 0.0, "normal");
    }
    let at = facts.progress();
    records(facts, |records| {
        let since = records.progress.as_ref().filter(|known| known.at == at).map_or(facts.now, |known| known.since);
        let seconds = (facts.now - since).max(0);
        Reading::of("mode", float(seconds), format!("{}, the same for {}", state.mode.word(), words(seconds)))
    })
}

fn month(facts: &Facts, _: &Outside) -> Reading {
    asked(
        facts,
        |found| &found.published,
        |published| {
            let complete = published.complete.map_or_else(|| "no month".to_owned(), |month| month.to_string());
            let Some(missing) = published.missing else {
                return Reading::of("month", 0.0, format!("complete up to {complete}"));
            };
            let over = missing.next().start().day_number().zip(facts.today.day_number());
            let days = over.map_or(0, |(over, today)| (today - over).max(0));
            Reading::of(
                "month",
                float(days),
                format!("complete up to {complete}; {missing} is over since {days} day(s)"),
            )
        },
    )
}

/// How many days of imports are looked at.
const DAYS: usize = 7;

fn share(facts: &Facts, name: &str, words: &str, percent: fn(&Share) -> f64) -> Reading {
    asked(
        facts,
        |found| &found.shares,
        |shares| {
            let Some(shares) = shares else { return Reading::calm("not kept before the migration 1001") };
            let days: BTreeSet<&String> = shares.keys().map(|(day, _)| day).collect();
            let last: BTreeSet<&String> = days.into_iter().rev().take(DAYS).collect();
            let of_days = shares.iter().filter(|((day, _), share)| last.contains(day) && share.lines > 0);
            let worst = of_days.map(|((day, _), share)| (percent(share), day)).max_by(|a, b| a.0.total_cmp(&b.0));
            match worst {
                None => Reading::of(name, 0.0, "nothing was imported yet"),
                Some((percent, day)) => {
                    Reading::of(name, percent, format!("{percent:.1} % of the lines of {} {words}", dashed(day)))
                }
            }
        },
    )
}

fn future(facts: &Facts, _: &Outside) -> Reading {
    asked(
        facts,
        |found| &found.to_come,
        |to_come| {
            let published = facts.metrics.as_ref().ok().and_then(|found| found.published.as_ref().ok());
            let cells = published.map_or(0, |published| published.to_come);
            let requests = to_come.requests.as_ref().map_or(0, |(n, ..)| *n);
            let n =
                requests + i64::try_from(cells).unwrap_or(i64::MAX) + i64::try_from(to_come.logs.len()).unwrap_or(0);
            let text = format!(
                "{requests} request(s), {} log(s), {cells} published cell(s) of months to come",
                to_come.logs.len()
            );
            Reading::of("future", float(n), text)
        },
    )
}

fn lock(facts: &Facts, _: &Outside) -> Reading {
    match facts.lock {
        None => Reading::of("lock", 0.0, "free"),
        Some(holder) => {
            let seconds = (facts.now - holder.since).max(0);
            Reading::of("lock", float(seconds), format!("held by process {} for {}", holder.pid, words(seconds)))
        }
    }
}

fn disk(facts: &Facts, _: &Outside) -> Reading {
    let Some(least) = facts.disks.iter().min_by(|a, b| a.free_percent.total_cmp(&b.free_percent)) else {
        return Reading::unknown("none of the folders is there", "");
    };
    Reading {
        values: facts.disks.iter().map(|disk| (format!("disk_{}", disk.place), disk.free_percent)).collect(),
        detail: Some(least.folder.display().to_string()),
        ..Reading::calm(format!("{:.1} % left for {}", least.free_percent, least.place))
    }
}

impl Facts {
    /// Where catching up or rebuilding is, as it is remembered from run to run.
    pub(crate) fn progress(&self) -> String {
        let Some(state) = self.state() else { return String::new() };
        let cursor = state.cursor.map_or_else(String::new, |cursor| cursor.to_string());
        let pending = self.access.pending.as_ref().map_or(0, Vec::len);
        format!("{} cursor={cursor} dirty={} pending={pending}", state.mode.word(), state.dirty.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_valid_limits_and_a_description_of_one_line() {
        for signal in &SIGNALS {
            assert!(signal.limits.parse::<Limits>().is_ok(), "{}", signal.name);
            assert!(!signal.about.is_empty() && !signal.about.contains('\n') && !signal.about.ends_with('.'));
            assert!(find(signal.name).is_ok());
        }
        assert!(find("none").unwrap_err().contains("there are database, age,"));
    }

    #[test]
    fn durations_are_written_in_words() {
        for (seconds, text) in [(5, "5 seconds"), (600, "10 minutes"), (2 * HOUR, "2 hours"), (3 * DAY, "3 days")] {
            assert_eq!(words(seconds), text);
        }
        assert_eq!(late(HOUR), "7200,10800".parse().unwrap());
        assert_eq!(late(DAY), "108000,194400".parse().unwrap());
        assert_eq!(dashed("20260518"), "2026-05-18");
    }
}
