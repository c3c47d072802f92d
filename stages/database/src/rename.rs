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

/// The server's error number where a cluster does not allow a table. It sees no primary key in `LIKE`.
const NOT_ALLOWED: u16 = 4165;

/// The statement that creates a table, from that of another: with its columns and keys, without its foreign keys.
fn created_as(new: &str, shown: &str) -> Option<String> {
    let (_, body) = shown.split_once('(')?;
    let (lines, options) = body.rsplit_once("\n)")?;
    let lines: Vec<&str> = lines.lines().filter(|line| !line.trim_start().starts_with("CONSTRAINT")).collect();
    let options: Vec<&str> = options.split(' ').filter(|word| !word.starts_with("AUTO_INCREMENT=")).collect();
    let lines = lines.join("\n");
    Some(format!("CREATE TABLE {new} ({}\n){}", lines.trim_end_matches(','), options.join(" ")))
}

impl Db {
    /// Creates an empty table like another one. Both names are quoted.
    ///
    /// # Errors
    /// The server refuses it.
    pub fn create_like(&mut self, new: &str, other: &str) -> Result<()> {
        match self.run(&format!("CREATE TABLE {new} LIKE {other}"), ()) {
            Err(error) if error.code() == NOT_ALLOWED => {
                let shown = self.all(&format!("SHOW CREATE TABLE {other}"), (), |row| {
                    Ok(row.text(1).unwrap_or_default().into_owned())
                })?;
                let Some(sql) = shown.first().and_then(|shown| created_as(new, shown)) else {
                    return Err(error.into());
                };
                self.run(&sql, ())?;
            }
            done => drop(done?),
        }
        Ok(())
    }

    /// Renames tables atomically: `a TO b, c TO a`. A reader that uses one of them may prevent it;
    /// then nothing has changed, and it is tried again for about a quarter of an hour.
    ///
    /// # Errors
    /// A table is missing or exists already, or another session keeps using one.
    pub fn rename(&mut self, renames: &str) -> Result<()> {
        self.alter(&format!("RENAME TABLE {renames}"))
    }

    /// Changes a table that others may be using, as patiently as [`Db::rename`].
    ///
    /// # Errors
    /// The server refuses the statement, or another session keeps using the table.
    pub fn alter(&mut self, sql: &str) -> Result<()> {
        self.check_writer()?;
        self.run(&format!("SET SESSION lock_wait_timeout = {WAIT_SECS}"), ())?;
        let done = self.try_rename(sql);
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

#[cfg(test)]
mod tests {
    use fixtures::db::{SqlMode, pair};
    use schema::tables::Engine;

    use super::*;

    #[test]
    fn a_table_is_created_like_another() {
        let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
        pair.sql(
            "CREATE TABLE a (id int PRIMARY KEY) ENGINE=InnoDB;\n\
             CREATE TABLE b (id int AUTO_INCREMENT PRIMARY KEY, t varchar(9) DEFAULT '(,', a int, KEY (t), \
             CONSTRAINT x FOREIGN KEY (a) REFERENCES a (id)) ENGINE=InnoDB COMMENT='b (c)';\n\
             INSERT INTO b (t) VALUES ('x');\n\
             CREATE TABLE `like` LIKE b",
        );
        let shown = |table: &str| pair.rows(&format!("SHOW CREATE TABLE `{table}`"))[0][1].clone().unwrap();
        pair.sql(&created_as("`same`", &shown("b")).unwrap());
        assert_eq!(shown("same").replace("`same`", ""), shown("like").replace("`like`", ""));
        assert_eq!(created_as("x", "CREATE VIEW"), None);
    }
}
