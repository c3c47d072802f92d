//! The work in parts: what a process does with its part of a stream and passes on, and what the join
//! checks before it builds sessions from all parts.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read as _;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::tz::TimeZone;
use kit::Output;
use kit::door::named;
use schema::{Compat, Month, Part, Stamp, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::args::Args;
use crate::months::{AllRows, Share, Steps, mark};
use crate::names::Names;
use crate::parse::{Fields, Parsed};
use crate::piece_record::{self, End};
use crate::pieces::Piece;

/// Why the records of parts are refused.
pub(crate) const UNJOINED: &str =
    "these records are what `usage-metrics --part` wrote; `usage-metrics --join` makes one result of all parts";

/// What this process does with a stream.
pub(crate) enum Role {
    Whole,
    Part(Worker),
    Joined(Joined),
}

impl Role {
    pub(crate) fn of(args: &Args) -> Self {
        match args.part {
            Some(part) => Self::Part(Worker { part, already_cut: args.already_cut }),
            None if args.join => Self::Joined(Joined::default()),
            None => Self::Whole,
        }
    }

    pub(crate) const fn share(&self) -> Share {
        match self {
            Self::Whole => Share::Whole,
            Self::Part(_) => Share::Part,
            Self::Joined(_) => Share::Joined,
        }
    }
}

/// Works on one part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worker {
    part: Part,
    already_cut: bool,
}

impl Worker {
    /// Whether a record belongs to this part; its month is noted in any case.
    pub(crate) fn sees(self, parsed: &Parsed<'_>, months: &mut BTreeSet<Month>) -> bool {
        let month = |stamp: Option<Stamp>| stamp.and_then(Stamp::month);
        let is_mine = match parsed {
            Parsed::Web(Fields { datetime, ip, host, .. }) => {
                months.extend(datetime.filter(|stamp| stamp.day() > 0).and_then(Stamp::month));
                self.part.takes(ip.as_deref(), host.as_deref())
            }
            Parsed::Tool(fields) | Parsed::Session(fields) => {
                months.extend(month(fields.datetime));
                self.part.passes_on()
            }
            _ => self.part.passes_on(),
        };
        is_mine || self.already_cut
    }

    /// The field by which a request names its piece, if it has one.
    pub(crate) fn piece_field(self, piece_of: &[u32], row: usize) -> Option<Vec<u8>> {
        let number = piece_of.get(row).filter(|number| **number > 0)?;
        Some(format!("\"{}:{number}\"", self.part.number).into_bytes())
    }

    /// Writes the pieces and the end.
    pub(crate) fn write_pieces(
        self,
        world: &AllRows,
        months: &[Month],
        settings: &str,
        n_records: u64,
        output: &mut Output,
    ) -> Result<()> {
        let part = self.part.number;
        let mut line = Vec::new();
        for piece in &world.pieces {
            line.clear();
            piece_record::write_piece(&world.names, &Piece { part, ..*piece }, &mut line);
            output.record(&line)?;
        }
        let rows = world.piece_of.iter().zip(&world.web.marks);
        let n_requests = rows.filter(|(piece, marks)| **piece > 0 && **marks & mark::GONE == 0).count();
        line.clear();
        let end = End {
            part,
            parts: self.part.of,
            n_pieces: world.pieces.len() as u64,
            n_requests: n_requests as u64,
            n_records,
            months: months.to_vec(),
            doubtful: world.doubtful.clone(),
            settings: settings.to_owned(),
        };
        piece_record::write_end(&end, &mut line);
        output.record(&line)
    }
}

/// The line as it was before a part added the piece.
pub(crate) fn without_piece(line: &[u8]) -> Cow<'_, [u8]> {
    const FIELD: &[u8] = b",\"session_part\":";
    let Some(from) = memchr::memmem::rfind(line, FIELD) else { return Cow::Borrowed(line) };
    match json::find(line, "session_part") {
        Ok(Some(value)) if value.start == from + FIELD.len() => {
            let (before, after) = (line.get(..from), line.get(value.end..));
            Cow::Owned([before.unwrap_or_default(), after.unwrap_or_default()].concat())
        }
        _ => Cow::Borrowed(line),
    }
}

/// A hash of the options on which the results of two processes must agree.
pub(crate) fn settings(
    args: &Args,
    compat: Compat,
    zone: &TimeZone,
    steps: Steps,
    open_month: Option<Month>,
) -> Result<String> {
    let mut exclude = Vec::new();
    if let Some(path) = args.exclude.as_deref().filter(|_| steps.bots) {
        let mut read = || anyhow::Ok(named::open(path)?.read_to_end(&mut exclude)?);
        read().with_context(|| format!("reading the exclude list {}", path.display()))?;
    }
    let zone = zone.iana_name().map_or_else(|| format!("{zone:?}"), str::to_owned);
    let text = format!(
        "{} {compat:?} {steps:?} {zone} {open_month:?} {} {:x}",
        env!("CARGO_PKG_VERSION"),
        args.geoip.is_some(),
        xxh3_128(&exclude)
    );
    Ok(format!("{:016x}", xxh3_128(text.as_bytes()) as u64))
}

/// What the join collects.
#[derive(Default)]
pub(crate) struct Joined {
    pieces: Vec<Piece>,
    /// Part and number of the piece of each request.
    requests: Vec<Option<(u32, u32)>>,
    ends: Vec<End>,
    n_records: u64,
}

