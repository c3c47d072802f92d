//! Fills one column of one table and prints how long it took: for measurements and for comparison
//! with other implementations. Not installed.
//!
//! `fill STEP TABLE [DATE]` with the configuration of the stages; STEP is hosts, domains, countries
//! or user-info.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser;
use database::{Db, Which};
use enrich::options::{self, DnsOptions, GeoOptions};
use enrich::table::{Span, Table, When, countries, domains, hosts, user_info};
use hub::config;
use schema::{Compat, Dates, Opt};

#[derive(Parser)]
struct Args {
    step: String,
    table: String,
    date: Option<Dates>,
    #[arg(long, default_value = "legacy")]
    compat: String,
    #[arg(long)]
    geoip: Option<std::path::PathBuf>,
    #[command(flatten)]
    dns: DnsOptions,
    #[command(flatten)]
    geo: GeoOptions,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let config = config::load(None, &config::process_env)?;
    let compat = Compat::parse(&args.compat)?;
    let mut db = Db::connect(&config.target(), Which::Metrics)?;
    let mut hub = Db::connect(&config.target(), Which::Hub)?;
    let when = args.date.map_or(When::Usual, When::from);
    let (today, port) = (kit::today()?, compat.has(Opt::LpDomain));
    let table = Table::new(&args.table)?;
    let begin = Instant::now();
    let filled = match args.step.as_str() {
        "hosts" => {
            let span = Span::hosts(when, today, compat.has(Opt::LpDns));
            let mut names = args.dns.hosts(&config, compat)?;
            hosts::fill(&mut db, &table, &span, &mut names, options::hosts_in_span_only(compat))?
        }
        "domains" => {
            let span = Span::domains(when, today, port);
            domains::fill(&mut db, &table, &span, options::domain_rule(compat))?
        }
        "countries" => {
            let span = Span::closed_weeks(when, today, port)?;
            let mut geo = args.geo.geo(args.geoip.as_deref(), &config, compat)?;
            countries::fill(&mut db, &mut hub, &table, &span, &mut geo)?
        }
        "user-info" => {
            let span = Span::weeks(when, today, port);
            user_info::fill(&mut db, &mut hub, &table, &span, options::user_rule(compat))?
        }
        other => bail!("no step `{other}`"),
    };
    eprintln!("{} {}: {filled:?} in {:.2} s", args.step, args.table, begin.elapsed().as_secs_f64());
    Ok(())
}
