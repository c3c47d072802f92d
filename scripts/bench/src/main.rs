//! `cargo xtask bench`: figures of the release executables on made-up data, beside what the machine can
//! do at best and, when it is installed, beside GoAccess. Every figure is the best of several runs.
//!
//! A program of its own, because it needs a database server and `cargo xtask` is built before all else.
#![expect(clippy::disallowed_methods, reason = "this is the place that starts cargo and our executables")]

mod args;
mod measure;
mod names;
mod tables;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use args::{Args, Part};
use checkout::{place, say, show};
use clap::Parser;
use fixtures::closed::close_off;
use fixtures::db::{Pair, SqlMode, private_server};
use fixtures::hub::Plan;
use measure::{Measured, measured};
use schema::tables::Engine;
use schema::{IMPORTED_WEB_COLUMNS, Month};
use xshell::Shell;

fn run(sh: &Shell, args: &Args) -> Result<()> {
    if args.runs == 0 || args.lines == 0 {
        bail!("--runs and --lines must be at least 1");
    }
    sh.change_dir(place::root()?);
    let target = place::target(sh)?;
    let bin = if args.no_build { target.join("release") } else { place::build(sh, "release")? };
    let directory = target.join("bench");
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    if wanted(Part::Parse) {
        parse(sh, args, &bin, &directory)?;
    }
    if wanted(Part::Load) {
        load(args, &bin, &directory)?;
    }
    if wanted(Part::Tables) {
        tables::run(args, &bin)?;
    }
    if wanted(Part::Names) {
        names::run(sh, args, &bin)?;
    }
    Ok(())
}

/// Lines of the month that is loaded into tables.
const MONTH: u64 = 372_000;

/// A month's access log into the tables, beside LOAD DATA of the rows that it makes.
fn load(args: &Args, bin: &Path, directory: &Path) -> Result<()> {
    let log = access_log(directory, MONTH)?;
    let Some(server) = private_server() else {
        return show("there is no MariaDB, so loading into tables is not measured");
    };
    let pair = server.names(SqlMode::Lax);
    pair.create_metrics(Engine::InnoDb, true);
    let import = [OsString::from("--quiet"), "--to".into(), "db".into(), log.into_os_string()];
    let environment = [
        ("HZMETRICS_ACCESS_CFG", pair.config()),
        ("HZMETRICS_DB_SOCKET", pair.socket()),
        ("HZMETRICS_HOME", pair.home().to_owned()),
    ];
    // where the server itself may write and read
    let rows = pair.socket().with_file_name("web.tsv");
    let rows = rows.display();
    let empty = |pair: &Pair| pair.sql("TRUNCATE web;\nTRUNCATE webhits;\nTRUNCATE imported_sources");
    let mut ours = Measured { seconds: f64::MAX, peak_kb: 0 };
    let mut bare = Measured { seconds: f64::MAX, peak_kb: 0 };
    let mut n_rows = String::new();
    let columns = IMPORTED_WEB_COLUMNS.join(", ");
    for run in 0..args.runs {
        empty(&pair);
        let mut command = Command::new(bin.join("import-logs"));
        close_off(&mut command, pair.home());
        command.args(&import).envs(environment.iter().map(|(name, value)| (name, value)));
        let one = measured(command)?;
        ours = Measured { seconds: ours.seconds.min(one.seconds), peak_kb: ours.peak_kb.max(one.peak_kb) };
        if run == 0 {
            n_rows = pair.value("SELECT COUNT(*) FROM web").unwrap_or_default();
            pair.sql(&format!("SELECT {columns} FROM web ORDER BY id INTO OUTFILE '{rows}'"));
        }
        empty(&pair);
        let start = Instant::now();
        pair.sql(&format!("LOAD DATA INFILE '{rows}' INTO TABLE web CHARACTER SET utf8mb3 ({columns})"));
        bare.seconds = bare.seconds.min(start.elapsed().as_secs_f64());
    }
    show(&format!("a month of {MONTH} lines into InnoDB tables, {n_rows} rows"))?;
    figure("import-logs --to db FILE", MONTH, ours, None)?;
    figure("LOAD DATA of the same rows", MONTH, bare, None)?;
    show(&format!("  {:.2} times the time of LOAD DATA", ours.seconds / bare.seconds))
}

