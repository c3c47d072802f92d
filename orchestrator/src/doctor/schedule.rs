//! What starts our programs, and what starts other programs that write the same tables. Each part of the
//! work should be started once, by the right account, and not by both.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hub::config::Paths;

use super::checked_hub::CheckedHub;
use super::cron_times::longest_pause;
use super::crontabs::{Crontabs, Scheduled};
use super::report::Report;
use crate::accounts::Names;
use crate::guard;

/// A part of the work that is started at certain times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    /// All of the daily work: `tick`, `run`, `process`.
    Nightly,
    /// One of the seven original lines.
    Part(&'static str),
    /// The map of who is online: `tick`, `whoisonline`.
    Online,
}

/// The stages of the seven lines; those of the night in their order.
const PARTS: [&str; 6] = ["fetch-logs", "import-logs", "archive", "tool-metrics", "usage-metrics", "summarize"];
const ONLINE: &str = "whoisonline";
/// Named chains of these lines whose name differs from their stage.
const CHAINS: [(&str, &str); 2] = [("fetch", "fetch-logs"), ("import", "import-logs")];
/// Our own file with the port's name is at most this large.
const SHIM_BYTES: u64 = 4096;

fn stage(name: &str) -> Option<Duty> {
    if name == ONLINE {
        return Some(Duty::Online);
    }
    PARTS.into_iter().find(|part| *part == name).map(Duty::Part)
}

/// What a command of ours does; nothing if it is not ours.
fn duties(paths: &Paths, command: &str) -> Vec<Duty> {
    let words: Vec<&str> = command
        .split(|c: char| c.is_whitespace() || "'\"`;&|()<>".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let rest = words.get(at + 1..).unwrap_or_default();
        match word.rsplit('/').next() {
            Some("hzmetrics") => found.extend(of_hzmetrics(rest)),
            Some("hzmetrics.py") if fs::metadata(paths.at(word)).is_ok_and(|meta| meta.len() <= SHIM_BYTES) => {
                found.extend(of_hzmetrics(rest));
            }
            Some(name) if rest.iter().any(|word| ["--db", "--stage"].contains(word)) && at < 8 => {
                found.extend(stage(name));
            }
            _ => {}
        }
    }
    found.dedup();
    found
}

fn of_hzmetrics(words: &[&str]) -> Vec<Duty> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "-c" | "--config" | "--compat" => {
                words.next();
            }
            "tick" => return vec![Duty::Nightly, Duty::Online],
            "run" | "process" => return vec![Duty::Nightly],
            "run-chain" => {
                let name = words.find(|word| !word.starts_with('-')).copied().unwrap_or_default();
                let name = CHAINS.iter().find(|(chain, _)| *chain == name).map_or(name, |(_, stage)| stage);
                return stage(name).into_iter().collect();
            }
            word if word.starts_with('-') => {}
            name => return stage(name).into_iter().collect(),
        }
    }
    Vec::new()
}

/// Programs one of which something starts, and the longest pause between two starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// As their runs are remembered.
    pub(crate) programs: &'static [&'static str],
    pub(crate) pause: Duration,
}

const NIGHTLY: &[&str] = &["hzmetrics run", "hzmetrics process"];
const MAP: &[&str] = &[ONLINE];
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A month, for a timer whose times nobody reads.
const MONTH: Duration = Duration::from_secs(31 * 24 * 3600);

/// What a part of the work is remembered as, and how often it is usually started.
fn usual(duty: &Duty) -> (&'static [&'static str], Duration) {
    const NAMES: [&[&str]; 6] =
        [&["fetch-logs"], &["import-logs"], &["archive"], &["tool-metrics"], &["usage-metrics"], &["summarize"]];
    match duty {
        Duty::Nightly => (NIGHTLY, HOUR),
        Duty::Online => (MAP, HOUR / 4),
        Duty::Part(part) => {
            let name = NAMES.into_iter().find(|name| name.contains(part)).unwrap_or(&[]);
            (name, if *part == "summarize" { MONTH } else { DAY })
        }
    }
}

