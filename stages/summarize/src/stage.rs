//! What a run does: processes records in a pipe, or tables.

use std::io::IsTerminal as _;

use anyhow::Result;
use kit::{Io, Outcome, Usage};

use crate::args::Args;
use crate::plan::Plan;
use crate::{kept, records, tables};

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, an input cannot be read or the output cannot be written.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let plan = Plan::new(args)?;
    // a cron line knows its month and stays silent; a person should be told
    if let Some(usual) = plan.usual.as_ref().filter(|_| args.dry_run || std::io::stderr().is_terminal()) {
        io.messages.note(format_args!("no month was given: {usual}"));
    }
    let (from_db, to_db) = (args.common.from_db(), args.common.to_db());
    if let Some(question) = plan.question(args)? {
        if !args.resources().is_empty() {
            if !from_db || !question.places.is_empty() {
                let text = "resource_stats is explained from the tables only (--from db), and apart from other cells";
                return Err(Usage(text.to_owned()).into());
            }
            return tables::why_of_usage(args, &question, io);
        }
        return if from_db { tables::why(args, question, io) } else { records::why(args, question, io) };
    }
    if args.has_states() {
        kept::check(args, &plan)?;
        if !from_db {
            return kept::run(args, &plan, io);
        }
    } else if !args.hub.is_empty() {
        return Err(Usage("--hub goes with --state-to or --state-from".to_owned()).into());
    }
    if to_db && let Some(last) = plan.last() {
        kit::refuse_month_to_come(last)?;
    }
    if from_db && to_db {
        return tables::run(args, &plan, io);
    }
    if from_db {
        return tables::records(args, &plan, io);
    }
    records::run(args, &plan, io)
}
