//! W3C extended logs, as written by IIS, CloudFront, NetScaler, Incapsula and others: `#Fields:`
//! lines define the fields of the lines after them.
//!
//! The field names are the state of a file; code that cuts a file into blocks passes them on.

use std::sync::LazyLock;

use kit::steps;

use super::cursor::is_end;
use super::entry::{ClientFrom, is_same_header};
use super::{Fault, Fields, Text, What, client, time, url};

/// The meaning of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Nothing,
    Date,
    Clock,
    LocalDate,
    LocalClock,
    /// Seconds since 1970.
    Epoch,
    Client,
    Forwarded,
    Method,
    Stem,
    Query,
    /// The whole URL, perhaps with the host.
    Uri,
    Status,
    Bytes,
    Referrer,
    Agent,
    Host,
    RequestId,
}

/// The fields that a `#Fields:` line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    columns: Vec<Column>,
    /// The field that a request needs and they lack.
    lacks: Option<&'static str>,
    /// Whether lines have their date.
    has_date: bool,
}

const FIELDS: &[u8] = b"#Fields:";

/// What Zeek writes instead.
const ZEEK: &[u8] = b"#fields\t";

const DATE: &[u8] = b"#Date:";

/// What follows a word at the beginning of a line, in letters of either case.
fn behind<'a>(line: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let head = line.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| line[word.len()..].trim_ascii())
}

/// The names after `#Fields:`, if the line is such a line.
pub(crate) fn names(line: &[u8]) -> Option<&[u8]> {
    behind(line, FIELDS).or_else(|| behind(line, ZEEK))
}

/// The day behind `#Date:`: that of lines behind it which have a time alone.
pub(crate) fn day(line: &[u8]) -> Option<[u8; 10]> {
    let day = behind(line, DATE)?.first_chunk::<10>()?;
    time::date_and_clock(day, b"00:00:00", None).is_ok().then_some(*day)
}

/// What the last line of a block says that begins so.
fn last<'a, T>(block: &'a [u8], word: &[u8], look: impl Fn(&'a [u8]) -> Option<T>) -> Option<T> {
    let at = memchr::memmem::rfind_iter(block, word).find(|&at| at == 0 || block[at - 1] == b'\n')?;
    let line = &block[at..];
    look(&line[..memchr::memchr(b'\n', line).unwrap_or(line.len())])
}

/// The names of the last `#Fields:` line in a block; it begins after a line feed or at the start.
pub(crate) fn last_names(block: &[u8]) -> Option<&[u8]> {
    last(block, FIELDS, names).or_else(|| last(block, ZEEK, names))
}

/// The day of the last `#Date:` line of a block.
pub(crate) fn last_day(block: &[u8]) -> Option<[u8; 10]> {
    last(block, DATE, day)
}

/// The fields that IIS writes, in its order, as administrators choose them: where `#Fields:` is missing or
/// does not fit, the line itself tells which these are.
static USUAL: LazyLock<Vec<Columns>> = LazyLock::new(|| {
    let agent = "s-port cs-username c-ip cs(User-Agent)";
    let answer = "sc-status sc-substatus sc-win32-status";
    let request = "cs-method cs-uri-stem cs-uri-query";
    let all = format!(
        "date time s-sitename s-computername s-ip {request} s-port cs-username c-ip cs-version cs(User-Agent) \
         cs(Cookie) cs(Referer) cs-host {answer} sc-bytes cs-bytes time-taken"
    );
    let lists = [
        format!("date time s-ip {request} {agent} {answer} time-taken"),
        format!("date time s-ip {request} {agent} cs(Referer) {answer} time-taken"),
        format!("date time s-ip {request} {agent} cs(Referer) {answer} time-taken X-Forwarded-For"),
        format!("date time s-ip {request} {agent} cs(Referer) {answer} sc-bytes cs-bytes time-taken"),
        format!("date time s-ip {request} {agent} cs(Referer) {answer} sc-bytes cs-bytes time-taken X-Forwarded-For"),
        format!("date time s-ip {request} {agent} cs(Cookie) cs(Referer) {answer} sc-bytes cs-bytes time-taken"),
        format!(
            "date time s-ip {request} {agent} cs(Cookie) cs(Referer) {answer} sc-bytes cs-bytes time-taken X-Forwarded-For"
        ),
        format!(
            "date time s-sitename {request} {agent} cs(Cookie) cs(Referer) cs-host {answer} sc-bytes cs-bytes time-taken"
        ),
        format!("{all} X-Forwarded-For"),
        all.trim_end_matches(" sc-bytes cs-bytes time-taken").to_owned(),
        all,
    ];
    lists.iter().map(|names| usual_columns(names)).collect()
});

