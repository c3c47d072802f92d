//! Rows into the tables: one transaction per file, with an entry in the ledger of imports. If the
//! engine has no transactions, `holding` replaces them.
//!
//! The transaction begins with the ledger entry and ends with its range of ids, so everything of a
//! file is in the tables, or nothing. Only the calling thread talks to the server.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use database::address_changes;
use database::ledger::files;
use database::ledger::{self, Begun, Target};
use database::{Db, DbError, ErrorKind, Value, Verb};
use kit::Output;
use kit::path_text::base_name;
use schema::{IMPORTED_WEB_COLUMNS, Opt, Stamp};

use super::holding::{self, BOTS, CLEAN_BOTS, HoldingTables, InsertedRows};
use crate::addresses::Addresses;
use crate::auth::LOGIN_COLUMNS;
use crate::bots::list::BotTexts;
use crate::receipt::Receipt;
use crate::report::Report;
use crate::rows::Rows;
use crate::rules::{Rules, Steps};
use crate::sink::Sink;
use crate::stored;
use crate::unit::{Stream, Unit};
use crate::web::{ADDRESS, DOWNLOAD_COLUMN, HOST_COLUMN};

/// Rows per statement: as many as the database session accepts at once.
const ROWS: usize = 1000;

/// The tables, and the transaction of the current file.
pub(crate) struct Tables<'d> {
    pub(crate) db: &'d mut Db,
    /// Where receipts go.
    pub(crate) receipts: Option<&'d mut Output>,
    pub(crate) ledger: bool,
    /// Whether there is a table that records what entries were read from.
    files: bool,
    /// Whether that table says which run wrote a row.
    has_runs: bool,
    /// Whether a transaction protects everything that is written.
    pub(crate) transactional: bool,
    /// How many files are committed, now or earlier.
    pub(crate) n_done: usize,
    /// The receipts so far.
    pub(crate) given: Vec<Receipt>,
    /// The connection was lost during COMMIT: nobody knows whether it succeeded.
    pub(crate) unknown_commit: bool,
    steps: Steps,
    /// Clean the bots only after a file with bots.
    clean_after_bots: bool,
    /// How many characters of an address the table holds.
    address_width: usize,
    /// Whether addresses are shortened.
    shortens: bool,
    /// Whether rows say if they are downloads.
    tells_downloads: bool,
    // of the current file
    /// Where the file is collected if there are no transactions.
    holding: Option<HoldingTables>,
    target: Target,
    /// The columns of its rows.
    columns: Vec<&'static str>,
    values: Vec<Value>,
    hits: Vec<(Stamp, i64)>,
    names: Vec<String>,
    n_cut: usize,
    part: InsertedRows,
    whole: InsertedRows,
    last_before: u64,
}

impl<'d> Tables<'d> {
    /// For a run by these rules; `ledger` if there is one to keep.
    ///
    /// # Errors
    /// The connection is lost.
    pub(crate) fn new(
        db: &'d mut Db,
        rules: &Rules,
        ledger: bool,
        targets: &[Target],
        receipts: Option<&'d mut Output>,
    ) -> Result<Self> {
        let mut tables = Vec::new();
        for target in targets {
            tables.extend(match target {
                Target::Userlogin => &["userlogin"][..],
                Target::Web | Target::Webhits => &["web", "webhits", BOTS],
            });
        }
        if rules.compat.has(Opt::Ipv6) {
            db.require_whole_addresses(&["web", "userlogin"])?;
        }
        let files = ledger && files::is_there(db)?;
        let has_runs = files && files::has_runs(db)?;
        let address_width = width_of_addresses(db)?;
        if ledger {
            tables.push(ledger::TABLE);
        }
        if files {
            tables.push(files::TABLE);
        }
        let transactional = db.is_transactional(&tables)?;
        Ok(Self {
            db,
            receipts,
            ledger,
            files,
            has_runs,
            transactional,
            n_done: 0,
            given: Vec::new(),
            unknown_commit: false,
            steps: rules.steps,
            clean_after_bots: rules.judge.exact,
            address_width,
            shortens: rules.addresses == Addresses::Shorten,
            tells_downloads: rules.compat.has(Opt::LpDnloadInline),
            columns: Vec::new(),
            holding: None,
            target: Target::Web,
            values: Vec::new(),
            hits: Vec::new(),
            names: Vec::new(),
            n_cut: 0,
            part: InsertedRows::default(),
            whole: InsertedRows::default(),
            last_before: 0,
        })
    }

