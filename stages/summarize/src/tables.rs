//! The tables' face: reads tables instead of records, and publishes cells instead of writing them.
//! The computation is the same.

mod kept;
mod lite;
mod needs;
mod publish;
mod read;
mod run;

use anyhow::{Context as _, Result, ensure};
use database::address_changes;
use database::pruned::Pruned;
use database::writer::{self, Held};
use database::{Db, FailedSteps, Which, generations, hub_data, withheld};
use hub::config::{self, Config};
use kit::{Endpoint, Io, Outcome, Output, measure};
use schema::{Kind, Month, Opt, Period};

use crate::andmore::{Catalogue, Use};
use crate::args::{ANDMORE, Args, IMPORT, SUMMARY};
use crate::axis::Axis;
use crate::cells::{Cell, cells};
use crate::finish::Figures;
use crate::plan::Plan;
use crate::scan::{Fact, Scan};
use crate::tables::needs::Needs;
use crate::why::{Keeper, Question, usage};
use kept::Known;
use read::ForUsage;
use run::Run;

/// The result of one scan of the tables.
#[derive(Default)]
struct ScanResult {
    cells: Vec<Cell>,
    uses: Vec<Use>,
}

/// Runs the steps on the tables (`--db`), or with `--dry-run` prints what they would write.
///
/// If a step fails, the others still run, as in the original; the run then ends with an error that
/// names it.
///
/// # Errors
/// The configuration is unusable, another run is writing, or a step fails.
pub(crate) fn run(args: &Args, plan: &Plan, io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let reads_only = args.dry_run && !args.has_states();
    let _held = if reads_only { Held::default() } else { held(args, &config, io)? };
    let mut failed = FailedSteps::new(io);
    let mut run = Run::new(args, config, io.messages)?;
    if plan.import {
        let done = measure::step(IMPORT, || hub_data::step(&run.config, args.compat(), args.dry_run, io));
        failed.note(IMPORT, done)?;
    }
    let mut wanted = plan.clone();
    leave_withheld(&mut run.metrics, &mut wanted, args.dry_run, io)?;
    let months = wanted.summary.as_ref().map(|(months, _)| *months);
    for (first, last) in months.into_iter().chain(wanted.andmore).filter(|_| !args.force && !args.dry_run) {
        address_changes::refuse_hashed(&mut run.metrics, first, last)?;
    }
    let catalogue = match &wanted.andmore {
        Some(_) => failed.note(ANDMORE, read::catalogue(&mut run.hub, args.dry_run))?,
        None => None,
    };
    if catalogue.is_none() {
        wanted.andmore = None;
    }
    let catalogue = catalogue.unwrap_or_default();
    // the copy of the logins is for other readers: it is created while the tables are read
    let mut lite = None;
    let found = std::thread::scope(|scope| {
        if wanted.summary.is_some() && !args.dry_run {
            let (lite, target) = (&mut lite, run.config.target());
            let as_port = args.compat().has(Opt::LpSummary);
            scope.spawn(move || *lite = Some(lite::rebuild(&target, as_port).context("creating userlogin_lite")));
        }
        measure::step("scan", || scan(&mut run, &wanted, &catalogue))
    });
    let has_cells = wanted.summary.is_some();
    if failed.note(SUMMARY, lite.transpose())?.is_none() {
        wanted.summary = None;
    }
    let mut found = match found {
        Err(error) if has_cells => {
            if wanted.summary.take().is_some() {
                failed.note(SUMMARY, Err::<(), _>(error))?;
            }
            None
        }
        found => failed.note(ANDMORE, found)?,
    };
    if found.is_none() && has_cells && wanted.andmore.is_some() {
        // a problem with the cells need not affect the usage
        found = failed.note(ANDMORE, scan(&mut run, &wanted, &catalogue))?;
    }
    let Some(found) = found else { return failed.finish() };
    if args.dry_run {
        write(io, &found)?;
        return failed.finish();
    }
    // cells come last: a month with cells counts as done, so a killed run would not be repeated
    if wanted.andmore.is_some() {
        let as_port = args.compat().has(Opt::LpSummary);
        let done = measure::step(ANDMORE, || publish::uses(&mut run.hub, &found.uses, as_port));
        failed.note(ANDMORE, done)?;
    }
    if wanted.summary.is_some() {
        let done = measure::step(SUMMARY, || publish::cells(&mut run.metrics, &found.cells));
        measure::count("rows", found.cells.len() as u64);
        failed.note(SUMMARY, done)?;
    }
    failed.finish()
}

