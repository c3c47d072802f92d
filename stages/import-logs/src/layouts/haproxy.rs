//! HAProxy's HTTP log (`option httplog`), without the syslog prefix that comes before it.

use super::client;
use super::cursor::Cursor;
use super::{Fault, Fields, Text, What, time};

/// How many fields the administrator may have added before the timers.
const OWN_FIELDS: usize = 4;

/// The fields of a line.
pub(crate) fn parse(line: &[u8]) -> Result<Fields<'_>, Fault> {
    let mut cursor = Cursor::new(line);
    let mut fields = Fields { client: Text::Line(client::without_port(cursor.word())), ..Fields::default() };
    // a port without an address stands for a hidden client
    if let Text::Line([b'-', b':', ..]) = fields.client {
        fields.client = Text::Line(b"-");
    }
    let Some(stamp) = cursor.bracketed() else {
        return Err(Fault::bare(if is_message(line) { What::NotARequest } else { What::Misfit }));
    };
    let (moment, _) = time::clf(stamp)?;
    fields.moment = Some(moment);
    let (frontend, backend) = (cursor.word(), cursor.word());
    if frontend.ends_with(b":") && frontend.contains(&b'/') {
        // a connection that failed
        return Err(Fault::bare(What::NotARequest));
    }
    if !backend.contains(&b'/') {
        return Err(Fault::bare(What::Misfit));
    }
    let timers = (0..=OWN_FIELDS).map(|_| cursor.word()).find(|word| are_numbers(word, 3));
    match timers {
        Some(timers) if are_numbers(timers, 4) => {}
        // the log of connections has fewer
        Some(_) => return Err(Fault::bare(What::NotARequest)),
        None => return Err(Fault::bare(What::Misfit)),
    }
    let status = cursor.word();
    if status != b"-1" && (status.is_empty() || !status.iter().all(u8::is_ascii_digit)) {
        return Err(Fault::of(What::Status, status));
    }
    let bytes = cursor.word();
    let digits = bytes.strip_prefix(b"+").unwrap_or(bytes);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::of(What::Bytes, bytes));
    }
    (fields.status, fields.bytes) = (Text::Line(status), Text::Line(digits));
    // cookies, termination state, connections, queues
    for _ in 0..5 {
        cursor.word();
    }
    cursor.blanks();
    while cursor.rest.first() == Some(&b'{') {
        let end = memchr::memchr(b'}', cursor.rest).ok_or(Fault::bare(What::Ends("request")))?;
        if fields.agent.is_empty() {
            let mut headers = cursor.rest[1..end].split(|&b| b == b'|');
            fields.agent = Text::Line(headers.find(|text| is_agent(text)).unwrap_or_default());
        }
        cursor.rest = &cursor.rest[end + 1..];
        cursor.blanks();
    }
    let Some(inner) = cursor.rest.strip_prefix(b"\"") else { return Err(Fault::bare(What::NoRequest)) };
    // syslog may have cut the line inside the request
    fields.request = Text::Line(cursor.quoted().unwrap_or(inner));
    Ok(fields)
}

/// Whether a header is an agent: `product/1`, and not a URL.
fn is_agent(text: &[u8]) -> bool {
    let Some(slash) = memchr::memchr(b'/', text) else { return false };
    let product = &text[..slash];
    let is_product = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_' | b'.' | b'+');
    product.first().is_some_and(u8::is_ascii_alphabetic)
        && product.iter().all(is_product)
        && text.get(slash + 1).is_some_and(u8::is_ascii_digit)
}

/// Whether a line is one of the log of connections, `option tcplog` or the default.
pub(super) fn is_connection(line: &[u8]) -> bool {
    let mut cursor = Cursor::new(line);
    cursor.word();
    let has_backend = cursor.bracketed().is_some() && {
        cursor.word();
        cursor.word().contains(&b'/')
    };
    line.starts_with(b"Connect from ")
        || (has_backend && parse(line).is_err_and(|fault| fault.what == What::NotARequest))
}

/// Whether a line is what HAProxy says of itself and its servers.
fn is_message(line: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 10] = [
        b"Proxy ",
        b"Server ",
        b"Backend ",
        b"backend ",
        b"Connect from ",
        b"Health check ",
        b"Stopping ",
        b"Pausing ",
        b"Enabling ",
        b"New worker ",
    ];
    BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
}

