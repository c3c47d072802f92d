//! `hzmetrics rehearse`: computes months once more beside the real tables, and compares.

use std::fmt::Write as _;

use anyhow::Result;
use database::address_changes::AddressChanges;
use kit::{Usage, Uses};
use schema::{Exit, Month};
use serde_json::json;

use super::compare::Shown;
use super::{HubCommand, print};
use crate::colours;
use crate::compare::{Addresses, Report};
use crate::hub::Hub;
use crate::json::VERSION;
use crate::rehearse::{self, Admin, Months, Plan, Rehearsed, Shadow};

/// Compute months once more beside the real tables, and compare
///
/// Makes two shadow databases, imports the archived logs of the months into them, does the work of the crontab there,
/// compares the result ("there") with the real tables ("here") and drops the shadow. Rows from before the months are
/// copied; host names and countries come from the real rows. An account that may only read the real databases does
/// the work. Exit code 1 if something differs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Months that follow one another and are over
    #[arg(value_name = "YYYY-MM", required = true)]
    months: Vec<Month>,

    /// An account that may create databases and users: a file of options for mariadb, section [client]
    #[arg(long, value_name = "FILE", value_parser = Admin::parse, required = true)]
    admin_defaults: Option<Admin>,

    /// Name of the shadow of the metrics database [default: that of the real one with `_rehearsal`]
    #[arg(long, value_name = "DATABASE")]
    shadow: Option<String>,

    /// Work night by night, as the logs were imported, instead of once for each month
    #[arg(long)]
    by_night: bool,

    /// Ask this name server about addresses of which the real tables have no row, instead of counting their requests
    /// as bots that were removed: `system`, ADDRESS or ADDRESS:PORT
    #[arg(long, value_name = "SERVER")]
    nameserver: Option<String>,

    /// Keep the shadow databases; the next rehearsal drops them
    #[arg(long)]
    keep: bool,

    #[command(flatten)]
    shown: Shown,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::default())
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        hub.config.check()?;
        let months = self.months()?;
        if let Some(why) = AddressChanges::read(&mut hub.db()?)?.hashed_in(months.first, months.last) {
            hub.log.error(format_args!("[rehearse] {why}: their rows cannot be compared with those of the logs"));
            return Ok(Exit::Failed.code());
        }
        let admin = self.admin_defaults.as_ref().ok_or_else(|| Usage("--admin-defaults is missing".to_owned()))?;
        let plan = Plan {
            months,
            admin,
            shadow: Shadow::named(self.shadow.as_deref(), &hub.config)?,
            by_night: self.by_night,
            nameserver: self.nameserver.as_deref(),
            keeps: self.keep,
            n_shown: self.shown.rows,
        };
        let done = rehearse::rehearse(hub, &plan, &|text| hub.log.info(format_args!("[rehearse] {text}")))?;
        self.report(hub, &plan, done)
    }
}

impl Args {
    /// The months, which must follow one another and be over.
    fn months(&self) -> Result<Months> {
        let mut list = self.months.clone();
        list.sort_unstable();
        list.dedup();
        let wrong = |text: String| Err(Usage(text).into());
        let (Some(&first), Some(&last)) = (list.first(), list.last()) else { return wrong("name a month".to_owned()) };
        if list.iter().zip(first.through(last)).any(|(one, expected)| *one != expected) {
            return wrong("the months do not follow one another: rehearse them one after the other".to_owned());
        }
        if last >= kit::current_month()? {
            return wrong(format!("{last} is not over: its tables still change"));
        }
        Ok(Months { first, last })
    }

    fn report(&self, hub: &Hub, plan: &Plan<'_>, done: Rehearsed) -> Result<u8> {
        let Rehearsed { tables, n_logs, missing, has_ledger, removed } = done;
        let months: Vec<Month> = plan.months.all().collect();
        let report = Report {
            here: hub.config.metrics_db.clone(),
            there: plan.shadow.metrics.clone(),
            months: months.iter().map(Month::to_string).collect(),
            tables,
            addresses: Addresses::of_here(&mut hub.db()?, &months)?,
            allowed: self.shown.allowed(),
        };
        let differs = report.differs();
        let text = if self.shown.json {
            let removed = json!({"requests": removed.requests, "addresses": removed.addresses});
            let value = json!({
                "version": VERSION, "differs": differs, "by_night": self.by_night, "logs": n_logs,
                "logs_missing": missing, "has_ledger": has_ledger, "removed": removed, "compare": report.json(),
            });
            format!("{value}\n")
        } else {
            let mut text = report.text();
            if !has_ledger {
                text.push_str("the real database has no entries of imports for these months: they are not compared\n");
            }
            if removed.requests > 0 {
                let _ = writeln!(
                    text,
                    "{} of {}, of which the real tables have no row, counted as bots that were removed; --nameserver looks \
                     them up",
                    kit::counted(removed.requests, "request", "requests"),
                    kit::counted(removed.addresses, "address", "addresses"),
                );
            }
            for name in missing {
                let _ = writeln!(text, "the archive does not have the log {name}");
            }
            text
        };
        print(colours::states(&text).as_bytes())?;
        Ok(u8::from(differs))
    }
}
