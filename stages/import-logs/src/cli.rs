//! The command line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use hub::config;
use kit::{Common, Describe, Endpoint, Io, Messages, Outcome, Output, StageArgs, Usage};
use logs::discovery;
use logs::roots::Roots;
use schema::{Kind, Opt};

use crate::agents::{self, Judge, Words};
use crate::block::{Form, Rules, Steps};
use crate::exclude::{self, Exclude};
use crate::format::{self, ClientFrom, Format};
use crate::import::{self, Book, Stream, Unit};
use crate::line::Layout;
use crate::load::{self, Load, Server, Wishes};
use crate::receipt;
use crate::robots::Known;
use crate::sink::{Nowhere, Records};

/// Turns access and auth logs into web, hits, bot and login records.
///
/// Reads `source` records as fetch-logs makes them, or the log files named as arguments, or log
/// lines from standard input (`--raw`). Files may be plain, gzip or zstd.
///
/// Each file is a unit: its web records come in the order of its lines, a hits record stands
/// where a run of lines of one day ends, and the robots that were new in it follow at its end.
/// Robots found anywhere in a file are already left out of its web records. On standard input
/// that holds for the first 16 MB; further on, the few agents that only another spelling later in
/// the stream would make a robot are kept.
///
/// Lines of other kinds on standard input pass through. Memory does not grow with the input,
/// except by 16 bytes for each distinct login and the text of each distinct robot.
///
/// `--to db` loads the files into the tables `web`, `webhits`, `bot_useragents` and `userlogin`, each
/// file in one transaction, and writes a `receipt` of each one to standard output once it is
/// committed, for archive to read. What is excluded and which robots are known is read from the
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
    files: Vec<PathBuf>,

    /// Take the input (standard input, `--from`, or FILE) for log lines of this kind
    #[arg(long, value_enum, value_name = "STREAM")]
    raw: Option<Raw>,

    /// Layout of access logs: `hubzero` (both layouts), `common`, `combined`, `nginx`, or a
    /// LogFormat of Apache; a `source` record may say otherwise for its file
    #[arg(long, value_name = "NAME|FORMAT", default_value = "hubzero")]
    log_format: String,

    /// Take the layout of access logs from the configuration of the web server: the LogFormat
    /// called NICKNAME, or the one that a CustomLog names
    #[arg(long, value_name = "FILE[:NICKNAME]", conflicts_with = "log_format")]
    httpd_conf: Option<String>,

    /// Take the client's address from this header of the log format, for servers behind a proxy;
    /// `:first` (default) or `:last` says which of several addresses
    #[arg(long, value_name = "HEADER[:first|:last]")]
    client_from: Option<ClientFrom>,

    /// Leave out lines that this list excludes: a CSV file with the columns `filter` and `type`
    /// (`ip`, `url`, `useragent`)
    #[arg(long, value_name = "FILE")]
    exclude: Option<PathBuf>,

    /// Robots that are known already: one agent a line, or records of kind `bot`
    #[arg(long, value_name = "FILE")]
    bots: Option<PathBuf>,

    /// Write a receipt of each file to FILE; `archive` can read it
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,

    /// Make only these steps, comma-separated. A file is booked in the ledger, and gets a receipt,
    /// only when all steps of its kind are made: the first three, or `auth`
    #[arg(long, value_enum, value_name = "STEP", value_delimiter = ',')]
    only: Vec<Step>,

    /// Folders that the logs of `source` records lie below; may be repeated [default with `--to db`:
    /// the log folders of the hub]
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "files")]
    logs: Vec<PathBuf>,

    /// Import files of which no line fits the layout, too, as they are: somebody has looked at them
    #[arg(long)]
    accept: bool,

    /// Load files whether the ledger of imports knows them or not, and do not note them there
    #[arg(long)]
    no_ledger: bool,

    /// Read, judge and count everything, and write nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    common: Common,
}

/// An inner step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Hits of each day.
    Webhits,
    /// New robots.
    IdentifyBots,
    /// Requests.
    Web,
    /// Logins.
    Auth,
}

/// Which log the lines are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Raw {
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

impl Args {
    fn layout(&self) -> Result<Layout> {
        let Some(conf) = &self.httpd_conf else { return layout(&self.log_format, self.client_from.as_ref()) };
        // a path may hold a colon itself
        let (path, nickname) = match conf.rsplit_once(':') {
            Some((path, name)) if !Path::new(conf).exists() => (path, Some(name)),
            _ => (conf.as_str(), None),
        };
        let text = format::from_httpd_conf(Path::new(path), nickname)?;
        layout(&text, self.client_from.as_ref())
    }
}

