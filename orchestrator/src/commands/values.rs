//! The values that arguments take: months, days, dates, numbers. Each is parsed once, here.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use clap::ArgGroup;
use kit::Usage;
use schema::{Month, Period, Stamp};

use crate::hub::Audience;
use crate::overrides::Assignment;
use crate::pipeline::decisions;
use crate::pipeline::worker::Effort;
use crate::shell::parse;

/// A run that changes nothing.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct DryRun {
    /// Say what would be done and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl DryRun {
    /// A dry run is for the person who typed it, work for nobody.
    pub(crate) const fn audience(self) -> Audience {
        if self.dry_run { Audience::Person } else { Audience::Cron }
    }

    /// What the worker of the pipeline does then.
    pub(crate) const fn effort(self) -> Effort {
        if self.dry_run { Effort::DryRun } else { Effort::Real }
    }
}

/// One month, named with or without `--month`.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub(crate) struct OneMonth {
    /// The month, not a future one
    #[arg(value_name = "YYYY-MM", value_parser = month_begun, group = "which")]
    first: Option<Month>,

    /// The month, as an option
    #[arg(long, value_name = "YYYY-MM", value_parser = month_begun, group = "which")]
    month: Option<Month>,

    /// Do it even in the current month
    #[arg(long)]
    pub(crate) force: bool,
}

impl OneMonth {
    /// The month that was named.
    ///
    /// # Errors
    /// None was.
    pub(crate) fn get(&self) -> Result<Month> {
        self.first.or(self.month).ok_or_else(|| Usage("name a month: YYYY-MM".to_owned()).into())
    }
}

/// A month that is not in the future: what can be published.
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
    /// As file names have it: `YYYYMMDD`.
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
        let start = period(text).filter(|_| text.len() == 10).map(|(start, _)| start);
        let day = start.and_then(|start| Some(Self { start, month: start.month()? }));
        day.ok_or_else(|| format!("`{text}` is not a day (YYYY-MM-DD)"))
    }
}

/// The day in the name of a log, `YYYYMMDD`.
pub(crate) fn day_of_log(text: &str) -> Result<String, String> {
    let whole = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    whole.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is not a day (YYYYMMDD)"))
}

/// Minutes, more than none.
pub(crate) fn minutes(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
    let number = number.ok_or_else(|| format!("`{text}` is not a number of minutes"))?;
    Ok(Duration::try_from_secs_f64(number * 60.0).unwrap_or(Duration::MAX))
}

/// The code of a period.
pub(crate) fn period_code(text: &str) -> Result<Period, String> {
    let period = text.trim().parse().ok().and_then(Period::from_code);
    period.ok_or_else(|| format!("`{}` is not a period: 0, 1, 3, 12, 13, 14", text.trim()))
}

/// The sections of `summarize-month`.
const SECTIONS: [&str; 7] = ["reg", "int", "dl", "total", "sim", "sim-usage", "misc"];

/// One of the sections.
pub(crate) fn section(text: &str) -> Result<String, String> {
    let section = SECTIONS.into_iter().find(|section| *section == text.trim()).map(str::to_owned);
    section.ok_or_else(|| format!("`{}` is not a section: {}", text.trim(), SECTIONS.join(", ")))
}

/// `NAME=VALUE`; `None` for anything else.
pub(crate) fn assignment(word: &OsString) -> Option<Assignment> {
    parse::split_assignment(word.as_bytes()).map(|(name, value)| (name.to_owned(), value.to_vec()))
}

/// A year, a month, a day, or a range of them; stages read it themselves, so it is kept as it was written.
#[derive(Debug, Clone)]
pub(crate) struct Date(String);

impl AsRef<OsStr> for Date {
    fn as_ref(&self) -> &OsStr {
        self.0.as_ref()
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        range(text).map(|_| Self(text.to_owned()))
    }
}

/// A stretch of days; an open end is `None`, the stop is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: Option<Stamp>,
    stop: Option<Stamp>,
}

