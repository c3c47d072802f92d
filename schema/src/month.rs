//! Calendar months, and the six periods of the summaries that end with a month.
//!
//! All periods of a month share their stop, the first of the next month; only the start differs.

use std::fmt;
use std::str::FromStr;

use crate::stamp::Stamp;

/// A calendar month, written `YYYY-MM`.
///
/// ```
/// let june: schema::Month = "2025-06".parse().unwrap();
/// assert_eq!(june.next().to_string(), "2025-07");
/// // cells are filed under day zero
/// assert_eq!(june.label().to_string(), "2025-06-00 00:00:00");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(u32);

/// A text that is not a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadMonth(String);

impl fmt::Display for BadMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a month (YYYY-MM, month 01 to 12)", self.0)
    }
}

impl std::error::Error for BadMonth {}

impl Month {
    /// `month` counts from 1; `None` if it is outside 1 to 12, or after the year 9999.
    #[must_use]
    pub const fn new(year: u16, month: u8) -> Option<Self> {
        if month >= 1 && month <= 12 && year <= 9999 { Some(Self(year as u32 * 12 + month as u32 - 1)) } else { None }
    }

    /// The year, 0 to 9999.
    #[must_use]
    pub const fn year(self) -> u16 {
        (self.0 / 12) as u16
    }

    /// The month of the year, 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        (self.0 % 12) as u8 + 1
    }

    /// Months since January of the year 0: a dense index for tables over months.
    #[must_use]
    pub const fn ordinal(self) -> u32 {
        self.0
    }

    /// The month `n` later.
    #[must_use]
    pub const fn plus(self, n: u32) -> Self {
        Self(self.0 + n)
    }

    /// The month `n` earlier, but not before January of the year 0.
    #[must_use]
    pub const fn minus(self, n: u32) -> Self {
        Self(self.0.saturating_sub(n))
    }

    /// The month after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The month before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        self.minus(1)
    }

    /// Midnight at the start of the first day.
    #[must_use]
    pub const fn start(self) -> Stamp {
        Stamp::from_parts(self.year(), self.month(), 1, 0, 0, 0)
    }

    /// The label under which summaries of the month are stored: day zero, `2025-07-00 00:00:00`.
    #[must_use]
    pub const fn label(self) -> Stamp {
        Stamp::from_parts(self.year(), self.month(), 0, 0, 0, 0)
    }

    /// Days of the month, 28 to 31.
    #[must_use]
    pub const fn days(self) -> u8 {
        crate::stamp::days_of_month(self.year(), self.month())
    }

    /// From this month up to and including `last`; empty if `last` is earlier.
    pub fn through(self, last: Self) -> impl DoubleEndedIterator<Item = Self> + Clone {
        (self.0..last.0.saturating_add(1)).map(Self)
    }
}

impl Stamp {
    /// The calendar month, `None` for month zero.
    #[must_use]
    pub const fn month(self) -> Option<Month> {
        Month::new(self.year(), self.month_of_year())
    }

    /// The month that it counts in: a day or month zero belongs to the last real day before it. `None` before all months.
    #[must_use]
    pub fn counts_in(self) -> Option<Month> {
        match (self.month_of_year(), self.day()) {
            (0, _) => Month::new(self.year().checked_sub(1)?, 12),
            (_, 0) => self.month().filter(|month| month.ordinal() > 0).map(Month::previous),
            _ => self.month(),
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month())
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Month {
    type Err = BadMonth;

    fn from_str(text: &str) -> Result<Self, BadMonth> {
        let bad = || BadMonth(text.to_owned());
        let (year, month) = text.split_once('-').ok_or_else(bad)?;
        if year.len() != 4 || month.len() != 2 || !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return Err(bad());
        }
        let year = year.parse().map_err(|_| bad())?;
        let month = month.parse().map_err(|_| bad())?;
        Self::new(year, month).ok_or_else(bad)
    }
}

/// A text that is not a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPeriod(String);

impl fmt::Display for BadPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a period: {}", self.0, Period::codes())
    }
}

impl std::error::Error for BadPeriod {}

impl FromStr for Period {
    type Err = BadPeriod;

    /// Its code, with or without surrounding blanks.
    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        text.trim().parse().ok().and_then(Self::from_code).ok_or_else(|| BadPeriod(text.to_owned()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}

/// A period of the summaries: the date range of a cell, named by the code in the tables.
///
/// ```
/// use schema::{Month, Period};
///
/// let june: Month = "2025-06".parse().unwrap();
/// let fiscal_year: Period = "13".parse().unwrap();
/// assert_eq!(fiscal_year.start(june).to_string(), "2024-10-01 00:00:00");
/// assert_eq!(Period::stop(june).to_string(), "2025-07-01 00:00:00");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// 0: the calendar year so far.
    Year,
    /// 1: the month.
    Month,
    /// 3: the calendar quarter so far.
    Quarter,
    /// 12: the twelve months that end with this one.
    TwelveMonths,
    /// 13: the fiscal year so far, from October.
    FiscalYear,
    /// 14: since 1995.
    AllTime,
}

impl Period {
    /// All six, in the order in which legacy writes them.
    pub const WRITE_ORDER: [Self; 6] =
        [Self::TwelveMonths, Self::Month, Self::Year, Self::Quarter, Self::FiscalYear, Self::AllTime];

