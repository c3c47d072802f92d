//! `bench` of the report: the section on traffic beside `summarize` on the same records, 36 months from cells, and
//! the whole way from a log to the page beside GoAccess, which makes its page of the same log.
//!
//! What is compared runs by turns, and the median of the pairs counts.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use checkout::show;

use super::args::Args;
use super::logs::LAYOUTS;
use super::measure::{Shell, figure, measure, median_of, ratio};

pub(super) fn run(args: &Args, bin: &Path, directory: &Path) -> Result<()> {
    let layout = &LAYOUTS[0];
    let (log, n_lines) = layout.log(directory, args.lines)?;
    show(&format!("the report of a log of {n_lines} lines; medians of {} runs", args.runs))?;
    let place = directory.join("report");
    fs::create_dir_all(&place)?;
    let shell = Shell { bin: bin.to_owned(), place: place.clone(), log: log.clone() };
    // everything that follows reads these
    let _ = shell.run("import-logs --quiet \"$LOG\" | usage-metrics --geo-url none > usage.ndjson")?;
    let n_requests = requests(&place.join("usage.ndjson"))?;
    let month = last_month(&place.join("usage.ndjson"))?;
    traffic(args, bin, &place, &month, n_requests)?;
    cells(args, bin, &place)?;
    chain(args, &shell, layout.goaccess(&log, &place.join("goaccess.html")), &month, n_lines)
}

fn requests(records: &Path) -> Result<u64> {
    let bytes = fs::read(records)?;
    Ok(bytes.split(|b| *b == b'\n').filter(|line| line.starts_with(b"{\"kind\":\"web\"")).count() as u64)
}

/// The month of the last request.
pub(super) fn last_month(records: &Path) -> Result<String> {
    let text = fs::read(records)?;
    let text = String::from_utf8_lossy(&text);
    let of_line = |line: &str| Some(line.split_once("\"datetime\":\"")?.1.get(..7)?.to_owned());
    let months = text.lines().filter(|line| line.starts_with("{\"kind\":\"web\"")).filter_map(of_line);
    months.max().context("the log has no request that counts")
}

/// The section on traffic, beside `summarize`.
fn traffic(args: &Args, bin: &Path, place: &Path, month: &str, n_requests: u64) -> Result<()> {
    let input = [OsString::from("--from"), place.join("usage.ndjson").into(), "--quiet".into()];
    let mut summarize = vec![OsString::from("--month"), month.into(), "--to".into(), "/dev/null".into()];
    let mut report = vec![OsString::from("--sections"), "traffic".into(), "--to".into(), "/dev/null".into()];
    summarize.extend(input.clone());
    report.extend(input);
    let mut pairs = Vec::new();
    for _ in 0..args.runs {
        pairs.push((measure(&bin.join("summarize"), &summarize)?, measure(&bin.join("report"), &report)?));
    }
    figure("summarize --month", n_requests, median_of(&pairs, |pair| pair.0))?;
    let ours = median_of(&pairs, |pair| pair.1);
    figure("report --sections traffic", n_requests, ours)?;
    show(&format!(
        "  {:.2} times the time of summarize (goal: 1.5), {:.2} times by processor time, {} MB (goal: 200), {n_requests} requests",
        ratio(&pairs, |measured| measured.seconds),
        ratio(&pairs, |measured| measured.processor),
        ours.peak_kb / 1024
    ))
}

/// 36 months from cells: all those that the report draws.
fn cells(args: &Args, bin: &Path, place: &Path) -> Result<()> {
    let path = place.join("cells.ndjson");
    let mut file = File::create(&path)?;
    for month in 0..36_u32 {
        let name = format!("{}-{:02}", 2022 + (month + 7) / 12, (month + 7) % 12 + 1);
        for (table, rows, columns) in [("user", 8, 11), ("simusage", 10, 1), ("misc", 8, 1)] {
            let places = (1..=rows).flat_map(|row| (1..=columns).map(move |column| (row, column)));
            for (row, column) in places.filter(|(row, _)| table != "misc" || *row != 7) {
                for period in [0, 1, 3, 12, 13, 14] {
                    let value = 1000 + 17 * month / row + period;
                    writeln!(
                        file,
                        "{{\"kind\":\"cell\",\"table\":\"summary_{table}_vals\",\"rowid\":{row},\"colid\":{column},\
                         \"datetime\":\"{name}-00 00:00:00\",\"period\":{period},\"value\":\"{value}\",\"valfmt\":1}}"
                    )?;
                }
            }
        }
    }
    drop(file);
    let report = [OsString::from("--from"), path.into(), "--to".into(), "/dev/null".into()];
    let pairs = (0..args.runs).map(|_| measure(&bin.join("report"), &report)).collect::<Result<Vec<_>>>()?;
    let pairs: Vec<_> = pairs.into_iter().map(|one| (one, one)).collect();
    let ours = median_of(&pairs, |pair| pair.0);
    show(&format!("report of 36 months from cells: {:.3} s (goal: 0.2)", ours.seconds))
}

/// From the log to the page, beside GoAccess: with sessions and cells, which GoAccess has not, and the traffic alone.
fn chain(args: &Args, shell: &Shell, theirs: Vec<OsString>, month: &str, n_lines: u64) -> Result<()> {
    let all = format!(
        "import-logs --quiet \"$LOG\" | usage-metrics --geo-url none > usage.ndjson\n\
         summarize --quiet --month {month} < usage.ndjson | report --from usage.ndjson --from - --to page.html"
    );
    let alone = "import-logs --quiet \"$LOG\" | report --to page.html";
    let has_goaccess = measure("goaccess".as_ref(), &["--version".into()]).is_ok();
    for (what, line) in [("from the log to the whole page", all.as_str()), ("from the log to the traffic", alone)] {
        let mut pairs = Vec::new();
        for _ in 0..args.runs {
            // a run does not take away what the one before left
            for left in ["usage.ndjson", "page.html", "goaccess.html"] {
                let _ = fs::remove_file(shell.place.join(left));
            }
            let ours = shell.run(line)?;
            let other = if has_goaccess { measure("goaccess".as_ref(), &theirs)? } else { ours };
            pairs.push((ours, other));
        }
        figure(what, n_lines, median_of(&pairs, |pair| pair.0))?;
        if !has_goaccess {
            show("goaccess is not installed, so there is no comparison with it")?;
            continue;
        }
        figure("goaccess FILE -o html", n_lines, median_of(&pairs, |pair| pair.1))?;
        show(&format!(
            "  {:.1} times as fast as goaccess (goal: 10), {:.1} times by processor time",
            ratio(&pairs, |measured| measured.seconds),
            ratio(&pairs, |measured| measured.processor)
        ))?;
    }
    Ok(())
}
