//! What is known about a hub now: records of runs, folders, lock, disks, and the contents of its
//! databases.
//!
//! Everything is read once. A part that cannot be read says why, and does not affect the others.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use database::address_changes::AddressChanges;
use database::ledger::Target;
use database::ledger::files::{self, Share};
use database::pruned::Pruned;
use database::{Db, Which};
use hub::health::Records;
use hub::lock::Holder;
use logs::discovery::{self, Stream};
use logs::refused::{self, Refused};
use rustix::fs::statvfs;
use schema::{Month, Stamp};

use crate::doctor::schedule::{self, Expected};
use crate::doctor::{self, Report};
use crate::hub::Hub;
use crate::pipeline::facts::{self, Published, ToCome};
use crate::pipeline::pending::{self, Dated, Pending};
use crate::pipeline::state::State;

/// A value, or why it is not known.
pub(crate) type Known<T> = std::result::Result<T, String>;

/// How the hub is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// For a person: odd files among the logs are reported.
    Once,
    /// Again and again, for a monitor: nothing is reported, and no query takes long.
    Often,
}

/// Seconds after which the server ends a query of a frequent look.
const LONGEST_QUERY: u32 = 5;

/// The logs of a stream.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) pending: Known<Vec<Dated>>,
    pub(crate) imported: Known<Vec<Dated>>,
}

/// A file system that files of the hub are on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Disk {
    /// What a file system holds.
    pub(crate) place: &'static str,
    pub(crate) folder: PathBuf,
    pub(crate) free: u64,
    pub(crate) size: u64,
    /// The smaller share of blocks and of files that are free, in per cent.
    pub(crate) free_percent: f64,
}

/// What the metrics database contains.
#[derive(Debug)]
pub(crate) struct OfDatabase {
    /// How long it took to connect.
    pub(crate) seconds: f64,
    pub(crate) state: State,
    /// Months with some periods only.
    pub(crate) incomplete: Known<Vec<Month>>,
    pub(crate) published: Known<Published>,
    pub(crate) to_come: Known<ToCome>,
    /// Months whose addresses are not those of the logs.
    pub(crate) addresses: Known<AddressChanges>,
    /// Months whose rows were removed.
    pub(crate) pruned: Known<Pruned>,
    /// What became of lines; `None` if the table for it does not exist.
    pub(crate) shares: Known<Option<BTreeMap<(String, Target), Share>>>,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Seconds since 1970.
    pub(crate) now: i64,
    pub(crate) today: Stamp,
    pub(crate) current: Month,
    pub(crate) records: Known<Records>,
    pub(crate) expected: Vec<Expected>,
    pub(crate) access: Logs,
    pub(crate) auth: Logs,
    pub(crate) refused: Known<Vec<Refused>>,
    pub(crate) lock: Option<Holder>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) metrics: Known<OfDatabase>,
    /// How long it took to connect to the hub's database.
    pub(crate) cms: Known<f64>,
}

/// Facts from outside the hub: cron, systemd, name servers.
pub(crate) struct Outside {
    pub(crate) schedule: Report,
    pub(crate) name_server: Report,
}

impl Outside {
    pub(crate) fn look(hub: &Hub) -> Self {
        Self {
            schedule: doctor::examine_one(hub, doctor::SCHEDULE),
            name_server: doctor::examine_one(hub, doctor::NAME_SERVER),
        }
    }
}

fn known<T>(result: Result<T>) -> Known<T> {
    result.map_err(|error| format!("{error:#}"))
}

impl Facts {
    /// Collects all facts once.
    ///
    /// # Errors
    /// The clock is set to an impossible time.
    pub(crate) fn look(hub: &Hub, look: Look) -> Result<Self> {
        let today = kit::today()?;
        let current = today.month().context("the clock is set to a year outside 0 to 9999")?;
        let (access, auth) = (logs(hub, Stream::Access, look), logs(hub, Stream::Auth, look));
        let paths = &hub.config.paths;
        Ok(Self {
            now: kit::seconds_since_1970()?,
            today,
            current,
            records: known(hub::health::read(paths).map_err(Into::into)),
            expected: schedule::expected(paths),
            refused: known(refused::list(&paths.staging())),
            lock: hub::lock::holder(&paths.pid_lock()),
            disks: disks(hub),
            metrics: known(of_database(hub, current, &access, &auth, look)),
            cms: known(cms(hub)),
            access,
            auth,
        })
    }

