//! The stage on the databases: the inner steps of the nightly job, in its order.
//!
//! A step that fails does not keep the others from their work, as in the original; the run then
//! ends with an error that names it.

mod publish;
mod read;

use anyhow::{Result, anyhow, ensure};
use enrich::options::{country_rule, domain_rule, hosts_in_span_only, user_rule};
use enrich::table::{Filled, Span, Table, When, countries, domains, hosts, user_info};
use kit::config::{self, Config};
use kit::db::{Db, DbError, ErrorKind, Which};
use kit::hub_data::{self, Structure};
use kit::{Io, Outcome};
use schema::{Compat, Month, Opt};

use crate::cli::{Args, Step};
use crate::stats::{self, ToolStat};
use crate::tables::Tables;
use crate::{lists, stream, tops};

/// The table whose columns are filled.
const SESSIONS: &str = "sessionlog_metrics";

/// One run on the databases.
struct Run<'a> {
    args: &'a Args,
    config: Config,
    compat: Compat,
    metrics: Db,
    hub: Db,
    when: When,
    month: Month,
}

/// Reads and writes tables (`--db`).
pub(crate) fn run(args: &Args, steps: &[Step], io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let _lock = if args.dry_run { None } else { io.lock(&config.paths)? };
    let mut run = Run::new(args, config, io)?;
    let mut failed = Vec::new();
    for &step in steps {
        let Err(error) = run.step(step, io) else { continue };
        let lost = DbError::of(&error).is_some_and(|e| matches!(e.kind(), ErrorKind::Gone | ErrorKind::Unreachable));
        if lost || steps.len() == 1 {
            return Err(error.context(step.name()));
        }
        io.messages.error(format_args!("{}: {error:#}", step.name()));
        failed.push(step.name());
    }
    if failed.is_empty() {
        Ok(Outcome::default())
    } else {
        Err(anyhow!("not done: {}; everything else is", failed.join(", ")))
    }
}

/// Reads tables, writes records (`--from db`).
pub(crate) fn records(args: &Args, steps: &[Step], io: &Io) -> Result<Outcome> {
    let config = config::load(None, &config::process_env)?;
    let mut run = Run::new(args, config, io)?;
    let mut tables = Tables::default();
    run.require(Which::Hub, &["sessionlog", "joblog"])?;
    run.require_prefixed(&["resources", "tool_version"])?;
    read::resources(&mut run.hub, &mut tables, &[])?;
    read::sessions_and_jobs(&mut run.hub, &mut tables, run.month)?;
    run.read_people(&mut tables)?;
    tables.sort();
    stream::write(io, run.month, steps, &tables, run.compat.has(Opt::LpSummary))?;
    Ok(Outcome::default())
}

impl<'a> Run<'a> {
    fn new(args: &'a Args, config: Config, io: &Io) -> Result<Self> {
        let target = config.target();
        let given = args.month();
        Ok(Self {
            args,
            compat: io.common().compat,
            metrics: Db::connect(&target, Which::Metrics)?,
            hub: Db::connect(&target, Which::Hub)?,
            when: given.map_or(When::Usual, When::month),
            month: given.map_or_else(kit::current_month, Ok)?,
            config,
        })
    }

