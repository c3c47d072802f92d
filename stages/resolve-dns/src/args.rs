//! The command line, and the settings that come from it and from the environment.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use database::Which;
use enrich::dns::{self, NameRule, Settings};
use enrich::options::DnsOptions;
use enrich::table::{Table, When};
use hub::config::Config;
use kit::{Common, Describe, Io, Outcome, StageArgs, Usage};
use schema::{Kind, Opt};

use crate::{db, filter};

/// Fills in host names by reverse DNS.
///
/// Reads records and writes them again in the same order. A `web`, `toolstart` or `tool_session`
/// record with an address and without a host gets one: the name that the name server has for the
/// address, or `?` when there is none or no answer comes in time. Everything else passes
/// unchanged.
///
/// `resolve-dns metrics|hub TABLE [DATE]` does the same for a table: addresses of rows without a host
/// in that time (by default the last seven days without today) are looked up, and what is found is
/// written to all rows of the address without a host. `resolve-dns --db [DATE]` does it for
/// sessionlog_metrics, web and toolstart of the metrics database. With `--from db` instead of --db
/// nothing is written: the addresses come out as records with their names.
///
/// Each distinct address is looked up once. In memory are the distinct addresses with their names
/// (about 100 bytes each) and the records that wait for a lookup before them, at most 50,000.
#[derive(Debug, Parser)]
#[command(name = "resolve-dns", version, about, max_term_width = 100)]
pub(crate) struct Args {
    /// For a table: its database, `metrics` or `hub`, its name, and a date (YYYY, YYYY-MM,
    /// YYYY-MM-DD, or two of them with `..` between); after --db the date alone
    #[arg(value_name = "DATABASE TABLE DATE", num_args = 0..=3)]
    words: Vec<String>,

    /// The database, as an option
    #[arg(long, value_name = "metrics|hub", requires = "table")]
    database: Option<String>,

    /// The table, as an option
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,

    /// The date, as an option
    #[arg(long, value_name = "DATE", conflicts_with = "all")]
    date: Option<String>,

    /// With tables: everything, whatever its date
    #[arg(long)]
    all: bool,

    /// With tables: say how many addresses would be looked up; ask and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    common: Common,

    /// Name server to ask: `system` (as configured on this machine), ADDRESS or ADDRESS:PORT; by default
    /// HZMETRICS_DNS_NAMESERVER, with tables else the configuration, else `system`
    #[arg(long, short, value_name = "SERVER")]
    nameserver: Option<String>,

    /// How many lookups are under way at a time, at least 1; by default
    /// HZMETRICS_DNS_CONCURRENCY, with tables else the configuration, else 100
    #[arg(long, short, value_name = "N", allow_negative_numbers = true)]
    concurrency: Option<i64>,

    /// Seconds that one lookup may take in all, resending included; by default
    /// HZMETRICS_DNS_TIMEOUT, else 1 (2 with `--compat
    /// lp_dns`); with tables else the configuration, else 2
    #[arg(long, short, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<f64>,

    /// Keep answers in FILE between runs: names for 30 days, "no name" for 7 days, "no answer" for
    /// an hour
    #[arg(long, value_name = "FILE")]
    pub(crate) cache: Option<PathBuf>,

    /// Take names from this table, a CSV file with the columns `ip` and `host`. An address that is
    /// not in it is `?`, or is looked up when --nameserver is given too
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) map: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s: &f64| s.is_finite() && *s > 0.0 && *s <= 3600.0);
    seconds.ok_or_else(|| "must be a number of seconds above 0, at most 3600".to_owned())
}

/// Tables that are to be worked on.
pub(crate) struct Work {
    pub(crate) which: Which,
    pub(crate) tables: Vec<Table>,
    pub(crate) when: When,
    /// Whether names are written to the tables; otherwise they come out as records.
    pub(crate) writes: bool,
}

