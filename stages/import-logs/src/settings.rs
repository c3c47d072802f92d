//! What a run needs, built from its options: the rules and the files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use hub::config::Config;
use hub::forgotten::Forgotten;
use kit::{Endpoint, Io, NoRecord, Outcome, Output, Usage};
use logs::discovery;
use logs::roots::Roots;
use schema::{Kind, Opt};

use crate::addresses::Addresses;
use crate::args::{Args, Raw, Step};
use crate::bots::Judge;
use crate::bots::file::read_bots;
use crate::bots::list::BotList;
use crate::bots::words::Words;
use crate::choices::Choices;
use crate::exclude::{self, Exclude};
use crate::file_layouts::FileLayouts;
use crate::rows::RowFormat;
use crate::rules::{Rules, Steps};
use crate::totals::Tally;
use crate::unit::{self, Stream, Unit};
use crate::verdict::VerdictFile;
use crate::zone::Zone;

fn steps(args: &Args) -> Steps {
    let has = |step| args.only.is_empty() || args.only.contains(&step);
    Steps { webhits: has(Step::Webhits), bots: has(Step::IdentifyBots), web: has(Step::Web), auth: has(Step::Auth) }
}

/// The rules of the run, and the bots from the options.
pub(crate) fn rules(
    args: &Args,
    format: RowFormat,
    config: Option<&Config>,
    more_excluded: &[exclude::Row],
    forgotten: Option<Forgotten>,
) -> Result<(Arc<Rules>, BotList)> {
    let compat = args.common.compat;
    let mut rows = args.exclude.as_deref().map(exclude::read).transpose()?.unwrap_or_default();
    rows.extend_from_slice(more_excluded);
    let exclude = Exclude::new(&rows, compat.has(Opt::LpParse)).map_err(|e| Usage(format!("{e:#}")))?;
    let words = Words::new(compat.has(Opt::LpBotTerms))?.with_lists(&args.bots_list, &args.people)?;
    let exact = compat.has(Opt::LpBotExact);
    let mut bots = BotList::new(exact);
    if let Some(path) = &args.bots {
        read_bots(path, |stored| bots.insert(stored, &words))?;
    }
    let explain = args.bots_report.is_some();
    let judge = Judge { words, exclude: Arc::new(exclude), exact, explain, format };
    let mut rules = Rules::new(compat, judge, steps(args), kit::today()?);
    rules.choices = choices(args).map_err(Usage)?;
    rules.zone = match (&args.timezone, config.and_then(|config| config.logs.timezone.as_deref())) {
        (Some(zone), _) => zone.clone(),
        (None, Some(name)) => name.parse().map_err(|e| Usage(format!("[logs] timezone: {e}")))?,
        (None, None) => Zone::AsWritten,
    };
    rules.verdicts = args.verdicts.is_some() && !args.dry_run;
    rules.addresses = match (args.addresses, config.and_then(|config| config.privacy.addresses.as_deref())) {
        (Some(given), _) => given,
        (None, Some(text)) => text.parse().map_err(|e| Usage(format!("[privacy] addresses: {e}")))?,
        (None, None) => Addresses::Keep,
    };
    let hashing = config.map(|config| config.privacy.hashing()).transpose()?.flatten();
    rules.hash_after_days = hashing.map(|hashing| hashing.days);
    rules.forgotten = match &args.forget {
        Some(path) => Some(Forgotten::given(path)?),
        None => forgotten,
    };
    Ok((Arc::new(rules), bots))
}

/// The user's choices of what counts.
fn choices(args: &Args) -> Result<Choices, String> {
    Choices::new(&args.keep_status, &args.keep_path, &args.drop_path, args.assets, &args.vhost, args.double_click)
}

/// Refuses one file for two things: the last one written would be all that is left.
fn each_has_its_own_file(args: &Args) -> Result<(), Usage> {
    let records = match Endpoint::from_arg(&args.common.to) {
        Endpoint::File(path) => Some(path),
        Endpoint::Standard | Endpoint::Database => None,
    };
    let outputs = [
        ("--to", records.as_ref()),
        ("--rejects", args.common.rejects.as_ref()),
        ("--verdicts", args.verdicts.as_ref()),
        ("--receipts", args.receipts.as_ref()),
        ("--bots-report", args.bots_report.as_ref()),
    ];
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in outputs {
        let Some(path) = path.filter(|path| *path != Path::new("/dev/null")) else { continue };
        let place = path.canonicalize().unwrap_or_else(|_| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            folder.canonicalize().unwrap_or_default().join(path.file_name().unwrap_or_default())
        });
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == place) {
            let name = path.display();
            return Err(Usage(format!(
                "{option} {name}: {other} writes this file; each of them needs a file of its own"
            )));
        }
        seen.push((option, place));
    }
    Ok(())
}

/// Opens the files that the run writes besides its records.
pub(crate) fn more_outputs(args: &Args, tally: &mut Tally<'_>) -> Result<()> {
    each_has_its_own_file(args)?;
    tally.verdicts = args.verdicts.as_deref().filter(|_| !args.dry_run).map(VerdictFile::open).transpose()?;
    Ok(())
}

/// Writes the report on bots, if requested.
pub(crate) fn report_on_bots(args: &Args, rules: &Rules, tally: &Tally<'_>) -> Result<()> {
    let Some(path) = args.bots_report.as_deref() else { return Ok(()) };
    tally.uses.write(path, &rules.judge.words, tally.messages)
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
    layouts: &FileLayouts,
    roots: &Roots,
    output: &mut Output,
) -> Result<Vec<Unit>> {
    let to_db = args.common.to_db();
    let raw = |path: Option<PathBuf>| -> Result<Unit> {
        let auth = match args.raw {
            Some(raw) => raw == Raw::Auth,
            None => path.as_deref().is_some_and(unit::is_auth_log),
        };
        let stream = if auth { Stream::Auth } else { Stream::Access(layouts.of(path.as_deref())?) };
        // the name may contain the day, as in a `source` record
        let name = path.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let date = discovery::date_of(&name).filter(|_| to_db).map(str::to_owned);
        Ok(Unit::new(path, stream, date))
    };
    if !args.files.is_empty() {
        return args.files.iter().map(|path| raw((path != Path::new("-")).then(|| path.clone()))).collect();
    }
    if args.raw.is_some() {
        let of = |source| match source {
            Endpoint::File(path) => raw(Some(path)),
            Endpoint::Standard | Endpoint::Database => raw(None),
        };
        return args.common.sources().into_iter().map(of).collect();
    }
    let mut units = Vec::new();
    let mut records = false;
    let read = io.input()?.for_each(&mut io.rejects, |record, rejects| {
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
                let reason = format!("`{other}` is not a stream: access or auth");
                return rejects.reject(record.path, record.number, &reason, record.line);
            }
        };
        if auth {
            units.push(Unit::new(Some(source.path), Stream::Auth, source.date));
            return Ok(());
        }
        let layout = match source.log_format.as_deref() {
            Some(text) => match layouts.named(text) {
                Ok(layout) => layout,
                Err(why) => return rejects.reject(record.path, record.number, &why, record.line),
            },
            None => layouts.of(Some(&source.path))?,
        };
        units.push(Unit::new(Some(source.path), Stream::Access(layout), source.date));
        Ok(())
    });
    if !records && read.as_ref().is_err_and(anyhow::Error::is::<NoRecord>) {
        return read
            .context("no line is a record; for log lines use --raw access or --raw auth, or name the files")
            .map(|()| units);
    }
    read.map(|()| units)
}

/// The end of a run: it fails if files were refused, after all of them are listed.
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