/// The layout that a name or a LogFormat means.
fn layout(name: &str, client: Option<&ClientFrom>) -> Result<Layout> {
    let header = client.filter(|c| c.header.is_some());
    match name {
        "hubzero" | "common" | "combined" | "nginx" if header.is_some() => {
            Err(Usage(format!("the layout `{name}` has no such header; --client-from needs a LogFormat")).into())
        }
        "hubzero" => Ok(Layout::Hubzero),
        "common" | "combined" | "nginx" => Ok(Layout::Combined),
        text if text.contains('%') => {
            let format = Format::compile(text, client).map_err(|e| Usage(format!("{e:#}")))?;
            Ok(Layout::Format(Arc::new(format)))
        }
        other => {
            let known = "hubzero, common, combined, nginx, or a LogFormat with `%` directives";
            Err(Usage(format!("`{other}` is no log format; known: {known}")).into())
        }
    }
}

/// The fields of a `source` record that are used.
#[derive(Debug, serde::Deserialize)]
struct Source {
    #[serde(flatten, with = "kit::path_text::fields")]
    path: PathBuf,
    stream: Option<String>,
    date: Option<String>,
    log_format: Option<String>,
}

impl Args {
    fn steps(&self) -> Steps {
        let has = |step| self.only.is_empty() || self.only.contains(&step);
        let (webhits, robots) = (has(Step::Webhits), has(Step::IdentifyBots));
        Steps { webhits, robots, web: has(Step::Web), auth: has(Step::Auth) }
    }

    /// The rules of the run, and the robots that were given.
    fn rules(&self, form: Form, more_excluded: &[exclude::Row]) -> Result<(Arc<Rules>, Known)> {
        let compat = self.common.compat;
        let mut rows = self.exclude.as_deref().map(exclude::read).transpose()?.unwrap_or_default();
        rows.extend_from_slice(more_excluded);
        let exclude = Exclude::new(&rows, compat.has(Opt::LpParse)).map_err(|e| Usage(format!("{e:#}")))?;
        let words = Words::new(compat.has(Opt::LpBotTerms))?;
        let exact = compat.has(Opt::LpBotExact);
        let mut robots = Known::new(exact);
        if let Some(path) = &self.bots {
            agents::read_bots(path, |stored| robots.insert(stored, &words))?;
        }
        let judge = Judge { words, exclude: Arc::new(exclude), exact, form };
        Ok((Arc::new(Rules::new(compat, judge, self.steps())), robots))
    }
}

pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let common = &args.common;
    if common.to_db() {
        return to_tables(args, io);
    }
    if common.from_db() {
        return Err(Usage("logs are read from files or standard input, not from tables".to_owned()).into());
    }
    let default = args.layout()?;
    let (rules, known) = args.rules(Form::Records, &[])?;
    let messages = io.messages;
    let mut output = io.output()?;
    let mut units = units(args, io, &default, &Roots::of_pipe(&args.logs, None), &mut output)?;
    let steps = rules.steps;
    units.retain(|unit| match unit.stream {
        Stream::Access(_) => steps.webhits || steps.robots || steps.web,
        Stream::Auth => steps.auth,
    });
    let mut book = Book::new(&mut io.rejects, messages, args.common.strict);
    book.accept = args.accept;
    if args.dry_run {
        import::run(&units, &rules, known, &mut Nowhere, &mut book)?;
    } else {
        import::run(&units, &rules, known, &mut Records(&mut output), &mut book)?;
        output.finish()?;
    }
    if let Some(path) = args.receipts.as_deref().filter(|_| !args.dry_run) {
        receipt::write(path, &receipt::of_records(&units, &book.totals.reports))?;
    }
    messages.note(book.totals.words());
    let n_refused = book.totals.n_refused;
    outcome(n_refused, io)
}

/// The end of a run: files that were refused fail it, once their lines are listed.
fn outcome(n_refused: u64, io: &mut Io) -> Result<Outcome> {
    if n_refused == 0 {
        return Ok(Outcome::default());
    }
    io.rejects.finish()?;
    match n_refused {
        1 => bail!("a file was not imported"),
        n => bail!("{n} files were not imported"),
    }
}

