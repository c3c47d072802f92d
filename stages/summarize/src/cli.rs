//! The command line, and the way of a run: settle the arguments, scan the records, write the cells.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use kit::{Batch, Common, Describe, Io, Outcome, StageArgs, Usage};
use rayon::prelude::*;
use schema::{Kind, Month, Opt, Period};

use crate::axis::{Axis, MAX_MONTHS};
use crate::cells::{Section, cells};
use crate::record::digest;
use crate::scan::{Fact, Ground, Scan};
use crate::{reference, tools};

/// Computes the cells of the summary tables for the six windows of a month
///
/// Reads the records of all the history that the windows reach back over, in any order, from one
/// stream or several files, once, whatever the number of months. Used are the kinds login, web,
/// session, toolstart, hits, hub_session, hub_job, hub_profile, hub_resource and
/// hub_tool_version; others are ignored, nothing is passed on: what comes out is cells alone, in
/// the order in which the original script writes them, month after month.
///
/// All windows of a month end with it; they begin with the year (0), the month (1), the quarter
/// (3), eleven months earlier (12), the fiscal year in October (13), or 1995 (14). The instant of
/// the beginning itself does not belong to a window, except for web server hits.
///
/// Memory: up to 64 bytes for each distinct visitor (address and host name) and 16 bytes for each
/// session, about 48 bytes for each tool session and 16 for each job of the middleware, and a
/// base of at most 100 MB; requests are not kept, only sessions with downloads. Of requests that
/// may be downloads by their file extension each distinct path is kept until the end, unless
/// hub_resource records came before.
#[derive(Debug, Parser)]
#[command(name = "summarize", version)]
pub(crate) struct Args {
    /// Month to summarize, `YYYY-MM`; the previous one by default
    #[arg(value_name = "MONTH", conflicts_with_all = ["month", "since"])]
    pub which: Option<Month>,

    /// The same as an option
    #[arg(long, value_name = "YYYY-MM", conflicts_with = "since")]
    pub month: Option<Month>,

    /// First month of a range, computed in the same single scan
    #[arg(long, value_name = "YYYY-MM", requires = "through")]
    pub since: Option<Month>,

    /// Last month of the range
    #[arg(long, value_name = "YYYY-MM", requires = "since")]
    pub through: Option<Month>,

    /// Windows to write, in this order: 0 year, 1 month, 3 quarter, 12 twelve months, 13 fiscal
    /// year, 14 all time
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_period, default_value = "12,1,0,3,13,14")]
    pub periods: Vec<Period>,

    /// Groups of cells to write; all by default
    #[arg(long, value_name = "SECTIONS", value_delimiter = ',')]
    pub only: Vec<Section>,

    /// Classes of domains, a CSV file with the columns `domain` and `class`, instead of the
    /// built-in list
    #[arg(long, value_name = "FILE.csv")]
    pub domainclass: Option<PathBuf>,

    /// Continents of countries, a CSV file with the columns `country` and `continent`, instead of
    /// the built-in list
    #[arg(long, value_name = "FILE.csv")]
    pub country_continent: Option<PathBuf>,

    /// Rappture tools besides `workspace`: computing time of their sessions is taken from their
    /// jobs; names are expanded by hub_tool_version records
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub apps: Vec<String>,

    /// Look for Rappture tools below DIR too (on a hub `/apps`): every directory in it with a
    /// file `tool.xml`
    #[arg(long, value_name = "DIR")]
    pub apps_root: Option<PathBuf>,

    #[command(flatten)]
    common: Common,
}

