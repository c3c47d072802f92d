//! The report as plain text: for a terminal, with bars and small charts of block characters.

use std::fmt::Write as _;

use super::label::label;
use crate::amount::Amount;
use crate::document::{Card, Chart, Document, Figure, Table};
use crate::words::{Words, fill};

/// As wide as lines become.
const WIDTH: usize = 78;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn page(document: &Document, words: &Words) -> String {
    let mut out = format!("{}\n", document.title);
    if !document.subtitle.is_empty() {
        let _ = writeln!(out, "{}", document.subtitle);
    }
    if document.is_private {
        let _ = writeln!(out, "{}", words.private_copy);
    }
    if document.sections.is_empty() {
        let _ = write!(out, "\n{}\n", words.nothing);
    }
    for section in &document.sections {
        let _ = write!(out, "\n{}\n{}\n", section.title, "=".repeat(section.title.chars().count()));
        cards(&mut out, &section.cards, document.is_brief);
        if document.is_brief {
            sentences(&mut out, &section.figures);
            continue;
        }
        for part in &section.figures {
            figure(&mut out, part, words);
        }
    }
    for remark in &document.remarks {
        let _ = write!(out, "\n{}\n", wrapped(remark));
    }
    out
}

/// What the figures show, in words.
fn sentences(out: &mut String, figures: &[Figure]) {
    for figure in figures.iter().filter(|figure| !figure.summary.is_empty()) {
        let _ = write!(out, "\n{}\n{}\n", figure.title, wrapped(&figure.summary));
    }
}

fn cards(out: &mut String, cards: &[Card], is_brief: bool) {
    if cards.is_empty() {
        return;
    }
    out.push('\n');
    for card in cards {
        let changes: Vec<_> = card
            .changes
            .iter()
            .map(|(against, change)| format!("{:>8} {against}", change.as_deref().unwrap_or("–")))
            .collect();
        if is_brief {
            let _ = writeln!(out, "{:<23}{:>11}{}", card.label, card.amount.text(card.unit), changes.join(""));
            continue;
        }
        let _ = writeln!(
            out,
            "{:<24}{:>12}  {:<13}  {}",
            card.label,
            card.amount.text(card.unit),
            spark(&card.trend),
            changes.join("  ")
        );
    }
}

fn figure(out: &mut String, figure: &Figure, words: &Words) {
    let _ = write!(out, "\n{}\n{}\n", figure.title, "-".repeat(figure.title.chars().count()));
    if !figure.summary.is_empty() {
        let _ = writeln!(out, "{}", wrapped(&figure.summary));
    }
    match &figure.chart {
        Chart::Columns(columns) | Chart::Lines(columns) | Chart::Shares(columns) | Chart::Multiples(columns) => {
            courses(out, &figure.table, columns, words);
        }
        Chart::Ranking { value, .. } | Chart::Map(value) => bars(out, &figure.table, *value, words),
        Chart::Heat => fields(out, &figure.table, words),
        Chart::Plain => rows(out, &figure.table, words),
    }
    for note in &figure.notes {
        let _ = writeln!(out, "{}", wrapped(note));
    }
}

/// A line for each column: its name, its course, its last number.
fn courses(out: &mut String, table: &Table, columns: &[usize], words: &Words) {
    for &column in columns {
        let course: Vec<_> = table.rows.iter().map(|row| row.cell(column)).collect();
        let Some(last) = table.last() else { continue };
        let title: String = table.title(column).chars().take(31).collect();
        let _ = writeln!(
            out,
            "{title:<32}{}  {} ({})",
            spark(&course),
            last.cell(column).text(table.unit(column)),
            label(&last.label, words)
        );
    }
}

/// A bar for each row.
fn bars(out: &mut String, table: &Table, column: usize, words: &Words) {
    const BAR: f64 = 30.0;
    let most = table.rows.iter().filter_map(|row| row.cell(column).value()).fold(0.0, f64::max);
    for row in &table.rows {
        let part = row.cell(column).value().filter(|_| most > 0.0).map_or(0.0, |value| BAR * value.max(0.0) / most);
        let name = cut(&label(&row.label, words), 31);
        let _ = writeln!(out, "{name:<32}{:>12} {}", row.cell(column).text(table.unit(column)), bar(part));
    }
    if table.n_more > 0 {
        let _ = writeln!(out, "{}", fill(words.and_more, &[&table.n_more.to_string()]));
    }
}

/// A line for each row, with the numbers of all columns that are not zero.
fn rows(out: &mut String, table: &Table, words: &Words) {
    for row in &table.rows {
        let cells = row.cells.iter().enumerate().filter(|(_, cell)| cell.value() != Some(0.0));
        let cells = cells.map(|(i, cell)| format!("{} {}", table.title(i), cell.text(table.unit(i))));
        let line = format!("{}: {}", label(&row.label, words), cells.collect::<Vec<_>>().join(", "));
        let _ = writeln!(out, "{}", wrapped(&line));
    }
}

/// A row of shaded fields for each row.
fn fields(out: &mut String, table: &Table, words: &Words) {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    let most = table.rows.iter().flat_map(|row| row.cells.iter().filter_map(|cell| cell.value())).fold(0.0, f64::max);
    for row in &table.rows {
        let shade = |cell: &Amount| {
            let part = cell.value().filter(|_| most > 0.0).map_or(0.0, |value| value / most);
            SHADES.get((part * 4.0).ceil() as usize).copied().unwrap_or(' ')
        };
        let name = cut(&label(&row.label, words), 31);
        let _ = writeln!(out, "{name:<32}{}", row.cells.iter().map(shade).collect::<String>());
    }
}

/// The beginning of a text that is longer than there is room for, which then ends with `…`.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// A bar of eighths.
fn bar(length: f64) -> String {
    const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (length * 8.0).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.extend((eighths % 8).checked_sub(1).and_then(|i| PARTS.get(i)));
    bar
}

/// A block for each number; a blank where there is none, a dot where it is hidden.
fn spark(course: &[Amount]) -> String {
    let most = course.iter().filter_map(|amount| amount.value()).fold(0.0, f64::max);
    let block = |amount: &Amount| match amount {
        Amount::Known(value) if most > 0.0 => {
            BLOCKS.get((value.max(0.0) / most * 7.0).round() as usize).copied().unwrap_or(' ')
        }
        Amount::Known(_) => '▁',
        Amount::Few | Amount::Withheld => '·',
        Amount::Missing => ' ',
    };
    course.iter().map(block).collect()
}

/// A text in lines of [`WIDTH`].
fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_cut_says_so() {
        assert_eq!((cut("/about", 6).as_str(), cut("/about/é/x", 9).as_str()), ("/about", "/about/é…"));
    }

    #[test]
    fn courses_and_bars_begin_at_zero() {
        let known = |value: f64| Amount::Known(value);
        assert_eq!(spark(&[known(0.0), known(5.0), known(10.0), Amount::Missing, Amount::Few]), "▁▅█ ·");
        assert_eq!(bar(0.0), "");
        assert_eq!(bar(1.5), "█▌");
    }
}
