//! The tables behind the figures as one CSV: a row for each number.

use anyhow::{Context as _, Result, anyhow};

use crate::amount::{Amount, Unit};
use crate::document::{Document, Label};
use crate::words::Words;

/// The columns. `note` says why there is no value, or that the month is incomplete.
const HEADER: [&str; 7] = ["section", "figure", "row", "column", "unit", "value", "note"];

pub(super) fn page(document: &Document, words: &Words) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for section in &document.sections {
        for card in &section.cards {
            let place = [section.id, "headline", &safe(&document.subtitle), &safe(&card.label)];
            writer.write_record(row(place, card.amount, card.unit, false, words))?;
        }
        for figure in &section.figures {
            for line in &figure.table.rows {
                for (column, cell) in figure.table.columns.iter().zip(&line.cells) {
                    let place = [section.id, figure.id, &name(&line.label), &safe(&column.title)];
                    writer.write_record(row(place, *cell, column.unit, line.is_incomplete(), words))?;
                }
            }
        }
    }
    let bytes = writer.into_inner().map_err(|e| anyhow!("writing CSV: {e}"))?;
    String::from_utf8(bytes).context("writing CSV")
}

fn row(place: [&str; 4], amount: Amount, unit: Unit, is_incomplete: bool, words: &Words) -> Vec<String> {
    let note = match amount {
        Amount::Few => words.few,
        Amount::Withheld => words.not_shown,
        Amount::Missing => words.no_number,
        Amount::Known(_) if is_incomplete => words.incomplete,
        Amount::Known(_) => "",
    };
    let unit_name = match unit {
        Unit::Count => "",
        Unit::Hours => "hours",
        Unit::Minutes => "minutes",
        Unit::Share => "%",
    };
    let texts = [unit_name.to_owned(), amount.plain(unit), note.to_owned()];
    place.iter().map(|text| (*text).to_owned()).chain(texts).collect()
}

fn name(label: &Label) -> String {
    match label {
        Label::Month(month) => month.to_string(),
        Label::Text(text) => safe(text),
    }
}

/// A text that no spreadsheet takes for a formula.
fn safe(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        assert_eq!(safe("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(safe("a=b"), "a=b");
    }
}
