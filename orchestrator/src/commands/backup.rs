//! `hzmetrics backup`: copies what this program keeps in the databases into a folder.

use std::path::PathBuf;

use anyhow::Result;
use schema::Exit;

use super::HubCommand;
use crate::backup;
use crate::hub::{Audience, Hub};

/// Back up the metrics database and our tables of the hub's database
///
/// Makes a folder in DIR, by `mariadb-dump`, and reads it back. The ledger of imports and the state are part of it;
/// logs, the configuration and what belongs to the CMS are not. Nothing else may write while it runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder for backups; it must exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Then remove all but the N newest backups of this hub in DIR
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    keep: Option<u16>,
}

impl HubCommand for Args {
    fn audience(&self) -> Audience {
        Audience::Cron
    }

    fn record(&self) -> Option<&'static str> {
        Some("hzmetrics backup")
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        hub.config.check()?;
        let _lock = hub.lock(true)?;
        backup::backup(hub, &self.folder)?;
        if let Some(n) = self.keep {
            backup::remove_old(hub, &self.folder, n.into(), false)?;
        }
        Ok(Exit::Done.code())
    }
}