/// Whether a word consists of at least this many numbers separated by slashes.
fn are_numbers(word: &[u8], least: usize) -> bool {
    let mut n = 0;
    for number in word.split(|&b| b == b'/') {
        let digits = number.strip_prefix(b"-").or_else(|| number.strip_prefix(b"+")).unwrap_or(number);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return false;
        }
        n += 1;
    }
    n >= least
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::entry::ClientFrom;

    const HEAD: &str = "192.0.2.1:55008 [10/Jul/2025:08:00:01.584] www~ app/s1";

    fn parsed(line: &str) -> Result<[String; 6], What> {
        let mut made = Vec::new();
        let fields = parse(line.as_bytes()).map_err(|fault| fault.what)?;
        let entry = fields.entry(&mut made, &ClientFrom::default()).map_err(|fault| fault.what)?;
        let (method, url) = entry.method_and_url;
        Ok([entry.client, method, url, entry.status, entry.bytes, entry.agent]
            .map(|text| String::from_utf8_lossy(text).into_owned()))
    }

    #[test]
    fn lines_of_the_http_log() {
        for (rest, found) in [
            (r#"0/0/0/72/72 200 7456 - - ---- 5/4/0/1/0 0/0 "GET /a HTTP/1.1""#, ["GET", "/a", "200", "7456", "-"]),
            (
                r#"0/-1/-1/-1/0 503 +213 - - SC-- 1/1/0/0/0 0/0 {h||} {|} "GET /a HTTP/1.1""#,
                ["GET", "/a", "503", "213", "-"],
            ),
            (
                r#"0/0/0/72 200 7 - - ---- 5/4/0/1/0 0/0 {x|Mozilla/5.0 (X11)} {} "GET https://h:443/b HTTP/2.0""#,
                ["GET", "/b", "200", "7", "Mozilla/5.0 (X11)"],
            ),
            (r#"site.example 0/0/0/18/18 200 7 - - ---- 2/2/2/0/0 0/0 "GET /cut"#, ["GET", "/cut", "200", "7", "-"]),
            (r#"0/0/0/0/0 400 0 - - PR-- 2/2/2/0/0 0/0 "<BADREQ>""#, ["", "<BADREQ>", "400", "0", "-"]),
        ] {
            let [client, texts @ ..] = parsed(&format!("{HEAD} {rest}")).unwrap();
            assert_eq!((&*client, texts), ("192.0.2.1", found.map(str::to_owned)), "{rest}");
        }
    }

    #[test]
    fn the_port_behind_an_ipv6_address_is_removed() {
        for (client, found) in [
            ("2001:db8::12:3450", "2001:db8::12"),
            ("2001:db8::12:58430", "2001:db8::12"),
            ("2001:db8:1:2:3:4:5:6:80", "2001:db8:1:2:3:4:5:6"),
            ("::ffff:192.0.2.1:58430", "192.0.2.1"),
        ] {
            let line = format!(r#"{client}{} 0/0/0/72/72 200 7 - - ---- 5/4/0/1/0 0/0 "GET /a HTTP/1.1""#, &HEAD[15..]);
            assert_eq!(parsed(&line).unwrap()[0], found, "{line}");
        }
    }

    #[test]
    fn agents_among_the_headers() {
        for (headers, agent) in [
            ("{www.example.org|Mozilla/5.0 (X11)|https://x/}", "Mozilla/5.0 (X11)"),
            ("{https://example.org/1/|curl/8.0|text/html}", "curl/8.0"),
            ("{www.example.org|python-requests/2.28|} {text/html|}", "python-requests/2.28"),
            ("{www.example.org|https://x/2/|text/html}", "-"),
            ("{/1|a:80/2|}", "-"),
        ] {
            let line = format!(r#"{HEAD} 0/0/0/72/72 200 7 - - ---- 5/4/0/1/0 0/0 {headers} "GET /a HTTP/1.1""#);
            assert_eq!(parsed(&line).unwrap()[5], agent, "{line}");
        }
    }

    #[test]
    fn lines_of_connections() {
        for (line, is) in [
            (&*format!("{HEAD} 0/0/5 7456 -- 1/1/0/0/0 0/0"), true),
            ("Connect from 192.0.2.1:5 to 192.0.2.9:80 (main/HTTP)", true),
            (&format!("{HEAD} 0/0/0/1/1 200 7 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\""), false),
            ("192.0.2.1:55008 [10/Jul/2025:08:00:01.584] www/1: SSL handshake failure", false),
            ("Proxy www started.", false),
            ("", false),
        ] {
            assert_eq!(is_connection(line.as_bytes()), is, "{line}");
        }
    }

    #[test]
    fn lines_that_are_not_requests_have_a_reason() {
        for (line, what) in [
            ("", What::Misfit),
            ("Proxy www started.", What::NotARequest),
            ("Server app/s1 is DOWN, reason: Layer4 timeout", What::NotARequest),
            ("192.0.2.1:55008 [10/Jul/2025:08:00:01.584] www/1: SSL handshake failure", What::NotARequest),
            ("Nothing that it says", What::Misfit),
            (HEAD, What::Misfit),
            (&format!("{HEAD} 0/0/5 7456 -- 1/1/0/0/0 0/0"), What::NotARequest),
            (&format!("{HEAD} 0/0/0/1/1 ok 7 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\""), What::Status),
            (&format!("{HEAD} 0/0/0/1/1 200 x - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\""), What::Bytes),
            (&format!("{HEAD} 0/0/0/1/1 200 7 - - ---- 1/1/0/0/0 0/0"), What::NoRequest),
            (&format!("{HEAD} 0/0/0/1/1 200 7 - - ---- 1/1/0/0/0 0/0 {{a"), What::Ends("request")),
            (
                &format!("-:1{} 0/0/0/1/1 200 7 - - ---- 1/1/0/0/0 0/0 \"GET /\"", &HEAD[15..]),
                What::Client(crate::layouts::client::NotAClient::Missing),
            ),
        ] {
            assert_eq!(parsed(line).map(|_| ()), Err(what), "{line}");
        }
    }
}
