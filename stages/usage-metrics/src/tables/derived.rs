//! What the port keeps consistent with `web`: hits of each day, and session numbers.

use std::borrow::Cow;

use anyhow::Result;
use database::hits::{self, Missing};
use database::{Db, KeyTable, Value};
use schema::{Compat, Month};

const IDS: KeyTable<'_> = KeyTable { name: "hzmetrics_orphans", columns: &[("id", "bigint NOT NULL")], keys: 1 };

/// Counts the hits of each day of a month again from the remaining requests, and then those of the
/// summaries that include this month: existing cells only.
///
/// # Errors
/// A table is missing, or the server fails.
pub(crate) fn rebuild_webhits(db: &mut Db, month: Month, compat: &Compat, dry_run: bool) -> Result<u64> {
    db.require(&["web", "webhits"])?;
    let within = within(month);
    if dry_run {
        let days = db.number(&format!("SELECT COUNT(DISTINCT DATE(`datetime`)) FROM web WHERE {within}"), ())?;
        return Ok(days.map_or(0, i64::unsigned_abs));
    }
    let n_days = db.transaction_with_retry("counting hits again", &["webhits"], |db| {
        let sql = format!("SELECT DATE(`datetime`), COUNT(*) FROM web WHERE {within} GROUP BY 1 ORDER BY 1");
        let days =
            db.all(&sql, (), |row| Ok([Value::from(row.text(0).map(Cow::into_owned)), Value::from(row.uint(1))]))?;
        db.run(&format!("DELETE FROM webhits WHERE {within}"), ())?;
        let mut insert = db.insert(database::Verb::Insert, "webhits", &["datetime", "hits"]);
        for day in &days {
            insert.push(day.iter().cloned())?;
        }
        Ok(insert.finish()?.sent)
    })?;
    if db.has_table("summary_misc_vals")? {
        hits::refresh(db, month, kit::current_month()?.previous(), compat, Missing::Leave)?;
    }
    Ok(n_days)
}

/// Removes the numbers of sessions that do not exist from requests and tool starts of a month.
///
/// # Errors
/// A table is missing, or the server fails.
pub(crate) fn clear_orphans(db: &mut Db, month: Month, dry_run: bool) -> Result<[u64; 2]> {
    db.require(&["websessions"])?;
    let mut cleared = [0; 2];
    for (table, n) in ["web", "toolstart"].into_iter().zip(&mut cleared) {
        db.require(&[table])?;
        let of_month = within(month).replace("`datetime`", "t.`datetime`");
        let sql = format!(
            "SELECT t.id FROM {table} t LEFT JOIN websessions s ON s.id = t.sessionid \
             WHERE t.sessionid <> 0 AND s.id IS NULL AND {of_month}"
        );
        *n = db.transaction_with_retry("clearing stamps without a session", &[table], |db| {
            let ids = db.all(&sql, (), |row| Ok([Value::from(row.uint(0))]))?;
            if dry_run || ids.is_empty() {
                db.changes_no_cell();
                return Ok(ids.len() as u64);
            }
            db.will_change([month])?;
            let by_id = db.by_id(table)?;
            let update = format!(
                "UPDATE {} k STRAIGHT_JOIN {table} t {by_id} ON t.id = k.id SET t.sessionid = NULL WHERE {of_month}",
                IDS.name
            );
            db.with_key_table(&IDS, ids, |db| Ok(db.run(&update, ())?))
        })?;
    }
    Ok(cleared)
}

fn within(month: Month) -> String {
    format!("`datetime` >= '{}' AND `datetime` < '{}'", month.start(), month.next().start())
}
