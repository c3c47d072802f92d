//! Tables without transactions: a file is collected in temporary tables, and one statement moves
//! it, with everything that belongs to it, into the real ones.
//!
//! The server finishes a statement that it has begun, whatever happens to the client: a run killed
//! at any moment leaves all of the file or nothing. Only a server crash can leave part of it, with
//! a ledger entry that says so.

use anyhow::{Context as _, Result};
use database::ledger::files::{self, FileRow};
use database::ledger::{self, Target};
use database::{Db, DbError, ErrorKind, Value};
use schema::tables::quote;

use crate::rules::Rule;

/// The list of bots.
pub(crate) const BOTS: &str = "bot_useragents";

/// Removes agents that only look like bots.
pub(crate) const CLEAN_BOTS: &str =
    "DELETE FROM bot_useragents WHERE useragent LIKE '%searchtool%' OR useragent LIKE '% feed/%'";

/// Rows inserted since the last cut.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct InsertedRows {
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    pub(crate) rows: u64,
}

/// Rows of the main table, in the order of `n`.
pub(crate) const ROWS: &str = "hzmetrics_load_rows";
/// Rows of `webhits`.
pub(crate) const HITS: &str = "hzmetrics_load_hits";
/// Bots.
pub(crate) const AGENTS: &str = "hzmetrics_load_agents";

/// What was collected from the current file.
#[derive(Debug)]
pub(crate) struct HoldingTables {
    /// The highest `n` of each closed part.
    ends: Vec<u64>,
    /// What each part was read from, if recorded.
    files: Vec<FileRow>,
    /// The highest `n`.
    pub(crate) last: u64,
    /// Whether to clean the list of bots afterwards.
    pub(crate) clean_bots: bool,
}