/// All that something starts on this machine, as far as this account may know.
pub(crate) fn expected(paths: &Paths) -> Vec<Expected> {
    let mut found: Vec<Expected> = Vec::new();
    for line in Crontabs::read(paths).lines {
        if guard::program(paths, &line.command).is_some() {
            continue;
        }
        for duty in duties(paths, &line.command) {
            let (programs, pause) = usual(&duty);
            let pause = longest_pause(&line.times).unwrap_or(pause);
            // a tick does the work of a run once an hour
            let pause = if duty == Duty::Nightly { pause.max(HOUR) } else { pause };
            match found.iter_mut().find(|known| known.programs == programs) {
                Some(known) => known.pause = known.pause.min(pause),
                None => found.push(Expected { programs, pause }),
            }
        }
    }
    found
}

/// A line of our own.
struct OurLine {
    line: Scheduled,
    duties: Vec<Duty>,
}

/// All lines that start our programs or others.
pub(super) fn all(checked: &mut CheckedHub<'_>, report: &mut Report) {
    let paths = &checked.hub.config.paths;
    let crontabs = Crontabs::read(paths);
    let mut others = Vec::new();
    let mut ours = Vec::new();
    for line in crontabs.lines {
        if let Some(program) = guard::program(paths, &line.command) {
            others.push((line, program));
            continue;
        }
        let duties = duties(paths, &line.command);
        if !duties.is_empty() {
            ours.push(OurLine { line, duties });
        }
    }
    of_others(&others, &crontabs.unreadable, report);
    of_ours(checked, &ours, &others, &crontabs.unreadable, report);
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Programs that write the same tables as ours.
fn of_others(others: &[(Scheduled, String)], unread: &[PathBuf], report: &mut Report) {
    for (line, program) in others {
        report.fail(
            format_args!(
                "cron: {} still starts {program}, which writes the same tables: take the line out",
                line.place
            ),
            remove(line),
        );
    }
    if others.is_empty() {
        let unread = match unread {
            [] => String::new(),
            unread => format!("; not ours to read (ask again as root): {}", listed(unread)),
        };
        report.ok(format_args!("cron: no line starts the original scripts or the port{unread}"));
    }
}

/// How to remove a line.
fn remove(line: &Scheduled) -> String {
    let name = line.file.file_name().unwrap_or_default().to_string_lossy();
    if line.file.extension().is_some_and(|e| e == "timer") {
        return format!("systemctl disable --now {name}");
    }
    let number = line.place.rsplit(' ').next().unwrap_or_default();
    format!("sed -i '{number}s/^/#/' {}", line.file.display())
}

fn of_ours(
    checked: &CheckedHub<'_>,
    ours: &[OurLine],
    others: &[(Scheduled, String)],
    unread: &[PathBuf],
    report: &mut Report,
) {
    if ours.is_empty() {
        return nobody(checked, others, unread, report);
    }
    let n_before = ours.iter().filter(|our| our.line.user == "root").count();
    for our in ours.iter().filter(|our| our.line.user == "root") {
        report.fail_ours(
            format_args!("cron: {} runs as root: {}", our.line.place, our.line.command),
            if our.line.file.extension().is_some_and(|e| e == "timer") {
                "systemctl edit the service: add `User=` with the web server's user under [Service]"
            } else {
                "let the web server's user (apache, www-data) run the line: the sixth word, or that user's crontab"
            },
        );
    }
    let n_doubled = doubled(ours, report);
    if n_before + n_doubled + missing(ours, report) == 0 {
        let places: Vec<&str> = ours.iter().map(|our| our.line.place.as_str()).collect();
        report.ok(format_args!("cron: started by {}", places.join("; ")));
    }
}

/// None of our programs is started.
fn nobody(checked: &CheckedHub<'_>, others: &[(Scheduled, String)], unread: &[PathBuf], report: &mut Report) {
    let config = &checked.hub.config;
    let names = Names::read(&config.paths);
    let user = if hub::identity::is_root() {
        names.account(config).unwrap_or_else(|| "apache".to_owned())
    } else {
        names.me()
    };
    let fix = format!(
        "echo '*/5 * * * * {user} /opt/hubzero/bin/hzmetrics tick' > {}",
        config.paths.at("/etc/cron.d/hubzero-metrics").display()
    );
    match (others, unread) {
        ([], []) => report.fail_ours("cron: no crontab and no timer starts hzmetrics: nothing is counted", fix),
        ([], unread) => {
            let text =
                format!("cron: no line that can be read starts hzmetrics; ask again as root about {}", listed(unread));
            report.warn(text, fix);
        }
        // the other programs' lines are findings already
        (_, _) => report.ok("cron: no program of hzmetrics is started yet"),
    }
}

/// Two lines that do the same work.
fn clash<'o>(duty: &Duty, lines: &[&'o OurLine], nightly: &[&'o OurLine]) -> Option<(&'o OurLine, &'o OurLine)> {
    let (first, rest) = lines.split_first()?;
    match duty {
        // a line for all the work and one of the seven, or one of the seven in two places; within
        // one crontab it may occur twice, for two months
        Duty::Part(_) => {
            let elsewhere = || rest.iter().find(|our| our.line.file != first.line.file).map(|our| (*first, *our));
            nightly.first().map(|whole| (*whole, *first)).or_else(elsewhere)
        }
        Duty::Nightly | Duty::Online => rest.first().map(|second| (*first, *second)),
    }
}

