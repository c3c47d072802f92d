//! Lines that are JSON objects; a mapping of paths says which of their values is which field.
//!
//! The text is walked once, and only values in the mapping are examined. Strings are unescaped only
//! if they contain escapes.

use kit::steps;

use super::entry::ClientFrom;
use super::{Fault, Fields, Text, What, time, url};

/// Maximum nesting depth of objects; anything deeper is skipped.
const DEEPEST: usize = 12;

/// A scalar: the text between its quotes, or the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Scalar<'a> {
    text: &'a [u8],
    has_escapes: bool,
}

/// A position in a line of JSON.
struct Walk<'a> {
    text: &'a [u8],
    at: usize,
}

/// Which bytes end or nest values.
static STRUCTURE: [bool; 256] = {
    let mut table = [false; 256];
    let mut i = 0;
    let marks = b"\"{}[]";
    while i < marks.len() {
        table[marks[i] as usize] = true;
        i += 1;
    }
    table
};

impl<'a> Walk<'a> {
    const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            steps::add(1);
            self.at += 1;
        }
        None
    }

    /// Consumes a byte that must be there.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The string whose opening quote comes next.
    fn string(&mut self) -> Option<Scalar<'a>> {
        self.take(b'"')?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += self.plain()?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Some(Scalar { text: &self.text[start..self.at - 1], has_escapes });
            }
            has_escapes = true;
            self.at += 2;
        }
    }

    /// How many bytes come before a quote or a backslash.
    fn plain(&self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let step = mark(rest);
        steps::add(step.unwrap_or(rest.len()) + 1);
        step
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self) -> Scalar<'a> {
        let start = self.at;
        let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
        let rest = &self.text[start..];
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
        steps::add(self.at - start + 1);
        let text = &self.text[start..self.at];
        Scalar { text: if text == b"null" { b"" } else { text }, has_escapes: false }
    }

    /// The end of the next value.
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    let rest = self.text.get(self.at..)?;
                    let step = rest.iter().position(|&b| STRUCTURE[usize::from(b)]);
                    steps::add(step.unwrap_or(rest.len()) + 1);
                    self.at += step?;
                    match self.text[self.at] {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        _ => depth -= 1,
                    }
                    self.at += 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
            }
            _ => {
                self.literal();
                Some(())
            }
        }
    }

    /// The next scalar, or the first one of an array; other values are skipped.
    fn scalar(&mut self) -> Option<Option<Scalar<'a>>> {
        match self.peek()? {
            b'"' => self.string().map(Some),
            b'{' => self.skip().map(|()| None),
            b'[' => {
                let start = self.at;
                self.at += 1;
                let first = match self.peek()? {
                    b'"' => Some(self.string()?),
                    b'{' | b'[' | b']' => None,
                    _ => Some(self.literal()),
                };
                if self.peek() == Some(b']') {
                    self.at += 1;
                } else {
                    self.at = start;
                    self.skip()?;
                }
                Some(first)
            }
            _ => Some(Some(self.literal())),
        }
    }

    /// Calls `each` for every value of the next object, with its key; `each` consumes the value.
    fn object(&mut self, mut each: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.take(b':')?;
            self.peek()?;
            each(self, key.text)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }
}

/// Where the first quote or backslash is.
fn mark(text: &[u8]) -> Option<usize> {
    // most strings are so short that a faster search would not pay off
    const SHORT: usize = 4;
    let (words, _) = text.as_chunks::<8>();
    for (i, word) in words.iter().take(SHORT).enumerate() {
        let word = u64::from_le_bytes(*word);
        let marks = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
        if marks != 0 {
            return Some(i * 8 + marks.trailing_zeros() as usize / 8);
        }
    }
    let done = words.len().min(SHORT) * 8;
    let rest = text.get(done..)?;
    let is_mark = |b: &u8| matches!(b, b'"' | b'\\');
    let found = if rest.len() < 8 { rest.iter().position(is_mark) } else { memchr::memchr2(b'"', b'\\', rest) };
    found.map(|at| done + at)
}

