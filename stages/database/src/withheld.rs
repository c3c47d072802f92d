//! Months withheld by `hzmetrics unpublish`: a stage publishes them only if they are named.

use std::io::IsTerminal as _;

use anyhow::Result;
use kit::Io;
use schema::Month;

use crate::Db;

/// Whether `month`, which the user did not name, is withheld and must be left alone; `metrics` is a
/// session in the metrics database. A person is told, a cron line is not.
///
/// # Errors
/// The server fails.
pub fn is_left_alone(metrics: &mut Db, month: Month, dry_run: bool, io: &Io) -> Result<bool> {
    if !metrics.has_table("pipeline_state")? {
        return Ok(false);
    }
    let lists = metrics.texts("SELECT v FROM pipeline_state WHERE k = 'withheld_months'", ())?;
    let is_withheld = lists.iter().flat_map(|list| list.split(',')).any(|text| text.trim().parse() == Ok(month));
    if is_withheld && (dry_run || std::io::stderr().is_terminal()) {
        io.messages.note(format_args!("{month} is withheld and left out; name it to publish it"));
    }
    Ok(is_withheld)
}
