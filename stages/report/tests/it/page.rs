//! Reading a page as a browser does, for the other tests; and what must hold for every page.

use std::collections::{BTreeMap, BTreeSet};

use scraper::{ElementRef, Html, Selector};

use super::{cells, report, usual};

pub(crate) fn select<'a>(page: &'a Html, what: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(what).unwrap();
    page.select(&selector).collect()
}

pub(crate) fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().trim().to_owned()
}

/// The table of a figure: row and column lead to the text.
pub(crate) fn table(page: &Html, figure: &str) -> BTreeMap<(String, String), String> {
    let heads: Vec<_> = select(page, &format!("#{figure} thead th")).into_iter().map(text).collect();
    let mut found = BTreeMap::new();
    for row in select(page, &format!("#{figure} tbody tr")) {
        let cells: Vec<_> = row.child_elements().map(text).collect();
        for (head, cell) in heads.iter().zip(&cells).skip(1) {
            found.insert((cells[0].clone(), head.clone()), cell.clone());
        }
    }
    found
}

fn page_of(args: &[&str], records: String) -> String {
    report().args(args).stdin(records).finish().ok().text()
}

#[test]
fn a_page_is_whole_and_asks_nobody() {
    let text_of = page_of(&[], cells(24, usual));
    let page = Html::parse_document(&text_of);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    let ids: Vec<_> = select(&page, "[id]").iter().map(|e| e.value().attr("id").unwrap()).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "an id is there twice");
    for link in select(&page, "[href]") {
        let to = link.value().attr("href").unwrap();
        assert!(to.strip_prefix('#').is_some_and(|to| ids.contains(&to)), "{to}");
    }
    for named in select(&page, "[aria-labelledby]") {
        for id in named.value().attr("aria-labelledby").unwrap().split(' ') {
            assert!(ids.contains(&id), "{id}");
        }
    }
    for word in ["http:", "https:", "src=", "url(//", "@import", " style=", " onclick="] {
        assert!(!text_of.contains(word), "{word}");
    }
    assert_eq!(select(&page, "style").len() + select(&page, "script").len(), 2);
}

#[test]
fn every_figure_has_a_title_a_table_and_a_rule() {
    let page = Html::parse_document(&page_of(&[], cells(24, usual)));
    let figures = select(&page, "article.figure");
    assert!(figures.len() >= 11, "{}", figures.len());
    for figure in figures {
        let id = figure.value().attr("id").unwrap();
        let n = |what: &str| figure.select(&Selector::parse(what).unwrap()).count();
        assert!(n("h3") == 1 && n("table caption") == 1 && n("a.rule") == 1 && n(".summary") == 1, "{id}");
        assert!(n("svg[role=img]") >= 1, "{id}");
    }
    assert!(select(&page, ".card").len() >= 11);
}

#[test]
fn months_that_are_not_whole_are_hatched_and_named() {
    let records = cells(24, usual);
    for (now, args, named) in [
        ("2025-06-15T12:00", &[][..], "June 2025"),
        ("2025-07-15T12:00", &["--incomplete", "2024-11,2025-01"], "November 2024, January 2025"),
    ] {
        let done = report().env("HZMETRICS_NOW", now).args(args).stdin(records.clone()).finish().ok();
        let page = Html::parse_document(&done.text());
        let notes: Vec<_> = select(&page, "#users .note").into_iter().map(text).collect();
        assert_eq!(notes, [format!("Hatched: {named}, not yet complete.")]);
        let n = named.split(", ").count();
        assert_eq!(select(&page, "#users svg .gap").len(), n);
        assert_eq!(select(&page, "#registrations svg .hatch").len(), n);
        let marked = select(&page, "#users tbody th").into_iter().map(text).filter(|t| t.contains("(incomplete)"));
        assert_eq!(marked.count(), n);
    }
    let whole = page_of(&[], records);
    assert_eq!(select(&Html::parse_document(&whole), ".hatch, .gap, .note").len(), 0);
}

#[test]
fn the_running_month_is_no_headline() {
    let done = report().env("HZMETRICS_NOW", "2025-06-15T12:00").stdin(cells(24, usual)).finish().ok();
    let page = Html::parse_document(&done.text());
    assert!(text(select(&page, ".subtitle")[0]).starts_with("May 2025 "));
    let done = report().arg("2025-03").stdin(cells(24, usual)).finish().ok();
    let page = Html::parse_document(&done.text());
    assert!(text(select(&page, ".subtitle")[0]).starts_with("March 2025 "));
    assert!(table(&page, "users").keys().all(|(month, _)| !month.starts_with("April 2025")));
}
