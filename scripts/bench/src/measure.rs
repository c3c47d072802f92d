//! One command, run and measured: its times and the most memory that it held.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use checkout::show;
use fixtures::closed::close_off;

/// The time and the peak memory of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) seconds: f64,
    /// Seconds of all processors, its own and the system's for it.
    pub(super) processor: f64,
    pub(super) peak_kb: u64,
}

impl Measured {
    /// Any run is better.
    pub(super) const WORST: Self = Self { seconds: f64::MAX, processor: f64::MAX, peak_kb: 0 };

    /// The shortest times of both, and the most memory.
    pub(super) fn best(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.min(other.seconds),
            processor: self.processor.min(other.processor),
            peak_kb: self.peak_kb.max(other.peak_kb),
        }
    }
}

/// A shell in which our programs are found.
pub(super) struct Shell {
    pub(super) bin: PathBuf,
    /// The working directory.
    pub(super) place: PathBuf,
    /// What `$LOG` is there.
    pub(super) log: PathBuf,
}

impl Shell {
    pub(super) fn run(&self, line: &str) -> Result<Measured> {
        let nothing = tempfile::tempdir()?;
        measured(self.command(nothing.path(), line))
    }

    /// Runs a line and returns what it prints.
    pub(super) fn output(&self, line: &str) -> Result<String> {
        let nothing = tempfile::tempdir()?;
        let output = self.command(nothing.path(), line).output().context("starting a shell")?;
        if !output.status.success() {
            bail!("`{line}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, nothing: &Path, line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        close_off(&mut command, nothing).current_dir(&self.place);
        let path = format!("{}:/usr/local/bin:/usr/bin:/usr/sbin:/bin", self.bin.display());
        command.env("PATH", path).env("LOG", &self.log).args(["-ec", line]);
        command
    }
}

/// Runs a program on a closed-off machine.
pub(super) fn measure(program: &Path, args: &[OsString]) -> Result<Measured> {
    let nothing = tempfile::tempdir()?;
    let mut command = Command::new(program);
    close_off(&mut command, nothing.path()).args(args);
    measured(command)
}

/// Prints a line with a measurement of so many log lines.
pub(super) fn figure(what: &str, n_lines: u64, measured: Measured) -> Result<()> {
    let is_known = measured.processor > 0.0;
    let of_processors = if is_known { format!("{:.2} s", measured.processor) } else { "-".to_owned() };
    show(&format!(
        "{what:<34}{:>8.3} s (processors: {of_processors:>7}) {:>8.2} M lines/s {:>6} MB",
        measured.seconds,
        n_lines as f64 / measured.seconds / 1e6,
        measured.peak_kb / 1024
    ))
}

/// A goal, and whether it holds.
pub(super) fn goal(holds: bool, words: &str) -> String {
    format!("goal: {words}, {}", if holds { "holds" } else { "MISSED" })
}

/// The best of so many runs.
pub(super) fn best(n_runs: u32, program: &Path, args: &[OsString]) -> Result<Measured> {
    (0..n_runs).try_fold(Measured::WORST, |best, _| Ok(best.best(measure(program, args)?)))
}

/// The value in the middle; of an even number of them the larger one.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How many times the first of a pair the second took: the median of the pairs.
pub(super) fn ratio(pairs: &[(Measured, Measured)], of: impl Fn(&Measured) -> f64) -> f64 {
    median(pairs.iter().map(|(a, b)| of(b) / of(a).max(1e-3)))
}

pub(super) fn median_of(pairs: &[(Measured, Measured)], of: impl Fn(&(Measured, Measured)) -> Measured) -> Measured {
    Measured {
        seconds: median(pairs.iter().map(|pair| of(pair).seconds)),
        processor: median(pairs.iter().map(|pair| of(pair).processor)),
        peak_kb: pairs.iter().map(|pair| of(pair).peak_kb).max().unwrap_or(0),
    }
}

/// Runs a command to its end, which must be successful.
pub(super) fn measured(mut command: Command) -> Result<Measured> {
    let program = PathBuf::from(command.get_program());
    let before = processor_time_of_children();
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let status_file = format!("/proc/{}/status", child.id());
    let done = AtomicBool::new(false);
    let (status, seconds, peak_kb) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Relaxed) {
                peak = peak_of(&status_file).max(peak);
                std::thread::sleep(Duration::from_millis(10));
            }
            peak
        });
        let status = child.wait();
        let seconds = start.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        (status, seconds, watcher.join().unwrap_or_default())
    });
    let status = status.with_context(|| format!("waiting for {}", program.display()))?;
    if !status.success() {
        bail!("{} failed ({status})", program.display());
    }
    let processor = processor_time_of_children() - before;
    Ok(Measured { seconds, processor, peak_kb })
}

/// Seconds that all processes that this one started and waited for have used; 0 where the system does not
/// tell. Linux counts them in hundredths.
fn processor_time_of_children() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = behind_name.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// The peak memory of a running process so far, in KB; 0 if the system does not tell.
fn peak_of(status_file: &str) -> u64 {
    let text = fs::read_to_string(status_file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0)
}
