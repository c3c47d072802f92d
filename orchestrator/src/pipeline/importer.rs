//! Loads logs into the tables, one transaction per file, and moves each file to `imported/` once it is
//! committed.
//!
//! `import-logs --to db` does the loading. This file decides which logs are loaded, in which order, and
//! where they go afterwards.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use database::ledger::files;
use hub::lock::Lock;
use kit::door::{self, named};
use kit::path_text;
use logs::discovery::Stream;
use logs::fingerprint::{Fingerprint, Now};
use logs::refused::Refused;
use schema::Opt;

use super::pending::{self, Pending};
use super::{refusals, state};
use crate::hub::Hub;
use crate::shell::Shell;

/// Reports whether, and why, a day is not the next one to import.
pub(crate) fn out_of_order(hub: &Hub, pending: &Pending, day: &str) -> Result<bool> {
    if let Some(oldest) = pending.access.first().map(|log| log.day.as_str()).filter(|oldest| day > *oldest) {
        hub.log.error(format_args!("{day} is not the oldest pending day"));
        hub.log.error(format_args!("  oldest pending: {oldest}; --force does it anyway"));
        return Ok(true);
    }
    if let Some(last) = pending::last_imported(hub)?.filter(|last| day < last.as_str()) {
        hub.log.error(format_args!("{day} is older than the most recently imported log ({last})"));
        hub.log.error("  --force does it anyway");
        return Ok(true);
    }
    Ok(false)
}

/// The importer's result for a file.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is in the tables.
    Loaded(Box<Receipt>),
    /// It is not; this is its record for the list of refused logs.
    Refused(Box<Refused>),
}

/// The receipt of a file that is in the tables.
#[derive(Debug)]
pub(crate) struct Receipt {
    /// An earlier run committed it.
    already: bool,
    rows: u64,
    rejected: u64,
    lines: u64,
    ipv6: u64,
    /// What was read; older stages do not report it.
    read: Option<Fingerprint>,
}

impl Receipt {
    fn of(record: &serde_json::Value) -> Self {
        let number = |name| record.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        Self {
            already: record.get("already").is_some(),
            rows: number("rows"),
            rejected: number("rejected"),
            lines: number("lines"),
            ipv6: number("ipv6"),
            read: serde_json::from_value(record.clone()).ok(),
        }
    }

    fn words(&self) -> String {
        match self {
            Self { already: true, .. } => "already committed by prior run".to_owned(),
            Self { rows, rejected: 0, .. } => format!("{rows} rows"),
            Self { rows, rejected, .. } => format!("{rows} rows, {rejected} lines not understood"),
        }
    }

    const fn has_much_ipv6(&self) -> bool {
        self.ipv6 * 100 > self.lines * files::MANY_IPV6
    }
}

/// Which files to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    Understood,
    /// Any content: somebody has looked at it.
    AsItIs,
}

/// Imports files one by one.
pub(crate) struct Importer<'h> {
    pub(crate) hub: &'h Hub,
    pub(crate) lock: Option<&'h Lock>,
}

