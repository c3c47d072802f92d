//! The tables that a backup holds, and the server that holds them.

use anyhow::{Context as _, Result};
use database::{Db, Target, Which};
use schema::rights::{RIGHTS, Scope};
use schema::tables::WRITER;

/// The server of a configuration that answers, as a target of its own.
///
/// # Errors
/// None answers.
pub(super) fn server(target: &Target, which: Which) -> Result<Target> {
    let mut last = None;
    for host in target.hosts() {
        match Db::connect(&host, which) {
            Ok(_) => return Ok(host),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("the configuration names no server")?)
}

/// The tables of the metrics database, but that of the lock.
///
/// # Errors
/// The server fails.
pub(super) fn of_metrics(db: &mut Db) -> Result<Vec<String>> {
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND \
               table_type = 'BASE TABLE' AND table_name <> ? ORDER BY table_name";
    db.texts(sql, (WRITER,))
}

/// The tables of the hub's database that we write and that exist; whether we may delete their rows.
///
/// # Errors
/// The server fails.
pub(super) fn of_hub(db: &mut Db) -> Result<Vec<(String, bool)>> {
    let mut list = Vec::new();
    for rights in RIGHTS {
        if let Scope::HubTable(name) = rights.scope {
            let name = format!("{}{name}", db.target().prefix);
            if db.has_table(&name)? {
                list.push((name, rights.names.contains(&"DELETE")));
            }
        }
    }
    Ok(list)
}

/// Whether all of the tables know transactions.
///
/// # Errors
/// The server fails.
pub(super) fn are_transactional(db: &mut Db, tables: &[String]) -> Result<bool> {
    db.is_transactional(&tables.iter().map(String::as_str).collect::<Vec<_>>())
}
