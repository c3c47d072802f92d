//! The report: one line per check, beginning with `OK`, `WARN` or `FAIL`, and below a finding how to fix it.

use std::fmt::{Display, Write as _};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    /// As it should be.
    Ok,
    /// Wants a look; the numbers come anyway.
    Warn,
    /// Numbers are missing or wrong, will be, or a secret is open.
    Fail,
}

impl Severity {
    const fn text(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

/// The lines so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    text: String,
    n_problems: usize,
    n_warnings: usize,
    /// Whether findings of checks that the port does not know are only warnings.
    is_port: bool,
}

impl Report {
    pub(super) fn new(is_port: bool) -> Self {
        Self { is_port, ..Self::default() }
    }

    fn line(&mut self, word: Severity, text: &dyn Display) {
        match word {
            Severity::Ok => {}
            Severity::Warn => self.n_warnings += 1,
            Severity::Fail => self.n_problems += 1,
        }
        let text = plain(&text.to_string());
        let _ = writeln!(self.text, "{:<4}  {text}", word.text());
    }

    fn mend(&mut self, mend: &dyn Display) {
        for line in mend.to_string().lines() {
            let _ = writeln!(self.text, "      mend: {}", plain(line));
        }
    }

    /// Something is as it should be.
    pub(super) fn ok(&mut self, text: impl Display) {
        self.line(Severity::Ok, &text);
    }

    /// Something wants a look; `mend` is a command or a line of a file.
    pub(super) fn warn(&mut self, text: impl Display, mend: impl Display) {
        self.line(Severity::Warn, &text);
        self.mend(&mend);
    }

    /// Something is wrong that the port's doctor looks at as well.
    pub(super) fn fail(&mut self, text: impl Display, mend: impl Display) {
        self.line(Severity::Fail, &text);
        self.mend(&mend);
    }

    /// Something is wrong that the port's doctor does not look at.
    pub(super) fn fail_ours(&mut self, text: impl Display, mend: impl Display) {
        self.line(if self.is_port { Severity::Warn } else { Severity::Fail }, &text);
        self.mend(&mend);
    }

    /// The whole text with its last line, and the exit code.
    pub(super) fn end(mut self, fix: bool) -> (String, u8) {
        let warnings = match self.n_warnings {
            0 => String::new(),
            n => format!(", {n} warning(s)"),
        };
        let last = match self.n_problems {
            0 if self.n_warnings == 0 => "all is well".to_owned(),
            0 => format!("no problem{warnings}"),
            n if fix => format!("{n} problem(s) left{warnings}"),
            n => format!("{n} problem(s){warnings}; --fix creates folders and tables"),
        };
        let _ = writeln!(self.text, "{last}");
        (self.text, u8::from(self.n_problems > 0))
    }
}

/// Names of files and answers of servers are not ours: nothing in them may steer a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Finding = fn(&mut Report);

    fn end(findings: &[Finding], is_port: bool, fix: bool) -> (String, u8) {
        let mut report = Report::new(is_port);
        for find in findings {
            find(&mut report);
        }
        report.end(fix)
    }

    #[test]
    fn the_last_line_and_the_code() {
        let (ok, warn): (Finding, Finding) = (|r| r.ok("a"), |r| r.warn("b", "c"));
        let (fail, ours): (Finding, Finding) = (|r| r.fail("d", "e"), |r| r.fail_ours("f", "g"));
        let last = |findings: &[Finding], is_port, fix| {
            let (text, code) = end(findings, is_port, fix);
            (text.lines().last().unwrap().to_owned(), code)
        };
        assert_eq!(last(&[ok], false, false), ("all is well".to_owned(), 0));
        assert_eq!(last(&[ok, warn], false, false), ("no problem, 1 warning(s)".to_owned(), 0));
        assert_eq!(last(&[fail], false, false), ("1 problem(s); --fix creates folders and tables".to_owned(), 1));
        assert_eq!(last(&[fail, ours, warn], false, true), ("2 problem(s) left, 1 warning(s)".to_owned(), 1));
        assert_eq!(last(&[ours], true, false), ("no problem, 1 warning(s)".to_owned(), 0));
    }

    #[test]
    fn what_mends_it_stands_below() {
        let (text, _) = end(&[|r| r.fail("a\u{1b}[2J", "chown x\nchmod y")], false, false);
        assert!(text.starts_with("FAIL  a\u{FFFD}[2J\n      mend: chown x\n      mend: chmod y\n1 problem"), "{text}");
    }
}
