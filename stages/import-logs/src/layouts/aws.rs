//! Logs of Amazon's services: load balancers, application (ALB) and classic (ELB), and buckets
//! (S3). CloudFront writes W3C extended logs.

use super::client;
use super::cursor::Cursor;
use super::{Fault, Fields, Text, What, time};

fn is_number(text: &[u8]) -> bool {
    text == b"-" || (!text.is_empty() && text.iter().all(u8::is_ascii_digit))
}

/// A line of an application load balancer; one of a classic one lacks the kind at its start.
pub(crate) fn load_balancer(line: &[u8], is_classic: bool) -> Result<Fields<'_>, Fault> {
    let mut cursor = Cursor::new(line);
    if !is_classic && !matches!(cursor.word(), b"http" | b"https" | b"h2" | b"grpcs" | b"ws" | b"wss") {
        return Err(Fault::bare(What::Misfit));
    }
    let stamp = cursor.word();
    let (moment, len) = time::iso(stamp)?;
    if len != stamp.len() {
        return Err(Fault::of(What::NotIso, stamp));
    }
    let (_name, client, _target) = (cursor.word(), cursor.word(), cursor.word());
    // three durations
    for _ in 0..3 {
        let word = cursor.word();
        let is_duration = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'-');
        if word.is_empty() || !word.iter().all(is_duration) {
            return Err(Fault::bare(What::Misfit));
        }
    }
    let (status, _targets, _received, sent) = (cursor.word(), cursor.word(), cursor.word(), cursor.word());
    if !is_number(status) {
        return Err(Fault::of(What::Status, status));
    }
    if !is_number(sent) {
        return Err(Fault::of(What::Bytes, sent));
    }
    let mut fields = Fields {
        moment: Some(moment),
        client: Text::Line(client::without_port(client)),
        status: Text::Line(status),
        bytes: Text::Line(sent),
        request: Text::Line(cursor.quoted().ok_or(Fault::bare(What::NoRequest))?),
        agent: Text::Line(cursor.quoted().unwrap_or_default()),
        ..Fields::default()
    };
    if !is_classic {
        let (_cipher, _protocol, _group) = (cursor.word(), cursor.word(), cursor.word());
        fields.request_id = Text::Line(cursor.quoted().unwrap_or_default());
    }
    Ok(fields)
}

/// A line of a bucket.
pub(crate) fn bucket(line: &[u8]) -> Result<Fields<'_>, Fault> {
    let mut cursor = Cursor::new(line);
    let (_owner, bucket) = (cursor.word(), cursor.word());
    let stamp = cursor.bracketed().ok_or(Fault::bare(What::NoTime))?;
    let (moment, _) = time::clf(stamp)?;
    let (client, _requester, id, operation, _key) =
        (cursor.word(), cursor.word(), cursor.word(), cursor.word(), cursor.word());
    // REST.GET.OBJECT, WEBSITE.GET.OBJECT, S3.EXPIRE.OBJECT
    if operation.iter().filter(|&&b| b == b'.').count() < 2 {
        return Err(Fault::bare(What::Misfit));
    }
    cursor.blanks();
    if !cursor.is_at_quote() {
        // the service's own operations
        return Err(Fault::bare(What::NotARequest));
    }
    let request = cursor.quoted().ok_or(Fault::bare(What::Open("request")))?;
    let (status, _error, bytes) = (cursor.word(), cursor.word(), cursor.word());
    if !is_number(status) {
        return Err(Fault::of(What::Status, status));
    }
    if !is_number(bytes) {
        return Err(Fault::of(What::Bytes, bytes));
    }
    let (_size, _total, _turn) = (cursor.word(), cursor.word(), cursor.word());
    Ok(Fields {
        moment: Some(moment),
        client: Text::Line(client),
        request: Text::Line(request),
        status: Text::Line(status),
        bytes: Text::Line(bytes),
        referrer: Text::Line(cursor.quoted().unwrap_or_default()),
        agent: Text::Line(cursor.quoted().unwrap_or_default()),
        vhost: Text::Line(bucket),
        request_id: Text::Line(id),
        ..Fields::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::entry::ClientFrom;
    use crate::layouts::tests;

    fn shown(fields: Result<Fields<'_>, Fault>) -> Result<Vec<String>, What> {
        const NAMES: &str = "client method url status bytes referrer agent vhost id";
        tests::texts(fields, &mut Vec::new(), &ClientFrom::default(), NAMES)
    }

    #[test]
    fn lines_of_load_balancers() {
        let rest = r#"2025-07-10T08:00:01.186641Z app/lb/50 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 -1 200 200 34 366 "GET https://www.example.com:443/a?b HTTP/1.1" "curl/7.46.0" - -"#;
        let found = ["192.0.2.39", "GET", "/a?b", "200", "366", "-", "curl/7.46.0", "www.example.com"];
        assert_eq!(shown(load_balancer(rest.as_bytes(), true)).unwrap()[..8], found);
        let v6 = rest.replace("192.0.2.39:2817", "2001:db8::12:2817");
        assert_eq!(shown(load_balancer(v6.as_bytes(), true)).unwrap()[0], "2001:db8::12");
        let line = format!(r#"h2 {rest} arn:x "Root=1-abc" "-" "-" 0 2025-07-10T08:00:01Z "forward""#);
        let made = shown(load_balancer(line.as_bytes(), false)).unwrap();
        assert_eq!((&made[..8], &*made[8]), (&found.map(str::to_owned)[..], "Root=1-abc"));
        let tcp =
            r#"2025-07-10T08:00:01.945958Z lb 192.0.2.39:2817 10.0.0.1:80 0.1 0.2 0.3 - - 82 305 "- - - " "-" - -"#;
        assert_eq!(shown(load_balancer(tcp.as_bytes(), true)).unwrap()[1..4], ["-", "- -", "-"]);
        for (line, what) in [
            ("", What::NotIso),
            (&rest[..40], What::Misfit),
            (&rest.replace(" 200 200", " x 200"), What::Status),
            (&rest.replace(" 366", " x"), What::Bytes),
            (&rest[..111], What::NoRequest),
        ] {
            assert_eq!(shown(load_balancer(line.as_bytes(), true)).map(|_| ()), Err(what), "{line}");
        }
        assert_eq!(shown(load_balancer(rest.as_bytes(), false)).map(|_| ()), Err(What::Misfit));
    }

    #[test]
    fn lines_of_buckets() {
        let line = r#"79a59 bucket.example [10/Jul/2025:08:00:01 +0000] 192.0.2.3 79a59 3E57427F3 WEBSITE.GET.OBJECT a.html "GET /a.html HTTP/1.1" 200 - 113 200 7 6 "https://x/" "S3Console/0.4" - s9 SigV2"#;
        let found =
            ["192.0.2.3", "GET", "/a.html", "200", "113", "https://x/", "S3Console/0.4", "bucket.example", "3E57427F3"];
        assert_eq!(shown(bucket(line.as_bytes())).unwrap(), found);
        for (line, what) in [
            ("", What::NoTime),
            (&line.replace("WEBSITE.GET.OBJECT", "x"), What::Misfit),
            (&line.replace("\"GET /a.html HTTP/1.1\"", "-"), What::NotARequest),
            (&line.replace("\" 200 - 113", "\" 200 - x"), What::Bytes),
            (&line.replace("192.0.2.3", "-"), What::Client(crate::layouts::client::NotAClient::Missing)),
        ] {
            assert_eq!(shown(bucket(line.as_bytes())).map(|_| ()), Err(what), "{line}");
        }
    }
}
