//! Tool starts from the middleware's job log: which jobs are missing among the tool starts, and
//! which tool starts lack a value. Pure: takes rows in any order, returns what to write.
//!
//! Both lists are walked once, in parallel, in the order of the database's collation, while keys
//! are compared byte by byte. If the two orders disagree (`alice` before `Bob` in one, after it in
//! the other), a tool start is ignored and its job counts as missing, as it does in legacy.

use std::cmp::Ordering;

use rayon::prelude::*;
use schema::Stamp;

use crate::names::{Name, Names, Weighed};

/// A job with the data of its session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) start: Stamp,
    pub(crate) user: Name,
    pub(crate) ip: Name,
    pub(crate) tool: Name,
    pub(crate) exechost: Name,
    pub(crate) walltime: Option<f64>,
    pub(crate) cputime: Option<f64>,
    /// The rest of the key, for ties.
    pub(crate) sessnum: u64,
    pub(crate) job: u64,
    pub(crate) event: Name,
    pub(crate) venue: Name,
    /// Whether it only waited.
    pub(crate) waited: bool,
}

/// An existing tool start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) id: u64,
    pub(crate) stamp: Stamp,
    pub(crate) user: Name,
    pub(crate) ip: Name,
    /// The column to fill.
    pub(crate) value: Option<f64>,
}

/// Which of the two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Wall time: missing jobs become tool starts.
    Wall,
    /// CPU time: fills tool starts that have none.
    Cpu,
}

/// What to write.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// Indices of jobs in the list, and their values, in the order of insertion.
    pub(crate) insert: Vec<(usize, Option<f64>)>,
    /// Tool starts and their new value.
    pub(crate) update: Vec<(u64, f64)>,
}

/// Sorts jobs in the order of the walk.
pub(crate) fn sort_jobs(jobs: &mut [Job], weighed: &Weighed) {
    let rank = |name| weighed.rank(name);
    jobs.par_sort_unstable_by_key(|job| {
        (job.start, rank(job.user), rank(job.ip), job.sessnum, job.job, rank(job.event), rank(job.venue))
    });
}

/// The same for tool starts.
pub(crate) fn sort_starts(starts: &mut [Start], weighed: &Weighed) {
    starts.par_sort_unstable_by_key(|start| (start.stamp, weighed.rank(start.user), weighed.rank(start.ip), start.id));
}

/// The value in stored form.
fn stored(value: Option<f64>) -> f64 {
    match value {
        Some(value) if value < 0.0 => -1.0,
        value => (value.unwrap_or(0.0) + 0.5).floor(),
    }
}

fn value(job: &Job, metric: Metric) -> Option<f64> {
    if metric == Metric::Wall { job.walltime } else { job.cputime }
}

/// The jobs that count, with their indices.
fn counting(jobs: &[Job], metric: Metric) -> impl Iterator<Item = (usize, &Job)> {
    jobs.iter().enumerate().filter(move |(_, job)| metric == Metric::Cpu || !job.waited)
}

/// Walks both sorted lists.
pub(crate) fn walk(jobs: &[Job], starts: &[Start], names: &Names, metric: Metric) -> Changes {
    let bytes = |name: Name| names.text(name).as_bytes();
    let mut changes = Changes::default();
    let mut at = 0;
    for (place, job) in counting(jobs, metric) {
        let compare = |start: &Start| {
            let users = || bytes(start.user).cmp(bytes(job.user));
            start.stamp.cmp(&job.start).then_with(users).then_with(|| bytes(start.ip).cmp(bytes(job.ip)))
        };
        while starts.get(at).is_some_and(|start| compare(start) == Ordering::Less) {
            at += 1;
        }
        let new = stored(value(job, metric));
        match starts.get(at).filter(|start| compare(start) == Ordering::Equal) {
            Some(start) => {
                let old = start.value.unwrap_or(0.0);
                let lacks = if metric == Metric::Wall { old < 0.0 } else { old <= 0.0 };
                if lacks && new > 0.0 {
                    changes.update.push((start.id, new));
                }
                at += 1;
            }
            None if metric == Metric::Wall => changes.insert.push((place, Some(new))),
            None => {}
        }
    }
    changes
}

