//! Receipts: what became of one file, for `archive` to read.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kit::discovery::Stream;
use kit::ledger::Target;
use schema::json;

use crate::import::{Report, Unit};

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    path: PathBuf,
    stream: Stream,
    date: Option<String>,
    pub(crate) rows: u64,
    pub(crate) rejected: u64,
    /// First and last id of the rows.
    pub(crate) ids: Option<(u64, u64)>,
    /// An earlier run had committed it.
    pub(crate) already: bool,
}

impl Receipt {
    pub(crate) fn of(unit: &Unit) -> Self {
        let path = unit.path.clone().unwrap_or_default();
        let (stream, date) = (unit.stream.kind(), unit.date.clone());
        Self { path, stream, date, rows: 0, rejected: 0, ids: None, already: false }
    }

    /// The record, without a line end.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut line = b"{\"kind\":\"receipt\",\"path\":".to_vec();
        json::push_str(&mut line, &self.path.to_string_lossy());
        let (stream, table) = (self.stream.name(), Target::of(self.stream).name());
        line.extend_from_slice(format!(",\"stream\":\"{stream}\",\"target\":\"{table}\"").as_bytes());
        line.extend_from_slice(format!(",\"rows\":{},\"rejected\":{}", self.rows, self.rejected).as_bytes());
        if let Some((first, last)) = self.ids {
            line.extend_from_slice(format!(",\"pk_start\":{first},\"pk_end\":{last}").as_bytes());
        }
        if let Some(date) = &self.date {
            line.extend_from_slice(b",\"date\":");
            json::push_str(&mut line, date);
        }
        if self.already {
            line.extend_from_slice(b",\"already\":1");
        }
        line.push(b'}');
        line
    }
}

/// The receipts of files that became records.
pub(crate) fn of_records(units: &[Unit], reports: &[Report]) -> Vec<Receipt> {
    let of = |(unit, report): (&Unit, &Report)| Receipt {
        rows: report.n_rows,
        rejected: report.n_rejected,
        ..Receipt::of(unit)
    };
    units.iter().zip(reports).filter(|(unit, _)| unit.path.is_some()).map(of).collect()
}

/// Writes receipts to a file of their own.
///
/// # Errors
/// It cannot be written.
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