    /// Undoes what was written of the current file.
    pub(crate) fn abandon(&mut self, error: &anyhow::Error) {
        self.values.clear();
        self.hits.clear();
        self.holding = None;
        if DbError::of(error).is_none_or(|e| e.kind() != ErrorKind::Gone) {
            // report the first error only
            let _ = self.db.run("ROLLBACK", ());
        }
    }

    /// Whether what is left of `units` can be imported without losing or doubling a row.
    pub(crate) fn can_go_on(&self, units: &[Unit]) -> bool {
        let is_file = units.get(self.n_done).is_none_or(|unit| unit.path.is_some());
        self.transactional && is_file && !self.is_in_doubt()
    }

    /// Whether the server went away during a COMMIT and no ledger tells whether it took effect.
    const fn is_in_doubt(&self) -> bool {
        self.unknown_commit && !self.ledger
    }

    /// The error with the name of the file, where the server caused it.
    pub(crate) fn explained(&self, error: anyhow::Error, units: &[Unit]) -> anyhow::Error {
        let name = units.get(self.n_done).map(Unit::name).unwrap_or_default();
        if self.is_in_doubt() {
            return error.context(format!(
                "importing {name}: nobody knows whether it was still stored, and there is no ledger of imports"
            ));
        }
        if DbError::of(&error).is_some() { error.context(format!("importing {name}")) } else { error }
    }

    const fn shape(&self) -> (Verb<'static>, &'static str) {
        match self.target {
            Target::Userlogin => (Verb::Ignore, "userlogin"),
            Target::Web | Target::Webhits => (Verb::Insert, "web"),
        }
    }

