//! `hzmetrics import` and `hzmetrics import-apache`: pending logs into the tables, a transaction a
//! file, and each file to `imported/` once it is committed.
//!
//! The data work is that of `import-logs --to db`; here is which files, in which order, and where
//! they go afterwards.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ArgMatches;
use kit::discovery::Stream;
use kit::hub_data::{self, Structure};
use kit::lock::Lock;
use schema::Opt;

use crate::hub::Hub;
use crate::pending::{self, Pending};
use crate::shell::Shell;

/// Which logs.
enum Selected {
    Next,
    /// `YYYY-MM`.
    Month(String),
    /// `YYYY-MM-DD`.
    Day(String),
}

/// `hzmetrics import`.
pub(crate) fn import(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let selected = if matches.get_flag("next") {
        Selected::Next
    } else if let Some(month) = given("month") {
        Selected::Month(month)
    } else if let Some(day) = given("day") {
        Selected::Day(day)
    } else {
        hub.log.error("say which logs: --next, --month or --day");
        return Ok(1);
    };
    let (force, dry_run) = (matches.get_flag("force"), matches.get_flag("dry-run"));
    let lock = hub.lock(!dry_run)?;
    let pending = Pending::look(hub)?;
    let (days, what) = match selected {
        Selected::Next => {
            let Some(first) = pending.days("").into_iter().next() else {
                hub.log.info("nothing is pending in daily/");
                return Ok(0);
            };
            let month = first.get(..6).unwrap_or_default().to_owned();
            (pending.days(&month), shown(&month))
        }
        Selected::Month(month) => {
            let days = pending.days(&month.replace('-', ""));
            if days.is_empty() {
                hub.log.info(format_args!("no pending days in daily/ for {month}"));
                return Ok(0);
            }
            (days, month)
        }
        Selected::Day(day) => (vec![day.replace('-', "")], day),
    };
    let first = days.first().map(String::as_str).unwrap_or_default();
    if !force && out_of_order(hub, &pending, first)? {
        return Ok(1);
    }
    let would = if dry_run { "[dry-run] would import" } else { "importing" };
    hub.log.info(format_args!("{would} {} day(s) for {what}", days.len()));
    let mut importer = Importer { hub, lock: lock.as_ref() };
    for day in &days {
        let _step = hub.log.step(format!("import-day {day}"));
        importer.day(&pending, day, dry_run)?;
    }
    hub.log.info(">>> done");
    Ok(0)
}

/// `202507` as `2025-07`.
fn shown(month: &str) -> String {
    month.split_at_checked(4).map_or_else(|| month.to_owned(), |(year, month)| format!("{year}-{month}"))
}

/// Whether a day is not the next one to be imported; says why.
pub(crate) fn out_of_order(hub: &Hub, pending: &Pending, day: &str) -> Result<bool> {
    if let Some(oldest) = pending.access.first().map(|log| log.day.as_str()).filter(|oldest| day > *oldest) {
        hub.log.error(format_args!("{day} is not the oldest pending day"));
        hub.log.error(format_args!("  oldest pending: {oldest}; --force goes ahead all the same"));
        return Ok(true);
    }
    if let Some(last) = pending::last_imported(hub)?.filter(|last| day < last.as_str()) {
        hub.log.error(format_args!("{day} is older than the most recently imported log ({last})"));
        hub.log.error("  --force goes ahead all the same");
        return Ok(true);
    }
    Ok(false)
}

/// What became of a file.
struct Loaded {
    rows: u64,
    rejected: u64,
}

/// Imports files one by one.
pub(crate) struct Importer<'h> {
    pub(crate) hub: &'h Hub,
    pub(crate) lock: Option<&'h Lock>,
}

