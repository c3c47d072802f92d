//! The grammar of the HUBzero access log: from one line to its fields, exactly as legacy's
//! backtracking regular expressions choose them.
//!
//! This code does not backtrack. Every greedy choice of the grammar turns out to be "the right-most
//! quote (or blank) after which the rest still fits", and "the rest" never depends on choices
//! further left. So one pass over the quotes from the right, and one over the blanks of the tail
//! from the right, find the same fields in linear time. The tests compare it with a simple
//! backtracking matcher.

use kit::steps;

const WS: u8 = 1;
const WORD: u8 = 2;
const DIGIT: u8 = 4;
const DASH: u8 = 8;
const DOT: u8 = 16;
const OTHER: u8 = 32;
const ANY_BUT_WS: u8 = WORD | DIGIT | DASH | DOT | OTHER;

/// Class of each byte; whitespace is blank, tab, line feed, vertical tab, form feed, return.
static CLASS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        table[i] = if b == b' ' || (b >= 9 && b <= 13) {
            WS
        } else if b.is_ascii_digit() {
            WORD | DIGIT
        } else if b.is_ascii_alphabetic() || b == b'_' {
            WORD
        } else if b == b'-' {
            DASH
        } else if b == b'.' {
            DOT
        } else {
            OTHER
        };
        i += 1;
    }
    table
};

/// Whether a byte separates fields.
pub const fn is_blank(byte: u8) -> bool {
    CLASS[byte as usize] & WS != 0
}

/// A range of bytes within a line.
pub type Span = (usize, usize);

/// The fields of one recognised line, as positions in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields {
    /// `YYYY-MM-DD`, digits not checked further. Always the first ten bytes.
    pub date: Span,
    /// Hours (any number of digits), minutes, seconds.
    pub time: Span,
    /// Process id; empty in the old layout.
    pub pid: Span,
    /// The text between the quotes of the request.
    pub request: Span,
    /// Status.
    pub status: Span,
    /// Bytes sent.
    pub bytes: Span,
    /// Client.
    pub client: Span,
    /// Referrer.
    pub referrer: Span,
    /// User agent.
    pub agent: Span,
    /// User number; empty in the old layout.
    pub uid: Span,
    /// CMS session, site cookie, login, component, view, task, action, item; the old layout has
    /// only the cookie.
    pub tail: [Span; 8],
}

/// Which of the two layouts is tried for the rest of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    New,
    Old,
}

/// The fields of a line. A line feed at its end belongs to `line`: it is a blank like any other and
/// may even become a field.
#[must_use]
pub fn access(line: &[u8]) -> Option<Fields> {
    // filled in place: the fields are too large to be returned by every function
    let mut fields = Fields::default();
    head(line, &mut fields)?;
    Some(fields)
}

