//! Folders and databases of a hub, created if they are missing: by `init`, by every run as the web
//! server's user, and by `doctor --fix`.

use std::io;
use std::path::PathBuf;

use anyhow::Result;
use database::{Db, DbError, ErrorKind, Which};
use kit::door::{self, named};
use kit::{Messages, Usage};
use schema::{Opt, tables};

use crate::accounts::name_of;
use crate::hub::Hub;
use crate::setup;

/// The users that web servers run as: only they set up a hub automatically.
const SERVICE_USERS: [&str; 2] = ["apache", "www-data"];

/// Creates what is missing, if the web server's user runs us; otherwise changes nothing.
///
/// # Errors
/// The site has no name, a folder or the database cannot be created ([`Usage`]), a migration fails.
pub(crate) fn bootstrap_as_service(hub: &Hub) -> Result<()> {
    let passwd = named::read_to_string(&hub.config.paths.at("/etc/passwd")).unwrap_or_default();
    let user = name_of(&passwd, rustix::process::geteuid().as_raw());
    if user.is_some_and(|user| SERVICE_USERS.contains(&user)) { bootstrap(hub) } else { Ok(()) }
}

/// Creates what is missing.
///
/// # Errors
/// Those of the function above.
pub(crate) fn bootstrap(hub: &Hub) -> Result<()> {
    if !hub.config.site.explicit {
        let conf = hub.config.paths.hubzero_conf();
        let text = format!(
            "the site has no name: {} needs a line `site = NAME`, which log files begin with; nothing was touched",
            conf.display()
        );
        return Err(Usage(text).into());
    }
    make_folders(hub)?;
    make_database(hub)
}

/// The folders of our own files, parents first.
pub(crate) fn folders(hub: &Hub) -> Vec<PathBuf> {
    let paths = &hub.config.paths;
    let (home, runtime) = (paths.home(), paths.runtime());
    let mut list = Vec::new();
    if runtime.starts_with(&home) {
        list.extend([home.clone(), home.join("bin"), home.join("conf")]);
    }
    list.extend([runtime, paths.staging()]);
    for logs in [paths.cms_logs(), paths.web_logs()] {
        list.extend([logs.join("daily"), logs.join("imported")]);
    }
    list
}

pub(crate) fn make_folders(hub: &Hub) -> Result<()> {
    for folder in folders(hub) {
        if folder.is_dir() {
            continue;
        }
        door::make_folder(&folder).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => "; create it once as root, owned by the web server's user",
                _ => "",
            };
            Usage(format!("cannot create {}: {error}{hint}", folder.display()))
        })?;
        hub.log.info(format_args!("[bootstrap] created {}", folder.display()));
    }
    Ok(())
}

/// What a database lacks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct MissingParts {
    pub(crate) database: bool,
    pub(crate) tables: Vec<&'static str>,
    pub(crate) migrations: setup::PendingChanges,
}

impl MissingParts {
    /// # Errors
    /// The server cannot be reached.
    pub(crate) fn look(hub: &Hub) -> Result<Self> {
        hub.config.check()?;
        let mut missing = Self::default();
        let mut db = match Db::connect(&hub.config.target(), Which::Metrics) {
            Ok(db) => db,
            Err(error) if DbError::of(&error).is_some_and(|error| error.kind() == ErrorKind::NoDatabase) => {
                return Ok(Self { database: true, ..missing });
            }
            Err(error) => return Err(error),
        };
        for table in tables::METRICS {
            if !db.has_table(table.name)? {
                missing.tables.push(table.name);
            }
        }
        missing.migrations = setup::unrecorded(&mut db)?;
        Ok(missing)
    }
}

/// Tables of the CMS that the stages write to, without prefix.
const OF_CMS: [&str; 5] =
    ["session_geo", "resource_stats", "resource_stats_tools", "resource_stats_tools_topvals", "stats_topvals"];

/// Which of these the hub's database lacks; with their prefix.
///
/// # Errors
/// The server or the database cannot be reached.
pub(crate) fn missing_of_cms(hub: &Hub) -> Result<Vec<String>> {
    let mut db = Db::connect(&hub.config.target(), Which::Hub)?;
    let mut missing = Vec::new();
    for name in OF_CMS {
        let name = format!("{}{name}", hub.config.db_prefix);
        if !db.has_table(&name)? {
            missing.push(name);
        }
    }
    Ok(missing)
}

/// Creates the database, its tables and applies the required migrations; nothing if all are there.
pub(crate) fn make_database(hub: &Hub) -> Result<()> {
    let missing = MissingParts::look(hub).map_err(|error| Usage(format!("{error:#}")))?;
    if missing == MissingParts::default() {
        return Ok(());
    }
    // if another run is in progress, the database exists
    let Ok(lock) = hub.try_lock(true)? else { return Ok(()) };
    let target = hub.config.target();
    let messages = Messages::new("hzmetrics", true);
    let as_port = hub.compat.has(Opt::LpCli);
    if missing.database || !missing.tables.is_empty() {
        hub.log.info(format_args!("[bootstrap] creating the tables of {}", target.metrics_db));
        setup::make(&target, as_port, messages).map_err(|error| Usage(format!("{error:#}")))?;
    }
    let mut shell = hub.shell(lock.as_ref())?;
    let mut run = |args: &[&str]| shell.run_program("hzmetrics", args.iter().map(std::ffi::OsString::from).collect());
    setup::bring_up_to_date(&target, hub.config.paths.migrate_lock(), messages, &mut run)
}
