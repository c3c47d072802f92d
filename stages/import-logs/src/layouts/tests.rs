//! All layouts on hostile lines: no bytes make them panic, and the work is linear in the length of
//! the line.

use kit::steps;

use super::entry::ClientFrom;
use super::named::{Layout, State};
use super::recognise::recognise;
use super::{Entry, Fault, Fields, What, clf};
use crate::hostile_lines::UNITS;

const COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;

/// The texts of a line with these names, or why there is no request. `made` holds what the layout built.
pub(super) fn texts(
    fields: Result<Fields<'_>, Fault>,
    made: &mut Vec<u8>,
    from: &ClientFrom,
    names: &str,
) -> Result<Vec<String>, What> {
    let entry = fields.and_then(|fields| fields.entry(made, from)).map_err(|fault| fault.what)?;
    Ok(texts_of(&entry, names))
}

/// The texts of a request with these names.
pub(super) fn texts_of(entry: &Entry<'_>, names: &str) -> Vec<String> {
    let text = |name| match name {
        "date" => &entry.date[..],
        "time" => &entry.time,
        "client" => entry.client,
        "method" => entry.method_and_url.0,
        "url" => entry.method_and_url.1,
        "status" => entry.status,
        "bytes" => entry.bytes,
        "referrer" => entry.referrer,
        "agent" => entry.agent,
        "vhost" => entry.vhost,
        "id" => entry.request_id,
        _ => panic!("a request has no text `{name}`"),
    };
    names.split(' ').map(|name| String::from_utf8_lossy(text(name)).into_owned()).collect()
}

/// Layouts of all sorts: each kind by name, and formats whose fields are adjacent, separated by
/// blanks, or separated by text that numbers can contain.
const LAYOUTS: [&str; 22] = [
    "combined",
    "vhost_combined",
    "nginx-proxy-manager",
    "caddy",
    "traefik-json",
    "nginx-json",
    "w3c",
    "haproxy",
    "alb",
    "elb",
    "s3",
    COMBINED,
    r#"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#,
    "%h%t%r %s %b",
    "%h %t %m %U %s %b %{a}i %{b}i %{c}i %{d}i",
    "%h %{sec}t%{msec_frac}t %r %s %b",
    "%X%h %{%Y%m%d}t%{%H%M%S}t%{%z}t%r %s %b",
    "%{%d/%B/%Y %T}t %h-%s-%b-%r-",
    r#"%h 1%s1%b1%t1%r"#,
    r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent"#,
    "$time_iso8601 $msec $remote_addr $request_method $uri$is_args$args $status",
    "json:time=a.b,client=c,url=u,query=q,status=s,agent=h.User-Agent",
];

/// The parts of hostile lines, in addition to those for all layouts.
const MORE_UNITS: [&str; 13] = [
    "%25",
    " [",
    "{",
    "}",
    "{\"a\":",
    "[[",
    "\"a\":[",
    ",",
    "+",
    "[10/Jul/2025:08:00:01",
    " [10/Jul/2025:08:00:01 +0000]",
    "\"\"",
    "\0",
];

fn units() -> impl Iterator<Item = &'static str> {
    UNITS.into_iter().chain(MORE_UNITS)
}

/// Beginnings that lead a parser far into the hostile rest.
const STARTS: [&str; 16] = [
    "",
    "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"",
    "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET / HTTP/1.1\" 200 1 \"",
    "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\" ",
    "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\" \"",
    "192.0.2.1 - ",
    "www.example.org:443 ",
    "{\"",
    "{\"request\":{\"headers\":{\"User-Agent\":",
    "{\"a\":{\"b\":",
    "{\"log\":\"",
    "2025-07-10 08:00:01 192.0.2.1 GET /a 200 ",
    "192.0.2.1:55008 [10/Jul/2025:08:00:01.584] www~ app/s1 0/0/0/72/72 200 7456 - - ---- 5/4/0/1/0 0/0 ",
    "h2 2025-07-10T08:00:01.186641Z app/lb/50 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 -1 200 200 34 366 \"",
    "<165>1 2025-07-10T08:00:01Z web1 nginx - - ",
    "2025-07-10T08:00:03Z stdout F ",
];

const ENDS: [&str; 3] = ["", "\n", "\" 200 12 \"-\" \"UA\"\n"];

const FIELDS: &[u8] = b"#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent) cs(Referer) cs-uri-query a b c d e f g h i j k l m n o p q r s t u v w x y z\n";

fn layouts() -> Vec<(Layout, State)> {
    let with_header = ClientFrom { header: Some("X-Forwarded-For".to_owned()), ..ClientFrom::default() };
    let main = Layout::new("nginx-main", &with_header).unwrap();
    let all = LAYOUTS.iter().map(|text| Layout::new(text, &ClientFrom::default()).unwrap()).chain([main]);
    let mut made = Vec::new();
    for layout in all {
        let state = State::default().after(FIELDS, &layout);
        made.push((layout, state));
    }
    made
}

