//! Folders and databases of a hub: made when they are missing (`init`, and every run of the web
//! server's user), and looked at (`doctor`).

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Result;
use kit::db::{Db, ErrorKind, Which};
use kit::lock::Busy;
use kit::{Messages, Usage};
use schema::{Opt, tables};

use super::others::{self, Scheduled};
use crate::hub::Hub;
use crate::setup;

/// Who may set things up by itself: the users that web servers run as.
const SERVICE_USERS: [&str; 2] = ["apache", "www-data"];

/// Makes what is missing, when the web server's user runs us; anybody else changes nothing.
///
/// # Errors
/// The site has no name, a folder or the database cannot be made ([`Usage`]), a migration fails.
pub(crate) fn self_bootstrap(hub: &Hub) -> Result<()> {
    let passwd = fs::read_to_string(hub.config.paths.at("/etc/passwd")).unwrap_or_default();
    let user = user_name(&passwd, rustix::process::geteuid().as_raw());
    if user.is_some_and(|user| SERVICE_USERS.contains(&user)) { bootstrap(hub) } else { Ok(()) }
}

/// The name of a user, from the text of `/etc/passwd`.
fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

fn bootstrap(hub: &Hub) -> Result<()> {
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

/// Where files of ours are, the parents first.
fn folders(hub: &Hub) -> Vec<PathBuf> {
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

fn make_folders(hub: &Hub) -> Result<()> {
    for folder in folders(hub) {
        if folder.is_dir() {
            continue;
        }
        fs::create_dir_all(&folder).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => "; once as root: make it, owned by the web server's user",
                _ => "",
            };
            Usage(format!("cannot make {}: {error}{hint}", folder.display()))
        })?;
        hub.log.info(format_args!("[bootstrap] created {}", folder.display()));
    }
    Ok(())
}

/// What a database lacks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lacks {
    database: bool,
    tables: Vec<&'static str>,
    migrations: setup::Unrecorded,
}

impl Lacks {
    /// # Errors
    /// The server cannot be reached.
    fn look(hub: &Hub) -> Result<Self> {
        hub.config.check()?;
        let mut lacks = Self::default();
        let mut db = match Db::connect(&hub.config.target(), Which::Metrics) {
            Ok(db) => db,
            Err(error) if error.kind() == ErrorKind::NoDatabase => return Ok(Self { database: true, ..lacks }),
            Err(error) => return Err(error.into()),
        };
        for table in tables::METRICS {
            if !db.has_table(table.name)? {
                lacks.tables.push(table.name);
            }
        }
        lacks.migrations = setup::unrecorded(&mut db)?;
        Ok(lacks)
    }
}

/// Tables of the CMS that the stages write to, without prefix.
const OF_CMS: [&str; 5] =
    ["session_geo", "resource_stats", "resource_stats_tools", "resource_stats_tools_topvals", "stats_topvals"];

/// Which of these the hub's database does not have; with their prefix.
///
/// # Errors
/// The server or the database cannot be reached.
fn missing_of_cms(hub: &Hub) -> Result<Vec<String>> {
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

/// Makes the database, its tables and the required changes; nothing when all is there.
fn make_database(hub: &Hub) -> Result<()> {
    let lacks = Lacks::look(hub).map_err(|error| Usage(format!("{error:#}")))?;
    if lacks == Lacks::default() {
        return Ok(());
    }
    let lock = match hub.lock(true) {
        Ok(lock) => lock,
        // somebody is at work there, so there is something to work with
        Err(error) if error.is::<Busy>() => return Ok(()),
        Err(error) => return Err(error),
    };
    let target = hub.config.target();
    let messages = Messages::new("hzmetrics", true);
    let seed = !hub.compat.has(Opt::LpCli);
    if lacks.database || !lacks.tables.is_empty() {
        hub.log.info(format_args!("[bootstrap] making the tables of {}", target.metrics_db));
        setup::make(&target, seed, messages).map_err(|error| Usage(format!("{error:#}")))?;
    }
    let mut shell = hub.shell(lock.as_ref())?;
    let mut run = |args: &[&str]| shell.run_program("hzmetrics", args.iter().map(std::ffi::OsString::from).collect());
    setup::bring_up_to_date(&target, hub.config.paths.migrate_lock(), messages, &mut run)
}

/// `hzmetrics init`.
pub(crate) fn init(hub: &Hub) -> Result<u8> {
    bootstrap(hub)?;
    hub.log.info("[init] done: folders, database and tables are there; the cron line is next");
    Ok(0)
}

/// `hzmetrics doctor`: the text for standard output, and the exit code.
pub(crate) fn doctor(hub: &Hub, fix: bool) -> Result<(String, u8)> {
    let mut report = Report::default();
    let config = &hub.config;
    report.line(config.site.explicit, || {
        if config.site.explicit {
            format!("site: {}", config.site.name)
        } else {
            format!("site: no line `site = NAME` in {} (not repaired by --fix)", config.paths.hubzero_conf().display())
        }
    });
    let missing: Vec<&str> = [
        ("host", config.db_host.is_empty()),
        ("user", config.db_user.is_empty()),
        ("password", config.db_pass.reveal().is_empty()),
        ("metrics_db", config.metrics_db.is_empty()),
    ]
    .into_iter()
    .filter_map(|(key, is_missing)| is_missing.then_some(key))
    .collect();
    let has_credentials = missing.is_empty();
    report.line(has_credentials, || match &config.file {
        None => "configuration: there is none (not repaired by --fix)".to_owned(),
        Some(file) if has_credentials => format!("configuration: {}", file.display()),
        Some(file) => format!("configuration: {} lacks {} (not repaired by --fix)", file.display(), missing.join(", ")),
    });
    let repairs = fix && config.site.explicit;
    if repairs && let Err(error) = make_folders(hub) {
        hub.log.error(format_args!("{error:#}"));
    }
    for folder in folders(hub) {
        let state = folder_state(&folder);
        report.line(state.is_none(), || match state {
            None => format!("folder: {}", folder.display()),
            Some(problem) => format!("folder: {} {problem}", folder.display()),
        });
    }
    report.others(hub);
    if has_credentials {
        if repairs && let Err(error) = make_database(hub) {
            hub.log.error(format_args!("{error:#}"));
        }
        report.database(hub);
    }
    let code = u8::from(report.n_problems > 0);
    let last = match report.n_problems {
        0 => "all is well".to_owned(),
        n if fix => format!("{n} problem(s) left"),
        n => format!("{n} problem(s); --fix makes folders and tables"),
    };
    let _ = writeln!(report.text, "{last}");
    Ok((report.text, code))
}

/// What is wrong with a folder.
fn folder_state(folder: &std::path::Path) -> Option<&'static str> {
    use rustix::fs::{Access, access};
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some("cannot be looked at"),
        Ok(found) if found.is_dir() => access(folder, Access::WRITE_OK).err().map(|_| "cannot be written to"),
        Ok(_) => Some("is no folder"),
        Err(_) => Some("is missing"),
    }
}

