//! The forms of a report: each renderer writes a whole [`Document`].

mod csv;
mod html;
mod label;
mod markdown;
mod text;

use std::io::Write;

use anyhow::{Context as _, Result};
use kit::Format;

use crate::document::Document;
use crate::words::Words;

/// Writes the report in a form.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write(document: &Document, format: Format, words: &Words, out: &mut dyn Write) -> Result<()> {
    out.write_all(&bytes(document, format, words)?).context("writing the report")
}

/// The report in a form.
///
/// # Errors
/// A number cannot be written as CSV.
pub(crate) fn bytes(document: &Document, format: Format, words: &Words) -> Result<Vec<u8>> {
    let text = match format {
        Format::Text | Format::Table => text::page(document, words),
        Format::Md => markdown::page(document, words),
        Format::Csv => csv::page(document, words)?,
        Format::Html | Format::Ndjson => html::page(document, words),
    };
    Ok(text.into_bytes())
}
