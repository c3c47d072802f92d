//! The pid lock: only one writer to the databases at a time.
//!
//! An advisory `flock` on a file in the runtime directory; the lock decides, not the file. The text
//! that an earlier holder left in the file only serves to say what happened to it. A process
//! started by the holder is let through: the holder identifies itself in the environment.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use kit::door::named;
use kit::{Busy, Io, Messages, door};

use crate::config::Paths;

/// The environment variable with the holder's pid, by which it lets its children through.
pub const HOLDER: &str = "HZMETRICS_LOCK_HOLDER";

/// How often a waiting process retries.
const PAUSE: Duration = Duration::from_millis(100);

/// How long everybody waits for a holder who works in turns: it lets others in after some seconds.
pub const TURNS_WAIT: Duration = Duration::from_secs(120);

/// The word of a holder who works in turns.
const IN_TURNS: &str = "in-turns";

/// A holder that just began has written nothing yet.
const BEGINNING: Duration = Duration::from_millis(200);

/// The result of requesting the lock.
#[derive(Debug)]
pub enum LockResult {
    /// We hold it until this is dropped.
    Held(Lock),
    /// The process that started us holds it.
    Inherited,
    /// Another process holds it; its pid, if the file contains it.
    Busy(Option<u32>),
}

/// The error that another run is in progress. A stage that fails with it ends with code 75.
#[must_use]
pub fn busy(holder: Option<u32>) -> Busy {
    let holder = holder.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    Busy(format!("another run is in progress{holder}; try again later"))
}

/// Takes the pid lock for a run that writes to the databases, waiting as long as `--lock-wait` says. Keep
/// the result until the end.
///
/// # Errors
/// Another process holds the lock, or it cannot be created.
pub fn for_run(io: &Io, paths: &Paths) -> Result<Option<Lock>> {
    Lock::for_stage(&paths.pid_lock(), Duration::from_secs(io.common().lock_wait), io.messages)
}

/// A held lock. Dropping removes the file, then unlocks.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    /// What an earlier holder left, in words, if it did not release the lock itself.
    pub stale: Option<String>,
}

impl Lock {
    /// Tries to take the lock for at most `wait`. The directory is created if it is missing.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub fn ask(path: &Path, wait: Duration) -> Result<LockResult> {
        Self::wait_for(path, wait, "")
    }

    /// The same for work of which each piece takes some seconds, with the lock given back after each: whoever asks in
    /// the meantime waits for the end of a piece, also without a wait of its own.
    ///
    /// # Errors
    /// Those of [`Lock::ask`].
    pub fn ask_in_turns(path: &Path, wait: Duration) -> Result<LockResult> {
        Self::wait_for(path, wait, IN_TURNS)
    }

    fn wait_for(path: &Path, wait: Duration, mark: &str) -> Result<LockResult> {
        let begin = Instant::now();
        loop {
            let text = match Self::once(path, mark)? {
                Ok(lock) => return Ok(LockResult::Held(lock)),
                Err(text) => text,
            };
            let holder = pid_in(&text);
            if holder.is_some() && holder == inherited() {
                return Ok(LockResult::Inherited);
            }
            let left = wait.max(patience(&text)).saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Ok(LockResult::Busy(holder));
            }
            std::thread::sleep(PAUSE.min(left));
        }
    }

    /// The lock for a stage that writes: waits up to `wait`, then fails with [`Busy`]. `None` if
    /// the process that started us holds it.
    ///
    /// # Errors
    /// Another process holds it, or the file cannot be opened or written.
    pub fn for_stage(path: &Path, wait: Duration, messages: Messages) -> Result<Option<Self>> {
        match Self::ask(path, wait)? {
            LockResult::Held(lock) => {
                if let Some(stale) = &lock.stale {
                    messages.note(stale);
                }
                Ok(Some(lock))
            }
            LockResult::Inherited => Ok(None),
            LockResult::Busy(pid) => Err(busy(pid).into()),
        }
    }

    /// The lock, or what its holder wrote.
    fn once(path: &Path, mark: &str) -> Result<Result<Self, String>> {
        let shown = path.display();
        if let Some(directory) = path.parent() {
            door::make_folder(directory).with_context(|| format!("making {}", directory.display()))?;
        }
        loop {
            let mut file = door::open_or_create(path).with_context(|| format!("opening the lock {shown}"))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Err(read(&mut file))),
                Err(TryLockError::Error(e)) => return Err(e).with_context(|| format!("locking {shown}")),
            }
            // the previous holder may have removed this very file between our open and our lock
            if !door::is_at(&file, path) {
                continue;
            }
            let stale = diagnose(&read(&mut file));
            let line = format!("{} {} {} {mark}", std::process::id(), boot_marker(), now());
            let line = format!("{}\n", line.trim_end());
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| file.write_all(line.as_bytes()))
                .and_then(|()| file.flush())
                .with_context(|| format!("writing the lock {shown}"))?;
            return Ok(Ok(Self { file, path: path.to_owned(), stale }));
        }
    }
}

