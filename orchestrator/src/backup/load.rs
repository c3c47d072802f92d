//! A backup back into the databases.
//!
//! While it lasts the table of the lock says so, and every program that writes refuses: a restore that was killed
//! does not leave half of the tables for others to work on. The next restore begins again.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use database::generations;
use database::writer::{self, Writer, WriterResult};
use database::{Db, DbError, ErrorKind, Target, Which};
use schema::tables::quote;

use super::client::{self, Client};
use super::manifest::{Archive, METRICS, Manifest};
use super::{dump, places};
use crate::hub::Hub;
use crate::setup;

/// The program by its names.
const CLIENT: [&str; 2] = ["mariadb", "mysql"];

/// How a backup is restored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restore<'r> {
    /// The folder of the backup.
    pub(crate) from: &'r Path,
    /// Whether rows and tables that exist are replaced.
    pub(crate) replaces: bool,
    /// Whether the backup is only examined.
    pub(crate) is_dry: bool,
}

/// Restores a backup.
///
/// # Errors
/// The backup is damaged, the databases are not empty, somebody else writes, or a server or a program fails.
pub(crate) fn restore(hub: &Hub, plan: Restore<'_>) -> Result<()> {
    let manifest = Manifest::read(plan.from)?;
    let target = hub.config.target();
    ensure!(
        manifest.prefix == target.prefix,
        "the backup is of tables with the prefix {}, the configuration says {}",
        manifest.prefix,
        target.prefix
    );
    for archive in &manifest.archives {
        dump::verify(&plan.from.join(&archive.name))?;
    }
    hub.log.info(format_args!("[restore] {} is complete", plan.from.display()));
    if plan.is_dry {
        return Ok(());
    }
    let _lock = hub.local_lock()?;
    create(&target)?;
    let target = places::server(&target, Which::Metrics)?;
    let mut db = Db::connect(&target, Which::Metrics)?;
    let mut of_hub = Db::connect(&target, Which::Hub)?;
    let is_unfinished = writer::is_being_restored(&mut db)?;
    check_tables_of_hub(&mut of_hub, &manifest)?;
    if !plan.replaces && !is_unfinished {
        check_empty(&mut db, &mut of_hub)?;
    }
    writer::begin_restore(&mut db)?;
    let _writer = match Writer::ask_to_restore(&target, Duration::ZERO)? {
        WriterResult::Held(writer) => Some(writer),
        WriterResult::Busy(busy) => {
            // nothing was touched yet
            if !is_unfinished {
                writer::end_restore(&mut db)?;
            }
            return Err(busy.into());
        }
        WriterResult::Inherited | WriterResult::Absent(_) => None,
    };
    clear(&mut db, &mut of_hub)?;
    for archive in &manifest.archives {
        let which = if archive.name == METRICS { Which::Metrics } else { Which::Hub };
        load(&target, target.database(which), &plan.from.join(&archive.name))?;
        let n = kit::counted(archive.tables.len(), "table", "tables");
        hub.log.info(format_args!("[restore] {}: {n}", target.database(which)));
    }
    // the sessions above may have been closed meanwhile
    let mut db = Db::connect(&target, Which::Metrics)?;
    for archive in manifest.archives.iter().filter(|archive| archive.name == METRICS) {
        db.require(&archive.tables)?;
    }
    // whatever states were made of the tables, they are of other ones
    generations::forget(&mut db)?;
    writer::end_restore(&mut db)
}

/// Creates the metrics database if it is missing.
fn create(target: &Target) -> Result<()> {
    match Db::connect(target, Which::Metrics) {
        Err(error) if DbError::of(&error).is_some_and(|e| e.kind() == ErrorKind::NoDatabase) => {
            let mut db = Db::connect(target, Which::Neither)?;
            db.run(&setup::create_database(target, db.charset()), ())?;
            Ok(())
        }
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// The CMS creates its tables itself.
fn check_tables_of_hub(db: &mut Db, manifest: &Manifest) -> Result<()> {
    let of_hub = |archive: &&Archive| archive.name != METRICS;
    for table in manifest.archives.iter().filter(of_hub).flat_map(|archive| &archive.tables) {
        ensure!(
            db.has_table(table)?,
            "there is no table {table} in the hub's database {}: restore the backup of the CMS first",
            db.target().hub_db
        );
    }
    Ok(())
}

fn check_empty(db: &mut Db, of_hub: &mut Db) -> Result<()> {
    if let Some(table) = places::of_metrics(db)?.first() {
        bail!(
            "{} is not empty: it has the table {table}; --replace replaces all of its tables",
            db.target().metrics_db
        );
    }
    for (table, _) in places::of_hub(of_hub)? {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", quote(&table));
        let is_empty = of_hub.number(&sql, ())?.is_none();
        ensure!(is_empty, "{table} in {} has rows; --replace replaces them", of_hub.target().hub_db);
    }
    Ok(())
}

fn clear(db: &mut Db, of_hub: &mut Db) -> Result<()> {
    for table in places::of_metrics(db)? {
        db.run(&format!("DROP TABLE {}", quote(&table)), ()).with_context(|| format!("dropping {table}"))?;
    }
    for (table, _) in places::of_hub(of_hub)?.into_iter().filter(|(_, may_delete)| *may_delete) {
        of_hub.run(&format!("DELETE FROM {}", quote(&table)), ()).with_context(|| format!("emptying {table}"))?;
    }
    Ok(())
}

fn load(target: &Target, database: &str, path: &Path) -> Result<()> {
    let client = Client::new(target)?;
    let mut command = client.command(&CLIENT)?;
    // what is in the rows is never treated as a command of the program
    command.args(["--batch", "--binary-mode", "--default-character-set=utf8mb4", database]).stdin(Stdio::piped());
    let mut child = command.spawn().context("starting mariadb")?;
    let mut text = dump::open(path)?;
    let sent = child.stdin.take().context("writing to mariadb").and_then(|mut to| Ok(io::copy(&mut text, &mut to)?));
    // if it left early, its own words say why
    client::wait(child, "mariadb").with_context(|| format!("loading {} into {database}", path.display()))?;
    sent.with_context(|| format!("loading {}", path.display()))?;
    Ok(())
}