/// `--to db` and `--db`.
fn to_tables(args: &Args, io: &mut Io) -> Result<Outcome> {
    let common = &args.common;
    let staging = common.from_db();
    if staging && (!args.files.is_empty() || args.raw.is_some() || args.receipts.is_some()) {
        let text = "--db loads the staging files; for other files use --to db";
        return Err(Usage(text.to_owned()).into());
    }
    let config = config::load(None, &config::process_env)?;
    let default = args.layout()?;
    // a list of files that cannot be read must not wait for the lock
    let mut output = Output::new(&Endpoint::Standard, common.format, Kind::Receipt.name(), io.messages)?;
    let roots = Roots::of_pipe(&args.logs, config.log_roots());
    let units = if staging { Vec::new() } else { units(args, io, &default, &roots, &mut output)? };
    let _lock = if args.dry_run { None } else { hub::lock::for_run(io, &config.paths)? };
    let server = Server::connect(&config)?;
    let (rules, robots) = args.rules(Form::Rows, &server.excluded)?;
    let silent = staging && !std::io::IsTerminal::is_terminal(&std::io::stderr()) && !args.dry_run;
    let messages = if silent { Messages::new(io.messages.name(), true) } else { io.messages };
    if silent {
        io.rejects.hush();
    }
    let wishes = Wishes { ledger: !args.no_ledger, dry_run: args.dry_run };
    let mut book = Book::new(&mut io.rejects, messages, common.strict);
    book.accept = args.accept;
    let mut load = Load { server, rules, robots, wishes, messages, book };
    if staging {
        load.staging(&config, &default)?;
    } else {
        let given = load.files(units, &mut output)?;
        if let Some(path) = args.receipts.as_deref().filter(|_| !args.dry_run) {
            receipt::write(path, &given)?;
        }
        output.finish()?;
    }
    messages.note(load.book.totals.words());
    let n_refused = load.book.totals.n_refused;
    outcome(n_refused, io)
}

fn is_auth_log(path: &Path) -> bool {
    load::stream_of(path) == discovery::Stream::Auth
}

/// The files to import, in order.
fn units(args: &Args, io: &mut Io, default: &Layout, roots: &Roots, output: &mut Output) -> Result<Vec<Unit>> {
    let stream = |auth: bool, layout: &Layout| if auth { Stream::Auth } else { Stream::Access(layout.clone()) };
    let raw = |path: Option<PathBuf>| {
        let auth = match args.raw {
            Some(raw) => raw == Raw::Auth,
            None => path.as_deref().is_some_and(is_auth_log),
        };
        let stream = stream(auth, default);
        // the name may say the day, as in a `source` record
        let name = path.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let date = discovery::date_of(&name).filter(|_| args.common.to_db()).map(str::to_owned);
        Unit::new(path, stream, date)
    };
    if !args.files.is_empty() {
        return Ok(args.files.iter().map(|path| raw((path != Path::new("-")).then(|| path.clone()))).collect());
    }
    if args.raw.is_some() {
        let unit = |source| match source {
            Endpoint::File(path) => raw(Some(path)),
            Endpoint::Standard | Endpoint::Database => raw(None),
        };
        return Ok(args.common.sources().into_iter().map(unit).collect());
    }
    let mut units = Vec::new();
    let mut records = false;
    io.input()?.for_each(&mut io.rejects, |record, rejects| {
        records = true;
        if record.kind != Kind::Source.name() {
            return output.record(record.line);
        }
        let source = match serde_json::from_slice::<Source>(record.line) {
            Ok(source) => source,
            Err(error) => {
                return rejects.reject(record.path, record.number, &format!("no source record: {error}"), record.line);
            }
        };
        if let Err(why) = roots.check(&source.path) {
            bail!("{}:{}: {why}; --logs DIR names the folders that logs lie below", record.path, record.number);
        }
        let auth = match source.stream.as_deref() {
            Some("auth") => true,
            Some("access") => false,
            None => is_auth_log(&source.path),
            Some(other) => {
                let reason = format!("`{other}` is no stream: access or auth");
                return rejects.reject(record.path, record.number, &reason, record.line);
            }
        };
        let own = match source.log_format.as_deref().map(|name| layout(name, args.client_from.as_ref())) {
            Some(Ok(own)) => own,
            Some(Err(error)) => return rejects.reject(record.path, record.number, &format!("{error:#}"), record.line),
            None => default.clone(),
        };
        units.push(Unit::new(Some(source.path), stream(auth, &own), source.date));
        Ok(())
    })?;
    if !records && io.rejects.count() > 0 {
        io.messages.note("no line is a record; say --raw access or --raw auth of log lines, or give the logs as files");
    }
    Ok(units)
}
