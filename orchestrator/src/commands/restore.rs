//! `hzmetrics restore`: brings a backup back.

use std::path::PathBuf;

use anyhow::Result;
use schema::Exit;

use super::HubCommand;
use super::values::DryRun;
use crate::backup::{self, Restore};
use crate::hub::Hub;

/// Restore a backup
///
/// BACKUP is a folder that `hzmetrics backup` made. The databases must be empty. Until it is done, no program of ours
/// writes to the metrics database; if it is interrupted, run it again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The backup
    #[arg(value_name = "BACKUP")]
    folder: PathBuf,

    /// Drop all tables of the metrics database and delete our rows in the hub's before
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        hub.config.check()?;
        backup::restore(hub, Restore { from: &self.folder, replaces: self.replace, is_dry: self.mode.dry_run })?;
        Ok(Exit::Done.code())
    }
}
