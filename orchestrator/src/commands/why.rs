//! `hzmetrics why`: the rows that a published number is made of. `summarize --why` and `tool-metrics --why` list
//! them, by the rules that compute the numbers; this command compares the result with the published value and shows it.

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use database::{Db, Which};
use kit::door::named;
use kit::{Endpoint, Format, Messages, Output, Usage, Uses, push_seen};
use schema::asked::{Asked, Figure};
use schema::{Kind, Month, Period, json};
use serde_json::Value;

use super::{HubCommand, print};
use crate::hub::Hub;
use crate::published;

/// List the rows that a cell is made of
///
/// Explains the rule of the cell in a sentence, shows the published value, and lists the users or visitors
/// who are counted with their sessions, logins, starts or requests. Changes nothing. Cells have names
/// (`users.download.us`) or numbers (`4/3`, `summary_misc_vals.8.1`); `hzmetrics show --format csv` lists
/// names. The numbers of tools and resources are named by table, resource and column
/// (`resource_stats_tools.42.users`), or by list and place (`stats_topvals.2.1`).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The month
    #[arg(value_name = "YYYY-MM")]
    month: Month,

    /// The cell
    #[arg(value_name = "CELL")]
    cell: Asked,

    /// The period, which ends with the month: 0 year, 1 month, 3 quarter, 12 twelve months, 13 fiscal year,
    /// 14 all time
    #[arg(long, value_name = "CODE", default_value = "1")]
    period: Period,

    /// Also list all requests of the sessions
    #[arg(long)]
    requests: bool,

    /// A table for people, or the records `why` and `evidence`; CSV has only the rows
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = Format::among(Format::OF_RECORDS))]
    format: Format,

    /// Show at most this many rows in the table; 0 shows all
    #[arg(long, value_name = "N", default_value = "100")]
    limit: usize,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let published = self.published(hub)?;
        let published = published.as_deref();
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let file = folder.path().join("answer");
        let code = self.ask(hub, &file)?;
        if code != 0 {
            return Ok(code);
        }
        let mut lines = named::open(&file).map(std::io::BufReader::new).context("reading the answer")?.lines();
        let Some(first) = lines.next().transpose().context("reading the answer")? else {
            bail!("there is no answer");
        };
        let why: Value = serde_json::from_str(&first).context("reading the answer")?;
        let text = |name: &str| why.get(name).and_then(Value::as_str);
        let verdict = self.verdict(published, text("value"));
        if self.format != Format::Table {
            return self.records(&first, published, &verdict, lines);
        }
        let n_rows = why.get("rows").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let mut rows = Rows { of_cell: n_rows.unwrap_or_default(), ..Rows::default() };
        for line in lines {
            rows.add(&line.context("reading the answer")?, self.limit)?;
        }
        let parts = text("parts").unwrap_or_default().split("; ").map(|part| format!("  {part}\n"));
        let parts: String = parts.filter(|line| !line.trim().is_empty()).collect();
        let title = format!("{}, {}, period {}", self.cell, self.month, self.period);
        let rule = text("rule").unwrap_or_default();
        print(format!("{title}: {}\n{rule}\n{verdict}\n{parts}{}", published.unwrap_or("-"), rows.text()).as_bytes())
    }
}

impl Args {
    /// The number in its table.
    fn published(&self, hub: &Hub) -> Result<Option<String>> {
        match self.cell {
            Asked::Cell(place) => {
                let cells = published::cells(&mut hub.db()?, self.month, self.period)?;
                Ok(cells.text(place, self.period).map(str::to_owned))
            }
            Asked::Row(figure) => published::figure(&mut hub_db(hub)?, figure, self.month, self.period),
        }
    }

    /// The program that computes it.
    fn program(&self, hub: &Hub) -> Result<Program> {
        let Asked::Row(figure) = self.cell else { return Ok(Program::Summarize) };
        match figure {
            Figure::Resource { resid, column } if !published::is_tool(&mut hub_db(hub)?, resid)? => {
                if column != "users" {
                    let text = format!("resource {resid} is not a tool: of its usage only the users are computed");
                    return Err(Usage(text).into());
                }
                Ok(Program::Summarize)
            }
            _ => Ok(Program::ToolMetrics),
        }
    }

    /// Runs the program, which writes the answer to a file; returns its exit code.
    fn ask(&self, hub: &Hub, file: &Path) -> Result<u8> {
        let mut shell = hub.shell(None)?;
        shell.variables.set("CELL", self.cell.to_string().into());
        shell.variables.set("MONTH", self.month.to_string().into());
        shell.variables.set("PERIOD", self.period.to_string().into());
        shell.variables.set("REQUESTS", if self.requests { "--requests" } else { "" }.into());
        // requests have rows of their own: how many are shown is known when they are there
        let limited = self.format == Format::Table && self.limit > 0 && !self.requests;
        let first = if limited { format!("--first={}", self.limit) } else { String::new() };
        shell.variables.set("FIRST", first.into());
        shell.variables.set("ANSWER", file.as_os_str().to_owned());
        let line = match self.program(hub)? {
            Program::Summarize => "summarize --quiet --from db --why $CELL --periods $PERIOD $REQUESTS $FIRST",
            Program::ToolMetrics if self.requests => {
                return Err(Usage("--requests goes with cells that count sessions of visitors".to_owned()).into());
            }
            Program::ToolMetrics => "tool-metrics --quiet --from db --why $CELL --period $PERIOD $FIRST",
        };
        shell.run(format!("{line} --month $MONTH > \"$ANSWER\"\n").as_bytes())
    }

