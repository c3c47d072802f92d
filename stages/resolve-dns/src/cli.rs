//! The command line, and the settings that come from it and from the environment.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use enrich::dns::{self, NameRule, Settings};
use kit::{Common, Describe, StageArgs, Usage};
use schema::{Kind, Opt};

/// Fills in host names by reverse DNS.
///
/// Reads records and writes them again in the same order. A `web`, `toolstart` or `tool_session`
/// record with an address and without a host gets one: the name that the name server has for the
/// address, or `?` when there is none or no answer comes in time. Everything else passes
/// unchanged.
///
/// Each distinct address is looked up once. In memory are the distinct addresses with their names
/// (about 100 bytes each) and the records that wait for a lookup before them, at most 50,000.
#[derive(Debug, Parser)]
#[command(name = "resolve-dns", version, about, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,

    /// Name server to ask: `system` (as configured on this machine), ADDRESS or ADDRESS:PORT; by default
    /// HZMETRICS_DNS_NAMESERVER, else `system`
    #[arg(long, short, value_name = "SERVER")]
    nameserver: Option<String>,

    /// How many lookups are under way at a time, at least 1; by default
    /// HZMETRICS_DNS_CONCURRENCY, else 100
    #[arg(long, short, value_name = "N", allow_negative_numbers = true)]
    concurrency: Option<i64>,

    /// Seconds that one lookup may take in all, resending included; by default
    /// HZMETRICS_DNS_TIMEOUT, else 1 (2 with `--compat lp_dns`)
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

impl Args {
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
        reads_tables: &[],
        writes_tables: &[],
        main_kind: Kind::Web,
        steps: &[],
    };

    fn common(&self) -> &Common {
        &self.common
    }
}
