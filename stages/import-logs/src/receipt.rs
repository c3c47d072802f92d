//! Receipts: what became of one file, for `archive` to read.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use database::ledger::Target;
use kit::path_text;
use logs::discovery::Stream;
use logs::fingerprint::Fingerprint;
use schema::json;

use crate::report::Report;
use crate::unit::Unit;

/// What became of one file.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    path: PathBuf,
    stream: Stream,
    date: Option<String>,
    /// Rows that are stored.
    pub(crate) rows: u64,
    /// First and last id of these rows.
    pub(crate) ids: Option<(u64, u64)>,
    /// An earlier run had committed it.
    pub(crate) already: bool,
    /// What was read, and what became of its lines.
    report: Report,
}

impl Receipt {
    pub(crate) fn of(unit: &Unit, report: &Report) -> Self {
        let path = unit.path.clone().unwrap_or_default();
        let (stream, date) = (unit.stream.kind(), unit.date.clone());
        Self { path, stream, date, rows: report.n_rows, ids: None, already: false, report: report.clone() }
    }

    /// For a file that an earlier run committed; `read` is its content now, if known.
    pub(crate) fn of_known(unit: &Unit, read: Option<Fingerprint>) -> Self {
        let report = Report { read, ..Report::default() };
        Self { already: true, ..Self::of(unit, &report) }
    }

    /// The record, without a line end.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let report = &self.report;
        let mut line = b"{\"kind\":\"receipt\",".to_vec();
        path_text::push_fields(&mut line, &self.path);
        let (stream, table) = (self.stream.name(), Target::of(self.stream).name());
        line.extend_from_slice(format!(",\"stream\":\"{stream}\",\"target\":\"{table}\"").as_bytes());
        line.extend_from_slice(format!(",\"rows\":{},\"rejected\":{}", self.rows, report.n_rejected).as_bytes());
        if let Some(run) = kit::handed_run_id() {
            line.extend_from_slice(format!(",\"run\":\"{run}\"").as_bytes());
        }
        if let Some((first, last)) = self.ids {
            line.extend_from_slice(format!(",\"pk_start\":{first},\"pk_end\":{last}").as_bytes());
        }
        if let Some(date) = &self.date {
            line.extend_from_slice(b",\"date\":");
            json::push_str(&mut line, date);
        }
        if self.already {
            line.extend_from_slice(b",\"already\":1");
        } else {
            self.push_figures(&mut line);
        }
        self.push_read(&mut line);
        line.push(b'}');
        line
    }

    fn push_figures(&self, line: &mut Vec<u8>) {
        let report = &self.report;
        if !report.layout.is_empty() {
            line.extend_from_slice(b",\"layout\":");
            json::push_str(line, report.layout);
        }
        if let Some(choice) = report.addresses {
            line.extend_from_slice(b",\"addresses\":");
            json::push_str(line, choice);
        }
        if let Some(days) = report.hash_after_days {
            line.extend_from_slice(format!(",\"hash_after_days\":{days}").as_bytes());
        }
        if let Some(why) = &report.refused {
            line.extend_from_slice(b",\"refused\":");
            json::push_str(line, why);
        }
        for (name, n) in [("lines", report.n_lines), ("unfit", report.n_unfit), ("ipv6", report.n_ipv6)] {
            line.extend_from_slice(format!(",\"{name}\":{n}").as_bytes());
        }
        line.extend_from_slice(b",\"dropped\":{");
        for (i, (rule, n)) in report.by_rule().iter().enumerate() {
            line.extend_from_slice(if i > 0 { b"," } else { b"" });
            json::push_str(line, rule);
            line.extend_from_slice(format!(":{n}").as_bytes());
        }
        line.push(b'}');
        if report.nuls.n_bytes > 0 {
            line.extend_from_slice(format!(",\"nul\":{}", report.nuls.n_bytes).as_bytes());
        }
        if report.offset > 0 {
            line.extend_from_slice(format!(",\"offset\":{}", report.offset).as_bytes());
        }
    }

    fn push_read(&self, line: &mut Vec<u8>) {
        let Some(Fingerprint { device, inode, size, mtime, bytes, hash, head }) = &self.report.read else { return };
        let text = format!(
            ",\"device\":{device},\"inode\":{inode},\"size\":{size},\"mtime\":{mtime},\"bytes\":{bytes},\
             \"hash\":\"{hash}\",\"head\":\"{head}\""
        );
        line.extend_from_slice(text.as_bytes());
    }
}

/// The receipts of files that became records.
pub(crate) fn of_records(units: &[Unit], reports: &[Report]) -> Vec<Receipt> {
    let files = units.iter().zip(reports).filter(|(unit, _)| unit.path.is_some());
    files.map(|(unit, report)| Receipt::of(unit, report)).collect()
}

/// Writes receipts to a separate file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(path: &Path, receipts: &[Receipt]) -> Result<()> {
    kit::named_file(path, |out| {
        for receipt in receipts {
            out.write_all(&receipt.to_json())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
    .with_context(|| format!("writing the receipts {}", path.display()))
}
