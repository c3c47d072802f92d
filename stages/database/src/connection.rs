//! The session in a database, used by every other file here.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use hub::config::{Target, Which};
use kit::Usage;
use mysql::Params;
use mysql::prelude::Queryable as _;
use schema::tables::{Charset, quote};

use crate::address;
use crate::cells::Cells;
use crate::error::{DbError, ErrorKind};
use crate::patience;
use crate::retry::{PAUSES, retry};
use crate::statements;

/// The session's `sql_mode`: day zero and out-of-range values are stored as on old hubs, whatever
/// the server's default is.
const SQL_MODE: &str = "NO_ENGINE_SUBSTITUTION";

/// How long the server may keep us waiting or wait for us: a day.
const TIMEOUT_SECS: u32 = 86_400;

/// After how many rows a line of progress is told.
const SHOWN_EVERY: u64 = 1024;

/// A session in one of the databases.
pub struct Db {
    pub(crate) conn: mysql::Conn,
    pub(crate) target: Target,
    which: Which,
    pub(crate) charset: Charset,
    pub(crate) id_step: u64,
    pub(crate) max_packet: usize,
    /// Whether a transaction, or locks, would be lost with the session.
    pub(crate) in_transaction: bool,
    /// Whether another session of this process writes at the same time.
    pub(crate) shares_row: bool,
    is_cluster: bool,
    /// Whether states were made from the tables, if that was looked up.
    pub(crate) watched: Option<bool>,
    /// Whether the running transaction said what it changes.
    pub(crate) told: bool,
    pub(crate) engines: HashMap<String, Option<String>>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("target", &self.target).field("which", &self.which).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens a session in the database `which`.
    ///
    /// # Errors
    /// The server cannot be reached, refuses the account, has no such database, or changes day zero
    /// when it stores it ([`DbError`]); or both names refer to one database ([`Usage`]).
    pub fn connect(target: &Target, which: Which) -> Result<Self> {
        let mut db = Self::open(target, which)?;
        check_distinct(&mut db.conn, target)?;
        Ok(db)
    }

    /// A session at the first of the servers that answers. A node of a cluster that is not ready, or goes away
    /// while the session begins, is asked again; a server that is stopped, only by a process that is
    /// [`patient`](crate::patience), once.
    fn open(target: &Target, which: Which) -> Result<Self, DbError> {
        let hosts = target.hosts();
        let session = |host: &Target| Self::settled(address::open(host, which)?, target, which);
        let is_brief = |error: &DbError| error.is_not_ready() || error.kind() == ErrorKind::Gone;
        let is_patient = patience::use_up();
        let is_worth_it = |error: &DbError| is_brief(error) || is_patient && error.is_refused();
        let all = || {
            let mut last = None;
            for host in &hosts {
                match session(host) {
                    Err(error) if error.kind() == ErrorKind::Unreachable || is_brief(&error) => last = Some(error),
                    done => return done,
                }
            }
            Err(last.unwrap_or_else(|| DbError::unreachable("the configuration names no server".to_owned())))
        };
        retry(all, |error, n_failed| PAUSES.get(n_failed).filter(|_| is_worth_it(error)).copied())
            .map_err(DbError::into_unreachable)
    }

    /// Whether the server is a node of a cluster that replicates statements and rows (Galera).
    #[must_use]
    pub const fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    /// A session on a new connection.
    fn settled(mut conn: mysql::Conn, target: &Target, which: Which) -> Result<Self, DbError> {
        let charset = settle(&mut conn)?;
        let is_cluster = join(&mut conn)?;
        let (id_step, max_packet) = conn
            .query_first::<(u64, usize), _>("SELECT @@auto_increment_increment, @@max_allowed_packet")
            .map_err(|e| DbError::from_driver(&e, "reading the session's settings"))?
            .unwrap_or((1, 1 << 20));
        if which == Which::Metrics {
            probe_day_zero(&mut conn)?;
        }
        Ok(Self {
            conn,
            target: target.clone(),
            which,
            charset,
            id_step,
            max_packet,
            in_transaction: false,
            shares_row: false,
            is_cluster,
            watched: None,
            told: false,
            engines: HashMap::new(),
        })
    }