    fn step(&mut self, step: Step, io: &Io) -> Result<()> {
        let today = kit::today()?;
        let dry = self.args.dry_run;
        let compat = self.compat;
        let port_days = compat.has(Opt::LpDomain);
        let say = |text: std::fmt::Arguments<'_>| io.messages.note(format_args!("[dry-run] {text}"));
        match step {
            Step::ImportHubData => {
                let structure = if compat.has(Opt::LpCli) { Structure::Prefixed } else { Structure::Jos };
                let done = hub_data::import(&self.config.target(), structure, dry)?;
                if dry {
                    say(format_args!("{} tool sessions to add, {} profiles to copy", done.sessions, done.profiles));
                }
            }
            Step::Hosts => {
                let table = Table::new(SESSIONS)?;
                let span = Span::hosts(self.when, today, compat.has(Opt::LpDns));
                if dry {
                    let begin = std::time::Instant::now();
                    let missing = hosts::missing(&mut self.metrics, &table, &span)?;
                    let settings = self.args.dns.settings(&self.config, compat)?;
                    say(format_args!(
                        "[resolve-dns] {}.{SESSIONS} {span}: {} unresolved IPs (ns={} c={}) scan {:.1}s",
                        self.config.metrics_db,
                        missing.len(),
                        self.args.dns.nameserver.as_deref().unwrap_or_else(|| self.config.dns.nameserver_name()),
                        settings.concurrency,
                        begin.elapsed().as_secs_f64()
                    ));
                } else {
                    let mut names = self.args.dns.hosts(&self.config, compat)?;
                    hosts::fill(&mut self.metrics, &table, &span, &mut names, hosts_in_span_only(compat))?;
                }
            }
            Step::Domains => {
                let table = Table::new(SESSIONS)?;
                let span = Span::domains(self.when, today, port_days);
                if dry {
                    let pairs = domains::missing(&mut self.metrics, &table, &span, domain_rule(compat))?;
                    say(format_args!("{SESSIONS} {span}: {} distinct hosts without a domain", pairs.len()));
                    for (host, domain) in pairs.iter().take(5) {
                        say(format_args!("  {host} -> {domain}"));
                    }
                    if pairs.len() > 5 {
                        say(format_args!("  and {} more", pairs.len() - 5));
                    }
                } else {
                    domains::fill(&mut self.metrics, &table, &span, domain_rule(compat))?;
                }
            }
            Step::UserInfo => {
                let table = Table::new(SESSIONS)?;
                let span = Span::weeks(self.when, today, port_days);
                let rule = user_rule(compat);
                if dry {
                    let users = user_info::missing(&mut self.metrics, &mut self.hub, &table, &span, rule)?;
                    say(format_args!("{SESSIONS} {span}: profiles of {} users to apply", users.len()));
                } else {
                    user_info::fill(&mut self.metrics, &mut self.hub, &table, &span, rule)?;
                }
            }
            Step::Countries => {
                let table = Table::new(SESSIONS)?;
                let span = Span::closed_weeks(self.when, today, port_days)?;
                if dry {
                    let n = countries::missing(&mut self.metrics, &table, &span)?.len();
                    say(format_args!(
                        "{SESSIONS} {span}: {n} distinct IPs without a country, {} weeks",
                        span.n_weeks()
                    ));
                } else {
                    self.countries(&table, &span, io)?;
                }
            }
            Step::ToolStats => {
                let rows = self.tool_stats(dry)?;
                if dry {
                    say(format_args!("{}: {rows} rows of tool statistics to write", self.month));
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

    fn countries(&mut self, table: &Table, span: &Span, io: &Io) -> Result<Filled> {
        let mut geo = self.args.geo.geo(self.args.geoip.as_deref(), &self.config, self.compat)?;
        debug_assert!(country_rule(self.compat) == countries::Rule::Legacy || self.compat.has(Opt::LpIpcountry));
        let filled = countries::fill(&mut self.metrics, &mut self.hub, table, span, &mut geo)?;
        if let Some(trouble) = geo.trouble() {
            let n = geo.n_failed();
            io.messages.note(format_args!("{n} addresses stay without a country until the next run: {trouble}"));
        }
        Ok(filled)
    }

    fn tool_stats(&mut self, dry: bool) -> Result<usize> {
        self.require(Which::Hub, &["sessionlog", "joblog"])?;
        self.require_prefixed(&["resources", "tool_version", "resource_stats_tools", "resource_stats"])?;
        let mut tables = Tables::default();
        read::resources(&mut self.hub, &mut tables, &[])?;
        read::sessions_and_jobs(&mut self.hub, &mut tables, self.month)?;
        tables.sort();
        let rows = stats::compute(&tables, self.month, self.compat.has(Opt::LpSummary));
        if !dry {
            publish::stats(&mut self.hub, self.month, &rows)?;
        }
        Ok(rows.len())
    }

    /// The rows of statistics that lists are made of, with everything that the lists need.
    fn lists(&mut self, only_tools: bool) -> Result<(Tables, Vec<ToolStat>)> {
        self.require_prefixed(&["resources", "tool_version", "resource_stats_tools"])?;
        let rows = read::stats(&mut self.hub, self.month, only_tools)?;
        let mut tables = Tables::default();
        let ids: Vec<i64> = rows.iter().map(|row| row.resid).collect();
        read::resources(&mut self.hub, &mut tables, &ids)?;
        self.read_people(&mut tables)?;
        Ok((tables, rows))
    }

    fn read_people(&mut self, tables: &mut Tables) -> Result<()> {
        let profiles = format!("{}xprofiles_metrics", self.config.db_prefix);
        self.require(Which::Metrics, &[SESSIONS, "countries", &profiles])?;
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

    /// Tables that must be there; the ones of the hub come with the CMS.
    fn require(&mut self, which: Which, names: &[&str]) -> Result<()> {
        let (db, database, whose) = match which {
            Which::Hub => (&mut self.hub, &self.config.hub_db, "it comes with the CMS"),
            _ => (&mut self.metrics, &self.config.metrics_db, "see `hzmetrics setup-db` and import-hub-data"),
        };
        for name in names {
            ensure!(db.has_table(name)?, "there is no table `{name}` in the database `{database}`: {whose}");
        }
        Ok(())
    }

    fn require_prefixed(&mut self, names: &[&str]) -> Result<()> {
        let names: Vec<String> = names.iter().map(|name| format!("{}{name}", self.config.db_prefix)).collect();
        self.require(Which::Hub, &names.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
