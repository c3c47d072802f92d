//! The options, and what `--describe` says. Imports nothing of the work.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use kit::Uses;
use kit::{Common, Describe, StageArgs};
use logs::discovery::Stream;
use schema::{Kind, Month};

/// Finds rotated access and auth logs.
///
/// Writes one `source` record for each log: its path, stream, day and compression. Access logs
/// come before auth logs, each by day. `import-logs` reads these records; `--cat` prints the
/// lines of the logs instead, decompressed. Compression is seen from the first bytes of a file
/// (gzip, zstd, bzip2, xz, lz4; any number of members), never from its name.
///
/// A log that is there twice, plain and compressed or in two directories, is taken once, with a
/// message.
///
/// `--stage` is the cron line: it writes the staging files that `import-logs --db` reads.
#[derive(Debug, Parser)]
#[command(name = "fetch-logs", version)]
pub(crate) struct Args {
    /// Logs, or patterns of their names; what begins with `cmsauth` is an auth log, the rest are
    /// access logs
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// A directory of logs: itself, its `daily/` with everything below, its `daily.holding/`, and
    /// the same of directories in it (`httpd`, `hubzero`, …); may be repeated
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) logs: Vec<PathBuf>,

    /// Only access logs of this site, `NAME-access…log…` [default: of any site]
    #[arg(long, value_name = "NAME")]
    pub(crate) site: Option<String>,

    /// Only this stream
    #[arg(long, value_enum)]
    pub(crate) stream: Option<StreamName>,

    /// Only logs of this day
    #[arg(long, value_name = "YYYYMMDD", value_parser = parse_day)]
    pub(crate) date: Option<String>,

    /// Only logs of this month
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) month: Option<Month>,

    /// Print the lines of the logs instead of records, with nothing put between two logs
    #[arg(long)]
    pub(crate) cat: bool,

    /// Do what the legacy line did: put the logs in `daily/` of the web server and of the CMS
    /// together into the staging files, decompressed, with a list of them beside
    #[arg(long, conflicts_with_all = ["files", "logs", "cat", "stream"])]
    pub(crate) stage: bool,

    /// With --stage: also logs below `daily/` and in `daily.holding/`
    #[arg(long, requires = "stage")]
    pub(crate) deep: bool,

    /// With --stage: say what would be staged, and write nothing
    #[arg(long, requires = "stage")]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StreamName {
    Access,
    Auth,
}

impl From<StreamName> for Stream {
    fn from(name: StreamName) -> Self {
        match name {
            StreamName::Access => Self::Access,
            StreamName::Auth => Self::Auth,
        }
    }
}

fn parse_day(text: &str) -> Result<String, String> {
    let eight_digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if eight_digits { Ok(text.to_owned()) } else { Err("a day is written YYYYMMDD".to_owned()) }
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "fetch-logs",
        about: "Finds rotated access and auth logs",
        reads: &[],
        writes: &[Kind::Source],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Source,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }

    fn uses(&self) -> Option<Uses> {
        self.stage.then_some(Uses { logs: true, ..Uses::default() })
    }
}
