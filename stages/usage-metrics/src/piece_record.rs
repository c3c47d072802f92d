//! What a part writes for the join, as record lines: pieces of sessions, and the end of the part.

use std::borrow::Cow;

use schema::json::{self, Members};
use schema::{Month, Stamp};

use crate::names::{Name, Names};
use crate::pieces::Piece;
use crate::sessions::OpenSession;

/// How a part ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct End {
    pub(crate) part: u32,
    pub(crate) parts: u32,
    pub(crate) n_pieces: u64,
    pub(crate) n_requests: u64,
    /// All records that are not pieces.
    pub(crate) n_records: u64,
    pub(crate) months: Vec<Month>,
    pub(crate) doubtful: Vec<Month>,
    pub(crate) settings: String,
}

fn number(out: &mut Vec<u8>, name: &str, number: i64) {
    out.extend_from_slice(name.as_bytes());
    json::push_int(out, number);
}

fn string(out: &mut Vec<u8>, name: &str, text: &str) {
    out.extend_from_slice(name.as_bytes());
    json::push_str(out, text);
}

/// Writes a piece.
pub(crate) fn write_piece(names: &Names, piece: &Piece, out: &mut Vec<u8>) {
    let Piece { part, number: n, first_ip, first_host, open } = piece;
    number(out, "{\"kind\":\"session_part\",\"part\":", i64::from(*part));
    number(out, ",\"number\":", i64::from(*n));
    string(out, ",\"datetime\":", &open.start.to_string());
    number(out, ",\"began\":", open.start_epoch);
    if let Some(ended) = open.previous_epoch {
        number(out, ",\"ended\":", ended);
    }
    for (field, name) in [(",\"first_ip\":", *first_ip), (",\"first_host\":", *first_host)] {
        if name != Name::NULL {
            string(out, field, names.text(name));
        }
    }
    for (field, name) in [(",\"ip\":", open.ip), (",\"host\":", open.host), (",\"domain\":", open.domain)] {
        string(out, field, names.text(name.or_empty()));
    }
    out.push(b'}');
}

/// Writes the end of a part.
pub(crate) fn write_end(end: &End, out: &mut Vec<u8>) {
    let months = |months: &[Month]| months.iter().map(Month::to_string).collect::<Vec<_>>().join(",");
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    number(out, "{\"kind\":\"part_end\",\"part\":", i64::from(end.part));
    number(out, ",\"parts\":", i64::from(end.parts));
    number(out, ",\"pieces\":", count(end.n_pieces));
    number(out, ",\"requests\":", count(end.n_requests));
    number(out, ",\"records\":", count(end.n_records));
    string(out, ",\"months\":", &months(&end.months));
    string(out, ",\"doubtful\":", &months(&end.doubtful));
    string(out, ",\"settings\":", &end.settings);
    out.push(b'}');
}

const BAD_PIECE: &str = "not a piece of a session";
const BAD_END: &str = "not the end of a part";

/// Passes the members of a line to `each`.
fn members<'a>(line: &'a [u8], mut each: impl FnMut(&[u8], &'a [u8]) -> Option<()>) -> Option<()> {
    for member in Members::new(line) {
        let member = member.ok()?;
        each(member.key, line.get(member.value)?)?;
    }
    Some(())
}

fn integer<T: TryFrom<i64>>(raw: &[u8]) -> Option<T> {
    T::try_from(std::str::from_utf8(raw).ok()?.parse::<i64>().ok()?).ok()
}

fn text(raw: &[u8]) -> Option<Option<Cow<'_, str>>> {
    json::text(raw).ok()
}

