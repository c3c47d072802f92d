//! The state that stands for rows before they are removed: made by `summarize`, and verified by it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::{Context as _, Result};
use hub::lock::Lock;
use kit::door;
use schema::Month;

use crate::hub::Hub;

/// The largest state: a table row in memory is the limit of neither server nor program.
const LIMIT: u64 = 16 << 30;

/// As many months as one run of `summarize` computes.
const MOST_MONTHS: usize = 600;

/// What came of making a state.
pub(super) enum Made {
    State(Vec<u8>),
    /// It cannot be made or does not give the cells of the rows, and why.
    Not(String),
}

/// How it is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Alone<'l> {
    /// Nobody else writes.
    Yes(Option<&'l Lock>),
    /// Others may write: whether they did must be looked at afterwards.
    No,
}

/// The bytes of a state of the months through `through` that gives the cells that the rows give, of that month and of
/// all months since, and the same usage of resources.
///
/// # Errors
/// A signal ends it, or a file cannot be read.
pub(super) fn made(hub: &Hub, alone: Alone<'_>, through: Month) -> Result<Made> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let at = |name: &str| folder.path().join(name);
    let (state, by_rows, by_state) = (at("state"), at("rows.ndjson"), at("state.ndjson"));
    let making = ["--month", &through.to_string(), "--only", "summary", "--with-usage"];
    let last = kit::current_month()?.previous().max(through);
    let last = through.through(last).take(MOST_MONTHS).last().unwrap_or(through);
    let months = ["--since", &through.to_string(), "--through", &last.to_string(), "--only", "summary,andmore"];
    let to = ("--state-to", state.as_path());
    for (records, args, state) in [
        (&at("made.ndjson"), making.as_slice(), Some(to)),
        (&by_rows, &months, None),
        (&by_state, &months, Some(("--state-from", &state))),
    ] {
        let code = summarize(hub, alone, records, args, state)?;
        if code != 0 {
            return Ok(Made::Not(format!("summarize ended with exit code {code}")));
        }
    }
    let [rows, kept] = [&by_rows, &by_state].map(|path| door::read(path, LIMIT));
    if rows? != kept? {
        let text = format!("the state of the months through {through} does not give the cells that the rows give");
        return Ok(Made::Not(text));
    }
    Ok(Made::State(door::read(&state, LIMIT)?))
}

/// Runs `summarize` on the tables; its records go to a file. Returns its exit code.
fn summarize(hub: &Hub, alone: Alone<'_>, to: &Path, args: &[&str], state: Option<(&str, &Path)>) -> Result<u8> {
    let mut list: Vec<OsString> = ["--from", "db", "--format", "ndjson", "--to"].map(OsString::from).to_vec();
    list.push(to.into());
    list.extend(args.iter().map(OsString::from));
    if let Some((option, path)) = state {
        list.extend([OsStr::new(option).to_owned(), path.as_os_str().to_owned()]);
    }
    let lock = match alone {
        Alone::Yes(lock) => lock,
        Alone::No => {
            list.push("--beside-writers".into());
            None
        }
    };
    hub.shell(lock)?.run_program("summarize", list)
}
