//! The pipe's face: sessions from `online` records, and their map.

use anyhow::{Context as _, Result};
use kit::{Endpoint, Format, Input, Io, Output};
use schema::{Compat, Kind, Opt};

use crate::domain::Rule;
use crate::map;
use crate::session::Session;

/// The sessions in `online` records.
///
/// # Errors
/// An input cannot be read.
pub(crate) fn read(io: &mut Io, compat: Compat) -> Result<Vec<Session>> {
    let rule = if compat.has(Opt::LpWhoisonline) { Rule::Port } else { Rule::Legacy };
    let mut sessions = Vec::new();
    let mut n_others = 0_u64;
    let mut input: Input = io.input()?;
    input.for_each(&mut io.rejects, |record, rejects| {
        if record.kind != Kind::Online.name() {
            n_others += 1;
            return Ok(());
        }
        match Session::from_record(record.line, rule) {
            Ok(session) => sessions.push(session),
            Err(error) => rejects.reject(record.path, record.number, &error.to_string(), record.line)?,
        }
        Ok(())
    })?;
    if n_others > 0 {
        let others = kit::counted(n_others, "record of another kind is", "records of other kinds are");
        io.messages.note(format_args!("{others} not on the map"));
    }
    Ok(sessions)
}

/// Writes the map of sessions.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn print(sessions: &[Session], compat: Compat, io: &Io) -> Result<()> {
    let to = Endpoint::from_arg(&io.common().to);
    let mut out = Output::new(&to, Format::Ndjson, Kind::Online.name(), io.messages)?;
    map::write(sessions, compat.into(), out.raw()).context("writing the map")?;
    out.finish()
}
