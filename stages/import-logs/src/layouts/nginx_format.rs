//! The text of nginx's `log_format` with its variables, including bodies in JSON.
//!
//! Also finds the formats in a configuration text. The caller handles included files.

use super::entry::{ClientFrom, is_same_header};
use super::json::{Mapping, Slot};
use super::pattern::{self, Pattern, Piece, Shape, Use};
use super::time::TimePart;

/// A compiled log_format.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    /// Fields with text between them.
    Text(Pattern),
    /// A JSON object for each line.
    Json(Mapping),
}

/// Compiles the text of a log_format.
///
/// # Errors
/// Two variables are adjacent, or the fields do not give a request.
pub(crate) fn compile(format: &str, from: &ClientFrom) -> Result<Format, String> {
    if format.trim_start().starts_with('{') {
        return Mapping::of_template(format, |value| slot(value, from), from).map(Format::Json);
    }
    let mut found = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find('$') {
        found.push(Piece::Text(rest.as_bytes()[..at].to_vec()));
        let (name, after) = variable(&rest[at + 1..]).ok_or_else(|| format!("`{}` is not a variable", &rest[at..]))?;
        rest = after;
        let (usage, shape) = meaning(name, from);
        found.push(Piece::Field(usage, shape));
    }
    found.push(Piece::Text(rest.as_bytes().to_vec()));
    Pattern::new(best(found), from).map(Format::Text)
}

/// The name of the variable after a dollar sign, and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    if let Some(inner) = text.strip_prefix('{') {
        return inner.split_once('}');
    }
    let len = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    (len > 0).then(|| text.split_at(len))
}

/// What a variable is used for, and the form of its text.
fn meaning(name: &str, from: &ClientFrom) -> (Use, Shape) {
    let plain = |usage| (usage, pattern::shape(usage));
    let name = name.to_ascii_lowercase();
    match &*name {
        "remote_addr" | "the_real_ip" => plain(Use::Client),
        "realip_remote_addr" | "proxy_protocol_addr" | "connection_remote_addr" => plain(Use::Peer),
        "proxy_add_x_forwarded_for" if from.is(b"X-Forwarded-For") => plain(Use::Forwarded),
        "time_local" => (Use::Time(TimePart::Clf), Shape::Any(1)),
        "time_iso8601" => (Use::Time(TimePart::Iso), Shape::Any(1)),
        "msec" => (Use::Time(TimePart::Epoch), Shape::Run(|b| b.is_ascii_digit() || b == b'.')),
        "request" => plain(Use::Request),
        "request_method" => plain(Use::Method),
        "request_uri" | "uri" | "document_uri" => plain(Use::Url),
        "args" | "query_string" => plain(Use::Query),
        // a question mark or nothing: the pattern joins it with the path
        "is_args" => plain(Use::Query),
        "status" => plain(Use::Status),
        "body_bytes_sent" | "bytes_sent" => plain(Use::Bytes),
        "host" | "server_name" | "ssl_server_name" => plain(Use::Vhost),
        "request_id" | "req_id" => plain(Use::RequestId),
        "pid" => plain(Use::Pid),
        "scheme" | "server_protocol" | "pipe" => plain(Use::Nothing),
        name => match name.strip_prefix("http_") {
            Some(header) => plain(pattern::named(header, true, from)),
            None => plain(Use::Nothing),
        },
    }
}

/// Prefers the body's bytes to those with headers, and the URL as requested to the rewritten one;
/// keeps one client.
fn best(found: Vec<Piece>) -> Vec<Piece> {
    let mut seen = Vec::new();
    let once = [Use::Bytes, Use::Url, Use::Client, Use::Status, Use::Request];
    let pieces = found.into_iter().map(|piece| match piece {
        Piece::Field(usage, shape) if once.contains(&usage) => {
            let is_first = !seen.contains(&usage);
            seen.push(usage);
            Piece::Field(if is_first { usage } else { Use::Nothing }, shape)
        }
        piece => piece,
    });
    pieces.collect()
}

