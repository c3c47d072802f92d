//! Rebuilding: all periods of the months from the first changed one on, then of months that lack some.
//!
//! Its last step is a normal run.

use std::collections::BTreeSet;

use anyhow::Result;
use database::pruned::Pruned;
use schema::{Month, Stamp};

use super::progress::{AfterStep, Run};
use crate::pipeline::decisions::{self, Rebuild};
use crate::pipeline::facts;
use crate::pipeline::pending::Pending;
use crate::pipeline::state::{Key, Mode, State};
use crate::pipeline::worker::{Periods, Sessions};

/// How many months one scan rebuilds. A killed run repeats at most these.
const STRETCH: usize = 12;

impl Run<'_> {
    /// Rebuilds some months of the walk or one of the sweep, or ends the rebuild.
    pub(super) fn rebuild(&mut self, state: &State, today: Stamp, current: Month) -> Result<AfterStep> {
        let previous = current.previous();
        let pruned = Pruned::read(&mut self.db)?;
        let (db, swept, hub) = (&mut self.db, &self.swept, self.hub);
        let decision = decisions::rebuild(state, previous, || {
            let months: BTreeSet<Month> =
                facts::incomplete(db, current)?.difference(&state.withheld).copied().collect();
            for month in months.intersection(swept) {
                hub.log.warning(format_args!("[rebuild:sweep] {month} was summarized and still lacks periods"));
            }
            anyhow::Ok(months.difference(swept).next().copied())
        })?;
        match decision {
            Rebuild::Walk(cursor) => {
                let stretch = if self.limits.dry_run || self.limits.one_month { 1 } else { STRETCH };
                let mut last = cursor;
                for month in cursor.through(previous).take(stretch) {
                    if month > cursor && self.is_time_up() {
                        break;
                    }
                    last = month;
                    if state.withheld.contains(&month) {
                        self.hub.log.info(format_args!("[rebuild:walk] {month} is withheld — skipping"));
                        continue;
                    }
                    self.hub.log.info(format_args!("[rebuild:walk] {month}"));
                    *self.hub.context.borrow_mut() = format!("{month} (to {previous})");
                    if pruned.has_lost_requests(month) {
                        self.hub
                            .log
                            .info(format_args!("[rebuild:walk] {month}: its rows were removed, a state is left"));
                        continue;
                    }
                    self.worker.drop_doubled_starts(&mut self.db, month)?;
                    self.worker.analyze(month, Sessions::Build)?;
                }
                *self.hub.context.borrow_mut() = format!("to {last}");
                for (first, last) in decisions::stretches(cursor, last, &state.withheld) {
                    self.worker.summarize(first, last, &Periods::All)?;
                }
                let next = last.next();
                self.store(&[(Key::Cursor, next.to_string())])?;
                self.hub.log.info(format_args!("[rebuild:walk] cursor advanced: {cursor} → {next}"));
                Ok(self.next())
            }
            Rebuild::Sweep(month) => {
                self.hub.log.info(format_args!("[rebuild:sweep] {month} lacks periods"));
                *self.hub.context.borrow_mut() = month.to_string();
                if !pruned.has_lost_requests(month) {
                    self.worker.analyze(month, Sessions::Build)?;
                }
                self.worker.summarize(month, month, &Periods::All)?;
                self.swept.insert(month);
                Ok(self.next())
            }
            Rebuild::Finished => {
                self.hub.log.info("[run] rebuild complete — switching to normal");
                self.store(&[(Key::Mode, Mode::Normal.word().to_owned()), (Key::CascadeFrom, String::new())])?;
                let pending = Pending::look(self.hub)?;
                self.normal(state, &pending, today, current)?;
                Ok(AfterStep::End)
            }
        }
    }
}
