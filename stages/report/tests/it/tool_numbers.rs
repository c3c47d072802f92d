//! Every number of the section about tools is that of its record: usage, run and waiting times, users by country and
//! by organisation. The numbers are read from the page, the expected ones from the records.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use scraper::Html;
use serde_json::{Value, json};

use super::numbers::decimal;
use super::page::table;
use super::report;

/// Users of a tool by place, without the total.
const PLACES: [(&str, f64); 4] = [("UNITED STATES", 0.5), ("GERMANY", 0.2), ("Unknown", 0.1), ("CÔTE D'IVOIRE", 0.05)];
const KINDS: [(&str, f64); 3] = [("University / College Faculty", 0.4), ("Industry", 0.3), ("Unknown", 0.2)];

/// Statistics of tools of the year to June 2025, with the lists of their users. Tool 5 has few users.
fn records() -> Vec<Value> {
    let mut list = Vec::new();
    let months: Vec<schema::Month> =
        "2024-05".parse::<schema::Month>().unwrap().through("2025-06".parse().unwrap()).collect();
    for (i, month) in (0_u32..).zip(&months) {
        for tool in 1..=5_u32 {
            for period in [1, 12] {
                let id = list.len() as u64 + 1;
                let users = if tool == 5 { 4 } else { tool * 37 + i * 3 + period };
                let seconds = |factor: f64| f64::from(users * (i + 2)) * factor;
                list.push(json!({"kind": "toolstat", "id": id, "resid": tool, "restype": 7, "users": users,
                    "sessions": users * 3 + 1, "jobs": users * 7 + tool, "tot_wall": seconds(1234.5),
                    "tot_cpu": seconds(33.3), "tot_view": seconds(0.7), "avg_wait": seconds(1.03),
                    "avg_wall": seconds(17.9), "avg_cpu": seconds(0.001), "datetime": format!("{month}-00 00:00:00"),
                    "period": period}));
                for (top, places) in [(1, &PLACES[..]), (3, &KINDS)] {
                    for (rank, (name, share)) in (1..).zip(places) {
                        let value = (f64::from(users) * share).floor();
                        list.push(json!({"kind": "toptool", "id": id, "top": top, "rank": rank, "name": name,
                            "value": value}));
                    }
                }
            }
        }
    }
    list
}

fn page(args: &[&str], records: &[Value]) -> Html {
    let lines = records.iter().fold(String::new(), |mut text, record| {
        let _ = writeln!(text, "{record}");
        text
    });
    Html::parse_document(&report().args(["2025-06"]).args(args).stdin(lines).finish().ok().text())
}

/// The statistics of a tool by its number as the page shows it (`#3`), of a month and a period.
fn statistics<'a>(records: &'a [Value], month: &str, period: u8) -> BTreeMap<String, &'a Value> {
    let is_it = |record: &&Value| {
        record["kind"] == "toolstat"
            && record["period"] == period
            && record["datetime"].as_str().unwrap().starts_with(month)
    };
    records.iter().filter(is_it).map(|record| (format!("#{}", record["resid"]), record)).collect()
}

/// The field that a column shows, what one of its units is in that of the record, and what is behind a number.
fn field(column: &str) -> Option<(&'static str, f64, &'static str)> {
    Some(match column {
        "Users" => ("users", 1.0, ""),
        "Sessions" => ("sessions", 1.0, ""),
        "Simulation runs" => ("jobs", 1.0, ""),
        "Wall time" => ("tot_wall", 3600.0, " h"),
        "CPU time" => ("tot_cpu", 3600.0, " h"),
        "Interaction time" => ("tot_view", 3600.0, " h"),
        "Average wall time" => ("avg_wall", 60.0, " min"),
        "Average wait" => ("avg_wait", 60.0, " min"),
        "Average CPU time" => ("avg_cpu", 60.0, " min"),
        _ => return None,
    })
}

#[test]
fn every_number_about_a_tool_is_that_of_its_record() {
    let records = records();
    let page = page(&["--private"], &records);
    let year = statistics(&records, "2025-06", 12);
    let short = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    for (figure, n_expected) in [("tools-users", 5 * (6 + 12)), ("tools-runs", 5), ("tools-times", 5 * 3)] {
        let shown = table(&page, figure);
        assert_eq!(shown.len(), n_expected, "{figure}: {:?}", shown.keys());
        for ((tool, column), text) in &shown {
            let expected = if let Some((field, unit, sign)) = field(column) {
                decimal(year[tool][field].as_f64().unwrap() / unit, sign)
            } else {
                let (name, of) = column.split_once(' ').unwrap();
                let number = short.iter().position(|short| *short == name).unwrap() + 1;
                let month = format!("{of}-{number:02}");
                statistics(&records, &month, 1)[tool]["users"].to_string()
            };
            assert_eq!(*text, expected, "{figure}, {tool}, {column}");
        }
    }
}

#[test]
fn users_of_a_tool_by_country_and_organisation_are_those_of_the_lists() {
    let records = records();
    let page = page(&["--private"], &records);
    let year = statistics(&records, "2025-06", 12);
    for (figure, top, n_names) in [("tools-countries", 1, 3), ("tools-organisations", 3, 2)] {
        let shown = table(&page, figure);
        assert_eq!(shown.len(), 5 * (n_names + 2), "{figure}: {:?}", shown.keys());
        for ((tool, column), text) in &shown {
            let is_of = |record: &&Value| {
                record["kind"] == "toptool" && record["id"] == year[tool]["id"] && record["top"] == top
            };
            let users = year[tool]["users"].as_u64().unwrap();
            let listed: Vec<_> = records
                .iter()
                .filter(is_of)
                .map(|record| (record["name"].as_str().unwrap().to_uppercase(), record["value"].as_f64().unwrap()))
                .collect();
            assert_eq!(listed.len(), n_names + 1);
            let named = listed.iter().filter(|(name, _)| name != "UNKNOWN");
            let expected = match column.as_str() {
                "Users" => users,
                "Others, or not known" => users - named.map(|(_, value)| *value as u64).sum::<u64>(),
                name => listed.iter().find(|listed| listed.0 == name.to_uppercase()).unwrap().1 as u64,
            };
            assert_eq!(*text, expected.to_string(), "{figure}, {tool}, {column}");
        }
    }
}

#[test]
fn the_public_page_has_the_same_numbers_or_says_that_it_hides_them() {
    let records = records();
    let (public, private) = (page(&[], &records), page(&["--private"], &records));
    for figure in ["tools-users", "tools-runs", "tools-times", "tools-countries", "tools-organisations"] {
        let (public, private) = (table(&public, figure), table(&private, figure));
        let mut n_shown = 0;
        for (place, text) in &public {
            let is_hidden = ["< 5", "not shown"].contains(&text.as_str());
            assert!(is_hidden || *text == private[place], "{figure} {place:?}: {text}, not {}", private[place]);
            let is_of_few = place.0 == "#5" || private[place].parse::<u64>().is_ok_and(|users| users < 5);
            assert!(is_hidden || !is_of_few, "{figure} {place:?}: {text}");
            n_shown += usize::from(!is_hidden);
        }
        assert!(n_shown > public.len() / 2, "{figure}: {n_shown} of {} are shown", public.len());
    }
}
