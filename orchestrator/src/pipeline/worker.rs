//! Carries out the decisions: starts stages, imports logs, deletes derived rows.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use database::address_changes::AddressChanges;
use database::{Db, DbError, ErrorKind, Which, pruned, tool_starts};
use hub::lock::Lock;
use kit::door;
use schema::{Month, Opt, Period};
use serde_json::json;

use super::facts::{STAMPED, SUMMARIES, bounds};
use super::importer::Importer;
use super::pending::Pending;
use crate::hub::Hub;
use crate::shell::Shell;

/// How much is actually done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    Real,
    /// Stages are started with `--dry-run`.
    DryRun,
    /// Stages are only named.
    Plan,
}

/// When sessions are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sessions {
    /// The month is over, or the user forces it.
    Build,
    /// The month is not over: `--compat` decides.
    AsSettled,
}

/// Which periods are summarized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Periods {
    All,
    /// The month's own: for months whose neighbours still have to be caught up.
    Own,
    /// Only these.
    Some(Vec<Period>),
}

/// Does the work of one run.
pub(crate) struct Worker<'h> {
    pub(crate) hub: &'h Hub,
    lock: Option<&'h Lock>,
    shell: Shell,
    effort: Effort,
}

impl<'h> Worker<'h> {
    /// # Errors
    /// Signals cannot be watched.
    pub(crate) fn new(hub: &'h Hub, lock: Option<&'h Lock>, effort: Effort) -> Result<Self> {
        Ok(Self { hub, lock, shell: hub.shell(lock)?, effort })
    }

    /// Runs a stage.
    fn stage(&mut self, exe: &str, mut args: Vec<String>) -> Result<()> {
        if self.effort == Effort::DryRun {
            args.insert(1, "--dry-run".to_owned());
        }
        let line = format!("{exe} {}", args.join(" "));
        if self.effort == Effort::Plan {
            self.hub.plan.borrow_mut().push(json!({"action": "run", "program": exe, "arguments": args}));
            self.hub.log.info(format_args!("  [dry-run] would run: {line}"));
            return Ok(());
        }
        self.hub.log.debug(&line);
        let _step = self.hub.log.step(exe);
        self.shell.show_context(&self.hub.context.borrow());
        let code = self.shell.run_program(exe, args.into_iter().map(OsString::from).collect())?;
        if code != 0 {
            bail!("{exe} ended with exit code {code} (`{line}`); what it did is kept, the next run repeats it");
        }
        Ok(())
    }

    /// Computes tool statistics, then fills in names, sessions and countries of a month.
    ///
    /// # Errors
    /// A stage fails.
    pub(crate) fn analyze(&mut self, month: Month, sessions: Sessions) -> Result<()> {
        self.hub.log.info(format_args!("--- analyze {month} ---"));
        self.stage("tool-metrics", vec!["--db".to_owned(), month.to_string()])?;
        let mut args = vec!["--db".to_owned()];
        if sessions == Sessions::Build {
            args.push("--with-sessions".to_owned());
        }
        args.extend(self.force(month, month)?);
        args.push(month.to_string());
        self.stage("usage-metrics", args)
    }

    /// Computes the cells of a range of months, in one scan.
    ///
    /// # Errors
    /// The stage fails.
    pub(crate) fn summarize(&mut self, first: Month, last: Month, periods: &Periods) -> Result<()> {
        let what = if first == last { first.to_string() } else { format!("{first} to {last}") };
        self.hub.log.info(format_args!("--- summarize {what} ---"));
        let mut args = summarize_args(first, last, periods);
        args.extend(self.force(first, last)?);
        self.stage("summarize", args)
    }

    /// The option for months whose addresses are hashed: whoever named them was asked.
    fn force(&self, first: Month, last: Month) -> Result<Option<String>> {
        let is_hashed = AddressChanges::read(&mut self.hub.db()?)?.hashed_in(first, last).is_some();
        Ok(is_hashed.then(|| "--force".to_owned()))
    }

    /// Writes a page of the report; returns whether it was written and not only named.
    ///
    /// # Errors
    /// The stage fails.
    pub(crate) fn report(&mut self, args: Vec<String>) -> Result<bool> {
        self.stage("report", args)?;
        Ok(self.effort == Effort::Real)
    }

