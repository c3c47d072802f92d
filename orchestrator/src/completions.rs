//! What a shell offers: months, chains, cells, ledger entries. The tables are asked with a time limit; if
//! they do not answer, or may not be read, nothing is offered and nothing is printed.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::Result;
use database::{Db, Which};
use hub::config::{self, process_env};
use kit::Asked;
use logs::refused;
use schema::{Month, Place};

use crate::commands::chains;
use crate::commands::values::SECTIONS;
use crate::health::signals::SIGNALS;

/// How long the tables may take: people notice what takes longer.
const LIMIT: Duration = Duration::from_millis(150);
/// How many entries of the ledger are offered, the newest first.
const ENTRIES: usize = 200;

/// The values of an argument.
pub(crate) fn values(asked: &Asked<'_>) -> Vec<String> {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    match (asked.command, asked.value_name()) {
        ("run-chain" | "explain" | "chains", "NAME") => chains::names().unwrap_or_default(),
        ("run-chain" | "explain", "MONTH|NAME=VALUE") | (_, "YYYY-MM" | "DATE") => in_time(months),
        ("import" | "process", "YYYY-MM-DD") => days(),
        ("import", "FILE") => refused_logs().unwrap_or_default(),
        ("forget-import", "FILENAME") => {
            let typed = asked.typed.to_owned();
            in_time(move |db| entries(db, &typed))
        }
        ("why", "CELL") => Place::all().map(|place| place.to_string()).collect(),
        ("check", "CHECK") => SIGNALS.iter().map(|signal| signal.name.to_owned()).collect(),
        (_, "LIST") if asked.id() == "only" => texts(&SECTIONS),
        _ => Vec::new(),
    }
}

/// What the tables say, if they say it soon. A connection that takes longer ends with the process.
fn in_time(ask: impl FnOnce(&mut Db) -> Result<Vec<String>> + Send + 'static) -> Vec<String> {
    let (to, from) = mpsc::channel();
    let work = move || {
        let connected =
            config::load(None, &process_env).and_then(|config| Db::connect(&config.target(), Which::Metrics));
        let _ = to.send(connected.and_then(|mut db| ask(&mut db)).unwrap_or_default());
    };
    if std::thread::Builder::new().spawn(work).is_err() {
        return Vec::new();
    }
    from.recv_timeout(LIMIT).unwrap_or_default()
}

/// Months with hits or cells, the newest first: both tables are small.
fn months(db: &mut Db) -> Result<Vec<String>> {
    let mut months: Vec<Month> = Vec::new();
    for table in ["webhits", "summary_misc_vals"] {
        if db.has_table(table)? {
            let sql = format!("SELECT DISTINCT YEAR(datetime), MONTH(datetime) FROM {table}");
            let found = db.all(&sql, (), |row| Ok((row.int(0), row.int(1))))?;
            let month = |(year, month): (Option<i64>, Option<i64>)| {
                Month::new(u16::try_from(year?).ok()?, u8::try_from(month?).ok()?)
            };
            months.extend(found.into_iter().filter_map(month));
        }
    }
    months.sort_unstable();
    months.dedup();
    Ok(months.iter().rev().map(Month::to_string).collect())
}

/// Names in the ledger that begin with what is typed.
fn entries(db: &mut Db, typed: &str) -> Result<Vec<String>> {
    let sql = "SELECT filename FROM imported_sources WHERE LEFT(filename, CHAR_LENGTH(?)) = ? ORDER BY id DESC";
    let sql = format!("{sql} LIMIT {ENTRIES}");
    let mut names = Vec::new();
    db.each(&sql, (typed, typed), |row| {
        let name = row.text(0).unwrap_or_default().into_owned();
        if !names.contains(&name) {
            names.push(name);
        }
        Ok(())
    })?;
    Ok(names)
}

/// Days with logs that wait.
fn days() -> Vec<String> {
    let Ok(config) = config::read(None, &process_env) else { return Vec::new() };
    let site = Some(config.site.name.as_str());
    let folders = [
        (config.paths.web_logs(), logs::discovery::Stream::Access),
        (config.paths.cms_logs(), logs::discovery::Stream::Auth),
    ];
    let mut days: Vec<String> = Vec::new();
    for (root, stream) in folders {
        let found = logs::discovery::flat_unfinished(&root.join("daily"), stream, site).unwrap_or_default();
        days.extend(crate::pipeline::pending::dated(found).into_iter().filter_map(|log| {
            let (year, rest) = log.day.split_at_checked(4)?;
            let (month, day) = rest.split_at_checked(2)?;
            Some(format!("{year}-{month}-{day}"))
        }));
    }
    days.sort_unstable();
    days.dedup();
    days
}

/// Logs that were refused, by path.
fn refused_logs() -> Result<Vec<String>> {
    let config = config::read(None, &process_env)?;
    let all = refused::list(&config.paths.staging())?;
    Ok(all.into_iter().map(|log| log.path.to_string_lossy().into_owned()).collect())
}
