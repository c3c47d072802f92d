//! Replacing a table by one that was built beside it, in one atomic step.

use std::time::Duration;

use anyhow::Result;

use crate::connection::Db;
use crate::error::{DbError, ErrorKind};
use crate::retry::retry;

/// How long an exchange waits for those who read, in seconds. Everybody who comes later waits
/// after it, so it does not insist: it steps back and tries again.
const WAIT_SECS: u32 = 2;

/// How often it is tried.
const TRIES: usize = 100;

impl Db {
    /// Renames tables, all in one moment: `a TO b, c TO a`. A reader who holds one of them may be
    /// in the way of that; then nothing has happened, and it is tried again for about a quarter of
    /// an hour.
    ///
    /// # Errors
    /// A table is missing or there already, or somebody never lets go of one.
    pub fn rename(&mut self, renames: &str) -> Result<()> {
        self.run(&format!("SET SESSION lock_wait_timeout = {WAIT_SECS}"), ())?;
        let done = self.try_rename(&format!("RENAME TABLE {renames}"));
        // a lost session has lost its settings too
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
            true => anyhow::Error::from(error).context("another program keeps using a table that is to be exchanged"),
            false => error.into(),
        })
    }

    /// Gives a table its name back when a server that knows no atomic RENAME died in the middle of
    /// an exchange: then there is `TABLE__old` and no `TABLE`.
    ///
    /// # Errors
    /// As [`Db::rename`].
    pub fn restore(&mut self, table: &str) -> Result<()> {
        let old = format!("{table}__old");
        if !self.has_table(table)? && self.has_table(&old)? {
            let quote = schema::tables::quote;
            self.rename(&format!("{} TO {}", quote(&old), quote(table)))?;
        }
        Ok(())
    }
}