impl HoldingTables {
    /// Creates the temporary tables, empty.
    ///
    /// # Errors
    /// The server refuses it.
    pub(crate) fn new(db: &mut Db, target: Target, columns: &[&str]) -> Result<Self> {
        db.run(&format!("DROP TEMPORARY TABLE IF EXISTS {ROWS}, {HITS}, {AGENTS}"), ())?;
        let mut like = |name: &str, table: &str, columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
            let sql = format!(
                "CREATE TEMPORARY TABLE {name} (n bigint NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB \
                 SELECT {} FROM {table} LIMIT 0",
                columns.join(", ")
            );
            db.run(&sql, ()).with_context(|| format!("creating a temporary table like {table}"))
        };
        like(ROWS, target.name(), columns)?;
        if target == Target::Web {
            like(HITS, "webhits", &["datetime", "hits"])?;
            like(AGENTS, BOTS, &["useragent"])?;
        }
        Ok(Self { ends: Vec::new(), files: Vec::new(), last: 0, clean_bots: false })
    }

    /// A source inside the file ends.
    pub(crate) fn close_part(&mut self, file: Option<FileRow>) {
        self.ends.push(self.last);
        self.files.extend(file);
    }

    /// Moves everything into the real tables, and enters the named parts in the ledger.
    ///
    /// # Errors
    /// The server refuses it, or dies.
    pub(crate) fn publish(
        &self,
        db: &mut Db,
        target: Target,
        columns: &[&str],
        names: &[String],
    ) -> Result<InsertedRows> {
        let script = self.script(target, columns, names);
        // readers wait, and so does the next run if this one is killed, until everything is there
        let mut tables = vec![target.name()];
        if target == Target::Web {
            tables.extend(["webhits", BOTS]);
        }
        if !names.is_empty() {
            tables.push(ledger::TABLE);
            tables.extend((!self.files.is_empty()).then_some(files::TABLE));
        }
        let locks: Vec<String> = tables.iter().map(|table| format!("{table} WRITE")).collect();
        db.check_writer()?;
        db.will_change_rows(&format!("{ROWS} t"))?;
        match db.run(&format!("LOCK TABLES {}", locks.join(", ")), ()) {
            Ok(_) => {}
            // an account without this right can still move everything in one statement
            Err(error) if error.kind() == ErrorKind::Denied => {}
            Err(error) => return Err(error).context("locking the tables of an import"),
        }
        let done = db.run(&script, ());
        let is_gone = done.as_ref().is_err_and(|error: &DbError| error.kind() == ErrorKind::Gone);
        let unlocked = if is_gone { Ok(0) } else { db.run("UNLOCK TABLES", ()) };
        done.context("moving rows into their tables")?;
        unlocked?;
        let found = db.all("SELECT @hz_first, @hz_last, @hz_rows", (), |cells| {
            Ok(InsertedRows { first: cells.uint(0), last: cells.uint(1), rows: cells.uint(2).unwrap_or(0) })
        })?;
        Ok(found.first().copied().unwrap_or_default())
    }

    /// The statement. Ledger entries are marked before the rows and completed after them, so that
    /// an entry left by a dead server is known to be unfinished.
    fn script(&self, target: Target, columns: &[&str], names: &[String]) -> String {
        let table = target.name();
        let text = |name: &String| Value::from(name).as_sql(false);
        let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
        let columns = columns.join(", ");
        let mut sql = "BEGIN NOT ATOMIC SET @hz_first = NULL, @hz_last = NULL, @hz_rows = 0; ".to_owned();
        if !names.is_empty() {
            let rows: Vec<String> =
                names.iter().map(|name| format!("({}, '{table}', NOW(), -1)", text(name))).collect();
            sql += "INSERT INTO imported_sources (filename, target_table, imported_at, row_count) VALUES ";
            sql += &format!("{}; ", rows.join(", "));
        }
        if target == Target::Web {
            sql += &format!("INSERT INTO webhits (`datetime`, hits) SELECT `datetime`, hits FROM {HITS} ORDER BY n; ");
            sql += &format!("INSERT IGNORE INTO {BOTS} (useragent) SELECT useragent FROM {AGENTS} ORDER BY n; ");
            if self.clean_bots {
                sql += &format!("{CLEAN_BOTS}; ");
            }
        }
        let verb = if target == Target::Userlogin { "INSERT IGNORE" } else { "INSERT" };
        let mut names = names.iter();
        let mut files = self.files.iter();
        let mut from = 0;
        for &to in &self.ends {
            sql += &format!(
                "SET @hz_before = (SELECT IFNULL(MAX(id), 0) FROM {table}); \
                 {verb} INTO {table} ({columns}) SELECT {columns} FROM {ROWS} WHERE n > {from} AND n <= {to} ORDER BY n; \
                 SET @hz_n = ROW_COUNT(); \
                 SET @hz_from = (SELECT MIN(id) FROM {table} WHERE id > @hz_before), \
                 @hz_to = (SELECT MAX(id) FROM {table} WHERE id > @hz_before); \
                 SET @hz_first = IFNULL(@hz_first, @hz_from), @hz_last = IFNULL(@hz_to, @hz_last), \
                 @hz_rows = @hz_rows + @hz_n; "
            );
            if let Some(name) = names.next() {
                sql += &format!(
                    "UPDATE imported_sources SET pk_start = @hz_from, pk_end = @hz_to, row_count = @hz_n \
                     WHERE filename = {} AND target_table = '{table}'; ",
                    text(name)
                );
                if let Some(file) = files.next() {
                    sql += &files::statement(name, target, file, "@hz_n");
                    sql += &duplicates(name, target, file);
                }
            }
            from = to;
        }
        sql + "END"
    }
}

/// The statement that records how many rows of a source existed already, which only the server knows.
fn duplicates(name: &str, target: Target, file: &FileRow) -> String {
    let dropped = serde_json::to_string(&file.dropped).unwrap_or_default();
    let others = if file.dropped.is_empty() { "}".to_owned() } else { format!(",{}", dropped.get(1..).unwrap_or("}")) };
    let [name, before, others] =
        [name, &format!("{{\"{}\":", Rule::DUPLICATE), &others].map(|text| Value::from(text).as_sql(false));
    let n_sent = file.rows.unwrap_or(0);
    format!(
        "UPDATE {} SET dropped = CONCAT({before}, {n_sent} - @hz_n, {others}) WHERE @hz_n < {n_sent} AND id = \
         (SELECT id FROM imported_sources WHERE filename = {name} AND target_table = '{}'); ",
        files::TABLE,
        target.name()
    )
}
