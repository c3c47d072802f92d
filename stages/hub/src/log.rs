//! The log of the orchestrator: one line per event, to a file, to syslog and to standard error.
//!
//! The file is the record: everything goes there, time-stamped, the command line first. Standard
//! error is for people and for cron's mail, so the caller chooses how much it gets. A log that
//! cannot be written causes one warning and never a failure. A run that continues after a rotation
//! uses the new file.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use schema::json;

use crate::config::{Env, LOG_FORMAT, Paths};
use crate::lock::now;
use kit::{Level, Messages, door, push_seen};

/// If set to `json`, the file contains JSON objects.
pub const LOG_LINES: &str = "HZMETRICS_LOG_LINES";

/// Set to `yes`, systemd's journal gets the lines with their fields, instead of the system's log.
pub const JOURNAL: &str = "HZMETRICS_JOURNAL";
/// Where the journal takes them.
const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// What goes to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// Everything from INFO up, as complete log lines with time and level, as in the port.
    Lines,
    /// Everything from INFO up, as messages after the program's name.
    Talk,
    /// Warnings and errors; on a terminal also the rest. A successful run under cron is silent.
    Quiet,
    /// Nothing: another program reports it.
    Nothing,
}

/// The destinations of the log.
#[derive(Debug, Clone)]
pub struct Sinks {
    /// The file, appended to; its folder is created if it is missing.
    pub file: Option<PathBuf>,
    /// Lines of the file as JSON objects.
    pub json: bool,
    /// The socket of the system's log.
    pub syslog: Option<PathBuf>,
    /// Whether that is the socket of systemd's journal.
    pub is_journal: bool,
    /// Standard error.
    pub stderr: Stderr,
}

impl Sinks {
    /// The sinks that the environment asks for, for a log in `file`.
    #[must_use]
    pub fn of(file: Option<PathBuf>, env: Env<'_>, stderr: Stderr) -> Self {
        let is = |name: &str, value: &str| env(name).is_some_and(|given| given == value);
        let is_journal = is(JOURNAL, "yes");
        let socket = if is_journal { JOURNAL_SOCKET } else { "/dev/log" };
        let json = is(LOG_LINES, "json") || is(LOG_FORMAT, "json");
        Self { file, json, syslog: Some(Paths::new(env).at(socket)), is_journal, stderr }
    }
}

/// An open log.
#[derive(Debug)]
pub struct Log {
    name: &'static str,
    json: bool,
    is_journal: bool,
    stderr: Stderr,
    terminal: bool,
    out: Mutex<Out>,
}

#[derive(Debug, Default)]
struct Out {
    file: Option<Named>,
    syslog: Option<UnixDatagram>,
}

/// A file, and the name it was opened by.
#[derive(Debug)]
struct Named {
    path: PathBuf,
    file: File,
}

impl Named {
    /// The file that has the name now. While no file has it, as in the middle of a rotation, it is
    /// still the old one, unless that was removed.
    fn current(&mut self) -> &mut File {
        let is_other = match door::look(&self.path) {
            Ok(Some(_)) => !door::is_at(&self.file, &self.path),
            Ok(None) => self.file.metadata().is_ok_and(|held| held.nlink() == 0),
            Err(_) => false,
        };
        if is_other && let Ok(file) = append(&self.path) {
            self.file = file;
        }
        &mut self.file
    }
}

/// The facility LOCAL0.
const FACILITY: u8 = 16;

/// The syslog severity.
const fn severity(level: Level) -> u8 {
    match level {
        Level::Debug => 7,
        Level::Info => 6,
        Level::Warning => 4,
        Level::Error => 3,
    }
}

impl Log {
    /// Opens the log of the program `name` and writes the command line to it. A destination that
    /// cannot be opened is left out, with one warning.
    #[must_use]
    pub fn open(name: &'static str, sinks: &Sinks, command_line: &str) -> Self {
        let mut out = Out::default();
        let mut missing = Vec::new();
        if let Some(path) = &sinks.file {
            match append(path) {
                Ok(file) => out.file = Some(Named { path: path.clone(), file }),
                Err(e) => missing.push((Level::Warning, format!("no log in {}: {e}", path.display()))),
            }
        }
        if let Some(path) = &sinks.syslog {
            let connected = UnixDatagram::unbound().and_then(|socket| {
                // a stuck syslog must not block us
                socket.set_nonblocking(true)?;
                socket.connect(path).map(|()| socket)
            });
            match connected {
                Ok(socket) => out.syslog = Some(socket),
                // containers have none: recorded in the file, but not worth a mail
                Err(e) => {
                    let level = if sinks.stderr == Stderr::Lines { Level::Warning } else { Level::Debug };
                    missing.push((level, format!("no syslog at {}: {e}", path.display())));
                }
            }
        }
        let terminal = io::stderr().is_terminal();
        let (json, is_journal) = (sinks.json, sinks.is_journal);
        let log = Self { name, json, is_journal, stderr: sinks.stderr, terminal, out: Mutex::new(out) };
        log.debug(format_args!("=== {command_line} === run {}", kit::run_id()));
        for (level, text) in missing {
            log.write(level, &text);
        }
        log
    }

