//! Converts wall-clock datetimes to seconds since 1970, as the database server does in its zone.
//!
//! Sessions are cut by differences of these seconds, so the hour that is skipped or repeated when
//! clocks change matters: of a repeated hour the later one counts, and every time inside a skipped
//! hour is the instant of the change, as on the server.

use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, civil};
use rustc_hash::FxHashMap;
use schema::Stamp;

/// Day number of 1970-01-01, as [`Stamp::day_number`] counts.
const EPOCH_DAY: i64 = 719_528;

/// Converts datetimes in one zone.
pub(crate) struct Clock {
    zone: TimeZone,
    /// Offset of days without a change of clocks, in seconds; `None` for a day with one.
    days: FxHashMap<i64, Option<i64>>,
}

impl Clock {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self { zone, days: FxHashMap::default() }
    }

    /// Seconds since 1970; `None` if the server has no such number (a zero month or day, before
    /// 1970, after January 2038).
    pub(crate) fn epoch(&mut self, stamp: Stamp) -> Option<i64> {
        let day = stamp.day_number()?;
        let zone = &self.zone;
        let offset = *self.days.entry(day).or_insert_with(|| {
            let midnight = |stamp: Stamp| offset_at(zone, stamp).ok().flatten();
            let (start, end) = (midnight(stamp.midnight())?, midnight(stamp.midnight().plus_days(1))?);
            (start == end).then_some(i64::from(start.seconds()))
        });
        let wall = (day - EPOCH_DAY) * 86_400
            + i64::from(stamp.hour()) * 3600
            + i64::from(stamp.minute()) * 60
            + i64::from(stamp.second());
        let seconds = match offset {
            Some(offset) => wall - offset,
            None => self.slow(stamp, wall)?,
        };
        (0..=i64::from(i32::MAX)).contains(&seconds).then_some(seconds)
    }

    fn slow(&self, stamp: Stamp, wall: i64) -> Option<i64> {
        let at = datetime(stamp).ok()?;
        match self.zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(wall - i64::from(offset.seconds())),
            AmbiguousOffset::Fold { after, .. } => Some(wall - i64::from(after.seconds())),
            AmbiguousOffset::Gap { before, .. } => {
                let behind = Timestamp::from_second(wall - i64::from(before.seconds())).ok()?;
                let just_behind = behind.checked_add(SignedDuration::from_secs(1)).ok()?;
                Some(self.zone.preceding(just_behind).next()?.timestamp().as_second())
            }
        }
    }
}

/// Seconds since 1970 for the time on a clock that is `offset` seconds ahead of UTC.
pub(crate) fn instant(stamp: Stamp, offset: i32) -> Option<i64> {
    let seconds = stamp.wall_seconds() - EPOCH_DAY * 86_400 - i64::from(offset);
    stamp.is_calendar_day().then_some(seconds).filter(|seconds| (0..=i64::from(i32::MAX)).contains(seconds))
}

fn datetime(stamp: Stamp) -> Result<civil::DateTime, jiff::Error> {
    civil::DateTime::new(
        stamp.year() as i16,
        stamp.month_of_year() as i8,
        stamp.day() as i8,
        stamp.hour() as i8,
        stamp.minute() as i8,
        stamp.second() as i8,
        0,
    )
}

/// The offset at a local time, `None` if clocks change right then.
fn offset_at(zone: &TimeZone, stamp: Stamp) -> Result<Option<Offset>, jiff::Error> {
    Ok(match zone.to_ambiguous_timestamp(datetime(stamp)?).offset() {
        AmbiguousOffset::Unambiguous { offset } => Some(offset),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(clock: &mut Clock, text: &str) -> Option<i64> {
        clock.epoch(Stamp::parse(text).unwrap())
    }

    #[test]
    fn seconds_in_utc_are_those_of_the_server() {
        let mut clock = Clock::new(TimeZone::UTC);
        for (text, expected) in [
            ("1970-01-01 00:00:00", Some(0)),
            ("1970-01-01 00:00:01", Some(1)),
            ("2025-07-01 00:00:00", Some(1_751_328_000)),
            ("2038-01-19 03:14:07", Some(2_147_483_647)),
            ("2038-01-19 03:14:08", None),
            ("1969-12-31 10:00:00", None),
            ("2025-07-00 10:00:00", None),
            ("0000-00-00 00:00:00", None),
            ("9999-12-31 23:59:59", None),
            ("0000-01-01 00:00:00", None),
        ] {
            assert_eq!(epoch(&mut clock, text), expected, "{text}");
        }
    }

    /// Recorded from a server in this zone.
    #[test]
    fn seconds_when_clocks_change_are_those_of_the_server() {
        let mut clock = Clock::new(TimeZone::get("America/New_York").unwrap());
        for (text, expected) in [
            ("2025-03-09 01:59:59", 1_741_503_599),
            ("2025-03-09 02:00:00", 1_741_503_600),
            ("2025-03-09 02:30:00", 1_741_503_600),
            ("2025-03-09 02:59:59", 1_741_503_600),
            ("2025-03-09 03:00:00", 1_741_503_600),
            ("2025-11-02 00:59:59", 1_762_059_599),
            ("2025-11-02 01:00:00", 1_762_063_200),
            ("2025-11-02 01:30:00", 1_762_065_000),
            ("2025-11-02 01:59:59", 1_762_066_799),
            ("2025-11-02 02:00:00", 1_762_066_800),
            ("2025-07-01 00:00:00", 1_751_342_400),
        ] {
            assert_eq!(epoch(&mut clock, text), Some(expected), "{text}");
        }
    }
}
