//! Which tables are compared, and in which columns: ids and times of writing do not count, and what refers to an id
//! is replaced by what it refers to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use database::{Db, Which};
use schema::Month;
use schema::rights::{RIGHTS, Scope};
use schema::tables::{self, GENERATIONS, PRUNED, WRITER, quote};

/// They say how the numbers came about, not what they are.
pub(crate) const NOT_COMPARED: [&str; 6] =
    ["import_files", "migrations", "pipeline_state", GENERATIONS, PRUNED, WRITER];

/// Numbers of rows, and times and places of writing.
const WRITTEN: [&str; 7] =
    [tables::HIDDEN_KEY, "id", "processed_on", "lookup_datetime", "imported_at", "date_added", "pk_end"];

/// What makes two rows the same row, in tables where that is not all columns.
const KEYS: &[(&str, &[&str])] = &[
    ("web", &["datetime", "ip", "content", "useragent", "referrer", "joomla_sessionid"]),
    ("websessions", &["datetime", "ip"]),
    ("userlogin", &["datetime", "user", "ip", "action"]),
    ("userlogin_lite", &["datetime", "user", "ip", "action"]),
    ("toolstart", &["datetime", "user", "tool", "ip"]),
    ("sessionlog_metrics", &["sessnum"]),
    ("webhits", &["datetime"]),
    ("summary_user_vals", CELL),
    ("summary_simusage_vals", CELL),
    ("summary_misc_vals", CELL),
    ("summary_andmore_vals", CELL),
    ("topvals", &["datetime", "period", "top", "rank"]),
    ("classvals", &["datetime", "period", "class", "rank"]),
    ("regionvals", &["datetime", "period", "region", "rank"]),
    ("totalvals", &["datetime", "period", "hub", "total"]),
    ("imported_sources", &["filename", "target_table"]),
    ("jos_xprofiles_metrics", &["uidNumber"]),
    ("metrics_ipgeo_cache", &["ip"]),
    ("resource_stats", &["datetime", "period", "resid", "restype"]),
    ("resource_stats_tools", &["datetime", "period", "resid", "restype"]),
    ("resource_stats_tools_topvals", &["id", "top", "rank"]),
    ("session_geo", &["session_id"]),
    ("stats_topvals", &["datetime", "period", "top", "rank"]),
];

const CELL: &[&str] = &["datetime", "period", "rowid", "colid"];

/// A table, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Its name on the server.
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// How many of them are the key: the first ones.
    pub(super) n_key: usize,
    /// Whether both databases have it.
    pub(super) is_in_both: bool,
    /// Columns that only one of them has.
    pub(super) extra: Vec<String>,
    /// The last of the months whose rows are not compared, because one of them has removed them.
    pub(super) gone_through: Option<Month>,
}

impl Table {
    /// One of the databases has no sessions through `last` any more: rows that refer to them refer to none in both.
    pub(super) fn leave_sessions_through(&mut self, last: Month) {
        if let Some(column) = self.columns.iter_mut().find(|column| column.name == SESSION) {
            column.sql = session(&format!(" AND s.datetime >= '{}'", last.next().start()));
        }
    }
}

/// The column of the session that a row belongs to.
const SESSION: &str = "session";

/// A column, and how its value is asked for; `t` is the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) sql: String,
}

/// The columns of the tables of a database, in order, with their types.
type Found = BTreeMap<String, Columns>;

/// Names and types of columns.
type Columns = Vec<(String, String)>;

fn look(db: &mut Db) -> Result<Found> {
    let mut found = Found::new();
    let sql = "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c \
               JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
               WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' \
               ORDER BY c.table_name, c.ordinal_position";
    db.each(sql, (), |row| {
        let text = |at| row.text(at).unwrap_or_default().into_owned();
        found.entry(text(0)).or_default().push((text(1), text(2)));
        Ok(())
    })?;
    Ok(found)
}

/// The tables of both databases that are compared. Of the hub's database these are the tables that we write.
pub(super) fn tables(here: &mut Db, there: &mut Db) -> Result<Vec<Table>> {
    let (found, other) = (look(here)?, look(there)?);
    let prefix = if here.which() == Which::Hub { here.target().prefix.clone() } else { String::new() };
    let is_compared = |name: &str| match here.which() {
        Which::Hub => name.strip_prefix(prefix.as_str()).is_some_and(is_written),
        _ => !NOT_COMPARED.contains(&name),
    };
    let names: BTreeSet<&String> = found.keys().chain(other.keys()).filter(|name| is_compared(name)).collect();
    let none = Columns::new();
    let table = |name: &String| {
        let (of_here, of_there) = (found.get(name), other.get(name));
        let sides = (of_here.or(of_there).unwrap_or(&none), of_there.or(of_here).unwrap_or(&none));
        let place = name.strip_prefix(prefix.as_str()).unwrap_or(name);
        Table { is_in_both: of_here.is_some() && of_there.is_some(), ..of(name, place, &prefix, sides) }
    };
    Ok(names.into_iter().map(table).filter(|table| !table.columns.is_empty()).collect())
}

