//! Logs of single programs that cannot be described by a format: Apache's `ssl_request_log`, uWSGI,
//! bunny.net.

use super::cursor::Cursor;
use super::{Fault, Fields, Text, What, time, url};

/// A number or a dash.
fn is_number(text: &[u8]) -> bool {
    text == b"-" || (!text.is_empty() && text.iter().all(u8::is_ascii_digit))
}

/// Apache's log of TLS requests: `[time] client protocol cipher "request" bytes`. It has no status.
pub(crate) fn ssl_request(line: &[u8]) -> Result<Fields<'_>, Fault> {
    let mut cursor = Cursor::new(line);
    let stamp = cursor.bracketed().ok_or(Fault::bare(What::Misfit))?;
    let (client, protocol, _cipher) = (cursor.word(), cursor.word(), cursor.word());
    if !matches!(protocol, [b'T', b'L', b'S', b'v', ..] | [b'S', b'S', b'L', b'v', ..] | b"-") {
        return Err(Fault::bare(What::Misfit));
    }
    let (moment, _) = time::clf(stamp)?;
    let request = cursor.quoted().ok_or(Fault::bare(What::NoRequest))?;
    let bytes = cursor.word();
    if !is_number(bytes) {
        return Err(Fault::of(What::Bytes, bytes));
    }
    Ok(Fields {
        moment: Some(moment),
        client: Text::Line(client),
        request: Text::Line(request),
        bytes: Text::Line(bytes),
        ..Fields::default()
    })
}

/// The text between two texts, and what follows the second one.
fn between<'a>(text: &'a [u8], before: &[u8], after: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let rest = text.strip_prefix(before)?;
    let at = memchr::memmem::find(rest, after)?;
    Some((&rest[..at], &rest[at + after.len()..]))
}

/// uWSGI's own log of requests: `[pid: 1|app: 0|req: 1/1] client (user) {38 vars in 696 bytes} [time]
/// GET /a => generated 47 bytes in 1 msecs (HTTP/1.1 200) …`.
pub(crate) fn uwsgi(line: &[u8]) -> Result<Fields<'_>, Fault> {
    let misfit = Fault::bare(What::Misfit);
    let (_, rest) = between(line, b"[pid: ", b"] ").ok_or(misfit)?;
    let (client, rest) = between(rest, b"", b" (").ok_or(misfit)?;
    let (_user, rest) = between(rest, b"", b") {").ok_or(misfit)?;
    let (_vars, rest) = between(rest, b"", b"} [").ok_or(misfit)?;
    let (stamp, rest) = between(rest, b"", b"] ").ok_or(misfit)?;
    let (request, rest) = between(rest, b"", b" => generated ").ok_or(misfit)?;
    let (bytes, rest) = between(rest, b"", b" bytes in ").ok_or(misfit)?;
    let (_, rest) = between(rest, b"", b" (HTTP/").ok_or(misfit)?;
    let (answer, _) = between(rest, b"", b")").ok_or(misfit)?;
    let status = &answer[memchr::memchr(b' ', answer).map_or(0, |at| at + 1)..];
    let moment = time::named(stamp).map_err(|what| Fault::of(what, stamp))?;
    if !is_number(status) {
        return Err(Fault::of(What::Status, status));
    }
    if !is_number(bytes) {
        return Err(Fault::of(What::Bytes, bytes));
    }
    Ok(Fields {
        moment: Some(moment),
        client: Text::Line(client),
        request: Text::Line(request),
        status: Text::Line(status),
        bytes: Text::Line(bytes),
        ..Fields::default()
    })
}