/// The field for a value of a JSON template: one variable, with nothing around it.
fn slot(value: &str, from: &ClientFrom) -> Option<(Slot, u8)> {
    let value = value.trim();
    let value = value.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(value);
    let (name, rest) = variable(value.strip_prefix('$')?)?;
    let name = name.to_ascii_lowercase();
    if matches!(rest, "$is_args$args" | "?$args") {
        return Some((Slot::Url, 2));
    }
    if !rest.is_empty() {
        return None;
    }
    let header = name.strip_prefix("http_");
    if header.is_some_and(|header| from.is(header.as_bytes())) {
        return Some((Slot::Forwarded, 0));
    }
    let is = |header: &str, other: &str| is_same_header(header.as_bytes(), other.as_bytes());
    Some(match &*name {
        "time_iso8601" | "time_local" => (Slot::Time, 0),
        "msec" => (Slot::Time, 1),
        "remote_addr" | "the_real_ip" => (Slot::Client, 0),
        "realip_remote_addr" | "proxy_protocol_addr" => (Slot::Client, 1),
        "proxy_add_x_forwarded_for" if from.is(b"X-Forwarded-For") => (Slot::Forwarded, 1),
        "request" => (Slot::Request, 0),
        "request_method" => (Slot::Method, 0),
        "request_uri" => (Slot::Url, 0),
        "uri" | "document_uri" => (Slot::Url, 1),
        "args" | "query_string" => (Slot::Query, 0),
        "status" => (Slot::Status, 0),
        "body_bytes_sent" => (Slot::Bytes, 0),
        "bytes_sent" => (Slot::Bytes, 1),
        "host" => (Slot::Vhost, 0),
        "server_name" => (Slot::Vhost, 2),
        "request_id" | "req_id" => (Slot::RequestId, 0),
        _ => match header? {
            header if is(header, "referer") => (Slot::Referrer, 0),
            header if is(header, "user-agent") => (Slot::Agent, 0),
            header if is(header, "host") => (Slot::Vhost, 1),
            header if is(header, "x-request-id") => (Slot::RequestId, 1),
            _ => return None,
        },
    })
}

/// What a configuration text says about logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conf {
    /// Names and texts of formats, in order.
    pub(crate) formats: Vec<(String, String)>,
    /// Path and format of each access log; `combined` if none is named.
    pub(crate) logs: Vec<(String, String)>,
    /// What it includes: names and patterns of files.
    pub(crate) includes: Vec<String>,
}

impl Conf {
    /// Reads the text of a configuration, or a single directive.
    pub(crate) fn new(text: &str) -> Self {
        let mut conf = Self::default();
        for statement in statements(text) {
            let Some((name, arguments)) = statement.split_first() else { continue };
            match (&**name, arguments) {
                ("log_format", [name, parts @ ..]) => {
                    let parts =
                        if parts.first().is_some_and(|part| part.starts_with("escape=")) { &parts[1..] } else { parts };
                    conf.formats.push((name.clone(), parts.concat()));
                }
                ("access_log", [path, rest @ ..]) if path != "off" => {
                    let format = rest.first().filter(|word| !word.contains('=')).map_or("combined", |word| word);
                    conf.logs.push((path.clone(), format.to_owned()));
                }
                ("include", [path]) => conf.includes.push(path.clone()),
                _ => {}
            }
        }
        conf
    }

    /// The text of a format; the last one if several have this name.
    #[cfg(test)]
    fn format(&self, name: &str) -> Option<&str> {
        self.formats.iter().rev().find(|(known, _)| known == name).map(|(_, text)| &**text)
    }
}

