//! Layouts other than HUBzero's: common and combined logs, and any LogFormat of Apache compiled
//! to a matcher.
//!
//! A LogFormat is a row of fields with fixed text between them. Each field is taken as short as
//! the fixed text after it allows, longer only when the rest does not fit; within quotes a
//! backslash takes the next byte literally.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use kit::steps;

use crate::args::{ClientFrom, Pick};
use crate::fit::{self, Shape, Slot, closing_quote};
use crate::line::Line;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

fn blanks(text: &[u8]) -> &[u8] {
    let n = text.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    &text[n..]
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|b| matches!(b, b' ' | b'\t'))?;
    (end > 0).then(|| text.split_at(end))
}

/// The text of a quoted field that opens at the start, and what follows its closing quote.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let end = closing_quote(inner, 0)?;
    Some((&inner[..end], &inner[end + 1..]))
}

/// `dd/Mon/yyyy:HH:MM:SS`, possibly with a zone after it: the date and the time of day.
fn apache_time(text: &[u8]) -> Option<([u8; 10], &[u8])> {
    let &[d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', ..] = text else { return None };
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(&[m1, m2, m3]))? + 1;
    let (tens, ones) = (b'0' + u8::from(month > 9), b'0' + (month % 10) as u8);
    let date = [y1, y2, y3, y4, b'-', tens, ones, b'-', d1, d2];
    let time = text.get(12..20)?;
    is_date(&date).then_some(())?;
    is_time(time).then_some((date, time))
}

fn is_date(date: &[u8]) -> bool {
    let shape = |(i, b): (usize, &u8)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() };
    date.len() == 10 && date.iter().enumerate().all(shape)
}

fn is_time(time: &[u8]) -> bool {
    let shape = |(i, b): (usize, &u8)| if i == 2 || i == 5 { *b == b':' } else { b.is_ascii_digit() };
    time.len() == 8 && time.iter().enumerate().all(shape)
}

fn is_datetime(text: &[u8]) -> bool {
    text.len() == 19 && is_date(&text[..10]) && matches!(text[10], b' ' | b'T') && is_time(&text[11..])
}

fn is_bracketed_time(text: &[u8]) -> bool {
    text.strip_prefix(b"[").is_some_and(|text| apache_time(text).is_some())
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

const fn is_status_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'-'
}

/// A line of a common or combined log.
pub(crate) fn combined(line: &[u8]) -> Option<Line<'_>> {
    let (client, rest) = word(line)?;
    let open = memchr::memmem::find(rest, b" [")?;
    let stamp = &rest[open + 2..];
    let (date, time) = apache_time(stamp)?;
    let close = memchr::memchr(b']', stamp)?;
    let after = blanks(&stamp[close + 1..]);
    // a request may hold quotes that nobody escaped: the first that the rest fits after
    let inner = after.strip_prefix(b"\"")?;
    let mut from = 0;
    let (request, (status, bytes, rest)) = loop {
        let end = closing_quote(inner, from)?;
        if let Some(fields) = status_and_bytes(&inner[end + 1..]) {
            break (&inner[..end], fields);
        }
        from = end + 1;
    };
    let rest = blanks(rest);
    let (referrer, rest) = if rest.first() == Some(&b'"') { quoted(rest)? } else { (&b"-"[..], &b""[..]) };
    let rest = blanks(rest);
    let (agent, _) = if rest.first() == Some(&b'"') { quoted(rest)? } else { (&b"-"[..], rest) };
    let bytes = if bytes == b"-" { b"0" } else { bytes };
    Some(Line { date, time, request, status, bytes, client, referrer, agent, ..Line::default() })
}

/// Status and bytes behind a request, and what follows them. Looks no further than they go: a
/// hostile request makes it look after each of its quotes.
fn status_and_bytes(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (status, rest) = run(blanks(text), is_status_byte);
    let bytes_at = blanks(rest);
    steps::add(text.len() - bytes_at.len() + 1);
    if status.is_empty() || bytes_at.len() == rest.len() {
        return None;
    }
    let (bytes, rest) = match bytes_at {
        [b'-', ..] => bytes_at.split_at(1),
        _ => run(bytes_at, is_digit),
    };
    steps::add(bytes.len());
    let ended = matches!(rest.first(), None | Some(b' ' | b'\t'));
    (ended && !bytes.is_empty()).then_some((status, bytes, rest))
}

