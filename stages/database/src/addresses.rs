//! Whether the tables have room for whole addresses: the columns `ip` of a hub are fifteen
//! characters wide until migration 1002 widens them.

use anyhow::{Result, bail};
use schema::tables::{NARROW_IP, WIDE_IP};

use super::Db;

impl Db {
    /// How many characters the column `ip` of `table` holds; `None` if there is no such column of
    /// limited text.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn address_width(&mut self, table: &str) -> Result<Option<usize>> {
        let sql = "SELECT character_maximum_length FROM information_schema.columns WHERE table_schema = DATABASE() \
                   AND table_name = ? AND column_name = 'ip'";
        let width = self.number(sql, (table,))?;
        Ok(width.and_then(|width| usize::try_from(width).ok()))
    }

    /// Checks that IPv6 addresses fit into the columns `ip` of these tables.
    ///
    /// # Errors
    /// They do not fit: the error says what to do. Or the connection is lost.
    pub fn require_whole_addresses(&mut self, tables: &[&str]) -> Result<()> {
        for table in tables {
            if let Some(width) = self.address_width(table)?.filter(|width| *width < WIDE_IP) {
                bail!(
                    "`{table}.ip` holds {width} characters, too few for an IPv6 address; `hzmetrics migrate --apply` \
                     (migration 1002) widens it"
                );
            }
        }
        Ok(())
    }
}

/// Whether an address needs more room than the original tables have.
#[must_use]
pub fn is_wide(text: &str) -> bool {
    text.len() > NARROW_IP && text.chars().count() > NARROW_IP
}
