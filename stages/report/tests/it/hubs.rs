//! Several hubs: a page over all and a page a hub, and nothing that one of them hides follows from the others.

use std::fs;
use std::path::Path;

use fixtures::Run;
use scraper::Html;

use super::page::{select, table, text};
use super::{cell, cells, report, usual};

const PARTS: [&str; 4] = ["United States", "Europe", "Asia", "Elsewhere"];

/// A month of a hub with users of these parts: United States, Asia, Europe, elsewhere.
fn hub(parts: [u64; 4]) -> String {
    let mut records = cell("user", 1, 1, "2025-06", 12, 1000 + parts[0]);
    records += &cell("misc", 5, 1, "2025-06", 1, 7 * parts[0]);
    for (column, value) in (2..).zip([parts.iter().sum(), parts[0], parts[1], parts[2], parts[3]]) {
        records += &cell("user", 1, column, "2025-06", 12, value);
    }
    records
}

/// Writes the pages of hubs called a, b, c with these parts, and of all.
fn pages(folder: &Path, hubs: &[[u64; 4]], args: &[&str]) -> Run {
    let mut run = report().dir(folder).args(["--folder", "pages"]).args(args);
    for (name, parts) in ["a", "b", "c"].into_iter().zip(hubs) {
        fs::write(folder.join(name), hub(*parts)).unwrap();
        run = run.arg("--hub").arg(format!("{name}={name}"));
    }
    let sum = |part: usize| hubs.iter().map(|parts| parts[part]).sum();
    run.stdin(hub([sum(0), sum(1), sum(2), sum(3)]))
}

fn residence(folder: &Path, page: &str) -> [String; 4] {
    let text = fs::read_to_string(folder.join("pages").join(page)).unwrap();
    let shown = table(&Html::parse_document(&text), "residence");
    PARTS.map(|part| shown[&("June 2025".to_owned(), part.to_owned())].clone())
}

#[test]
fn every_hub_has_a_page_and_the_index_is_about_all() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, factor: u64| {
        let records = cells(24, |table, row, column, month, period| factor * usual(table, row, column, month, period));
        fs::write(place.path().join(name), records).unwrap();
    };
    write("small", 1);
    write("large", 3);
    write("all", 4);
    let line =
        ["--folder", "pages", "--title", "Ours", "--hub", "small=small", "--hub", "large=large", "--from", "all"];
    let done = report().dir(place.path()).args(line).finish().ok();
    assert_eq!((done.text(), done.stderr.as_str()), (String::new(), ""));
    let page = |name: &str| Html::parse_document(&fs::read_to_string(place.path().join("pages").join(name)).unwrap());
    let index = page("index.html");
    let rows: Vec<_> = select(&index, "#list-of-hubs tbody th").into_iter().map(text).collect();
    assert_eq!(rows, ["All hubs", "large", "small"]);
    let links: Vec<_> = select(&index, "#list-of-hubs a[href$=html]").iter().map(|a| a.attr("href").unwrap()).collect();
    assert_eq!(links, ["large.html", "small.html"]);
    let june = "2025-06".parse::<schema::Month>().unwrap().ordinal();
    let listed = table(&index, "list-of-hubs");
    for (name, factor) in [("All hubs", 4), ("large", 3), ("small", 1)] {
        for (column, table, row, period) in [
            ("Users in twelve months", "user", 1, 12),
            ("Users", "user", 1, 1),
            ("Visits", "misc", 5, 1),
            ("Simulation users", "simusage", 1, 1),
            ("Simulation runs", "simusage", 2, 1),
        ] {
            let shown = listed[&(name.to_owned(), column.to_owned())].replace(',', "");
            assert_eq!(shown, (factor * usual(table, row, 1, june, period)).to_string(), "{name} {column}");
        }
    }
    // each page is the one that the records of its hub give, with its name and a way to the others
    let alone = report().args(["--title", "Ours: large", "--from", "large"]).dir(place.path()).finish().ok().text();
    let large = fs::read_to_string(place.path().join("pages/large.html")).unwrap();
    assert_eq!(large.replace("<li><a href=\"index.html\">All hubs</a></li>", ""), alone);
    let visits = table(&index, "visits");
    let shown = visits[&("May 2025".to_owned(), "Visits".to_owned())].replace(',', "");
    assert_eq!(shown, (4 * usual("misc", 5, 1, june - 1, 1)).to_string());
}

