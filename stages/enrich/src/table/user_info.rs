//! Citizenship, residence and organisation of users, from their profiles on the hub.

use anyhow::Result;
use database::{BY_KEY, Db, KeyTable, Value};
use rustc_hash::FxHashMap;
use schema::{collation, text};

use super::{Filled, Span, Table, empty};

/// Column, profile key, width of the column in characters (`None`: a TINYTEXT).
const PARAMETERS: [(&str, &str, Option<usize>); 3] = [
    ("countrycitizen", "countryorigin", Some(2)),
    ("countryresident", "countryresident", Some(2)),
    ("orgtype", "orgtype", None),
];

const KEYS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_users",
    columns: &[
        ("user", "varchar(150) NOT NULL"),
        ("countrycitizen", "char(2)"),
        ("countryresident", "char(2)"),
        ("orgtype", "tinytext"),
    ],
    keys: 1,
};

/// When profiles are applied, and how their values are interpreted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A column is filled (in every row, whatever its date) if any known user has a row in the span
    /// without it; `0` is not a value, ASCII letters become capitals.
    Legacy,
    /// Always; `0` is a value, all letters become capitals.
    Port,
}

/// What one user lacks.
#[derive(Default)]
struct Wanted {
    /// Somewhere in the table.
    anywhere: [bool; 3],
    /// In the span.
    in_span: [bool; 3],
}

/// A value of a profile, with its row number.
type UserValue = (u64, String);

/// Users who lack something, with what their profiles say.
#[derive(Debug, Default)]
pub struct Users {
    rows: Vec<[Value; 4]>,
    /// Which of the three columns are filled.
    pub open: [bool; 3],
}

