//! Apache's LogFormat in full: every directive, its modifiers, every form of `%{…}t`.

use super::entry::ClientFrom;
use super::pattern::{self, Pattern, Piece, Shape, Use};
use super::time::TimePart;

/// Compiles a LogFormat as written in the configuration, without the surrounding quotes; quotes
/// inside may be escaped or not.
///
/// # Errors
/// A directive is malformed, or the fields do not give a request.
pub(crate) fn compile(format: &str, from: &ClientFrom) -> Result<Pattern, String> {
    let mut found: Vec<(Piece, Rank)> = Vec::new();
    let mut rest = format;
    let text = |text: &str| (Piece::Text(text.as_bytes().to_vec()), 0);
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => {
                let next = after.chars().next();
                match next {
                    Some('t') => found.push(text("\t")),
                    Some('n') => return Err("a log format with a line feed in it is not supported".to_owned()),
                    Some(c) => found.push(text(c.encode_utf8(&mut [0; 4]))),
                    None => found.push(text("\\")),
                }
                &after[next.map_or(0, char::len_utf8)..]
            }
            '%' if after.starts_with('%') => {
                found.push(text("%"));
                &after[1..]
            }
            '%' => directive(after, from, &mut found).map_err(|error| format!("in `%{after}`: {error}"))?,
            c => {
                found.push(text(c.encode_utf8(&mut [0; 4])));
                after
            }
        };
    }
    Pattern::new(best(found), from)
}

/// How good a field is, if the format has several for one use.
type Rank = u8;

/// The rank of the time at which a request ended.
const AT_END: Rank = 2;

/// The pieces, with only the best field for each use: the final status rather than the first, the
/// bytes of the body rather than those with headers, the start time rather than the end.
fn best(found: Vec<(Piece, Rank)>) -> Vec<Piece> {
    let has_beginning =
        found.iter().any(|(piece, rank)| matches!(piece, Piece::Field(Use::Time(_), _)) && *rank != AT_END);
    let best_of = |wanted: Use| {
        let ranks = found.iter().filter(|(piece, _)| matches!(piece, Piece::Field(usage, _) if *usage == wanted));
        ranks.map(|(_, rank)| *rank).min()
    };
    let best = [Use::Status, Use::Bytes, Use::Vhost, Use::Client].map(|usage| (usage, best_of(usage)));
    let keep = |usage: Use, rank: Rank| match usage {
        Use::Time(_) => !(has_beginning && rank == AT_END),
        _ => best.iter().all(|(wanted, best)| *wanted != usage || best.is_none_or(|best| rank == best)),
    };
    let mut out = Vec::with_capacity(found.len());
    for (piece, rank) in found {
        out.push(match piece {
            Piece::Field(usage, shape) if !keep(usage, rank) => Piece::Field(Use::Nothing, shape),
            piece => piece,
        });
    }
    out
}

