//! The hub's table of places: the answers of the geo service, kept for ninety days.
//!
//! Its key column is a signed number, so addresses from 128.0.0.0 on have no row of their own: they
//! are never written here and are looked up in every run. Nor are IPv6 addresses; see
//! [`crate::place_cache`].

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use database::{Db, Value, Verb};
use schema::tables::quote;

use crate::geo_service::Place;

/// The table, without the hub's prefix.
pub const TABLE: &str = "metrics_ipgeo_cache";

/// How many days an answer is valid.
const DAYS: u32 = 90;
/// Addresses in one query.
const CHUNK: usize = 1000;
/// The columns of a [`Place`], in its order.
const COLUMNS: [&str; 6] = ["countrySHORT", "countryLONG", "ipREGION", "ipCITY", "ipLATITUDE", "ipLONGITUDE"];

/// What the table knows about these addresses (as numbers). `hub` is a session in the hub's
/// database. Coordinates are as printed by the server; a missing one is empty.
///
/// # Errors
/// The connection is lost, or there is no such table.
pub fn read(hub: &mut Db, numbers: &[u32]) -> Result<HashMap<u32, Place>> {
    let table = hub.prefixed(TABLE);
    let mut found = HashMap::new();
    let own: Vec<String> = numbers.iter().filter(|n| has_row(**n)).map(u32::to_string).collect();
    for chunk in own.chunks(CHUNK) {
        let sql = format!(
            "SELECT ip, {} FROM {table} WHERE ip IN ({}) AND DATEDIFF(CURDATE(), lookup_datetime) <= {DAYS}",
            COLUMNS.map(quote).join(", "),
            chunk.join(",")
        );
        let reading = hub.each(&sql, (), |row| {
            let text = |at| row.text(at).unwrap_or_default().into_owned();
            let place = Place {
                country: text(1),
                country_name: text(2),
                region: text(3),
                city: text(4),
                latitude: text(5),
                longitude: text(6),
            };
            if let Some(number) = row.uint(0).and_then(|n| u32::try_from(n).ok()) {
                found.insert(number, place);
            }
            Ok(())
        });
        reading.with_context(|| format!("reading {table}"))?;
    }
    Ok(found)
}

/// Stores places, except those of addresses without a row of their own. The caller leaves out
/// answers with "no country".
///
/// # Errors
/// The server refuses a row, or the connection is lost.
pub fn write<'p>(hub: &mut Db, places: impl IntoIterator<Item = (u32, &'p Place)>) -> Result<()> {
    let table = format!("{}{TABLE}", hub.target().prefix);
    let mut columns = vec!["ip"];
    columns.extend(COLUMNS);
    let mut insert = hub.insert(Verb::Update(&COLUMNS), &table, &columns);
    for (number, place) in places.into_iter().filter(|(n, _)| has_row(*n)) {
        let values = std::iter::once(Value::from(number)).chain(place.values().map(Value::from));
        insert.push(values)?;
    }
    insert.finish().with_context(|| format!("writing {table}"))?;
    Ok(())
}

fn has_row(number: u32) -> bool {
    i32::try_from(number).is_ok()
}

#[cfg(test)]
mod tests {
    use database::{Target, Which};
    use fixtures::db::{MODES, PASSWORD, pair};

    use super::*;

    fn place(country: &str, latitude: &str) -> Place {
        Place {
            country: country.to_owned(),
            latitude: latitude.to_owned(),
            longitude: "153.02809".to_owned(),
            ..Place::default()
        }
    }

    #[test]
    fn places_are_kept_unchanged_for_ninety_days() {
        for (engine, mode) in MODES {
            let Some(pair) = pair(engine, mode) else { return };
            let target =
                Target::at_socket(&pair.socket(), mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics);
            let mut hub = Db::connect(&target, Which::Hub).unwrap();
            let places = [
                (1, place("AU", "-27.46754")),
                (2, place("-", "-")),
                (3, place("XXL", "37")),
                (0x7FFF_FFFF, place("DE", "1")),
                (0x8000_0000, place("FR", "2")),
                (0xFFFF_FFFF, place("FR", "3")),
            ];
            for _ in 0..2 {
                write(&mut hub, places.iter().map(|(n, place)| (*n, place))).unwrap();
            }
            pair.sql(
                "USE hub;\n\
                 UPDATE jos_metrics_ipgeo_cache SET lookup_datetime = CURDATE() - INTERVAL 90 DAY WHERE ip = 1;\n\
                 UPDATE jos_metrics_ipgeo_cache SET lookup_datetime = CURDATE() - INTERVAL 91 DAY WHERE ip = 2147483647;\n\
                 INSERT INTO jos_metrics_ipgeo_cache (ip, ipLATITUDE) VALUES (5, NULL)",
            );
            assert_eq!(pair.value("SELECT COUNT(*) FROM {hub}.jos_metrics_ipgeo_cache").as_deref(), Some("5"));
            let numbers: Vec<u32> = (0..2500).chain(places.iter().map(|(n, _)| *n)).collect();
            let found = read(&mut hub, &numbers).unwrap();
            let mut keys: Vec<u32> = found.keys().copied().collect();
            keys.sort_unstable();
            assert_eq!(keys, [1, 2, 3, 5], "{engine:?} {mode:?}");
            assert_eq!(found[&1], place("AU", "-27.46754"));
            assert_eq!((found[&2].country.as_str(), found[&2].latitude.as_str()), ("-", "0"));
            assert_eq!((found[&3].country.as_str(), found[&3].latitude.as_str()), ("XX", "37"));
            assert_eq!(found[&5], Place::default());
            assert_eq!(read(&mut hub, &[]).unwrap().len(), 0);
        }
    }
}
