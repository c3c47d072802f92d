//! Rows of old months: which may go, and how they go.
//!
//! First a state of the months is made that gives the same cells, and kept in the database ([`super::keep`]). From
//! then on nobody reads these rows, and they are removed step by step. A run that was killed is completed by the next.

use anyhow::{Result, bail};
use database::Db;
use database::pruned::{self, Group, Pruned, Removal};
use schema::tables::PRUNED;
use schema::{Month, Stamp};

use super::turns::Turns;
use crate::hub::Hub;
use crate::pipeline::finality::Finality;

/// What is to be done with the rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) group: Group,
    /// The last month whose rows may go, if any.
    pub(crate) through: Option<Month>,
    /// The first month that would be old enough, but whose numbers are not final, and why.
    pub(crate) stays: Option<(Month, &'static str)>,
}

/// What of a group is old and final; `first_kept` is the first month that stays in any case.
///
/// # Errors
/// The server fails.
fn wanted(hub: &Hub, db: &mut Db, group: Group, first_kept: Month) -> Result<Wanted> {
    let mut found = Wanted { group, through: None, stays: None };
    let Some(oldest) = oldest(db, group)? else { return Ok(found) };
    let known = Pruned::read(db)?.of(group).map(|gone| gone.rows);
    let oldest = known.map_or(oldest, |known| oldest.max(known.next()));
    let finality = Finality::look(hub, db)?;
    for month in oldest.through(first_kept.previous()) {
        let why = finality.why_not(db, month)?;
        if let Some(why) = why {
            found.stays = Some((month, why));
            break;
        }
        found.through = Some(month);
    }
    Ok(found)
}

/// The month of the oldest row of a group.
fn oldest(db: &mut Db, group: Group) -> Result<Option<Month>> {
    let mut oldest: Option<Month> = None;
    for table in group.tables() {
        if !db.has_table(table)? {
            continue;
        }
        // zero dates come before all calendar days
        let sql = format!("SELECT CAST(MIN(datetime) AS char) FROM {table} WHERE datetime >= '0001-01-01'");
        let first = db.texts(&sql, ())?.into_iter().next().and_then(|text| Stamp::parse(&text)).and_then(Stamp::month);
        oldest = oldest.into_iter().chain(first).min();
    }
    Ok(oldest)
}

/// What of each group is old and final.
///
/// # Errors
/// The server fails.
pub(crate) fn all_wanted(hub: &Hub, db: &mut Db, bounds: &[(Group, Month)]) -> Result<Vec<Wanted>> {
    bounds.iter().map(|(group, first_kept)| wanted(hub, db, *group, *first_kept)).collect()
}

/// Removes rows, a turn at a time; `say` hears after each step how many are gone.
///
/// # Errors
/// The server refuses a statement, or the database no longer says what is `known`.
pub(crate) fn remove(
    db: &mut Db,
    turns: &mut Turns<'_>,
    known: &Pruned,
    removal: &Removal,
    mut say: impl FnMut(u64),
) -> Result<()> {
    removal.run(db, |db, n| {
        say(n);
        if turns.let_others_in()? { check_unchanged(db, known, removal.table) } else { Ok(()) }
    })
}

/// After others had their turn: a restore, for example, brings the rows and the table back as they were.
fn check_unchanged(db: &mut Db, known: &Pruned, table: &str) -> Result<()> {
    if Pruned::read(db)? != *known {
        bail!("the table {PRUNED} was changed by another program, so the rest of {table} stays for now");
    }
    Ok(())
}

/// The rows that are to go, and what the database says of them: those that a state stands for. Others may write while
/// they are counted.
///
/// # Errors
/// The server fails, or the database no longer says what it said before they were counted.
pub(crate) fn left_over(db: &mut Db, turns: &mut Turns<'_>) -> Result<(Pruned, Vec<Removal>)> {
    let pruned = Pruned::read(db)?;
    let list = turns.beside_others(|| {
        let mut list = Vec::new();
        for group in Group::ALL {
            if let Some(gone) = pruned.of(group) {
                list.extend(pruned::removals(db, group, gone)?);
            }
        }
        list.retain(|removal| removal.rows > 0);
        Ok(list)
    })?;
    if let Some(first) = list.first() {
        check_unchanged(db, &pruned, first.table)?;
    }
    Ok((pruned, list))
}

/// Refuses months without which a table would lose its newest row.
///
/// # Errors
/// It would; or the server fails.
pub(super) fn check_newest(db: &mut Db, group: Group, through: Month) -> Result<()> {
    if let Some(table) = pruned::left(db, group, through)? {
        bail!("the newest row of {table} is of {through} or earlier: prune again after the next import");
    }
    Ok(())
}

/// How many rows of a group would go, table by table.
///
/// # Errors
/// None may go; or the server fails.
pub(crate) fn would_go(db: &mut Db, wanted: &Wanted) -> Result<Vec<Removal>> {
    let Some(through) = wanted.through else { return Ok(Vec::new()) };
    if Pruned::read(db)?.of(wanted.group).is_none_or(|gone| gone.rows < through) {
        check_newest(db, wanted.group, through)?;
    }
    pruned::removals(db, wanted.group, &pruned::Gone::through(through))
}
