//! Layouts defined by a server's configuration: a sequence of fields with fixed text between them,
//! from an Apache LogFormat or an nginx log_format, and matching a line against it.
//!
//! Each field is as short as the text after it allows, and longer only if the rest does not fit;
//! between quotes a backslash escapes the next byte. Backtracking is rare and bounded, which keeps
//! the work linear in the length of the line: see [`Shape::Any`].

use kit::steps;
use schema::IMPORTED_WEB_COLUMNS;

use super::cursor::closing_quote;
use super::entry::ClientFrom;
use super::time::{TimePart, TimeParts};
use super::{Fault, Fields, Text, What, time};

/// The form of a field's text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Any text of at least this many bytes. If such a field was reached and cannot be made longer,
    /// the line does not fit: making an earlier field longer would only let this one begin later,
    /// with a subset of the same ends.
    Any(usize),
    /// A time in brackets. The same holds once it begins like a time.
    Bracketed,
    /// Exactly this many bytes that pass a test.
    Exactly(usize, fn(&[u8]) -> bool),
    /// At least one of these bytes, or a single dash.
    Run(fn(u8) -> bool),
}

/// The length of `[dd/Mon/yyyy:HH:MM:SS]`.
const BRACKETED: usize = 22;

fn is_bracketed(text: &[u8]) -> bool {
    match text {
        [b'[', _, _, b'/', ..] => time::clf(&text[1..]).is_ok(),
        [b'[', _, _, _, _, b'-' | b'/', ..] => time::iso(&text[1..]).is_ok(),
        _ => false,
    }
}

/// What a field is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Nothing,
    /// What the server regards as the client.
    Client,
    /// The other end of the connection, if the server logs it separately.
    Peer,
    /// The header with the client's address.
    Forwarded,
    Time(TimePart),
    Request,
    Method,
    /// The path; the query may be part of it or be logged separately.
    Url,
    Query,
    Status,
    Bytes,
    Referrer,
    Agent,
    Vhost,
    RequestId,
    Pid,
    Uid,
    Tail(usize),
}

impl Use {
    const fn name(self) -> &'static str {
        match self {
            Self::Nothing | Self::Tail(_) => "field",
            Self::Client | Self::Peer | Self::Forwarded => "client",
            Self::Time(_) => "time",
            Self::Request => "request",
            Self::Method => "method",
            Self::Url | Self::Query => "URL",
            Self::Status => "status",
            Self::Bytes => "bytes",
            Self::Referrer => "referrer",
            Self::Agent => "agent",
            Self::Vhost => "virtual host",
            Self::RequestId => "request id",
            Self::Pid => "process id",
            Self::Uid => "user id",
        }
    }
}

/// A part of a format.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(Vec<u8>),
    Field(Use, Shape),
}

/// A field, and what ends it.
#[derive(Debug, Clone)]
struct Slot {
    usage: Use,
    shape: Shape,
    /// The text after it; empty at the end of the line and if the next field follows immediately.
    after: Vec<u8>,
    /// The shape of a field that follows without text between them.
    next: Option<Shape>,
    /// Between quotes.
    quoted: bool,
    is_last: bool,
}

/// A field's place in a line, and what is known about the run of bytes around it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    start: usize,
    end: usize,
    /// For a [`Shape::Run`]: start and end of a run that was examined.
    run: (usize, usize),
    /// The same run, if nothing after it fits.
    dead: bool,
}

/// A compiled format.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// The text before the first field.
    before: Vec<u8>,
    slots: Vec<Slot>,
}