/// Reads a DATE.
fn range(text: &str) -> Result<Range, String> {
    let bad = || {
        format!(
            "`{text}` is not a date: YYYY, YYYY-MM, YYYY-MM-DD, or two of them with `..` between, the earlier one first"
        )
    };
    let Some((left, right)) = text.split_once("..") else {
        let (start, stop) = period(text).ok_or_else(bad)?;
        return Ok(Range { start: Some(start), stop: Some(stop) });
    };
    let side = |text: &str| if text.is_empty() { Ok(None) } else { period(text).map(Some).ok_or_else(bad) };
    let range = match (side(left)?, side(right)?) {
        (None, None) => return Err(bad()),
        (Some((start, _)), Some((_, stop))) => Range { start: Some(start), stop: Some(stop) },
        (Some((start, _)), None) => Range { start: Some(start), stop: None },
        // everything before the period that is named
        (None, Some((stop, _))) => Range { start: None, stop: Some(stop) },
    };
    match range {
        Range { start: Some(start), stop: Some(stop) } if start >= stop => Err(bad()),
        range => Ok(range),
    }
}

/// First instant of a year, month or day, and of the next one.
fn period(text: &str) -> Option<(Stamp, Stamp)> {
    match text.len() {
        4 => {
            let first: Month = format!("{text}-01").parse().ok()?;
            Some((first.start(), first.plus(12).start()))
        }
        7 => {
            let month: Month = text.parse().ok()?;
            Some((month.start(), month.next().start()))
        }
        10 => {
            let month: Month = text.get(..7)?.parse().ok()?;
            let day = text.get(7..)?.strip_prefix('-')?;
            let number: u8 = day.bytes().all(|b| b.is_ascii_digit()).then(|| day.parse().ok())??;
            if number == 0 || number > month.days() {
                return None;
            }
            let at = |month: Month, day| Stamp::from_parts(month.year(), month.month(), day, 0, 0, 0);
            let stop = if number == month.days() { month.next().start() } else { at(month, number + 1) };
            Some((at(month, number), stop))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_the_specification() {
        for (text, start, stop) in [
            ("2024-10..2024-12", "2024-10-01", "2025-01-01"),
            ("..2025", "", "2025-01-01"),
            ("2025-08..", "2025-08-01", ""),
            ("2025", "2025-01-01", "2026-01-01"),
            ("2025-07", "2025-07-01", "2025-08-01"),
            ("2024-02-29", "2024-02-29", "2024-03-01"),
            ("2024-12-31..2025", "2024-12-31", "2026-01-01"),
        ] {
            let found = range(text).unwrap();
            let day = |stamp: Option<Stamp>| stamp.map_or(String::new(), |s| s.to_string()[..10].to_owned());
            assert_eq!((day(found.start).as_str(), day(found.stop).as_str()), (start, stop), "{text}");
        }
        for text in [
            "2025-08..2025-07",
            "..",
            "",
            "2025-13",
            "2025-02-29",
            "2025-1",
            "25",
            "2025-01-001",
            "2025-07-0x",
            "2025...2026",
            "é25-1",
        ] {
            assert!(range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_and_numbers() {
        let day: Day = "2025-02-28".parse().unwrap();
        assert_eq!((day.to_string().as_str(), day.digits().as_str()), ("2025-02-28", "20250228"));
        for text in ["2025-02-30", "2025-2-3", "2025-02", "20250203"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        assert_eq!(minutes("0.5").unwrap().as_secs(), 30);
        for text in ["0", "-1", "inf", "x", ""] {
            assert!(minutes(text).is_err(), "{text}");
        }
        assert_eq!(period_code(" 14 ").unwrap(), Period::AllTime);
        for text in ["2", "x", "", "99"] {
            assert_eq!(period_code(text).unwrap_err(), format!("`{text}` is not a period: 0, 1, 3, 12, 13, 14"));
        }
    }
}
