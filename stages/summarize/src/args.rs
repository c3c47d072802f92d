//! The options, and the description for `--describe`. Uses nothing of the stage's work.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use kit::{Common, Describe, StageArgs};
use schema::asked::{Asked, Figure};
use schema::cells::NoCell;
use schema::{Compat, Kind, Month, Part, Period, Place};

/// The step that copies data for other steps.
pub(crate) const IMPORT: &str = "import-hub-data";
/// The step that computes the cells.
pub(crate) const SUMMARY: &str = "summary";
/// The step that counts the users of resources.
pub(crate) const ANDMORE: &str = "andmore";

/// What follows the options in the long help.
const BACKGROUND: &str = "Used are the kinds login, web, session, toolstart, hits, hub_session, hub_job, hub_profile, hub_resource \
    and hub_tool_version; others are ignored, and nothing is passed on. Cells come in the order in which the \
    original script writes them, month after month.\n\nAll periods of a month end with it. They begin with \
    the year (0), the month (1), the quarter (3), eleven months earlier (12), the fiscal year in October \
    (13), or 1995 (14). The first instant of a period does not belong to it, except for web server \
    hits.\n\nWith `--db` the steps of `--only` are made in their own order: import-hub-data copies the data \
    of the hub, summary rebuilds userlogin_lite and publishes the cells of the summary tables (without a \
    month, those of the previous one), andmore counts the visitors of each resource (without a month, in the \
    current one). A month that is withheld (`hzmetrics unpublish`) is published only when it is named. \
    Readers see a month whole or not at all. `--from db` shows the cells and writes nothing.\n\nMemory: up \
    to 64 bytes for each distinct visitor (address and host name), 16 bytes for each session, about 48 bytes \
    for each tool session and 16 for each job of the middleware, and a base of at most 100 MB. Requests are \
    not kept, only sessions with downloads. Of requests that may be downloads by their file extension each \
    distinct path is kept until the end, unless hub_resource records came before.\n\nWith `--why` the output is a \
    record `why` for each cell with its rule, and a record `evidence` for each row that it is made of. It works on \
    records and with `--from db`, and keeps the rows in memory that may be listed.\n\nA state (`--state-to`) \
    holds months that are over, and answers for the months from 1996 through its last. Each record must be in one \
    state or in the input once, sessions together with their requests. What can be seen is refused: the same \
    months twice, the same session twice, missing parts, other --compat. What cannot be seen you vouch for: that \
    the records of a state are those that you would give today. Make it again if late logs were imported, or if \
    the lists of bots or excludes changed what earlier stages let pass. Profiles are those of the input, if it \
    has any, otherwise those of the latest state; lists and --apps are those of this run.\n\nWith tables a state holds \
    the closed months of web, websessions, userlogin and toolstart, and everything else is read each time. Nobody has \
    to vouch for it: it is refused when rows of its months were changed since.";

/// Computes the cells of the summary tables for the six periods of a month.
///
/// Reads the records of the whole time that the periods cover, in any order, from one stream or several
/// files. It reads them once, whatever the number of months, and writes `cell` records. With `--db` it
/// does the monthly job on the databases.
#[derive(Debug, Parser)]
#[command(name = "summarize", version, after_long_help = BACKGROUND, max_term_width = 100)]
pub(crate) struct Args {
    /// Month to summarize [default: the previous one]
    #[arg(value_name = "YYYY-MM", conflicts_with_all = ["month", "since"])]
    pub which: Option<Month>,

    /// Month to summarize [default: the previous one]
    #[arg(long, value_name = "YYYY-MM", conflicts_with = "since")]
    pub month: Option<Month>,

    /// First month of a range, computed in one scan
    #[arg(long, value_name = "YYYY-MM", requires = "through")]
    pub since: Option<Month>,

    /// Last month of the range
    #[arg(long, value_name = "YYYY-MM", requires = "since")]
    pub through: Option<Month>,