impl Args {
    /// What to do with tables, `None` when records are filtered.
    ///
    /// # Errors
    /// The arguments do not fit together ([`Usage`]).
    pub(crate) fn work(&self) -> Result<Option<Work>> {
        let bad = |text: String| Err(Usage(text).into());
        let common = &self.common;
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let named = words.len() > 1 || self.table.is_some();
        if !named && !common.from_db() && !common.to_db() {
            let (lonely, options) = (words.first(), self.all || self.date.is_some() || self.dry_run);
            return match lonely {
                Some(word) if ["metrics", "hub"].contains(word) => bad(format!("{word}: which table?")),
                Some(word) => bad(format!("`{word}`: name a database (metrics or hub) and a table, or add --db")),
                None if options => bad("--date, --all and --dry-run are for tables: name one, or add --db".to_owned()),
                None => Ok(None),
            };
        }
        // `metrics web` alone is the command of a cron line
        let from_db = common.from_db() || common.from.iter().all(|from| from == "-");
        if !from_db || (common.to_db() && !common.from_db() && !named) {
            return bad("records cannot be written to tables; --db reads and writes tables".to_owned());
        }
        let (database, table, date) = match (&self.table, words.as_slice()) {
            (Some(table), []) => (self.database.as_deref().unwrap_or("metrics"), Some(table.as_str()), None),
            (Some(table), [date]) => (self.database.as_deref().unwrap_or("metrics"), Some(table.as_str()), Some(*date)),
            (None, []) => ("metrics", None, None),
            (None, [date]) => ("metrics", None, Some(*date)),
            (None, [database, table]) => (*database, Some(*table), None),
            (None, [database, table, date]) => (*database, Some(*table), Some(*date)),
            _ => return bad("the table is named twice".to_owned()),
        };
        let which = match database {
            "metrics" => Which::Metrics,
            "hub" => Which::Hub,
            other => return bad(format!("`{other}` is no database: metrics or hub")),
        };
        let when = match (date.or(self.date.as_deref()), self.all) {
            (Some(_), true) => return bad("either a date or --all".to_owned()),
            (Some(date), false) => When::parse(date)?,
            (None, true) => When::All,
            (None, false) => When::Usual,
        };
        let names = table.map_or(db::NIGHTLY.to_vec(), |table| vec![table]);
        let tables = names.into_iter().map(Table::new).collect::<Result<_>>()?;
        let shows = common.from.iter().any(|from| from == "db") && !common.to_db();
        Ok(Some(Work { which, tables, when, writes: !shows }))
    }

    /// How to ask name servers for tables, `None` when only the table of names answers.
    ///
    /// # Errors
    /// The name server is no address, or the system has none.
    pub(crate) fn settings_with(&self, config: &Config) -> Result<Option<Settings>> {
        if self.map.is_some() && self.nameserver.is_none() {
            return Ok(None);
        }
        let options = DnsOptions {
            nameserver: self.nameserver.clone(),
            concurrency: self.concurrency.map(|n| n.to_string()),
            timeout: self.timeout.map(|seconds| seconds.to_string()),
            dns_cache: None,
        };
        options.settings(config, self.common.compat).map(Some)
    }

    /// The name server in words.
    pub(crate) fn nameserver_name<'a>(&'a self, config: &'a Config) -> &'a str {
        self.nameserver.as_deref().unwrap_or_else(|| config.dns.nameserver_name())
    }

    /// How to ask name servers, `None` when only the table answers.
    ///
    /// # Errors
    /// The name server is no address, or the system has none.
    pub(crate) fn settings(&self) -> Result<Option<Settings>> {
        if self.map.is_some() && self.nameserver.is_none() {
            return Ok(None);
        }
        let port = self.common.compat.has(Opt::LpDns);
        // a value that is no number is passed over
        let number = |name: &str| env(name).and_then(|text| text.trim().parse::<f64>().ok()).filter(|n| n.is_finite());
        let server = self.nameserver.clone().or_else(|| env("HZMETRICS_DNS_NAMESERVER")).unwrap_or_default();
        let concurrency = match self.concurrency {
            Some(n) => usize::try_from(n).unwrap_or(1),
            None => number("HZMETRICS_DNS_CONCURRENCY").map_or(100, |n| n.clamp(1.0, 1e6) as usize),
        };
        let timeout = self
            .timeout
            .or_else(|| number("HZMETRICS_DNS_TIMEOUT").filter(|s| *s > 0.0 && *s <= 3600.0))
            .unwrap_or(if port { 2.0 } else { 1.0 });
        Ok(Some(Settings {
            servers: dns::servers(&server).map_err(|e| Usage(format!("{e:#}")))?,
            concurrency: concurrency.max(1),
            timeout: Duration::from_secs_f64(timeout),
            rule: if port { NameRule::Port } else { NameRule::Legacy },
        }))
    }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl StageArgs for Args {
    const DESCRIBE: Describe = Describe {
        name: "resolve-dns",
        about: "Fills in host names by reverse DNS",
        reads: &[Kind::Web, Kind::Toolstart, Kind::ToolSession],
        writes: &[Kind::Web, Kind::Toolstart, Kind::ToolSession],
        reads_tables: &db::NIGHTLY,
        writes_tables: &db::NIGHTLY,
        main_kind: Kind::Web,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}

pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    match args.work()? {
        Some(work) => db::run(args, &work, io),
        None => filter::stage(args, io),
    }
}
