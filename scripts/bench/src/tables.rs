//! `bench` of filling tables: host names, domains, countries, sessions, statistics of tools, on its
//! own server with InnoDB, each compared with the least work that the server could do.
//!
//! The least work is one UPDATE that writes a constant to the same columns, on a second table with
//! the same history. A table is filled only once: rows growing in full pages are most of the work,
//! so a second run on the same rows would measure something else.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fixtures::closed::close_off;
use fixtures::db::{Pair, SqlMode, server_on_disk};
use fixtures::mmdb::country_database;
use fixtures::random::Random;
use schema::tables::Engine;
use schema::{Month, Stamp};

use super::args::Args;
use super::measure::{goal, measured, median};
use checkout::show;

/// Requests of the month that gets names, domains and countries.
const ROWS: u32 = 1_000_000;
/// Requests of the month that gets sessions.
const SESSION_ROWS: u32 = 123_000;
/// The tool starts for them.
const STARTS: u32 = 20_000;
/// Tools, their sessions and the jobs of these.
const TOOLS: u32 = 25;
const TOOL_SESSIONS: u32 = 30_000;
const TOOL_JOBS: u32 = 60_000;

/// What the measurements use.
struct Bench<'a> {
    bin: &'a Path,
    pair: Pair,
    /// A directory readable by the server.
    shared: PathBuf,
    runs: u32,
    /// Addresses of the month of [`ROWS`].
    visitors: u32,
}

pub(super) fn run(args: &Args, bin: &Path) -> Result<()> {
    with_server(args, bin, args.pool, |bench| {
        bench.columns()?;
        bench.sessions()?;
        bench.tools()
    })
}

/// Memory of a server that nobody configured, in MB.
const STOCK: u32 = 128;

/// The sessions of a month on a server that nobody configured.
pub(super) fn sessions_on_a_stock_server(args: &Args, bin: &Path) -> Result<()> {
    with_server(args, bin, STOCK, |bench| {
        bench.pair.sql("CREATE TABLE bare LIKE web");
        bench.sessions()
    })
}

