//! The options of every stage that fills tables: where names and countries come from.
//!
//! Settings are taken from, in increasing priority: built-in values, the configuration, the
//! environment, the command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use hub::config::{Config, Dns};
use kit::Usage;
use schema::{Compat, Opt};

use crate::country::Countries;
use crate::dns::{self, NameRule, Settings};
use crate::geo_service::{GeoService, Manner, PORT_TIMEOUT};
use crate::hosts::{self, Hosts};
use crate::place_cache::PlaceCache;
use crate::table::{countries, domains, user_info};

/// The name servers for reverse DNS: the same options in a pipe and with tables.
#[derive(Debug, Clone, Default, Args)]
pub struct NameServerOptions {
    /// Name server to ask: `system` (as configured on this machine), ADDRESS or ADDRESS:PORT
    /// [default: HZMETRICS_DNS_NAMESERVER, else with --db the configuration, else system]
    #[arg(long, short, value_name = "SERVER")]
    pub nameserver: Option<String>,

    /// Maximum number of lookups in progress, at least 1 [default: HZMETRICS_DNS_CONCURRENCY, else
    /// with --db the configuration, else 100]
    #[arg(long, short, value_name = "N", allow_negative_numbers = true)]
    pub concurrency: Option<i64>,

    /// Total time for one lookup in seconds, including retries [default: HZMETRICS_DNS_TIMEOUT,
    /// else with --db the configuration, else 2]
    #[arg(long, short, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<f64>,
}

impl NameServerOptions {
    /// How to ask name servers; settings without an option are taken from `dns`.
    ///
    /// # Errors
    /// The name server is not an address, or the system has none.
    pub fn settings(&self, dns: &Dns, compat: Compat) -> Result<Settings> {
        Ok(Settings {
            servers: dns::servers(self.name(dns).trim()).map_err(|e| Usage(format!("{e:#}")))?,
            concurrency: usize::try_from(self.concurrency.unwrap_or(dns.concurrency.into())).unwrap_or(1).max(1),
            timeout: self.timeout.map_or(dns.timeout, Duration::from_secs_f64),
            rule: if compat.has(Opt::LpDns) { NameRule::Port } else { NameRule::Legacy },
        })
    }

    /// The name server in words.
    #[must_use]
    pub fn name<'a>(&'a self, dns: &'a Dns) -> &'a str {
        self.nameserver.as_deref().unwrap_or_else(|| dns.nameserver_name())
    }
}

/// Reverse DNS as one of several steps.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Host names (with --db)")]
pub struct DnsOptions {
    /// Which name servers.
    #[command(flatten)]
    pub servers: NameServerOptions,

    /// Keep answers of name servers in FILE between runs
    #[arg(long, value_name = "FILE")]
    pub dns_cache: Option<PathBuf>,

    /// Take host names from this table (a CSV file with the columns `ip` and `host`) and ask nobody; with
    /// --nameserver the table comes first
    #[arg(long, value_name = "FILE.csv")]
    pub map: Option<PathBuf>,
}

impl DnsOptions {
    /// Names from the table, from the cache, and from those servers.
    ///
    /// # Errors
    /// Those of [`NameServerOptions::settings`]; or a file cannot be read.
    pub fn hosts(&self, config: &Config, compat: Compat) -> Result<Hosts> {
        let mut hosts = Hosts::new();
        if let Some(path) = &self.map {
            hosts = hosts.with_table(hosts::read_table(path)?);
            if self.servers.nameserver.is_none() {
                return Ok(hosts);
            }
        }
        let hosts = hosts.with_servers(self.servers.settings(&config.dns, compat)?);
        Ok(match &self.dns_cache {
            Some(path) => hosts.with_cache(path)?.0,
            None => hosts,
        })
    }
}

/// Countries.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Countries (with --db)")]
pub struct GeoOptions {
    /// URL of the geo service, or `none` for no lookups [default: that of the configuration, else
    /// HUBzero's]
    #[arg(long, value_name = "URL|none")]
    pub geo_url: Option<String>,

    /// Key for the geo service [default: that of the configuration]
    #[arg(long, value_name = "KEY")]
    pub geo_key: Option<String>,

    /// Seconds to wait for an answer from the geo service
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value_t = PORT_TIMEOUT.as_secs_f64())]
    pub geo_timeout: f64,
}

impl GeoOptions {
    /// The sources of countries; `file` (MaxMind's format) comes first.
    ///
    /// # Errors
    /// The file cannot be read or is not a country database.
    pub fn geo(&self, file: Option<&std::path::Path>, config: &Config, compat: Compat) -> Result<countries::Geo> {
        let file = file.map(Countries::open).transpose().context("the country database")?;
        let rule = country_rule(compat);
        let manner = match rule {
            countries::Rule::Legacy => Manner::Legacy,
            countries::Rule::Port => Manner::Port,
        };
        let timeout = Duration::from_secs_f64(self.geo_timeout);
        let url = self.geo_url.as_deref().unwrap_or(&config.geo_url);
        let key = self.geo_key.as_deref().unwrap_or_else(|| config.geo_key.reveal());
        let service = (url != "none").then(|| GeoService::new(url, key, manner, Some(timeout)));
        let geo = countries::Geo::new(file, service, rule);
        if !compat.has(Opt::Ipv6) {
            return Ok(geo);
        }
        Ok(geo.with_ipv6(PlaceCache::load(&config.paths.runtime())?))
    }
}

/// Whether hosts are written only to rows in the span.
#[must_use]
pub const fn hosts_in_span_only(compat: Compat) -> bool {
    compat.has(Opt::LpDns)
}

/// Whose rule for domains.
#[must_use]
pub const fn domain_rule(compat: Compat) -> domains::Rule {
    if compat.has(Opt::LpDomain) { domains::Rule::Port } else { domains::Rule::Legacy }
}

/// Whose rule for countries.
#[must_use]
pub const fn country_rule(compat: Compat) -> countries::Rule {
    if compat.has(Opt::LpIpcountry) { countries::Rule::Port } else { countries::Rule::Legacy }
}

/// Whose rule for profiles.
#[must_use]
pub const fn user_rule(compat: Compat) -> user_info::Rule {
    if compat.has(Opt::LpUserInfo) { user_info::Rule::Port } else { user_info::Rule::Legacy }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s: &f64| s.is_finite() && *s > 0.0 && *s <= 3600.0);
    seconds.ok_or_else(|| "must be a number of seconds above 0, at most 3600".to_owned())
}
