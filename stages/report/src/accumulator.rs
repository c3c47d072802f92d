//! What a section of the report is: it takes records in any order, once, and then says what it has to show as
//! figures and tables. How they are rendered it does not know.

use schema::Month;

use crate::document::Section;
use crate::ground::Ground;

/// Takes records and makes a section of them.
pub(crate) trait Accumulator {
    /// Takes a record of any kind; one that the section does not use is ignored.
    ///
    /// # Errors
    /// The record is of a kind that is used and cannot be: the reason.
    fn take(&mut self, kind: &str, line: &[u8]) -> Result<(), String>;

    /// What there is to show; `None` when no record was of use.
    fn section(&self, ground: &Ground) -> Option<Section>;

    /// The months that it has numbers of, ascending.
    fn months(&self) -> Vec<Month>;
}
