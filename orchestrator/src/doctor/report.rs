//! The report: one finding per check, `OK`, `WARN` or `FAIL`, and how to fix it; as lines or as JSON.

use std::fmt::{Display, Write as _};

use serde_json::json;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// As it should be.
    Ok,
    /// Needs attention, but the numbers are computed.
    Warn,
    /// Numbers are or will be missing or wrong, or a secret is readable by others.
    Fail,
}

impl Severity {
    /// Its word in a line.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

/// One line, and what fixes it.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    severity: Severity,
    text: String,
    fixes: Vec<String>,
}

/// The findings so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    /// The check that adds findings now.
    check: &'static str,
    /// Whether findings of checks that the port does not know are only warnings.
    is_port: bool,
}

impl Report {
    pub(super) fn new(is_port: bool) -> Self {
        Self { is_port, ..Self::default() }
    }

    /// The check of this name adds findings from now on.
    pub(super) const fn begin(&mut self, check: &'static str) {
        self.check = check;
    }

    fn add(&mut self, severity: Severity, text: &dyn Display, fix: &dyn Display) {
        let fixes = fix.to_string().lines().map(plain).collect();
        self.findings.push(Finding { check: self.check, severity, text: plain(&text.to_string()), fixes });
    }

    /// Reports that something is all right.
    pub(super) fn ok(&mut self, text: impl Display) {
        self.add(Severity::Ok, &text, &"");
    }

    /// Reports something that needs attention; `fix` is a command or a line of a file.
    pub(super) fn warn(&mut self, text: impl Display, fix: impl Display) {
        self.add(Severity::Warn, &text, &fix);
    }

    /// Reports a fault that the port's doctor checks too.
    pub(super) fn fail(&mut self, text: impl Display, fix: impl Display) {
        self.add(Severity::Fail, &text, &fix);
    }

    /// Reports a fault that the port's doctor does not check.
    pub(super) fn fail_ours(&mut self, text: impl Display, fix: impl Display) {
        self.add(if self.is_port { Severity::Warn } else { Severity::Fail }, &text, &fix);
    }

    /// How many findings are of this severity.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// The texts of what is not as it should be.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = &str> {
        self.findings.iter().filter(|finding| finding.severity > Severity::Ok).map(|finding| finding.text.as_str())
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        u8::from(self.count(Severity::Fail) > 0)
    }

    /// All lines with the last one.
    pub(crate) fn text(&self, fix: bool) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let _ = writeln!(text, "{:<4}  {}", finding.severity.text(), finding.text);
            for fix in &finding.fixes {
                let _ = writeln!(text, "      fix: {fix}");
            }
        }
        let (n_problems, n_warnings) = (self.count(Severity::Fail), self.count(Severity::Warn));
        let warnings = match n_warnings {
            0 => String::new(),
            n => format!(", {n} warning(s)"),
        };
        let last = match n_problems {
            0 if n_warnings == 0 => "all is well".to_owned(),
            0 => format!("no problem{warnings}"),
            n if fix => format!("{n} problem(s) left{warnings}"),
            n => format!("{n} problem(s){warnings}; --fix creates folders and tables"),
        };
        let _ = writeln!(text, "{last}");
        text
    }

    /// The same as one JSON object.
    pub(crate) fn json(&self) -> String {
        let finding = |finding: &Finding| {
            json!({
                "check": finding.check,
                "state": finding.severity.text(),
                "text": finding.text,
                "fix": finding.fixes,
            })
        };
        let object = json!({
            "version": crate::json::VERSION,
            "problems": self.count(Severity::Fail),
            "warnings": self.count(Severity::Warn),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        });
        format!("{object}\n")
    }
}

/// Names of files and answers of servers are not ours: nothing in them may control a terminal.
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
        (report.text(fix), report.code())
    }

    #[test]
    fn the_last_line_and_the_exit_code_summarize_the_findings() {
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
    fn the_remedy_is_printed_below_a_finding() {
        let (text, _) = end(&[|r| r.fail("a\u{1b}[2J", "chown x\nchmod y")], false, false);
        assert!(text.starts_with("FAIL  a\u{FFFD}[2J\n      fix: chown x\n      fix: chmod y\n1 problem"), "{text}");
    }
}