/// A hostile family: beginning, repeated part, end.
type Family = (&'static str, &'static str, &'static str);

fn line((start, unit, end): Family, len: usize) -> Vec<u8> {
    [start, &unit.repeat(len / unit.len()), end].concat().into_bytes()
}

fn families() -> impl Iterator<Item = Family> {
    let with_unit = |start| units().map(move |unit| (start, unit));
    STARTS.into_iter().flat_map(with_unit).flat_map(|(start, unit)| ENDS.into_iter().map(move |end| (start, unit, end)))
}

fn steps_a_byte(layout: &Layout, state: &mut State, family: Family, len: usize) -> f64 {
    let line = line(family, len);
    let n = steps::of(|| layout.parse(&line, state).is_ok());
    n as f64 / line.len() as f64
}

#[test]
fn the_work_on_a_line_grows_no_faster_than_the_line() {
    for (layout, mut state) in layouts() {
        let mut all: Vec<_> =
            families().map(|family| (steps_a_byte(&layout, &mut state, family, 2 << 10), family)).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert!(all[0].0 > 0.5, "{layout:?}: nothing was counted");
        // the longest lines only for the worst families
        for &(short, family) in &all[..2] {
            for len in [1 << 10, 8 << 10, 64 << 10, 512 << 10] {
                let steps = steps_a_byte(&layout, &mut state, family, len);
                assert!(steps < 30.0 && steps < 1.5 * short + 1.0, "{layout:?}: {family:?} {len}: {steps} {short}");
            }
        }
    }
}

/// Endless numbers from a seed.
fn numbers(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize
    }
}

/// Good lines of each layout.
const GOOD: [&str; 9] = [
    r#"192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] "GET /a HTTP/1.1" 200 12 "-" "Mozilla/5.0 (X11)" "203.0.113.9""#,
    r#"www.example.org:443 2001:db8::1 - a [10/Jul/2025:08:00:01 +0000] "GET /a HTTP/1.1" 200 12 "-" "M" 89 0.001 [web-80] [] 10.0.0.2:80 59 0.000 200 529a"#,
    r#"{"ts":1752134401.5,"request":{"remote_ip":"192.0.2.1","method":"GET","uri":"/a","headers":{"User-Agent":["M\u00e9\"z"]}},"size":12,"status":200}"#,
    r#"{"log":"192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12\n","stream":"stdout","time":"2025-07-10T08:00:01Z"}"#,
    r#"<165>1 2025-07-10T08:00:01Z web1 nginx - - [a@1 b="c"] 192.0.2.1:55008 [10/Jul/2025:08:00:01.584] www~ app/s1 0/0/0/72/72 200 7456 - - ---- 5/4/0/1/0 0/0 {a|b} {} "GET /a HTTP/1.1""#,
    r#"http 2025-07-10T08:00:01.186641Z app/lb/50 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 -1 200 200 34 366 "GET https://www.example.com:443/a HTTP/1.1" "curl" - - arn "Root""#,
    r#"79a59 bucket [10/Jul/2025:08:00:01 +0000] 192.0.2.3 79a59 3E57 REST.GET.OBJECT a "GET /a HTTP/1.1" 200 - 113 200 7 6 "-" "S3" -"#,
    r#"2025-07-10 08:00:01 192.0.2.1 GET /a 200 "Mo z" %2520a b=1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26"#,
    "[10/Jul/2025:08:00:01 +0000] - 200 200 - GET https www.example.org \"/a\" [Client 192.0.2.1] [Length 123] [Gzip -] [Sent-to 10.0.0.1] \"M\" \"-\"",
];

#[test]
fn no_bytes_make_it_panic() {
    let mut layouts = layouts();
    let mut next = numbers(0x5EED);
    let units: Vec<_> = units().collect();
    let mut lines = Vec::new();
    for _ in 0..400 {
        let mut line = GOOD[next() % GOOD.len()].as_bytes().to_vec();
        for _ in 0..next() % 6 {
            let at = next() % (line.len() + 1);
            match next() % 5 {
                0 => line.truncate(at),
                1 => line.insert(at, (next() % 256) as u8),
                2 if at < line.len() => line[at] = (next() % 256) as u8,
                3 => {
                    let unit = units[next() % units.len()].as_bytes();
                    line.splice(at..at, unit.iter().copied());
                }
                _ => {
                    let other = GOOD[next() % GOOD.len()].as_bytes();
                    line.splice(at.., other[next() % other.len()..].iter().copied());
                }
            }
        }
        lines.push(line);
    }
    lines.extend(families().step_by(5).map(|family| line(family, 200)));
    let mut n_read = 0;
    for line in &lines {
        for (layout, state) in &mut layouts {
            n_read += usize::from(layout.parse(line, state).is_ok());
            // a line without a request has a reason, on one line
            if let Some(why) = layout.why(line, state) {
                assert!(!why.is_empty() && !why.contains('\n'), "{why:?}");
            }
        }
        if let Some(at) = clf::second_line(line) {
            assert!(at < line.len());
        }
    }
    assert!(n_read > 300, "{n_read}");
    for lines in lines.chunks(20) {
        let _ =
            recognise(lines.iter().map(Vec::as_slice), &ClientFrom::default()).map_err(|unknown| unknown.to_string());
    }
}

#[test]
fn good_lines_give_requests() {
    let mut layouts = layouts();
    for line in GOOD {
        let n = layouts.iter_mut().filter_map(|(layout, state)| layout.parse(line.as_bytes(), state).ok()).count();
        assert!(n > 0, "{line}");
    }
}
