//! Ties of the busiest day: the cell names one of the days with the most users, and which one is arbitrary.

use anyhow::Result;
use database::Db;
use schema::tables::quote;

use super::columns::Table;
use super::merge::{Difference, Row};

/// The table with this cell.
const CELLS: &str = "summary_misc_vals";

/// What is between the number of users and the day.
const BETWEEN: &str = " users on ";

/// Whether two cells differ in the day alone.
pub(super) fn may_tie(table: &Table, difference: &Difference) -> bool {
    if table.name != CELLS {
        return false;
    }
    let Difference::Changed(here, there) = difference else { return false };
    let Some((here, there)) = found(here).zip(found(there)) else { return false };
    here.0 == there.0 && here.1 != there.1
}

/// Whether both days have the same number of users.
///
/// # Errors
/// The server refuses.
pub(super) fn is_tie(db: &mut Db, difference: &Difference) -> Result<bool> {
    let Difference::Changed(here, there) = difference else { return Ok(false) };
    let Some((here, there)) = found(here).zip(found(there)) else { return Ok(false) };
    if !db.has_table("userlogin_lite")? {
        return Ok(false);
    }
    let sql = format!(
        "SELECT COUNT(DISTINCT user) FROM {} WHERE datetime >= ? AND datetime < ? + INTERVAL 1 DAY",
        quote("userlogin_lite")
    );
    let mut users = |day: &str| db.number(&sql, (day, day));
    let (one, other) = (users(&here.1)?, users(&there.1)?);
    Ok(one == other && one.is_some_and(|n| n.to_string() == here.0))
}

/// The number of users and the day in such a cell.
fn found(row: &Row) -> Option<(String, String)> {
    let text = |cell: &Option<Vec<u8>>| String::from_utf8(cell.clone()?).ok();
    let cell = row.iter().filter_map(text).find_map(|text| {
        let (n, day) = text.split_once(BETWEEN)?;
        Some((n.to_owned(), day.trim().to_owned()))
    })?;
    let is_day = cell.1.len() == 10 && cell.1.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    is_day.then_some(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_differ_in_the_day_alone_may_tie() {
        let row = |text: &str| vec![Some(b"7".to_vec()), Some(text.as_bytes().to_vec())];
        let table = |name: &str| Table {
            name: name.to_owned(),
            columns: Vec::new(),
            n_key: 1,
            is_in_both: true,
            extra: Vec::new(),
            gone_through: None,
        };
        let ties =
            |name: &str, here: &str, there: &str| may_tie(&table(name), &Difference::Changed(row(here), row(there)));
        assert!(ties(CELLS, "94 users on 2025-05-28", "94 users on 2025-05-18"));
        assert!(!ties(CELLS, "94 users on 2025-05-28", "95 users on 2025-05-18"));
        assert!(!ties(CELLS, "94", "95"));
        assert!(!ties(CELLS, " users on ", "94 users on 2025-05-18"));
        assert!(!ties("topvals", "94 users on 2025-05-28", "94 users on 2025-05-18"));
    }
}