impl Pattern {
    /// A format with these pieces.
    ///
    /// # Errors
    /// Two adjacent fields without a way to tell where the first one ends, or a format that lacks
    /// the request, its time, its status or its client.
    pub(super) fn new(pieces: Vec<Piece>, from: &ClientFrom) -> Result<Self, String> {
        let pieces = joined(pieces);
        let mut made = Self { before: Vec::new(), slots: Vec::new() };
        for (i, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => match made.slots.last_mut() {
                    Some(slot) => slot.after.clone_from(text),
                    None => made.before.clone_from(text),
                },
                &Piece::Field(usage, shape) => {
                    let opened = matches!(i.checked_sub(1).and_then(|i| pieces.get(i)), Some(Piece::Text(text)) if text.ends_with(b"\""));
                    let next = match pieces.get(i + 1) {
                        Some(&Piece::Field(next_usage, next)) => {
                            let is_fixed = |shape| matches!(shape, Shape::Exactly(..) | Shape::Bracketed);
                            if !is_fixed(shape) && !is_fixed(next) {
                                return Err(format!(
                                    "{} and {} stand together and neither has a fixed length",
                                    usage.name(),
                                    next_usage.name()
                                ));
                            }
                            Some(next)
                        }
                        _ => None,
                    };
                    let closed = matches!(pieces.get(i + 1), Some(Piece::Text(text)) if text.starts_with(b"\""));
                    let is_last = i + 1 == pieces.len();
                    made.slots.push(Slot { usage, shape, after: Vec::new(), next, quoted: opened && closed, is_last });
                }
            }
        }
        made.check(from)?;
        Ok(made)
    }

    fn has(&self, some: &[Use]) -> bool {
        self.slots.iter().any(|slot| some.contains(&slot.usage))
    }

    fn check(&self, from: &ClientFrom) -> Result<(), String> {
        let parts: Vec<_> = self
            .slots
            .iter()
            .filter_map(|slot| if let Use::Time(part) = slot.usage { Some(part) } else { None })
            .collect();
        if let Some(header) = &from.header
            && !self.has(&[Use::Forwarded])
        {
            return Err(format!("the log format has no field of the header {header}"));
        }
        let needs = [
            (TimeParts::suffice(&parts), "the time"),
            (self.has(&[Use::Request, Use::Url]), "the request"),
            (self.has(&[Use::Status]), "the status"),
            (self.has(&[Use::Client, Use::Peer, Use::Forwarded]), "the client"),
        ];
        let missing: Vec<_> = needs.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("the log format lacks {}", missing.join(", "))) }
    }

    /// The fields of a line.
    pub(crate) fn parse<'a>(
        &self,
        line: &'a [u8],
        places: &mut Vec<Place>,
        made: &mut Vec<u8>,
    ) -> Result<Fields<'a>, Fault> {
        self.fit(line, places)?;
        let mut fields = Fields::default();
        let mut parts = TimeParts::default();
        let mut query = Text::default();
        let mut peer = Text::default();
        for (slot, place) in self.slots.iter().zip(places.iter()) {
            let text = line.get(place.start..place.end).unwrap_or_default();
            let part = Text::Line(text);
            match slot.usage {
                Use::Nothing => {}
                Use::Client => fields.client = part,
                Use::Peer => peer = part,
                Use::Forwarded => fields.forwarded = part,
                Use::Time(part) => parts.add(part, text)?,
                Use::Request => fields.request = part,
                Use::Method => fields.method = part,
                Use::Url => fields.url = part,
                Use::Query => query = part,
                Use::Status => fields.status = part,
                Use::Bytes => fields.bytes = part,
                Use::Referrer => fields.referrer = part,
                Use::Agent => fields.agent = part,
                // `www.example.org` and `:443`, if a format has both
                Use::Vhost if fields.vhost.is_empty() => fields.vhost = part,
                Use::Vhost => {}
                Use::RequestId => fields.request_id = part,
                Use::Pid => fields.pid = part,
                Use::Uid => fields.uid = part,
                Use::Tail(i) => fields.tail[i] = part,
            }
        }
        if fields.client.is_empty() {
            fields.client = peer;
        }
        fields.url = fields.url.with_query(query, made);
        // a request whose URL was also logged separately: the request has everything
        if !fields.request.is_empty() {
            fields.url = Text::default();
        }
        fields.moment = Some(parts.moment()?);
        Ok(fields)
    }

    /// Finds the place of each field.
    fn fit(&self, line: &[u8], places: &mut Vec<Place>) -> Result<(), Fault> {
        if !line.starts_with(&self.before) {
            return Err(Fault::of(What::Begins, &line[..line.len().min(self.before.len())]));
        }
        places.clear();
        places.resize(self.slots.len(), Place::default());
        let mut at = self.before.len();
        let (mut furthest, mut furthest_at) = (0, at);
        let mut i = 0;
        loop {
            steps::add(1);
            let mut from = at;
            let mut fits = true;
            if let Some(place) = places.get_mut(i) {
                place.start = at;
                if i > furthest {
                    (furthest, furthest_at) = (i, at);
                }
            } else if at == line.len() {
                return Ok(());
            } else {
                fits = false;
            }
            // the next end of this field, or of the last one before it that has another end
            loop {
                if !fits {
                    let Some(before) = i.checked_sub(1) else { return Err(self.misfit(line, furthest, furthest_at)) };
                    i = before;
                    from = places[i].end + 1;
                }
                let (slot, place) = (&self.slots[i], &mut places[i]);
                if let Some(end) = slot.end(line, place, from) {
                    place.end = end;
                    at = end + slot.after.len();
                    break;
                }
                if slot.decides(line, place.start) {
                    return Err(self.misfit(line, furthest, furthest_at));
                }
                fits = false;
            }
            i += 1;
        }
    }

    fn misfit(&self, line: &[u8], i: usize, at: usize) -> Fault {
        let Some(slot) = self.slots.get(i) else { return Fault::bare(What::Misfit) };
        let rest = line.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Fault::bare(What::Ends(slot.usage.name()));
        }
        let word = rest.iter().take(40).take_while(|b| !matches!(b, b' ' | b'\t' | b'"' | b']')).count();
        Fault::of(What::Field(slot.usage.name()), &rest[..if word == 0 { rest.len().min(20) } else { word }])
    }
}