fn head(line: &[u8], fields: &mut Fields) -> Option<()> {
    if !is_date(line) {
        return None;
    }
    fields.date = (0, 10);
    let at = blanks(line, 10)?;
    let hours = run(line, at, DIGIT)?;
    let colons = line.get(hours..hours + 6)?;
    let [b':', a, b, b':', c, d] = *colons else { return None };
    if !(a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    fields.time = (at, hours + 6);
    let zone = blanks(line, hours + 6)?;
    let after_zone = blanks(line, run(line, zone, WORD | DASH)?)?;
    new_layout(line, after_zone, fields).or_else(|| {
        let quote = blanks(line, run(line, after_zone, ANY_BUT_WS)?)?;
        fields.pid = (0, 0);
        rest(line, quote, Layout::Old, fields)
    })
}

/// The fields of a line of valid text, with the port's definition of blanks, digits and words:
/// Unicode's.
#[must_use]
pub fn access_unicode(line: &str) -> Option<Fields> {
    let odd = |b: u8| b >= 0x80 || (0x1C..=0x1F).contains(&b);
    if !line.bytes().any(odd) {
        return access(line.as_bytes());
    }
    // the grammar only considers classes of characters: one byte represents each
    let stand_in = |c: char| match c {
        '\x1C'..='\x1F' => b' ',
        c if c.is_ascii() => c as u8,
        // replaced invalid bytes: there may be millions of them
        char::REPLACEMENT_CHARACTER => 0x80,
        c if c.is_whitespace() => b' ',
        c if c.is_numeric() && c.is_alphanumeric() && c.to_digit(36).is_none() && is_decimal(c) => b'0',
        c if c.is_alphanumeric() => b'a',
        _ => 0x80,
    };
    let shadow: Vec<u8> = line.chars().map(stand_in).collect();
    let mut fields = access(&shadow)?;
    to_bytes(line, &mut fields);
    Some(fields)
}

/// Converts positions counted in characters into positions in bytes.
fn to_bytes(line: &str, fields: &mut Fields) {
    let Fields { date, time, pid, request, status, bytes, client, referrer, agent, uid, tail } = fields;
    let spans = [date, time, pid, request, status, bytes, client, referrer, agent, uid].into_iter().chain(tail);
    let mut ends: Vec<&mut usize> = spans.flat_map(|(start, end)| [start, end]).collect();
    ends.sort_unstable();
    let mut places = line.char_indices().map(|(at, _)| at).chain([line.len()]).enumerate();
    let mut place = (0, 0);
    for end in ends {
        while place.0 < *end
            && let Some(next) = places.next()
        {
            place = next;
        }
        *end = place.1;
    }
}

/// Whether a character beyond ASCII is a decimal digit in the common scripts.
fn is_decimal(c: char) -> bool {
    // the first digit of each run of ten
    const ZEROS: [u32; 18] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20,
        0x1040, 0x17E0, 0xFF10,
    ];
    ZEROS.iter().any(|&zero| (zero..zero + 10).contains(&u32::from(c)))
}

fn new_layout(line: &[u8], at: usize, fields: &mut Fields) -> Option<()> {
    let end = run(line, at, DIGIT)?;
    fields.pid = (at, end);
    let user = blanks(line, end)?;
    let quote = blanks(line, run(line, user, ANY_BUT_WS)?)?;
    rest(line, quote, Layout::New, fields)
}

/// `NNNN-NN-NN` at the start.
fn is_date(line: &[u8]) -> bool {
    let Some(&[a, b, c, d, b'-', e, f, b'-', g, h]) = line.first_chunk::<10>() else { return false };
    [a, b, c, d, e, f, g, h].iter().all(u8::is_ascii_digit)
}

/// The end of the run of bytes of the given classes at `from`; `None` if it is empty.
fn run(line: &[u8], from: usize, classes: u8) -> Option<usize> {
    let mut at = from;
    while at < line.len() && CLASS[usize::from(line[at])] & classes != 0 {
        at += 1;
    }
    steps::add(at - from + 1);
    (at > from).then_some(at)
}

/// The end of the blanks at `from`, of which there must be at least one.
fn blanks(line: &[u8], from: usize) -> Option<usize> {
    run(line, from, WS)
}

/// Everything from the opening quote of the request on.
fn rest(line: &[u8], open: usize, layout: Layout, fields: &mut Fields) -> Option<()> {
    if line.get(open) != Some(&b'"') {
        return None;
    }
    if six_quotes(line, open, layout, fields).is_some() {
        return Some(());
    }
    steps::add(line.len() - open);
    let has_more = memchr::memchr_iter(b'"', &line[open..]).nth(6).is_some();
    if has_more { many_quotes(line, open, layout, fields) } else { None }
}

/// Six quotes, as usual: then each part has one possible place.
fn six_quotes(line: &[u8], open: usize, layout: Layout, fields: &mut Fields) -> Option<()> {
    let next = |from: usize| memchr::memchr(b'"', line.get(from..)?).map(|at| from + at);
    steps::add(line.len() - open);
    let request_end = next(open + 1)?;
    let referrer = middle(line, request_end, fields)?;
    let referrer_end = next(referrer + 1)?;
    let agent = blanks(line, referrer_end + 1)?;
    if request_end < open + 2 || line.get(agent) != Some(&b'"') {
        return None;
    }
    let agent_end = next(agent + 1)?;
    if next(agent_end + 1).is_some() {
        return None;
    }
    fields.request = (open + 1, request_end);
    fields.referrer = (referrer + 1, referrer_end);
    fields.agent = (agent + 1, agent_end);
    suffix(line, agent_end, layout, fields)
}

