//! The pipe's face: scans the records, writes the cells.

mod digest;

use anyhow::{Result, ensure};
use hub::config;
use kit::{Batch, Io, Outcome};
use rayon::prelude::*;
use schema::{Kind, Opt, json};

use crate::args::Args;
use crate::axis::Axis;
use crate::cells::cells;
use crate::plan::Plan;
use crate::scan::{Fact, Ground, Scan};
use crate::why::{Keeper, Question, Requests};
use crate::{reference, tables, tools};
use digest::{UNJOINED, digest};

/// Runs the stage on records.
///
/// # Errors
/// An input cannot be read, or the output cannot be written.
pub(crate) fn run(args: &Args, plan: &Plan, io: &mut Io) -> Result<Outcome> {
    let Some(((first, last), sections)) = &plan.summary else { return Ok(Outcome::default()) };
    let compat = args.compat();
    let scan = Scan::new(Ground {
        axis: Axis::new(*first, *last),
        places: reference::places(args.lists(), None)?,
        apps: tools::of_options(args, compat.has(Opt::LpSummary))?,
        compat,
    });
    // its faults must be reported before hours of reading
    let config =
        if args.common.to_db() && !args.dry_run { Some(config::load(None, &config::process_env)?) } else { None };
    let figures = read(scan, args.room(1), io)?.finish()?;
    if let Some(config) = config {
        return tables::store(&config, io, &figures, plan);
    }
    let mut lines = Vec::new();
    cells(&figures, &plan.periods, sections, |cell| {
        cell.line(&mut lines);
        lines.push(b'\n');
    });
    let mut output = io.output()?;
    output.block(&lines)?;
    output.finish()?;
    Ok(Outcome::default())
}

/// Lists the rows that cells are made of.
///
/// # Errors
/// As [`run`]; also when a listing does not give its cell.
pub(crate) fn why(args: &Args, question: Question, io: &mut Io) -> Result<Outcome> {
    let compat = args.compat();
    let wants_requests = question.requests;
    let scan = Scan::new(Ground {
        axis: Axis::new(question.month, question.month),
        places: reference::places(args.lists(), None)?,
        apps: tools::of_options(args, compat.has(Opt::LpSummary))?,
        compat,
    });
    let mut keeper = Keeper::new(scan, question);
    let mut requests = Requests::default();
    let mut input = io.input()?;
    while let Some(batch) = input.next_batch(&mut io.rejects)? {
        let eye = keeper.eye();
        let mut sights = Vec::new();
        for i in 0..batch.len() {
            let line = batch.line(i);
            match digest(&eye.lens, line) {
                Ok(fact) => sights.extend(fact.map(|fact| {
                    let record = eye.wants(&fact).then(|| line.into());
                    (fact, record)
                })),
                Err(reason) => {
                    let (path, number) = batch.place(i);
                    io.rejects.reject(path, number, &reason, line)?;
                }
            }
            if wants_requests && let Some(session) = session_of_request(line) {
                requests.entry(session).or_default().push(line.into());
            }
        }
        drop(eye);
        sights.into_iter().for_each(|sight| keeper.take(sight));
    }
    let mut output = tables::output_of_answer(io)?;
    let of_sessions = |sessions: &[i64]| -> Result<Requests> {
        let found = sessions.iter().filter_map(|session| Some((*session, requests.get(session)?.clone())));
        Ok(found.collect())
    };
    keeper.answer(of_sessions, |lines| output.block(lines))?;
    output.finish()?;
    Ok(Outcome::default())
}

/// The session of a request.
fn session_of_request(line: &[u8]) -> Option<i64> {
    let is_request = json::kind_of(line).is_ok_and(|kind| kind == Kind::Web.name());
    let at = json::find(line, "sessionid").ok()?.filter(|_| is_request)?;
    std::str::from_utf8(line.get(at)?).ok()?.parse().ok()
}

/// Fills the scan with the records of the input.
fn read(mut scan: Scan, room: usize, io: &mut Io) -> Result<Scan> {
    let mut input = io.input()?;
    let (mut batch, mut next) = (Batch::default(), Batch::default());
    let mut more = input.read_batch(&mut next, &mut io.rejects)?;
    while more {
        std::mem::swap(&mut batch, &mut next);
        let read = || input.read_batch(&mut next, &mut io.rejects);
        let (read, bad) = rayon::join(read, || take_in(&mut scan, &batch));
        for (i, reason) in bad {
            ensure!(reason != UNJOINED, UNJOINED);
            let (path, number) = batch.place(i);
            io.rejects.reject(path, number, &reason, batch.line(i))?;
        }
        scan.relieve(room)?;
        more = read?;
    }
    Ok(scan)
}

/// Scans the lines of a batch: digested in parallel, absorbed in order. Returns the unusable lines
/// and the reasons.
fn take_in(scan: &mut Scan, batch: &Batch) -> Vec<(usize, String)> {
    const LINES: usize = 512;
    let lens = &**scan.lens();
    let parts: Vec<Vec<(usize, Result<Fact, String>)>> = (0..batch.len().div_ceil(LINES))
        .into_par_iter()
        .map(|part| {
            let lines = part * LINES..((part + 1) * LINES).min(batch.len());
            lines.filter_map(|i| digest(lens, batch.line(i)).transpose().map(|outcome| (i, outcome))).collect()
        })
        .collect();
    let mut bad = Vec::new();
    for (i, outcome) in parts.into_iter().flatten() {
        match outcome {
            Ok(fact) => scan.absorb(fact),
            Err(reason) => bad.push((i, reason)),
        }
    }
    bad
}
