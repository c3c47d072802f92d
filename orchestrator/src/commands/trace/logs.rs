//! The archived logs of the ledger, read again: `import-logs --verdicts` says what it makes of each line today.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use database::Db;
use database::ledger::{self, Entry, Target, files};
use kit::door::named;
use logs::discovery::{self, Stream};
use logs::rotation::without_suffix;
use schema::json;
use serde_json::Value;

use super::rows::Request;
use crate::commands::values::Day;
use crate::hub::Hub;

/// A line of a log: `FILE:N`.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) path: PathBuf,
    pub(super) number: u64,
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a log and the number of a line, as in access.log:12");
        let (path, number) = text.rsplit_once(':').filter(|(path, _)| !path.is_empty()).ok_or_else(bad)?;
        let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(bad)?;
        Ok(Self { path: path.into(), number })
    }
}

/// A line of a log that was read again.
#[derive(Debug, Clone)]
pub(super) struct FoundLine {
    /// The verdict.
    pub(super) record: Value,
    /// How many earlier lines of the log are kept.
    pub(super) kept_before: u64,
}

impl FoundLine {
    /// A field as text; empty where there is none.
    pub(super) fn text(&self, name: &str) -> String {
        match self.record.get(name) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}

/// The lists that an import would read from the tables, as files.
#[derive(Debug)]
pub(super) struct Lists(tempfile::TempDir);

impl Lists {
    /// What the tables hold today.
    pub(super) fn new(db: &mut Db) -> Result<Self> {
        let lists = Self(tempfile::tempdir().context("making a temporary folder")?);
        db.require(&["exclude_list", "bot_useragents"])?;
        let mut excluded = String::from("filter,type\n");
        db.each("SELECT filter, type FROM exclude_list", (), |row| {
            let quoted = |at| row.text(at).unwrap_or_default().replace('"', "\"\"");
            excluded.push_str(&format!("\"{}\",\"{}\"\n", quoted(0), quoted(1)));
            Ok(())
        })?;
        let mut bots = Vec::new();
        db.each("SELECT useragent FROM bot_useragents", (), |row| {
            bots.extend_from_slice(b"{\"kind\":\"bot\",\"useragent\":");
            json::push_str(&mut bots, &row.text(0).unwrap_or_default());
            bots.extend_from_slice(b"}\n");
            Ok(())
        })?;
        let write = |path: &Path, bytes: &[u8]| kit::named_file(path, |out| Ok(out.write_all(bytes)?));
        write(&lists.excluded(), excluded.as_bytes())?;
        write(&lists.bots(), &bots)?;
        Ok(lists)
    }

    fn excluded(&self) -> PathBuf {
        self.0.path().join("exclude.csv")
    }

    fn bots(&self) -> PathBuf {
        self.0.path().join("bots.ndjson")
    }
}

/// A log on disk, with its entry in the ledger.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    pub(super) entry: Option<Entry>,
    stream: Stream,
}

fn base(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Log {
    /// A log that was named, with the entry of its name.
    pub(super) fn named(db: &mut Db, path: &Path) -> Result<Self> {
        let name = base(path);
        let stream = if name.starts_with("cmsauth") { Stream::Auth } else { Stream::Access };
        let entries = if ledger::is_there(db)? { ledger::of_target(db, Target::of(stream))? } else { Vec::new() };
        let is_it = |entry: &Entry| without_suffix(ledger::base_name(&entry.filename)) == without_suffix(&name);
        let entry = entries.into_iter().rev().find(is_it);
        Ok(Self { path: path.to_owned(), entry, stream })
    }

    /// The lines whose verdicts `wanted` accepts.
    pub(super) fn verdicts(&self, hub: &Hub, lists: &Lists, wanted: impl Fn(&Value) -> bool) -> Result<Vec<FoundLine>> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let file = folder.path().join("verdicts");
        let mut shell = hub.shell(None)?;
        shell.variables.set("STREAM", self.stream.name().into());
        shell.variables.set("LOG", self.path.as_os_str().to_owned());
        shell.variables.set("VERDICTS", file.as_os_str().to_owned());
        shell.variables.set("EXCLUDE", lists.excluded().into_os_string());
        shell.variables.set("BOTS", lists.bots().into_os_string());
        let line = b"import-logs --quiet --accept --raw $STREAM --exclude \"$EXCLUDE\" --bots \"$BOTS\" \
                     --verdicts \"$VERDICTS\" --to /dev/null -- \"$LOG\"\n";
        if shell.run(line)? != 0 {
            bail!("import-logs could not read {}; its own message says why", self.path.display());
        }
        let text = named::read_to_string(&file).context("reading the verdicts")?;
        let mut found = Vec::new();
        let mut n_kept = 0;
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).context("reading the verdicts")?;
            let is_kept = record.get("verdict").is_some_and(|verdict| verdict == "kept");
            if wanted(&record) {
                found.push(FoundLine { record, kept_before: n_kept });
            }
            n_kept += u64::from(is_kept);
        }
        Ok(found)
    }
}

