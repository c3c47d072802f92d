//! Every number on the page is that of the cell, read from the page with a parser.

use scraper::Html;

use super::page::{select, table, text};
use super::{cells, report, usual};

pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}

/// A number with its unit: hours and minutes below 100 have one decimal.
pub(crate) fn decimal(value: f64, sign: &str) -> String {
    if sign.is_empty() || value >= 99.95 || value == 0.0 {
        return grouped(format!("{value:.0}").parse().unwrap()) + sign;
    }
    format!("{value:.1}{sign}")
}

/// `June 2025`.
pub(crate) fn month_name(month: schema::Month) -> String {
    let names = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    format!("{} {}", names[usize::from(month.month()) - 1], month.year())
}

#[test]
fn tables_have_the_numbers_of_the_cells() {
    let page = report().stdin(cells(24, usual)).finish().ok();
    let page = Html::parse_document(&page.text());
    let hours = |value: u64| format!("{} h", grouped(value / 3600));
    let mut n = 0;
    for (figure, title, period, place, is_hours) in [
        ("users-year", "All users", 12, ("user", 1), false),
        ("users-year", "Logged in", 12, ("user", 6), false),
        ("users-year", "Without login, over 15 minutes", 12, ("user", 7), false),
        ("users-year", "Without login, with a download", 12, ("user", 8), false),
        ("users", "All users", 1, ("user", 1), false),
        ("users", "Without login, with a download", 1, ("user", 8), false),
        ("visits", "Visits", 1, ("misc", 5), false),
        ("visits", "Long or simulating", 1, ("misc", 2), false),
        ("downloads", "All users with downloads", 1, ("user", 4), false),
        ("audience", "Visitors", 1, ("misc", 4), false),
        ("audience", "Domains", 1, ("misc", 1), false),
        ("audience", "Web server hits", 1, ("misc", 8), false),
        ("simulation", "Simulation users", 1, ("simusage", 1), false),
        ("simulation", "Simulation runs", 1, ("simusage", 2), false),
        ("simulation", "CPU time", 1, ("simusage", 3), true),
        ("simulation", "Wall time", 1, ("simusage", 4), true),
        ("simulation", "Interaction time", 1, ("simusage", 5), true),
        ("returning", "Ten minutes of CPU time or more", 12, ("simusage", 6), false),
        ("returning", "Ten runs or more", 12, ("simusage", 9), false),
        ("returning", "Back after 90 days or more", 12, ("simusage", 10), false),
        ("registrations", "New registrations", 1, ("misc", 6), false),
    ] {
        let shown = table(&page, figure);
        for month in "2023-07".parse::<schema::Month>().unwrap().through("2025-06".parse().unwrap()) {
            let label = month_name(month);
            let value = usual(place.0, place.1, 1, month.ordinal(), period);
            let expected = if is_hours { hours(value) } else { grouped(value) };
            assert_eq!(shown[&(label, title.to_owned())], expected, "{figure} {title} {month}");
            n += 1;
        }
    }
    assert_eq!(n, 21 * 24);
}

#[test]
fn cards_have_the_numbers_of_the_month_and_true_changes() {
    let page = report().stdin(cells(24, usual)).finish().ok();
    let page = Html::parse_document(&page.text());
    let june: schema::Month = "2025-06".parse().unwrap();
    let card = select(&page, ".card").into_iter().find(|card| text(*card).starts_with("Visits")).unwrap();
    let value = |month: schema::Month| usual("misc", 5, 1, month.ordinal(), 1);
    let shown: Vec<_> = card.child_elements().map(text).collect();
    assert_eq!(shown[1], grouped(value(june)));
    for (before, name) in [(june.previous(), "May 2025"), (june.minus(12), "Jun 2024")] {
        let percent = (value(june) as f64 / value(before) as f64 - 1.0) * 100.0;
        let sign = if percent > 0.0 { "+" } else { "−" };
        let digits = usize::from(percent.abs() < 9.95);
        let expected = format!("{sign}{:.digits$} % vs. {name}", percent.abs());
        assert!(shown[2].contains(&expected), "{expected} in {}", shown[2]);
    }
}

