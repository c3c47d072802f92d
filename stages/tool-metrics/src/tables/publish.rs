//! Writes results so that nobody sees half of a month: in one transaction if the engine supports
//! it, else in statements that are complete in themselves.

use std::collections::HashMap;

use anyhow::Result;
use database::{Db, DbError, ErrorKind, KeyTable, Value};
use schema::asked::{COPIED_COLUMNS as COPIED, TOOL_COLUMNS as VALUES};
use schema::tables::quote;
use schema::{Month, Period, number, text};

use super::read::label;
use crate::lists::Entry;
use crate::stats::ToolStat;
use crate::tops::Place;

const STATS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_tool_stats",
    columns: &[
        ("seq", "int NOT NULL"),
        ("id", "bigint"),
        ("resid", "bigint NOT NULL"),
        ("period", "tinyint NOT NULL"),
        ("users", "bigint NOT NULL"),
        ("sessions", "bigint NOT NULL"),
        ("simulations", "bigint NOT NULL"),
        ("jobs", "bigint NOT NULL"),
        ("avg_wall", "double NOT NULL"),
        ("tot_wall", "double NOT NULL"),
        ("avg_cpu", "double NOT NULL"),
        ("tot_cpu", "double NOT NULL"),
        ("avg_view", "double NOT NULL"),
        ("tot_view", "double NOT NULL"),
        ("avg_wait", "double NOT NULL"),
        ("tot_wait", "double NOT NULL"),
        ("avg_cpus", "bigint NOT NULL"),
        ("tot_cpus", "bigint NOT NULL"),
    ],
    keys: 1,
};

const COPIES: KeyTable<'_> = KeyTable {
    name: "hzmetrics_resource_stats",
    columns: &[
        ("seq", "int NOT NULL"),
        ("id", "bigint"),
        ("resid", "bigint NOT NULL"),
        ("restype", "int"),
        ("period", "tinyint NOT NULL"),
        ("users", "bigint NOT NULL"),
        ("jobs", "bigint NOT NULL"),
        ("avg_wall", "bigint NOT NULL"),
        ("tot_wall", "bigint NOT NULL"),
        ("avg_cpu", "bigint NOT NULL"),
        ("tot_cpu", "bigint NOT NULL"),
    ],
    keys: 1,
};

const TOPS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_tops",
    columns: &[
        ("seq", "int NOT NULL"),
        ("id", "bigint NOT NULL"),
        ("top", "tinyint NOT NULL"),
        ("rank", "tinyint NOT NULL"),
        ("name", "varchar(255)"),
        ("value", "bigint NOT NULL"),
    ],
    keys: 1,
};

const LISTS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_lists",
    columns: &[
        ("seq", "int NOT NULL"),
        ("top", "tinyint NOT NULL"),
        ("period", "tinyint NOT NULL"),
        ("rank", "smallint NOT NULL"),
        ("name", "varchar(255)"),
        ("value", "bigint NOT NULL"),
    ],
    keys: 1,
};

/// Writes the statistics of a month. Existing rows keep their ids, new ones get theirs in the order
/// of `rows`; then the copies for the resource pages follow.
pub(super) fn stats(hub: &mut Db, month: Month, rows: &[ToolStat]) -> Result<()> {
    let prefixed = |table: &str| format!("{}{table}", hub.target().prefix);
    let (tools, copies) = (prefixed("resource_stats_tools"), prefixed("resource_stats"));
    let label = label(month.label());
    hub.transaction_with_retry("writing tool statistics", &[&tools, &copies], |hub| {
        let ids = ids(hub, &tools, &label)?;
        let keyed = rows.iter().zip(0_i64..).map(|(row, seq)| {
            let s = &row.stat;
            let id = ids.get(&(row.resid, row.period.code().into()));
            let mut values = vec![
                Value::from(seq),
                id.map_or(Value::NULL, |&id| Value::from(id)),
                Value::from(row.resid),
                Value::from(row.period.code()),
            ];
            values.extend([s.users, s.sessions, s.simulations, s.jobs].map(Value::from));
            let doubles =
                [s.avg_wall, s.tot_wall, s.avg_cpu, s.tot_cpu, s.avg_view, s.tot_view, s.avg_wait, s.tot_wait];
            values.extend(doubles.map(Value::from));
            values.extend([s.avg_cpus, s.tot_cpus].map(Value::from));
            values
        });
        // one statement for new and old rows: a table without transactions is locked for all of it
        let upsert = upsert(&tools, &STATS, "7", &VALUES, &label);
        hub.with_key_table(&STATS, keyed, |hub| Ok(hub.run(&upsert, ())?))?;
        copy(hub, &tools, &copies, &label, rows)
    })
}

