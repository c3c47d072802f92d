//! The options, and what `--describe` says. Imports nothing of the work.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use kit::{Common, Describe, Format, StageArgs, Uses};
use schema::{Kind, Month};

/// What follows the options in the long help.
const BACKGROUND: &str = "The page is one file: style, charts and a little script are in it, it asks no server for anything, and \
    without JavaScript everything is there. The same records give the same bytes. A month that has not ended \
    is hatched and named, and so is one named with `--incomplete`.\n\nBy default nothing that could point to \
    a person is shown: groups of fewer than five people are `< 5`, in every format, and where one number of a \
    sum is hidden the next smallest is too. `--private` shows everything, for the administrator's own \
    copy.\n\nUsed are cells, sessions, and the statistics of tools and resources (toolstat, toptool, toplist, \
    resource_stat; hub_resource for titles), and for the traffic web, hits, bot, bot_report and receipt. \
    Others are ignored, and nothing is passed on. Records may come in \
    any order.\n\nMemory: cells and statistics, and 32 bytes for each visitor (address and host name) of a month. \
    Requests are counted in at most 150 MB: exactly up to 65,536 different names of a kind, beyond that with an \
    error that the report states.";

/// Writes the usage report of a hub: one page with figures, tables and a map.
///
/// Reads records of any kind and writes a report with a section for each subject that they are of. The
/// default is a page for a browser; `--format text`, `md` and `csv` write the same numbers for a terminal or a
/// mail, as Markdown, and as one table.
#[derive(Debug, Parser)]
#[command(name = "report", version, after_long_help = BACKGROUND, max_term_width = 100)]
#[command(mut_arg("format", |arg| arg
    .help("Format of the report")
    .long_help("Format of the report")
    .default_value("html")
    .value_parser(Format::among(Format::OF_REPORTS))))]
#[command(mut_arg("kind", |arg| arg.hide(true)))]
pub(crate) struct Args {
    /// Month of the headline figures [default: the last whole month of the records]
    #[arg(value_name = "YYYY-MM")]
    pub(crate) month: Option<Month>,

    /// The report of the month that has not ended, as far as its numbers are known
    #[arg(long, conflicts_with = "month")]
    pub(crate) running: bool,

    /// How many months charts go back
    #[arg(long, value_name = "N", default_value_t = 36, value_parser = clap::value_parser!(u32).range(1..=1200))]
    pub(crate) months: u32,

    /// Sections to write, separated by commas [default: all that have records]
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_enum,
        default_value = "usage,tools,traffic",
        hide_default_value = true
    )]
    pub(crate) sections: Vec<Part>,

    /// Months whose logs have gaps, separated by commas: they are hatched and named
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) incomplete: Vec<Month>,

    /// Rows of a ranking
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) top: u32,

    /// Title of the report
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,

    /// Picture at the top: a PNG, JPEG, GIF, WebP or SVG file of at most 500 kB, copied into the page
    #[arg(long, value_name = "FILE")]
    pub(crate) logo: Option<PathBuf>,

    /// With --format text or md: only the headline figures and a sentence about each chart, for a mail
    #[arg(long)]
    pub(crate) brief: bool,

    /// Language of the texts
    #[arg(long, value_enum, default_value = "en")]
    pub(crate) lang: Language,

    /// Show everything, also groups of fewer than five people: for your own eyes
    #[arg(long)]
    pub(crate) private: bool,

    #[command(flatten)]
    pub(crate) pages: Pages,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Pages in a folder.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pages in a folder")]
pub(crate) struct Pages {
    /// Write the page of the month as DIR/YYYY-MM.html, and DIR/index.html with the months that have a page
    #[arg(long, value_name = "DIR", conflicts_with_all = ["to", "private"])]
    pub(crate) folder: Option<PathBuf>,

    /// With records of several hubs together: a page DIR/NAME.html of the records in FILE, those of one hub; all
    /// together are on DIR/index.html
    #[arg(long, value_name = "NAME=FILE", requires = "folder", conflicts_with = "running", value_parser = hub)]
    pub(crate) hub: Vec<Hub>,

    /// Permissions of the pages, in octal digits
    #[arg(long, value_name = "MODE", requires = "folder", default_value = "0644", value_parser = hub::config::mode_of_pages)]
    pub(crate) mode: u32,

    /// Owner of the pages: USER, USER:GROUP or :GROUP [default: who writes them]
    #[arg(long, value_name = "OWNER", requires = "folder")]
    pub(crate) owner: Option<String>,
}

/// A hub and a file of its records.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
}

/// A hub's name is that of a file, and is neither the index nor a month.
fn hub(text: &str) -> Result<Hub, String> {
    let (name, file) = text.split_once('=').ok_or("NAME=FILE is needed")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_sound = !name.is_empty() && name.len() <= 64 && name.chars().all(is_name);
    if !is_sound || name == "index" || name.parse::<Month>().is_ok() {
        return Err(format!("`{name}` cannot be the name of a page: letters, digits, - and _, not index or a month"));
    }
    Ok(Hub { name: name.to_owned(), file: PathBuf::from(file) })
}

/// Permissions of a file. Others may not be allowed to write it, and nobody runs it.
/// A section of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Users, visits, simulation, places: from cells and sessions
    Usage,
    /// Simulation tools and other resources: from their statistics
    Tools,
    /// Requests, bots and lines of logs: from requests, hits, bots and receipts
    Traffic,
}

/// A language that the texts are there in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// English
    En,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "report",
        about: "Writes the usage report of a hub: one page with figures, tables and a map",
        reads: &[
            Kind::Cell,
            Kind::Session,
            Kind::ToolStat,
            Kind::TopTool,
            Kind::TopList,
            Kind::ResourceStat,
            Kind::HubResource,
            Kind::Web,
            Kind::Hits,
            Kind::Bot,
            Kind::BotReport,
            Kind::Receipt,
        ],
        writes: &[],
        reads_tables: &[
            "summary_user_vals",
            "summary_simusage_vals",
            "summary_misc_vals",
            "websessions",
            "web",
            "webhits",
            "bot_useragents",
            "jos_resources",
            "jos_resource_stats_tools",
            "jos_resource_stats_tools_topvals",
            "jos_resource_stats",
        ],
        writes_tables: &[],
        main_kind: Kind::Cell,
        steps: &[],
    };

    /// Pages in a folder are a part of the daily work.
    fn uses(&self) -> Option<Uses> {
        self.pages.folder.is_some().then(Uses::default)
    }

    fn common(&self) -> &Common {
        &self.common
    }
}
