//! One access log line in any layout, as the fields that the rules and the record need.

use std::sync::Arc;

use crate::format::{self, Format};
use crate::grammar;

/// The fields of one line; what a layout lacks is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// `YYYY-MM-DD`.
    pub(crate) date: [u8; 10],
    /// Time of day, hours of any length.
    pub(crate) time: &'a [u8],
    pub(crate) pid: &'a [u8],
    pub(crate) request: &'a [u8],
    /// Method and URL, from formats that log them apart instead of a request.
    pub(crate) method_and_url: Option<(&'a [u8], &'a [u8])>,
    pub(crate) status: &'a [u8],
    pub(crate) bytes: &'a [u8],
    pub(crate) client: &'a [u8],
    pub(crate) referrer: &'a [u8],
    pub(crate) agent: &'a [u8],
    pub(crate) uid: &'a [u8],
    /// CMS session, site cookie, login, component, view, task, action, item.
    pub(crate) tail: [&'a [u8]; 8],
}

/// How access log lines are laid out.
#[derive(Debug, Clone, Default)]
pub(crate) enum Layout {
    /// The two layouts of HUBzero hubs.
    #[default]
    Hubzero,
    /// Common and combined logs.
    Combined,
    /// A LogFormat of Apache.
    Format(Arc<Format>),
}

impl Layout {
    /// The fields of a line. A line feed belongs to the line where it ended it.
    pub(crate) fn parse<'a>(&self, line: &'a [u8]) -> Option<Line<'a>> {
        match self {
            Self::Hubzero => grammar::access(line).map(|fields| from_fields(line, &fields, |at| at)),
            Self::Combined => format::combined(without_end(line)),
            Self::Format(format) => format.parse(without_end(line)),
        }
    }

    /// The same for a line that is text, with the port's idea of blanks, digits and words, which
    /// are those of Unicode.
    pub(crate) fn parse_unicode<'a>(&self, line: &'a str) -> Option<Line<'a>> {
        let odd = |b: u8| b >= 0x80 || (0x1C..=0x1F).contains(&b);
        if !matches!(self, Self::Hubzero) || !line.bytes().any(odd) {
            return self.parse(line.as_bytes());
        }
        // the grammar looks at classes of characters only: let one byte stand for each
        let mut shadow = Vec::with_capacity(line.len());
        let mut places = Vec::with_capacity(line.len() + 1);
        for (at, c) in line.char_indices() {
            places.push(at);
            shadow.push(match c {
                '\x1C'..='\x1F' => b' ',
                c if c.is_ascii() => c as u8,
                c if c.is_whitespace() => b' ',
                c if c.is_numeric() && c.is_alphanumeric() && c.to_digit(36).is_none() && is_decimal(c) => b'0',
                c if c.is_alphanumeric() => b'a',
                _ => 0x80,
            });
        }
        places.push(line.len());
        let fields = grammar::access(&shadow)?;
        Some(from_fields(line.as_bytes(), &fields, |at| places[at]))
    }
}

/// Whether a character beyond ASCII is a decimal digit in the common scripts.
fn is_decimal(c: char) -> bool {
    // the first digit of each run of ten
    const ZEROS: [u32; 18] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20,
        0x1040, 0x17E0, 0xFF10,
    ];
    ZEROS.iter().any(|&zero| (zero..zero + 10).contains(&u32::from(c)))
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn from_fields<'a>(line: &'a [u8], fields: &grammar::Fields, place: impl Fn(usize) -> usize) -> Line<'a> {
    let text = |(start, end): grammar::Span| &line[place(start)..place(end)];
    Line {
        // digits of other scripts make no date that a table can hold
        date: text(fields.date).try_into().unwrap_or(*b"0000-00-00"),
        time: text(fields.time),
        pid: text(fields.pid),
        request: text(fields.request),
        method_and_url: None,
        status: text(fields.status),
        bytes: text(fields.bytes),
        client: text(fields.client),
        referrer: text(fields.referrer),
        agent: text(fields.agent),
        uid: text(fields.uid),
        tail: fields.tail.map(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_reads_unicode() {
        let line = "2025-07-10\u{a0}08:00:01 ÉDT 4711 - \"GET /ü HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"Ü\" T 0 1 2 J C A c v t é i";
        assert_eq!(Layout::Hubzero.parse(line.as_bytes()), None);
        let found = Layout::Hubzero.parse_unicode(line).unwrap();
        assert_eq!((found.request, found.tail[6]), ("GET /ü HTTP/1.1".as_bytes(), "é".as_bytes()));
        assert_eq!(&found.date, b"2025-07-10");
        let ascii = line.replace('\u{a0}', " ").replace(['É', 'ü', 'Ü', 'é'], "e");
        assert_eq!(Layout::Hubzero.parse_unicode(&ascii), Layout::Hubzero.parse(ascii.as_bytes()));
    }
}
