//! The options, and the description for `--describe`. Uses nothing of the stage's work.

use std::path::PathBuf;

use clap::Parser;
use enrich::options::NameServerOptions;
use kit::{Common, Describe, StageArgs};
use schema::{Dates, Kind};

/// The tables of the nightly jobs, in order.
pub(crate) const NIGHTLY: [&str; 3] = ["sessionlog_metrics", "web", "toolstart"];

/// What follows the options in the long help.
const BACKGROUND: &str = "With tables, the addresses of rows without a host name are looked up, by default those of the last seven \
    days without today, and each name is written to all rows of its address that have none. The three tables \
    of `--db` are sessionlog_metrics, web and toolstart of the metrics database. With `--from db` instead of \
    `--db` nothing is written to tables: the addresses come out as records with their names.\n\nEach \
    distinct address is looked up once. In memory are the distinct addresses with their names (about 100 \
    bytes each) and the records that wait for a lookup before them, at most 50,000.";

/// Fills in host names by reverse DNS.
///
/// Reads records and writes them in the same order. A `web`, `toolstart` or `tool_session` record with an
/// address but without a host name gets one: the name that the name server has for the address, or `?` if
/// there is none or no answer arrives in time. Everything else passes through unchanged.
///
/// `resolve-dns metrics|hub TABLE [DATE]` does the same for one table, `resolve-dns --db [DATE]` for the
/// three tables of the nightly jobs.
#[derive(Debug, Parser)]
#[command(name = "resolve-dns", version, after_long_help = BACKGROUND, max_term_width = 100)]
pub(crate) struct Args {
    /// A table: its database (`metrics` or `hub`), its name, and dates: YYYY, YYYY-MM, YYYY-MM-DD,
    /// or two of them with `..` between. After --db only the dates
    #[arg(value_name = "DATABASE TABLE DATE", num_args = 0..=3)]
    pub(crate) words: Vec<String>,

    /// The database with the table of --table [default: metrics]
    #[arg(long, value_name = "metrics|hub", requires = "table")]
    pub(crate) database: Option<String>,

    /// Fill this table
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,

    /// With tables: only rows with these dates [default: the last seven days before today]
    #[arg(long, value_name = "DATE", conflicts_with = "all")]
    pub(crate) date: Option<Dates>,

    /// With tables: rows with any date
    #[arg(long)]
    pub(crate) all: bool,

    /// With tables: print how many addresses would be looked up, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) common: Common,

    #[command(flatten)]
    pub(crate) servers: NameServerOptions,

    /// Keep answers in FILE between runs: names for 30 days, "no name" for 7 days, "no answer" for
    /// an hour
    #[arg(long, value_name = "FILE")]
    pub(crate) cache: Option<PathBuf>,

    /// Only remove answers from the cache that are older than DAYS, or no longer valid; with --dry-run only count them
    #[arg(long, value_name = "DAYS", requires = "cache", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    pub(crate) forget_after: Option<u64>,

    /// Take names from this CSV file with the columns `ip` and `host`. An address that is not in it
    /// gets `?`, or is looked up if --nameserver is given too
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) map: Option<PathBuf>,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "resolve-dns",
        about: "Fills in host names by reverse DNS",
        reads: &[Kind::Web, Kind::Toolstart, Kind::ToolSession],
        writes: &[Kind::Web, Kind::Toolstart, Kind::ToolSession],
        reads_tables: &NIGHTLY,
        writes_tables: &NIGHTLY,
        main_kind: Kind::Web,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}