    /// The columns of the rows of a file.
    fn columns_of(&self, stream: &Stream) -> Vec<&'static str> {
        let Stream::Access(layout) = stream else { return LOGIN_COLUMNS.to_vec() };
        let more = [(self.tells_downloads, DOWNLOAD_COLUMN), (!layout.is_hub(), HOST_COLUMN)];
        IMPORTED_WEB_COLUMNS.into_iter().chain(more.into_iter().filter(|(has, _)| *has).map(|(_, name)| name)).collect()
    }

    /// Refuses rows whose addresses the table would cut. A hub's own addresses are cut before, as in
    /// legacy.
    fn check_addresses(&self, values: &[Value]) -> Result<()> {
        let Some(at) = self.columns.iter().position(|column| *column == "ip") else { return Ok(()) };
        if self.address_width > ADDRESS || !self.columns.contains(&HOST_COLUMN) {
            return Ok(());
        }
        for row in values.chunks(self.columns.len()) {
            if let Some(Value::Bytes(address)) = row.get(at).filter(|_| row.len() == self.columns.len())
                && address.len() > self.address_width
            {
                bail!(
                    "`web.ip` holds {} characters, and `{}` is longer; `hzmetrics migrate --apply` widens it",
                    self.address_width,
                    String::from_utf8_lossy(address)
                );
            }
        }
        Ok(())
    }

    fn send(&mut self, n_values: usize) -> Result<()> {
        let (mut verb, mut table) = self.shape();
        let columns = &self.columns;
        if self.holding.is_some() {
            (verb, table) = (Verb::Insert, holding::ROWS);
        }
        let mut values = self.values.drain(..n_values);
        let mut insert = self.db.insert(verb, table, columns);
        while values.len() > 0 {
            insert.push(values.by_ref().take(columns.len()))?;
        }
        let done = insert.finish()?;
        if let Some(holding) = &mut self.holding {
            holding.last = done.last_id.unwrap_or(holding.last);
            return Ok(());
        }
        self.part.first = self.part.first.or(done.first_id);
        self.part.last = done.last_id.or(self.part.last);
        self.part.rows += done.changed;
        Ok(())
    }

    fn send_hits(&mut self) -> Result<()> {
        if self.hits.is_empty() {
            return Ok(());
        }
        let table = if self.holding.is_some() { holding::HITS } else { "webhits" };
        let mut insert = self.db.insert(Verb::Insert, table, &["datetime", "hits"]);
        for (datetime, n) in self.hits.drain(..) {
            insert.push([stored::date(datetime), Value::Int(n)])?;
        }
        insert.finish()?;
        Ok(())
    }

    /// Closes the current part, and enters it in the ledger if it has a name.
    fn close_part(&mut self, path: &Path, unit: &Unit, report: &Report) -> Result<()> {
        self.send(self.values.len())?;
        if let Some(holding) = &mut self.holding {
            holding.close_part(self.files.then(|| report.file_row(path, &unit.stream, self.has_runs)));
            return Ok(());
        }
        let mut part = std::mem::take(&mut self.part);
        if self.target == Target::Userlogin && part.rows > 0 {
            // rows that existed already left gaps
            let sql = "SELECT MIN(id), MAX(id) FROM userlogin WHERE id > ?";
            let ends = self.db.all(sql, (self.last_before,), |cells| Ok((cells.int(0), cells.int(1))))?;
            let (first, last) = ends.first().copied().unwrap_or_default();
            part.first = first.and_then(|id| u64::try_from(id).ok());
            part.last = last.and_then(|id| u64::try_from(id).ok());
            self.last_before = part.last.unwrap_or(self.last_before);
        }
        if self.ledger
            && let Some(name) = self.names.get(self.n_cut)
        {
            ledger::finish(self.db, name, self.target, part.first, part.last, part.rows)?;
            if let Some(id) = files::entry_id(self.db, name, self.target)?.filter(|_| self.files) {
                let mut report = report.clone();
                report.store(part.rows);
                files::record(self.db, id, &report.file_row(path, &unit.stream, self.has_runs))?;
            }
        }
        self.n_cut += 1;
        self.whole.first = self.whole.first.or(part.first);
        self.whole.last = part.last.or(self.whole.last);
        self.whole.rows += part.rows;
        Ok(())
    }

    /// Notes the months of the new rows, in their transaction.
    fn note_months(&mut self, report: &Report) -> Result<()> {
        let (Some(first), Some(last)) = (self.whole.first, self.whole.last) else { return Ok(()) };
        let rows = format!("{} t WHERE t.id BETWEEN {first} AND {last}", self.target.name());
        if self.target != Target::Webhits {
            self.note_addresses(&rows, report)?;
        }
        self.db.will_change_rows(&rows)
    }

    /// Notes what the new rows have of addresses, if that is not usual for their months.
    fn note_addresses(&mut self, rows: &str, report: &Report) -> Result<()> {
        let is_late = report.n_late > 0;
        if !self.shortens && !is_late {
            return Ok(());
        }
        let months = self.db.months_of_rows(rows)?;
        if self.shortens {
            address_changes::note_shortened(self.db, &months)?;
        }
        if is_late {
            address_changes::note_late(self.db, &months)?;
        }
        Ok(())
    }

    /// Writes the receipt of a file whose rows are committed.
    pub(crate) fn give(&mut self, receipt: Receipt) -> Result<()> {
        if let Some(output) = &mut self.receipts {
            output.record(&receipt.to_json())?;
            output.flush()?;
        }
        self.given.push(receipt);
        Ok(())
    }

    /// A file begins, and there are no transactions.
    fn begin_holding(&mut self, unit: &Unit) -> Result<bool> {
        if self.ledger && self.steps.are_complete(&unit.stream) {
            let mut n_known = 0;
            for name in &self.names {
                let entries = ledger::of_file(self.db, name)?;
                n_known += usize::from(entries.iter().any(|entry| entry.target == self.target));
            }
            if n_known > 0 && n_known == self.names.len() {
                return self.already(unit);
            }
            if n_known > 0 {
                bail!("the ledger of imports already has some sources of {}", unit.name());
            }
        } else {
            self.names.clear();
        }
        self.holding = Some(HoldingTables::new(self.db, self.target, &self.columns)?);
        Ok(true)
    }

    /// A file that an earlier run, or an earlier try of this run, committed.
    fn already(&mut self, unit: &Unit) -> Result<bool> {
        self.db.run("ROLLBACK", ())?;
        let read = unit.expected.clone();
        let mut receipt = Receipt::of_known(unit, read);
        if std::mem::take(&mut self.unknown_commit) {
            receipt.already = false;
            let name = self.names.first().cloned().unwrap_or_default();
            if let Some(entry) = ledger::of_file(self.db, &name)?.into_iter().find(|e| e.target == self.target) {
                receipt.rows = entry.rows.try_into().unwrap_or(0);
                let ends = entry.range.map(|r| (r.start.try_into().unwrap_or(0), r.end.try_into().unwrap_or(0)));
                receipt.ids = ends;
            }
        }
        self.n_done += 1;
        if unit.staged.is_none() {
            self.give(receipt)?;
        }
        Ok(false)
    }
}

/// How many characters of an address `web` holds.
fn width_of_addresses(db: &mut Db) -> Result<usize> {
    let sql = "SELECT CHARACTER_MAXIMUM_LENGTH FROM information_schema.COLUMNS \
               WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'web' AND COLUMN_NAME = 'ip'";
    Ok(db.number(sql, ())?.and_then(|width| usize::try_from(width).ok()).unwrap_or(ADDRESS))
}

