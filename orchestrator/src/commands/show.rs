//! `hzmetrics show`: the usage table of a month from the tables, beside the month before and the year before.

use anyhow::{Result, bail};
use kit::{Endpoint, Format, Messages, Output, Uses};
use schema::usage::{Cells, Compared, LINES, Line};
use schema::{Kind, Month, Period, json};

use super::{HubCommand, print};
use crate::hub::Hub;
use crate::published;

/// Show the usage table of a month beside earlier ones
///
/// The numbers are the published ones, with their change in per cent. A number that was not published is
/// shown as `-`. `hzmetrics why` lists what a number is computed from.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The month [default: the last published one]
    #[arg(value_name = "YYYY-MM")]
    month: Option<Month>,

    /// Period that ends with the month: 0 year, 1 month, 3 quarter, 12 twelve months, 13 fiscal year, 14 all time
    #[arg(long, value_name = "CODE", default_value = "1")]
    period: Period,

    /// A table for people, or records of kind `usage`
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = Format::among(Format::OF_RECORDS))]
    format: Format,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let mut db = hub.db()?;
        let last = published::last_month(&mut db)?;
        let Some(month) = self.month.or(last) else { bail!("no month is published") };
        let mut of = |month| published::cells(&mut db, month, self.period);
        let [now, before, year] = Compared::months(month).map(&mut of);
        let [now, before, year]: [Cells; 3] = [now?, before?, year?];
        if now.is_empty() {
            let known = last.map_or_else(|| "no month is".to_owned(), |last| format!("the last month that is: {last}"));
            bail!("{month} is not published for period {}; {known}", self.period);
        }
        let compared = Compared { month, period: self.period, cells: [&now, &before, &year] };
        if self.format == Format::Table {
            return print(compared.table().as_bytes());
        }
        let messages = Messages::new("hzmetrics", false);
        let mut output = Output::new(&Endpoint::Standard, self.format, Kind::Usage.name(), messages)?;
        LINES.iter().try_for_each(|line| output.record(&record(&compared, line)))?;
        output.finish()?;
        Ok(0)
    }
}

/// A line as a record.
fn record(compared: &Compared<'_>, line: &Line) -> Vec<u8> {
    let found = compared.values(line);
    let mut out = format!("{{\"kind\":\"usage\",\"month\":\"{}\",\"period\":{}", compared.month, compared.period);
    out.push_str(&format!(",\"cell\":\"{}\",\"label\":", line.place));
    let mut out = out.into_bytes();
    json::push_str(&mut out, line.label.trim_start());
    out.extend_from_slice(format!(",\"unit\":\"{}\"", line.unit.word()).as_bytes());
    let [now, before, year] = found.values;
    let [change, year_change] = found.changes;
    for (name, value) in [
        ("value", now),
        ("share", found.share),
        ("month_before", before),
        ("change", change),
        ("year_before", year),
        ("year_change", year_change),
    ] {
        if let Some(value) = value {
            out.extend_from_slice(format!(",\"{name}\":{}", rounded(value)).as_bytes());
        }
    }
    out.push(b'}');
    out
}

/// With at most two decimal places.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
