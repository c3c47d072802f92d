//! The report of an audit: one line per check, and at the end the commands that fix the findings.

use std::collections::BTreeSet;
use std::fmt::Display;

use anyhow::Result;
use kit::Level;
use schema::{Month, Opt};
use serde_json::json;

use super::shares::Shares;
use crate::colours;
use crate::hub::Hub;
use crate::json::VERSION;
use crate::pipeline::state::ranges;

/// Receives a line.
type LineSink<'h> = Box<dyn FnMut(Level, &str) -> Result<()> + 'h>;

/// Lines out, findings kept.
pub(crate) struct Report<'h> {
    say: LineSink<'h>,
    findings: Vec<Finding>,
}

/// How to fix a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    /// A command followed by a month or a range of months.
    Months(String),
    /// A complete command.
    Command(String),
    /// Advice in words.
    Advice(String),
}

struct Finding {
    table: String,
    what: &'static str,
    month: Option<Month>,
    remedy: Remedy,
}

impl<'h> Report<'h> {
    /// To standard output and to the log file; as the port does, to the log alone.
    pub(crate) fn new(hub: &'h Hub) -> Self {
        let as_port = hub.compat.has(Opt::LpCli);
        Self::to(move |level, text| {
            let line = format!("[audit] {text}");
            if as_port {
                match level {
                    Level::Error => hub.log.error(line),
                    Level::Warning => hub.log.warning(line),
                    _ => hub.log.info(line),
                }
                return Ok(());
            }
            hub.log.debug(line);
            kit::print(colours::states(&format!("{text}\n")).as_bytes())
        })
    }

    /// To nobody: the findings are what is wanted.
    pub(crate) fn silent() -> Self {
        Self::to(|_, _| Ok(()))
    }

    /// To whoever wants the lines.
    pub(super) fn to(say: impl FnMut(Level, &str) -> Result<()> + 'h) -> Self {
        Self { say: Box::new(say), findings: Vec::new() }
    }

    /// Something about the audit itself.
    pub(super) fn info(&mut self, text: impl Display) -> Result<()> {
        (self.say)(Level::Info, &text.to_string())
    }

    /// A check that found nothing.
    pub(super) fn ok(&mut self, text: impl Display) -> Result<()> {
        self.info(format_args!("OK    {text}"))
    }

    /// A check that found something.
    pub(super) fn warning(&mut self, text: impl Display) -> Result<()> {
        (self.say)(Level::Warning, &format!("WARN  {text}"))
    }

    /// More about the previous line.
    pub(super) fn detail(&mut self, text: impl Display) -> Result<()> {
        (self.say)(Level::Warning, &format!("            {text}"))
    }

    /// The shares of missing values in a column.
    pub(super) fn shares(&mut self, table: &str, column: &str, shares: &Shares) -> Result<()> {
        let name = format!("{table}.{column:<10}");
        let median = shares.median * 100.0;
        if shares.n_months == 0 {
            return Ok(());
        }
        if shares.bad.is_empty() {
            return self.ok(format_args!("{name} median {median:.2}%  ({} month(s) scanned)", shares.n_months));
        }
        self.warning(format_args!(
            "{name} median {median:.2}%, threshold {:.2}%  — {} anomalous month(s)",
            shares.threshold * 100.0,
            shares.bad.len()
        ))?;
        for bad in &shares.bad {
            self.detail(format_args!("{}: {:.2}% ({} of {})", bad.month, bad.ratio() * 100.0, bad.missing, bad.total))?;
        }
        Ok(())
    }

    /// Keeps a finding about a month.
    pub(super) fn found(&mut self, table: &str, what: &'static str, month: Month, remedy: Remedy) {
        self.findings.push(Finding { table: table.to_owned(), what, month: Some(month), remedy });
    }

    /// Keeps a finding without a month.
    pub(super) fn found_in(&mut self, table: &str, what: &'static str, remedy: Remedy) {
        self.findings.push(Finding { table: table.to_owned(), what, month: None, remedy });
    }

