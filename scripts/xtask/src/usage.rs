//! The usage table of the demo: the cells of the summaries in words that a hub owner uses.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use schema::{Month, Period};

/// The columns: the month, the year so far, everything.
const WINDOWS: [Period; 3] = [Period::Month, Period::Year, Period::AllTime];

/// The cells of one month: table, row, column and period lead to the value.
struct Cells(HashMap<(String, u8, u8, u8), String>);

impl Cells {
    fn read(path: &Path) -> Result<Self> {
        let doing = || format!("reading {}", path.display());
        let mut reader = csv::Reader::from_path(path).with_context(doing)?;
        let headers = reader.headers().with_context(doing)?.clone();
        let place = |name: &str| {
            headers.iter().position(|h| h == name).with_context(|| format!("{} has no column {name}", path.display()))
        };
        let [table, row, column, period, value] =
            [place("table")?, place("rowid")?, place("colid")?, place("period")?, place("value")?];
        let mut cells = HashMap::new();
        for record in reader.records() {
            let record = record.with_context(doing)?;
            let number = |at: usize| {
                record[at].parse::<u8>().with_context(|| format!("{}: no number: {}", path.display(), &record[at]))
            };
            let key = (record[table].to_owned(), number(row)?, number(column)?, number(period)?);
            cells.insert(key, record[value].to_owned());
        }
        if cells.is_empty() {
            bail!("{} holds no cell", path.display());
        }
        Ok(Self(cells))
    }

    /// A value as text; empty when the cell was not written.
    fn text(&self, table: &str, row: u8, column: u8, period: Period) -> &str {
        let key = (format!("summary_{table}_vals"), row, column, period.code());
        self.0.get(&key).map_or("", String::as_str)
    }

    fn number(&self, table: &str, row: u8, column: u8, period: Period) -> f64 {
        self.text(table, row, column, period).parse().unwrap_or(0.0)
    }
}

/// How a number is shown.
#[derive(Clone, Copy)]
enum Unit {
    Count,
    Hours,
}

/// The table for the cells of `month` in a CSV file.
///
/// # Errors
/// The file cannot be read or holds no cells.
pub(crate) fn table(path: &Path, month: Month) -> Result<String> {
    let cells = Cells::read(path)?;
    let mut out = String::new();
    let year = month.year();
    let _ = writeln!(out, "Usage of the hub, {month}\n");
    line(&mut out, "", &[month.to_string(), format!("{year} so far"), "all time".to_owned()]);
    for (label, table, row, unit) in [
        ("Users", "user", 1, Unit::Count),
        ("  who logged in", "user", 6, Unit::Count),
        ("  without login, over 15 minutes", "user", 7, Unit::Count),
        ("  without login, with a download", "user", 8, Unit::Count),
        ("All users with downloads", "user", 4, Unit::Count),
        ("Visitors", "misc", 4, Unit::Count),
        ("Sessions", "misc", 5, Unit::Count),
        ("Simulation users", "user", 2, Unit::Count),
        ("Simulation runs", "simusage", 2, Unit::Count),
        ("Simulation CPU hours", "simusage", 3, Unit::Hours),
        ("New registrations", "misc", 6, Unit::Count),
        ("Web server hits", "misc", 8, Unit::Count),
    ] {
        let cells = WINDOWS.map(|period| {
            let value = cells.number(table, row, 1, period);
            match unit {
                Unit::Count => grouped(value),
                Unit::Hours => grouped(value / 3600.0),
            }
        });
        line(&mut out, label, &cells);
    }
    shares(
        &mut out,
        &cells,
        "Where users live",
        2,
        &[(3, "United States"), (5, "Europe"), (4, "Asia"), (6, "elsewhere")],
    );
    shares(
        &mut out,
        &cells,
        "Where users work",
        7,
        &[(8, "education"), (9, "industry"), (10, "government"), (11, "other organisations")],
    );
    let _ = writeln!(
        out,
        "\nShares are of the users whose residence or organisation is known. The tables of the hub give\n\
         Great Britain (GB) no continent, so residences do not add up to 100 %."
    );
    Ok(out)
}

/// The columns of the row of all users that split the one of the known ones.
fn shares(out: &mut String, cells: &Cells, title: &str, known: u8, parts: &[(u8, &str)]) {
    let _ = writeln!(out);
    line(out, title, &WINDOWS.map(|period| format!("{} known", grouped(cells.number("user", 1, known, period)))));
    for (column, label) in parts {
        let cells = WINDOWS.map(|period| {
            let all = cells.number("user", 1, known, period);
            let part = cells.number("user", 1, *column, period);
            if all > 0.0 { format!("{:.0} %", 100.0 * part / all) } else { "-".to_owned() }
        });
        line(out, &format!("  {label}"), &cells);
    }
}

fn line(out: &mut String, label: &str, cells: &[String; 3]) {
    let _ = writeln!(out, "{label:<35}{:>14}{:>16}{:>16}", cells[0], cells[1], cells[2]);
}

/// A number with its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (value, expected) in
            [(0.0, "0"), (999.0, "999"), (1000.0, "1,000"), (1_234_567.4, "1,234,567"), (-1234.0, "-1,234")]
        {
            assert_eq!(grouped(value), expected);
        }
    }

    #[test]
    fn the_table_shows_counts_hours_and_shares() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cells.csv");
        let cell = |table: &str, row: u8, column: u8, period: u8, value: &str| {
            format!("cell,summary_{table}_vals,{row},{column},2025-06-00 00:00:00,{period},{value},1\n")
        };
        let text = [
            "kind,table,rowid,colid,datetime,period,value,valfmt\n".to_owned(),
            cell("user", 1, 1, 1, "1200"),
            cell("user", 1, 2, 1, "200"),
            cell("user", 1, 3, 1, "50"),
            cell("simusage", 3, 1, 14, "7200"),
            cell("misc", 8, 1, 14, ""),
        ];
        std::fs::write(&path, text.concat()).unwrap();
        let table = table(&path, Month::new(2025, 6).unwrap()).unwrap();
        let row = |label: &str| {
            table.lines().find(|line| line.starts_with(label)).unwrap().split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(row("Users")[1..], ["1,200", "0", "0"]);
        assert_eq!(row("Simulation CPU hours")[3..], ["0", "0", "2"]);
        assert_eq!(row("  United States")[2..], ["25", "%", "-", "-"]);
        assert!(row("Where users live").ends_with(&["200", "known", "0", "known", "0", "known"]));
    }

    #[test]
    fn a_file_without_cells_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cells.csv");
        std::fs::write(&path, "kind,table,rowid,colid,datetime,period,value,valfmt\n").unwrap();
        assert!(table(&path, Month::new(2025, 6).unwrap()).is_err());
        assert!(table(&directory.path().join("none"), Month::new(2025, 6).unwrap()).is_err());
    }
}
