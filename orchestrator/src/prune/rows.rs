//! Rows of old months: which may go, and how they go.
//!
//! First a state of the months is made that gives the same cells ([`super::state`]), and kept in the database. From
//! then on nobody reads these rows, and they are removed step by step. A run that was killed is completed by the next.

use anyhow::{Context as _, Result, bail};
use database::Db;
use database::generations::{self, Generations};
use database::ledger;
use database::pruned::{self, Group, Pruned, Removal};
use schema::tables::PRUNED;
use schema::{Month, Stamp};

use super::state::{self as kept, Alone, Made};
use super::turns::Turns;
use crate::hub::Hub;
use crate::pipeline::finality::Finality;

/// How often a state is made while others may write.
const TRIES_BESIDE_OTHERS: usize = 2;

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

/// What a state is to stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    /// The last months whose rows go.
    groups: Vec<(Group, Month)>,
    /// The last month of the state.
    through: Month,
    known: Pruned,
}

impl Plan {
    /// As the tables are now; `None` if there is nothing to keep.
    fn now(hub: &Hub, db: &mut Db, bounds: &[(Group, Month)]) -> Result<Option<Self>> {
        let wanted = all_wanted(hub, db, bounds)?;
        let known = Pruned::read(db)?;
        let mut groups = Vec::new();
        let mut is_new = false;
        for group in Group::ALL {
            let before = known.of(group).map(|gone| gone.rows);
            let now = wanted.iter().find(|wanted| wanted.group == group).and_then(|wanted| wanted.through);
            if let Some(through) = now.filter(|now| Some(*now) > before) {
                if let Some(table) = pruned::left(db, group, through)? {
                    bail!("the newest row of {table} is of {through} or earlier: prune again after the next import");
                }
                is_new = true;
            }
            groups.extend(now.max(before).map(|rows| (group, rows)));
        }
        // one state for both: the shorter bound decides from when on months are not computed again
        let through = groups.iter().map(|(_, rows)| *rows).chain(known.last()).max().filter(|_| is_new);
        Ok(through.map(|through| Self { groups, through, known }))
    }

    /// How many rows each import loses.
    fn lost(&self, db: &mut Db) -> Result<Vec<(Group, i64, i64)>> {
        let mut lost = Vec::new();
        for (group, through) in &self.groups {
            if self.known.of(*group).is_none_or(|gone| gone.rows < *through) {
                lost.extend(ledger::to_remove(db, *group, *through)?.into_iter().map(|(entry, n)| (*group, entry, n)));
            }
        }
        Ok(lost)
    }
}

/// Makes the state that stands for the rows, and keeps it. Others may write while it is made; if they change these
/// months, it is made again, the last time alone.
///
/// # Errors
/// The state cannot be made or does not give the cells of the rows.
pub(crate) fn keep(hub: &Hub, db: &mut Db, turns: &mut Turns<'_>, bounds: &[(Group, Month)]) -> Result<()> {
    if !db.has_table(PRUNED)? {
        bail!(
            "there is no table {PRUNED}, which keeps what stands for removed rows: `hzmetrics migrate --apply` creates it"
        );
    }
    pruned::drop_unused(db)?;
    for n_left in (0..=TRIES_BESIDE_OTHERS).rev() {
        let Some(plan) = Plan::now(hub, db, bounds)? else { return Ok(()) };
        let through = plan.through;
        hub.log.info(format_args!("[prune] making the state that stands for the rows through {through}"));
        generations::watch(db)?;
        let before = Generations::read(db, through.next())?;
        let made = if n_left == 0 {
            kept::made(hub, Alone::Yes(turns.lock()), through)?
        } else {
            turns.beside_others(|| kept::made(hub, Alone::No, through))?
        };
        let changed = before.differ(&Generations::read(db, through.next())?);
        let is_same = changed.is_none() && Plan::now(hub, db, bounds)?.as_ref() == Some(&plan);
        let why = match made {
            Made::State(bytes) if is_same => return keep_state(hub, db, &plan, &bytes),
            Made::State(_) => changed.unwrap_or_else(|| "it was changed which months may go".to_owned()),
            Made::Not(why) => why,
        };
        if n_left == 0 {
            bail!("{why}; nothing was removed");
        }
        hub.log.info(format_args!("[prune] {why}: making the state again"));
    }
    Ok(())
}

fn keep_state(hub: &Hub, db: &mut Db, plan: &Plan, bytes: &[u8]) -> Result<()> {
    let (lost, through) = (plan.lost(db)?, plan.through);
    pruned::keep(db, &plan.groups, through, bytes, &lost).context("keeping the state")?;
    let n = kit::grouped(bytes.len() as u64);
    hub.log.info(format_args!("[prune] the state through {through} gives the same cells, and is kept: {n} bytes"));
    Ok(())
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
        if turns.let_others_in()? && Pruned::read(db)? != *known {
            bail!("the table {PRUNED} was changed by another program, so the rest of {} stays for now", removal.table);
        }
        Ok(())
    })
}

/// The rows that are to go, and what the database says of them: those that a state stands for.
///
/// # Errors
/// The server fails.
pub(crate) fn left_over(db: &mut Db) -> Result<(Pruned, Vec<Removal>)> {
    let pruned = Pruned::read(db)?;
    let mut list = Vec::new();
    for group in Group::ALL {
        if let Some(gone) = pruned.of(group) {
            list.extend(pruned::removals(db, group, gone)?);
        }
    }
    list.retain(|removal| removal.rows > 0);
    Ok((pruned, list))
}

/// How many rows of a group would go, table by table.
///
/// # Errors
/// The server fails.
pub(crate) fn would_go(db: &mut Db, wanted: &Wanted) -> Result<Vec<Removal>> {
    let Some(through) = wanted.through else { return Ok(Vec::new()) };
    pruned::removals(db, wanted.group, &pruned::Gone::through(through))
}
