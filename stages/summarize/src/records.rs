//! The pipe's face: scans the records, writes the cells.

use anyhow::Result;
use hub::config;
use kit::{Io, Outcome};
use schema::{Kind, Opt, json};

use crate::args::Args;
use crate::axis::Axis;
use crate::cells::write_cells;
use crate::plan::Plan;
use crate::reading::{digest, read};
use crate::scan::{Ground, Scan};
use crate::why::{Keeper, Question, Requests};
use crate::{reference, tables, tools};

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
    write_cells(&figures, &plan.periods, sections, io)?;
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
            match digest(&*eye.lens, line) {
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
