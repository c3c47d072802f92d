//! Places of IPv6 addresses, kept in a file between runs: the hub's table of places has a number as
//! its key, which is too small for them.
//!
//! One line per address, with its values separated by tabs. The file is written as a whole or not
//! at all; a damaged line is ignored. Answers are valid as long as those in the table.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use kit::door;

use crate::geo_service::Place;

/// The file, in the folder for locks and state.
pub const FILE: &str = "places-ipv6.tsv";
/// How long an answer is valid, in seconds.
const LIFETIME_SECS: u64 = 90 * 86_400;
/// No more bytes than this are read: about half a million addresses.
const MAX_BYTES: u64 = 64 << 20;

/// Places by address, each with the second of its arrival.
#[derive(Debug)]
pub struct PlaceCache {
    path: PathBuf,
    now: u64,
    places: BTreeMap<Ipv6Addr, (Place, u64)>,
    changed: bool,
}

impl PlaceCache {
    /// Reads the file in `folder`; a missing file is an empty cache.
    ///
    /// # Errors
    /// The file exists but cannot be read.
    pub fn load(folder: &Path) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self::load_at(folder.join(FILE), now)
    }

    fn load_at(path: PathBuf, now: u64) -> Result<Self> {
        let text = match door::read(&path, MAX_BYTES) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        };
        let counts = |at: u64| at <= now && now - at < LIFETIME_SECS;
        let places = text.lines().filter_map(parse).filter(|(_, (_, at))| counts(*at)).collect();
        Ok(Self { path, now, places, changed: false })
    }

    /// What is known about an address.
    #[must_use]
    pub fn get(&self, ip: Ipv6Addr) -> Option<&Place> {
        self.places.get(&ip).map(|(place, _)| place)
    }

    /// Stores an answer that arrived now.
    pub fn put(&mut self, ip: Ipv6Addr, place: &Place) {
        self.places.insert(ip, (place.clone(), self.now));
        self.changed = true;
    }

    /// Writes the file, if anything is new.
    ///
    /// # Errors
    /// It cannot be written; the old one is then unchanged.
    pub fn save(&mut self) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            door::make_folder(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        let places = &self.places;
        kit::atomic_file(&self.path, |out| {
            for (ip, (place, at)) in places {
                let values = place.values().map(|value| value.replace(['\t', '\n', '\r'], " ")).join("\t");
                writeln!(out, "{ip}\t{at}\t{values}")?;
            }
            Ok(())
        })?;
        self.changed = false;
        Ok(())
    }
}

fn parse(line: &str) -> Option<(Ipv6Addr, (Place, u64))> {
    let mut values = line.split('\t');
    let ip = values.next()?.parse().ok()?;
    let at = values.next()?.parse().ok()?;
    let mut next = || values.next().map(str::to_owned);
    let place = Place {
        country: next()?,
        country_name: next()?,
        region: next()?,
        city: next()?,
        latitude: next()?,
        longitude: next()?,
    };
    values.next().is_none().then_some((ip, (place, at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_for_ninety_days() {
        let folder = tempfile::tempdir().unwrap();
        let path = || folder.path().join("state").join(FILE);
        let ip: Ipv6Addr = "2001:db8::1".parse().unwrap();
        let place = Place { country: "DE".to_owned(), city: "a\tb".to_owned(), ..Place::default() };
        let mut cache = PlaceCache::load_at(path(), 1_800_000_000).unwrap();
        assert_eq!(cache.get(ip), None);
        cache.put(ip, &place);
        cache.save().unwrap();
        let known = |after| PlaceCache::load_at(path(), 1_800_000_000 + after).unwrap().get(ip).cloned();
        assert_eq!(known(0), Some(Place { city: "a b".to_owned(), ..place }));
        assert!(known(LIFETIME_SECS - 1).is_some() && known(LIFETIME_SECS).is_none());
        let bad = ["", "x", "::1", "::1\t1", "::1\tx\ta\tb\tc\td\te\tf", "::2\t1800000000\ta\tb\tc\td\te"].join("\n");
        std::fs::write(path(), bad).unwrap();
        assert!(PlaceCache::load_at(path(), 1_800_000_000).unwrap().places.is_empty());
    }
}
