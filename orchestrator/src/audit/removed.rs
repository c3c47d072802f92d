//! Users whose rows we have and whom the hub does not have any more: the CMS removed the account, and nobody has
//! asked us to forget the person. A note, because rows of former users are what the numbers of their months are made
//! of.

use std::collections::BTreeMap;

use anyhow::Result;
use database::Db;
use schema::collation;
use schema::tables::quote;

use super::report::Report;

/// How many names are shown.
const SHOWN: usize = 20;

/// How the names begin that `forget-user` gives.
const PSEUDONYM: &str = "forgotten_";

/// Names with a user number in our logins, or with tool sessions, as they are and as they are compared.
fn ours(db: &mut Db) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for (table, condition) in [
        ("userlogin", "uidNumber > 0"),
        ("userlogin_lite", "uidNumber > 0"),
        ("sessionlog_metrics", "TRUE"),
        ("toolstart", "`user` IS NOT NULL"),
    ] {
        if !db.has_table(table)? {
            continue;
        }
        let word = db.released(table)?;
        db.each(&format!("SELECT DISTINCT {word} `user` FROM {table} WHERE {condition}"), (), |row| {
            let name = row.text(0).unwrap_or_default();
            if !matches!(&*name, "" | "-") && !name.starts_with(PSEUDONYM) {
                names.entry(collation::fold(&name)).or_insert_with(|| name.into_owned());
            }
            Ok(())
        })?;
    }
    Ok(names)
}

/// Says who is gone from the hub.
///
/// # Errors
/// A server fails, or the report cannot be written.
pub(super) fn check(db: &mut Db, of_hub: &mut Db, report: &mut Report<'_>) -> Result<()> {
    let mut left = ours(db)?;
    let mut n_of_hub = 0_u64;
    for table in ["users", "xprofiles"] {
        let table = format!("{}{table}", of_hub.target().prefix);
        if of_hub.has_table(&table)? {
            let word = of_hub.released(&table)?;
            n_of_hub += of_hub.each(&format!("SELECT {word} username FROM {}", quote(&table)), (), |row| {
                left.remove(&collation::fold(&row.text(0).unwrap_or_default()));
                Ok(())
            })?;
        }
    }
    // without any user it is not the hub's database that is looked at
    if left.is_empty() || n_of_hub == 0 {
        return Ok(());
    }
    let shown: Vec<&str> = left.values().take(SHOWN).map(String::as_str).collect();
    let more = if left.len() > SHOWN { ", …" } else { "" };
    report.info(format_args!(
        "{} in our tables and not in the hub any more: {}{more} (`hzmetrics forget-user NAME` takes a person out)",
        kit::counted(left.len(), "user is", "users are"),
        shown.join(", ")
    ))
}
