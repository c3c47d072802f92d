//! `hzmetrics fill-geo`: fills in missing countries, month by month, in every table that has them.

use std::ffi::OsString;

use anyhow::{Result, ensure};
use clap::ArgGroup;
use schema::Month;

use super::HubCommand;
use super::values::DryRun;
use crate::hub::Hub;
use crate::pipeline::facts::month;

/// The tables with countries, in the order in which they are filled.
const TABLES: [&str; 4] = ["web", "websessions", "toolstart", "sessionlog_metrics"];

/// Fill in missing countries
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub(crate) struct Args {
    /// One month
    #[arg(long, group = "which", value_name = "YYYY-MM")]
    month: Option<Month>,

    /// All months that lack countries
    #[arg(long, group = "which")]
    all: bool,

    #[command(flatten)]
    mode: DryRun,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let dry_run = self.mode.dry_run;
        let lock = hub.lock(!dry_run)?;
        let months = match self.month {
            Some(month) => vec![month],
            None => with_gaps(hub)?,
        };
        let Some((first, last)) = months.first().zip(months.last()) else {
            hub.log.info("no months with missing countries");
            return Ok(0);
        };
        let would = if dry_run { "[dry-run] would fill" } else { "filling" };
        hub.log.info(format_args!("{would} countries of {} month(s): {first} .. {last}", months.len()));
        let mut shell = hub.shell(lock.as_ref())?;
        for (i, month) in months.iter().enumerate() {
            shell.show_context(&format!("{month}, {} of {}", i + 1, months.len()));
            for table in TABLES {
                let _step = hub.log.step(format!("fill-ipcountry {table} {month}"));
                let month = month.to_string();
                let mut args = vec!["--db", "--only", "countries", "--table", table, "--date", &month];
                args.extend(dry_run.then_some("--dry-run"));
                let code = shell.run_program("usage-metrics", args.into_iter().map(OsString::from).collect())?;
                ensure!(code == 0, "filling the countries of {table} in {month} failed");
            }
        }
        hub.log.info(">>> done");
        Ok(0)
    }
}

/// The months that have requests without a country.
fn with_gaps(hub: &Hub) -> Result<Vec<Month>> {
    let sql = "SELECT DISTINCT YEAR(datetime), MONTH(datetime) FROM web WHERE ipcountry IS NULL OR ipcountry = '' \
               ORDER BY 1, 2";
    let months = hub.db()?.all(sql, (), |cells| Ok(month(cells.int(0), cells.int(1))))?;
    Ok(months.into_iter().flatten().collect())
}