/// Whether a table of the hub's, named without its prefix, is ours to fill.
fn is_written(name: &str) -> bool {
    RIGHTS.iter().any(|rights| matches!(rights.scope, Scope::HubTable(table) if table == name))
}

/// A table by the columns that both sides have; `place` is its name without prefix.
fn of(name: &str, place: &str, prefix: &str, (here, there): (&Columns, &Columns)) -> Table {
    let has = |columns: &Columns, name: &str| columns.iter().any(|(known, _)| known == name);
    let mut extra: Vec<String> = Vec::new();
    for (mine, others) in [(here, there), (there, here)] {
        let only = mine.iter().filter(|(name, _)| !has(others, name) && !WRITTEN.contains(&name.as_str()));
        extra.extend(only.map(|(name, _)| name.clone()));
    }
    let both = here.iter().filter(|(name, _)| has(there, name));
    let mut columns: Vec<Column> = both.filter_map(|(name, ty)| column(place, prefix, name, ty)).collect();
    let key = KEYS.iter().find(|(table, _)| *table == place).map(|(_, key)| *key);
    let at = |column: &Column| key.and_then(|key| key.iter().position(|name| *name == column.name));
    columns.sort_by_key(|column| at(column).unwrap_or(usize::MAX));
    let n_key =
        if key.is_some() { columns.iter().filter(|column| at(column).is_some()).count() } else { columns.len() };
    Table { name: name.to_owned(), columns, n_key, is_in_both: true, extra, gone_through: None }
}

/// The session of a row, under a further condition.
fn session(condition: &str) -> String {
    format!(
        "IF(IFNULL(t.sessionid, 0) = 0, 'none', IFNULL((SELECT CONCAT_WS(' ', s.datetime, s.ip) FROM websessions s \
         WHERE s.id = t.sessionid{condition}), 'no such session'))"
    )
}

/// How a column is compared; `None` if it does not count.
fn column(table: &str, prefix: &str, name: &str, ty: &str) -> Option<Column> {
    let at = format!("t.{}", quote(name));
    let (name, sql) = match (table, name) {
        // a session is what began at a time at an address
        ("web" | "toolstart", "sessionid") => (SESSION, session("")),
        ("resource_stats_tools_topvals", "id") => (
            "id",
            format!(
                "IFNULL((SELECT CONCAT_WS(' ', r.datetime, r.period, r.resid, r.restype) FROM {} r WHERE r.id = t.id), \
                 'no such row')",
                quote(&format!("{prefix}resource_stats_tools"))
            ),
        ),
        // equal values share the first of their ranks: their order is arbitrary
        ("topvals" | "classvals" | "regionvals" | "stats_topvals" | "resource_stats_tools_topvals", "rank") => {
            let list = match table {
                "classvals" => "t.datetime, t.period, t.class",
                "regionvals" => "t.datetime, t.period, t.region",
                "resource_stats_tools_topvals" => "t.id, t.top",
                _ => "t.datetime, t.period, t.top",
            };
            ("rank", format!("MIN(t.`rank`) OVER (PARTITION BY {list}, t.value)"))
        }
        ("imported_sources", "pk_start") => ("ids", "t.pk_end - t.pk_start + 1".to_owned()),
        // labels of rows, and what the CMS gave a number
        (table, "id") if table.starts_with("summary_") => ("id", at),
        _ if WRITTEN.contains(&name) => return None,
        // as text it has six digits
        _ if ty == "float" => (name, format!("{at} + 0e0")),
        _ => (name, at),
    };
    Some(Column { name: name.to_owned(), sql })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_names_columns_of_its_table() {
        for (name, key) in KEYS {
            let table = tables::metrics(name).or_else(|| tables::hub(name)).unwrap();
            let missing: Vec<_> = key.iter().filter(|column| table.column(column).is_none()).collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
        }
    }

    #[test]
    fn columns_of_one_side_and_columns_of_writing_do_not_count() {
        let columns =
            |names: &str| -> Columns { names.split(' ').map(|name| (name.to_owned(), "int".to_owned())).collect() };
        let table = of("webhits", "webhits", "", (&columns("hits datetime hz_id x"), &columns("datetime hits y")));
        let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!((names, table.n_key, table.extra), (vec!["datetime", "hits"], 1, vec!["x".into(), "y".into()]));
    }
}
