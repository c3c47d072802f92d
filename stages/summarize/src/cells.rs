//! The cells in the order in which legacy writes them, with the text that their column stores.

use anyhow::Result;
use kit::Io;
use schema::number::{integer_of, shortest, text14};
use schema::{Month, Period, json};

use crate::finish::Figures;

/// A group of cells that can be requested separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Reg,
    Int,
    Dl,
    Total,
    Sim,
    SimUsage,
    Misc,
}

impl Section {
    /// All, in the order of writing.
    pub(crate) const ALL: [Self; 7] =
        [Self::Reg, Self::Int, Self::Dl, Self::Total, Self::Sim, Self::SimUsage, Self::Misc];
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub table: &'static str,
    pub rowid: u8,
    pub colid: u8,
    pub month: Month,
    pub period: Period,
    pub value: String,
    pub valfmt: u8,
}

impl Cell {
    /// The record of the cell as a JSON line without its end.
    pub(crate) fn line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"kind\":\"cell\",\"table\":");
        json::push_str(out, self.table);
        out.extend_from_slice(
            format!(
                ",\"rowid\":{},\"colid\":{},\"datetime\":\"{}\",\"period\":{},\"value\":",
                self.rowid,
                self.colid,
                self.month.label(),
                self.period.code()
            )
            .as_bytes(),
        );
        json::push_str(out, &self.value);
        out.extend_from_slice(format!(",\"valfmt\":{}}}", self.valfmt).as_bytes());
    }
}

/// The cells of all requested months.
pub(crate) fn cells(figures: &Figures, periods: &[Period], sections: &[Section], mut put: impl FnMut(Cell)) {
    for (row, &month) in figures.axis().months().iter().enumerate() {
        for &period in periods {
            for section in Section::ALL.into_iter().filter(|s| sections.contains(s)) {
                let mut writer = Writer { figures, row, month, period, put: &mut put };
                match section {
                    Section::Reg => writer.users(&[6], 1..=11),
                    Section::Int => writer.visitors(7, 3),
                    Section::Dl => writer.visitors(8, 4),
                    Section::Total => writer.users(&[1], 1..=11),
                    Section::Sim => writer.users(&[2], 1..=11),
                    Section::SimUsage => writer.simulations(),
                    Section::Misc => writer.misc(),
                }
            }
        }
    }
}

struct Writer<'a, F> {
    figures: &'a Figures,
    row: usize,
    month: Month,
    period: Period,
    put: F,
}

impl<F: FnMut(Cell)> Writer<'_, F> {
    fn cell(&mut self, table: &'static str, rowid: u8, colid: u8, value: String, valfmt: u8) {
        (self.put)(Cell { table, rowid, colid, month: self.month, period: self.period, value, valfmt });
    }

    fn users(&mut self, rowids: &[u8], colids: std::ops::RangeInclusive<u8>) {
        for colid in colids {
            for &rowid in rowids {
                let value = self.figures.user(rowid, colid, self.row, self.period);
                let valfmt = if matches!(colid, 1 | 2 | 7) { 1 } else { 2 };
                self.cell("summary_user_vals", rowid, colid, value.to_string(), valfmt);
            }
        }
    }

    fn visitors(&mut self, unregistered: u8, all: u8) {
        self.users(&[unregistered, all], 1..=6);
        self.users(&[unregistered], 7..=11);
        self.users(&[all], 7..=11);
    }

    fn simulations(&mut self) {
        let (row, period, figures) = (self.row, self.period, self.figures);
        let users = figures.user(2, 1, row, period);
        let mut cell = |rowid, value: i64, valfmt| {
            self.cell("summary_simusage_vals", rowid, 1, value.to_string(), valfmt);
        };
        cell(1, users, 3);
        if users == 0 {
            // without users, the other rows keep their old values
            return;
        }
        let starts = figures.user_starts(row, period);
        let seconds = figures.seconds(row, period);
        let as_port = figures.as_port();
        cell(2, starts, 4);
        cell(3, cpu(seconds.cpu_sessions, seconds.cpu_jobs, as_port), 5);
        cell(4, total(seconds.wall, as_port), 5);
        cell(5, total(seconds.view, as_port), 5);
        cell(6, seconds.heavy_users, 3);
        cell(7, average(starts, users, 1, as_port), 4);
        cell(8, average(figures.start_days(row, period), users, 86_400, as_port), 5);
        cell(9, figures.regular(row, period), 3);
        cell(10, figures.faithful(row, period), 3);
    }

    fn misc(&mut self) {
        let (row, period, figures) = (self.row, self.period, self.figures);
        let mut cell = |rowid, value: String, valfmt| self.cell("summary_misc_vals", rowid, 1, value, valfmt);
        let (stays, secs) = figures.stays(row, period);
        let (visitors, visits) = figures.visits(row, period);
        cell(1, figures.domains(row, period).to_string(), 1);
        cell(2, stays.to_string(), 1);
        cell(3, if stays == 0 { String::new() } else { secs.to_string() }, 5);
        cell(4, visitors.to_string(), 1);
        cell(5, visits.to_string(), 1);
        cell(6, figures.accounts(row, period).to_string(), 1);
        let busiest = figures.busiest(row, period);
        cell(7, busiest_day(busiest), 6);
        cell(8, figures.hits(row, period).map_or_else(String::new, |hits| hits.to_string()), 1);
    }
}