/// A line of bunny.net's CDN: `HIT|200|1742075824321|128479|ZONE|client|referrer|URL|place|agent|id|country`.
pub(crate) fn bunny(line: &[u8]) -> Result<Fields<'_>, Fault> {
    let misfit = Fault::bare(What::Misfit);
    let mut rest = line;
    let mut next = || {
        let at = memchr::memchr(b'|', rest).ok_or(misfit)?;
        let field = &rest[..at];
        rest = &rest[at + 1..];
        Ok(field)
    };
    let (_cache, status, stamp, bytes) = (next()?, next()?, next()?, next()?);
    let (_zone, client, referrer, link, _place) = (next()?, next()?, next()?, next()?, next()?);
    // the agent may contain the separator
    let (head, _country) = rest.split_at(memchr::memrchr(b'|', rest).ok_or(misfit)?);
    let (agent, id) = head.split_at(memchr::memrchr(b'|', head).ok_or(misfit)?);
    if !is_number(status) || !is_number(stamp) {
        return Err(misfit);
    }
    let (host, path) = url::path_of(link);
    Ok(Fields {
        moment: Some(time::epoch(stamp)?),
        client: Text::Line(client),
        url: Text::Line(path),
        status: Text::Line(status),
        bytes: Text::Line(bytes),
        referrer: Text::Line(referrer),
        agent: Text::Line(agent),
        vhost: Text::Line(host),
        request_id: Text::Line(id.strip_prefix(b"|").unwrap_or(id)),
        ..Fields::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::entry::ClientFrom;
    use crate::layouts::tests;

    fn seen(fields: Result<Fields<'_>, Fault>) -> Result<Vec<String>, What> {
        const NAMES: &str = "date time client method url status bytes referrer agent vhost id";
        tests::texts(fields, &mut Vec::new(), &ClientFrom::default(), NAMES)
    }

    #[test]
    fn ssl_request_lines_are_understood() {
        let line = r#"[10/Jul/2025:08:00:01 +0200] 192.0.2.1 TLSv1.3 TLS_AES_256_GCM_SHA384 "GET /a b HTTP/1.1" 1375"#;
        let found = ["2025-07-10", "08:00:01", "192.0.2.1", "GET", "/a b", "-", "1375", "-", "-", "", ""];
        assert_eq!(seen(ssl_request(line.as_bytes())).unwrap(), found);
        let none = line.replace("1375", "-").replace("TLSv1.3", "-");
        assert_eq!(seen(ssl_request(none.as_bytes())).unwrap()[6], "0");
        for (line, what) in [
            (line.replace("1375", "x"), What::Bytes),
            (line.replace('"', ""), What::NoRequest),
            (line.replace("TLSv1.3", "x"), What::Misfit),
            (String::new(), What::Misfit),
        ] {
            assert_eq!(seen(ssl_request(line.as_bytes())).map(|_| ()), Err(what), "{line}");
        }
    }

    #[test]
    fn uwsgi_lines_are_understood() {
        let line = "[pid: 7|app: 0|req: 1/1] 192.0.2.1 () {38 vars in 696 bytes} [Thu Jul 10 08:00:01 2025] POST /a?b=c => generated 47 bytes in 129 msecs (HTTP/1.1 200) 9 headers in 378 bytes (1 switches on core 3)";
        let found = ["2025-07-10", "08:00:01", "192.0.2.1", "POST", "/a?b=c", "200", "47", "-", "-", "", ""];
        assert_eq!(seen(uwsgi(line.as_bytes())).unwrap(), found);
        for (line, what) in [
            (line.replace(" 200)", " x)"), What::Status),
            (line.replace(" 47 ", " x "), What::Bytes),
            (line.replace("Jul", "Jux"), What::NotATime),
            (line.replace("pid", "x"), What::Misfit),
            (line[..90].to_owned(), What::Misfit),
        ] {
            assert_eq!(seen(uwsgi(line.as_bytes())).map(|_| ()), Err(what), "{line}");
        }
    }

    #[test]
    fn bunny_lines_are_understood() {
        let line = "HIT|200|1752134401321|128|77|192.0.2.1|https://x/|https://www.example.org/a?b=c|DE|Mozilla/5.0 (X|Y)|2897|DE";
        let found = ["2025-07-10", "08:00:01", "192.0.2.1", "GET", "/a?b=c", "200", "128"];
        let seen_all = seen(bunny(line.as_bytes())).unwrap();
        assert_eq!(seen_all[..7], found);
        assert_eq!(seen_all[7..], ["https://x/", "Mozilla/5.0 (X|Y)", "www.example.org", "2897"]);
        for line in ["", "a|b", &line.replace("|200|", "|x|"), &line[..60]] {
            assert_eq!(seen(bunny(line.as_bytes())).map(|_| ()), Err(What::Misfit), "{line}");
        }
    }
}
