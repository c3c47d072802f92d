//! `hzmetrics reconstruct-imported-sources`: fills the ledger of imports from the archived logs.

use anyhow::Result;
use database::Db;
use database::address_changes::AddressChanges;
use database::ledger::{self, Reconstruct, Target, Verdict};
use database::pruned::Pruned;
use kit::{Progress, path_text};
use logs::discovery::{self, Stream};
use schema::{Month, Opt};

use super::HubCommand;
use crate::hub::Hub;
use crate::pipeline::pending;
use crate::prune::logs::month_of;

/// How many anomalies are listed.
const SHOWN: usize = 40;

/// Fill the ledger of imports from the archived logs
///
/// Reads the logs in imported/ again, finds their rows, and records the ids and the number of those
/// that still exist. Exit code 1 if something does not match.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Compare with the ledger instead
    #[arg(long)]
    validate: bool,

    /// Write the entries; without this only print them
    #[arg(long)]
    apply: bool,

    /// First month
    #[arg(long, value_name = "YYYY-MM")]
    since: Option<Month>,

    /// Only this table
    #[arg(long, value_name = "TABLE", value_parser = ["web", "userlogin"])]
    target: Option<String>,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let writes = self.apply && !self.validate;
        let only = self.target.as_deref().and_then(Target::from_name);
        let _lock = hub.lock(writes)?;
        let mut db = hub.db_with_ledger()?;
        let pruned = Pruned::read(&mut db)?;
        let mut anomalies = 0;
        for stream in [Stream::Access, Stream::Auth] {
            let target = Target::of(stream);
            if only.is_none_or(|only| only == target) {
                if pruned.of_table(target.name()).is_some() {
                    hub.log.error(format_args!(
                        "[reconstruct/{}] rows of old months were removed by `hzmetrics prune`: which logs they came from \
                         cannot be told any more",
                        target.name()
                    ));
                    anomalies += 1;
                    continue;
                }
                anomalies += one_stream(hub, &mut db, stream, self)?;
            }
        }
        Ok(u8::from(anomalies > 0))
    }
}

/// Processes one stream; returns the number of anomalies.
fn one_stream(hub: &Hub, db: &mut Db, stream: Stream, args: &Args) -> Result<usize> {
    let target = Target::of(stream);
    let name = format!("[reconstruct/{}]", target.name());
    let folder = hub.imported(stream);
    let mut files = pending::dated(discovery::flat(&folder, stream, None)?);
    let since = args.since.map(|month| month.to_string().replace('-', ""));
    files.retain(|file| since.as_deref().is_none_or(|since| file.day.get(..6).is_some_and(|m| m >= since)));
    let changes = AddressChanges::read(db)?;
    let n_files = files.len();
    files.retain(|file| !month_of(&file.day).is_some_and(|month| changes.has(month)));
    let n_left = n_files - files.len();
    if n_left > 0 {
        hub.log.error(format_args!(
            "{name} {} of months whose addresses were shortened or hashed left out: their rows cannot be found by them",
            kit::counted(n_left, "log", "logs")
        ));
    }
    if files.is_empty() {
        hub.log.info(format_args!("{name} no {} logs in {}", stream.name(), folder.display()));
        return Ok(n_left);
    }
    let mut work = Reconstruct::begin(db, target, args.validate, !hub.compat.has(Opt::LpCli))?;
    let how = match args {
        Args { validate: true, .. } => "validate",
        Args { apply: true, .. } => "apply",
        Args { .. } => "dry-run",
    };
    hub.log.info(format_args!(
        "{name} {} {} log(s) in scope; {} already in ledger ({how})",
        files.len(),
        stream.name(),
        work.known()
    ));
    let mut agree = 0;
    let mut new = Vec::new();
    let shown = Progress::things(stream.name(), "logs", files.len() as u64);
    for file in &files {
        shown.advance(1);
        let base = path_text::base_name(&file.path);
        match work.file(db, &file.path, &base)? {
            Verdict::Skipped | Verdict::Wrong => {}
            Verdict::Agrees => agree += 1,
            Verdict::New(rebuilt) => {
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
    if args.validate {
        hub.log.info(format_args!(
            "{name} validate: {agree} agree, {} disagree (of {} tracked files checked)",
            work.considered - agree,
            work.considered
        ));
    } else if args.apply {
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
    Ok(anomalies.len() + n_left)
}