/// More than six quotes: each closing quote is the right-most one after which the rest fits.
fn many_quotes(line: &[u8], open: usize, layout: Layout, fields: &mut Fields) -> Option<()> {
    steps::add(line.len() - open);
    let from_right = || memchr::memrchr_iter(b'"', &line[open..]).map(|at| open + at);
    let agent_end = from_right().find(|&q| suffix(line, q, layout, fields).is_some())?;
    let (referrer_end, agent) = from_right().find_map(|q| {
        let next = blanks(line, q + 1)?;
        (next < agent_end && line[next] == b'"').then_some((q, next))
    })?;
    let (request_end, referrer) = from_right().find_map(|q| {
        let next = middle(line, q, fields)?;
        (next < referrer_end && q >= open + 2).then_some((q, next))
    })?;
    fields.request = (open + 1, request_end);
    fields.referrer = (referrer + 1, referrer_end);
    fields.agent = (agent + 1, agent_end);
    Some(())
}

/// Status, bytes and client after the quote at `quote`; returns the position of the referrer's
/// quote.
fn middle(line: &[u8], quote: usize, fields: &mut Fields) -> Option<usize> {
    let status = blanks(line, quote + 1)?;
    let end = run(line, status, DIGIT | DASH)?;
    let bytes = blanks(line, end)?;
    let bytes_end = run(line, bytes, DIGIT)?;
    let client = blanks(line, bytes_end)?;
    let client_end = run(line, client, WORD | DASH | DOT)?;
    let next = blanks(line, client_end)?;
    if line.get(next) != Some(&b'"') {
        return None;
    }
    fields.status = (status, end);
    fields.bytes = (bytes, bytes_end);
    fields.client = (client, client_end);
    Some(next)
}

/// What follows the agent's closing quote at `quote`.
fn suffix(line: &[u8], quote: usize, layout: Layout, fields: &mut Fields) -> Option<()> {
    let token = blanks(line, quote + 1)?;
    let first = blanks(line, run(line, token, WORD | DASH | DOT)?)?;
    let second = blanks(line, run(line, first, WORD | DASH)?)?;
    let end = run(line, second, WORD | DASH)?;
    let content_end = line.len() - usize::from(line.last() == Some(&b'\n'));
    match layout {
        Layout::Old => {
            let cookie = blanks(line, end)?;
            fields.tail = [(0, 0); 8];
            fields.tail[1] = (cookie.min(content_end), content_end);
            fields.uid = (0, 0);
        }
        Layout::New => {
            let uid = blanks(line, end)?;
            let uid_end = run(line, uid, DIGIT | DASH)?;
            tail(line, uid_end, content_end, fields)?;
            fields.uid = (uid, uid_end);
        }
    }
    Some(())
}