    /// Removes a page of the report.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn remove_page(&self, page: &Path) -> Result<()> {
        if self.effort == Effort::Real {
            door::remove(page).with_context(|| format!("removing {}", page.display()))?;
        }
        Ok(())
    }

    /// Imports the logs of these days; returns the number of new rows.
    ///
    /// # Errors
    /// A log cannot be imported.
    pub(crate) fn import(&self, pending: &Pending, days: &[String]) -> Result<u64> {
        let mut importer = Importer { hub: self.hub, lock: self.lock };
        let mut rows = 0;
        let context = self.hub.context.take();
        for (i, day) in days.iter().enumerate() {
            *self.hub.context.borrow_mut() = format!("{context} log {}/{}", i + 1, days.len()).trim_start().to_owned();
            let _step = (self.effort == Effort::Real).then(|| self.hub.log.step(format!("import-day {day}")));
            rows += importer.day(pending, day, self.effort != Effort::Real)?;
        }
        *self.hub.context.borrow_mut() = context;
        Ok(rows)
    }

    /// Drops what was derived from the requests of a month: session numbers, sessions, cells. Hits
    /// are dropped only if they are derived (`derived-webhits`), because legacy's cannot be counted
    /// again. Requests and logins are kept.
    ///
    /// # Errors
    /// The server refuses a statement.
    pub(crate) fn reset(&self, db: &mut Db, month: Month) -> Result<()> {
        pruned::refuse(db, month)?;
        self.hub.log.info(format_args!("{month}: dropping stamps, sessions and cells; they are rebuilt"));
        if self.effort != Effort::Real {
            self.hub.plan.borrow_mut().push(json!({"action": "reset", "month": month.to_string()}));
            return Ok(());
        }
        let derives_hits = self.hub.compat.has(Opt::DerivedWebhits);
        let mut tables = STAMPED.to_vec();
        tables.extend(SUMMARIES);
        tables.extend(["websessions", "summary_andmore_vals", "webhits"]);
        db.transaction_with_retry(&format!("dropping what was derived for {month}"), &tables, |db| {
            let between = bounds(month);
            db.will_change([month])?;
            for table in STAMPED {
                let sql = format!(
                    "UPDATE {table} SET sessionid = NULL WHERE datetime >= ? AND datetime < ? AND sessionid <> 0"
                );
                db.run(&sql, between.clone())?;
            }
            db.run("DELETE FROM websessions WHERE datetime >= ? AND datetime < ?", between.clone())?;
            for table in SUMMARIES.into_iter().chain(["summary_andmore_vals"]) {
                db.run(&format!("DELETE FROM {table} WHERE datetime = ?"), (month.label().to_string(),))?;
            }
            if derives_hits {
                db.run("DELETE FROM webhits WHERE datetime >= ? AND datetime < ?", between.clone())?;
                let sql = "INSERT INTO webhits (datetime, hits) SELECT DATE(datetime) day, COUNT(*) FROM web \
                           WHERE datetime >= ? AND datetime < ? GROUP BY day ORDER BY day";
                db.run(sql, between)?;
            }
            Ok(())
        })
    }
}

impl Worker<'_> {
    /// Deletes tool starts that are there more often than their jobs, as two runs at the same time left them, and
    /// drops what was derived for their month, which counted them.
    ///
    /// # Errors
    /// The server refuses.
    pub(crate) fn drop_doubled_starts(&self, db: &mut Db, month: Month) -> Result<()> {
        if self.effort != Effort::Real {
            return Ok(());
        }
        let mut of_hub = match Db::connect(&self.hub.config.target(), Which::Hub) {
            // no jobs, so no tool starts of theirs; the stages that need this database report it
            Err(error) if DbError::of(&error).is_some_and(|e| e.kind() == ErrorKind::NoDatabase) => return Ok(()),
            connected => connected?,
        };
        // a hub without tools has no such tables
        if !of_hub.has_table("joblog")? || !of_hub.has_table("sessionlog")? || !db.has_table("toolstart")? {
            return Ok(());
        }
        let surplus = tool_starts::surplus(db, &mut of_hub, month.start(), month.next().start())?;
        if surplus.is_empty() {
            return Ok(());
        }
        self.hub.log.warning(format_args!("{month}: deleting {} tool starts that are there twice", surplus.len()));
        let doing = format!("deleting doubled tool starts of {month}");
        db.transaction_with_retry(&doing, &["toolstart"], |db| tool_starts::delete(db, &surplus))?;
        self.reset(db, month)
    }
}

fn summarize_args(first: Month, last: Month, periods: &Periods) -> Vec<String> {
    let mut args = vec!["--db".to_owned()];
    let mut option = |name: &str, value: String| args.extend([name.to_owned(), value]);
    if first == last {
        option("--month", first.to_string());
    } else {
        option("--since", first.to_string());
        option("--through", last.to_string());
    }
    match periods {
        Periods::All => {}
        Periods::Some(list) if *list != [Period::Month] => {
            let codes: Vec<_> = list.iter().map(Period::to_string).collect();
            option("--periods", codes.join(","));
        }
        // the usage of resources has long periods too, and is computed with them
        Periods::Own | Periods::Some(_) => {
            option("--periods", "1".to_owned());
            option("--only", "import-hub-data,summary".to_owned());
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summarize_is_started_with_these_arguments() {
        let check = |first: &str, last: &str, periods: &Periods, expected: &str| {
            let args = summarize_args(first.parse().unwrap(), last.parse().unwrap(), periods);
            assert_eq!(args.join(" "), expected);
        };
        check("2025-07", "2025-07", &Periods::All, "--db --month 2025-07");
        check("2024-11", "2025-07", &Periods::All, "--db --since 2024-11 --through 2025-07");
        let own = "--db --month 2025-07 --periods 1 --only import-hub-data,summary";
        check("2025-07", "2025-07", &Periods::Own, own);
        check("2025-07", "2025-07", &Periods::Some(vec![Period::Month]), own);
        check(
            "2025-07",
            "2025-07",
            &Periods::Some(vec![Period::Year, Period::Month]),
            "--db --month 2025-07 --periods 0,1",
        );
    }
}
