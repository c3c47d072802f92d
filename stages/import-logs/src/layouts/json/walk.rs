//! A walk through a line of JSON: strings, numbers, objects; and what is between the quotes of a
//! string.
//!
//! Nothing is built: texts are parts of the line. Strings are unescaped by those who need that.

use kit::steps;

use crate::layouts::Text;

/// A scalar: the text between its quotes, or the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Scalar<'a> {
    pub(super) text: &'a [u8],
    has_escapes: bool,
}

/// A position in a line of JSON.
pub(super) struct Walk<'a> {
    text: &'a [u8],
    pub(super) at: usize,
}

/// Which bytes end or nest values.
static STRUCTURE: [bool; 256] = {
    let mut table = [false; 256];
    let mut i = 0;
    let marks = b"\"{}[]";
    while i < marks.len() {
        table[marks[i] as usize] = true;
        i += 1;
    }
    table
};

impl<'a> Walk<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            steps::add(1);
            self.at += 1;
        }
        None
    }

    /// Consumes a byte that must be there.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The string whose opening quote comes next.
    fn string(&mut self) -> Option<Scalar<'a>> {
        self.take(b'"')?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += self.plain()?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Some(Scalar { text: &self.text[start..self.at - 1], has_escapes });
            }
            has_escapes = true;
            self.at += 2;
        }
    }

    /// How many bytes come before a quote or a backslash.
    fn plain(&self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let step = mark(rest);
        steps::add(step.unwrap_or(rest.len()) + 1);
        step
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self) -> Scalar<'a> {
        let start = self.at;
        let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b'"' | b' ' | b'\t' | b'\r' | b'\n');
        let rest = &self.text[start..];
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
        steps::add(self.at - start + 1);
        let text = &self.text[start..self.at];
        Scalar { text: if text == b"null" { b"" } else { text }, has_escapes: false }
    }

    /// The end of the next value.
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    let rest = self.text.get(self.at..)?;
                    let step = rest.iter().position(|&b| STRUCTURE[usize::from(b)]);
                    steps::add(step.unwrap_or(rest.len()) + 1);
                    self.at += step?;
                    match self.text[self.at] {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        _ => depth -= 1,
                    }
                    self.at += 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
            }
            _ => {
                self.literal();
                Some(())
            }
        }
    }

    /// The next scalar, or the first one of an array; other values are skipped.
    pub(super) fn scalar(&mut self) -> Option<Option<Scalar<'a>>> {
        match self.peek()? {
            b'"' => self.string().map(Some),
            b'{' => self.skip().map(|()| None),
            b'[' => {
                let start = self.at;
                self.at += 1;
                let first = match self.peek()? {
                    b'"' => Some(self.string()?),
                    b'{' | b'[' | b']' => None,
                    _ => Some(self.literal()),
                };
                if self.peek() == Some(b']') {
                    self.at += 1;
                } else {
                    self.at = start;
                    self.skip()?;
                }
                Some(first)
            }
            _ => Some(Some(self.literal())),
        }
    }

    /// Calls `each` for every value of the next object, with its key; `each` consumes the value.
    pub(super) fn object(&mut self, mut each: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.take(b':')?;
            self.peek()?;
            each(self, key.text)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }
}

/// Where the first quote or backslash is.
fn mark(text: &[u8]) -> Option<usize> {
    // most strings are so short that a faster search would not pay off
    const SHORT: usize = 4;
    let (words, _) = text.as_chunks::<8>();
    for (i, word) in words.iter().take(SHORT).enumerate() {
        let word = u64::from_le_bytes(*word);
        let marks = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
        if marks != 0 {
            return Some(i * 8 + marks.trailing_zeros() as usize / 8);
        }
    }
    let done = words.len().min(SHORT) * 8;
    let rest = text.get(done..)?;
    let is_mark = |b: &u8| matches!(b, b'"' | b'\\');
    let found = if rest.len() < 8 { rest.iter().position(is_mark) } else { memchr::memchr2(b'"', b'\\', rest) };
    found.map(|at| done + at)
}

