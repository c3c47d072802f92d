//! `hzmetrics check`: the health of the hub for Nagios, Icinga and NRPE, by the guidelines for plugins.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::{Arg, ArgMatches};
use kit::Uses;

use super::{HubCommand, print};
use crate::audit::{self, Wanted};
use crate::colours;
use crate::doctor;
use crate::health::facts::{Facts, Look, Outside};
use crate::health::ranges::Limits;
use crate::health::reading::{Reading, State};
use crate::health::signals::{self, AUDIT, DOCTOR, SIGNALS, Signal};
use crate::health::verdict::{self, Checked};
use crate::health::{self, json};
use crate::hub::Hub;

/// Check the health of the hub, for Nagios
///
/// Prints one line with the state, what is wrong and the values, then a line for each check. The exit
/// code is 0 for OK, 1 for WARNING, 2 for CRITICAL and 3 for UNKNOWN. Without a name, all checks but
/// doctor and audit are made.
///
/// Limits are ranges as Nagios has them (10, 10:, ~:10, 5:10, @5:10): WARNING,CRITICAL, or one for both.
/// The section [check] of the configuration sets them for check, status, the metrics and the heartbeat.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Checks to make [default: all but doctor and audit]
    #[arg(value_name = "CHECK", value_parser = name)]
    names: Vec<&'static str>,

    /// List the checks with their units and limits
    #[arg(long)]
    list: bool,

    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    limits: Options,
}

fn name(text: &str) -> Result<&'static str, String> {
    signals::find(text).map(|signal| signal.name)
}

/// An option with limits for each check.
#[derive(Debug, Default)]
struct Options(BTreeMap<&'static str, Limits>);

impl clap::Args for Options {
    fn augment_args(command: clap::Command) -> clap::Command {
        let option = |signal: &Signal| {
            let parse = |text: &str| text.parse::<Limits>();
            let help = format!("Limits of {}", signal.name);
            // bounds may be negative
            let arg = Arg::new(signal.name).long(signal.name).value_name("WARN,CRIT");
            arg.help(help).allow_hyphen_values(true).value_parser(parse)
        };
        command.args(SIGNALS.iter().filter(|signal| !signal.is_by_report()).map(option)).next_help_heading(None)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |signal: &Signal| {
            let limits = matches.try_get_one::<Limits>(signal.name).ok().flatten()?;
            Some((signals::find(signal.name).ok()?.name, limits.clone()))
        };
        Ok(Self(SIGNALS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn goes_on_without_configuration(&self) -> bool {
        true
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        if self.list {
            return print(list().as_bytes());
        }
        // whatever happens, a monitoring system reads the line and not the log
        let checks = self.checks(hub).unwrap_or_else(|error| vec![unknown(&error)]);
        let text =
            if self.json { json::of_checks(&checks, json::For::Person) } else { verdict::plugin_output(&checks) };
        print(colours::states(&text).as_bytes())?;
        Ok(verdict::worst(&checks).code())
    }
}

impl Args {
    fn checks(&self, hub: &Hub) -> Result<Vec<Checked>> {
        let mut limits = health::settled(hub)?;
        limits.extend(self.limits.0.iter().map(|(name, given)| (*name, Some(given.clone()))));
        let wanted = |signal: &&Signal| {
            let is_off = limits.get(signal.name).is_some_and(Option::is_none);
            if self.names.is_empty() { signal.is_usual && !is_off } else { self.names.contains(&signal.name) }
        };
        let (facts, outside) = (Facts::look(hub, Look::Often)?, Outside::look(hub));
        let check = |signal: &Signal| {
            let reading = match signal.name {
                DOCTOR => signals::of_doctor(&doctor::examine(hub, false)),
                AUDIT => audited(hub),
                _ => (signal.look)(&facts, &outside),
            };
            let limits = limits.get(signal.name).cloned().flatten().unwrap_or_else(|| signal.limits());
            verdict::judge(signal, &reading, &limits)
        };
        Ok(SIGNALS.iter().filter(wanted).map(check).collect())
    }
}

/// How many months an audit looks back.
const MONTHS: i64 = 3;

fn audited(hub: &Hub) -> Reading {
    let mut report = audit::Report::silent();
    let wanted = Wanted { months: MONTHS, all: false, floor: 0.05 };
    match audit::audit(hub, wanted, &mut report) {
        Err(error) => Reading::unknown("the audit could not be made", &format!("{error:#}")),
        Ok(()) => {
            let n = u32::try_from(report.n_findings()).unwrap_or(u32::MAX);
            Reading::of(AUDIT, n.into(), format!("{n} finding(s) in {MONTHS} months"))
        }
    }
}

fn unknown(error: &anyhow::Error) -> Checked {
    let (text, detail) = ("nothing could be checked".to_owned(), Some(format!("{error:#}")));
    Checked { name: "hzmetrics", state: State::Unknown, text, detail, perf: Vec::new() }
}

/// The checks, a line each.
fn list() -> String {
    let line = |signal: &Signal| {
        let unit = if signal.unit.is_empty() { "-" } else { signal.unit };
        let limits = if signal.limits_text() == "," { "-" } else { signal.limits_text() };
        format!("{:<10}  {unit:<1}  {limits:<14}  {}\n", signal.name, signal.about)
    };
    SIGNALS.iter().map(line).collect()
}
