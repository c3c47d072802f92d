//! The run of the port's first version (`--compat single-mode`): one month, without catching up or rebuilding.

use anyhow::{Context as _, Result};

use super::progress::Run;
use crate::pipeline::decisions::{self, SingleRun};
use crate::pipeline::facts;
use crate::pipeline::pending::Pending;
use crate::pipeline::state::{Key, State};
use crate::pipeline::worker::{Periods, Sessions};

impl Run<'_> {
    /// The run of the port.
    pub(super) fn without_modes(&mut self) -> Result<()> {
        let today = kit::today()?;
        let current = today.month().context("the clock is set to a year outside 0 to 9999")?;
        let (state, pending) = (State::read(&mut self.db)?, Pending::look(self.hub)?);
        let imported = facts::has_source(&pending, current);
        if imported {
            self.import_month(&pending, current)?;
        }
        let oldest = facts::pending_months(&pending).into_iter().find(|month| *month < current);
        let previous = current.previous();
        let analyze = !state.withheld.contains(&current) && decisions::analyzes_today(&state, today, self.limits.force);
        let last_day = facts::last_day_is_imported(self.hub, previous)?;
        // to a run without modes, a withheld month looks as if it were complete
        let is_summarized = state.withheld.contains(&previous) || facts::is_summarized(&mut self.db, previous)?;
        match decisions::single(oldest, imported, analyze, last_day, is_summarized, today) {
            SingleRun::Old(month) => {
                self.import_month(&pending, month)?;
                if state.withheld.contains(&month) {
                    self.hub.log.info(format_args!("[run] {month} is withheld — nothing is published"));
                    return Ok(());
                }
                self.worker.analyze(month, Sessions::Build)?;
                self.worker.summarize(month, month, &Periods::All)
            }
            SingleRun::Current { previous: decision, .. } => {
                if analyze {
                    self.worker.analyze(current, Sessions::Build)?;
                    self.store(&[(Key::Analyzed, decisions::day(today))])?;
                }
                self.close(previous, decision)
            }
            SingleRun::Nothing => {
                self.hub.log.info("[run] nothing to do");
                Ok(())
            }
        }
    }
}