/// The bytes of one kind at the start, and the rest.
fn run(text: &[u8], is: fn(u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|&&b| is(b)).count())
}

/// What a field of a LogFormat is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Nothing,
    Client,
    /// The header that names the client, as a proxy wrote it.
    Forwarded,
    /// The other end of the connection: the client of a line whose header names none.
    Peer,
    /// The time in Apache's own form, brackets around it.
    ApacheTime,
    Date,
    Time,
    DateTime,
    Request,
    Method,
    Url,
    Query,
    Status,
    Bytes,
    Referrer,
    Agent,
    Pid,
    Uid,
    Tail(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Field(Use),
}

/// A compiled LogFormat.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    /// The text before the first field.
    pub(crate) before: Vec<u8>,
    pub(crate) slots: Vec<Slot>,
    /// What each field is used for.
    uses: Vec<Use>,
    pick: Pick,
}

/// Names under which notes, cookies and variables of a format are columns of `web`.
const TAIL_NAMES: [&str; 8] = [
    "joomla_sessionid",
    "site_cookie",
    "auth_type",
    "component_name",
    "view_name",
    "task_name",
    "action_name",
    "item_name",
];

impl Format {
    /// Compiles a LogFormat as it stands in the configuration, quotes around it removed.
    ///
    /// # Errors
    /// A directive is malformed, or the format lacks the time, the request, the status, the bytes
    /// or the client.
    pub(crate) fn compile(format: &str, client: Option<&ClientFrom>) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        let mut rest = format;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\\' => {
                    let next = rest.chars().next();
                    rest = &rest[next.map_or(0, char::len_utf8)..];
                    match next {
                        Some('t') => text.push(b'\t'),
                        Some('n') => bail!("a log format with a line feed in it is not supported"),
                        Some(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                        None => text.push(b'\\'),
                    }
                }
                '%' if rest.starts_with('%') => {
                    text.push(b'%');
                    rest = &rest[1..];
                }
                '%' => {
                    let (fields, after) = directive(rest, client).with_context(|| format!("in `%{rest}`"))?;
                    rest = after;
                    for piece in fields {
                        match piece {
                            Piece::Text(more) => text.extend(more),
                            Piece::Field(_) => {
                                if !text.is_empty() {
                                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                                }
                                if matches!(pieces.last(), Some(Piece::Field(_)))
                                    && !is_query_after_url(&pieces, &piece)
                                {
                                    bail!("two fields of the format stand together without text between them");
                                }
                                if !is_query_after_url(&pieces, &piece) {
                                    pieces.push(piece);
                                }
                            }
                        }
                    }
                }
                c => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let made = Self::of_pieces(&pieces, client.map(|c| c.pick).unwrap_or_default());
        made.check(client)?;
        Ok(made)
    }

    fn of_pieces(pieces: &[Piece], pick: Pick) -> Self {
        let text_at = |i: usize| match pieces.get(i) {
            Some(Piece::Text(text)) => &text[..],
            _ => b"",
        };
        let mut made = Self { before: text_at(0).to_vec(), slots: Vec::new(), uses: Vec::new(), pick };
        for (i, piece) in pieces.iter().enumerate() {
            let Piece::Field(usage) = *piece else { continue };
            let after = text_at(i + 1).to_vec();
            let opened = i > 0 && text_at(i - 1).ends_with(b"\"");
            made.slots.push(Slot { shape: usage.shape(), quoted: opened && after.starts_with(b"\""), after });
            made.uses.push(usage);
        }
        made
    }

    fn check(&self, client: Option<&ClientFrom>) -> Result<()> {
        let has = |uses: &[Use]| self.uses.iter().any(|usage| uses.contains(usage));
        let time = has(&[Use::ApacheTime, Use::DateTime]) || (has(&[Use::Date]) && has(&[Use::Time]));
        let header = client.and_then(|c| c.header.as_deref());
        let client_use = if header.is_some() { Use::Forwarded } else { Use::Client };
        let missing = [
            (time, "the time (%t, or %{%F %T}t)"),
            (has(&[Use::Request]) || has(&[Use::Url]), "the request (%r)"),
            (has(&[Use::Status]), "the status (%>s)"),
            (has(&[Use::Bytes]), "the bytes (%b or %B)"),
            (has(&[client_use]), "the client (%h or %a)"),
        ];
        let missing: Vec<_> = missing.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect();
        if let (Some(header), true) = (header, missing.len() == 1)
            && missing[0].starts_with("the client")
        {
            bail!("the log format has no field %{{{header}}}i");
        }
        if !missing.is_empty() {
            bail!("the log format lacks {}", missing.join(", "));
        }
        Ok(())
    }

    /// The fields of a line without its end.
    pub(crate) fn parse<'a>(&self, line: &'a [u8]) -> Option<Line<'a>> {
        let found = fit::fit(&self.before, &self.slots, line)?;
        let mut out = Line { status: b"-", bytes: b"0", referrer: b"-", agent: b"-", ..Line::default() };
        let (mut method, mut url) = (&b"GET"[..], None);
        let (mut forwarded, mut peer) = (&b""[..], &b""[..]);
        for (usage, (start, end)) in self.uses.iter().zip(found) {
            let text = &line[start..end];
            match usage {
                Use::Nothing | Use::Query => {}
                Use::Client => out.client = text,
                Use::Forwarded => forwarded = without_port(pick(text, self.pick)),
                Use::Peer => peer = text,
                Use::ApacheTime => (out.date, out.time) = apache_time(text.strip_prefix(b"[").unwrap_or(text))?,
                Use::Date => out.date = text.try_into().ok()?,
                Use::Time => out.time = text,
                Use::DateTime => (out.date, out.time) = (*text.first_chunk()?, text.get(11..)?),
                Use::Request => out.request = text,
                Use::Method => method = text,
                Use::Url => url = Some(text),
                Use::Status => out.status = text,
                Use::Bytes => out.bytes = if text == b"-" { b"0" } else { text },
                Use::Referrer => out.referrer = text,
                Use::Agent => out.agent = text,
                Use::Pid => out.pid = text,
                Use::Uid => out.uid = text,
                Use::Tail(i) => out.tail[*i] = text,
            }
        }
        if out.client.is_empty() {
            let named = !matches!(forwarded, b"" | b"-" | b"unknown");
            out.client = if named || peer.is_empty() { forwarded } else { peer };
        }
        if out.client.is_empty() {
            return None;
        }
        if out.request.is_empty() {
            out.method_and_url = Some((method, url?));
        }
        Some(out)
    }
}

