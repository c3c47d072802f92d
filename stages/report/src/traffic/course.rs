//! Requests by day, by month, and by the hours of a week.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use schema::{Month, Stamp};

/// Numbers of one day or month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) requests: u64,
    pub(super) downloads: u64,
    pub(super) hits: u64,
}

/// The course of the traffic.
#[derive(Debug, Default)]
pub(super) struct Course {
    days: FxHashMap<Stamp, Sum>,
    /// Requests by day of the week (Monday first) and hour.
    week: [[u64; 24]; 7],
}

impl Course {
    pub(super) fn add(&mut self, when: Stamp, is_download: bool) {
        let sum = self.days.entry(when.midnight()).or_default();
        sum.requests += 1;
        sum.downloads += u64::from(is_download);
        if let Some(hours) = self.week.get_mut(weekday(when))
            && let Some(n) = hours.get_mut(usize::from(when.hour()))
        {
            *n += 1;
        }
    }

    /// Adds the hits of a day. A zero date (a log without hits) has none.
    pub(super) fn add_hits(&mut self, day: Stamp, hits: u64) {
        if day.is_calendar_day() {
            self.days.entry(day.midnight()).or_default().hits += hits;
        }
    }

    pub(super) const fn week(&self) -> &[[u64; 24]; 7] {
        &self.week
    }

    /// The days of a month from the first to the last with numbers.
    pub(super) fn days(&self, month: Month) -> Vec<(u8, Sum)> {
        let found: BTreeMap<u8, Sum> = self
            .days
            .iter()
            .filter(|(day, _)| day.month() == Some(month))
            .map(|(day, sum)| (day.day(), *sum))
            .collect();
        let Some((&first, &last)) = found.keys().next().zip(found.keys().next_back()) else { return Vec::new() };
        (first..=last).map(|day| (day, found.get(&day).copied().unwrap_or_default())).collect()
    }

    /// Sums by month.
    pub(super) fn months(&self) -> BTreeMap<Month, Sum> {
        let mut months: BTreeMap<Month, Sum> = BTreeMap::new();
        for (month, day) in self.days.iter().filter_map(|(day, sum)| Some((day.month()?, sum))) {
            let sum = months.entry(month).or_default();
            sum.requests += day.requests;
            sum.downloads += day.downloads;
            sum.hits += day.hits;
        }
        months
    }

    /// The first and the last day.
    pub(super) fn span(&self) -> Option<(Stamp, Stamp)> {
        self.days.keys().min().copied().zip(self.days.keys().max().copied())
    }

    pub(super) fn total(&self) -> Sum {
        let add = |a: Sum, b: &Sum| Sum {
            requests: a.requests + b.requests,
            downloads: a.downloads + b.downloads,
            hits: a.hits + b.hits,
        };
        self.days.values().fold(Sum::default(), add)
    }
}

/// 0 for Monday.
fn weekday(when: Stamp) -> usize {
    when.day_number().and_then(|n| usize::try_from((n + 5).rem_euclid(7)).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_place_in_the_week() {
        for (day, place) in [("2025-07-07", 0), ("2025-07-10", 3), ("2024-02-29", 3), ("2023-01-01", 6)] {
            assert_eq!(weekday(Stamp::parse(day).unwrap()), place, "{day}");
        }
    }

    #[test]
    fn a_day_without_requests_is_a_day_of_none() {
        let mut course = Course::default();
        for when in ["2025-07-10 11:00:00", "2025-07-10 11:30:00", "2025-07-12 00:00:00"] {
            course.add(Stamp::parse(when).unwrap(), when.contains("30"));
        }
        course.add_hits(Stamp::parse("2025-07-10").unwrap(), 9);
        course.add_hits(Stamp::ZERO, 5);
        let sum = |requests, downloads, hits| Sum { requests, downloads, hits };
        let days = course.days("2025-07".parse().unwrap());
        assert_eq!(days, [(10, sum(2, 1, 9)), (11, sum(0, 0, 0)), (12, sum(1, 0, 0))]);
        assert_eq!(course.total(), sum(3, 1, 9));
        assert_eq!((course.week()[3][11], course.week()[5][0]), (2, 1));
    }
}