/// The ids of the rows with a label, by resource and period; the last one if there are several.
fn ids(hub: &mut Db, table: &str, label: &str) -> Result<HashMap<(i64, i64), i64>> {
    let sql = format!(
        "SELECT id, resid, period FROM {} WHERE restype = 7 AND datetime = '{label}' ORDER BY id",
        quote(table)
    );
    let rows = hub.all(&sql, (), |row| {
        Ok((row.int(0).unwrap_or_default(), row.int(1).unwrap_or_default(), row.int(2).unwrap_or_default()))
    })?;
    Ok(rows.into_iter().map(|(id, resid, period)| ((resid, period), id)).collect())
}

/// INSERT from the key table in its order, or UPDATE if the row exists.
fn upsert(table: &str, keys: &KeyTable<'_>, restype: &str, values: &[&str], label: &str) -> String {
    let columns: Vec<String> = values.iter().map(|name| quote(name)).collect();
    let columns = columns.join(", ");
    let updates: Vec<String> =
        ["restype"].iter().chain(values).map(|name| format!("{0} = VALUES({0})", quote(name))).collect();
    format!(
        "INSERT INTO {} (id, resid, restype, {columns}, `datetime`, period, processed_on) \
         SELECT id, resid, {restype}, {columns}, '{label}', period, NOW() FROM {} ORDER BY seq \
         ON DUPLICATE KEY UPDATE {}, processed_on = VALUES(processed_on)",
        quote(table),
        keys.name,
        updates.join(", ")
    )
}

/// Copies what the resource pages show. Every row of the tool counts, whatever its type; if several
/// rows have the same copy, the last one counts.
fn copy(hub: &mut Db, tools: &str, copies: &str, label: &str, written: &[ToolStat]) -> Result<()> {
    let ids = ids(hub, copies, label)?;
    let wanted: HashMap<(i64, i64), usize> =
        written.iter().enumerate().map(|(at, row)| ((row.resid, row.period.code().into()), at)).collect();
    let columns: Vec<String> = COPIED.iter().map(|name| quote(name)).collect();
    let sql = format!(
        "SELECT resid, period, restype, {} FROM {} WHERE datetime = '{label}' ORDER BY id",
        columns.join(", "),
        quote(tools)
    );
    // doubles arrive as text here and are rounded as text
    let mut rows = hub.all(&sql, (), |row| {
        let key = (row.int(0).unwrap_or_default(), row.int(1).unwrap_or_default());
        let restype = row.int(2).unwrap_or(7);
        let values: [i64; 6] = std::array::from_fn(|at| {
            let value = number::integer_of(&row.text(at + 3).unwrap_or_default());
            // these four are 32-bit columns
            if at < 2 { value } else { value.clamp(i32::MIN.into(), i32::MAX.into()) }
        });
        Ok((key, restype, values))
    })?;
    rows.retain(|(key, ..)| wanted.contains_key(key));
    rows.sort_by_key(|(key, ..)| wanted.get(key).copied());
    let keyed = rows.iter().zip(0_i64..).map(|((key, restype, values), seq)| {
        let id = ids.get(key).map_or(Value::NULL, |&id| Value::from(id));
        let mut row = vec![Value::from(seq), id, Value::from(key.0), Value::from(*restype), Value::from(key.1)];
        row.extend(values.map(Value::from));
        row
    });
    let upsert = upsert(copies, &COPIES, "restype", &COPIED, label);
    hub.with_key_table(&COPIES, keyed, |hub| Ok(hub.run(&upsert, ())?))?;
    Ok(())
}

