//! Logs of proxies and of Google's storage in their own layouts: Envoy and Istio, Squid, Cloud Storage.

use super::cursor::Cursor;
use super::{Fault, Fields, Text, What, time, url};

fn is_number(text: &[u8]) -> bool {
    text == b"-" || (!text.is_empty() && text.iter().all(u8::is_ascii_digit))
}

/// Envoy's usual text: `[time] "GET /a HTTP/2" 200 - received sent duration upstream "X-Forwarded-For" "agent"
/// "id" "host" "upstream"`. Istio writes three fields more before the bytes, and the other end of the
/// connection behind them.
pub(crate) fn envoy(line: &[u8]) -> Result<Fields<'_>, Fault> {
    let misfit = Fault::bare(What::Misfit);
    let mut cursor = Cursor::new(line);
    let stamp = cursor.bracketed().filter(|_| line.starts_with(b"[")).ok_or(misfit)?;
    let (moment, len) = time::iso(stamp)?;
    let request = cursor.quoted().filter(|_| len == stamp.len()).ok_or(misfit)?;
    let (status, _flags) = (cursor.word(), cursor.word());
    if !is_number(status) {
        return Err(Fault::of(What::Status, status));
    }
    let mut received = cursor.word();
    let is_istio = !is_number(received) || received == b"-";
    if is_istio {
        // details of the response and of the end of the connection, why the upstream failed
        cursor.word();
        cursor.quoted().ok_or(misfit)?;
        received = cursor.word();
    }
    let (sent, duration, upstream) = (cursor.word(), cursor.word(), cursor.word());
    if ![received, duration, upstream].iter().all(|text| is_number(text)) {
        return Err(misfit);
    }
    if !is_number(sent) {
        return Err(Fault::of(What::Bytes, sent));
    }
    let mut next = || cursor.quoted().map(Text::Line).ok_or(misfit);
    let (forwarded, agent, request_id, host, _upstream) = (next()?, next()?, next()?, next()?, next()?);
    // cluster and the local addresses
    let client = if is_istio { [(); 4].map(|()| cursor.word())[3] } else { b"" };
    Ok(Fields {
        moment: Some(moment),
        client: Text::Line(client),
        forwarded,
        request: Text::Line(request),
        status: Text::Line(status),
        bytes: Text::Line(sent),
        agent,
        vhost: host,
        request_id,
        ..Fields::default()
    })
}

/// Squid's own access.log: `seconds.thousandths elapsed client result/status bytes method URL user
/// hierarchy/server type`. It has no agent; the host is that of the URL.
pub(crate) fn squid(line: &[u8]) -> Result<Fields<'_>, Fault> {
    let misfit = Fault::bare(What::Misfit);
    let mut cursor = Cursor::new(line);
    let (stamp, elapsed, client, result) = (cursor.word(), cursor.word(), cursor.word(), cursor.word());
    let (bytes, method, link, _user, hierarchy) =
        (cursor.word(), cursor.word(), cursor.word(), cursor.word(), cursor.word());
    let slash = memchr::memchr(b'/', result).ok_or(misfit)?;
    let (code, status) = (&result[..slash], &result[slash + 1..]);
    let is_code = !code.is_empty() && code.iter().all(|b| b.is_ascii_uppercase() || *b == b'_');
    let elapsed = elapsed.strip_prefix(b"-").unwrap_or(elapsed);
    if !is_code || !stamp.contains(&b'.') || !is_number(elapsed) || !hierarchy.contains(&b'/') {
        return Err(misfit);
    }
    if !is_number(status) {
        return Err(Fault::of(What::Status, status));
    }
    if !is_number(bytes) {
        return Err(Fault::of(What::Bytes, bytes));
    }
    let (host, path) = url::path_of(link);
    Ok(Fields {
        moment: Some(time::epoch(stamp)?),
        client: Text::Line(client),
        method: Text::Line(method),
        url: Text::Line(path),
        status: Text::Line(status),
        bytes: Text::Line(bytes),
        vhost: Text::Line(host),
        ..Fields::default()
    })
}

/// The number of columns of Cloud Storage.
const COLUMNS: usize = 17;

/// A line of the usage logs of Google Cloud Storage: CSV with a line of names.
pub(crate) fn storage<'a>(line: &'a [u8], made: &mut Vec<u8>) -> Result<Fields<'a>, Fault> {
    let misfit = Fault::bare(What::Misfit);
    let mut columns = [Text::default(); COLUMNS];
    let mut rest = Some(line);
    for column in &mut columns {
        (*column, rest) = comma_parted(rest.ok_or(misfit)?, made).ok_or(misfit)?;
    }
    let [stamp, client, _, _, method, link, status, _, bytes, _, host, referrer, agent, request_id, ..] = columns;
    let stamp = stamp.of(made);
    if stamp == b"time_micros" {
        return Err(Fault::bare(What::Comment));
    }
    if !is_number(stamp) || !is_number(status.of(made)) || !is_number(bytes.of(made)) {
        return Err(misfit);
    }
    let moment = time::epoch(stamp).map_err(|fault| Fault::bare(fault.what))?;
    let path = if let Text::Line(link) = link { Text::Line(url::path_of(link).1) } else { link };
    Ok(Fields {
        moment: Some(moment),
        client,
        method,
        url: path,
        status,
        bytes,
        referrer,
        agent,
        vhost: host,
        request_id,
        ..Fields::default()
    })
}