    /// For the file only.
    pub fn debug(&self, text: impl Display) {
        self.write(Level::Debug, &text);
    }

    /// Something that was done.
    pub fn info(&self, text: impl Display) {
        self.write(Level::Info, &text);
    }

    /// Something that needs attention.
    pub fn warning(&self, text: impl Display) {
        self.write(Level::Warning, &text);
    }

    /// Something that failed.
    pub fn error(&self, text: impl Display) {
        self.write(Level::Error, &text);
    }

    /// A phase of the work: logs `[name] start` now, and `[name] done in S.SSs` when the result is
    /// dropped.
    pub fn phase(&self, name: impl Into<String>) -> Timed<'_> {
        let name = format!("[{}]", name.into());
        self.info(format_args!("{name} start"));
        Timed { log: self, done: format!("{name} done in "), end: "", since: Instant::now() }
    }

    /// A step within a phase: logs `=== name ===` now, and `=== name done in S.SSs ===` when the result
    /// is dropped.
    pub fn step(&self, name: impl Into<String>) -> Timed<'_> {
        let name = name.into();
        self.info(format_args!("=== {name} ==="));
        Timed { log: self, done: format!("=== {name} done in "), end: " ===", since: Instant::now() }
    }

    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self, level: Level, text: &dyn Display) {
        let text = text.to_string();
        let time = now();
        let mut out = self.lock();
        for text in text.lines() {
            let mut seen = String::with_capacity(text.len());
            push_seen(&mut seen, text);
            let text = seen;
            let line = format!("{time} {:5} {text}", level.word());
            if let Some(file) = &mut out.file {
                let line = if self.json { json_line(&time, level, self.name, &text) } else { format!("{line}\n") };
                // one write per line, so that lines of two processes do not mix
                let _ = file.current().write_all(line.as_bytes());
            }
            if level == Level::Debug {
                continue;
            }
            if let Some(syslog) = &out.syslog {
                let packet = if self.is_journal {
                    journal_entry(level, self.name, &text)
                } else {
                    format!("<{}>{}: {line}", FACILITY * 8 + severity(level), self.name)
                };
                let _ = syslog.send(packet.as_bytes());
            }
            match self.stderr {
                Stderr::Lines => {
                    kit::progress::write_message(format!("{line}\n").as_bytes());
                }
                Stderr::Nothing => {}
                Stderr::Quiet if level == Level::Info && !self.terminal => {}
                Stderr::Talk | Stderr::Quiet => Messages::new(self.name, false).error(&text),
            }
        }
    }
}

/// Something in progress; dropping it logs how long it took.
#[derive(Debug)]
pub struct Timed<'l> {
    log: &'l Log,
    done: String,
    end: &'static str,
    since: Instant,
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        let secs = self.since.elapsed().as_secs_f64();
        self.log.info(format_args!("{}{secs:.2}s{}", self.done, self.end));
    }
}

fn append(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        door::make_folder(folder)?;
    }
    door::append(path)
}

/// An entry of the journal: a field in each line, the text without line ends.
fn journal_entry(level: Level, name: &str, text: &str) -> String {
    format!(
        "PRIORITY={}\nSYSLOG_FACILITY={FACILITY}\nSYSLOG_IDENTIFIER={name}\nHZMETRICS_RUN={}\nMESSAGE={text}\n",
        severity(level),
        kit::run_id()
    )
}