/// The open file: passed to a child, it keeps the lock held until that child ends too.
impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = door::remove(&self.path);
        let _ = self.file.unlock();
    }
}

/// A process that holds the lock, as it wrote itself down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Since when, in seconds since 1970.
    pub since: i64,
}

/// Who holds the lock, without asking for it: looking on must not be in anybody's way. A process that is
/// gone holds nothing.
#[must_use]
pub fn holder(path: &Path) -> Option<Holder> {
    let text = door::read_to_string(path, 256).ok()?;
    let mut words = text.split_whitespace();
    let pid = words.next()?.parse().ok()?;
    let marker = words.next()?;
    let since: jiff::Timestamp = words.next()?.parse().ok()?;
    let here = boot_marker();
    let is_here = marker == here || [marker, here.as_str()].contains(&"?");
    let is_ours = |line: Vec<u8>| String::from_utf8_lossy(&line).contains("hzmetrics") || is_stage(&line);
    let is_running = named::read(Path::new(&format!("/proc/{pid}/cmdline"))).is_ok_and(is_ours);
    (is_here && is_running).then(|| Holder { pid, since: since.as_second() })
}

/// Whether a command line is that of a program with the rights to write: the lock of a stage that was
/// started alone has its own number.
fn is_stage(line: &[u8]) -> bool {
    let words = String::from_utf8_lossy(line).into_owned();
    words.split('\0').any(|word| matches!(word, "--db" | "--stage" | "--to"))
}

/// The pid of the holder that lets us through, if there is one.
fn inherited() -> Option<u32> {
    std::env::var(HOLDER).ok()?.parse().ok()
}

fn read(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(256).read_to_string(&mut text);
    text
}

/// How long everybody waits for the holder who wrote this.
fn patience(text: &str) -> Duration {
    match text.split_whitespace().nth(3) {
        Some(IN_TURNS) => TURNS_WAIT,
        None if text.is_empty() => BEGINNING,
        _ => Duration::ZERO,
    }
}

fn pid_in(text: &str) -> Option<u32> {
    text.split_whitespace().next()?.parse().ok()
}

/// What became of the process that wrote `text`; `None` for an empty or malformed text.
fn diagnose(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let pid: u32 = words.next()?.parse().ok()?;
    let marker = words.next()?;
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if marker != "?" && !is_number(marker) {
        return None;
    }
    let since = words.next().unwrap_or("?");
    let here = boot_marker();
    // if either is unknown, the pid has to decide
    if marker != here && ![marker, here.as_str()].contains(&"?") {
        return Some(format!("an earlier run (pid {pid}, {since}) ended with the system or container it ran in"));
    }
    Some(match named::read(Path::new(&format!("/proc/{pid}/cmdline"))) {
        Ok(line) if String::from_utf8_lossy(&line).contains("hzmetrics") => {
            format!("an earlier run (pid {pid}, {since}) lost its lock but is still there")
        }
        Ok(_) => format!("an earlier run (pid {pid}, {since}) was killed; its pid belongs to another process now"),
        Err(_) => format!("an earlier run (pid {pid}, {since}) was killed"),
    })
}

/// When process 1 started, in seconds since the epoch: differs between boots and containers.
fn boot_marker() -> String {
    let started = || -> Option<u64> {
        let stat = named::read_to_string(Path::new("/proc/1/stat")).ok()?;
        let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        let boot = named::read_to_string(Path::new("/proc/stat")).ok()?;
        let boot: u64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(boot + ticks / 100)
    };
    started().map_or_else(|| "?".to_owned(), |seconds| seconds.to_string())
}