/// The same work started twice; returns how often.
fn doubled(ours: &[OurLine], report: &mut Report) -> usize {
    let mut by_duty: BTreeMap<&Duty, Vec<&OurLine>> = BTreeMap::new();
    for our in ours {
        for duty in &our.duties {
            by_duty.entry(duty).or_default().push(our);
        }
    }
    let nightly = by_duty.get(&Duty::Nightly).cloned().unwrap_or_default();
    let mut found: Vec<_> = by_duty.iter().filter_map(|(duty, lines)| clash(duty, lines, &nightly)).collect();
    let places = |pair: &(&OurLine, &OurLine)| (pair.0.line.place.clone(), pair.1.line.place.clone());
    found.sort_by_key(places);
    found.dedup_by_key(|pair| places(pair));
    for (one, other) in &found {
        report.fail_ours(
            format_args!("cron: the same work is started twice: by {} and by {}", one.line.place, other.line.place),
            remove(&other.line),
        );
    }
    found.len()
}

/// Parts of the work that nothing starts; returns the number of findings.
fn missing(ours: &[OurLine], report: &mut Report) -> usize {
    let has = |duty: &Duty| ours.iter().any(|our| our.duties.contains(duty));
    let mut missing: Vec<&str> = Vec::new();
    if !has(&Duty::Nightly) {
        missing.extend(PARTS.into_iter().filter(|part| !has(&Duty::Part(part))));
    }
    if missing.is_empty() && has(&Duty::Online) {
        return 0;
    }
    if !missing.is_empty() {
        let text = format!("cron: nothing starts {}: numbers will be missing", missing.join(", "));
        report.fail_ours(
            text,
            "add the line of cron for each, or one for all: */5 * * * * USER /opt/hubzero/bin/hzmetrics tick",
        );
        return 1;
    }
    report.warn(
        "cron: nothing starts whoisonline: the map of who is online stays as it is",
        "*/15 * * * * USER /opt/hubzero/bin/hzmetrics whoisonline",
    );
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(root: &std::path::Path) -> Paths {
        Paths::new(&|name: &str| (name == "HZMETRICS_ROOT").then(|| root.into()))
    }

    #[test]
    fn commands_of_our_own_are_recognised() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("hzmetrics.py"), "exec hzmetrics").unwrap();
        let check = |command: &str, expected: &[Duty]| {
            assert_eq!(duties(&paths(root.path()), command), expected, "{command}");
        };
        let tick = [Duty::Nightly, Duty::Online];
        check("/opt/hubzero/bin/hzmetrics tick", &tick);
        check("python3 /hzmetrics.py tick >/dev/null 2>&1", &tick);
        check("nice -n 5 /x/hzmetrics -c /etc/x.cfg --compat port run --budget 60", &[Duty::Nightly]);
        check("/x/hzmetrics whoisonline", &[Duty::Online]);
        check("/x/hzmetrics run-chain fetch", &[Duty::Part("fetch-logs")]);
        check("/x/hzmetrics run-chain summarize 2025-01", &[Duty::Part("summarize")]);
        check("/x/fetch-logs --stage && /x/import-logs --db", &[Duty::Part("fetch-logs"), Duty::Part("import-logs")]);
        check("/x/summarize --db", &[Duty::Part("summarize")]);
        for command in
            ["/x/hzmetrics doctor", "/x/hzmetrics status", "archive /home", "/gone/hzmetrics.py tick", "true"]
        {
            check(command, &[]);
        }
    }
}
