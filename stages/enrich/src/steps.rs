//! The steps that fill columns of tables, as part of `tool-metrics` and `usage-metrics`: the date
//! range, the settings, the output of a dry run. Also runs a stage's steps one after the other.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use database::{Db, FailedSteps};
use hub::config::Config;
use kit::{Io, Outcome};
use schema::{Compat, Opt};

use crate::hosts::Hosts;
use crate::options::{DnsOptions, GeoOptions, domain_rule, hosts_in_span_only, user_rule};
use crate::table::countries::GeoTrouble;
use crate::table::{Span, Table, When, countries, domains, hosts, user_info};

/// How many hosts with their domains a dry run shows.
const SHOWN: usize = 5;

/// Runs the steps one after the other. If one fails, the others still run, as in the original; the
/// run then ends with an error that names it. A lost connection ends the run at once.
///
/// # Errors
/// A step failed.
pub fn walk<T>(
    steps: &[T],
    io: &Io,
    name: impl Fn(&T) -> String,
    mut work: impl FnMut(&T) -> Result<()>,
) -> Result<Outcome> {
    let mut work = |step: &T| kit::measure::step(&name(step), || work(step));
    if let [step] = steps {
        return work(step).map(|()| Outcome::default()).with_context(|| name(step));
    }
    let mut failed = FailedSteps::new(io);
    for step in steps {
        failed.note(&name(step), work(step))?;
    }
    failed.finish()
}

/// A line about what would be done.
fn say(io: &Io, text: std::fmt::Arguments<'_>) {
    io.messages.note(format_args!("[dry-run] {text}"));
}

/// Prints how many addresses of a table would be looked up, at which server (in words), and how many at a
/// time.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn unresolved(
    db: &mut Db,
    database: &str,
    table: &Table,
    span: &Span,
    (server, concurrency): (&str, usize),
    io: &Io,
) -> Result<()> {
    let begin = Instant::now();
    let (n, table) = (hosts::missing(db, table, span)?.len(), table.name());
    let secs = begin.elapsed().as_secs_f64();
    say(
        io,
        format_args!(
            "[resolve-dns] {database}.{table} {span}: {n} unresolved IPs (ns={server} c={concurrency}) scan {secs:.1}s"
        ),
    );
    Ok(())
}

/// The filling steps of one run: what was found for one table is known for the next.
pub struct Filler {
    config: Config,
    compat: Compat,
    when: When,
    dry_run: bool,
    dns: DnsOptions,
    geo_options: GeoOptions,
    geoip: Option<PathBuf>,
    names: Option<Hosts>,
    geo: Option<countries::Geo>,
}

impl Filler {
    /// Names and countries come from where the options say, `geoip` (MaxMind's format) first. Nothing is
    /// asked or opened until a step needs it.
    #[must_use]
    pub fn new(
        config: &Config,
        compat: Compat,
        when: When,
        dry_run: bool,
        dns: &DnsOptions,
        geo: &GeoOptions,
        geoip: Option<PathBuf>,
    ) -> Self {
        Self {
            config: config.clone(),
            compat,
            when,
            dry_run,
            dns: dns.clone(),
            geo_options: geo.clone(),
            geoip,
            names: None,
            geo: None,
        }
    }

    const fn port_days(&self) -> bool {
        self.compat.has(Opt::LpDomain)
    }

    /// Host names of addresses.
    ///
    /// # Errors
    /// The table is missing, the server fails, or there is no name server to ask.
    pub fn hosts(&mut self, db: &mut Db, table: &Table, io: &Io) -> Result<()> {
        let span = Span::hosts(self.when, kit::today()?, self.compat.has(Opt::LpDns));
        if self.dry_run {
            let settings = self.dns.servers.settings(&self.config.dns, self.compat)?;
            let asked = (self.dns.servers.name(&self.config.dns), settings.concurrency);
            unresolved(db, &self.config.metrics_db, table, &span, asked, io)?;
            return Ok(());
        }
        let names = match &mut self.names {
            Some(names) => names,
            none => none.insert(self.dns.hosts(&self.config, self.compat)?),
        };
        hosts::fill(db, table, &span, names, hosts_in_span_only(self.compat))?;
        Ok(())
    }

