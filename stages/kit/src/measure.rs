//! Counts and durations of steps of a run, for whoever records them at its end.
//!
//! Code calls [`count`] and [`step`] once per file, step or table, never per line. Names are lower case
//! with dots: `rows`, `dropped.bot`, `dns.answered`. Nothing is written anywhere here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The figures of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measures {
    /// Counts by name.
    pub counts: BTreeMap<String, u64>,
    /// The total duration of each step.
    pub steps: BTreeMap<String, Duration>,
}

static MEASURES: Mutex<Measures> = Mutex::new(Measures { counts: BTreeMap::new(), steps: BTreeMap::new() });

fn lock() -> MutexGuard<'static, Measures> {
    MEASURES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds to a count.
pub fn count(name: &str, n: u64) {
    if n > 0 {
        *lock().counts.entry(name.to_owned()).or_default() += n;
    }
}

/// Does a step of the work and measures its duration; a terminal shows it if it takes long.
pub fn step<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let _shown = crate::Progress::rows(name);
    let begun = Instant::now();
    let done = work();
    *lock().steps.entry(name.to_owned()).or_default() += begun.elapsed();
    done
}

/// Takes all figures; counting starts again from zero.
#[must_use]
pub fn take() -> Measures {
    std::mem::take(&mut *lock())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up_and_are_taken_once() {
        count("test.a", 2);
        count("test.a", 3);
        count("test.none", 0);
        assert_eq!(step("test.step", || 7), 7);
        step("test.step", || ());
        let taken = take();
        assert_eq!((taken.counts.get("test.a"), taken.counts.get("test.none")), (Some(&5), None));
        assert!(taken.steps.contains_key("test.step"));
        assert!(!take().counts.contains_key("test.a"));
    }
}