/// A one in each byte.
const EVERY: u64 = u64::MAX / 255;
const QUOTES: u64 = EVERY * b'"' as u64;
const BACKSLASHES: u64 = EVERY * b'\\' as u64;

/// The highest bit of the lowest byte that is zero, and maybe bits above it.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(EVERY) & !word & (EVERY << 7)
}

/// The text between the quotes of a string field of an object.
pub(super) fn string_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut found = None;
    Walk::new(line).object(|walk, key| {
        if key == name && walk.peek() == Some(b'"') {
            found = Some(walk.string()?.text);
            return Some(());
        }
        walk.skip()
    })?;
    found
}

/// Whether an object has a string field of this name.
pub(super) fn has_string(line: &[u8], name: &[u8]) -> bool {
    string_of(line, name).is_some()
}

/// Appends the text of an escaped string. Anything that is not a JSON escape stays as it is: nginx
/// writes `\x22` unless `escape=json` is set.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, len) = match rest.get(at + 1) {
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'b') => (8, 2),
            Some(b'f') => (12, 2),
            Some(&byte @ (b'"' | b'\\' | b'/')) => (byte, 2),
            Some(b'u') => {
                if let Some((c, len)) = unicode(&rest[at..]) {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[at + len..];
                    continue;
                }
                (b'\\', 1)
            }
            _ => (b'\\', 1),
        };
        out.push(byte);
        rest = &rest[at + len..];
    }
    out.extend_from_slice(rest);
}

/// The character of `\uXXXX`, or of two of them, and their length.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0_u32, |n, &d| Some(n * 16 + char::from(d).to_digit(16)?))
    };
    let first = unit(0)?;
    if !(0xD800..0xDC00).contains(&first) {
        return Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
    }
    match unit(6) {
        Some(second @ 0xDC00..0xE000) => {
            char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).map(|c| (c, 12))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 6)),
    }
}

/// What a field of an object is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Slot {
    Time,
    Date,
    Clock,
    Client,
    Forwarded,
    Request,
    Method,
    Url,
    Query,
    Status,
    Bytes,
    Referrer,
    Agent,
    Vhost,
    RequestId,
    User,
}

const N_SLOTS: usize = Slot::User as usize + 1;

/// The field names in a mapping, and their slots.
const SLOTS: [(&str, Slot); 22] = [
    ("time", Slot::Time),
    ("date", Slot::Date),
    ("clock", Slot::Clock),
    ("client", Slot::Client),
    ("ip", Slot::Client),
    ("forwarded", Slot::Forwarded),
    ("request", Slot::Request),
    ("method", Slot::Method),
    ("url", Slot::Url),
    ("uri", Slot::Url),
    ("path", Slot::Url),
    ("query", Slot::Query),
    ("status", Slot::Status),
    ("bytes", Slot::Bytes),
    ("size", Slot::Bytes),
    ("referrer", Slot::Referrer),
    ("referer", Slot::Referrer),
    ("agent", Slot::Agent),
    ("useragent", Slot::Agent),
    ("host", Slot::Vhost),
    ("id", Slot::RequestId),
    ("uid", Slot::User),
];

/// A path in the mapping, such as `a.b.c`, and its rank: paths named earlier are better.
#[derive(Debug, Clone)]
struct Want {
    path: Vec<u8>,
    slot: Slot,
    rank: u8,
}

/// Which paths of an object are which fields.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    wants: Vec<Want>,
    /// The paths, by the length and first letter of the path or its first component.
    by_key: Vec<u128>,
}

/// The maximum number of paths in a mapping.
const MOST: usize = 128;

