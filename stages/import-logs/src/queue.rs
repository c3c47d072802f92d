//! Between the reading and the writing side of a run: what is in progress, and who waits for whom.

use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use logs::fingerprint::Fingerprint;

use crate::block::BlockResult;
use crate::bots::list::BotList;
use crate::pieces::Spare;
use crate::unit::Stream;

/// How many bytes of blocks may be read ahead of the writer.
const ON_THE_WAY: usize = 8 << 20;

/// What the reading side sends to the writing side.
pub(crate) enum Message {
    /// A file begins, with this layout and the first byte of it that is read; so many NUL bytes are
    /// skipped from there.
    Begin(Stream, u64, u64),
    /// The future result of a block of this many bytes.
    Block(Receiver<BlockResult>, usize),
    /// The beginning of a line that is too long, and its length.
    TooLong(Vec<u8>, u64),
    /// The beginning of the rest of a line whose first part an earlier import has counted, and how long
    /// the rest is.
    Rest(Vec<u8>, u64),
    Cut,
    /// What was read, from which byte on, and whether the last part of a line is missing, so that the line
    /// is left unread.
    End {
        read: Option<Fingerprint>,
        offset: u64,
        lacks_part: bool,
    },
    Failed(anyhow::Error),
}

/// The writer's progress, which the reading side may wait for.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) n_units: usize,
    /// Bytes of blocks that were read but not yet written.
    pub(crate) n_bytes: usize,
    pub(crate) bots: BotList,
}

/// What both sides share.
pub(crate) struct Queue {
    state: Mutex<Written>,
    changed: Condvar,
    /// Memory of rows that were written.
    pub(crate) rows: Spare,
}

impl Queue {
    pub(crate) fn new(bots: BotList) -> Self {
        let state = Written { n_units: 0, n_bytes: 0, bots };
        Self { state: Mutex::new(state), changed: Condvar::new(), rows: Spare::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Written> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the first `n` files are written.
    pub(crate) fn wait_for(&self, n: usize) -> MutexGuard<'_, Written> {
        let mut state = self.lock();
        while state.n_units < n {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Waits until there is room for a block. Several small ones fit at once; a large one must be
    /// alone.
    pub(crate) fn take(&self, n_bytes: usize) {
        let mut state = self.lock();
        while state.n_bytes > 0 && state.n_bytes + n_bytes > ON_THE_WAY && state.n_units < usize::MAX {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.n_bytes += n_bytes;
    }

    pub(crate) fn give_back(&self, n_bytes: usize) {
        self.lock().n_bytes -= n_bytes;
        self.changed.notify_all();
    }

    pub(crate) fn unit_done(&self) {
        self.lock().n_units += 1;
        self.changed.notify_all();
    }

    /// Lets a waiting reader continue, whatever it waits for: nobody writes any more.
    pub(crate) fn give_up(&self) {
        self.lock().n_units = usize::MAX;
        self.changed.notify_all();
    }
}