    /// Opens a new session to replace a lost one. Temporary tables and a running transaction are gone.
    ///
    /// # Errors
    /// Those of [`Db::connect`].
    pub fn reconnect(&mut self) -> Result<(), DbError> {
        let shares_row = self.shares_row;
        *self = Self::open(&self.target, self.which)?;
        self.shares_row = shares_row;
        Ok(())
    }

    /// A second session in the same database, for transactions beside those of this one.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub fn another(&mut self) -> Result<Self, DbError> {
        let mut other = Self::open(&self.target, self.which)?;
        (self.shares_row, other.shares_row) = (true, true);
        Ok(other)
    }

    /// The database of the session.
    #[must_use]
    pub const fn which(&self) -> Which {
        self.which
    }

    /// The target of the connection.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The server's name for three-byte UTF-8.
    #[must_use]
    pub const fn charset(&self) -> Charset {
        self.charset
    }

    /// The full name of a hub table, with prefix, quoted.
    #[must_use]
    pub fn prefixed(&self, table: &str) -> String {
        quote(&format!("{}{table}", self.target.prefix))
    }

    /// Runs a statement that yields no rows; returns how many rows it changed.
    ///
    /// # Errors
    /// The server refuses it.
    pub fn run(&mut self, sql: &str, params: impl Into<Params>) -> Result<u64, DbError> {
        let params = params.into();
        if statements::is_definition(sql) {
            let done = self.define(sql, |db| db.send(sql, &params));
            self.engines.clear();
            return done;
        }
        let changed = self.send(sql, &params)?;
        self.in_transaction = statements::holds(sql).unwrap_or(self.in_transaction);
        Ok(changed)
    }

    fn send(&mut self, sql: &str, params: &Params) -> Result<u64, DbError> {
        let done = match params {
            Params::Empty => self.conn.query_drop(sql),
            params => self.conn.exec_drop(sql, params),
        };
        done.map_err(|e| DbError::at(&self.target, &e, sql))?;
        Ok(self.conn.affected_rows())
    }

    /// Deletes rows; returns how many. Spider deletes and says 0, so its rows are counted before.
    ///
    /// # Errors
    /// The server refuses it.
    pub fn delete(&mut self, table: &str, condition: &str, params: impl Into<Params>) -> Result<u64> {
        let (params, at) = (params.into(), quote(table));
        let is_spider = self.engine(table)?.is_some_and(|engine| engine.eq_ignore_ascii_case("spider"));
        let count = format!("SELECT COUNT(*) FROM {at} WHERE {condition}");
        let counted = if is_spider { self.number(&count, params.clone())? } else { None };
        let said = self.run(&format!("DELETE FROM {at} WHERE {condition}"), params)?;
        Ok(counted.and_then(|n| u64::try_from(n).ok()).unwrap_or(said))
    }

    /// Passes the rows of a query to `row` one by one as they arrive; only one row is in memory.
    /// Without parameters values arrive as text (FLOAT with six digits), with parameters in binary
    /// form.
    ///
    /// The server keeps a MyISAM table locked until the last row is read: see [`Db::released`].
    ///
    /// # Errors
    /// The server refuses the query, the connection is lost, or `row` fails.
    pub fn each(
        &mut self,
        sql: &str,
        params: impl Into<Params>,
        mut row: impl FnMut(Cells<'_>) -> Result<()>,
    ) -> Result<u64> {
        let params = params.into();
        self.read(sql, |db, count| db.rows(sql, &params, count, &mut row))
    }

    /// Passes on the rows, and counts them.
    fn rows(
        &mut self,
        sql: &str,
        params: &Params,
        count: &mut u64,
        row: &mut impl FnMut(Cells<'_>) -> Result<()>,
    ) -> Result<u64> {
        let target = &self.target;
        let failed = |e: mysql::Error| DbError::at(target, &e, sql);
        let mut hand = |next: mysql::Result<mysql::Row>| {
            *count += 1;
            if u64::is_multiple_of(*count, SHOWN_EVERY) {
                kit::progress::rows_read(SHOWN_EVERY);
            }
            row(Cells::new(&next.map_err(failed)?))
        };
        match params {
            Params::Empty => {
                let mut rows = self.conn.query_iter(sql).map_err(failed)?;
                rows.try_for_each(&mut hand)?;
            }
            params => {
                let mut rows = self.conn.exec_iter(sql, params).map_err(failed)?;
                rows.try_for_each(&mut hand)?;
            }
        }
        kit::progress::rows_read(*count % SHOWN_EVERY);
        Ok(*count)
    }

    /// The rows of a query, each converted by `row`.
    ///
    /// # Errors
    /// Those of [`Db::each`].
    pub fn all<T>(
        &mut self,
        sql: &str,
        params: impl Into<Params>,
        mut row: impl FnMut(Cells<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut list = Vec::new();
        self.each(sql, params, |cells| {
            list.push(row(cells)?);
            Ok(())
        })?;
        Ok(list)
    }

    /// The first column of the rows of a query as text, NULL left out.
    ///
    /// # Errors
    /// Those of [`Db::each`].
    pub fn texts(&mut self, sql: &str, params: impl Into<Params>) -> Result<Vec<String>> {
        let all = self.all(sql, params, |cells| Ok(cells.text(0).map(std::borrow::Cow::into_owned)))?;
        Ok(all.into_iter().flatten().collect())
    }

    /// The single integer result of a query; `None` for no row or NULL.
    ///
    /// # Errors
    /// Those of [`Db::each`].
    pub fn number(&mut self, sql: &str, params: impl Into<Params>) -> Result<Option<i64>> {
        Ok(self.all(sql, params, |cells| Ok(cells.int(0)))?.into_iter().next().flatten())
    }

    /// Whether the session's database has the table `name` (prefix included).
    ///
    /// # Errors
    /// The connection is lost.
    pub fn has_table(&mut self, name: &str) -> Result<bool> {
        Ok(self.engine(name)?.is_some())
    }

    /// Whether a table of the session's database has a column.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn has_column(&mut self, table: &str, column: &str) -> Result<bool> {
        let sql = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? \
                   AND column_name = ?";
        Ok(self.number(sql, (table, column))?.unwrap_or(0) > 0)
    }

    /// Fails if a table is missing (names with their prefix), and says what creates it.
    ///
    /// # Errors
    /// A table is missing, or the connection is lost.
    pub fn require(&mut self, tables: &[impl AsRef<str>]) -> Result<()> {
        for table in tables.iter().map(AsRef::as_ref) {
            let remedy = match self.which {
                Which::Hub => "it comes with the CMS",
                _ if table.ends_with("_metrics") => "`hzmetrics setup-db` or the step import-hub-data creates it",
                _ => "`hzmetrics setup-db` creates it",
            };
            let is_there = self.has_table(table)?;
            let database = self.target.database(self.which);
            anyhow::ensure!(is_there, "there is no table `{table}` in the database `{database}`: {remedy}");
        }
        Ok(())
    }

    /// The engine of a table of the session's database, as named by the server; `None` if there is
    /// no such table. Looked up once and remembered.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn engine(&mut self, table: &str) -> Result<Option<String>> {
        if let Some(known) = self.engines.get(table).filter(|known| known.is_some()) {
            return Ok(known.clone());
        }
        let sql = "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
        let found = self.all(sql, (table,), |cells| Ok(cells.text(0).unwrap_or_default().into_owned()))?;
        let engine = found.into_iter().next();
        self.engines.insert(table.to_owned(), engine.clone());
        Ok(engine)
    }

    /// Whether a transaction protects what is written to all these tables.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn is_transactional(&mut self, tables: &[&str]) -> Result<bool> {
        for table in tables {
            let engine = self.engine(table)?.unwrap_or_default();
            let safe = ["innodb", "rocksdb", "tokudb", "spider"];
            if !safe.iter().any(|name| engine.eq_ignore_ascii_case(name)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The word to put after SELECT for a long read of `table`: it makes the server copy the result
    /// and unlock a table that readers would otherwise keep locked. Empty if readers lock nothing.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn released(&mut self, table: &str) -> Result<&'static str> {
        Ok(if self.is_transactional(&[table])? { "" } else { "SQL_BUFFER_RESULT" })
    }

    /// Switches the current session to the database `which`, for statements that name tables of the
    /// other one.
    ///
    /// # Errors
    /// There is no such database.
    pub fn switch(&mut self, which: Which) -> Result<()> {
        let name = self.target.database(which).to_owned();
        self.run(&format!("USE {}", quote(&name)), ()).context("changing the database")?;
        self.which = which;
        self.engines.clear();
        Ok(())
    }
}

/// Refuses two names of one database. Some servers ignore case, so only names that differ in case
/// need a query.
fn check_distinct(conn: &mut mysql::Conn, target: &Target) -> Result<()> {
    let (hub, metrics) = (&target.hub_db, &target.metrics_db);
    if hub.is_empty() || hub.to_lowercase() != metrics.to_lowercase() {
        return Ok(());
    }
    let sql = "SELECT @@lower_case_table_names";
    let mut folds = || conn.query_first::<u8, _>(sql).map_err(|e| DbError::from_driver(&e, sql));
    if hub == metrics || folds()? != Some(0) {
        let text = format!(
            "hub_db ({hub}) and metrics_db ({metrics}) are the same database on this server; the metrics need \
             a database of their own"
        );
        return Err(Usage(text).into());
    }
    Ok(())
}

/// Makes the session independent of the server's defaults.
fn settle(conn: &mut mysql::Conn) -> Result<Charset, DbError> {
    let mut names = |charset: Charset| {
        let sql = format!("SET NAMES {} COLLATE {}", charset.name(), charset.collation());
        conn.query_drop(&sql).map_err(|e| DbError::from_driver(&e, &sql))
    };
    let charset = match names(Charset::Utf8mb3) {
        Ok(()) => Charset::Utf8mb3,
        // servers before MariaDB 10.6 know only one of the two names
        Err(error) if error.is_unknown_charset() => {
            names(Charset::Utf8)?;
            Charset::Utf8
        }
        Err(error) => return Err(error),
    };
    let sql = format!(
        "SET SESSION sql_mode = '{SQL_MODE}', autocommit = 1, wait_timeout = {TIMEOUT_SECS}, \
         net_read_timeout = {TIMEOUT_SECS}, net_write_timeout = {TIMEOUT_SECS}"
    );
    conn.query_drop(&sql).map_err(|e| DbError::from_driver(&e, &sql))?;
    Ok(charset)
}

/// Whether the server is a node of a cluster; then the session waits, before it reads or writes, until the node has
/// everything that others committed before. So it finds what it wrote itself through another node.
fn join(conn: &mut mysql::Conn) -> Result<bool, DbError> {
    let failed = |sql: &'static str| move |e: mysql::Error| DbError::from_driver(&e, sql);
    // a server that knows nothing of clusters has no such variable
    let sql = "SHOW SESSION VARIABLES LIKE 'wsrep_on'";
    let on = conn.query_first::<(String, String), _>(sql).map_err(failed(sql))?;
    let is_cluster = on.is_some_and(|(_, value)| value.eq_ignore_ascii_case("ON") || value == "1");
    if is_cluster {
        let sql = "SET SESSION wsrep_sync_wait = 7";
        conn.query_drop(sql).map_err(failed(sql))?;
    }
    Ok(is_cluster)
}

/// Writes a date with day zero and the zero date and reads them back.
fn probe_day_zero(conn: &mut mysql::Conn) -> Result<(), DbError> {
    const WANTED: [&str; 2] = ["0000-00-00 00:00:00", "2025-07-00 00:00:00"];
    let probe = |conn: &mut mysql::Conn| -> mysql::Result<Vec<String>> {
        conn.query_drop("DROP TEMPORARY TABLE IF EXISTS hzmetrics_probe")?;
        conn.query_drop("CREATE TEMPORARY TABLE hzmetrics_probe (n int PRIMARY KEY, d datetime NOT NULL)")?;
        conn.exec_drop("INSERT INTO hzmetrics_probe VALUES (1, ?), (2, ?)", (WANTED[0], WANTED[1]))?;
        let back = conn.query("SELECT CAST(d AS char) FROM hzmetrics_probe ORDER BY n")?;
        conn.query_drop("DROP TEMPORARY TABLE hzmetrics_probe")?;
        Ok(back)
    };
    match probe(conn) {
        Ok(back) if back == WANTED => Ok(()),
        Ok(back) => Err(DbError::day_zero(&back.join(", "))),
        Err(error) => {
            let error = DbError::from_driver(&error, "storing a date with day zero");
            match error.kind() {
                // an account that may not create temporary tables cannot write results either
                ErrorKind::Denied => Ok(()),
                ErrorKind::BadValue => Err(DbError::day_zero(&error.to_string())),
                _ => Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests;
