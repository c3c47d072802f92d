//! The tables' face: one table, or the three of the nightly jobs. Selecting and writing back is
//! done by `enrich`, shared with the stages that have this as one of their steps.

use anyhow::Result;
use database::writer::{self, Held};
use database::{Db, Which};
use enrich::options::hosts_in_span_only;
use enrich::steps;
use enrich::table::{Span, Table, When, hosts};
use hub::config::{self, Config};
use kit::{Io, Outcome, Output};
use schema::{Kind, Opt, json};

use crate::args::Args;
use crate::lookup;

/// The tables of a run.
pub(crate) struct TableWork {
    pub(crate) which: Which,
    pub(crate) tables: Vec<Table>,
    pub(crate) when: When,
    /// Whether names are written to the tables; otherwise they are output as records.
    pub(crate) writes: bool,
}

/// Runs the stage on tables.
pub(crate) fn run(args: &Args, work: &TableWork, io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let writes = work.writes && !args.dry_run;
    let _held = if writes { writer::for_run(io, &config)? } else { Held::default() };
    let mut db = Db::connect(&config.target(), work.which)?;
    let span = Span::hosts(work.when, kit::today()?, io.common().compat.has(Opt::LpDns));
    if args.dry_run {
        return dry_run(args, work, &config, &mut db, &span, io);
    }
    let mut names = lookup::hosts(args, &config.dns, io)?;
    if !work.writes {
        let mut output = io.output()?;
        for table in &work.tables {
            show(&mut db, table, &span, &mut names, &mut output)?;
        }
        names.save()?;
        output.finish()?;
        return Ok(Outcome::default());
    }
    let only_span = hosts_in_span_only(io.common().compat);
    steps::walk(
        &work.tables,
        io,
        |table| table.name().to_owned(),
        |table| hosts::fill(&mut db, table, &span, &mut names, only_span).map(drop),
    )
}

fn dry_run(args: &Args, work: &TableWork, config: &Config, db: &mut Db, span: &Span, io: &Io) -> Result<Outcome> {
    let database = config.target().database(work.which).to_owned();
    let concurrency = lookup::settings(args, &config.dns)?.map_or(0, |settings| settings.concurrency);
    for table in &work.tables {
        steps::unresolved(db, &database, table, span, (args.servers.name(&config.dns), concurrency), io)?;
    }
    Ok(Outcome::default())
}

/// Writes the addresses of a table without a host, with their names, as records.
fn show(db: &mut Db, table: &Table, span: &Span, names: &mut enrich::hosts::Hosts, output: &mut Output) -> Result<()> {
    let kind = match table.name() {
        "toolstart" => Kind::Toolstart,
        "sessionlog_metrics" => Kind::ToolSession,
        _ => Kind::Web,
    };
    let mut addresses = hosts::missing(db, table, span)?;
    addresses.sort_unstable();
    let slots = addresses.iter().map(|ip| names.slot(ip)).collect::<Result<Vec<_>>>()?;
    let mut line = Vec::new();
    for (ip, slot) in addresses.iter().zip(slots) {
        while names.name(slot).is_none() {
            names.wait()?;
        }
        line.clear();
        line.extend_from_slice(b"{\"kind\":");
        json::push_str(&mut line, kind.name());
        line.extend_from_slice(b",\"ip\":");
        json::push_str(&mut line, ip);
        line.extend_from_slice(b",\"host\":");
        json::push_str(&mut line, names.name(slot).unwrap_or_default());
        line.push(b'}');
        output.record(&line)?;
    }
    Ok(())
}
