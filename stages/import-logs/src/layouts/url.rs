//! URLs and requests: URLs that come in pieces, path and query apart, or with the host in front;
//! method and URL of a request.

use super::{Fields, Text};

/// A URL with its query, from a layout that logs them separately. A dash is not a query.
pub(super) fn with_query<'a>(url: Text<'a>, query: Text<'a>, made: &mut Vec<u8>) -> Text<'a> {
    let has_query = url.of(made).contains(&b'?');
    if has_query || matches!(query.of(made), b"" | b"-") {
        return url;
    }
    let start = made.len();
    url.append_to(made);
    if !query.of(made).starts_with(b"?") {
        made.push(b'?');
    }
    query.append_to(made);
    Text::Made(start, made.len())
}

/// Host and path of `http://host:port/path` or `host/path`; a URL that is a path already stays as
/// it is.
pub(super) fn path_of(url: &[u8]) -> (&[u8], &[u8]) {
    if url.starts_with(b"/") {
        return (b"", url);
    }
    let rest = url.strip_prefix(b"http://").or_else(|| url.strip_prefix(b"https://")).unwrap_or(url);
    match memchr::memchr(b'/', rest) {
        Some(at) => rest.split_at(at),
        None if rest.len() < url.len() => (rest, b"/"),
        None => (b"", url),
    }
}

/// Method and URL of a request: its first word, and what stands between that and a protocol at the
/// end, blanks included. A request of one word, such as a dash or bytes of another protocol, has no
/// method, and neither has one without a URL.
pub(crate) fn of_request(request: &[u8]) -> (&[u8], &[u8]) {
    let Some(end) = memchr::memchr(b' ', request) else { return (b"", request) };
    let mut url = trimmed(&request[end..]);
    let last = memchr::memrchr(b' ', url).map_or(0, |at| at + 1);
    if url[last..].starts_with(b"HTTP/") {
        url = trimmed(&url[..last]);
    }
    if url.is_empty() { (b"", request) } else { (&request[..end], url) }
}

/// A text without blanks around it.
fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// Takes the host from a request whose URL includes it, as proxies and load balancers write it.
pub(super) fn absolute(fields: &mut Fields<'_>) {
    let Text::Line(request) = fields.request else { return };
    let (method, url) = of_request(request);
    if url.starts_with(b"http://") || url.starts_with(b"https://") {
        let (host, path) = path_of(url);
        (fields.method, fields.url, fields.vhost) = (Text::Line(method), Text::Line(path), Text::Line(host));
        fields.request = Text::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_blanks() {
        for (request, method, url) in [
            ("GET /a HTTP/1.1", "GET", "/a"),
            ("GET /a b c HTTP/1.1", "GET", "/a b c"),
            ("GET /a  b HTTP/2", "GET", "/a  b"),
            ("GET  /a  HTTP/1.1 ", "GET", "/a"),
            ("GET /a b", "GET", "/a b"),
            ("GET /a HTTP/1.1 b HTTP/1.1", "GET", "/a HTTP/1.1 b"),
            ("GET /a HTTPS", "GET", "/a HTTPS"),
            ("POST 0 HTTP/1.1", "POST", "0"),
            ("GET HTTP/1.1", "", "GET HTTP/1.1"),
            ("GET ", "", "GET "),
            ("-", "", "-"),
            ("/only", "", "/only"),
            ("\x16\x03", "", "\x16\x03"),
            ("", "", ""),
        ] {
            assert_eq!(of_request(request.as_bytes()), (method.as_bytes(), url.as_bytes()), "{request}");
        }
    }

    #[test]
    fn a_url_with_its_host_and_blanks() {
        let mut fields = Fields { request: Text::Line(b"GET https://h:443/a b?c d HTTP/1.1"), ..Fields::default() };
        absolute(&mut fields);
        let texts = [fields.method, fields.url, fields.vhost].map(|text| text.of(b""));
        assert_eq!(texts, [&b"GET"[..], b"/a b?c d", b"h:443"]);
    }
}