impl Joined {
    pub(crate) fn piece(&mut self, line: &[u8], names: &mut Names) -> Result<(), &'static str> {
        self.pieces.push(piece_record::piece(line, names)?);
        Ok(())
    }

    pub(crate) fn end(&mut self, line: &[u8]) -> Result<(), &'static str> {
        self.ends.push(piece_record::end(line)?);
        Ok(())
    }

    pub(crate) fn request(&mut self, piece: Option<(u32, u32)>) {
        self.requests.push(piece);
        self.n_records += 1;
    }

    pub(crate) const fn record(&mut self) {
        self.n_records += 1;
    }

    /// Checks that everything is there, and returns it.
    ///
    /// # Errors
    /// A part, or something of it, is missing, occurs twice, or was made with other options.
    pub(crate) fn settle(&mut self, world: &mut AllRows, settings: &str) -> Result<()> {
        self.check_ends(settings)?;
        self.pieces.sort_unstable_by_key(|piece| (piece.part, piece.number));
        let mut of_part = Vec::new();
        let mut from = 0;
        for end in &self.ends {
            let pieces = self.pieces.get(from..).unwrap_or_default();
            let n = pieces.iter().take_while(|piece| piece.part == end.part).count();
            let in_turn = pieces.iter().take(n).zip(1..).all(|(piece, number)| piece.number == number);
            ensure!(in_turn && n as u64 == end.n_pieces, incomplete(end.part, "session_part", end.n_pieces));
            of_part.push((from, n));
            from += n;
        }
        ensure!(from == self.pieces.len(), "some `session_part` records belong to no complete part");
        let mut n_requests = vec![0_u64; self.ends.len()];
        for request in std::mem::take(&mut self.requests) {
            world.piece_of.push(match request {
                None => 0,
                Some((part, number)) => {
                    let at = (part as usize).wrapping_sub(1);
                    let range = of_part.get(at).filter(|(_, n)| number >= 1 && number as usize <= *n);
                    let (from, _) = range.with_context(|| format!("there is no session_part {part}:{number}"))?;
                    n_requests.get_mut(at).into_iter().for_each(|n| *n += 1);
                    u32::try_from(from + number as usize)?
                }
            });
        }
        for (end, n) in self.ends.iter().zip(n_requests) {
            ensure!(n == end.n_requests, incomplete(end.part, "web", end.n_requests));
        }
        let expected: u64 = self.ends.iter().map(|end| end.n_records).sum();
        ensure!(
            self.n_records >= expected,
            "the parts wrote {expected} records besides sessions, but only {} arrived: join the \
             complete output of all parts",
            self.n_records
        );
        world.pieces = std::mem::take(&mut self.pieces);
        world.other_months.extend(self.ends.iter().flat_map(|end| &end.months));
        Ok(())
    }

    /// One end of each part, in order.
    fn check_ends(&mut self, settings: &str) -> Result<()> {
        self.ends.sort_unstable_by_key(|end| end.part);
        let Some(n_parts) = self.ends.first().map(|end| end.parts) else {
            bail!("nothing to join: no part came to its end (a `part_end` record)");
        };
        for end in &self.ends {
            ensure!(end.parts == n_parts, "some parts are of {n_parts}, some of {}", end.parts);
            ensure!(
                end.settings == settings,
                "part {} was made with other options than these (--compat, --only, --exclude, --geoip, --timezone, \
                 or in another month), or by another version",
                end.part
            );
        }
        for pair in self.ends.windows(2) {
            if let [a, b] = pair {
                ensure!(a.part != b.part, "part {} occurs twice: join each part once", a.part);
            }
        }
        let missing: Vec<String> = (1..=n_parts)
            .filter(|part| self.ends.binary_search_by_key(part, |end| end.part).is_err())
            .map(|part| part.to_string())
            .collect();
        ensure!(missing.is_empty(), "of {n_parts} parts these are missing or incomplete: {}", missing.join(", "));
        Ok(())
    }

    /// Checks that nothing that a part could not decide makes a difference.
    ///
    /// # Errors
    /// It does.
    pub(crate) fn check_months(&self, months: &[Month]) -> Result<()> {
        for end in &self.ends {
            if let Some(month) = end.doubtful.iter().find(|month| months.binary_search(month).is_ok()) {
                bail!(
                    "part {} has no record of {month}, but a request of a bot at the first midnight after it, which \
                     counts as one of {month} because another part has records of that month; give each part the \
                     whole stream, without --already-cut",
                    end.part
                );
            }
        }
        Ok(())
    }
}

fn incomplete(part: u32, kind: &str, n: u64) -> String {
    format!("part {part} wrote {n} `{kind}` records that belong to sessions, and not all of them are here once")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_the_piece_restores_the_line() {
        for (line, before) in [
            (r#"{"kind":"web","session_part":"2:17"}"#, r#"{"kind":"web"}"#),
            (r#"{ "kind":"web", "x":[1] ,"session_part":"2:17"}"#, r#"{ "kind":"web", "x":[1] }"#),
            (r#"{"kind":"web","session_part":"2:17","sessionid":null}"#, r#"{"kind":"web","sessionid":null}"#),
            (r#"{"kind":"web"}"#, r#"{"kind":"web"}"#),
            (
                r#"{"kind":"web","x":{"a":1,"session_part":"1:1"}}"#,
                r#"{"kind":"web","x":{"a":1,"session_part":"1:1"}}"#,
            ),
        ] {
            assert_eq!(String::from_utf8_lossy(&without_piece(line.as_bytes())), before);
        }
    }
}
