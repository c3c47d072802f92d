//! Layouts of web logs other than a hub's own: recognising them, and taking the fields of a line
//! from them.
//!
//! Pure code on bytes: no files, no options. The work on a line is linear in the line, and no
//! bytes make it panic.
#![allow(dead_code, reason = "the stage does not read its lines with this yet")]

pub(crate) mod aws;
pub(crate) mod clf;
pub(crate) mod client;
pub(crate) mod cursor;
pub(crate) mod entry;
pub(crate) mod fault;
pub(crate) mod haproxy;
pub(crate) mod json;
pub(crate) mod logformat;
pub(crate) mod named;
pub(crate) mod nginx_format;
pub(crate) mod pattern;
pub(crate) mod prefix;
pub(crate) mod recognise;
pub(crate) mod time;
pub(crate) mod w3c;

#[cfg(test)]
mod tests;

use kit::steps;
use logs::parse;

pub(crate) use entry::{Entry, Fields, Text};
pub(crate) use fault::{Fault, What};

/// A URL with its query, from a layout that has them apart. A dash is no query.
fn with_query<'a>(url: Text<'a>, query: Text<'a>, made: &mut Vec<u8>) -> Text<'a> {
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
fn path_of(url: &[u8]) -> (&[u8], &[u8]) {
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
fn absolute(fields: &mut Fields<'_>) {
    let Text::Line(request) = fields.request else { return };
    let mut words = request.split(|&b| b == b' ');
    let (Some(method), Some(url)) = (words.next(), words.next()) else { return };
    if url.starts_with(b"http://") || url.starts_with(b"https://") {
        let (host, path) = path_of(url);
        (fields.method, fields.url, fields.vhost) = (Text::Line(method), Text::Line(path), Text::Line(host));
        fields.request = Text::default();
    }
}

/// Whether a line has one of the layouts of hubs, be its client an IPv6 address.
fn is_of_hub(line: &[u8]) -> bool {
    use parse::Looks;
    parse::access(line).is_some() || matches!(parse::looks_like_access(line), Looks::Fits | Looks::Ipv6)
}
