//! `hzmetrics import-hub-data`: copies the hub's data about users and tool sessions.

use anyhow::Result;
use database::hub_data;

use super::HubCommand;
use super::values::DryRun;
use crate::hub::{Audience, Hub};

/// Copy users and tool sessions of the hub
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn audience(&self) -> Audience {
        self.mode.audience()
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let dry_run = self.mode.dry_run;
        hub.config.check()?;
        let _lock = hub.lock(!dry_run)?;
        let done = hub_data::import_as(&hub.config, hub.compat, dry_run)?;
        let would = if dry_run { "[dry-run] would copy " } else { "" };
        hub.log.info(format_args!(
            "[import-hub-data] {would}{}, {} with a confirmed address",
            kit::counted(done.sessions, "new tool session", "new tool sessions"),
            kit::counted(done.profiles, "user", "users")
        ));
        Ok(0)
    }
}
