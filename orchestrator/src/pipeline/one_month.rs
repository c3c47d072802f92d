//! Work on one month named on the command line. The state is unchanged, except that a withheld month
//! is released; the next run sees from the tables what was done.

use anyhow::Result;
use database::address_changes::AddressChanges;
use schema::Month;

use super::facts;
use super::state;
use super::worker::{Effort, Worker};
use crate::hub::Hub;

/// Lets a month be published again, because the user named it.
///
/// # Errors
/// The server refuses the statement.
pub(crate) fn release(hub: &Hub, month: Month, effort: Effort) -> Result<()> {
    if effort == Effort::Real && !state::release(hub, &mut hub.db()?, &[month].into())?.is_empty() {
        hub.log.info(format_args!("{month} is no longer withheld"));
    }
    Ok(())
}

/// Whether a published month must not be computed again, because the addresses in its rows are not the ones any more;
/// says so.
///
/// # Errors
/// The server fails.
pub(crate) fn is_changed(hub: &Hub, month: Month) -> Result<bool> {
    let mut db = hub.db()?;
    let changes = AddressChanges::read(&mut db)?;
    let why = changes.refusal(month, month);
    let is_changed = why.is_some() && (changes.is_hashed(month) || facts::is_summarized(&mut db, month)?);
    if let Some(why) = why.filter(|_| is_changed) {
        hub.log.error(why);
    }
    Ok(is_changed)
}

/// Works on a month that is over, or on any if forced; returns the exit code.
///
/// # Errors
/// The work fails.
pub(crate) fn on_month(
    hub: &Hub,
    month: Month,
    force: bool,
    effort: Effort,
    work: impl FnOnce(&mut Worker<'_>) -> Result<()>,
) -> Result<u8> {
    if !force && month == kit::current_month()? {
        hub.log.error(format_args!("{month} is the current month and not yet complete; --force does it anyway"));
        return Ok(1);
    }
    hub.config.check()?;
    if !force && is_changed(hub, month)? {
        return Ok(1);
    }
    let lock = hub.lock(effort == Effort::Real)?;
    release(hub, month, effort)?;
    work(&mut Worker::new(hub, lock.as_ref(), effort)?)?;
    hub.log.info(">>> done");
    Ok(0)
}
