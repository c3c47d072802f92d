//! How the lines of a layout write an agent, as far as it shows, without parsing a line, that its agent
//! is plain ASCII text that fits the column. The look-ahead parses only the other lines.

use kit::steps;
use schema::text;

/// How a line writes its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Between quotes, of which a line has six.
    SixQuotes,
    /// Between quotes; one that a blank follows ends it.
    Quoted,
    /// In a string of JSON.
    Json,
    /// As a word, or between quotes or tabs; it may be escaped with percent signs.
    Word,
    /// In some other way.
    Other,
}

/// The bytes in a block of lines that a line must have to be odd.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OddBytes {
    beyond_ascii: bool,
    backslash: bool,
    percent: bool,
}

impl OddBytes {
    pub(crate) fn of(block: &[u8], writing: Writing) -> Self {
        let has = |byte| memchr::memchr(byte, block).is_some();
        Self {
            beyond_ascii: !block.is_ascii(),
            backslash: writing != Writing::SixQuotes && has(b'\\'),
            percent: writing == Writing::Word && has(b'%'),
        }
    }

    const fn any(self) -> bool {
        self.beyond_ascii || self.backslash || self.percent
    }
}

/// The longest agent that fits the column.
const LONGEST: usize = text::TINYTEXT;

/// An agent that is longer needs a line that is even longer.
const SHORT: usize = LONGEST + 48;

/// How many bytes are examined together.
const CHUNK: usize = 8 << 10;

/// Calls `each` for the lines of a block whose agent may be longer than the column, or contain anything
/// but ASCII; most lines are not even looked at one by one.
pub(crate) fn for_each_odd<'a>(block: &'a [u8], writing: Writing, mut each: impl FnMut(&'a [u8])) {
    let mut rest = block;
    while !rest.is_empty() {
        let near = rest.get(CHUNK..).and_then(|behind| memchr::memchr(b'\n', behind));
        let (chunk, behind) = rest.split_at(near.map_or(rest.len(), |at| CHUNK + at + 1));
        rest = behind;
        let odd = OddBytes::of(chunk, writing);
        let mut judge = |line: &'a [u8]| {
            if may_be_odd(line, writing, odd) {
                each(line);
            }
        };
        if odd.any() {
            chunk.split_inclusive(|&byte| byte == b'\n').for_each(judge);
            continue;
        }
        // the lines before the last end in so few bytes are short
        let mut lines = chunk;
        while let Some(some) = lines.get(..=SHORT) {
            if let Some(at) = memchr::memrchr(b'\n', some) {
                lines = &lines[at + 1..];
                continue;
            }
            let end = memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
            judge(&lines[..end]);
            lines = &lines[end..];
        }
    }
}

/// Whether the agent of a line may be longer than the column, or contain anything but ASCII.
pub(crate) fn may_be_odd(line: &[u8], writing: Writing, odd: OddBytes) -> bool {
    steps::add(line.len());
    let is_long = line.len() > SHORT;
    (odd.beyond_ascii && !line.is_ascii())
        || (odd.backslash && has_odd_escape(line, is_long))
        || (odd.percent && line.contains(&b'%'))
        || (is_long && may_be_long(line, writing))
}

/// Whether a text has an escape that stands for something beyond ASCII, or a quote.
fn has_odd_escape(line: &[u8], quotes_matter: bool) -> bool {
    let mut rest = line;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let escaped = &rest[at + 1..];
        match escaped {
            [b'"', ..] if quotes_matter => return true,
            [b'u', b'0', b'0', b'0'..=b'7', ..] => {}
            [b'u', ..] => return true,
            _ => {}
        }
        rest = escaped.get(1..).unwrap_or_default();
    }
    false
}

fn may_be_long(line: &[u8], writing: Writing) -> bool {
    let quote = |text: &[u8], _: &[u8]| memchr::memrchr(b'"', text);
    match writing {
        Writing::Json => has_long_part(line, quote),
        Writing::SixQuotes => memchr::memchr_iter(b'"', line).nth(6).is_some() || has_long_part(line, quote),
        Writing::Quoted => has_long_part(line, |text, line| {
            let is_end = |at: &usize| line.get(at + 1) == Some(&b' ');
            memchr::memrchr_iter(b'"', text).find(is_end)
        }),
        Writing::Word => {
            memchr::memchr2(b'"', b'\t', line).is_some() || has_long_part(line, |text, _| memchr::memrchr(b' ', text))
        }
        Writing::Other => true,
    }
}

