//! `hzmetrics run`: does what is due, until nothing is left or the time is up.

use std::time::Duration;

use anyhow::Result;
use database::patience;
use kit::Uses;

use super::HubCommand;
use super::values::{PlannedRun, minutes};
use crate::hub::{Audience, Hub};
use crate::pipeline::{self, run::Limits};
use crate::record::recorded_run;
use crate::setup::bootstrap;

/// Do what is due: import, analyze, summarize, catch up
///
/// Imports pending logs, analyzes the current month once a day, closes the previous month once its logs
/// are complete, and catches up with older months that are dirty or have new logs. If a month changes,
/// all later months become due too.
///
/// A run may be killed at any time: the next one continues. If another run is in progress, it ends at
/// once with code 0.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: PlannedRun,

    /// Analyze the current month even if it was analyzed today
    #[arg(long)]
    force: bool,

    /// Catch up or rebuild one month, then end
    #[arg(long)]
    one_month: bool,

    /// Minutes after which no further month is started
    #[arg(long, value_name = "MINUTES", value_parser = minutes, default_value = "60")]
    budget: Duration,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        Some(Uses { setup: true, ..Uses::LOGS })
    }

    fn audience(&self) -> Audience {
        self.run.mode.audience()
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let Self { run, force, one_month, budget } = *self;
        let dry_run = run.mode.dry_run;
        if !dry_run {
            patience::wait_for_the_server();
            bootstrap::bootstrap_as_service(hub)?;
        }
        let work = || pipeline::run::run(hub, Limits { dry_run, force, one_month, budget });
        if dry_run { run.end(hub, work()?) } else { recorded_run(hub, work) }
    }
}
