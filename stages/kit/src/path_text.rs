//! Paths and file names as text, without loss: Unix paths are bytes, but records and tables contain
//! text.
//!
//! A path that is UTF-8 is written as it is. Any other path appears in a record twice: as `path`, with
//! U+FFFD for each invalid byte, for people; and percent-encoded as `path_bytes`, for programs. A file
//! name in the ledger has `/XX` for a byte that the column cannot hold: since file names contain no
//! slashes, two names never become equal.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use schema::{json, text};
use xxhash_rust::xxh3::xxh3_64;

/// The maximum length of a name with `/XX`, in characters: the column has 255, and the suffixes for
/// contents and parts need some of them.
const LONGEST: usize = 220;

/// The value of `path_bytes`: `%` and each byte that is not part of valid UTF-8 as `%XX`. `None` for a
/// path that is UTF-8 and needs no such field.
///
/// ```
/// use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};
///
/// let path = Path::new(OsStr::from_bytes(b"daily/100%-access.log-1\xff"));
/// let text = kit::path_text::encoded(path).unwrap();
/// assert_eq!(text, "daily/100%25-access.log-1%FF");
/// assert_eq!(kit::path_text::decoded(&text).unwrap(), path);
/// ```
#[must_use]
pub fn encoded(path: &Path) -> Option<String> {
    if path.to_str().is_some() {
        return None;
    }
    let mut out = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        out.push_str(&chunk.valid().replace('%', "%25"));
        push_escaped(&mut out, '%', chunk.invalid());
    }
    Some(out)
}

/// The inverse of [`encoded`]; `None` if a `%` is not followed by two hexadecimal digits.
#[must_use]
pub fn decoded(text: &str) -> Option<PathBuf> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(OsString::from_vec(bytes).into())
}

fn push_escaped(out: &mut String, mark: char, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(out, "{mark}{byte:02X}");
    }
}

/// Appends the fields `path` and, if needed, `path_bytes`, without a comma before or after them.
pub fn push_fields(line: &mut Vec<u8>, path: &Path) {
    line.extend_from_slice(b"\"path\":");
    json::push_str(line, &path.to_string_lossy());
    if let Some(encoded) = encoded(path) {
        line.extend_from_slice(b",\"path_bytes\":");
        json::push_str(line, &encoded);
    }
}

/// A file name for the ledger and messages. It is unchanged if the column can hold it; otherwise each byte
/// that it cannot hold becomes `/XX`, and a name that is then too long ends with `//` and a hash.
#[must_use]
pub fn name(name: &OsStr) -> Cow<'_, str> {
    let bytes = name.as_bytes();
    if let Some(text) = name.to_str()
        && matches!(text::storable(bytes), Cow::Borrowed(_))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.len_utf8() {
                4 => push_escaped(&mut out, '/', c.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => out.push(c),
            }
        }
        push_escaped(&mut out, '/', chunk.invalid());
    }
    if text::cut_chars(&out, LONGEST) != out {
        out = format!("{}//{:016X}", text::cut_chars(&out, LONGEST - 18), xxh3_64(bytes));
    }
    Cow::Owned(out)
}

/// The [`name`] of the last component of a path.
#[must_use]
pub fn base_name(path: &Path) -> String {
    name(path.file_name().unwrap_or_default()).into_owned()
}

/// A path in a record, for `#[serde(flatten, with = "kit::path_text::fields")]`: the two fields.
pub mod fields {
    use std::borrow::Cow;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    #[derive(Serialize, Deserialize)]
    struct Fields<'a> {
        path: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path_bytes: Option<String>,
    }

    /// Writes the fields.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        Fields { path: path.to_string_lossy(), path_bytes: super::encoded(path) }.serialize(serializer)
    }

    /// Reads the fields.
    ///
    /// # Errors
    /// There is no `path`, or `path_bytes` is not percent-encoded.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        let Fields { path, path_bytes } = Fields::deserialize(deserializer)?;
        let bad = || de::Error::custom("`path_bytes` is not percent-encoded");
        path_bytes.map_or_else(|| Ok(path.into_owned().into()), |text| super::decoded(&text).ok_or_else(bad))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    fn os(bytes: &[u8]) -> &OsStr {
        OsStr::from_bytes(bytes)
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        kind: String,
        #[serde(flatten, with = "fields")]
        path: PathBuf,
        n: u64,
    }

    #[test]
    fn a_path_is_unchanged_after_writing_and_reading() {
        for bytes in [b"/a/b%FF" as &[u8], "/é/\u{1F600}".as_bytes(), b"", b"/a\xff/b%25", b"\xc3(\xe2\x82", b"\xff\0%"]
        {
            let record = Record { kind: "x".to_owned(), path: PathBuf::from(os(bytes)), n: 7 };
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record, "{text}");
            let mut by_hand = b"{\"kind\":\"x\",".to_vec();
            push_fields(&mut by_hand, &record.path);
            by_hand.extend_from_slice(b",\"n\":7}");
            assert_eq!(String::from_utf8(by_hand).unwrap(), text);
            assert_eq!(text.contains("path_bytes"), std::str::from_utf8(bytes).is_err());
        }
        let text = r#"{"kind":"x","path":"/a/é%FF","n":7}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Record>(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn invalid_percent_encoding_is_refused() {
        for text in ["%", "a%F", "%+1", "%é", "%GG", "%%41"] {
            assert_eq!(decoded(text), None, "{text}");
            let record = format!(r#"{{"kind":"x","path":"a","path_bytes":"{text}","n":7}}"#);
            assert!(serde_json::from_str::<Record>(&record).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Record>(r#"{"kind":"x","path_bytes":"a","n":7}"#).is_err());
        assert_eq!(decoded("a%ff%C3").unwrap().as_os_str(), os(b"a\xff\xc3"));
    }

    #[test]
    fn different_files_have_different_ledger_names() {
        for same in ["hub-access.log-20250710.gz", "é%FF", "a?b", ""] {
            assert_eq!(name(same.as_ref()), same);
        }
        assert_eq!(name(os(b"a\xff\xfe.gz")), "a/FF/FE.gz");
        assert_eq!(name("a\u{1F600}b".as_ref()), "a/F0/9F/98/80b");
        let long = |last: u8| [&[b'\xff'; 200][..], &[last]].concat();
        let (one, other) = (long(1), long(2));
        assert_eq!(name(os(&one)).len(), LONGEST);
        assert_ne!(name(os(&one)), name(os(&other)));
        assert_eq!(base_name(Path::new(os(b"/x\xff/y\xff"))), "y/FF");
        assert_eq!(base_name(Path::new("/")), "");
    }
}
