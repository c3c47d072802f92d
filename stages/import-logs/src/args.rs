//! The options of the stage, and what `--describe` says of it.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use kit::{Asked, Common, Describe, StageArgs};
use schema::Kind;

use crate::addresses::Addresses;
use crate::choices::Assets;
use crate::layouts::client::{Choice, Cidr, networks};
use crate::layouts::entry::ClientFrom;
use crate::layouts::named;
use crate::layouts::prefix::Prefixes;
use crate::zone::Zone;

/// Turns access and auth logs into web, hits, bot and login records.
///
/// Reads `source` records as fetch-logs makes them, or the log files named as arguments, or log
/// lines from standard input (`--raw`). Files may be plain or compressed.
///
/// Files are imported one at a time. For each file, its web records come in the order of its lines,
/// a hits record follows each run of lines of one day, and the bots that were new in the file come
/// at its end. Bots found anywhere in a file are left out of all its web records. On standard input
/// that holds for the first 16 MB only; after that, an agent is kept if only another spelling of it
/// later in the stream would make it a bot.
///
/// Lines of other kinds on standard input pass through. Memory does not grow with the input, except
/// for 16 bytes per distinct login and the text of each distinct bot.
///
/// `--to db` loads the files into the tables `web`, `webhits`, `bot_useragents` and `userlogin`, each
/// file in one transaction. Once a file is committed, a `receipt` for archive goes to standard
/// output. The exclude list and the known bots are read from the tables. A file that is in the ledger
/// of imports (`imported_sources`) is not loaded again; its receipt says `already`. If a file has
/// grown, only the new part is loaded. Log lines on standard input are loaded without ledger and
/// receipt. After a deadlock or a lost connection the file is tried again, for up to a minute.
///
/// If no line of a file fits the layout, the file is not imported: a message names it and shows its
/// first line, the other files are imported, and the run ends with code 1. With `--strict` the same
/// holds for a file with any rejected line. If more than a tenth of the lines do not fit, the file
/// is imported with a warning.
///
/// `--db` is the cron line: it loads the staging files of `fetch-logs --stage`, each in one
/// transaction, and renames them to `_prev…`. A log in them that is not understood is left out. It
/// prints nothing unless it fails.
#[derive(Debug, Parser)]
#[command(name = "import-logs", version, about)]
pub(crate) struct Args {
    /// Log files. They are access logs, unless their name begins with `cmsauth` or `--raw` says
    /// `auth`. Standard input is then not read
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Treat the input (standard input, `--from`, or FILE) as log lines of this kind
    #[arg(long, value_enum, value_name = "STREAM")]
    pub(crate) raw: Option<Raw>,

    /// Layout of access logs: a name such as `hubzero`, `combined` or `caddy`, a LogFormat of
    /// Apache, a log_format of nginx, `json:MAPPING`, or `auto`. A `source` record may name another
    /// layout for its file [default: `auto`; `hubzero` with `--db` and for logs of the hub's site]
    ///
    /// With `auto` the first thousand lines of a file decide. One line in a hub's layout makes the
    /// file a hub's log; otherwise it is the layout that most lines have, if at least half have it.
    /// docs/log-formats.md lists all names.
    #[arg(long, value_name = "NAME|FORMAT")]
    pub(crate) log_format: Option<String>,

    /// Take the layout of access logs from the web server's configuration, httpd.conf or nginx.conf
    /// with what it includes: the format called NAME, or the one that a log there uses
    #[arg(long, value_name = "FILE[:NAME]", visible_alias = "httpd-conf", conflicts_with = "log_format")]
    pub(crate) server_conf: Option<String>,

    /// Take the client's address from this header, for servers behind a proxy. If the header has
    /// several addresses, the first public one is used, or with `:first` or `:last` the first or
    /// last one
    #[arg(long, value_name = "HEADER[:first|:last]")]
    pub(crate) client_from: Option<HeaderChoice>,

    /// Take the last address of the header that is not in these networks, as nginx's
    /// real_ip_recursive and Apache's mod_remoteip do. The header is X-Forwarded-For unless
    /// `--client-from` names another one
    #[arg(long, value_name = "CIDR,…")]
    pub(crate) trusted_proxies: Option<Proxies>,

    /// What comes before each line: `none`, `syslog`, `rfc5424`, `docker`, `cri`, `compose` or `time`
    /// [default: recognised in each line]
    #[arg(long, value_name = "NAME")]
    pub(crate) prefix: Option<Prefixes>,

    /// For each file print its layout, how many of its lines fit, their time span and the number of
    /// clients; import nothing
    #[arg(long)]
    pub(crate) check: bool,

    /// Leave out lines that this list excludes: a CSV file with the columns `filter` and `type`
    /// (`ip`, `url`, `useragent`)
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude: Option<PathBuf>,

    /// Bots that are already known: one agent per line, or records of kind `bot`
    #[arg(long, value_name = "FILE")]
    pub(crate) bots: Option<PathBuf>,

