//! The cells of the summary tables: what is where, and what an absent one means.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
pub(crate) use schema::cells::Summary;
use schema::{Month, Period, Stamp};
use serde::Deserialize;

use crate::amount::Amount;

/// One cell as a record or a row of a table has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Cell<'a> {
    #[serde(borrow)]
    pub(crate) table: Cow<'a, str>,
    pub(crate) rowid: u8,
    pub(crate) colid: u8,
    #[serde(borrow)]
    pub(crate) datetime: Cow<'a, str>,
    pub(crate) period: u8,
    #[serde(borrow, default)]
    pub(crate) value: Option<Cow<'a, str>>,
}

impl<'a> Cell<'a> {
    /// # Errors
    /// A field is absent or of another type.
    pub(crate) fn from_line(line: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|e| e.to_string())
    }
}

/// What a value is found by: table, row, column, period, month.
type Key = (Summary, u8, u8, Period, Month);

/// All cells that were read.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    values: FxHashMap<Key, Amount>,
    first: Option<Month>,
}

impl Cells {
    /// # Errors
    /// The cell has no month, no number, or another value than one of the same place before.
    pub(crate) fn add(&mut self, cell: &Cell<'_>) -> Result<(), String> {
        let Some(table) = Summary::of_table(&cell.table) else { return Ok(()) };
        let month = Stamp::parse(&cell.datetime).and_then(Stamp::month);
        let month = month.ok_or_else(|| format!("`{}` is not in a month", cell.datetime))?;
        let period = Period::from_code(cell.period).ok_or_else(|| format!("there is no period {}", cell.period))?;
        let text = cell.value.as_deref().unwrap_or_default().trim();
        // the busiest day is a sentence
        if (table, cell.rowid) == (Summary::Misc, 7) {
            return Ok(());
        }
        let amount = number(text).ok_or_else(|| format!("`{text}` is not a number"))?;
        self.first = Some(self.first.map_or(month, |first| first.min(month)));
        match self.values.insert((table, cell.rowid, cell.colid, period, month), amount) {
            Some(before) if before != amount => {
                self.values.insert((table, cell.rowid, cell.colid, period, month), before);
                Err("another value for a cell that was there before".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The value of a cell.
    pub(crate) fn get(&self, (table, row, column): (Summary, u8, u8), period: Period, month: Month) -> Amount {
        // without simulation users the other rows of the table are not written, and old ones may be there
        if table == Summary::Simulation && row > 1 {
            match self.get((table, 1, 1), period, month) {
                Amount::Known(0.0) => return Amount::Known(0.0),
                Amount::Missing => return Amount::Missing,
                _ => {}
            }
        }
        self.values.get(&(table, row, column, period, month)).copied().unwrap_or(Amount::Missing)
    }

    /// The first month of the records, where the twelve months to this one are fewer: the cells begin within them, and
    /// nobody was counted before.
    pub(crate) fn beginning(&self, month: Month) -> Option<Month> {
        let users = |period| self.get((Summary::Users, 1, 1), period, month).value();
        let nobody_before = users(Period::AllTime).is_some() && users(Period::AllTime) == users(Period::TwelveMonths);
        self.first.filter(|first| nobody_before && *first > month.minus(11))
    }

    /// The months that there are cells of, ascending.
    pub(crate) fn months(&self) -> Vec<Month> {
        let mut months: Vec<_> = self.values.keys().map(|key| key.4).collect();
        months.sort_unstable();
        months.dedup();
        months
    }
}

/// The number in a value; an empty text means that it is missing. The tables hold whole numbers, sums of seconds may have decimals.
fn number(text: &str) -> Option<Amount> {
    if text.is_empty() {
        return Some(Amount::Missing);
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Amount::Known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(cells: &mut Cells, table: &str, row: u8, value: &str) -> Result<(), String> {
        let line = format!(
            r#"{{"kind":"cell","table":"{table}","rowid":{row},"colid":1,"datetime":"2025-06-00 00:00:00","period":1,"value":"{value}","valfmt":1}}"#
        );
        cells.add(&Cell::from_line(line.as_bytes())?)
    }

    #[test]
    fn rows_that_are_not_written_without_users_are_zero() {
        let mut cells = Cells::default();
        let month = "2025-06".parse().unwrap();
        let get = |cells: &Cells, row| cells.get((Summary::Simulation, row, 1), Period::Month, month);
        assert_eq!(get(&cells, 2), Amount::Missing);
        add(&mut cells, "summary_simusage_vals", 2, "77").unwrap();
        add(&mut cells, "summary_simusage_vals", 1, "0").unwrap();
        assert_eq!(get(&cells, 2), Amount::Known(0.0), "an old row");
    }

    #[test]
    fn what_is_not_a_cell_is_refused() {
        let mut cells = Cells::default();
        add(&mut cells, "summary_misc_vals", 7, "5 users on 2025-06-03").unwrap();
        add(&mut cells, "summary_misc_vals", 8, "").unwrap();
        add(&mut cells, "summary_misc_vals", 1, "3").unwrap();
        add(&mut cells, "summary_misc_vals", 1, "3").unwrap();
        add(&mut cells, "something_else", 1, "x").unwrap();
        for (value, reason) in [("4", "another value"), ("x", "not a number"), ("inf", "not a number")] {
            let error = add(&mut cells, "summary_misc_vals", 1, value).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(cells.months().len(), 1);
    }
}