/// The port's method: jobs whose key (under the collation) no tool start has are inserted, and
/// every tool start with the key that lacks a value gets that of the first job that has one.
pub(crate) fn merge(jobs: &[Job], starts: &[Start], weighed: &Weighed, metric: Metric) -> Changes {
    let mut changes = Changes::default();
    // NULL equals nothing
    let key_of_start = |s: &Start| (s.user != Name::NULL).then(|| (s.stamp, weighed.rank(s.user), weighed.rank(s.ip)));
    let key_of_job = |job: &Job| (job.start, weighed.rank(job.user), weighed.rank(job.ip));
    let there: rustc_hash::FxHashSet<_> = starts.iter().filter_map(key_of_start).collect();
    let mut values = rustc_hash::FxHashMap::default();
    for (place, job) in counting(jobs, metric) {
        let value = value(job, metric);
        let key = key_of_job(job);
        if let Some(value) = value.filter(|value| *value > 0.0) {
            values.entry(key).or_insert_with(|| (value + 0.5).floor());
        }
        if metric == Metric::Wall && !there.contains(&key) {
            changes.insert.push((place, value.map(|value| stored(Some(value)))));
        }
    }
    for start in starts {
        let lacks = start.value.is_some_and(|old| if metric == Metric::Wall { old < 0.0 } else { old <= 0.0 });
        if lacks && let Some(value) = key_of_start(start).and_then(|key| values.get(&key)) {
            changes.update.push((start.id, *value));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inserted job numbers with values, and updates.
    type Written = (Vec<(u64, Option<f64>)>, Vec<(u64, f64)>);

    struct Case {
        names: Names,
        jobs: Vec<Job>,
        starts: Vec<Start>,
    }

    impl Case {
        fn new() -> Self {
            Self { names: Names::new(), jobs: Vec::new(), starts: Vec::new() }
        }

        fn job(mut self, second: u8, user: &str, ip: &str, value: Option<f64>) -> Self {
            let n = self.jobs.len() as u64;
            self.jobs.push(Job {
                start: Stamp::from_parts(2025, 7, 1, 0, 0, second),
                user: self.names.intern(user),
                ip: self.names.intern(ip),
                tool: Name::EMPTY,
                exechost: Name::EMPTY,
                walltime: value,
                cputime: value,
                sessnum: n,
                job: 0,
                event: Name::EMPTY,
                venue: Name::EMPTY,
                waited: false,
            });
            self
        }

        fn waited(mut self) -> Self {
            self.jobs.iter_mut().last().unwrap().waited = true;
            self
        }

        fn start(mut self, second: u8, user: Option<&str>, ip: &str, value: Option<f64>) -> Self {
            let id = self.starts.len() as u64 + 1;
            let stamp = Stamp::from_parts(2025, 7, 1, 0, 0, second);
            let (user, ip) = (self.names.intern_option(user), self.names.intern(ip));
            self.starts.push(Start { id, stamp, user, ip, value });
            self
        }

        fn done(mut self, metric: Metric, port: bool) -> Written {
            let weighed = self.names.weigh();
            sort_jobs(&mut self.jobs, &weighed);
            sort_starts(&mut self.starts, &weighed);
            let changes = if port {
                merge(&self.jobs, &self.starts, &weighed, metric)
            } else {
                walk(&self.jobs, &self.starts, &self.names, metric)
            };
            let insert = changes.insert.iter().map(|(place, value)| (self.jobs[*place].sessnum, *value)).collect();
            (insert, changes.update)
        }
    }

    #[test]
    fn values_are_rounded_half_up() {
        for (value, expected) in [
            (Some(200.5), 201.0),
            (Some(0.5), 1.0),
            (Some(0.4), 0.0),
            (Some(199.4), 199.0),
            (Some(-0.3), -1.0),
            (Some(0.0), 0.0),
            (None, 0.0),
        ] {
            assert!((stored(value) - expected).abs() < f64::EPSILON, "{value:?}");
        }
    }

    #[test]
    fn exactly_the_missing_jobs_are_inserted() {
        let case = || {
            Case::new().job(1, "u", "i", Some(40.5)).job(1, "u", "i", Some(50.5)).job(2, "v", "i", None).start(
                1,
                Some("u"),
                "i",
                Some(0.0),
            )
        };
        assert_eq!(case().done(Metric::Wall, false), (vec![(1, Some(51.0)), (2, Some(0.0))], vec![]));
        // the port looks at keys, and treats no value as missing
        assert_eq!(case().done(Metric::Wall, true), (vec![(2, None)], vec![]));
    }

    #[test]
    fn keys_are_compared_as_bytes_but_ordered_by_the_collation() {
        let case = || {
            Case::new().job(1, "alice", "i", Some(1.0)).job(1, "Bob", "i", Some(2.0)).start(1, Some("Bob"), "i", None)
        };
        assert_eq!(case().done(Metric::Wall, false).0, [(0, Some(1.0)), (1, Some(2.0))]);
        assert_eq!(case().done(Metric::Wall, true).0, [(0, Some(1.0))]);
        let case = || Case::new().job(1, "Bob", "i", Some(3.0)).start(1, Some("bob"), "i", Some(0.0));
        assert_eq!(case().done(Metric::Cpu, false), (vec![], vec![]));
        assert_eq!(case().done(Metric::Cpu, true), (vec![], vec![(1, 3.0)]));
    }

    #[test]
    fn cpu_time_fills_empty_tool_starts_one_by_one() {
        let case = || {
            Case::new()
                .job(1, "u", "i", Some(0.4))
                .job(2, "u", "i", Some(10.0))
                .job(3, "u", "i", Some(5.0))
                .job(3, "u", "i", Some(6.0))
                .job(4, "u", "i", Some(7.0))
                .start(1, Some("u"), "i", Some(0.0))
                .start(2, Some("u"), "i", None)
                .start(3, Some("u"), "i", Some(0.0))
                .start(3, Some("u"), "i", Some(0.0))
                .start(4, Some("u"), "i", Some(8.0))
        };
        assert_eq!(case().done(Metric::Cpu, false), (vec![], vec![(2, 10.0), (3, 5.0), (4, 6.0)]));
        assert_eq!(case().done(Metric::Cpu, true), (vec![], vec![(1, 0.0), (3, 5.0), (4, 5.0)]));
    }

    #[test]
    fn a_job_that_only_waited_may_replace_a_real_one() {
        let case = || {
            Case::new().job(1, "u", "i", Some(1.0)).waited().job(1, "u", "i", Some(2.0)).start(
                1,
                Some("u"),
                "i",
                Some(0.0),
            )
        };
        assert_eq!(case().done(Metric::Cpu, false).1, [(1, 1.0)]);
        assert_eq!(case().done(Metric::Wall, false), (vec![], vec![]));
    }

    #[test]
    fn a_missing_user_counts_as_the_empty_user() {
        let case = || Case::new().job(1, "", "i", Some(1.0)).start(1, None, "i", None);
        assert_eq!(case().done(Metric::Wall, false), (vec![], vec![]));
        assert_eq!(case().done(Metric::Wall, true).0, [(0, Some(1.0))]);
    }

    #[test]
    fn a_wall_time_below_zero_is_replaced() {
        let case = || Case::new().job(1, "u", "i", Some(9.0)).start(1, Some("u"), "i", Some(-1.0));
        assert_eq!(case().done(Metric::Wall, false), (vec![], vec![(1, 9.0)]));
        assert_eq!(case().done(Metric::Wall, true), (vec![], vec![(1, 9.0)]));
    }
}