/// Parsing access logs to nothing.
fn parse(sh: &Shell, args: &Args, bin: &Path, directory: &Path) -> Result<()> {
    let log = access_log(directory, args.lines)?;
    let bytes = fs::metadata(&log)?.len();
    show(&format!(
        "access log of {} lines, {:.0} MB, new HUBzero layout; best of {} runs, {} processors",
        args.lines,
        bytes as f64 / 1e6,
        args.runs,
        std::thread::available_parallelism().map_or(1, usize::from)
    ))?;
    let log = log.into_os_string();
    let import = [OsString::from("--quiet"), "--to".into(), "/dev/null".into(), log.clone()];
    let cat = best(args.runs, "cat".as_ref(), std::slice::from_ref(&log))?;
    let wc = best(args.runs, "wc".as_ref(), &["-l".into(), log.clone()])?;
    let ours = best(args.runs, &bin.join("import-logs"), &import)?;
    figure("cat FILE", args.lines, cat, None)?;
    figure("wc -l FILE", args.lines, wc, None)?;
    figure("import-logs --to /dev/null FILE", args.lines, ours, None)?;
    show(&format!("  {:.1} times the time of wc -l", ours.seconds / wc.seconds))?;
    if xshell::cmd!(sh, "goaccess --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        return show("goaccess is not installed, so there is no comparison with it");
    }
    let report = directory.join("goaccess.json");
    let goaccess = [
        log,
        "--no-progress".into(),
        "--no-global-config".into(),
        "--log-format=%d %t %^ %^ %e \"%r\" %s %b %h \"%R\" \"%u\" %^".into(),
        "--date-format=%Y-%m-%d".into(),
        "--time-format=%H:%M:%S".into(),
        "-o".into(),
        report.clone().into_os_string(),
    ];
    let theirs = best(args.runs.min(2), "goaccess".as_ref(), &goaccess)?;
    figure("goaccess FILE -o json", args.lines, theirs, Some(valid_requests(&report)?))?;
    show(&format!("  import-logs is {:.0} times as fast as goaccess", theirs.seconds / ours.seconds))
}

fn figure(what: &str, n_lines: u64, measured: Measured, n_valid: Option<u64>) -> Result<()> {
    let valid = n_valid.map_or_else(String::new, |n| format!(", {n} lines valid"));
    show(&format!(
        "{what:<34}{:>8.3} s {:>8.2} M lines/s {:>6} MB{valid}",
        measured.seconds,
        n_lines as f64 / measured.seconds / 1e6,
        measured.peak_kb / 1024
    ))
}

/// How many lines goaccess understood: a comparison with one that gave up would say nothing.
fn valid_requests(report: &Path) -> Result<u64> {
    // not parsed: odd lines make goaccess write JSON that is not one
    let bytes = fs::read(report).with_context(|| format!("reading {}", report.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let number = text.split_once("\"valid_requests\":").map(|(_, rest)| rest.trim_start());
    let digits = number.map(|rest| &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]);
    digits.and_then(|digits| digits.parse().ok()).context("the report of goaccess names no valid requests")
}

/// The access log, made once: whole days of a hub in the new layout, cut to the number of lines.
fn access_log(directory: &Path, n_lines: u64) -> Result<PathBuf> {
    let path = directory.join(format!("access-{n_lines}.log"));
    if path.exists() {
        return Ok(path);
    }
    say(&format!("making {} ({n_lines} lines)", path.display()));
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let made = tempfile::tempdir_in(directory)?;
    let mut plan = Plan {
        seed: 7,
        first: Month::new(2024, 1).context("the first month")?,
        n_months: 12,
        visits_a_day: 1,
        n_members: 4000,
        odd: 2,
        gzip: false,
        old_layout: false,
    };
    // a visit leaves about nine lines, days in a row about three quarters of the busiest one
    plan.visits_a_day = u32::try_from(n_lines / plan.n_days() / 6 + 1).context("too many lines")?;
    plan.make(made.path(), || {}).with_context(|| format!("writing {}", made.path().display()))?;
    let mut files: Vec<_> =
        fs::read_dir(made.path().join("httpd/daily"))?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut log = Vec::new();
    for file in files {
        log.extend(fs::read(file)?);
    }
    let ends = log.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    let Some(end) = ends.clone().nth(usize::try_from(n_lines - 1)?) else {
        bail!("only {} lines were made", ends.count());
    };
    let part = path.with_extension("part");
    fs::write(&part, &log[..end])?;
    fs::rename(&part, &path)?;
    Ok(path)
}

fn best(n_runs: u32, program: &Path, args: &[OsString]) -> Result<Measured> {
    let mut best: Option<Measured> = None;
    for _ in 0..n_runs {
        let run = measure(program, args)?;
        let peak_kb = best.map_or(0, |b| b.peak_kb).max(run.peak_kb);
        let seconds = best.map_or(f64::MAX, |b| b.seconds).min(run.seconds);
        best = Some(Measured { seconds, peak_kb });
    }
    best.context("no run")
}

fn measure(program: &Path, args: &[OsString]) -> Result<Measured> {
    let nothing = tempfile::tempdir()?;
    let mut command = Command::new(program);
    close_off(&mut command, nothing.path()).args(args);
    measured(command)
}

fn main() -> ExitCode {
    match Shell::new().map_err(anyhow::Error::from).and_then(|sh| run(&sh, &Args::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