fn with_server(args: &Args, bin: &Path, pool: u32, work: impl FnOnce(&Bench<'_>) -> Result<()>) -> Result<()> {
    let Some(server) = server_on_disk() else {
        return show("there is no MariaDB, so filling tables is not measured");
    };
    let pair = server.names(SqlMode::Lax);
    pair.create_hub(true);
    pair.create_metrics(Engine::InnoDb, true);
    pair.sql(&format!("SET GLOBAL innodb_buffer_pool_size = {}", u64::from(pool) << 20));
    let version = pair.value("SELECT VERSION()").unwrap_or_default();
    let mut numbers = version.split('.').map(|n| n.parse().unwrap_or(0));
    if (numbers.next(), numbers.next()) >= (Some(10), Some(9)) {
        pair.sql(&format!("SET GLOBAL innodb_log_file_size = {}", u64::from(args.log) << 20));
    }
    show(&format!(
        "tables: InnoDB of MariaDB {version}, buffer pool {pool} MB, redo log {} MB, no doublewrite and no syncing",
        args.log
    ))?;
    let shared = pair.socket().with_file_name("bench");
    fs::create_dir_all(&shared).with_context(|| format!("making {}", shared.display()))?;
    work(&Bench { bin, pair, shared, runs: args.runs, visitors: args.visitors })
}

impl Bench<'_> {
    /// Host names, domains and countries of a month, each table filled by us and by a constant.
    fn columns(&self) -> Result<()> {
        let month = Month::new(2025, 7).context("a month")?;
        let visitors = visitors(self.visitors);
        self.pair.sql("CREATE TABLE bare LIKE web");
        self.load(&["web", "bare"], month, ROWS, &visitors)?;
        let names = self.shared.join("names.csv");
        let mut file = writer(&names)?;
        writeln!(file, "ip,host")?;
        for (ip, host) in &visitors {
            writeln!(file, "{ip},{host}")?;
        }
        file.into_inner()?;
        let networks: Vec<_> = (0..=255_u8)
            .map(|first| {
                (Ipv4Addr::new(first, 0, 0, 0), 8, ["US", "DE", "CN", "FR"][usize::from(first % 4)].to_owned())
            })
            .collect();
        let countries = self.shared.join("countries.mmdb");
        fs::write(&countries, country_database(&networks))?;
        show(&format!("a month of {ROWS} requests from {} addresses", visitors.len()))?;
        let usage = |step: &str| -> Vec<OsString> {
            ["--db", "--only", step, "--table", "web", "--geo-url", "none", "--geoip"]
                .into_iter()
                .map(OsString::from)
                .chain([countries.clone().into_os_string(), "2025-07".into()])
                .collect()
        };
        let hosts = ["--db", "--table", "web", "--date", "2025-07", "--map"].map(OsString::from).into_iter();
        let hosts: Vec<OsString> = hosts.chain([names.into_os_string()]).collect();
        let works = [
            ("host names", "resolve-dns", hosts, "host", "'h8-123-45-67.dyn12.isp123.com'"),
            ("domains", "usage-metrics", usage("domains"), "domain", "'isp123.com'"),
            ("countries", "usage-metrics", usage("countries"), "ipcountry", "'US'"),
        ];
        for (what, exe, arguments, column, constant) in works {
            self.settle();
            let ours = self.timed(exe, &arguments)?;
            let empty = self.number(&format!("SELECT COUNT(*) FROM web WHERE {column} IS NULL"));
            ensure!(empty == 0, "{what}: {empty} rows without");
            self.settle();
            let bare = self.sql(&format!("UPDATE bare SET {column} = {constant}"));
            compare(&format!("{what} ({exe} --db)"), ours, &format!("UPDATE … SET {column} = {constant}"), bare)?;
        }
        Ok(())
    }

    /// Sessions of a month.
    fn sessions(&self) -> Result<()> {
        let month = Month::new(2025, 7).context("a month")?;
        let visitors = visitors(SESSION_ROWS / 10);
        show(&format!("a month of {SESSION_ROWS} requests and {STARTS} tool starts"))?;
        let arguments = ["--db", "--only", "sessions", "2025-07"].map(OsString::from);
        self.pair.sql("CREATE TABLE bare_starts LIKE toolstart;\nCREATE TABLE bare_sessions LIKE websessions");
        let (mut ours, mut bare, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.runs {
            for table in ["web", "bare", "websessions", "toolstart", "bare_starts", "bare_sessions"] {
                self.pair.sql(&format!("TRUNCATE {table}"));
            }
            self.load(&["web", "bare"], month, SESSION_ROWS, &visitors)?;
            // as left by the steps before
            for table in ["web", "bare"] {
                self.pair.sql(&format!(
                    "UPDATE {table} t STRAIGHT_JOIN made k ON k.ip = t.ip SET t.host = k.host;\n\
                     UPDATE {table} SET domain = SUBSTRING_INDEX(host, '.', -2)"
                ));
            }
            for table in ["toolstart", "bare_starts"] {
                self.pair.sql(&format!(
                    "INSERT INTO {table} (datetime, success, ip, host, tool) \
                     SELECT datetime + INTERVAL 30 SECOND, 1, ip, host, 'tool' FROM web WHERE id % {} = 0 LIMIT {STARTS}",
                    SESSION_ROWS / STARTS
                ));
            }
            self.settle();
            ours.push(self.timed("usage-metrics", &arguments)?);
            ensure!(self.number("SELECT COUNT(*) FROM websessions") > 0, "no sessions");
            self.settle();
            bare.push(self.sql("UPDATE bare SET sessionid = 1 + id DIV 6"));
            // what else a session needs, with the rows that ours has made
            self.settle();
            let rest = self.sql(
                "BEGIN;\nINSERT INTO bare_sessions SELECT * FROM websessions ORDER BY id;\n\
                 UPDATE bare_starts b JOIN toolstart t USING (id) SET b.sessionid = t.sessionid;\nCOMMIT",
            );
            all.push(bare.last().copied().unwrap_or_default() + rest);
        }
        let n = self.number("SELECT COUNT(*) FROM websessions");
        let of = |times: &[f64]| median(times.iter().copied());
        let ratio = |others: &[f64]| median(ours.iter().zip(others).map(|(ours, other)| ours / other));
        compare(&format!("{n} sessions"), of(&ours), "UPDATE … SET sessionid = 1 + id DIV 6", of(&bare))?;
        let times = ratio(&bare);
        show(&format!("  {times:.2} times, median of the pairs ({})", goal(times <= 1.4, "at most 1.4")))?;
        show(&format!(
            "  with the sessions inserted and the tool starts updated from finished rows: {:.2} s; {:.2} times",
            of(&all),
            ratio(&all)
        ))
    }

    /// Statistics of tools in the six periods of a month.
    fn tools(&self) -> Result<()> {
        let path = self.shared.join("tools.sql");
        let mut random = Random::new(11);
        let mut file = writer(&path)?;
        let mut jobs = String::new();
        for i in 1..=TOOL_SESSIONS {
            let start = Stamp::from_parts(
                2023 + (random.below(3) as u16),
                random.between(1, 12) as u8,
                random.between(1, 28) as u8,
                random.below(24) as u8,
                random.below(60) as u8,
                0,
            );
            let (user, tool) = (random.below(2000), random.below(TOOLS));
            writeln!(file, "{i}\tuser{user}\ttool{tool}\t{start}\t{}\t{}", random.below(9000), random.below(900))?;
            for job in 0..TOOL_JOBS / TOOL_SESSIONS {
                let event = ["application", "simulation", "[waiting]"][random.below(3) as usize];
                jobs.push_str(&format!(
                    "{i}\t{job}\t0\t{event}\t{start}\t{}\t{}\n",
                    random.below(99),
                    random.below(99)
                ));
            }
        }
        file.into_inner()?;
        let job_file = self.shared.join("jobs.tsv");
        fs::write(&job_file, jobs)?;
        for i in 0..TOOLS {
            self.pair.sql(&format!(
                "INSERT INTO {{hub}}.jos_resources (title, type, alias, published, standalone) \
                 VALUES ('Tool {i}', 7, 'tool{i}', 1, 1)"
            ));
        }
        self.pair.sql(&format!(
            "LOAD DATA INFILE '{}' INTO TABLE {{hub}}.sessionlog (sessnum, username, appname, start, walltime, viewtime);\n\
             LOAD DATA INFILE '{}' INTO TABLE {{hub}}.joblog (sessnum, job, superjob, event, start, walltime, cputime)",
            path.display(),
            job_file.display()
        ));
        let arguments = ["--db", "--only", "tool-stats", "2025-07"].map(OsString::from);
        let (mut ours, mut bare) = (f64::MAX, f64::MAX);
        for _ in 0..self.runs {
            ours = ours.min(self.timed("tool-metrics", &arguments)?);
            let start = Instant::now();
            let sessions =
                self.pair.stream("SELECT sessnum, username, appname, start, walltime, viewtime FROM {hub}.sessionlog");
            let n = self
                .pair
                .stream("SELECT sessnum, job, superjob, event, venue, walltime, cputime, ncpus FROM {hub}.joblog");
            ensure!((sessions, n) == (u64::from(TOOL_SESSIONS), u64::from(TOOL_JOBS)), "rows are missing");
            bare = bare.min(start.elapsed().as_secs_f64());
        }
        let rows = self.number("SELECT COUNT(*) FROM {hub}.jos_resource_stats_tools WHERE users > 0");
        show(&format!("{TOOLS} tools, {TOOL_SESSIONS} sessions, {TOOL_JOBS} jobs"))?;
        compare(&format!("statistics, {rows} rows with users"), ours, "SELECT of the same columns", bare)
    }

    /// Fills the tables with a month of requests without host names, then passes the names to
    /// `made`.
    fn load(&self, tables: &[&str], month: Month, n: u32, visitors: &[(Ipv4Addr, String)]) -> Result<()> {
        let rows = self.shared.join("rows.tsv");
        requests(&rows, month, n, visitors)?;
        let names = self.shared.join("made.tsv");
        let mut file = writer(&names)?;
        for (ip, host) in visitors {
            writeln!(file, "{ip}\t{host}")?;
        }
        file.into_inner()?;
        self.pair.sql(&format!(
            "CREATE OR REPLACE TABLE made (ip varchar(15) NOT NULL PRIMARY KEY, host tinytext NOT NULL) \
             CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci;\nLOAD DATA INFILE '{}' INTO TABLE made",
            names.display()
        ));
        for table in tables {
            self.pair.sql(&format!(
                "LOAD DATA INFILE '{}' INTO TABLE {table} (id, datetime, content, referrer, useragent, ip, uidNumber)",
                rows.display()
            ));
        }
        Ok(())
    }

    fn timed(&self, exe: &str, arguments: &[OsString]) -> Result<f64> {
        let mut command = Command::new(self.bin.join(exe));
        close_off(&mut command, self.pair.home())
            .args(arguments)
            .env("HZMETRICS_ACCESS_CFG", self.pair.config())
            .env("HZMETRICS_DB_SOCKET", self.pair.socket())
            .env("HZMETRICS_HOME", self.pair.home());
        Ok(measured(command)?.seconds)
    }

    fn sql(&self, statement: &str) -> f64 {
        let start = Instant::now();
        self.pair.sql(statement);
        start.elapsed().as_secs_f64()
    }

    fn number(&self, query: &str) -> u64 {
        self.pair.value(query).and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// Waits until the server has cleaned up after the last statement: old versions of rows are
    /// purged, and nothing changes any more.
    fn settle(&self) {
        let status = |names: &str| -> u64 {
            let sql = format!(
                "SELECT CAST(SUM(variable_value) AS unsigned) FROM information_schema.global_status WHERE variable_name IN ({names})"
            );
            self.number(&sql)
        };
        let begin = Instant::now();
        let mut before = 0;
        while begin.elapsed() < Duration::from_secs(60) {
            let now = status("'Innodb_buffer_pool_read_requests', 'Innodb_pages_written'");
            let old = status("'Innodb_history_list_length'");
            if now - before < 300 && old == 0 {
                break;
            }
            before = now;
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

fn compare(what: &str, ours: f64, bare_what: &str, bare: f64) -> Result<()> {
    show(&format!("{what:<42}{ours:>8.2} s; {bare_what}: {bare:.2} s; {:.2} times", ours / bare))
}

/// Addresses with their names; three in ten have none.
fn visitors(n: u32) -> Vec<(Ipv4Addr, String)> {
    let mut random = Random::new(5);
    let mut list = Vec::new();
    for i in 0..n {
        // all different in their last bytes
        let ip = Ipv4Addr::from((8 + random.below(200)) << 24 | i);
        let ends = ["com", "net", "de", "co.uk", "edu"];
        let host = if random.chance(300) {
            "?".to_owned()
        } else {
            let text = ip.to_string().replace('.', "-");
            format!("h{text}.dyn{}.isp{}.{}", i % 50, i % 400, random.pick(&ends))
        };
        list.push((ip, host));
    }
    list
}

/// Requests of a month in chronological order: visits of a few requests each.
fn requests(path: &Path, month: Month, n: u32, visitors: &[(Ipv4Addr, String)]) -> Result<()> {
    let mut random = Random::new(9);
    let seconds = u32::from(month.days()) * 86_400;
    let mut events = Vec::new();
    while events.len() < n as usize {
        let visitor = random.below(u32::try_from(visitors.len())?);
        let mut at = random.below(seconds);
        for _ in 0..*random.pick(&[1, 1, 2, 3, 5, 8, 20]) {
            if at < seconds {
                events.push((at, visitor));
            }
            at += random.between(1, 400);
        }
    }
    events.truncate(n as usize);
    events.sort_unstable();
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0";
    let mut file = writer(path)?;
    for (i, (at, visitor)) in (1..).zip(events) {
        let (day, hour, minute) = (at / 86_400 + 1, at / 3600 % 24, at / 60 % 60);
        let ip = visitors.get(visitor as usize).map_or(Ipv4Addr::UNSPECIFIED, |(ip, _)| *ip);
        writeln!(
            file,
            "{i}\t{month}-{day:02} {hour:02}:{minute:02}:{:02}\t/resources/{}\thttps://www.google.com/\t{agent}\t{ip}\t-1",
            at % 60,
            i % 997
        )?;
    }
    file.into_inner()?;
    Ok(())
}

fn writer(path: &Path) -> Result<BufWriter<File>> {
    Ok(BufWriter::new(File::create(path).with_context(|| format!("writing {}", path.display()))?))
}
