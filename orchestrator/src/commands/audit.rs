//! `hzmetrics audit`: prints what an audit found, as text or as JSON.

use anyhow::Result;
use kit::Uses;

use super::{HubCommand, print};
use crate::audit::{self, Report, Wanted};
use crate::hub::Hub;

/// Look for numbers that cannot be right
///
/// Reads each table once and changes nothing. Prints a line for each check and, at the end, the
/// commands that fix what was found. Exit code 1 if there are findings.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many months to look back
    #[arg(long, value_name = "N", group = "which", allow_negative_numbers = true, default_value = "24")]
    months: i64,

    /// All months that have data
    #[arg(long, group = "which")]
    all: bool,

    /// Smallest share of missing names that is a finding
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value = "0.05", value_parser = share)]
    floor: f64,

    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(|| format!("`{text}` is not a number"))
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        None
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let wanted = Wanted { months: self.months, all: self.all, floor: self.floor };
        let mut report = if self.json { Report::silent() } else { Report::new(hub) };
        audit::audit(hub, wanted, &mut report)?;
        if self.json {
            print(report.json().as_bytes())?;
        }
        Ok(u8::from(report.n_findings() > 0))
    }
}
