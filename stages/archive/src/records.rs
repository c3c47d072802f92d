//! The pipe's face: moves the logs named by receipts, and records in each receipt where its log
//! went.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use hub::config;
use kit::{Io, Messages, Outcome, path_text};
use logs::fingerprint::Fingerprint;
use logs::roots::{self, Roots};
use schema::json;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::args::Args;
use crate::move_log::{self, Moved, Rules};

#[derive(Deserialize)]
struct Receipt {
    #[serde(flatten, with = "path_text::fields")]
    path: PathBuf,
    refused: Option<IgnoredAny>,
    hash: Option<IgnoredAny>,
}

/// The log of a receipt.
struct ImportedLog {
    path: PathBuf,
    is_refused: bool,
    /// What was read; older receipts do not say.
    read: Option<Fingerprint>,
}

fn imported_log(line: &[u8]) -> Result<ImportedLog> {
    let receipt: Receipt = serde_json::from_slice(line)?;
    ensure!(!receipt.path.as_os_str().is_empty(), "a receipt without a path");
    let read = receipt.hash.map(|_| serde_json::from_slice(line)).transpose()?;
    Ok(ImportedLog { path: receipt.path, is_refused: receipt.refused.is_some(), read })
}

/// Runs the stage on receipts.
///
/// # Errors
/// A path is not below a log folder, a log could not be moved, or a stream fails.
pub(crate) fn run(args: &Args, rules: Rules, io: &mut Io) -> Result<Outcome> {
    let messages = io.messages;
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
        let ImportedLog { path, is_refused, read } = match imported_log(record.line) {
            Ok(log) => log,
            Err(e) => return rejects.reject(record.path, record.number, &format!("{e:#}"), record.line),
        };
        let allowed = roots.check(&path).and_then(|()| below_daily(args, &roots, &path));
        if let Err(why) = allowed {
            bail!("{}:{}: {why}; --logs DIR names the folders that logs must be below", record.path, record.number);
        }
        if is_refused {
            messages.note(format_args!("{} was not imported: it stays", path.display()));
            return output.record(record.line);
        }
        let moved = match results.get(&path) {
            Some(moved) => moved.clone(),
            None => {
                let moved = archive(args, &path, rules, read.as_ref(), messages).unwrap_or_else(|error| {
                    n_failed += u64::from(move_log::is_failure(&error, messages));
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
        bail!("{n_failed} of {} not archived", kit::counted(results.len(), "log", "logs"));
    }
    Ok(Outcome::default())
}

fn quoted(text: &str) -> Vec<u8> {
    let mut quoted = Vec::new();
    json::push_str(&mut quoted, text);
    quoted
}

/// If no folder was named: there must be no links between the log and its `daily/`, or, if
/// `--imported` is given, its folder.
fn below_daily(args: &Args, roots: &Roots, path: &Path) -> Result<(), String> {
    let folder = move_log::daily_of(path).or_else(|| path.parent().filter(|_| args.imported.is_some()));
    match folder.filter(|_| *roots == Roots::Any) {
        Some(folder) => roots::check_below(folder, path.strip_prefix(folder).unwrap_or(path)),
        None => Ok(()),
    }
}

/// Archives one log; returns where it is then, `None` in a dry run.
fn archive(
    args: &Args,
    path: &Path,
    rules: Rules,
    read: Option<&Fingerprint>,
    messages: Messages,
) -> Result<Option<PathBuf>> {
    let imported = match &args.imported {
        Some(directory) => directory.clone(),
        None => move_log::imported_of(path)
            .with_context(|| format!("{} is not below a directory `daily`; use --imported DIR", path.display()))?,
    };
    if args.dry_run {
        messages.note(format_args!(
            "would move {} to {}",
            path.display(),
            move_log::target(path, &imported, rules)?.display()
        ));
        return Ok(None);
    }
    match move_log::move_log(path, &imported, rules, read)? {
        Moved::Now(there) => Ok(Some(there)),
        Moved::Earlier(there) => {
            messages.note(format_args!("{} is already archived", path.display()));
            Ok(Some(there))
        }
    }
}
