//! `hzmetrics clear-dirty`: removes months from the list of dirty months.

use std::collections::BTreeSet;

use anyhow::Result;
use schema::Month;

use super::HubCommand;
use super::values::DryRun;
use crate::hub::Hub;
use crate::pipeline::state::{self, Key, State};

/// Remove months from the list of dirty months
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The months
    #[arg(value_name = "YYYY-MM")]
    months: Vec<Month>,

    /// All months in the list
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let (months, dry_run) = (BTreeSet::from_iter(self.months.iter().copied()), self.mode.dry_run);
        let _lock = hub.lock(!dry_run)?;
        let mut db = hub.db()?;
        let known = State::read(&mut db)?.dirty;
        let left: BTreeSet<Month> =
            if self.all { BTreeSet::new() } else { known.difference(&months).copied().collect() };
        if dry_run {
            hub.log.info(format_args!("[clear-dirty] [dry-run] would leave: {}", state::shown(&left)));
            return Ok(0);
        }
        // with --all, invalid entries of the list are removed too
        if self.all || left != known {
            state::store(hub, &mut db, &[(Key::Dirty, state::list(&left))])?;
        }
        hub.log.info(format_args!("[clear-dirty] remaining dirty set: {}", state::shown(&left)));
        Ok(0)
    }
}
