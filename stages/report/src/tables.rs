//! The tables' face: rows of the tables of a hub become the records that the sections know.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use database::pruned::Pruned;
use database::{Cells, Db, Which};
use hub::config;
use kit::{Batch, Messages, counted};
use schema::kind::Type;
use schema::{Kind, Month, Period, Stamp, json};

use crate::args::{Args, Part};
use crate::ground::Ground;
use crate::sections::Sections;
use crate::words::fill;

/// Rows that are read as records of a kind.
struct Rows {
    kind: Kind,
    which: Which,
    /// A table of the hub without its prefix.
    table: &'static str,
    /// The columns of the table that are read; the fields have their names.
    columns: &'static [&'static str],
    /// Columns of which only the last row counts that has the same values in them, in the same month; none:
    /// every row counts.
    key: &'static [&'static str],
    /// Which rows, and in which order.
    condition: String,
}

/// The tables of the summaries.
const SUMMARIES: [&str; 3] = ["summary_user_vals", "summary_simusage_vals", "summary_misc_vals"];

/// Reads what the sections need. Nothing is written, and one snapshot is read where the engine has such.
///
/// # Errors
/// The configuration is unusable, a server fails, a row is not what it should be, or the month is not published.
pub(crate) fn read(args: &Args, ground: &Ground, messages: Messages) -> Result<Sections> {
    let config = config::load(None, &config::process_env)?;
    let mut sections = Sections::new(&args.sections, args.private);
    let mut metrics = Db::connect(&config.target(), Which::Metrics)?;
    let mut hub = Db::connect(&config.target(), Which::Hub)?;
    for db in [&mut metrics, &mut hub] {
        db.run("START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT", ())?;
    }
    metrics.require(&SUMMARIES)?;
    metrics.require(&["websessions"])?;
    for table in SUMMARIES {
        take(&summary(table), &mut metrics, &mut sections)?;
    }
    // the month of the cells: tools have statistics of the running month
    let pruned = Pruned::read(&mut metrics)?;
    if let Some(month) = ground.month_among(&sections.months()) {
        let first = Period::TwelveMonths.start(month).month().unwrap_or(month);
        if pruned.has_no_requests(first) {
            messages.warn(format_args!(
                "what is shown of single sessions is left out: `hzmetrics prune` removed sessions of the twelve months to {month}"
            ));
            let words = ground.words;
            sections.left_out.push(fill(words.remark_no_sessions, &[&words.month_name(month)]));
        } else {
            take(&sessions(month), &mut metrics, &mut sections)?;
        }
    }
    if args.sections.contains(&Part::Traffic) {
        let month = ground.month.or(last_published(&mut metrics)?);
        let lost = month.filter(|month| pruned.has_no_requests(*month));
        if let Some(month) = lost {
            messages.warn(format_args!(
                "there is no section on traffic: `hzmetrics prune` removed the requests of {month}"
            ));
            let words = ground.words;
            sections.left_out.push(fill(words.remark_no_requests, &[&words.month_name(month)]));
        }
        let month = month.filter(|_| lost.is_none());
        let n = month.map_or(Ok(0), |month| without_day(&mut metrics, month))?;
        if let Some(month) = month.filter(|_| n > 0) {
            let n = counted(n, "request", "requests");
            messages.warn(format_args!("the section on traffic leaves out {n} of {month} without a valid day"));
            let words = ground.words;
            sections.left_out.push(fill(words.remark_no_day, &[&n, &words.month_name(month)]));
        }
        for rows in traffic(month) {
            if metrics.has_table(rows.table)? {
                take(&rows, &mut metrics, &mut sections)?;
            }
        }
    }
    for rows in statistics(&hub) {
        // a hub without tools has none of these tables
        if hub.has_table(hub.prefixed(rows.table).trim_matches('`'))? {
            take(&rows, &mut hub, &mut sections)?;
        }
    }
    if !ground.is_running {
        check_published(ground.month, &sections.leading_months())?;
    }
    Ok(sections)
}