impl Importer<'_> {
    /// The logs of a day; how many rows are new.
    ///
    /// # Errors
    /// A log cannot be imported; those after it are not tried.
    pub(crate) fn day(&mut self, pending: &Pending, day: &str, dry_run: bool) -> Result<u64> {
        let mut rows = 0;
        let mut streams = [(Stream::Access, false), (Stream::Auth, false)];
        for (stream, log) in pending.of_day(day) {
            for (_, seen) in streams.iter_mut().filter(|(known, _)| *known == stream) {
                *seen = true;
            }
            if dry_run {
                self.hub.log.info(format_args!("    [dry-run] would import: {}", log.path.display()));
            } else {
                rows += self.file(&log.path, stream)?;
            }
        }
        for (stream, _) in streams.iter().filter(|(_, seen)| dry_run && !seen) {
            self.hub.log.info(format_args!("    [dry-run] WARNING: no {} log found for {day}", stream.name()));
        }
        Ok(rows)
    }

    /// One file, then its move to `imported/`; how many rows are new. A move that fails is a
    /// warning: the rows are committed, and the next run knows.
    ///
    /// # Errors
    /// It cannot be imported.
    pub(crate) fn file(&mut self, path: &Path, stream: Stream) -> Result<u64> {
        let loaded = self.load(path, stream).with_context(|| format!("importing {}", path.display()))?;
        let imported = match stream {
            Stream::Access => self.hub.imported_web(),
            Stream::Auth => self.hub.imported_cms(),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match &loaded {
            Some(Loaded { rows, rejected: 0 }) => self.hub.log.info(format_args!("    {name}: {rows} rows")),
            Some(Loaded { rows, rejected }) => {
                self.hub.log.info(format_args!("    {name}: {rows} rows, {rejected} lines not understood"));
            }
            None => self.hub.log.info(format_args!("    {name}: already committed by prior run")),
        }
        match move_into(path, &imported) {
            Ok(at) => self.hub.log.info(format_args!("  -> {}", at.display())),
            Err(e) => self.hub.log.warning(format_args!(
                "{name} is committed but could not be moved to {}: {e}; the next run tries again",
                imported.display()
            )),
        }
        Ok(loaded.map_or(0, |loaded| loaded.rows))
    }

    /// The rows of one file; `None` when an earlier run committed it.
    fn load(&self, path: &Path, stream: Stream) -> Result<Option<Loaded>> {
        fs::metadata(path)?;
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let receipts = folder.path().join("receipts");
        let mut shell: Shell = self.hub.shell(self.lock)?;
        shell.variables.set("STREAM", stream.name().into());
        shell.variables.set("LOG", path.into());
        shell.variables.set("RECEIPTS", receipts.as_os_str().to_owned());
        let code = shell.run(b"import-logs --quiet --to db --raw $STREAM -- \"$LOG\" > \"$RECEIPTS\"\n")?;
        if code != 0 {
            bail!("import-logs did not do it (exit code {code}); its own message says why, and what is to do");
        }
        let text = fs::read_to_string(&receipts).context("reading the receipt")?;
        let receipt = text.lines().rev().find_map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            (value.get("kind")? == "receipt").then_some(value)
        });
        let receipt = receipt.context("import-logs gave no receipt")?;
        let is_new = receipt.get("already").is_none();
        let number = |name| receipt.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        Ok(is_new.then(|| Loaded { rows: number("rows"), rejected: number("rejected") }))
    }
}

/// `hzmetrics import-apache FILE`.
pub(crate) fn import_apache(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let file = matches.get_raw("FILE").and_then(|mut values| values.next()).map(PathBuf::from).unwrap_or_default();
    if matches.get_flag("dry-run") {
        hub.log.info(format_args!("[import-apache] [dry-run] would import {}", file.display()));
        return Ok(0);
    }
    let lock = hub.lock(true)?;
    // `-` is the name of a file here
    let file = if file.as_os_str() == "-" { PathBuf::from("./-") } else { file };
    Importer { hub, lock: lock.as_ref() }.file(&file, Stream::Access)?;
    Ok(0)
}

/// `hzmetrics import-hub-data`.
pub(crate) fn hub_data(hub: &Hub, matches: &ArgMatches) -> Result<u8> {
    let dry_run = matches.get_flag("dry-run");
    hub.config.check()?;
    let _lock = hub.lock(!dry_run)?;
    let structure = if hub.compat.has(Opt::LpCli) { Structure::Prefixed } else { Structure::Jos };
    let done = hub_data::import(&hub.config.target(), structure, dry_run)?;
    let would = if dry_run { "[dry-run] would copy " } else { "" };
    hub.log.info(format_args!(
        "[import-hub-data] {would}{} new tool sessions, {} users with a confirmed address",
        done.sessions, done.profiles
    ));
    Ok(0)
}

/// Moves a file into a folder under its own name, over what is there.
fn move_into(path: &Path, folder: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let to = folder.join(path.file_name().unwrap_or_default());
    let source = fs::metadata(path)?;
    if fs::metadata(&to).is_ok_and(|there| (there.dev(), there.ino()) == (source.dev(), source.ino())) {
        // a rename of two names of one file leaves both
        if fs::canonicalize(path)? != fs::canonicalize(&to)? {
            fs::remove_file(path)?;
        }
        return Ok(to);
    }
    match fs::rename(path, &to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
            let scratch = tempfile::NamedTempFile::new_in(folder)?;
            fs::copy(path, scratch.path())?;
            scratch.as_file().set_modified(source.modified()?)?;
            scratch.as_file().sync_all()?;
            scratch.persist(&to)?;
            fs::remove_file(path)?;
            Ok(to)
        }
        moved => moved.map(|()| to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_moves_under_its_own_name() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("x.gz"), "new").unwrap();
        assert_eq!(move_into(&at("x.gz"), &at("imported")).unwrap(), at("imported/x.gz"));
        assert!(!at("x.gz").exists());
        // what is there is replaced
        fs::write(at("x.gz"), "newer").unwrap();
        move_into(&at("x.gz"), &at("imported")).unwrap();
        assert_eq!(fs::read_to_string(at("imported/x.gz")).unwrap(), "newer");
        // a second name of the same file goes
        fs::hard_link(at("imported/x.gz"), at("x.gz")).unwrap();
        move_into(&at("x.gz"), &at("imported")).unwrap();
        assert!(!at("x.gz").exists() && at("imported/x.gz").exists());
        // where it is already it stays
        move_into(&at("imported/x.gz"), &at("imported")).unwrap();
        assert_eq!(fs::read_to_string(at("imported/x.gz")).unwrap(), "newer");
        assert!(move_into(&at("none"), &at("imported")).is_err());
        assert_eq!(shown("202507"), "2025-07");
    }
}
