//! Compact JSON lines: finding, adding and replacing fields without touching the other bytes.
//!
//! Stages pass on what they do not change byte for byte, so nothing here builds a document:
//! a line is scanned for its top-level members and spliced.

use std::borrow::Cow;
use std::ops::Range;

/// Why a line is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// Not one JSON object, or not UTF-8.
    NotAnObject,
    /// An object without a text field `kind`.
    NoKind,
}

impl Bad {
    /// The reason in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotAnObject => "not a JSON object",
            Self::NoKind => "no field `kind`",
        }
    }
}

/// The kind of a record line. If `kind` comes first, as in every record written here, the rest of
/// the line is not checked.
///
/// # Errors
/// What is wrong with the line.
pub fn kind_of(line: &[u8]) -> Result<Cow<'_, str>, Bad> {
    if let Some(rest) = line.strip_prefix(b"{\"kind\":\"")
        && let Some(end) = memchr::memchr2(b'"', b'\\', rest)
        && rest[end] == b'"'
        && line.last() == Some(&b'}')
        && let Ok(kind) = std::str::from_utf8(&rest[..end])
    {
        return Ok(Cow::Borrowed(kind));
    }
    let range = find(line, "kind")?.ok_or(Bad::NoKind)?;
    serde_json::from_slice::<Cow<'_, str>>(&line[range])
        .map(|kind| Cow::Owned(kind.into_owned()))
        .map_err(|_| Bad::NoKind)
}

/// One member of a top-level object: the raw key without quotes, and the position of the raw value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key as written, escapes included.
    pub key: &'a [u8],
    /// The bytes of the value in the line.
    pub value: Range<usize>,
}

/// The top-level members of an object, in order. Ends with an error at the first malformed byte.
pub struct Members<'a> {
    line: &'a [u8],
    at: usize,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    First,
    Rest,
    Done,
}

impl<'a> Members<'a> {
    /// Begins at the start of the line.
    #[must_use]
    pub const fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0, state: State::First }
    }

    /// Begins behind a member, at the comma before the next one.
    #[must_use]
    pub const fn at_comma(line: &'a [u8], at: usize) -> Self {
        Self { line, at, state: State::Rest }
    }

    fn blanks(&mut self) {
        while matches!(self.line.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Bad> {
        self.blanks();
        if self.line.get(self.at) == Some(&byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Bad::NotAnObject)
        }
    }

    fn string(&mut self) -> Result<Range<usize>, Bad> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let found = mark(self.line, self.at).ok_or(Bad::NotAnObject)?;
            self.at = found + 1;
            if self.line.get(found) == Some(&b'"') {
                return Ok(start..found);
            }
            self.at += 1; // whatever is escaped
            if self.at > self.line.len() {
                return Err(Bad::NotAnObject);
            }
        }
    }

    fn value(&mut self) -> Result<Range<usize>, Bad> {
        self.blanks();
        let start = self.at;
        if self.line.get(start) == Some(&b'"') {
            self.string()?;
            // nearly always the end; anything else is looked at below
            if matches!(self.line.get(self.at), Some(b',' | b'}')) {
                return Ok(start..self.at);
            }
        }
        let mut depth = 0_u32;
        loop {
            match self.line.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b'}' | b']') if depth == 0 => break,
                Some(_) => self.at += 1,
                None => return Err(Bad::NotAnObject),
            }
        }
        let mut end = self.at;
        while end > start && matches!(self.line[end - 1], b' ' | b'\t' | b'\r' | b'\n') {
            end -= 1;
        }
        if end == start { Err(Bad::NotAnObject) } else { Ok(start..end) }
    }

    fn step(&mut self) -> Result<Option<Member<'a>>, Bad> {
        match self.state {
            State::Done => return Ok(None),
            State::First => self.expect(b'{')?,
            State::Rest => {}
        }
        self.blanks();
        if self.line.get(self.at) == Some(&b'}') {
            self.at += 1;
            self.blanks();
            self.state = State::Done;
            return if self.at == self.line.len() { Ok(None) } else { Err(Bad::NotAnObject) };
        }
        if self.state == State::Rest {
            self.expect(b',')?;
        }
        self.state = State::Rest;
        let key = self.string()?;
        self.expect(b':')?;
        let value = self.value()?;
        Ok(Some(Member { key: &self.line[key], value }))
    }
}

