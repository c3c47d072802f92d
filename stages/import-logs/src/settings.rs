//! What a run needs, made of its options: the layout, the rules, the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use kit::{Endpoint, Io, Outcome, Output, Usage};
use logs::discovery;
use logs::roots::Roots;
use schema::{Kind, Opt};

use crate::args::{Args, ClientFrom, Raw, Step};
use crate::bots::Judge;
use crate::bots::file::read_bots;
use crate::bots::list::BotList;
use crate::bots::words::Words;
use crate::exclude::{self, Exclude};
use crate::format::{self, Format};
use crate::layout::Layout;
use crate::rows::RowFormat;
use crate::rules::{Rules, Steps};
use crate::unit::{self, Stream, Unit};

/// The layout of access logs that the options ask for.
pub(crate) fn layout(args: &Args) -> Result<Layout> {
    let Some(conf) = &args.httpd_conf else { return named_layout(&args.log_format, args.client_from.as_ref()) };
    // a path may hold a colon itself
    let (path, nickname) = match conf.rsplit_once(':') {
        Some((path, name)) if !Path::new(conf).exists() => (path, Some(name)),
        _ => (conf.as_str(), None),
    };
    let text = format::from_httpd_conf(Path::new(path), nickname)?;
    named_layout(&text, args.client_from.as_ref())
}

/// The layout that a name or a LogFormat means.
fn named_layout(name: &str, client: Option<&ClientFrom>) -> Result<Layout> {
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

fn steps(args: &Args) -> Steps {
    let has = |step| args.only.is_empty() || args.only.contains(&step);
    Steps { webhits: has(Step::Webhits), bots: has(Step::IdentifyBots), web: has(Step::Web), auth: has(Step::Auth) }
}

/// The rules of the run, and the bots that were given.
pub(crate) fn rules(args: &Args, format: RowFormat, more_excluded: &[exclude::Row]) -> Result<(Arc<Rules>, BotList)> {
    let compat = args.common.compat;
    let mut rows = args.exclude.as_deref().map(exclude::read).transpose()?.unwrap_or_default();
    rows.extend_from_slice(more_excluded);
    let exclude = Exclude::new(&rows, compat.has(Opt::LpParse)).map_err(|e| Usage(format!("{e:#}")))?;
    let words = Words::new(compat.has(Opt::LpBotTerms))?;
    let exact = compat.has(Opt::LpBotExact);
    let mut bots = BotList::new(exact);
    if let Some(path) = &args.bots {
        read_bots(path, |stored| bots.insert(stored, &words))?;
    }
    let judge = Judge { words, exclude: Arc::new(exclude), exact, format };
    Ok((Arc::new(Rules::new(compat, judge, steps(args))), bots))
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

/// The files to import, in order.
pub(crate) fn units(
    args: &Args,
    io: &mut Io,
    default: &Layout,
    roots: &Roots,
    output: &mut Output,
) -> Result<Vec<Unit>> {
    let stream = |auth: bool, layout: &Layout| if auth { Stream::Auth } else { Stream::Access(layout.clone()) };
    let raw = |path: Option<PathBuf>| {
        let auth = match args.raw {
            Some(raw) => raw == Raw::Auth,
            None => path.as_deref().is_some_and(unit::is_auth_log),
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
            None => unit::is_auth_log(&source.path),
            Some(other) => {
                let reason = format!("`{other}` is no stream: access or auth");
                return rejects.reject(record.path, record.number, &reason, record.line);
            }
        };
        let own = match source.log_format.as_deref().map(|name| named_layout(name, args.client_from.as_ref())) {
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

/// The end of a run: files that were refused fail it, once their lines are listed.
pub(crate) fn outcome(n_refused: u64, io: &mut Io) -> Result<Outcome> {
    if n_refused == 0 {
        return Ok(Outcome::default());
    }
    io.rejects.finish()?;
    match n_refused {
        1 => bail!("a file was not imported"),
        n => bail!("{n} files were not imported"),
    }
}
