//! The answer as records: one `why` for each cell, then an `evidence` for each row.

use std::fmt::Display;
use std::io::Write as _;

use schema::answer::{Answer, Parts};
use schema::{Kind, Month, Period, Place, json};

use super::listing::{Adds, Entry, Listing};

/// Names of fields in the records of rows, and their names in the answer.
const FIELDS: [(&str, &str); 16] = [
    ("sessnum", "id"),
    ("uidNumber", "id"),
    ("start", "datetime"),
    ("registerDate", "datetime"),
    ("username", "user"),
    ("ipcountry", "country"),
    ("countryresident", "country"),
    ("appname", "tool"),
    ("id", "id"),
    ("datetime", "datetime"),
    ("user", "user"),
    ("ip", "ip"),
    ("host", "host"),
    ("content", "content"),
    ("tool", "tool"),
    ("action", "action"),
];

/// The name of a field in the answer.
fn name_of(key: &[u8]) -> Option<&'static str> {
    let renamed = FIELDS.iter().find(|(from, _)| from.as_bytes() == key).map(|(_, to)| *to);
    renamed.or_else(|| Kind::Evidence.spec().columns.iter().map(|c| c.name).find(|name| name.as_bytes() == key))
}

/// The record of a cell.
pub(crate) fn cell(
    out: &mut Vec<u8>,
    (place, month, period): (Place, Month, Period),
    listing: &Listing<'_>,
    rule: &str,
) {
    let answer = Answer {
        cell: &place.to_string(),
        table: place.summary.table(),
        place: Some((place.rowid, place.colid)),
        month,
        period,
        value: listing.value.as_deref(),
        parts: parts(&listing.entries),
        rule,
    };
    answer.push(out);
}

/// What each part adds up to.
pub(crate) fn parts<'a>(entries: &[Entry<'a>]) -> Parts<'a> {
    let mut parts = Parts::default();
    for entry in entries {
        let adds = match entry.adds {
            Adds::Nothing => 0.0,
            Adds::Whole(n) => n as f64,
            Adds::Seconds(seconds) => seconds,
        };
        parts.add(entry.part, adds);
    }
    parts
}

/// The record of a row.
pub(crate) fn evidence(out: &mut Vec<u8>, (cell, period): (&dyn Display, Period), entry: &Entry<'_>) {
    let _ = write!(out, "{{\"kind\":\"evidence\",\"cell\":\"{cell}\",\"period\":{period},\"part\":");
    json::push_str(out, entry.part);
    match entry.adds {
        Adds::Nothing => out.extend_from_slice(b",\"adds\":0"),
        Adds::Whole(n) => out.extend_from_slice(format!(",\"adds\":{n}").as_bytes()),
        Adds::Seconds(s) => out.extend_from_slice(format!(",\"adds\":{s}").as_bytes()),
    }
    if !entry.who.is_empty() {
        out.extend_from_slice(b",\"who\":");
        json::push_str(out, &entry.who);
    }
    let kind = json::kind_of(entry.record).unwrap_or_default();
    out.extend_from_slice(b",\"source\":");
    json::push_str(out, &kind);
    // in the order of the kind, not of the record
    let mut found: Vec<(&str, &[u8])> = Vec::new();
    for member in json::Members::new(entry.record).map_while(Result::ok) {
        let Some(name) = name_of(member.key) else { continue };
        let value = entry.record.get(member.value.clone()).unwrap_or_default();
        if value != b"null" && !found.iter().any(|(known, _)| *known == name) {
            found.push((name, value));
        }
    }
    for column in Kind::Evidence.spec().columns {
        if let Some((name, value)) = found.iter().find(|(name, _)| *name == column.name) {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            out.extend_from_slice(value);
        }
    }
    out.extend_from_slice(b"}\n");
}
