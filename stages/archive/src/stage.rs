//! Which logs a run moves: those named by receipts, or those in `daily/`.

use anyhow::Result;
use hub::config;
use kit::{Io, Outcome, Usage};
use schema::Opt;

use crate::args::Args;
use crate::daily::Daily;
use crate::move_log::{Collision, Rules};
use crate::records;

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, an input cannot be read, or a log could not be moved.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let port = args.common.compat.has(Opt::LpAtomic);
    let collision = if port { Collision::OldKeepsName } else { Collision::NewKeepsName };
    let rules = Rules { compress: !args.no_gzip, collision };
    if args.common.db {
        let config = config::read(None, &config::process_env)?;
        let _lock = if args.dry_run { None } else { hub::lock::for_run(io, &config.paths)? };
        Daily { config: &config, rules, date: args.date.as_deref(), dry_run: args.dry_run, messages: io.messages }
            .run()?;
        return Ok(Outcome::default());
    }
    if args.common.from_db() || args.common.to_db() {
        return Err(Usage("archive has no tables; `--db` alone does what the cron line did".to_owned()).into());
    }
    records::run(args, rules, io)
}