/// One directive after its percent sign; returns what follows it.
fn directive<'a>(text: &'a str, from: &ClientFrom, found: &mut Vec<(Piece, Rank)>) -> Result<&'a str, String> {
    let is_modifier = |c: char| c.is_ascii_digit() || matches!(c, ',' | '!' | '<' | '>');
    let mut rest = text.trim_start_matches(is_modifier);
    let mut modifiers = text[..text.len() - rest.len()].to_owned();
    let mut argument = None;
    if let Some(inner) = rest.strip_prefix('{') {
        let (name, after) = inner.split_once('}').ok_or("a `{` without its `}`")?;
        argument = Some(name);
        rest = after.trim_start_matches(is_modifier);
        modifiers.push_str(&after[..after.len() - rest.len()]);
    }
    let letter = rest.chars().next().ok_or("a `%` without a letter")?;
    let mut after = &rest[letter.len_utf8()..];
    let digits: Shape = Shape::Run(|b| b.is_ascii_digit());
    let plain = |usage| (usage, 0);
    let (usage, rank) = match (letter, argument) {
        ('a', None) => plain(Use::Client),
        ('h', _) => (Use::Client, 1),
        ('a', Some(_)) => plain(Use::Peer),
        ('t', None) => {
            found.push((Piece::Field(Use::Time(TimePart::Clf), Shape::Bracketed), 0));
            return Ok(after);
        }
        ('t', Some(pattern)) => {
            let (pattern, rank) = match (pattern.strip_prefix("begin:"), pattern.strip_prefix("end:")) {
                (Some(pattern), _) => (pattern, 0),
                (_, Some(pattern)) => (pattern, AT_END),
                _ => (pattern, 1),
            };
            for piece in moment(pattern)? {
                found.push((piece, rank));
            }
            return Ok(after);
        }
        ('r', _) => plain(Use::Request),
        ('m', _) => plain(Use::Method),
        ('U', _) => plain(Use::Url),
        ('q', _) => plain(Use::Query),
        ('s', _) => (Use::Status, u8::from(modifiers.contains('<') || !modifiers.contains('>'))),
        ('b' | 'B', _) => plain(Use::Bytes),
        ('O', _) => (Use::Bytes, 1),
        ('v', _) => plain(Use::Vhost),
        ('V', _) => (Use::Vhost, 1),
        ('P', None | Some("pid")) => plain(Use::Pid),
        // the line's id in the error log
        ('L', _) => plain(Use::Nothing),
        ('^', _) => {
            // %^ti, %^to, %^FB: two more letters
            after = after.get(2..).ok_or("a `%^` without its two letters")?;
            plain(Use::Nothing)
        }
        ('X', _) => {
            found.push((Piece::Field(Use::Nothing, Shape::Exactly(1, |b| matches!(b, b"X" | b"+" | b"-"))), 0));
            return Ok(after);
        }
        ('p' | 'k' | 'D' | 'I' | 'S', _) => {
            found.push((Piece::Field(Use::Nothing, digits), 0));
            return Ok(after);
        }
        ('i', Some(name)) => match pattern::named(name, true, from) {
            Use::Vhost => (Use::Vhost, 2),
            usage => plain(usage),
        },
        ('n' | 'e' | 'C' | 'o' | 'x' | 'c', Some(name)) => plain(pattern::named(name, false, from)),
        (letter, _) if letter.is_ascii_alphabetic() => plain(Use::Nothing),
        (letter, _) => return Err(format!("`{letter}` is not a directive")),
    };
    found.push((Piece::Field(usage, pattern::shape(usage)), rank));
    Ok(after)
}

