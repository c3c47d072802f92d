//! The usage table: some cells of the summaries, in words that a hub owner uses. The demo prints it from a
//! file, `hzmetrics show` from the tables.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::cells::Summary::{Misc, Simulation, Users};
use crate::{Month, Period, Place};

/// The columns of the demo: the month, the year so far, everything.
const WINDOWS: [Period; 3] = [Period::Month, Period::Year, Period::AllTime];

/// How a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Unchanged.
    Count,
    /// Seconds, shown as hours.
    Hours,
}

impl Unit {
    /// Its name in records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Hours => "hours",
        }
    }

    /// A value of the table in this unit.
    #[must_use]
    pub fn of(self, value: f64) -> f64 {
        match self {
            Self::Count => value,
            Self::Hours => value / 3600.0,
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The label, indented if the line is a part of the line above.
    pub label: &'static str,
    /// The cell that it shows.
    pub place: Place,
    /// How it is shown.
    pub unit: Unit,
    /// The cell that it is a share of.
    pub of: Option<Place>,
}

const fn line(label: &'static str, place: Place, unit: Unit) -> Line {
    Line { label, place, unit, of: None }
}

const fn share(label: &'static str, colid: u8, known: u8) -> Line {
    Line { label, place: Place::new(Users, 1, colid), unit: Unit::Count, of: Some(Place::new(Users, 1, known)) }
}

/// All lines, in order.
pub const LINES: [Line; 22] = [
    line("Users", Place::new(Users, 1, 1), Unit::Count),
    line("  who logged in", Place::new(Users, 6, 1), Unit::Count),
    line("  without login, over 15 minutes", Place::new(Users, 7, 1), Unit::Count),
    line("  without login, with a download", Place::new(Users, 8, 1), Unit::Count),
    line("All users with downloads", Place::new(Users, 4, 1), Unit::Count),
    line("Visitors", Place::new(Misc, 4, 1), Unit::Count),
    line("Sessions", Place::new(Misc, 5, 1), Unit::Count),
    line("Simulation users", Place::new(Users, 2, 1), Unit::Count),
    line("Simulation runs", Place::new(Simulation, 2, 1), Unit::Count),
    line("Simulation CPU hours", Place::new(Simulation, 3, 1), Unit::Hours),
    line("New registrations", Place::new(Misc, 6, 1), Unit::Count),
    line("Web server hits", Place::new(Misc, 8, 1), Unit::Count),
    line("Where users live", Place::new(Users, 1, 2), Unit::Count),
    share("  United States", 3, 2),
    share("  Europe", 5, 2),
    share("  Asia", 4, 2),
    share("  elsewhere", 6, 2),
    line("Where users work", Place::new(Users, 1, 7), Unit::Count),
    share("  education", 8, 7),
    share("  industry", 9, 7),
    share("  government", 10, 7),
    share("  other organisations", 11, 7),
];

impl Line {
    /// Whether it heads a group of shares.
    #[must_use]
    pub fn heads_shares(&self) -> bool {
        LINES.iter().any(|line| line.of == Some(self.place))
    }
}

/// The note below a table with shares.
const NOTE: &str = "Shares are of the users whose residence or organisation is known. The tables of the hub give\n\
                    Great Britain (GB) no continent, so residences do not add up to 100 %.\n";

/// The cells of one month.
#[derive(Debug, Clone, Default)]
pub struct Cells(HashMap<(Place, u8), String>);

impl Cells {
    /// Takes the text of a cell; a later one replaces an earlier one.
    pub fn insert(&mut self, place: Place, period: u8, value: String) {
        self.0.insert((place, period), value);
    }

    /// Whether there are no cells.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A value as text; `None` when the cell was not written.
    #[must_use]
    pub fn text(&self, place: Place, period: Period) -> Option<&str> {
        self.0.get(&(place, period.code())).map(String::as_str)
    }

    /// A value as a number; an empty text is 0.
    #[must_use]
    pub fn number(&self, place: Place, period: Period) -> Option<f64> {
        let text = self.text(place, period)?;
        if text.is_empty() { Some(0.0) } else { text.parse().ok() }
    }
}

/// The table of the demo for the cells of `month`: three periods beside each other.
#[must_use]
pub fn table(cells: &Cells, month: Month) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Usage of the hub, {month}\n");
    let mut row = |label: &str, texts: [String; 3]| {
        let _ = writeln!(out, "{label:<35}{:>14}{:>16}{:>16}", texts[0], texts[1], texts[2]);
    };
    row("", [month.to_string(), format!("{} so far", month.year()), "all time".to_owned()]);
    for line in LINES {
        let number = |place, period| cells.number(place, period).unwrap_or(0.0);
        let texts = WINDOWS.map(|period| {
            let value = number(line.place, period);
            match line.of {
                Some(of) => percent(value, number(of, period)),
                None if line.heads_shares() => format!("{} known", grouped(value)),
                None => grouped(line.unit.of(value)),
            }
        });
        if line.heads_shares() {
            row("", Default::default());
        }
        row(line.label, texts);
    }
    let _ = write!(out, "\n{NOTE}");
    trimmed(&out)
}

/// A month beside the previous month and the same month of the previous year.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The month.
    pub month: Month,
    /// The period that is shown.
    pub period: Period,
    /// Cells of the month, the month before, and the same month a year before.
    pub cells: [&'a Cells; 3],
}

/// The numbers of one line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values {
    /// Of the month, the month before and the month a year before; `None` where the cell was not written.
    pub values: [Option<f64>; 3],
    /// Per cent of the cell of which the line is a share.
    pub share: Option<f64>,
    /// Change in per cent from the previous month and the previous year.
    pub changes: [Option<f64>; 2],
}

