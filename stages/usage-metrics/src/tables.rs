//! The tables' face: the steps of the nightly job, in order.
//!
//! If a step fails, the others still run, as in the original; the run then ends with an error that
//! names it. Every step can be run twice.

mod clean_bots;
mod derived;
mod middleware;
mod sessions;

use anyhow::{Result, anyhow};
use database::address_changes::{self, AddressChanges};
use database::writer::{self, Held};
use database::{Db, Which, forgotten, hub_data, pruned};
use enrich::steps::{self, Filler};
use enrich::table::{Span, Table, When};
use hub::config::{self, Config};
use kit::{Io, Outcome, Usage, counted};
use schema::{Compat, Dates, Month, Opt};

use crate::args::{Args, Database, Step};
use crate::middleware::Metric;
use crate::plan::{self, Action};
use crate::session_record::session_record;
use middleware::Jobs;

/// One run on the databases.
struct Run<'a> {
    args: &'a Args,
    config: Config,
    compat: Compat,
    /// The database of the tables.
    tables: Db,
    /// The hub's database, once it is needed.
    hub: Option<Db>,
    fill: Filler,
    jobs: Option<Jobs>,
}

/// Reads and writes tables (`--db`).
pub(crate) fn run(args: &Args, io: &Io) -> Result<Outcome> {
    let compat = io.common().compat;
    check(args)?;
    let config = config::load(None, &config::process_env)?;
    let closed = args.with_sessions || whole_month(args).is_ok_and(|month| is_over(month).unwrap_or(true));
    let actions = plan::actions(compat, closed, &args.only, args.table.as_deref());
    let _held = if args.dry_run { Held::default() } else { writer::for_run(io, &config)? };
    let mut run = Run::new(args, config, compat)?;
    if let Ok(month) = whole_month(args)
        && args.database == Database::Metrics
    {
        pruned::refuse(&mut run.tables, month)?;
        if !args.force && !args.dry_run {
            address_changes::refuse_hashed(&mut run.tables, month, month)?;
        }
    }
    let name = |(step, table): &Action<'_>| format!("{} {table}", step.name()).trim_end().to_owned();
    let done = steps::walk(&actions, io, name, |&(step, table)| run.step(step, table, io));
    run.fill.finish(io);
    done
}

/// The sessions that would be built, as records (`--from db`).
pub(crate) fn records(args: &Args, io: &Io) -> Result<Outcome> {
    if args.only.iter().any(|step| *step != Step::Sessions) {
        return Err(Usage("only sessions can be written as records; --db runs the other steps".to_owned()).into());
    }
    let config = config::load(None, &config::process_env)?;
    let mut db = Db::connect(&config.target(), Which::Metrics)?;
    pruned::refuse(&mut db, whole_month(args)?)?;
    let made = sessions::compute_only(&mut db, whole_month(args)?)?;
    let mut output = io.output()?;
    let mut line = Vec::new();
    for session in &made.sessions {
        line.clear();
        session_record(&made.names, "", session, &mut line);
        output.record(&line)?;
    }
    output.finish()?;
    Ok(Outcome::default())
}

/// The dates given by the user.
fn when(args: &Args) -> When {
    match args.date.or(args.month().map(Dates::from)) {
        Some(dates) => dates.into(),
        None if args.all => When::All,
        None => When::Usual,
    }
}

/// The month for steps that work on whole months.
///
/// # Errors
/// The given dates are not a month ([`Usage`]).
fn whole_month(args: &Args) -> Result<Month> {
    match args.date {
        Some(dates) => dates.month().ok_or_else(|| Usage("sessions need a whole month, YYYY-MM".to_owned()).into()),
        None if args.all => Err(Usage("sessions need a month: no --all".to_owned()).into()),
        None => args.month().map_or_else(kit::current_month, Ok),
    }
}

/// Whether a month is before the current one.
fn is_over(month: Month) -> Result<bool> {
    Ok(month < kit::current_month()?)
}

/// Checks that the option parser cannot do.
fn check(args: &Args) -> Result<()> {
    let bad = |text: String| Err(Usage(text).into());
    let named = |step| args.only.contains(&step);
    if let Some(table) = &args.table {
        Table::new(table)?;
        if let Some(step) = args.only.iter().find(|step| !step.takes_table()) {
            return bad(format!("the step {} has its own tables: no --table", step.name()));
        }
        if named(Step::CleanBots) && !["web", "websessions"].contains(&table.as_str()) {
            return bad(format!("clean-bots knows the tables web and websessions, not `{table}`"));
        }
        if named(Step::CleanBots) && args.database == Database::Hub {
            return bad("clean-bots works on the metrics database".to_owned());
        }
    }
    let when = when(args);
    let today = kit::today()?;
    if args.only.is_empty() || named(Step::CleanBots) || named(Step::Countries) {
        Span::closed_weeks(when, today, false)?;
    }
    if [Step::Sessions, Step::RebuildWebhits, Step::ClearOrphanStamps].into_iter().any(|step| args.makes(step)) {
        kit::refuse_month_to_come(whole_month(args)?)?;
    }
    args.month().map_or(Ok(()), kit::refuse_month_to_come)
}

