//! The terminal: who draws, when, and how the line disappears again.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::iterator::Signals;

use super::task::{CONTEXT, Task};
use super::text;

/// Work that is done sooner is not shown.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line changes.
const PACE: Duration = Duration::from_millis(200);
/// Goes to the beginning of the line and clears it.
const CLEAR: &[u8] = b"\r\x1b[K";

/// Whether this process shows progress at all.
static ON: AtomicBool = AtomicBool::new(false);
/// Whether somebody else ends the process after SIGINT and SIGTERM.
static SIGNALS_ARE_TAKEN: AtomicBool = AtomicBool::new(false);
static SCREEN: Mutex<Screen> = Mutex::new(Screen::new());

struct Screen {
    name: &'static str,
    context: String,
    tasks: Vec<Task>,
    next: u64,
    /// What is drawn, and for which task.
    drawn: Option<(u64, ProgressBar)>,
    /// Held by the one process of a terminal that draws.
    turn: Option<UnixDatagram>,
    /// When output was last written to the terminal, and whether it ended with a line.
    output: Option<(Instant, bool)>,
    /// How many of [`Paused`] there are.
    n_paused: usize,
    is_ticking: bool,
    watches_signals: bool,
    is_over: bool,
}

/// Whether standard error is a terminal that can redraw a line.
#[must_use]
pub fn is_terminal() -> bool {
    static IS: OnceLock<bool> = OnceLock::new();
    *IS.get_or_init(|| io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb"))
}

/// Shows progress of the program `name` from now on, where there is a terminal.
pub fn enable(name: &'static str) {
    if is_terminal() {
        let mut screen = lock();
        screen.name = name;
        screen.context = std::env::var(CONTEXT).unwrap_or_default();
        ON.store(true, Ordering::Relaxed);
    }
}

/// Erases the line before `bytes` are written to standard output, if that is a terminal. The line comes
/// back when nothing was written for a while.
pub(crate) fn before_output(bytes: &[u8]) {
    static IS_SHOWN: OnceLock<bool> = OnceLock::new();
    if ON.load(Ordering::Relaxed) && *IS_SHOWN.get_or_init(|| io::stdout().is_terminal()) {
        let mut screen = lock();
        screen.clear();
        screen.output = Some((Instant::now(), bytes.ends_with(b"\n")));
    }
}

/// Says that somebody else in this process handles SIGINT and SIGTERM.
pub fn leave_signals() {
    SIGNALS_ARE_TAKEN.store(true, Ordering::Relaxed);
}

/// While this exists, the line belongs to the programs that this one started.
#[derive(Debug)]
pub struct Paused(());

/// Leaves the line to other programs.
#[must_use]
pub fn pause() -> Paused {
    let mut screen = lock();
    screen.n_paused += 1;
    screen.clear();
    Paused(())
}

impl Drop for Paused {
    fn drop(&mut self) {
        lock().n_paused -= 1;
    }
}

/// Writes whole lines to standard error without mixing them with a line of progress, of whatever program.
pub fn write_message(bytes: &[u8]) {
    // if standard error is gone, nobody can be told
    let write = || drop(io::stderr().lock().write_all(bytes));
    if !is_terminal() {
        return write();
    }
    let screen = lock();
    match &screen.drawn {
        Some((_, bar)) => bar.suspend(write),
        None => drop(io::stderr().lock().write_all(&[CLEAR, bytes].concat())),
    }
}

/// Begins a task; returns its number if it may be shown.
pub(super) fn begin(task: impl FnOnce() -> Task) -> Option<u64> {
    if !ON.load(Ordering::Relaxed) {
        return None;
    }
    let mut screen = lock();
    let id = screen.next;
    screen.next += 1;
    screen.tasks.push(Task { id, ..task() });
    if !screen.is_ticking {
        // without a thread nothing is shown
        screen.is_ticking = std::thread::Builder::new().name("progress".to_owned()).spawn(tick).is_ok();
    }
    Some(id)
}

/// Ends a task.
pub(super) fn end(id: u64) {
    let mut screen = lock();
    screen.tasks.retain(|task| task.id != id);
    if screen.drawn.as_ref().is_some_and(|(drawn, _)| *drawn == id) {
        screen.clear();
    }
}

fn lock() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws as long as there is work.
fn tick() {
    loop {
        std::thread::sleep(PACE);
        let mut screen = lock();
        if screen.tasks.is_empty() {
            screen.clear();
            screen.is_ticking = false;
            return;
        }
        screen.draw();
    }
}

impl Screen {
    const fn new() -> Self {
        Self {
            name: "",
            context: String::new(),
            tasks: Vec::new(),
            next: 0,
            drawn: None,
            turn: None,
            output: None,
            n_paused: 0,
            is_ticking: false,
            watches_signals: false,
            is_over: false,
        }
    }

    fn draw(&mut self) {
        let shown = self.tasks.iter().rfind(|task| task.since.elapsed() >= PATIENCE);
        let is_free = self.output.is_none_or(|(at, is_line)| is_line && at.elapsed() >= PATIENCE);
        let may_draw = is_free && self.n_paused == 0 && !self.is_over;
        let Some(task) = shown.filter(|_| may_draw) else { return self.clear() };
        let (id, line) = (task.id, text::line(&self.context, self.name, task, width()));
        if self.turn.is_none() {
            self.turn = turn();
        }
        if self.turn.is_none() {
            return;
        }
        self.watch_signals();
        if self.drawn.as_ref().is_none_or(|(drawn, _)| *drawn != id) {
            self.erase();
            self.drawn = Some((id, bar(line.part.is_some())));
        }
        let Some((_, bar)) = &self.drawn else { return };
        match line.part {
            Some((done, total)) => {
                bar.set_length(total);
                bar.set_position(done);
                bar.set_prefix(line.label);
                bar.set_message(line.text);
            }
            None => bar.set_message(format!("{}  {}", line.label, line.text)),
        }
        bar.tick();
    }

    fn erase(&mut self) {
        if let Some((_, bar)) = self.drawn.take() {
            bar.finish_and_clear();
        }
    }

    /// Erases the line and leaves the terminal to others.
    fn clear(&mut self) {
        self.erase();
        self.turn = None;
    }

    /// After SIGINT and SIGTERM the line is erased before the process ends.
    fn watch_signals(&mut self) {
        if std::mem::replace(&mut self.watches_signals, true) {
            return;
        }
        let Ok(mut signals) = Signals::new(crate::signals::to_watch()) else { return };
        // without a thread the line stays on the screen, and the process must still end
        let watch = move || signals.forever().for_each(end_by);
        let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(watch);
    }
}

/// The width of the terminal in characters.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr());
    size.map_or(0, |size| size.ws_col).clamp(20, 500).into()
}

fn bar(has_total: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let template = if has_total { "{prefix} [{wide_bar}] {msg}" } else { "{wide_msg}" };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// The right to draw on this terminal: a name that only one process can have, and loses when it ends.
fn turn() -> Option<UnixDatagram> {
    let device = rustix::fs::fstat(rustix::stdio::stderr()).ok()?.st_rdev;
    let name = SocketAddr::from_abstract_name(format!("hzmetrics-progress-{device:x}")).ok()?;
    UnixDatagram::bind_addr(&name).ok()
}

/// Erases the line, then does what the signal does without us.
fn end_by(signal: i32) {
    let begun = Instant::now();
    // a terminal that is stopped blocks whoever draws
    while begun.elapsed() < PATIENCE {
        match SCREEN.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            screen => {
                let mut screen = screen.unwrap_or_else(|_| lock());
                screen.is_over = true;
                screen.clear();
                break;
            }
        }
    }
    if !SIGNALS_ARE_TAKEN.load(Ordering::Relaxed) {
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
}
