//! The databases: whether they answer, and whether tables and migrations are complete.

use std::time::SystemTime;

use anyhow::Result;
use database::Db;

use super::checked_hub::CheckedHub;
use super::report::Report;
use crate::setup::bootstrap::{self, MissingParts};
use schema::rights::{RIGHTS, Scope};
use schema::tables::{self, WRITER};

/// Creates what is missing with `--fix`, then checks the metrics database and its tables.
pub(super) fn tables(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    if config.file.is_none() {
        return report.fail("database: not checked: there is no configuration", "see `configuration:` above");
    }
    if checked.repairs
        && let Err(error) = bootstrap::make_database(checked.hub)
    {
        checked.hub.log.error(format_args!("{error:#}"));
    }
    checked.connect();
    let name = &config.metrics_db;
    let lacks = match MissingParts::look(checked.hub) {
        Err(error) => {
            let fix = format!(
                "start the server, or correct host, user and password in {}; try: mariadb -h {} -u {} -p {name}",
                config.file.as_ref().map_or_else(String::new, |file| file.display().to_string()),
                config.db_host,
                config.db_user,
            );
            return report.fail(format_args!("database: {error:#}"), fix);
        }
        Ok(lacks) => lacks,
    };
    if lacks.database {
        return report.fail(format_args!("database: {name} does not exist"), "hzmetrics doctor --fix");
    }
    report.ok(format_args!("database: {name}"));
    match lacks.tables.as_slice() {
        [] => report.ok("tables: all there"),
        missing => {
            let text = format!("tables: {} missing: {}", missing.len(), missing.join(", "));
            report.fail(text, "hzmetrics doctor --fix");
        }
    }
}

/// Tables of the CMS that we write to.
pub(super) fn tables_of_cms(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let config = &checked.hub.config;
    if checked.is_port() || checked.metrics.is_err() {
        return;
    }
    match bootstrap::missing_of_cms(checked.hub) {
        Err(error) => report.fail(
            format_args!("database of the hub: {error:#}"),
            "correct hub_db, or grant the account its rights: hzmetrics setup-db --grants USER@HOST",
        ),
        Ok(missing) if missing.is_empty() => report.ok("tables of the CMS: all that are written to exist"),
        Ok(missing) => report.fail(
            format_args!(
                "tables of the CMS: {} missing in {}: {} (they come with the CMS; not repaired by --fix)",
                missing.len(),
                config.hub_db,
                missing.join(", ")
            ),
            "correct hub_db and db_prefix, or install the component of the CMS that brings them",
        ),
    }
}

/// Migrations that the stages need.
pub(super) fn migrations(checked: &mut CheckedHub<'_>, report: &mut Report) {
    if checked.metrics.is_err() {
        return;
    }
    match MissingParts::look(checked.hub) {
        Err(error) => report.fail(format_args!("migrations: {error:#}"), "hzmetrics migrate"),
        Ok(lacks) if lacks.migrations.required.is_empty() => report.ok("migrations: up to date"),
        Ok(lacks) => {
            let pending: Vec<String> = lacks.migrations.required.iter().map(u16::to_string).collect();
            let text = format!("migrations: {} required are pending: {}", pending.len(), pending.join(", "));
            report.fail(text, "hzmetrics migrate --apply");
        }
    }
}

/// Whether there is a row that keeps two machines apart.
pub(super) fn writer(checked: &mut CheckedHub<'_>, report: &mut Report) {
    if checked.is_port() {
        return;
    }
    let Ok(db) = &mut checked.metrics else { return };
    // asked for in `tables` and in `migrations`, and fixed there
    let text = match db.engine(WRITER) {
        Ok(Some(engine)) if engine.eq_ignore_ascii_case("InnoDB") => return,
        Ok(Some(engine)) => format!("the table {WRITER} is stored in {engine}, which protects nothing"),
        Ok(None) => format!("there is no table {WRITER}"),
        Err(_) => return,
    };
    report.warn(
        format_args!("one writer: only the lock of this machine keeps runs apart: {text}"),
        format_args!("hzmetrics migrate --apply; then, if need be: ALTER TABLE {WRITER} ENGINE=InnoDB"),
    );
}

