//! A rehearsal: months are imported and computed once more in shadow databases, and held against the real ones. For
//! `rehearse`.
//!
//! An account that may only read the real databases does all of it ([`shadow`]). Rows from before the months are
//! copied, what belongs to the CMS is seen through views ([`tables`]), host names and countries come from the real
//! rows ([`names`]).

mod admin;
mod history;
mod leftovers;
mod logs;
mod months;
mod names;
mod root;
mod shadow;
mod space;
mod steps;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use database::pruned::Pruned;
use database::{Db, Target, Which};
use hub::lock::{Lock, LockResult};
use kit::Busy;
use schema::Month;

use crate::compare::{self, Compared, Wanted};
use crate::hub::Hub;
pub(crate) use admin::Admin;
pub(crate) use months::Months;
use root::Root;
pub(crate) use shadow::Shadow;
use steps::Work;
use tables::{Removed, Tables};

/// What is rehearsed, and how.
pub(crate) struct Plan<'p> {
    pub(crate) months: Months,
    pub(crate) admin: &'p Admin,
    pub(crate) shadow: Shadow,
    /// Night by night, as the logs were imported.
    pub(crate) by_night: bool,
    /// Who is asked about addresses of which the real tables have no row.
    pub(crate) nameserver: Option<&'p str>,
    /// Whether the databases stay.
    pub(crate) keeps: bool,
    /// How many examples of each kind of difference are kept.
    pub(crate) n_shown: usize,
}

/// What came of it.
pub(crate) struct Rehearsed {
    pub(crate) tables: Vec<Compared>,
    pub(crate) n_logs: usize,
    /// Logs of the ledger that the archive does not have.
    pub(crate) missing: Vec<String>,
    /// Whether the real ledger knows the months.
    pub(crate) has_ledger: bool,
    /// What was counted as removed bots.
    pub(crate) removed: Removed,
}

/// Rehearses; what was made is removed in any case, unless it is kept.
///
/// # Errors
/// Another rehearsal is in progress ([`Busy`]), or a log, a stage or a server fails.
pub(crate) fn rehearse(hub: &Hub, plan: &Plan<'_>, tell: &dyn Fn(&str)) -> Result<Rehearsed> {
    let _lock = match Lock::ask(&hub.config.paths.runtime().join("hzmetrics-rehearse.lock"), Duration::ZERO)? {
        LockResult::Held(lock) => Some(lock),
        LockResult::Inherited => None,
        LockResult::Busy(_) => return Err(Busy("another rehearsal is in progress; try again later".to_owned()).into()),
    };
    refuse_removed(&Pruned::read(&mut hub.db()?)?, plan.months)?;
    let list = logs::find(hub, plan.months)?;
    let real = hub.config.target();
    let admin = plan.admin.target(&real);
    plan.shadow.clear(&admin)?;
    leftovers::remove(&std::env::temp_dir(), tell);
    space::for_logs(&list)?;
    space::for_tables(&admin, plan.months)?;
    tell(&format!("making {} and {}", plan.shadow.metrics, plan.shadow.hub));
    let done = plan.shadow.make(&admin).and_then(|shadow| on_shadow(hub, plan, &shadow, list, tell));
    let ended = plan.shadow.end(&admin, plan.keeps).context("removing the shadow; the next rehearsal removes it");
    let done = done?;
    ended.map(|()| done)
}

/// Months without their rows have nothing that a rehearsal could be compared with, or be built on.
fn refuse_removed(pruned: &Pruned, months: Months) -> Result<()> {
    let month = months.first;
    if let Some(last) = pruned.last().filter(|_| pruned.has_lost_requests(month) || pruned.has_lost_logins(month)) {
        bail!(
            "{month} cannot be rehearsed: `hzmetrics prune` keeps a state of the months through {last} in place of their \
             rows; later months can be"
        );
    }
    Ok(())
}

fn on_shadow(
    hub: &Hub,
    plan: &Plan<'_>,
    shadow: &Target,
    list: Vec<logs::Archived>,
    tell: &dyn Fn(&str),
) -> Result<Rehearsed> {
    // the real databases, with the account of the shadow
    let real = shadow.clone().with_databases(&hub.config.hub_db, &hub.config.metrics_db);
    let root = Root::make(hub, shadow)?;
    let mut tables = Tables::new(shadow, &real, plan.months)?;
    let mut made = tables.make()?;
    tables.learn_names()?;
    let has_ledger = made.contains("imported_sources");
    let at = tables.real("imported_sources");
    let ledger = if has_ledger { logs::ledger(&mut tables.db, &at)? } else { BTreeMap::new() };
    let missing = logs::missing(&list, &ledger, plan.months);
    let n_logs = list.len();
    let mut work =
        Work { root: &root, tables, months: plan.months, ledger: &ledger, nameserver: plan.nameserver, tell };
    if plan.by_night {
        work.by_night(&logs::by_night(list, &ledger))?;
    } else {
        work.at_once(&list)?;
    }
    work.tables.take_from_neighbours()?;
    let removed = work.tables.removed;
    drop(work);
    let has_ledger = logs::knows(&ledger, plan.months);
    if !has_ledger {
        made.remove("imported_sources");
    }
    tell("comparing");
    Ok(Rehearsed { tables: held_against(&real, shadow, plan, &made)?, n_logs, missing, has_ledger, removed })
}

/// Compares the real databases with those of the shadow.
fn held_against(real: &Target, shadow: &Target, plan: &Plan<'_>, made: &BTreeSet<String>) -> Result<Vec<Compared>> {
    let months: Vec<Month> = plan.months.all().collect();
    let mut list = Vec::new();
    for which in [Which::Metrics, Which::Hub] {
        let only = (which == Which::Metrics).then_some(made);
        let wanted = Wanted { months: &months, n_shown: plan.n_shown, only };
        let (mut here, mut there) = (Db::connect(real, which)?, Db::connect(shadow, which)?);
        list.extend(compare::compare(&mut here, &mut there, &wanted)?);
    }
    Ok(list)
}
