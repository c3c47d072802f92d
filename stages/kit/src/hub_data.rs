//! What the hub knows of tool sessions and registered users, copied to the metrics database.
//!
//! The first step of the tool, usage and summary stages. Sessions are only ever added; the table
//! of users is made anew beside the old one and takes its place in one moment.

use anyhow::{Context as _, Result, ensure};
use schema::tables::quote;
use schema::text;

use crate::db::{Db, Target, Value, Verb, Which};

/// Tool sessions of the hub (without prefix, as the middleware makes it).
const SESSIONLOG: &str = "sessionlog";
/// Their copy.
const COPY: &str = "sessionlog_metrics";
/// Registered users of the hub, without prefix.
const PROFILES: &str = "xprofiles";
/// Their copy, without prefix.
const PROFILES_COPY: &str = "xprofiles_metrics";

/// What was copied, or in a dry run would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubData {
    /// Tool sessions that were new.
    pub sessions: u64,
    /// Users with a confirmed address.
    pub profiles: u64,
}

/// How the copy of the users is structured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Like the hub's `jos_xprofiles`, whatever the prefix (the original); like the prefixed table
    /// where there is none.
    Jos,
    /// Like the prefixed table (the later port).
    Prefixed,
}

/// Copies both. `dry_run` only counts.
///
/// # Errors
/// A table is missing, or the server fails; the old table of users is then still there.
pub fn import(target: &Target, structure: Structure, dry_run: bool) -> Result<HubData> {
    let mut metrics = Db::connect(target, Which::Metrics)?;
    let mut hub = Db::connect(target, Which::Hub)?;
    let sessions = sessions(&mut metrics, &mut hub, dry_run).context("copying tool sessions")?;
    let profiles = profiles(&mut metrics, &mut hub, structure, dry_run).context("copying registered users")?;
    Ok(HubData { sessions, profiles })
}

fn check(db: &mut Db, database: &str, table: &str) -> Result<()> {
    ensure!(db.has_table(table)?, "there is no table `{table}` in the database `{database}`");
    Ok(())
}

/// Adds sessions whose number is not there yet, in the order of their numbers; the others stay as
/// they are, whatever the hub says now.
fn sessions(metrics: &mut Db, hub: &mut Db, dry_run: bool) -> Result<u64> {
    let (hub_db, metrics_db) = (hub.target().hub_db.clone(), hub.target().metrics_db.clone());
    check(hub, &hub_db, SESSIONLOG)?;
    check(metrics, &metrics_db, COPY)?;
    let mut there = numbers(metrics, COPY)?;
    there.sort_unstable();
    let mut missing = numbers(hub, SESSIONLOG)?;
    missing.retain(|number| there.binary_search(number).is_err());
    missing.sort_unstable();
    let Some(&first) = missing.first().filter(|_| !dry_run) else { return Ok(missing.len() as u64) };
    drop(there);
    let word = hub.released(SESSIONLOG)?;
    let select = format!(
        "SELECT {word} sessnum, username, remoteip, start, appname FROM {SESSIONLOG} WHERE sessnum >= {first} ORDER BY sessnum"
    );
    metrics.transaction_with_retry("adding tool sessions", &[COPY], |metrics| {
        let mut insert = metrics.insert(Verb::Ignore, COPY, &["sessnum", "user", "ip", "start", "appname"]);
        hub.each(&select, (), |row| {
            let Some(number) = row.uint(0).filter(|number| missing.binary_search(number).is_ok()) else {
                return Ok(());
            };
            let cut = |at, width| Value::from(text::cut_chars(&row.text(at).unwrap_or_default(), width).to_owned());
            let start = row.text(3).unwrap_or_default().into_owned();
            insert.push([Value::from(number), cut(1, 150), cut(2, 15), Value::from(start), cut(4, 150)])
        })?;
        Ok(insert.finish()?.changed)
    })
}

fn numbers(db: &mut Db, table: &str) -> Result<Vec<u64>> {
    let word = db.released(table)?;
    let mut list = Vec::new();
    db.each(&format!("SELECT {word} sessnum FROM {table}"), (), |row| {
        list.extend(row.uint(0));
        Ok(())
    })?;
    Ok(list)
}

/// Makes the table of users beside the old one and swaps their names: readers see one or the other.
fn profiles(metrics: &mut Db, hub: &mut Db, structure: Structure, dry_run: bool) -> Result<u64> {
    let (hub_db, prefix) = (hub.target().hub_db.clone(), hub.target().prefix.clone());
    let source = format!("{prefix}{PROFILES}");
    check(hub, &hub_db, &source)?;
    let confirmed = "emailConfirmed > 0";
    if dry_run {
        let count = hub.number(&format!("SELECT COUNT(*) FROM {} WHERE {confirmed}", quote(&source)), ())?;
        return Ok(count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0));
    }
    let literal = format!("jos_{PROFILES}");
    let like = if structure == Structure::Jos && hub.has_table(&literal)? { literal } else { source.clone() };
    let name = format!("{prefix}{PROFILES_COPY}");
    // left behind when an earlier run was killed
    let (new, old) = (quote(&format!("{name}__new")), quote(&format!("{name}__old")));
    metrics.run(&format!("DROP TABLE IF EXISTS {new}, {old}"), ())?;
    let (hub_db, final_name) = (quote(&hub_db), quote(&name));
    metrics.run(&format!("CREATE TABLE {new} LIKE {hub_db}.{}", quote(&like)), ())?;
    let copy = format!("INSERT INTO {new} SELECT * FROM {hub_db}.{} WHERE {confirmed}", quote(&source));
    let count = metrics.run(&copy, ());
    let count = match count {
        Ok(count) => count,
        Err(error) => {
            let _ = metrics.run(&format!("DROP TABLE IF EXISTS {new}"), ());
            return Err(error.into());
        }
    };
    let first = metrics.number(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
        (&name,),
    )? == Some(0);
    let aside = if first { String::new() } else { format!("{final_name} TO {old}, ") };
    metrics.run(&format!("RENAME TABLE {aside}{new} TO {final_name}"), ())?;
    metrics.run(&format!("DROP TABLE IF EXISTS {old}"), ())?;
    Ok(count)
}
