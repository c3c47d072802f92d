//! The tables' face: rows of the tables of a hub become the records that the sections know.

use anyhow::{Context as _, Result};
use database::{Cells, Db, Which};
use hub::config;
use schema::kind::Type;
use schema::{Kind, Month, Period, json};

use crate::args::Args;
use crate::ground::Ground;
use crate::sections::Sections;

/// Rows that are read as records of a kind.
struct Rows {
    kind: Kind,
    which: Which,
    /// A table of the hub without its prefix.
    table: &'static str,
    /// The columns of the table that are read; the fields have their names.
    columns: &'static [&'static str],
    /// Which rows.
    condition: String,
}

/// Reads what the sections need. Nothing is written, and one snapshot is read where the engine has such.
///
/// # Errors
/// The configuration is unusable, a server fails, or a row is not what it should be.
pub(crate) fn read(args: &Args, ground: &Ground) -> Result<Sections> {
    let config = config::load(None, &config::process_env)?;
    let mut sections = Sections::new(&args.sections);
    let mut metrics = Db::connect(&config.target(), Which::Metrics)?;
    let mut hub = Db::connect(&config.target(), Which::Hub)?;
    for db in [&mut metrics, &mut hub] {
        db.run("START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT", ())?;
    }
    let of_summaries = [summary("summary_user_vals"), summary("summary_simusage_vals"), summary("summary_misc_vals")];
    for rows in of_summaries.into_iter().chain(statistics()) {
        take(&rows, if matches!(rows.which, Which::Hub) { &mut hub } else { &mut metrics }, &mut sections)?;
    }
    if let Some(month) = ground.month_among(&sections.months()) {
        take(&sessions(month), &mut metrics, &mut sections)?;
    }
    Ok(sections)
}

fn periods() -> String {
    format!("period IN ({}, {})", Period::Month, Period::TwelveMonths)
}

fn summary(table: &'static str) -> Rows {
    let columns = &["rowid", "colid", "datetime", "period", "value"];
    Rows { kind: Kind::Cell, which: Which::Metrics, table, columns, condition: periods() }
}

/// The tables of the hub about tools and resources.
fn statistics() -> [Rows; 4] {
    let hub = |kind, table, columns, condition| Rows { kind, which: Which::Hub, table, columns, condition };
    let of_tools = &[
        "id", "resid", "users", "sessions", "jobs", "tot_wall", "tot_cpu", "tot_view", "avg_wait", "avg_wall",
        "avg_cpu", "datetime", "period",
    ];
    let tops = &["id", "top", "rank", "name", "value"];
    [
        hub(Kind::HubResource, "resources", &["id", "title"], "published = 1".to_owned()),
        hub(Kind::ToolStat, "resource_stats_tools", of_tools, periods()),
        hub(Kind::TopTool, "resource_stats_tools_topvals", tops, "top IN (1, 3)".to_owned()),
        hub(Kind::ResourceStat, "resource_stats", &["resid", "restype", "users", "datetime", "period"], periods()),
    ]
}

/// The sessions of the twelve months to this one.
fn sessions(month: Month) -> Rows {
    let condition =
        format!("datetime >= '{}' AND datetime < '{}'", Period::TwelveMonths.start(month), Period::stop(month));
    let columns = &["datetime", "ip", "host", "ipcountry", "duration", "jobs"];
    Rows { kind: Kind::Session, which: Which::Metrics, table: "websessions", columns, condition }
}

/// Hands the rows to the sections. A table that is not there has no rows: a hub without tools has none of them.
fn take(rows: &Rows, db: &mut Db, sections: &mut Sections) -> Result<()> {
    let is_of_hub = matches!(rows.which, Which::Hub);
    let name = if is_of_hub { db.prefixed(rows.table) } else { schema::tables::quote(rows.table) };
    if !db.has_table(name.trim_matches('`'))? {
        return Ok(());
    }
    let columns: Vec<_> = rows.columns.iter().map(|column| schema::tables::quote(column)).collect();
    let sql = format!("SELECT {} FROM {name} WHERE {}", columns.join(", "), rows.condition);
    let mut line = Vec::new();
    db.each(&sql, (), |cells| {
        line.clear();
        record(rows, cells, &mut line);
        let text = || format!("{name}: {}", String::from_utf8_lossy(&line));
        sections.take(rows.kind.name(), &line).map_err(anyhow::Error::msg).with_context(text)
    })?;
    Ok(())
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
