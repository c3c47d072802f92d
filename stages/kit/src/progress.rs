//! One line of progress on a terminal, for work that takes longer than a second; nothing elsewhere.
//!
//! Work is announced with [`Progress`], or with [`crate::measure::step`]. The line shows the innermost
//! work of the process. Programs of one pipe share a terminal: the first one that has something to show
//! draws, the others wait. Nothing is drawn before [`enable`] is called, under cron, in a pipe of standard
//! error, with `--quiet` or `TERM=dumb`.

mod screen;
mod task;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub(crate) use screen::before_output;
pub use screen::{Paused, enable, is_terminal, leave_signals, pause, write_message};
pub use task::{CONTEXT, rows_read, rows_written};
use task::{Counts, Task, Unit, rows};

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