/// Joins texts that follow each other, and a query with the path before it.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (out.last_mut(), piece) {
            (Some(Piece::Text(text)), Piece::Text(more)) => text.extend(more),
            (_, Piece::Text(text)) if text.is_empty() => {}
            (Some(Piece::Field(Use::Url, _)), Piece::Field(Use::Query, _)) => {}
            (_, piece) => out.push(piece),
        }
    }
    out
}

impl Slot {
    /// The first place at or after `from` where the text after the field is found.
    fn next_end(&self, line: &[u8], from: usize) -> Option<usize> {
        if self.is_last {
            return (from <= line.len()).then_some(line.len());
        }
        let mut at = from;
        loop {
            at = match self.after.first() {
                Some(_) if self.quoted => closing_quote(line, at)?,
                Some(&first) => {
                    let step = memchr::memchr(first, line.get(at..)?);
                    steps::add(step.unwrap_or(line.len() - at) + 1);
                    at + step?
                }
                None if at > line.len() => return None,
                None => at,
            };
            if self.ends_at(line, at) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// Whether the text after the field is here.
    fn ends_at(&self, line: &[u8], at: usize) -> bool {
        match (&*self.after, self.next) {
            ([], None) => at == line.len(),
            ([], Some(Shape::Exactly(len, is))) => {
                steps::add(len);
                line.get(at..at + len).is_some_and(is)
            }
            ([], Some(Shape::Bracketed)) => {
                steps::add(if line.get(at) == Some(&b'[') { BRACKETED } else { 1 });
                line.get(at..).is_some_and(is_bracketed)
            }
            ([], Some(Shape::Any(_) | Shape::Run(_))) => at <= line.len(),
            ([only], _) => line.get(at) == Some(only),
            (after, _) => line.get(at..).is_some_and(|rest| rest.starts_with(after)),
        }
    }

    /// The next end of the field that begins at `place.start`, at or after `from`.
    fn end(&self, line: &[u8], place: &mut Place, from: usize) -> Option<usize> {
        let start = place.start;
        match self.shape {
            Shape::Any(min) => self.first_end(line, from, |end| end >= start + min),
            Shape::Bracketed if !line.get(start..).is_some_and(is_bracketed) => None,
            Shape::Bracketed => self.first_end(line, from, |end| end >= start + BRACKETED && line[end - 1] == b']'),
            Shape::Exactly(len, is) => {
                let end = start + len;
                (from <= end && line.get(start..end).is_some_and(is) && self.ends_at(line, end)).then_some(end)
            }
            Shape::Run(is) => self.end_in_run(line, place, from, is),
        }
    }

    fn first_end(&self, line: &[u8], mut from: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
        loop {
            let end = self.next_end(line, from)?;
            if fits(end) {
                return Some(end);
            }
            from = end + 1;
        }
    }

    fn end_in_run(&self, line: &[u8], place: &mut Place, from: usize, is: fn(u8) -> bool) -> Option<usize> {
        let start = place.start;
        if !is(*line.get(start)?) {
            let dash = line[start] == b'-' && from <= start + 1 && self.ends_at(line, start + 1);
            return dash.then_some(start + 1);
        }
        let (run_start, run_end) = place.run;
        if start < run_start || start >= run_end {
            let len = line[start..].iter().take_while(|&&b| is(b)).count();
            steps::add(len);
            place.run = (start, start + len);
            place.dead = false;
        }
        if place.dead {
            return None;
        }
        let run_end = place.run.1;
        let inside = self.next.is_some() || self.after.first().is_some_and(|&b| is(b));
        let mut end = if inside { from.max(start + 1) } else { run_end };
        while end >= from && end <= run_end {
            steps::add(1);
            if self.ends_at(line, end) {
                return Some(end);
            }
            end += 1;
        }
        place.dead = true;
        None
    }

    /// Whether the line cannot fit if the field that begins at `start` has no further end.
    fn decides(&self, line: &[u8], start: usize) -> bool {
        match self.shape {
            Shape::Any(_) => true,
            Shape::Bracketed => line.get(start..).is_some_and(is_bracketed),
            Shape::Exactly(..) | Shape::Run(_) => false,
        }
    }
}

/// The use of a header, cookie, note or variable.
pub(super) fn named(name: &str, is_header: bool, from: &ClientFrom) -> Use {
    let is = |other: &str| super::entry::is_same_header(name.as_bytes(), other.as_bytes());
    if is_header {
        return match () {
            () if from.is(name.as_bytes()) => Use::Forwarded,
            () if is("referer") => Use::Referrer,
            () if is("user-agent") => Use::Agent,
            () if is("host") => Use::Vhost,
            () if is("x-request-id") => Use::RequestId,
            () => tail(name),
        };
    }
    if is("request_id") || is("unique_id") { Use::RequestId } else { tail(name) }
}

fn tail(name: &str) -> Use {
    if name.eq_ignore_ascii_case("uidNumber") {
        return Use::Uid;
    }
    // notes, cookies and variables with the names of these become columns of `web`
    let tail = &IMPORTED_WEB_COLUMNS[7..];
    tail.iter().position(|known| known.eq_ignore_ascii_case(name)).map_or(Use::Nothing, Use::Tail)
}

/// The form of the text of a field with this use.
pub(super) fn shape(usage: Use) -> Shape {
    match usage {
        Use::Client | Use::Peer => Shape::Any(1),
        Use::Status => Shape::Run(|b| b.is_ascii_digit() || b == b'-'),
        Use::Bytes => Shape::Run(|b| b.is_ascii_digit()),
        _ => Shape::Any(0),
    }
}

/// The pieces of a pattern of `strftime`.
pub(super) fn strftime(pattern: &str) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(Piece::Text(c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()));
            continue;
        }
        let letter = chars.next().ok_or_else(|| format!("a `%` without a letter in the time `{pattern}`"))?;
        let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
        let padded = |text: &[u8]| matches!(text, [b' ' | b'0'..=b'9', b'0'..=b'9']);
        let letters = |text: &[u8]| text.iter().all(u8::is_ascii_alphabetic);
        let field = |part, shape| Piece::Field(Use::Time(part), shape);
        let nothing = |shape| Piece::Field(Use::Nothing, shape);
        out.push(match letter {
            '%' => Piece::Text(b"%".to_vec()),
            't' => Piece::Text(b"\t".to_vec()),
            'd' => field(TimePart::Day, Shape::Exactly(2, digits)),
            'e' => field(TimePart::Day, Shape::Exactly(2, padded)),
            'm' => field(TimePart::Month, Shape::Exactly(2, digits)),
            'y' => field(TimePart::ShortYear, Shape::Exactly(2, digits)),
            'Y' => field(TimePart::Year, Shape::Exactly(4, digits)),
            'H' => field(TimePart::Hour, Shape::Exactly(2, digits)),
            'k' => field(TimePart::Hour, Shape::Exactly(2, padded)),
            'I' => field(TimePart::Hour12, Shape::Exactly(2, digits)),
            'l' => field(TimePart::Hour12, Shape::Exactly(2, padded)),
            'p' | 'P' => field(TimePart::Half, Shape::Exactly(2, letters)),
            'M' => field(TimePart::Minute, Shape::Exactly(2, digits)),
            'S' => field(TimePart::Second, Shape::Exactly(2, digits)),
            // names in other languages have other lengths: matching any text lets the reason show
            // the name
            'b' | 'h' | 'B' => field(TimePart::MonthName, Shape::Any(1)),
            'a' | 'A' | 'Z' => nothing(Shape::Any(0)),
            's' => field(TimePart::Epoch, Shape::Run(|b| b.is_ascii_digit())),
            'z' => field(TimePart::Zone, Shape::Exactly(5, |text| time::zone(text).is_some())),
            'F' => field(
                TimePart::IsoDate,
                Shape::Exactly(10, |text| text.get(4) == Some(&b'-') && text.get(7) == Some(&b'-')),
            ),
            'T' => field(
                TimePart::Clock,
                Shape::Exactly(8, |text| text.get(2) == Some(&b':') && text.get(5) == Some(&b':')),
            ),
            'R' => field(TimePart::ShortClock, Shape::Exactly(5, |text| text.get(2) == Some(&b':'))),
            'D' => field(TimePart::AmericanDate, Shape::Exactly(8, |text| text.get(2) == Some(&b'/'))),
            'C' | 'g' | 'U' | 'V' | 'W' => nothing(Shape::Exactly(2, digits)),
            'G' => nothing(Shape::Exactly(4, digits)),
            'j' => nothing(Shape::Exactly(3, digits)),
            'u' | 'w' => nothing(Shape::Exactly(1, digits)),
            'r' | 'c' | 'x' | 'X' => {
                out.extend(strftime(match letter {
                    'r' => "%I:%M:%S %p",
                    'c' => "%a %b %e %T %Y",
                    'x' => "%D",
                    _ => "%T",
                })?);
                continue;
            }
            'n' => return Err("a time with a line feed in it is not supported".to_owned()),
            other => return Err(format!("`%{other}` in the time `{pattern}` is not a conversion of strftime")),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