/// A field of CSV, and what follows its comma, if there is one.
fn comma_parted<'a>(text: &'a [u8], made: &mut Vec<u8>) -> Option<(Text<'a>, Option<&'a [u8]>)> {
    let Some(inner) = text.strip_prefix(b"\"") else {
        let end = memchr::memchr(b',', text);
        kit::steps::add(end.unwrap_or(text.len()) + 1);
        return Some((Text::Line(&text[..end.unwrap_or(text.len())]), end.map(|end| &text[end + 1..])));
    };
    let (mut at, mut has_quotes) = (0, false);
    loop {
        let step = memchr::memchr(b'"', inner.get(at..)?);
        kit::steps::add(step.unwrap_or(inner.len() - at) + 1);
        at += step?;
        match inner.get(at + 1) {
            Some(b'"') => (at, has_quotes) = (at + 2, true),
            Some(b',') | None => break,
            Some(_) => return None,
        }
    }
    let field = &inner[..at];
    let text = if has_quotes {
        Text::make(made, |made| {
            let mut before = 0;
            for &byte in field {
                // each quote is written twice
                if byte == b'"' && before == b'"' {
                    before = 0;
                    continue;
                }
                made.push(byte);
                before = byte;
            }
        })
    } else {
        Text::Line(field)
    };
    Some((text, inner.get(at + 2..).filter(|_| inner.len() > at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::entry::ClientFrom;
    use crate::layouts::named::{Layout, State};
    use crate::layouts::tests;

    /// Date and time, client, method, URL, status, bytes, agent, host and id; or why there is no request.
    fn seen(name: &str, line: &str) -> Result<String, What> {
        let layout = Layout::new(name, &ClientFrom::default()).unwrap();
        let mut state = State::default();
        let entry = layout.parse(line.as_bytes(), &mut state).map_err(|fault| fault.what)?;
        Ok(tests::texts_of(&entry, "date time client method url status bytes agent vhost id").join(" "))
    }

    const ENVOY: &str = r#"[2025-07-10T08:00:01.310Z] "GET /a?b HTTP/2" 200 - 15 154 226 100 "192.0.2.7, 10.0.0.2" "UA "x"1" "cc21d9b0" "www.example.org:443" "10.0.2.1:80""#;
    const ISTIO: &str = r#"[2025-07-10T08:00:01.310Z] "GET /a HTTP/1.1" 200 - via_upstream - "-" 0 154 6 5 "-" "UA" "cc21" "www.example.org" "10.0.2.1:80" outbound|80||x 10.0.2.3:5 10.0.2.4:80 192.0.2.9:4711 - default"#;
    const SQUID: &str = "1752134401.123    145 192.0.2.1 TCP_MISS/200 4250 GET http://www.example.org:80/a?b - HIER_DIRECT/198.51.100.7 text/html";
    const STORAGE: &str = r#""1752134401123456","192.0.2.1","1","","GET","/bucket/a?b","200","","154","22","storage.googleapis.com","","UA ""x"", 1","AAAN","GET_Object","bucket","a""#;

    #[test]
    fn usual_lines_are_understood() {
        let at = "2025-07-10 08:00:01";
        for (name, line, found) in [
            ("envoy", ENVOY, "192.0.2.7 GET /a?b 200 154 UA \"x\"1 www.example.org cc21d9b0"),
            ("Istio", ISTIO, "192.0.2.9 GET /a 200 154 UA www.example.org cc21"),
            ("squid", SQUID, "192.0.2.1 GET /a?b 200 4250 - www.example.org "),
            ("gcs", STORAGE, "192.0.2.1 GET /bucket/a?b 200 154 UA \"x\", 1 storage.googleapis.com AAAN"),
        ] {
            assert_eq!(seen(name, line), Ok(format!("{at} {found}")), "{name}");
        }
    }

    #[test]
    fn odd_lines_have_a_reason() {
        use crate::layouts::client::NotAClient;
        for (name, line, what) in [
            ("envoy", ENVOY.replace("192.0.2.7, 10.0.0.2", "-"), What::Client(NotAClient::Missing)),
            ("envoy", ENVOY.replace(" 154 ", " x "), What::Bytes),
            ("envoy", ENVOY.replace(" 200 ", " x "), What::Status),
            ("envoy", ENVOY[..60].to_owned(), What::Misfit),
            ("envoy", ENVOY.replace("07-10", "02-30"), What::NoSuchTime),
            ("squid", SQUID.replace("TCP_MISS/200", "200"), What::Misfit),
            ("squid", SQUID.replace("/200", "/x"), What::Status),
            ("squid", SQUID.replace(" 4250 ", " x "), What::Bytes),
            ("squid", SQUID[..70].to_owned(), What::Misfit),
            ("squid", SQUID.replace("1752134401.", "."), What::NotATime),
            ("gcs", STORAGE.replace("\"200\"", "\"x\""), What::Misfit),
            ("gcs", STORAGE.replace(",\"a\"", ""), What::Misfit),
            ("gcs", STORAGE.replace("\"GET\"", "\"GET\"x"), What::Misfit),
            ("gcs", STORAGE.replace("1752134401123456", "time_micros"), What::Comment),
        ] {
            assert_eq!(seen(name, &line), Err(what), "{name}: {line}");
        }
    }
}
