//! `hzmetrics rebuild-summaries`: computes the cells of a range of months again. The state is
//! unchanged.

use anyhow::Result;
use database::address_changes::AddressChanges;
use schema::month::BadPeriod;
use schema::{Exit, Month, Period};

use super::HubCommand;
use super::values::{DryRun, month_begun};
use crate::forget;
use crate::hub::{Audience, Hub};
use crate::pipeline::decisions;
use crate::pipeline::state::State;
use crate::pipeline::worker::{Effort, Periods, Worker};

/// Compute the summaries of a range of months again
///
/// All months are computed in one scan. Months that are withheld are left out.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// First month
    #[arg(long, value_name = "YYYY-MM", value_parser = month_begun)]
    since: Month,

    /// Last month [default: the previous one]
    #[arg(long, value_name = "YYYY-MM", value_parser = month_begun)]
    through: Option<Month>,

    #[arg(long, help = format!("Only these periods: {}", Period::codes()), value_name = "LIST")]
    periods: Option<String>,

    /// Do it even if addresses of these months were shortened or hashed
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn audience(&self) -> Audience {
        self.mode.audience()
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let since = self.since;
        let through = self.through.map_or_else(|| Ok(kit::current_month()?.previous()), anyhow::Ok)?;
        if since > through {
            return Ok(hub.wrong_arguments(format_args!("--since {since} is after --through {through}: nothing to do")));
        }
        let list =
            self.periods.as_deref().map(|list| list.split(',').map(str::parse).collect::<Result<_, BadPeriod>>());
        let periods = match list.transpose() {
            Ok(list) => list.map_or(Periods::All, Periods::Some),
            Err(bad) => return Ok(hub.wrong_arguments(format_args!("--periods: {bad}"))),
        };
        hub.config.check()?;
        let effort = self.mode.effort();
        let lock = hub.lock(effort == Effort::Real)?;
        let n_months = since.through(through).count();
        hub.log.info(format_args!("[rebuild-summaries] {n_months} month(s) {since}..{through}"));
        let mut db = hub.db()?;
        if !self.force
            && let Some(why) = AddressChanges::read(&mut db)?.refusal(since, through)
        {
            hub.log.error(format_args!("[rebuild-summaries] {why}"));
            return Ok(Exit::Failed.code());
        }
        forget::warn_of_fewer(hub, &mut db, since)?;
        let withheld = State::read(&mut db)?.withheld;
        for month in withheld.range(since..=through) {
            hub.log.warning(format_args!("[rebuild-summaries] {month} is withheld and left out"));
        }
        let mut worker = Worker::new(hub, lock.as_ref(), effort)?;
        for (first, last) in decisions::stretches(since, through, &withheld) {
            worker.summarize(first, last, &periods)?;
        }
        hub.log.info(">>> done");
        Ok(0)
    }
}
