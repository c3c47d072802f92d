//! Text as the tables store it: valid UTF-8 of at most three bytes per character, cut to the
//! column.
//!
//! Log text is bytes. Before it becomes a record it is made storable in the same way as legacy's
//! connection does it, so that the pipe and the database have the same value.

use std::borrow::Cow;

/// Width of a TINYTEXT column, in bytes.
pub const TINYTEXT: usize = 255;

/// Log bytes as stored text: each byte that is not part of valid UTF-8 becomes `?`, and so does
/// each four-byte character. Borrows if nothing changes.
#[must_use]
pub fn storable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && (text.is_ascii() || text.chars().all(|c| c.len_utf8() < 4))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.extend(chunk.valid().chars().map(|c| if c.len_utf8() == 4 { '?' } else { c }));
        out.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    Cow::Owned(out)
}

/// Cut to at most `width` bytes, never inside a character (TINYTEXT).
#[must_use]
pub fn cut_bytes(text: &str, width: usize) -> &str {
    if text.len() <= width { text } else { &text[..text.floor_char_boundary(width)] }
}

/// Cut to at most `width` characters (VARCHAR).
#[must_use]
pub fn cut_chars(text: &str, width: usize) -> &str {
    if text.len() <= width {
        return text;
    }
    text.char_indices().nth(width).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_become_question_marks() {
        assert!(matches!(storable(b"plain"), Cow::Borrowed("plain")));
        assert!(matches!(storable("Ünï".as_bytes()), Cow::Borrowed("Ünï")));
        assert_eq!(storable(b"a\xff\xfeb"), "a??b");
        assert_eq!(storable("x\u{1F600}y".as_bytes()), "x?y");
        assert_eq!(storable(b"\xc3"), "?");
        assert_eq!(storable(b"\xe2\x82z"), "??z");
    }

    #[test]
    fn cuts_never_split_a_character() {
        assert_eq!(cut_bytes("aé", 2), "a");
        assert_eq!(cut_bytes("aé", 3), "aé");
        assert_eq!(cut_chars("aéb", 2), "aé");
        assert_eq!(cut_chars("aéb", 3), "aéb");
    }
}
