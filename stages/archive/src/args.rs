//! The options, and what `--describe` says. Imports nothing of the work.

use std::path::PathBuf;

use clap::Parser;
use kit::Uses;
use kit::{Common, Describe, StageArgs};
use schema::Kind;

/// Moves imported logs to the archive directory.
///
/// Reads `receipt` records, as `import-logs` writes them for what it has loaded, and moves
/// exactly the files that they name: compressed with gzip, from `daily/` (or below it) to
/// `imported/` beside it. A file of the same name there is kept under a number, `NAME.~1~`. Every
/// record is passed on; receipts say in `archived` where the file went.
///
/// A log that cannot be moved is named, the others are moved, and the run fails. Run again, it
/// finishes what a killed run began.
///
/// A log is moved only if it still is what its receipt says was read: the same file, or the same
/// content. One that has grown stays, and the next import reads the rest. A log that was refused
/// stays.
///
/// Receipts are not believed blindly: a path must lie below a folder that `--logs` names, without
/// `..` and without links. Without `--logs` these are the log folders of the hub that is configured
/// here; where none is, the `daily/` or `daily.holding/` that the path itself is in. Another path ends
/// the run.
///
/// `--db` is the cron line: it moves the access, auth and debug logs of the hub from `daily/`. Logs
/// that arrived after `fetch-logs --stage` stay, and so do those that were not imported.
#[derive(Debug, Parser)]
#[command(name = "archive", version)]
pub(crate) struct Args {
    /// Move to this directory [default: `imported/` beside the log's `daily/`]
    #[arg(long, value_name = "DIR")]
    pub(crate) imported: Option<PathBuf>,

    /// Folders that the logs lie below; may be repeated
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "db")]
    pub(crate) logs: Vec<PathBuf>,

    /// Move logs as they are, without compressing them
    #[arg(long)]
    pub(crate) no_gzip: bool,

    /// With --db: only logs of this day
    #[arg(long, value_name = "YYYYMMDD", requires = "db", value_parser = parse_day)]
    pub(crate) date: Option<String>,

    /// Say what would be moved, and move nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

fn parse_day(text: &str) -> Result<String, String> {
    let eight_digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if eight_digits { Ok(text.to_owned()) } else { Err("a day is written YYYYMMDD".to_owned()) }
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

    // also from receipts it moves logs in folders of others
    fn uses(&self) -> Option<Uses> {
        Some(Uses::LOGS)
    }
}