    /// Bots of a published list, in addition to those found by the built-in words: COUNTER-Robots,
    /// crawler-user-agents or ai.robots.txt as JSON, or one pattern per line. May be repeated
    ///
    /// A pattern with one of the characters `\^$.|?*+()[]{}` is a regular expression; any other text
    /// matches anywhere in the agent. Case matters in crawler-user-agents only.
    #[arg(long, value_name = "FILE")]
    pub(crate) bots_list: Vec<PathBuf>,

    /// Agents that are people, whatever the words and lists of bots say: a list as for
    /// `--bots-list`
    #[arg(long, value_name = "FILE")]
    pub(crate) people: Vec<PathBuf>,

    /// Write to FILE what each bot requested, and which list and pattern decided: requests, hits,
    /// visitors, bytes. CSV if the name ends in `.csv`, records otherwise
    #[arg(long, value_name = "FILE", value_parser = kit::output_file())]
    pub(crate) bots_report: Option<PathBuf>,

    /// Append to FILE what became of each line: one `verdict` record per line, written when the log
    /// is committed
    #[arg(long, value_name = "FILE", value_parser = kit::output_file())]
    pub(crate) verdicts: Option<PathBuf>,

    /// Write times in this zone, if the log says which zone its own times are in: `Europe/Berlin`,
    /// `UTC`, or `as-written` [default: as-written]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<Zone>,

    /// Count requests with these statuses, comma-separated [default: 200]
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) keep_status: Vec<String>,

    /// Count URLs that this regular expression matches, whatever the rules about paths say. May be
    /// repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) keep_path: Vec<String>,

    /// Leave out URLs that this regular expression matches, `^/private/` for example. May be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) drop_path: Vec<String>,

    /// Which static files are left out
    #[arg(long, value_enum, value_name = "SET", default_value = "legacy")]
    pub(crate) assets: Assets,

    /// Count several requests of one user for one URL within this many seconds as one, the last, as
    /// COUNTER does [30 seconds if no number is given]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30",
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    pub(crate) double_click: Option<u32>,

    /// Count requests for these virtual hosts only, comma-separated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) vhost: Vec<String>,

    /// Write a receipt for each file to FILE; `archive` can read it
    #[arg(long, value_name = "FILE", value_parser = kit::output_file())]
    pub(crate) receipts: Option<PathBuf>,

    /// How much of a client's address is stored [default: keep, or `[privacy] addresses`]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) addresses: Option<Addresses>,

    /// Leave out, or store under other names, the people in this list of `hzmetrics forget-user` [default with
    /// `--to db`: the list of the hub]
    #[arg(long, value_name = "FILE")]
    pub(crate) forget: Option<PathBuf>,

    /// Run only these steps, comma-separated. A file is entered in the ledger, and gets a receipt,
    /// only if all steps for its kind run: the first three, or `auth`
    #[arg(long, value_enum, value_name = "STEP", value_delimiter = ',')]
    pub(crate) only: Vec<Step>,

    /// Folders that must contain the logs of `source` records; may be repeated [default with `--to
    /// db`: the log folders of the hub]
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "files")]
    pub(crate) logs: Vec<PathBuf>,

    /// Also import files in which no line fits the layout, as they are: somebody has looked at them
    #[arg(long)]
    pub(crate) accept: bool,

    /// Load files whether or not they are in the ledger of imports, and do not add them to it
    #[arg(long)]
    pub(crate) no_ledger: bool,

    /// Read, judge and count everything, but write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// A step of the import.
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

/// Which log the lines come from.
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

    fn values(asked: &Asked<'_>) -> Vec<String> {
        if asked.id() == "log_format" { named::names().map(str::to_owned).collect() } else { Vec::new() }
    }
}

/// Where to find the client's address, as given by `--client-from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderChoice(pub(crate) ClientFrom);

impl std::str::FromStr for HeaderChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        client_from(text).map(Self)
    }
}

/// A header and which of its addresses to use; `client` is the other end of the connection.
///
/// # Errors
/// The header is missing, or its suffix is neither `first` nor `last`.
pub(crate) fn client_from(text: &str) -> Result<ClientFrom, String> {
    let (name, choice) = match text.split_once(':') {
        None => (text, Choice::FirstPublic),
        Some((name, "first")) => (name, Choice::First),
        Some((name, "last")) => (name, Choice::Last),
        Some((_, other)) => return Err(format!("`{other}` is neither `first` nor `last`")),
    };
    if name.is_empty() {
        return Err("a header's name, or `client`, is missing".to_owned());
    }
    let header = (!name.eq_ignore_ascii_case("client")).then(|| name.to_owned());
    Ok(ClientFrom { header, choice })
}

/// Networks of proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxies(pub(crate) Vec<Cidr>);

impl std::str::FromStr for Proxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        networks(text).map(Self)
    }
}
