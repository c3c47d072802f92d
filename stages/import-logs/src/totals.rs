//! The figures of a run, and what survives a failed try of a file.

use std::fmt::Write as _;

use kit::{Messages, Rejects, counted, grouped, measure};

use crate::bots::uses::Uses;
use crate::report::Report;
use crate::rules::Rule;
use crate::verdict::VerdictFile;

/// The figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// One report per file, in order.
    pub(crate) reports: Vec<Report>,
    /// Files and sources that were refused.
    pub(crate) n_refused: u64,
}

impl Totals {
    /// The figures in words.
    pub(crate) fn words(&self) -> String {
        let sum = |get: fn(&Report) -> u64| self.reports.iter().map(get).sum::<u64>();
        let mut words = format!(
            "{} lines, {} rows, {} not recognised",
            sum(|r| r.n_lines),
            sum(|r| r.n_rows),
            sum(|r| r.n_rejected)
        );
        let n = |rule: Rule| self.reports.iter().map(|report| report.dropped[rule as usize]).sum::<u64>();
        let dropped: Vec<_> = Rule::ALL.iter().map(|(rule, name)| (n(*rule), name)).filter(|(n, _)| *n > 0).collect();
        if !dropped.is_empty() {
            let dropped: Vec<_> = dropped.iter().map(|(n, name)| format!("{name} {n}")).collect();
            words.push_str("; dropped: ");
            words.push_str(&dropped.join(", "));
        }
        let ipv6 = sum(|r| r.n_ipv6);
        if ipv6 > 0 {
            let are = if ipv6 == 1 { "is a request of an IPv6 client" } else { "are requests of IPv6 clients" };
            let _ = write!(words, "; {ipv6} of the lines not recognised {are}");
        }
        let odd = sum(|r| r.n_odd_times);
        if odd > 0 {
            let _ = write!(words, "; {} with an impossible time", counted(odd, "row", "rows"));
        }
        let tails = sum(|r| r.has_tail.into());
        if tails > 0 {
            let lines = counted(tails, "last line", "last lines");
            let _ = write!(words, "; {lines} without a line feed not read");
        }
        let open = sum(|r| r.lacks_part.into());
        if open > 0 {
            let lines = counted(open, "last line", "last lines");
            let _ = write!(words, "; {lines} without the last part not read");
        }
        let runs = sum(|r| r.nuls.n_runs);
        if runs > 0 {
            let (runs, n) = (counted(runs, "run", "runs"), sum(|r| r.nuls.n_bytes));
            let bytes = if n == 1 { "byte" } else { "bytes" };
            let _ = write!(words, "; {runs} of NUL bytes skipped ({} {bytes})", grouped(n));
        }
        words.push_str(&self.layouts());
        words
    }

    /// Adds the figures to those that are kept of the program.
    pub(crate) fn count(&self) {
        let sum = |get: fn(&Report) -> u64| self.reports.iter().map(get).sum::<u64>();
        measure::count("lines", sum(|r| r.n_lines));
        measure::count("rows", sum(|r| r.n_rows));
        measure::count("rejected", sum(|r| r.n_rejected));
        measure::count("ipv6", sum(|r| r.n_ipv6));
        measure::count("refused", self.n_refused);
        for (rule, name) in Rule::ALL {
            let n = self.reports.iter().map(|report| report.dropped[rule as usize]).sum();
            measure::count(&format!("dropped.{name}"), n);
        }
    }

    /// The layouts of the access logs that have one.
    fn layouts(&self) -> String {
        let mut counts: Vec<(&str, u64)> = Vec::new();
        for name in
            self.reports.iter().map(|report| report.layout).filter(|name| !matches!(*name, "" | "auth" | "unknown"))
        {
            match counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, n)) => *n += 1,
                None => counts.push((name, 1)),
            }
        }
        match &*counts {
            [] => String::new(),
            [(name, _)] => format!("; layout {name}"),
            several => {
                let several: Vec<_> = several.iter().map(|(name, n)| format!("{name} {n}")).collect();
                format!("; layouts: {}", several.join(", "))
            }
        }
    }
}

/// What survives a failed try: the figures of the finished files, and where rejects go.
pub(crate) struct Tally<'a> {
    pub(crate) rejects: &'a mut Rejects,
    pub(crate) messages: Messages,
    pub(crate) totals: Totals,
    /// Refuse files with any reject.
    pub(crate) strict: bool,
    /// Import files even if they are not understood.
    pub(crate) accept: bool,
    /// How much earlier tries of the current file have already reported.
    pub(crate) tried: Report,
    /// What bots requested in the finished files.
    pub(crate) uses: Uses,
    /// Where verdicts go.
    pub(crate) verdicts: Option<VerdictFile>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(rejects: &'a mut Rejects, messages: Messages, strict: bool, accept: bool) -> Self {
        let (totals, tried, uses) = (Totals::default(), Report::default(), Uses::default());
        Self { rejects, messages, totals, strict, accept, tried, uses, verdicts: None }
    }

    /// Reports that a file is not imported, and why.
    pub(crate) fn refuse(&mut self, name: &str, why: &str) {
        self.totals.n_refused += 1;
        self.messages.error(format_args!("{name}: not imported: {why}"));
    }
}