/// The words of each directive; the head of a block counts as a directive before it.
fn statements(text: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ';' | '{' | '}' => {
                if !words.is_empty() {
                    all.push(std::mem::take(&mut words));
                }
            }
            '#' => while chars.next().is_some_and(|c| c != '\n') {},
            c if c.is_whitespace() => {}
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                while let Some(c) = chars.next().filter(|&c| c != quote) {
                    match c {
                        '\\' => match chars.next() {
                            Some(c @ ('"' | '\'' | '\\')) => word.push(c),
                            Some('t') => word.push('\t'),
                            Some('n') => word.push('\n'),
                            Some(c) => word.extend(['\\', c]),
                            None => word.push('\\'),
                        },
                        c => word.push(c),
                    }
                }
                words.push(word);
            }
            c => {
                let mut word = String::from(c);
                while let Some(&c) = chars.peek() {
                    // `${name}` is a part of a word
                    let is_brace = (c == '{' && word.ends_with('$')) || (c == '}' && word.contains("${"));
                    if c.is_whitespace() || c == ';' || (matches!(c, '{' | '}') && !is_brace) {
                        break;
                    }
                    word.push(c);
                    chars.next();
                }
                words.push(word);
            }
        }
    }
    if !words.is_empty() {
        all.push(words);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::{Entry, Fault};

    fn with<T>(format: &str, from: &ClientFrom, line: &str, look: impl FnOnce(Entry<'_>) -> T) -> Result<T, String> {
        let (mut places, mut made) = (Vec::new(), Vec::new());
        let said = |fault: Fault| fault.within(line.as_bytes()).say(line.as_bytes());
        let fields = match compile(format, from)? {
            Format::Text(pattern) => pattern.parse(line.as_bytes(), &mut places, &mut made),
            Format::Json(mapping) => {
                let mut fields = crate::layouts::Fields::default();
                mapping.parse(line.as_bytes(), &mut made, &mut fields).map(|()| fields)
            }
        };
        fields.map_err(said)?.entry(&mut made, from).map(look).map_err(said)
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    const MAIN: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for""#;

    #[test]
    fn formats_of_plain_text_are_read() {
        let line = r#"192.0.2.1 - a b [10/Jul/2025:08:00:01 +0000] "GET /a HTTP/1.1" 200 12 "-" "Mo zilla" "192.0.2.7, 10.0.0.1""#;
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        for (from, client) in [(ClientFrom::default(), "192.0.2.1"), (from, "192.0.2.7")] {
            let found =
                with(MAIN, &from, line, |e| [&e.date, e.client, e.request, e.status, e.bytes, e.agent].map(text));
            assert_eq!(
                found,
                Ok(["2025-07-10", client, "GET /a HTTP/1.1", "200", "12", "Mo zilla"].map(str::to_owned))
            );
        }
        for (format, line) in [
            (
                "$time_iso8601|$remote_addr|$request_method|$uri$is_args$args|$status|$bytes_sent|$host",
                "2025-07-10T08:00:01+00:00|::1|GET|/a?b=1|200|9|h",
            ),
            (
                "$msec $remote_addr $host $request_method ${scheme}://x$request_uri $status $body_bytes_sent",
                "1752134401.584 ::1 h GET https://x/a?b=1 200 9",
            ),
            (
                "[$time_local] $status - $request_method $scheme $host \"$request_uri\" [Client $remote_addr] [Length $body_bytes_sent]",
                "[10/Jul/2025:08:00:01 +0000] 200 - GET https h \"/a?b=1\" [Client ::1] [Length 9]",
            ),
        ] {
            let found = with(format, &ClientFrom::default(), line, |e| {
                let (method, url) = e.method_and_url;
                [&e.date[..], &e.time, e.client, method, url, e.status, e.bytes, e.vhost].map(text)
            });
            let expected = ["2025-07-10", "08:00:01", "::1", "GET", "/a?b=1", "200", "9", "h"];
            assert_eq!(found, Ok(expected.map(str::to_owned)), "{format}");
        }
        let wrong = line.replace("Jul", "Mär");
        assert_eq!(
            with(MAIN, &ClientFrom::default(), &wrong, |_| ()),
            Err("month `Mär` is not an English name".to_owned())
        );
    }

    #[test]
    fn formats_of_json_are_read() {
        let format = r#"{"t":"$time_iso8601","who":{"ip":"$remote_addr","xff":"$http_x_forwarded_for"},"r":"$request_method","u":"$uri$is_args$args","s": $status,"n":$body_bytes_sent,"ua":"$http_user_agent"}"#;
        let line = r#"{"t":"2025-07-10T08:00:01+00:00","who":{"ip":"10.0.0.1","xff":"192.0.2.7"},"r":"GET","u":"\/a?b","s": 200,"n":12,"ua":"M\"z"}"#;
        let from = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
        for (from, client) in [(ClientFrom::default(), "10.0.0.1"), (from, "192.0.2.7")] {
            let found = with(format, &from, line, |e| {
                let (method, url) = e.method_and_url;
                [&e.date, e.client, method, url, e.status, e.bytes, e.agent].map(text)
            });
            assert_eq!(found, Ok(["2025-07-10", client, "GET", "/a?b", "200", "12", "M\"z"].map(str::to_owned)));
        }
    }

    #[test]
    fn formats_logs_and_includes_are_found_in_a_configuration() {
        let conf = Conf::new(concat!(
            "http { # log_format no 'x';\n",
            "  log_format main '$remote_addr - $remote_user [$time_local] '\n    '\"$request\" $status';\n",
            "  log_format js escape=json '{\"a\":\"$remote_addr\"}';\n",
            "  include /etc/nginx/conf.d/*.conf;\n",
            "  access_log /var/log/nginx/a.log main buffer=32k; access_log off;\n",
            "  server { access_log \"/var/log/b c.log\"; location ~ \\.php${x}$ { access_log /c gzip=1; } }\n}"
        ));
        assert_eq!(conf.format("main"), Some("$remote_addr - $remote_user [$time_local] \"$request\" $status"));
        assert_eq!(conf.format("js"), Some("{\"a\":\"$remote_addr\"}"));
        assert_eq!(conf.includes, ["/etc/nginx/conf.d/*.conf"]);
        let logs: Vec<_> = conf.logs.iter().map(|(path, format)| (&**path, &**format)).collect();
        assert_eq!(logs, [("/var/log/nginx/a.log", "main"), ("/var/log/b c.log", "combined"), ("/c", "combined")]);
        for odd in ["", "'", "\"\\", "log_format", "log_format x", "${", "{{{{", ";;"] {
            Conf::new(odd);
        }
    }

    #[test]
    fn a_format_that_cannot_work_is_an_error() {
        for (format, word) in [
            ("$remote_addr", "the time, the request, the status"),
            ("$remote_addr$remote_user", "stand together"),
            ("$", "not a variable"),
            ("{\"a\":\"$remote_addr\"}", "lacks time"),
            ("{", "JSON"),
        ] {
            let error = compile(format, &ClientFrom::default()).map(|_| ()).unwrap_err();
            assert!(error.contains(word), "{format}: {error}");
        }
    }
}
