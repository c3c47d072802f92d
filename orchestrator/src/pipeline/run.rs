//! What is due, step by step, until nothing is left or the time is up: the work of `hzmetrics run` and of
//! every tick at minute 30.
//!
//! A step is decided from what is true now, never from what an earlier step meant to do; it stores
//! its progress before it changes anything that the progress stands for. So a run may be killed
//! anywhere, and the next one goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use database::Db;
use schema::{Month, Opt, Stamp};

use super::decisions::{self, Cascade, CatchUp, Facts, PreviousMonth, Rebuild, SingleRun};
use super::facts::{self, ToCome};
use super::pending::Pending;
use super::refusals;
use super::state::{self, Key, Mode, State};
use super::worker::{Effort, Periods, Sessions, Worker};
use crate::guard;
use crate::hub::Hub;

/// Months that are rebuilt by one scan. A killed run repeats at most these.
const STRETCH: usize = 12;

/// How far a run goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Say what would be done, and do nothing.
    pub(crate) dry_run: bool,
    /// Analyze the current month even if it was analyzed today.
    pub(crate) force: bool,
    /// End after a month of catching up or rebuilding.
    pub(crate) one_month: bool,
    /// After this time no further month is begun.
    pub(crate) budget: Duration,
}

impl Limits {
    /// Ticks run every hour, and the next one takes over what is left.
    pub(crate) const OF_A_TICK: Self =
        Self { dry_run: false, force: false, one_month: false, budget: Duration::from_secs(3600) };
}

/// Does what is due, unless another run is in progress.
///
/// # Errors
/// A step fails; what was done before it is kept.
pub(crate) fn run(hub: &Hub, limits: Limits) -> Result<u8> {
    if !limits.dry_run {
        guard::nobody_between(&hub.config.paths)?;
    }
    let Ok(lock) = hub.try_lock(!limits.dry_run)? else {
        hub.log.info("[run] still running — skipping.");
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
        told_to_come: false,
    };
    if hub.compat.has(Opt::SingleMode) {
        run.without_modes()?;
    } else {
        while run.step()? == AfterStep::Continue {}
    }
    hub.log.info(">>> done");
    if limits.dry_run { Ok(0) } else { refusals::end(hub, 0) }
}

/// Whether a run goes on after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterStep {
    Continue,
    End,
}

struct Run<'h> {
    hub: &'h Hub,
    worker: Worker<'h>,
    db: Db,
    limits: Limits,
    /// When no further step begins.
    until: Option<Instant>,
    /// What was true of the months that this run has caught up, before it did.
    caught_up: BTreeMap<Month, (Facts, Vec<PathBuf>)>,
    /// Months that this run has swept.
    swept: BTreeSet<Month>,
    /// Whether it has said what is dated in the future.
    told_to_come: bool,
}

impl Run<'_> {
    fn is_time_up(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// One step is all that a dry run and the pace of the reference allow.
    fn next(&self) -> AfterStep {
        if self.limits.dry_run || self.limits.one_month {
            return AfterStep::End;
        }
        if self.is_time_up() {
            self.hub.log.info("[run] the time is up; the next run goes on here");
            return AfterStep::End;
        }
        AfterStep::Continue
    }

    fn store(&mut self, values: &[(Key, String)]) -> Result<()> {
        if self.limits.dry_run {
            return Ok(());
        }
        state::store(self.hub, &mut self.db, values)
    }

    /// Says once a run what is dated in the future.
    fn tell_to_come(&mut self, pending: &Pending, current: Month) -> Result<()> {
        if !std::mem::replace(&mut self.told_to_come, true) {
            for line in ToCome::look(&mut self.db, pending, current)?.lines() {
                self.hub.log.info(format_args!("[run] {line}"));
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<AfterStep> {
        let today = kit::today()?;
        let current = today.month().context("the clock stands outside the calendar")?;
        let state = State::read(&mut self.db)?;
        for text in &state.malformed {
            self.hub.log.warning(format_args!("pipeline_state: {text}"));
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

    /// The oldest month of the backlog, or the way on to rebuilding.
    fn catch_up(&mut self, state: &State, pending: &Pending, backlog: &[Month], current: Month) -> Result<AfterStep> {
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
            self.hub.log.warning("[catchup] nothing changes any more; see the warnings above");
            return Ok(AfterStep::End);
        };
        self.hub.log.info(format_args!("[catchup] {} backlog month(s) — processing {target}", backlog.len()));
        let is_withheld = state.withheld.contains(&target);
        if is_withheld {
            self.hub
                .log
                .info(format_args!("[catchup] {target} is withheld: its logs are imported, nothing is published"));
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
                // first: whatever happens from here on, the next run knows what it has to repeat
                self.store(&notes)?;
                let n_refused = self.hub.n_refused.get();
                let rows = if import { self.import_month(pending, target)? } else { 0 };
                // of a month whose only logs were refused nothing is known
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
        // what others noted meanwhile stays
        let mut dirty = State::read(&mut self.db)?.dirty;
        if dirty.remove(&target) {
            after.push((Key::Dirty, state::list(&dirty)));
        }
        self.store(&after)?;
        Ok(self.next())
    }

    /// The oldest month of the backlog that is not as this run found it before working on it.
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

    fn import_month(&self, pending: &Pending, month: Month) -> Result<u64> {
        let days = facts::pending_days(pending, month);
        self.hub.log.info(format_args!("[import] {month}: {} day(s) pending", days.len()));
        self.worker.import(pending, &days)
    }

    /// Some months of the walk, or one of the sweep, or the end of rebuilding.
    fn rebuild(&mut self, state: &State, today: Stamp, current: Month) -> Result<AfterStep> {
        let previous = current.previous();
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
                    self.worker.analyze(month, Sessions::Build)?;
                }
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
                self.worker.analyze(month, Sessions::Build)?;
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

    /// The current month, then the previous one.
    fn normal(&mut self, state: &State, pending: &Pending, today: Stamp, current: Month) -> Result<()> {
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

    fn close(&mut self, month: Month, decision: PreviousMonth) -> Result<()> {
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
            PreviousMonth::CloseLate => self.hub.log.warning(format_args!("[normal] {month}: its last log never came")),
        }
        self.worker.analyze(month, Sessions::Build)?;
        self.worker.summarize(month, month, &Periods::All)
    }

    /// The run of the original port.
    fn without_modes(&mut self) -> Result<()> {
        let today = kit::today()?;
        let current = today.month().context("the clock stands outside the calendar")?;
        let (state, pending) = (State::read(&mut self.db)?, Pending::look(self.hub)?);
        let imported = facts::has_source(&pending, current);
        if imported {
            self.import_month(&pending, current)?;
        }
        let oldest = facts::pending_months(&pending).into_iter().find(|month| *month < current);
        let previous = current.previous();
        let analyze = !state.withheld.contains(&current) && decisions::analyzes_today(&state, today, self.limits.force);
        let last_day = facts::last_day_is_imported(self.hub, previous)?;
        // to a run without modes a month that is withheld looks as if it were done
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