fn json_line(time: &str, level: Level, name: &str, text: &str) -> String {
    let (level, run, pid) = (level.word(), kit::run_id(), std::process::id());
    let head = format!(
        "{{\"time\":\"{time}\",\"level\":\"{level}\",\"program\":\"{name}\",\"run\":\"{run}\",\"pid\":{pid},\"message\":"
    );
    let mut line = head.into_bytes();
    json::push_str(&mut line, text);
    line.extend_from_slice(b"}\n");
    String::from_utf8_lossy(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn sinks(file: &Path) -> Sinks {
        Sinks { file: Some(file.to_owned()), json: false, syslog: None, is_journal: false, stderr: Stderr::Quiet }
    }

    /// The lines of the file without their times, whose form is checked.
    fn lines(file: &Path) -> Vec<String> {
        let text = fs::read_to_string(file).unwrap();
        let without_time = |line: &str| {
            let (time, rest) = line.split_at(29);
            assert!(time.as_bytes()[10] == b'T' && time.as_bytes()[23].is_ascii_punctuation(), "{line}");
            assert!(time.as_bytes()[19] == b'.' && time.as_bytes()[26] == b':', "{line}");
            rest.to_owned()
        };
        text.lines().map(without_time).collect()
    }

    #[test]
    fn everything_is_appended_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/x.log");
        let log = Log::open("hzmetrics", &sinks(&file), "hzmetrics import --next");
        log.info("one\n  two");
        log.warning("odd \u{1b}[31m");
        log.error("bad");
        drop(log);
        drop(Log::open("hzmetrics", &sinks(&file), "hzmetrics run"));
        let run = |command: &str| format!(" DEBUG === {command} === run {}", kit::run_id());
        let expected = [
            &*run("hzmetrics import --next"),
            " INFO  one",
            " INFO    two",
            " WARNING odd \u{FFFD}[31m",
            " ERROR bad",
            &run("hzmetrics run"),
        ];
        assert_eq!(lines(&file), expected);
    }

    #[test]
    fn ends_of_phases_and_steps_are_logged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.log");
        let log = Log::open("hzmetrics", &sinks(&file), "x");
        {
            let _phase = log.phase("import");
            let _step = log.step("import-day 20250701");
        }
        let lines = lines(&file);
        assert_eq!(lines[1..3], [" INFO  [import] start", " INFO  === import-day 20250701 ==="]);
        let tail = |line: &str, head: &str, end: &str| {
            let secs = line.strip_prefix(head).and_then(|rest| rest.strip_suffix(end)).unwrap_or("");
            let digits = secs.split_once('.').is_some_and(|(s, ss)| s.parse::<u32>().is_ok() && ss.len() == 2);
            assert!(digits, "{line}");
        };
        tail(&lines[3], " INFO  === import-day 20250701 done in ", "s ===");
        tail(&lines[4], " INFO  [import] done in ", "s");
    }

    #[test]
    fn after_a_rotation_the_new_file_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let (file, old) = (folder.path().join("x.log"), folder.path().join("x.log.1"));
        let log = Log::open("hzmetrics", &sinks(&file), "x");
        log.info("before");
        fs::rename(&file, &old).unwrap();
        log.info("between");
        assert!(!file.exists(), "the new file is made by whoever rotates");
        fs::write(&file, "").unwrap();
        log.info("after");
        assert_eq!(lines(&old)[1..], [" INFO  before", " INFO  between"]);
        assert_eq!(lines(&file), [" INFO  after"]);
        // a file that is gone is created again
        fs::remove_file(&file).unwrap();
        log.info("new");
        assert_eq!(lines(&file), [" INFO  new"]);
    }

    /// The installed stanza, for this folder and user.
    fn stanza(folder: &Path, user: &str) -> String {
        let shipped = include_str!("../../../scripts/deploy/logrotate.conf");
        let text = shipped.replace("/var/log/hubzero/metrics", &folder.display().to_string());
        let text = text.replace("@USER@", user).replace("@GROUP@", user);
        text.lines()
            .map(|line| if line.contains("@PREFIX@") { "true\n".to_owned() } else { format!("{line}\n") })
            .collect()
    }

    /// Nothing is lost or repeated, and compressed files were closed.
    #[test]
    fn logrotate_rotates_under_a_run_that_writes() {
        let (root, logrotate) = (fs::metadata("/proc/self").unwrap().uid() == 0, "/usr/sbin/logrotate");
        let known = fs::read_to_string("/etc/passwd").unwrap_or_default().contains("\nwww-data:");
        if !root || !known || !Path::new(logrotate).exists() {
            return fixtures::skip("root, logrotate and www-data are needed to rotate a log with the shipped stanza");
        }
        let top = tempfile::tempdir().unwrap();
        fs::set_permissions(top.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let folder = top.path().join("metrics");
        fs::create_dir(&folder).unwrap();
        fixtures::run("chown").arg("www-data:www-data").arg(&folder).finish().ok();
        fs::write(top.path().join("conf"), stanza(&folder, "www-data")).unwrap();
        fixtures::run("chmod").arg("644").arg(top.path().join("conf")).finish().ok();
        let log = Log::open("hzmetrics", &sinks(&folder.join("hzmetrics.log")), "x");
        let rotate = || {
            let run = fixtures::run(logrotate).arg("--force").arg("--state").arg(top.path().join("state"));
            run.arg(top.path().join("conf")).finish().ok();
        };
        let is_over = AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut n = 0;
                // the writer starts before the first rotation and continues after the last; it ends even if one
                // of them fails, which then fails the test
                while n < 400 || !is_over.load(Ordering::Relaxed) {
                    log.info(format_args!("line {n}"));
                    n += 1;
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                n
            });
            let rotated = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (0..4).for_each(|_| rotate())));
            is_over.store(true, Ordering::Relaxed);
            let written = writer.join().unwrap();
            rotated.map(|()| written).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        assert!(folder.join("hzmetrics.log.4.gz").exists(), "four rotations");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let text = fixtures::run("zcat").arg("--force").arg(&path).finish().ok().text();
            found.extend(text.lines().filter_map(|line| line.split_once("line ")?.1.parse::<u32>().ok()));
        }
        found.sort_unstable();
        assert!(found == (0..written).collect::<Vec<_>>(), "{} of {written}", found.len());
    }

    #[test]
    fn lines_can_be_json() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.log");
        let log = Log::open("hzmetrics", &Sinks { json: true, ..sinks(&file) }, "x");
        log.info("say \"no\"");
        let text = fs::read_to_string(&file).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&last["level"], &last["message"]), (&"INFO".into(), &"say \"no\"".into()));
        assert_eq!((&last["program"], &last["run"]), (&"hzmetrics".into(), &kit::run_id().into()));
        assert_eq!(last["pid"], std::process::id());
        assert_eq!(last["time"].as_str().unwrap().len(), 29);
    }

    #[test]
    fn syslog_gets_important_lines_and_never_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.log");
        let socket = folder.path().join("log");
        let system = UnixDatagram::bind(&socket).unwrap();
        let log = Log::open("hzmetrics", &Sinks { syslog: Some(socket.clone()), ..sinks(&file) }, "x");
        log.info("one");
        log.warning("two");
        let mut packet = [0; 200];
        for expected in ["<134>hzmetrics: 2", "<132>hzmetrics: 2"] {
            let n = system.recv(&mut packet).unwrap();
            let text = String::from_utf8_lossy(&packet[..n]).into_owned();
            assert!(text.starts_with(expected), "{text}");
        }
        // nobody reads any more: the queue fills up, and the log continues
        for i in 0..2000 {
            log.info(i);
        }
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2003);
    }

    #[test]
    fn the_journal_gets_fields() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("journal");
        let journal = UnixDatagram::bind(&socket).unwrap();
        let sinks = Sinks { syslog: Some(socket), is_journal: true, ..sinks(&folder.path().join("x.log")) };
        let log = Log::open("hzmetrics", &sinks, "x");
        log.info("one\nPRIORITY=0");
        let mut packet = [0; 400];
        for text in ["one", "PRIORITY=0"] {
            let n = journal.recv(&mut packet).unwrap();
            let expected = format!(
                "PRIORITY=6\nSYSLOG_FACILITY=16\nSYSLOG_IDENTIFIER=hzmetrics\nHZMETRICS_RUN={}\nMESSAGE={text}\n",
                kit::run_id()
            );
            assert_eq!(String::from_utf8_lossy(&packet[..n]), expected, "a line never begins a field");
        }
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_not_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let sinks = sinks(&folder.path().join("file/x.log"));
        Log::open("hzmetrics", &sinks, "x").info("nobody hears this");
        let nowhere = Sinks { syslog: Some(folder.path().join("none")), ..sinks };
        let file = folder.path().join("x.log");
        drop(Log::open("hzmetrics", &Sinks { file: Some(file.clone()), ..nowhere }, "x"));
        assert!(lines(&file)[1].starts_with(" DEBUG no syslog at "));
    }
}
