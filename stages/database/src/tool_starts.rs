//! Tool starts that are in the table more often than their jobs are: what two runs at the same time left.
//!
//! A tool start is made of each job of the hub. Two runs that did not know of each other both made those that
//! were missing. `hzmetrics audit` counts them, and a rebuild of their months takes them away.

use std::collections::HashMap;

use anyhow::Result;
use schema::{Stamp, address, text};
use xxhash_rust::xxh3::Xxh3Default;

use crate::address_changes::AddressChanges;
use crate::cells::Cells;
use crate::connection::Db;

/// Width of the column of `toolstart` that takes the user.
const USER: usize = 150;

/// A row that is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surplus {
    /// Its id.
    pub id: u64,
    /// When the tool was started.
    pub stamp: Stamp,
}

/// The tool starts from `from` up to `until` (exclusively) of which there are more than jobs; of those that are
/// alike the ones with the highest ids, in the order of ids. Starts whose jobs the hub has forgotten are none of them.
///
/// # Errors
/// A table is missing, or the server is lost.
pub fn surplus(metrics: &mut Db, hub: &mut Db, from: Stamp, until: Stamp) -> Result<Vec<Surplus>> {
    let span = (from.to_string(), until.to_string());
    let changes = AddressChanges::read(metrics)?;
    // of a hashed month nothing but the time and the user can be compared
    let shown = |row: &Cells<'_>, ip: &str| {
        let is_hashed = row.stamp(0).is_some_and(|stamp| changes.is_hashed_at(stamp));
        if is_hashed { String::new() } else { ip.to_owned() }
    };
    let sql = "SELECT j.start, s.username, s.remoteip FROM joblog j JOIN sessionlog s ON s.sessnum = j.sessnum \
               WHERE j.start >= ? AND j.start < ? AND j.event <> '[waiting]' \
               AND s.username <> 'gridstat' AND s.username NOT LIKE 'hctest%'";
    let mut jobs: HashMap<u128, u64> = HashMap::new();
    hub.each(sql, span.clone(), |row| {
        let user = row.text(1).unwrap_or_default();
        let ip = shown(&row, &row.text(2).unwrap_or_default());
        // a table knows an address whole, or as much of it as legacy stored
        let whole = key(&row, text::cut_chars(&user, USER), &address::stored(&ip, true));
        let cut = key(&row, text::cut_chars(&user, USER), &address::stored(&ip, false));
        for key in [Some(whole), Some(cut).filter(|cut| *cut != whole)].into_iter().flatten() {
            *jobs.entry(key).or_default() += 1;
        }
        Ok(())
    })?;
    let sql = format!(
        "SELECT {} datetime, user, ip, id FROM toolstart WHERE success = 1 AND datetime >= ? AND datetime < ? ORDER BY id",
        metrics.released("toolstart")?
    );
    let mut found = Vec::new();
    metrics.each(&sql, span, |row| {
        let ip = shown(&row, &row.text(2).unwrap_or_default());
        let key = key(&row, &row.text(1).unwrap_or_default(), &ip);
        match jobs.get_mut(&key) {
            Some(0) => found.extend(row.uint(3).zip(row.stamp(0)).map(|(id, stamp)| Surplus { id, stamp })),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    })?;
    Ok(found)
}

/// A digest of time, user and address.
fn key(row: &Cells<'_>, user: &str, ip: &str) -> u128 {
    let mut hash = Xxh3Default::new();
    for part in [row.text(0).unwrap_or_default().as_bytes(), user.as_bytes(), ip.as_bytes()] {
        hash.update(part);
        hash.update(&[0]);
    }
    hash.digest128()
}

/// Deletes them.
///
/// # Errors
/// The server refuses.
pub fn delete(metrics: &mut Db, surplus: &[Surplus]) -> Result<()> {
    for some in surplus.chunks(1000) {
        let ids: Vec<String> = some.iter().map(|row| row.id.to_string()).collect();
        let rows = format!("toolstart t WHERE t.id IN ({})", ids.join(","));
        metrics.will_change_rows(&rows)?;
        metrics.run(&format!("DELETE t FROM {rows}"), ())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use fixtures::db::{PASSWORD, SqlMode, pair};
    use hub::config::{Target, Which};
    use schema::tables::Engine;

    use super::*;

    #[test]
    fn what_is_there_more_often_than_its_jobs() {
        let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
        pair.sql(
            "INSERT INTO {hub}.sessionlog (sessnum, username, remoteip) VALUES (1, 'a', '192.0.2.1'), \
             (2, 'b', '2001:db8:0:1:2:3:4:5'), (3, 'hctest1', '192.0.2.9');
             INSERT INTO {hub}.joblog (sessnum, job, event, start) VALUES (1, 1, 'x', '2025-07-01 10:00:00'), \
             (1, 2, 'x', '2025-07-01 10:00:00'), (1, 2, '[waiting]', '2025-07-01 10:00:00'), (2, 1, 'x', '2025-07-02'), \
             (3, 1, 'x', '2025-07-03'), (1, 3, 'x', '2025-08-01');
             INSERT INTO toolstart (id, datetime, success, user, ip) VALUES \
             (1, '2025-07-01 10:00:00', 1, 'a', '192.0.2.1'), (2, '2025-07-01 10:00:00', 1, 'a', '192.0.2.1'), \
             (3, '2025-07-01 10:00:00', 1, 'a', '192.0.2.1'), (4, '2025-07-01 10:00:00', 1, 'a', '192.0.2.1'), \
             (5, '2025-07-02', 1, 'b', '2001:db8:0:1:2:'), (6, '2025-07-02', 1, 'b', '2001:db8:0:1:2:'), \
             (7, '2025-06-30', 1, 'gone', '192.0.2.1'), (8, '2025-06-30', 1, 'gone', '192.0.2.1'), \
             (9, '2025-07-03', 1, 'hctest1', '192.0.2.9'), (10, '2025-08-01', 1, 'a', '192.0.2.1'), \
             (11, '2025-08-01', 1, 'a', '192.0.2.1'), (12, '2025-07-01 10:00:00', 0, 'a', '192.0.2.1')",
        );
        let target =
            Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics);
        let mut metrics = Db::connect(&target, Which::Metrics).unwrap();
        let mut hub = Db::connect(&target, Which::Hub).unwrap();
        let day = |month, day| Stamp::from_parts(2025, month, day, 0, 0, 0);
        let found = surplus(&mut metrics, &mut hub, day(6, 1), day(8, 1)).unwrap();
        assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [3, 4, 6]);
        assert_eq!(found[2].stamp, day(7, 2));
        delete(&mut metrics, &found).unwrap();
        assert_eq!(surplus(&mut metrics, &mut hub, day(6, 1), day(8, 1)).unwrap(), []);
        assert_eq!(pair.lines("SELECT COUNT(*) FROM toolstart"), ["9"]);
    }
}
