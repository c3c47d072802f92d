//! Dates on command lines: DATE, which is a year, a month, a day, or two of them with `..` between;
//! and the day in the name of a log.
//!
//! All programs share this grammar: numbers have all their digits, and blanks are not allowed.

use std::fmt;
use std::str::FromStr;

use crate::month::Month;
use crate::stamp::Stamp;

/// The days of a DATE: from the first midnight to before the second; an open end is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// The first instant.
    pub from: Option<Stamp>,
    /// The first instant after them.
    pub to: Option<Stamp>,
}

/// A text that is not a DATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDates(String);

impl fmt::Display for BadDates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a date: YYYY, YYYY-MM, YYYY-MM-DD, or two of them with `..` between, the first earlier",
            self.0
        )
    }
}

impl std::error::Error for BadDates {}

impl Dates {
    /// The month, if they are exactly the days of one.
    #[must_use]
    pub fn month(self) -> Option<Month> {
        self.from?.month().filter(|month| Self::from(*month) == self)
    }
}

impl From<Month> for Dates {
    fn from(month: Month) -> Self {
        Self { from: Some(month.start()), to: Some(month.next().start()) }
    }
}

impl FromStr for Dates {
    type Err = BadDates;

    /// `..2025` ends at the start of 2025.
    fn from_str(text: &str) -> Result<Self, BadDates> {
        let bad = || BadDates(text.to_owned());
        let side = |text: &str| if text.is_empty() { Ok(None) } else { period(text).map(Some).ok_or_else(bad) };
        let (from, to) = match text.split_once("..") {
            None => side(text)?.unzip(),
            Some((left, right)) => match (side(left)?, side(right)?) {
                (Some((from, _)), Some((_, to))) => (Some(from), Some(to)),
                (from, to) => (from.map(|(from, _)| from), to.map(|(from, _)| from)),
            },
        };
        let is_empty = from.zip(to).is_some_and(|(from, to)| from >= to);
        if is_empty || (from, to) == (None, None) { Err(bad()) } else { Ok(Self { from, to }) }
    }
}

/// The first instant of a year, month or day, and that of the next one.
fn period(text: &str) -> Option<(Stamp, Stamp)> {
    let of = |dates: Dates| dates.from.zip(dates.to);
    match text.len() {
        4 => {
            let first: Month = format!("{text}-01").parse().ok()?;
            Some((first.start(), first.plus(12).start()))
        }
        7 => of(text.parse::<Month>().ok()?.into()),
        10 => {
            let day = Stamp::parse(text).filter(|day| day.is_calendar_day())?;
            Some((day, day.plus_days(1)))
        }
        _ => None,
    }
}

/// The day in the name of a log, `YYYYMMDD`, as an option accepts it.
///
/// # Errors
/// The text is not eight digits.
pub fn day_of_log(text: &str) -> Result<String, String> {
    let eight_digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if eight_digits { Ok(text.to_owned()) } else { Err("a day is written YYYYMMDD".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_specification() {
        for (text, from, to) in [
            ("2024-10..2024-12", "2024-10-01", "2025-01-01"),
            ("..2025", "", "2025-01-01"),
            ("2025-08..", "2025-08-01", ""),
            ("2025", "2025-01-01", "2026-01-01"),
            ("2025-07", "2025-07-01", "2025-08-01"),
            ("2024-02-29", "2024-02-29", "2024-03-01"),
            ("2024-12-31..2025", "2024-12-31", "2026-01-01"),
            ("..2025-07-15", "", "2025-07-15"),
        ] {
            let dates: Dates = text.parse().unwrap();
            let day = |stamp: Option<Stamp>| stamp.map_or(String::new(), |s| s.to_string()[..10].to_owned());
            assert_eq!((day(dates.from).as_str(), day(dates.to).as_str()), (from, to), "{text}");
            assert_eq!(dates.month().is_some(), text == "2025-07", "{text}");
        }
        for text in [
            "2025-08..2025-07",
            "..",
            "",
            "2025-13",
            "2025-02-29",
            "2025-7",
            "2025-1",
            "25",
            "2025-07-00",
            "2025-07-1",
            "2025-01-001",
            "2025-07-0x",
            "2025...2026",
            " 2024-10 .. 2024-12 ",
            "2025-07 ",
            "2025-07..2025-07-01..2025",
            "-1",
            "é25-1",
        ] {
            assert!(text.parse::<Dates>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_of_a_log_has_eight_digits() {
        assert_eq!(day_of_log("20250701").as_deref(), Ok("20250701"));
        for bad in ["2025-07-01", "2025070", "2025070１", ""] {
            assert!(day_of_log(bad).is_err(), "{bad}");
        }
    }
}
