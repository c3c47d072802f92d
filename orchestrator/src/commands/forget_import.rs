//! `hzmetrics forget-import`: deletes the rows that came from a log file, and its entries in the
//! ledger, so that the file can be imported again.

use std::ffi::OsString;

use anyhow::Result;
use database::Db;
use database::address_changes::AddressChanges;
use database::ledger::{self, Entry, Range, Target, files};
use kit::path_text;
use schema::Stamp;

use super::HubCommand;
use super::values::DryRun;
use crate::hub::Hub;
use crate::prune::logs;

/// Delete what was imported from a log file
///
/// Deletes the rows and the ledger entry, so that the file can be imported again. Exit code 1 if
/// the file is not in the ledger.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the log file
    #[arg(value_name = "FILENAME")]
    filename: OsString,

    /// Only the rows of this table [default: all]
    #[arg(long, value_name = "TABLE", value_parser = ["web", "userlogin", "webhits", "all"])]
    table: Option<String>,

    /// Delete the rows in the range even if their number differs from the number imported
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let name = path_text::name(&self.filename).into_owned();
        let table = self.table.as_deref().and_then(Target::from_name);
        let dry_run = self.mode.dry_run;
        let _lock = hub.lock(!dry_run)?;
        let mut db = hub.db_with_ledger()?;
        let mut entries = ledger::of_file(&mut db, &name)?;
        if entries.is_empty() {
            hub.log.info(format_args!("[forget-import] no record found for {name}"));
            return Ok(1);
        }
        entries.retain(|entry| table.is_none_or(|table| entry.target == table));
        if entries.is_empty() {
            let table = table.map_or("", Target::name);
            hub.log.info(format_args!("[forget-import] no record of {name} for the table {table}"));
            return Ok(1);
        }
        for entry in entries.clone() {
            let parts = files::parts_after(&mut db, &entry)?;
            for part in &parts {
                hub.log.info(format_args!(
                    "[forget-import] {} is a further part of {}: it goes too",
                    part.filename, entry.filename
                ));
            }
            entries.extend(parts);
        }
        // newest first: a killed run leaves no part without those before it
        entries.sort_by_key(|entry| (entry.target, std::cmp::Reverse(entry.id)));
        entries.dedup_by_key(|entry| entry.id);
        if is_any_pruned(hub, &mut db, &entries)? && !dry_run {
            return Ok(1);
        }
        if !self.force && !dry_run {
            let mut is_sure = true;
            for entry in &entries {
                if let Some(n) = ledger::drift(&mut db, entry)? {
                    is_sure = false;
                    hub.log.error(format_args!("[forget-import] {}", drifted(entry, n)));
                }
            }
            if !is_sure {
                hub.log
                    .error("[forget-import] nothing was deleted; look at these rows, and add --force to delete them");
                return Ok(1);
            }
        }
        if !self.force && !dry_run && is_any_hashed(hub, &mut db, &entries)? {
            return Ok(1);
        }
        if !self.force && is_any_removed(hub, &entries, dry_run)? {
            return Ok(1);
        }
        for entry in &entries {
            let (table, name) = (entry.target.name(), &entry.filename);
            if let Some(Range { start, end }) = entry.range {
                let others = ledger::of_target(&mut db, entry.target)?;
                for other in others.iter().filter(|other| other.id != entry.id) {
                    if other.range.is_some_and(|range| range.start <= end && range.end >= start) {
                        hub.log.warning(format_args!(
                            "[forget-import] rows of {} are in the same range of {table}: they go too",
                            other.filename
                        ));
                    }
                }
                if dry_run {
                    if let Some(n) = ledger::drift(&mut db, entry)? {
                        hub.log.warning(format_args!("[forget-import] {}: --force would be needed", drifted(entry, n)));
                    }
                    hub.log.info(format_args!(
                        "[forget-import] [dry-run] would delete from {table} the ids {start}..{end} (about {})",
                        kit::counted(entry.rows, "row", "rows")
                    ));
                    continue;
                }
            } else {
                hub.log.warning(format_args!(
                    "[forget-import] the record of {name} for {table} has no range: its rows, if any, stay, only the record goes"
                ));
                if dry_run {
                    continue;
                }
            }
            let tables = [table, ledger::TABLE];
            hub.warn_without_transactions(&mut db, &tables)?;
            let deleted =
                db.transaction_with_retry("forgetting an import", &tables, |db| ledger::forget(db, entry, self.force))?;
            let rows = kit::counted(deleted, "row", "rows");
            hub.log.info(format_args!("[forget-import] removed {rows} from {table} and the record of {name}"));
        }
        Ok(0)
    }
}

