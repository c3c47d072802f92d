//! `hzmetrics forget-import`: deletes the rows that came from a log file, and its entries in the
//! ledger, so that the file can be imported again.

use anyhow::Result;
use clap::ArgMatches;
use database::ledger::{self, Range, Target, files};
use kit::path_text;

use super::{need_ledger, warn_without_transactions};
use crate::hub::Hub;

pub(crate) fn forget(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let name = matches.get_raw("FILENAME").and_then(|mut values| values.next()).unwrap_or_default();
    let name = path_text::name(name).into_owned();
    let table = matches.get_one::<String>("table").and_then(|table| Target::from_name(table));
    let dry_run = matches.get_flag("dry-run");
    let _lock = hub.lock(!dry_run)?;
    let mut db = hub.db()?;
    need_ledger(&mut db)?;
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
    // the newest first: a run that is killed leaves no part without what came before it
    entries.sort_by_key(|entry| (entry.target, std::cmp::Reverse(entry.id)));
    entries.dedup_by_key(|entry| entry.id);
    for entry in &entries {
        let (table, name) = (entry.target.name(), &entry.filename);
        if let Some(Range { start, end }) = entry.range {
            let others = ledger::of_target(&mut db, entry.target)?;
            for other in others.iter().filter(|other| other.id != entry.id) {
                if other.range.is_some_and(|range| range.start <= end && range.end >= start) {
                    hub.log.warning(format_args!(
                        "[forget-import] rows of {} lie in the same range of {table}: they go too",
                        other.filename
                    ));
                }
            }
            if dry_run {
                hub.log.info(format_args!(
                    "[forget-import] [dry-run] would delete from {table} the ids {start}..{end} (about {} rows)",
                    entry.rows
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
        warn_without_transactions(hub, &mut db, &tables)?;
        let deleted = db.transaction_with_retry("forgetting an import", &tables, |db| ledger::forget(db, entry))?;
        hub.log.info(format_args!("[forget-import] removed {deleted} rows from {table} and the record of {name}"));
    }
    Ok(0)
}
