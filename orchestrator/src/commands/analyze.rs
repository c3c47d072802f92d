//! `hzmetrics analyze`: tool statistics, names, sessions and countries of a month, then its summaries.

use anyhow::Result;

use super::HubCommand;
use super::values::MonthWork;
use crate::hub::{Audience, Hub};
use crate::pipeline::worker::{Periods, Sessions};

/// Compute tool statistics, sessions and summaries of a month
///
/// Computes the statistics of tools, fills in host names, domains and countries, builds the sessions,
/// and publishes the summaries of all periods. Pending logs are not imported.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    month: MonthWork,
}

impl HubCommand for Args {
    fn audience(&self) -> Audience {
        self.month.mode.audience()
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        self.month.run(hub, |worker, month| {
            worker.analyze(month, Sessions::Build)?;
            worker.summarize(month, month, &Periods::All)
        })
    }
}