/// Whether rows of an entry were removed for their age: what is left of it must stay as it is.
fn is_any_pruned(hub: &Hub, db: &mut Db, entries: &[Entry]) -> Result<bool> {
    let mut is_any = false;
    for target in [Target::Web, Target::Userlogin] {
        let gone = ledger::removed(db, target)?;
        for entry in entries.iter().filter(|entry| entry.target == target) {
            if let Some(n) = gone.get(&entry.id) {
                is_any = true;
                hub.log.error(format_args!(
                    "[forget-import] {} of {} were removed by `hzmetrics prune`: what was kept of them cannot be \
                     forgotten, nor can the log be imported again",
                    kit::counted(*n, "row", "rows"),
                    entry.filename
                ));
            }
        }
    }
    Ok(is_any)
}

/// Whether addresses of the rows of an entry were hashed: the log could not be imported again.
fn is_any_hashed(hub: &Hub, db: &mut Db, entries: &[Entry]) -> Result<bool> {
    let changes = AddressChanges::read(db)?;
    let mut is_any = false;
    for entry in entries.iter().filter(|entry| entry.target != Target::Webhits) {
        let (Some(Range { start, end }), Some(_)) = (entry.range, changes.hashed_through()) else { continue };
        let table = entry.target.name();
        let sql = format!(
            "SELECT CAST(MIN(datetime) AS char), CAST(MAX(datetime) AS char) FROM {table} WHERE id BETWEEN ? AND ?"
        );
        let ends = db.all(&sql, (start, end), |row| Ok([0, 1].map(|at| row.stamp(at).and_then(Stamp::month))))?;
        let Some([Some(first), Some(last)]) = ends.first() else { continue };
        if let Some(why) = changes.hashed_in(*first, *last) {
            is_any = true;
            hub.log.error(format_args!(
                "[forget-import] {}: {why}, so the log cannot be imported again; --force deletes its rows anyway",
                entry.filename
            ));
        }
    }
    Ok(is_any)
}

/// Whether a log is gone, where `prune` removes old ones: it could not be imported again. A dry run only says it.
fn is_any_removed(hub: &Hub, entries: &[Entry], is_dry: bool) -> Result<bool> {
    let mut is_any = false;
    for entry in entries.iter().filter(|_| hub.config.retention.get("logs_months").is_some()) {
        if !logs::is_log_there(hub, entry)? {
            is_any = true;
            hub.log.warning(format_args!(
                "[forget-import] {} is neither in imported/ nor in daily/: it cannot be imported again; --force deletes \
                 its rows anyway",
                entry.filename
            ));
        }
    }
    Ok(is_any && !is_dry)
}

/// Why the range of an entry must not be deleted without --force.
fn drifted(entry: &Entry, n: i64) -> String {
    let (table, rows) = (entry.target.name(), entry.rows);
    let why =
        if n < rows { "some were deleted since, as rows of bots are" } else { "rows of something else are among them" };
    let has = kit::counted(n, "row", "rows");
    let were = if rows == 1 { "was" } else { "were" };
    format!("{}: its range of {table} has {has}, and {rows} {were} imported: {why}", entry.filename)
}
