//! Replaces a table by one that was built next to it, in one atomic step.

use std::time::Duration;

use anyhow::Result;

use crate::connection::Db;
use crate::error::{DbError, ErrorKind};
use crate::retry::retry;

/// How long an exchange waits for readers, in seconds. Everyone who comes later has to wait behind
/// it, so it does not insist: it backs off and tries again.
const WAIT_SECS: u32 = 2;

/// How often it is tried.
const TRIES: usize = 100;

impl Db {
    /// Renames tables atomically: `a TO b, c TO a`. A reader that uses one of them may prevent it;
    /// then nothing has changed, and it is tried again for about a quarter of an hour.
    ///
    /// # Errors
    /// A table is missing or exists already, or another session keeps using one.
    pub fn rename(&mut self, renames: &str) -> Result<()> {
        self.check_writer()?;
        self.run(&format!("SET SESSION lock_wait_timeout = {WAIT_SECS}"), ())?;
        let done = self.try_rename(&format!("RENAME TABLE {renames}"));
        // a lost session has also lost its settings
        let _ = self.run("SET SESSION lock_wait_timeout = DEFAULT", ());
        done
    }

    fn try_rename(&mut self, sql: &str) -> Result<()> {
        let pause = |error: &DbError, n_failed: usize| {
            let pause = match error.kind() {
                ErrorKind::Deadlock => Duration::from_millis(20 << (n_failed + 1).min(4)),
                ErrorKind::LockWait => Duration::from_secs((n_failed as u64 + 1).min(10)),
                _ => return None,
            };
            (n_failed + 1 < TRIES).then_some(pause)
        };
        let is_busy = |error: &DbError| matches!(error.kind(), ErrorKind::Deadlock | ErrorKind::LockWait);
        retry(|| self.run(sql, ()).map(drop), pause).map_err(|error| match is_busy(&error) {
            true => anyhow::Error::from(error).context("another program keeps using a table that must be replaced"),
            false => error.into(),
        })
    }

    /// Restores the name of a table if a server without atomic RENAME died in the middle of an
    /// exchange: then `TABLE__old` exists, but not `TABLE`.
    ///
    /// # Errors
    /// Those of [`Db::rename`].
    pub fn restore(&mut self, table: &str) -> Result<()> {
        let old = format!("{table}__old");
        if !self.has_table(table)? && self.has_table(&old)? {
            let quote = schema::tables::quote;
            self.rename(&format!("{} TO {}", quote(&old), quote(table)))?;
        }
        Ok(())
    }
}