/// `%U%q` is one field to the eye; the query is then part of the URL.
fn is_query_after_url(pieces: &[Piece], piece: &Piece) -> bool {
    *piece == Piece::Field(Use::Query) && matches!(pieces.last(), Some(Piece::Field(Use::Url)))
}

fn pick(text: &[u8], pick: Pick) -> &[u8] {
    let mut parts = text.split(|&b| b == b',').map(<[u8]>::trim_ascii);
    match pick {
        Pick::First => parts.next().unwrap_or(text),
        Pick::Last => parts.next_back().unwrap_or(text),
    }
}

/// Some proxies put a port behind the address: `192.0.2.1:5555`, `[2001:db8::1]:5555`.
fn without_port(text: &[u8]) -> &[u8] {
    if let Some(inner) = text.strip_prefix(b"[") {
        return inner.split(|&b| b == b']').next().unwrap_or(inner);
    }
    let mut parts = text.split(|&b| b == b':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(host), Some(_), None) => host,
        _ => text,
    }
}

impl Use {
    const fn shape(self) -> Shape {
        match self {
            Self::Client | Self::Peer => Shape::Any(1),
            Self::ApacheTime => Shape::Bracketed(is_bracketed_time),
            Self::Date => Shape::Exactly(10, is_date),
            Self::Time => Shape::Exactly(8, is_time),
            Self::DateTime => Shape::Exactly(19, is_datetime),
            Self::Status => Shape::Run(is_status_byte),
            Self::Bytes => Shape::Run(is_digit),
            _ => Shape::Any(0),
        }
    }
}