impl Importer<'_> {
    /// Imports the logs of a day; returns the number of new rows.
    ///
    /// # Errors
    /// A log cannot be imported; later ones are not tried.
    pub(crate) fn day(&mut self, pending: &Pending, day: &str, dry_run: bool) -> Result<u64> {
        let mut rows = 0;
        let mut streams = [(Stream::Access, false), (Stream::Auth, false)];
        for (stream, log) in pending.of_day(day) {
            for (_, seen) in streams.iter_mut().filter(|(known, _)| *known == stream) {
                *seen = true;
            }
            if dry_run {
                let (stream, path) = (stream.name(), log.path.to_string_lossy());
                let step = serde_json::json!({"action": "import", "day": day, "stream": stream, "path": path});
                self.hub.plan.borrow_mut().push(step);
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

    /// Imports one file, then moves it to `imported/`; returns the number of new rows. A refused file
    /// stays and is recorded. If the move fails, that is only a warning: the rows are committed, and
    /// the next run knows it.
    ///
    /// # Errors
    /// It cannot be imported.
    pub(crate) fn file(&mut self, path: &Path, stream: Stream) -> Result<u64> {
        if let Some(error) = refusals::planted(self.hub, path) {
            refusals::remember(self.hub, refusals::unread(path, stream, &format!("{error:#}")))?;
            return Ok(0);
        }
        let outcome =
            self.load(path, stream, Take::Understood).with_context(|| format!("importing {}", path.display()))?;
        match outcome {
            Outcome::Refused(log) => {
                self.hub.log.info(format_args!("    {}: refused", log.name()));
                refusals::remember(self.hub, *log)?;
                Ok(0)
            }
            Outcome::Loaded(receipt) => {
                refusals::forget(self.hub, path)?;
                self.put_away(path, stream, &receipt);
                self.tell_of_ipv6(path, &receipt)?;
                Ok(if receipt.already { 0 } else { receipt.rows })
            }
        }
    }

    /// Moves a loaded file to `imported/`, if it is still what was read.
    pub(crate) fn put_away(&self, path: &Path, stream: Stream, receipt: &Receipt) {
        let (log, name) = (&self.hub.log, path_text::base_name(path));
        log.info(format_args!("    {name}: {}", receipt.words()));
        let keeps = !self.hub.compat.has(Opt::LpAtomic);
        match receipt.read.as_ref().filter(|_| keeps).map_or(Ok(Now::Same), |read| read.compare(path)) {
            Ok(Now::Same) => {}
            Ok(Now::Grown) => {
                log.warning(format_args!(
                    "{name} has grown since it was read: it stays, the next run imports the rest"
                ));
                return;
            }
            Ok(Now::Other) => {
                log.warning(format_args!(
                    "{name} holds another content than was read: it stays, the next run imports it"
                ));
                return;
            }
            Ok(Now::Gone) => {
                log.warning(format_args!("{name} is imported, and gone before it could be moved"));
                return;
            }
            Err(error) => {
                log.warning(format_args!("{name} is imported and stays where it is: {error:#}"));
                return;
            }
        }
        let imported = self.hub.imported(stream);
        match move_into(path, &imported, keeps) {
            Ok(at) => log.info(format_args!("  -> {}", at.display())),
            Err(e) => log.warning(format_args!(
                "{name} is committed but could not be moved to {}: {e}; the next run tries again",
                imported.display()
            )),
        }
    }

    /// Reports once a month that many lines were left out because their clients have IPv6
    /// addresses.
    fn tell_of_ipv6(&self, path: &Path, receipt: &Receipt) -> Result<()> {
        if receipt.already || !receipt.has_much_ipv6() || !state::is_news_of_ipv6(self.hub)? {
            return Ok(());
        }
        self.hub.log.warning(format_args!(
            "{}: {} of {} lines are of IPv6 clients and left out, as the original does; `options = ipv6` under [compat] counts them. `hzmetrics status` shows the share of each day",
            path.display(),
            receipt.ipv6,
            receipt.lines
        ));
        Ok(())
    }

    /// Starts the importer for one file.
    ///
    /// # Errors
    /// The importer fails, or the file is not in the log folders.
    pub(crate) fn load(&self, path: &Path, stream: Stream, take: Take) -> Result<Outcome> {
        // anything but a log, or a link out of the log folders, is not read
        let logs = self.hub.config.paths.open_logs();
        if logs.holds(path) {
            logs.open(path)?;
        }
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let receipts = folder.path().join("receipts");
        let mut shell: Shell = self.hub.shell(self.lock)?;
        shell.variables.set("STREAM", stream.name().into());
        shell.variables.set("LOG", path.into());
        shell.variables.set("RECEIPTS", receipts.as_os_str().to_owned());
        shell.variables.set("TAKE", if take == Take::AsItIs { "--accept" } else { "" }.into());
        let code = shell.run(b"import-logs --quiet --to db $TAKE --raw $STREAM -- \"$LOG\" > \"$RECEIPTS\"\n")?;
        let text = named::read_to_string(&receipts).unwrap_or_default();
        let receipt = text.lines().rev().find_map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            (value.get("kind")? == "receipt").then_some(value)
        });
        if let Some((record, reason)) = receipt.as_ref().and_then(|r| r.get("refused")?.as_str().map(|text| (r, text)))
        {
            return Ok(Outcome::Refused(Box::new(refusals::of_receipt(path, stream, reason, record))));
        }
        if code != 0 {
            bail!("import-logs failed (exit code {code}); its own message says why, and what to do");
        }
        let receipt = receipt.context("import-logs gave no receipt")?;
        Ok(Outcome::Loaded(Box::new(Receipt::of(&receipt))))
    }
}

