//! Catching up: the oldest month that is dirty or has pending logs is imported, analyzed and summarized.
//!
//! The decision is `decisions::catch_up`. Once no such month is left, later months are rebuilt.

use anyhow::Result;
use database::pruned::Pruned;
use schema::Month;

use super::progress::{AfterStep, Run};
use crate::pipeline::decisions::{self, Cascade, CatchUp, Facts};
use crate::pipeline::facts;
use crate::pipeline::pending::Pending;
use crate::pipeline::state::{self, Key, Mode, State};
use crate::pipeline::worker::{Periods, Sessions};

impl Run<'_> {
    /// Processes the oldest month of the backlog, or switches to rebuilding.
    pub(super) fn catch_up(
        &mut self,
        state: &State,
        pending: &Pending,
        backlog: &[Month],
        current: Month,
    ) -> Result<AfterStep> {
        if backlog.is_empty() {
            let cursor = decisions::first_cursor(state, current);
            let why = if state.cascade_from.is_some() {
                "the oldest month with new data"
            } else {
                "no new data, only incomplete months are left"
            };
            self.hub.log.info(format_args!("[catchup] complete — rebuild from {cursor} ({why})"));
            self.store(&[(Key::Mode, Mode::Rebuild.word().to_owned()), (Key::Cursor, cursor.to_string())])?;
            return Ok(self.next());
        }
        let Some((target, facts)) = self.target(state, pending, backlog)? else {
            self.hub.log.warning("[catchup] nothing changes now; see the warnings above");
            return Ok(AfterStep::End);
        };
        self.hub.log.info(format_args!("[catchup] {} backlog month(s) — processing {target}", backlog.len()));
        *self.hub.context.borrow_mut() = format!("{target} ({} left)", backlog.len());
        let is_withheld = state.withheld.contains(&target);
        if is_withheld {
            self.hub
                .log
                .info(format_args!("[catchup] {target} is withheld: its logs are imported, nothing is published"));
        }
        if Pruned::read(&mut self.db)?.has_lost_requests(target) {
            return self.only_import(pending, target);
        }
        let started = decisions::lowered(state.catchup_started, target);
        let mut notes = Vec::new();
        if state.catchup_started != Some(started) {
            notes.push((Key::CatchupStarted, started.to_string()));
        }
        let mut after = Vec::new();
        match decisions::catch_up(facts) {
            CatchUp::Skip => {
                self.hub.log.info(format_args!("[catchup] {target} is fully summarized — skipping"));
                self.store(&notes)?;
            }
            CatchUp::Gap => {
                self.hub.log.warning(format_args!("[catchup] {target} has neither logs nor data — a true gap"));
                self.store(&notes)?;
            }
            CatchUp::Work { import, reset, cascade } => {
                let marker = decisions::lowered(state.cascade_from, target);
                if cascade != Cascade::No && state.cascade_from != Some(marker) {
                    notes.push((Key::CascadeFrom, marker.to_string()));
                }
                if (import || reset) && !facts.dirty && !is_withheld {
                    let mut dirty = state.dirty.clone();
                    dirty.insert(target);
                    notes.push((Key::Dirty, state::list(&dirty)));
                }
                // stored first: whatever happens from here on, the next run knows what to repeat
                self.store(&notes)?;
                let n_refused = self.hub.n_refused.get();
                let rows = if import { self.import_month(pending, target)? } else { 0 };
                // if a month's only logs were refused, nothing is known about it
                let is_blank =
                    rows == 0 && self.hub.n_refused.get() > n_refused && !facts::has_data(&mut self.db, target)?;
                if !is_withheld && !is_blank {
                    if reset {
                        self.worker.reset(&mut self.db, target)?;
                    }
                    self.worker.analyze(target, Sessions::Build)?;
                    self.worker.summarize(target, target, &Periods::Own)?;
                }
                if cascade == Cascade::IfNewRows && rows == 0 {
                    after.push((Key::CascadeFrom, state.cascade_from.map_or_else(String::new, |m| m.to_string())));
                }
            }
        }
        // what other processes added in the meantime is kept
        let mut dirty = State::read(&mut self.db)?.dirty;
        if dirty.remove(&target) {
            after.push((Key::Dirty, state::list(&dirty)));
        }
        self.store(&after)?;
        Ok(self.next())
    }

    /// What is left to do with a month whose rows were removed for their age: the importer refuses its logs, and nothing
    /// is computed again.
    fn only_import(&mut self, pending: &Pending, month: Month) -> Result<AfterStep> {
        self.hub.log.warning(format_args!(
            "[catchup] the rows of {month} were removed by `hzmetrics prune`: its numbers are not computed again"
        ));
        if facts::has_source(pending, month) {
            self.import_month(pending, month)?;
        }
        let mut dirty = State::read(&mut self.db)?.dirty;
        if dirty.remove(&month) {
            self.store(&[(Key::Dirty, state::list(&dirty))])?;
        }
        Ok(self.next())
    }

    /// The oldest month of the backlog that this run has not already worked on without effect.
    fn target(&mut self, state: &State, pending: &Pending, backlog: &[Month]) -> Result<Option<(Month, Facts)>> {
        for &month in backlog {
            let facts = facts::facts(&mut self.db, pending, state, month)?;
            let days = facts::pending_days(pending, month);
            let logs = days.iter().flat_map(|day| pending.of_day(day).map(|(_, log)| log.path.clone()));
            let now = (facts, logs.collect());
            if self.caught_up.get(&month) == Some(&now) {
                self.hub.log.warning(format_args!("[catchup] {month} was done and still looks as before"));
                continue;
            }
            self.caught_up.insert(month, now);
            return Ok(Some((month, facts)));
        }
        Ok(None)
    }
}