/// The fields of CloudFront; earlier versions wrote fewer.
const CLOUDFRONT: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) \
    cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes \
    time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status \
    fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len \
    sc-range-start sc-range-end";

/// How many fields CloudFront wrote at least.
const FEWEST_OF_CLOUDFRONT: usize = 18;

static OF_CLOUDFRONT: LazyLock<Vec<Columns>> = LazyLock::new(|| {
    let names: Vec<&str> = CLOUDFRONT.split(' ').collect();
    (FEWEST_OF_CLOUDFRONT..=names.len()).map(|n| usual_columns(&names[..n].join(" "))).collect()
});

/// The header in which proxies name the client, if a usual list has it.
const FORWARDED: &str = "X-Forwarded-For";

/// The columns of a usual list.
fn usual_columns(names: &str) -> Columns {
    let has_header = names.to_ascii_lowercase().contains(&FORWARDED.to_ascii_lowercase());
    let header = has_header.then(|| FORWARDED.to_owned());
    Columns::new(names.as_bytes(), &ClientFrom { header, ..ClientFrom::default() })
}

/// The fields of a line of IIS or CloudFront that has one of their usual lists of fields, and the header with
/// the client if one is asked for.
pub(crate) fn usual<'a>(line: &'a [u8], made: &mut Vec<u8>, from: &ClientFrom) -> Option<Fields<'a>> {
    let wants_header = from.header.is_some();
    if !line.first().is_some_and(u8::is_ascii_digit) || (wants_header && !from.is(FORWARDED.as_bytes())) {
        return None;
    }
    let tabs = memchr::memchr_iter(b'\t', line).count();
    let n = if tabs > 0 { tabs + 1 } else { line.split(|&b| b == b' ').filter(|word| !word.is_empty()).count() };
    steps::add(line.len());
    let lists = if tabs > 0 { &OF_CLOUDFRONT } else { &USUAL };
    let may_be = |columns: &&Columns| {
        columns.columns.len() == n && (!wants_header || columns.columns.contains(&Column::Forwarded))
    };
    lists.iter().filter(may_be).find_map(|columns| {
        made.clear();
        let fields = columns.parse(line, None, made).ok()?;
        let is_method = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_uppercase);
        let is_client = client::address(fields.client.of(made)).is_some();
        // numbers, and perhaps the addresses of proxies
        let behind = columns.columns.iter().rev().take_while(|column| **column != Column::Status).count();
        let is_number = |word: &[u8]| word.first().is_some_and(|b| b.is_ascii_hexdigit() || matches!(b, b'-' | b':'));
        if tabs == 0 && !line.rsplit(|&b| b == b' ').filter(|word| !word.is_empty()).take(behind).all(is_number) {
            return None;
        }
        (is_method(fields.method.of(made)) && fields.status.of(made).len() == 3 && is_client).then_some(fields)
    })
}

