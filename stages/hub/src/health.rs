//! The record of the runs of each program, whatever started it: when it last ran and succeeded, how
//! often it failed, how much it counted.
//!
//! Every run that changes something on a hub adds to one file beside the staging files. The file
//! survives a reboot, needs no database, and is read by monitoring. If it cannot be written, the run
//! does not fail.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kit::door::{self, Temporary};
use kit::measure::Measures;
use schema::Exit;
use serde::{Deserialize, Serialize};

use crate::config::Paths;

/// More bytes than the file ever has.
const LONGEST: u64 = 1 << 20;
/// The most counts and steps that one program may have, so that a list of rules cannot grow without
/// end.
const MANY: usize = 200;
/// How long a run waits while another one writes its figures.
const PATIENCE: Duration = Duration::from_secs(5);

/// The record of one program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Runs that ended.
    pub runs: u64,
    /// Those that failed.
    pub failures: u64,
    /// When the last one ended, in seconds since 1970.
    pub last_run: i64,
    /// When one last succeeded.
    pub last_success: Option<i64>,
    /// The exit code of the last one.
    pub last_exit: u8,
    /// The id of the last one.
    pub last_id: String,
    /// Whether another of our programs started the last run and reports its failure.
    pub is_part: bool,
    /// How long the last one took.
    pub last_seconds: f64,
    /// All of them together.
    pub seconds: f64,
    /// What the runs counted, by name.
    pub counts: BTreeMap<String, u64>,
    /// How long their steps took, in seconds.
    pub steps: BTreeMap<String, f64>,
}

/// What unfinished work has reached, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Mode, cursor and pending work, in words.
    pub at: String,
    /// When that was first seen, in seconds since 1970.
    pub since: i64,
}

/// The whole record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Records {
    /// By the name of the program or command.
    pub programs: BTreeMap<String, Record>,
    /// The unfinished work.
    pub progress: Option<Progress>,
    /// The checks that were reported, or that follow from one that was.
    pub told: BTreeMap<String, String>,
    /// Whether the last message was not delivered.
    pub undelivered: bool,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended<'e> {
    /// The program or command.
    pub program: &'e str,
    /// Its exit code.
    pub exit: u8,
    /// Whether another of our programs started it and reports its failure.
    pub is_part: bool,
    /// When, in seconds since 1970.
    pub at: i64,
    /// How long it took.
    pub elapsed: Duration,
    /// What it counted.
    pub measures: &'e Measures,
}

/// Whether a run with this exit code did its work. If it found another run in progress, or its
/// reader left, it neither failed nor succeeded.
const fn outcome(exit: u8) -> (bool, bool) {
    let is_success = exit == Exit::Done.code() || exit == Exit::Rejects.code();
    let is_neutral = exit == Exit::Busy.code() || exit == Exit::ReaderLeft.code();
    (is_success, !is_success && !is_neutral)
}

impl Record {
    /// Adds a run.
    fn add(&mut self, ended: &Ended<'_>) {
        let (is_success, is_failure) = outcome(ended.exit);
        let seconds = ended.elapsed.as_secs_f64();
        self.runs += 1;
        self.failures += u64::from(is_failure);
        self.last_run = ended.at;
        if is_success {
            self.last_success = Some(ended.at);
        }
        if is_success || is_failure {
            self.last_exit = ended.exit;
        }
        self.last_id = kit::run_id().to_owned();
        self.is_part = ended.is_part;
        self.last_seconds = seconds;
        self.seconds += seconds;
        for (name, n) in &ended.measures.counts {
            add(&mut self.counts, name, |sum| *sum = sum.saturating_add(*n));
        }
        for (name, time) in &ended.measures.steps {
            add(&mut self.steps, name, |sum| *sum += time.as_secs_f64());
        }
    }

    /// Whether the last run that did its own work failed.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        outcome(self.last_exit).1
    }
}

fn add<T: Default>(sums: &mut BTreeMap<String, T>, name: &str, add: impl FnOnce(&mut T)) {
    if sums.len() < MANY || sums.contains_key(name) {
        add(sums.entry(name.to_owned()).or_default());
    }
}

/// The file.
#[must_use]
pub fn path(paths: &Paths) -> PathBuf {
    paths.staging().join("_health.json")
}

/// Reads the record; it is empty if there is no file yet.
///
/// # Errors
/// The file cannot be read, or is not one of ours.
pub fn read(paths: &Paths) -> io::Result<Records> {
    let path = path(paths);
    match door::read(&path, LONGEST) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Records::default()),
        Err(error) => Err(error),
    }
}

