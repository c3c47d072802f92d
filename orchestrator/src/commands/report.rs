//! `hzmetrics report`: writes the pages of the report that are due, or prints a text for a mail.

use anyhow::Result;
use kit::Usage;
use schema::Month;

use super::HubCommand;
use super::values::{PlannedRun, month_begun};
use crate::hub::{Audience, Hub};
use crate::pipeline::pages;
use crate::pipeline::worker::{Effort, Worker};

/// Write the pages of the usage report, or print it for a mail
///
/// Writes the pages that are due into the folder `[report] path`: those of months whose numbers have changed,
/// once a day that of the current month, and an index of all. `run` and `tick` do the same at their end.
/// Named months are written in any case.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The month, not a future one
    #[arg(value_name = "YYYY-MM", value_parser = month_begun)]
    month: Option<Month>,

    /// Print headline figures and a sentence about each chart, for mail(1); writes no page
    #[arg(long, conflicts_with = "dry_run")]
    mail_body: bool,

    #[command(flatten)]
    run: PlannedRun,
}

impl HubCommand for Args {
    fn audience(&self) -> Audience {
        self.run.mode.audience()
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        if self.mail_body {
            return self.print(hub);
        }
        if hub.config.report.path.is_none() {
            let text = "no folder is configured: `[report] path` names the one for the pages";
            return Err(Usage(text.to_owned()).into());
        }
        let effort = if self.run.mode.dry_run { Effort::Plan } else { Effort::Real };
        let lock = hub.lock(effort == Effort::Real)?;
        let mut worker = Worker::new(hub, lock.as_ref(), effort)?;
        let mut db = hub.db()?;
        match self.month {
            Some(month) => pages::write_one(&mut worker, &mut db, month)?,
            None => pages::write_due(&mut worker, &mut db, &|| false)?,
        }
        self.run.end(hub, 0)
    }
}

impl Args {
    /// Lets the stage print.
    fn print(&self, hub: &Hub) -> Result<u8> {
        hub.config.check()?;
        let mut args: Vec<_> = ["--from", "db", "--format", "text", "--brief"].map(Into::into).into();
        match self.month {
            Some(month) if month == kit::current_month()? => args.push("--running".into()),
            month => args.extend(month.map(|month| month.to_string().into())),
        }
        hub.shell(None)?.run_program("report", args)
    }
}