/// Local time with milliseconds and offset, `2026-05-21T14:05:49.123-04:00`.
pub(crate) fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn held(asked: LockResult) -> Lock {
        match asked {
            LockResult::Held(lock) => lock,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_one_process_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/hzmetrics.pid");
        let lock = held(Lock::ask(&path, Duration::ZERO).unwrap());
        assert_eq!(lock.stale, None);
        let text = fs::read_to_string(&path).unwrap();
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!((words.len(), words[0]), (3, std::process::id().to_string().as_str()), "{text}");
        assert_eq!(words[1], boot_marker(), "{text}");
        assert!(words[2].len() == 29 && words[2].as_bytes()[10] == b'T', "{text}");
        let then: jiff::Timestamp = words[2].parse().unwrap();
        assert!((jiff::Timestamp::now() - then).total(jiff::Unit::Second).unwrap().abs() < 3600.0, "{text}");
        assert!(
            matches!(Lock::ask(&path, Duration::ZERO).unwrap(), LockResult::Busy(Some(pid)) if pid == std::process::id())
        );
        drop(lock);
        assert!(!path.exists());
        drop(held(Lock::ask(&path, Duration::ZERO).unwrap()));
    }

    #[test]
    fn waiting_ends_when_the_lock_is_released() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hzmetrics.pid");
        let lock = held(Lock::ask(&path, Duration::ZERO).unwrap());
        let other = std::thread::spawn({
            let path = path.clone();
            move || matches!(Lock::ask(&path, Duration::from_secs(20)).unwrap(), LockResult::Held(_))
        });
        std::thread::sleep(Duration::from_millis(150));
        drop(lock);
        assert!(other.join().unwrap());
    }

    #[test]
    fn everybody_waits_for_a_holder_who_works_in_turns() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hzmetrics.pid");
        let lock = held(Lock::ask_in_turns(&path, Duration::ZERO).unwrap());
        assert!(fs::read_to_string(&path).unwrap().ends_with(" in-turns\n"));
        assert_eq!(holder(&path).map(|holder| holder.pid), None, "a test is not a program of ours");
        let other = std::thread::spawn({
            let path = path.clone();
            move || held(Lock::ask(&path, Duration::ZERO).unwrap())
        });
        std::thread::sleep(Duration::from_millis(150));
        assert!(!other.is_finished());
        drop(lock);
        let others = other.join().unwrap();
        // whoever took it does not work in turns
        assert!(matches!(Lock::ask_in_turns(&path, Duration::ZERO).unwrap(), LockResult::Busy(_)));
        drop(others);
    }

    #[test]
    fn a_lock_left_by_a_killed_holder_is_reported_and_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hzmetrics.pid");
        for (left, words) in [
            (format!("4194399 {} 2026-01-01T00:00:00.000+00:00\n", boot_marker()), "was killed"),
            ("77 1 2026-01-01T00:00:00.000+00:00\n".to_owned(), "ended with the system"),
            (format!("1 {} x\n", boot_marker()), "another process"),
            (format!("{} {} x\n", std::process::id(), boot_marker()), "another process"),
            // if the place is unknown, the pid has to decide
            ("1 ? x\n".to_owned(), "another process"),
            // no process has this pid
            (format!("0 {} x\n", boot_marker()), "was killed"),
            (format!("{} {} x\n", i32::MAX, boot_marker()), "was killed"),
        ] {
            fs::write(&path, &left).unwrap();
            let lock = held(Lock::ask(&path, Duration::ZERO).unwrap());
            assert!(lock.stale.as_deref().is_some_and(|s| s.contains(words)), "{left} {:?}", lock.stale);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with(&format!("{} ", std::process::id())) && text.lines().count() == 1, "{text}");
        }
        let long = format!("garbage {}\n", "and more ".repeat(100));
        for left in ["", "\n", "garbage", "no-number 5 2026-01-01\n", "12", "12\n", "12 no-number whatever\n", &long] {
            fs::write(&path, left).unwrap();
            let lock = held(Lock::ask(&path, Duration::ZERO).unwrap());
            assert_eq!(lock.stale, None, "{left}");
            assert_eq!(fs::read_to_string(&path).unwrap().split_whitespace().count(), 3, "{left}");
        }
    }

    #[test]
    fn a_running_holder_that_lost_its_lock_is_reported() {
        use std::os::unix::process::CommandExt as _;
        #[expect(clippy::disallowed_methods, reason = "a process with our name")]
        let mut child = std::process::Command::new("sleep").arg0("hzmetrics run").arg("60").spawn().unwrap();
        // right after its start it has no command line yet
        let words = format!("/proc/{}/cmdline", child.id());
        while fs::read(&words).unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let stale = diagnose(&format!("{} {} x\n", child.id(), boot_marker()));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hzmetrics.pid");
        fs::write(&path, format!("{} {} 2026-01-01T00:00:00.000+00:00\n", child.id(), boot_marker())).unwrap();
        assert_eq!(holder(&path), Some(Holder { pid: child.id(), since: 1_767_225_600 }));
        fs::write(&path, format!("{} 7 2026-01-01T00:00:00.000+00:00\n", child.id())).unwrap();
        assert_eq!(holder(&path), None, "of another boot");
        fs::write(&path, format!("{} {} 2026-01-01T00:00:00.000+00:00\n", child.id(), boot_marker())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((holder(&path), holder(&directory.path().join("none"))), (None, None));
        assert!(stale.as_deref().is_some_and(|text| text.contains("still there")), "{stale:?}");
    }

    #[test]
    fn the_start_of_the_system_or_container_is_plausible() {
        let marker = boot_marker();
        let started: u64 = marker.parse().unwrap();
        let stat = fs::read_to_string("/proc/stat").unwrap();
        let boot: u64 = stat.lines().find_map(|line| line.strip_prefix("btime ")).unwrap().trim().parse().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        // process 1 starts with the system or later; allow for clock adjustments
        assert!(started >= boot && started <= now + 60, "{boot} {started} {now}");
        assert_eq!(boot_marker(), marker);
    }
}
