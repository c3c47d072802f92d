//! The archived logs of the months, and on which night each was imported.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use database::Db;
use hub::config::Paths;
use kit::door;
use logs::discovery::{self, Stream};
use schema::{Month, Stamp};

use super::months::Months;
use crate::hub::Hub;

/// How many days after its month a log may still hold requests of it: logs are named after the day of their rotation.
const DAYS_AFTER: i64 = 2;

/// When the crontab of the original scripts begins, in seconds after midnight.
const NIGHT: i64 = 600;

/// An archived log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archived {
    path: PathBuf,
    stream: Stream,
    /// The day in its name.
    day: Stamp,
    changed: SystemTime,
    bytes: u64,
}

impl Archived {
    /// Its name, and the same without the ending of a compressed file: the ledger has the one under which it was
    /// imported.
    fn names(&self) -> [String; 2] {
        [&self.path, &discovery::plain(&self.path)].map(|path| kit::path_text::base_name(path))
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn is_compressed(&self) -> bool {
        discovery::plain(&self.path) != self.path
    }

    /// The day of its import in a ledger.
    fn imported(&self, ledger: &BTreeMap<String, Stamp>) -> Option<Stamp> {
        self.names().iter().find_map(|name| ledger.get(name)).copied()
    }

    /// Whether it was imported before it was compressed.
    fn was_plain(&self, ledger: &BTreeMap<String, Stamp>) -> bool {
        let [name, plain] = self.names();
        name != plain && !ledger.contains_key(&name) && ledger.contains_key(&plain)
    }

    /// The first night after the last line was written.
    fn night(&self) -> Option<Stamp> {
        let since = self.changed.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let seconds = i64::try_from(since.as_secs()).ok()?;
        kit::day_of(seconds - NIGHT).map(|day| day.plus_days(1))
    }
}

/// The archived logs that may hold rows of the months.
///
/// # Errors
/// A folder cannot be read, or a month has no access log.
pub(super) fn find(hub: &Hub, months: Months) -> Result<Vec<Archived>> {
    let (from, to) = (months.first.start(), months.last.next().start().plus_days(DAYS_AFTER));
    let mut list = Vec::new();
    for stream in [Stream::Access, Stream::Auth] {
        let folder = hub.imported(stream);
        for name in door::list(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = folder.join(&name);
            let name = kit::path_text::base_name(&path);
            let day = discovery::date_of(&name).and_then(day);
            let Some(day) = day.filter(|day| from <= *day && *day < to) else { continue };
            if discovery::is_of(stream, Some(&hub.config.site.name), &name) {
                let meta =
                    std::fs::symlink_metadata(&path).with_context(|| format!("looking at {}", path.display()))?;
                list.push(Archived { changed: meta.modified()?, bytes: meta.len(), path, stream, day });
            }
        }
    }
    let is_there = |month: Month| list.iter().any(|log| log.stream == Stream::Access && log.day.month() == Some(month));
    if let Some(month) = months.all().find(|month| !is_there(*month)) {
        bail!("there is no access log of {month} in {}", hub.imported(Stream::Access).display());
    }
    list.sort_by(|a, b| (a.stream, &a.path).cmp(&(b.stream, &b.path)));
    Ok(list)
}

fn day(text: &str) -> Option<Stamp> {
    let part = |from, to| text.get(from..to)?.parse().ok();
    Stamp::new(text.get(..4)?.parse().ok()?, part(4, 6)?, part(6, 8)?, 0, 0, 0).filter(|day| day.is_calendar_day())
}

/// The logs by the night in which each was imported: that of the ledger, or the first after its last line.
pub(super) fn by_night(list: Vec<Archived>, ledger: &BTreeMap<String, Stamp>) -> BTreeMap<Stamp, Vec<Archived>> {
    let mut nights: BTreeMap<Stamp, Vec<Archived>> = BTreeMap::new();
    for log in list {
        let night = log.imported(ledger).or_else(|| log.night()).unwrap_or(log.day);
        nights.entry(night.midnight()).or_default().push(log);
    }
    nights
}

/// The days of import of the logs that a ledger of imports has from an import.
///
/// # Errors
/// The server fails.
pub(super) fn ledger(db: &mut Db, at: &str) -> Result<BTreeMap<String, Stamp>> {
    let mut days = BTreeMap::new();
    // other entries were found afterwards: their time is not that of the import, and they count the rows that are left
    let sql = format!("SELECT filename, MIN(imported_at) FROM {at} WHERE origin = 'importer' GROUP BY filename");
    db.each(&sql, (), |row| {
        days.extend(row.text(0).map(std::borrow::Cow::into_owned).zip(row.stamp(1)));
        Ok(())
    })?;
    Ok(days)
}

/// Logs of the months in the ledger that the archive does not have.
pub(super) fn missing(list: &[Archived], ledger: &BTreeMap<String, Stamp>, months: Months) -> Vec<String> {
    let names: BTreeSet<String> = list.iter().flat_map(Archived::names).collect();
    ledger.keys().filter(|name| is_of(name, months) && !names.contains(base(name))).cloned().collect()
}

/// Whether a ledger names logs of the months.
pub(super) fn knows(ledger: &BTreeMap<String, Stamp>, months: Months) -> bool {
    ledger.keys().any(|name| is_of(name, months))
}

/// The name of a log, without what tells its contents apart.
fn base(name: &str) -> &str {
    name.split('#').next().unwrap_or(name)
}

/// Whether an entry of the ledger is that of a log of the months.
pub(super) fn is_of(name: &str, months: Months) -> bool {
    let month = discovery::date_of(base(name)).and_then(day).and_then(Stamp::month);
    month.is_some_and(|month| months.has(month))
}

/// Copies logs to where new ones are expected, under the names and in the form that they had when they were imported.
///
/// # Errors
/// A log cannot be read, or the disk is full.
pub(super) fn put(list: &[Archived], ledger: &BTreeMap<String, Stamp>, paths: &Paths) -> Result<()> {
    for log in list {
        let from = if log.was_plain(ledger) { discovery::plain(&log.path) } else { log.path.clone() };
        let to = daily(paths, log.stream).join(from.file_name().context("a log without a name")?);
        let copy = || -> Result<()> {
            let archived = door::open(&log.path)?;
            let mut file = door::create_new(&to, 0o640)?;
            if log.was_plain(ledger) {
                io::copy(&mut kit::open_reader(archived)?, &mut file)?;
            } else {
                io::copy(&mut &archived, &mut file)?;
            }
            Ok(File::set_modified(&file, log.changed)?)
        };
        copy().with_context(|| format!("copying {}", log.path.display()))?;
    }
    Ok(())
}

/// Removes what is where new logs are expected.
///
/// # Errors
/// A log cannot be removed.
pub(super) fn remove(paths: &Paths) -> Result<()> {
    for folder in [Stream::Access, Stream::Auth].map(|stream| daily(paths, stream)) {
        for name in door::list(&folder)? {
            let path = folder.join(name);
            door::remove(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

fn daily(paths: &Paths, stream: Stream) -> PathBuf {
    let logs = match stream {
        Stream::Access => paths.web_logs(),
        Stream::Auth => paths.cms_logs(),
    };
    logs.join("daily")
}
