//! The options of `cargo xtask bench`.

use std::path::PathBuf;

use clap::Parser;

/// What can be measured separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// Parsing access logs
    Parse,
    /// Loading a month into tables
    Load,
    /// Filling tables: host names, domains, countries, sessions, statistics of tools
    Tables,
    /// Reverse lookups
    Names,
    /// The report
    Report,
}

/// Measure, and compare with the best that the machine can do.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub(super) struct Args {
    /// Measure only these
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,…")]
    pub(super) only: Vec<Part>,
    /// Measure other tools beside ours where they are installed, and say which goals hold: wc, jq, GoAccess, chdb,
    /// DuckDB, dnsperf with unbound, a stock MariaDB
    #[arg(long, conflicts_with = "only")]
    pub(super) peers: bool,
    /// The Python that has the modules chdb and duckdb
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub(super) python: PathBuf,
    /// Memory of the database server when filling tables, in MB; its own default is 128
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    pub(super) pool: u32,
    /// Redo log of that server, in MB; its own default is 96
    #[arg(long, value_name = "MB", default_value_t = 96)]
    pub(super) log: u32,
    /// Addresses of the month that gets host names, domains and countries
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..10_000_000))]
    pub(super) visitors: u32,
    /// Runs of each figure; the best counts, or the median where two programs are compared
    #[arg(long, default_value_t = 5)]
    pub(super) runs: u32,
    /// Lines of each access log
    #[arg(long, default_value_t = 1_860_000)]
    pub(super) lines: u64,
    /// Lines, each with an agent of its own, of the log on which lists of bots are measured
    #[arg(long, value_name = "N", default_value_t = 3_000_000)]
    pub(super) agents: u64,
    /// A list of bots to be measured in place of made-up ones; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) bots_list: Vec<PathBuf>,
    /// Take the release executables as they are, without checking with cargo whether they are up to
    /// date
    #[arg(long)]
    pub(super) no_build: bool,
}
