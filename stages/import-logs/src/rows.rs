//! The rows of a block: records for a pipe, or values for a table.

use std::ops::Range;

use database::Value;

/// The form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFormat {
    /// Records, one JSON object a line.
    Records,
    /// Values for the columns of a table.
    Values,
}

/// The rows of a block in either form.
#[derive(Debug)]
pub(crate) enum Rows {
    Records(Vec<u8>),
    Values(Vec<Value>),
}

impl Default for Rows {
    fn default() -> Self {
        Self::Records(Vec::new())
    }
}

impl Rows {
    /// Takes a range of them; what is left in its place must not be used.
    pub(crate) fn take(&mut self, range: Range<usize>) -> Self {
        match self {
            Self::Records(bytes) => Self::Records(bytes.get(range).unwrap_or_default().to_vec()),
            Self::Values(values) => {
                let values = values.get_mut(range).unwrap_or_default().iter_mut();
                Self::Values(values.map(|value| std::mem::replace(value, Value::NULL)).collect())
            }
        }
    }

    /// Room for rows of about this many bytes, or for this many values; `spare` is memory of earlier ones.
    pub(crate) fn new(format: RowFormat, mut spare: Vec<u8>, bytes: usize, values: usize) -> Self {
        match format {
            RowFormat::Records => {
                spare.clear();
                spare.reserve(bytes);
                Self::Records(spare)
            }
            RowFormat::Values => Self::Values(Vec::with_capacity(values)),
        }
    }

    /// Where the next row begins, for ranges of rows.
    pub(crate) const fn end(&self) -> usize {
        match self {
            Self::Records(bytes) => bytes.len(),
            Self::Values(values) => values.len(),
        }
    }
}
