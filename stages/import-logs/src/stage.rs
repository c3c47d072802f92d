//! Which face a run uses: records to a stream, or rows into the tables.

use anyhow::Result;
use kit::{Io, Outcome, Usage};

use crate::args::Args;
use crate::{records, tables};

/// Imports logs.
///
/// # Errors
/// Those of the face.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    if args.common.to_db() && !args.check {
        return tables::run(args, io);
    }
    if args.common.from_db() {
        return Err(Usage("logs are read from files or standard input, not from tables".to_owned()).into());
    }
    records::run(args, io)
}