/// Changes the record, under a lock. A damaged file is kept as `_health.json.damaged`, and a new
/// one is begun.
///
/// # Errors
/// The folder cannot be written, or another run holds the file for too long.
pub fn change(paths: &Paths, change: impl FnOnce(&mut Records)) -> io::Result<()> {
    let path = path(paths);
    let _lock = lock(&path.with_extension("lock"))?;
    let mut records = match read(paths) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            door::rename(&path, &path.with_extension("json.damaged"))?;
            Records::default()
        }
        records => records?,
    };
    change(&mut records);
    let mut file = Temporary::beside(&path)?;
    file.write_all(&serde_json::to_vec_pretty(&records)?)?;
    file.write_all(b"\n")?;
    file.set_mode(0o644)?;
    file.publish(path.file_name().unwrap_or_default())
}

fn lock(path: &Path) -> io::Result<std::fs::File> {
    let file = door::open_or_create(path)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => return Err(io::ErrorKind::TimedOut.into()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The right to deliver messages, held as long as the result lives; `None` if another run has it.
///
/// # Errors
/// The folder cannot be written.
pub fn try_lock_messages(paths: &Paths) -> io::Result<Option<std::fs::File>> {
    let file = door::open_or_create(&path(paths).with_extension("notify.lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Adds a run to the record.
///
/// # Errors
/// As [`change`].
pub fn note(paths: &Paths, ended: &Ended<'_>) -> io::Result<()> {
    change(paths, |records| records.programs.entry(ended.program.to_owned()).or_default().add(ended))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn paths(root: &Path) -> Paths {
        let paths = Paths::new(&|name: &str| (name == "HZMETRICS_ROOT").then(|| root.into()));
        fs::create_dir_all(paths.staging()).unwrap();
        paths
    }

    fn ended(exit: u8, at: i64, measures: &Measures) -> Ended<'_> {
        Ended { program: "summarize", exit, is_part: false, at, elapsed: Duration::from_millis(1500), measures }
    }

    fn measures(rows: u64) -> Measures {
        let mut measures = Measures::default();
        measures.counts.insert("rows".to_owned(), rows);
        measures.steps.insert("misc".to_owned(), Duration::from_millis(250));
        measures
    }

    #[test]
    fn runs_add_up() {
        let root = tempfile::tempdir().unwrap();
        let paths = paths(root.path());
        assert_eq!(read(&paths).unwrap(), Records::default());
        let (some, none) = (measures(5), Measures::default());
        for (exit, at, measures) in
            [(0, 100, &some), (1, 200, &none), (75, 300, &none), (3, 400, &some), (141, 500, &none)]
        {
            note(&paths, &ended(exit, at, measures)).unwrap();
        }
        let records = read(&paths).unwrap();
        let record = &records.programs["summarize"];
        assert_eq!((record.runs, record.failures, record.last_run, record.last_success), (5, 1, 500, Some(400)));
        assert!((record.seconds - 7.5).abs() < 1e-9 && (record.steps["misc"] - 0.5).abs() < 1e-9);
        assert_eq!((record.counts["rows"], record.last_exit, record.has_failed()), (10, 3, false));
        note(&paths, &ended(1, 600, &none)).unwrap();
        // a run that only found another one in progress changes nothing
        note(&paths, &ended(75, 700, &none)).unwrap();
        assert!(read(&paths).unwrap().programs["summarize"].has_failed());
    }

    #[test]
    fn a_damaged_file_is_kept_aside() {
        let root = tempfile::tempdir().unwrap();
        let paths = paths(root.path());
        fs::write(path(&paths), "{\"programs\": ").unwrap();
        assert!(read(&paths).unwrap_err().to_string().contains("_health.json"));
        note(&paths, &ended(0, 1, &Measures::default())).unwrap();
        assert_eq!(read(&paths).unwrap().programs.len(), 1);
        assert!(path(&paths).with_extension("json.damaged").exists());
    }

    #[test]
    fn runs_at_the_same_time_are_all_counted() {
        let root = tempfile::tempdir().unwrap();
        let paths = paths(root.path());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10).for_each(|at| note(&paths, &ended(0, at, &measures(1))).unwrap()));
            }
        });
        assert_eq!(read(&paths).unwrap().programs["summarize"].counts["rows"], 80);
    }
}
