//! The labels of rows in words.

use crate::document::Label;
use crate::words::Words;

/// The label of a row in words.
pub(super) fn label(label: &Label, words: &Words) -> String {
    match label {
        Label::Month(month) => words.month_name(*month),
        Label::Text(text) => text.clone(),
    }
}
