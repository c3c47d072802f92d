//! Domains of host names.

use anyhow::Result;
use database::{Db, KeyTable, Value};

use super::write::Write;
use super::{Filled, Span, Table, empty};
use crate::domain::{self, Length};

/// Host names are compared byte by byte: two that are equal under the collation may have different
/// domains.
const KEYS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_domains",
    columns: &[("host", "varbinary(255) NOT NULL"), ("domain", "tinytext NOT NULL")],
    keys: 1,
};

/// What the port does differently in this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Every host, label lengths in bytes.
    Legacy,
    /// In `web`, hosts with a capital letter are ignored; lengths are in characters.
    Port,
}

/// The distinct hosts in the span whose rows have no domain yet, or `?`, with their domains.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn missing(db: &mut Db, table: &Table, span: &Span, rule: Rule) -> Result<Vec<(String, String)>> {
    let hosts = super::missing(db, table, "host", &condition(table, span))?.keys;
    Ok(pairs(hosts, table, rule).collect())
}

/// Hosts with their domains.
fn pairs(hosts: Vec<String>, table: &Table, rule: Rule) -> impl Iterator<Item = (String, String)> {
    let length = if rule == Rule::Port { Length::Chars } else { Length::Bytes };
    let only_lower = rule == Rule::Port && table.name() == "web";
    hosts.into_iter().filter_map(move |host| {
        let lower = domain::lower(&host);
        if only_lower && *lower != *host {
            return None;
        }
        let domain = domain::domain_of(&lower, length).to_owned();
        Some((host, domain))
    })
}

/// Writes the domain of its host to every row in the span without one, or with `?`.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn fill(db: &mut Db, table: &Table, span: &Span, rule: Rule) -> Result<Filled> {
    let condition = condition(table, span);
    let missing = super::missing(db, table, "host", &condition)?;
    let rows: Vec<[Value; 2]> =
        pairs(missing.keys, table, rule).map(|(host, domain)| [Value::from(host), Value::from(domain)]).collect();
    let write = Write {
        what: "domains",
        keys: &KEYS,
        short: false,
        on: "k.host = CAST(t.host AS BINARY)",
        set: "t.domain = k.domain",
        condition: &condition,
        elsewhere: false,
    };
    let keys = rows.len() as u64;
    Ok(Filled { keys, rows: write.run(db, table, &rows, missing.rows)? })
}

/// The rows in the span with a host but without a real domain.
fn condition(table: &Table, span: &Span) -> String {
    let domain = format!("({} OR t.domain = '{}')", empty("t.domain"), domain::UNKNOWN);
    format!("t.host <> '' AND {domain}{}", span.and(&table.t_date()))
}