impl Sink for Tables<'_> {
    const KEYS_ARE_CHECKED: bool = true;

    fn begin(&mut self, unit: &Unit) -> Result<bool> {
        self.target = Target::of(unit.stream.kind());
        self.columns = self.columns_of(&unit.stream);
        self.values.clear();
        self.hits.clear();
        (self.n_cut, self.part, self.whole) = (0, InsertedRows::default(), InsertedRows::default());
        self.names = match (&unit.staged, &unit.path) {
            (Some(staged), _) => staged.sources.iter().map(|source| source.name.clone()).collect(),
            (None, Some(path)) if !unit.plain => vec![unit.booked_as.clone().unwrap_or_else(|| base_name(path))],
            _ => Vec::new(),
        };
        if !self.transactional {
            return self.begin_holding(unit);
        }
        self.db.begin()?;
        if self.ledger && self.steps.are_complete(&unit.stream) {
            let mut n_new = 0;
            for name in &self.names {
                n_new += usize::from(ledger::begin(self.db, name, self.target)? == Begun::New);
            }
            if n_new == 0 && !self.names.is_empty() {
                return self.already(unit);
            }
            if n_new < self.names.len() {
                bail!("the ledger of imports already has some sources of {}", unit.name());
            }
        } else {
            self.names.clear();
        }
        self.unknown_commit = false;
        if self.target == Target::Userlogin {
            let last = self.db.number("SELECT MAX(id) FROM userlogin", ())?.unwrap_or(0);
            self.last_before = u64::try_from(last).unwrap_or(0);
        }
        Ok(true)
    }

    fn rows(&mut self, rows: &mut Rows, range: Range<usize>) -> Result<()> {
        let Rows::Values(values) = rows else { return Ok(()) };
        let values = values.get_mut(range).unwrap_or_default();
        self.check_addresses(values)?;
        self.values.extend(values.iter_mut().map(|value| std::mem::replace(value, Value::NULL)));
        let full = ROWS * self.columns.len();
        while self.values.len() >= full {
            self.send(full)?;
        }
        Ok(())
    }

    fn hits(&mut self, datetime: Stamp, n: i64) -> Result<()> {
        self.hits.push((datetime, n));
        if self.hits.len() >= ROWS { self.send_hits() } else { Ok(()) }
    }

    fn bots(&mut self, stored: &mut BotTexts, any: bool) -> Result<()> {
        let (verb, table) = match self.holding {
            Some(_) => (Verb::Insert, holding::AGENTS),
            None => (Verb::Ignore, BOTS),
        };
        let mut insert = self.db.insert(verb, table, &["useragent"]);
        stored.take(|stored| insert.push([Value::from(stored)]))?;
        insert.finish()?;
        if any || !self.clean_after_bots {
            match &mut self.holding {
                Some(holding) => holding.clean_bots = true,
                None => {
                    self.db.run(CLEAN_BOTS, ())?;
                }
            }
        }
        Ok(())
    }

    fn cut(&mut self, unit: &Unit, part: &Report) -> Result<()> {
        let sources = unit.staged.as_ref().map(|staged| &staged.sources[..]).unwrap_or_default();
        let path = sources.get(self.n_cut).map(|source| source.path.clone()).unwrap_or_default();
        self.close_part(&path, unit, part)
    }

    fn end(&mut self, unit: &Unit, report: &mut Report) -> Result<()> {
        if unit.staged.is_none() {
            self.close_part(unit.path.as_deref().unwrap_or(Path::new("")), unit, report)?;
        }
        self.send_hits()?;
        if let Some(holding) = self.holding.take() {
            self.note_addresses(&format!("{} t", holding::ROWS), report)?;
            self.whole = holding.publish(self.db, self.target, &self.columns, &self.names)?;
        } else if let Err(error) = self.note_months(report) {
            return Err(error);
        } else if let Err(error) = self.db.run("COMMIT", ()) {
            self.unknown_commit = error.kind() == ErrorKind::Gone;
            return Err(error).context("ending the transaction");
        }
        self.n_done += 1;
        report.store(self.whole.rows);
        if unit.path.is_some() && unit.staged.is_none() && !unit.plain && self.steps.are_complete(&unit.stream) {
            let mut receipt = Receipt::of(unit, report);
            receipt.ids = self.whole.first.zip(self.whole.last);
            self.give(receipt)?;
        }
        Ok(())
    }

    fn refuse(&mut self, unit: &Unit, report: &Report) -> Result<()> {
        self.values.clear();
        self.hits.clear();
        if self.holding.take().is_none() {
            self.db.run("ROLLBACK", ()).context("undoing a file that was not understood")?;
        }
        self.n_done += 1;
        if unit.path.is_some() {
            self.give(Receipt::of(unit, report))?;
        }
        Ok(())
    }
}