fn bucket(key: &[u8]) -> usize {
    let byte = |at: Option<&u8>| at.map_or(0, |b| usize::from(b.to_ascii_lowercase()));
    let (first, middle, last) = (byte(key.first()), byte(key.get(key.len() / 2)), byte(key.last()));
    (key.len() * 31 + first * 7 + middle * 13 + last) & 255
}

/// Caddy's own log.
pub(crate) const CADDY: &str = "time=ts,client=request.client_ip|request.remote_ip|request.remote_addr,\
    method=request.method,url=request.uri,status=status,bytes=size,agent=request.headers.User-Agent,\
    referrer=request.headers.Referer,host=request.host,id=uuid|request.headers.X-Request-Id";

/// Traefik's log in JSON.
pub(crate) const TRAEFIK: &str = "time=StartUTC|StartLocal|time,client=ClientHost|ClientAddr,method=RequestMethod,\
    url=RequestPath,status=DownstreamStatus|OriginStatus,bytes=DownstreamContentSize|OriginContentSize,\
    agent=request_User-Agent,referrer=request_Referer,host=RequestHost|RequestAddr,id=request_X-Request-Id";

/// The field names that people use when a server writes JSON, nginx's variables first.
pub(crate) const USUAL: &str = "time=time_iso8601|time_local|time|timestamp|@timestamp|ts|msec|date|datetime|\
    start_time|EdgeStartTimestamp,\
    client=remote_addr|client_ip|clientip|remote_ip|client|ip|remoteAddr|remoteIp|c_ip|remote_host|source.address|\
    source.ip|client.address|client.ip|ClientIP|httpRequest.remoteIp,\
    request=request|http_request|request_line,\
    method=request_method|method|verb|http.request.method|http_method|ClientRequestMethod|httpRequest.requestMethod,\
    url=request_uri|uri|url|path|url.original|url.path|request_path|ClientRequestURI|httpRequest.requestUrl,\
    query=args|query_string|query|url.query,\
    status=status|status_code|response_code|http.response.status_code|http_status|code|response|EdgeResponseStatus|\
    httpRequest.status,\
    bytes=body_bytes_sent|bytes_sent|bytes|size|length|body_size|response_size|http.response.body.bytes|\
    EdgeResponseBytes|httpRequest.responseSize,\
    referrer=http_referer|http_referrer|referer|referrer|request_referer|http.request.referrer|ClientRequestReferer|\
    httpRequest.referer,\
    agent=http_user_agent|user_agent|agent|useragent|userAgent|ua|user_agent.original|ClientRequestUserAgent|\
    httpRequest.userAgent,\
    host=host|http_host|server_name|vhost|domain|virtual_host|ClientRequestHost,\
    id=request_id|req_id|requestId|x_request_id|trace_id|RayID";

