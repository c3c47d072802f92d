//! Host names of addresses, from name servers.

use anyhow::Result;
use database::{Db, KeyTable, Value};
use kit::Progress;

use super::countries::ADDRESS;
use super::write::Write;
use super::{Filled, Missing, Span, Table, empty};
use crate::hosts::Hosts;

const KEYS: KeyTable<'_> =
    KeyTable { name: "hzmetrics_hosts", columns: &[("ip", ADDRESS), ("host", "tinytext NOT NULL")], keys: 1 };

/// The addresses in the span without a host.
///
/// # Errors
/// The table is missing, or the server fails.
pub fn missing(db: &mut Db, table: &Table, span: &Span) -> Result<Vec<String>> {
    Ok(rows_without(db, table, span)?.keys)
}

fn rows_without(db: &mut Db, table: &Table, span: &Span) -> Result<Missing> {
    super::missing(db, table, "ip", &format!("t.ip <> '' AND {}{}", empty("t.host"), span.and(&table.t_date())))
}

/// Looks up the addresses in the span that have no host yet and writes the results, `?` for none.
/// They are written to every row of the address without a host, whatever its date; with `only_span`
/// only to rows in the span, as the port does.
///
/// # Errors
/// The table is missing, the server fails, or the resolver cannot be started.
pub fn fill(db: &mut Db, table: &Table, span: &Span, hosts: &mut Hosts, only_span: bool) -> Result<Filled> {
    let Missing { keys: addresses, rows: missing } = rows_without(db, table, span)?;
    let mut slots = Vec::with_capacity(addresses.len());
    for ip in &addresses {
        // only text that is exactly an address can have a name
        slots.push(hosts.slot(ip)?);
    }
    let shown = Progress::things("host names", "addresses", slots.len() as u64);
    for slot in &slots {
        shown.advance(1);
        while hosts.name(*slot).is_none() {
            hosts.wait()?;
        }
    }
    drop(shown);
    hosts.save()?;
    let named = addresses.into_iter().zip(slots);
    let rows: Vec<[Value; 2]> =
        named.map(|(ip, slot)| [Value::from(ip), Value::from(hosts.name(slot).unwrap_or_default())]).collect();
    let within = if only_span { span.and(&table.t_date()) } else { String::new() };
    let write = Write {
        what: "host names",
        keys: &KEYS,
        short: false,
        on: "k.ip = t.ip",
        set: "t.host = k.host",
        condition: &format!("{}{within}", empty("t.host")),
        elsewhere: !only_span,
    };
    let keys = rows.len() as u64;
    Ok(Filled { keys, rows: write.run(db, table, &rows, missing)? })
}
