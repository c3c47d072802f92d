//! `demo`: creates a small hub, runs the whole chain on its logs and shows the usage table.

use std::fs;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fixtures::closed::close_off;
use fixtures::hub::Plan;
use indicatif::{ProgressBar, ProgressStyle};
use schema::Month;
use xshell::Shell;

use checkout::{place, say, show};

use crate::usage;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Another seed gives another hub
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Take the executables in `target/fast` as they are, without checking with cargo whether they are up
    /// to date
    #[arg(long)]
    no_build: bool,
}

/// The profile that builds fastest: the demo takes a second with any.
const PROFILE: &str = "fast";

/// The chain, as in the README; `tee` keeps the records between the stages.
fn chain(month: Month) -> String {
    format!(
        "fetch-logs --logs logs | import-logs --quiet --rejects rejects.ndjson | tee web.ndjson \
         | resolve-dns --from - --from hub/hub.ndjson --map hub/hosts.csv \
         | usage-metrics --geoip hub/countries.mmdb | tee usage.ndjson \
         | summarize --month {month} --format csv > cells.csv"
    )
}

/// What makes the page of the records that the chain leaves.
fn page(first: Month, last: Month) -> String {
    format!(
        "summarize --since {first} --through {last} < usage.ndjson > cells.ndjson \
         && tool-metrics {last} < hub/hub.ndjson > tools.ndjson \
         && report --from cells.ndjson --from tools.ndjson --from hub/hub.ndjson --from usage.ndjson \
         --title 'Usage of a made-up hub' --to usage.html"
    )
}

/// The hub: nine months, the first of them in the older log layout.
fn plan(seed: u64) -> Result<Plan> {
    let first = Month::new(2024, 10).context("the first month")?;
    Ok(Plan { seed, first, n_months: 9, visits_a_day: 130, n_members: 300, odd: 4, gzip: true, old_layout: true })
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    sh.change_dir(place::root()?);
    let plan = plan(args.seed)?;
    let target = place::target(sh)?;
    let bin = if args.no_build { target.join(PROFILE) } else { place::build(sh, PROFILE)? };
    let demo = target.join("demo");
    prepare(&demo)?;

    say(&format!("making the logs of a small hub, {} to {}", plan.first, plan.last()));
    let bar = bar("days", plan.n_days());
    let staging = demo.join("made");
    let made = plan.make(&staging, || bar.inc(1)).with_context(|| format!("writing {}", staging.display()))?;
    bar.finish_and_clear();
    arrange(&staging, &demo)?;
    say(&format!(
        "{} log files, {} requests, {} lines of the login log, {:.0} MB uncompressed",
        made.n_files,
        made.n_lines,
        made.n_auth_lines,
        made.n_bytes as f64 / 1e6
    ));

    let line = chain(plan.last());
    say(&format!(
        "\n  PATH={}:$PATH; cd {}\n  hzmetrics sh -c '{}'\n",
        bin.display(),
        demo.display(),
        line.replace(" | ", " \\\n    | ")
    ));
    let seconds = run_chain(&bin, &demo, &line, made.n_kept)?;
    let cells = demo.join("cells.csv");
    show(&usage::table(&cells, plan.last())?)?;
    run_chain(&bin, &demo, &page(plan.first, plan.last()), 0)?;
    say(&format!("the chain took {seconds:.2} s; look at these in {}:", demo.display()));
    for (name, what) in [
        ("logs/", "the rotated logs, as a hub keeps them"),
        ("hub/", "records of the hub database, names and countries of the addresses"),
        ("web.ndjson", "the requests that count, hits and logins, one JSON object a line"),
        ("rejects.ndjson", "lines that do not fit the layout, with the reason"),
        ("usage.ndjson", "the same with names, countries and sessions"),
        ("cells.csv", "the cells of the summary tables for the six periods"),
        ("cells.ndjson", "the same of all months, and tools.ndjson the statistics of the tools"),
        ("usage.html", "the report: open it in a browser"),
    ] {
        say(&format!("  {name:<15} {what}"));
    }
    say(&format!("\nthe report: file://{}", demo.join("usage.html").display()));
    Ok(())
}

