//! The running child processes, and what happens to them when this process gets a signal.
//!
//! SIGINT and SIGTERM are passed on as SIGTERM. Processes that still run after [`PATIENCE`], or at the
//! second signal, are killed. Nothing new is started afterwards, and every process is waited for.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

pub(crate) use signal_hook::consts::SIGPIPE;

/// How long a process may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct State {
    pids: Vec<Pid>,
    caught: Option<i32>,
}

/// The processes that are running.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<State>>);

impl Running {
    /// Starts to watch for signals.
    pub(crate) fn watch() -> io::Result<Self> {
        let running = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        kit::progress::leave_signals();
        let watched = running.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                watched.end(signal);
            }
        })?;
        Ok(running)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, signal: i32) {
        let mut state = self.lock();
        let again = state.caught.is_some();
        state.caught.get_or_insert(signal);
        let passed_on = if again { Signal::KILL } else { Signal::TERM };
        for pid in &state.pids {
            // it may just have ended
            let _ = kill_process(*pid, passed_on);
        }
        drop(state);
        if !again {
            let later = self.clone();
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                later.end(signal);
            });
        }
    }

    /// The signal that told this process to end.
    pub(crate) fn caught(&self) -> Option<i32> {
        self.lock().caught
    }

    /// Starts a process; `None` if nothing may be started now.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Option<Child>> {
        // locked while starting: a signal finds either no process or a known one
        let mut state = self.lock();
        if state.caught.is_some() {
            return Ok(None);
        }
        let child = command.spawn()?;
        state.pids.push(Pid::from_child(&child));
        Ok(Some(child))
    }

    /// Waits for a process to end.
    pub(crate) fn wait(&self, mut child: Child) -> io::Result<ExitStatus> {
        let pid = Pid::from_child(&child);
        loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        // forgotten before its pid can belong to another process
        let mut state = self.lock();
        state.pids.retain(|running| *running != pid);
        child.wait()
    }
}

/// A signal by number and name.
pub(crate) fn name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| format!("signal {signal}"), |name| format!("signal {signal} ({name})"))
}
