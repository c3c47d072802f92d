//! Many rows in few statements: prepared INSERTs of about a thousand rows.

use mysql::Value;
use mysql::prelude::Queryable as _;
use schema::tables::quote;

use super::{Db, DbError};

/// Rows per statement; larger statements are not faster.
const ROWS: usize = 1000;

/// The maximum number of placeholders in a prepared statement.
const MARKS: usize = 65_535;

/// What happens to a row whose key exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb<'a> {
    /// The statement fails.
    Insert,
    /// The new row is dropped.
    Ignore,
    /// The old row is replaced.
    Replace,
    /// These columns of the old row are set to the new values.
    Update(&'a [&'a str]),
}

/// How a bulk insert ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inserted {
    /// Rows passed on.
    pub sent: u64,
    /// Rows changed, according to the server.
    pub changed: u64,
    /// Id of the first row, if the server numbers the rows and none was dropped.
    pub first_id: Option<u64>,
    /// Id of the last row.
    pub last_id: Option<u64>,
    /// Whether there are no gaps between these ids.
    pub consecutive: bool,
}

/// A bulk insert in progress. Rows are sent in statements of about a thousand; [`Insert::finish`]
/// sends the rest, which is lost without it.
#[must_use = "the last rows are sent by finish()"]
pub struct Insert<'d> {
    db: &'d mut Db,
    head: String,
    tail: String,
    columns: usize,
    rows: usize,
    max_rows: usize,
    max_bytes: usize,
    bytes: usize,
    values: Vec<Value>,
    plain: bool,
    done: Inserted,
}

impl Db {
    /// Begins a bulk insert into `table` (unquoted, prefix included).
    pub fn insert(&mut self, verb: Verb<'_>, table: &str, columns: &[&str]) -> Insert<'_> {
        let word = match verb {
            Verb::Insert | Verb::Update(_) => "INSERT",
            Verb::Ignore => "INSERT IGNORE",
            Verb::Replace => "REPLACE",
        };
        let names: Vec<String> = columns.iter().map(|name| quote(name)).collect();
        let head = format!("{word} INTO {} ({}) VALUES ", quote(table), names.join(","));
        let tail = match verb {
            Verb::Update(columns) => {
                let sets: Vec<String> = columns.iter().map(|name| format!("{0} = VALUES({0})", quote(name))).collect();
                format!(" ON DUPLICATE KEY UPDATE {}", sets.join(", "))
            }
            _ => String::new(),
        };
        let n = columns.len().max(1);
        Insert {
            max_rows: ROWS.min(MARKS / n),
            // a packet must hold the whole statement; leave room for its head
            max_bytes: (self.max_packet / 2).clamp(1 << 14, 4 << 20),
            db: self,
            head,
            tail,
            columns: n,
            rows: 0,
            bytes: 0,
            values: Vec::with_capacity(n * ROWS.min(MARKS / n)),
            plain: verb == Verb::Insert,
            done: Inserted { consecutive: true, ..Inserted::default() },
        }
    }
}

impl Insert<'_> {
    /// Adds a row, with its values in the order of the columns.
    ///
    /// # Errors
    /// The server refuses the rows so far, or the number of values is wrong.
    pub fn push(&mut self, row: impl IntoIterator<Item = Value>) -> anyhow::Result<()> {
        let before = self.values.len();
        self.values.extend(row);
        let got = self.values.len() - before;
        if got != self.columns {
            self.values.truncate(before);
            anyhow::bail!("{} values for {} columns, at: {}", got, self.columns, self.head.trim_end());
        }
        for value in self.values.get(before..).unwrap_or_default() {
            self.bytes += if let Value::Bytes(bytes) = value { bytes.len() + 4 } else { 12 };
        }
        self.rows += 1;
        if self.rows >= self.max_rows || self.bytes >= self.max_bytes {
            self.send()?;
        }
        Ok(())
    }

    /// Sends the last rows.
    ///
    /// # Errors
    /// The server refuses them.
    pub fn finish(mut self) -> Result<Inserted, DbError> {
        self.send()?;
        Ok(self.done)
    }

    fn send(&mut self) -> Result<(), DbError> {
        if self.rows == 0 {
            return Ok(());
        }
        let (rows, values) = (self.rows, std::mem::take(&mut self.values));
        (self.rows, self.bytes) = (0, 0);
        let group = format!("({})", vec!["?"; self.columns].join(","));
        let sql = format!("{}{}{}", self.head, vec![group; rows].join(","), self.tail);
        let (conn, target) = (&mut self.db.conn, &self.db.target);
        let failed = |e: mysql::Error| DbError::at(target, &e, &self.head);
        let statement = conn.prep(&sql).map_err(failed)?;
        conn.exec_drop(&statement, values).map_err(failed)?;
        let (first, step) = (conn.last_insert_id(), self.db.id_step);
        self.done.sent += rows as u64;
        kit::measure::count("rows.inserted", rows as u64);
        kit::progress::rows_written(rows as u64);
        self.done.changed += conn.affected_rows();
        if rows != self.max_rows {
            // a partial batch is hardly ever repeated: it gets no place in the statement cache
            let _ = conn.close(statement);
        }
        if self.plain && first > 0 {
            let expected = self.done.last_id.map(|last| last + step);
            self.done.consecutive &= step == 1 && expected.is_none_or(|id| id == first);
            self.done.first_id.get_or_insert(first);
            self.done.last_id = Some(first + (rows as u64 - 1) * step);
        }
        Ok(())
    }
}
