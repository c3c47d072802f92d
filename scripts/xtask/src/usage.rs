//! The usage table of the demo: reads the cells that the chain wrote; the table itself is `schema::usage`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use schema::cells::Summary;
use schema::usage::{Cells, table as usage_table};
use schema::{Month, Place};

/// The table for the cells of `month` in a CSV file.
///
/// # Errors
/// The file cannot be read or contains no cells.
pub(crate) fn table(path: &Path, month: Month) -> Result<String> {
    let doing = || format!("reading {}", path.display());
    let mut reader = csv::Reader::from_path(path).with_context(doing)?;
    let headers = reader.headers().with_context(doing)?.clone();
    let column = |name: &str| {
        headers.iter().position(|h| h == name).with_context(|| format!("{} has no column {name}", path.display()))
    };
    let [table, row, col, period, value] =
        [column("table")?, column("rowid")?, column("colid")?, column("period")?, column("value")?];
    let mut cells = Cells::default();
    for record in reader.records() {
        let record = record.with_context(doing)?;
        let number = |at: usize| {
            record[at].parse::<u8>().with_context(|| format!("{}: `{}` is not a number", path.display(), &record[at]))
        };
        if let Some(summary) = Summary::of_table(&record[table]) {
            let place = Place::new(summary, number(row)?, number(col)?);
            cells.insert(place, number(period)?, record[value].to_owned());
        }
    }
    if cells.is_empty() {
        bail!("{} contains no cells", path.display());
    }
    Ok(usage_table(&cells, month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_of_a_file_are_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cells.csv");
        let text = "kind,table,rowid,colid,datetime,period,value,valfmt\n\
                    cell,summary_user_vals,1,1,2025-06-00 00:00:00,1,1200,1\n\
                    cell,summary_misc_vals,8,1,2025-06-00 00:00:00,14,,1\n";
        std::fs::write(&path, text).unwrap();
        let table = table(&path, Month::new(2025, 6).unwrap()).unwrap();
        let users = table.lines().find(|line| line.starts_with("Users ")).unwrap();
        assert_eq!(users.split_whitespace().collect::<Vec<_>>(), ["Users", "1,200", "0", "0"]);
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
