//! Text in an encoding whose characters have two or four bytes each: it is named, not read.

/// An encoding with wide characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wide {
    Utf16,
    Utf32,
}

impl Wide {
    /// The encoding of a text or a line, as far as its first characters show it. What a line begins with may
    /// be the rest of the last character of the line before, and zeros at the start of a file may be missing.
    #[inline]
    pub(crate) const fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, 0xFE, 0, 0, ..] | [0xFE, 0xFF, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some(Self::Utf32),
            [0x20..=0x7E, 0, 0, 0, 0x20..=0x7E, 0, 0, 0, ..] | [0, 0, 0, 0x20..=0x7E, 0, 0, 0, 0x20..=0x7E, ..] => {
                Some(Self::Utf32)
            }
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some(Self::Utf16),
            [0x20..=0x7E, 0, 0x20..=0x7E, 0, ..] | [0, 0x20..=0x7E, 0, 0x20..=0x7E, ..] => Some(Self::Utf16),
            _ => None,
        }
    }

    /// Why a line is not read.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Utf16 => "the text is UTF-16, not UTF-8",
            Self::Utf32 => "the text is UTF-32, not UTF-8",
        }
    }

    /// What a file is.
    pub(crate) const fn form(self) -> &'static str {
        match self {
            Self::Utf16 => "UTF-16 text; ASCII or UTF-8 is read",
            Self::Utf32 => "UTF-32 text; ASCII or UTF-8 is read",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_text_is_recognised_by_its_mark_or_its_zeros() {
        let text = "192.0.2.1 - -";
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let utf32: Vec<u32> = text.chars().map(u32::from).collect();
        let little16: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big16: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let little32: Vec<u8> = utf32.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big32: Vec<u8> = utf32.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for (mark, text, wide) in [
            (&[0xFF, 0xFE][..], &little16, Wide::Utf16),
            (&[0xFE, 0xFF], &big16, Wide::Utf16),
            (&[0xFF, 0xFE, 0, 0], &little32, Wide::Utf32),
            (&[0, 0, 0xFE, 0xFF], &big32, Wide::Utf32),
            // zeros at the start of a file are skipped
            (&[0xFE, 0xFF], &big32, Wide::Utf32),
        ] {
            assert_eq!(Wide::of(&[mark, text].concat()), Some(wide), "{mark:?}");
            assert_eq!(Wide::of(text), Some(wide), "{mark:?}");
        }
        // the rest of a line feed in front
        assert_eq!(Wide::of(&[&[0, 0, 0][..], &little32].concat()), Some(Wide::Utf32));
        for text in [&b"192.0.2.1"[..], b"\0\0\x00192.0.2.1", b"\0", b"", b"a\0b", b"\xEF\xBB\xBFa"] {
            assert_eq!(Wide::of(text), None, "{text:?}");
        }
    }
}