    /// Their codes, as the default of an option.
    pub const WRITE_ORDER_CODES: &str = "12,1,0,3,13,14";

    /// All six, ascending by code.
    pub const BY_CODE: [Self; 6] =
        [Self::Year, Self::Month, Self::Quarter, Self::TwelveMonths, Self::FiscalYear, Self::AllTime];

    /// The code in the `period` columns.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Year => 0,
            Self::Month => 1,
            Self::Quarter => 3,
            Self::TwelveMonths => 12,
            Self::FiscalYear => 13,
            Self::AllTime => 14,
        }
    }

    /// The codes of all, ascending, as a list for SQL: `0, 1, 3, 12, 13, 14`.
    #[must_use]
    pub fn codes() -> String {
        Self::BY_CODE.map(|period| period.code().to_string()).join(", ")
    }

    /// The period with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::BY_CODE.into_iter().find(|p| p.code() == code)
    }

    /// Where the period of `month` begins. Most readers exclude this instant, some include it.
    #[must_use]
    pub const fn start(self, month: Month) -> Stamp {
        let first = match self {
            Self::Year => month.minus(month.month() as u32 - 1),
            Self::Month => month,
            Self::Quarter => month.minus((month.month() as u32 - 1) % 3),
            Self::TwelveMonths => month.minus(11),
            Self::FiscalYear => month.minus((month.month() as u32 + 2) % 12),
            Self::AllTime => return Stamp::from_parts(1995, 1, 1, 0, 0, 0),
        };
        first.start()
    }

    /// Where every period of `month` ends, exclusive.
    #[must_use]
    pub const fn stop(month: Month) -> Stamp {
        month.next().start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn m(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn periods_as_text() {
        assert_eq!(Period::WRITE_ORDER.map(|p| p.to_string()).join(","), Period::WRITE_ORDER_CODES);
        assert_eq!(Period::codes(), "0, 1, 3, 12, 13, 14");
        for period in Period::BY_CODE {
            assert_eq!(format!(" {period} ").parse(), Ok(period));
        }
        for bad in ["2", "", "-1", "foo", "256"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    #[test]
    fn parses_only_whole_months() {
        for good in ["2025-07", "0000-01", "9999-12"] {
            assert_eq!(m(good).to_string(), good);
        }
        for bad in
            ["2025-13", "2025-00", "2025-7", "2025-07-01", " 2025-07", "2025-07 ", "", "-", "20250-7", "2025-０7"]
        {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }

    #[test]
    fn periods_begin_as_in_the_specification() {
        let table = [
            ("2025-07", ["2025-01", "2025-07", "2025-07", "2024-08", "2024-10"]),
            ("2025-01", ["2025-01", "2025-01", "2025-01", "2024-02", "2024-10"]),
            ("2025-09", ["2025-01", "2025-09", "2025-07", "2024-10", "2024-10"]),
            ("2025-10", ["2025-01", "2025-10", "2025-10", "2024-11", "2025-10"]),
            ("2025-12", ["2025-01", "2025-12", "2025-10", "2025-01", "2025-10"]),
        ];
        for (month, starts) in table {
            for (period, start) in Period::BY_CODE.into_iter().zip(starts) {
                assert_eq!(period.start(m(month)), m(start).start(), "{month} {period:?}");
            }
            assert_eq!(Period::AllTime.start(m(month)).to_string(), "1995-01-01 00:00:00");
        }
        assert_eq!(Period::stop(m("2025-12")).to_string(), "2026-01-01 00:00:00");
        assert_eq!(m("2025-07").label().to_string(), "2025-07-00 00:00:00");
    }

    #[test]
    fn ranges_of_months_include_both_ends() {
        let months: Vec<_> = m("2024-11").through(m("2025-02")).map(|m| m.to_string()).collect();
        assert_eq!(months, ["2024-11", "2024-12", "2025-01", "2025-02"]);
        assert_eq!(m("2025-02").through(m("2025-01")).count(), 0);
        assert_eq!(m("2025-02").through(m("2025-02")).collect::<Vec<_>>(), [m("2025-02")]);
        for (month, next) in
            [("2025-03", "2025-04"), ("2025-12", "2026-01"), ("2024-02", "2024-03"), ("2025-02", "2025-03")]
        {
            assert_eq!((m(month).next(), m(next).previous()), (m(next), m(month)));
        }
        assert_eq!(m("2024-02").days(), 29);
        assert_eq!(m("1900-02").days(), 28);
    }
}