    /// How much was found.
    pub(crate) const fn n_findings(&self) -> usize {
        self.findings.len()
    }

    /// The findings as one JSON object.
    pub(crate) fn json(&self) -> String {
        let finding = |finding: &Finding| {
            let (kind, text) = match &finding.remedy {
                Remedy::Months(command) => ("command", self::command(command, finding.month)),
                Remedy::Command(command) => ("command", format!("hzmetrics {command}")),
                Remedy::Advice(text) => ("advice", text.clone()),
            };
            json!({
                "table": finding.table,
                "what": finding.what,
                "month": finding.month.map(|month| month.to_string()),
                kind: text,
            })
        };
        let findings: Vec<_> = self.findings.iter().map(finding).collect();
        format!("{}\n", json!({"version": VERSION, "findings": findings}))
    }

    /// Says how to fix the findings.
    pub(super) fn end(&mut self, scope: &str) -> Result<()> {
        if self.findings.is_empty() {
            return self.info(format_args!("all checks passed — {scope} clean"));
        }
        let text = format!("{} finding(s).  Recommended:", self.findings.len());
        (self.say)(Level::Error, &text)?;
        for line in self.remedies() {
            (self.say)(Level::Error, &format!("    {line}"))?;
        }
        Ok(())
    }

    /// Check by check in the order of the findings; each remedy once, adjacent months as a range.
    fn remedies(&self) -> Vec<String> {
        let mut checks: Vec<(&str, &str)> = Vec::new();
        for finding in &self.findings {
            let check = (finding.table.as_str(), finding.what);
            if !checks.contains(&check) {
                checks.push(check);
            }
        }
        let mut lines = Vec::new();
        for check in checks {
            let of_check = self.findings.iter().filter(|found| (found.table.as_str(), found.what) == check);
            let mut once = BTreeSet::new();
            let mut months = BTreeSet::new();
            let mut command = "";
            for finding in of_check {
                match &finding.remedy {
                    Remedy::Months(text) => {
                        command = text;
                        months.extend(finding.month);
                    }
                    Remedy::Command(text) => drop(once.insert(format!("hzmetrics {text}"))),
                    Remedy::Advice(text) => drop(once.insert(text.clone())),
                }
            }
            lines.extend(ranges(&months).into_iter().map(|range| format!("hzmetrics {command} {range}")));
            lines.extend(once);
        }
        lines
    }
}

/// A command for a month.
fn command(command: &str, month: Option<Month>) -> String {
    format!("hzmetrics {command} {}", month.map_or_else(String::new, |month| month.to_string())).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn each_remedy_is_printed_once() {
        let mut lines = Vec::new();
        let mut report = Report::to(|level, text| {
            lines.push(format!("{} {text}", level.word()));
            Ok(())
        });
        let fill = || Remedy::Months("fill-domain metrics web".to_owned());
        report.found("web", "domain", month("2025-12"), fill());
        report.found("userlogin_ledger", "(span)", month("2025-12"), Remedy::Command("b".into()));
        report.found("web", "domain", month("2025-11"), fill());
        report.found_in("userlogin_ledger", "(span)", Remedy::Command("a".into()));
        report.found_in("userlogin_ledger", "(span)", Remedy::Command("b".into()));
        report.found_in("x", "y", Remedy::Advice("(look)".into()));
        report.end("all months").unwrap();
        assert_eq!(report.n_findings(), 6);
        drop(report);
        let expected = [
            "ERROR 6 finding(s).  Recommended:",
            "ERROR     hzmetrics fill-domain metrics web 2025-11..2025-12",
            "ERROR     hzmetrics a",
            "ERROR     hzmetrics b",
            "ERROR     (look)",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn without_findings_the_report_says_so() {
        let mut lines = Vec::new();
        let mut report = Report::to(|_, text| {
            lines.push(text.to_owned());
            Ok(())
        });
        report.end("3 month(s)").unwrap();
        assert_eq!(report.n_findings(), 0);
        drop(report);
        assert_eq!(lines, ["all checks passed — 3 month(s) clean"]);
    }
}
