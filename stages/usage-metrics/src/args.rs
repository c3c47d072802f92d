//! The options, and the description for `--describe`. Uses nothing of the stage's work.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use enrich::options::{DnsOptions, GeoOptions};
use kit::{Common, Describe, MonthArgs, StageArgs};
use schema::{Dates, Kind, Month, Part};

/// What follows the options in the long help.
const BACKGROUND: &str = "In a pipe every month that has a record is run, in ascending order, as if the monthly cron job had been \
    run month by month over everything that is read. Other kinds of records pass through unchanged. Nothing \
    is written before everything is read: the lines wait in a temporary file (in TMPDIR, as large as the \
    input). In memory are less than 100 bytes a request, with distinct addresses, host names and \
    domains.\n\nWith `--db` the steps of `--only` are made in their own order. Without a month, host names \
    are looked up for the last seven days, other columns are filled and bots removed in the current month up \
    to today, and the sessions are those of the current month. `--from db` alone writes the sessions that \
    would be built as records and changes nothing. In memory are then the requests of the month (about 60 \
    bytes each), or the job log (about 100 bytes a job).\n\nBug for bug: requests of the days 8, 16 and 24 \
    of a month belong to no session, nor do those of the last session of each month. See \
    docs/usage-metrics.md.";

/// Fills in domains and countries, builds sessions, removes bots.
///
/// Reads records and writes them in the same order: `web` and `toolstart` records get their domain, country
/// and session, requests of excluded domains and hosts are left out, and one `session` record per visit
/// follows at the end. With `--db` it does the nightly job on the databases; a month, a date and `--all`
/// need it.
#[derive(Debug, Parser)]
#[command(name = "usage-metrics", version, after_long_help = BACKGROUND, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    month: MonthArgs,

    /// With --db: dates for the steps hosts, domains, countries, user-info and clean-bots, instead of a
    /// month: YYYY, YYYY-MM, YYYY-MM-DD, or two of them with `..` between
    #[arg(long, value_name = "DATE", conflicts_with_all = ["month", "month_option", "all"])]
    pub(crate) date: Option<Dates>,

    /// With --db: rows with any date (hosts, domains, user-info)
    #[arg(long, conflicts_with_all = ["month", "month_option"])]
    pub(crate) all: bool,

    /// With --db and --only: this table instead of the step's own
    #[arg(long, value_name = "TABLE", requires = "only")]
    pub(crate) table: Option<String>,

    /// Database with the table of --table
    #[arg(long, value_name = "DATABASE", requires = "table", default_value = "metrics")]
    pub(crate) database: Database,

    /// Run only these steps, separated by commas, in their own order. In a pipe: domains, sessions,
    /// clean-bots and countries
    #[arg(long, value_name = "STEP,…", value_delimiter = ',')]
    pub(crate) only: Vec<Step>,

    /// With --db: print what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// With --db: do it even if addresses of the month are hashed
    #[arg(long)]
    pub(crate) force: bool,

    /// With --db: build the sessions of a month that is not over, whatever --compat says
    #[arg(long)]
    pub(crate) with_sessions: bool,

    /// Take countries from this database before anything else (MaxMind format: GeoLite2, DB-IP,
    /// IPinfo). In a pipe no country is filled in without it
    #[arg(long, value_name = "FILE.mmdb")]
    pub(crate) geoip: Option<PathBuf>,

    /// Remove requests and sessions of the domains and hosts in this list: a CSV file with the
    /// columns `filter` and `type`. Type `domain` matches exactly that domain, type `host` is a
    /// pattern (`%` any run, `_` any character); other types are ignored. With --db the list is the
    /// table `exclude_list`
    #[arg(long, value_name = "FILE.csv", help_heading = "In a pipe")]
    pub(crate) exclude: Option<PathBuf>,

    /// Number of the first session; if the input has `session` records, numbers continue after the
    /// highest of them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "In a pipe")]
    pub(crate) first_id: u32,

    /// Time zone of the web server (such as `Europe/Berlin`), for pauses across a change of clocks
    /// [default: that of this machine; with --db that of the database server]
    #[arg(long, value_name = "ZONE", help_heading = "In a pipe")]
    pub(crate) timezone: Option<String>,

    /// Do the work for part N of M of the visitors, on any machine. Every part reads the whole stream; part
    /// 1 also passes on what is not a request. `--join` makes one result of all parts
    #[arg(long, value_name = "N/M", help_heading = "In parts")]
    pub(crate) part: Option<Part>,

    /// With --part: the stream holds nothing but this part. Each visitor (address, or host name where the
    /// address is empty) must be in one part, and every other record in one
    #[arg(long, requires = "part", help_heading = "In parts")]
    pub(crate) already_cut: bool,

    /// Join what all parts wrote, in any order. Give the options of the parts again
    #[arg(long, conflicts_with = "part", help_heading = "In parts")]
    pub(crate) join: bool,

    #[command(flatten)]
    pub(crate) geo: GeoOptions,

    #[command(flatten)]
    pub(crate) dns: DnsOptions,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    /// The metrics database.
    Metrics,
    /// The hub's.
    Hub,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Copy tool sessions and profiles of the hub to the metrics database
    ImportHubData,
    /// Create tool starts from the hub's jobs, with their wall time
    MiddlewareWall,
    /// Fill in the CPU time of tool starts
    MiddlewareCpu,
    /// Fill in host names by reverse DNS
    Hosts,
    /// Derive `domain` from `host`, if it is empty or `?`
    Domains,
    /// Build sessions and write their numbers to requests and tool starts
    Sessions,
    /// Remove requests and sessions of excluded domains and hosts
    CleanBots,
    /// Count the hits of each day again from the remaining requests; only if named, or with
    /// `--compat derived-webhits`
    RebuildWebhits,
    /// Clear session numbers whose session does not exist; only if named, or with `--compat
    /// clear-orphan-stamps`
    ClearOrphanStamps,
    /// Fill in what the profiles of users say
    UserInfo,
    /// Fill in countries of addresses, if they are empty
    Countries,
}

