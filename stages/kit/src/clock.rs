//! The local calendar: what "now" means for stages that run without a month.

use anyhow::{Context as _, Result};
use schema::{Month, Stamp};

/// The current month in the system's time zone.
///
/// # Errors
/// The clock stands before the year 0 or after 9999.
pub fn current_month() -> Result<Month> {
    let today = jiff::Zoned::now().date();
    let year = u16::try_from(today.year()).context("the clock stands before the year 0")?;
    Month::new(year, today.month().unsigned_abs()).context("the clock stands outside the calendar")
}

/// The current day in the system's time zone, at midnight.
///
/// # Errors
/// The clock stands before the year 0 or after 9999.
pub fn today() -> Result<Stamp> {
    let today = jiff::Zoned::now().date();
    let year = u16::try_from(today.year()).context("the clock stands before the year 0")?;
    Stamp::new(year, today.month().unsigned_abs(), today.day().unsigned_abs(), 0, 0, 0)
        .context("the clock stands outside the calendar")
}
