//! The work of a rehearsal: the lines of the crontab, started as programs on the shadow.

use std::collections::BTreeMap;
use std::ffi::OsString;

use anyhow::{Result, bail};
use schema::{Month, Stamp};

use super::logs::{self, Archived};
use super::months::Months;
use super::root::Root;
use super::tables::Tables;
use crate::hub::Hub;
use crate::shell::Shell;

/// The steps of tool statistics before and after countries are known.
const TOOLS: [&str; 2] = ["import-hub-data,hosts,domains,user-info", "tool-stats,tool-tops,tool-toplists"];

/// The table of host names in the folder of the rehearsal.
pub(super) const MAP: &str = "hosts.csv";

/// One rehearsal.
pub(super) struct Work<'w> {
    pub(super) root: &'w Root,
    pub(super) tables: Tables<'w>,
    pub(super) months: Months,
    /// The days of import of logs, by their names in the real ledger.
    pub(super) ledger: &'w BTreeMap<String, Stamp>,
    /// Who is asked about addresses of which the real tables have no row.
    pub(super) nameserver: Option<&'w str>,
    pub(super) tell: &'w dyn Fn(&str),
}

impl Work<'_> {
    /// Imports everything at once, then does the work of each month.
    ///
    /// # Errors
    /// A stage or the server fails.
    pub(super) fn at_once(&mut self, list: &[Archived]) -> Result<()> {
        let hub = self.root.hub(None)?;
        (self.tell)(&format!("importing {}", kit::counted(list.len(), "log", "logs")));
        self.import(&hub, list)?;
        if !self.ledger.is_empty() {
            let n = self.tables.copy_later_logins()?;
            if n > 0 {
                let logins = kit::counted(n, "login", "logins");
                (self.tell)(&format!("{logins} of later logs, which were imported together with these, count too"));
            }
        }
        self.months.all().try_for_each(|month| self.month(&hub, month))
    }

    /// Does what the crontab did night by night.
    ///
    /// # Errors
    /// A stage or the server fails.
    pub(super) fn by_night(&mut self, nights: &BTreeMap<Stamp, Vec<Archived>>) -> Result<()> {
        let Some((&first, _)) = nights.first_key_value() else { return Ok(()) };
        let last = nights.keys().next_back().copied().unwrap_or(first).max(self.months.last.next().start());
        let mut night = first;
        let mut done = Vec::new();
        while night <= last {
            let hub = self.root.hub(Some(night))?;
            if let Some(list) = nights.get(&night) {
                self.import(&hub, list)?;
            }
            self.tools(&hub, None, false)?;
            self.usage(&hub, None)?;
            let previous =
                night.month().map(Month::previous).filter(|month| night.day() == 1 && self.months.has(*month));
            if let Some(month) = previous {
                (self.tell)(&format!("{month}: night by night"));
                self.stage(&hub, "summarize", &["--db"])?;
                done.push(month);
            }
            night = night.plus_days(1);
        }
        // what was imported later was worked on by name
        let hub = self.root.hub(None)?;
        self.months.all().filter(|month| !done.contains(month)).try_for_each(|month| self.month(&hub, month))
    }

    fn import(&mut self, hub: &Hub, list: &[Archived]) -> Result<()> {
        logs::put(list, self.ledger, &hub.config.paths)?;
        self.stage(hub, "fetch-logs", &["--stage"])?;
        self.stage(hub, "import-logs", &["--db"])?;
        logs::remove(&hub.config.paths)?;
        self.tables.trim()?;
        self.tables.write_map(&self.root.at(MAP), self.nameserver.is_some())?;
        self.tables.take_several_names()
    }

    fn month(&mut self, hub: &Hub, month: Month) -> Result<()> {
        (self.tell)(&format!("{month}: tools, usage, summaries"));
        let is_last = self.tables.is_last_published(month)?;
        self.tools(hub, Some(month), is_last)?;
        if is_last {
            // tool starts at midnight got their names from the runs for earlier months
            self.for_month(hub, "usage-metrics", &["--db", "--only", "middleware-wall"], Some(month))?;
            self.tables.take_missing_names(&["web", "toolstart"])?;
        }
        self.usage(hub, Some(month))?;
        self.stage(hub, "summarize", &["--db", &month.to_string()])
    }

    fn tools(&mut self, hub: &Hub, month: Option<Month>, is_last: bool) -> Result<()> {
        let [before, after] = TOOLS;
        let map = self.map();
        self.for_month(hub, "tool-metrics", &with(&["--db", "--only", before, "--map", &map], self.nameserver), month)?;
        if is_last {
            self.tables.take_missing_names(&["sessionlog_metrics"])?;
        }
        self.tables.take_countries(true)?;
        self.for_month(hub, "tool-metrics", &["--db", "--only", after], month)
    }

    fn usage(&mut self, hub: &Hub, month: Option<Month>) -> Result<()> {
        let map = self.map();
        let args = ["--db", "--map", &map, "--geo-url", "none"];
        self.for_month(hub, "usage-metrics", &with(&args, self.nameserver), month)?;
        self.tables.take_countries(false)
    }

    fn map(&self) -> String {
        self.root.at(MAP).to_string_lossy().into_owned()
    }

    fn for_month(&self, hub: &Hub, name: &str, args: &[&str], month: Option<Month>) -> Result<()> {
        let month = month.map(|month| month.to_string());
        let args: Vec<&str> = args.iter().copied().chain(month.as_deref()).collect();
        self.stage(hub, name, &args)
    }

    fn stage(&self, hub: &Hub, name: &str, args: &[&str]) -> Result<()> {
        let mut shell: Shell = hub.shell(None)?;
        let words: Vec<OsString> = args.iter().map(OsString::from).collect();
        let code = shell.run_program(name, words)?;
        if code != 0 {
            bail!("{name} {} ended with exit code {code} on the shadow", args.join(" "));
        }
        Ok(())
    }
}

/// The arguments, with the name server to ask if there is one.
fn with<'a>(args: &[&'a str], nameserver: Option<&'a str>) -> Vec<&'a str> {
    args.iter().copied().chain(nameserver.into_iter().flat_map(|server| ["--nameserver", server])).collect()
}
