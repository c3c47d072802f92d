//! Domains of host names.

use anyhow::Result;
use kit::db::{BY_KEY, Db, KeyTable, Value};

use super::{Filled, Span, Table, distinct, empty};
use crate::domain::{self, Length};

/// Host names are told apart byte by byte: what the collation takes for equal may have two domains.
const KEYS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_domains",
    columns: &[("host", "varbinary(255) NOT NULL"), ("domain", "tinytext NOT NULL")],
    keys: 1,
};

/// What the step does differently for the later port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Every host, label lengths in bytes.
    Legacy,
    /// In `web`, hosts with a capital letter are passed over; lengths in characters.
    Port,
}

/// The distinct hosts in the span whose rows have no domain yet, or `?`, with their domains.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn missing(db: &mut Db, table: &Table, span: &Span, rule: Rule) -> Result<Vec<(String, String)>> {
    table.check(db)?;
    let sql = format!(
        "SELECT {} host FROM {} t WHERE {}{}",
        db.released(table.name())?,
        table.quoted(),
        condition(),
        span.and(&table.t_date())
    );
    let length = if rule == Rule::Port { Length::Chars } else { Length::Bytes };
    let pairs = distinct(db, &sql)?
        .into_iter()
        .filter_map(|host| {
            let lower = domain::lower(&host);
            if rule == Rule::Port && table.name() == "web" && *lower != *host {
                return None;
            }
            let domain = domain::domain_of(&lower, length).to_owned();
            Some((host, domain))
        })
        .collect();
    Ok(pairs)
}

/// Writes the domain of its host to every row in the span that has none, or `?`.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn fill(db: &mut Db, table: &Table, span: &Span, rule: Rule) -> Result<Filled> {
    let pairs = missing(db, table, span, rule)?;
    if pairs.is_empty() {
        return Ok(Filled::default());
    }
    // the rows of the table first: they are found by date, the key of each at once
    let update = format!(
        "UPDATE {} t STRAIGHT_JOIN {} k {BY_KEY} ON k.host = CAST(t.host AS BINARY) SET t.domain = k.domain WHERE {}{}",
        table.quoted(),
        KEYS.name,
        condition(),
        span.and(&table.t_date())
    );
    let doing = format!("writing domains to {}", table.name());
    let rows = db.transaction_with_retry(&doing, &[table.name()], |db| {
        let rows = pairs.iter().map(|(host, domain)| [Value::from(host), Value::from(domain)]);
        db.with_key_table(&KEYS, rows, |db| Ok(db.run(&update, ())?))
    })?;
    Ok(Filled { keys: pairs.len() as u64, rows })
}

/// Which rows: with a host, without a real domain.
fn condition() -> String {
    format!("t.host <> '' AND ({} OR t.domain = '{}')", empty("t.domain"), domain::UNKNOWN)
}
