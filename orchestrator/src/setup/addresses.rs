//! Migration 1002: makes every column `ip` of our own wide enough for an IPv6 address. Tables of the
//! CMS are unchanged.
//!
//! InnoDB only records the new width. MyISAM copies the table, so the effort is reported
//! beforehand.

use anyhow::{Context as _, Result};
use database::{Db, DbError};
use schema::tables::{self, WIDE_IP, quote};

/// The server's error number for a key that is too long.
const TOO_LONG_KEY: u16 = 1071;
/// How many characters of `user` are in the unique key of `userlogin` if the whole key is too long,
/// which for MyISAM is above 1,000 bytes: the CMS allows user names of 150 characters.
const USER_IN_KEY: usize = 240;
/// How fast MyISAM copies a table with its indexes, roughly.
const MB_PER_MINUTE: u64 = 600;

/// A column that is too narrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Narrow {
    table: String,
    charset: String,
    collation: String,
}

/// The columns that are too narrow, in the order of the tables.
///
/// # Errors
/// `web` is missing, or the connection is lost.
pub(super) fn narrow(db: &mut Db) -> Result<Vec<Narrow>> {
    db.number("SELECT 1 FROM web LIMIT 0", ())?;
    let sql = "SELECT table_name, character_set_name, collation_name FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND column_name = 'ip' AND data_type = 'varchar' \
               AND character_maximum_length < ?";
    let found = db.all(sql, (WIDE_IP,), |row| {
        let text = |at| row.text(at).unwrap_or_default().into_owned();
        Ok(Narrow { table: text(0), charset: text(1), collation: text(2) })
    })?;
    let ours = tables::METRICS.iter().filter(|table| table.column("ip").is_some());
    Ok(ours.filter_map(|table| found.iter().find(|narrow| narrow.table == table.name).cloned()).collect())
}

/// Widens them. Each table takes one statement, so that an interrupted run can be repeated.
///
/// # Errors
/// The server refuses a statement.
pub(super) fn widen(db: &mut Db) -> Result<()> {
    for narrow in narrow(db)? {
        let alter = |more: &str| format!("ALTER TABLE {} {more}{}", quote(&narrow.table), modify(&narrow));
        let done = db.run(&alter(""), ());
        match done {
            Err(error) if error.code() == TOO_LONG_KEY && narrow.table == "userlogin" => {
                db.run(&alter(&shorter_key()?), ())?;
            }
            other => drop(other?),
        }
        // servers since 10.4 create a hash for a key that is too long: it keeps rows unique, but does
        // not speed up lookups
        let sql = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() AND \
                   table_name = 'userlogin' AND index_name = 'userlogin' AND index_type = 'HASH'";
        if narrow.table == "userlogin" && db.number(sql, ())?.is_some_and(|n| n > 0) {
            db.run(&alter(&shorter_key()?), ())?;
        }
    }
    Ok(())
}

fn modify(narrow: &Narrow) -> String {
    let definition =
        tables::metrics(&narrow.table).and_then(|table| table.column("ip")).map(|column| column.definition());
    // the column keeps its character set, whatever the table's is
    let set = format!("{} CHARACTER SET {} COLLATE {}", tables::IP, narrow.charset, narrow.collation);
    format!("MODIFY COLUMN {}", definition.unwrap_or_default().replacen(tables::IP, &set, 1))
}

/// The unique key of `userlogin` with only a prefix of the user's name.
fn shorter_key() -> Result<String> {
    let key = tables::metrics("userlogin").and_then(|table| table.keys.iter().find(|key| key.name == "userlogin"));
    let definition = key.context("there is no key with that name")?.definition();
    let shorter = definition.replacen("`user`", &format!("`user`({USER_IN_KEY})"), 1);
    Ok(format!("DROP KEY `userlogin`, ADD {shorter}, "))
}

/// What widening takes, one line for each table that is copied.
///
/// # Errors
/// The connection is lost.
pub(super) fn costs(db: &mut Db) -> Result<Vec<String>> {
    let narrow = match narrow(db) {
        Ok(narrow) => narrow,
        // a missing table is the subject of another migration
        Err(error) if DbError::of(&error).is_some_and(|e| e.kind() == database::ErrorKind::NoTable) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let sql = "SELECT table_rows, data_length + index_length FROM information_schema.tables \
               WHERE table_schema = DATABASE() AND table_name = ? AND engine <> 'InnoDB'";
    let mut lines = Vec::new();
    for narrow in narrow {
        let found =
            db.all(sql, (narrow.table.as_str(),), |row| Ok((row.uint(0).unwrap_or(0), row.uint(1).unwrap_or(0))))?;
        let Some((rows, bytes)) = found.first() else { continue };
        let mb = bytes.div_ceil(1 << 20);
        lines.push(format!(
            "{} is not InnoDB and is copied (rows: {rows}, free space: {mb} MB, time: about {} min); nobody can write to \
             it meanwhile",
            narrow.table,
            mb.div_ceil(MB_PER_MINUTE)
        ));
    }
    Ok(lines)
}