/// One directive after its percent sign: the pieces it makes, and what follows it.
fn directive<'a>(text: &'a str, client: Option<&ClientFrom>) -> Result<(Vec<Piece>, &'a str)> {
    let mut rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '!' | '<' | '>'));
    let mut argument = None;
    if let Some(inner) = rest.strip_prefix('{') {
        let (name, after) = inner.split_once('}').context("a `{` without its `}`")?;
        argument = Some(name);
        rest = after.trim_start_matches(['<', '>']);
    }
    let letter = rest.chars().next().context("a `%` without a letter")?;
    let mut after = &rest[letter.len_utf8()..];
    let header = client.and_then(|c| c.header.as_deref());
    let usage = match (letter, argument) {
        ('h' | 'a', None) if header.is_none() => Use::Client,
        ('h', None) | ('a', _) => Use::Peer,
        ('t', None) => Use::ApacheTime,
        ('t', Some(pattern)) => return Ok((time_pieces(pattern)?, after)),
        ('r', _) => Use::Request,
        ('m', _) => Use::Method,
        ('U', _) => Use::Url,
        ('q', _) => Use::Query,
        ('s', _) => Use::Status,
        ('b' | 'B' | 'O', _) => Use::Bytes,
        ('P', _) => Use::Pid,
        ('^', _) => {
            // %^ti, %^to: two more letters
            after = after.get(2..).unwrap_or_default();
            Use::Nothing
        }
        ('i', Some(name)) if header.is_some_and(|h| h.eq_ignore_ascii_case(name)) => Use::Forwarded,
        ('i', Some(name)) if name.eq_ignore_ascii_case("referer") => Use::Referrer,
        ('i', Some(name)) if name.eq_ignore_ascii_case("user-agent") => Use::Agent,
        ('i' | 'n' | 'e' | 'C' | 'o' | 'x', Some(name)) => {
            if name.eq_ignore_ascii_case("uidNumber") {
                Use::Uid
            } else {
                TAIL_NAMES.iter().position(|n| n.eq_ignore_ascii_case(name)).map_or(Use::Nothing, Use::Tail)
            }
        }
        (letter, _) if letter.is_ascii_alphabetic() => Use::Nothing,
        (letter, _) => bail!("`{letter}` is no directive"),
    };
    Ok((vec![Piece::Field(usage)], after))
}

