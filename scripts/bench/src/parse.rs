//! `bench` of parsing: logs of several layouts to nothing, none of which is said, beside GoAccess on the same
//! files; and lists of bots on a log without two equal agents.
//!
//! What is compared runs by turns, and the median of the pairs counts: a machine that has other work to do
//! slows both down. The processor time is beside it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use checkout::show;

use super::args::Args;
use super::logs::{self, LAYOUTS, Layout};
use super::measure::{best, figure, measure, median_of, ratio};

pub(super) fn run(args: &Args, bin: &Path, directory: &Path) -> Result<()> {
    let import = bin.join("import-logs");
    show(&format!(
        "access logs to nothing, the layout recognised; medians of {} runs, {} processors",
        args.runs,
        std::thread::available_parallelism().map_or(1, usize::from)
    ))?;
    let has_goaccess = measure("goaccess".as_ref(), &["--version".into()]).is_ok();
    for layout in &LAYOUTS {
        one(args, &import, directory, layout, has_goaccess)?;
    }
    if !has_goaccess {
        show("goaccess is not installed, so there is no comparison with it")?;
    }
    lists(args, &import, directory)
}

fn one(args: &Args, import: &Path, directory: &Path, layout: &Layout, has_goaccess: bool) -> Result<()> {
    let (log, n_lines) = layout.log(directory, args.lines)?;
    let name = layout.name;
    show(&format!("{name}: {n_lines} lines, {:.0} MB", fs::metadata(&log)?.len() as f64 / 1e6))?;
    let ours = [OsString::from("--quiet"), "--to".into(), "/dev/null".into(), log.clone().into()];
    if name == "hubzero" {
        let file = [OsString::from(&log)];
        figure("cat FILE", n_lines, best(args.runs, "cat".as_ref(), &file)?)?;
        let wc = best(args.runs, "wc".as_ref(), &["-l".into(), log.clone().into()])?;
        figure("wc -l FILE", n_lines, wc)?;
        let best = best(args.runs, import, &ours)?;
        show(&format!("  at best import-logs takes {:.1} times the time of wc -l", best.seconds / wc.seconds))?;
    }
    let report = directory.join("goaccess.json");
    let theirs = layout.goaccess(&log, &report);
    let mut pairs = Vec::new();
    for _ in 0..args.runs {
        let mine = measure(import, &ours)?;
        let other = if has_goaccess { measure("goaccess".as_ref(), &theirs)? } else { mine };
        pairs.push((mine, other));
    }
    figure("import-logs --to /dev/null FILE", n_lines, median_of(&pairs, |pair| pair.0))?;
    if !has_goaccess {
        return Ok(());
    }
    figure("goaccess FILE -o json", n_lines, median_of(&pairs, |pair| pair.1))?;
    let n_valid = valid_requests(&report)?;
    let is_fair = n_valid * 100 >= n_lines * 95;
    let hint = if is_fair { String::new() } else { ": NO COMPARISON".to_owned() };
    show(&format!(
        "  {name}: {:.1} times as fast as goaccess (goal: {}), {:.1} times by processor time; it understood {n_valid} lines{hint}",
        ratio(&pairs, |measured| measured.seconds),
        layout.goal,
        ratio(&pairs, |measured| measured.processor)
    ))
}

/// Three lists of bots, beside none, where no answer can be kept for the next line.
fn lists(args: &Args, import: &Path, directory: &Path) -> Result<()> {
    let n_lines = args.agents;
    let log = logs::agents(directory, n_lines)?;
    let lists = if args.bots_list.is_empty() { logs::bots(directory)? } else { args.bots_list.clone() };
    let without = vec![OsString::from("--quiet"), "--to".into(), "/dev/null".into(), log.into()];
    let mut with = without.clone();
    with.extend(lists.iter().flat_map(|list: &PathBuf| [OsString::from("--bots-list"), list.into()]));
    let mut pairs = Vec::new();
    for _ in 0..args.runs {
        pairs.push((measure(import, &without)?, measure(import, &with)?));
    }
    show(&format!("combined: {n_lines} lines, as many agents, {} lists of bots", lists.len()))?;
    figure("import-logs FILE", n_lines, median_of(&pairs, |pair| pair.0))?;
    figure("import-logs --bots-list … FILE", n_lines, median_of(&pairs, |pair| pair.1))?;
    show(&format!(
        "  {:.2} times the time (goal: 1.3), {:.2} times by processor time",
        ratio(&pairs, |measured| measured.seconds),
        ratio(&pairs, |measured| measured.processor)
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
