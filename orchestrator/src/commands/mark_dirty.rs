//! `hzmetrics mark-dirty`: marks months that the next run must compute again.

use std::collections::BTreeSet;

use anyhow::Result;
use database::address_changes::AddressChanges;
use database::pruned::Pruned;
use schema::{Exit, Month};

use super::HubCommand;
use super::values::{DryRun, month_begun};
use crate::hub::Hub;
use crate::pipeline::state::{self, Key, State};

/// Mark months as dirty: the next run computes them again
///
/// The run drops the sessions and cells of a dirty month, builds them again from its requests, and then
/// refreshes all later months. A withheld month is published again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The months
    #[arg(value_name = "YYYY-MM", value_parser = month_begun, required = true)]
    months: Vec<Month>,

    /// Do it even if addresses of a month were shortened or hashed
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let (months, dry_run) = (BTreeSet::from_iter(self.months.iter().copied()), self.mode.dry_run);
        let _lock = hub.lock(!dry_run)?;
        let mut db = hub.db()?;
        let pruned = Pruned::read(&mut db)?;
        if let Some(why) = months.first().and_then(|first| pruned.refusal(*first)) {
            hub.log.error(format_args!("[mark-dirty] {why}"));
            return Ok(Exit::Failed.code());
        }
        let changes = AddressChanges::read(&mut db)?;
        if let Some(why) = months.iter().find_map(|month| changes.refusal(*month, *month)).filter(|_| !self.force) {
            hub.log.error(format_args!("[mark-dirty] {why}"));
            return Ok(Exit::Failed.code());
        }
        let state = State::read(&mut db)?;
        let dirty: BTreeSet<Month> = state.dirty.union(&months).copied().collect();
        if dry_run {
            hub.log.info(format_args!("[mark-dirty] [dry-run] would flag: {}", state::shown(&months)));
            hub.log.info(format_args!("[mark-dirty] [dry-run] dirty set would be: {}", state::shown(&dirty)));
            return Ok(0);
        }
        let mut values = vec![(Key::Dirty, state::list(&dirty))];
        let released: BTreeSet<Month> = state.withheld.intersection(&months).copied().collect();
        if !released.is_empty() {
            values.push((Key::Withheld, state::list(&state.withheld.difference(&months).copied().collect())));
        }
        state::store(hub, &mut db, &values)?;
        hub.log.info(format_args!("[mark-dirty] flagged: {}", state::shown(&months)));
        hub.log.info(format_args!("[mark-dirty] current dirty set: {}", state::shown(&dirty)));
        if !released.is_empty() {
            hub.log.info(format_args!("[mark-dirty] no longer withheld: {}", state::shown(&released)));
        }
        Ok(0)
    }
}