/// The place of the first quote or backslash from `at` on. Most texts are short, so the first bytes are
/// searched here, eight at a time: a call of memchr takes longer.
fn mark(line: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..4 {
        let Some(word) = line.get(at..).and_then(|rest| rest.first_chunk()) else { break };
        let word = u64::from_le_bytes(*word);
        // of the bits that are set, only the lowest is sure
        let found = zero_bytes(word ^ every_byte(b'"')) | zero_bytes(word ^ every_byte(b'\\'));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr::memchr2(b'"', b'\\', line.get(at..)?).map(|n| at + n)
}

const fn every_byte(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of the first byte that is zero; bits of later bytes may be wrong.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(every_byte(1)) & !word & every_byte(0x80)
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Bad>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.state = State::Done;
        }
        step.transpose()
    }
}

/// The position of the value of the top-level field `name`, if there is one.
///
/// # Errors
/// The line is not one object (checked only as far as the field).
pub fn find(line: &[u8], name: &str) -> Result<Option<Range<usize>>, Bad> {
    for member in Members::new(line) {
        let member = member?;
        if member.key == name.as_bytes() {
            return Ok(Some(member.value));
        }
    }
    Ok(None)
}

/// A raw JSON value is not text, or not the expected number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherType;

/// A raw JSON value as text; `None` for null.
///
/// # Errors
/// It is neither text nor null.
pub fn text(raw: &[u8]) -> Result<Option<Cow<'_, str>>, OtherType> {
    let inner = match raw {
        b"null" => return Ok(None),
        [b'"', inner @ .., b'"'] => inner,
        _ => return Err(OtherType),
    };
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).map(|text| Some(text.into())).map_err(|_| OtherType);
    }
    serde_json::from_slice::<String>(raw).map(|text| Some(text.into())).map_err(|_| OtherType)
}

/// The same for a value that may also be a number, which becomes its digits.
///
/// # Errors
/// It is neither text, a number, nor null.
pub fn text_or_digits(raw: &[u8]) -> Result<Option<Cow<'_, str>>, OtherType> {
    match raw {
        [b'-' | b'0'..=b'9', ..] => std::str::from_utf8(raw).map(|text| Some(text.into())).map_err(|_| OtherType),
        _ => text(raw),
    }
}

/// Writes `line` to `out` with the given fields set to raw JSON values: existing fields are
/// replaced in place, missing ones appended in the given order; every other byte is kept.
///
/// ```
/// let mut out = Vec::new();
/// let line = br#"{ "kind":"web", "ip":"192.0.2.17", "new":[1, 2] }"#;
/// schema::json::set_fields(line, &[("host", br#""a.example""#)], &mut out).unwrap();
/// assert_eq!(out, br#"{ "kind":"web", "ip":"192.0.2.17", "new":[1, 2] ,"host":"a.example"}"#);
/// ```
///
/// # Errors
/// The line is not one object; `out` is then unchanged.
pub fn set_fields(line: &[u8], fields: &[(&str, &[u8])], out: &mut Vec<u8>) -> Result<(), Bad> {
    let before = out.len();
    let mut copied = 0;
    let mut found = 0_u64;
    let mut n_members = 0;
    for member in Members::new(line) {
        let Ok(member) = member else {
            out.truncate(before);
            return Err(Bad::NotAnObject);
        };
        n_members += 1;
        if let Some(i) = fields.iter().position(|(name, _)| name.as_bytes() == member.key) {
            found |= 1 << i;
            out.extend_from_slice(&line[copied..member.value.start]);
            out.extend_from_slice(fields[i].1);
            copied = member.value.end;
        }
    }
    let close = memchr::memrchr(b'}', line).ok_or(Bad::NotAnObject)?;
    out.extend_from_slice(&line[copied..close]);
    for (i, (name, value)) in fields.iter().enumerate() {
        if found & (1 << i) == 0 {
            if n_members > 0 {
                out.push(b',');
            }
            n_members += 1;
            push_str(out, name);
            out.push(b':');
            out.extend_from_slice(value);
        }
    }
    out.extend_from_slice(&line[close..]);
    Ok(())
}

/// Appends `text` as a JSON string: `"`, `\` and control characters escaped, nothing else.
pub fn push_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_inside(out, text);
    out.push(b'"');
}