    /// Domains of hosts.
    ///
    /// # Errors
    /// The table is missing, or the server fails.
    pub fn domains(&self, db: &mut Db, table: &Table, io: &Io) -> Result<()> {
        let span = Span::domains(self.when, kit::today()?, self.port_days());
        let rule = domain_rule(self.compat);
        if !self.dry_run {
            domains::fill(db, table, &span, rule)?;
            return Ok(());
        }
        let pairs = domains::missing(db, table, &span, rule)?;
        let hosts = kit::counted(pairs.len(), "distinct host", "distinct hosts");
        say(io, format_args!("{} {span}: {hosts} without a domain", table.name()));
        for (host, domain) in pairs.iter().take(SHOWN) {
            say(io, format_args!("  {host} -> {domain}"));
        }
        if pairs.len() > SHOWN {
            say(io, format_args!("  and {} more", pairs.len() - SHOWN));
        }
        Ok(())
    }

    /// What profiles say about users.
    ///
    /// # Errors
    /// A table is missing, or a server fails.
    pub fn user_info(&self, db: &mut Db, hub: &mut Db, table: &Table, io: &Io) -> Result<()> {
        let span = Span::weeks(self.when, kit::today()?, self.port_days());
        let rule = user_rule(self.compat);
        if self.dry_run {
            let users = user_info::missing(db, hub, table, &span, rule)?;
            let users = kit::counted(users.len(), "user", "users");
            say(io, format_args!("{} {span}: profiles of {users} to apply", table.name()));
        } else {
            user_info::fill(db, hub, table, &span, rule)?;
        }
        Ok(())
    }

    /// Countries of addresses. `hub` opens the connection to the hub if anything must be looked up.
    ///
    /// # Errors
    /// A table is missing, a server fails, or the date range has an open end.
    pub fn countries<'h>(
        &mut self,
        db: &mut Db,
        hub: impl FnOnce() -> Result<&'h mut Db>,
        table: &Table,
        io: &Io,
    ) -> Result<()> {
        // a file exists only in our version, and fills the given dates; the other sources go by weeks, as in
        // the original
        let span = if self.geoip.is_some() { Span::days } else { Span::closed_weeks };
        let span = span(self.when, kit::today()?, self.port_days())?;
        if self.dry_run {
            let n = countries::missing(db, table, &span)?.len();
            let weeks = span.n_weeks();
            let ips = kit::counted(n, "distinct IP", "distinct IPs");
            let weeks = kit::counted(weeks, "week", "weeks");
            say(io, format_args!("{} {span}: {ips} without a country, {weeks}", table.name()));
            return Ok(());
        }
        let geo = match &mut self.geo {
            Some(geo) => geo,
            none => {
                let configured = self.config.logs.geoip.as_deref().map(Path::new);
                let file = self.geoip.as_deref().or(configured);
                none.insert(self.geo_options.geo(file, &self.config, self.compat)?)
            }
        };
        countries::fill(db, hub()?, table, &span, geo)?;
        Ok(())
    }

    /// Finally reports what was wrong with name servers and the geo service.
    pub fn finish(&mut self, io: &Io) {
        if let Some(names) = &self.names {
            finish_names(names, io);
        }
        let Some(geo) = self.geo.as_mut().filter(|geo| geo.n_asked() > 0) else { return };
        let remain = kit::counted(geo.n_failed(), "address remains", "addresses remain");
        let trouble = geo
            .trouble()
            .map(|GeoTrouble { kind, text }| (kind, format!("{remain} without a country until the next run: {text}")));
        io.messages.used("geo service", trouble.as_ref().map(|(kind, text)| (*kind, text as _)));
    }
}

/// A lookup that fails is usual; that all fail is not.
fn finish_names(names: &Hosts, io: &Io) {
    let (failed, answered) = (names.n_failed(), names.n_answered());
    if failed + answered == 0 {
        return;
    }
    let n = usize::try_from(failed).unwrap_or(usize::MAX);
    let text = format!("no name server answered: {} no host name", kit::counted(n, "address has", "addresses have"));
    io.messages.used("name server", (answered == 0).then_some(("no answer", &text)));
}