    /// Periods to write, in this order: 0 year, 1 month, 3 quarter, 12 twelve months, 13 fiscal
    /// year, 14 all time
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = Period::WRITE_ORDER_CODES)]
    pub periods: Vec<Period>,

    /// Steps to run and groups of cells to write, separated by commas [default: all that are
    /// possible]. Groups mean the step summary with only these groups
    #[arg(long, alias = "sections", value_name = "PARTS", value_delimiter = ',')]
    pub only: Vec<StepOrSection>,

    /// List the rows that cells are made of, instead of the cells: names like users.download.us or
    /// summary_user_vals.4.3, separated by commas, or `all` of the summary tables; or resources
    /// like resource_stats.42, with --from db
    #[arg(long, value_name = "CELLS", value_delimiter = ',', conflicts_with_all = ["since", "only", "memory"])]
    pub why: Vec<Cells>,

    /// With --why: also list all requests of the sessions
    #[arg(long, requires = "why")]
    pub requests: bool,

    /// With --why: at most N rows of each cell. The record `why` still counts all
    #[arg(long, value_name = "N", requires = "why")]
    pub first: Option<usize>,

    /// With --why: only these rows, and only cells that one of them counts in: `ip:ADDRESS`, or a kind and
    /// an id like `session:42` or `web:4711`. May be repeated
    #[arg(long, value_name = "ROW", requires = "why")]
    pub of: Vec<Of>,

    /// With --db: print what would be written, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// With --db: compute months again even if their addresses are hashed
    #[arg(long)]
    pub force: bool,

    /// Classes of domains, a CSV file with the columns `domain` and `class`, instead of the
    /// built-in list
    #[arg(long, value_name = "FILE.csv")]
    pub domainclass: Option<PathBuf>,

    /// Continents of countries, a CSV file with the columns `country` and `continent`, instead of
    /// the built-in list
    #[arg(long, value_name = "FILE.csv")]
    pub country_continent: Option<PathBuf>,

    /// Rappture tools besides `workspace`: the computing time of their sessions is taken from their
    /// jobs. Names are expanded by hub_tool_version records
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub apps: Vec<String>,

    /// Also look for Rappture tools in DIR (on a hub `/apps`): every directory in it with a file
    /// `tool.xml`
    #[arg(long, value_name = "DIR")]
    pub apps_root: Option<PathBuf>,

    /// Use about this much memory, for example 300M or 2G; the rest goes to temporary files in TMPDIR
    /// [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub memory: Option<usize>,

    /// Keep what the records or the tables say, with the months through the one that is asked for, in FILE: for
    /// later months, to put parts of a hub together, or several hubs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["memory", "why", "dry_run"], help_heading = "States")]
    pub state_to: Option<PathBuf>,

    /// Add what these states hold to the records, or to the later rows of the tables. May be repeated
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["memory", "why"], help_heading = "States")]
    pub state_from: Vec<PathBuf>,

    /// With tables: also keep which visitors requested which paths of resources, for the step andmore
    #[arg(long, requires = "state_to", help_heading = "States")]
    pub with_usage: bool,

    /// With tables: others may write while they are read; whoever started this looks afterwards whether they did
    #[arg(long, hide = true, help_heading = "States")]
    pub beside_writers: bool,

    /// Name of the hub that the records are of, in front of its session numbers, account numbers and login
    /// names: the same name on two hubs is two people
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, help_heading = "States")]
    pub hub: String,

    /// With --hub: people who have accounts on several hubs, a CSV file with the columns `user` (login name
    /// on this hub) and `account` (one name on all hubs)
    #[arg(long, value_name = "FILE.csv", requires = "hub", help_heading = "States")]
    pub accounts: Option<PathBuf>,

    /// The records are part N of M of the hub: write the state and no cells
    #[arg(long, value_name = "N/M", requires = "state_to", help_heading = "States")]
    pub part: Option<Part>,

    #[command(flatten)]
    pub common: Common,
}

/// A value of `--why`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cells {
    All,
    One(Place),
    /// The usage of a resource.
    Resource(i64),
}

impl FromStr for Cells {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        match text.parse().map_err(|error: NoCell| error.to_string())? {
            Asked::Cell(place) => Ok(Self::One(place)),
            Asked::Row(Figure::Resource { resid, column: "users" }) => Ok(Self::Resource(resid)),
            Asked::Row(figure) => Err(format!("`tool-metrics --why {figure}` explains the numbers of tools")),
        }
    }
}