impl Mapping {
    /// A mapping `field=path|path,field=path`, or one of the known ones.
    ///
    /// # Errors
    /// A field is unknown, or the mapping lacks the time, the client, the request or the status.
    pub(crate) fn new(text: &str, from: &ClientFrom) -> Result<Self, String> {
        let mut wants = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, paths) = part.split_once('=').ok_or_else(|| format!("`{part}` is not field=path"))?;
            let slot = SLOTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).ok_or_else(|| {
                let known: Vec<_> = SLOTS.iter().map(|(known, _)| *known).collect();
                format!("`{name}` is not a field; known: {}", known.join(", "))
            })?;
            for (rank, path) in (0_u8..).zip(paths.split('|').map(str::trim).filter(|path| !path.is_empty())) {
                wants.push(Want { path: path.as_bytes().to_vec(), slot: slot.1, rank });
            }
        }
        Self::of_wants(wants, from)
    }

    /// The mapping for lines whose values follow a template: `slot` gives the use and rank of a
    /// value.
    pub(super) fn of_template(
        template: &str,
        slot: impl Fn(&str) -> Option<(Slot, u8)>,
        from: &ClientFrom,
    ) -> Result<Self, String> {
        let mut values = Vec::new();
        let whole = template_values(&mut Walk::new(template.as_bytes()), &mut Vec::new(), DEEPEST, &mut values);
        whole.ok_or("the log format is not a JSON object")?;
        let mut wants = Vec::new();
        for (path, value) in values {
            let value = String::from_utf8_lossy(&value).into_owned();
            if let Some((slot, rank)) = slot(&value) {
                wants.push(Want { path, slot, rank });
            }
        }
        Self::of_wants(wants, from)
    }

    fn of_wants(mut wants: Vec<Want>, from: &ClientFrom) -> Result<Self, String> {
        let has = |slot: Slot| wants.iter().any(|want| want.slot == slot);
        let missing = [
            (has(Slot::Time) || (has(Slot::Date) && has(Slot::Clock)), "time"),
            (has(Slot::Client) || (has(Slot::Forwarded) && from.header.is_some()), "client"),
            (has(Slot::Request) || has(Slot::Url), "request or url"),
            (has(Slot::Status), "status"),
        ];
        if let Some((_, name)) = missing.iter().find(|(there, _)| !there) {
            return Err(format!("the mapping lacks {name}"));
        }
        if let Some(header) = from.header.as_deref().filter(|_| !has(Slot::Forwarded)) {
            let snake = header.to_ascii_lowercase().replace('-', "_");
            let names = [
                header.to_owned(),
                format!("http_{snake}"),
                format!("request.headers.{header}"),
                format!("request_{header}"),
                format!("headers.{header}"),
                snake,
            ];
            let named =
                (0_u8..).zip(names).map(|(rank, name)| Want { path: name.into_bytes(), slot: Slot::Forwarded, rank });
            wants.extend(named);
        }
        if wants.len() > MOST {
            return Err(format!("the mapping has {} paths; at most {MOST} are allowed", wants.len()));
        }
        let mut by_key = vec![0; 256];
        for (i, want) in wants.iter().enumerate() {
            let first = want.path.split(|&b| b == b'.').next().unwrap_or_default();
            by_key[bucket(&want.path)] |= 1 << i;
            by_key[bucket(first)] |= 1 << i;
        }
        Ok(Self { wants, by_key })
    }

    /// The fields of a line.
    pub(crate) fn parse<'a>(&self, line: &'a [u8], made: &mut Vec<u8>) -> Result<Fields<'a>, Fault> {
        let mut found: Found<'a> = [None; N_SLOTS];
        let mut walk = Walk::new(line);
        if walk.peek() != Some(b'{') {
            return Err(Fault::bare(What::NotJson));
        }
        let whole = walk.object(|walk, key| self.value(walk, key, self.by_key[bucket(key)], 0, DEEPEST, &mut found));
        if whole.is_none() {
            return Err(Fault::bare(What::CutJson));
        }
        if walk.peek().is_some() {
            return Err(Fault::of(What::More, &line[walk.at..]));
        }
        self.fields(&found, made)
    }

    /// One value, at a key that is part of the paths of some wants.
    fn value<'a>(
        &self,
        walk: &mut Walk<'a>,
        key: &[u8],
        some: u128,
        far: usize,
        deepest: usize,
        found: &mut Found<'a>,
    ) -> Option<()> {
        let (mut here, mut below) = (0_u128, 0_u128);
        for i in ones(some) {
            let Some(rest) = self.wants.get(i).and_then(|want| want.path.get(far..)) else { continue };
            // most have another length: the letters are compared last
            let to = match rest.get(key.len()) {
                None if rest.len() == key.len() => &mut here,
                Some(b'.') => &mut below,
                _ => continue,
            };
            if rest.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key)) {
                *to |= 1 << i;
            }
        }
        if below != 0 && deepest > 0 && walk.peek()? == b'{' {
            let far = far + key.len() + 1;
            return walk.object(|walk, key| self.value(walk, key, below, far, deepest - 1, found));
        }
        if here == 0 {
            return walk.skip();
        }
        let Some(scalar) = walk.scalar()? else { return Some(()) };
        for want in ones(here).filter_map(|i| self.wants.get(i)) {
            let place = &mut found[want.slot as usize];
            // a better path with an empty value does not count
            let is_better = place.is_none_or(|(rank, old)| want.rank < rank || old.is_nothing());
            if is_better && !(scalar.is_nothing() && place.is_some()) {
                *place = Some((want.rank, scalar));
            }
        }
        Some(())
    }

    fn fields<'a>(&self, found: &Found<'a>, made: &mut Vec<u8>) -> Result<Fields<'a>, Fault> {
        let get = |slot: Slot| found[slot as usize].map_or(Scalar::default(), |(_, scalar)| scalar);
        let is_there = |slot: &&Slot| !get(**slot).text.is_empty();
        if [Slot::Client, Slot::Forwarded, Slot::Request, Slot::Url, Slot::Status].iter().filter(is_there).count() < 2 {
            return Err(Fault::bare(What::NotARequest));
        }
        let status = get(Slot::Status).text;
        if status.is_empty() {
            return Err(Fault::bare(What::Lacks("status")));
        }
        let is_number = |text: &[u8]| text == b"-" || text.iter().all(u8::is_ascii_digit);
        if !is_number(status) {
            return Err(Fault::of(What::Status, status));
        }
        let bytes = get(Slot::Bytes).text;
        if !is_number(bytes) {
            return Err(Fault::of(What::Bytes, bytes));
        }
        let mut text = |slot: Slot| get(slot).plain(made);
        let mut fields = Fields {
            client: text(Slot::Client),
            forwarded: text(Slot::Forwarded),
            request: text(Slot::Request),
            method: text(Slot::Method),
            url: text(Slot::Url),
            status: Text::Line(status),
            bytes: Text::Line(bytes),
            referrer: text(Slot::Referrer),
            agent: text(Slot::Agent),
            vhost: text(Slot::Vhost),
            request_id: text(Slot::RequestId),
            uid: text(Slot::User),
            ..Fields::default()
        };
        let (date, clock, query) = (text(Slot::Date), text(Slot::Clock), text(Slot::Query));
        let moment = text(Slot::Time);
        if fields.request.is_empty() {
            if fields.url.is_empty() {
                return Err(Fault::bare(What::Lacks("request")));
            }
            fields.url = url::with_query(fields.url, query, made);
        }
        fields.moment = Some(match (moment.is_empty(), date.is_empty() || clock.is_empty()) {
            (false, _) => time::any(moment.look(made))?,
            (true, false) => time::date_and_clock(date.look(made), clock.look(made), None)?,
            (true, true) => return Err(Fault::bare(What::Lacks("time"))),
        });
        Ok(fields)
    }
}