impl Users {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Finds users who lack something, and what their profiles say.
///
/// # Errors
/// A table is missing, or the server fails.
pub fn missing(db: &mut Db, hub: &mut Db, table: &Table, span: &Span, rule: Rule) -> Result<Users> {
    db.require(&[table.name()])?;
    let prefix = hub.target().prefix.clone();
    hub.require(&["users", "user_profiles"].map(|name| format!("{prefix}{name}")))?;
    let mut wanted = wanted(db, table, span)?;
    if wanted.is_empty() {
        return Ok(Users::default());
    }
    // users of the hub who lack something
    let mut names: FxHashMap<u64, String> = FxHashMap::default();
    let mut open = [rule == Rule::Port; 3];
    let sql = format!("SELECT {} id, username FROM {}", released(hub, "users")?, hub.prefixed("users"));
    hub.each(&sql, (), |row| {
        let (Some(id), Some(name)) = (row.uint(0), row.text(1)) else { return Ok(()) };
        if let Some(user) = wanted.get(&collation::fold(&name)) {
            for (open, missing) in open.iter_mut().zip(user.in_span) {
                *open |= missing;
            }
            names.insert(id, name.into_owned());
        }
        Ok(())
    })?;
    let mut found: FxHashMap<u64, [Option<UserValue>; 3]> = FxHashMap::default();
    let keys: Vec<String> = PARAMETERS.iter().map(|(_, key, _)| format!("'{key}'")).collect();
    let sql = format!(
        "SELECT {} id, user_id, profile_key, profile_value FROM {} WHERE profile_key IN ({})",
        released(hub, "user_profiles")?,
        hub.prefixed("user_profiles"),
        keys.join(", ")
    );
    hub.each(&sql, (), |row| {
        let (Some(id), Some(user), Some(key), Some(value)) = (row.uint(0), row.uint(1), row.text(2), row.text(3))
        else {
            return Ok(());
        };
        let at = PARAMETERS.iter().position(|(_, name, _)| collation::equal(name, &key));
        if let Some(at) = at.filter(|_| names.contains_key(&user))
            && let Some(value) = stored(&value, PARAMETERS[at].2, rule)
        {
            let best = &mut found.entry(user).or_default()[at];
            if best.as_ref().is_none_or(|(other, old)| wins((id, &value), (*other, old))) {
                *best = Some((id, value));
            }
        }
        Ok(())
    })?;
    let mut rows: Vec<[Value; 4]> = Vec::new();
    for (id, values) in found {
        let Some(name) = names.get(&id) else { continue };
        let Some(user) = wanted.get_mut(&collation::fold(name)) else { continue };
        let mut any = false;
        let mut row = [Value::from(name), Value::NULL, Value::NULL, Value::NULL];
        for (at, value) in values.into_iter().enumerate() {
            if let Some((_, value)) = value.filter(|_| open[at] && user.anywhere[at]) {
                row[at + 1] = Value::from(value);
                any = true;
            }
        }
        if any {
            rows.push(row);
        }
    }
    Ok(Users { rows, open })
}

/// Writes what profiles say to every row of their users that lacks it.
///
/// # Errors
/// Those of [`missing`].
pub fn fill(db: &mut Db, hub: &mut Db, table: &Table, span: &Span, rule: Rule) -> Result<Filled> {
    let users = missing(db, hub, table, span, rule)?;
    if users.is_empty() {
        return Ok(Filled::default());
    }
    let lacks = |column: &str| format!("(k.{column} IS NOT NULL AND {})", empty(&format!("t.{column}")));
    let sets: Vec<String> = PARAMETERS
        .iter()
        .map(|(column, ..)| format!("t.{column} = IF({}, k.{column}, t.{column})", lacks(column)))
        .collect();
    let any: Vec<String> = PARAMETERS.iter().map(|(column, ..)| lacks(column)).collect();
    let tables = format!("{} t STRAIGHT_JOIN {} k {BY_KEY} ON k.user = t.user", table.quoted(), KEYS.name);
    let (sets, any) = (sets.join(", "), any.join(" OR "));
    let doing = format!("writing what profiles say to {}", table.name());
    let rows = db.transaction_with_retry(&doing, &[table.name()], |db| {
        db.with_key_table(&KEYS, users.rows.iter().cloned(), |db| {
            db.will_change_rows(&format!("{tables} WHERE {any}"))?;
            Ok(db.run(&format!("UPDATE {tables} SET {sets} WHERE {any}"), ())?)
        })
    })?;
    Ok(Filled { keys: users.len() as u64, rows })
}

/// Users with a row that lacks something, by their collation key.
fn wanted(db: &mut Db, table: &Table, span: &Span) -> Result<FxHashMap<String, Wanted>> {
    let within = format!("(1{})", span.and(table.date()));
    let lacks: Vec<String> = PARAMETERS.iter().map(|(column, ..)| empty(column)).collect();
    let flags: Vec<String> = lacks
        .iter()
        .map(|lack| format!("MAX({lack})"))
        .chain(lacks.iter().map(|lack| format!("MAX({lack} AND {within})")))
        .collect();
    let sql = format!(
        "SELECT `user`, {} FROM {} WHERE `user` IS NOT NULL AND ({}) GROUP BY `user`",
        flags.join(", "),
        table.quoted(),
        lacks.join(" OR ")
    );
    let mut users: FxHashMap<String, Wanted> = FxHashMap::default();
    db.each(&sql, (), |row| {
        let flag = |at| row.int(at) == Some(1);
        let name = row.text(0).unwrap_or_default();
        let user = users.entry(collation::fold(&name)).or_default();
        for at in 0..3 {
            user.anywhere[at] |= flag(at + 1);
            user.in_span[at] |= flag(at + 4);
        }
        Ok(())
    })?;
    Ok(users)
}

fn released(hub: &mut Db, table: &str) -> Result<&'static str> {
    let name = format!("{}{table}", hub.target().prefix);
    hub.released(&name)
}

/// A value as it is stored; `None` if it is not a value.
fn stored(value: &str, width: Option<usize>, rule: Rule) -> Option<String> {
    if value.is_empty() || rule == Rule::Legacy && value == "0" {
        return None;
    }
    if rule == Rule::Port && value.trim_end_matches(' ').is_empty() {
        return None;
    }
    let value = if rule == Rule::Port { value.to_uppercase() } else { value.to_ascii_uppercase() };
    Some(match width {
        Some(width) => text::cut_chars(&value, width).to_owned(),
        None => text::cut_bytes(&value, text::TINYTEXT).to_owned(),
    })
}

/// Whether the newer of two profile values is finally stored. The first one is, unless it is blank:
/// the column is then still empty, so of several blank values the last one stays.
fn wins(new: (u64, &str), old: (u64, &str)) -> bool {
    let blank = |value: &str| value.trim_end_matches(' ').is_empty();
    match (blank(new.1), blank(old.1)) {
        (false, true) => true,
        (true, false) => false,
        (false, false) => new.0 < old.0,
        (true, true) => new.0 > old.0,
    }
}