/// Whether any part between two ends is longer than the longest agent; `last_end` finds the last end in
/// a text, which has more of the line behind it.
fn has_long_part(line: &[u8], last_end: impl Fn(&[u8], &[u8]) -> Option<usize>) -> bool {
    let mut rest = line;
    while let Some(text) = rest.get(..=LONGEST) {
        match last_end(text, rest) {
            Some(at) => rest = &rest[at + 1..],
            None => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bots::LookAhead;
    use crate::hostile_lines::UNITS;
    use crate::layout::Layout;
    use crate::layouts::entry::ClientFrom;
    use crate::layouts::named::{self, State};

    fn layout(name: &str) -> Layout {
        match name {
            "hubzero" => Layout::Hubzero,
            name => Layout::Other(named::Layout::new(name, &ClientFrom::default()).unwrap().into()),
        }
    }

    fn is_odd(name: &str, line: &[u8]) -> bool {
        let writing = layout(name).writing();
        may_be_odd(line, writing, OddBytes::of(line, writing))
    }

    /// A line of each way of writing, with an agent.
    fn line(name: &str, agent: &str) -> String {
        let at = "10/Jul/2025:08:00:01 +0000";
        match name {
            "hubzero" => format!(
                "2025-07-10 08:00:01 EDT 4711 - \"GET /a HTTP/1.1\" 200 12 192.0.2.1 \"-\" \"{agent}\" TLSv1.3 0 12 - J C A com view task act item\n"
            ),
            "combined" => format!("192.0.2.1 - - [{at}] \"GET /a HTTP/1.1\" 200 12 \"-\" \"{agent}\"\n"),
            "s3" => format!(
                "79a59 bucket [{at}] 192.0.2.3 79a59 3E57 REST.GET.OBJECT a.html \"GET /a.html HTTP/1.1\" 200 - 113 - 7 - \"-\" \"{agent}\" -\n"
            ),
            "alb" => format!(
                "http 2025-07-10T08:00:01.186641Z app/lb/50 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 \"GET http://www.example.com:80/ HTTP/1.1\" \"{agent}\" - -\n"
            ),
            "w3c" => format!("2025-07-10 08:00:01 10.0.0.1 GET /a - 443 - 192.0.2.1 {agent} - 200 0 0 15\n"),
            "caddy" => format!(
                "{{\"ts\":1752134401.5,\"request\":{{\"remote_ip\":\"192.0.2.1\",\"method\":\"GET\",\"uri\":\"/a\",\"headers\":{{\"User-Agent\":[\"{agent}\"]}}}},\"size\":12,\"status\":200}}\n"
            ),
            other => unreachable!("{other}"),
        }
    }

    const NAMES: [&str; 6] = ["hubzero", "combined", "s3", "alb", "w3c", "caddy"];

    #[test]
    fn usual_lines_are_not_parsed_and_odd_ones_are() {
        let usual = "Mozilla/5.0_(X11;_Linux_x86_64)_AppleWebKit/537.36".repeat(3);
        for name in NAMES {
            assert!(!is_odd(name, line(name, &usual).as_bytes()), "{name}");
            assert!(is_odd(name, line(name, "Mözilla").as_bytes()), "{name}");
            assert!(is_odd(name, line(name, &usual.repeat(2)).as_bytes()), "{name}");
        }
        // a long line alone is not odd
        let more = format!(",\"resp_headers\":{{{}}}}}\n", vec!["\"a\":[\"b\"]"; 200].join(","));
        assert!(!is_odd("caddy", (line("caddy", &usual).trim_end_matches("}\n").to_owned() + &more).as_bytes()));
        for (name, agent, odd) in [
            ("caddy", r"a\u0026\u003cb", false),
            ("caddy", r"a\u00fcb", true),
            ("caddy", r"a\\u00fcb", false),
            ("caddy", r"a\\\ud83d\ude00", true),
            ("w3c", "M%C3%B6z", true),
            ("combined", r"M\xc3\xb6z", false),
        ] {
            assert_eq!(is_odd(name, line(name, agent).as_bytes()), odd, "{name} {agent}");
        }
    }

    #[test]
    fn the_place_of_a_long_part_does_not_matter() {
        let comma = |text: &[u8], _: &[u8]| memchr::memrchr(b',', text);
        for before in (0..600).step_by(7) {
            for len in [254, 255, 256, 257, 258, 300, 700] {
                for after in ["", ",", ",b,c"] {
                    let line = ["a,".repeat(before / 2), "x".repeat(len), after.to_owned()].concat();
                    assert_eq!(has_long_part(line.as_bytes(), comma), len > LONGEST, "{before} {len}");
                }
            }
        }
    }

    #[test]
    fn odd_lines_are_found_wherever_they_are() {
        let usual = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36";
        let long = usual.repeat(6);
        for (name, n_lines) in [("combined", 200), ("combined", 3), ("caddy", 120)] {
            let writing = layout(name).writing();
            for at in (0..n_lines).step_by(7) {
                for odd in ["Mözilla", &long] {
                    let agent = |n: usize| if n == at { odd.to_owned() } else { usual.repeat(1 + n % 3) };
                    let text: String = (0..n_lines).map(|n| line(name, &agent(n))).collect();
                    for text in [&*text, text.trim_end_matches('\n')] {
                        let mut found = Vec::new();
                        for_each_odd(text.as_bytes(), writing, |line| found.push(line.trim_ascii_end()));
                        let expected = line(name, odd);
                        assert_eq!(found, [expected.trim_end().as_bytes()], "{name} {at} {odd}");
                    }
                }
            }
        }
    }

    fn agent() -> impl Strategy<Value = String> {
        let units =
            || prop_oneof![prop::sample::select(&UNITS[..]), prop::sample::select(&["a", "u00fc", "\\u00fc"][..])];
        prop::collection::vec((units(), 1..90_usize), 1..6)
            .prop_map(|units| units.iter().map(|(unit, n)| unit.repeat(*n)).collect())
    }

    proptest! {
        #[test]
        fn no_line_with_an_odd_agent_is_left_out(name in prop::sample::select(&NAMES[..]), agent in agent(), cut in 0..40_usize) {
            let line = line(name, &agent);
            let cut = (0..=cut).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
            for line in [line.as_bytes(), &line.as_bytes()[cut..]] {
                if !is_odd(name, line) {
                    let mut state = State::default();
                    let agent = layout(name).parse(line, &mut state).map(|parsed| parsed.agent.to_vec());
                    prop_assert!(agent.is_err() || agent.is_ok_and(|agent| !LookAhead::concerns(&agent)));
                }
            }
        }
    }
}
