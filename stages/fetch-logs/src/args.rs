//! The options, and the description for `--describe`. Uses nothing of the stage's work.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use kit::Uses;
use kit::{Common, Describe, StageArgs};
use logs::discovery::Stream;
use schema::{Kind, Month, dates};

/// What follows the options in the long help.
const BACKGROUND: &str = "Compression is recognised by the first bytes of a file (gzip, zstd, bzip2, xz, lz4; any number of members), never by \
    its name.\n\nA log that is there twice, plain and compressed or in two directories, is taken once, with \
    a message.";

/// Finds rotated access and auth logs.
///
/// Writes one `source` record for each log: its path, stream, day and compression. Access logs come before
/// auth logs, each by day. `import-logs` reads these records; `--cat` prints the lines of the logs instead,
/// and `--stage` writes the staging files that `import-logs --db` reads.
#[derive(Debug, Parser)]
#[command(name = "fetch-logs", version, after_long_help = BACKGROUND, max_term_width = 100)]
pub(crate) struct Args {
    /// Logs, or patterns of their names. A name that begins with `cmsauth` is an auth log, any
    /// other is an access log
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// A directory of logs. The directory itself is searched, its `daily/` at any depth, its
    /// `daily.holding/`, and the same in its subdirectories (`httpd`, `hubzero`, …); may be
    /// repeated
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) logs: Vec<PathBuf>,

    /// Take the logs whose names match, at any depth below the directories of --logs, instead of logs
    /// with a hub's names; may be repeated. Quote it: 'access.log*'
    #[arg(long = "name", value_name = "GLOB", num_args = 1.., requires = "logs", conflicts_with = "site")]
    pub(crate) names: Vec<glob::Pattern>,

    /// Write to FILE which files below the directories of --logs were left out, and why
    #[arg(long, value_name = "FILE", value_parser = kit::output_file(), requires = "logs")]
    pub(crate) left_out: Option<PathBuf>,

    /// Only access logs of this site, `NAME-access…log…` [default: any site; with --stage that of
    /// the configuration]
    #[arg(long, value_name = "NAME")]
    pub(crate) site: Option<String>,

    /// Only this stream
    #[arg(long, value_enum)]
    pub(crate) stream: Option<StreamName>,

    /// Only logs of this day
    #[arg(long, value_name = "YYYYMMDD", value_parser = dates::day_of_log)]
    pub(crate) date: Option<String>,

    /// Only logs of this month
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) month: Option<Month>,

    /// Print the decompressed lines of the logs instead of records, with nothing between two logs
    #[arg(long)]
    pub(crate) cat: bool,

    /// Do what the legacy cron line did: write the logs in `daily/` of the web server and of the
    /// CMS to the two staging files, decompressed, with a list of them
    #[arg(long, conflicts_with_all = ["files", "logs", "cat", "stream", "names", "left_out"])]
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