/// The pieces of a `%{…}t` pattern.
fn time_pieces(pattern: &str) -> Result<Vec<Piece>> {
    let pattern = pattern.strip_prefix("begin:").or_else(|| pattern.strip_prefix("end:")).unwrap_or(pattern);
    let whole = |usage| Ok(vec![Piece::Field(usage)]);
    match pattern {
        "%F %T" | "%FT%T" | "%Y-%m-%d %H:%M:%S" | "%Y-%m-%dT%H:%M:%S" | "%Y-%m-%d %T" => return whole(Use::DateTime),
        "%F" | "%Y-%m-%d" => return whole(Use::Date),
        "%T" | "%H:%M:%S" => return whole(Use::Time),
        "sec" | "msec" | "usec" | "msec_frac" | "usec_frac" => return whole(Use::Nothing),
        "[%d/%b/%Y:%H:%M:%S %z]" | "[%d/%b/%Y:%T %z]" => return whole(Use::ApacheTime),
        _ => {}
    }
    // a date or a time among other things: cut the pattern at them
    for (known, usage) in [
        ("%Y-%m-%d %H:%M:%S", Use::DateTime),
        ("%F %T", Use::DateTime),
        ("%Y-%m-%dT%H:%M:%S", Use::DateTime),
        ("%FT%T", Use::DateTime),
        ("%Y-%m-%d", Use::Date),
        ("%F", Use::Date),
        ("%H:%M:%S", Use::Time),
        ("%T", Use::Time),
    ] {
        if let Some((before, after)) = pattern.split_once(known) {
            let mut pieces = if before.is_empty() { Vec::new() } else { time_pieces(before)? };
            pieces.push(Piece::Field(usage));
            if !after.is_empty() {
                pieces.extend(time_pieces(after)?);
            }
            return Ok(pieces);
        }
    }
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            let letter = chars.next().ok_or_else(|| anyhow!("a `%` without a letter in the time `{pattern}`"))?;
            if letter == '%' {
                text.push(b'%');
                continue;
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Field(Use::Nothing));
        } else {
            text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// The LogFormat with a nickname from a web server's configuration; without one, the format that
/// a CustomLog names, or else the only one.
///
/// # Errors
/// The file cannot be read, or the format is not in it.
pub(crate) fn from_httpd_conf(path: &Path, nickname: Option<&str>) -> Result<String> {
    let text = kit::door::named::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let text = text.replace("\\\r\n", "").replace("\\\n", "");
    let mut formats: Vec<(String, Option<String>)> = Vec::new();
    let mut used = Vec::new();
    for line in text.lines() {
        let words = conf_words(line);
        match words.first().map(|w| w.to_ascii_lowercase()).as_deref() {
            Some("logformat") if words.len() > 1 => formats.push((words[1].clone(), words.get(2).cloned())),
            Some("customlog") if words.len() > 2 => used.push(words[2].clone()),
            _ => {}
        }
    }
    let by_name = |name: &str| formats.iter().rev().find(|(_, n)| n.as_deref() == Some(name)).map(|(f, _)| f.clone());
    if let Some(name) = nickname {
        return by_name(name).with_context(|| format!("{}: no LogFormat with the nickname `{name}`", path.display()));
    }
    if let Some(format) =
        used.iter().find_map(|name| if name.contains('%') { Some(name.clone()) } else { by_name(name) })
    {
        return Ok(format);
    }
    match &*formats {
        [(format, _)] => Ok(format.clone()),
        [] => bail!("{}: no LogFormat", path.display()),
        _ => bail!("{}: several LogFormats; name one as FILE:NICKNAME", path.display()),
    }
}

/// The words of a configuration line; within quotes `\"` is a quote, other backslashes stay.
fn conf_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    if rest.starts_with('#') {
        return words;
    }
    while !rest.is_empty() {
        let mut word = String::new();
        if let Some(inner) = rest.strip_prefix('"') {
            let mut chars = inner.char_indices();
            rest = "";
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        rest = &inner[at + 1..];
                        break;
                    }
                    '\\' => match chars.next() {
                        Some((_, '"')) => word.push_str("\\\""),
                        Some((_, c)) => word.extend(['\\', c]),
                        None => word.push('\\'),
                    },
                    c => word.push(c),
                }
            }
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            word.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        words.push(word);
        rest = rest.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(b: &[u8]) -> String {
        String::from_utf8_lossy(b).into_owned()
    }

    #[test]
    fn combined_logs() {
        let line = r#"83.149.9.216 - frank [17/May/2015:10:05:03 +0000] "GET /a\"b HTTP/1.1" 200 203023 "http://x/?q=\"y\"" "Mo \"zilla\"" extra"#;
        let found = combined(line.as_bytes()).unwrap();
        assert_eq!(text(&found.date), "2015-05-17");
        assert_eq!(text(found.time), "10:05:03");
        assert_eq!(text(found.request), r#"GET /a\"b HTTP/1.1"#);
        assert_eq!(text(found.referrer), r#"http://x/?q=\"y\""#);
        assert_eq!(text(found.agent), r#"Mo \"zilla\""#);
        assert_eq!((found.status, found.bytes), (&b"200"[..], &b"203023"[..]));
        let common = combined(br#"::1 - - [17/Dec/2015:10:05:03 +0000] "GET / HTTP/1.1" 304 -"#).unwrap();
        assert_eq!(
            (text(&common.date), text(common.bytes), text(common.agent)),
            ("2015-12-17".into(), "0".into(), "-".into())
        );
        let inner = combined(br#"h - - [17/Dec/2015:10:05:03 +0000] "GET /"x" HTTP/1.1" 200 1 "-" "A""#).unwrap();
        assert_eq!(text(inner.request), r#"GET /"x" HTTP/1.1"#);
        for bad in [
            "",
            "h",
            r#"h - - [17/Foo/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
            r#"h - - [17/May/2015:10:05 +0000] "GET / HTTP/1.1" 200 1"#,
            r#"h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1 200 1"#,
            r#"h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 x"#,
            r#"h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "ref"#,
            r#"h - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "ref" "agent\"#,
        ] {
            assert_eq!(combined(bad.as_bytes()), None, "{bad}");
        }
    }

    const COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;

    #[test]
    fn a_compiled_format_reads_what_the_server_wrote() {
        let format = Format::compile(COMBINED, None).unwrap();
        let line = br#"83.1.9.2 - a b [17/May/2015:10:05:03 +0000] "GET /a\"b HTTP/1.1" 200 5 "-" "Mo zilla""#;
        assert_eq!(format.parse(line), combined(line));
        assert_eq!(format.parse(&line[..line.len() - 1]), None);
        let format = Format::compile("%{%F %T}t|%a|%m %U%q|%s|%B|%{item_name}n|%{uidNumber}e|%P%%", None).unwrap();
        let found = format.parse(b"2025-07-10 08:00:01|1.2.3.4|POST /a?b=1|200|7|it em|12|4711%").unwrap();
        assert_eq!(found.method_and_url, Some((&b"POST"[..], &b"/a?b=1"[..])));
        assert_eq!(
            (text(found.tail[7]), text(found.uid), text(found.pid)),
            ("it em".into(), "12".into(), "4711".into())
        );
        let format = Format::compile("%{%Y-%m-%d %H:%M:%S %Z}t %h \\\"%r\\\" %s %b", None).unwrap();
        let found = format.parse(br#"2025-07-10 08:00:01 EDT h "GET /" 200 -"#).unwrap();
        assert_eq!(
            (text(&found.date), text(found.time), text(found.bytes)),
            ("2025-07-10".into(), "08:00:01".into(), "0".into())
        );
    }

    #[test]
    fn the_client_behind_a_proxy() {
        let format = r#"%h %{X-Forwarded-For}i %t \"%r\" %>s %b"#;
        let line = br#"10.0.0.1 1.1.1.1, 2.2.2.2 [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#;
        let client = |from: &str| {
            let from = from.parse::<ClientFrom>().unwrap();
            text(Format::compile(format, Some(&from)).unwrap().parse(line).unwrap().client)
        };
        assert_eq!(client("x-forwarded-for"), "1.1.1.1");
        assert_eq!(client("X-Forwarded-For:last"), "2.2.2.2");
        assert_eq!(client("client"), "10.0.0.1");
        assert!("x:middle".parse::<ClientFrom>().is_err());
        // requests that came past the proxy, and what proxies put into the header
        let quoted = Format::compile(
            r#"%h \"%{X-Forwarded-For}i\" %t \"%r\" %>s %b"#,
            Some(&"X-Forwarded-For".parse().unwrap()),
        )
        .unwrap();
        for (header, client) in [
            ("", "10.0.0.1"),
            ("-", "10.0.0.1"),
            ("unknown, 10.9.9.9", "10.0.0.1"),
            ("192.0.2.1:5555", "192.0.2.1"),
            ("[2001:db8::1]:5555", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            let line = format!(r#"10.0.0.1 "{header}" [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#);
            assert_eq!(text(quoted.parse(line.as_bytes()).unwrap().client), client, "{header}");
        }
        // a log that names both ends of the connection
        let both = Format::compile(r#"%a %{c}a %t \"%r\" %>s %b"#, None).unwrap();
        let line = br#"192.0.2.1 10.0.0.1 [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#;
        assert_eq!(text(both.parse(line).unwrap().client), "192.0.2.1");
        let missing = Format::compile(COMBINED, Some(&"X-Real-IP".parse().unwrap())).unwrap_err();
        assert!(format!("{missing}").contains("X-Real-IP"), "{missing}");
    }

    #[test]
    fn formats_that_cannot_work_say_why() {
        for (format, word) in [
            ("%h %t", "the request"),
            ("%h%t \\\"%r\\\" %s %b", "together"),
            ("%{x", "}"),
            ("%", "letter"),
            ("%h %{%H}t \\\"%r\\\" %s %b", "the time"),
        ] {
            let error = format!("{:#}", Format::compile(format, None).unwrap_err());
            assert!(error.contains(word), "{format}: {error}");
        }
    }

    #[test]
    fn a_server_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("httpd.conf");
        let conf = "# LogFormat \"%x\" no\nLogFormat \"%h %t \\\"%r\\\" %>s %b\" common\n  logformat \"%a \\\n%t \\\"%r\\\" %s %O\" mine\nCustomLog logs/access_log mine\n";
        std::fs::write(&path, conf).unwrap();
        assert_eq!(from_httpd_conf(&path, Some("common")).unwrap(), r#"%h %t \"%r\" %>s %b"#);
        assert_eq!(from_httpd_conf(&path, None).unwrap(), r#"%a %t \"%r\" %s %O"#);
        assert!(from_httpd_conf(&path, Some("x")).is_err());
        std::fs::write(&path, "LogFormat \"%h\" a\nLogFormat \"%a\" b\n").unwrap();
        assert!(from_httpd_conf(&path, None).is_err());
    }
}