/// Reads a piece.
///
/// # Errors
/// It is not one.
pub(crate) fn piece(line: &[u8], names: &mut Names) -> Result<Piece, &'static str> {
    let open = OpenSession {
        start: Stamp::ZERO,
        start_epoch: 0,
        ip: Name::EMPTY,
        host: Name::EMPTY,
        domain: Name::EMPTY,
        previous_epoch: None,
    };
    let mut piece = Piece { part: 0, number: 0, first_ip: Name::NULL, first_host: Name::NULL, open };
    let read = members(line, |key, raw| {
        let mut name = || Some(names.intern_option(text(raw)?.as_deref()));
        match key {
            b"part" => piece.part = integer(raw)?,
            b"number" => piece.number = integer(raw)?,
            b"datetime" => piece.open.start = Stamp::parse(&text(raw)??)?,
            b"began" => piece.open.start_epoch = integer(raw)?,
            b"ended" => piece.open.previous_epoch = if raw == b"null" { None } else { Some(integer(raw)?) },
            b"first_ip" => piece.first_ip = name()?,
            b"first_host" => piece.first_host = name()?,
            b"ip" => piece.open.ip = name()?.or_empty(),
            b"host" => piece.open.host = name()?.or_empty(),
            b"domain" => piece.open.domain = name()?.or_empty(),
            _ => {}
        }
        Some(())
    });
    let is_whole = piece.part > 0 && piece.number > 0 && piece.open.start != Stamp::ZERO;
    read.filter(|()| is_whole).map(|()| piece).ok_or(BAD_PIECE)
}

/// Reads the end of a part.
///
/// # Errors
/// It is not one.
pub(crate) fn end(line: &[u8]) -> Result<End, &'static str> {
    let months = |raw: &[u8]| -> Option<Vec<Month>> {
        let text = text(raw)??;
        text.split(',').filter(|month| !month.is_empty()).map(|month| month.parse().ok()).collect()
    };
    let mut end = End::default();
    let read = members(line, |key, raw| {
        match key {
            b"part" => end.part = integer(raw)?,
            b"parts" => end.parts = integer(raw)?,
            b"pieces" => end.n_pieces = integer(raw)?,
            b"requests" => end.n_requests = integer(raw)?,
            b"records" => end.n_records = integer(raw)?,
            b"months" => end.months = months(raw)?,
            b"doubtful" => end.doubtful = months(raw)?,
            b"settings" => end.settings = text(raw)??.into_owned(),
            _ => {}
        }
        Some(())
    });
    let is_whole = end.part > 0 && end.part <= end.parts && !end.settings.is_empty();
    read.filter(|()| is_whole).map(|()| end).ok_or(BAD_END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_as_it_was_written() {
        let mut names = Names::new();
        let [a, b, c] = ["1.2.3.4", "h\"\u{e9}", "0"].map(|text| names.intern(text));
        let open = OpenSession {
            start: Stamp::parse("2025-07-03 10:00:00").unwrap(),
            start_epoch: 1_751_536_800,
            ip: a,
            host: b,
            domain: Name::EMPTY,
            previous_epoch: Some(1_751_536_801),
        };
        for (first_ip, first_host, previous_epoch) in
            [(a, b, open.previous_epoch), (Name::NULL, Name::EMPTY, None), (c, Name::NULL, Some(-1))]
        {
            let piece =
                Piece { part: 3, number: 9, first_ip, first_host, open: OpenSession { previous_epoch, ..open } };
            let mut line = Vec::new();
            write_piece(&names, &piece, &mut line);
            assert_eq!(super::piece(&line, &mut names), Ok(piece));
        }
        for line in [r#"{"kind":"session_part"}"#, r#"{"kind":"session_part","part":1,"number":-1}"#] {
            assert_eq!(super::piece(line.as_bytes(), &mut names), Err(BAD_PIECE));
        }
    }

    #[test]
    fn the_end_of_a_part_is_read_as_it_was_written() {
        let months = vec!["2025-06".parse().unwrap(), "2025-07".parse().unwrap()];
        for (months, doubtful) in [(Vec::new(), months.clone()), (months, Vec::new())] {
            let (n_pieces, n_requests, n_records) = (5, 6, 7);
            let settings = "00ff".to_owned();
            let end = End { part: 2, parts: 7, n_pieces, n_requests, n_records, months, doubtful, settings };
            let mut line = Vec::new();
            write_end(&end, &mut line);
            assert_eq!(super::end(&line), Ok(end));
        }
        assert_eq!(super::end(br#"{"kind":"part_end","part":8,"parts":7,"settings":"x"}"#), Err(BAD_END));
    }
}
