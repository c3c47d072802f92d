//! The tables of the shadow: those that are written are made like the real ones, those that are only read are views
//! of the real ones. Rows from before the months are copied.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use database::{Db, Target, Which};
use schema::rights::{RIGHTS, Scope};
use schema::tables::{self, GENERATIONS, WRITER, quote};

use super::months::Months;

/// Engines whose tables hold their own rows. A copy of the definition of a table of another one, such as Spider or
/// MERGE, may lead to the rows of the real table.
const OWN_ROWS: [&str; 4] = ["innodb", "myisam", "aria", "rocksdb"];

/// Tables that begin empty: they are filled by the import, rebuilt by each run, or say how a real number came about.
const EMPTY: [&str; 7] = [
    "imported_sources",
    "import_files",
    "pipeline_state",
    "userlogin_lite",
    "jos_xprofiles_metrics",
    WRITER,
    GENERATIONS,
];

/// The profiles of the hub's users.
const PROFILES: &str = "xprofiles";

/// Tables that the import fills, and whether their rows have numbers.
pub(super) const IMPORTED: [(&str, bool); 3] = [("web", true), ("userlogin", true), ("webhits", false)];

/// Requests that are in the logs, and of whose addresses the real tables have no row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) requests: u64,
    pub(crate) addresses: u64,
}

/// The shadow's tables, and the real ones.
pub(super) struct Tables<'t> {
    pub(super) db: Db,
    pub(super) real: &'t Target,
    pub(super) months: Months,
    /// The highest number in the real tables that the import fills.
    pub(super) last_ids: Vec<(&'static str, i64)>,
    pub(super) has_history: bool,
    /// Host names by address.
    pub(super) names: BTreeMap<String, String>,
    pub(super) removed: Removed,
}

impl<'t> Tables<'t> {
    /// For the account of the shadow.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub(super) fn new(shadow: &Target, real: &'t Target, months: Months) -> Result<Self> {
        let db = Db::connect(shadow, Which::Metrics)?;
        let (names, removed) = (BTreeMap::new(), Removed::default());
        Ok(Self { db, real, months, last_ids: Vec::new(), has_history: false, names, removed })
    }

    /// A table of the real metrics database, quoted.
    pub(super) fn real(&self, table: &str) -> String {
        format!("{}.{}", quote(&self.real.metrics_db), quote(table))
    }

    /// The condition for rows of the months.
    pub(super) fn within(&self, column: &str) -> String {
        let (from, to) = self.months.bounds();
        format!("{column} >= '{from}' AND {column} < '{to}'")
    }

    /// Makes all tables, and copies what the work needs from before the months, except in tables that the import
    /// fills. Returns the names of those of the metrics database.
    ///
    /// # Errors
    /// A table cannot be copied, or the server refuses.
    pub(super) fn make(&mut self) -> Result<BTreeSet<String>> {
        let (mut made, real) = (BTreeSet::new(), self.real.metrics_db.clone());
        for table in tables::METRICS {
            if !self.make_like(&real, table.name)? {
                continue;
            }
            made.insert(table.name.to_owned());
            if let Some((name, true)) = IMPORTED.into_iter().find(|(name, _)| *name == table.name) {
                self.number_from_last(name)?;
            }
        }
        self.make_hub()?;
        for name in &made {
            let is_later = IMPORTED.iter().any(|(imported, _)| imported == name);
            if !EMPTY.contains(&name.as_str()) && !is_later {
                self.copy_from_before(name)?;
            }
        }
        self.keep_numbers_of_pruned()?;
        self.forget_new_bots()?;
        Ok(made)
    }

    /// The hub's tables: copies of the structure of those that we write, views of the others.
    fn make_hub(&mut self) -> Result<()> {
        let real = self.real.hub_db.clone();
        let prefix = self.real.prefix.clone();
        let is_written = |name: &str| RIGHTS.iter().any(|r| matches!(r.scope, Scope::HubTable(table) if table == name));
        self.db.switch(Which::Hub)?;
        for table in tables::HUB {
            let name = table.full_name(&prefix);
            if is_written(table.name) {
                self.make_like(&real, &name)?;
                continue;
            }
            if table.name != PROFILES && self.has_real(&real, &name)? {
                let (at, of) = (quote(&name), quote(&real));
                self.db.run(&format!("CREATE SQL SECURITY INVOKER VIEW {at} AS SELECT * FROM {of}.{at}"), ())?;
            }
        }
        // a table is made like this one, which no view allows; legacy's name has no other prefix
        for name in BTreeSet::from([format!("{prefix}{PROFILES}"), format!("jos_{PROFILES}")]) {
            if self.make_like(&real, &name)? {
                self.copy(&real, &name, None, &[])?;
            }
        }
        self.db.switch(Which::Metrics)
    }

    /// Whether a real database has a table.
    pub(super) fn has_real(&mut self, database: &str, name: &str) -> Result<bool> {
        let sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?";
        Ok(self.db.number(sql, (database, name))?.unwrap_or(0) > 0)
    }

    /// Makes a table like that of a real database, if that is there.
    fn make_like(&mut self, real: &str, name: &str) -> Result<bool> {
        let sql = "SELECT engine FROM information_schema.tables WHERE table_schema = ? AND table_name = ?";
        let found = self.db.texts(sql, (real, name))?.into_iter().next();
        let Some(found) = found else { return Ok(false) };
        ensure!(
            OWN_ROWS.contains(&found.to_lowercase().as_str()),
            "{real}.{name} has the engine {found}: a copy of it might lead to the real rows, so it cannot be rehearsed"
        );
        let (at, of) = (quote(name), quote(real));
        self.db.run(&format!("CREATE TABLE {at} LIKE {of}.{at}"), ()).with_context(|| format!("copying {name}"))?;
        Ok(true)
    }

    /// Lets new rows begin after the last real number.
    fn number_from_last(&mut self, table: &'static str) -> Result<()> {
        let sql = format!("SELECT MAX(id) FROM {}", self.real(table));
        let last = self.db.number(&sql, ())?.unwrap_or(0);
        self.db.run(&format!("ALTER TABLE {} AUTO_INCREMENT = {}", quote(table), last.saturating_add(1)), ())?;
        self.last_ids.push((table, last));
        Ok(())
    }
}
