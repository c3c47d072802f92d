//! What happens after a deadlock, a lock wait timeout or a lost connection: the transaction is rolled back
//! and retried after a pause.

use anyhow::Result;
use mysql::prelude::Queryable as _;

use crate::connection::Db;
use crate::error::{DbError, ErrorKind};
use crate::retry::{PAUSES, retry};

impl Db {
    /// Runs `work` in a transaction over `tables`. After a deadlock, a lock wait timeout or a lost
    /// connection it runs again, up to four times, with increasing pauses.
    ///
    /// If one of the tables does not support transactions, `work` runs once: a second run would repeat
    /// what the first one wrote. If the connection is lost during COMMIT, there is no retry either,
    /// because nobody knows whether the commit took effect.
    ///
    /// # Errors
    /// `work` fails, or the last attempt does.
    pub fn transaction_with_retry<T>(
        &mut self,
        doing: &str,
        tables: &[&str],
        mut work: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<T> {
        anyhow::ensure!(!self.in_transaction, "{doing}: a transaction inside a transaction");
        let mut transactional = None;
        let attempt = || {
            let attempt = self.attempt(tables, &mut transactional, &mut work);
            self.in_transaction = false;
            attempt.map_err(|error| {
                let kind = DbError::of(&error).map(DbError::kind);
                kit::measure::count("database.errors", u64::from(kind.is_some()));
                if kind == Some(ErrorKind::Gone) {
                    self.engines.clear();
                } else {
                    // report the first error only
                    let _ = self.conn.query_drop("ROLLBACK");
                }
                let again = kind.is_some_and(ErrorKind::is_retryable) && transactional == Some(true);
                (error, again)
            })
        };
        let pause =
            |(_, again): &(anyhow::Error, bool), n_failed: usize| PAUSES.get(n_failed).filter(|_| *again).copied();
        retry(attempt, pause).map_err(|(error, _)| error.context(doing.to_owned()))
    }

    fn attempt<T>(
        &mut self,
        tables: &[&str],
        transactional: &mut Option<bool>,
        work: &mut impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<T> {
        if self.conn.ping().is_err() {
            self.reconnect().map_err(|e| if transactional.is_some() { e.into_gone() } else { e })?;
        }
        if transactional.is_none() {
            *transactional = Some(self.is_transactional(tables)?);
        }
        self.begin()?;
        self.told = false;
        let value = work(self)?;
        self.suppose_changes(tables)?;
        self.run("COMMIT", ()).map_err(DbError::into_unknown_commit)?;
        Ok(value)
    }
}