/// An empty directory; refuses to touch anything that is not ours.
fn prepare(demo: &Path) -> Result<()> {
    for name in ["made", "logs", "hub"] {
        match fs::remove_dir_all(demo.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("emptying {}", demo.join(name).display()));
            }
            _ => {}
        }
    }
    for name in
        ["rejects.ndjson", "web.ndjson", "usage.ndjson", "cells.csv", "cells.ndjson", "tools.ndjson", "usage.html"]
    {
        match fs::remove_file(demo.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", demo.join(name).display()));
            }
            _ => {}
        }
    }
    fs::create_dir_all(demo).with_context(|| format!("making {}", demo.display()))
}

/// Writes logs to `logs/`, and everything else about the hub to `hub/`.
fn arrange(made: &Path, demo: &Path) -> Result<()> {
    for (directory, names) in
        [("logs", &["httpd", "hubzero"][..]), ("hub", &["hub.ndjson", "hosts.csv", "countries.mmdb"])]
    {
        fs::create_dir_all(demo.join(directory))?;
        for name in names {
            let to = demo.join(directory).join(name);
            fs::rename(made.join(name), &to).with_context(|| format!("moving {}", to.display()))?;
        }
    }
    fs::remove_dir(made).with_context(|| format!("removing {}", made.display()))
}

fn bar(what: &'static str, total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix:>10} {wide_bar} {pos}/{len}");
    ProgressBar::new(total).with_prefix(what).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Runs the line; the bar counts the records that the importer has written.
fn run_chain(bin: &Path, demo: &Path, line: &str, n_expected: u64) -> Result<f64> {
    let start = Instant::now();
    // settings of a hub on this machine must not affect the output
    let nothing = tempfile::tempdir().context("creating an empty folder")?;
    let mut command = Command::new(bin.join("hzmetrics"));
    let mut child = close_off(&mut command, nothing.path())
        .args(["sh", "-c", line])
        .current_dir(demo)
        .spawn()
        .with_context(|| format!("starting {}", bin.join("hzmetrics").display()))?;
    let bar = bar("requests", n_expected);
    let mut lines = GrowingFile { path: demo.join("web.ndjson"), file: None, buffer: vec![0; 1 << 20] };
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        bar.inc(lines.new_lines());
        std::thread::sleep(Duration::from_millis(40));
    };
    bar.finish_and_clear();
    if !status.success() {
        bail!("the chain failed ({status})");
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Counts the lines of a file that another process is writing.
struct GrowingFile {
    path: PathBuf,
    file: Option<fs::File>,
    buffer: Vec<u8>,
}

impl GrowingFile {
    fn new_lines(&mut self) -> u64 {
        if self.file.is_none() {
            self.file = fs::File::open(&self.path).ok();
        }
        let mut n = 0;
        while let Some(got) =
            self.file.as_mut().and_then(|file| file.read(&mut self.buffer).ok()).filter(|got| *got > 0)
        {
            n += self.buffer[..got].iter().filter(|b| **b == b'\n').count() as u64;
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_the_chain_of_the_demo() {
        let readme = fs::read_to_string(place::root().unwrap().join("README.md")).unwrap();
        let line = chain(plan(7).unwrap().last());
        let plain = line.replace(" | tee web.ndjson", "").replace(" | tee usage.ndjson", "");
        let plain = plain.replace(" --rejects rejects.ndjson", "");
        assert!(readme.lines().any(|line| line == plain), "{plain}");
    }

    #[test]
    fn lines_of_a_growing_file_are_counted_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("grows");
        let mut lines = GrowingFile { path: path.clone(), file: None, buffer: vec![0; 4] };
        assert_eq!(lines.new_lines(), 0);
        fs::write(&path, "a\nbb\nccc").unwrap();
        assert_eq!(lines.new_lines(), 2);
        assert_eq!(lines.new_lines(), 0);
        fs::write(&path, "a\nbb\nccc\nd\n").unwrap();
        assert_eq!(lines.new_lines(), 2);
    }
}