/// Moves a file into a folder, keeping its name. Other content with that name is kept as `NAME.~N~`,
/// unless `keeps` is false: then it is replaced, as in the port.
fn move_into(path: &Path, folder: &Path, keeps: bool) -> io::Result<PathBuf> {
    door::make_log_folder(folder)?;
    let to = folder.join(path.file_name().unwrap_or_default());
    let source = fs::metadata(path)?;
    if fs::metadata(&to).is_ok_and(|there| (there.dev(), there.ino()) == (source.dev(), source.ino())) {
        // renaming one name of a file to another of its names leaves both
        if fs::canonicalize(path)? != fs::canonicalize(&to)? {
            door::remove(path)?;
        }
        return Ok(to);
    }
    if keeps && door::look(&to)?.is_some() && !is_same_content(path, &to)? {
        refusals::move_to_free_name(&to, &to, 1)?;
    }
    match door::rename_over(path, &to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
            let mut scratch = door::Temporary::beside(&to)?;
            scratch.set_mode(source.mode() & 0o640)?;
            io::copy(&mut door::open(path)?, scratch.file_mut())?;
            scratch.file().set_modified(source.modified()?)?;
            scratch.file().sync_all()?;
            scratch.publish(to.file_name().unwrap_or_default())?;
            door::remove(path)?;
            Ok(to)
        }
        moved => moved.map(|()| to),
    }
}

/// Whether two files have the same bytes.
fn is_same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (door::open(one)?, door::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (io::BufReader::new(one).bytes(), io::BufReader::new(other).bytes());
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (a, b) if a == b => {}
            _ => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_name_when_moved() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("x.gz"), "new").unwrap();
        let into = |name: &str, keeps| move_into(&at(name), &at("imported"), keeps);
        assert_eq!(into("x.gz", true).unwrap(), at("imported/x.gz"));
        assert!(!at("x.gz").exists());
        // other content with that name gets a number; the port replaces it
        for (text, keeps) in [("newer", true), ("newer", true), ("newest", true), ("newest of all", false)] {
            fs::write(at("x.gz"), text).unwrap();
            into("x.gz", keeps).unwrap();
            assert_eq!(fs::read_to_string(at("imported/x.gz")).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(at("imported/x.gz.~1~")).unwrap(), "new");
        assert_eq!(fs::read_to_string(at("imported/x.gz.~2~")).unwrap(), "newer");
        assert!(!at("imported/x.gz.~3~").exists());
        // a second name of the same file is removed
        fs::hard_link(at("imported/x.gz"), at("x.gz")).unwrap();
        into("x.gz", true).unwrap();
        assert!(!at("x.gz").exists() && at("imported/x.gz").exists());
        // a file that is there already stays
        into("imported/x.gz", true).unwrap();
        assert_eq!(fs::read_to_string(at("imported/x.gz")).unwrap(), "newest of all");
        assert!(into("none", true).is_err());
    }
}