#[derive(Default)]
struct Report {
    text: String,
    n_problems: usize,
}

impl Report {
    fn line(&mut self, is_ok: bool, text: impl FnOnce() -> String) {
        self.n_problems += usize::from(!is_ok);
        let _ = writeln!(self.text, "{:<4}  {}", if is_ok { "OK" } else { "FAIL" }, text());
    }

    /// Programs that would write what we write.
    fn others(&mut self, hub: &Hub) {
        let paths = &hub.config.paths;
        let crontabs = others::Crontabs::read(paths);
        for Scheduled { place, program } in &crontabs.lines {
            self.line(false, || {
                format!("cron: {place} still starts {program}, which writes the same tables: take the line out")
            });
        }
        let unread: Vec<String> = crontabs.unreadable.iter().map(|path| path.display().to_string()).collect();
        if crontabs.lines.is_empty() {
            self.line(true, || match unread.as_slice() {
                [] => "cron: no line starts the original scripts or the port".to_owned(),
                unread => format!(
                    "cron: no line starts the original scripts or the port; not ours to read (ask again as root): {}",
                    unread.join(", ")
                ),
            });
        }
        if let Err(others) = others::nobody_at_work(paths) {
            self.line(false, || format!("at work: {others}"));
        }
        for (path, age) in others::staged(paths) {
            self.line(false, || {
                format!(
                    "staging: {} was left there {} hour(s) ago by the original scripts and never imported (`hzmetrics \
                     import-logs` loads it; remove it when its logs still lie in daily/)",
                    path.display(),
                    age.as_secs() / 3600
                )
            });
        }
    }

    fn database(&mut self, hub: &Hub) {
        let name = &hub.config.metrics_db;
        let lacks = match Lacks::look(hub) {
            Err(error) => return self.line(false, || format!("database: {error:#}")),
            Ok(lacks) => lacks,
        };
        self.line(!lacks.database, || {
            if lacks.database { format!("database: {name} does not exist") } else { format!("database: {name}") }
        });
        if lacks.database {
            return;
        }
        self.line(lacks.tables.is_empty(), || match lacks.tables.as_slice() {
            [] => "tables: all there".to_owned(),
            missing => format!("tables: {} missing: {}", missing.len(), missing.join(", ")),
        });
        if !hub.compat.has(Opt::LpCli) {
            match missing_of_cms(hub) {
                Err(error) => self.line(false, || format!("database of the hub: {error:#}")),
                Ok(missing) => self.line(missing.is_empty(), || match missing.as_slice() {
                    [] => "tables of the CMS: all there that are written to".to_owned(),
                    missing => format!(
                        "tables of the CMS: {} missing in {}: {} (they come with the CMS; not repaired by --fix)",
                        missing.len(),
                        hub.config.hub_db,
                        missing.join(", ")
                    ),
                }),
            }
        }
        self.line(lacks.migrations.required.is_empty(), || match lacks.migrations.required.as_slice() {
            [] => "migrations: up to date".to_owned(),
            pending => {
                let numbers: Vec<String> = pending.iter().map(u16::to_string).collect();
                format!("migrations: {} required are pending: {}", pending.len(), numbers.join(", "))
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_users() {
        let passwd = "root:x:0:0::/root:/bin/sh\n# a comment\nbroken\napache:x:48:48:Apache:/:/sbin/nologin\n";
        assert_eq!(user_name(passwd, 48), Some("apache"));
        assert_eq!(user_name(passwd, 0), Some("root"));
        assert_eq!(user_name(passwd, 4), None);
        assert_eq!(user_name("", 0), None);
    }
}
