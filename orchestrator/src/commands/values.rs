//! The types of argument values: months, days, dates, numbers. Each is parsed only here.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use clap::ArgGroup;
use kit::Usage;
use schema::dates::BadDates;
use schema::{Dates, Month, Stamp};

use crate::hub::{Audience, Hub};
use crate::json::VERSION;
use crate::overrides::Assignment;
use crate::pipeline::worker::{Effort, Worker};
use crate::pipeline::{decisions, one_month};
use crate::shell::parse;

/// A run that changes nothing.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct DryRun {
    /// Say what would be done and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl DryRun {
    /// A dry run is for the user at the terminal; real work may run unattended.
    pub(crate) const fn audience(self) -> Audience {
        if self.dry_run { Audience::Person } else { Audience::Cron }
    }

    /// How the worker of the pipeline behaves then.
    pub(crate) const fn effort(self) -> Effort {
        if self.dry_run { Effort::DryRun } else { Effort::Real }
    }
}

/// A dry run whose plan may be printed as JSON.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct PlannedRun {
    #[command(flatten)]
    pub(crate) mode: DryRun,

    /// With --dry-run: print what would be done as one JSON object
    #[arg(long, requires = "dry_run")]
    json: bool,
}

impl PlannedRun {
    /// What the worker of the pipeline does: a plan starts no stage.
    pub(crate) const fn effort(self) -> Effort {
        if self.json { Effort::Plan } else { self.mode.effort() }
    }

    /// Prints the plan, if it is wanted, and passes the exit code on.
    ///
    /// # Errors
    /// It cannot be printed.
    pub(crate) fn end(self, hub: &Hub, code: u8) -> Result<u8> {
        if self.json {
            let plan = serde_json::json!({"version": VERSION, "plan": hub.plan.take()});
            kit::print(format!("{plan}\n").as_bytes())?;
        }
        Ok(code)
    }
}

/// One month, given with or without `--month`.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub(crate) struct OneMonth {
    /// The month, not a future one
    #[arg(value_name = "YYYY-MM", value_parser = month_begun, group = "which")]
    first: Option<Month>,

    /// The month, as an option
    #[arg(long, value_name = "YYYY-MM", value_parser = month_begun, group = "which")]
    month: Option<Month>,

    /// Do it even in the current month, or if addresses of a published month were shortened or hashed
    #[arg(long)]
    pub(crate) force: bool,
}

impl OneMonth {
    /// The given month.
    ///
    /// # Errors
    /// No month was given.
    pub(crate) fn get(&self) -> Result<Month> {
        self.first.or(self.month).ok_or_else(|| Usage("name a month: YYYY-MM".to_owned()).into())
    }
}

/// Work of the pipeline on one month.
#[derive(Debug, clap::Args)]
pub(crate) struct MonthWork {
    #[command(flatten)]
    month: OneMonth,

    #[command(flatten)]
    pub(crate) mode: DryRun,
}

impl MonthWork {
    /// Does it; returns the exit code.
    ///
    /// # Errors
    /// The work fails.
    pub(crate) fn run(&self, hub: &Hub, work: impl FnOnce(&mut Worker<'_>, Month) -> Result<()>) -> Result<u8> {
        let month = self.month.get()?;
        one_month::on_month(hub, month, self.month.force, self.mode.effort(), |worker| work(worker, month))
    }
}

/// A month that is not in the future, so that it can be published.
pub(crate) fn month_begun(text: &str) -> Result<Month, String> {
    let month = text.parse::<Month>().map_err(|e| e.to_string())?;
    kit::refuse_month_to_come(month).map(|()| month).map_err(|e| format!("{e:#}"))
}

/// One day, written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day {
    start: Stamp,
    pub(crate) month: Month,
}

impl Day {
    /// In the form of file names: `YYYYMMDD`.
    pub(crate) fn digits(self) -> String {
        self.to_string().replace('-', "")
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decisions::day(self.start))
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let start = Stamp::parse(text).filter(|start| text.len() == 10 && start.is_calendar_day());
        let day = start.and_then(|start| Some(Self { start, month: start.month()? }));
        day.ok_or_else(|| format!("`{text}` is not a day (YYYY-MM-DD)"))
    }
}

/// A positive number of minutes.
pub(crate) fn minutes(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
    let number = number.ok_or_else(|| format!("`{text}` is not a number of minutes"))?;
    Ok(Duration::try_from_secs_f64(number * 60.0).unwrap_or(Duration::MAX))
}

/// The sections of `summarize-month`.
pub(crate) const SECTIONS: [&str; 7] = ["reg", "int", "dl", "total", "sim", "sim-usage", "misc"];

/// One of the sections.
pub(crate) fn section(text: &str) -> Result<String, String> {
    let section = SECTIONS.into_iter().find(|section| *section == text.trim()).map(str::to_owned);
    section.ok_or_else(|| format!("`{}` is not a section: {}", text.trim(), SECTIONS.join(", ")))
}

/// `NAME=VALUE`; `None` for any other text.
pub(crate) fn assignment(word: &OsString) -> Option<Assignment> {
    parse::split_assignment(word.as_bytes()).map(|(name, value)| (name.to_owned(), value.to_vec()))
}

/// A year, a month, a day, or a range; kept as written, because stages parse it themselves.
#[derive(Debug, Clone)]
pub(crate) struct Date(String);

impl AsRef<OsStr> for Date {
    fn as_ref(&self) -> &OsStr {
        self.0.as_ref()
    }
}

impl FromStr for Date {
    type Err = BadDates;

    fn from_str(text: &str) -> Result<Self, BadDates> {
        text.parse::<Dates>().map(|_| Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_numbers_are_checked() {
        let day: Day = "2025-02-28".parse().unwrap();
        assert_eq!((day.to_string().as_str(), day.digits().as_str()), ("2025-02-28", "20250228"));
        for text in ["2025-02-30", "2025-2-3", "2025-02", "20250203"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        assert_eq!(minutes("0.5").unwrap().as_secs(), 30);
        for text in ["0", "-1", "inf", "x", ""] {
            assert!(minutes(text).is_err(), "{text}");
        }
    }
}