/// A report about nothing would look like one of a hub that nobody uses.
fn check_published(asked: Option<Month>, months: &[Month]) -> Result<()> {
    let Some(last) = months.last() else { bail!("no month is published") };
    match asked {
        Some(month) if !months.contains(&month) => {
            bail!("{month} is not published; the last month that is: {last}")
        }
        _ => Ok(()),
    }
}

/// The last month that has cells.
fn last_published(db: &mut Db) -> Result<Option<Month>> {
    let sql = format!(
        "SELECT MAX(datetime) FROM summary_user_vals WHERE period = {} AND DAYOFMONTH(datetime) = 0",
        Period::Month
    );
    let label = db.all(&sql, (), |row| Ok(row.stamp(0)))?.into_iter().flatten().next();
    Ok(label.and_then(|label: Stamp| Month::new(label.year(), label.month_of_year())))
}

/// The requests and hits of a month, and the agents that are bots; nothing without a month.
fn traffic(month: Option<Month>) -> Vec<Rows> {
    let Some(month) = month else { return Vec::new() };
    let rows =
        |kind, table, columns, condition| Rows { kind, which: Which::Metrics, table, columns, key: &[], condition };
    let of_month = format!("datetime >= '{}' AND datetime <= '{}'", month.start(), end_of_days(month));
    let of_requests = &["datetime", "ip", "content", "referrer", "useragent", "dnload", "host", "domain", "ipcountry"];
    vec![
        rows(Kind::Web, "web", of_requests, of_month.clone()),
        rows(Kind::Hits, "webhits", &["datetime", "hits"], of_month),
        rows(Kind::Bot, "bot_useragents", &["useragent"], "1 = 1".to_owned()),
    ]
}

/// The last second of a month that is on a day.
fn end_of_days(month: Month) -> String {
    format!("{month}-{} 23:59:59", month.days())
}

