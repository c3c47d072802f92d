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
fn every_tooltip_says_what_the_table_says() {
    let args = ["--incomplete", "2025-02"];
    for args in [&args[..], &["--private"]] {
        let page = Html::parse_document(&page_of(args, super::browser::everything()));
        let mut charts = BTreeSet::new();
        for figure in select(&page, "article.figure") {
            let id = figure.value().attr("id").unwrap();
            let shown = table(&page, id);
            for tip in select(&page, &format!("#{id} svg title")).into_iter().map(text) {
                let (row, columns) = match tip.split_once('\n') {
                    Some((row, columns)) => (row.to_owned(), columns.to_owned()),
                    // a square: row and column in one line
                    None => tip.split_once(", ").map(|(row, column)| (row.to_owned(), column.to_owned())).unwrap(),
                };
                for line in columns.lines() {
                    let (column, number) = line.rsplit_once(": ").unwrap();
                    assert_eq!(shown[&(row.clone(), column.to_owned())], number, "{id}: {tip}");
                    charts.insert(id.to_owned());
                }
            }
        }
        assert!(charts.len() >= 14, "{charts:?}");
    }
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
fn twelve_months_that_are_fewer_are_named_and_not_compared() {
    let all_time = |more: u64| {
        "2024-05".parse::<schema::Month>().unwrap().through("2025-06".parse().unwrap()).fold(
            cells(14, usual),
            |text, month| {
                text + &super::cell(
                    "user",
                    1,
                    1,
                    &month.to_string(),
                    14,
                    usual("user", 1, 1, month.ordinal(), 12) + more,
                )
            },
        )
    };
    let notes_of = |page: &Html, figure: &str| -> Vec<String> {
        select(page, &format!("#{figure} .note")).into_iter().map(text).collect()
    };
    let changes = |page: &Html, card: &str| {
        let card = select(page, ".card").into_iter().find(|found| text(*found).starts_with(card)).unwrap();
        card.child_elements().map(text).nth(2).unwrap()
    };
    let young = Html::parse_document(&page_of(&["2025-03"], all_time(0)));
    let note = "The records begin in May 2024: up to March 2025 these are numbers of fewer than twelve months, \
                which grow with each month.";
    for figure in ["users-year", "returning", "residence", "work"] {
        assert_eq!(notes_of(&young, figure), [note], "{figure}");
    }
    assert!(notes_of(&young, "users").is_empty());
    assert!(!changes(&young, "Users in twelve months").contains("vs."), "{}", changes(&young, "Users in"));
    assert!(changes(&young, "Visits").contains("vs. Feb 2025"));
    // the first whole twelve months are not compared with fewer
    let whole = Html::parse_document(&page_of(&["2025-04"], all_time(0)));
    assert!(!changes(&whole, "Users in twelve months").contains("vs."));
    assert_eq!(notes_of(&whole, "users-year"), [note]);
    let whole = Html::parse_document(&page_of(&["2025-05"], all_time(0)));
    assert!(changes(&whole, "Users in twelve months").contains("vs. Apr 2025"));
    // somebody was counted before the first month that is shown
    let old = Html::parse_document(&page_of(&["2025-03"], all_time(1)));
    assert!(notes_of(&old, "users-year").is_empty());
    assert!(changes(&old, "Users in twelve months").contains("vs. Feb 2025"));
}

#[test]
fn one_month_alone_has_no_chart_over_time() {
    let of = |month: &str, period: u8| {
        format!(
            "{{\"kind\":\"toolstat\",\"id\":1,\"resid\":1,\"users\":50,\"jobs\":70,\"datetime\":\"{month}-00 00:00:00\",\
             \"period\":{period}}}\n"
        )
    };
    for (months, n) in [(&["2025-06"][..], 0), (&["2025-05", "2025-06"], 1)] {
        let records = months.iter().fold(of("2025-06", 12), |text, month| text + &of(month, 1));
        let page = Html::parse_document(&page_of(&[], records));
        assert_eq!(select(&page, "#tools-users .spark").len(), n, "{months:?}");
        assert_eq!(text(select(&page, "p.intro")[0]).contains("small columns"), n == 1);
    }
}

#[test]
fn the_running_month_is_not_a_headline() {
    let done = report().env("HZMETRICS_NOW", "2025-06-15T12:00").stdin(cells(24, usual)).finish().ok();
    let page = Html::parse_document(&done.text());
    assert!(text(select(&page, ".subtitle")[0]).starts_with("May 2025 "));
    let done = report().arg("2025-03").stdin(cells(24, usual)).finish().ok();
    let page = Html::parse_document(&done.text());
    assert!(text(select(&page, ".subtitle")[0]).starts_with("March 2025 "));
    assert!(table(&page, "users").keys().all(|(month, _)| !month.starts_with("April 2025")));
}
