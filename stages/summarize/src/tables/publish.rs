//! Publishes the results: readers see all of them or nothing.
//!
//! With transactions that is one transaction. Without them each table is rebuilt next to the old
//! one, and one RENAME exchanges all of them; the hub's pages read cells by their position, so
//! every row keeps the position that it would have in the original.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use database::{Db, KeyTable, Value, Verb};
use schema::tables::quote;

use crate::andmore::Use;
use crate::cells::Cell;

const COLUMNS: [&str; 6] = ["rowid", "colid", "datetime", "period", "value", "valfmt"];

/// Replaces the cells with the same month, period, row and column; other cells are unchanged.
pub(super) fn cells(db: &mut Db, cells: &[Cell]) -> Result<()> {
    let mut tables: BTreeMap<&'static str, Vec<&Cell>> = BTreeMap::new();
    for cell in cells {
        tables.entry(cell.table).or_default().push(cell);
    }
    let names: Vec<&str> = tables.keys().copied().collect();
    for table in &names {
        db.restore(table)?;
        db.require(&[table])?;
    }
    if !db.is_transactional(&names)? {
        return exchange(db, &tables);
    }
    db.transaction_with_retry("publishing cells", &names, |db| {
        for (table, cells) in &tables {
            db.run(&format!("DELETE FROM {table} WHERE {}", same_place(cells)), ())?;
            insert(db, table, cells.iter().map(|cell| values(cell)))?;
        }
        Ok(())
    })
}

fn values(cell: &Cell) -> [Value; 6] {
    [
        Value::from(cell.rowid),
        Value::from(cell.colid),
        Value::from(cell.month.label().to_string()),
        Value::from(cell.period.code()),
        Value::from(cell.value.as_str()),
        Value::from(cell.valfmt),
    ]
}

fn insert(db: &mut Db, table: &str, rows: impl Iterator<Item = [Value; 6]>) -> Result<()> {
    let mut insert = db.insert(Verb::Insert, table, &COLUMNS);
    for row in rows {
        insert.push(row)?;
    }
    insert.finish()?;
    Ok(())
}

/// The condition that a row is one of the cells. Rows and columns are the same for most periods, so
/// it stays short.
fn same_place(cells: &[&Cell]) -> String {
    let mut windows: BTreeMap<_, BTreeSet<(u8, u8)>> = BTreeMap::new();
    for cell in cells {
        windows.entry((cell.month, cell.period.code())).or_default().insert((cell.rowid, cell.colid));
    }
    let mut alike: BTreeMap<BTreeSet<(u8, u8)>, BTreeMap<u8, BTreeSet<_>>> = BTreeMap::new();
    for ((month, period), places) in windows {
        alike.entry(places).or_default().entry(period).or_default().insert(month);
    }
    let list = |items: Vec<String>| items.join(",");
    let groups: Vec<String> = alike
        .into_iter()
        .map(|(places, periods)| {
            let places = list(places.into_iter().map(|(row, col)| format!("({row},{col})")).collect());
            let mut same: BTreeMap<_, Vec<String>> = BTreeMap::new();
            for (period, months) in periods {
                same.entry(months).or_default().push(period.to_string());
            }
            let windows = same.into_iter().map(|(months, periods)| {
                let labels = list(months.into_iter().map(|month| format!("'{}'", month.label())).collect());
                format!("(`datetime` IN ({labels}) AND period IN ({}))", list(periods))
            });
            format!("(({}) AND (rowid, colid) IN ({places}))", windows.collect::<Vec<_>>().join(" OR "))
        })
        .collect();
    groups.join(" OR ")
}

/// The place of a cell.
type Place = (i64, i64, String, i64);

