//! The options, and the description for `--describe`. Uses nothing of the stage's work.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use enrich::options::{DnsOptions, GeoOptions};
use kit::{Common, Describe, MonthArgs, StageArgs, Usage};
use schema::asked::{Asked, Figure};
use schema::{Kind, Month, Opt, Period};

/// What `--why` asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) figure: Figure,
    pub(crate) month: Month,
    pub(crate) period: Period,
    /// How many rows are written at most.
    pub(crate) first: usize,
    /// Averages and rounding as in the port.
    pub(crate) raw: bool,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Copy tool sessions and profiles of the hub to the metrics database
    ImportHubData,
    /// Fill in host names by reverse DNS
    Hosts,
    /// Derive domains from host names
    Domains,
    /// Fill in what the profiles of users say
    UserInfo,
    /// Fill in countries of addresses
    Countries,
    /// Statistics of each tool
    ToolStats,
    /// Top values of each tool
    ToolTops,
    /// Lists over all tools
    ToolToplists,
}

impl Step {
    /// All steps, in the order in which they run.
    const NAMES: [&str; 8] =
        ["import-hub-data", "hosts", "domains", "user-info", "countries", "tool-stats", "tool-tops", "tool-toplists"];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or_default()
    }

    /// Whether it can run on records.
    pub(crate) const fn is_on_records(self) -> bool {
        matches!(self, Self::ToolStats | Self::ToolTops | Self::ToolToplists)
    }
}

/// What follows the options in the long help.
const BACKGROUND: &str = "Other kinds of records are ignored. Tools are walked by title and number; rows are numbered from 1 in \
    that order.\n\nWith `--db` the steps of `--only` are made in their own order. Without a month, host \
    names are looked up for the last seven days, other columns are filled for the current month up to today, \
    and the statistics are those of the current month, unless it is withheld (`hzmetrics \
    unpublish`).\n\nEverything that is read stays in memory, about 50 bytes a session and 60 a job, and \
    every distinct name once.";

/// Computes tool statistics, top values and top lists.
///
/// Reads hub_resource, hub_tool_version, hub_session and hub_job records for the statistics, tool_session and
/// hub_profile records for the lists, in any order. For every tool and each of the six periods of the month
/// it writes one `toolstat` record with its copy for the resource pages (`resource_stat`), then `toptool` and
/// `toplist` records. With `--db` it does the nightly job on the databases.
#[derive(Debug, Parser)]
#[command(name = "tool-metrics", version, after_long_help = BACKGROUND, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    month: MonthArgs,

    /// Run only these steps, separated by commas, in their own order. Steps before tool-stats need
    /// --db
    #[arg(long, value_name = "STEP,…", value_delimiter = ',')]
    pub(crate) only: Vec<Step>,

    /// List the rows that a number is made of, instead of the numbers: names like
    /// resource_stats_tools.42.users, resource_stats_tools_topvals.42.1.3 or stats_topvals.2.1
    #[arg(long, value_name = "NUMBER", conflicts_with = "only")]
    pub(crate) why: Option<Asked>,

    /// With --why: the period
    #[arg(long, value_name = "CODE", requires = "why", default_value = "1")]
    pub(crate) period: Period,

    /// With --why: at most N rows. The record `why` still counts all
    #[arg(long, value_name = "N", requires = "why")]
    pub(crate) first: Option<usize>,

    /// With --db: print what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// In a pipe: names of countries for the lists, a CSV file with the columns `code` and `name`
    /// [default: a built-in list]
    #[arg(long, value_name = "FILE")]
    pub(crate) countries: Option<PathBuf>,

    /// Take countries from this database before anything else (MaxMind format: GeoLite2, DB-IP,
    /// IPinfo)
    #[arg(long, value_name = "FILE.mmdb", help_heading = "Countries (with --db)")]
    pub(crate) geoip: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) geo: GeoOptions,

    #[command(flatten)]
    pub(crate) dns: DnsOptions,

    #[command(flatten)]
    pub(crate) common: Common,
}

impl Args {
    /// What `--why` asks for, if anything.
    ///
    /// # Errors
    /// Another program computes it.
    pub(crate) fn question(&self, month: Month) -> Result<Option<Question>, Usage> {
        let figure = match self.why {
            None => return Ok(None),
            Some(Asked::Row(figure)) => figure,
            Some(Asked::Cell(place)) => {
                return Err(Usage(format!("`summarize --why {place}` explains cells of summaries")));
            }
        };
        let (period, raw) = (self.period, self.common.compat.has(Opt::LpSummary));
        Ok(Some(Question { figure, month, period, first: self.first.unwrap_or(usize::MAX), raw }))
    }

    /// The month given by the user.
    pub(crate) fn month(&self) -> Option<Month> {
        self.month.get()
    }
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "tool-metrics",
        about: "Computes tool statistics, top values and top lists",
        reads: &[
            Kind::HubResource,
            Kind::HubToolVersion,
            Kind::HubSession,
            Kind::HubJob,
            Kind::ToolSession,
            Kind::HubProfile,
        ],
        writes: &[Kind::ToolStat, Kind::ResourceStat, Kind::TopTool, Kind::TopList, Kind::Why, Kind::Evidence],
        reads_tables: &[
            "sessionlog",
            "joblog",
            "jos_xprofiles",
            "jos_users",
            "jos_user_profiles",
            "jos_metrics_ipgeo_cache",
            "jos_resources",
            "jos_tool_version",
            "sessionlog_metrics",
            "jos_xprofiles_metrics",
            "countries",
        ],
        writes_tables: &[
            "sessionlog_metrics",
            "jos_xprofiles_metrics",
            "jos_metrics_ipgeo_cache",
            "jos_resource_stats_tools",
            "jos_resource_stats",
            "jos_resource_stats_tools_topvals",
            "jos_stats_topvals",
        ],
        main_kind: Kind::ToolStat,
        steps: &Step::NAMES,
    };

    fn common(&self) -> &Common {
        &self.common
    }
}
