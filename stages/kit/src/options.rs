//! The options that mean the same in every stage.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, ValueEnum};
use schema::{Compat, Month};

use crate::Asked;
use crate::Describe;

/// How the output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated, one kind of record, with a header.
    Csv,
    /// Human-readable: aligned columns.
    Table,
    /// A page for a browser, in one file.
    Html,
    /// Plain text for a terminal or a mail.
    Text,
    /// Markdown.
    Md,
}

impl Format {
    /// How records are written.
    pub const OF_RECORDS: &[Self] = &[Self::Ndjson, Self::Csv, Self::Table];
    /// How a report is written.
    pub const OF_REPORTS: &[Self] = &[Self::Html, Self::Text, Self::Md, Self::Csv];

    /// Reads the value of `--format`, where these are possible.
    #[must_use]
    pub fn among(formats: &[Self]) -> impl TypedValueParser<Value = Self> + use<> {
        let names: Vec<_> = formats.iter().filter_map(ValueEnum::to_possible_value).collect();
        PossibleValuesParser::from(names).try_map(|text| Self::from_str(&text, false))
    }
}

/// Where records come from or go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Standard input or output, `-`.
    Standard,
    /// A file.
    File(PathBuf),
    /// The databases, `db`.
    Database,
}

impl Endpoint {
    /// Parses the value of `--from` or `--to`.
    #[must_use]
    pub fn from_arg(arg: &str) -> Self {
        match arg {
            "-" => Self::Standard,
            "db" => Self::Database,
            path => Self::File(PathBuf::from(path)),
        }
    }
}

/// Options of every stage.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Where records come from: `-` (standard input), a file (may be repeated; compressed files are
    /// recognised), or `db`
    #[arg(long, value_name = "-|FILE|db", default_value = "-")]
    pub from: Vec<String>,

    /// Where records go to: `-` (standard output), a file (written whole or not at all), or `db`
    #[arg(long, value_name = "-|FILE|db", default_value = "-")]
    pub to: String,

    /// Short for `--from db --to db`: do what the legacy cron line did
    #[arg(long)]
    pub db: bool,

    /// Format of the output; the input format is recognised by its first byte
    #[arg(long, value_name = "FORMAT", default_value = "ndjson", value_parser = Format::among(Format::OF_RECORDS))]
    pub format: Format,

    /// Kind of record that `--format csv` or `table` writes, instead of the main kind of the stage
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,

    /// Write the lines that could not be used to FILE, one JSON object per line
    #[arg(long, value_name = "FILE", value_parser = output_file())]
    pub rejects: Option<PathBuf>,

    /// Exit with code 3 if a record was rejected
    #[arg(long)]
    pub strict: bool,

    /// Which program's results to reproduce: `default` (the numbers of legacy), `legacy` (also its bytes,
    /// where the default is cleaner), `port`, or single options, comma-separated
    #[arg(long, value_name = "LIST", env = "HZMETRICS_COMPAT", default_value = "default", value_parser = parse_compat)]
    pub compat: Compat,

    /// Seconds to wait for another run that writes to the databases
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub lock_wait: u64,

    /// Print errors only
    #[arg(long, short)]
    pub quiet: bool,

    /// Print what this stage reads and writes, as JSON, and exit
    #[arg(long)]
    pub describe: bool,
}

/// Reads the name of a file that a stage writes besides its records: `-`, which is standard output elsewhere,
/// is refused.
#[must_use]
pub fn output_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.as_os_str() == "-" {
            return Err("records go to standard output; name a file, or `./-` for one called `-`");
        }
        Ok(path)
    })
}

fn parse_compat(text: &str) -> Result<Compat, String> {
    Compat::parse(text).map_err(|e| e.to_string())
}

impl Common {
    /// Where records come from, taking `--db` into account.
    #[must_use]
    pub fn sources(&self) -> Vec<Endpoint> {
        if self.db { vec![Endpoint::Database] } else { self.from.iter().map(|arg| Endpoint::from_arg(arg)).collect() }
    }

    /// Whether records come from the databases.
    #[must_use]
    pub fn from_db(&self) -> bool {
        self.sources().contains(&Endpoint::Database)
    }

    /// Whether records go to the databases.
    #[must_use]
    pub fn to_db(&self) -> bool {
        self.db || self.to == "db"
    }
}

/// What a program does in the folders of a hub, apart from its lock, its log and the staging
/// folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uses {
    /// It reads the logs in `daily/`.
    pub logs: bool,
    /// It moves logs from `daily/` to `imported/`.
    pub archive: bool,
    /// It writes the map of who is online.
    pub map: bool,
    /// It creates the folders that a hub needs.
    pub setup: bool,
}

impl Uses {
    /// Everything that the daily work needs.
    pub const LOGS: Self = Self { logs: true, archive: true, map: false, setup: false };
}

/// A month, as an argument or as an option.
#[derive(Debug, Clone, Copy, Args)]
pub struct MonthArgs {
    /// Month to work on [default: the current one]
    #[arg(value_name = "YYYY-MM")]
    month: Option<Month>,

    /// Month to work on [default: the current one]
    #[arg(long = "month", value_name = "YYYY-MM", conflicts_with = "month")]
    month_option: Option<Month>,
}

impl MonthArgs {
    /// The month given by the user.
    #[must_use]
    pub fn get(self) -> Option<Month> {
        self.month.or(self.month_option)
    }
}

/// The arguments of a stage: a clap parser with the common options in it.
pub trait StageArgs: Parser {
    /// What the stage reads and writes.
    const DESCRIBE: Describe;

    /// The common options.
    fn common(&self) -> &Common;

    /// What the run does in the folders of a hub; `None` for a filter, which changes nothing there.
    fn uses(&self) -> Option<Uses> {
        self.common().to_db().then(Uses::default)
    }

    /// What a shell offers as the value of an argument.
    fn values(asked: &Asked<'_>) -> Vec<String> {
        crate::complete::months(asked)
    }
}
