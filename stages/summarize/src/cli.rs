//! The command line, and the way of a run: settle the arguments, scan the records, write the cells.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use hub::config;
use kit::{Batch, Common, Describe, Io, Outcome, StageArgs, Usage};
use rayon::prelude::*;
use schema::{Compat, Kind, Month, Opt, Period};

use crate::axis::{Axis, MAX_MONTHS};
use crate::cells::{Section, cells};
use crate::record::digest;
use crate::reference::Files;
use crate::scan::{Fact, Ground, Scan};
use crate::{db, reference, tools};

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
/// With --db it does the monthly job on the databases, the steps of --only in their order: copies
/// the hub's data (import-hub-data), makes userlogin_lite anew and publishes the cells of the
/// summary tables (summary; without a month those of the previous one), and counts the visitors of
/// each resource (andmore; without a month those of the current one). Readers see a month whole or
/// not at all. --from db shows the cells and writes nothing.
///
/// Memory: up to 64 bytes for each distinct visitor (address and host name) and 16 bytes for each
/// session, about 48 bytes for each tool session and 16 for each job of the middleware, and a
/// base of at most 100 MB; requests are not kept, only sessions with downloads. Of requests that
/// may be downloads by their file extension each distinct path is kept until the end, unless
/// hub_resource records came before.
#[derive(Debug, Parser)]
#[command(name = "summarize", version)]
pub(crate) struct Args {
    /// Month to summarize, `YYYY-MM`; the previous one by default (a terminal and a dry run are
    /// told which)
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

    /// Steps to make and groups of cells to write; all that is possible by default. A group alone
    /// stands for the step summary with nothing but it
    #[arg(long, alias = "sections", value_name = "PARTS", value_delimiter = ',')]
    pub only: Vec<Part>,

    /// With --db: compute, and print what would be written instead of writing it
    #[arg(long)]
    pub dry_run: bool,

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

    /// Keep to about this much memory, for example 300M or 2G: what does not fit goes to temporary
    /// files in TMPDIR [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub memory: Option<usize>,

    #[command(flatten)]
    common: Common,
}

/// What a run needs whatever the data: code, buffers, lists.
const BASE: usize = 40 << 20;

fn parse_size(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let size = digits.parse().ok().and_then(|n: usize| n.checked_mul(unit));
    size.ok_or_else(|| "not a size like 300M or 2G".to_owned())
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
        writes: &[Kind::Cell, Kind::ResourceStat],
        reads_tables: &[
            "web",
            "websessions",
            "userlogin",
            "toolstart",
            "webhits",
            "jos_xprofiles_metrics",
            "country_continent",
            "domainclass",
            "sessionlog",
            "joblog",
            "jos_xprofiles",
            "jos_resources",
            "jos_resource_assoc",
            "jos_resource_stats",
            "jos_tool_version",
        ],
        writes_tables: &[
            "sessionlog_metrics",
            "jos_xprofiles_metrics",
            "userlogin_lite",
            "summary_user_vals",
            "summary_simusage_vals",
            "summary_misc_vals",
            "jos_resource_stats",
        ],
        main_kind: Kind::Cell,
        steps: &[db::IMPORT, db::SUMMARY, db::ANDMORE],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

/// What can be asked for with `--only`: steps, and groups of cells of the step `summary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Copy tool sessions and profiles of the hub to the metrics database (with --db)
    ImportHubData,
    /// All cells of the summary tables
    Summary,
    /// Usage of each resource (from the databases)
    Andmore,
    /// Registered users (row 6)
    Reg,
    /// Interactive users (rows 7 and 3)
    Int,
    /// Download users (rows 8 and 4)
    Dl,
    /// All users (row 1)
    Total,
    /// Simulation users (row 2)
    Sim,
    /// Simulation usage (`summary_simusage_vals`)
    SimUsage,
    /// Domains, visits, accounts, hits (`summary_misc_vals`)
    Misc,
}

impl Part {
    const fn section(self) -> Option<Section> {
        Some(match self {
            Self::ImportHubData | Self::Summary | Self::Andmore => return None,
            Self::Reg => Section::Reg,
            Self::Int => Section::Int,
            Self::Dl => Section::Dl,
            Self::Total => Section::Total,
            Self::Sim => Section::Sim,
            Self::SimUsage => Section::SimUsage,
            Self::Misc => Section::Misc,
        })
    }
}

/// First and last month of a range.
type Range = (Month, Month);

/// What the arguments come to.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Copy the hub's data first.
    pub import: bool,
    /// Months and sections of the cells, if any.
    pub summary: Option<(Range, Vec<Section>)>,
    /// Months of the usage of resources, if asked for.
    pub andmore: Option<Range>,
    /// Windows of the cells, in the order of writing.
    pub periods: Vec<Period>,
    /// What was chosen because no month was given.
    pub usual: Option<String>,
}

