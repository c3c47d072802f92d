//! The lock of all writers, held for some seconds at a time: an import that comes meanwhile gets its turn.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hub::lock::Lock;

use crate::hub::Hub;

/// After how long others get a turn.
const TURN: Duration = Duration::from_secs(5);

/// How long the lock is left free: those who wait for it look twice a second.
const FREE: Duration = Duration::from_millis(700);

/// How long we wait for others: an import of many logs takes its time.
const WAIT: Duration = Duration::from_secs(4 * 3600);

/// The lock, held or given back.
pub(crate) struct Turns<'h> {
    hub: &'h Hub,
    lock: Option<Lock>,
    since: Instant,
}

impl<'h> Turns<'h> {
    /// The first turn.
    ///
    /// # Errors
    /// Others hold the lock ([`kit::Busy`]), or it cannot be created.
    pub(crate) fn begin(hub: &'h Hub) -> Result<Self> {
        Ok(Self { hub, lock: hub.lock_in_turns(Duration::ZERO)?, since: Instant::now() })
    }

    /// For programs that write in our name.
    pub(crate) const fn lock(&self) -> Option<&Lock> {
        self.lock.as_ref()
    }

    /// Does work that only reads while others may write.
    ///
    /// # Errors
    /// The work fails, or those of [`Turns::begin`].
    pub(crate) fn beside_others<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.hub.give_back(self.lock.take());
        let done = work()?;
        self.again()?;
        Ok(done)
    }

    /// Lets others in if this turn is long enough. Returns whether it did: then anything may have changed.
    ///
    /// # Errors
    /// Those of [`Turns::begin`].
    pub(crate) fn let_others_in(&mut self) -> Result<bool> {
        if self.since.elapsed() < TURN {
            return Ok(false);
        }
        self.beside_others(|| {
            std::thread::sleep(FREE);
            Ok(())
        })?;
        Ok(true)
    }

    fn again(&mut self) -> Result<()> {
        let doing = "what is done is kept, and the next `hzmetrics prune` continues";
        self.lock = self.hub.lock_in_turns(WAIT).context(doing)?;
        self.since = Instant::now();
        Ok(())
    }
}