/// A value of `--of`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Of {
    /// Rows of an address.
    Ip(String),
    /// A row of a kind.
    Row(String, i64),
}

impl FromStr for Of {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is neither `ip:ADDRESS` nor a kind and an id like `session:42`");
        match text.split_once(':').ok_or_else(bad)? {
            ("ip", ip) if !ip.is_empty() => Ok(Self::Ip(ip.to_owned())),
            (kind, id) => {
                let kind = Kind::from_name(kind).ok_or_else(bad)?;
                Ok(Self::Row(kind.name().to_owned(), id.parse().map_err(|_| bad())?))
            }
        }
    }
}

/// The memory that a run needs whatever the data: code, buffers, lists.
const BASE: usize = 40 << 20;

fn parse_size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let size = digits.parse().ok().and_then(|n: usize| n.checked_mul(unit));
    size.ok_or_else(|| "not a size like 300M or 2G".to_owned())
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "summarize",
        about: "Computes the cells of the summary tables for the six periods of a month",
        reads: &[
            Kind::Web,
            Kind::Session,
            Kind::Login,
            Kind::Hits,
            Kind::Toolstart,
            Kind::HubSession,
            Kind::HubJob,
            Kind::HubProfile,
            Kind::HubResource,
            Kind::HubToolVersion,
        ],
        writes: &[Kind::Cell, Kind::ResourceStat, Kind::Why, Kind::Evidence],
        reads_tables: &[
            "web",
            "websessions",
            "userlogin",
            "toolstart",
            "webhits",
            "jos_xprofiles_metrics",
            "country_continent",
            "domainclass",
            "sessionlog",
            "joblog",
            "jos_xprofiles",
            "jos_resources",
            "jos_resource_assoc",
            "jos_resource_stats",
            "jos_tool_version",
        ],
        writes_tables: &[
            "sessionlog_metrics",
            "jos_xprofiles_metrics",
            "userlogin_lite",
            "summary_user_vals",
            "summary_simusage_vals",
            "summary_misc_vals",
            "jos_resource_stats",
        ],
        main_kind: Kind::Cell,
        steps: &[IMPORT, SUMMARY, ANDMORE],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

/// The values of `--only`: steps, and groups of cells of the step `summary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StepOrSection {
    /// Copy tool sessions and profiles of the hub to the metrics database (with --db)
    ImportHubData,
    /// All cells of the summary tables
    Summary,
    /// Usage of each resource (from the databases)
    Andmore,
    /// Registered users (row 6)
    Reg,
    /// Interactive users (rows 7 and 3)
    Int,
    /// Download users (rows 8 and 4)
    Dl,
    /// All users (row 1)
    Total,
    /// Simulation users (row 2)
    Sim,
    /// Simulation usage (`summary_simusage_vals`)
    SimUsage,
    /// Domains, visits, accounts, hits (`summary_misc_vals`)
    Misc,
}

impl Args {
    pub(crate) const fn compat(&self) -> Compat {
        self.common.compat
    }

    /// How many bytes each of `n` collections may use; lists double when they grow, so it is half.
    pub(crate) fn room(&self, n: usize) -> usize {
        self.memory.map_or(usize::MAX, |limit| (limit.saturating_sub(BASE) / 2 / n.max(1)).max(1 << 20))
    }

    /// The cells whose rows are asked for, each once.
    pub(crate) fn places(&self) -> Vec<Place> {
        let all = self.why.contains(&Cells::All);
        Place::all().filter(|place| all || self.why.contains(&Cells::One(*place))).collect()
    }

    /// The resources whose usage is asked for.
    pub(crate) fn resources(&self) -> Vec<i64> {
        self.why.iter().filter_map(|cell| if let Cells::Resource(id) = cell { Some(*id) } else { None }).collect()
    }

    /// Whether states are read or written.
    pub(crate) const fn has_states(&self) -> bool {
        self.state_to.is_some() || !self.state_from.is_empty()
    }

    /// The files that replace built-in lists.
    pub(crate) fn lists(&self) -> [Option<&Path>; 2] {
        [self.country_continent.as_deref(), self.domainclass.as_deref()]
    }
}
