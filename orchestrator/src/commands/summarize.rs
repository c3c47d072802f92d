//! `hzmetrics summarize`: the summaries of a month and nothing else.

use anyhow::Result;

use super::HubCommand;
use super::values::{DryRun, OneMonth};
use crate::hub::{Audience, Hub};
use crate::pipeline::one_month;
use crate::pipeline::worker::Periods;

/// Compute only the summaries of a month
///
/// Publishes the summaries of all periods from the requests and sessions that are in the tables.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    month: OneMonth,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn audience(&self) -> Audience {
        self.mode.audience()
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let month = self.month.get()?;
        one_month::on_month(hub, month, self.month.force, self.mode.effort(), |worker| {
            worker.summarize(month, month, &Periods::All)
        })
    }
}
