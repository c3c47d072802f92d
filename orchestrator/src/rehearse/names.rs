//! Host names and countries of the real rows, so that nobody is asked about an address.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use kit::door::Temporary;
use schema::domain::{Length, domain_of, lower};
use schema::tables::quote;

use super::tables::{Removed, Tables};

/// The tables with addresses and host names, with the column of their date.
const NAMED: [(&str, &str); 4] =
    [("web", "datetime"), ("toolstart", "datetime"), (SESSIONS_OF_TOOLS, "start"), ("websessions", "datetime")];

/// The tool sessions.
const SESSIONS_OF_TOOLS: &str = "sessionlog_metrics";

/// The rows of the shadow to which a real value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    All,
    /// Those without a value.
    Empty,
    /// Those of addresses that have several values.
    OfSeveralNames,
}

/// A table for a moment: what is found for an address and a time.
const TAKEN: &str = "hz_taken";

impl Tables<'_> {
    /// Learns the host name of each address; those with several get theirs row by row.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn learn_names(&mut self) -> Result<()> {
        let mut names = BTreeMap::new();
        for (table, date) in NAMED {
            if !self.db.has_table(table)? {
                continue;
            }
            let sql = format!(
                "SELECT ip, MAX(host) FROM {} WHERE {} AND host <> '' AND ip <> '' GROUP BY ip",
                self.real(table),
                self.around(date)
            );
            self.db.each(&sql, (), |row| {
                let text = |at| row.text(at).unwrap_or_default().into_owned();
                // `?` sorts before every name
                let host = text(1);
                let known: &mut String = names.entry(text(0)).or_insert_with(|| host.clone());
                if *known < host {
                    *known = host;
                }
                Ok(())
            })?;
        }
        self.names = names;
        Ok(())
    }

    /// Writes the names for the stages. Addresses of which the real tables have no row get a host of the exclude
    /// list, unless they are `looked_up`: bots were removed with all that is known about them.
    ///
    /// # Errors
    /// The server refuses, or the file cannot be written.
    pub(super) fn write_map(&mut self, path: &Path, looked_up: bool) -> Result<()> {
        let mut names = self.names.clone();
        let excluded = if looked_up { None } else { self.excluded_host()? };
        self.removed = Removed::default();
        if let Some(host) = excluded {
            let sql = format!(
                "SELECT w.ip, COUNT(*) FROM web w WHERE {} AND w.ip <> '' AND NOT EXISTS \
                 (SELECT 1 FROM {} r WHERE r.ip = w.ip AND {}) GROUP BY w.ip",
                self.reach("w.datetime"),
                self.real("web"),
                self.reach("r.datetime")
            );
            let removed = &mut self.removed;
            self.db.each(&sql, (), |row| {
                let ip = row.text(0).unwrap_or_default().into_owned();
                if let Entry::Vacant(free) = names.entry(ip) {
                    free.insert(host.clone());
                    removed.addresses += 1;
                    removed.requests += row.uint(1).unwrap_or(0);
                }
                Ok(())
            })?;
        }
        let mut file = Temporary::beside(path)?;
        writeln!(file, "ip,host")?;
        for (ip, host) in &names {
            writeln!(file, "{},{}", quoted(ip), quoted(host))?;
        }
        file.publish(path.file_name().unwrap_or_default()).with_context(|| format!("writing {}", path.display()))
    }

    /// A host name that the exclude list removes; `None` if the list removes none.
    fn excluded_host(&mut self) -> Result<Option<String>> {
        let mut filters =
            |kind: &str| self.db.texts("SELECT filter FROM exclude_list WHERE type = ? ORDER BY 1", (kind,));
        let (domains, hosts) = (filters("domain")?, filters("host")?);
        let of_domain = domains.iter().find_map(|domain| {
            let host = format!("removed.{domain}");
            (domain_of(&lower(&host), Length::Bytes) == lower(domain)).then_some(host)
        });
        Ok(of_domain.or_else(|| hosts.first().map(|host| host.replace(['%', '_'], "x"))))
    }

    /// Takes a column from the real rows with the same address and time.
    fn take(&mut self, table: &str, date: &str, column: &str, rows: Rows) -> Result<()> {
        if !self.db.has_table(table)? || !self.db.has_column(table, column)? {
            return Ok(());
        }
        let (real, within, at, column) = (self.real(table), self.reach(date), quote(table), quote(column));
        let several = match rows {
            Rows::OfSeveralNames => format!(
                " AND ip IN (SELECT ip FROM {real} WHERE {within} AND host IS NOT NULL GROUP BY ip \
                 HAVING COUNT(DISTINCT {column}) > 1)"
            ),
            _ => String::new(),
        };
        let empty = if rows == Rows::Empty { format!("AND IFNULL(t.{column}, '') = ''") } else { String::new() };
        self.db.run(&format!("DROP TEMPORARY TABLE IF EXISTS {TAKEN}"), ())?;
        let sql = format!(
            "CREATE TEMPORARY TABLE {TAKEN} (PRIMARY KEY (ip, at)) SELECT ip, {date} AS at, MAX({column}) AS found \
             FROM {real} WHERE {within}{several} GROUP BY ip, {date}"
        );
        self.db.run(&sql, ())?;
        let sql = format!(
            "UPDATE {at} t JOIN {TAKEN} r ON r.ip = t.ip AND r.at = t.{date} SET t.{column} = r.found \
             WHERE r.found IS NOT NULL AND NOT (t.{column} <=> r.found) {empty}"
        );
        self.db.run(&sql, ())?;
        self.db.run(&format!("DROP TEMPORARY TABLE {TAKEN}"), ())?;
        Ok(())
    }

    /// Countries of the tables of usage; of tool sessions with `of_tools`.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn take_countries(&mut self, of_tools: bool) -> Result<()> {
        for (table, date) in NAMED.into_iter().filter(|(table, _)| (*table == SESSIONS_OF_TOOLS) == of_tools) {
            self.take(table, date, "ipcountry", Rows::All)?;
        }
        Ok(())
    }

    /// Names of addresses that had several, which the map cannot tell apart.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn take_several_names(&mut self) -> Result<()> {
        self.take("web", "datetime", "host", Rows::OfSeveralNames)
    }

    /// Names of rows that got none here: runs for other months found them.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn take_missing_names(&mut self, tables: &[&str]) -> Result<()> {
        for (table, date) in NAMED.into_iter().filter(|(table, _)| tables.contains(table)) {
            for column in ["host", "domain"] {
                self.take(table, date, column, Rows::Empty)?;
            }
        }
        Ok(())
    }

    /// Takes what earlier and later months wrote to rows of these: names, and the stamps of sessions that began before.
    ///
    /// # Errors
    /// The server refuses.
    pub(super) fn take_from_neighbours(&mut self) -> Result<()> {
        self.take_missing_names(&NAMED.map(|(table, _)| table))?;
        let (before, within) = (self.before("s.datetime"), self.within("t.datetime"));
        for table in ["web", "toolstart"] {
            let sql = format!(
                "UPDATE {at} t JOIN {} r ON r.ip = t.ip AND r.datetime = t.datetime JOIN {} s ON s.id = r.sessionid \
                 SET t.sessionid = r.sessionid WHERE {within} AND {before} AND IFNULL(t.sessionid, 0) = 0",
                self.real(table),
                self.real("websessions"),
                at = quote(table)
            );
            self.db.run(&sql, ())?;
        }
        Ok(())
    }

    /// The months with the first moment after them, which counts in the last of them.
    fn reach(&self, date: &str) -> String {
        format!("{date} >= '{}' AND {date} <= '{}'", self.months.bounds().0, self.months.last.next().start())
    }

    /// The months with a day before and after, whose rows the work touches too.
    fn around(&self, date: &str) -> String {
        let (from, to) = (self.months.first.start().plus_days(-2), self.months.last.next().start().plus_days(2));
        format!("{date} >= '{from}' AND {date} < '{to}'")
    }
}

/// A cell of a CSV file.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
