//! Where users live and work, and the map: every number is that of a cell, or a straight count over sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use scraper::Html;

use super::numbers::{grouped, month_name};
use super::page::table;
use super::{cells, report};

fn page(args: &[&str], records: String) -> Html {
    Html::parse_document(&report().args(args).stdin(records).finish().ok().text())
}

/// Parts of other sizes in every month; together less than those who are known.
fn values(table: &str, row: u8, column: u8, month: u32, period: u8) -> u64 {
    let base = 10_000 + u64::from(month % 100) * 171 + u64::from(period) * 1000;
    match (table, row, column) {
        ("user", 1, 2 | 7) => base,
        ("user", 1, 3..=6 | 8..=11) => base / u64::from(column * 2) + u64::from(column) * 7,
        _ => base / 3,
    }
}

/// The columns of a figure with those of the cells: first all who are known.
const RESIDENCE: [(&str, u8); 5] =
    [("Residence known", 2), ("United States", 3), ("Europe", 5), ("Asia", 4), ("Elsewhere", 6)];
const WORK: [(&str, u8); 5] =
    [("Organisation known", 7), ("Education", 8), ("Industry", 9), ("Government", 10), ("Other", 11)];

/// What the page should show for a month: counts, and shares of those who are known.
fn expected(columns: &[(&str, u8); 5], rest: &str, month: schema::Month) -> BTreeMap<String, String> {
    let value = |column| values("user", 1, column, month.ordinal(), 12);
    let known = value(columns[0].1);
    let mut parts: Vec<(String, u64)> =
        columns.iter().skip(1).map(|(name, c)| ((*name).to_owned(), value(*c))).collect();
    parts.push((rest.to_owned(), known - parts.iter().map(|part| part.1).sum::<u64>()));
    let mut texts = BTreeMap::from([(columns[0].0.to_owned(), grouped(known))]);
    for (name, value) in parts {
        texts.insert(format!("{name}, share"), format!("{:.1} %", value as f64 * 100.0 / known as f64));
        texts.insert(name, grouped(value));
    }
    texts
}

#[test]
fn where_users_live_and_work_are_the_numbers_of_the_cells() {
    let page = page(&[], cells(24, values));
    for (figure, columns, rest) in [("residence", RESIDENCE, "No continent listed"), ("work", WORK, "No class listed")]
    {
        let shown = table(&page, figure);
        assert_eq!(shown.len(), 24 * 11, "{figure}: {:?}", shown.keys());
        for month in "2023-07".parse::<schema::Month>().unwrap().through("2025-06".parse().unwrap()) {
            for (column, text) in expected(&columns, rest, month) {
                assert_eq!(shown[&(month_name(month), column.clone())], text, "{figure} {month} {column}");
            }
        }
    }
}

#[test]
fn the_map_of_regions_has_the_numbers_of_the_cells() {
    let shown = table(&page(&[], cells(24, values)), "map");
    let of = expected(&RESIDENCE, "No continent listed", "2025-06".parse().unwrap());
    assert_eq!(shown.len(), 10, "{:?}", shown.keys());
    for ((region, column), text) in shown {
        let expected = if column == "Users" { of[&region].clone() } else { of[&format!("{region}, share")].clone() };
        assert_eq!(text, expected, "{region}, {column}");
    }
}

/// Sessions of two years at random, and the visitors of the twelve months to June 2025 by country, counted straight.
fn sessions() -> (String, BTreeMap<&'static str, usize>) {
    let countries =
        [("US", "United States"), ("DE", "Germany"), ("BR", "Brazil"), ("JP", "Japan"), ("LU", "Luxembourg")];
    let (mut lines, mut seen) = (String::new(), BTreeMap::<_, BTreeSet<_>>::new());
    let mut state = 7_u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for id in 0..4000 {
        // small countries have few visitors
        let place = (below(5).min(below(5))) as usize;
        let (code, name) = countries[place];
        let (ip, host) = (below(700 >> (2 * place)), below(2));
        let (months, day, hour) = (below(24) as u32, below(28) + 1, below(24));
        let month = "2025-07".parse::<schema::Month>().unwrap().minus(months);
        let duration = below(50) as i64 - 5;
        let _ = writeln!(
            lines,
            "{{\"kind\":\"session\",\"id\":{id},\"datetime\":\"{month}-{day:02} {hour:02}:00:01\",\"ip\":\"10.{place}.0.{ip}\",\
             \"host\":\"h{host}\",\"ipcountry\":\"{code}\",\"duration\":{duration},\"jobs\":{}}}",
            u8::from(id % 50 == 0)
        );
        if (1..=12).contains(&months) && (duration >= 0 || id % 50 == 0) {
            seen.entry(name).or_default().insert((ip, host));
        }
    }
    (lines, seen.into_iter().map(|(name, visitors)| (name, visitors.len())).collect())
}

#[test]
fn the_map_of_visitors_is_a_straight_count_over_the_sessions() {
    let (lines, expected) = sessions();
    assert!(expected.values().any(|n| *n < 5) && expected.len() == 5, "{expected:?}");
    for args in [&["2025-06"][..], &["2025-06", "--private"]] {
        let shown = table(&page(args, lines.clone()), "map");
        assert_eq!(shown.len(), expected.len(), "{shown:?}");
        for (country, n) in &expected {
            let text = if *n < 5 && args.len() == 1 { "< 5".to_owned() } else { grouped(*n as u64) };
            assert_eq!(shown[&((*country).to_owned(), "Visitors".to_owned())], text, "{country} {args:?}");
        }
    }
}
