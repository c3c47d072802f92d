//! The page for a browser: one file, which asks no server for anything.
//!
//! Text from the data is only ever written through maud, which escapes it. The policy in the head lets
//! nothing run but the script whose hash it names.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::label::label;
use crate::document::{Card, Chart, Document, Figure, Section, Table};
use crate::draw;
use crate::words::{Rule, Words, fill};

// without blanks at the ends: the validator vnu hashes them without
const STYLE: &str = include_str!("../../data/page.css").trim_ascii();
const SCRIPT: &str = include_str!("../../data/page.js").trim_ascii();

/// Only our own style and script, no request to anybody. A test compares the hashes with the files.
const POLICY: &str = concat!(
    "default-src 'none'; style-src 'sha256-",
    "TWQUcU0n7mr9ao7xE9Hd5WMm6IifUn9CREtY1+jhkaQ=",
    "'; script-src 'sha256-",
    "pW94wVxSGT3zTadmE9O1rGbFc4Piftrp0znbg4X8klk=",
    "'; img-src data:; base-uri 'none'; form-action 'none'"
);

/// The whole page.
pub(super) fn page(document: &Document, words: &Words) -> String {
    html! {
        (DOCTYPE)
        html lang=(words.code) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (document.title) @if !document.subtitle.is_empty() { ": " (document.subtitle) } }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#content" { (words.skip) }
                (hatches())
                (head(document, words))
                main id="content" { (content(document, words)) }
                (foot(document, words))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// Patterns that all charts use.
fn hatches() -> Markup {
    html! {
        svg class="patterns" width="0" height="0" aria-hidden="true" {
            defs {
                pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect class="hatch-line" width="2.4" height="5" {}
                }
                pattern id="gap" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect class="gap-line" width="1.2" height="6" {}
                }
                pattern id="few" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect class="q0" width="5" height="5" {}
                    rect class="few-line" width="1.8" height="5" {}
                }
            }
        }
    }
}

fn head(document: &Document, words: &Words) -> Markup {
    html! {
        header class="top" {
            @if let Some(logo) = &document.logo { img class="logo" src=(logo) alt=""; }
            div class="titles" {
                h1 { (document.title) }
                @if !document.subtitle.is_empty() { p class="subtitle" { (document.subtitle) } }
                @if document.is_private { p class="private" { (words.private_copy) } }
            }
            button type="button" class="theme" hidden aria-label=(words.theme) title=(words.theme) { "◐" }
        }
        @if !document.sections.is_empty() {
            nav class="contents" aria-label=(words.contents) {
                ul {
                    @for (file, page) in &document.pages { li { a href=(file) { (page) } } }
                    @for section in &document.sections {
                        @for figure in &section.figures { li { a href=(format!("#{}", figure.id)) { (figure.title) } } }
                    }
                    li { a href="#rules" { (words.rules_title) } }
                }
            }
        }
    }
}

fn content(document: &Document, words: &Words) -> Markup {
    let of_section = |section: &Section| -> Vec<Rule> {
        section.cards.iter().map(|card| card.rule).chain(section.figures.iter().map(|figure| figure.rule)).collect()
    };
    let rules: BTreeSet<Rule> = document.sections.iter().flat_map(of_section).collect();
    html! {
        @if document.sections.is_empty() { p { (words.nothing) } }
        @for part in &document.sections { (section(part, words)) }
        @if !rules.is_empty() {
            section class="rules" aria-labelledby="rules" {
                h2 id="rules" { (words.rules_title) }
                p { (words.rules_intro) }
                dl {
                    @for rule in rules {
                        @let (title, text) = words.rule(rule);
                        dt id=(rule.id()) { (title) }
                        dd { (text) }
                    }
                }
            }
        }
    }
}

fn section(section: &Section, words: &Words) -> Markup {
    html! {
        section aria-labelledby=(section.id) {
            h2 id=(section.id) { (section.title) }
            p class="intro" { (section.intro) }
            @if !section.cards.is_empty() {
                ul class="cards" { @for part in &section.cards { (card(part)) } }
            }
            div class="figures" { @for part in &section.figures { (figure(part, words)) } }
        }
    }
}

fn card(card: &Card) -> Markup {
    html! {
        li class="card" {
            a class="card-label" href=(format!("#{}", card.rule.id())) { (card.label) }
            span class="card-value" { (card.amount.text(card.unit)) }
            span class="card-changes" {
                @for (against, change) in &card.changes {
                    @if let Some(change) = change { span { b { (change) } " " (against) } }
                }
            }
            (draw::spark(&card.trend))
        }
    }
}

fn figure(figure: &Figure, words: &Words) -> Markup {
    let kind = if matches!(figure.chart, Chart::Multiples(_)) { " with-panels" } else { "" };
    html! {
        article class=(format!("figure{}{kind}", if figure.is_wide { " wide" } else { "" })) id=(figure.id)
            aria-labelledby=(format!("{}-t", figure.id)) {
            h3 id=(format!("{}-t", figure.id)) { (figure.title) }
            @if !figure.summary.is_empty() { p class="summary" id=(format!("{}-s", figure.id)) { (figure.summary) } }
            (draw::chart(figure, words))
            @for note in &figure.notes { p class="note" { (note) } }
            @let scroll = html! {
                div class="scroll" tabindex="0" role="group" aria-label=(fill(words.table_of, &[&figure.title])) {
                    (table(&figure.table, &figure.title, words))
                }
            };
            @if matches!(figure.chart, Chart::Plain) { (scroll) }
            div class="below" {
                @if !matches!(figure.chart, Chart::Plain) { details { summary { (words.table) } (scroll) } }
                a class="rule" href=(format!("#{}", figure.rule.id())) { (words.how_counted) }
            }
        }
    }
}

fn table(table: &Table, title: &str, words: &Words) -> Markup {
    html! {
        table {
            caption { (title) }
            thead {
                tr {
                    th scope="col" { (table.head) }
                    @for column in &table.columns { th scope="col" class="number" { (column.title) } }
                }
            }
            tbody {
                @for row in &table.rows {
                    tr {
                        th scope="row" {
                            @match &row.page {
                                Some(page) => a href=(page) { (label(&row.label, words)) },
                                None => (label(&row.label, words)),
                            }
                            @if row.is_incomplete() { " (" (words.incomplete) ")" }
                        }
                        @for (i, cell) in row.cells.iter().enumerate() {
                            td class="number" { (cell.text(table.unit(i))) }
                        }
                    }
                }
            }
            @if table.n_more > 0 {
                tfoot { tr { td colspan=(table.columns.len() + 1) { (fill(words.and_more, &[&table.n_more.to_string()])) } } }
            }
        }
    }
}

fn foot(document: &Document, words: &Words) -> Markup {
    html! {
        footer {
            @for remark in &document.remarks { p { (remark) } }
            p { (fill(words.made_with, &[kit::VERSION])) }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::Digest as _;

    use super::*;

    #[test]
    fn the_policy_names_the_hashes_of_style_and_script() {
        for (name, file) in [("style", STYLE), ("script", SCRIPT)] {
            let hash = STANDARD.encode(sha2::Sha256::digest(file));
            assert!(POLICY.contains(&format!("{name}-src 'sha256-{hash}'")), "{name}-src 'sha256-{hash}'");
        }
    }

    #[test]
    fn style_and_script_cannot_end_their_element() {
        for file in [STYLE, SCRIPT] {
            assert!(!file.contains("</") && !file.contains("<!--"));
        }
    }
}
