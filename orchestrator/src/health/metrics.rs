//! The metrics for Prometheus as text: for the node exporter's textfile collector, the server, and the
//! command.
//!
//! Names and units follow Prometheus' conventions: base units, `_total` for counters. No label
//! contains anything sent by a visitor.

use std::fmt::Write as _;

use hub::health::Record;
use schema::Month;

use super::Health;
use super::facts::{Facts, Logs};
use super::verdict;
use crate::pipeline::state::Mode;

/// What kind of metric a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// Metrics of one name.
struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Family {
    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, help, samples: Vec::new() }
    }

    /// Adds a sample.
    fn with(mut self, labels: &[(&'static str, &str)], value: f64) -> Self {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push((labels, value));
        self
    }

    fn write(&self, out: &mut String) {
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let name = self.name;
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", self.help);
        for (labels, value) in &self.samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    }
}

/// A label value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
const fn float(n: u64) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
const fn seconds(at: i64) -> f64 {
    at as f64
}

fn len(n: usize) -> f64 {
    float(n as u64)
}

/// The first instant of a month, in UTC.
fn start_of(month: Month) -> Option<f64> {
    const TO_1970: i64 = 719_528;
    let days =
        month.start().day_number()? - schema::Stamp::from_parts(1970, 1, 1, 0, 0, 0).day_number().unwrap_or(TO_1970);
    Some(seconds(days * 86_400))
}

/// All metrics.
pub(crate) fn text(health: &Health) -> String {
    let mut families = of_checks(health);
    families.extend(of_facts(&health.facts));
    families.extend(of_programs(&health.facts));
    let mut out = String::new();
    families.iter().for_each(|family| family.write(&mut out));
    out
}

/// The values that statsd gets as gauges.
pub(crate) fn gauges(health: &Health) -> Vec<(String, f64)> {
    let values = health.checks.iter().flat_map(|check| &check.perf).map(|perf| (perf.label.clone(), perf.value));
    let states = health.checks.iter().map(|check| (format!("state.{}", check.name), f64::from(check.state.code())));
    values.chain(states).collect()
}

fn of_checks(health: &Health) -> Vec<Family> {
    let mut states = Family::new(
        "hzmetrics_check_state",
        Kind::Gauge,
        "State of each check: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
    );
    for check in &health.checks {
        states = states.with(&[("check", check.name)], f64::from(check.state.code()));
    }
    let info = Family::new("hzmetrics_build_info", Kind::Gauge, "The version of the program.")
        .with(&[("version", kit::VERSION.split_whitespace().next().unwrap_or_default())], 1.0);
    let state = Family::new("hzmetrics_state", Kind::Gauge, "The worst state of all checks, with the same numbers.")
        .with(&[], f64::from(verdict::worst(&health.checks).code()));
    vec![info, state, states]
}

fn of_facts(facts: &Facts) -> Vec<Family> {
    use Kind::Gauge;
    let mut up = Family::new("hzmetrics_database_up", Gauge, "Whether the database answers.");
    up = up.with(&[("database", "metrics")], f64::from(u8::from(facts.metrics.is_ok())));
    up = up.with(&[("database", "hub")], f64::from(u8::from(facts.cms.is_ok())));
    let pending = |logs: &Logs| logs.pending.as_ref().ok().map(|found| len(found.len()));
    let mut days = Family::new("hzmetrics_pending_logs", Gauge, "Logs that wait to be imported, one per day.");
    for (stream, logs) in [("access", &facts.access), ("auth", &facts.auth)] {
        if let Some(n) = pending(logs) {
            days = days.with(&[("stream", stream)], n);
        }
    }
    let mut refused = Family::new("hzmetrics_refused_logs", Gauge, "Logs that were refused and wait for a decision.");
    if let Ok(list) = &facts.refused {
        refused = refused.with(&[], len(list.len()));
    }
    let held = facts.lock.map_or(0.0, |holder| seconds((facts.now - holder.since).max(0)));
    let lock =
        Family::new("hzmetrics_lock_held_seconds", Gauge, "For how long one run has held the lock.").with(&[], held);
    let mut free = Family::new("hzmetrics_disk_free_bytes", Gauge, "Bytes left on the file system of a folder.");
    let mut size = Family::new("hzmetrics_disk_size_bytes", Gauge, "Bytes of the file system of a folder.");
    for disk in &facts.disks {
        free = free.with(&[("place", disk.place)], float(disk.free));
        size = size.with(&[("place", disk.place)], float(disk.size));
    }
    let mut families = vec![up, days, refused, lock, free, size];
    families.extend(of_pipeline(facts));
    families
}

fn of_pipeline(facts: &Facts) -> Vec<Family> {
    use Kind::Gauge;
    let mut mode = Family::new("hzmetrics_mode", Gauge, "1 for the mode that the pipeline is in.");
    let mut dirty = Family::new("hzmetrics_dirty_months", Gauge, "Months that must be computed again.");
    let mut withheld = Family::new("hzmetrics_withheld_months", Gauge, "Months that somebody unpublished.");
    let mut incomplete = Family::new("hzmetrics_incomplete_months", Gauge, "Months with some of their periods only.");
    let name = "hzmetrics_last_complete_month_timestamp_seconds";
    let mut complete = Family::new(name, Gauge, "Start of the newest month that is published with all periods.");
    let mut cells = Family::new("hzmetrics_future_cells", Gauge, "Published cells of months that have not begun.");
    let mut requests = Family::new("hzmetrics_future_requests", Gauge, "Requests dated in months that have not begun.");
    if let Ok(found) = &facts.metrics {
        for known in [Mode::Normal, Mode::CatchUp, Mode::Rebuild] {
            mode = mode.with(&[("mode", known.word())], f64::from(u8::from(found.state.mode == known)));
        }
        dirty = dirty.with(&[], len(found.state.dirty.len()));
        withheld = withheld.with(&[], len(found.state.withheld.len()));
        if let Ok(months) = &found.incomplete {
            incomplete = incomplete.with(&[], len(months.len()));
        }
        if let Ok(published) = &found.published {
            cells = cells.with(&[], float(published.to_come));
            if let Some(at) = published.complete.and_then(start_of) {
                complete = complete.with(&[], at);
            }
        }
        if let Ok(to_come) = &found.to_come {
            requests = requests.with(&[], to_come.requests.as_ref().map_or(0.0, |(n, ..)| seconds(*n)));
        }
    }
    vec![mode, dirty, withheld, incomplete, complete, cells, requests]
}

/// A metric that every program has.
struct OfProgram {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    get: fn(&Record) -> Option<f64>,
}

const OF_PROGRAM: [OfProgram; 13] = {
    use Kind::{Counter, Gauge};
    const fn of(name: &'static str, kind: Kind, help: &'static str, get: fn(&Record) -> Option<f64>) -> OfProgram {
        OfProgram { name, kind, help, get }
    }
    [
        of("hzmetrics_runs_total", Counter, "Runs that ended.", |r| Some(float(r.runs))),
        of("hzmetrics_run_failures_total", Counter, "Runs that failed.", |r| Some(float(r.failures))),
        of("hzmetrics_run_seconds_total", Counter, "Duration of all runs together.", |r| Some(r.seconds)),
        of("hzmetrics_last_run_duration_seconds", Gauge, "Duration of the last run.", |r| Some(r.last_seconds)),
        of("hzmetrics_last_run_timestamp_seconds", Gauge, "When the last run ended.", |r| Some(seconds(r.last_run))),
        of("hzmetrics_last_success_timestamp_seconds", Gauge, "When a run last succeeded.", |r| {
            r.last_success.map(seconds)
        }),
        of("hzmetrics_lines_total", Counter, "Lines of logs that were read.", |r| count(r, "lines")),
        of("hzmetrics_rows_total", Counter, "Rows computed from the input.", |r| count(r, "rows")),
        of("hzmetrics_inserted_rows_total", Counter, "Rows sent to the databases.", |r| count(r, "rows.inserted")),
        of("hzmetrics_rejected_lines_total", Counter, "Lines that did not fit the layout.", |r| count(r, "rejected")),
        of("hzmetrics_ipv6_lines_total", Counter, "Lines that were left out because of an IPv6 client.", |r| {
            count(r, "ipv6")
        }),
        of("hzmetrics_database_errors_total", Counter, "Transactions that the server refused or lost.", |r| {
            count(r, "database.errors")
        }),
        of("hzmetrics_database_retries_total", Counter, "Transactions that were tried again.", |r| {
            count(r, "database.retries")
        }),
    ]
};

fn count(record: &Record, name: &str) -> Option<f64> {
    record.counts.get(name).map(|n| float(*n))
}

fn of_programs(facts: &Facts) -> Vec<Family> {
    use Kind::Counter;
    let none = std::collections::BTreeMap::new();
    let programs = facts.records.as_ref().map_or(&none, |records| &records.programs);
    let mut families: Vec<Family> = OF_PROGRAM
        .iter()
        .map(|of| {
            let samples = programs.iter().filter_map(|(name, record)| Some((name, (of.get)(record)?)));
            let family = Family::new(of.name, of.kind, of.help);
            samples.fold(family, |family, (name, value)| family.with(&[("program", name)], value))
        })
        .collect();
    let mut dropped = Family::new("hzmetrics_dropped_lines_total", Counter, "Lines that a rule left out.");
    let mut lookups =
        Family::new("hzmetrics_dns_lookups_total", Counter, "Lookups of host names by what became of them.");
    let mut steps = Family::new("hzmetrics_step_seconds_total", Counter, "Duration of all runs of a step together.");
    for (program, record) in programs {
        for (name, n) in &record.counts {
            if let Some(rule) = name.strip_prefix("dropped.") {
                dropped = dropped.with(&[("program", program), ("rule", rule)], float(*n));
            } else if let Some(result) = name.strip_prefix("dns.") {
                lookups = lookups.with(&[("program", program), ("result", result)], float(*n));
            }
        }
        for (step, seconds) in &record.steps {
            steps = steps.with(&[("program", program), ("step", step)], *seconds);
        }
    }
    families.extend([dropped, lookups, steps]);
    families
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// What is wrong with a metrics text, by the rules for the format and the names.
    pub(crate) fn complaints(text: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let (mut kinds, mut helped, mut series) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                if help.is_empty() || !helped.insert(name) {
                    wrong.push(format!("{name}: no help, or a second one"));
                }
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
                let is_total = name.ends_with("_total");
                if !["counter", "gauge"].contains(&kind) || (kind == "counter") != is_total {
                    wrong.push(format!("{name} is a {kind}"));
                }
                kinds.insert(name, kind);
            } else {
                let (id, value) = line.rsplit_once(' ').unwrap_or((line, ""));
                let name = id.split('{').next().unwrap_or_default();
                let is_name =
                    name.starts_with("hzmetrics_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                if !is_name || !kinds.contains_key(name) || !helped.contains(name) {
                    wrong.push(format!("{name}: a bad name, or no type and help before it"));
                }
                // a time stamp would be a second number
                if value.parse::<f64>().is_err() || (id.contains(' ') && !id.contains('"')) || !series.insert(id) {
                    wrong.push(format!("{line}: no value, a time stamp, or there twice"));
                }
            }
        }
        if !text.ends_with('\n') {
            wrong.push("no line end".to_owned());
        }
        wrong
    }

    #[test]
    fn violations_of_the_format_are_found() {
        let head = "# HELP hzmetrics_x y\n# TYPE hzmetrics_x gauge\n";
        assert_eq!(complaints(&format!("{head}hzmetrics_x{{a=\"b c\"}} 1\nhzmetrics_x 2.5\n")), [""; 0]);
        for bad in
            ["hzmetrics_x 1 2\n", "hzmetrics_x\n", "hzmetrics_y 1\n", "hzmetrics_x 1\nhzmetrics_x 2\n", "hzmetrics_x 1"]
        {
            assert!(!complaints(&format!("{head}{bad}")).is_empty(), "{bad}");
        }
        assert!(!complaints("# HELP hzmetrics_x y\n# TYPE hzmetrics_x counter\n").is_empty());
    }

    #[test]
    fn families_are_written_in_the_format_of_prometheus() {
        let mut out = String::new();
        let family = Family::new("hzmetrics_x_total", Kind::Counter, "Things.");
        family.with(&[], 3.0).with(&[("a", "q\"\\\n")], 0.25).write(&mut out);
        let expected = "# HELP hzmetrics_x_total Things.\n# TYPE hzmetrics_x_total counter\n\
                        hzmetrics_x_total 3\nhzmetrics_x_total{a=\"q\\\"\\\\\\n\"} 0.25\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn the_first_instant_of_a_month_is_computed() {
        assert_eq!(start_of("2025-07".parse().unwrap()), Some(1_751_328_000.0));
    }
}
