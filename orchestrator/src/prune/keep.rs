//! Keeps the state that stands for rows, before they go.
//!
//! Whatever takes long is done while others may write: the state is made ([`super::state`]), rows are counted, what was
//! stored is read back. With the lock, and in turns, the state is written in pieces that mean nothing yet. Last, still
//! with the lock, one short transaction makes it valid, if nobody changed these months in the meantime.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use database::Db;
use database::generations::{self, Generations};
use database::ledger::{self, Entry, Target};
use database::pruned::{self, Group, Pruned, Stored};
use schema::Month;
use schema::tables::PRUNED;

use super::rows::{all_wanted, check_newest};
use super::state::{self as kept, Alone, Made};
use super::turns::Turns;
use crate::hub::Hub;

/// How often a state is made while others may write.
const TRIES_BESIDE_OTHERS: usize = 2;

/// Somebody else dropped or changed what was stored, such as another `prune`, or a restore.
const NOT_AS_STORED: &str = "another program changed the state that was being stored";

/// How many rows each import loses, by the number of its entry in the ledger.
type Lost = Vec<(Group, i64, i64)>;

/// What a new state has to replace.
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
                check_newest(db, group, through)?;
                is_new = true;
            }
            groups.extend(now.max(before).map(|rows| (group, rows)));
        }
        // one state for both: the shorter bound decides from when on months are not computed again
        let through = groups.iter().map(|(_, rows)| *rows).chain(known.last()).max().filter(|_| is_new);
        Ok(through.map(|through| Self { groups, through, known }))
    }

    /// How many rows each import loses.
    fn lost(&self, db: &mut Db) -> Result<Lost> {
        let mut lost = Vec::new();
        for (group, through) in &self.groups {
            if self.known.of(*group).is_none_or(|gone| gone.rows < *through) {
                lost.extend(ledger::to_remove(db, *group, *through)?.into_iter().map(|(entry, n)| (*group, entry, n)));
            }
        }
        Ok(lost)
    }
}

/// What a state and the numbers of lost rows are made from.
struct Ground {
    generations: Generations,
    /// Which rows came from which import.
    ledger: BTreeMap<i64, Entry>,
}

impl Ground {
    fn look(db: &mut Db, through: Month) -> Result<Self> {
        let mut ledger = BTreeMap::new();
        if ledger::is_there(db)? {
            for target in [Target::Web, Target::Userlogin] {
                ledger.extend(ledger::of_target(db, target)?.into_iter().map(|entry| (entry.id, entry)));
            }
        }
        Ok(Self { generations: Generations::read(db, through.next())?, ledger })
    }

    /// What somebody changed, if so. New imports change the numbers of their months.
    fn differs(&self, now: &Self) -> Option<String> {
        let is_kept = |entry: &Entry| now.ledger.get(&entry.id) == Some(entry);
        let is_new = |entry: &Entry| !self.ledger.contains_key(&entry.id);
        let is_other = !self.ledger.values().all(is_kept)
            || now.ledger.values().any(|entry| is_new(entry) && entry.is_reconstructed);
        let ledger = is_other.then(|| "the ledger of imports was changed".to_owned());
        self.generations.differ(&now.generations).or(ledger)
    }
}

/// The result of an attempt.
enum Attempt {
    Kept,
    /// Why not.
    Failed(String),
}

/// Keeps the state that stands for the rows. Others may write while it is made; if they change these months, it is made again,
/// the last time alone.
///
/// # Errors
/// The state cannot be made or does not give the cells of the rows.
pub(crate) fn keep(hub: &Hub, db: &mut Db, turns: &mut Turns<'_>, bounds: &[(Group, Month)]) -> Result<()> {
    if !db.has_table(PRUNED)? {
        bail!(
            "there is no table {PRUNED}, which keeps what stands for removed rows: `hzmetrics migrate --apply` creates it"
        );
    }
    for n_left in (0..=TRIES_BESIDE_OTHERS).rev() {
        pruned::drop_unused(db, || turns.let_others_in().map(drop))?;
        let Some(plan) = Plan::now(hub, db, bounds)? else { return Ok(()) };
        let mut keeping = Keeping { hub, db, turns, bounds, plan: &plan, alone: n_left == 0 };
        let Attempt::Failed(why) = keeping.attempt()? else {
            return pruned::drop_unused(db, || turns.let_others_in().map(drop));
        };
        if n_left == 0 {
            bail!("{why}; nothing was removed");
        }
        hub.log.info(format_args!("[prune] {why}: making the state again"));
    }
    Ok(())
}

/// One attempt.
struct Keeping<'k, 't> {
    hub: &'k Hub,
    db: &'k mut Db,
    turns: &'k mut Turns<'t>,
    bounds: &'k [(Group, Month)],
    plan: &'k Plan,
    /// Whether the lock is kept all the time.
    alone: bool,
}

impl Keeping<'_, '_> {
    fn attempt(&mut self) -> Result<Attempt> {
        let through = self.plan.through;
        self.hub.log.info(format_args!("[prune] making the state that stands for the rows through {through}"));
        generations::watch(self.db)?;
        let ground = Ground::look(self.db, through)?;
        let (made, lost) = self.make()?;
        let bytes = match (made, self.change_since(&ground)?) {
            (Made::Not(why), _) | (Made::State(_), Some(why)) => return Ok(Attempt::Failed(why)),
            (Made::State(bytes), None) => bytes,
        };
        let Some(stored) = self.store(&bytes).context("keeping the state")? else {
            return Ok(Attempt::Failed(NOT_AS_STORED.to_owned()));
        };
        if let Some(why) = self.change_since(&ground)? {
            return Ok(Attempt::Failed(why));
        }
        stored.stand_for(self.db, &self.plan.groups, through, &lost).context("keeping the state")?;
        let n = kit::grouped(bytes.len() as u64);
        let text = format!("the state through {through} gives the same cells, and is kept: {n} bytes");
        self.hub.log.info(format_args!("[prune] {text}"));
        Ok(Attempt::Kept)
    }

    /// The state, and how many rows each import loses.
    fn make(&mut self) -> Result<(Made, Lost)> {
        let Self { hub, db, turns, plan, .. } = self;
        if self.alone {
            return Ok((kept::made(hub, Alone::Yes(turns.lock()), plan.through)?, plan.lost(db)?));
        }
        turns.beside_others(|| Ok((kept::made(hub, Alone::No, plan.through)?, plan.lost(db)?)))
    }

    /// Writes the state in pieces and reads it back; `None` if the table has something else then.
    fn store(&mut self, bytes: &[u8]) -> Result<Option<Stored>> {
        let Self { db, turns, .. } = self;
        if self.alone {
            let stored = Stored::write(db, bytes, || Ok(()))?;
            return Ok(stored.is_as_stored(db)?.then_some(stored));
        }
        let stored = Stored::write(db, bytes, || turns.let_others_in().map(drop))?;
        let is_as_stored = turns.beside_others(|| stored.is_as_stored(db))?;
        Ok((is_as_stored && stored.is_whole(db)?).then_some(stored))
    }

    /// Why what was made no longer holds, if so.
    fn change_since(&mut self, ground: &Ground) -> Result<Option<String>> {
        let changed = ground.differs(&Ground::look(self.db, self.plan.through)?);
        let is_same = Plan::now(self.hub, self.db, self.bounds)?.as_ref() == Some(self.plan);
        Ok(changed.or_else(|| (!is_same).then(|| "it was changed which months may go".to_owned())))
    }
}