fn parse_period(text: &str) -> Result<Period, String> {
    let code = text.trim().parse().ok();
    code.and_then(Period::from_code).ok_or_else(|| "not one of 0, 1, 3, 12, 13, 14".to_owned())
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "summarize",
        about: "Computes the cells of the summary tables for the six windows of a month",
        reads: &[
            Kind::Web,
            Kind::Session,
            Kind::Login,
            Kind::Hits,
            Kind::Toolstart,
            Kind::HubSession,
            Kind::HubJob,
            Kind::HubProfile,
            Kind::HubResource,
            Kind::HubToolVersion,
        ],
        writes: &[Kind::Cell],
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Cell,
        steps: &["reg", "int", "dl", "total", "sim", "sim-usage", "misc"],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

/// What the arguments come to.
struct Config {
    ground: Ground,
    periods: Vec<Period>,
    sections: Vec<Section>,
}

impl Config {
    fn new(args: &Args) -> Result<Self> {
        let (first, last) = match (args.which.or(args.month), args.since, args.through) {
            (Some(month), ..) => (month, month),
            (None, Some(since), Some(through)) => (since, through),
            _ => {
                let month = kit::current_month()?.previous();
                (month, month)
            }
        };
        let n_months = first.through(last).count();
        if n_months == 0 {
            return Err(Usage(format!("--since {first} is later than --through {last}")).into());
        }
        if n_months > MAX_MONTHS {
            return Err(Usage(format!("{n_months} months in one run, at most {MAX_MONTHS} are possible")).into());
        }
        let compat = args.common.compat;
        let mut apps = args.apps.clone();
        if let Some(root) = &args.apps_root {
            apps.extend(tools::installed(root, compat.has(Opt::LpSummary))?);
        }
        let mut periods = Vec::new();
        for &period in &args.periods {
            if !periods.contains(&period) {
                periods.push(period);
            }
        }
        let sections = if args.only.is_empty() { Section::ALL.to_vec() } else { args.only.clone() };
        let places = reference::places(args.country_continent.as_deref(), args.domainclass.as_deref())?;
        let axis = Axis::new(first, last);
        Ok(Self { ground: Ground { axis, places, apps, compat }, periods, sections })
    }
}

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, an input cannot be read or the output cannot be written.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    if args.common.from_db() || args.common.to_db() {
        return Err(Usage("this release reads and writes record streams only, not `db`".to_owned()).into());
    }
    let config = Config::new(args)?;
    let mut scan = Scan::new(config.ground);
    let mut input = io.input()?;
    let (mut batch, mut next) = (Batch::default(), Batch::default());
    let mut more = input.read_batch(&mut next, &mut io.rejects)?;
    while more {
        std::mem::swap(&mut batch, &mut next);
        let read = || input.read_batch(&mut next, &mut io.rejects);
        let (read, bad) = rayon::join(read, || take_in(&mut scan, &batch));
        for (i, reason) in bad {
            let (path, number) = batch.place(i);
            io.rejects.reject(path, number, &reason, batch.line(i))?;
        }
        more = read?;
    }
    drop(input);
    let figures = scan.finish();
    let mut output = io.output()?;
    let mut lines = Vec::new();
    cells(&figures, &config.periods, &config.sections, |cell| {
        cell.line(&mut lines);
        lines.push(b'\n');
    });
    output.block(&lines)?;
    output.finish()?;
    Ok(Outcome::default())
}

/// Scans the lines of a batch: digested in parallel, absorbed in order. Returns the lines that
/// cannot be used and why.
fn take_in(scan: &mut Scan, batch: &Batch) -> Vec<(usize, String)> {
    const LINES: usize = 512;
    let shared = &*scan;
    let parts: Vec<Vec<(usize, Result<Fact, String>)>> = (0..batch.len().div_ceil(LINES))
        .into_par_iter()
        .map(|part| {
            let lines = part * LINES..((part + 1) * LINES).min(batch.len());
            lines.filter_map(|i| digest(shared, batch.line(i)).transpose().map(|outcome| (i, outcome))).collect()
        })
        .collect();
    let mut bad = Vec::new();
    for (i, outcome) in parts.into_iter().flatten() {
        match outcome {
            Ok(fact) => scan.absorb(fact),
            Err(reason) => bad.push((i, reason)),
        }
    }
    bad
}