/// Rebuilds the tables and exchanges them with the old ones, all at once. Existing cells keep their
/// positions in the table, new ones are appended.
fn exchange(db: &mut Db, tables: &BTreeMap<&'static str, Vec<&Cell>>) -> Result<()> {
    let mut renames = Vec::new();
    let mut left = Vec::new();
    for (table, cells) in tables {
        let (new, old) = (db.beside(table)?, format!("{table}__old"));
        db.run(&format!("DROP TABLE IF EXISTS {new}, {old}"), ())?;
        db.create_like(&new, table)?;
        let mut places: HashMap<Place, Option<&Cell>> = HashMap::new();
        for &cell in cells {
            let label = cell.month.label().to_string();
            places.insert((cell.rowid.into(), cell.colid.into(), label, cell.period.code().into()), Some(cell));
        }
        let mut rows: Vec<[Value; 6]> = Vec::new();
        db.each(&format!("SELECT {} FROM {table}", COLUMNS.join(", ")), (), |row| {
            let int = |at| row.int(at).unwrap_or_default();
            let place = (int(0), int(1), row.text(2).unwrap_or_default().into_owned(), int(3));
            match places.get_mut(&place) {
                None => rows.push(std::array::from_fn(|at| row.value(at).clone())),
                Some(cell) => rows.extend(cell.take().map(values)),
            }
            Ok(())
        })?;
        let appended = cells.iter().filter(|cell| {
            let key =
                (cell.rowid.into(), cell.colid.into(), cell.month.label().to_string(), i64::from(cell.period.code()));
            places.get(&key).is_some_and(Option::is_some)
        });
        rows.extend(appended.map(|cell| values(cell)));
        insert(db, &new, rows.into_iter())?;
        renames.push(format!("{table} TO {old}, {new} TO {table}"));
        left.push(old);
    }
    if renames.is_empty() {
        return Ok(());
    }
    db.rename(&renames.join(", "))?;
    db.run(&format!("DROP TABLE IF EXISTS {}", left.join(", ")), ())?;
    Ok(())
}

const USES: KeyTable<'_> = KeyTable {
    name: "hzmetrics_uses",
    columns: &[
        ("seq", "int NOT NULL"),
        ("id", "bigint"),
        ("resid", "bigint NOT NULL"),
        ("restype", "int NOT NULL"),
        ("users", "bigint NOT NULL"),
        ("at", "datetime NOT NULL"),
        ("period", "tinyint NOT NULL"),
    ],
    keys: 1,
};

/// Writes the usage of resources. An existing row gets the new number of users and is otherwise
/// unchanged, whatever its type (if there are several, the one with the greatest type; in the port
/// only one with the same type); other rows are added.
pub(super) fn uses(hub: &mut Db, uses: &[Use], as_port: bool) -> Result<()> {
    if uses.is_empty() {
        return Ok(());
    }
    let table = format!("{}resource_stats", hub.target().prefix);
    let months: BTreeSet<_> = uses.iter().map(|usage| usage.month).collect();
    let labels: Vec<String> = months.iter().map(|month| format!("'{}'", month.start())).collect();
    let known = format!(
        "SELECT id, resid, `datetime`, period, restype FROM {} WHERE `datetime` IN ({}) AND period IN (1, 12, 14) \
         ORDER BY restype, id",
        quote(&table),
        labels.join(",")
    );
    let upsert = format!(
        "INSERT INTO {} (id, resid, restype, users, `datetime`, period) \
         SELECT id, resid, restype, users, `at`, period FROM {} ORDER BY seq \
         ON DUPLICATE KEY UPDATE users = VALUES(users)",
        quote(&table),
        USES.name
    );
    hub.transaction_with_retry("writing the usage of resources", &[&table], |hub| {
        let mut ids: HashMap<(i64, String, i64, i64), i64> = HashMap::new();
        let kind = |restype: Option<i64>| if as_port { restype.unwrap_or_default() } else { 0 };
        hub.each(&known, (), |row| {
            let int = |at| row.int(at).unwrap_or_default();
            let label = row.text(2).unwrap_or_default().into_owned();
            ids.insert((int(1), label, int(3), kind(row.int(4))), int(0));
            Ok(())
        })?;
        let rows = uses.iter().zip(0_i64..).map(|(usage, seq)| {
            let label = usage.month.start().to_string();
            let key = (usage.resid, label.clone(), usage.period.code().into(), kind(Some(usage.restype)));
            [
                Value::from(seq),
                ids.get(&key).map_or(Value::NULL, |&id| Value::from(id)),
                Value::from(usage.resid),
                Value::from(usage.restype),
                Value::from(usage.users),
                Value::from(label),
                Value::from(usage.period.code()),
            ]
        });
        // one statement for old and new rows: a table without transactions is locked for all of it
        hub.with_key_table(&USES, rows, |hub| Ok(hub.run(&upsert, ())?))?;
        Ok(())
    })
}
