//! `hzmetrics migrate`: lists the migrations, records those that are already done, and applies the
//! rest.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use database::{Db, DbError, ErrorKind, Target, Which};
use kit::{Messages, door};

use super::changes::{self, Migration, Runner};
use super::hold::Held;
use super::ledger;

/// The options.
#[derive(Debug, Clone, Default)]
pub(crate) struct Migrate {
    /// Apply pending migrations.
    pub(crate) apply: bool,
    /// Only those that the stages need.
    pub(crate) required_only: bool,
    /// Change nothing, not even the ledger.
    pub(crate) dry_run: bool,
    /// Leave out the invisible keys, which the port's columns do not have; nodes of a cluster get them.
    pub(crate) as_port: bool,
    /// The lock file that prevents two processes from applying migrations.
    pub(crate) lock: Option<PathBuf>,
}

/// Takes the lock of all writers, where there can be one.
pub(crate) type Guard<'a> = &'a dyn Fn() -> Result<Held>;

/// Does it.
pub(crate) fn migrate(
    target: &Target,
    plan: &Migrate,
    messages: Messages,
    out: &mut dyn Write,
    guard: Guard<'_>,
    run: Runner<'_>,
) -> Result<()> {
    let mut db = open(target)?;
    let done = take_stock(&mut db, plan.dry_run)?;
    let all = changes::all();
    let written = (|| -> std::io::Result<()> {
        writeln!(out, "{:<4}  {:<9}  {:<11}  DESCRIPTION", "ID", "STATUS", "TYPE")?;
        writeln!(out, "{}", "-".repeat(80))?;
        for migration in &all {
            let status = if done.contains(&migration.id) { "applied" } else { "PENDING" };
            let kind = migration.kind();
            writeln!(out, "{:<4}  {status:<9}  {kind:<11}  {}", migration.id, migration.about())?;
        }
        out.flush()
    })();
    written.map_err(kit::not_written)?;
    let pending: Vec<&Migration> = all.iter().filter(|migration| !done.contains(&migration.id)).collect();
    if pending.is_empty() {
        messages.note("nothing is pending");
        return Ok(());
    }
    let required = pending.iter().filter(|migration| migration.is_required()).count();
    messages.note(format_args!(
        "{} pending: {required} required, {} optional",
        pending.len(),
        pending.len() - required
    ));
    for migration in pending.iter().filter(|migration| !plan.required_only || migration.is_required()) {
        for line in migration.costs(&mut db)? {
            messages.note(format_args!("[{}] {line}", migration.id));
        }
    }
    if !plan.apply {
        messages.note("`hzmetrics migrate --apply` applies them, with `--required-only` only the required ones");
        return Ok(());
    }
    apply(&mut db, plan, messages, guard, run)
}

fn open(target: &Target) -> Result<Db> {
    Db::connect(target, Which::Metrics).map_err(|error| {
        let missing = DbError::of(&error).is_some_and(|error| error.kind() == ErrorKind::NoDatabase);
        if missing { error.context("run `hzmetrics setup-db` first: it creates the database") } else { error }
    })
}

/// The numbers of those that are done: recorded in the ledger, or recognised in the database and
/// recorded now.
fn take_stock(db: &mut Db, dry_run: bool) -> Result<BTreeSet<u16>> {
    if !dry_run {
        ledger::ensure(db).context("creating the ledger of migrations")?;
    }
    let mut done = ledger::recorded(db)?;
    for migration in changes::all() {
        if !done.contains(&migration.id) && migration.is_done(db)? == Some(true) {
            if !dry_run {
                ledger::record(db, &migration)?;
            }
            done.insert(migration.id);
        }
    }
    Ok(done)
}

fn apply(db: &mut Db, plan: &Migrate, messages: Messages, guard: Guard<'_>, run: Runner<'_>) -> Result<()> {
    let _alone = match plan.lock.as_deref().map(lock).transpose()? {
        Some(OneApplier::Busy) => {
            messages.note("another migration is in progress, it will finish");
            return Ok(());
        }
        Some(OneApplier::Unguarded(why)) => {
            messages.note(format_args!("continuing without a lock: {why}"));
            None
        }
        Some(OneApplier::Held(file)) => Some(file),
        None => None,
    };
    let _writer = if plan.dry_run { Held::default() } else { guard()? };
    // whoever held the lock before may have done some
    let done = ledger::recorded(db)?;
    for migration in changes::all().iter().filter(|migration| !done.contains(&migration.id)) {
        migration.check_cluster(db)?;
    }
    for migration in changes::all() {
        if done.contains(&migration.id) || (plan.required_only && !migration.is_required()) {
            continue;
        }
        if migration.adds_invisible_columns() && plan.as_port && !db.is_cluster() {
            messages.note(format_args!("[{}] left out with --compat port", migration.id));
            continue;
        }
        // an earlier migration of this run may have done it too
        let seen = migration.is_done(db)? == Some(true);
        if plan.dry_run {
            if !seen {
                messages.note(format_args!("[{}] would: {}", migration.id, migration.about()));
            }
            continue;
        }
        if !seen {
            messages.note(format_args!("[{}] {}", migration.id, migration.about()));
            migration.apply(db, messages, run).map_err(|error| {
                let missing = DbError::of(&error).is_some_and(|e| e.kind() == ErrorKind::NoTable);
                let hint = if missing { " (`hzmetrics setup-db` creates missing tables)" } else { "" };
                error.context(format!("migration {} failed{hint}", migration.id))
            })?;
        }
        ledger::record(db, &migration)?;
    }
    Ok(())
}

/// Ensures that only one process migrates at a time.
enum OneApplier {
    Held(File),
    Busy,
    Unguarded(String),
}

/// Takes the lock without waiting. The empty file is left behind.
fn lock(path: &Path) -> Result<OneApplier> {
    let made = path.parent().map_or(Ok(()), door::make_folder);
    let opened = made.and_then(|()| door::open_or_create(path));
    Ok(match opened.with_context(|| format!("opening the lock {}", path.display())) {
        Ok(file) => match file.try_lock() {
            Ok(()) => OneApplier::Held(file),
            Err(TryLockError::WouldBlock) => OneApplier::Busy,
            Err(TryLockError::Error(e)) => OneApplier::Unguarded(e.to_string()),
        },
        Err(error) if door::is_in_the_way(&error) => return Err(error),
        Err(error) => OneApplier::Unguarded(format!("{error:#}")),
    })
}
