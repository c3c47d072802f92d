//! The port's names for single steps. Each starts a stage with some fixed words and passes on its own
//! arguments.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;

use anyhow::Result;
use clap::Subcommand;
use kit::Uses;
use schema::dates::day_of_log;
use schema::{Month, Period};

use super::HubCommand;
use super::values::{Date, DryRun, month_begun, section};
use crate::hub::{Audience, Hub};

/// Stages that move files and write to no table.
const OF_FILES: [&str; 2] = ["fetch-logs", "archive"];

/// A stage that is about to be started.
pub(super) struct Start {
    exe: &'static str,
    words: Vec<OsString>,
    /// Words that come last, whatever they begin with.
    rest: Vec<OsString>,
    /// Whether to discard its standard output: receipts are for the next stage of a pipe, and a
    /// crontab would mail them.
    is_silent: bool,
    writes: bool,
}

impl Start {
    /// The executable with its fixed words.
    pub(super) fn new(exe: &'static str, fixed: &str) -> Self {
        let words = fixed.split_whitespace().map(OsString::from).collect();
        Self { exe, words, rest: Vec::new(), is_silent: fixed.starts_with("--to db"), writes: true }
    }

    fn option(mut self, name: &str, value: Option<impl AsRef<OsStr>>) -> Self {
        self.words.extend(value.into_iter().flat_map(|value| [name.into(), value.as_ref().to_owned()]));
        self
    }

    fn all(mut self, all: bool) -> Self {
        self.words.extend(all.then(|| "--all".into()));
        self
    }

    fn rest(mut self, word: Option<impl AsRef<OsStr>>) -> Self {
        self.rest.extend(word.map(|word| word.as_ref().to_owned()));
        self
    }

    /// The last of the options.
    pub(super) fn dry_run(mut self, DryRun { dry_run }: DryRun) -> Self {
        self.words.extend(dry_run.then(|| "--dry-run".into()));
        self.writes = !dry_run;
        self
    }

    fn args(self) -> Vec<OsString> {
        // a file name may begin with a dash
        let end = (!self.rest.is_empty()).then(|| "--".into());
        self.words.into_iter().chain(end).chain(self.rest).collect()
    }

    /// Starts it, under the lock of all writers unless it `has_own_lock`; returns its exit code.
    ///
    /// # Errors
    /// Another process holds the lock, or the stage cannot be started.
    pub(super) fn run(self, hub: &Hub, has_own_lock: bool) -> Result<u8> {
        let writes = self.writes && !has_own_lock;
        let lock = if writes && OF_FILES.contains(&self.exe) { hub.local_lock()? } else { hub.lock(writes)? };
        let mut shell = hub.shell(lock.as_ref())?;
        let exe = self.exe;
        if self.is_silent { shell.run_without_output(exe, self.args()) } else { shell.run_program(exe, self.args()) }
    }
}

/// One step of the daily work.
#[derive(Debug, Subcommand)]
pub(crate) enum Step {
    /// Copy pending logs to the staging files
    FetchLogs(LogsOfDay),
    /// Move imported logs to the archive
    ArchiveLogs(LogsOfDay),
    /// Load the staging files
    ImportLogs(DryRun),
    /// Load one auth log, whether it was loaded before or not
    ImportAuth(LogFile),
    /// Record the bots in one access log
    IdentifyBots(LogFile),
    /// Create tool starts from the hub's jobs, with their wall time
    MiddlewareWall(DryRun),
    /// Fill in the CPU time of tool starts
    MiddlewareCpu(DryRun),
    /// Fill in host names by reverse DNS
    ResolveDns(ResolveDns),
    /// Derive domains from host names
    FillDomain(FillTable),
    /// Fill in what the profiles of users say
    FillUserInfo(FillTable),
    /// Fill in the countries of addresses
    FillIpcountry(FillCountries),
    /// Remove bots
    CleanBots(CleanBots),
    /// Build the sessions of a month
    LogfixSession(OfMonth),
    /// Compute the statistics of each tool
    GenToolStats(OfMonth),
    /// Compute the top values of each tool
    GenToolTops(OfMonth),
    /// Compute the lists over all tools
    GenToolToplists(OfMonth),
    /// Compute the usage of each resource
    AndmoreUsage(OfMonth),
    /// Compute the cells of the summary tables
    SummarizeMonth(SummarizeMonth),
}

