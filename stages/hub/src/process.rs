//! This process as other machines know it, and whether a process that was noted so is still there.
//!
//! The row of the writer in the database comes here. A number of a process means something only in the system
//! and in the container that gave it out.

use std::path::Path;

use kit::door::named;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The name of the machine.
    pub host: String,
    /// What its number is valid in: one boot of the system, and one container. Empty when unknown.
    pub place: String,
    /// Its number.
    pub pid: u32,
    /// When it started, in the ticks that the system counts; 0 when unknown.
    pub started: u64,
}

impl Process {
    /// This one.
    #[must_use]
    pub fn own() -> Self {
        let pid = std::process::id();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { host, place: place().unwrap_or_default(), pid, started: started(pid).unwrap_or(0) }
    }

    /// Whether it has surely ended. Of a process of another machine, another boot or another container nothing
    /// is known.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let is_here = place().is_some_and(|here| here == self.place);
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|_| is_here) else { return false };
        match test_kill_process(pid) {
            Err(Errno::SRCH) => true,
            // its number may belong to another process by now
            _ => self.started != 0 && started(self.pid).is_some_and(|started| started != self.started),
        }
    }
}

/// The boot of the system and the container.
fn place() -> Option<String> {
    let boot = named::read_to_string(Path::new("/proc/sys/kernel/random/boot_id")).ok()?;
    let container = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let number: String = container.to_str()?.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}/{number}", boot.trim()))
}

fn started(pid: u32) -> Option<u64> {
    let stat = named::read_to_string(Path::new(&format!("/proc/{pid}/stat"))).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_surely_ended_has() {
        let own = Process::own();
        assert!(!own.host.is_empty() && own.started > 0 && own.place.contains('/'), "{own:?}");
        let nobody = i32::MAX.unsigned_abs();
        for (process, has_ended) in [
            (own.clone(), false),
            (Process { pid: nobody, ..own.clone() }, true),
            // the number was given out again
            (Process { started: own.started + 1, ..own.clone() }, true),
            (Process { started: 0, ..own.clone() }, false),
            (Process { pid: 0, ..own.clone() }, false),
            (Process { pid: u32::MAX, ..own.clone() }, false),
            // elsewhere: another boot or container, whatever the name of the machine
            (Process { pid: nobody, place: format!("{}1", own.place), ..own.clone() }, false),
            (Process { pid: nobody, place: String::new(), ..own.clone() }, false),
        ] {
            assert_eq!(process.has_ended(), has_ended, "{process:?}");
        }
    }
}
