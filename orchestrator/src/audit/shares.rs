//! The share of missing values in a column, month by month, and the months in which it is unusually high.

use std::collections::BTreeMap;

use schema::Month;

use super::tables::MonthOfRows;

/// Months with fewer rows prove nothing.
pub(super) const ROWS_MIN: u64 = 100;
/// A share above this is a finding even if all months are alike.
pub(super) const HALF: f64 = 0.5;

/// A month with many missing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MissingShare {
    pub(super) month: Month,
    pub(super) total: u64,
    pub(super) missing: u64,
}

impl MissingShare {
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub(super) fn ratio(self) -> f64 {
        self.missing as f64 / self.total as f64
    }
}

/// How much of a column is missing in each month.
#[derive(Debug)]
pub(super) struct Shares {
    pub(super) n_months: usize,
    pub(super) median: f64,
    pub(super) threshold: f64,
    /// Above the threshold.
    pub(super) bad: Vec<MissingShare>,
}

impl Shares {
    /// For the column at index `column` of [`MonthOfRows::missing`]. The threshold is five times the
    /// upper median, but at least `floor` and at most `ceiling`.
    pub(super) fn of(months: &BTreeMap<Month, MonthOfRows>, column: usize, floor: f64, ceiling: f64) -> Self {
        let large = months.iter().filter(|(_, seen)| seen.rows >= ROWS_MIN);
        let missing = |seen: &MonthOfRows| seen.missing.get(column).copied().unwrap_or(0);
        let all: Vec<MissingShare> = large
            .map(|(month, seen)| MissingShare { month: *month, total: seen.rows, missing: missing(seen) })
            .collect();
        let mut ratios: Vec<f64> = all.iter().map(|share| share.ratio()).collect();
        ratios.sort_by(f64::total_cmp);
        let median = ratios.get(ratios.len() / 2).copied().unwrap_or(0.0);
        let threshold = (median * 5.0).min(ceiling).max(floor);
        let n_months = all.len();
        let bad = all.into_iter().filter(|share| share.missing > 0 && share.ratio() > threshold).collect();
        Self { n_months, median, threshold, bad }
    }
}
