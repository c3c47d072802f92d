//! `hzmetrics analyze`: tool statistics, names, sessions and countries of a month, then its summaries.

use anyhow::Result;

use super::HubCommand;
use super::values::{DryRun, OneMonth};
use crate::hub::{Audience, Hub};
use crate::pipeline::by_hand;
use crate::pipeline::worker::{Periods, Sessions};

/// Tool statistics, sessions and summaries of a month
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
        by_hand::on_month(hub, month, self.month.force, self.mode.effort(), |worker| {
            worker.analyze(month, Sessions::Build)?;
            worker.summarize(month, month, &Periods::All)
        })
    }
}