/// What is held while this writes, or reads tables that must not change.
fn held(args: &Args, config: &Config, io: &Io) -> Result<Held> {
    let held = writer::for_run(io, config)?;
    if args.has_states() {
        generations::require_writer()?;
    }
    Ok(held)
}

/// Removes withheld months that the user did not name from the plan.
fn leave_withheld(metrics: &mut Db, plan: &mut Plan, dry_run: bool, io: &Io) -> Result<()> {
    if plan.usual.is_none() {
        return Ok(());
    }
    let mut is_left_alone = |(month, _)| withheld::is_left_alone(metrics, month, dry_run, io);
    if plan.summary.as_ref().map(|(months, _)| is_left_alone(*months)).transpose()? == Some(true) {
        plan.summary = None;
    }
    if plan.andmore.map(is_left_alone).transpose()? == Some(true) {
        plan.andmore = None;
    }
    Ok(())
}

/// Reads tables, writes records (`--from db`).
///
/// # Errors
/// A table cannot be read or a record cannot be written.
pub(crate) fn records(args: &Args, plan: &Plan, io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let reads_beside = !args.has_states() || args.beside_writers;
    let _held = if reads_beside { Held::default() } else { held(args, &config, io)? };
    let mut run = Run::new(args, config, io.messages)?;
    let catalogue = match plan.andmore {
        Some(_) => read::catalogue(&mut run.hub, true)?,
        None => Catalogue::default(),
    };
    write(io, &scan(&mut run, plan, &catalogue)?)?;
    Ok(Outcome::default())
}

/// Lists the rows that cells are made of (`--from db --why`).
///
/// # Errors
/// A table cannot be read, a record cannot be written, or a listing does not give its cell.
pub(crate) fn why(args: &Args, question: Question, io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let mut run = Run::new(args, config, io.messages)?;
    refuse_removed(&mut run.metrics, &question)?;
    let axis = Axis::new(question.month, question.month);
    let needs = Needs::of_question(&question);
    let stop = Period::stop(question.month);
    let mut keeper = Keeper::new(Scan::new(run.ground(axis)?), question);
    let tables = run.reader(needs, usize::MAX);
    let scan = keeper.scan();
    tables.extensions(&mut run.hub, |path| scan.absorb(Fact::Resource { path: path.into() }))?;
    let eye = keeper.eye();
    tables.read(Some((&eye, stop)), ForUsage::Nothing, |sights| {
        sights.into_iter().for_each(|sight| keeper.take(sight));
        Ok(())
    })?;
    drop(eye);
    let mut output = output_of_answer(io)?;
    keeper.answer(|sessions| read::requests(&mut run.metrics, sessions), |lines| output.block(lines))?;
    output.finish()?;
    Ok(Outcome::default())
}

/// Lists the requests that the usage of resources is made of (`--from db --why resource_stats.42`).
///
/// # Errors
/// Those of [`why`].
pub(crate) fn why_of_usage(args: &Args, question: &Question, io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let mut run = Run::new(args, config, io.messages)?;
    refuse_removed(&mut run.metrics, question)?;
    let catalogue = read::catalogue(&mut run.hub, true)?;
    let mut output = output_of_answer(io)?;
    for &period in &question.periods {
        for resid in args.resources() {
            let mut requests = usage::Requests::new(&catalogue, resid, question.month, period);
            if requests.is_written() {
                let span = (period.start(question.month), Period::stop(question.month));
                read::requests_for(&mut run.metrics, catalogue.matcher.heads(), span, |request, record| {
                    requests.take(request, record);
                })?;
            }
            requests.answer(question.first, |lines| output.block(lines))?;
        }
    }
    output.finish()?;
    Ok(Outcome::default())
}

/// Refuses to list rows of a time of which some were removed. Logins of any time decide who is a user.
fn refuse_removed(metrics: &mut Db, question: &Question) -> Result<()> {
    let pruned = Pruned::read(metrics)?;
    let starts = question.periods.iter().filter_map(|period| period.start(question.month).month());
    let is_hit = pruned.logins.is_some() || starts.min().is_some_and(|first| pruned.has_no_requests(first));
    if let Some(last) = pruned.last().filter(|_| is_hit) {
        anyhow::bail!(
            "the rows of these cells cannot be listed: `hzmetrics prune` removed those of the months through {last}"
        );
    }
    Ok(())
}

