//! Work in progress as the screen knows it, and the rows that the process has read and written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The environment variable with what the caller is working on; it is shown before the name of the program.
pub const CONTEXT: &str = "HZMETRICS_PROGRESS";

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    /// Things with this name.
    Things(&'static str),
    /// Rows that are read and written, by whoever calls [`rows_read`] and [`rows_written`].
    Rows,
}

/// Work in progress.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: u64,
    pub(super) label: String,
    pub(super) unit: Unit,
    pub(super) counts: Arc<Counts>,
    pub(super) since: Instant,
    /// Rows of the process at its beginning: read, written.
    pub(super) before: [u64; 2],
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) done: AtomicU64,
    /// 0 if it is not known.
    pub(super) total: AtomicU64,
}

static ROWS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

pub(super) fn rows() -> [u64; 2] {
    [ROWS[0].load(Ordering::Relaxed), ROWS[1].load(Ordering::Relaxed)]
}

/// Counts rows read from a table.
pub fn rows_read(n: u64) {
    ROWS[0].fetch_add(n, Ordering::Relaxed);
}

/// Counts rows written to a table.
pub fn rows_written(n: u64) {
    ROWS[1].fetch_add(n, Ordering::Relaxed);
}