impl Columns {
    /// From the names after `#Fields:`.
    pub(crate) fn new(names: &[u8], from: &ClientFrom) -> Self {
        let words = names.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let mut columns: Vec<_> = words.map(|name| column(name, from)).collect();
        let has = |column: Column| columns.contains(&column);
        // a URL in two pieces is better than one that may include the host
        if has(Column::Uri) && has(Column::Stem) {
            for column in &mut columns {
                if *column == Column::Uri {
                    *column = Column::Nothing;
                }
            }
        }
        let has = |some: &[Column]| columns.iter().any(|column| some.contains(column));
        let needs = [
            (has(&[Column::Clock, Column::LocalClock, Column::Epoch]), "time"),
            (has(&[Column::Client, Column::Forwarded]), "c-ip"),
            (has(&[Column::Stem, Column::Uri]), "cs-uri-stem"),
            (has(&[Column::Status]), "sc-status"),
            (from.header.is_none() || has(&[Column::Forwarded]), "the header with the client"),
        ];
        let lacks = needs.iter().find(|(there, _)| !there).map(|(_, name)| *name);
        let has_date = has(&[Column::Date, Column::LocalDate, Column::Epoch]);
        Self { columns, lacks, has_date }
    }

    /// The fields of a line that is not a directive; `day` is that of lines with a time alone.
    pub(crate) fn parse<'a>(
        &self,
        line: &'a [u8],
        day: Option<[u8; 10]>,
        made: &mut Vec<u8>,
    ) -> Result<Fields<'a>, Fault> {
        if let Some(name) = self.lacks.or_else(|| (!self.has_date && day.is_none()).then_some("date")) {
            return Err(Fault::bare(What::NotNamed(name)));
        }
        let tabs = memchr::memchr(b'\t', line).is_some();
        let mut rest = if tabs { line } else { line.trim_ascii_start() };
        let mut fields = Fields::default();
        let (mut date, mut clock, mut offset) = (&b""[..], &b""[..], Some(0));
        let (mut query, mut uri) = (&b""[..], &b""[..]);
        let mut may_be_quoted = true;
        for (i, column) in self.columns.iter().enumerate() {
            if rest.is_empty() && !(tabs && i + 1 == self.columns.len()) {
                return Err(Fault::bare(What::FewColumns));
            }
            let (field, after) = if tabs { tabbed(rest) } else { blank_parted(rest, &mut may_be_quoted) };
            rest = after;
            let text = Text::Line(field);
            match column {
                Column::Nothing => {}
                Column::Date => date = field,
                Column::Clock => clock = field,
                Column::LocalDate | Column::LocalClock => {
                    offset = None;
                    *(if *column == Column::LocalDate { &mut date } else { &mut clock }) = field;
                }
                Column::Epoch => fields.moment = Some(time::epoch(field)?),
                Column::Client => fields.client = text,
                Column::Forwarded => fields.forwarded = text,
                Column::Method => fields.method = text,
                Column::Stem => fields.url = text,
                Column::Query => query = field,
                Column::Uri => uri = field,
                Column::Status => fields.status = text,
                Column::Bytes => fields.bytes = text,
                Column::Referrer => fields.referrer = decoded(field, made),
                Column::Agent => fields.agent = decoded(field, made),
                Column::Host if field != b"-" => fields.vhost = text,
                Column::Host => {}
                Column::RequestId => fields.request_id = text,
            }
        }
        if !rest.trim_ascii().is_empty() {
            return Err(Fault::of(What::More, rest.trim_ascii()));
        }
        if fields.url.is_empty() {
            fields.url = Text::Line(url::path_of(uri).1);
        }
        fields.url = fields.url.with_query(Text::Line(query), made);
        let is_number = |text: &[u8]| text == b"-" || text.iter().all(u8::is_ascii_digit);
        for (text, what) in [(fields.status, What::Status), (fields.bytes, What::Bytes)] {
            let text = text.of(made);
            if !is_number(text) {
                return Err(Fault::of(what, text));
            }
        }
        if fields.moment.is_none() {
            let date = if self.has_date { date } else { day.as_ref().map_or(&b""[..], |day| day) };
            fields.moment = Some(time::date_and_clock(date, clock, offset).map_err(|fault| fault.within(line))?);
        }
        Ok(fields)
    }
}

