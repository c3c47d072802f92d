//! A run in progress: what it works with, what it has done so far, and when it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use database::Db;
use schema::Month;

use crate::hub::Hub;
use crate::pipeline::decisions::Facts;
use crate::pipeline::facts::{self, ToCome};
use crate::pipeline::pending::Pending;
use crate::pipeline::state::{self, Key};
use crate::pipeline::worker::Worker;

/// The limits of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Say what would be done, and do nothing.
    pub(crate) dry_run: bool,
    /// Analyze the current month even if it was analyzed today.
    pub(crate) force: bool,
    /// End after one month of catching up or rebuilding.
    pub(crate) one_month: bool,
    /// No further month is started after this time.
    pub(crate) budget: Duration,
}

impl Limits {
    /// Ticks run every hour, and the next one continues with the rest.
    pub(crate) const OF_A_TICK: Self =
        Self { dry_run: false, force: false, one_month: false, budget: Duration::from_secs(3600) };
}

/// Whether a run continues after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterStep {
    Continue,
    End,
}

/// A run in progress.
pub(super) struct Run<'h> {
    pub(super) hub: &'h Hub,
    pub(super) worker: Worker<'h>,
    pub(super) db: Db,
    pub(super) limits: Limits,
    /// No further step is started after this time.
    pub(super) until: Option<Instant>,
    /// The facts about the months that this run has caught up, before it did.
    pub(super) caught_up: BTreeMap<Month, (Facts, Vec<PathBuf>)>,
    /// Months that this run has swept.
    pub(super) swept: BTreeSet<Month>,
    /// What it has reported about the stored state: every step reads that again.
    pub(super) told_malformed: BTreeSet<String>,
    /// Whether it has reported what is dated in the future.
    pub(super) told_to_come: bool,
}

impl Run<'_> {
    pub(super) fn is_time_up(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// A dry run and the port's pace allow only one step.
    pub(super) fn next(&self) -> AfterStep {
        if self.limits.dry_run || self.limits.one_month {
            return AfterStep::End;
        }
        if self.is_time_up() {
            self.hub.log.info("[run] the time is up; the next run continues here");
            return AfterStep::End;
        }
        AfterStep::Continue
    }

    pub(super) fn store(&mut self, values: &[(Key, String)]) -> Result<()> {
        if self.limits.dry_run {
            return Ok(());
        }
        state::store(self.hub, &mut self.db, values)
    }

    /// Reports once per run what is dated in the future.
    pub(super) fn tell_to_come(&mut self, pending: &Pending, current: Month) -> Result<()> {
        if !std::mem::replace(&mut self.told_to_come, true) {
            for line in ToCome::look(&mut self.db, pending, current)?.lines() {
                self.hub.log.info(format_args!("[run] {line}"));
            }
        }
        Ok(())
    }

    pub(super) fn import_month(&self, pending: &Pending, month: Month) -> Result<u64> {
        let days = facts::pending_days(pending, month);
        self.hub.log.info(format_args!("[import] {month}: {} day(s) pending", days.len()));
        self.worker.import(pending, &days)
    }
}
