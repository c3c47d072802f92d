//! The tables' face: the steps of the nightly job, in order.
//!
//! If a step fails, the others still run, as in the original; the run then ends with an error that
//! names it.

mod publish;
mod read;

use anyhow::Result;
use database::writer::{self, Held};
use database::{Db, Which, hub_data, withheld};
use enrich::steps::{self, Filler};
use enrich::table::{Table, When};
use hub::config::{self, Config};
use kit::{Io, Outcome};
use schema::asked::Figure;
use schema::{Compat, Month, Opt};

use crate::args::{Args, Question, Step};
use crate::rows::Rows;
use crate::stats::{self, ToolStat};
use crate::{lists, records, tops};

/// The table whose columns are filled.
const SESSIONS: &str = "sessionlog_metrics";

/// One run on the databases.
struct Run<'a> {
    args: &'a Args,
    config: Config,
    compat: Compat,
    metrics: Db,
    hub: Db,
    fill: Filler,
    month: Month,
}

/// Reads and writes tables (`--db`).
pub(crate) fn run(args: &Args, steps: &[Step], io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let _held = if args.dry_run { Held::default() } else { writer::for_run(io, &config)? };
    let mut run = Run::new(args, config, io)?;
    let mut steps = steps.to_vec();
    if args.month().is_none() && withheld::is_left_alone(&mut run.metrics, run.month, args.dry_run, io)? {
        steps.retain(|step| !step.is_on_records());
    }
    let done = steps::walk(&steps, io, |step| step.name().to_owned(), |&step| run.step(step, io));
    run.fill.finish(io);
    done
}

/// Reads tables, writes records (`--from db`).
pub(crate) fn records(args: &Args, steps: &[Step], io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let mut run = Run::new(args, config, io)?;
    let mut tables = Rows::default();
    run.hub.require(&["sessionlog", "joblog"])?;
    run.require_prefixed(&["resources", "tool_version"])?;
    read::resources(&mut run.hub, &mut tables, &[])?;
    read::sessions_and_jobs(&mut run.hub, &mut tables, run.month)?;
    run.read_people(&mut tables)?;
    tables.sort();
    records::write(io, run.month, steps, &tables, run.compat.has(Opt::LpSummary))?;
    Ok(Outcome::default())
}

/// Lists the rows that a number is made of (`--from db --why`).
pub(crate) fn why(args: &Args, question: &Question, io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let mut run = Run::new(args, config, io)?;
    run.month = question.month;
    let (tables, rows) = match question.figure {
        Figure::Tool { .. } | Figure::Resource { .. } => {
            let tables = run.sessions()?;
            let rows = stats::compute(&tables, question.month, question.raw);
            (tables, rows)
        }
        Figure::Top { .. } => run.lists(true)?,
        Figure::List { .. } => run.lists(false)?,
    };
    records::why(io, &tables, &rows, question)?;
    Ok(Outcome::default())
}

impl<'a> Run<'a> {
    fn new(args: &'a Args, config: Config, io: &Io) -> Result<Self> {
        let target = config.target();
        let given = args.month();
        let compat = io.common().compat;
        let when = given.map_or(When::Usual, When::month);
        let fill = Filler::new(&config, compat, when, args.dry_run, &args.dns, &args.geo, args.geoip.clone());
        Ok(Self {
            args,
            compat,
            metrics: Db::connect(&target, Which::Metrics)?,
            hub: Db::connect(&target, Which::Hub)?,
            fill,
            month: given.map_or_else(kit::current_month, Ok)?,
            config,
        })
    }

