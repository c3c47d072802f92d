//! Which steps to run, and on what: records in a pipe, or tables.

use anyhow::Result;
use clap::ValueEnum as _;
use kit::{Io, Outcome, Usage};
use schema::Opt;

use crate::args::{Args, Step};
use crate::{records, stats, tables};

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, or the work fails.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let (from_db, to_db) = (args.common.from_db(), args.common.to_db());
    if to_db && !from_db {
        return Err(Usage("records cannot be written to the databases; --db reads and writes tables".to_owned()).into());
    }
    let possible = |step: &Step| to_db || step.is_on_records();
    if let Some(step) = args.only.iter().find(|step| !possible(step)) {
        return Err(Usage(format!("the step {} works on tables only: add --db", step.name())).into());
    }
    let all = Step::value_variants().iter().copied().filter(possible);
    let steps: Vec<Step> = all.filter(|step| args.only.is_empty() || args.only.contains(step)).collect();
    if to_db && args.why.is_none() {
        args.month().map_or(Ok(()), kit::refuse_month_to_come)?;
        return tables::run(args, &steps, io);
    }
    let month = args.month().map_or_else(kit::current_month, Ok)?;
    let question = args.question(month)?;
    if to_db && question.is_some() {
        return Err(Usage("--why lists rows and publishes nothing: use --from db".to_owned()).into());
    }
    if from_db {
        return match question {
            Some(question) => tables::why(args, &question, io),
            None => tables::records(args, &steps, io),
        };
    }
    let countries = match &args.countries {
        Some(path) => records::read_countries(path)?,
        None => records::built_in_countries(),
    };
    let tables = records::read(io, countries)?;
    let raw = args.common.compat.has(Opt::LpSummary);
    match question {
        Some(question) => records::why(io, &tables, &stats::numbered(&tables, month, raw), &question)?,
        None => records::write(io, month, &steps, &tables, raw)?,
    }
    Ok(Outcome::default())
}
