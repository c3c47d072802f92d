//! The time axis of a run: the bounds of the periods of all requested months, and the position of
//! an instant between them.
//!
//! A distinct count needs only two numbers for an instant: the first requested month whose periods
//! can include it (the month stops after it), and its level, the number of bounds strictly before
//! it. It is in a period that begins at bound `b` if and only if `level > b`.

use schema::{Month, Period, Stamp};

/// Maximum number of months in one run: the tables of counts grow with its square.
pub(crate) const MAX_MONTHS: usize = 600;

/// When something is visible, and in periods from which starts: `row` is the first requested month
/// that ends after it, `level` the number of period starts before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Visibility {
    /// Index of a month; the number of months if it is visible in none.
    pub row: u16,
    /// It is inside a period if and only if its level is greater than the index of the period's
    /// start.
    pub level: u16,
}

/// A position between bounds: at or after bound `bucket` and before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Index of the bound.
    pub bucket: u16,
    /// Exactly at the bound: outside a period that begins there.
    pub at_bound: bool,
}

/// One period; its stop is determined by the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Window {
    /// Index of the bound where it begins.
    pub start: u16,
    /// Index of the bound where it ends, exclusive.
    pub stop: u16,
}

/// The bounds of all periods of the requested months.
#[derive(Debug)]
pub(crate) struct Axis {
    months: Vec<Month>,
    bounds: Vec<Month>,
    /// Bucket of each month from the first bound on, by its distance.
    bucket_of: Vec<u16>,
    /// The first month in which a bucket is visible.
    rows: Vec<u16>,
    windows: Vec<[Window; 6]>,
    epoch: u16,
}

fn narrow(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

impl Axis {
    /// For the months from `first` through `last`, at most [`MAX_MONTHS`] of them.
    pub(crate) fn new(first: Month, last: Month) -> Self {
        let months: Vec<_> = first.through(last).take(MAX_MONTHS).collect();
        let start_of = |month, period: Period| period.start(month).month().unwrap_or(month);
        let epoch = start_of(first, Period::AllTime);
        let mut bounds: Vec<_> = months
            .iter()
            .flat_map(|&m| Period::BY_CODE.map(|p| start_of(m, p)).into_iter().chain([m.next()]))
            .chain([epoch])
            .collect();
        bounds.sort_unstable();
        bounds.dedup();
        let index = |month: Month| narrow(bounds.binary_search(&month).unwrap_or(0));
        let windows = months
            .iter()
            .map(|&m| Period::BY_CODE.map(|p| Window { start: index(start_of(m, p)), stop: index(m.next()) }))
            .collect();
        let mut bucket_of = Vec::new();
        let mut rows = Vec::new();
        for (i, pair) in bounds.windows(2).enumerate() {
            bucket_of.extend((pair[0].ordinal()..pair[1].ordinal()).map(|_| narrow(i)));
            rows.push(narrow(months.partition_point(|m| m.next() <= pair[0])));
        }
        bucket_of.push(narrow(bounds.len() - 1));
        rows.push(narrow(months.len()));
        let epoch = index(epoch);
        Self { months, bounds, bucket_of, rows, windows, epoch }
    }

    /// The requested months, ascending.
    pub(crate) fn months(&self) -> &[Month] {
        &self.months
    }

    /// The number of requested months.
    pub(crate) fn n_rows(&self) -> u16 {
        narrow(self.months.len())
    }

    /// The number of bounds.
    pub(crate) fn n_bounds(&self) -> usize {
        self.bounds.len()
    }

    /// The bound 1995-01-01.
    pub(crate) const fn epoch(&self) -> u16 {
        self.epoch
    }

    /// The period of the month with index `row`.
    pub(crate) fn window(&self, row: usize, period: Period) -> Window {
        let at = Period::BY_CODE.iter().position(|p| *p == period).unwrap_or(0);
        self.windows[row][at]
    }

    /// The position of `t`; `None` before the first bound. A day or month zero belongs to the last
    /// real day before it, as in the order of stamps.
    pub(crate) fn moment(&self, t: Stamp) -> Option<Moment> {
        let month = match (t.month_of_year(), t.day()) {
            (0, _) => Month::new(t.year().checked_sub(1)?, 12)?,
            (m, 0) => {
                let month = Month::new(t.year(), m)?;
                if month.ordinal() == 0 {
                    return None;
                }
                month.previous()
            }
            (m, _) => Month::new(t.year(), m)?,
        };
        let distance = month.ordinal().checked_sub(self.bounds[0].ordinal())?;
        let bucket = self.bucket_of[(distance as usize).min(self.bucket_of.len() - 1)];
        Some(Moment { bucket, at_bound: t == self.bounds[usize::from(bucket)].start() })
    }

    /// How a moment counts.
    pub(crate) fn seen_at(&self, moment: Moment) -> Visibility {
        Visibility { row: self.rows[usize::from(moment.bucket)], level: moment.bucket + u16::from(!moment.at_bound) }
    }

    /// How an instant counts; `None` if it is in no period of any month.
    pub(crate) fn seen(&self, t: Stamp) -> Option<Visibility> {
        let seen = self.seen_at(self.moment(t)?);
        (seen.row < self.n_rows() && seen.level > 0).then_some(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).unwrap()
    }

    #[test]
    fn midnight_belongs_to_periods_that_begin_earlier() {
        let axis = Axis::new(month("2025-07"), month("2025-07"));
        let inside =
            |text: &str, period| axis.seen(stamp(text)).is_some_and(|seen| seen.level > axis.window(0, period).start);
        for (text, expected) in [
            ("2025-07-01 00:00:00", [true, false, false, true, true, true]),
            ("2025-07-01 00:00:01", [true; 6]),
            ("2025-07-31 23:59:59", [true; 6]),
            ("2025-08-01 00:00:00", [false; 6]),
            ("2025-07-00 00:00:00", [true, false, false, true, true, true]),
            ("2025-08-00 00:00:00", [true; 6]),
            ("2025-00-00 00:00:00", [false, false, false, true, true, true]),
            ("2025-01-01 00:00:00", [false, false, false, true, true, true]),
            ("2024-08-01 00:00:00", [false, false, false, false, false, true]),
            ("1995-01-01 00:00:00", [false; 6]),
            ("1995-01-01 00:00:01", [false, false, false, false, false, true]),
            ("0000-00-00 00:00:00", [false; 6]),
            ("9999-12-31 23:59:59", [false; 6]),
        ] {
            assert_eq!(Period::BY_CODE.map(|p| inside(text, p)), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn levels_say_the_same_as_comparing_instants(
            first in 1994_u16..1997, month in 1_u8..=12, n in 0_u32..30,
            year in 1992_u16..2001, m in 0_u8..=12, day in 0_u8..=28, second in 0_u8..2, hour in 0_u8..2,
        ) {
            let first = Month::new(first, month).unwrap();
            let axis = Axis::new(first, first.plus(n));
            let t = Stamp::from_parts(year, m, day, hour, 0, second);
            let seen = axis.seen(t);
            for (row, &month) in axis.months().iter().enumerate() {
                for period in Period::BY_CODE {
                    let direct = t > period.start(month) && t < Period::stop(month);
                    let ours = seen.is_some_and(|s| {
                        usize::from(s.row) <= row && s.level > axis.window(row, period).start
                    });
                    prop_assert_eq!(direct, ours, "{} {} {:?}", t, month, period);
                }
            }
        }
    }
}
