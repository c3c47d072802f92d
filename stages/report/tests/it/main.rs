//! `report` as a real executable.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod browser;
mod db;
mod folder;
mod hostile;
mod hubs;
mod numbers;
mod origin;
mod page;
mod privacy;
mod tool_numbers;
mod traffic;

use std::fmt::Write as _;

use fixtures::Run;
use fixtures::contract::{Bad, Contract, Input};

fn report() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_report")).env("HZMETRICS_NOW", "2025-07-10T12:00")
}

/// One cell as a line.
fn cell(table: &str, row: u8, column: u8, month: &str, period: u8, value: impl std::fmt::Display) -> String {
    format!(
        "{{\"kind\":\"cell\",\"table\":\"summary_{table}_vals\",\"rowid\":{row},\"colid\":{column},\
         \"datetime\":\"{month}-00 00:00:00\",\"period\":{period},\"value\":\"{value}\",\"valfmt\":1}}\n"
    )
}

/// All cells that the report uses, of some months before July 2025, with numbers of `value`.
fn cells(n_months: u32, value: impl Fn(&str, u8, u8, u32, u8) -> u64) -> String {
    let mut text = String::new();
    let first: schema::Month = "2025-07".parse::<schema::Month>().unwrap().minus(n_months);
    for month in first.through("2025-06".parse().unwrap()) {
        let name = month.to_string();
        for period in [1, 12] {
            let tables = [("user", 8_u8, 11_u8), ("simusage", 10, 1), ("misc", 8, 1)];
            for (table, rows, columns) in tables {
                for row in 1..=rows {
                    for column in 1..=columns {
                        let text_of = value(table, row, column, month.ordinal(), period).to_string();
                        let of_row =
                            if (table, row) == ("misc", 7) { format!("{text_of} users on {name}-11") } else { text_of };
                        let _ = write!(text, "{}", cell(table, row, column, &name, period, of_row));
                    }
                }
            }
        }
    }
    text
}

/// A good page: numbers that go up, the parts of users less than all.
fn usual(table: &str, row: u8, column: u8, month: u32, period: u8) -> u64 {
    let base = 1000 + u64::from(month % 100) * 17 + u64::from(period) * 100;
    match (table, column) {
        ("user", 2 | 7) => base * 9 / 10 / u64::from(row),
        ("user", 3..=6 | 8..=11) => base / 5 / u64::from(row),
        ("simusage", _) if (3..=5).contains(&row) => base * 3600,
        _ => base / u64::from(row),
    }
}

fn contract_of_report() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_report"),
        name: "report",
        command: &[],
        main_kind: "cell",
        reads: Some("cell"),
        give: |run, _folder, input| {
            let good = cell("user", 1, 1, "2025-06", 1, 1234);
            run.env("HZMETRICS_NOW", "2025-07-10T12:00").stdin(match input {
                Input::Nothing => String::new(),
                Input::Good => good,
                Input::Bad => good + "{\"kind\":\"cell\",\"table\":\"summary_user_vals\"}\n",
                Input::Many => cells(36, usual),
            })
        },
        of_nothing: None,
        of_good: "1,234",
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_report);

#[test]
fn every_format_has_the_same_number() {
    for (format, number) in [("html", "1,234"), ("text", "1,234"), ("md", "1,234"), ("csv", ",1234,")] {
        let done = report().args(["--format", format]).stdin(cell("user", 1, 1, "2025-06", 1, 1234)).finish().ok();
        assert!(done.text().contains(number), "{format}: {}", done.text());
        assert_eq!(done.stderr, "");
    }
    let done = report().args(["--format", "table"]).finish().expect_code(2);
    assert!(done.stderr.contains("html"), "{}", done.stderr);
}

#[test]
fn nothing_is_a_report_that_says_so() {
    for format in ["html", "text", "md"] {
        let done = report().args(["--format", format]).finish().ok();
        assert!(done.text().contains("hold nothing"), "{}", done.text());
    }
}

#[test]
fn a_file_appears_whole() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("usage.html");
    report().arg("--to").arg(&page).stdin(cells(1, usual)).finish().ok();
    assert!(std::fs::read_to_string(&page).unwrap().ends_with("</html>"));
    report().args(["--to", "/nowhere/at/all.html"]).stdin(cells(1, usual)).finish().expect_code(1);
    report().args(["--to", "db"]).finish().expect_code(2);
}

#[test]
fn a_logo_is_in_the_page_and_must_be_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let logo = folder.path().join("logo");
    std::fs::write(&logo, b"\x89PNG\r\n\x1a\n").unwrap();
    let done = report().arg("--logo").arg(&logo).finish().ok();
    assert!(done.text().contains("data:image/png;base64,iVBORw0KGgo="), "{}", done.text());
    std::fs::write(&logo, b"<script>").unwrap();
    report().arg("--logo").arg(&logo).finish().expect_code(2);
    std::fs::write(&logo, b"\x89PNG\r\n\x1a\n".repeat(100_000)).unwrap();
    report().arg("--logo").arg(&logo).finish().expect_code(1);
}
