//! A normal run: the logs of the current month, and the previous month once it is complete.

use anyhow::Result;
use schema::{Month, Stamp};

use super::progress::Run;
use crate::pipeline::decisions::{self, PreviousMonth};
use crate::pipeline::facts;
use crate::pipeline::pending::Pending;
use crate::pipeline::state::{Key, State};
use crate::pipeline::worker::{Periods, Sessions};

impl Run<'_> {
    /// Processes the current month, then the previous one.
    pub(super) fn normal(&mut self, state: &State, pending: &Pending, today: Stamp, current: Month) -> Result<()> {
        *self.hub.context.borrow_mut() = current.to_string();
        if facts::has_source(pending, current) {
            self.import_month(pending, current)?;
        }
        self.analyze_current(state, today, current)?;
        let previous = current.previous();
        if state.withheld.contains(&previous) {
            self.hub.log.info(format_args!("[normal] {previous} is withheld — not closing it"));
            return Ok(());
        }
        let is_summarized = facts::is_summarized(&mut self.db, previous)?;
        let is_complete = !is_summarized && facts::is_complete(self.hub, &mut self.db, previous)?;
        self.close(previous, decisions::previous(is_summarized, is_complete))
    }

    fn analyze_current(&mut self, state: &State, today: Stamp, current: Month) -> Result<()> {
        if state.withheld.contains(&current) {
            self.hub.log.info(format_args!("[normal] {current} is withheld — not analyzing it"));
            return Ok(());
        }
        if decisions::analyzes_today(state, today, self.limits.force) {
            self.hub.log.info(format_args!("[normal] analyzing the current month {current}"));
            self.worker.analyze(current, Sessions::AsSettled)?;
            self.store(&[(Key::Analyzed, decisions::day(today))])?;
        }
        Ok(())
    }

    /// Analyzes and summarizes the previous month if that is the decision.
    pub(super) fn close(&mut self, month: Month, decision: PreviousMonth) -> Result<()> {
        match decision {
            PreviousMonth::Nothing => return Ok(()),
            PreviousMonth::Defer => {
                self.hub.log.info(format_args!(
                    "[normal] {month} is not complete (no data of the next month, no log of its last day in imported/) \
                     — deferring"
                ));
                return Ok(());
            }
            PreviousMonth::Close => {
                self.hub.log.info(format_args!("[normal] {month} complete — analyzing and summarizing"))
            }
            PreviousMonth::CloseLate => {
                self.hub.log.warning(format_args!("[normal] {month}: its last log has not arrived"))
            }
        }
        *self.hub.context.borrow_mut() = month.to_string();
        self.worker.analyze(month, Sessions::Build)?;
        self.worker.summarize(month, month, &Periods::All)
    }
}
