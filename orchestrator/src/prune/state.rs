//! The state that stands for rows before they are removed: made by `summarize`, and verified by it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use hub::lock::Lock;
use kit::door;
use schema::Month;

use crate::hub::Hub;

/// The largest state: a table row in memory is the limit of neither server nor program.
const LIMIT: u64 = 16 << 30;

/// As many months as one run of `summarize` computes.
const MOST_MONTHS: usize = 600;

/// The bytes of a state of the months through `through` that gives the cells that the rows give, of that month and of
/// all months since, and the same usage of resources.
///
/// # Errors
/// `summarize` fails, or the cells differ.
pub(super) fn made(hub: &Hub, lock: Option<&Lock>, through: Month) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let at = |name: &str| folder.path().join(name);
    let (state, by_rows, by_state) = (at("state"), at("rows.ndjson"), at("state.ndjson"));
    summarize(
        hub,
        lock,
        &at("made.ndjson"),
        &["--month", &through.to_string(), "--only", "summary", "--with-usage"],
        &[("--state-to", &state)],
    )?;
    let last = kit::current_month()?.previous().max(through);
    let last = through.through(last).take(MOST_MONTHS).last().unwrap_or(through);
    let months = ["--since", &through.to_string(), "--through", &last.to_string(), "--only", "summary,andmore"];
    summarize(hub, lock, &by_rows, &months, &[])?;
    summarize(hub, lock, &by_state, &months, &[("--state-from", &state)])?;
    let [rows, kept] = [&by_rows, &by_state].map(|path| door::read(path, LIMIT));
    ensure!(
        rows? == kept?,
        "the state of the months through {through} does not give the cells that the rows give; nothing was removed"
    );
    Ok(door::read(&state, LIMIT)?)
}

/// Runs `summarize` on the tables; its records go to a file.
fn summarize(hub: &Hub, lock: Option<&Lock>, to: &Path, args: &[&str], states: &[(&str, &Path)]) -> Result<()> {
    let mut list: Vec<OsString> = ["--from", "db", "--format", "ndjson", "--to"].map(OsString::from).to_vec();
    list.push(to.into());
    list.extend(args.iter().map(OsString::from));
    for (option, path) in states {
        list.extend([OsStr::new(option).to_owned(), path.as_os_str().to_owned()]);
    }
    let code = hub.shell(lock)?.run_program("summarize", list)?;
    if code != 0 {
        bail!("summarize ended with exit code {code}; nothing was removed");
    }
    Ok(())
}
