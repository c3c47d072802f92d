//! Why a line was not recognised, in words. This examines lines that have already failed, so it may
//! be slow and need not be exact: the parser has decided.

use std::borrow::Cow;

use logs::parse::is_blank;
use memchr::memchr_iter;

use crate::layout::Layout;
use crate::layouts::entry::ClientFrom;
use crate::layouts::named::{self, State};
use crate::unit::Stream;

/// Explains why lines of a block were not recognised, in their order.
pub(crate) struct Reasons<'a> {
    stream: &'a Stream,
    /// The state from the lines of the block before `at`.
    state: State,
    at: usize,
    /// The layout that unrecognised lines resemble most.
    like: Option<named::Layout>,
}

impl<'a> Reasons<'a> {
    /// For a block, with the state before it.
    pub(crate) fn new(stream: &'a Stream, state: State) -> Self {
        let like = match stream {
            Stream::Access(Layout::Unknown(unknown)) => {
                named::Layout::new(unknown.looks_like.unwrap_or("combined"), &ClientFrom::default()).ok()
            }
            _ => None,
        };
        Self { stream, state, at: 0, like }
    }

    /// The reason for a line without its line feed, which begins at `at` in the block.
    pub(crate) fn of(&mut self, line: &[u8], start: usize, block: &[u8]) -> Cow<'static, str> {
        if line.iter().all(|&b| is_blank(b)) {
            return "empty line".into();
        }
        match self.stream {
            Stream::Auth => auth(line).into(),
            Stream::Access(Layout::Hubzero) => hubzero(line),
            Stream::Access(layout @ Layout::Other(other)) => {
                let before = block.get(self.at..start).unwrap_or_default();
                self.state = layout.state_after(&self.state, before);
                self.at = start;
                other.why(line, &mut self.state).unwrap_or_else(|| "does not fit the log format".to_owned()).into()
            }
            Stream::Access(Layout::Auto(_) | Layout::Unknown(_)) => {
                let why = self.like.as_ref().and_then(|like| like.why(line, &mut self.state));
                why.unwrap_or_else(|| "no known log format".to_owned()).into()
            }
        }
    }
}

fn starts_with_date(line: &[u8]) -> bool {
    let shape = |(b, s): (&u8, &u8)| if *s == b'0' { b.is_ascii_digit() } else { b == s };
    line.len() > 10 && line.iter().zip(b"0000-00-00").all(shape) && is_blank(line[10])
}

fn words(line: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    line.split(|&b| is_blank(b)).filter(|word| !word.is_empty())
}

fn auth(line: &[u8]) -> &'static str {
    if !starts_with_date(line) {
        return "no date at the start";
    }
    if line.last().is_some_and(|&b| is_blank(b)) {
        return "a blank at the end";
    }
    let mut from_right = words(line).rev();
    let action = from_right.next().unwrap_or_default();
    let address = from_right.next().unwrap_or_default();
    if !action.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_') {
        "the action is not a word"
    } else if !address.iter().all(|b| b.is_ascii_digit() || *b == b'.') {
        "no IPv4 address before the action"
    } else {
        "the time or the user does not fit"
    }
}

/// A field, as shown in a message.
fn shown(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    let clean = text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c });
    let short: String = clean.take(60).collect();
    format!("`{short}{}`", if text.chars().nth(60).is_some() { "…" } else { "" })
}

fn hubzero(line: &[u8]) -> Cow<'static, str> {
    if !starts_with_date(line) {
        return "no date at the start".into();
    }
    if memchr_iter(b'"', line).count() < 6 {
        return "fewer than three quoted fields".into();
    }
    let zone = words(&line[10..]).nth(1).unwrap_or_default();
    if !zone.first().is_some_and(u8::is_ascii_alphabetic) && !zone.starts_with(b"-") {
        return format!("zone {} is not a name", shown(zone)).into();
    }
    // date time zone [pid] user "request" status bytes client "referrer" …
    let request = memchr::memchr(b'"', line).map_or(0, |at| at + 1);
    let after = memchr::memchr(b'"', &line[request..]).map_or(&b""[..], |at| &line[request + at + 1..]);
    let fields: Vec<_> = words(&after[..memchr::memchr(b'"', after).unwrap_or(after.len())]).take(4).collect();
    match &fields[..] {
        [status, ..] if !status.iter().all(|b| b.is_ascii_digit() || *b == b'-') => {
            format!("status {} is not a number", shown(status)).into()
        }
        [_, bytes, ..] if !bytes.iter().all(u8::is_ascii_digit) => {
            format!("bytes {} are not a number", shown(bytes)).into()
        }
        [_, _, client, ..] if client.contains(&b':') => format!("client {} is an IPv6 address", shown(client)).into(),
        [_, _, _] => "the fields around the quotes do not fit".into(),
        _ => "no status, bytes and client after the request".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_unrecognised_line_has_a_reason() {
        let of = |line: &str, stream: &Stream| {
            Reasons::new(stream, State::default()).of(line.as_bytes(), 0, line.as_bytes()).into_owned()
        };
        let hubzero = |line: &str| of(line, &Stream::Access(Layout::Hubzero));
        let tail = "\"-\" \"UA\" T 0 1 - a b c d e f g h";
        assert_eq!(hubzero(""), "empty line");
        assert_eq!(hubzero(" \r"), "empty line");
        assert_eq!(hubzero("garbage"), "no date at the start");
        assert_eq!(hubzero("2025-07-10 08:00:01 \"x"), "fewer than three quoted fields");
        let line = |middle: &str| format!("2025-07-10 08:00:01 EDT 1 - \"GET / HTTP/1.1\" {middle} {tail}");
        assert_eq!(hubzero(&line("200 1 2001:db8::1")), "client `2001:db8::1` is an IPv6 address");
        assert_eq!(hubzero(&line("200 - 1.2.3.4")), "bytes `-` are not a number");
        assert_eq!(hubzero(&line("ok 1 1.2.3.4")), "status `ok` is not a number");
        assert_eq!(hubzero(&line("200 1")), "no status, bytes and client after the request");
        assert_eq!(hubzero(&line("200 1 1.2.3.4")), "the fields around the quotes do not fit");
        let auth = |line: &str| of(line, &Stream::Auth);
        assert_eq!(auth("2025-07-10 08:00:01 1 [a] 1.2.3.4 login "), "a blank at the end");
        assert_eq!(auth("2025-07-10 08:00:01 1 [a] ::1 login"), "no IPv4 address before the action");
        assert_eq!(auth("2025-07-10 08:00:01 1 [a] 1.2.3.4 log-in"), "the action is not a word");
        assert_eq!(auth("x"), "no date at the start");
        // a line of a block knows what earlier lines say
        let iis = named::Layout::new("iis", &ClientFrom::default()).unwrap();
        let stream = Stream::Access(Layout::Other(Arc::new(iis)));
        let block = b"odd\n#Fields: date time c-ip cs-method cs-uri-stem sc-status\nodd\n";
        let mut reasons = Reasons::new(&stream, State::default());
        assert_eq!(reasons.of(b"odd", 0, block), "no `#Fields:` line before it");
        assert_eq!(reasons.of(b"odd", block.len() - 4, block), "fewer fields than `#Fields:` names");
    }
}
