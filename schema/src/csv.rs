//! Records as CSV rows: one kind per stream; the first column is `kind`.
//!
//! A cell contains the plain text of a text field or the digits of a number. `\N` is an absent
//! field; a text that begins with a backslash gets another one; `\=` is followed by raw JSON if a
//! value does not have the type of its column. With these three rules every record survives the
//! conversion to CSV and back byte for byte, provided that its fields are in canonical order.

use std::borrow::Cow;

use crate::json::{self, Bad, Members};
use crate::kind::{Kind, KindSpec, Type};

/// The cell of an absent field.
pub const ABSENT: &str = "\\N";

/// The columns of a CSV stream of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    kind: String,
    columns: Vec<(String, Option<Type>)>,
}

impl Header {
    /// The columns of a known kind.
    #[must_use]
    pub fn of(spec: &KindSpec) -> Self {
        let columns = spec.columns.iter().map(|c| (c.name.to_owned(), Some(c.ty))).collect();
        Self { kind: spec.name.to_owned(), columns }
    }

    /// The columns for a stream that begins with `line`: those of its kind, then any other fields
    /// of the line.
    ///
    /// # Errors
    /// The line is not a record.
    pub fn for_line(line: &[u8]) -> Result<Self, Bad> {
        let kind = json::kind_of(line)?;
        let mut header = Kind::from_name(&kind)
            .map_or_else(|| Self { kind: kind.to_string(), columns: Vec::new() }, |k| Self::of(k.spec()));
        for member in Members::new(line) {
            let key = text_of_key(member?.key);
            if key != "kind" && !header.columns.iter().any(|(name, _)| *name == key) {
                header.columns.push((key.into_owned(), None));
            }
        }
        Ok(header)
    }

    /// Reads a header row. Without a `kind` column, `default` is the kind.
    ///
    /// # Errors
    /// The row names no columns, or its kind cannot be determined.
    pub fn from_row<'a>(names: impl Iterator<Item = &'a str>, default: Option<Kind>) -> Result<Self, String> {
        let names: Vec<_> = names.map(|n| n.trim_start_matches('\u{FEFF}').to_owned()).collect();
        let has_kind = names.iter().any(|n| n == "kind");
        let guessed = if has_kind {
            None
        } else {
            let known = |spec: &&KindSpec| names.iter().all(|n| spec.columns.iter().any(|c| c.name == n));
            let kind = default.or_else(|| Kind::ALL.iter().find(known).map(|spec| spec.kind));
            Some(kind.ok_or("there is no column `kind`, and the columns match no known kind")?)
        };
        let columns = names.into_iter().map(|name| (name, None)).collect();
        Ok(Self { kind: guessed.map_or_else(String::new, |k| k.name().to_owned()), columns })
    }

    /// The kind of every record of the stream; empty if each row has its own.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The header row of a stream to write.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once("kind").chain(self.columns.iter().map(|(name, _)| name.as_str()))
    }

    /// The cells of one record of this kind, `kind` first; also how many of its fields are left out
    /// because they have no column.
    ///
    /// # Errors
    /// The line is not a record.
    pub fn row<'a>(&self, line: &'a [u8]) -> Result<(Vec<Cow<'a, str>>, usize), Bad> {
        let mut cells = vec![Cow::Borrowed(ABSENT); self.columns.len() + 1];
        cells[0] = Cow::Owned(self.kind.clone());
        let mut n_left_out = 0;
        for member in Members::new(line) {
            let member = member?;
            let key = text_of_key(member.key);
            if key == "kind" {
                continue;
            }
            match self.columns.iter().position(|(name, _)| *name == key) {
                Some(at) => cells[at + 1] = cell(&line[member.value], self.columns[at].1)?,
                None => n_left_out += 1,
            }
        }
        Ok((cells, n_left_out))
    }

    /// Writes the record of one row under this header to `out`, as a JSON line without its line
    /// feed.
    ///
    /// # Errors
    /// The row has no kind, or not as many cells as the header: a comma may be missing or too many, so that a cell
    /// would be under another name.
    pub fn line<'a>(&self, cells: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let cells: Vec<_> = cells.collect();
        if cells.len() != self.columns.len() {
            return Err("not as many cells as the header");
        }
        let at = self.columns.iter().position(|(name, _)| name == "kind");
        let kind = at
            .map_or(Some(self.kind.as_str()), |at| cells.get(at).copied())
            .filter(|k| !k.is_empty())
            .ok_or("no kind")?;
        let spec = Kind::from_name(kind).map(Kind::spec);
        out.extend_from_slice(b"{\"kind\":");
        json::push_str(out, kind);
        for ((name, _), cell) in self.columns.iter().zip(cells) {
            if name == "kind" || cell == ABSENT {
                continue;
            }
            out.push(b',');
            json::push_str(out, name);
            out.push(b':');
            push_value(cell, spec.and_then(|s| s.columns.iter().find(|c| c.name == name)).map(|c| c.ty), out);
        }
        out.push(b'}');
        Ok(())
    }
}