    fn step(&mut self, step: Step, io: &Io) -> Result<()> {
        let dry = self.args.dry_run;
        let say = |text: std::fmt::Arguments<'_>| io.messages.note(format_args!("[dry-run] {text}"));
        let table = Table::new(SESSIONS)?;
        match step {
            Step::ImportHubData => hub_data::step(&self.config, self.compat, dry, io)?,
            Step::Hosts => self.fill.hosts(&mut self.metrics, &table, io)?,
            Step::Domains => self.fill.domains(&mut self.metrics, &table, io)?,
            Step::UserInfo => self.fill.user_info(&mut self.metrics, &mut self.hub, &table, io)?,
            Step::Countries => self.fill.countries(&mut self.metrics, || Ok(&mut self.hub), &table, io)?,
            Step::ToolStats => {
                let rows = self.tool_stats(dry)?;
                if dry {
                    let rows = kit::counted(rows, "row", "rows");
                    say(format_args!("{}: {rows} of tool statistics to write", self.month));
                }
            }
            Step::ToolTops => {
                let rows = self.tool_tops(dry)?;
                if dry {
                    say(format_args!("{}: {rows} top values to write", self.month));
                }
            }
            Step::ToolToplists => {
                let rows = self.tool_toplists(dry)?;
                if dry {
                    say(format_args!("{}: {rows} places in lists over all tools to write", self.month));
                }
            }
        }
        Ok(())
    }

    fn tool_stats(&mut self, dry: bool) -> Result<usize> {
        self.require_prefixed(&["resource_stats_tools", "resource_stats"])?;
        let tables = self.sessions()?;
        let rows = stats::compute(&tables, self.month, self.compat.has(Opt::LpSummary));
        if !dry {
            publish::stats(&mut self.hub, self.month, &rows)?;
        }
        Ok(rows.len())
    }

    /// The sessions of tools and their jobs.
    fn sessions(&mut self) -> Result<Rows> {
        self.hub.require(&["sessionlog", "joblog"])?;
        self.require_prefixed(&["resources", "tool_version"])?;
        let mut tables = Rows::default();
        read::resources(&mut self.hub, &mut tables, &[])?;
        read::sessions_and_jobs(&mut self.hub, &mut tables, self.month)?;
        tables.sort();
        Ok(tables)
    }

    /// The statistics rows for the lists, with everything that the lists need.
    fn lists(&mut self, only_tools: bool) -> Result<(Rows, Vec<ToolStat>)> {
        self.require_prefixed(&["resources", "tool_version", "resource_stats_tools"])?;
        let rows = read::stats(&mut self.hub, self.month, only_tools)?;
        let mut tables = Rows::default();
        let ids: Vec<i64> = rows.iter().map(|row| row.resid).collect();
        read::resources(&mut self.hub, &mut tables, &ids)?;
        self.read_people(&mut tables)?;
        Ok((tables, rows))
    }

    fn read_people(&mut self, tables: &mut Rows) -> Result<()> {
        let profiles = format!("{}xprofiles_metrics", self.config.db_prefix);
        self.metrics.require(&[SESSIONS, "countries", &profiles])?;
        read::people(&mut self.metrics, &profiles, tables, self.month)
    }

    fn tool_tops(&mut self, dry: bool) -> Result<usize> {
        self.require_prefixed(&["resource_stats_tools_topvals"])?;
        let (tables, rows) = self.lists(true)?;
        let places = tops::compute(&tables, &rows, self.month);
        if !dry {
            let ids = rows.iter().filter(|row| tables.resources.iter().any(|r| r.id == row.resid && r.standalone));
            publish::tops(&mut self.hub, ids.map(|row| row.id), &places)?;
        }
        Ok(places.len())
    }

    fn tool_toplists(&mut self, dry: bool) -> Result<usize> {
        self.require_prefixed(&["stats_topvals"])?;
        let (tables, rows) = self.lists(false)?;
        let entries = lists::compute(&tables, &rows, self.month, self.compat.has(Opt::LpSummary));
        if !dry {
            publish::toplists(&mut self.hub, self.month, &entries)?;
        }
        Ok(entries.len())
    }

    /// Tables of the CMS that must exist.
    fn require_prefixed(&mut self, names: &[&str]) -> Result<()> {
        let names: Vec<String> = names.iter().map(|name| format!("{}{name}", self.config.db_prefix)).collect();
        self.hub.require(&names)
    }
}
