//! `hzmetrics rebuild-from`: makes the next runs rebuild all months from a given one on.

use anyhow::Result;
use database::address_changes::AddressChanges;
use database::pruned::Pruned;
use schema::{Exit, Month};

use super::HubCommand;
use super::values::{DryRun, month_begun};
use crate::forget;
use crate::hub::Hub;
use crate::pipeline::state::{self, Key, Mode, State};

/// Have the next runs compute all months from this one on
///
/// Each month is analyzed and summarized again, up to the previous one. `hzmetrics status` shows the
/// progress.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// First month
    #[arg(value_name = "YYYY-MM", value_parser = month_begun)]
    month: Month,

    /// Do it even if addresses of these months were shortened or hashed
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let (month, dry_run) = (self.month, self.mode.dry_run);
        let _lock = hub.lock(!dry_run)?;
        let mut db = hub.db()?;
        let state = State::read(&mut db)?;
        if state.catchup_started.is_some_and(|started| month < started) {
            hub.log.warning(format_args!(
                "[rebuild-from] {month} is before the oldest month that was ever caught up ({})",
                state.catchup_started.map_or_else(String::new, |started| started.to_string())
            ));
        }
        // months after new data are due anyway, and the end of the rebuild clears them
        let from = state.cascade_from.map_or(month, |due| due.min(month));
        if from < month {
            hub.log.warning(format_args!("[rebuild-from] {from} has new data, so the rebuild begins there"));
        }
        forget::warn_of_fewer(hub, &mut db, from)?;
        if let Some(first) = state.withheld.range(from..).next() {
            hub.log.warning(format_args!("[rebuild-from] {first} is withheld and stays so, see `hzmetrics status`"));
        }
        let before = state.cursor.map_or_else(|| "(unset)".to_owned(), |cursor| cursor.to_string());
        let change = format!("mode {} → rebuild, rebuild_cursor {before} → {from}", state.mode.word());
        if let Some(why) = Pruned::read(&mut db)?.refusal(from) {
            hub.log.error(format_args!("[rebuild-from] {why}"));
            return Ok(Exit::Failed.code());
        }
        if !self.force
            && let Some(why) = AddressChanges::read(&mut db)?.refusal(from, kit::current_month()?)
        {
            hub.log.error(format_args!("[rebuild-from] {why}"));
            return Ok(Exit::Failed.code());
        }
        if dry_run {
            hub.log.info(format_args!("[rebuild-from] [dry-run] would set {change}"));
            return Ok(0);
        }
        state::store(hub, &mut db, &[(Key::Mode, Mode::Rebuild.word().to_owned()), (Key::Cursor, from.to_string())])?;
        hub.log.info(format_args!("[rebuild-from] {change}; the next run begins"));
        Ok(0)
    }
}
