//! Sessions of one month from tables: `web` and `toolstart` are read once each, the core does the
//! rest in memory, and the results are written back in one transaction.
//!
//! If the engine has no transactions, the session numbers of `web` are written last: a run killed
//! before that leaves sessions without requests, and the next run removes them before it builds
//! them again with the same numbers.

use anyhow::{Context as _, Result};
use database::{Cells, Db, KeyTable, Value};
use rayon::prelude::*;
use schema::{Month, Stamp};

use crate::names::{Name, Names};
use crate::sessions::{self, Builder, Row, Session, ToolIndex, ToolRow};

/// The tables that change.
const TABLES: [&str; 3] = ["web", "websessions", "toolstart"];

const SESSIONS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_sessions",
    columns: &[
        ("id", "bigint NOT NULL"),
        ("datetime", "datetime NOT NULL"),
        ("ip", "varchar(45) NOT NULL"),
        ("host", "tinytext NOT NULL"),
        ("domain", "tinytext NOT NULL"),
        ("duration", "bigint NOT NULL"),
        ("jobs", "tinyint NOT NULL"),
    ],
    keys: 1,
};

const STAMPS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_stamps",
    columns: &[("id", "bigint NOT NULL"), ("session", "bigint NOT NULL")],
    keys: 1,
};

/// The results for a month.
pub(crate) struct MonthSessions {
    pub(crate) names: Names,
    /// In the order of their numbers.
    pub(crate) sessions: Vec<Session>,
    /// Number of a request's row and of its session, ascending by row.
    web: Vec<(u64, u32)>,
    /// The same for tool starts.
    tools: Vec<(u64, u32)>,
    /// How many requests were examined.
    pub(crate) n_rows: usize,
}

impl MonthSessions {
    /// How many requests belong to a session now.
    pub(crate) const fn n_stamped(&self) -> usize {
        self.web.len()
    }

    /// How many tool starts do.
    pub(crate) const fn n_tools(&self) -> usize {
        self.tools.len()
    }

    /// Gives the sessions lower numbers.
    fn renumber(&mut self, less: u32) {
        self.sessions.iter_mut().for_each(|session| session.id -= less);
        self.web.iter_mut().chain(&mut self.tools).for_each(|(_, id)| *id -= less);
    }
}

/// Builds the sessions of a month and writes them.
///
/// # Errors
/// A table is missing, or the server fails; then nothing is changed if the engine can undo it.
pub(crate) fn run(db: &mut Db, month: Month) -> Result<MonthSessions> {
    check(db)?;
    db.transaction_with_retry(&format!("building the sessions of {month}"), &TABLES, |db| {
        let mut made = compute(db, month)?;
        if made.sessions.is_empty() {
            db.changes_no_cell();
        } else {
            db.will_change([month])?;
        }
        if !db.is_transactional(&TABLES)? {
            take_back(db, &mut made).context("looking for sessions that a killed run left")?;
        }
        write(db, month, &made)?;
        Ok(made)
    })
}

/// Builds the sessions of a month without writing anything.
///
/// # Errors
/// A table is missing, or the server fails.
pub(crate) fn compute_only(db: &mut Db, month: Month) -> Result<MonthSessions> {
    check(db)?;
    compute(db, month)
}

fn check(db: &mut Db) -> Result<()> {
    db.require(&TABLES)
}

/// A request as read; its index in the list is its row number.
struct Request {
    id: u64,
    stamp: Stamp,
    epoch: Option<i64>,
    ip: Name,
    host: Name,
    domain: Name,
}

