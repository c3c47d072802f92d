//! A position in a line that moves from field to field: words, quoted and bracketed texts.
//!
//! Shared by the layouts whose fields are separated by blanks. Each step is linear in the bytes it
//! consumes.

use kit::steps;

/// The rest of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
}

/// The first quote at or after `from` that is not escaped by a backslash.
pub(super) fn closing_quote(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let step = memchr::memchr2(b'"', b'\\', text.get(at..)?);
        steps::add(step.unwrap_or(text.len() - at) + 1);
        at += step?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Whether a field may end before this.
pub(super) fn is_end(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b' ' | b'\t'))
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// Skips blanks and tabs.
    pub(super) fn blanks(&mut self) {
        let n = self.rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        steps::add(n + 1);
        self.rest = &self.rest[n..];
    }

    /// The next word; empty at the end of the line.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.blanks();
        let end = memchr::memchr2(b' ', b'\t', self.rest).unwrap_or(self.rest.len());
        steps::add(end + 1);
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Whether a quoted text comes next.
    pub(super) fn is_at_quote(&self) -> bool {
        self.rest.first() == Some(&b'"')
    }

    /// The next quoted text. It ends at the first unescaped quote that is followed by a blank or
    /// the end of the line, so an unescaped quote inside affects no other field. `None` if the
    /// opening or closing quote is missing.
    pub(super) fn quoted(&mut self) -> Option<&'a [u8]> {
        self.blanks();
        let inner = self.rest.strip_prefix(b"\"")?;
        let mut from = 0;
        loop {
            let end = closing_quote(inner, from)?;
            if is_end(&inner[end + 1..]) {
                self.rest = &inner[end + 1..];
                return Some(&inner[..end]);
            }
            from = end + 1;
        }
    }

    /// The next text in brackets.
    pub(super) fn bracketed(&mut self) -> Option<&'a [u8]> {
        self.blanks();
        let inner = self.rest.strip_prefix(b"[")?;
        let end = memchr::memchr(b']', inner)?;
        steps::add(end + 1);
        self.rest = &inner[end + 1..];
        Some(&inner[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_one_after_the_other() {
        let mut cursor = Cursor::new(br#"a  "b\" "c" d" [e] "" "f"#);
        assert_eq!(cursor.word(), b"a");
        assert_eq!(cursor.quoted(), Some(&br#"b\" "c"#[..]));
        assert_eq!(cursor.word(), b"d\"");
        assert_eq!(cursor.bracketed(), Some(&b"e"[..]));
        assert_eq!(cursor.quoted(), Some(&b""[..]));
        cursor.blanks();
        assert!(cursor.is_at_quote());
        assert_eq!(cursor.quoted(), None);
        assert_eq!((cursor.bracketed(), cursor.word()), (None, &b"\"f"[..]));
        assert_eq!(cursor.word(), b"");
    }
}