/// The pieces for the text between the braces of `%{…}t`.
fn moment(pattern: &str) -> Result<Vec<Piece>, String> {
    let digits: fn(u8) -> bool = |b| b.is_ascii_digit();
    let all_digits: fn(&[u8]) -> bool = |text| text.iter().all(u8::is_ascii_digit);
    Ok(match pattern {
        "" => vec![Piece::Field(Use::Time(TimePart::Clf), Shape::Bracketed)],
        "sec" | "msec" | "usec" => vec![Piece::Field(Use::Time(TimePart::Epoch), Shape::Run(digits))],
        "msec_frac" => vec![Piece::Field(Use::Nothing, Shape::Exactly(3, all_digits))],
        "usec_frac" => vec![Piece::Field(Use::Nothing, Shape::Exactly(6, all_digits))],
        pattern => pattern::strftime(pattern)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts::{Entry, Fault};

    fn with<T>(format: &str, from: &ClientFrom, line: &str, look: impl FnOnce(Entry<'_>) -> T) -> Result<T, String> {
        let pattern = compile(format, from)?;
        let (mut places, mut made) = (Vec::new(), Vec::new());
        let said = |fault: Fault| fault.within(line.as_bytes()).say(line.as_bytes());
        let fields = pattern.parse(line.as_bytes(), &mut places, &mut made).map_err(said)?;
        fields.entry(&mut made, from).map(look).map_err(said)
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn stamp(format: &str, line: &str) -> Result<String, String> {
        with(format, &ClientFrom::default(), line, |e| {
            let zone = e.offset.map_or_else(String::new, |seconds| format!(" {seconds}"));
            format!("{} {}{zone}", text(&e.date), text(&e.time))
        })
    }

    const COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;

    #[test]
    fn common_formats_are_read() {
        let line =
            r#"192.0.2.1 - a b [10/Jul/2025:08:00:01 +0000] "GET /a\"b HTTP/1.1" 200 5 "http://x/?q="y"" "Mo zilla""#;
        for format in [COMBINED.to_owned(), COMBINED.replace('\\', "")] {
            let found = with(&format, &ClientFrom::default(), line, |e| {
                [&e.date, e.client, e.request, e.status, e.bytes, e.referrer, e.agent].map(text)
            });
            let expected =
                ["2025-07-10", "192.0.2.1", r#"GET /a\"b HTTP/1.1"#, "200", "5", r#"http://x/?q="y""#, "Mo zilla"];
            assert_eq!(found, Ok(expected.map(str::to_owned)));
        }
        let format = "%{%F %T}t|%a|%m %U%q|%s|%B|%{item_name}n|%{uidNumber}e|%P%%";
        let line = "2025-07-10 08:00:01|192.0.2.1|POST /a?b=1|200|7|it em|12|4711%";
        let found = with(format, &ClientFrom::default(), line, |e| {
            let (method, url) = e.method_and_url;
            [method, url, e.tail[7], e.uid, e.pid, e.bytes].map(text)
        });
        assert_eq!(found, Ok(["POST", "/a?b=1", "it em", "12", "4711", "7"].map(str::to_owned)));
        let format = r#"%V %v:%p %h %a %{c}a %t "%r" %s %>s %O %b %X %{Host}i %{UNIQUE_ID}e %D"#;
        let line = r#"v.example www.example.org:443 pc.example.org 192.0.2.1 10.0.0.1 [10/Jul/2025:08:00:01 +0000] "GET / HTTP/1.1" 302 200 999 - + h.example abc 15"#;
        let found = with(format, &ClientFrom::default(), line, |e| {
            [e.vhost, e.client, e.status, e.bytes, e.request_id].map(text)
        });
        assert_eq!(found, Ok(["www.example.org", "192.0.2.1", "200", "0", "abc"].map(str::to_owned)));
        let empty = r#"192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] "" 400 0 "-" "-""#;
        assert_eq!(with(COMBINED, &ClientFrom::default(), empty, |e| text(e.status)), Ok("400".to_owned()));
    }

    #[test]
    fn every_form_of_a_time_is_read() {
        for (format, written, found) in [
            ("%t", "[10/Jul/2025:08:00:01 +0000]", "2025-07-10 08:00:01 0"),
            ("[%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t]", "[10/Jul/2025 08:00:01.123 +0200]", "2025-07-10 08:00:01 7200"),
            (
                "[%{%d/%b/%Y:%T}t.%{usec_frac}t %{%z}t]",
                "[10/Jul/2025:08:00:01.123456 -0100]",
                "2025-07-10 08:00:01 -3600",
            ),
            ("%{%Y-%m-%dT%H:%M:%S%z}t", "2025-07-10T08:00:01+0000", "2025-07-10 08:00:01 0"),
            ("%{begin:%F %T}t %{end:%F %T}t", "2025-07-10 08:00:01 2025-07-10 09:00:00", "2025-07-10 08:00:01"),
            ("%{end:%F}t %{end:%T}t", "2025-07-10 08:00:01", "2025-07-10 08:00:01"),
            ("%{sec}t.%{msec_frac}t", "1752134401.123", "2025-07-10 08:00:01 0"),
            ("%{sec}t%{msec_frac}t", "1752134401123", "2025-07-10 08:00:01 0"),
            ("%{usec}t", "1752134401123456", "2025-07-10 08:00:01 0"),
            ("%{%s}t", "1752134401", "2025-07-10 08:00:01 0"),
            ("%{%a, %e %B %Y %I:%M:%S %p}t", "Thu, 10 July 2025 08:00:01 PM", "2025-07-10 20:00:01"),
            ("%{%c}t", "Thu Jul 10 08:00:01 2025", "2025-07-10 08:00:01"),
            ("%{%y%m%d%H%M%S}t", "250710080001", "2025-07-10 08:00:01"),
            ("%{%D %R}t", "07/10/25 08:00", "2025-07-10 08:00:00"),
            ("%{%d.%m.%Y}t %{%X %Z}t", "10.07.2025 08:00:01 EDT", "2025-07-10 08:00:01"),
            ("%{[%d/%b/%Y:%H:%M:%S %z]}t", "[10/Jul/2025:08:00:01 +0530]", "2025-07-10 08:00:01 19800"),
        ] {
            let line = format!(r#"192.0.2.1 {written} "GET / HTTP/1.1" 200 5"#);
            assert_eq!(stamp(&format!(r#"%h {format} "%r" %>s %b"#), &line), Ok(found.to_owned()), "{format}");
        }
    }

    #[test]
    fn adjacent_fields_are_separated_by_their_form() {
        let line = r#"192.0.2.1[10/Jul/2025:08:00:01 +0000]"GET / HTTP/1.1" 200 5"#;
        assert_eq!(stamp(r#"%h%t"%r" %>s %b"#, line), Ok("2025-07-10 08:00:01 0".to_owned()));
        let line = r#"192.0.2.1 20250710080001+0000"GET / HTTP/1.1" 200 5"#;
        assert_eq!(stamp(r#"%h %{%Y%m%d}t%{%H%M%S}t%{%z}t"%r" %>s %b"#, line), Ok("2025-07-10 08:00:01 0".to_owned()));
        let line = "X192.0.2.1[10/Jul/2025:08:00:01 +0000] GET / 200 5";
        assert_eq!(stamp("%X%h%t %m %U %>s %b", line), Ok("2025-07-10 08:00:01 0".to_owned()));
    }

    #[test]
    fn modifiers_of_directives_are_ignored() {
        let format = r#"%h %t "%r" %>s %b "%!200,304,302{Referer}i" "%400,501{User-agent}i""#;
        let line = r#"192.0.2.1 [10/Jul/2025:08:00:01 +0000] "GET / HTTP/1.1" 200 5 "-" "x""#;
        let found = with(format, &ClientFrom::default(), line, |e| [e.referrer, e.agent].map(text));
        assert_eq!(found, Ok(["-", "x"].map(str::to_owned)));
    }

    #[test]
    fn the_client_is_taken_from_a_header() {
        let from = ClientFrom { header: Some("x-forwarded-for".to_owned()), ..ClientFrom::default() };
        let format = r#"%h "%{X-Forwarded-For}i" %t "%r" %>s %b"#;
        let client = |header: &str| {
            let line = format!(r#"10.0.0.9 "{header}" [10/Jul/2025:08:00:01 +0000] "GET / HTTP/1.1" 200 5"#);
            with(format, &from, &line, |e| text(e.client)).unwrap()
        };
        for (header, found) in [
            ("-", "10.0.0.9"),
            ("", "10.0.0.9"),
            ("unknown, 192.0.2.4", "192.0.2.4"),
            ("192.0.2.1:5555", "192.0.2.1"),
            ("[2001:DB8::1]:5555", "2001:db8::1"),
        ] {
            assert_eq!(client(header), found, "{header}");
        }
        let error = compile(COMBINED, &from).map(|_| ()).unwrap_err();
        assert!(error.contains("x-forwarded-for"), "{error}");
    }

    #[test]
    fn a_format_that_cannot_work_is_an_error() {
        for (format, word) in [
            ("%h %t", "the request, the status"),
            ("%h%l%t \"%r\" %s %b", "stand together"),
            ("%{x", "}"),
            ("%", "letter"),
            ("%h %{%H}t \"%r\" %s %b", "the time"),
            ("%h %{%Q}t \"%r\" %s %b", "`%Q`"),
            ("%t \"%r\" %s %b", "the client"),
            ("%;", "`;` is not a directive"),
        ] {
            let error = compile(format, &ClientFrom::default()).map(|_| ()).unwrap_err();
            assert!(error.contains(word), "{format}: {error}");
        }
    }

    #[test]
    fn the_reason_names_the_field() {
        let line = |stamp: &str, status: &str| format!(r#"192.0.2.1 - - {stamp} "GET / HTTP/1.1" {status} 5"#);
        let format = r#"%h %l %u %t "%r" %>s %b"#;
        let good = "[10/Jul/2025:08:00:01 +0000]";
        assert_eq!(stamp(format, &line(good, "ok")), Err("status `ok` does not fit the log format".to_owned()));
        assert_eq!(
            stamp(format, &line("[10/07/2025:08:00:01]", "200")),
            Err("time `[10/07/2025:08:00:01` does not fit the log format".to_owned())
        );
        assert_eq!(stamp(format, ""), Err("the line ends before the client".to_owned()));
        let own = r#"%h [%{%d/%b/%Y %T}t] "%r" %>s %b"#;
        let with_month = |month: &str| format!(r#"192.0.2.1 [10/{month}/2025 08:00:01] "GET / HTTP/1.1" 200 5"#);
        assert_eq!(stamp(own, &with_month("Mär")), Err("month `Mär` is not an English name".to_owned()));
        assert_eq!(stamp(own, &with_month("Jul")), Ok("2025-07-10 08:00:01".to_owned()));
        assert_eq!(stamp(own, &with_month("Feb").replace("10/", "30/")), Err("there is no such time".to_owned()));
    }
}
