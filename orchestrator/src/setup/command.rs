//! The command lines of `setup-db` and `migrate`.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::ArgMatches;
use hub::config::Config;
use hub::lock::{Asked, HOLDER, Lock};
use kit::{Messages, Usage, door};
use schema::rights::{Account, Names};
use schema::tables::Engine;
use schema::{Exit, Opt};

use super::create::{Setup, setup_db};
use super::migrate::{Migrate, migrate};
use crate::cli::Assignment;
use crate::hub::{compat, variable};
use crate::shell::{Shell, Variables};

/// `hzmetrics setup-db`.
pub(crate) fn setup_command(matches: &ArgMatches, base: &[Assignment], messages: Messages) -> Result<u8> {
    let text = |name: &str| matches.get_raw(name).and_then(|mut values| values.next()).map(OsString::from);
    if let Some(account) = text("grants") {
        return print_grants(&account.to_string_lossy(), base);
    }
    let config = load(base)?;
    let engine = text("engine").map_or(Ok(Engine::InnoDb), |name| name.to_string_lossy().parse());
    let setup = Setup {
        dry_run: matches.get_flag("dry-run"),
        // the port creates empty tables, and what is loaded into them after it must not collide
        seed: !matches.get_flag("no-seed") && !compat(&config, &|name| variable(base, name))?.has(Opt::LpCli),
        engine: engine.map_err(Usage)?,
        domainclass: text("domainclass").map(Into::into),
    };
    let Held::Go(_lock) = hold(&config, !setup.dry_run, messages)? else { return Ok(Exit::Busy.code()) };
    setup_db(&config.target(), &setup, messages, &mut kit::Stdout::new())?;
    Ok(Exit::Done.code())
}

/// `hzmetrics setup-db --grants`: works before there is an account, and connects to nothing.
fn print_grants(account: &str, base: &[Assignment]) -> Result<u8> {
    let account: Account = account.parse().map_err(Usage)?;
    let config = hub::config::read(None, &|name| variable(base, name))?;
    config.check_names()?;
    let names = Names { hub: &config.hub_db, metrics: &config.metrics_db, prefix: &config.db_prefix };
    let text: String = names.grants(&account).iter().map(|grant| format!("{grant};\n")).collect();
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(kit::not_written)?;
    Ok(Exit::Done.code())
}

/// `hzmetrics migrate`.
pub(crate) fn migrate_command(matches: &ArgMatches, base: &[Assignment], messages: Messages) -> Result<u8> {
    let config = load(base)?;
    let asked = Migrate {
        apply: matches.get_flag("apply"),
        required_only: matches.get_flag("required-only"),
        dry_run: matches.get_flag("dry-run"),
        lock: Some(config.paths.migrate_lock()),
    };
    let mut variables = Variables::from_environment();
    for (name, value) in base {
        variables.export(name, OsString::from_vec(value.clone()));
    }
    variables.export(HOLDER, std::process::id().to_string().into());
    let mut shell = Shell::new("migrate", variables, messages)?;
    shell.hand_on(&config)?;
    let mut run = |args: &[&str]| shell.run_program("hzmetrics", args.iter().map(OsString::from).collect());
    let guard = || {
        Ok(match hold(&config, true, messages)? {
            Held::Go(lock) => Some(lock),
            Held::Busy => None,
        })
    };
    let code = migrate(&config.target(), &asked, messages, &mut kit::Stdout::new(), &guard, &mut run)?;
    Ok(code.code())
}

fn load(base: &[Assignment]) -> Result<Config> {
    hub::config::load(None, &|name| variable(base, name))
}

enum Held {
    /// Go on, with the lock or where there can be none.
    Go(Option<Lock>),
    Busy,
}

/// Takes the lock that every writer takes.
///
/// # Errors
/// Something else than a file lies in its place.
fn hold(config: &Config, writes: bool, messages: Messages) -> Result<Held> {
    if !writes {
        return Ok(Held::Go(None));
    }
    let path = config.paths.pid_lock();
    Ok(match Lock::ask(&path, Duration::ZERO) {
        Ok(Asked::Held(lock)) => Held::Go(Some(lock)),
        Ok(Asked::Inherited) => Held::Go(None),
        Ok(Asked::Busy(holder)) => {
            messages.error(busy(&path, holder));
            Held::Busy
        }
        Err(error) if door::is_in_the_way(&error) => return Err(error),
        // the folder of the lock is often made later than the database
        Err(error) => {
            messages.note(format_args!("going on without a lock: {error:#}"));
            Held::Go(None)
        }
    })
}

fn busy(path: &Path, holder: Option<u32>) -> String {
    match holder {
        Some(pid) => format!("process {pid} is writing to the databases ({}), try again later", path.display()),
        None => format!("somebody is writing to the databases ({}), try again later", path.display()),
    }
}
