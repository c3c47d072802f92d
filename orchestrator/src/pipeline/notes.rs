//! Notes that people leave for the next run: `mark-dirty`, `clear-dirty`, `rebuild-from`.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::ArgMatches;
use kit::Usage;
use schema::Month;

use super::state::{self, Key, Mode, State};
use crate::hub::Hub;

/// The months that were named.
fn months(matches: &ArgMatches) -> Result<BTreeSet<Month>> {
    let words = matches.get_many::<String>("YYYY-MM").into_iter().flatten();
    Ok(words.map(|word| word.parse()).collect::<Result<_, _>>()?)
}

fn shown(months: &BTreeSet<Month>) -> String {
    let list = state::list(months).replace(',', ", ");
    if list.is_empty() { "(empty)".to_owned() } else { list }
}

/// `hzmetrics mark-dirty`.
pub(crate) fn mark_dirty(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let months = months(matches)?;
    if months.is_empty() {
        return Err(Usage("say which months: YYYY-MM".to_owned()).into());
    }
    let dry_run = matches.get_flag("dry-run");
    let _lock = hub.lock(!dry_run)?;
    let mut db = hub.db()?;
    let state = State::read(&mut db)?;
    let dirty: BTreeSet<Month> = state.dirty.union(&months).copied().collect();
    if dry_run {
        hub.log.info(format_args!("[mark-dirty] [dry-run] would flag: {}", shown(&months)));
        hub.log.info(format_args!("[mark-dirty] [dry-run] dirty set would be: {}", shown(&dirty)));
        return Ok(0);
    }
    let mut values = vec![(Key::Dirty, state::list(&dirty))];
    let released: BTreeSet<Month> = state.withheld.intersection(&months).copied().collect();
    if !released.is_empty() {
        values.push((Key::Withheld, state::list(&state.withheld.difference(&months).copied().collect())));
    }
    state::store(hub, &mut db, &values)?;
    hub.log.info(format_args!("[mark-dirty] flagged: {}", shown(&months)));
    hub.log.info(format_args!("[mark-dirty] current dirty set: {}", shown(&dirty)));
    if !released.is_empty() {
        hub.log.info(format_args!("[mark-dirty] no longer withheld: {}", shown(&released)));
    }
    Ok(0)
}

/// `hzmetrics clear-dirty`.
pub(crate) fn clear_dirty(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let (months, all, dry_run) = (months(matches)?, matches.get_flag("all"), matches.get_flag("dry-run"));
    let _lock = hub.lock(!dry_run)?;
    let mut db = hub.db()?;
    let known = State::read(&mut db)?.dirty;
    let left: BTreeSet<Month> = if all { BTreeSet::new() } else { known.difference(&months).copied().collect() };
    if dry_run {
        hub.log.info(format_args!("[clear-dirty] [dry-run] would leave: {}", shown(&left)));
        return Ok(0);
    }
    // what means nothing in the list goes with --all too
    if all || left != known {
        state::store(hub, &mut db, &[(Key::Dirty, state::list(&left))])?;
    }
    hub.log.info(format_args!("[clear-dirty] remaining dirty set: {}", shown(&left)));
    Ok(0)
}

/// `hzmetrics rebuild-from`.
pub(crate) fn rebuild_from(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let Some(month) = months(matches)?.into_iter().next() else {
        return Err(Usage("say from which month: YYYY-MM".to_owned()).into());
    };
    let dry_run = matches.get_flag("dry-run");
    let _lock = hub.lock(!dry_run)?;
    let mut db = hub.db()?;
    let state = State::read(&mut db)?;
    if state.catchup_started.is_some_and(|started| month < started) {
        hub.log.warning(format_args!(
            "[rebuild-from] {month} is before the oldest month that was ever caught up ({})",
            state.catchup_started.map_or_else(String::new, |started| started.to_string())
        ));
    }
    // months behind new data are due anyway, and the end of the rebuild forgets them
    let from = state.cascade_from.map_or(month, |due| due.min(month));
    if from < month {
        hub.log.warning(format_args!("[rebuild-from] {from} has new data, so the rebuild begins there"));
    }
    if let Some(first) = state.withheld.range(from..).next() {
        hub.log.warning(format_args!("[rebuild-from] {first} is withheld and stays so, see `hzmetrics status`"));
    }
    let before = state.cursor.map_or_else(|| "(unset)".to_owned(), |cursor| cursor.to_string());
    let change = format!("mode {} → rebuild, rebuild_cursor {before} → {from}", state.mode.word());
    if dry_run {
        hub.log.info(format_args!("[rebuild-from] [dry-run] would set {change}"));
        return Ok(0);
    }
    state::store(hub, &mut db, &[(Key::Mode, Mode::Rebuild.word().to_owned()), (Key::Cursor, from.to_string())])?;
    hub.log.info(format_args!("[rebuild-from] {change}; the next run begins"));
    Ok(0)
}