/// Tables that we write and a cluster does not replicate.
pub(super) fn cluster(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let Ok(db) = &mut checked.metrics else { return };
    if !db.is_cluster() {
        return;
    }
    let config = &checked.hub.config;
    let of_hub = RIGHTS.iter().filter_map(|rights| match rights.scope {
        Scope::HubTable(name) => Some((config.hub_db.clone(), format!("{}{name}", config.db_prefix))),
        _ => None,
    });
    let ours = tables::METRICS.iter().map(|table| (config.metrics_db.clone(), table.full_name(&config.db_prefix)));
    let written: Vec<(String, String)> = ours.chain(of_hub).collect();
    let found = not_replicated(db, &written).and_then(|found| Ok((found, without_key(db, &written)?)));
    let (found, keyless) = match found {
        Ok(found) => found,
        Err(error) => return report.warn(format_args!("cluster: {error:#}"), "SHOW STATUS LIKE 'wsrep%'"),
    };
    if found.is_empty() && keyless.is_empty() {
        return report.ok("cluster: all tables that are written are replicated");
    }
    for table in &found {
        report.fail_ours(
            format_args!("cluster: {table} is not replicated: each node has rows of its own"),
            "dump both databases of the node that has the right rows, convert the tables to InnoDB on a server outside \
             of the cluster, and load the result into the cluster",
        );
    }
    for table in &keyless {
        report.fail_ours(
            format_args!("cluster: {table} has no primary key, which wsrep_mode requires: nothing can be written to it"),
            "hzmetrics migrate --apply; tables of the CMS get one by: ALTER TABLE TABLE ADD COLUMN hz_id bigint NOT NULL \
             AUTO_INCREMENT INVISIBLE PRIMARY KEY",
        );
    }
}

/// Tables whose rows stay on the node where they were written, with their engine.
fn not_replicated(db: &mut Db, written: &[(String, String)]) -> Result<Vec<String>> {
    let sql = "SELECT engine FROM information_schema.tables WHERE table_schema = ? AND table_name = ? \
               AND engine IN ('MyISAM', 'Aria', 'MEMORY', 'CSV')";
    let mut found = Vec::new();
    for (database, table) in written {
        let engines = db.texts(sql, (database, table))?;
        found.extend(engines.first().map(|engine| format!("{database}.{table} ({engine})")));
    }
    Ok(found)
}

/// Tables without a primary key, where the cluster requires one.
fn without_key(db: &mut Db, written: &[(String, String)]) -> Result<Vec<String>> {
    let modes =
        db.all("SHOW VARIABLES LIKE 'wsrep_mode'", (), |row| Ok(row.text(1).unwrap_or_default().into_owned()))?;
    if !modes.iter().any(|mode| mode.contains("REQUIRED_PRIMARY_KEY")) {
        return Ok(Vec::new());
    }
    let sql = "SELECT t.table_name FROM information_schema.tables t LEFT JOIN information_schema.statistics s \
               ON s.table_schema = t.table_schema AND s.table_name = t.table_name AND s.index_name = 'PRIMARY' \
               WHERE t.table_schema = ? AND t.table_name = ? AND s.index_name IS NULL";
    let mut found = Vec::new();
    for (database, table) in written {
        let names = db.texts(sql, (database, table))?;
        found.extend(names.first().map(|table| format!("{database}.{table}")));
    }
    Ok(found)
}

/// The server must hold the indexes of the requests in memory: each imported request changes every one of them.
pub(super) fn memory(checked: &mut CheckedHub<'_>, report: &mut Report) {
    if checked.is_port() {
        return;
    }
    let Ok(db) = &mut checked.metrics else { return };
    let indexes = "SELECT index_length FROM information_schema.tables WHERE table_schema = DATABASE() AND \
                   table_name = 'web' AND engine = 'InnoDB'";
    let Ok(Some(indexes)) = db.number(indexes, ()) else { return };
    let Ok(Some(pool)) = db.number("SELECT @@innodb_buffer_pool_size", ()) else { return };
    if is_small(pool, indexes) {
        report.warn(
            format_args!(
                "memory: the buffer pool of the database server ({} MB) is smaller than half of the indexes of web \
                 ({} MB): imports read and write pages on disk for each request",
                pool >> 20,
                indexes >> 20
            ),
            format_args!(
                "innodb_buffer_pool_size = {}M or more in the configuration of the server",
                (2 * indexes) >> 20
            ),
        );
    }
}

/// Whether a buffer pool is too small for indexes of that size; both in bytes.
const fn is_small(pool: i64, indexes: i64) -> bool {
    pool < indexes / 2
}

/// Clocks further apart than that put requests and runs on different days.
const SECONDS_APART: u64 = 300;

/// The server's clock must agree with ours.
pub(super) fn clock(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let Ok(db) = &mut checked.metrics else { return };
    let Ok(Some(theirs)) = db.number("SELECT UNIX_TIMESTAMP()", ()) else { return };
    let ours = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let apart = ours.abs_diff(u64::try_from(theirs).unwrap_or(0));
    if apart > SECONDS_APART {
        report.warn(
            format_args!("clock: that of the database server is {apart} s from ours"),
            "start a time service on both machines: timedatectl set-ntp true",
        );
    }
}