/// Where the log of an entry is now: in the folder of imported logs, or where it was read from, possibly
/// compressed since. `Err` says that it is gone.
fn find(hub: &Hub, db: &mut Db, entry: Entry, stream: Stream) -> Result<Result<Log, String>> {
    let name = ledger::base_name(&entry.filename).to_owned();
    let row = if files::is_there(db)? { files::of_entry(db, entry.id)? } else { None };
    let was_at = row.and_then(|row| row.path).map(PathBuf::from);
    let site = Some(hub.config.site.name.as_str());
    let imported = discovery::flat(&hub.imported(stream), stream, site).unwrap_or_default();
    let archived =
        imported.into_iter().map(|found| found.path).find(|path| without_suffix(&base(path)) == without_suffix(&name));
    let there = archived.or_else(|| was_at.clone().filter(|path| path.is_file()));
    Ok(match there {
        Some(path) => Ok(Log { path, entry: Some(entry), stream }),
        None => {
            let was = was_at.map_or_else(String::new, |path| format!(" (it was read from {})", path.display()));
            Err(format!("{name} is gone: it is not in {}{was}", hub.imported(stream).display()))
        }
    })
}

/// The log that a row of `web` came from, and the line. `Err` says why there is none.
pub(super) fn of_row(
    hub: &Hub,
    db: &mut Db,
    lists: &Lists,
    request: &Request,
) -> Result<Result<(Log, FoundLine), String>> {
    let entries = if ledger::is_there(db)? { ledger::of_target(db, Target::Web)? } else { Vec::new() };
    let holds = |entry: &Entry| entry.range.is_some_and(|range| (range.start..=range.end).contains(&request.id));
    let Some(entry) = entries.into_iter().find(holds) else {
        return Ok(Err("not known: no entry of the ledger has this row".to_owned()));
    };
    let log = match find(hub, db, entry, Stream::Access)? {
        Ok(log) => log,
        Err(gone) => return Ok(Err(gone)),
    };
    let is_it = |verdict: &Value| {
        let text = |name| verdict.get(name).and_then(Value::as_str).unwrap_or_default();
        text("verdict") == "kept" && text("datetime") == request.datetime.to_string() && text("client") == request.ip
    };
    let lines = log.verdicts(hub, lists, is_it)?;
    let exact = log.entry.as_ref().and_then(|entry| {
        let range = entry.range.filter(|range| range.end - range.start + 1 == entry.rows)?;
        let before = u64::try_from(request.id - range.start).ok()?;
        lines.iter().find(|line| line.kept_before == before)
    });
    Ok(match exact.or_else(|| lines.first()) {
        Some(line) => {
            let line = line.clone();
            Ok((log, line))
        }
        None => Err(format!(
            "{}: no line of it is kept today with this time and address; the log or the lists of bots and exclusions have \
             changed",
            log.path.display()
        )),
    })
}

/// The logs of a day that the ledger names; `gone` is told of those that no longer exist.
pub(super) fn of_day(hub: &Hub, db: &mut Db, day: Day, mut gone: impl FnMut(&str)) -> Result<Vec<Log>> {
    anyhow::ensure!(ledger::is_there(db)?, "there is no ledger of imports that could name the logs of {day}");
    let is_of_day = |entry: &Entry| discovery::date_of(ledger::base_name(&entry.filename)) == Some(&day.digits());
    let mut entries = ledger::of_target(db, Target::Web)?;
    entries.retain(|entry| is_of_day(entry) && !ledger::is_part(&entry.filename));
    anyhow::ensure!(!entries.is_empty(), "the ledger of imports has no access log of {day}");
    let mut found = Vec::new();
    for entry in entries {
        match find(hub, db, entry, Stream::Access)? {
            Ok(log) => found.push(log),
            Err(why) => gone(&why),
        }
    }
    Ok(found)
}