/// The connection to the hub, opened when it is first needed.
fn hub<'a>(slot: &'a mut Option<Db>, config: &Config) -> Result<&'a mut Db> {
    if slot.is_none() {
        *slot = Some(Db::connect(&config.target(), Which::Hub)?);
    }
    slot.as_mut().ok_or_else(|| anyhow!("no connection to the hub's database"))
}

impl<'a> Run<'a> {
    fn new(args: &'a Args, config: Config, compat: Compat) -> Result<Self> {
        let which = if args.database == Database::Hub { Which::Hub } else { Which::Metrics };
        let fill = Filler::new(&config, compat, when(args), args.dry_run, &args.dns, &args.geo, args.geoip.clone());
        Ok(Self { args, compat, tables: Db::connect(&config.target(), which)?, hub: None, fill, jobs: None, config })
    }

    fn step(&mut self, step: Step, table: &str, io: &Io) -> Result<()> {
        let dry = self.args.dry_run;
        let compat = self.compat;
        let say = |text: std::fmt::Arguments<'_>| io.messages.note(format_args!("[dry-run] {text}"));
        match step {
            Step::ImportHubData => hub_data::step(&self.config, compat, dry, io)?,
            Step::MiddlewareWall | Step::MiddlewareCpu => {
                let metric = if step == Step::MiddlewareWall { Metric::Wall } else { Metric::Cpu };
                if self.jobs.is_none() {
                    let list = forgotten::list(&mut self.tables, &self.config)?;
                    let changes = AddressChanges::read(&mut self.tables)?;
                    let hub = hub(&mut self.hub, &self.config)?;
                    self.jobs = Some(Jobs::read(hub, compat.has(Opt::Ipv6), list.as_ref(), changes)?);
                }
                let Some(jobs) = &mut self.jobs else { return Ok(()) };
                let done = jobs.apply(&mut self.tables, metric, compat, dry)?;
                if step == Step::MiddlewareCpu {
                    self.jobs = None;
                }
                if dry {
                    say(format_args!(
                        "{}: {} tool starts to add, {} to complete",
                        step.name(),
                        done.inserted,
                        done.updated
                    ));
                }
            }
            Step::Hosts => self.fill.hosts(&mut self.tables, &Table::new(table)?, io)?,
            Step::Domains => self.fill.domains(&mut self.tables, &Table::new(table)?, io)?,
            Step::Sessions => {
                let month = whole_month(self.args)?;
                if dry {
                    let made = sessions::compute_only(&mut self.tables, month)?;
                    say(format_args!(
                        "{month}: {} of {} to add, {} and {} to stamp",
                        counted(made.sessions.len(), "session", "sessions"),
                        counted(made.n_rows, "request", "requests"),
                        counted(made.n_stamped(), "request", "requests"),
                        counted(made.n_tools(), "tool start", "tool starts")
                    ));
                } else {
                    sessions::run(&mut self.tables, month)?;
                }
            }
            Step::CleanBots => {
                let span = Span::closed_weeks(when(self.args), kit::today()?, compat.has(Opt::LpDomain))?;
                if dry {
                    let filters = clean_bots::Filters::read(&mut self.tables)?;
                    let n = filters.find(&mut self.tables, table, &span)?.len();
                    say(format_args!(
                        "{table} {span}: {} to delete, by {} and {}, {}",
                        counted(n, "row", "rows"),
                        counted(filters.domains.len(), "domain", "domains"),
                        counted(filters.hosts.len(), "host", "hosts"),
                        counted(span.n_weeks(), "week", "weeks")
                    ));
                } else {
                    clean_bots::clean(&mut self.tables, table, &span)?;
                }
            }
            Step::RebuildWebhits => {
                let month = whole_month(self.args)?;
                let days = derived::rebuild_webhits(&mut self.tables, month, &compat, dry)?;
                if dry {
                    say(format_args!("{month}: hits of {} to recount", counted(days, "day", "days")));
                }
            }
            Step::ClearOrphanStamps => {
                let month = whole_month(self.args)?;
                let [web, tools] = derived::clear_orphans(&mut self.tables, month, dry)?;
                if dry {
                    let (web, tools) =
                        (counted(web, "request", "requests"), counted(tools, "tool start", "tool starts"));
                    say(format_args!("{month}: stamps of {web} and {tools} to clear"));
                }
            }
            Step::UserInfo => {
                let hub = hub(&mut self.hub, &self.config)?;
                self.fill.user_info(&mut self.tables, hub, &Table::new(table)?, io)?;
            }
            Step::Countries => {
                let table = Table::new(table)?;
                self.fill.countries(&mut self.tables, || hub(&mut self.hub, &self.config), &table, io)?;
            }
        }
        Ok(())
    }
}
