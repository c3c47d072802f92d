//! The command line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use kit::{Common, Describe, Endpoint, Io, Outcome, StageArgs, Usage};
use schema::{Kind, Opt, json};

use crate::agents::{self, Judge, Known, Words};
use crate::block::Rules;
use crate::exclude::{self, Exclude};
use crate::format::{self, ClientFrom, Format};
use crate::import::{self, Report, Stream, Unit};
use crate::line::Layout;

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

    #[command(flatten)]
    common: Common,
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
        writes: &[Kind::Web, Kind::Hits, Kind::Bot, Kind::Login],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Web,
        steps: &[],
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
    path: PathBuf,
    stream: Option<String>,
    date: Option<String>,
    log_format: Option<String>,
}

fn is_auth_log(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cmsauth"))
}

pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let common = &args.common;
    if common.from_db() {
        return Err(Usage("logs are read from files or standard input, not from tables".to_owned()).into());
    }
    if common.to_db() {
        return Err(
            Usage("this release of import-logs does not write tables yet; leave `--to db` out".to_owned()).into()
        );
    }
    let compat = common.compat;
    let default = args.layout()?;
    let rows = args.exclude.as_deref().map(exclude::read).transpose()?.unwrap_or_default();
    let exclude = Exclude::new(&rows, compat.has(Opt::LpParse)).map_err(|e| Usage(format!("{e:#}")))?;
    let words = Words::new(compat.has(Opt::LpBotTerms))?;
    let mut known = Known::default();
    for agent in args.bots.as_deref().map(agents::read_bots).transpose()?.unwrap_or_default() {
        known.insert(&agents::stored(agent.as_bytes()));
    }
    if !compat.has(Opt::LpBotExact) {
        known.remove_spared(&words);
    }
    let mut output = io.output()?;
    let units = units(args, io, &default, &mut output)?;
    let judge = Judge { words, exclude: Arc::new(exclude), exact: compat.has(Opt::LpBotExact) };
    let rules = Arc::new(Rules::new(compat, judge));
    let summary = import::run(&units, &rules, known, &mut output, &mut io.rejects, io.messages)?;
    output.finish()?;
    if let Some(path) = &args.receipts {
        write_receipts(path, &units, &summary.reports)?;
    }
    io.messages.note(summary.words());
    Ok(Outcome::default())
}

/// The files to import, in order.
fn units(args: &Args, io: &mut Io, default: &Layout, output: &mut kit::Output) -> Result<Vec<Unit>> {
    let stream = |auth: bool, layout: &Layout| if auth { Stream::Auth } else { Stream::Access(layout.clone()) };
    let raw = |path: Option<PathBuf>| {
        let auth = match args.raw {
            Some(raw) => raw == Raw::Auth,
            None => path.as_deref().is_some_and(is_auth_log),
        };
        Unit { path, stream: stream(auth, default), date: None }
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
    io.input()?.for_each(&mut io.rejects, |record, rejects| {
        if record.kind != Kind::Source.name() {
            return output.record(record.line);
        }
        let source = match serde_json::from_slice::<Source>(record.line) {
            Ok(source) => source,
            Err(error) => {
                return rejects.reject(record.path, record.number, &format!("no source record: {error}"), record.line);
            }
        };
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
        units.push(Unit { stream: stream(auth, &own), path: Some(source.path), date: source.date });
        Ok(())
    })?;
    Ok(units)
}

fn write_receipts(path: &Path, units: &[Unit], reports: &[Report]) -> Result<()> {
    kit::atomic_file(path, |out| {
        for (unit, report) in units.iter().zip(reports) {
            let Some(file) = &unit.path else { continue };
            let (stream, table) = match unit.stream {
                Stream::Access(_) => ("access", "web"),
                Stream::Auth => ("auth", "userlogin"),
            };
            let mut line = b"{\"kind\":\"receipt\",\"path\":".to_vec();
            json::push_str(&mut line, &file.to_string_lossy());
            line.extend_from_slice(format!(",\"stream\":\"{stream}\",\"target\":\"{table}\"").as_bytes());
            line.extend_from_slice(
                format!(",\"rows\":{},\"rejected\":{}", report.n_rows, report.n_rejected).as_bytes(),
            );
            if let Some(date) = &unit.date {
                line.extend_from_slice(b",\"date\":");
                json::push_str(&mut line, date);
            }
            line.extend_from_slice(b"}\n");
            out.write_all(&line)?;
        }
        Ok(())
    })
    .with_context(|| format!("writing the receipts {}", path.display()))
}