    /// The answer as records.
    fn records(
        &self,
        why: &str,
        published: Option<&str>,
        verdict: &str,
        lines: impl Iterator<Item = std::io::Result<String>>,
    ) -> Result<u8> {
        let messages = Messages::new("hzmetrics", false);
        let mut output = Output::new(&Endpoint::Standard, self.format, Kind::Evidence.name(), messages)?;
        if output.is_ndjson() {
            let mut line = Vec::new();
            let mut quoted = Vec::new();
            json::push_str(&mut quoted, published.unwrap_or_default());
            let fields: &[(&str, &[u8])] = if published.is_some() { &[("published", &quoted)] } else { &[] };
            json::set_fields(why.as_bytes(), fields, &mut line)
                .map_err(|bad| anyhow::anyhow!("reading the answer: {}", bad.reason()))?;
            output.record(&line)?;
        } else {
            messages.note(verdict);
        }
        for line in lines {
            output.record(line.context("reading the answer")?.as_bytes())?;
        }
        output.finish()?;
        Ok(0)
    }
}

/// What explains a number.
#[derive(Debug, Clone, Copy)]
enum Program {
    Summarize,
    ToolMetrics,
}

fn hub_db(hub: &Hub) -> Result<Db> {
    hub.config.check()?;
    Db::connect(&hub.config.target(), Which::Hub)
}

impl Args {
    /// How the published value and the value of the rows are related.
    fn verdict(&self, published: Option<&str>, now: Option<&str>) -> String {
        let month = self.month;
        // the command that writes it, and when it is not written
        let (again, not_written) = match self.cell {
            Asked::Cell(_) => {
                (format!("hzmetrics summarize {month}"), "Without simulation users this cell is not written")
            }
            Asked::Row(_) => (format!("hzmetrics process --month {month}"), "The rows give no such number"),
        };
        match (published, now) {
            (Some(published), Some(now)) if published == now => "The rows below give this number.".to_owned(),
            (Some(published), Some(now)) => format!(
                "Published is {published}, but the rows give {now} now: rows changed after the month was published, or another \
                 program published it. `{again}` publishes it again."
            ),
            (None, Some(now)) => format!("The cell is not published. The rows give {now} now."),
            (Some(published), None) => format!("{not_written}. The published {published} was left by an earlier run."),
            (None, None) => format!("{not_written}, and it is not published."),
        }
    }
}

/// Columns of the table, in order.
const COLUMNS: [&str; 18] = [
    "adds", "who", "source", "id", "datetime", "user", "ip", "host", "country", "domain", "orgtype", "duration",
    "jobs", "tool", "content", "action", "hits", "part",
];

/// The rows of a table.
#[derive(Default)]
struct Rows {
    shown: Vec<Vec<String>>,
    /// How many were read, with those that are not shown.
    n: usize,
    /// How many the cell has, read or not.
    of_cell: usize,
}

impl Rows {
    fn add(&mut self, line: &str, limit: usize) -> Result<()> {
        self.n += 1;
        if limit == 0 || self.n <= limit {
            let row: Value = serde_json::from_str(line).context("reading the answer")?;
            let cell = |name: &&str| match row.get(name) {
                None => String::new(),
                Some(Value::String(text)) => {
                    let mut seen = String::new();
                    push_seen(&mut seen, text);
                    seen.replace('\t', " ")
                }
                Some(number) => number.to_string(),
            };
            self.shown.push(COLUMNS.iter().map(cell).collect());
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut out = String::new();
        let used: Vec<usize> = (0..COLUMNS.len())
            .filter(|i| self.shown.iter().any(|row| row.get(*i).is_some_and(|cell| !cell.is_empty())))
            .collect();
        let heading: Vec<String> = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&heading).filter(|_| self.n > 0).chain(&self.shown).collect();
        let width = |i: usize| all.iter().filter_map(|row| row.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = used.iter().map(|i| width(*i)).collect();
        if self.n > 0 {
            out.push('\n');
        }
        for row in &all {
            let cells = used.iter().zip(&widths).filter_map(|(i, width)| Some(format!("{:width$}", row.get(*i)?)));
            let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        let hidden = self.n.max(self.of_cell) - self.shown.len();
        if hidden > 0 {
            let _ = writeln!(out, "… and {hidden} more rows; --limit 0 shows all");
        }
        out
    }
}
