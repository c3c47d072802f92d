//! Standard input and output as passed by the caller.
//!
//! If the caller closed a stream, the Rust runtime opens `/dev/null` in its place before `main` begins, and
//! output would be lost silently. So this is checked earlier.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow};

use crate::ReaderLeft;

static NO_INPUT: AtomicBool = AtomicBool::new(false);
static NO_OUTPUT: AtomicBool = AtomicBool::new(false);

ctor::declarative::ctor! {
    /// Two system calls, before anything else in this process runs.
    #[ctor(unsafe)]
    fn look() {
        let is_closed = |fd| rustix::io::fcntl_getfd(fd).is_err();
        NO_INPUT.store(is_closed(rustix::stdio::stdin()), Ordering::Relaxed);
        NO_OUTPUT.store(is_closed(rustix::stdio::stdout()), Ordering::Relaxed);
    }
}

/// Whether the caller closed our standard output (`>&-`).
#[must_use]
pub fn is_output_closed() -> bool {
    NO_OUTPUT.load(Ordering::Relaxed)
}

/// A standard stream is needed, but the caller closed it.
#[derive(Debug)]
struct Closed(&'static str);

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "standard {} is closed", self.0)
    }
}

impl std::error::Error for Closed {}

/// Standard input.
///
/// # Errors
/// The caller closed it.
pub fn stdin() -> io::Result<io::Stdin> {
    if NO_INPUT.load(Ordering::Relaxed) { Err(io::Error::other(Closed("input"))) } else { Ok(io::stdin()) }
}

/// Standard output that distinguishes "the reader left" from all other broken pipes, and knows when
/// it is closed.
#[derive(Debug)]
pub struct Stdout(io::Stdout);

impl Stdout {
    /// The standard output of this process.
    #[must_use]
    pub fn new() -> Self {
        Self(io::stdout())
    }
}

impl Default for Stdout {
    fn default() -> Self {
        Self::new()
    }
}

fn mark(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::BrokenPipe { io::Error::other(ReaderLeft) } else { error }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if is_output_closed() {
            return Err(io::Error::other(Closed("output")));
        }
        crate::progress::before_output(bytes);
        self.0.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(mark)
    }
}

/// Writes text that is data to standard output, and checks that it is written.
///
/// # Errors
/// It cannot be written, or its reader left ([`ReaderLeft`]).
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = Stdout::new();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(not_written)
}

/// The meaning of a failed write to standard output.
#[must_use]
pub fn not_written(error: io::Error) -> anyhow::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<ReaderLeft>()) {
        return ReaderLeft.into();
    }
    anyhow!(error).context("writing to standard output")
}
