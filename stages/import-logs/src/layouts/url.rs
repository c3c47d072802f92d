//! URLs and requests: host and path of a URL that has both, method and URL of a request.

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

/// Host and path of a URL that begins with `http://` or `https://`: a client asks for those at a proxy, and
/// load balancers write them.
#[inline]
pub(super) fn absolute(url: &[u8]) -> Option<(&[u8], &[u8])> {
    if url.first() == Some(&b'/') { None } else { with_scheme(url) }
}

fn with_scheme(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    let (host, path) = match memchr::memchr3(b'/', b'?', b'#', rest) {
        Some(at) if rest[at] == b'/' => rest.split_at(at),
        Some(at) => (&rest[..at], &b"/"[..]),
        None => (rest, &b"/"[..]),
    };
    // a name and a password may stand before the host
    Some((memchr::memrchr(b'@', host).map_or(host, |at| &host[at + 1..]), path))
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
    fn a_url_with_its_host() {
        for (url, found) in [
            ("https://h:443/a b?c d", Some(("h:443", "/a b?c d"))),
            ("HTTP://Host/a", Some(("Host", "/a"))),
            ("http://h", Some(("h", "/"))),
            ("http://h?u=/a", Some(("h", "/"))),
            ("http://me:secret@h/a@b", Some(("h", "/a@b"))),
            ("http:/h/a", None),
            ("/a?u=http://h/b", None),
            ("ftp://h/a", None),
            ("h:443", None),
            ("", None),
        ] {
            let found = found.map(|(host, path): (&str, &str)| (host.as_bytes(), path.as_bytes()));
            assert_eq!(absolute(url.as_bytes()), found, "{url}");
        }
    }
}
