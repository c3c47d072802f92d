//! The command line, and the walk over the receipts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use hub::config;
use kit::Uses;
use kit::{Common, Describe, Io, Outcome, StageArgs, Usage, path_text};
use logs::fingerprint::Fingerprint;
use logs::roots::{self, Roots};
use schema::{Kind, Opt, json};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::cron::Cron;
use crate::place::{self, Collision, Placed, Rules};

/// Moves imported logs to the archive directory.
///
/// Reads `receipt` records, as `import-logs` writes them for what it has loaded, and moves
/// exactly the files that they name: compressed with gzip, from `daily/` (or below it) to
/// `imported/` beside it. A file of the same name there is kept under a number, `NAME.~1~`. Every
/// record is passed on; receipts say in `archived` where the file went.
///
/// A log that cannot be moved is named, the others are moved, and the run fails. Run again, it
/// finishes what a killed run began.
///
/// A log is moved only if it still is what its receipt says was read: the same file, or the same
/// content. One that has grown stays, and the next import reads the rest. A log that was refused
/// stays.
///
/// Receipts are not believed blindly: a path must lie below a folder that `--logs` names, without
/// `..` and without links. Without `--logs` these are the log folders of the hub that is configured
/// here; where none is, the `daily/` or `daily.holding/` that the path itself is in. Another path ends
/// the run.
///
/// `--db` is the cron line: it moves the access, auth and debug logs of the hub from `daily/`. Logs
/// that arrived after `fetch-logs --stage` stay, and so do those that were not imported.
#[derive(Debug, Parser)]
#[command(name = "archive", version)]
pub(crate) struct Args {
    /// Move to this directory [default: `imported/` beside the log's `daily/`]
    #[arg(long, value_name = "DIR")]
    imported: Option<PathBuf>,

    /// Folders that the logs lie below; may be repeated
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "db")]
    logs: Vec<PathBuf>,

    /// Move logs as they are, without compressing them
    #[arg(long)]
    no_gzip: bool,

    /// With --db: only logs of this day
    #[arg(long, value_name = "YYYYMMDD", requires = "db", value_parser = parse_day)]
    date: Option<String>,

    /// Say what would be moved, and move nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    common: Common,
}

fn parse_day(text: &str) -> Result<String, String> {
    let eight_digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if eight_digits { Ok(text.to_owned()) } else { Err("a day is written YYYYMMDD".to_owned()) }
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "archive",
        about: "Moves imported logs to the archive directory",
        reads: &[Kind::Receipt],
        writes: &[Kind::Receipt],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Receipt,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }

    // also from receipts it moves logs in folders of others
    fn uses(&self) -> Option<Uses> {
        Some(Uses::LOGS)
    }
}

#[derive(Deserialize)]
struct Receipt {
    #[serde(flatten, with = "path_text::fields")]
    path: PathBuf,
    refused: Option<IgnoredAny>,
    hash: Option<IgnoredAny>,
}

/// What a receipt says.
struct Said {
    path: PathBuf,
    is_refused: bool,
    /// What was read; older receipts do not say.
    read: Option<Fingerprint>,
}

fn said(line: &[u8]) -> Result<Said> {
    let receipt: Receipt = serde_json::from_slice(line)?;
    ensure!(!receipt.path.as_os_str().is_empty(), "a receipt without a path");
    let read = receipt.hash.map(|_| serde_json::from_slice(line)).transpose()?;
    Ok(Said { path: receipt.path, is_refused: receipt.refused.is_some(), read })
}

pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let port = args.common.compat.has(Opt::LpAtomic);
    let collision = if port { Collision::OldKeepsName } else { Collision::NewKeepsName };
    let rules = Rules { compress: !args.no_gzip, collision };
    let messages = io.messages;
    if args.common.db {
        let config = config::read(None, &config::process_env)?;
        let _lock = if args.dry_run { None } else { hub::lock::for_run(io, &config.paths)? };
        Cron { config: &config, rules, date: args.date.as_deref(), dry_run: args.dry_run, messages }.run()?;
        return Ok(Outcome::default());
    }
    if args.common.from_db() || args.common.to_db() {
        return Err(Usage("archive has no tables; `--db` alone does what the cron line did".to_owned()).into());
    }
    let config = config::read(None, &config::process_env)?;
    let roots = Roots::of_pipe(&args.logs, config.log_roots());
    let mut output = io.output()?;
    let mut input = io.input()?;
    let mut results: HashMap<PathBuf, Option<PathBuf>> = HashMap::new();
    let mut n_failed = 0_u64;
    let mut line = Vec::new();
    input.for_each(&mut io.rejects, |record, rejects| {
        if record.kind != "receipt" {
            return output.record(record.line);
        }
        let Said { path, is_refused, read } = match said(record.line) {
            Ok(said) => said,
            Err(e) => return rejects.reject(record.path, record.number, &format!("{e:#}"), record.line),
        };
        let allowed = roots.check(&path).and_then(|()| below_daily(args, &roots, &path));
        if let Err(why) = allowed {
            bail!("{}:{}: {why}; --logs DIR names the folders that logs lie below", record.path, record.number);
        }
        if is_refused {
            messages.note(format_args!("{} was not imported: it stays", path.display()));
            return output.record(record.line);
        }
        let moved = match results.get(&path) {
            Some(moved) => moved.clone(),
            None => {
                let done = one(args, &path, rules, read.as_ref(), messages);
                let moved = done.unwrap_or_else(|error| {
                    n_failed += 1;
                    messages.error(format_args!("{error:#}"));
                    None
                });
                results.insert(path, moved.clone());
                moved
            }
        };
        let Some(moved) = moved else { return output.record(record.line) };
        let mut fields = vec![("archived", quoted(&moved.to_string_lossy()))];
        fields.extend(path_text::encoded(&moved).map(|text| ("archived_bytes", quoted(&text))));
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        line.clear();
        if json::set_fields(record.line, &fields, &mut line).is_err() {
            return rejects.reject(record.path, record.number, "not a JSON object", record.line);
        }
        output.record(&line)
    })?;
    output.finish()?;
    if n_failed > 0 {
        bail!("{n_failed} of {} logs not archived", results.len());
    }
    Ok(Outcome::default())
}

fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = Vec::new();
    json::push_str(&mut quoted, text);
    quoted
}

/// Where nobody named a folder: no links between the log and the `daily/` it is in, or, with a folder
/// to move to, the folder it is in.
fn below_daily(args: &Args, roots: &Roots, path: &Path) -> Result<(), String> {
    let folder = place::daily_of(path).or_else(|| path.parent().filter(|_| args.imported.is_some()));
    match folder.filter(|_| *roots == Roots::Any) {
        Some(folder) => roots::check_below(folder, path.strip_prefix(folder).unwrap_or(path)),
        None => Ok(()),
    }
}

/// Archives one log; where it lies then, `None` in a dry run.
fn one(
    args: &Args,
    path: &Path,
    rules: Rules,
    read: Option<&Fingerprint>,
    messages: kit::Messages,
) -> Result<Option<PathBuf>> {
    let imported = match &args.imported {
        Some(directory) => directory.clone(),
        None => place::imported_of(path)
            .with_context(|| format!("{} is not below a directory `daily`; say --imported DIR", path.display()))?,
    };
    if args.dry_run {
        messages.note(format_args!(
            "would move {} to {}",
            path.display(),
            place::target(path, &imported, rules)?.display()
        ));
        return Ok(None);
    }
    match place::place(path, &imported, rules, read)? {
        Placed::At(there) => Ok(Some(there)),
        Placed::Already(there) => {
            messages.note(format_args!("{} is archived already", path.display()));
            Ok(Some(there))
        }
    }
}
