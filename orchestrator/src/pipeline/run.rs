//! Does what is due, step by step, until nothing is left or the time is up: the work of `hzmetrics run`
//! and of every tick at minute 30.
//!
//! Each step is decided from what is true now, not from what an earlier step planned. It stores its
//! progress before it changes anything that depends on it. So a run may be killed at any point, and the
//! next one continues.

mod dirty_months;
mod normal;
mod progress;
mod rebuild;
mod single_mode;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context as _, Result};
use schema::partitions::Partitions;
use schema::{Exit, Opt};

use super::decisions;
use super::facts;
use super::pages;
use super::pending::Pending;
use super::refusals;
use super::state::{Key, Mode, State};
use super::worker::{Effort, Worker};
use crate::guard;
use crate::hashing::{How, hash_due};
use crate::hub::Hub;
use crate::setup::partitions;
use progress::{AfterStep, Run};

pub(crate) use progress::Limits;

/// Does what is due, unless another run is in progress.
///
/// # Errors
/// A step fails; earlier steps are kept.
pub(crate) fn run(hub: &Hub, limits: Limits) -> Result<u8> {
    if !limits.dry_run {
        guard::nobody_between(&hub.config.paths)?;
    }
    let Ok(lock) = hub.try_lock(!limits.dry_run)? else {
        hub.log.info("[run] still running — skipping.");
        hub.left_to_another.set(true);
        return Ok(0);
    };
    let effort = if limits.dry_run { Effort::Plan } else { Effort::Real };
    let mut run = Run {
        hub,
        worker: Worker::new(hub, lock.as_ref(), effort)?,
        db: hub.db()?,
        limits,
        until: Instant::now().checked_add(limits.budget),
        caught_up: BTreeMap::new(),
        swept: BTreeSet::new(),
        told_malformed: BTreeSet::new(),
        told_to_come: false,
    };
    if !limits.dry_run {
        run.prepare_partitions()?;
    }
    if hub.compat.has(Opt::SingleMode) {
        run.without_modes()?;
    } else {
        while run.step()? == AfterStep::Continue {}
    }
    let pages = run.pages();
    hub.log.info(">>> done");
    let code = if limits.dry_run { 0 } else { refusals::end(hub, 0)? };
    // the work is done and kept, and so is its code if there is one
    let mut code = code;
    for (what, done) in [("report", pages), ("addresses", run.hash_addresses())] {
        if let Err(error) = done {
            hub.log.error(format_args!("[{what}] {error:#}"));
            code = code.max(Exit::Failed.code());
        }
    }
    Ok(code)
}

impl Run<'_> {
    /// Writes the pages of the report that are due.
    fn pages(&mut self) -> Result<()> {
        let until = self.until;
        let is_time_up = || until.is_some_and(|until| Instant::now() >= until);
        pages::write_due(&mut self.worker, &mut self.db, &is_time_up)
    }

    /// Hashes the addresses of months that are old enough.
    fn hash_addresses(&mut self) -> Result<()> {
        let Some(choice) = self.hub.config.privacy.hashing()? else { return Ok(()) };
        let until = self.until;
        let is_time_up = || until.is_some_and(|until| Instant::now() >= until);
        let how = How { choice, is_dry: self.limits.dry_run, new_key: false };
        hash_due(self.hub, &mut self.db, how, &is_time_up).map(drop)
    }

    /// Where tables are divided by month, the months to come get partitions. A failure costs nothing but speed.
    fn prepare_partitions(&mut self) -> Result<()> {
        let last = Partitions::prepared(kit::current_month()?);
        match partitions::add_months(&mut self.db, last) {
            Ok(tables) if tables.is_empty() => {}
            Ok(tables) => self.hub.log.info(format_args!("[partitions] {}: added through {last}", tables.join(", "))),
            Err(error) => self.hub.log.warning(format_args!("[partitions] not added: {error:#}")),
        }
        Ok(())
    }

    /// Does the next step.
    fn step(&mut self) -> Result<AfterStep> {
        let today = kit::today()?;
        let current = today.month().context("the clock is set to a year outside 0 to 9999")?;
        let state = State::read(&mut self.db)?;
        for text in &state.malformed {
            if self.told_malformed.insert(text.clone()) {
                self.hub.log.warning(format_args!("pipeline_state: {text}"));
            }
        }
        if state.mode == Mode::Rebuild {
            let _step = self.hub.log.step("tick mode=rebuild");
            return self.rebuild(&state, today, current);
        }
        let pending = Pending::look(self.hub)?;
        self.tell_to_come(&pending, current)?;
        let backlog = facts::backlog(&mut self.db, &pending, &state, current)?;
        let mode = decisions::mode(state.mode, !backlog.is_empty());
        let _step = self.hub.log.step(format!("tick mode={}", mode.word()));
        if mode == Mode::CatchUp {
            if state.mode == Mode::Normal {
                self.hub.log.info("[run] backlog detected — switching mode normal → catchup");
                self.store(&[(Key::Mode, Mode::CatchUp.word().to_owned())])?;
            }
            return self.catch_up(&state, &pending, &backlog, current);
        }
        self.normal(&state, &pending, today, current)?;
        Ok(AfterStep::End)
    }
}
