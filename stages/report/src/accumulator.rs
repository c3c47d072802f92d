//! What a section of the report is: it takes records in any order, once, and then says what it has to show as
//! figures and tables. How they are rendered it does not know.

use kit::Batch;
use schema::{Kind, Month};

use crate::document::{Section, Table};
use crate::ground::Ground;

/// Takes records and makes a section of them.
pub(crate) trait Accumulator: Send {
    /// Takes a record of any kind; one that the section does not use is ignored.
    ///
    /// # Errors
    /// The record is of a kind that is used and cannot be: the reason.
    fn take(&mut self, kind: &str, line: &[u8]) -> Result<(), String>;

    /// Takes lines of a batch, of these kinds. Returns those that cannot be used, and why.
    fn take_batch(&mut self, batch: &Batch, lines: &[(usize, Kind)]) -> Vec<(usize, String)> {
        let take = |(i, kind): &(usize, Kind)| {
            let reason = self.take(kind.name(), batch.line(*i)).err()?;
            Some((*i, reason))
        };
        lines.iter().filter_map(take).collect()
    }

    /// What there is to show; `None` when no record was of use.
    fn section(&self, ground: &Ground) -> Option<Section>;

    /// The most important numbers of these months, a row for each; `None` if the section has none.
    fn overview(&self, _months: &[Month], _ground: &Ground) -> Option<Table> {
        None
    }

    /// The months that it has numbers of, ascending.
    fn months(&self) -> Vec<Month>;
}
