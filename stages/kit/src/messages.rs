//! Messages for people: one line each on standard error, beginning with the stage's name.
//!
//! A program with a log also copies its messages there. Standard error is a terminal, or becomes a mail
//! from cron.

use std::fmt::Display;
use std::sync::OnceLock;

use crate::push_seen;

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For readers of the file only.
    Debug,
    /// What was done.
    Info,
    /// Something that needs attention; the run continues.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// The word in a line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        }
    }
}

/// Where messages of this process are copied.
type Copier = Box<dyn Fn(Level, &str) + Send + Sync>;

static COPY: OnceLock<Copier> = OnceLock::new();

/// Also passes every message of this process, with the program's name in front, to `copier`. Only the
/// first call has an effect.
pub fn copy_messages(copier: impl Fn(Level, &str) + Send + Sync + 'static) {
    let _ = COPY.set(Box::new(copier));
}

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
        self.copy(Level::Info, &text);
        if !self.quiet {
            self.line(&text);
        }
    }

    /// A source of answers, such as a service, was used; `trouble` is what was wrong with it in a few words, and
    /// the whole message. Silent with `--quiet`. What repeats in the steps of a run is printed once
    /// ([`crate::repeats`]).
    pub fn used(&self, source: &str, trouble: Option<(&str, &dyn Display)>) {
        let was_noted = crate::repeats::note(source, trouble.map(|(trouble, _)| trouble));
        match trouble {
            Some((_, text)) if was_noted => self.copy(Level::Info, text),
            Some((_, text)) => self.note(text),
            None => {}
        }
    }

    /// Something that needs attention although the run continues; printed with `--quiet` too.
    pub fn warn(&self, text: impl Display) {
        self.copy(Level::Warning, &text);
        self.line(&text);
    }

    /// Something that went wrong and ends the run.
    pub fn error(&self, text: impl Display) {
        self.copy(Level::Error, &text);
        self.line(&text);
    }

    fn copy(&self, level: Level, text: &dyn Display) {
        if let Some(copier) = COPY.get() {
            copier(level, &format!("{}: {text}", self.name));
        }
    }

    fn line(&self, text: &dyn Display) {
        let text = text.to_string();
        let mut out = String::with_capacity(text.len() + 32);
        for line in text.lines() {
            out.push_str(self.name);
            out.push_str(": ");
            push_seen(&mut out, line);
            out.push('\n');
        }
        crate::progress::write_message(out.as_bytes());
    }
}
