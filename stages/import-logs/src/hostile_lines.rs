//! Hostile lines: the number of steps compared with the length of the line.

use kit::steps;
use schema::{Compat, Opt};

use crate::exclude::Exclude;
use crate::layout::Layout;
use crate::layouts::named::State;

/// The parts that hostile lines repeat.
pub(crate) const UNITS: [&str; 30] = [
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

/// Beginnings that lead a parser far into the hostile rest.
const STARTS: [&str; 4] = [
    "",
    "2025-07-10 08:00:01 EDT 1 - \"",
    "2025-07-10 08:00:01 EDT - \"GET / HTTP/1.1\" 200 1 h \"-\" \"",
    "2025-07-10 08:00:01 EDT 1 - \"GET / HTTP/1.1\" 200 1 h \"-\" \"UA\" T 0 1 - ",
];

const ENDS: [&str; 4] = ["", "\n", "\"\n", " \"-\" \"UA\" T 0 1 - a b c d e f g h\n"];

/// A hostile family: beginning, repeated part, end.
type Family = (&'static str, &'static str, &'static str);

/// A line of a family, of about this length.
fn line((start, unit, end): Family, len: usize) -> Vec<u8> {
    [start, &unit.repeat(len / unit.len()), end].concat().into_bytes()
}

fn families<'a>(starts: &'a [&'static str], ends: &'a [&'static str]) -> impl Iterator<Item = Family> + 'a {
    let all = starts.iter().flat_map(|start| UNITS.iter().map(move |unit| (*start, *unit)));
    all.flat_map(|(start, unit)| ends.iter().map(move |end| (start, unit, *end)))
}

/// Compares the work on hostile lines with their length.
fn check_work<T>(what: &str, families: impl Iterator<Item = Family>, work: impl Fn(&[u8]) -> T) {
    let steps_a_byte = |family: Family, len: usize| {
        let line = line(family, len);
        steps::of(|| work(&line)) as f64 / line.len() as f64
    };
    let mut all: Vec<_> = families.map(|family| (steps_a_byte(family, 2 << 10), family)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(all[0].0 > 0.5, "{what}: nothing was counted");
    // the longest lines only for the worst families
    for &(short, family) in &all[..2] {
        for len in [1 << 10, 8 << 10, 64 << 10, 512 << 10] {
            let steps = steps_a_byte(family, len);
            assert!(steps < 24.0 && steps < 1.5 * short + 1.0, "{what}: {family:?} {len}: {steps} {short}");
        }
    }
}

#[test]
fn the_work_on_a_line_grows_no_faster_than_the_line() {
    let parse = |line: &[u8]| Layout::Hubzero.parse(line, &mut State::default()).is_ok();
    check_work("hubzero", families(&STARTS, &ENDS), parse);
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
fn the_work_on_a_line_does_not_grow_with_the_exclude_list() {
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
