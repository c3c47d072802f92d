//! Which months are old enough to be hashed, and final.

use anyhow::{Context as _, Result};
use database::Db;
use database::address_changes::AddressChanges;
use schema::{Month, Stamp};

use super::rows::TABLES;
use crate::hub::Hub;
use crate::pipeline::facts;
use crate::pipeline::finality::{Finality, UNPUBLISHED};

/// Usual while a month is only just old enough.
pub(super) const FOLLOWED: &str = "the month after it is not final";

/// What is due.
pub(super) struct Due {
    pub(super) months: Vec<Month>,
    /// The first month that is old enough but not final, and why.
    pub(super) stays: Option<(Month, &'static str)>,
}

/// The months whose last day is `days` days ago or longer, that are final, and that are not hashed. Months are hashed
/// one after the other, so none follows one that is not final.
///
/// # Errors
/// The server fails.
pub(super) fn months(hub: &Hub, db: &mut Db, days: u32) -> Result<Due> {
    let mut due = Due { months: Vec::new(), stays: None };
    let changes = AddressChanges::read(db)?;
    let begun = changes.hashing.as_ref().map(|(month, _)| *month);
    let Some(first) = first(db, changes.hashed_through(), begun)? else { return Ok(due) };
    let cut = kit::today()?.plus_days(-i64::from(days)).month().context("a day before all months")?;
    let (finality, published) = (Finality::look(hub, db)?, facts::published_months(db, kit::current_month()?)?);
    // months with requests are published from the oldest on: before the first one nothing waits for that
    let is_before_all = |month: Month| published.first().is_some_and(|first| month < *first);
    let mut why_not = |month: Month| {
        let why = finality.why_not(db, month)?;
        anyhow::Ok(why.filter(|why| *why != UNPUBLISHED || !is_before_all(month)))
    };
    for month in first.through(cut.previous()) {
        let why = match why_not(month)? {
            // sessions that begin at the end of a month are looked at with the next one
            None => why_not(month.next())?.map(|_| FOLLOWED),
            why => why,
        };
        if let Some(why) = why {
            due.stays = Some((month, why));
            break;
        }
        due.months.push(month);
    }
    Ok(due)
}

/// The first month to hash: that which was begun, or the first one after those that are hashed with a row.
fn first(db: &mut Db, through: Option<Month>, begun: Option<Month>) -> Result<Option<Month>> {
    if begun.is_some() {
        return Ok(begun);
    }
    // zero dates come before all calendar days
    let from = through.map_or_else(|| "0001-01-01 00:00:00".to_owned(), |through| through.next().start().to_string());
    let mut first: Option<Month> = None;
    for table in TABLES {
        if db.has_table(table.name)? {
            let when = table.when;
            let sql = format!("SELECT CAST(MIN({when}) AS char) FROM {} WHERE {when} >= ?", table.name);
            let found = db.texts(&sql, (&from,))?.into_iter().next().and_then(|text| Stamp::parse(&text));
            first = first.into_iter().chain(found.and_then(Stamp::counts_in)).min();
        }
    }
    Ok(first)
}
