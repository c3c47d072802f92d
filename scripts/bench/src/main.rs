//! `cargo xtask bench`: figures of the release executables on made-up data, beside what the machine can
//! do at best and, when it is installed, beside GoAccess. Every figure is the best or the median of several runs.
//!
//! A separate program, because it needs a database server and `cargo xtask` is built before everything
//! else.
#![expect(clippy::disallowed_methods, reason = "this is the place that starts cargo and our executables")]

mod args;
mod logs;
mod measure;
mod names;
mod parse;
mod peers;
mod report;
mod tables;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, bail};
use args::{Args, Part};
use checkout::{place, say, show};
use clap::Parser;
use fixtures::closed::close_off;
use fixtures::db::{Pair, SqlMode, server_on_disk};
use measure::{Measured, figure, goal, measured, median_of, ratio};
use schema::IMPORTED_WEB_COLUMNS;
use schema::tables::Engine;
use xshell::Shell;

fn run(sh: &Shell, args: &Args) -> Result<()> {
    if args.runs == 0 || args.lines == 0 {
        bail!("--runs and --lines must be at least 1");
    }
    sh.change_dir(place::root()?);
    let target = place::target(sh)?;
    let bin = if args.no_build { target.join("release") } else { place::build(sh, "release")? };
    let directory = target.join("bench");
    if args.peers {
        peers::run(args, &bin, &directory)?;
        load(args, &bin, &directory)?;
        return tables::sessions_on_a_stock_server(args, &bin);
    }
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    if wanted(Part::Parse) {
        parse::run(args, &bin, &directory)?;
    }
    if wanted(Part::Report) {
        report::run(args, &bin, &directory)?;
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

/// Lines of the month loaded into tables.
const MONTH: u64 = 372_000;

/// A month's access log into the tables, compared with LOAD DATA of the same rows.
fn load(args: &Args, bin: &Path, directory: &Path) -> Result<()> {
    let log = logs::hub(directory, MONTH)?;
    let Some(server) = server_on_disk() else {
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
    // where the server itself can write and read
    let rows = pair.socket().with_file_name("web.tsv");
    let rows = rows.display();
    let empty = |pair: &Pair| pair.sql("TRUNCATE web;\nTRUNCATE webhits;\nTRUNCATE imported_sources");
    let mut pairs = Vec::new();
    let mut n_rows = String::new();
    let columns = IMPORTED_WEB_COLUMNS.join(", ");
    for run in 0..args.runs {
        empty(&pair);
        let mut command = Command::new(bin.join("import-logs"));
        close_off(&mut command, pair.home());
        command.args(&import).envs(environment.iter().map(|(name, value)| (name, value)));
        let ours = measured(command)?;
        if run == 0 {
            n_rows = pair.value("SELECT COUNT(*) FROM web").unwrap_or_default();
            pair.sql(&format!("SELECT {columns} FROM web ORDER BY id INTO OUTFILE '{rows}'"));
        }
        empty(&pair);
        let start = Instant::now();
        pair.sql(&format!("LOAD DATA INFILE '{rows}' INTO TABLE web CHARACTER SET utf8mb3 ({columns})"));
        // the server's processors are not counted
        pairs.push((ours, Measured { seconds: start.elapsed().as_secs_f64(), processor: 0.0, peak_kb: 0 }));
    }
    show(&format!("a month of {MONTH} lines into InnoDB tables, {n_rows} rows"))?;
    figure("import-logs --to db FILE", MONTH, median_of(&pairs, |pair| pair.0))?;
    figure("LOAD DATA of the same rows", MONTH, median_of(&pairs, |pair| pair.1))?;
    let times = 1.0 / ratio(&pairs, |measured| measured.seconds);
    show(&format!("  {times:.2} times the time of LOAD DATA ({})", goal(times <= 1.15, "at most 1.15")))
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
