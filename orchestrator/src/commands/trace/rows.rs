//! What the tables contain of a request: its row, its session, the rows of its address.

use anyhow::Result;
use database::ledger::Entry;
use database::{Cells, Db};
use schema::{Month, Stamp};

use crate::commands::values::Day;

/// A row of `web`.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) id: i64,
    pub(super) datetime: Stamp,
    pub(super) ip: String,
    pub(super) content: String,
    pub(super) host: String,
    pub(super) domain: String,
    pub(super) country: String,
    pub(super) session: Option<i64>,
}

const COLUMNS: &str = "id, `datetime`, ip, content, host, domain, ipcountry, sessionid";

fn of_row(row: Cells<'_>) -> Result<Request> {
    let text = |at| row.text(at).unwrap_or_default().into_owned();
    Ok(Request {
        id: row.int(0).unwrap_or_default(),
        datetime: row.stamp(1).unwrap_or(Stamp::ZERO),
        ip: text(2),
        content: text(3),
        host: text(4),
        domain: text(5),
        country: text(6),
        session: row.int(7),
    })
}

/// A session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    id: i64,
    pub(super) datetime: Stamp,
    duration: i64,
    jobs: i64,
    host: String,
}

impl Session {
    /// In words.
    pub(super) fn words(&self) -> String {
        let Self { id, datetime, duration, jobs, host } = self;
        format!("{id}, from {datetime}, {duration} seconds, {jobs} tool starts, host {host}")
    }
}

fn session_of_row(row: Cells<'_>) -> Result<Session> {
    Ok(Session {
        id: row.int(0).unwrap_or_default(),
        datetime: row.stamp(1).unwrap_or(Stamp::ZERO),
        duration: row.int(2).unwrap_or_default(),
        jobs: row.int(3).unwrap_or_default(),
        host: row.text(4).unwrap_or_default().into_owned(),
    })
}

/// The row of a request.
pub(super) fn request(db: &mut Db, id: i64) -> Result<Option<Request>> {
    db.require(&["web"])?;
    Ok(db.all(&format!("SELECT {COLUMNS} FROM web WHERE id = ?"), (id,), of_row)?.into_iter().next())
}

/// The rows that a kept line may have become: by its position among the kept lines if the ids of its log have
/// no gap, otherwise by time and address.
pub(super) fn of_line(
    db: &mut Db,
    entry: &Entry,
    (datetime, client): (&str, &str),
    kept_before: u64,
) -> Result<Vec<Request>> {
    let Some(range) = entry.range else { return Ok(Vec::new()) };
    let sql = format!("SELECT {COLUMNS} FROM web WHERE id BETWEEN ? AND ? AND `datetime` = ? AND ip = ? ORDER BY id");
    let found = db.all(&sql, (range.start, range.end, datetime, client), of_row)?;
    let exact = found.iter().find(|request| request.id == range.start.saturating_add_unsigned(kept_before));
    if let Some(exact) = exact.filter(|_| range.end - range.start + 1 == entry.rows) {
        return Ok(vec![exact.clone()]);
    }
    Ok(found)
}

/// A session by its number.
pub(super) fn session(db: &mut Db, id: i64) -> Result<Option<Session>> {
    let sql = "SELECT id, `datetime`, duration, jobs, host FROM websessions WHERE id = ?";
    Ok(db.all(sql, (id,), session_of_row)?.into_iter().next())
}

/// When an address was last seen in `web` or `websessions`.
pub(super) fn latest(db: &mut Db, ip: &str) -> Result<Option<Stamp>> {
    let mut latest = None;
    for table in ["web", "websessions", "userlogin"] {
        let sql = format!("SELECT MAX(`datetime`) FROM {table} WHERE ip = ?");
        latest = latest.max(db.all(&sql, (ip,), |row| Ok(row.stamp(0)))?.into_iter().flatten().next());
    }
    Ok(latest)
}

/// Requests of an address.
pub(super) struct Requests {
    pub(super) n: usize,
    pub(super) list: Vec<Request>,
}

/// The requests of an address in a month, or on a day.
pub(super) fn requests(db: &mut Db, ip: &str, month: Month, day: Option<Day>) -> Result<Requests> {
    let (mut start, mut stop) = (month.start().to_string(), month.next().start().to_string());
    if let Some(day) = day {
        (start, stop) = (format!("{day} 00:00:00"), format!("{day} 23:59:59"));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM web WHERE ip = ? AND `datetime` >= ? AND `datetime` {} ? ORDER BY id",
        if day.is_some() { "<=" } else { "<" }
    );
    let list = db.all(&sql, (ip, start, stop), of_row)?;
    Ok(Requests { n: list.len(), list })
}

/// The sessions of an address that began in a month.
pub(super) fn sessions(db: &mut Db, ip: &str, month: Month) -> Result<Vec<Session>> {
    let sql = "SELECT id, `datetime`, duration, jobs, host FROM websessions \
               WHERE ip = ? AND `datetime` >= ? AND `datetime` < ? ORDER BY id";
    db.all(sql, (ip, month.start().to_string(), month.next().start().to_string()), session_of_row)
}

/// The logins from an address in a month, in words.
pub(super) fn logins(db: &mut Db, ip: &str, month: Month) -> Result<Vec<String>> {
    let sql = "SELECT `datetime`, user, action FROM userlogin \
               WHERE ip = ? AND `datetime` >= ? AND `datetime` < ? ORDER BY id";
    db.all(sql, (ip, month.start().to_string(), month.next().start().to_string()), |row| {
        let text = |at| row.text(at).unwrap_or_default().into_owned();
        Ok(format!("{} {} {}", text(0), text(1), text(2)))
    })
}