/// The eight tail fields after `from`, right-aligned. A field starts after a blank with anything
/// but an underscore, even with another blank.
fn tail(line: &[u8], from: usize, content_end: usize, fields: &mut Fields) -> Option<()> {
    let blanks_end = blanks(line, from)?;
    let mut end = content_end;
    let mut at = line.len();
    let mut last = true;
    for i in (1..8).rev() {
        // the right-most start that leaves room for a blank before it
        let is_start = |two: &[u8]| CLASS[usize::from(two[0])] & WS != 0 && two[1] != b'_';
        let n_before = line.get(from..at)?.windows(2).rposition(is_start);
        steps::add(at - from - n_before.unwrap_or(0));
        let start = from + n_before? + 1;
        if last {
            end = end.max(start + 1); // the line feed alone
            last = false;
        }
        fields.tail[i] = (start, end);
        end = start - 1;
        at = end;
    }
    // the first one takes what is left, beginning as late in its blanks as possible
    let mut start = blanks_end.min(end.checked_sub(1)?);
    while start > from {
        if line[start] != b'_' {
            fields.tail[0] = (start, end);
            return Some(());
        }
        start -= 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// A piece of a pattern for the simple matcher.
    #[derive(Clone, Copy)]
    enum Piece {
        One(fn(u8) -> bool),
        /// As many as possible, but at least this many.
        Many(fn(u8) -> bool, usize),
        Open,
        Close,
        End,
    }

    struct Plain<'a> {
        pieces: &'a [Piece],
        text: &'a [u8],
        /// Positions known not to match: earlier captures never matter.
        dead: HashSet<(usize, usize)>,
        marks: Vec<usize>,
    }

    impl Plain<'_> {
        fn matches(&mut self, piece: usize, at: usize) -> bool {
            if piece == self.pieces.len() {
                return true;
            }
            if self.dead.contains(&(piece, at)) {
                return false;
            }
            let n_marks = self.marks.len();
            let found = match self.pieces[piece] {
                Piece::One(is) => self.text.get(at).is_some_and(|&b| is(b)) && self.matches(piece + 1, at + 1),
                Piece::Many(is, min) => {
                    let most = self.text[at..].iter().take_while(|&&b| is(b)).count();
                    (min..=most).rev().any(|n| self.matches(piece + 1, at + n))
                }
                Piece::Open | Piece::Close => {
                    self.marks.push(at);
                    self.matches(piece + 1, at)
                }
                Piece::End => at == self.text.len() || (at + 1 == self.text.len() && self.text[at] == b'\n'),
            };
            if !found {
                self.marks.truncate(n_marks);
                self.dead.insert((piece, at));
            }
            found
        }
    }

    fn blank(b: u8) -> bool {
        matches!(b, b' ' | 9..=13)
    }
    fn digit(b: u8) -> bool {
        b.is_ascii_digit()
    }
    fn word(b: u8) -> bool {
        b.is_ascii_alphanumeric() || b == b'_'
    }
    fn any(b: u8) -> bool {
        b != b'\n'
    }
    fn quote(b: u8) -> bool {
        b == b'"'
    }

    fn pattern(new: bool) -> Vec<Piece> {
        use Piece::{Close, End, Many, One, Open};
        let dash: fn(u8) -> bool = |b| b == b'-';
        let colon: fn(u8) -> bool = |b| b == b':';
        let gap = Many(blank, 1);
        let mut p = vec![Open];
        p.extend([One(digit), One(digit), One(digit), One(digit), One(dash)]);
        p.extend([One(digit), One(digit), One(dash), One(digit), One(digit), Close, gap, Open]);
        p.extend([Many(digit, 1), One(colon), One(digit), One(digit), One(colon), One(digit), One(digit), Close, gap]);
        p.extend([Many(|b| word(b) || b == b'-', 1), gap]);
        if new {
            p.extend([Open, Many(digit, 1), Close, gap]);
        }
        p.extend([Many(|b| !blank(b), 1), gap]);
        p.extend([One(quote), Open, Many(any, 1), Close, One(quote), gap]);
        p.extend([Open, Many(|b| digit(b) || b == b'-', 1), Close, gap, Open, Many(digit, 1), Close, gap]);
        p.extend([Open, Many(|b| word(b) || b == b'-' || b == b'.', 1), Close, gap]);
        p.extend([One(quote), Open, Many(any, 0), Close, One(quote), gap]);
        p.extend([One(quote), Open, Many(any, 0), Close, One(quote), gap]);
        p.extend([Many(|b| word(b) || b == b'-' || b == b'.', 1), gap]);
        p.extend([Many(|b| word(b) || b == b'-', 1), gap, Many(|b| word(b) || b == b'-', 1), gap]);
        if new {
            p.extend([Open, Many(|b| digit(b) || b == b'-', 1), Close]);
            for _ in 0..8 {
                p.extend([gap, Open, One(|b| b != b'_'), Many(any, 0), Close]);
            }
            p.push(Many(blank, 0));
        } else {
            p.extend([Open, Many(any, 0), Close]);
        }
        p.push(End);
        p
    }

    /// The fields as found by the simple matcher.
    fn plainly(line: &[u8]) -> Option<Fields> {
        let run = |new: bool| {
            let pieces = pattern(new);
            let mut plain = Plain { pieces: &pieces, text: line, dead: HashSet::new(), marks: Vec::new() };
            plain.matches(0, 0).then(|| plain.marks.chunks(2).map(|m| (m[0], m[1])).collect::<Vec<_>>())
        };
        if let Some(m) = run(true) {
            let [date, time, pid, request, status, bytes, client, referrer, agent, uid] = *m.first_chunk().unwrap();
            let tail = *m[10..].first_chunk().unwrap();
            return Some(Fields { date, time, pid, request, status, bytes, client, referrer, agent, uid, tail });
        }
        let m = run(false)?;
        let [date, time, request, status, bytes, client, referrer, agent, cookie] = *m.first_chunk().unwrap();
        let mut tail = [(0, 0); 8];
        tail[1] = cookie;
        let (pid, uid) = Default::default();
        Some(Fields { date, time, pid, request, status, bytes, client, referrer, agent, uid, tail })
    }

    /// The same texts, wherever empty ones were found.
    fn texts<'a>(line: &'a [u8], f: &Fields) -> Vec<&'a [u8]> {
        let mut all = vec![f.date, f.time, f.pid, f.request, f.status, f.bytes, f.client, f.referrer, f.agent, f.uid];
        all.extend(f.tail);
        all.into_iter().map(|(a, b)| &line[a..b]).collect()
    }

    #[track_caller]
    fn check_against_plain(line: &[u8]) -> bool {
        let ours = access(line);
        let plain = plainly(line);
        assert_eq!(
            ours.as_ref().map(|f| texts(line, f)),
            plain.as_ref().map(|f| texts(line, f)),
            "{:?}",
            String::from_utf8_lossy(line)
        );
        ours.is_some()
    }

    const HEAD: &str = "2025-07-10 08:00:01 EDT 4711 - \"GET /a HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"UA\" TLSv1.3 0 12 ";

    #[track_caller]
    fn tail_of(tail: &str) -> Option<Vec<String>> {
        let line = format!("{HEAD}- {tail}\n");
        check_against_plain(line.as_bytes());
        let fields = access(line.as_bytes())?;
        Some(fields.tail.iter().map(|&(a, b)| line[a..b].to_owned()).collect())
    }

    #[track_caller]
    fn tail_is(tail: &str, expected: [&str; 8]) {
        assert_eq!(tail_of(tail).expect("recognised"), expected, "{tail}");
    }

    #[test]
    fn the_eight_tail_fields_are_found() {
        tail_is("J C A com view task act item", ["J", "C", "A", "com", "view", "task", "act", "item"]);
        tail_is("J1 J2 C A com view task act item", ["J1 J2", "C", "A", "com", "view", "task", "act", "item"]);
        tail_is("J C A com view task act item ", ["J C", "A", "com", "view", "task", "act", "item", "\n"]);
        tail_is("J C A com view task act item\r", ["J C", "A", "com", "view", "task", "act", "item", "\n"]);
        tail_is("J  C A com view task act item", ["J ", "C", "A", "com", "view", "task", "act", "item"]);
        tail_is("J C A com view task   act item", ["J C", "A", "com", "view", "task", " ", "act", "item"]);
        tail_is("   J C A com view task act item", ["J", "C", "A", "com", "view", "task", "act", "item"]);
        // a field cannot begin with an underscore, but with a blank before it
        assert_eq!(tail_of("J C A com view task _act item"), None);
        tail_is("J C A com view task  _act item", ["J", "C", "A", "com", "view", "task", " _act", "item"]);
        tail_is("J C _A x com view task act item", ["J", "C _A", "x", "com", "view", "task", "act", "item"]);
        // seven words: a blank before the line feed supplies the eighth, and so do three blanks
        assert_eq!(tail_of("C A com view task act item"), None);
        tail_is("C A com view task act item ", ["C", "A", "com", "view", "task", "act", "item", "\n"]);
        tail_is("C A com view   task act item", ["C", "A", "com", "view", " ", "task", "act", "item"]);
    }

    #[test]
    fn head_fields_and_quoted_fields_are_found() {
        let new = |from: &str, to: &str| {
            let line = format!("{HEAD}- J C A com view task act item\n").replace(from, to);
            check_against_plain(line.as_bytes());
            access(line.as_bytes()).map(|f| {
                let text = |(a, b): Span| line[a..b].to_owned();
                [text(f.time), text(f.request), text(f.client), text(f.referrer), text(f.agent), text(f.uid)]
            })
        };
        let agent = |to: &str| new("\"UA\"", to).map(|f| f[4].clone());
        assert!(new("x", "x").is_some());
        for (from, to) in [
            ("2025-", " 2025-"),
            ("08:00:01", "08:00:01.5"),
            ("08:00:01", ":00:01"),
            ("EDT", "+0400"),
            ("EDT", "America/New_York"),
            (" - \"GET", " a b \"GET"),
            ("GET /a HTTP/1.1", ""),
            ("200 12 ", "200 - "),
            ("1.2.3.4", "2001:db8::1"),
            ("TLSv1.3 0 12", "TLSv1.3 0 5.5"),
            ("12 - J", "12 abc J"),
            ("\"UA\"", "'UA'"),
        ] {
            assert_eq!(new(from, to), None, "{to}");
        }
        assert_eq!(new("08:00:01", "8:00:01").unwrap()[0], "8:00:01");
        assert_eq!(new("08:00:01", "108:00:01").unwrap()[0], "108:00:01");
        assert_eq!(new("EDT", "-0400").unwrap()[2], "1.2.3.4");
        assert_eq!(new("/a", "/a\"b\" c").unwrap()[1], "GET /a\"b\" c HTTP/1.1");
        let f = new("\"-\" \"UA\"", "\"ref\" \"U\" \"A\"").unwrap();
        assert_eq!((f[3].as_str(), f[4].as_str()), ("ref\" \"U", "A"));
        assert_eq!(agent("\"U\" 1 2 3 4 \"V\"").unwrap(), "U\" 1 2 3 4 \"V");
        assert_eq!(agent("\"\"").unwrap(), "");
        // no process id: the old layout, whose last field may be the line feed
        let old = |end: &str| {
            let line =
                format!("2025-07-10 08:00:01 EDT - \"GET /a HTTP/1.1\" 200 12 h.org \"-\" \"UA\" TLSv1 0 12{end}");
            check_against_plain(line.as_bytes());
            access(line.as_bytes()).map(|f| line[f.tail[1].0..f.tail[1].1].to_owned())
        };
        assert_eq!(old(" a=1; b=2\n").unwrap(), "a=1; b=2");
        assert_eq!(old(" a=1\r\n").unwrap(), "a=1\r");
        assert_eq!(old("  a=1  \n").unwrap(), "a=1  ");
        assert_eq!(old("\n").unwrap(), "");
        assert_eq!(old(" \n").unwrap(), "");
        assert_eq!(old(""), None);
        for nothing in [&b""[..], b"\n", b"2025-07-10", b"2025-07-10 08:00:01 EDT 1 - \"", b"\"\"\"\"\"\"\"\""] {
            assert!(!check_against_plain(nothing));
        }
    }

    /// The number of generated cases: more with `HZMETRICS_FUZZ_CASES=N`.
    fn cases() -> u32 {
        fixtures::asked("HZMETRICS_FUZZ_CASES", 3000)
    }

    fn gap() -> impl Strategy<Value = &'static str> {
        prop_oneof![20 => Just(" "), 2 => Just("  "), 1 => Just("   "), 1 => Just("\t"), 1 => Just(" \r"), 1 => Just("\x0b\x0c"), 1 => Just("")]
    }

    fn word_of(usual: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop_oneof![
            30 => prop::sample::select(usual).prop_map(str::to_owned),
            1 => prop::sample::select(&["", "_", "-", "\"", "\\\"", "_x", "1", "a b", "\"-\"", ".", "\r", "é", "\u{0}", "5-", "08:00:01", "2025-07-10"][..]).prop_map(str::to_owned),
        ]
    }

    fn quoted() -> impl Strategy<Value = String> {
        let part = prop::sample::select(
            &[
                "a",
                "\"",
                "\\\"",
                " ",
                "  ",
                "\" \"",
                "\" 200 1 h \"",
                "\" t 1 2 ",
                "\" t 1 2 3 ",
                "_",
                "\r",
                "/x",
                "GET",
                "\" 1 2 3 4 \"",
                "é",
                "",
            ][..],
        );
        prop_oneof![
            8 => Just("GET /a HTTP/1.1".to_owned()),
            2 => Just("-".to_owned()),
            6 => prop::collection::vec(part, 0..7).prop_map(|parts| parts.concat()),
        ]
        .prop_map(|text| format!("\"{text}\""))
    }

    fn nasty_line() -> impl Strategy<Value = String> {
        let head = [
            word_of(&["2025-07-10"]).boxed(),
            word_of(&["08:00:01", "8:00:01", "108:00:01"]).boxed(),
            word_of(&["EDT", "-0400"]).boxed(),
            word_of(&["4711", "-", "user"]).boxed(),
            word_of(&["-", "user", "7"]).boxed(),
            quoted().boxed(),
            word_of(&["200", "404", "-"]).boxed(),
            word_of(&["12", "0"]).boxed(),
            word_of(&["1.2.3.4", "h.org"]).boxed(),
            quoted().boxed(),
            quoted().boxed(),
            word_of(&["TLSv1.3", "-"]).boxed(),
            word_of(&["0"]).boxed(),
            word_of(&["12"]).boxed(),
            word_of(&["12", "-"]).boxed(),
        ];
        let head = head.into_iter().map(|word| (word, gap())).collect::<Vec<_>>();
        let tail_word = prop::sample::select(
            &["a", "b", "com_x", "-", "_u", "__", "\"", "x\"y", "\" t 1 2 3", "\r", "é", "1", "\"-\""][..],
        );
        let tail = prop::collection::vec((tail_word, gap()), 0..12);
        let end = prop::sample::select(&["\n", " \n", "\r\n", "  \n", "   \n", ""][..]);
        let skip_pid = any_bool();
        (head, tail, end, skip_pid).prop_map(|(head, tail, end, skip_pid)| {
            let mut line = String::new();
            for (i, (word, gap)) in head.iter().enumerate() {
                if !(skip_pid && (i == 3 || i == 14)) {
                    line.push_str(word);
                    line.push_str(gap);
                }
            }
            for (word, gap) in tail {
                line.push_str(word);
                line.push_str(gap);
            }
            // a line has one line feed, at its end
            line.retain(|c| c != '\n');
            line + end
        })
    }

    fn any_bool() -> impl Strategy<Value = bool> {
        prop_oneof![3 => Just(false), 1 => Just(true)]
    }

    #[test]
    fn a_simple_matcher_gives_the_same_result() {
        fixtures::property::check(cases(), &nasty_line(), |line| {
            check_against_plain(line.as_bytes());
            Ok(())
        });
    }

    #[test]
    fn a_simple_matcher_gives_the_same_result_on_any_bytes() {
        let byte = prop::sample::select(&b"2025-07-10 08:00:01 E 1 \"\"\" _\t."[..]);
        fixtures::property::check(cases(), &prop::collection::vec(byte, 0..90), |line| {
            check_against_plain(&line);
            Ok(())
        });
    }

    #[test]
    fn generated_lines_are_recognised_and_refused() {
        use proptest::strategy::ValueTree as _;
        use proptest::test_runner::TestRunner;
        let mut runner = TestRunner::deterministic();
        let (mut yes, mut many_quotes) = (0, 0);
        for _ in 0..1000 {
            let line = nasty_line().new_tree(&mut runner).unwrap().current();
            let found = access(line.as_bytes()).is_some();
            yes += usize::from(found);
            many_quotes += usize::from(found && line.matches('"').count() > 6);
        }
        assert!((100..900).contains(&yes), "{yes} of 1000 recognised");
        assert!(many_quotes > 50, "{many_quotes} of 1000 with inner quotes");
    }

    #[test]
    fn positions_of_characters_become_positions_of_bytes() {
        let line = "é2 ü\u{1f600}x";
        let places: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
        for start in 0..places.len() {
            for end in start..places.len() {
                let mut fields = Fields { agent: (start, end), date: (0, start), ..Fields::default() };
                to_bytes(line, &mut fields);
                assert_eq!((fields.agent, fields.date), ((places[start], places[end]), (0, places[start])));
                assert_eq!(fields.tail, [(0, 0); 8]);
            }
        }
    }
}
