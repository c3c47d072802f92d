//! Messages for people: one line each on standard error, beginning with the stage's name.
//!
//! A program with a log also copies its messages there. Standard error is a terminal, or becomes a mail
//! from cron.

use std::fmt::Display;
use std::sync::OnceLock;

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

/// Whether a character controls the display instead of being visible: control characters, marks for
/// text direction, characters without width, other line ends.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Appends text that may come from a log, a table or a file name, so that it can neither control
/// the terminal nor rearrange the words around it.
pub fn push_seen(out: &mut String, line: &str) {
    out.extend(line.chars().map(|c| if is_unseen(c) && c != '\t' { '\u{FFFD}' } else { c }));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        let seen = |text: &str| {
            let mut out = String::new();
            push_seen(&mut out, text);
            out
        };
        for c in
            "\u{0}\u{7}\u{1b}\u{7f}\u{85}\u{9b}\u{200b}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{61c}\u{2028}"
                .chars()
        {
            assert_eq!(seen(&format!("a{c}b")), "a\u{FFFD}b", "{c:?}");
        }
        assert_eq!(seen("Größe\t✓ 漢字"), "Größe\t✓ 漢字");
    }
}