    /// Pending logs, as compared with the database.
    pub(crate) fn state(&self) -> Option<&State> {
        self.metrics.as_ref().ok().map(|found| &found.state)
    }
}

fn logs(hub: &Hub, stream: Stream, look: Look) -> Logs {
    let site = Some(hub.config.site.name.as_str());
    let pending = match look {
        Look::Once => pending::logs(hub, stream),
        Look::Often => pending::logs_in_silence(hub, stream),
    };
    let imported = discovery::flat(&hub.imported(stream), stream, site).map(pending::dated);
    Logs { pending: known(pending), imported: known(imported) }
}

/// The file systems of the folders, each once.
fn disks(hub: &Hub) -> Vec<Disk> {
    let paths = &hub.config.paths;
    let places = [
        ("web_logs", paths.web_logs()),
        ("cms_logs", paths.cms_logs()),
        ("staging", paths.staging()),
        ("state", paths.runtime()),
    ];
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for (place, folder) in places {
        let Some(disk) = disk(place, folder) else { continue };
        let device = std::fs::metadata(&disk.folder).map(|meta| std::os::unix::fs::MetadataExt::dev(&meta)).ok();
        if !seen.contains(&device) {
            seen.push(device);
            found.push(disk);
        }
    }
    found
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn disk(place: &'static str, folder: PathBuf) -> Option<Disk> {
    let stat = statvfs(&folder).ok().filter(|stat| stat.f_blocks > 0)?;
    let percent = |part: u64, of: u64| if of == 0 { 100.0 } else { part as f64 * 100.0 / of as f64 };
    // blocks reserved for root do not count
    let usable = stat.f_blocks.saturating_sub(stat.f_bfree.saturating_sub(stat.f_bavail));
    let free_percent = percent(stat.f_bavail, usable).min(percent(stat.f_favail, stat.f_files));
    Some(Disk { place, folder, free: stat.f_bavail * stat.f_frsize, size: usable * stat.f_frsize, free_percent })
}

fn cms(hub: &Hub) -> Result<f64> {
    let begun = Instant::now();
    hub.config.check()?;
    Db::connect(&hub.config.target(), Which::Hub)?;
    Ok(begun.elapsed().as_secs_f64())
}

fn of_database(hub: &Hub, current: Month, access: &Logs, auth: &Logs, look: Look) -> Result<OfDatabase> {
    let begun = Instant::now();
    let mut db = hub.db()?;
    let seconds = begun.elapsed().as_secs_f64();
    if look == Look::Often {
        // MySQL does not have this variable
        let _ = db.run(&format!("SET SESSION max_statement_time = {LONGEST_QUERY}"), ());
    }
    let pending = |logs: &Logs| logs.pending.clone().unwrap_or_default();
    let pending = Pending { access: pending(access), auth: pending(auth) };
    let state = State::read(&mut db)?;
    Ok(OfDatabase {
        seconds,
        incomplete: known(facts::incomplete(&mut db, current).map(|months| months.into_iter().collect())),
        published: known(Published::look(&mut db, &state.withheld, current)),
        to_come: known(ToCome::look(&mut db, &pending, current)),
        addresses: known(AddressChanges::read(&mut db)),
        pruned: known(Pruned::read(&mut db)),
        shares: known(shares(&mut db)),
        state,
    })
}

fn shares(db: &mut Db) -> Result<Option<BTreeMap<(String, Target), Share>>> {
    files::is_there(db)?.then(|| files::shares_by_day(db, "")).transpose()
}
