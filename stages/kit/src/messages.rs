//! Words for people: one line each on standard error, beginning with the stage's name.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes messages of one stage.
#[derive(Debug, Clone, Copy)]
pub struct Messages {
    name: &'static str,
    quiet: bool,
}

impl Messages {
    /// For the stage `name`; `quiet` leaves only errors.
    #[must_use]
    pub const fn new(name: &'static str, quiet: bool) -> Self {
        Self { name, quiet }
    }

    /// The stage's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Something worth knowing; silent with `--quiet`.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.line(&text);
        }
    }

    /// Something that went wrong and ends the run.
    pub fn error(&self, text: impl Display) {
        self.line(&text);
    }

    fn line(&self, text: &dyn Display) {
        let text = text.to_string();
        let mut out = String::with_capacity(text.len() + 32);
        for line in text.lines() {
            out.push_str(self.name);
            out.push_str(": ");
            // what comes from a log must not steer the terminal
            out.extend(line.chars().map(|c| if c.is_control() && c != '\t' { '\u{FFFD}' } else { c }));
            out.push('\n');
        }
        // nobody is left to tell when standard error is gone
        let _ = io::stderr().lock().write_all(out.as_bytes());
    }
}
