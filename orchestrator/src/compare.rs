//! Two databases held against each other, table by table: for `compare`.
//!
//! Both are read at the same time in the order of their keys ([`rows`]) and merged ([`merge`]), so memory does not
//! grow with the tables. Nothing is written.

mod addresses;
mod busiest;
mod columns;
mod gone;
mod known;
mod merge;
mod report;
mod rows;

use std::collections::BTreeSet;

use anyhow::Result;
use database::{Db, Which};
use schema::{Month, Stamp};

pub(crate) use addresses::Addresses;
use columns::Table;
use gone::Gone;
pub(crate) use report::{Compared, Report};
use rows::Stretch;

/// What is compared.
pub(crate) struct Wanted<'w> {
    /// These months only; all rows if there are none.
    pub(crate) months: &'w [Month],
    /// How many examples of each kind of difference are kept.
    pub(crate) n_shown: usize,
    /// These tables only.
    pub(crate) only: Option<&'w BTreeSet<String>>,
}

/// Compares the tables of the databases of two sessions.
///
/// # Errors
/// A server is lost or refuses a query.
pub(crate) fn compare(here: &mut Db, there: &mut Db, wanted: &Wanted<'_>) -> Result<Vec<Compared>> {
    for db in [&mut *here, &mut *there] {
        // one moment for all tables, where the engine knows such a thing
        db.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", ())?;
        db.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", ())?;
    }
    let mut list = Vec::new();
    let is_wanted = |table: &Table| wanted.only.is_none_or(|only| only.contains(&table.name));
    let gone = Gone::read(here, there)?;
    for mut table in columns::tables(here, there)?.into_iter().filter(is_wanted) {
        if let Some(last) = gone.of("websessions") {
            table.leave_sessions_through(last);
        }
        table.gone_through = gone.of(&table.name).filter(|last| is_asked(*last, wanted.months));
        if let Some(conditions) = conditions(here, there, &table, wanted.months)? {
            list.push(one_table(here, there, table, conditions, wanted.n_shown)?);
        }
    }
    for db in [here, there] {
        db.run("COMMIT", ())?;
    }
    Ok(list)
}

/// Whether one of the months asked for is this one or an earlier one.
fn is_asked(last: Month, months: &[Month]) -> bool {
    months.is_empty() || months.iter().any(|month| *month <= last)
}

/// The conditions under which a table is read, one after the other; `None` if it has no rows of single months.
fn conditions(here: &mut Db, there: &mut Db, table: &Table, months: &[Month]) -> Result<Option<Vec<String>>> {
    if table.columns.iter().any(|column| column.name == "datetime") {
        let mut stretches = stretches(here, there, table, months)?;
        if let Some(last) = table.gone_through {
            gone::leave_out(last, &mut stretches);
        }
        return Ok(Some(stretches.iter().map(|stretch| stretch.condition("datetime")).collect()));
    }
    let all = || Some(String::new());
    let condition = if months.is_empty() { all() } else { rows::undated(table, months) };
    Ok(condition.map(|condition| vec![condition]))
}

fn one_table(here: &mut Db, there: &mut Db, table: Table, conditions: Vec<String>, n_shown: usize) -> Result<Compared> {
    let mut compared = Compared::new(table.clone());
    let is_here = here.has_table(&table.name)?;
    let is_there = there.has_table(&table.name)?;
    let is_one_empty = !is_here || !is_there || is_empty(here, &table)? || is_empty(there, &table)?;
    let prefix = if here.which() == Which::Hub { here.target().prefix.clone() } else { String::new() };
    let mut ties = Vec::new();
    for condition in conditions {
        let counts = std::thread::scope(|scope| {
            let read = |db, is_there: bool| is_there.then(|| rows::read(scope, db, &table, condition.clone()));
            let (left, right) = (read(&mut *here, is_here), read(&mut *there, is_there));
            merge::merge(left.into_iter().flatten(), right.into_iter().flatten(), table.n_key, |difference| {
                if busiest::may_tie(&table, &difference) {
                    return ties.push(difference);
                }
                let options = known::options(&table, &prefix, &difference, is_one_empty);
                compared.found(&difference, options, n_shown);
            })
        })?;
        compared.add(counts);
    }
    for difference in ties {
        // one side may lack the logins of that day
        if !busiest::is_tie(here, &difference)? && !busiest::is_tie(there, &difference)? {
            compared.found(&difference, Vec::new(), n_shown);
        }
    }
    Ok(compared)
}

fn is_empty(db: &mut Db, table: &Table) -> Result<bool> {
    let sql = format!("SELECT 1 FROM {} LIMIT 1", schema::tables::quote(&table.name));
    Ok(db.number(&sql, ())?.is_none())
}

/// A table month by month, so that the server sorts no more than a month at a time.
fn stretches(here: &mut Db, there: &mut Db, table: &Table, months: &[Month]) -> Result<Vec<Stretch>> {
    let mut found: BTreeSet<Month> = months.iter().copied().collect();
    if found.is_empty() {
        for db in [here, there] {
            months_of(db, &table.name, &mut found)?;
        }
    }
    let mut list: Vec<Stretch> = found.iter().copied().map(Stretch::month).collect();
    if months.is_empty() {
        // dates before the first month, such as the zero date, and rows that came since
        let first = list.first().and_then(|first| first.from.clone());
        let last = list.last().and_then(|last| last.to.clone());
        list.insert(0, Stretch { from: None, to: first });
        if last.is_some() {
            list.push(Stretch { from: last, to: None });
        }
    }
    Ok(list)
}

/// Jumps from month to month: one look into an index for each, or one scan of a table without one.
fn months_of(db: &mut Db, table: &str, found: &mut BTreeSet<Month>) -> Result<()> {
    if !db.has_table(table)? {
        return Ok(());
    }
    let at = schema::tables::quote(table);
    let sql = "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? AND \
               column_name = 'datetime' AND seq_in_index = 1 LIMIT 1";
    if db.number(sql, (table,))?.is_none() {
        let sql = format!("SELECT DISTINCT YEAR(datetime), MONTH(datetime) FROM {at}");
        db.each(&sql, (), |row| {
            let number = |at| row.int(at).unwrap_or(0);
            found.extend(month(number(0), number(1)));
            Ok(())
        })?;
        return Ok(());
    }
    let mut from = "0000-01-00 00:00:00".to_owned();
    loop {
        let sql = format!("SELECT CAST(MIN(datetime) AS char) FROM {at} WHERE datetime >= '{from}'");
        let next = db.texts(&sql, ())?.into_iter().next().and_then(|text| Stamp::parse(&text));
        let Some(next) = next.and_then(Stamp::month) else { return Ok(()) };
        found.insert(next);
        from = next.next().label().to_string();
    }
}

fn month(year: i64, month: i64) -> Option<Month> {
    Month::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?)
}
