//! `hzmetrics process`: imports pending days, then analyzes and summarizes their month.

use anyhow::Result;
use schema::Month;

use super::HubCommand;
use super::values::{Day, PlannedRun, month_begun};
use crate::hub::{Audience, Hub};
use crate::pipeline::importer::out_of_order;
use crate::pipeline::pending::Pending;
use crate::pipeline::state::State;
use crate::pipeline::worker::{Effort, Periods, Sessions, Worker};
use crate::pipeline::{facts, one_month, refusals};

/// Import pending days, analyze and summarize
///
/// Imports the pending days of one month, or one day, then analyzes the month and publishes its
/// summaries. The current month is only imported, unless --force is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The oldest month with pending logs
    #[arg(long, group = "which")]
    next: bool,

    /// A month, not a future one
    #[arg(long, group = "which", value_name = "YYYY-MM", value_parser = month_begun)]
    month: Option<Month>,

    /// One day
    #[arg(long, group = "which", value_name = "YYYY-MM-DD")]
    day: Option<Day>,

    /// Process even if out of order, or in the current month
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    run: PlannedRun,
}

impl HubCommand for Args {
    fn audience(&self) -> Audience {
        self.run.mode.audience()
    }

    fn record(&self) -> Option<&'static str> {
        (!self.run.mode.dry_run).then_some("hzmetrics process")
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let (force, effort) = (self.force, self.run.effort());
        if !self.next && self.month.is_none() && self.day.is_none() {
            return Ok(hub.wrong_arguments("say which logs: --next, --month or --day"));
        }
        hub.config.check()?;
        let lock = hub.lock(effort == Effort::Real)?;
        let pending = Pending::look(hub)?;
        let end = || if effort == Effort::Real { refusals::end(hub, 0) } else { self.run.end(hub, 0) };
        let of_month = |month: Month| (month, facts::pending_days(&pending, month));
        let selected = match (self.month, self.day) {
            (Some(month), _) => Some(of_month(month)),
            (None, Some(day)) => Some((day.month, vec![day.digits()])),
            (None, None) => facts::pending_months(&pending).into_iter().next().map(of_month),
        };
        let Some((month, days)) = selected else {
            hub.log.info("nothing is pending in daily/");
            return end();
        };
        kit::refuse_month_to_come(month)?;
        let is_left_alone = self.next && State::read(&mut hub.db()?)?.withheld.contains(&month);
        if !force && days.is_empty() && one_month::is_changed(hub, month)? {
            return Ok(1);
        }
        let mut worker = Worker::new(hub, lock.as_ref(), effort)?;
        match days.first() {
            Some(first) if !force && out_of_order(hub, &pending, first)? => return Ok(1),
            Some(_) => {
                let would = if effort == Effort::Real { "processing" } else { "[dry-run] would process" };
                hub.log.info(format_args!("{would} {} day(s) for {month}", days.len()));
                worker.import(&pending, &days)?;
            }
            None => hub.log.info(format_args!("no new days pending for {month}: analyzing what is there")),
        }
        if is_left_alone {
            hub.log.info(format_args!("{month} is withheld: nothing is published"));
        } else if !force && month == kit::current_month()? {
            hub.log.info(format_args!("{month} is the current month: no analysis until it ends"));
            hub.log.info(format_args!("  hzmetrics analyze --month {month} --force does it now"));
        } else {
            one_month::release(hub, month, effort)?;
            worker.analyze(month, Sessions::Build)?;
            worker.summarize(month, month, &Periods::All)?;
        }
        hub.log.info(">>> done");
        end()
    }
}
