//! `hzmetrics whoisonline`: starts the stage of that name.

use anyhow::Result;
use kit::Uses;

use super::HubCommand;
use super::stages::Start;
use super::values::DryRun;
use crate::hub::{Audience, Hub};

/// Record where live sessions come from and write the map
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses { map: true, ..Uses::default() })
    }

    fn audience(&self) -> Audience {
        Audience::Cron
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        // it must not wait for the nightly work
        Start::new("whoisonline", "--db").dry_run(self.mode).run(hub, true)
    }
}
