//! Who is to be forgotten: names, numbers, e-mail addresses, and the addresses that nobody else used.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use database::{Db, Value, Which};
use hub::forgotten::How;
use kit::door;
use schema::tables::quote;
use schema::{address, collation};
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use crate::hub::Hub;
use crate::pipeline::decisions;

/// More bytes than the file ever has.
const LONGEST: u64 = 64 << 20;

/// How many texts a statement names at once.
const AT_ONCE: usize = 500;

/// A person, as found before anything was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) names: Vec<String>,
    pub(super) ids: Vec<i64>,
    pub(super) emails: Vec<String>,
    /// Those that nobody else used.
    pub(super) addresses: Vec<String>,
    pub(super) how: How,
    /// The day of the request, `YYYY-MM-DD`.
    pub(super) until: String,
    /// Further files.
    pub(super) also: Vec<PathBuf>,
}

impl Person {
    /// Whom an interrupted run was forgetting.
    ///
    /// # Errors
    /// The file is damaged.
    pub(super) fn begun(hub: &Hub) -> Result<Option<Self>> {
        let path = hub.config.paths.being_forgotten();
        let reading = || format!("reading {}", path.display());
        match door::read(&path, LONGEST) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(reading).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(reading),
        }
    }

    /// Writes it down.
    ///
    /// # Errors
    /// The disk fails.
    pub(super) fn begin(&self, hub: &Hub) -> Result<()> {
        let path = hub.config.paths.being_forgotten();
        if let Some(folder) = path.parent() {
            door::make_folder(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        door::write_private(&path, &serde_json::to_vec(self)?).with_context(|| format!("writing {}", path.display()))
    }

    /// Whether this is the person's name or number.
    pub(super) fn is(&self, who: &str) -> bool {
        let is_id = who.parse().is_ok_and(|id: i64| self.ids.contains(&id));
        is_id || self.names.iter().any(|name| collation::equal(name, who))
    }

    /// A condition for rows of this person, by the columns that a table has, and its parameters.
    pub(super) fn rows(&self, user: Option<&str>, uid: Option<&str>, ip: Option<&str>) -> Option<(String, Vec<Value>)> {
        let mut parts = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let mut add = |column: Option<&str>, of: Vec<Value>| {
            if let Some(column) = column.filter(|_| !of.is_empty()) {
                parts.push(format!("{column} IN ({})", marks(of.len())));
                values.extend(of);
            }
        };
        add(user.map(|user| format!("IFNULL({user}, '')")).as_deref(), self.names.iter().map(Value::from).collect());
        add(
            uid.map(|uid| format!("IFNULL({uid}, 0)")).as_deref(),
            self.ids.iter().map(|id| Value::from(*id)).collect(),
        );
        add(ip, self.addresses.iter().map(Value::from).collect());
        (!parts.is_empty()).then(|| (format!("({})", parts.join(" OR ")), values))
    }
}

fn marks(n: usize) -> String {
    vec!["?"; n].join(", ")
}

/// Where a table says who did something.
const ACTS: [(&str, Option<&str>, Option<&str>); 5] = [
    ("userlogin", Some("`user`"), Some("uidNumber")),
    ("userlogin_lite", Some("`user`"), Some("uidNumber")),
    ("sessionlog_metrics", Some("`user`"), None),
    ("toolstart", Some("`user`"), None),
    ("web", None, Some("uidNumber")),
];

/// Finds out who somebody is, and that the hub does not have the person any more.
///
/// # Errors
/// The hub has the person, or a server fails.
pub(super) fn identify(hub: &Hub, db: &mut Db, asked: &Asked<'_>, who: &str) -> Result<Person> {
    let mut person = Person {
        names: Vec::new(),
        ids: Vec::new(),
        emails: asked.emails.to_vec(),
        addresses: Vec::new(),
        how: asked.how,
        until: decisions::day(kit::today()?),
        also: asked.also.to_vec(),
    };
    match who.parse::<i64>() {
        Ok(id) if id > 0 => person.ids.push(id),
        _ => person.names.push(who.to_owned()),
    }
    // a name leads to a number, and that to former names
    names_and_numbers(db, &mut person)?;
    names_and_numbers(db, &mut person)?;
    check_gone(hub, &person)?;
    profile(db, &mut person)?;
    person.addresses = addresses(db, &person)?;
    Ok(person)
}

/// The other names or numbers of the person.
fn names_and_numbers(db: &mut Db, person: &mut Person) -> Result<()> {
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let profiles = profiles(db);
    let places = [("userlogin", "`user`", "uidNumber"), ("userlogin_lite", "`user`", "uidNumber")];
    for (table, user, uid) in places.into_iter().chain([(profiles.as_str(), "username", "uidNumber")]) {
        let Some((condition, values)) = person.rows(Some(user), Some(uid), None) else { continue };
        if !db.has_table(table)? {
            continue;
        }
        let sql = format!("SELECT DISTINCT {user}, {uid} FROM {} WHERE {condition}", quote(table));
        db.each(&sql, values, |row| {
            names.extend(
                row.text(0).map(std::borrow::Cow::into_owned).filter(|name| !matches!(name.as_str(), "" | "-")),
            );
            ids.extend(row.int(1).filter(|id| *id > 0));
            Ok(())
        })?;
    }
    for name in names {
        if !person.names.iter().any(|known| collation::equal(known, &name)) {
            person.names.push(name);
        }
    }
    let known = &mut person.ids;
    known.extend(ids.into_iter().filter(|id| !known.contains(id)).collect::<Vec<_>>());
    Ok(())
}

/// The copy of the hub's profiles.
pub(super) fn profiles(db: &Db) -> String {
    format!("{}xprofiles_metrics", db.target().prefix)
}

/// Fails if the hub's own tables have the person.
fn check_gone(hub: &Hub, person: &Person) -> Result<()> {
    let mut of_hub = Db::connect(&hub.config.target(), Which::Hub)?;
    let places = [
        ("users", Some("username"), Some("id")),
        ("xprofiles", Some("username"), Some("uidNumber")),
        ("user_profiles", None, Some("user_id")),
    ];
    for (table, user, uid) in places {
        let table = format!("{}{table}", of_hub.target().prefix);
        let Some((condition, values)) = person.rows(user, uid, None) else { continue };
        if !of_hub.has_table(&table)? {
            continue;
        }
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {condition}", quote(&table));
        if of_hub.number(&sql, values)? != Some(0) {
            bail!(
                "the hub still has this user: its table {table} has {}; remove the account in the CMS first, or name the \
                 person by the number if somebody else has the name now",
                person.names.first().map_or("the number", |_| "the name or the number")
            );
        }
    }
    Ok(())
}

/// The e-mail address of the copy of the profile, if it is still there.
fn profile(db: &mut Db, person: &mut Person) -> Result<()> {
    let table = profiles(db);
    let Some((condition, values)) = person.rows(Some("username"), Some("uidNumber"), None) else { return Ok(()) };
    if db.has_table(&table)? {
        let found = db.texts(&format!("SELECT DISTINCT email FROM {} WHERE {condition}", quote(&table)), values)?;
        person.emails.extend(found.into_iter().filter(|email| !email.is_empty()));
    }
    person.emails.sort();
    person.emails.dedup();
    Ok(())
}

/// The addresses that the person used and nobody else, as far as the tables know.
fn addresses(db: &mut Db, person: &Person) -> Result<Vec<String>> {
    let mut used = BTreeSet::new();
    let mut tables = Vec::new();
    for (table, user, uid) in ACTS {
        if db.has_table(table)? {
            tables.push((table, user, uid));
            let Some((condition, values)) = person.rows(user, uid, None) else { continue };
            used.extend(db.texts(&format!("SELECT DISTINCT ip FROM {table} WHERE {condition} AND ip <> ''"), values)?);
        }
    }
    let used: Vec<String> = used.into_iter().filter(|ip| !address::is_of_nobody(ip)).collect();
    let mut shared = BTreeSet::new();
    for (table, user, uid) in tables {
        for some in used.chunks(AT_ONCE) {
            let known = match (user, uid) {
                (Some(user), _) => format!("IFNULL({user}, '') NOT IN ('', '-')"),
                (None, uid) => format!("IFNULL({}, 0) > 0", uid.unwrap_or("0")),
            };
            let mut values: Vec<Value> = some.iter().map(Value::from).collect();
            let own = person.rows(user, uid, None);
            let others = own.map_or_else(
                || "TRUE".to_owned(),
                |(condition, own)| {
                    values.extend(own);
                    format!("NOT {condition}")
                },
            );
            let ips = marks(some.len());
            let sql = format!("SELECT DISTINCT ip FROM {table} WHERE ip IN ({ips}) AND {known} AND {others}");
            shared.extend(db.texts(&sql, values)?);
        }
    }
    ensure!(used.len() < 1_000_000, "the person used {} addresses, which cannot be", used.len());
    Ok(used.into_iter().filter(|ip| !shared.contains(ip)).collect())
}
