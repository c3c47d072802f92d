//! Whether the first connection of this process waits for a server that is stopped, for example because it restarts.
//!
//! A run that writes, and that cron starts, does: otherwise the work of a night would be lost. It waits for at most the
//! sum of the pauses of other retries, 13 seconds, and only once. Whoever asks a question gets the answer at once.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_PATIENT: AtomicBool = AtomicBool::new(false);

/// The first connection of this process waits.
pub fn wait_for_the_server() {
    IS_PATIENT.store(true, Ordering::Relaxed);
}

/// Whether the connection that is opened now is the one that waits.
pub(crate) fn use_up() -> bool {
    IS_PATIENT.swap(false, Ordering::Relaxed)
}