/// Appends a part of the text between the quotes of a JSON string.
pub fn push_inside(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[from..]);
}

/// Appends an integer in decimal.
pub fn push_int(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        {
            digits[at] = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_kind_of_a_line_is_found() {
        assert_eq!(kind_of(b"{\"kind\":\"web\",\"a\":1}").unwrap(), "web");
        assert_eq!(kind_of(b"{ \"a\" : [1,{\"kind\":2}], \"kind\" : \"x\\u0041\" }").unwrap(), "xA");
        assert_eq!(kind_of(b"{\"a\":1}"), Err(Bad::NoKind));
        assert_eq!(kind_of(b"{\"kind\":1}"), Err(Bad::NoKind));
        for bad in [
            &b""[..],
            b"x",
            b"{",
            b"{\"kind\":\"web\"",
            b"{\"a\"",
            b"{\"a\":}",
            b"{\"a\":1}x",
            b"{\"a\":\"\\",
            b"[]",
            b"{\"a\":1,,}",
        ] {
            assert_eq!(kind_of(bad), Err(Bad::NotAnObject), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn fields_are_set_in_place_or_appended() {
        let set = |line: &str| {
            let mut out = Vec::new();
            set_fields(line.as_bytes(), &[("host", b"\"h\""), ("n", b"2")], &mut out)
                .map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(set("{}").unwrap(), "{\"host\":\"h\",\"n\":2}");
        assert_eq!(set("{ \"x\": 1 }").unwrap(), "{ \"x\": 1 ,\"host\":\"h\",\"n\":2}");
        assert_eq!(set("{\"n\":{\"n\":1},\"x\":\"}\"}").unwrap(), "{\"n\":2,\"x\":\"}\",\"host\":\"h\"}");
        assert_eq!(set("{\"host\":null,\"n\":0}").unwrap(), "{\"host\":\"h\",\"n\":2}");
        assert_eq!(set("{\"host\":"), Err(Bad::NotAnObject));
    }

    proptest! {
        #[test]
        fn strings_agree_with_serde(text in any::<String>()) {
            let mut out = Vec::new();
            push_str(&mut out, &text);
            prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn integers(n in any::<i64>()) {
            let mut out = Vec::new();
            push_int(&mut out, n);
            prop_assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }

        #[test]
        fn scanning_never_panics(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = kind_of(&line);
            let _ = set_fields(&line, &[("a", b"1")], &mut Vec::new());
        }

        #[test]
        fn the_first_quote_or_backslash_is_found(
            line in proptest::collection::vec(prop_oneof![9 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\')], 0..90),
            at in 0_usize..95,
        ) {
            let slow = (at..line.len()).find(|&i| matches!(line[i], b'"' | b'\\'));
            prop_assert_eq!(mark(&line, at), slow);
        }

        #[test]
        fn scanning_agrees_with_serde(line in "[{]?(\"[a-c]{0,2}\":(1|\"x\"|[{][}]|null|\\[1,2\\]),? ?){0,4}[}]?") {
            let ours: Option<usize> = Members::new(line.as_bytes()).collect::<Result<Vec<_>, _>>().ok().map(|m| m.len());
            let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line).is_ok();
            if theirs {
                prop_assert!(ours.is_some(), "{}", line);
            }
        }
    }

    #[test]
    fn raw_values_become_text() {
        for (raw, expected) in [
            ("null", Ok(None)),
            (r#""a b""#, Ok(Some("a b"))),
            (r#""a\u002eb\"""#, Ok(Some("a.b\""))),
            ("\"\"", Ok(Some(""))),
            ("5", Err(OtherType)),
            ("true", Err(OtherType)),
            (r#"["a"]"#, Err(OtherType)),
            (r#""a\ud800""#, Err(OtherType)),
            ("\"", Err(OtherType)),
        ] {
            assert_eq!(text(raw.as_bytes()), expected.map(|text| text.map(Cow::from)), "{raw}");
        }
        assert_eq!(text(b"\"\xff\""), Err(OtherType));
        for (raw, expected) in [("-5", Some("-5")), ("0.5", Some("0.5")), (r#""7""#, Some("7")), ("null", None)] {
            assert_eq!(text_or_digits(raw.as_bytes()), Ok(expected.map(Cow::from)), "{raw}");
        }
        assert_eq!(text_or_digits(b"{}"), Err(OtherType));
    }
}
