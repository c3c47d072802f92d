//! The time zone of the written times: as in the log, or another zone if the log says which zone
//! its own times are in.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The zone of the times to write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Zone {
    /// Whatever the log has.
    #[default]
    AsWritten,
    /// This one.
    Of(TimeZone),
}

impl std::str::FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            _ if text.eq_ignore_ascii_case("as-written") => Ok(Self::AsWritten),
            _ if text.eq_ignore_ascii_case("UTC") => Ok(Self::Of(TimeZone::UTC)),
            "" => Err("the name of a time zone is empty".to_owned()),
            _ => TimeZone::get(text).map(Self::Of).map_err(|_| {
                format!(
                    "`{text}` is not a known time zone; give a name such as `Europe/Berlin`, `UTC` or `as-written` \
                     (the names are those of the folder /usr/share/zoneinfo)"
                )
            }),
        }
    }
}

/// A time in the requested zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shifted {
    /// `YYYY-MM-DD`.
    pub(crate) date: [u8; 10],
    /// `HH:MM:SS`.
    pub(crate) time: [u8; 8],
    /// Seconds east of Greenwich, if the clocks show this time twice.
    pub(crate) twice: Option<i32>,
}

impl Zone {
    /// A time from a log whose clock is `offset` seconds ahead of Greenwich. `None` if it stays as it
    /// is: no zone was requested, or the time does not exist, such as 31 April.
    pub(crate) fn shift(&self, date: [u8; 10], time: [u8; 8], offset: i32) -> Option<Shifted> {
        let Self::Of(zone) = self else { return None };
        let instant = seconds(date, time)?.checked_sub(offset.into())?;
        let local = zone.to_datetime(Timestamp::from_second(instant).ok()?);
        let twice = match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after } => {
                let is_before = wall(local) - i64::from(before.seconds()) == instant;
                Some(if is_before { before } else { after }.seconds())
            }
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => None,
        };
        let year = u16::try_from(local.year()).ok()?;
        let mut shifted = Shifted { date: *b"0000-00-00", time: *b"00:00:00", twice };
        put(&mut shifted.date[..4], year);
        put(&mut shifted.date[5..7], local.month().unsigned_abs().into());
        put(&mut shifted.date[8..], local.day().unsigned_abs().into());
        put(&mut shifted.time[..2], local.hour().unsigned_abs().into());
        put(&mut shifted.time[3..5], local.minute().unsigned_abs().into());
        put(&mut shifted.time[6..], local.second().unsigned_abs().into());
        Some(shifted)
    }
}

/// Writes a number with as many digits as there is room for.
fn put(text: &mut [u8], mut number: u16) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Seconds from 1970 to the time that a clock shows.
fn wall(at: DateTime) -> i64 {
    at.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_secs()
}

/// Seconds from 1970 to the time in a text, which may be a leap second. `None` if it is not a time.
pub(crate) fn seconds(date: [u8; 10], time: [u8; 8]) -> Option<i64> {
    let number = |text: &[u8]| {
        text.iter().try_fold(0, |n: i64, digit| digit.is_ascii_digit().then(|| n * 10 + i64::from(digit - b'0')))
    };
    let [year, month, day] = [number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?];
    let [hour, minute, second] = [number(&time[..2])?, number(&time[3..5])?, number(&time[6..])?];
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let day = DateTime::new(year as i16, month as i8, day as i8, 0, 0, 0, 0).ok()?;
    Some(wall(day) + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(zone: &str, date: &str, time: &str, offset: i32) -> String {
        let zone: Zone = zone.parse().unwrap();
        let (date, time) = (date.as_bytes().try_into().unwrap(), time.as_bytes().try_into().unwrap());
        let Some(Shifted { date, time, twice }) = zone.shift(date, time, offset) else { return "as it is".to_owned() };
        let text = [&date[..], b" ", &time[..]].concat();
        let twice = twice.map_or_else(String::new, |offset| format!(" {offset}"));
        format!("{}{twice}", String::from_utf8(text).unwrap())
    }

    #[test]
    fn times_are_converted_to_another_zone() {
        assert_eq!(shift("UTC", "2025-07-10", "23:30:00", -4 * 3600), "2025-07-11 03:30:00");
        assert_eq!(shift("Europe/Berlin", "2025-07-10", "23:30:00", 0), "2025-07-11 01:30:00");
        assert_eq!(shift("Europe/Berlin", "2025-01-10", "23:30:00", 0), "2025-01-11 00:30:00");
        assert_eq!(shift("Asia/Kolkata", "2024-12-31", "18:30:00", 0), "2025-01-01 00:00:00");
        assert_eq!(shift("as-written", "2025-07-10", "23:30:00", 0), "as it is");
        assert_eq!(shift("utc", "2025-04-31", "23:30:00", 0), "as it is");
        assert_eq!(shift("utc", "2025-04-30", "23:59:60", 0), "2025-05-01 00:00:00");
        assert_eq!(shift("utc", "2025-04-30", "aa:59:60", 0), "as it is");
        assert_eq!(shift("utc", "9999-12-31", "23:59:00", -86_400), "as it is");
    }

    #[test]
    fn changes_of_the_clocks_are_respected() {
        let there = |time: &str, offset: i32| shift("America/New_York", "2025-11-02", time, offset * 3600);
        assert_eq!(there("01:20:00", -4), "2025-11-02 01:20:00 -14400");
        assert_eq!(there("01:20:00", -5), "2025-11-02 01:20:00 -18000");
        assert_eq!(there("05:59:59", 0), "2025-11-02 01:59:59 -14400");
        assert_eq!(there("06:00:00", 0), "2025-11-02 01:00:00 -18000");
        assert_eq!(there("07:00:00", 0), "2025-11-02 02:00:00");
        assert_eq!(there("00:59:59", -4), "2025-11-02 00:59:59");
        let spring = |time: &str| shift("America/New_York", "2025-03-09", time, 0);
        assert_eq!(spring("06:59:59"), "2025-03-09 01:59:59");
        assert_eq!(spring("07:00:00"), "2025-03-09 03:00:00");
    }

    #[test]
    fn an_unknown_zone_is_an_error() {
        let why = "Mars/Olympus".parse::<Zone>().unwrap_err();
        assert!(why.starts_with("`Mars/Olympus` is not a known time zone; give a name such as"), "{why}");
        assert!("".parse::<Zone>().is_err());
    }
}
