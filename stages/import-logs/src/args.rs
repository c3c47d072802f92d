//! The options of the stage, and what `--describe` says of it.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use kit::{Common, Describe, StageArgs};
use schema::Kind;

/// Turns access and auth logs into web, hits, bot and login records.
///
/// Reads `source` records as fetch-logs makes them, or the log files named as arguments, or log
/// lines from standard input (`--raw`). Files may be plain or compressed.
///
/// Each file is a unit: its web records come in the order of its lines, a hits record stands
/// where a run of lines of one day ends, and the bots that were new in it follow at its end.
/// Bots found anywhere in a file are already left out of its web records. On standard input
/// that holds for the first 16 MB; further on, the few agents that only another spelling later in
/// the stream would make a bot are kept.
///
/// Lines of other kinds on standard input pass through. Memory does not grow with the input,
/// except by 16 bytes for each distinct login and the text of each distinct bot.
///
/// `--to db` loads the files into the tables `web`, `webhits`, `bot_useragents` and `userlogin`, each
/// file in one transaction, and writes a `receipt` of each one to standard output once it is
/// committed, for archive to read. What is excluded and which bots are known is read from the
/// tables. A file that the ledger of imports (`imported_sources`) knows is not loaded again; its
/// receipt says `already`. Of one that has grown only the rest is loaded. Log lines on standard input
/// are loaded without ledger and receipt. After a deadlock or a lost server the file is tried again,
/// for up to a minute.
///
/// A file with lines of which none fits the layout is not imported: it is named with its first line,
/// the other files are imported, and the run ends with code 1. With `--strict` the same holds for a
/// file with any rejected line. A file of which more than a tenth of the lines do not fit is
/// imported, with a warning.
///
/// `--db` is the cron line: it loads the staging files of `fetch-logs --stage` and renames them to
/// `_prev…`, each in one transaction. A log in them that is not understood is left out. It says nothing
/// unless it fails.
#[derive(Debug, Parser)]
#[command(name = "import-logs", version, about)]
pub(crate) struct Args {
    /// Log files. They are access logs, unless their name begins with `cmsauth` or `--raw auth`
    /// says otherwise; standard input is then not read
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Take the input (standard input, `--from`, or FILE) for log lines of this kind
    #[arg(long, value_enum, value_name = "STREAM")]
    pub(crate) raw: Option<Raw>,

    /// Layout of access logs: `hubzero` (both layouts), `common`, `combined`, `nginx`, or a
    /// LogFormat of Apache; a `source` record may say otherwise for its file
    #[arg(long, value_name = "NAME|FORMAT", default_value = "hubzero")]
    pub(crate) log_format: String,

    /// Take the layout of access logs from the configuration of the web server: the LogFormat
    /// called NICKNAME, or the one that a CustomLog names
    #[arg(long, value_name = "FILE[:NICKNAME]", conflicts_with = "log_format")]
    pub(crate) httpd_conf: Option<String>,

    /// Take the client's address from this header of the log format, for servers behind a proxy;
    /// `:first` (default) or `:last` says which of several addresses
    #[arg(long, value_name = "HEADER[:first|:last]")]
    pub(crate) client_from: Option<ClientFrom>,

    /// Leave out lines that this list excludes: a CSV file with the columns `filter` and `type`
    /// (`ip`, `url`, `useragent`)
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude: Option<PathBuf>,

    /// Bots that are known already: one agent a line, or records of kind `bot`
    #[arg(long, value_name = "FILE")]
    pub(crate) bots: Option<PathBuf>,

    /// Write a receipt of each file to FILE; `archive` can read it
    #[arg(long, value_name = "FILE")]
    pub(crate) receipts: Option<PathBuf>,

    /// Make only these steps, comma-separated. A file is booked in the ledger, and gets a receipt,
    /// only when all steps of its kind are made: the first three, or `auth`
    #[arg(long, value_enum, value_name = "STEP", value_delimiter = ',')]
    pub(crate) only: Vec<Step>,

    /// Folders that the logs of `source` records lie below; may be repeated [default with `--to db`:
    /// the log folders of the hub]
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "files")]
    pub(crate) logs: Vec<PathBuf>,

    /// Import files of which no line fits the layout, too, as they are: somebody has looked at them
    #[arg(long)]
    pub(crate) accept: bool,

    /// Load files whether the ledger of imports knows them or not, and do not note them there
    #[arg(long)]
    pub(crate) no_ledger: bool,

    /// Read, judge and count everything, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// An inner step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Hits of each day.
    Webhits,
    /// New bots.
    IdentifyBots,
    /// Requests.
    Web,
    /// Logins.
    Auth,
}

/// Which log the lines are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Raw {
    /// Web server access log.
    Access,
    /// CMS auth log.
    Auth,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "import-logs",
        about: "Turns access and auth logs into web, hits, bot and login records",
        reads: &[Kind::Source],
        writes: &[Kind::Web, Kind::Hits, Kind::Bot, Kind::Login, Kind::Receipt],
        reads_tables: &["exclude_list", "bot_useragents", "imported_sources"],
        writes_tables: &["web", "webhits", "bot_useragents", "userlogin", "imported_sources"],
        main_kind: Kind::Web,
        steps: &["webhits", "identify-bots", "web", "auth"],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

/// Which of several addresses in a forwarding header is the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pick {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
}

/// Where the client's address stands: `client`, or a header in the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientFrom {
    /// Name of the header; `None` for the connection's own address.
    pub(crate) header: Option<String>,
    /// Which of its addresses.
    pub(crate) pick: Pick,
}

impl std::str::FromStr for ClientFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, pick) = match text.split_once(':') {
            None => (text, Pick::First),
            Some((name, "first")) => (name, Pick::First),
            Some((name, "last")) => (name, Pick::Last),
            Some((_, other)) => return Err(format!("`{other}` is neither `first` nor `last`")),
        };
        if name.is_empty() {
            return Err("a header's name, or `client`, is missing".to_owned());
        }
        let header = (!name.eq_ignore_ascii_case("client")).then(|| name.to_owned());
        Ok(Self { header, pick })
    }
}
