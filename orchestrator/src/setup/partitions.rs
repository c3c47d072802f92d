//! Big tables that are divided by month: what `setup-db --month-partitions` does about tables that exist, and the months
//! to come, which each run prepares.

use std::io::Write;

use anyhow::Result;
use database::Db;
use kit::{Messages, Usage};
use schema::Month;
use schema::partitions::{BY_MONTH, Partitions};
use schema::tables::{self, quote};

/// The months from `first` through those that are prepared today.
///
/// # Errors
/// The month is later, or there is no clock.
pub(crate) fn through_next_year(first: Month) -> Result<Partitions> {
    let last = Partitions::prepared(kit::current_month()?);
    if first > last {
        return Err(Usage(format!("--month-partitions {first} is in the future")).into());
    }
    Ok(Partitions { first, last })
}

/// Prepares the months to come, and prints for each table that is not divided the statement that divides it.
///
/// # Errors
/// The server refuses a statement.
pub(crate) fn prepare(db: &mut Db, by: &Partitions, messages: Messages, out: &mut dyn Write) -> Result<()> {
    for name in add_months(db, by.last)? {
        messages.note(format_args!("{name}: partitions added through {}", by.last));
    }
    let divided = db.divided_tables()?;
    for name in BY_MONTH.into_iter().filter(|name| !divided.iter().any(|table| table == name)) {
        let at = format!("{}.{}", quote(&db.target().metrics_db), quote(name));
        let Some(statement) = tables::metrics(name).and_then(|table| table.divide(&at, by)) else { continue };
        messages.warn(format_args!(
            "{name} exists and is not divided by month; the statement on standard output divides it, and copies it \
             for that"
        ));
        writeln!(out, "{statement};").map_err(kit::not_written)?;
    }
    Ok(())
}

/// Gives the months through `last` partitions of their own in the tables that are divided; returns the tables that
/// lacked some.
///
/// # Errors
/// The server refuses a statement.
pub(crate) fn add_months(db: &mut Db, last: Month) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for table in db.divided_tables()? {
        if db.add_month_partitions(&table, last)? > 0 {
            changed.push(table);
        }
    }
    Ok(changed)
}
