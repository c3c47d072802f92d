//! DATETIME values as stored in the tables: wall-clock time without a zone, day zero included.
//!
//! A stamp is one integer that sorts like its text, so comparing is cheap and `2025-07-00` sorts
//! before `2025-07-01`.

use std::fmt;

/// A DATETIME value with whole seconds, from `0000-00-00 00:00:00` to `9999-12-31 23:59:59`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// The zero datetime, `0000-00-00 00:00:00`.
    pub const ZERO: Self = Self(0);

    /// From parts known to be in range (month 0–12, day 0–31, valid time of day).
    #[must_use]
    pub const fn from_parts(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Self {
        Self(
            (year as u64) << 40
                | (month as u64) << 32
                | (day as u64) << 24
                | (hour as u64) << 16
                | (minute as u64) << 8
                | second as u64,
        )
    }

    /// Parses `YYYY-MM-DD HH:MM:SS` as printed by a database (a fraction of zeros or a bare date is
    /// accepted too); `None` for any other text and for dates that cannot be stored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if !(b.len() == 10 || b.len() >= 19) {
            return None;
        }
        if b[4] != b'-' || b[7] != b'-' {
            return None;
        }
        let year = two(b, 0)? * 100 + two(b, 2)?;
        let (month, day) = (two(b, 5)?, two(b, 8)?);
        let (mut hour, mut minute, mut second) = (0, 0, 0);
        if b.len() >= 19 {
            if !(b[10] == b' ' || b[10] == b'T') || b[13] != b':' || b[16] != b':' {
                return None;
            }
            (hour, minute, second) = (two(b, 11)?, two(b, 14)?, two(b, 17)?);
            if b.len() > 19 && !(b[19] == b'.' && b[20..].iter().all(|&c| c == b'0')) {
                return None;
            }
        }
        Self::new(year, month as u8, day as u8, hour as u8, minute as u8, second as u8)
    }

    /// From parts; `None` for values that a DATETIME column of the hub cannot store (`2025-02-30`,
    /// month 13, hour 24). Zero months and days are allowed.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<Self> {
        if year > 9999 || month > 12 || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        if day > if month == 0 { 31 } else { days_of_month(year, month) } {
            return None;
        }
        Some(Self::from_parts(year, month, day, hour, minute, second))
    }

    /// The year, 0 to 9999.
    #[must_use]
    pub const fn year(self) -> u16 {
        (self.0 >> 40) as u16
    }

    /// The month of the year, 0 to 12.
    #[must_use]
    pub const fn month_of_year(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// The day of the month, 0 to 31.
    #[must_use]
    pub const fn day(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// The hour of the day.
    #[must_use]
    pub const fn hour(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// The minute of the hour.
    #[must_use]
    pub const fn minute(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The second of the minute.
    #[must_use]
    pub const fn second(self) -> u8 {
        self.0 as u8
    }

    /// Whether the time of day is exactly 00:00:00.
    #[must_use]
    pub const fn is_midnight(self) -> bool {
        self.0 & 0xFF_FFFF == 0
    }

    /// Whether it is a real calendar day (no zero month or day).
    #[must_use]
    pub const fn is_calendar_day(self) -> bool {
        self.month_of_year() > 0 && self.day() > 0
    }

    /// Midnight at the start of the same day.
    #[must_use]
    pub const fn midnight(self) -> Self {
        Self(self.0 & !0xFF_FFFF)
    }

    /// Days since the year 0, as the server counts them (`2025-07-10` is 739,807); `None` for a
    /// date with a zero month or day.
    #[must_use]
    pub const fn day_number(self) -> Option<i64> {
        if !self.is_calendar_day() {
            return None;
        }
        Some(days_from_civil(self.year() as i64, self.month_of_year() as i64, self.day() as i64))
    }

    /// Seconds of the wall clock since the year 0, ignoring time zones; a date with a zero month or
    /// day counts as the last real day before it.
    #[must_use]
    pub const fn wall_seconds(self) -> i64 {
        let month = if self.month_of_year() == 0 { 1 } else { self.month_of_year() };
        let days = days_from_civil(self.year() as i64, month as i64, 1) + self.day() as i64 - 1;
        days * 86_400 + self.hour() as i64 * 3600 + self.minute() as i64 * 60 + self.second() as i64
    }

    /// The stamp `days` calendar days later (earlier if negative), at the same time of day; a date
    /// with a zero part stays unchanged.
    #[must_use]
    pub const fn plus_days(self, days: i64) -> Self {
        let Some(number) = self.day_number() else { return self };
        let (year, month, day) = civil_from_days(number + days);
        Self::from_parts(year as u16, month as u8, day as u8, self.hour(), self.minute(), self.second())
    }

    /// An integer that sorts like the stamp; the inverse of [`Stamp::from_bits`].
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From [`Stamp::to_bits`].
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// `YYYY-MM-DD HH:MM:SS` as 19 ASCII bytes.
    #[must_use]
    pub fn to_ascii(self) -> [u8; 19] {
        let mut out = *b"0000-00-00 00:00:00";
        let mut put = |at: usize, value: u16| {
            out[at] = b'0' + (value / 10 % 10) as u8;
            out[at + 1] = b'0' + (value % 10) as u8;
        };
        put(0, self.year() / 100);
        put(2, self.year() % 100);
        put(5, self.month_of_year().into());
        put(8, self.day().into());
        put(11, self.hour().into());
        put(14, self.minute().into());
        put(17, self.second().into());
        out
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ascii = self.to_ascii();
        f.write_str(std::str::from_utf8(&ascii).unwrap_or("0000-00-00 00:00:00"))
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> serde::Deserialize<'de> for Stamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Stamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a datetime `YYYY-MM-DD HH:MM:SS`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Stamp, E> {
                Stamp::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl serde::Serialize for Stamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn two(b: &[u8], at: usize) -> Option<u16> {
    let (tens, ones) = (b[at].wrapping_sub(b'0'), b[at + 1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u16::from(tens) * 10 + u16::from(ones))
}

/// Days of a month, 28 to 31; 31 for a month outside 1 to 12.
#[must_use]
pub const fn days_of_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        // for the server, the year 0 has no leap day
        2 if year > 0 && year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Day number of a proleptic Gregorian date, counted like `TO_DAYS` (from March of the year 0).
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era + 60
}

/// The inverse of [`days_from_civil`]: (year, month, day).
const fn civil_from_days(number: i64) -> (i64, i64, i64) {
    let z = number - 60;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_printed_as_it_was_read() {
        for text in ["0000-00-00 00:00:00", "2025-07-00 00:00:00", "2024-02-29 23:59:59", "9999-12-31 23:59:59"] {
            assert_eq!(Stamp::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Stamp::parse("2025-07-01").unwrap().to_string(), "2025-07-01 00:00:00");
        assert_eq!(Stamp::parse("2025-07-01 01:02:03.000000").unwrap().to_string(), "2025-07-01 01:02:03");
        for bad in [
            "",
            "0000-02-29 00:00:00",
            "2025-02-30 00:00:00",
            "2025-13-01 00:00:00",
            "2025-07-01 24:00:00",
            "2025-07-01 00:00",
            "2025-07-01x00:00:00",
            "２025-7-1",
        ] {
            assert_eq!(Stamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn order_is_the_order_of_the_text() {
        let mut texts = ["2025-07-01 00:00:00", "2025-07-00 00:00:00", "0000-00-00 00:00:00", "2025-06-30 23:59:59"];
        texts.sort_unstable();
        let stamps = texts.map(|t| Stamp::parse(t).unwrap());
        assert!(stamps.is_sorted());
    }

    #[test]
    fn day_numbers_are_those_of_the_server() {
        let number = |t: &str| Stamp::parse(t).unwrap().day_number();
        assert_eq!(number("2025-07-10"), Some(739_807));
        assert_eq!(number("1995-01-01"), Some(728_659));
        assert_eq!(number("2025-07-00"), None);
        for n in [366, 728_659, 739_807, 739_808, 3_652_424] {
            let (y, m, d) = civil_from_days(n);
            assert_eq!(days_from_civil(y, m, d), n);
        }
        assert_eq!(Stamp::parse("2025-03-01 05:00:00").unwrap().plus_days(-1).to_string(), "2025-02-28 05:00:00");
    }
}
