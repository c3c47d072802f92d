//! The local calendar: what "now" means for stages that run without a month.
//!
//! `HZMETRICS_NOW` (`2026-06-01T00:30`) sets it, for tests and to see what a run would do at that
//! time.

use anyhow::{Context as _, Result};
use jiff::civil::DateTime;
use schema::{Month, Stamp};

use crate::Usage;

/// The variable that sets the time.
const NOW: &str = "HZMETRICS_NOW";

fn now() -> Result<DateTime> {
    match std::env::var_os(NOW).filter(|text| !text.is_empty()) {
        None => Ok(jiff::Zoned::now().datetime()),
        Some(text) => {
            let text = text.to_string_lossy();
            text.parse()
                .ok()
                .with_context(|| format!("{NOW} is `{text}`, which is not a time (such as 2026-06-01T00:30)"))
        }
    }
}

/// The current month in the system's time zone.
///
/// # Errors
/// The clock is set before the year 0 or after 9999, or `HZMETRICS_NOW` is not a time.
pub fn current_month() -> Result<Month> {
    today()?.month().context("the clock is set to a year outside 0 to 9999")
}

/// Refuses a month that has not begun: any data with such a date is a mistake or an attack, and must
/// not be published.
///
/// # Errors
/// It is later than the current month ([`Usage`]), or one of the errors of [`current_month`].
pub fn refuse_month_to_come(month: Month) -> Result<()> {
    let current = current_month()?;
    if month > current {
        let text = format!("{month} is in the future (now is {current}): its numbers are not published");
        return Err(Usage(text).into());
    }
    Ok(())
}

/// The current day in the system's time zone, at midnight.
///
/// # Errors
/// Those of [`current_month`].
pub fn today() -> Result<Stamp> {
    day(now()?).context("the clock is set to a year outside 0 to 9999")
}

/// The day of a moment, given in seconds since 1970, in the system's time zone; `None` if it has no usual date.
#[must_use]
pub fn day_of(seconds: i64) -> Option<Stamp> {
    let moment = jiff::Timestamp::from_second(seconds).ok()?;
    day(moment.to_zoned(jiff::tz::TimeZone::system()).datetime())
}

/// The midnight at which a day begins.
fn day(at: DateTime) -> Option<Stamp> {
    let year = u16::try_from(at.year()).ok()?;
    Stamp::new(year, at.month().unsigned_abs(), at.day().unsigned_abs(), 0, 0, 0)
}

/// The minute of the current hour in the system's time zone.
///
/// # Errors
/// `HZMETRICS_NOW` is not a time.
pub fn minute() -> Result<u8> {
    Ok(now()?.minute().unsigned_abs())
}

/// Now, in seconds since 1970.
///
/// # Errors
/// `HZMETRICS_NOW` is not a time.
pub fn seconds_since_1970() -> Result<i64> {
    let now = now()?;
    let zoned = now.to_zoned(jiff::tz::TimeZone::system()).context("the clock shows a time that does not exist")?;
    Ok(zoned.timestamp().as_second())
}