fn compute(db: &mut Db, month: Month) -> Result<MonthSessions> {
    let highest = db.number("SELECT MAX(id) FROM websessions", ())?.unwrap_or(0).max(0);
    let first_id = u32::try_from(highest + 1).context("the numbers of sessions are used up")?;
    let mut names = Names::new();
    let mut web = requests(db, month, &mut names)?;
    let mut tools = tool_starts(db, month, &mut names)?;
    // ties are decided by the order of the rows, and the server returns them in any order
    web.par_sort_unstable_by_key(|row| row.id);
    tools.par_sort_unstable_by_key(|row| row.id);
    let n_rows = web.len();
    u32::try_from(n_rows).context("too many requests in one month")?;

    let weighed = names.weigh();
    let tool_rows = tools.iter().enumerate().map(|(row, tool)| ToolRow {
        row: row as u32,
        stamp: tool.stamp,
        epoch: tool.epoch,
        ip: tool.ip,
        host: tool.host,
    });
    let mut index = ToolIndex::new(tool_rows.collect(), &weighed);
    let mut builder = Builder::new(first_id);
    let (mut made, mut stamps) = (Vec::new(), vec![0_u32; n_rows]);
    for window in sessions::windows(month) {
        let inside: Vec<_> = web
            .par_iter()
            .enumerate()
            .filter(|(_, row)| row.stamp >= window.0 && row.stamp < window.1)
            .map(|(at, row)| (at as u32, row.stamp, row.ip, row.host))
            .collect();
        for at in sessions::sort_window(window, inside.into_par_iter(), &weighed) {
            let Some(request) = web.get(at as usize) else { continue };
            let Request { stamp, epoch, ip, host, domain, .. } = *request;
            let row = Row { row: at, stamp, epoch, ip, host, domain };
            builder.push(&row, &mut index, &weighed, &mut |session, rows| {
                for &row in rows {
                    stamps[row as usize] = session.id;
                }
                made.push(session);
            });
        }
    }
    let id_of = |list: &[Request], row: usize| list.get(row).map_or(0, |row| row.id);
    let stamped = stamps.iter().enumerate().filter(|(_, session)| **session > 0);
    let web_stamps: Vec<_> = stamped.map(|(row, session)| (id_of(&web, row), *session)).collect();
    let mut tool_stamps: Vec<_> = index.given().map(|(row, session)| (id_of(&tools, row as usize), session)).collect();
    tool_stamps.sort_unstable();
    Ok(MonthSessions { names, sessions: made, web: web_stamps, tools: tool_stamps, n_rows })
}

/// Requests without a session in the windows of the month, with an address or a known host.
fn requests(db: &mut Db, month: Month, names: &mut Names) -> Result<Vec<Request>> {
    let windows = sessions::windows(month).map(|(from, to)| format!("`datetime` >= '{from}' AND `datetime` < '{to}'"));
    let sql = format!(
        "SELECT {} id, `datetime`, UNIX_TIMESTAMP(`datetime`), ip, host, domain FROM web WHERE (({})) \
         AND (sessionid IS NULL OR sessionid = 0) AND (ip <> '' OR (host <> '' AND host <> '?'))",
        db.released("web")?,
        windows.join(") OR (")
    );
    let mut list = Vec::new();
    db.each(&sql, (), |row| {
        let mut request = request(row, names)?;
        request.domain = names.intern_option(row.text(5).as_deref());
        list.push(request);
        Ok(())
    })?;
    Ok(list)
}

/// Successful tool starts that a session of the month can reach.
fn tool_starts(db: &mut Db, month: Month, names: &mut Names) -> Result<Vec<Request>> {
    let sql = format!(
        "SELECT {} id, `datetime`, UNIX_TIMESTAMP(`datetime`), ip, host FROM toolstart \
         WHERE success = 1 AND {}",
        db.released("toolstart")?,
        reach("`datetime`", month)
    );
    db.all(&sql, (), |row| request(row, names))
}

/// The condition for what sessions of the month can reach: those that begin late on its last day end on the next one.
fn reach(column: &str, month: Month) -> String {
    format!("{column} >= '{}' AND {column} < '{}'", month.start(), month.next().start().plus_days(1))
}

fn request(row: Cells<'_>, names: &mut Names) -> Result<Request> {
    Ok(Request {
        id: row.uint(0).context("a row with a negative number")?,
        stamp: row.stamp(1).context("a row without a time")?,
        epoch: row.int(2),
        ip: names.intern_option(row.text(3).as_deref()),
        host: names.intern_option(row.text(4).as_deref()),
        domain: Name::NULL,
    })
}

