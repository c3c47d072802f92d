//! Rows from before the months: copied from the real tables, because long periods count them.

use anyhow::{Context as _, Result};
use database::pruned::Pruned;
use schema::Month;
use schema::tables::{self, quote};

use super::logs;
use super::tables::{IMPORTED, Tables};

/// Tables whose rows come from the hub's, with the column of their date, the hub's table, and the columns by which one
/// sees which rows the hub still has.
const OF_HUB: [(&str, &str, &str, [&str; 2]); 2] = [
    ("sessionlog_metrics", "start", "sessionlog", ["sessnum", "sessnum"]),
    ("toolstart", "datetime", "joblog", ["datetime", "start"]),
];

/// Logs that were imported within so many seconds of one another were imported together.
const TOGETHER: i64 = 600;

/// What later steps write to these rows.
const FILLED: [&str; 7] = ["sessionid", "host", "domain", "orgtype", "countryresident", "countrycitizen", "ipcountry"];

impl Tables<'_> {
    /// Copies the rows from before the months, or all of a table without dates.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn copy_from_before(&mut self, table: &str) -> Result<()> {
        let real = self.real.metrics_db.clone();
        if let Some((_, date, source, by)) = OF_HUB.into_iter().find(|(name, ..)| *name == table) {
            return self.copy_of_hub(table, date, source, by);
        }
        let has_date = tables::metrics(table).is_some_and(|table| table.column("datetime").is_some());
        let condition = has_date.then(|| self.before("datetime"));
        self.copy(&real, table, condition.as_deref(), &[])
    }

    /// Rows of months that were published, as they are. Those of earlier months were worked on by no run before: they
    /// come from the hub again, or, where the hub has them no more, as they came from there.
    fn copy_of_hub(&mut self, table: &str, date: &str, source: &str, [by, of]: [&str; 2]) -> Result<()> {
        let real = self.real.metrics_db.clone();
        // the real rows are as the run for this month left them
        if self.is_last_published(self.months.first)? {
            let condition = self.before(date);
            return self.copy(&real, table, Some(&condition), &[]);
        }
        let published = self.first_published()?;
        let condition = format!("{date} >= '{published}' AND {}", self.before(date));
        self.copy(&real, table, Some(&condition), &[])?;
        let hub = self.real.hub_db.clone();
        if self.has_real(&hub, source)? {
            let first = format!("SELECT MIN({of}) FROM {}.{} WHERE {of} > 0", quote(&hub), quote(source));
            let gone = format!("{date} < '{published}' AND {by} < ({first})");
            self.copy(&real, table, Some(&gone), &FILLED)?;
        }
        Ok(())
    }

    /// New sessions are numbered after the last one, and the state of pruned months knows the numbers of theirs: one
    /// session that nobody reads keeps them free.
    pub(super) fn keep_numbers_of_pruned(&mut self) -> Result<()> {
        let Some(gone) = Pruned::read(&mut self.db)?.web else { return Ok(()) };
        let sql = format!(
            "INSERT INTO websessions (id, datetime, ip) SELECT MAX(id), '{}', '' FROM {} \
             HAVING MAX(id) > (SELECT IFNULL(MAX(id), 0) FROM websessions)",
            gone.through.start(),
            self.real("websessions")
        );
        self.db.run(&sql, ())?;
        Ok(())
    }

    /// Removes agents from the list of bots that cannot have been on it before: those with requests in these months,
    /// and all of them if these are the first months of the hub.
    pub(super) fn forget_new_bots(&mut self) -> Result<()> {
        let (web, before) = (self.real("web"), self.before("datetime"));
        let has_rows = self.db.number(&format!("SELECT 1 FROM {web} WHERE {before} LIMIT 1"), ())?.is_some();
        if !has_rows && self.first_published()? == self.months.bounds().0.to_string() {
            self.db.run("DELETE FROM bot_useragents", ())?;
            return Ok(());
        }
        let agents = format!("SELECT DISTINCT useragent FROM {web} WHERE {}", self.within("datetime"));
        self.db.run(&format!("DELETE b FROM ({agents}) w JOIN bot_useragents b ON b.useragent = w.useragent"), ())?;
        Ok(())
    }

    /// The label of the first month before these that has cells; that of the first of these if none has.
    fn first_published(&mut self) -> Result<String> {
        let sql = format!(
            "SELECT CAST(MIN(datetime) AS char) FROM {} WHERE datetime > '0000-01-00' AND {}",
            self.real("summary_user_vals"),
            self.before("datetime")
        );
        let found = self.db.texts(&sql, ())?.into_iter().next();
        Ok(found.unwrap_or_else(|| self.months.bounds().0.to_string()))
    }

    /// Whether no month after this one has cells: then the real rows are as its run left them.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn is_last_published(&mut self, month: Month) -> Result<bool> {
        let sql = format!(
            "SELECT 1 FROM {} WHERE datetime >= '{}' LIMIT 1",
            self.real("summary_user_vals"),
            month.next().label()
        );
        Ok(self.db.number(&sql, ())?.is_none())
    }

    pub(super) fn before(&self, column: &str) -> String {
        format!("{column} < '{}'", self.months.bounds().0)
    }

    /// Copies rows of a table of a real database; the columns `empty` stay empty. Rows that have come since may have
    /// the numbers of an invisible key.
    pub(super) fn copy(&mut self, real: &str, table: &str, condition: Option<&str>, empty: &[&str]) -> Result<()> {
        self.copy_by("INSERT", real, table, condition, empty)
    }

    fn copy_by(&mut self, verb: &str, real: &str, table: &str, condition: Option<&str>, empty: &[&str]) -> Result<()> {
        let sql = "SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ? \
                   ORDER BY ordinal_position";
        let columns = self.db.texts(sql, (real, table))?;
        let is_copied = |name: &&String| *name != tables::HIDDEN_KEY && !empty.contains(&name.as_str());
        let columns = columns.iter().filter(is_copied).map(|name| quote(name));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let condition = condition.map_or_else(String::new, |condition| format!(" WHERE {condition}"));
        let at = quote(table);
        let sql = format!("{verb} INTO {at} ({columns}) SELECT {columns} FROM {}.{at}{condition}", quote(real));
        self.db.run(&sql, ()).with_context(|| format!("copying rows of {table}"))?;
        Ok(())
    }

    /// Copies logins of later logs that were imported together with those of the months: whoever logs in at any time is
    /// a user, so they counted when the months were computed. Returns how many there are.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn copy_later_logins(&mut self) -> Result<u64> {
        let (mut last, mut through) = (None, 0);
        let sql = format!(
            "SELECT filename, UNIX_TIMESTAMP(imported_at), IFNULL(pk_end, 0) FROM {} WHERE target_table = 'userlogin' \
             AND origin = 'importer' ORDER BY imported_at, id",
            self.real("imported_sources")
        );
        let months = self.months;
        self.db.each(&sql, (), |row| {
            let (at, end) = (row.int(1).unwrap_or(0), row.int(2).unwrap_or(0));
            let is_together = last.is_some_and(|last| at - last <= TOGETHER);
            if is_together || logs::is_of(&row.text(0).unwrap_or_default(), months) {
                (last, through) = (Some(at), through.max(end));
            }
            Ok(())
        })?;
        let condition = format!("datetime >= '{}' AND id <= {through}", months.bounds().1);
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {condition}", self.real("userlogin"));
        let n = self.db.number(&sql, ())?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        if n > 0 {
            let real = self.real.metrics_db.clone();
            // the logs of the first days after the months are there
            self.copy_by("INSERT IGNORE", &real, "userlogin", Some(&condition), &[])?;
        }
        Ok(n)
    }

    /// After an import: removes rows from before the months, which the first logs hold, and brings the real ones. Rows
    /// from after the months stay: the first moment of a month counts in the one before.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn trim(&mut self) -> Result<()> {
        let before = self.before("datetime");
        for (table, last) in self.last_ids.clone() {
            self.db.delete(table, &format!("id > {last} AND {before}"), ())?;
        }
        self.db.delete("webhits", &before, ())?;
        for (table, has_number) in IMPORTED {
            if !has_number || !self.has_history {
                self.copy_from_before(table)?;
            }
        }
        self.has_history = true;
        Ok(())
    }
}