impl Step {
    /// The stage for the name, and its arguments.
    fn start(&self) -> Start {
        match self {
            Self::FetchLogs(given) => given.start("fetch-logs", "--stage"),
            Self::ArchiveLogs(given) => given.start("archive", "--db"),
            Self::ImportLogs(mode) => Start::new("import-logs", "--db").dry_run(*mode),
            Self::ImportAuth(given) => given.start("--to db --no-ledger --raw auth"),
            Self::IdentifyBots(given) => given.start("--to db --no-ledger --only identify-bots --raw access"),
            Self::MiddlewareWall(mode) => Start::new("usage-metrics", "--db --only middleware-wall").dry_run(*mode),
            Self::MiddlewareCpu(mode) => Start::new("usage-metrics", "--db --only middleware-cpu").dry_run(*mode),
            Self::ResolveDns(given) => given.start(),
            Self::FillDomain(given) => given.start(),
            // for all dates in any case
            Self::FillUserInfo(given) => {
                given.table.start("usage-metrics", "--db --all --only user-info").dry_run(given.mode)
            }
            Self::FillIpcountry(given) => given.start(),
            Self::CleanBots(given) => given.start(),
            Self::LogfixSession(given) => given.start("usage-metrics", "--db --only sessions --with-sessions"),
            Self::GenToolStats(given) => given.start("tool-metrics", "--db --only tool-stats"),
            Self::GenToolTops(given) => given.start("tool-metrics", "--db --only tool-tops"),
            Self::GenToolToplists(given) => given.start("tool-metrics", "--db --only tool-toplists"),
            Self::AndmoreUsage(given) => given.start("summarize", "--db --only andmore"),
            Self::SummarizeMonth(given) => given.start(),
        }
    }
}

impl HubCommand for Step {
    fn uses(&self) -> Option<Uses> {
        Some(match self {
            Self::FetchLogs(_) => Uses { logs: true, ..Uses::default() },
            Self::ArchiveLogs(_) => Uses::LOGS,
            _ => Uses::default(),
        })
    }

