//! URLs that come in pieces: path and query apart, or with the host in front.

use super::{Fields, Text};

/// A URL with its query, from a layout that has them apart. A dash is not a query.
pub(super) fn with_query<'a>(url: Text<'a>, query: Text<'a>, made: &mut Vec<u8>) -> Text<'a> {
    let has_query = url.look(made).contains(&b'?');
    if has_query || matches!(query.look(made), b"" | b"-") {
        return url;
    }
    let start = made.len();
    url.append_to(made);
    if !query.look(made).starts_with(b"?") {
        made.push(b'?');
    }
    query.append_to(made);
    Text::Made(start, made.len())
}

/// Host and path of a URL with its host, `http://host:port/path` or `host/path`; a URL that is a
/// path already stays one.
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

/// Takes the host from a request whose URL has it, as proxies and balancers write it.
pub(super) fn absolute(fields: &mut Fields<'_>) {
    let Text::Line(request) = fields.request else { return };
    let mut words = request.split(|&b| b == b' ');
    let (Some(method), Some(url)) = (words.next(), words.next()) else { return };
    if url.starts_with(b"http://") || url.starts_with(b"https://") {
        let (host, path) = path_of(url);
        (fields.method, fields.url, fields.vhost) = (Text::Line(method), Text::Line(path), Text::Line(host));
        fields.request = Text::default();
    }
}