fn text_of_key(raw: &[u8]) -> Cow<'_, str> {
    if raw.contains(&b'\\') {
        let quoted = [b"\"", raw, b"\""].concat();
        if let Ok(text) = serde_json::from_slice::<String>(&quoted) {
            return Cow::Owned(text);
        }
    }
    String::from_utf8_lossy(raw)
}

/// Whether the text is a JSON number.
fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

/// The cell of a raw JSON value.
fn cell(raw: &[u8], ty: Option<Type>) -> Result<Cow<'_, str>, Bad> {
    let raw = std::str::from_utf8(raw).map_err(|_| Bad::NotAnObject)?;
    let wants_number = matches!(ty, Some(Type::Int | Type::Float));
    if let Some(rest) = raw.strip_prefix('"') {
        let text: Cow<'_, str> = match rest.strip_suffix('"') {
            Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
            _ => Cow::Owned(serde_json::from_str(raw).map_err(|_| Bad::NotAnObject)?),
        };
        let mut again = Vec::with_capacity(raw.len());
        json::push_str(&mut again, &text);
        let as_is = again == raw.as_bytes() && !wants_number && !(ty.is_none() && is_number(&text));
        return Ok(if !as_is {
            Cow::Owned(format!("\\={raw}"))
        } else if text.starts_with('\\') {
            Cow::Owned(format!("\\{text}"))
        } else {
            text
        });
    }
    let plain_number = is_number(raw) && (wants_number || ty.is_none());
    Ok(if plain_number { Cow::Borrowed(raw) } else { Cow::Owned(format!("\\={raw}")) })
}

/// The JSON value of a cell. A cell in a number column that is not a number stays text.
fn push_value(cell: &str, ty: Option<Type>, out: &mut Vec<u8>) {
    if let Some(raw) = cell.strip_prefix("\\=")
        && serde_json::from_str::<&serde_json::value::RawValue>(raw).is_ok()
    {
        out.extend_from_slice(raw.as_bytes());
    } else if matches!(ty, Some(Type::Int | Type::Float) | None) && is_number(cell) {
        out.extend_from_slice(cell.as_bytes());
    } else {
        json::push_str(out, if cell.starts_with("\\\\") { &cell[1..] } else { cell });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(line: &str) -> String {
        let header = Header::for_line(line.as_bytes()).unwrap();
        let (cells, n_left_out) = header.row(line.as_bytes()).unwrap();
        assert_eq!(n_left_out, 0);
        let read = Header::from_row(header.names(), None).unwrap();
        let mut out = Vec::new();
        read.line(cells.iter().map(AsRef::as_ref), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_come_back_unchanged() {
        for line in [
            r#"{"kind":"hits","datetime":"2025-07-10 00:00:00","hits":3}"#,
            r#"{"kind":"web","datetime":"2025-07-10 01:02:03","ip":"1.2.3.4","content":"/a,\"b\"\n","referrer":"","useragent":"\\N"}"#,
            r#"{"kind":"web","ip":null,"content":5,"uidNumber":"7","host":"\u00e9"}"#,
            r#"{"kind":"web","ip":"1.2.3.4","extra":"12","more":12,"deep":{"a":[1]},"none":null,"t":true}"#,
            r#"{"kind":"unheard of","b":"x","a":1.50}"#,
            r#"{"kind":"bot","useragent":"\\\\=x"}"#,
        ] {
            assert_eq!(round_trip(line), line);
        }
    }

    #[test]
    fn a_header_without_kind_is_recognised_by_its_columns() {
        let header = Header::from_row(["datetime", "hits"].into_iter(), None).unwrap();
        let mut out = Vec::new();
        header.line(["2025-07-10 00:00:00", "3"].into_iter(), &mut out).unwrap();
        assert_eq!(out, br#"{"kind":"hits","datetime":"2025-07-10 00:00:00","hits":3}"#);
        assert!(Header::from_row(["a", "b"].into_iter(), None).is_err());
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>(), n in any::<i32>()) {
            for line in [
                format!("{{\"kind\":\"web\",\"content\":{},\"uidNumber\":{n}}}", serde_json::to_string(&text).unwrap()),
                format!("{{\"kind\":\"other\",\"content\":{},\"uidNumber\":\"{n}\"}}", serde_json::to_string(&text).unwrap()),
            ] {
                prop_assert_eq!(round_trip(&line), line);
            }
        }
    }
}
