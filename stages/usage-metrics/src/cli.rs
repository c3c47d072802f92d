//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use kit::{Common, Describe, StageArgs};
use schema::Kind;

/// Fills in domains and countries, builds sessions, removes bots.
///
/// Reads records and writes them again in the same order: `web` and `toolstart` with their
/// domain, country and session, without the requests of excluded domains and hosts, and behind
/// them one `session` record for each visit. Every month that has a record is run, in ascending
/// order, as if the monthly cron job had been run month by month over everything that is read.
/// Other kinds pass unchanged.
///
/// Sessions need the whole of a month in another order than it arrives in, so nothing is written
/// before everything is read. The lines wait in a temporary file (in TMPDIR, as large as the
/// input); in memory there are less than 100 bytes a request, distinct addresses, host names and
/// domains included.
///
/// Bug for bug: requests of the days 8, 16 and 24 of a month belong to no session, nor do those
/// of the last session of each month. See `docs/usage-metrics.md`.
#[derive(Debug, Parser)]
#[command(name = "usage-metrics", version, about, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// Take countries from this database (MaxMind format: GeoLite2, DB-IP, IPinfo); without it no
    /// country is filled in
    #[arg(long, value_name = "FILE.mmdb")]
    pub(crate) geoip: Option<PathBuf>,

    /// Remove requests and sessions of the domains and hosts in this list: a CSV file with the
    /// columns `filter` and `type`. Type `domain` takes exactly that domain, type `host` is a
    /// pattern (`%` any run, `_` any character); other types are not looked at
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) exclude: Option<PathBuf>,

    /// Number of the first session; when there are `session` records in the input, numbers go on
    /// behind the highest of them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) first_id: u32,

    /// Time zone of the web server (as in `Europe/Berlin`), for pauses across a change of clocks;
    /// by default that of this machine
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,

    /// Make only these steps, comma-separated; they are made in their own order
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    pub(crate) only: Vec<Step>,
}

/// One of the inner steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Derive `domain` from `host`, where it is empty or `?`.
    Domains,
    /// Build sessions and stamp requests and tool starts with them.
    Sessions,
    /// Remove requests and sessions named by `--exclude`.
    CleanBots,
    /// Fill `ipcountry` from `--geoip`, where it is empty.
    Countries,
}

impl Args {
    /// Whether a step is made.
    pub(crate) fn makes(&self, step: Step) -> bool {
        self.only.is_empty() || self.only.contains(&step)
    }
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "usage-metrics",
        about: "Fills in domains and countries, builds sessions, removes bots",
        reads: &[Kind::Web, Kind::Toolstart, Kind::Session],
        writes: &[Kind::Web, Kind::Toolstart, Kind::Session],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Session,
        steps: &["domains", "sessions", "clean-bots", "countries"],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}