/// Paths and values of the scalars of a template.
fn template_values(
    walk: &mut Walk<'_>,
    path: &mut Vec<u8>,
    deepest: usize,
    values: &mut Vec<(Vec<u8>, Vec<u8>)>,
) -> Option<()> {
    walk.object(|walk, key| {
        let len = path.len();
        if len > 0 {
            path.push(b'.');
        }
        path.extend_from_slice(key);
        if walk.peek()? == b'{' && deepest > 0 {
            template_values(walk, path, deepest - 1, values)?;
        } else if let Some(scalar) = walk.scalar()? {
            let mut value = Vec::new();
            unescape(scalar.text, &mut value);
            values.push((path.clone(), value));
        }
        path.truncate(len);
        Some(())
    })
}

/// The best value of each slot so far, and its rank.
type Found<'a> = [Option<(u8, Scalar<'a>)>; N_SLOTS];

/// The positions of the one bits in a number.
fn ones(mut number: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = number.trailing_zeros() as usize;
        (number != 0).then(|| {
            number &= number - 1;
            at
        })
    })
}

impl<'a> Scalar<'a> {
    /// Whether it is empty or a dash.
    fn is_nothing(&self) -> bool {
        matches!(self.text, b"" | b"-" | b"--")
    }

    /// The text without escapes.
    fn plain(self, made: &mut Vec<u8>) -> Text<'a> {
        if self.has_escapes { Text::make(made, |made| unescape(self.text, made)) } else { Text::Line(self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mark_is_found_wherever_it_is() {
        for len in 0..90 {
            for (at, byte) in (0..len).flat_map(|at| [(at, b'"'), (at, b'\\')]) {
                // neighbours of the marks, and what differs by the highest bit
                let mut text: Vec<u8> = b"!#[]\xA2\xDC\0\xFF".iter().copied().cycle().take(len).collect();
                assert_eq!(mark(&text), None);
                text[at..].fill(b'"');
                text[at] = byte;
                assert_eq!(mark(&text), Some(at), "{len}");
            }
        }
    }

    fn parse(mapping: &str, line: &str) -> Result<Vec<String>, What> {
        let mapping = Mapping::new(mapping, &ClientFrom::default()).unwrap();
        let mut made = Vec::new();
        let fields = mapping.parse(line.as_bytes(), &mut made).map_err(|fault| fault.what)?;
        let entry = fields.entry(&mut made, &ClientFrom::default()).map_err(|fault| fault.what)?;
        let (method, url) = entry.method_and_url.unwrap_or_default();
        let texts = [
            &entry.date[..],
            &entry.time,
            entry.client,
            entry.request,
            method,
            url,
            entry.status,
            entry.bytes,
            entry.referrer,
            entry.agent,
            entry.vhost,
        ];
        Ok(texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect())
    }

    #[test]
    fn lines_of_servers_that_write_json() {
        let caddy = r#"{"level":"info","ts":1752134401.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.1","client_ip":"192.0.2.9","proto":"HTTP/3.0","method":"GET","host":"www.example.org","uri":"/a","headers":{"Te":["a","b"],"User-Agent":["Mo\"z"],"Referer":["https://x/"]}},"duration":0.001,"size":12,"status":200,"resp_headers":{"Server":["Caddy"],"x":[{"status":1}]}}"#;
        let day = ["2025-07-10", "08:00:01"];
        let rest = ["192.0.2.9", "", "GET", "/a", "200", "12", "https://x/", "Mo\"z", "www.example.org"];
        assert_eq!(parse(CADDY, caddy).unwrap(), [&day[..], &rest].concat());
        let traefik = r#"{"ClientAddr": "172.20.0.1:52458","ClientHost": "192.0.2.4","request_User-Agent":"P/2","request_Referer":"-","DownstreamContentSize":15,"DownstreamStatus":"200","OriginStatus":504,"RequestHost":"h","RequestMethod":"GET","RequestPath":"/a?b=1","ServiceURL":{"Scheme":"http","User":null,"Path":""},"StartUTC":"2025-07-10T08:00:01.773360139Z","time":"2023-08-11T11:41:25"}"#;
        let rest = ["192.0.2.4", "", "GET", "/a?b=1", "200", "15", "-", "P/2", "h"];
        assert_eq!(parse(TRAEFIK, traefik).unwrap(), [&day[..], &rest].concat());
        let nginx = r#"{"time":"2025-07-10T08:00:01+00:00","remote_addr":"192.0.2.1","request":"GET \/a HTTP\/1.1","status":"200","body_bytes_sent":"12","http_referer":"","http_user_agent":"M\u00f6z \x22"}"#;
        let rest = ["192.0.2.1", "GET /a HTTP/1.1", "", "", "200", "12", "-", "Möz \\x22", ""];
        assert_eq!(parse(USUAL, nginx).unwrap(), [&day[..], &rest].concat());
        let own = r#"{"w":{"d":"2025-07-10","t":"08:00:01"},"a.b":"::1","u":"/x","q":"y=1","s":404}"#;
        let mapping = "date=w.d,clock=w.t,client=a.b,url=u,query=q,status=s";
        let rest = ["::1", "", "GET", "/x?y=1", "404", "-", "-", "-", ""];
        assert_eq!(parse(mapping, own).unwrap(), [&day[..], &rest].concat());
    }

    #[test]
    fn lines_that_are_not_requests_have_a_reason() {
        for (line, what) in [
            ("", What::NotJson),
            ("x", What::NotJson),
            ("{", What::CutJson),
            ("{\"", What::CutJson),
            (r#"{"time""#, What::CutJson),
            (r#"{"time":"x"#, What::CutJson),
            (r#"{"time":"x","y":{"z":[1,2"#, What::CutJson),
            (r#"{"a":1 "b":2}"#, What::CutJson),
            (r#"{"level":"info","time":1,"msg":"started"}"#, What::NotARequest),
            (r#"{"remote_addr":"::1","status":200,"request":"GET / HTTP/1.1"}"#, What::Lacks("time")),
            (r#"{"remote_addr":"::1","time":1752134401,"request":"GET / HTTP/1.1"}"#, What::Lacks("status")),
            (r#"{"remote_addr":"::1","time":1752134401,"status":200}"#, What::Lacks("request")),
            (r#"{"remote_addr":"::1","time":"x","status":200,"uri":"/"}"#, What::NotATime),
            (r#"{"remote_addr":"::1","time":1,"status":"ok","uri":"/"}"#, What::Status),
            (r#"{"remote_addr":"::1","time":1752134401,"status":200,"uri":"/"} {"#, What::More),
        ] {
            assert_eq!(parse(USUAL, line).map(|_| ()), Err(what), "{line}");
        }
    }

    #[test]
    fn the_client_is_taken_from_a_header() {
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        let mapping = Mapping::new(CADDY, &from).unwrap();
        let line = br#"{"ts":1752134401,"request":{"remote_ip":"10.0.0.1","method":"GET","uri":"/a","headers":{"X-Forwarded-For":["192.0.2.7, 10.0.0.2"]}},"size":1,"status":200}"#;
        let mut made = Vec::new();
        let fields = mapping.parse(line, &mut made).unwrap();
        assert_eq!(fields.entry(&mut made, &from).unwrap().client, b"192.0.2.7");
    }

    #[test]
    fn a_mapping_that_cannot_work_is_an_error() {
        let error = |text: &str| Mapping::new(text, &ClientFrom::default()).map(|_| ()).unwrap_err();
        assert!(error("time").contains("field=path"));
        assert!(error("tome=a").contains("known: time"));
        assert_eq!(error("time=a,client=b,url=c"), "the mapping lacks status");
        assert_eq!(error("time=a,status=b,url=c"), "the mapping lacks client");
        assert!(error(&format!("time=a,status=b,client=d,url={}", "a|".repeat(200))).contains("203 paths"));
        for known in [CADDY, TRAEFIK, USUAL] {
            let mapping = Mapping::new(known, &ClientFrom::default()).unwrap();
            let most = mapping.by_key.iter().map(|mask| mask.count_ones()).max().unwrap();
            assert!(most <= 12, "{most} paths in one bucket");
        }
    }

    #[test]
    fn escapes_of_json_and_of_nginx_are_read() {
        let plain = |text: &str| {
            let mut out = Vec::new();
            unescape(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        for (text, expected) in [
            (r#"a\"b\\c\/d\n"#, "a\"b\\c/d\n"),
            (r"\u00e9\ud83d\ude00", "é😀"),
            (r"\ud83dx", "\u{FFFD}x"),
            (r"\x22\u12", r"\x22\u12"),
            ("\\", "\\"),
            (r"\b\f\r\t", "\u{8}\u{c}\r\t"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}
