//! The steps of a stage on tables. If one fails, the others still run, as in legacy; the run then ends
//! with an error that names it. A lost connection ends the run at once.

use anyhow::{Result, anyhow};
use kit::{Busy, Io, Outcome};

use crate::error::{DbError, ErrorKind};

/// The steps that failed.
pub struct FailedSteps<'a> {
    io: &'a Io,
    steps: Vec<String>,
}

impl<'a> FailedSteps<'a> {
    /// No failed steps yet.
    #[must_use]
    pub const fn new(io: &'a Io) -> Self {
        Self { io, steps: Vec::new() }
    }

    /// The result of a step, or `None` after printing its error.
    ///
    /// # Errors
    /// The server is lost, or another process became the writer.
    pub fn note<T>(&mut self, step: &str, done: Result<T>) -> Result<Option<T>> {
        let error = match done {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error.context(step.to_owned()),
        };
        let is_lost = DbError::of(&error).is_some_and(|e| matches!(e.kind(), ErrorKind::Gone | ErrorKind::Unreachable));
        if is_lost || error.chain().any(|cause| cause.is::<Busy>()) {
            return Err(error);
        }
        self.io.messages.error(format_args!("{error:#}"));
        if !self.steps.iter().any(|failed| failed == step) {
            self.steps.push(step.to_owned());
        }
        Ok(None)
    }

    /// The result of the run.
    ///
    /// # Errors
    /// A step failed.
    pub fn finish(self) -> Result<Outcome> {
        match self.steps.is_empty() {
            true => Ok(Outcome::default()),
            false => Err(anyhow!("not done: {}; everything else is", self.steps.join(", "))),
        }
    }
}
