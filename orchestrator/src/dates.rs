//! The DATE argument of the stage commands: a year, a month, a day, or a range of them.

use std::fmt;

use schema::{Month, Stamp};

/// A stretch of days; an open end is `None`, the stop is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: Option<Stamp>,
    pub(crate) stop: Option<Stamp>,
}

/// A text that is no DATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadDate(String);

impl fmt::Display for BadDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no date: YYYY, YYYY-MM, YYYY-MM-DD, or two of them with `..` between, the first earlier",
            self.0
        )
    }
}

impl std::error::Error for BadDate {}

/// Reads a DATE.
///
/// # Errors
/// It is none, or the range is empty.
pub(crate) fn parse(text: &str) -> Result<Range, BadDate> {
    let bad = || BadDate(text.to_owned());
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
            let range = parse(text).unwrap();
            let day = |stamp: Option<Stamp>| stamp.map_or(String::new(), |s| s.to_string()[..10].to_owned());
            assert_eq!((day(range.start).as_str(), day(range.stop).as_str()), (start, stop), "{text}");
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
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
