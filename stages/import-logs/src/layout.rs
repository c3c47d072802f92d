//! How access log lines are laid out, and what their fields are in each layout.

use std::sync::Arc;

use logs::parse;

use crate::format::{self, Format};
use crate::line::Line;

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
            Self::Hubzero => parse::access(line).map(|fields| from_fields(line, &fields)),
            Self::Combined => format::combined(without_end(line)),
            Self::Format(format) => format.parse(without_end(line)),
        }
    }

    /// The same for a line that is text, with the port's idea of blanks, digits and words, which
    /// are those of Unicode.
    pub(crate) fn parse_unicode<'a>(&self, line: &'a str) -> Option<Line<'a>> {
        if !matches!(self, Self::Hubzero) {
            return self.parse(line.as_bytes());
        }
        parse::access_unicode(line).map(|fields| from_fields(line.as_bytes(), &fields))
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn from_fields<'a>(line: &'a [u8], fields: &parse::Fields) -> Line<'a> {
    let text = |(start, end): parse::Span| &line[start..end];
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
