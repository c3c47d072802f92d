//! `hzmetrics summarize`: computes only the summaries of a month.

use anyhow::Result;

use super::HubCommand;
use super::values::MonthWork;
use crate::hub::{Audience, Hub};
use crate::pipeline::worker::Periods;

/// Compute only the summaries of a month
///
/// Publishes the summaries of all periods from the requests and sessions in the tables.
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
        self.month.run(hub, |worker, month| worker.summarize(month, month, &Periods::All))
    }
}
