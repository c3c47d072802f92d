//! `hzmetrics reconstruct-imported-sources`: fills the ledger of imports from the archived logs.

use anyhow::Result;
use clap::ArgMatches;
use database::Db;
use database::ledger::{self, Reconstruct, Seen, Target};
use kit::path_text;
use logs::discovery::{self, Stream};
use schema::Opt;

use super::need_ledger;
use crate::hub::Hub;
use crate::pending;

/// How many anomalies are listed.
const SHOWN: usize = 40;

/// What was asked for.
struct Asked {
    validate: bool,
    apply: bool,
    /// `YYYYMM`.
    since: Option<String>,
}

pub(crate) fn reconstruct(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let validate = matches.get_flag("validate");
    let asked = Asked {
        validate,
        apply: matches.get_flag("apply") && !validate,
        since: matches.get_one::<String>("since").map(|month| month.replace('-', "")),
    };
    let only = matches.get_one::<String>("target").and_then(|name| Target::from_name(name));
    let _lock = hub.lock(asked.apply)?;
    let mut db = hub.db()?;
    need_ledger(&mut db)?;
    let mut anomalies = 0;
    for stream in [Stream::Access, Stream::Auth] {
        if only.is_none_or(|target| target == Target::of(stream)) {
            anomalies += one_stream(hub, &mut db, stream, &asked)?;
        }
    }
    Ok(u8::from(anomalies > 0))
}

/// One stream; how many anomalies there were.
fn one_stream(hub: &Hub, db: &mut Db, stream: Stream, asked: &Asked) -> Result<usize> {
    let target = Target::of(stream);
    let name = format!("[reconstruct/{}]", target.name());
    let folder = match stream {
        Stream::Access => hub.imported_web(),
        Stream::Auth => hub.imported_cms(),
    };
    let mut files = pending::dated(discovery::flat(&folder, stream, None)?);
    files.retain(|file| asked.since.as_deref().is_none_or(|since| file.day.get(..6).is_some_and(|m| m >= since)));
    if files.is_empty() {
        hub.log.info(format_args!("{name} no {} logs in {}", stream.name(), folder.display()));
        return Ok(0);
    }
    let mut work = Reconstruct::begin(db, target, asked.validate, !hub.compat.has(Opt::LpCli))?;
    let how = match asked {
        Asked { validate: true, .. } => "validate",
        Asked { apply: true, .. } => "apply",
        Asked { .. } => "dry-run",
    };
    hub.log.info(format_args!(
        "{name} {} {} log(s) in scope; {} already in ledger ({how})",
        files.len(),
        stream.name(),
        work.known()
    ));
    let mut agree = 0;
    let mut new = Vec::new();
    for file in &files {
        let base = path_text::base_name(&file.path);
        match work.file(db, &file.path, &base)? {
            Seen::Skipped | Seen::Wrong => {}
            Seen::Agrees => agree += 1,
            Seen::New(rebuilt) => {
                if let Some(derived) = rebuilt.derived {
                    let gaps = match derived.gaps() {
                        0 => String::new(),
                        gaps => format!("  ({gaps} id-gaps)"),
                    };
                    hub.log.info(format_args!(
                        "  {base}: pk_start={} pk_end={} row_count={}{gaps}",
                        derived.range.start, derived.range.end, derived.rows
                    ));
                }
                new.push(rebuilt);
            }
        }
    }
    if asked.validate {
        hub.log.info(format_args!(
            "{name} validate: {agree} agree, {} disagree (of {} tracked files checked)",
            work.considered - agree,
            work.considered
        ));
    } else if asked.apply {
        db.transaction_with_retry("adding to the ledger of imports", &[ledger::TABLE], |db| {
            ledger::add_reconstructed(db, target, &new)
        })?;
        hub.log.info(format_args!("{name} inserted {} ledger row(s)", new.len()));
    } else {
        hub.log
            .info(format_args!("{name} dry-run: {} untracked file(s) would be added, --apply writes them", new.len()));
    }
    let anomalies = &work.anomalies;
    if !anomalies.is_empty() {
        hub.log.warning(format_args!("{name} {} anomalies:", anomalies.len()));
        for anomaly in anomalies.iter().take(SHOWN) {
            hub.log.warning(format_args!("    {anomaly}"));
        }
        if anomalies.len() > SHOWN {
            hub.log.warning(format_args!("    (... and {} more)", anomalies.len() - SHOWN));
        }
    }
    Ok(anomalies.len())
}
