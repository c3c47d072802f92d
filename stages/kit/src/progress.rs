//! One line of progress on a terminal, for work that takes longer than a second; nothing elsewhere.
//!
//! Work is announced with [`Progress`], or with [`crate::measure::step`]. The line shows the innermost
//! work of the process. Programs of one pipe share a terminal: the first one that has something to show
//! draws, the others wait. Nothing is drawn before [`enable`] is called, under cron, in a pipe of standard
//! error, with `--quiet` or `TERM=dumb`.

mod screen;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub(crate) use screen::before_output;
pub use screen::{Paused, enable, is_terminal, leave_signals, pause, write_message};

/// The environment variable with what the caller is working on; it is shown before the name of the program.
pub const CONTEXT: &str = "HZMETRICS_PROGRESS";

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    /// Things with this name.
    Things(&'static str),
    /// Rows that are read and written, by whoever calls [`rows_read`] and [`rows_written`].
    Rows,
}

/// Work in progress.
#[derive(Debug)]
struct Task {
    id: u64,
    label: String,
    unit: Unit,
    counts: Arc<Counts>,
    since: Instant,
    /// Rows of the process at its beginning: read, written.
    before: [u64; 2],
}

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    /// 0 if it is not known.
    total: AtomicU64,
}

static ROWS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

fn rows() -> [u64; 2] {
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

/// Work in progress; it ends when this is dropped.
#[derive(Debug)]
pub struct Progress {
    /// `None` if nothing is shown.
    id: Option<u64>,
    counts: Arc<Counts>,
}

impl Progress {
    /// Work on `total` bytes.
    #[must_use]
    pub fn bytes(label: &str, total: u64) -> Self {
        Self::new(label, Unit::Bytes, total)
    }

    /// Work on `total` things, named in the plural.
    #[must_use]
    pub fn things(label: &str, things: &'static str, total: u64) -> Self {
        Self::new(label, Unit::Things(things), total)
    }

    /// Work on the rows of tables, nobody knows how many.
    #[must_use]
    pub fn rows(label: &str) -> Self {
        Self::new(label, Unit::Rows, 0)
    }

    fn new(label: &str, unit: Unit, total: u64) -> Self {
        let counts = Arc::new(Counts { done: AtomicU64::new(0), total: AtomicU64::new(total) });
        let task = || Task {
            id: 0,
            label: label.to_owned(),
            unit,
            counts: Arc::clone(&counts),
            since: Instant::now(),
            before: rows(),
        };
        let id = screen::begin(task);
        Self { id, counts }
    }

    /// Advances by `n`.
    pub fn advance(&self, n: u64) {
        self.counts.done.fetch_add(n, Ordering::Relaxed);
    }

    /// Corrects the total by adding to it.
    pub fn add_total(&self, n: u64) {
        self.counts.total.fetch_add(n, Ordering::Relaxed);
    }

    /// Something that advances this from another thread or from inside a reader.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.counts))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            screen::end(id);
        }
    }
}

/// Advances a [`Progress`] from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Handle(Arc<Counts>);

impl Handle {
    /// Advances by `n`.
    pub fn advance(&self, n: u64) {
        self.0.done.fetch_add(n, Ordering::Relaxed);
    }

    /// Corrects the total by adding to it.
    pub fn add_total(&self, n: u64) {
        self.0.total.fetch_add(n, Ordering::Relaxed);
    }
}