/// Where the answer to `--why` goes: CSV and tables show the rows.
///
/// # Errors
/// The file cannot be created.
pub(crate) fn output_of_answer(io: &Io) -> Result<Output> {
    let common = io.common();
    let kind = common.kind.as_deref().unwrap_or(Kind::Evidence.name());
    Output::new(&Endpoint::from_arg(&common.to), common.format, kind, io.messages)
}

/// Publishes cells computed from records (`--to db`).
///
/// # Errors
/// Those of [`run`].
pub(crate) fn store(config: &Config, io: &Io, figures: &Figures, plan: &Plan) -> Result<Outcome> {
    let _held = writer::for_run(io, config)?;
    let mut metrics = Db::connect(&config.target(), Which::Metrics)?;
    let mut plan = plan.clone();
    leave_withheld(&mut metrics, &mut plan, false, io)?;
    if let Some((_, sections)) = &plan.summary {
        let mut list = Vec::new();
        cells(figures, &plan.periods, sections, |cell| list.push(cell));
        publish::cells(&mut metrics, &list)?;
    }
    Ok(Outcome::default())
}

fn write(io: &Io, found: &ScanResult) -> Result<()> {
    let common = io.common();
    let mut output = if common.to == "db" {
        // a dry run of `--to db`
        let kind = common.kind.as_deref().unwrap_or(Kind::Cell.name());
        Output::new(&Endpoint::Standard, common.format, kind, io.messages)?
    } else {
        io.output()?
    };
    let mut lines = Vec::new();
    for cell in &found.cells {
        cell.line(&mut lines);
        lines.push(b'\n');
    }
    for usage in &found.uses {
        lines.extend_from_slice(usage.line().as_bytes());
        lines.push(b'\n');
    }
    output.block(&lines)?;
    output.finish()
}

/// Reads each table that is needed once, for everything that was requested.
fn scan(run: &mut Run<'_>, plan: &Plan, catalogue: &Catalogue) -> Result<ScanResult> {
    let axis_of = |months: &Option<(Month, Month)>| months.map(|(first, last)| Axis::new(first, last));
    let usage_axis = axis_of(&plan.andmore);
    let (months, sections) = match &plan.summary {
        Some((months, sections)) => (Some(*months), sections.clone()),
        None => (None, Vec::new()),
    };
    let mut scan = None;
    let mut kept = None;
    let mut known = Known::load(run)?;
    let pruned = std::mem::take(&mut known.pruned);
    let (extent, paths) = (known.extent_of_usage(), known.paths.clone());
    if let Some(months) = months {
        if known.is_needed(run) {
            kept = Some(kept::figures(run, known, months)?);
        } else {
            scan = Some(Scan::new(run.ground(Axis::new(months.0, months.1))?));
        }
    }
    let room = run.args.room(usize::from(scan.is_some()) + usize::from(usage_axis.is_some()));
    let mut tables = run.reader(Needs::of_sections(&sections), room);
    if scan.is_none() {
        tables.extent = extent;
    }
    let usage = usage_axis.as_ref().map_or(ForUsage::Nothing, |axis| ForUsage::Visits(catalogue, axis));
    let mut usage = tables.scan(scan.as_mut(), usage, &mut run.hub)?;
    if let (Some(axis), Some((_, paths))) = (&usage_axis, &paths) {
        paths.visits(&catalogue.matcher, axis, |visit| usage.absorb(visit));
        usage.relieve(room)?;
    }
    ensure!(
        Pruned::read(&mut run.metrics)? == pruned,
        "`hzmetrics prune` began to remove rows while they were read: run this again"
    );
    let mut found = ScanResult::default();
    if let Some(scan) = scan {
        kept = Some(scan.finish()?);
    }
    if let Some(figures) = kept {
        cells(&figures, &plan.periods, &sections, |cell| found.cells.push(cell));
    }
    if let Some(axis) = usage_axis {
        found.uses = usage.finish(catalogue, &axis)?;
    }
    Ok(found)
}