impl Compared<'_> {
    /// The months that are compared.
    #[must_use]
    pub const fn months(month: Month) -> [Month; 3] {
        [month, month.previous(), month.minus(12)]
    }

    /// The numbers of a line.
    #[must_use]
    pub fn values(&self, line: &Line) -> Values {
        let values = self.cells.map(|cells| cells.number(line.place, self.period).map(|value| line.unit.of(value)));
        let [now, before, year] = values;
        let share = line.of.and_then(|of| Some(100.0 * now? / self.cells[0].number(of, self.period)?));
        let change = |then: Option<f64>| Some(100.0 * (now? / then? - 1.0)).filter(|change| change.is_finite());
        Values { values, share: share.filter(|share| share.is_finite()), changes: [change(before), change(year)] }
    }

    /// The table as text.
    #[must_use]
    pub fn table(&self) -> String {
        let [month, before, year] = Self::months(self.month);
        let mut out = String::new();
        let _ = writeln!(out, "Usage of the hub, {month}{}\n", in_words(self.period));
        let mut row = |label: &str, share: &str, texts: [String; 5]| {
            let [a, b, c, d, e] = texts;
            let _ = writeln!(out, "{label:<33}{a:>14} {share:>5}{b:>15}{c:>9}{d:>15}{e:>9}");
        };
        let heading =
            [month.to_string(), before.to_string(), "change".to_owned(), year.to_string(), "change".to_owned()];
        row("", "", heading);
        for line in &LINES {
            if line.heads_shares() {
                row("", "", Default::default());
            }
            let Values { values, share, changes } = self.values(line);
            let [a, b, d] = values.map(|value| value.map_or_else(|| "-".to_owned(), grouped));
            let [c, e] = changes.map(|change| change.map_or_else(|| "-".to_owned(), signed));
            row(line.label, &share.map_or_else(String::new, |share| format!("{share:.0} %")), [a, b, c, d, e]);
        }
        let _ = write!(out, "\n{NOTE}");
        trimmed(&out)
    }
}

/// What a period covers, written after the name of its last month.
const fn in_words(period: Period) -> &'static str {
    match period {
        Period::Month => "",
        Period::Year => ", the calendar year so far",
        Period::Quarter => ", the quarter so far",
        Period::TwelveMonths => ", twelve months",
        Period::FiscalYear => ", the fiscal year so far",
        Period::AllTime => ", all time",
    }
}

fn percent(part: f64, all: f64) -> String {
    if all > 0.0 { format!("{:.0} %", 100.0 * part / all) } else { "-".to_owned() }
}

/// A change with its sign; a small one keeps a decimal.
fn signed(change: f64) -> String {
    if change.abs() < 9.95 { format!("{change:+.1} %") } else { format!("{change:+.0} %") }
}

fn trimmed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A number with separators between thousands.
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
    fn thousands_are_separated() {
        for (value, expected) in
            [(0.0, "0"), (999.0, "999"), (1000.0, "1,000"), (1_234_567.4, "1,234,567"), (-1234.0, "-1,234")]
        {
            assert_eq!(grouped(value), expected);
        }
    }

    fn cells(list: &[(&str, u8, &str)]) -> Cells {
        let mut cells = Cells::default();
        list.iter().for_each(|(name, period, value)| cells.insert(name.parse().unwrap(), *period, (*value).to_owned()));
        cells
    }

    fn row<'t>(table: &'t str, label: &str) -> Vec<&'t str> {
        let line = table.lines().find(|line| line.starts_with(label)).unwrap();
        line[label.len()..].split_whitespace().collect()
    }

    #[test]
    fn the_table_shows_counts_hours_and_shares() {
        let cells = cells(&[
            ("users", 1, "1200"),
            ("users.residence-known", 1, "200"),
            ("users.us", 1, "50"),
            ("simulation.cpu-time", 14, "7200"),
            ("misc.hits", 14, ""),
        ]);
        let table = table(&cells, Month::new(2025, 6).unwrap());
        assert_eq!(row(&table, "Users"), ["1,200", "0", "0"]);
        assert_eq!(row(&table, "Simulation CPU hours"), ["0", "0", "2"]);
        assert_eq!(row(&table, "  United States"), ["25", "%", "-", "-"]);
        assert_eq!(row(&table, "Where users live"), ["200", "known", "0", "known", "0", "known"]);
    }

    #[test]
    fn a_month_is_shown_beside_the_previous_month_and_year() {
        let now = cells(&[("users", 1, "120"), ("users.residence-known", 1, "80"), ("users.us", 1, "20")]);
        let before = cells(&[("users", 1, "100"), ("users", 14, "7"), ("users.us", 1, "0")]);
        let year = cells(&[("users", 1, "119")]);
        let month = Month::new(2025, 1).unwrap();
        let compared = Compared { month, period: Period::Month, cells: [&now, &before, &year] };
        let table = compared.table();
        assert_eq!(row(&table, "Users"), ["120", "100", "+20", "%", "119", "+0.8", "%"]);
        assert_eq!(row(&table, "  United States"), ["20", "25", "%", "0", "-", "-", "-"]);
        assert_eq!(row(&table, "Web server hits"), ["-", "-", "-", "-", "-"]);
        assert!(table.contains(" 2025-01 ") && table.contains(" 2024-12 ") && table.contains(" 2024-01 "), "{table}");
    }

    #[test]
    fn a_share_comes_below_the_line_that_it_is_a_share_of() {
        for (i, line) in LINES.iter().enumerate().filter(|(_, line)| line.of.is_some()) {
            let head = LINES[..i].iter().rfind(|line| line.of.is_none()).unwrap();
            assert_eq!(Some(head.place), line.of, "{}", line.label);
        }
    }
}
