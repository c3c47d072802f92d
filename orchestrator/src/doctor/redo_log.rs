//! Whether the redo log of the database server is large enough for what we write.
//!
//! The server must write each changed page to disk before the redo log overtakes the change. A log that holds less
//! than a day's changes makes it write the same pages again and again while one day is filled in.

use anyhow::Result;
use database::Db;
use database::ledger::Target;

use super::checked_hub::CheckedHub;
use super::imports;
use super::report::Report;

/// What a request costs in the redo log until its row is final: the insertion, then host, domain, country and
/// session, each of which changes an index. Measured (docs/capacity.md).
const BYTES_A_REQUEST: u64 = 6000;
/// How much smaller than a day's changes the log may be.
const TOLERANCE: u64 = 2;
const MB: u64 = 1 << 20;

/// Compares the log with a usual day.
pub(super) fn size(checked: &mut CheckedHub<'_>, report: &mut Report) {
    if checked.is_port() {
        return;
    }
    let Ok(db) = &mut checked.metrics else { return };
    let (log, rows) = match look(db) {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(error) => return report.warn(format_args!("memory: the redo log: {error:#}"), "hzmetrics migrate --apply"),
    };
    let wanted = rows.saturating_mul(BYTES_A_REQUEST);
    if log < wanted / TOLERANCE {
        report.warn(
            format_args!(
                "memory: the redo log of the database server ({} MB) holds less than half of the changes of a usual \
                 day ({} MB for {rows} requests): pages are written to disk again and again",
                log / MB,
                wanted / MB
            ),
            format_args!("innodb_log_file_size = {}M or more in the configuration of the server", wanted.div_ceil(MB)),
        );
    }
}

/// Bytes of the log, and requests of a usual day; `None` without days, and for other engines, which have no such log.
fn look(db: &mut Db) -> Result<Option<(u64, u64)>> {
    if !db.engine("web")?.is_some_and(|engine| engine.eq_ignore_ascii_case("InnoDB")) {
        return Ok(None);
    }
    let size = db.number("SELECT @@innodb_log_file_size", ())?.unwrap_or(0);
    // since MariaDB 10.6 there is one file and no such variable
    let n_files = db.all("SHOW VARIABLES LIKE 'innodb_log_files_in_group'", (), |row| {
        Ok(row.text(1).and_then(|text| text.parse().ok()))
    })?;
    let n_files: u64 = n_files.into_iter().flatten().next().unwrap_or(1);
    let bytes = u64::try_from(size).unwrap_or(0).saturating_mul(n_files);
    Ok(requests_a_day(db)?.map(|rows| (bytes, rows)))
}

/// Requests of the day in the middle, of the newest days by size: one log with the history of a year is not a day.
fn requests_a_day(db: &mut Db) -> Result<Option<u64>> {
    let days = imports::newest(db)?;
    let mut rows: Vec<u64> =
        days.iter().filter(|((_, target), _)| *target == Target::Web).map(|(_, share)| share.rows).collect();
    rows.sort_unstable();
    Ok(rows.get(rows.len() / 2).copied())
}