fn write(db: &mut Db, month: Month, made: &MonthSessions) -> Result<()> {
    if made.sessions.is_empty() {
        return Ok(());
    }
    let names = &made.names;
    let rows = made.sessions.iter().map(|session| {
        [
            Value::from(session.id),
            Value::Bytes(session.start.to_ascii().to_vec()),
            Value::from(names.text(session.ip)),
            Value::from(names.text(session.host)),
            Value::from(names.text(session.domain)),
            Value::from(session.duration),
            Value::from(session.jobs),
        ]
    });
    // one statement: without transactions all of them are stored or none
    db.with_key_table(&SESSIONS, rows, |db| {
        db.run(
            "INSERT INTO websessions (id, `datetime`, ip, host, domain, duration, jobs, webevents) \
             SELECT id, `datetime`, ip, host, domain, duration, jobs, 0 FROM hzmetrics_sessions ORDER BY id",
            (),
        )?;
        Ok(())
    })?;
    for (table, stamps) in [("toolstart", &made.tools), ("web", &made.web)] {
        if stamps.is_empty() {
            continue;
        }
        let rows = stamps.iter().map(|(row, session)| [Value::from(*row), Value::from(*session)]);
        let by_id = db.by_id(table)?;
        let update = format!(
            "UPDATE hzmetrics_stamps k STRAIGHT_JOIN {table} t {by_id} ON t.id = k.id SET t.sessionid = k.session \
             WHERE {}",
            reach("t.`datetime`", month)
        );
        db.with_key_table(&STAMPS, rows, |db| Ok(db.run(&update, ())?))?;
    }
    Ok(())
}

/// Removes sessions that a killed run left without writing their numbers to requests: those after
/// the highest number in use that begin like the list built now.
fn take_back(db: &mut Db, made: &mut MonthSessions) -> Result<()> {
    let stamped = db.number("SELECT MAX(sessionid) FROM web", ())?.unwrap_or(0);
    let names = &made.names;
    let sql = format!(
        "SELECT id, `datetime`, ip, host, domain, duration, jobs FROM websessions WHERE id > {stamped} ORDER BY id"
    );
    let text = |row: &Cells<'_>, at| row.text(at).unwrap_or_default().into_owned();
    let left = db.all(&sql, (), |row| {
        Ok((
            row.uint(0).unwrap_or(0),
            (row.stamp(1), text(&row, 2), text(&row, 3), text(&row, 4), row.int(5), row.int(6)),
        ))
    })?;
    let new: Vec<_> = made
        .sessions
        .iter()
        .map(|s| {
            let name = |name| names.text(name).to_owned();
            (Some(s.start), name(s.ip), name(s.host), name(s.domain), Some(s.duration), Some(i64::from(s.jobs)))
        })
        .collect();
    let same = |from: usize| {
        let tail = left.get(from..).unwrap_or_default();
        tail.len() <= new.len() && tail.iter().zip(&new).all(|((_, old), new)| old == new)
    };
    let Some(from) = (0..left.len()).find(|from| same(*from)) else { return Ok(()) };
    let (Some((first, _)), Some(session)) = (left.get(from), made.sessions.first()) else { return Ok(()) };
    // as if they had never existed: numbers continue after the remaining ones
    db.run(&format!("DELETE FROM websessions WHERE id >= {first}"), ())?;
    let next = db.number("SELECT MAX(id) FROM websessions", ())?.unwrap_or(0).max(0) + 1;
    let less = u32::try_from(i64::from(session.id) - next).unwrap_or(0);
    made.renumber(less);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_numbers_are_lowered_together() {
        let session = Session {
            id: 43,
            start: Stamp::ZERO,
            ip: Name::EMPTY,
            host: Name::EMPTY,
            domain: Name::EMPTY,
            duration: 0,
            jobs: 0,
        };
        let mut made = MonthSessions {
            names: Names::new(),
            sessions: vec![session],
            web: vec![(7, 43)],
            tools: vec![(9, 43)],
            n_rows: 1,
        };
        made.renumber(2);
        assert_eq!((made.sessions[0].id, made.web[0], made.tools[0]), (41, (7, 41), (9, 41)));
    }
}
