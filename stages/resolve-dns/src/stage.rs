//! What a run does: filters records in a pipe, or fills tables.

use std::path::Path;

use anyhow::{Context as _, Result};
use database::Which;
use enrich::dnscache::Cache;
use enrich::table::{Table, When};
use kit::{Io, Outcome, Usage, counted, grouped};
use schema::Dates;

use crate::args::{Args, NIGHTLY};
use crate::records;
use crate::tables::{self, TableWork};

/// Runs the stage.
///
/// # Errors
/// The arguments contradict each other, or the work fails.
pub(crate) fn stage(args: &Args, io: &mut Io) -> Result<Outcome> {
    if let (Some(days), Some(path)) = (args.forget_after, &args.cache) {
        return forget(path, days, args.dry_run, io);
    }
    match table_work(args)? {
        Some(work) => tables::run(args, &work, io),
        None => records::run(args, io),
    }
}

/// Removes old answers from the cache.
fn forget(path: &Path, days: u64, is_dry: bool, io: &Io) -> Result<Outcome> {
    const DAY: u64 = 86_400;
    let shown = path.display();
    let now = kit::seconds_since_1970()?.unsigned_abs();
    let Some((mut cache, n)) = Cache::load_and_forget(path, now, days * DAY)? else {
        io.messages.note(format_args!("{shown} is not there, or is not a cache of names"));
        return Ok(Outcome::default());
    };
    let answers = counted(n, "answer", "answers");
    if is_dry {
        io.messages.note(format_args!("{shown}: would remove {answers}"));
        return Ok(Outcome::default());
    }
    let size = || std::fs::metadata(path).map_or(0, |meta| meta.len());
    let before = size();
    cache.save(path).with_context(|| format!("writing {shown}"))?;
    let freed = grouped(before.saturating_sub(size()));
    io.messages.note(format_args!("{shown}: removed {answers}, {freed} bytes freed"));
    Ok(Outcome::default())
}

/// What to do with tables; `None` if records are filtered.
///
/// # Errors
/// The arguments contradict each other ([`Usage`]).
fn table_work(args: &Args) -> Result<Option<TableWork>> {
    let bad = |text: String| Err(Usage(text).into());
    let common = &args.common;
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let named = words.len() > 1 || args.table.is_some();
    if !named && !common.from_db() && !common.to_db() {
        let (lonely, options) = (words.first(), args.all || args.date.is_some() || args.dry_run);
        return match lonely {
            Some(word) if ["metrics", "hub"].contains(word) => bad(format!("{word}: which table?")),
            Some(word) => bad(format!("`{word}`: name a database (metrics or hub) and a table, or add --db")),
            None if options => bad("--date, --all and --dry-run are for tables: name one, or add --db".to_owned()),
            None => Ok(None),
        };
    }
    // `metrics web` without more is the command of a cron line
    let from_db = common.from_db() || common.from.iter().all(|from| from == "-");
    if !from_db || (common.to_db() && !common.from_db() && !named) {
        return bad("records cannot be written to tables; --db reads and writes tables".to_owned());
    }
    let (database, table, date) = match (&args.table, words.as_slice()) {
        (Some(table), []) => (args.database.as_deref().unwrap_or("metrics"), Some(table.as_str()), None),
        (Some(table), [date]) => (args.database.as_deref().unwrap_or("metrics"), Some(table.as_str()), Some(*date)),
        (None, []) => ("metrics", None, None),
        (None, [date]) => ("metrics", None, Some(*date)),
        (None, [database, table]) => (*database, Some(*table), None),
        (None, [database, table, date]) => (*database, Some(*table), Some(*date)),
        _ => return bad("the table is named twice".to_owned()),
    };
    let which = match database {
        "metrics" => Which::Metrics,
        "hub" => Which::Hub,
        other => return bad(format!("`{other}` is not a database: metrics or hub")),
    };
    let date = date.map(|text| text.parse::<Dates>().map_err(|e| Usage(e.to_string()))).transpose()?;
    let when = match (date.or(args.date), args.all) {
        (Some(_), true) => return bad("either a date or --all".to_owned()),
        (Some(dates), false) => dates.into(),
        (None, true) => When::All,
        (None, false) => When::Usual,
    };
    let names = table.map_or(NIGHTLY.to_vec(), |table| vec![table]);
    let tables = names.into_iter().map(Table::new).collect::<Result<_>>()?;
    let shows = common.from.iter().any(|from| from == "db") && !common.to_db();
    Ok(Some(TableWork { which, tables, when, writes: !shows }))
}
