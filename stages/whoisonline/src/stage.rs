//! What a run does: the cron form, the map of the table as it is, or the map of records.

use anyhow::Result;
use kit::{Format, Io, Outcome, Usage};

use crate::args::Args;
use crate::{records, tables};

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, or the work fails.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let common = &args.common;
    if common.format != Format::Ndjson {
        return Err(Usage("the map is XML; --format does not apply".to_owned()).into());
    }
    match (common.from_db(), common.to_db()) {
        (true, true) => tables::refresh(args, io)?,
        (false, true) => {
            return Err(
                Usage("records are not written to the table; --db reads the sessions of the CMS".to_owned()).into()
            );
        }
        (_, false) if args.dry_run => return Err(Usage("--dry-run goes with --db".to_owned()).into()),
        (true, false) => {
            records::print(&tables::sessions()?, common.compat, io)?;
        }
        (false, false) => {
            let sessions = records::read(io, common.compat)?;
            records::print(&sessions, common.compat, io)?;
        }
    }
    Ok(Outcome::default())
}