/// How many requests of a month have no day: the summaries count day zero, and month zero, in the month before it.
fn without_day(db: &mut Db, month: Month) -> Result<u64> {
    if !db.has_table("web")? {
        return Ok(0);
    }
    let sql = "SELECT COUNT(*) FROM web WHERE datetime > ? AND datetime < ?";
    let n = db.number(sql, (end_of_days(month), month.next().start().to_string()))?;
    Ok(n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}

fn periods() -> String {
    format!("period IN ({}, {})", Period::Month, Period::TwelveMonths)
}

/// Cells are in the month's day zero; other rows are not cells of the hub's pages either.
fn summary(table: &'static str) -> Rows {
    let columns = &["rowid", "colid", "datetime", "period", "value"];
    let key = &["rowid", "colid", "period"];
    // of all time, only whether there was somebody before
    let all_time = format!("period = {} AND rowid = 1 AND colid = 1", Period::AllTime);
    let condition = format!("({} OR {all_time}) AND DAYOFMONTH(datetime) = 0", periods());
    Rows { kind: Kind::Cell, which: Which::Metrics, table, columns, key, condition }
}

/// The tables of the hub about tools and resources.
fn statistics(db: &Db) -> [Rows; 4] {
    let hub = |kind, table, columns, key, condition| Rows { kind, which: Which::Hub, table, columns, key, condition };
    let of_tools = &[
        "id", "resid", "users", "sessions", "jobs", "tot_wall", "tot_cpu", "tot_view", "avg_wait", "avg_wall",
        "avg_cpu", "datetime", "period",
    ];
    let tops = &["id", "top", "rank", "name", "value"];
    let of_resources = &["id", "resid", "restype", "users", "datetime", "period"];
    let by_id = |condition: &str| format!("{condition} ORDER BY id");
    let key: &[&str] = &["resid", "period"];
    let shown =
        format!("SELECT id FROM {} WHERE period = {}", db.prefixed("resource_stats_tools"), Period::TwelveMonths);
    let others = format!("{} AND (restype IS NULL OR restype <> 7)", periods());
    [
        hub(Kind::HubResource, "resources", &["id", "title"], &[], "published = 1".to_owned()),
        hub(Kind::ToolStat, "resource_stats_tools", of_tools, key, by_id(&periods())),
        hub(Kind::TopTool, "resource_stats_tools_topvals", tops, &[], format!("top IN (1, 3) AND id IN ({shown})")),
        hub(Kind::ResourceStat, "resource_stats", of_resources, key, by_id(&others)),
    ]
}

/// The sessions of the twelve months to this one.
fn sessions(month: Month) -> Rows {
    let condition =
        format!("datetime >= '{}' AND datetime < '{}'", Period::TwelveMonths.start(month), Period::stop(month));
    let columns = &["datetime", "ip", "host", "ipcountry", "duration", "jobs"];
    Rows { kind: Kind::Session, which: Which::Metrics, table: "websessions", columns, key: &[], condition }
}

/// Hands the rows to the sections.
fn take(rows: &Rows, db: &mut Db, sections: &mut Sections) -> Result<()> {
    let is_of_hub = matches!(rows.which, Which::Hub);
    let name = if is_of_hub { db.prefixed(rows.table) } else { schema::tables::quote(rows.table) };
    let released = db.released(name.trim_matches('`'))?;
    let columns: Vec<_> = rows.columns.iter().map(|column| schema::tables::quote(column)).collect();
    let sql = format!("SELECT {released} {} FROM {name} WHERE {}", columns.join(", "), rows.condition);
    let mut hand = |line: &[u8]| {
        let text = || format!("{name}: {}", String::from_utf8_lossy(line));
        sections.take(rows.kind.name(), line).map_err(anyhow::Error::msg).with_context(text)
    };
    let (mut line, mut last) = (Vec::new(), BTreeMap::new());
    if rows.kind == Kind::Web {
        return take_in_batches(rows, &sql, db, sections);
    }
    db.each(&sql, (), |cells| {
        line.clear();
        record(rows, cells, &mut line);
        match rows.key {
            [] => hand(&line),
            _ => {
                last.insert(key(rows, cells), line.clone());
                Ok(())
            }
        }
    })?;
    last.values().try_for_each(|line| hand(line))
}

/// The same for many rows, on all cores; an order is not needed.
fn take_in_batches(rows: &Rows, sql: &str, db: &mut Db, sections: &mut Sections) -> Result<()> {
    let (mut line, mut batch) = (Vec::new(), Batch::default());
    let mut hand = |batch: &mut Batch| match sections.take_batch(batch).into_iter().next() {
        Some((i, reason)) => bail!("{}: {}: {reason}", rows.table, String::from_utf8_lossy(batch.line(i))),
        None => {
            batch.clear();
            Ok(())
        }
    };
    db.each(sql, (), |cells| {
        line.clear();
        record(rows, cells, &mut line);
        batch.push(&line, 0);
        if batch.is_full() { hand(&mut batch) } else { Ok(()) }
    })?;
    hand(&mut batch)
}

/// The values of the columns of the key, and the month.
fn key(rows: &Rows, cells: Cells<'_>) -> Vec<String> {
    let is_in = |name: &str| name == "datetime" || rows.key.contains(&name);
    let columns = rows.columns.iter().enumerate().filter(|(_, name)| is_in(name));
    let value = |(i, name): (usize, &&str)| {
        let text = cells.text(i).unwrap_or_default();
        let n = if *name == "datetime" { "YYYY-MM".len() } else { text.len() };
        text.chars().take(n).collect()
    };
    columns.map(value).collect()
}

/// One row as a JSON line.
fn record(rows: &Rows, cells: Cells<'_>, line: &mut Vec<u8>) {
    line.extend_from_slice(b"{\"kind\":");
    json::push_str(line, rows.kind.name());
    if rows.kind == Kind::Cell {
        line.extend_from_slice(b",\"table\":");
        json::push_str(line, rows.table);
    }
    for (i, name) in rows.columns.iter().enumerate() {
        let Some(text) = cells.text(i) else { continue };
        line.extend_from_slice(b",\"");
        line.extend_from_slice(name.as_bytes());
        line.extend_from_slice(b"\":");
        let ty = rows.kind.spec().columns.iter().find(|column| column.name == *name).map(|column| column.ty);
        match ty {
            Some(Type::Int | Type::Float) => line.extend_from_slice(text.as_bytes()),
            _ => json::push_str(line, &text),
        }
    }
    line.push(b'}');
}
