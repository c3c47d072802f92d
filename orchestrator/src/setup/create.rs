//! `hzmetrics setup-db`: creates the metrics database, its tables and their initial rows.
//!
//! Whatever exists already is unchanged, so running it twice does nothing.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use database::{Db, DbError, ErrorKind, Target, Which};
use kit::{Messages, Usage};
use schema::partitions::Partitions;
use schema::tables::{self, Charset, Engine, quote};

use super::{partitions, seed};

/// How much of a statement is shown.
const SHOWN: usize = 72;

/// How to create the database.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Only print the statements; connect to nothing.
    pub(crate) dry_run: bool,
    /// Fill the static tables.
    pub(crate) seed: bool,
    /// Leave the invisible keys to migration 1004. A cluster may require them, so its nodes get them always.
    pub(crate) as_port: bool,
    /// Engine of new tables.
    pub(crate) engine: Engine,
    /// Divide new big tables by month.
    pub(crate) by_month: Option<Partitions>,
    /// A file of domain classes instead of the built-in list.
    pub(crate) domainclass: Option<PathBuf>,
}

/// The statement that creates the metrics database if it is missing.
pub(crate) fn create_database(target: &Target, charset: Charset) -> String {
    let database = quote(&target.metrics_db);
    let (set, collation) = (charset.name(), charset.collation());
    format!("CREATE DATABASE IF NOT EXISTS {database} DEFAULT CHARACTER SET {set} COLLATE {collation}")
}

/// The statements: the database first, then every table.
pub(crate) fn statements(target: &Target, setup: &Setup, charset: Charset, is_cluster: bool) -> Vec<String> {
    let (engine, by_month) = (setup.engine, setup.by_month.as_ref());
    let database = quote(&target.metrics_db);
    let mut list = vec![create_database(target, charset)];
    let table = |table: &tables::Table| {
        let at = format!("{database}.{}", quote(table.name));
        let divided = by_month.and_then(|by| table.create_by_month(&at, engine, charset, by));
        let whole = || match setup.as_port && !is_cluster {
            true => table.create_without_hidden(&at, engine, charset),
            false => table.create(&at, engine, charset),
        };
        divided.unwrap_or_else(whole)
    };
    list.extend(tables::METRICS.iter().map(table));
    list
}

/// Runs the statements.
pub(crate) fn setup_db(target: &Target, setup: &Setup, messages: Messages, out: &mut dyn Write) -> Result<()> {
    if target.metrics_db.is_empty() {
        return Err(Usage("the configuration names no metrics database".to_owned()).into());
    }
    let seeds = if setup.seed { seed::seeds(setup.domainclass.as_deref())? } else { Vec::new() };
    if setup.dry_run {
        for statement in statements(target, setup, Charset::default(), false) {
            show(out, &statement)?;
        }
        for seed in &seeds {
            let at = format!("{}.{}", quote(&target.metrics_db), quote(seed.table));
            show(out, &format!("INSERT IGNORE INTO {at} ({})", kit::counted(seed.rows.len(), "row", "rows")))?;
        }
        return Ok(());
    }
    let mut db = Db::connect(target, Which::Neither)?;
    let list = statements(target, setup, db.charset(), db.is_cluster());
    if setup.engine == Engine::MyIsam && db.is_cluster() {
        return Err(Usage(
            "this server is a node of a cluster, which replicates no rows of MyISAM tables: leave out --engine MyISAM"
                .to_owned(),
        )
        .into());
    }
    let mut failed = 0;
    for statement in &list {
        match db.run(statement, ()) {
            Ok(_) => {}
            // an account that owns the database may lack the right to create one
            Err(error)
                if error.kind() == ErrorKind::Denied
                    && statement.starts_with("CREATE DATABASE")
                    && Db::connect(target, Which::Metrics).is_ok() => {}
            // what the next statements would meet too: rights are those for the whole database
            Err(error) if error.kind() == ErrorKind::Denied || concerns_all(&error) => return Err(error.into()),
            Err(error) => {
                failed += 1;
                messages.error(&error);
            }
        }
    }
    anyhow::ensure!(failed == 0, "{failed} of {} statements failed, the database is not complete", list.len());
    // from here on in the database itself, which also checks that day zero can be stored
    let mut db = Db::connect(target, Which::Metrics)?;
    for (table, added, there) in seed::plant(&mut db, &seeds).context("filling the static tables")? {
        if added > 0 {
            let rows = kit::counted(added, "row", "rows");
            messages.note(format_args!("{table}: {rows} added, {there} existed already"));
        }
    }
    if let Some(by) = &setup.by_month {
        partitions::prepare(&mut db, by, messages, out)?;
    }
    messages.note(format_args!("{} statements done, {} is ready", list.len(), target.metrics_db));
    Ok(())
}

/// Whether every other statement would fail as well: no server, no database, no disk, no writing.
fn concerns_all(error: &DbError) -> bool {
    const FULL: [u16; 3] = [1021, 1114, 1135];
    const READ_ONLY: [u16; 3] = [1290, 1792, 1836];
    matches!(error.kind(), ErrorKind::Gone | ErrorKind::Unreachable | ErrorKind::NoDatabase)
        || FULL.contains(&error.code())
        || READ_ONLY.contains(&error.code())
}

fn show(out: &mut dyn Write, statement: &str) -> Result<()> {
    let line: String = statement.lines().next().unwrap_or_default().chars().take(SHOWN).collect();
    writeln!(out, "[dry-run] {line}").map_err(kit::not_written)
}
