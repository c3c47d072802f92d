//! Counts the work on a line, so that tests can compare it with the length of the line. Without debug
//! assertions nothing is counted.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Adds `n` steps: about that many bytes were examined.
#[inline]
pub fn add(n: usize) {
    if cfg!(debug_assertions) {
        STEPS.set(STEPS.get() + n);
    }
}

/// How many steps this thread counts during `work`.
pub fn of<T>(work: impl FnOnce() -> T) -> usize {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}