/// The meaning of a name.
fn column(name: &[u8], from: &ClientFrom) -> Column {
    let lower = name.to_ascii_lowercase();
    let header = lower.strip_prefix(b"cs(").and_then(|rest| rest.strip_suffix(b")")).unwrap_or(&lower);
    let is_xff = from.is(b"X-Forwarded-For") && matches!(&*lower, b"s-xff" | b"x-forwarded-for" | b"originalip");
    if from.is(header) || is_xff {
        return Column::Forwarded;
    }
    match &*lower {
        b"date" => Column::Date,
        b"time" => Column::Clock,
        b"date-local" => Column::LocalDate,
        b"time-local" => Column::LocalClock,
        b"ts" => Column::Epoch,
        b"c-ip" | b"id.orig_h" => Column::Client,
        b"cs-method" | b"method" => Column::Method,
        b"cs-uri-stem" => Column::Stem,
        b"cs-uri-query" => Column::Query,
        b"cs-uri" | b"uri" => Column::Uri,
        b"sc-status" | b"c-status" | b"sc(status)" | b"status_code" => Column::Status,
        b"sc-bytes" | b"bytes" | b"response_body_len" => Column::Bytes,
        b"cs-host" | b"x-host-header" | b"host" => Column::Host,
        b"x-edge-request-id" => Column::RequestId,
        _ if is_same_header(header, b"referer") || is_same_header(header, b"referrer") => Column::Referrer,
        _ if is_same_header(header, b"user-agent") => Column::Agent,
        _ if lower != header && header == b"host" => Column::Host,
        _ => Column::Nothing,
    }
}

/// A field that ends at a tab.
fn tabbed(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\t', text).unwrap_or(text.len());
    steps::add(end + 1);
    (&text[..end], text.get(end + 1..).unwrap_or_default())
}

/// A field that ends at blanks, with or without quotes; returns what follows the blanks. If a
/// quoted field has no end, no later field has one either, so none is searched for again.
fn blank_parted<'a>(text: &'a [u8], may_be_quoted: &mut bool) -> (&'a [u8], &'a [u8]) {
    let after = |rest: &[u8]| rest.iter().take_while(|&&b| b == b' ').count();
    if let Some(inner) = text.strip_prefix(b"\"").filter(|_| *may_be_quoted) {
        let mut at = 0;
        // a quote inside is written twice
        while let Some(step) = memchr::memchr(b'"', &inner[at..]) {
            steps::add(step + 1);
            at += step;
            let rest = &inner[at + 1..];
            if is_end(rest) {
                return (&inner[..at], &rest[after(rest)..]);
            }
            at += if rest.first() == Some(&b'"') { 2 } else { 1 };
            if at > inner.len() {
                break;
            }
        }
        steps::add(inner.len());
        *may_be_quoted = false;
    }
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    let rest = &text[end..];
    let n = after(rest);
    steps::add(end + n + 1);
    (&text[..end], &rest[n..])
}

/// The text of a header: IIS writes a plus for each blank; CloudFront escapes everything but
/// letters, once or twice.
fn decoded<'a>(field: &'a [u8], made: &mut Vec<u8>) -> Text<'a> {
    steps::add(field.len());
    let has = |byte| memchr::memchr(byte, field).is_some();
    if has(b' ') {
        return Text::Line(field);
    }
    if has(b'%') {
        return Text::make(made, |made| unescape(field, made));
    }
    if !has(b'+') {
        return Text::Line(field);
    }
    Text::make(made, |made| {
        let mut before = 0;
        for &byte in field {
            // a plus that follows a plus is a real one
            let is_blank = byte == b'+' && before != b'+';
            made.push(if is_blank { b' ' } else { byte });
            before = if is_blank { b'+' } else { 0 };
        }
    })
}