/// A one in each byte.
const EVERY: u64 = u64::MAX / 255;
const QUOTES: u64 = EVERY * b'"' as u64;
const BACKSLASHES: u64 = EVERY * b'\\' as u64;

/// The highest bit of the lowest byte that is zero, and maybe bits above it.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(EVERY) & !word & (EVERY << 7)
}

/// The text between the quotes of a string field of an object.
pub(crate) fn string_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut found = None;
    Walk::new(line).object(|walk, key| {
        if key == name && walk.peek() == Some(b'"') {
            found = Some(walk.string()?.text);
            return Some(());
        }
        walk.skip()
    })?;
    found
}

/// Whether an object has a string field of this name.
pub(crate) fn has_string(line: &[u8], name: &[u8]) -> bool {
    string_of(line, name).is_some()
}

/// Appends the text of an escaped string. Anything that is not a JSON escape stays as it is: nginx
/// writes `\x22` unless `escape=json` is set.
pub(crate) fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (byte, len) = match rest.get(at + 1) {
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'b') => (8, 2),
            Some(b'f') => (12, 2),
            Some(&byte @ (b'"' | b'\\' | b'/')) => (byte, 2),
            Some(b'u') => {
                if let Some((c, len)) = unicode(&rest[at..]) {
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[at + len..];
                    continue;
                }
                (b'\\', 1)
            }
            _ => (b'\\', 1),
        };
        out.push(byte);
        rest = &rest[at + len..];
    }
    out.extend_from_slice(rest);
}

/// The character of `\uXXXX`, or of two of them, and their length.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0_u32, |n, &d| Some(n * 16 + char::from(d).to_digit(16)?))
    };
    let first = unit(0)?;
    if !(0xD800..0xDC00).contains(&first) {
        return Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
    }
    match unit(6) {
        Some(second @ 0xDC00..0xE000) => {
            char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).map(|c| (c, 12))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 6)),
    }
}

impl<'a> Scalar<'a> {
    /// Whether it is empty or a dash.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self.text, b"" | b"-" | b"--")
    }

    /// The text between quotes, if it has some at both ends: Logstash keeps those of the line.
    pub(super) fn without_quotes(self) -> Self {
        let inner = self.text.strip_prefix(b"\\\"").and_then(|text| text.strip_suffix(b"\\\""));
        Self { text: inner.unwrap_or(self.text), ..self }
    }

    /// The text without escapes.
    pub(super) fn plain(self, made: &mut Vec<u8>) -> Text<'a> {
        if self.has_escapes { Text::make(made, |made| unescape(self.text, made)) } else { Text::Line(self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mark_is_found_wherever_it_is() {
        for len in 0..90 {
            for (at, byte) in (0..len).flat_map(|at| [(at, b'"'), (at, b'\\')]) {
                // neighbours of the marks, and what differs by the highest bit
                let mut text: Vec<u8> = b"!#[]\xA2\xDC\0\xFF".iter().copied().cycle().take(len).collect();
                assert_eq!(mark(&text), None);
                text[at..].fill(b'"');
                text[at] = byte;
                assert_eq!(mark(&text), Some(at), "{len}");
            }
        }
    }

    #[test]
    fn escapes_of_json_and_of_nginx_are_read() {
        let plain = |text: &str| {
            let mut out = Vec::new();
            unescape(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        for (text, expected) in [
            (r#"a\"b\\c\/d\n"#, "a\"b\\c/d\n"),
            (r"\u00e9\ud83d\ude00", "é😀"),
            (r"\ud83dx", "\u{FFFD}x"),
            (r"\x22\u12", r"\x22\u12"),
            ("\\", "\\"),
            (r"\b\f\r\t", "\u{8}\u{c}\r\t"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}