    fn audience(&self) -> Audience {
        Audience::Cron
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        self.start().run(hub, false)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct LogsOfDay {
    /// Only files of this day
    #[arg(value_name = "YYYYMMDD", value_parser = day_of_log)]
    day: Option<String>,

    #[command(flatten)]
    mode: DryRun,
}

impl LogsOfDay {
    fn start(&self, exe: &'static str, fixed: &str) -> Start {
        Start::new(exe, fixed).option("--date", self.day.as_ref()).dry_run(self.mode)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct LogFile {
    /// The log file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: OsString,

    #[command(flatten)]
    mode: DryRun,
}

impl LogFile {
    fn start(&self, fixed: &str) -> Start {
        let file = Some(&self.file).filter(|file| *file != "-");
        Start::new("import-logs", fixed).dry_run(self.mode).rest(file)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct OfMonth {
    /// The month, not a future one [default: the current one]
    #[arg(value_name = "YYYY-MM", value_parser = month_begun)]
    month: Option<Month>,

    #[command(flatten)]
    mode: DryRun,
}

impl OfMonth {
    fn start(&self, exe: &'static str, fixed: &str) -> Start {
        Start::new(exe, fixed).dry_run(self.mode).rest(self.month.map(|month| month.to_string()))
    }
}

/// One of the tables with visitors.
#[derive(Debug, clap::Args)]
struct Table {
    /// Which database the table is in
    #[arg(value_name = "DATABASE", value_parser = ["metrics", "hub"])]
    database: String,

    /// The table
    #[arg(value_name = "TABLE", value_parser = ["web", "websessions", "toolstart", "sessionlog_metrics"])]
    table: String,

    /// A year, month or day (YYYY, YYYY-MM, YYYY-MM-DD), or a range LEFT..RIGHT
    #[arg(value_name = "DATE")]
    date: Option<Date>,
}

impl Table {
    fn start(&self, exe: &'static str, fixed: &str) -> Start {
        Start::new(exe, fixed).option("--database", Some(&self.database)).option("--table", Some(&self.table))
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct FillTable {
    #[command(flatten)]
    table: Table,

    /// Everything, whatever its date
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl FillTable {
    fn start(&self) -> Start {
        let date = self.table.date.as_ref().filter(|_| !self.all);
        let start = self.table.start("usage-metrics", "--db --only domains");
        start.option("--date", date).all(self.all).dry_run(self.mode)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct FillCountries {
    #[command(flatten)]
    table: Table,

    /// Address of the geo service
    #[arg(long, value_name = "URL")]
    url: Option<OsString>,

    /// Key for it
    #[arg(long, value_name = "KEY")]
    hub_key: Option<OsString>,

    /// Seconds to wait for it [default: 5]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<OsString>,

    #[command(flatten)]
    mode: DryRun,
}

impl FillCountries {
    fn start(&self) -> Start {
        let start = self.table.start("usage-metrics", "--db --only countries");
        let start = start.option("--date", self.table.date.as_ref()).option("--geo-url", self.url.as_ref());
        let start = start.option("--geo-key", self.hub_key.as_ref()).option("--geo-timeout", self.timeout.as_ref());
        start.dry_run(self.mode)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ResolveDns {
    /// Which database the table is in
    #[arg(value_name = "DATABASE", value_parser = ["metrics", "hub"])]
    database: String,

    /// The table
    #[arg(value_name = "TABLE")]
    table: OsString,

    /// A year, month or day (YYYY, YYYY-MM, YYYY-MM-DD), or a range LEFT..RIGHT
    #[arg(value_name = "DATE")]
    date: Option<Date>,

    /// Everything, whatever its date
    #[arg(long)]
    all: bool,

    /// Name server, or `system`
    #[arg(short, long, value_name = "SERVER")]
    nameserver: Option<OsString>,

    /// Lookups in progress at a time
    #[arg(short, long, value_name = "N")]
    concurrency: Option<NonZeroU32>,

    /// Seconds for a lookup
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<OsString>,

    #[command(flatten)]
    mode: DryRun,
}

impl ResolveDns {
    fn start(&self) -> Start {
        let start = Start::new("resolve-dns", "--db").option("--database", Some(&self.database));
        let start = start.option("--table", Some(&self.table));
        // --all overrides a date given beside it
        let start = start.option("--date", self.date.as_ref().filter(|_| !self.all)).all(self.all);
        let start = start.option("--nameserver", self.nameserver.as_ref());
        let start = start.option("--concurrency", self.concurrency.map(|n| n.to_string()));
        start.option("--timeout", self.timeout.as_ref()).dry_run(self.mode)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct CleanBots {
    /// The table
    #[arg(value_name = "TABLE", value_parser = ["web", "websessions"])]
    table: String,

    /// A year, month or day (YYYY, YYYY-MM, YYYY-MM-DD), or a range LEFT..RIGHT
    #[arg(value_name = "DATE")]
    date: Option<Date>,

    #[command(flatten)]
    mode: DryRun,
}

impl CleanBots {
    fn start(&self) -> Start {
        let start = Start::new("usage-metrics", "--db --only clean-bots").option("--table", Some(&self.table));
        start.option("--date", self.date.as_ref()).dry_run(self.mode)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct SummarizeMonth {
    /// The month, not a future one [default: the previous one]
    #[arg(value_name = "YYYY-MM", value_parser = month_begun)]
    month: Option<Month>,

    /// Only these sections: reg, int, dl, total, sim, sim-usage, misc
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = section)]
    only: Vec<String>,

    #[arg(long, help = format!("Only these periods: {}", Period::codes()), value_name = "LIST", value_delimiter = ',')]
    periods: Vec<Period>,

    #[command(flatten)]
    mode: DryRun,
}

impl SummarizeMonth {
    fn start(&self) -> Start {
        let only = if self.only.is_empty() { "summary".to_owned() } else { self.only.join(",") };
        let codes: Vec<_> = self.periods.iter().map(Period::to_string).collect();
        let start = Start::new("summarize", "--db").option("--only", Some(only));
        let start = start.option("--periods", (!codes.is_empty()).then(|| codes.join(",")));
        start.dry_run(self.mode).rest(self.month.map(|month| month.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    #[test]
    fn arguments_are_passed_to_the_stage() {
        let check = |line: &str, expected: &str| {
            let command = Step::augment_subcommands(clap::Command::new("hzmetrics").no_binary_name(true));
            let step = Step::from_arg_matches(&command.get_matches_from(line.split(' '))).unwrap();
            let start = step.start();
            let exe = start.exe;
            let args: Vec<_> = start.args().into_iter().map(|word| word.into_string().unwrap()).collect();
            assert_eq!(format!("{exe} {}", args.join(" ")), expected);
        };
        check(
            "resolve-dns metrics web 2025-07 -c 50 --dry-run",
            "resolve-dns --db --database metrics --table web --date 2025-07 --concurrency 50 --dry-run",
        );
        check("resolve-dns hub x 2025 --all", "resolve-dns --db --database hub --table x --all");
        check(
            "fill-user-info metrics toolstart 2025 --all",
            "usage-metrics --db --all --only user-info --database metrics --table toolstart",
        );
        check("logfix-session 2025-07", "usage-metrics --db --only sessions --with-sessions -- 2025-07");
        check(
            "fill-domain metrics web 2025 --all",
            "usage-metrics --db --only domains --database metrics --table web --all",
        );
        check(
            "fill-ipcountry hub web ..2025 --url u --hub-key k --timeout 7",
            "usage-metrics --db --only countries --database hub --table web --date ..2025 --geo-url u --geo-key k \
             --geo-timeout 7",
        );
        check("clean-bots web 2025-07", "usage-metrics --db --only clean-bots --table web --date 2025-07");
        check("fetch-logs 20250701 --dry-run", "fetch-logs --stage --date 20250701 --dry-run");
        check("archive-logs", "archive --db");
        check("import-auth -- -x", "import-logs --to db --no-ledger --raw auth -- -x");
        check("import-auth -", "import-logs --to db --no-ledger --raw auth");
        check("summarize-month --periods 0", "summarize --db --only summary --periods 0");
        check("summarize-month 2025-02 --only reg,int", "summarize --db --only reg,int -- 2025-02");
    }
}
