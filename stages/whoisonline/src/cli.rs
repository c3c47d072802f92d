//! The command line, and the three ways to run: the cron form, the table as it is, a stream.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use database::{Db, Which};
use hub::config;
use hub::lock::Lock;
use kit::Uses;
use kit::{Common, Describe, Endpoint, Format, Input, Io, Outcome, Output, StageArgs, Usage, atomic_file};
use schema::{Compat, Kind, Opt};

use crate::domain::Rule;
use crate::map;
use crate::refresh::{Refresh, TABLE};
use crate::session::{self, Session};

/// Notes where live sessions come from and writes the map of who is online.
///
/// With --db, the cron form: takes the live sessions of the CMS into the hub's table session_geo,
/// looks up host names and places of new addresses, and writes whoisonline.xml among the maps of
/// the hub. The file appears whole; readers see the old one or the new one. A second run at the
/// same time ends at once with code 75.
///
/// With --from db --to FILE (or -) it writes the map of the table as it is and changes nothing.
/// Otherwise it reads `online` records, the columns of session_geo, and writes their map.
///
/// Held in memory are the live sessions.
#[derive(Debug, Parser)]
#[command(name = "whoisonline", version, about, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// With --db: say what would be written, and stop
    #[arg(long)]
    dry_run: bool,
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "whoisonline",
        about: "Notes where live sessions come from and writes the map of who is online",
        reads: &[Kind::Online],
        writes: &[],
        reads_tables: &["jos_session", "jos_session_geo", "jos_metrics_ipgeo_cache", "exclude_list"],
        writes_tables: &["jos_session_geo", "jos_metrics_ipgeo_cache"],
        main_kind: Kind::Online,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }

    fn uses(&self) -> Option<Uses> {
        self.common.to_db().then_some(Uses { map: true, ..Uses::default() })
    }
}

pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let common = &args.common;
    if common.format != Format::Ndjson {
        return Err(Usage("the map is XML; --format does not apply".to_owned()).into());
    }
    match (common.from_db(), common.to_db()) {
        (true, true) => cron(args, io)?,
        (false, true) => {
            return Err(
                Usage("records are not written to the table; --db takes the sessions of the CMS".to_owned()).into()
            );
        }
        (_, false) if args.dry_run => return Err(Usage("--dry-run goes with --db".to_owned()).into()),
        (true, false) => {
            let config = config::load(None, &config::process_env)?;
            let sessions = session::on_the_map(&mut Db::connect(&config.target(), Which::Hub)?)?;
            print(&sessions, common.compat, io)?;
        }
        (false, false) => {
            let sessions = from_records(io, common.compat)?;
            print(&sessions, common.compat, io)?;
        }
    }
    Ok(Outcome::default())
}

/// What the cron line does.
fn cron(args: &Args, io: &Io) -> Result<()> {
    let config = config::load(None, &config::process_env)?;
    let compat = args.common.compat;
    let path = config.map_folder(compat)?.join("whoisonline.xml");
    let target = config.target();
    if args.dry_run {
        let table = format!("{}.{}{TABLE}", target.hub_db, target.prefix);
        io.messages.note(format_args!("dry run: would update {table} and write {}", path.display()));
        return Ok(());
    }
    let _lock = Lock::for_stage(&config.paths.whoisonline_lock(), Duration::ZERO, io.messages)?;
    let mut hub = Db::connect(&target, Which::Hub)?;
    let mut refresh = Refresh { hub: &mut hub, config: &config, compat, messages: io.messages };
    refresh.run()?;
    let sessions = session::on_the_map(refresh.hub)?;
    let write = |out: &mut dyn std::io::Write| map::write(&sessions, compat.into(), out).context("writing the map");
    atomic_file(&path, write)?;
    refresh.clear_idle()
}

fn from_records(io: &mut Io, compat: Compat) -> Result<Vec<Session>> {
    let rule = if compat.has(Opt::LpWhoisonline) { Rule::Port } else { Rule::Legacy };
    let mut sessions = Vec::new();
    let mut n_others = 0_u64;
    let mut input: Input = io.input()?;
    input.for_each(&mut io.rejects, |record, rejects| {
        if record.kind != Kind::Online.name() {
            n_others += 1;
            return Ok(());
        }
        match Session::from_record(record.line, rule) {
            Ok(session) => sessions.push(session),
            Err(error) => rejects.reject(record.path, record.number, &error.to_string(), record.line)?,
        }
        Ok(())
    })?;
    if n_others > 0 {
        io.messages.note(format_args!("{n_others} records of other kinds are not on the map"));
    }
    Ok(sessions)
}

fn print(sessions: &[Session], compat: Compat, io: &Io) -> Result<()> {
    let to = Endpoint::from_arg(&io.common().to);
    let mut out = Output::new(&to, Format::Ndjson, Kind::Online.name(), io.messages)?;
    map::write(sessions, compat.into(), out.raw()).context("writing the map")?;
    out.finish()
}
