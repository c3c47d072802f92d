//! Host names of addresses, from name servers.

use anyhow::Result;
use kit::db::{BY_KEY, Db, KeyTable, Value};

use super::{Filled, Span, Table, distinct, empty};
use crate::hosts::Hosts;

const KEYS: KeyTable<'_> = KeyTable {
    name: "hzmetrics_hosts",
    columns: &[("ip", "varchar(40) NOT NULL"), ("host", "tinytext NOT NULL")],
    keys: 1,
};

/// The addresses in the span that have no host yet.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn missing(db: &mut Db, table: &Table, span: &Span) -> Result<Vec<String>> {
    table.check(db)?;
    let sql = format!(
        "SELECT {} ip FROM {} WHERE ip <> '' AND {}{}",
        db.released(table.name())?,
        table.quoted(),
        empty("host"),
        span.and(table.date())
    );
    distinct(db, &sql)
}

/// Looks up the addresses in the span that have no host yet and writes what was found, `?` for
/// nothing. It is written to every row of the address without a host, whatever its date; with
/// `only_span` only to those in the span, as the later port does.
///
/// # Errors
/// The table is missing, the server fails, or the resolver cannot be started.
pub fn fill(db: &mut Db, table: &Table, span: &Span, hosts: &mut Hosts, only_span: bool) -> Result<Filled> {
    let addresses = missing(db, table, span)?;
    let mut slots = Vec::with_capacity(addresses.len());
    for ip in &addresses {
        // text that is not exactly an address has no name
        slots.push(hosts.slot(ip)?);
    }
    for slot in &slots {
        while hosts.name(*slot).is_none() {
            hosts.wait()?;
        }
    }
    hosts.save()?;
    let keys = addresses.len() as u64;
    if addresses.is_empty() {
        return Ok(Filled::default());
    }
    let within = if only_span { span.and(&table.t_date()) } else { String::new() };
    // the table first: its rows change in the order in which they lie, which is three times as fast
    // for a month as going from address to address; for a few rows the server takes an index
    let update = format!(
        "UPDATE {} t STRAIGHT_JOIN {} k {BY_KEY} ON k.ip = t.ip SET t.host = k.host WHERE {}{within}",
        table.quoted(),
        KEYS.name,
        empty("t.host")
    );
    let doing = format!("writing host names to {}", table.name());
    let rows = db.transaction_with_retry(&doing, &[table.name()], |db| {
        let pairs = addresses.iter().zip(&slots).map(|(ip, slot)| {
            let name = hosts.name(*slot).unwrap_or_default();
            [Value::from(ip), Value::from(name)]
        });
        db.with_key_table(&KEYS, pairs, |db| Ok(db.run(&update, ())?))
    })?;
    Ok(Filled { keys, rows })
}