impl Step {
    /// All steps, in order.
    const NAMES: [&str; 11] = [
        "import-hub-data",
        "middleware-wall",
        "middleware-cpu",
        "hosts",
        "domains",
        "sessions",
        "clean-bots",
        "rebuild-webhits",
        "clear-orphan-stamps",
        "user-info",
        "countries",
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or_default()
    }

    /// Whether it can run on records.
    pub(crate) const fn is_on_records(self) -> bool {
        matches!(self, Self::Domains | Self::Sessions | Self::CleanBots | Self::Countries)
    }

    /// Whether it can run on a table of the user's choice.
    pub(crate) const fn takes_table(self) -> bool {
        matches!(self, Self::Hosts | Self::Domains | Self::CleanBots | Self::UserInfo | Self::Countries)
    }
}

impl Args {
    /// Whether a step runs.
    pub(crate) fn makes(&self, step: Step) -> bool {
        self.only.is_empty() || self.only.contains(&step)
    }

    /// The month given by the user.
    pub(crate) fn month(&self) -> Option<Month> {
        self.month.get()
    }
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "usage-metrics",
        about: "Fills in domains and countries, builds sessions, removes bots",
        reads: &[Kind::Web, Kind::Toolstart, Kind::Session],
        writes: &[Kind::Web, Kind::Toolstart, Kind::Session],
        reads_tables: &[
            "sessionlog",
            "joblog",
            "jos_xprofiles",
            "jos_users",
            "jos_user_profiles",
            "jos_metrics_ipgeo_cache",
            "web",
            "websessions",
            "toolstart",
            "exclude_list",
        ],
        writes_tables: &[
            "sessionlog_metrics",
            "jos_xprofiles_metrics",
            "jos_metrics_ipgeo_cache",
            "web",
            "websessions",
            "toolstart",
            "webhits",
        ],
        main_kind: Kind::Session,
        steps: &Step::NAMES,
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_the_names_used_in_only() {
        for step in Step::value_variants() {
            assert_eq!(step.to_possible_value().unwrap().get_name(), step.name());
        }
    }
}
