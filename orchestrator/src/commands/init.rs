//! `hzmetrics init`: creates the folders, database and tables of a new hub, whichever user runs it.

use anyhow::Result;
use kit::Uses;

use super::HubCommand;
use crate::hub::Hub;
use crate::setup::bootstrap;

/// Create folders, database and tables of a new hub
///
/// What exists already is unchanged. `tick` and `run` do the same if the web server's user runs them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses { setup: true, ..Uses::LOGS })
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        bootstrap::bootstrap(hub)?;
        hub.log.info("[init] done: folders, database and tables are there; the cron line is next");
        Ok(0)
    }
}