/// The text of the busiest day: its users and the day.
pub(crate) fn busiest_day(busiest: Option<(u32, String)>) -> String {
    busiest.map_or_else(|| " users on ".to_owned(), |(n, day)| format!("{n} users on {day}"))
}

/// The text that the column stores for a double sent by the port.
fn nearest(value: f64) -> i64 {
    value.round_ties_even() as i64
}

/// A total of seconds, sent as the server printed it.
pub(crate) fn total(seconds: f64, as_port: bool) -> i64 {
    if as_port { nearest(seconds) } else { integer_of(&shortest(seconds)) }
}

/// Two totals added by the script: exactly if the server printed both without a point or an
/// exponent, otherwise as doubles printed with 14 digits.
pub(crate) fn cpu(sessions: f64, jobs: f64, as_port: bool) -> i64 {
    let is_integer = |x: f64| x.fract() == 0.0 && x.abs() < 1e15;
    if as_port {
        nearest(sessions + jobs)
    } else if is_integer(sessions) && is_integer(jobs) {
        sessions as i64 + jobs as i64
    } else {
        integer_of(&text14(sessions + jobs))
    }
}

/// `total ÷ users × unit` with the script's numbers: integers as long as the division is exact.
pub(crate) fn average(total: i64, users: i64, unit: i64, as_port: bool) -> i64 {
    if as_port {
        return nearest(total as f64 / users as f64 * unit as f64);
    }
    if total % users == 0
        && let Some(exact) = (total / users).checked_mul(unit)
    {
        return exact;
    }
    integer_of(&text14(total as f64 / users as f64 * unit as f64))
}

/// Writes the cells as records.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn write_cells(figures: &Figures, periods: &[Period], sections: &[Section], io: &Io) -> Result<()> {
    let mut lines = Vec::new();
    cells(figures, periods, sections, |cell| {
        cell.line(&mut lines);
        lines.push(b'\n');
    });
    let mut output = io.output()?;
    output.block(&lines)?;
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_round_the_printed_text() {
        for (total, users, unit, legacy, port) in [
            (5, 2, 1, 3, 2),
            (17, 5, 1, 3, 3),
            (18, 5, 1, 4, 4),
            (10, 5, 1, 2, 2),
            (7, 1280, 86_400, 473, 472),
            (739_807, 1, 86_400, 63_919_324_800, 63_919_324_800),
            (-1, 2, 1, -1, 0),
        ] {
            assert_eq!(average(total, users, unit, false), legacy, "{total}/{users}");
            assert_eq!(average(total, users, unit, true), port, "{total}/{users}");
        }
    }

    #[test]
    fn totals_round_half_away_from_zero() {
        assert_eq!([total(2.5, false), total(2.5, true), total(0.0, false)], [3, 2, 0]);
        assert_eq!([cpu(2.0, 0.5, false), cpu(2.0, 0.5, true), cpu(2.0, 3.0, false)], [3, 2, 5]);
        assert_eq!(total(0.1 + 0.2 + 0.2, false), 1); // prints as 0.5, or just above
        assert_eq!(cpu(1e15, 1.0, false), 1_000_000_000_000_000); // 14 digits
        assert_eq!(cpu(9e14, 1.0, false), 900_000_000_000_001);
    }
}