#[test]
fn what_a_hub_hides_does_not_follow_from_all() {
    for (hubs, of_hub, of_all) in [
        // nothing is small
        (&[[90, 80, 70, 60], [50, 40, 30, 20]][..], ["90", "70", "80", "60"], ["140", "100", "120", "80"]),
        // one hub hides two parts: all must not show them
        (
            &[[90, 80, 70, 3], [50, 40, 30, 20]],
            ["90", "not shown", "80", "< 5"],
            ["140", "not shown", "120", "not shown"],
        ),
        // what two hide is a sum of two
        (&[[90, 80, 70, 3], [50, 40, 30, 2]], ["90", "not shown", "80", "< 5"], ["140", "100", "120", "5"]),
        // unless both can only be four
        (
            &[[90, 80, 70, 4], [50, 40, 30, 4]],
            ["90", "not shown", "80", "< 5"],
            ["140", "not shown", "120", "not shown"],
        ),
    ] {
        let place = tempfile::tempdir().unwrap();
        pages(place.path(), hubs, &[]).finish().ok();
        assert_eq!(residence(place.path(), "a.html"), of_hub, "{hubs:?}");
        assert_eq!(residence(place.path(), "index.html"), of_all, "{hubs:?}");
        // neither in shares, nor on the map of regions, nor in words
        let index = fs::read_to_string(place.path().join("pages/index.html")).unwrap();
        let page = Html::parse_document(&index);
        let regions = table(&page, "map");
        let shares = table(&page, "residence");
        for (part, shown) in PARTS.iter().zip(of_all) {
            assert_eq!(regions[&((*part).to_owned(), "Users".to_owned())], *shown, "{hubs:?}");
            let share = &shares[&("June 2025".to_owned(), format!("{part}, share"))];
            let on_map = &regions[&((*part).to_owned(), "Share".to_owned())];
            assert_eq!((share == "not shown", share), (shown == "not shown", on_map), "{hubs:?} {part}");
        }
        if of_all.contains(&"not shown") {
            let sum: u64 = hubs.iter().map(|parts| parts[3]).sum();
            assert!(!index.contains(&format!(">{sum}<")) && index.contains("small numbers of a single hub"));
        }
    }
}

#[test]
fn names_that_cannot_be_pages_are_refused_and_months_are_not_mixed_with_hubs() {
    let place = tempfile::tempdir().unwrap();
    let records = hub([90, 80, 70, 60]);
    fs::write(place.path().join("x"), &records).unwrap();
    let run = |args: &[&str]| report().dir(place.path()).args(args).stdin(records.clone()).finish();
    for name in ["", "index", "2025-06", "../x", "a/b", ".a", "a b"] {
        run(&["--folder", "pages", "--hub", &format!("{name}=x")]).expect_code(2).said(&["the name of a page"]);
    }
    run(&["--folder", "pages", "--hub", "x"]).expect_code(2);
    run(&["--hub", "x=x"]).expect_code(2);
    run(&["--folder", "pages", "--hub", "x=x", "--private"]).expect_code(2);
    run(&["--folder", "pages", "--hub", "x=none"]).expect_code(1).said(&["none"]);
    run(&["--folder", "pages", "--hub", "x=x", "--from", "db"]).expect_code(2);
    run(&["--folder", "months"]).ok();
    run(&["--folder", "months", "--hub", "x=x"]).expect_code(1).said(&["a folder of their own"]);
    assert!(!place.path().join("months/x.html").exists());
}