#[test]
fn the_csv_has_the_numbers_of_the_page() {
    let records = cells(24, usual);
    let page = report().stdin(records.clone()).finish().ok();
    let page = Html::parse_document(&page.text());
    let csv = report().args(["--format", "csv"]).stdin(records).finish().ok();
    let mut n = 0;
    for line in csv.text().lines().skip(1).filter(|line| line.contains(",users-year,2025-06,")) {
        let fields: Vec<_> = line.rsplitn(4, ',').collect();
        let value: u64 = fields[1].parse().unwrap();
        assert!(table(&page, "users-year").values().any(|shown| *shown == grouped(value)), "{line}");
        n += 1;
    }
    assert_eq!(n, 4);
}

#[test]
fn tools_and_resources_have_the_numbers_of_their_records() {
    let records = super::db::others();
    let done =
        report().args(["--private", "--sections", "tools", "2025-06"]).stdin(super::db::lines(&records)).finish();
    let page = Html::parse_document(&done.ok().text());
    let of_june = |kind: &str| -> Vec<_> {
        let is_it = |record: &&serde_json::Value| {
            record["kind"] == kind
                && record["datetime"].as_str().unwrap().starts_with("2025-06")
                && record["period"] == 12
        };
        records.iter().filter(is_it).collect()
    };
    let title = |resid: &serde_json::Value| {
        let is_it = |record: &&serde_json::Value| record["kind"] == "hub_resource" && record["id"] == *resid;
        let found = records.iter().find(is_it).filter(|record| record["published"] == 1);
        found.map_or_else(|| format!("#{resid}"), |record| record["title"].as_str().unwrap().to_owned())
    };
    let mut n = 0;
    for (figure, column, field, kind) in [
        ("tools-users", "Users", "users", "toolstat"),
        ("tools-runs", "Simulation runs", "jobs", "toolstat"),
        ("resources", "Users", "users", "resource_stat"),
    ] {
        let shown = table(&page, figure);
        for record in of_june(kind) {
            let is_other = kind == "resource_stat" && record["restype"] == 7;
            let row = title(&record["resid"]);
            let expected = record[field].as_u64().filter(|n| *n > 0 && !is_other);
            let found = shown.get(&(row.clone(), column.to_owned())).map(|text| text.replace(',', ""));
            let found = found.filter(|text| text != "0" && !is_other);
            assert_eq!(found, expected.map(|n| n.to_string()), "{figure} {row}: {:?}", shown.keys());
            n += usize::from(expected.is_some());
        }
    }
    assert_eq!(n, 8, "three tools with users, four with runs, a resource");
}

#[test]
fn the_map_counts_distinct_visitors() {
    let mut records = String::new();
    for (n, country) in [(7, "US"), (5, "DE"), (4, "FR")] {
        for i in 0..n {
            for month in ["2025-05", "2025-06"] {
                records.push_str(&format!(
                    "{{\"kind\":\"session\",\"id\":1,\"datetime\":\"{month}-03 10:00:00\",\"ip\":\"10.0.0.{i}\",\
                     \"host\":\"h{country}\",\"ipcountry\":\"{country}\",\"duration\":5,\"jobs\":0}}\n"
                ));
            }
        }
    }
    let page = report().stdin(records).finish().ok();
    let page = Html::parse_document(&page.text());
    let shown = table(&page, "map");
    let of = |name: &str| shown[&(name.to_owned(), "Visitors".to_owned())].clone();
    assert_eq!([of("United States"), of("Germany"), of("France")], ["7", "5", "< 5"]);
    let tips: Vec<_> = select(&page, "#map path title").into_iter().map(text).collect();
    assert!(
        tips.contains(&"United States\nVisitors: 7".to_owned()) && tips.contains(&"France\nVisitors: < 5".to_owned())
    );
}
