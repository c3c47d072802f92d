//! `--check`: describes files without importing them: layout, share of lines that fit, time span,
//! number of clients.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use hashbrown::HashSet;
use kit::{Io, Outcome, counted};
use logs::fingerprint::Reading;
use logs::parse;
use schema::{Compat, Stamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::args::Args;
use crate::beginning::{Beginning, behind_hole};
use crate::join;
use crate::layout::{Layout, Misfit};
use crate::layouts::What;
use crate::layouts::named::State;
use crate::pieces::{Piece, Pieces, Spare};
use crate::unit::{Stream, Unit};

/// What was found in a file.
#[derive(Debug, Default)]
struct Found {
    /// Lines that are not empty, comments or messages of a server.
    n_lines: u64,
    n_fit: u64,
    span: Option<(Stamp, Stamp)>,
    /// Hashes of the clients: their addresses, or their names if there is no address.
    clients: HashSet<u64>,
}

impl Found {
    fn add(&mut self, stamp: Stamp, client: &[u8]) {
        self.n_fit += 1;
        self.n_lines += 1;
        self.clients.insert(xxh3_64(client));
        if stamp.is_calendar_day() {
            let (first, last) = self.span.unwrap_or((stamp, stamp));
            self.span = Some((first.min(stamp), last.max(stamp)));
        }
    }

    fn line(&mut self, line: &[u8], stream: &Stream, state: &mut State, compat: Compat) {
        if line.iter().all(|&b| parse::is_blank(b)) {
            return;
        }
        match stream {
            Stream::Auth => match parse::auth(line, compat) {
                Some(login) => self.add(parse::datetime(login.date, login.time), login.ip),
                None => self.n_lines += 1,
            },
            Stream::Access(layout) => match layout.parse(line, state) {
                Ok(line) => {
                    let client = line.host.filter(|name| !name.is_empty()).unwrap_or(line.client);
                    self.add(parse::datetime(&line.date, line.time.bytes()), client);
                }
                Err(Misfit::Other(What::Blank | What::Comment | What::NotARequest)) => {}
                Err(_) => self.n_lines += 1,
            },
        }
    }

    fn words(&self) -> String {
        let span = self.span.map_or_else(String::new, |(first, last)| format!("; {first} to {last}"));
        let clients = counted(self.clients.len(), "client", "clients");
        format!("{} of {} lines fit{span}; {clients}", self.n_fit, self.n_lines)
    }
}

/// Describes each file.
///
/// # Errors
/// A file cannot be read, or no layout fits it.
pub(crate) fn run(args: &Args, units: &[Unit], io: &mut Io) -> Result<Outcome> {
    let mut output = io.output()?;
    let mut n_unknown = 0;
    for unit in units {
        let said = one(unit, args.common.compat).with_context(|| format!("reading {}", unit.name()))?;
        let text = said.unwrap_or_else(|unknown| {
            n_unknown += 1;
            unknown
        });
        writeln!(output.raw(), "{}: {text}", unit.name()).context("writing standard output")?;
    }
    output.finish()?;
    match n_unknown {
        0 => Ok(Outcome::default()),
        1 => bail!("a file has no known layout"),
        n => bail!("{n} files have no known layout"),
    }
}

/// The description of a file; an error says what it looks like.
fn one(unit: &Unit, compat: Compat) -> Result<Result<String, String>> {
    let mut reading = match &unit.path {
        Some(path) => Reading::open(path)?,
        None => kit::stdin().and_then(Reading::of_stream)?,
    };
    reading.look();
    let (_, first) = behind_hole(&mut reading)?;
    let mut reading = std::io::Cursor::new(first).chain(reading);
    let beginning = Beginning::read(&mut reading, unit.path.is_some())?;
    let stream = match &unit.stream {
        Stream::Auth => Stream::Auth,
        Stream::Access(asked) => Stream::Access(beginning.layout(asked)),
    };
    if let Stream::Access(Layout::Unknown(unknown)) = &stream {
        let first = unknown.first.as_ref().map(|(n, text)| format!("; line {n}: `{text}`")).unwrap_or_default();
        return Ok(Err(format!("{unknown}{first}")));
    }
    let prefix = beginning.prefix(&stream);
    let end = if beginning.has_bare_returns() { b'\r' } else { b'\n' };
    let mut found = Found::default();
    let mut state = State::default();
    let joins = if let Stream::Access(layout) = &stream { layout.joins() } else { None };
    let bytes = std::io::Cursor::new(beginning.bytes).chain(reading);
    let mut pieces = Pieces::new(bytes, &Spare::default()).joining(joins);
    while let Some(piece) = pieces.next_piece()? {
        match piece {
            Piece::Block(block) => {
                let lines: Vec<&[u8]> = block.split_inclusive(|&b| b == end).collect();
                for line in join::whole_lines(&block, &lines, joins) {
                    found.line(&line, &stream, &mut state, compat);
                }
            }
            Piece::TooLong(..) => found.n_lines += 1,
            Piece::Cut => {}
        }
    }
    Ok(Ok(format!("{}{prefix}; {}", stream.layout_name(), found.words())))
}
