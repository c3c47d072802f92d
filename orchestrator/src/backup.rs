//! A backup of what this program keeps in the databases: the metrics database as a whole, and the tables of the
//! hub's database that we write. For `backup` and `restore`.
//!
//! The work is done by the programs of the server. Logs, the configuration and what belongs to the CMS are not part
//! of it.

mod client;
mod dump;
mod load;
mod manifest;
mod places;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use database::{Db, Which};
use kit::door;

use crate::hub::Hub;
use crate::pipeline::decisions;
use dump::Dump;
pub(crate) use load::{Restore, restore};
use manifest::{METRICS, Manifest};

/// How the names of backups begin.
const HEAD: &str = "hzmetrics-";

/// The archives of the hub's database.
const OF_HUB: &str = "hub.sql.zst";
const CACHE: &str = "hub-cache.sql.zst";

/// Makes a backup in a new folder in `into`, and returns it. The caller holds the lock of all writers.
///
/// # Errors
/// A server, a program or the disk fails.
pub(crate) fn backup(hub: &Hub, into: &Path) -> Result<PathBuf> {
    let target = places::server(&hub.config.target(), Which::Metrics)?;
    let day = decisions::day(kit::today()?).replace('-', "");
    let time = kit::seconds_since_1970()?;
    let folder = into.join(format!("{HEAD}{day}-{time}"));
    door::make_one_folder(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut archives = Vec::new();
    let mut db = Db::connect(&target, Which::Metrics)?;
    let tables = places::of_metrics(&mut db)?;
    let is_transactional = places::are_transactional(&mut db, &tables)?;
    let mut dump = |which, tables: &[String], is_transactional, name, options: &[&str]| -> Result<()> {
        if !tables.is_empty() {
            hub.log.info(format_args!(
                "[backup] {}: {}",
                target.database(which),
                kit::counted(tables.len(), "table", "tables")
            ));
            let database = target.database(which);
            archives.push(Dump { target: &target, database, tables, name, is_transactional, options }.write(&folder)?);
        }
        Ok(())
    };
    dump(Which::Metrics, &tables, is_transactional, METRICS, &[])?;
    let mut db = Db::connect(&target, Which::Hub)?;
    let (erasable, others): (Vec<_>, Vec<_>) = places::of_hub(&mut db)?.into_iter().partition(|(_, may)| *may);
    // these tables belong to the CMS: rows only; those of a cache are added to what is there
    let rows = ["--no-create-info", "--complete-insert"];
    for (list, name, more) in [(erasable, OF_HUB, None), (others, CACHE, Some("--insert-ignore"))] {
        let tables: Vec<String> = list.into_iter().map(|(name, _)| name).collect();
        let options: Vec<&str> = rows.into_iter().chain(more).collect();
        dump(Which::Hub, &tables, places::are_transactional(&mut db, &tables)?, name, &options)?;
    }
    let manifest = Manifest {
        time,
        metrics_db: target.metrics_db.clone(),
        hub_db: target.hub_db.clone(),
        prefix: target.prefix.clone(),
        archives,
    };
    manifest.write(&folder)?;
    let bytes: u64 = manifest.archives.iter().map(|archive| archive.bytes).sum();
    hub.log.info(format_args!("[backup] {}: {} bytes", folder.display(), kit::grouped(bytes)));
    Ok(folder)
}

/// Removes all but the `n_kept` newest complete backups of this hub in a folder; other folders stay. Returns how many
/// bytes that frees, or would free if it `is_dry`.
///
/// # Errors
/// One cannot be removed.
pub(crate) fn remove_old(hub: &Hub, within: &Path, n_kept: usize, is_dry: bool) -> Result<u64> {
    let target = hub.config.target();
    let mut found: Vec<(i64, PathBuf, Manifest)> = Vec::new();
    for name in door::list(within).with_context(|| format!("reading {}", within.display()))? {
        let path = within.join(&name);
        if name.to_string_lossy().starts_with(HEAD)
            && let Ok(manifest) = Manifest::read(&path)
            && (&manifest.metrics_db, &manifest.hub_db) == (&target.metrics_db, &target.hub_db)
        {
            found.push((manifest.time, path, manifest));
        }
    }
    found.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    let mut bytes = 0;
    for (_, path, manifest) in found.into_iter().skip(n_kept) {
        bytes += manifest.archives.iter().map(|archive| archive.bytes).sum::<u64>();
        if is_dry {
            hub.log.info(format_args!("[backup] [dry-run] would remove {}", path.display()));
            continue;
        }
        // without this file it is not a backup any more
        let names =
            std::iter::once(manifest::NAME).chain(manifest.archives.iter().map(|archive| archive.name.as_str()));
        for name in names {
            door::remove(&path.join(name)).with_context(|| format!("removing {}", path.join(name).display()))?;
        }
        door::remove_one_folder(&path).with_context(|| format!("removing {}", path.display()))?;
        hub.log.info(format_args!("[backup] removed {}", path.display()));
    }
    Ok(bytes)
}
