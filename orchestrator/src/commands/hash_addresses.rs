//! `hzmetrics hash-addresses`: replaces the addresses of old months by hashes.

use anyhow::Result;
use kit::{Usage, Uses};
use schema::Exit;

use super::HubCommand;
use super::values::DryRun;
use crate::hashing::{self, How};
use crate::hub::Hub;

/// Replace the addresses of old months by hashes
///
/// For months whose last day is as long ago as [privacy] hash_after_days says and whose numbers are final. Runs do it
/// too. There is no way back: the key is destroyed when its months are hashed, and the numbers of these months cannot
/// be computed again as they were. If it is interrupted, the next run completes it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Draw another key if that of an interrupted run is lost
    #[arg(long)]
    new_key: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses::LOGS)
    }

    fn record(&self) -> Option<&'static str> {
        (!self.mode.dry_run).then_some("hzmetrics hash-addresses")
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let is_dry = self.mode.dry_run;
        let Some(choice) = hub.config.privacy.hashing()? else {
            return Err(
                Usage("nothing is to be hashed: set [privacy] hash_after_days in hzmetrics.conf".to_owned()).into()
            );
        };
        let _lock = hub.lock(!is_dry)?;
        let how = How { choice, is_dry, new_key: self.new_key };
        if hashing::hash_due(hub, &mut hub.db()?, how, &|| false)? == 0 {
            hub.log.info("[addresses] no month is due");
        }
        Ok(Exit::Done.code())
    }
}
