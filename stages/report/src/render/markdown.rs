//! The report as Markdown: a table for each figure.

use std::fmt::Write as _;

use super::label::label;
use crate::document::{Card, Document, Table};
use crate::words::{Words, fill};

pub(super) fn page(document: &Document, words: &Words) -> String {
    let mut out = format!("# {}\n", escaped(&document.title));
    if !document.subtitle.is_empty() {
        let _ = write!(out, "\n{}\n", escaped(&document.subtitle));
    }
    if document.is_private {
        let _ = write!(out, "\n**{}**\n", words.private_copy);
    }
    if document.sections.is_empty() {
        let _ = write!(out, "\n{}\n", words.nothing);
    }
    for section in &document.sections {
        let _ = write!(out, "\n## {}\n\n{}\n", escaped(&section.title), escaped(&section.intro));
        cards(&mut out, &section.cards);
        for figure in &section.figures {
            if document.is_brief && figure.summary.is_empty() {
                continue;
            }
            let _ = write!(out, "\n### {}\n\n{}\n\n", escaped(&figure.title), escaped(&figure.summary));
            if document.is_brief {
                continue;
            }
            table(&mut out, &figure.table, words);
            for note in &figure.notes {
                let _ = write!(out, "\n{}\n", escaped(note));
            }
        }
    }
    for remark in &document.remarks {
        let _ = write!(out, "\n{}\n", escaped(remark));
    }
    out
}

fn cards(out: &mut String, cards: &[Card]) {
    if !cards.is_empty() {
        out.push('\n');
    }
    for card in cards {
        let changes: Vec<_> = card
            .changes
            .iter()
            .map(|(against, change)| format!("{} {}", change.as_deref().unwrap_or("–"), escaped(against)))
            .collect();
        let amount = escaped(&card.amount.text(card.unit));
        let _ = writeln!(out, "* {}: **{amount}** ({})", escaped(&card.label), changes.join(", "));
    }
}

fn table(out: &mut String, table: &Table, words: &Words) {
    let titles = table.columns.iter().map(|column| escaped(&column.title));
    let heads: Vec<_> = [escaped(&table.head)].into_iter().chain(titles).collect();
    let _ = writeln!(out, "| {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|{}", "---:|".repeat(table.columns.len()));
    for row in &table.rows {
        let mut name = escaped(&label(&row.label, words));
        if row.is_incomplete() {
            let _ = write!(name, " ({})", words.incomplete);
        }
        let cells = row.cells.iter().enumerate().map(|(i, cell)| escaped(&cell.text(table.unit(i))));
        let _ = writeln!(out, "| {} |", [name].into_iter().chain(cells).collect::<Vec<_>>().join(" | "));
    }
    if table.n_more > 0 {
        let _ = write!(out, "\n{}\n", fill(words.and_more, &[&table.n_more.to_string()]));
    }
}

/// Text in which nothing is Markdown or HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            // links, addresses and names that are found without brackets
            ':' | '@' => {
                out.push(c);
                out.push('\u{2060}');
            }
            '.' if is_www(&out) => out.push_str("\u{2060}."),
            _ => out.push(c),
        }
    }
    out.replace(":\u{2060} ", ": ").trim_end_matches('\u{2060}').to_owned()
}

/// Whether a text ends with what a name of a web server begins with.
fn is_www(text: &str) -> bool {
    text.len().checked_sub(3).and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escaped("a|b <i>*x*</i> [y](z)"), "a\\|b &lt;i&gt;\\*x\\*&lt;/i&gt; \\[y\\](z)");
        assert_eq!(escaped("Most in June: 5."), "Most in June: 5.");
        assert_eq!(escaped("https://x"), "https:\u{2060}//x");
        assert_eq!(escaped("WWW.x.org w.y é.z"), "WWW\u{2060}.x.org w.y é.z");
        assert_eq!(escaped("a@b.c"), "a@\u{2060}b.c");
    }
}