/// Replaces the top values of the rows `ids`.
pub(super) fn tops(hub: &mut Db, ids: impl Iterator<Item = i64>, places: &[Place]) -> Result<()> {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let table = format!("{}resource_stats_tools_topvals", hub.target().prefix);
    let rows = places.iter().zip(0_i64..).map(|(place, seq)| {
        vec![
            Value::from(seq),
            Value::from(place.id),
            Value::from(place.top),
            Value::from(place.rank),
            Value::from(text::cut_chars(&place.name, 255)),
            Value::from(place.value),
        ]
    });
    let delete = format!("DELETE FROM {} WHERE top IN (1, 2, 3) AND id IN ({})", quote(&table), ids.join(","));
    let insert = format!(
        "INSERT INTO {} (id, top, `rank`, name, value) SELECT id, top, `rank`, name, value FROM {} ORDER BY seq",
        quote(&table),
        TOPS.name
    );
    hub.transaction_with_retry("writing top values", &[&table], |hub| {
        hub.with_key_table(&TOPS, rows.clone(), |hub| replace(hub, &table, &delete, &insert))
    })
}

/// Replaces the lists over all tools of a month.
pub(super) fn toplists(hub: &mut Db, month: Month, entries: &[Entry]) -> Result<()> {
    let table = format!("{}stats_topvals", hub.target().prefix);
    let label = label(month.label());
    let rows = entries.iter().zip(0_i64..).map(|(entry, seq)| {
        vec![
            Value::from(seq),
            Value::from(entry.top),
            Value::from(entry.period.code()),
            Value::from(entry.rank),
            Value::from(&entry.name),
            Value::from(entry.value),
        ]
    });
    let delete = format!(
        "DELETE FROM {} WHERE top IN (2, 5, 6, 7, 8) AND `datetime` = '{label}' AND period IN ({})",
        quote(&table),
        Period::codes()
    );
    let insert = format!(
        "INSERT INTO {} (top, `datetime`, period, `rank`, name, value) \
         SELECT top, '{label}', period, `rank`, name, value FROM {} ORDER BY seq",
        quote(&table),
        LISTS.name
    );
    hub.transaction_with_retry("writing the lists over all tools", &[&table], |hub| {
        hub.with_key_table(&LISTS, rows.clone(), |hub| replace(hub, &table, &delete, &insert))
    })
}

/// Deletes and inserts as one unit. Without transactions the table is locked for readers in the
/// meantime, and both statements are sent as one, which the server finishes even if we are killed.
fn replace(hub: &mut Db, table: &str, delete: &str, insert: &str) -> Result<()> {
    if hub.is_transactional(&[table])? {
        hub.run(delete, ())?;
        hub.run(insert, ())?;
        return Ok(());
    }
    hub.check_writer()?;
    match hub.run(&format!("LOCK TABLES {} WRITE", quote(table)), ()) {
        Ok(_) => {}
        // an account without this right can still write both at once
        Err(error) if error.kind() == ErrorKind::Denied => {}
        Err(error) => return Err(error.into()),
    }
    let done = hub.run(&format!("BEGIN NOT ATOMIC {delete}; {insert}; END"), ());
    let unlocked = if done.as_ref().is_err_and(|e: &DbError| e.kind() == ErrorKind::Gone) {
        Ok(0)
    } else {
        hub.run("UNLOCK TABLES", ())
    };
    done?;
    unlocked?;
    Ok(())
}
