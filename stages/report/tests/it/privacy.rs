//! What is too small is nowhere: not in tables, tooltips, sources, CSV or text, and not to be computed.

use std::collections::BTreeMap;

use scraper::Html;

use super::page::table;
use super::{cell, report};

/// Users of one month by residence: all with a known one, then United States, Asia, Europe, elsewhere.
fn residence(values: [u64; 5]) -> String {
    let mut records = cell("user", 1, 1, "2025-06", 12, 5000);
    for (column, value) in (2..).zip(values) {
        records.push_str(&cell("user", 1, column, "2025-06", 12, value));
    }
    records
}

fn formats(args: &[&str], records: &str) -> Vec<(&'static str, String)> {
    ["html", "text", "md", "csv"]
        .map(|format| {
            let run = report().args(["--format", format]).args(args).stdin(records.to_owned());
            (format, run.finish().ok().text())
        })
        .to_vec()
}

#[test]
fn hidden_numbers_are_in_no_format() {
    // 1,003 and 417 are small or next to it, and occur nowhere else
    let records = residence([9420, 8000, 1003, 3, 414]);
    for (format, text) in formats(&[], &records) {
        for hidden in ["414", "3.00", "4.4 %", "4.3949"] {
            assert!(!text.contains(hidden), "{format} has {hidden}: {text}");
        }
        assert!(text.contains("8,000") || text.contains("8000") || text.contains("84.9"), "{format}");
    }
    let page = Html::parse_document(&formats(&[], &records)[0].1);
    let shown = table(&page, "residence");
    let of = |column: &str| shown[&("June 2025".to_owned(), column.to_owned())].clone();
    assert_eq!([of("Europe"), of("Elsewhere")], ["< 5", "not shown"]);
    assert_eq!([of("Europe, share"), of("Elsewhere, share")], ["< 5", "not shown"]);
    let (_, private) = formats(&["--private"], &records).remove(0);
    assert!(private.contains("414") && private.contains("Private copy"));
}

/// The shown numbers of a residence table, by column.
fn shown(values: [u64; 5]) -> BTreeMap<String, String> {
    let text = report().stdin(residence(values)).finish().ok().text();
    table(&Html::parse_document(&text), "residence").into_iter().map(|((_, column), text)| (column, text)).collect()
}

#[test]
fn the_rule_is_the_one_that_is_described() {
    for (values, expected) in [
        // known, United States, Asia, Europe, elsewhere; the rest has no continent
        ([100, 40, 30, 20, 10], ["40", "20", "30", "10"]),
        ([93, 40, 30, 20, 3], ["40", "not shown", "30", "< 5"]),
        ([97, 90, 2, 1, 4], ["90", "< 5", "< 5", "< 5"]),
        ([98, 60, 30, 4, 4], ["60", "< 5", "not shown", "< 5"]),
        ([90, 60, 30, 0, 0], ["60", "< 5", "not shown", "< 5"]),
    ] {
        let shown = shown(values);
        let found = ["United States", "Europe", "Asia", "Elsewhere"].map(|column| shown[column].clone());
        assert_eq!(found, expected, "{values:?}");
        let hidden = expected.iter().filter(|text| text.parse::<u64>().is_err()).count();
        assert!(hidden != 1, "one alone can be subtracted");
    }
}

#[test]
fn the_order_of_a_ranking_does_not_say_what_is_hidden() {
    let tool = |id: u64, users: u64, title: &str| {
        format!(
            "{{\"kind\":\"toolstat\",\"id\":{id},\"resid\":{id},\"users\":{users},\"jobs\":{},\"datetime\":\"2025-06-00 00:00:00\",\"period\":12}}\n\
             {{\"kind\":\"hub_resource\",\"id\":{id},\"title\":\"{title}\",\"type\":7}}\n",
            users * 1000 + 7
        )
    };
    let records = tool(1, 3, "zeta") + &tool(2, 4, "beta") + &tool(3, 90, "alpha") + &tool(4, 1, "gamma");
    for (format, text) in formats(&[], &records) {
        for hidden in ["3007", "4007", "1007", "3,007", "4,007", "1,007"] {
            assert!(!text.contains(hidden), "{format}: {text}");
        }
    }
    let page = formats(&[], &records).remove(0).1;
    let at = |name: &str| page.find(&format!(">{name}<")).unwrap();
    assert!(at("alpha") < at("beta") && at("beta") < at("gamma") && at("gamma") < at("zeta"));
    assert!(page.contains("90,007"));
}
