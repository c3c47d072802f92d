//! The layouts of access log lines, and how each gives the fields of a line.

use std::sync::Arc;

use logs::parse;

use crate::layouts::entry::{ClientFrom, Entry};
use crate::layouts::named::{self, State};
use crate::layouts::prefix::{Prefix, Prefixes};
use crate::layouts::recognise::Unknown;
use crate::layouts::writing::Writing;
use crate::layouts::{What, clf};
use crate::line::Line;

/// The layout of access log lines.
#[derive(Debug, Clone, Default)]
pub(crate) enum Layout {
    /// The two layouts of HUBzero hubs, read as legacy reads them.
    #[default]
    Hubzero,
    /// Any other layout.
    Other(Arc<named::Layout>),
    /// To be recognised from the first lines of the file.
    Auto(Arc<Hints>),
    /// The first lines have no known layout: no line of the file is used.
    Unknown(Arc<Unknown>),
}

/// What is known about a layout before it is recognised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints {
    /// Where the client is taken from.
    pub(crate) from: ClientFrom,
    /// What comes before the lines.
    pub(crate) prefixes: Prefixes,
    /// The last possible day of a log, `YYYY-MM-DD`.
    pub(crate) latest: [u8; 10],
}

/// Why a line gives no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The layout of hubs gives no reason, nor does an unknown one.
    Plain,
    /// The reason given by another layout.
    Other(What),
}

impl Layout {
    /// The fields of a line. A line feed belongs to the line that it ends.
    #[inline]
    pub(crate) fn parse<'a>(&self, line: &'a [u8], state: &'a mut State) -> Result<Line<'a>, Misfit> {
        match self {
            Self::Hubzero => parse::access(line).map(|fields| from_fields(line, &fields)).ok_or(Misfit::Plain),
            Self::Other(layout) => match layout.parse(line, state) {
                Ok(entry) => Ok(from_entry(&entry)),
                Err(fault) => Err(Misfit::Other(fault.what)),
            },
            Self::Auto(_) | Self::Unknown(_) => Err(Misfit::Plain),
        }
    }

    /// The same for a line of valid text, with the port's definition of blanks, digits and words:
    /// Unicode's.
    pub(crate) fn parse_unicode<'a>(&self, line: &'a str, state: &'a mut State) -> Result<Line<'a>, Misfit> {
        if !self.is_hub() {
            return self.parse(line.as_bytes(), state);
        }
        parse::access_unicode(line).map(|fields| from_fields(line.as_bytes(), &fields)).ok_or(Misfit::Plain)
    }

    /// Whether this is the layout of hubs.
    pub(crate) const fn is_hub(&self) -> bool {
        matches!(self, Self::Hubzero)
    }

    /// How its lines write an agent.
    pub(crate) fn writing(&self) -> Writing {
        match self {
            Self::Hubzero => Writing::SixQuotes,
            Self::Other(layout) => layout.writing(),
            Self::Auto(_) | Self::Unknown(_) => Writing::Other,
        }
    }

    /// The state after a block of lines.
    pub(crate) fn state_after(&self, state: &State, block: &[u8]) -> State {
        match self {
            Self::Other(layout) => state.after(block, layout),
            _ => State::default(),
        }
    }

    /// Whether lines affect how later lines are read.
    pub(crate) fn has_directives(&self) -> bool {
        matches!(self, Self::Other(layout) if layout.is_w3c())
    }

    /// What may stand before its lines.
    pub(crate) fn prefixes(&self) -> Prefixes {
        match self {
            Self::Other(layout) => layout.prefixes,
            Self::Auto(hints) => hints.prefixes,
            Self::Hubzero | Self::Unknown(_) => Prefixes::None,
        }
    }

    /// What stands before lines that may have been cut into parts.
    pub(crate) fn joins(&self) -> Option<Prefix> {
        match self {
            Self::Other(layout) => layout.joins,
            _ => None,
        }
    }

    /// Where a second request begins in a line, if a crash has joined two.
    pub(crate) fn second_line(&self, line: &[u8]) -> Option<usize> {
        match self {
            Self::Other(layout) if layout.is_clf() => clf::second_line(line),
            _ => None,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hubzero => "hubzero",
            Self::Other(layout) => layout.name(),
            Self::Auto(_) => "auto",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The fields of a line in one of the layouts of hubs.
pub(crate) fn from_fields<'a>(line: &'a [u8], fields: &parse::Fields) -> Line<'a> {
    let text = |(start, end): parse::Span| &line[start..end];
    Line {
        // digits of other scripts do not form a date that a table can hold
        date: text(fields.date).try_into().unwrap_or(*b"0000-00-00"),
        time: text(fields.time).into(),
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
        ..Line::default()
    }
}

#[inline]
fn from_entry<'a>(entry: &Entry<'a>) -> Line<'a> {
    Line {
        date: entry.date,
        time: entry.time.into(),
        pid: entry.pid,
        request: entry.request,
        method_and_url: Some(entry.method_and_url),
        status: entry.status,
        bytes: entry.bytes,
        client: entry.client,
        host: Some(entry.host),
        is_ipv6: entry.is_ipv6,
        offset: entry.offset,
        twice: None,
        vhost: entry.vhost,
        request_id: entry.request_id,
        referrer: entry.referrer,
        agent: entry.agent,
        uid: entry.uid,
        tail: entry.tail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_reads_unicode() {
        let line = "2025-07-10\u{a0}08:00:01 ÉDT 4711 - \"GET /ü HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"Ü\" T 0 1 2 J C A c v t é i";
        let (mut one, mut other) = (State::default(), State::default());
        assert_eq!(Layout::Hubzero.parse(line.as_bytes(), &mut one), Err(Misfit::Plain));
        let found = Layout::Hubzero.parse_unicode(line, &mut one).unwrap();
        assert_eq!((found.request, found.tail[6]), ("GET /ü HTTP/1.1".as_bytes(), "é".as_bytes()));
        assert_eq!(&found.date, b"2025-07-10");
        let ascii = line.replace('\u{a0}', " ").replace(['É', 'ü', 'Ü', 'é'], "e");
        assert_eq!(
            Layout::Hubzero.parse_unicode(&ascii, &mut one),
            Layout::Hubzero.parse(ascii.as_bytes(), &mut other)
        );
    }
}
