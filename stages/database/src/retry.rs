//! Work that is tried again after a pause: the pauses, and the loop. `transaction.rs` says after which errors.

use std::time::Duration;

/// The pauses before a transaction is tried again.
pub(crate) const PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];

/// Tries until it succeeds, or until `pause` returns none. `pause` gets the error and the number of
/// failed attempts before it.
pub fn retry<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    mut pause: impl FnMut(&E, usize) -> Option<Duration>,
) -> Result<T, E> {
    let mut n_failed = 0;
    loop {
        let error = match attempt() {
            Err(error) => error,
            done => return done,
        };
        let Some(pause) = pause(&error, n_failed) else { return Err(error) };
        kit::measure::count("database.retries", 1);
        std::thread::sleep(pause);
        n_failed += 1;
    }
}
