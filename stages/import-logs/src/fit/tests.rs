//! The matcher against a plain one that tries everything, and its steps against the line's length.

use proptest::prelude::*;

use super::*;
use schema::{Compat, Opt};

use crate::exclude::Exclude;
use crate::format::Format;
use crate::layout::Layout;

const COMBINED: &str = r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#;

/// LogFormats of all sorts: usual ones, ones whose fields blanks part, ones with text that numbers
/// can hold, ones that end in text, in a field, in a quote.
const FORMATS: [&str; 12] = [
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
];

fn compiled(format: &str) -> Format {
    Format::compile(format, None).unwrap()
}

fn fits(shape: Shape, text: &[u8]) -> bool {
    match shape {
        Shape::Any(min) => text.len() >= min,
        Shape::Bracketed(is_begun) => text.len() > 2 && text.ends_with(b"]") && is_begun(text),
        Shape::Exactly(len, is) => text.len() == len && is(text),
        Shape::Run(is) => text == b"-" || (!text.is_empty() && text.iter().all(|&b| is(b))),
    }
}

/// Every end of every field in turn, the shortest first.
fn plainly(slots: &[Slot], line: &[u8], at: usize) -> Option<Vec<(usize, usize)>> {
    let Some((slot, rest)) = slots.split_first() else { return (at == line.len()).then(Vec::new) };
    let mut from = at;
    while from <= line.len() {
        let end = if slot.after.is_empty() {
            line.len()
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

/// A line of the format whose fields hold what the strategy gives, most of the time what fits.
fn line_of(format: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let Format { before, slots, .. } = compiled(format);
    let n = slots.len();
    (prop::collection::vec((text(), 0..10_u8), n), 0..12_usize, text()).prop_map(move |(texts, end, more)| {
        let mut line = before.clone();
        for (slot, (text, odd)) in slots.iter().zip(texts) {
            let well: &[u8] = match slot.shape {
                Shape::Any(_) => text.as_bytes(),
                Shape::Bracketed(_) => b"[17/May/2015:10:05:03 +0000]",
                Shape::Exactly(10, _) => b"2025-07-10",
                Shape::Exactly(8, _) => b"08:00:01",
                Shape::Exactly(..) => b"2025-07-10 08:00:01",
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
fn a_plain_matcher_agrees() {
    let mut n_fitting = 0;
    for format in FORMATS {
        let Format { before, slots, .. } = compiled(format);
        let mut fitting = std::cell::Cell::new(0);
        fixtures::property::check(fixtures::asked("HZMETRICS_FUZZ_CASES", 3000) / 10, &line_of(format), |line| {
            let ours = fit(&before, &slots, &line);
            let plain = line.strip_prefix(&*before).and_then(|_| plainly(&slots, &line, before.len()));
            fitting.set(fitting.get() + u32::from(ours.is_some()));
            prop_assert_eq!(ours, plain, "{} {:?}", format, String::from_utf8_lossy(&line));
            Ok(())
        });
        assert!(*fitting.get_mut() > 0, "{format}: no line fits");
        n_fitting += fitting.get();
    }
    assert!(n_fitting > 500, "{n_fitting} lines fit");
}

/// What hostile lines are made of, over and over.
const UNITS: [&str; 30] = [
    "\" ",
    "\"",
    " ",
    "\\\"",
    "\\",
    "\\\\\" ",
    "%",
    "%20",
    "_",
    " _",
    "\t",
    "\x0b",
    "\x0c \x0b",
    "[",
    "]",
    "] ",
    "[ ]",
    "- ",
    "1",
    "1-",
    "11 ",
    "\" 200 1 \"",
    "\" 200 1 h \"",
    "\"x",
    "x\" \"",
    "\" t 1 2 - ",
    "/",
    "?",
    ".?=",
    "é",
];

/// Beginnings after which a layout is lost in the hostile rest.
const STARTS: [&str; 10] = [
    "",
    "2025-07-10 08:00:01 EDT 1 - \"",
    "2025-07-10 08:00:01 EDT - \"GET / HTTP/1.1\" 200 1 h \"-\" \"",
    "2025-07-10 08:00:01 EDT 1 - \"GET / HTTP/1.1\" 200 1 h \"-\" \"UA\" T 0 1 - ",
    "h - - [17/May/2015:10:05:03 +0000] \"",
    "h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1 \"",
    "h [17/May/2015:10:05:03 +0000] GET /",
    "2025-07-10 08:00:01|h|GET /",
    "\"h\" \"[17/May/2015:10:05:03 ",
    "h-1-1-[17/May/2015:10:05:03 +0000]-",
];

const ENDS: [&str; 4] = ["", "\n", "\"\n", " \"-\" \"UA\" T 0 1 - a b c d e f g h\n"];

fn layouts() -> Vec<Layout> {
    let formats = FORMATS.iter().map(|format| Layout::Format(std::sync::Arc::new(compiled(format))));
    [Layout::Hubzero, Layout::Combined].into_iter().chain(formats).collect()
}

/// One hostile family: what its lines begin with, are made of, and end with.
type Family = (&'static str, &'static str, &'static str);

/// A line of a family, of about this length.
fn line((start, unit, end): Family, len: usize) -> Vec<u8> {
    [start, &unit.repeat(len / unit.len()), end].concat().into_bytes()
}

fn families<'a>(starts: &'a [&'static str], ends: &'a [&'static str]) -> impl Iterator<Item = Family> + 'a {
    let all = starts.iter().flat_map(|start| UNITS.iter().map(move |unit| (*start, *unit)));
    all.flat_map(|(start, unit)| ends.iter().map(move |end| (start, unit, *end)))
}

/// Holds the work on hostile lines against their length.
fn check_work<T>(what: &str, families: impl Iterator<Item = Family>, work: impl Fn(&[u8]) -> T) {
    let steps_a_byte = |family: Family, len: usize| {
        let line = line(family, len);
        steps::of(|| work(&line)) as f64 / line.len() as f64
    };
    let mut all: Vec<_> = families.map(|family| (steps_a_byte(family, 2 << 10), family)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(all[0].0 > 0.5, "{what}: nothing was counted");
    // the longer lines for the worst families
    for &(short, family) in &all[..2] {
        for len in [1 << 10, 8 << 10, 64 << 10, 512 << 10] {
            let steps = steps_a_byte(family, len);
            assert!(steps < 24.0 && steps < 1.5 * short + 1.0, "{what}: {family:?} {len}: {steps} {short}");
        }
    }
}

#[test]
fn the_work_on_a_line_grows_no_faster_than_the_line() {
    for layout in layouts() {
        check_work(&format!("{layout:?}"), families(&STARTS, &ENDS), |line| layout.parse(line).is_some());
    }
}

#[test]
fn the_work_on_a_login_grows_no_faster_than_its_line() {
    const STARTS: [&str; 6] = [
        "",
        "2025-05-01 ",
        "2025-05-01 08:00:01 ",
        "2025-05-01 08:00:01 1 [",
        "[2014-05-01 09:58:35] production.INFO: ",
        "[2014-05-01 09:58:35] production.INFO: 1 [",
    ];
    const ENDS: [&str; 4] = ["", "\n", " 1.2.3.4 login\n", "] 1.2.3.4 login [] []\n"];
    let port = Compat::LEGACY.with(Opt::LpParse).with(Opt::LpAuthBracket).with(Opt::LpAuthTrailing);
    for compat in [Compat::LEGACY, port] {
        check_work("auth", families(&STARTS, &ENDS), |line| logs::parse::auth(line, compat).is_some());
    }
}

#[test]
fn the_work_of_the_exclude_list_does_not_grow_with_the_list() {
    let rows = |n: usize| -> Vec<_> {
        (0..n)
            .flat_map(|i| {
                ["ip", "url", "useragent"].map(|ty| (format!("a{i}/%_{}", "a".repeat(i % 99)), ty.to_owned()))
            })
            .collect()
    };
    for n in [1, 5000] {
        let list = Exclude::new(&rows(n), false).unwrap();
        check_work("exclude list", families(&STARTS, &ENDS), |line| (list.ip(line), list.url(line), list.agent(line)));
    }
}
