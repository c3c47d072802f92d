//! The running child processes, and what happens to them when this process gets a signal.
//!
//! SIGINT and SIGTERM are passed on as SIGTERM; one that the caller ignores stays ignored, also by the
//! processes that are started. Processes that still run after [`PATIENCE`], or at the
//! second signal, are killed. Nothing new is started afterwards, and every process is waited for. Whoever
//! wants to start one gets [`Interrupted`], and ends. Where no process runs, and nobody is about to start one,
//! the signal ends this process at once.

use std::fmt;
use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use kit::Messages;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use schema::Exit;
use signal_hook::iterator::Signals;

pub(crate) use signal_hook::consts::SIGPIPE;

/// How long a process may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(10);

/// A signal told this process to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interrupted(pub(crate) i32);

impl Interrupted {
    /// The signal that an error is about.
    pub(crate) fn of(error: &anyhow::Error) -> Option<Self> {
        error.downcast_ref().copied()
    }

    /// The exit code, as shells give it.
    pub(crate) fn code(self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(Exit::Failed.code())
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interrupted by {}", name(self.0))
    }
}

impl std::error::Error for Interrupted {}

/// The exit code of an error.
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    Interrupted::of(error).map_or_else(|| kit::exit_of(error).code(), Interrupted::code)
}

#[derive(Default)]
struct State {
    pids: Vec<Pid>,
    /// Who may start processes.
    users: usize,
    caught: Option<i32>,
}

/// The processes that are running: one list for the whole of this process.
static STATE: Mutex<Option<Arc<Mutex<State>>>> = Mutex::new(None);

/// The processes that are running, for somebody who may start more.
pub(crate) struct Running(Watched);

impl Running {
    /// Starts to watch for signals.
    pub(crate) fn watch() -> io::Result<Self> {
        let mut known = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        let watched = match &*known {
            Some(state) => Watched(Arc::clone(state)),
            None => {
                let watched = Watched::begin()?;
                *known = Some(Arc::clone(&watched.0));
                watched
            }
        };
        watched.lock().users += 1;
        Ok(Self(watched))
    }

    /// The signal that told this process to end.
    pub(crate) fn caught(&self) -> Option<Interrupted> {
        self.0.lock().caught.map(Interrupted)
    }

    /// Starts a process.
    ///
    /// # Errors
    /// It cannot be started, or nothing may be started now ([`Interrupted`]).
    pub(crate) fn start(&self, command: &mut Command) -> Result<Child> {
        // locked while starting: a signal finds either no process or a known one
        let mut state = self.0.lock();
        if let Some(signal) = state.caught {
            return Err(Interrupted(signal).into());
        }
        let child = command.spawn()?;
        state.pids.push(Pid::from_child(&child));
        Ok(child)
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
        let mut state = self.0.lock();
        state.pids.retain(|running| *running != pid);
        child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().users -= 1;
    }
}

#[derive(Clone)]
struct Watched(Arc<Mutex<State>>);

impl Watched {
    fn begin() -> io::Result<Self> {
        let watched = Self(Arc::default());
        let mut signals = Signals::new(kit::signals::to_watch())?;
        kit::progress::leave_signals();
        let told = watched.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                told.end(signal);
            }
        })?;
        Ok(watched)
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
        let nobody_notices = state.pids.is_empty() && (again || state.users == 0);
        drop(state);
        if nobody_notices {
            end_this_process(signal);
        }
        if !again {
            let later = self.clone();
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                later.end(signal);
            });
        }
    }
}

/// What the signal does to a process that does not watch for it.
fn end_this_process(signal: i32) {
    let _line_erased = kit::progress::pause();
    Messages::new("hzmetrics", false).error(Interrupted(signal));
    // it ends the process
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}

/// A signal by number and name.
pub(crate) fn name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| format!("signal {signal}"), |name| format!("signal {signal} ({name})"))
}
