//! Compares the matcher with a simple one that tries everything.

use proptest::prelude::*;

use super::*;
use crate::layouts::logformat;

const COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;

/// LogFormats of all sorts: common ones, ones with fields separated by blanks, ones with separators
/// that numbers can contain, ones that end in text, in a field, in a quote.
const FORMATS: [&str; 13] = [
    COMBINED,
    r#"%h %l %u %t \"%r\" %>s %b"#,
    r#"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""#,
    r#"%{%F %T}t %P \"%r\" %>s %b %h \"%{Referer}i\" \"%{User-agent}i\" %{uidNumber}e %{joomla_sessionid}e %{item_name}e"#,
    "%{%F %T}t|%a|%m %U%q|%s|%B|%{item_name}n|%{uidNumber}e|%P%%",
    "%h %t %m %U %s %b %{a}i %{b}i %{c}i %{d}i",
    r#"\"%h\" \"%t\" \"%r\" \"%s\" \"%b\" \"%{User-Agent}i\""#,
    "%h-%s-%b-%t-%r-",
    "%r %t %U %h %s %b",
    r#"%h 1%s1%b1%t1%r"#,
    r#"%{%F}t %{%T}t %{x}i \"%r\" %s %b %h"#,
    r#"%h \"%{%Y-%m-%d %H:%M:%S}t\" \"%U\" %s %b end"#,
    r#"%h%t \"%r\" %>s %b"#,
];

fn compiled(format: &str) -> Pattern {
    logformat::compile(format, &ClientFrom::default()).unwrap_or_else(|e| panic!("{format}: {e}"))
}

fn fits(shape: Shape, text: &[u8]) -> bool {
    match shape {
        Shape::Any(min) => text.len() >= min,
        Shape::Bracketed => text.len() >= BRACKETED && text.ends_with(b"]") && is_bracketed(text),
        Shape::Exactly(len, is) => text.len() == len && is(text),
        Shape::Run(is) => text == b"-" || (!text.is_empty() && text.iter().all(|&b| is(b))),
    }
}

/// Tries every end of every field, the shortest first.
fn plainly(slots: &[Slot], line: &[u8], at: usize) -> Option<Vec<(usize, usize)>> {
    let Some((slot, rest)) = slots.split_first() else { return (at == line.len()).then(Vec::new) };
    let mut from = at;
    while from <= line.len() {
        let end = if rest.is_empty() && slot.after.is_empty() {
            line.len()
        } else if slot.after.is_empty() {
            from
        } else if slot.quoted {
            closing_quote(line, from)?
        } else {
            from + memchr::memmem::find(&line[from..], &slot.after)?
        };
        if line[end..].starts_with(&slot.after)
            && fits(slot.shape, &line[at..end])
            && let Some(mut found) = plainly(rest, line, end + slot.after.len())
        {
            found.insert(0, (at, end));
            return Some(found);
        }
        from = end + 1;
    }
    None
}

const USUAL: &[&str] = &[
    "1.2.3.4",
    "-",
    "a",
    "GET /a HTTP/1.1",
    "200",
    "12",
    "[17/May/2015:10:05:03 +0000]",
    "2025-07-10",
    "08:00:01",
    "2025-07-10 08:00:01",
    "4711",
    "Mo zilla",
    "/x?y",
];

const HOSTILE: &[&str] = &[
    "\"",
    "\\\"",
    "\\",
    "\\\\",
    " ",
    "  ",
    "[",
    "]",
    "\" \"",
    "\" 200 1 \"",
    "1-1-1",
    "11",
    "|",
    "%",
    "_",
    "\t",
    "[17/May/2015:10:05:03 +0000] [17/May/2015:10:05:03 +0000]",
    "end",
    "",
    "é",
    "] \"",
    "--",
];

fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![prop::sample::select(USUAL), prop::sample::select(HOSTILE)];
    prop_oneof![
        6 => prop::sample::select(USUAL).prop_map(str::to_owned),
        2 => prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat()),
    ]
}

/// A line of the format; its fields are random, and most of them fit.
fn line_of(format: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let Pattern { before, slots } = compiled(format);
    let n = slots.len();
    (prop::collection::vec((text(), 0..10_u8), n), 0..12_usize, text()).prop_map(move |(texts, end, more)| {
        let mut line = before.clone();
        for (slot, (text, odd)) in slots.iter().zip(texts) {
            let well: &[u8] = match slot.shape {
                Shape::Any(_) => text.as_bytes(),
                Shape::Bracketed => b"[17/May/2015:10:05:03 +0000]",
                Shape::Exactly(10, _) => b"2025-07-10",
                Shape::Exactly(8, _) => b"08:00:01",
                Shape::Exactly(19, _) => b"2025-07-10 08:00:01",
                Shape::Exactly(len, _) => &b"2025-07-10 08:00:01.123456"[..len.min(26)],
                Shape::Run(_) => b"200",
            };
            line.extend_from_slice(if odd == 0 { text.as_bytes() } else { well });
            line.extend_from_slice(if odd == 1 { more.as_bytes() } else { &slot.after });
        }
        line.truncate(line.len().saturating_sub(end.saturating_sub(9)));
        line
    })
}

#[test]
fn a_simple_matcher_gives_the_same_result() {
    let mut n_fitting = 0;
    for format in FORMATS {
        let pattern = compiled(format);
        let mut fitting = std::cell::Cell::new(0);
        fixtures::property::check(fixtures::asked("HZMETRICS_FUZZ_CASES", 3000) / 10, &line_of(format), |line| {
            let mut places = Vec::new();
            let ours = pattern.fit(&line, &mut places).ok().map(|()| places.iter().map(|p| (p.start, p.end)).collect());
            let plain = line.strip_prefix(&*pattern.before);
            let plain = plain.and_then(|_| plainly(&pattern.slots, &line, pattern.before.len()));
            fitting.set(fitting.get() + u32::from(ours.is_some()));
            prop_assert_eq!(ours, plain, "{} {:?}", format, String::from_utf8_lossy(&line));
            Ok(())
        });
        assert!(*fitting.get_mut() > 0, "{format}: no line fits");
        n_fitting += fitting.get();
    }
    assert!(n_fitting > 500, "{n_fitting} lines fit");
}
