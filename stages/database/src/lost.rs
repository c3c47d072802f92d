//! Statements outside of transactions that a lost server left unanswered: reads, and definitions of tables, are
//! repeated in a new session. Rows that were being changed are not: nobody knows whether they were.

use anyhow::Result;

use crate::connection::Db;
use crate::error::{DbError, ErrorKind};
use crate::retry::{PAUSES, retry};
use crate::statements::{begins_with, is_read};

/// Errors that a repeated definition gets if the server had carried out the first one: the table, column or key is
/// there, or is gone.
const DONE_BEFORE: [u16; 8] = [1007, 1008, 1050, 1051, 1060, 1061, 1068, 1091];

/// The error for a table that is missing: after a RENAME, it has its new name.
const NO_TABLE: u16 = 1146;

fn is_lost(error: &anyhow::Error) -> bool {
    DbError::of(error).is_some_and(|e| e.kind() == ErrorKind::Gone)
}

impl Db {
    /// Defines tables; after a lost server, again in a new session.
    pub(crate) fn define<T: Default>(
        &mut self,
        sql: &str,
        mut statement: impl FnMut(&mut Self) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let (may, mut is_repeated) = (!self.in_transaction, false);
        let attempt = || {
            if std::mem::replace(&mut is_repeated, true) {
                self.reconnect().map_err(DbError::into_gone)?;
                return match statement(self) {
                    Err(error) if was_done(sql, error.code()) => Ok(T::default()),
                    other => other,
                };
            }
            statement(self)
        };
        retry(attempt, |error, n| PAUSES.get(n).filter(|_| may && error.kind() == ErrorKind::Gone).copied())
    }

    /// Reads rows; if the server was lost before the first one, again in a new session. `work` says with its second
    /// argument how many rows it has passed on.
    pub(crate) fn read<T>(&mut self, sql: &str, mut work: impl FnMut(&mut Self, &mut u64) -> Result<T>) -> Result<T> {
        let may = !self.in_transaction && is_read(sql);
        let (mut n_rows, mut is_repeated) = (0, false);
        let attempt = || {
            if std::mem::replace(&mut is_repeated, true) {
                self.reconnect().map_err(DbError::into_gone).map_err(|error| (anyhow::Error::from(error), true))?;
            }
            work(self, &mut n_rows).map_err(|error| (error, n_rows == 0))
        };
        let pause = |(error, is_unread): &(anyhow::Error, bool), n: usize| {
            PAUSES.get(n).filter(|_| may && *is_unread && is_lost(error)).copied()
        };
        retry(attempt, pause).map_err(|(error, _)| error)
    }

    /// Does work that begins by removing what an earlier attempt left: after a lost server, again in a new session.
    ///
    /// # Errors
    /// The work fails, or the last attempt does.
    pub fn from_scratch<T>(&mut self, mut work: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        let mut is_repeated = false;
        let attempt = || {
            if std::mem::replace(&mut is_repeated, true) {
                self.reconnect().map_err(DbError::into_gone)?;
            }
            work(self)
        };
        retry(attempt, |error, n| PAUSES.get(n).filter(|_| is_lost(error)).copied())
    }
}

fn was_done(sql: &str, code: u16) -> bool {
    DONE_BEFORE.contains(&code) || code == NO_TABLE && begins_with(sql, &["RENAME"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_definition_that_was_carried_out_before_is_done() {
        assert!(was_done("RENAME TABLE a TO b", 1146) && !was_done("ALTER TABLE a ENGINE=InnoDB", 1146));
        assert!(was_done("CREATE TABLE a (x int)", 1050) && !was_done("CREATE TABLE a (x int)", 1142));
    }
}