impl Plan {
    fn new(args: &Args) -> Result<Self> {
        let given = match (args.which.or(args.month), args.since, args.through) {
            (Some(month), ..) => Some((month, month)),
            (None, Some(since), Some(through)) => Some((since, through)),
            _ => None,
        };
        if let Some((first, last)) = given {
            let n_months = first.through(last).count();
            if n_months == 0 {
                return Err(Usage(format!("--since {first} is later than --through {last}")).into());
            }
            if n_months > MAX_MONTHS {
                return Err(Usage(format!("{n_months} months in one run, at most {MAX_MONTHS} are possible")).into());
            }
        }
        let mut periods = Vec::new();
        for &period in &args.periods {
            if !periods.contains(&period) {
                periods.push(period);
            }
        }
        let (from_db, to_db) = (args.common.from_db(), args.common.to_db());
        let named = |part| args.only.contains(&part);
        let everything = args.only.is_empty();
        if named(Part::ImportHubData) && !(from_db && to_db) {
            return Err(Usage("the step import-hub-data works on tables only: add --db".to_owned()).into());
        }
        if named(Part::Andmore) && !from_db {
            return Err(Usage("the step andmore reads tables only: add --db or --from db".to_owned()).into());
        }
        let mut sections: Vec<_> = args.only.iter().filter_map(|part| part.section()).collect();
        if sections.is_empty() && (everything || named(Part::Summary)) {
            sections = Section::ALL.to_vec();
        }
        // months that were filled in afterwards get their own window only: usage would be too low
        let usual = everything && from_db && to_db && periods != [Period::Month];
        let current = || kit::current_month();
        let or = |usual: Result<Month>| given.map_or_else(|| usual.map(|month| (month, month)), Ok);
        let summary = if sections.is_empty() { None } else { Some((or(current().map(Month::previous))?, sections)) };
        let andmore = if usual || named(Part::Andmore) { Some(or(current())?) } else { None };
        let cells = summary.as_ref().map(|((month, _), _)| format!("the cells are those of {month}"));
        let usage = andmore.map(|(month, _)| format!("the usage of resources is that of {month}"));
        let chosen: Vec<_> = cells.into_iter().chain(usage).collect();
        Ok(Self {
            import: from_db && to_db && (everything || named(Part::ImportHubData)),
            summary,
            andmore,
            periods,
            usual: (given.is_none() && !chosen.is_empty()).then(|| chosen.join(", ")),
        })
    }
}

impl Plan {
    /// The last month of all that is written.
    fn last(&self) -> Option<Month> {
        let cells = self.summary.as_ref().map(|((_, last), _)| *last);
        cells.into_iter().chain(self.andmore.map(|(_, last)| last)).max()
    }
}

impl Args {
    pub(crate) const fn compat(&self) -> Compat {
        self.common.compat
    }

    /// Bytes that each of `n` collections may hold; lists double when they grow, hence the half.
    pub(crate) fn room(&self, n: usize) -> usize {
        self.memory.map_or(usize::MAX, |limit| (limit.saturating_sub(BASE) / 2 / n.max(1)).max(1 << 20))
    }

    /// The files that replace lists.
    pub(crate) fn lists(&self) -> Files<'_> {
        [self.country_continent.as_deref(), self.domainclass.as_deref()]
    }

    /// The Rappture tools named by options.
    ///
    /// # Errors
    /// The directory of `--apps-root` cannot be read.
    pub(crate) fn apps(&self, as_port: bool) -> Result<Vec<String>> {
        let mut apps = self.apps.clone();
        if let Some(root) = &self.apps_root {
            apps.extend(tools::installed(root, as_port)?);
        }
        Ok(apps)
    }
}

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, an input cannot be read or the output cannot be written.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    let plan = Plan::new(args)?;
    // a cron line knows its month and says nothing; somebody who watches should know it too
    if let Some(usual) = plan.usual.as_ref().filter(|_| args.dry_run || std::io::stderr().is_terminal()) {
        io.messages.note(format_args!("no month was given: {usual}"));
    }
    let (from_db, to_db) = (args.common.from_db(), args.common.to_db());
    if to_db && let Some(last) = plan.last() {
        kit::refuse_month_to_come(last)?;
    }
    if from_db && to_db {
        return db::run(args, &plan, io);
    }
    if from_db {
        return db::records(args, &plan, io);
    }
    let Some(((first, last), sections)) = &plan.summary else { return Ok(Outcome::default()) };
    let compat = args.compat();
    let scan = Scan::new(Ground {
        axis: Axis::new(*first, *last),
        places: reference::places(args.lists(), None)?,
        apps: args.apps(compat.has(Opt::LpSummary))?,
        compat,
    });
    // what is wrong with it is to be known before hours of reading
    let config = if to_db && !args.dry_run { Some(config::load(None, &config::process_env)?) } else { None };
    let figures = read(scan, args.room(1), io)?.finish()?;
    if let Some(config) = config {
        return db::store(&config, io, &figures, &plan);
    }
    let mut lines = Vec::new();
    cells(&figures, &plan.periods, sections, |cell| {
        cell.line(&mut lines);
        lines.push(b'\n');
    });
    let mut output = io.output()?;
    output.block(&lines)?;
    output.finish()?;
    Ok(Outcome::default())
}

/// Fills the scan with the records of the input.
fn read(mut scan: Scan, room: usize, io: &mut Io) -> Result<Scan> {
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
        scan.relieve(room)?;
        more = read?;
    }
    Ok(scan)
}

/// Scans the lines of a batch: digested in parallel, absorbed in order. Returns the lines that
/// cannot be used and why.
fn take_in(scan: &mut Scan, batch: &Batch) -> Vec<(usize, String)> {
    const LINES: usize = 512;
    let lens = &**scan.lens();
    let parts: Vec<Vec<(usize, Result<Fact, String>)>> = (0..batch.len().div_ceil(LINES))
        .into_par_iter()
        .map(|part| {
            let lines = part * LINES..((part + 1) * LINES).min(batch.len());
            lines.filter_map(|i| digest(lens, batch.line(i)).transpose().map(|outcome| (i, outcome))).collect()
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