/// Decodes `%XX`, and `%25XX` too.
fn unescape(field: &[u8], made: &mut Vec<u8>) {
    let hex = |digits: &[u8]| {
        let &[a, b] = digits else { return None };
        let value = char::from(a).to_digit(16)? * 16 + char::from(b).to_digit(16)?;
        u8::try_from(value).ok()
    };
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let twice = rest.strip_prefix(b"%25").and_then(|rest| rest.get(..2)).and_then(hex).map(|byte| (byte, 5));
        let once = || after.get(..2).filter(|_| first == b'%').and_then(hex).map(|byte| (byte, 3));
        let (byte, len) = twice.or_else(once).unwrap_or((first, 1));
        made.push(byte);
        rest = &rest[len..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::tests;

    fn parse(names: &str, line: &str, from: &ClientFrom) -> Result<Vec<String>, What> {
        const NAMES: &str = "date time client method url status bytes referrer agent vhost";
        let mut made = Vec::new();
        let fields = Columns::new(names.as_bytes(), from).parse(line.as_bytes(), None, &mut made);
        tests::texts(fields, &mut made, from, NAMES)
    }

    const IIS: &str = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken";

    #[test]
    fn logs_of_several_servers_are_read() {
        let none = ClientFrom::default();
        let line = "2025-07-10 08:00:01 10.0.0.1 GET /a - 443 - 192.0.2.1 Mozilla/5.0+(X11;++http://x) - 200 0 0 15";
        let found = parse(IIS, line, &none).unwrap();
        assert_eq!(
            found,
            ["2025-07-10", "08:00:01", "192.0.2.1", "GET", "/a", "200", "-", "-", "Mozilla/5.0 (X11; +http://x)", ""]
        );
        let line = "2025-07-10 08:00:01.363 10.0.0.1 GET /a b=1 443 - \"192.0.2.1\" \"Mo \"\"z\"\" x\" \"http://x/?a=b+c\" 404 \" garbage w/ spaces \" 0 15";
        let found = parse(IIS, line, &none).unwrap();
        assert_eq!(found[4..], ["/a?b=1", "404", "-", "http://x/?a=b c", "Mo \"\"z\"\" x", ""]);
        let cloudfront = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query x-host-header";
        let line = "2025-07-10\t08:00:01\tFRA2\t182\t192.0.2.10\tGET\td1.cloudfront.net\t/a.html\t200\thttps://x/\tMozilla/5.0%2520(Windows;%20U)\ta=1\texample.com";
        let found = parse(cloudfront, line, &none).unwrap();
        assert_eq!(
            found[2..],
            ["192.0.2.10", "GET", "/a.html?a=1", "200", "182", "https://x/", "Mozilla/5.0 (Windows; U)", "example.com"]
        );
        let oracle = "  c-ip  c-dns  date  time  cs-method  cs-uri  sc-status  bytes  cs(Referrer)  cs(User-Agent)";
        let line = "192.0.2.2      client7      2025-07-10     08:00:01      GET      www.example.com/a.gif    200     350         \"http://x/\"      \"Mozilla/4.5 [en] (WinNT; I)\"";
        let found = parse(oracle, line, &none).unwrap();
        assert_eq!(
            found[2..],
            ["192.0.2.2", "GET", "/a.gif", "200", "350", "http://x/", "Mozilla/4.5 [en] (WinNT; I)", ""]
        );
    }

    #[test]
    fn the_client_is_taken_from_a_header() {
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        for name in ["X-Forwarded-For", "cs(X-Forwarded-For)", "s-xff"] {
            let found = parse(
                &format!("{IIS} {name}"),
                "2025-07-10 08:00:01 10.0.0.1 GET /a - 443 - 10.0.0.2 M - 200 0 0 15 192.0.2.7,+10.0.0.3",
                &from,
            );
            assert_eq!(found.unwrap()[2], "192.0.2.7", "{name}");
        }
    }

    #[test]
    fn lines_that_do_not_fit_have_a_reason() {
        let none = ClientFrom::default();
        let line = "2025-07-10 08:00:01 10.0.0.1 GET /a - 443 - 192.0.2.1 M - 200 0 0 15";
        for (names, line, what) in [
            (IIS, "", What::FewColumns),
            (IIS, &line[..60], What::FewColumns),
            (IIS, &format!("{line} 1"), What::More),
            (IIS, &line.replace("200", "ok"), What::Status),
            (IIS, &line.replace("08:00", "8:00"), What::NotAClock),
            (IIS, &line.replace("07-10", "02-30"), What::NoSuchTime),
            ("time c-ip cs-method cs-uri-stem sc-status", "08:00:01 192.0.2.1 GET /a 200", What::NotNamed("date")),
            ("date time cs-method cs-uri-stem sc-status", "x", What::NotNamed("c-ip")),
            (IIS, "\"", What::FewColumns),
            (IIS, "\"\"\"", What::FewColumns),
        ] {
            assert_eq!(parse(names, line, &none).map(|_| ()), Err(what), "{line}");
        }
    }

    #[test]
    fn lists_of_iis_that_nothing_names() {
        let ua = "Mozilla/5.0+(X11)";
        for line in [
            format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 80 - 192.0.2.1 {ua} 200 0 0 15"),
            format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 80 - 192.0.2.1 {ua} - 200 0 0 15"),
            format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 80 - 192.0.2.1 {ua} - 200 0 0 15 192.0.2.9"),
            format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 80 - 192.0.2.1 {ua} - 200 0 0 14 24 15"),
            format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 80 - 192.0.2.1 {ua} - 200 0 0 14 24 15 192.0.2.9"),
            format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 80 - 192.0.2.1 {ua} a=b;+c=d - 200 0 0 14 24 15"),
            format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 80 - 192.0.2.1 {ua} a=b;+c=d - 200 0 0 14 24 15 192.0.2.9"),
            format!("2025-07-10 08:00:01 W3SVC1 GET /a - 80 - 192.0.2.1 {ua} - - h 200 0 0 14 24 15"),
            format!(
                "2025-07-10 08:00:01 W3SVC1 WEB 10.0.0.1 GET /a - 80 - 192.0.2.1 HTTP/1.1 {ua} - - h 200 0 0 1 2 3"
            ),
            format!(
                "2025-07-10 08:00:01 W3SVC1 WEB 10.0.0.1 GET /a - 80 - 192.0.2.1 HTTP/1.1 {ua} - - h 200 0 0 1 2 3 192.0.2.9"
            ),
            format!("2025-07-10 08:00:01 W3SVC1 WEB 10.0.0.1 GET /a - 80 - 192.0.2.1 HTTP/1.1 {ua} - - h 200 0 0"),
        ] {
            let mut made = Vec::new();
            let fields = usual(line.as_bytes(), &mut made, &ClientFrom::default()).unwrap();
            let texts = [fields.client, fields.method, fields.url, fields.status, fields.agent];
            let texts = texts.map(|text| String::from_utf8_lossy(text.of(&made)).into_owned());
            assert_eq!(texts, ["192.0.2.1", "GET", "/a", "200", "Mozilla/5.0 (X11)"], "{line}");
            for odd in [
                line.replace("GET", "get"),
                line.replace("192.0.2.1", "x"),
                format!("{line} x y"),
                line.replace(" 200 ", " 2000 "),
            ] {
                assert!(usual(odd.as_bytes(), &mut made, &ClientFrom::default()).is_none(), "{odd}");
            }
        }
    }

    #[test]
    fn lines_of_cloudfront_that_nothing_names() {
        let words = "2025-07-10 08:00:01 LAX1 392 192.0.2.1 GET d1.cloudfront.net /a 200 https://x/ Mozilla/5.0%20(X11) b=1 - \
            Hit ID== www.example.org https 23 0.001 192.0.2.9 TLSv1.3 AES Hit HTTP/2.0 - - 11040 0.001 Hit text/html 78 - -";
        let words: Vec<&str> = words.split(' ').collect();
        for n in [18, 24, 26, 33] {
            let line = words[..n].join("\t");
            let mut made = Vec::new();
            let fields = usual(line.as_bytes(), &mut made, &ClientFrom::default()).unwrap();
            let texts = [fields.client, fields.url, fields.bytes, fields.referrer, fields.agent, fields.vhost];
            let texts = texts.map(|text| String::from_utf8_lossy(text.of(&made)).into_owned());
            assert_eq!(
                texts,
                ["192.0.2.1", "/a?b=1", "392", "https://x/", "Mozilla/5.0 (X11)", "www.example.org"],
                "{n}"
            );
        }
        let none = ClientFrom::default();
        for odd in [words[..17].join("\t"), words[1..].join("\t"), words.join("\t").replace("GET", "get")] {
            assert!(usual(odd.as_bytes(), &mut Vec::new(), &none).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_header_that_the_lines_do_not_have_is_missed() {
        let from = |header: &str| ClientFrom { header: Some(header.to_owned()), ..ClientFrom::default() };
        let line = "2025-07-10 08:00:01 10.0.0.1 GET /a - 80 - 10.0.0.9 UA/1 - 200 0 0 15";
        let with = format!("{line} 192.0.2.9");
        let mut made = Vec::new();
        let mut client = |line: &str, header: &str| {
            let fields = usual(line.as_bytes(), &mut made, &from(header))?;
            Some(String::from_utf8_lossy(fields.forwarded.of(&made)).into_owned())
        };
        assert_eq!(client(&with, "x-forwarded-for"), Some("192.0.2.9".to_owned()));
        assert_eq!(client(line, "X-Forwarded-For"), None);
        assert_eq!(client(&with, "X-Real-IP"), None);
        let names = "date time c-ip cs-method cs-uri-stem sc-status";
        let line = "2025-07-10 08:00:01 10.0.0.9 GET /a 200";
        let what = What::NotNamed("the header with the client");
        assert_eq!(parse(names, line, &from("X-Forwarded-For")).map(|_| ()), Err(what));
        assert!(parse(names, line, &ClientFrom::default()).is_ok());
    }

    #[test]
    fn times_without_dates() {
        let none = ClientFrom::default();
        let columns = Columns::new(b"time c-ip cs-method cs-uri-stem sc-status", &none);
        let mut made = Vec::new();
        let line = b"08:00:01 192.0.2.1 GET /a 200";
        let day_of = day(b"#Date: 2025-07-10 00:00:00").unwrap();
        let fields = columns.parse(line, Some(day_of), &mut made).unwrap();
        assert_eq!(&fields.entry(&mut made, &none).unwrap().date, b"2025-07-10");
        assert_eq!(day(b"#Date: 10/Jul/2025"), None);
        assert_eq!(last_day(b"#Date: 2025-07-10 x\nx\n#Date: 2025-07-11\r\ny\n"), Some(*b"2025-07-11"));
    }

    #[test]
    fn what_zeek_writes() {
        let names = names(
            b"#fields\tts\tuid\tid.orig_h\tmethod\thost\turi\treferrer\tuser_agent\tresponse_body_len\tstatus_code",
        );
        let line = "1752134401.5\tC1\t192.0.2.1\tGET\twww.example.org\t/a b\t-\tMozilla/5.0 (X11)\t12\t200";
        let found = parse(std::str::from_utf8(names.unwrap()).unwrap(), line, &ClientFrom::default()).unwrap();
        let rest = ["192.0.2.1", "GET", "/a b", "200", "12", "-", "Mozilla/5.0 (X11)", "www.example.org"];
        assert_eq!((&*found[0], &*found[1], &found[2..]), ("2025-07-10", "08:00:01", &rest.map(str::to_owned)[..]));
    }

    #[test]
    fn a_fields_line_begins_a_line() {
        assert_eq!(names(b"#Fields: date time"), Some(&b"date time"[..]));
        assert_eq!(names(b"#fields:\tdate\r"), Some(&b"date"[..]));
        assert_eq!((names(b"#Field"), names(b"x")), (None, None));
        let block = b"a #Fields: no\n#Fields: one\nx\n#Fields: two \r\ny #Fields: no\n";
        assert_eq!(last_names(block), Some(&b"two"[..]));
        assert_eq!(last_names(b"#Fields: one"), Some(&b"one"[..]));
        assert_eq!(last_names(b"x"), None);
    }
}
