//! What a run does: processes records in a pipe, or tables.

use anyhow::Result;
use kit::{Endpoint, Format, Io, Outcome, Usage};

use crate::args::Args;
use crate::{records, tables};

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, or the work fails.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let (from_db, to_db) = (args.common.from_db(), args.common.to_db());
    if (from_db || to_db) && (args.part.is_some() || args.join) {
        return Err(Usage("--part and --join work on records, not on tables".to_owned()).into());
    }
    if to_db && !from_db {
        return Err(Usage("records cannot be written to the databases; --db reads and writes tables".to_owned()).into());
    }
    if from_db && !to_db {
        if args.common.sources() != [Endpoint::Database] {
            return Err(Usage("`--from db` cannot be mixed with files".to_owned()).into());
        }
        return tables::records(args, io);
    }
    if to_db {
        return tables::run(args, io);
    }
    if let Some(step) = args.only.iter().find(|step| !step.is_on_records()) {
        return Err(Usage(format!("the step {} works on tables only: add --db", step.name())).into());
    }
    for (given, option) in [
        (args.month().is_some(), "a month"),
        (args.date.is_some(), "--date"),
        (args.all, "--all"),
        (args.table.is_some(), "--table"),
        (args.dry_run, "--dry-run"),
    ] {
        if given {
            return Err(Usage(format!("{option} is for tables: add --db; in a pipe every month is run")).into());
        }
    }
    if args.part.is_some() && args.common.format != Format::Ndjson {
        return Err(Usage("a part is written for --join: as NDJSON only".to_owned()).into());
    }
    records::run(args, io)
}
