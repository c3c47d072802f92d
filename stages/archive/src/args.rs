//! The options, and the description for `--describe`. Uses nothing of the stage's work.

use std::path::PathBuf;

use clap::Parser;
use kit::Uses;
use kit::{Common, Describe, StageArgs};
use schema::{Kind, dates};

/// What follows the options in the long help.
const BACKGROUND: &str = "A log is moved only if it still is what its receipt says was read: the same file, or the same content. \
    One that has grown stays, is named, and the next import reads the rest. A log that was refused stays. A \
    file of the same name in the archive is kept under a number, `NAME.~1~`.\n\nA log that cannot be moved \
    is named, the others are moved, and the run fails. The next run finishes what a killed run began.\n\nThe \
    path in a receipt must be below a folder that `--logs` names, without `..` and without links. Without \
    `--logs` these are the log folders of the hub that is configured here; where none is configured, the \
    `daily/` or `daily.holding/` that the log is in. Any other path ends the run.\n\nWith `--db` it moves \
    the access, auth and debug logs of the hub from `daily/`. Logs that arrived after `fetch-logs --stage` \
    stay, and so do those that were not imported.";

/// Moves imported logs to the archive directory.
///
/// Reads the `receipt` records that `import-logs` writes and moves exactly the files that they name,
/// compressed with gzip, from `daily/` (or below it) to `imported/` next to it. Every record is passed on;
/// receipts then say in `archived` where the log is. `--db` does the same without receipts, like the legacy
/// cron line.
#[derive(Debug, Parser)]
#[command(name = "archive", version, after_long_help = BACKGROUND, max_term_width = 100)]
pub(crate) struct Args {
    /// Move to this directory [default: `imported/` next to the log's `daily/`]
    #[arg(long, value_name = "DIR")]
    pub(crate) imported: Option<PathBuf>,

    /// A folder that must contain the logs; may be repeated
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "db")]
    pub(crate) logs: Vec<PathBuf>,

    /// Move logs as they are, without compressing them
    #[arg(long)]
    pub(crate) no_gzip: bool,

    /// With --db: only logs of this day
    #[arg(long, value_name = "YYYYMMDD", requires = "db", value_parser = dates::day_of_log)]
    pub(crate) date: Option<String>,

    /// Say what would be moved, and move nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "archive",
        about: "Moves imported logs to the archive directory",
        reads: &[Kind::Receipt],
        writes: &[Kind::Receipt],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Receipt,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }

    // with receipts, too, it moves logs in folders of others
    fn uses(&self) -> Option<Uses> {
        Some(Uses::LOGS)
    }
}
