//! The fields of a record line that the run needs, found in one pass.

use std::borrow::Cow;

use schema::json::{self, Members};
use schema::{Kind, Stamp};

/// The fields of a `web`, `toolstart` or `session` record; absent and `null` are the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields<'a> {
    pub(crate) datetime: Option<Stamp>,
    pub(crate) ip: Option<Cow<'a, str>>,
    pub(crate) host: Option<Cow<'a, str>>,
    pub(crate) domain: Option<Cow<'a, str>>,
    pub(crate) ipcountry: Option<Cow<'a, str>>,
    /// Session of a request or tool start; for a session, its own number.
    pub(crate) session: u32,
    pub(crate) success: bool,
    /// Part and piece, of a request whose session is left to the join.
    pub(crate) piece: Option<(u32, u32)>,
    /// Offset of the clock from UTC in seconds, if clocks show that time twice.
    pub(crate) utc_offset: Option<i32>,
    /// Whether one of the fields that the stage sets is there.
    pub(crate) has_results: bool,
}

/// A line of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    Web(Fields<'a>),
    Tool(Fields<'a>),
    Session(Fields<'a>),
    /// What one part made, for the join.
    Piece,
    /// The end of what one part made.
    PartEnd,
    /// A record of another kind.
    Other,
}

/// The kinds that are parsed.
pub(crate) fn kind_of(line: &[u8]) -> Result<Option<Kind>, &'static str> {
    let kind = json::kind_of(line).map_err(json::Bad::reason)?;
    Ok(Kind::from_name(&kind)
        .filter(|kind| matches!(kind, Kind::Web | Kind::Toolstart | Kind::Session | Kind::SessionPart | Kind::PartEnd)))
}

/// The fields that the stage sets, in this order.
const RESULTS: [&[u8]; 4] = [b"domain", b"ipcountry", b"sessionid", b"session_part"];

/// Parses a line.
pub(crate) fn parse(line: &[u8]) -> Result<Parsed<'_>, &'static str> {
    let kind = match kind_of(line)? {
        None => return Ok(Parsed::Other),
        Some(Kind::SessionPart) => return Ok(Parsed::Piece),
        Some(Kind::PartEnd) => return Ok(Parsed::PartEnd),
        Some(kind) => kind,
    };
    let session_field: &[u8] = if kind == Kind::Session { b"id" } else { b"sessionid" };
    let mut fields = Fields::default();
    for member in Members::new(line) {
        let member = member.map_err(json::Bad::reason)?;
        let value = &line[member.value];
        fields.has_results |= RESULTS.contains(&member.key);
        match member.key {
            b"datetime" => fields.datetime = stamp(value)?,
            b"ip" => fields.ip = text(value, "field `ip` is not text")?,
            b"host" => fields.host = text(value, "field `host` is not text")?,
            b"domain" => fields.domain = text(value, "field `domain` is not text")?,
            b"ipcountry" => fields.ipcountry = text(value, "field `ipcountry` is not text")?,
            b"utc_offset" => fields.utc_offset = number(value).and_then(|n| i32::try_from(n).ok()),
            b"session_part" if kind == Kind::Web => fields.piece = piece(value)?,
            b"success" => fields.success = number(value) == Some(1),
            key if key == session_field => {
                fields.session = number(value)
                    .and_then(|n| u32::try_from(n).ok())
                    .ok_or("the number of the session is not an integer from 0 to 4294967295")?;
            }
            _ => {}
        }
    }
    Ok(match kind {
        Kind::Web => Parsed::Web(fields),
        Kind::Toolstart => Parsed::Tool(fields),
        _ => Parsed::Session(fields),
    })
}

fn text<'a>(raw: &'a [u8], why: &'static str) -> Result<Option<Cow<'a, str>>, &'static str> {
    json::text(raw).map_err(|_| why)
}

/// Part and number of a piece, written `2:17`.
fn piece(raw: &[u8]) -> Result<Option<(u32, u32)>, &'static str> {
    const WHY: &str = "field `session_part` is not a part and a number";
    let Some(text) = text(raw, WHY)? else { return Ok(None) };
    let numbers = text.split_once(':').and_then(|(part, number)| Some((part.parse().ok()?, number.parse().ok()?)));
    numbers.map(Some).ok_or(WHY)
}

fn stamp(raw: &[u8]) -> Result<Option<Stamp>, &'static str> {
    let text = text(raw, "field `datetime` is not text")?;
    text.map(|text| Stamp::parse(&text).ok_or("field `datetime` is not a datetime")).transpose()
}

/// A raw JSON value as an integer, also if it is written as text; null is 0.
fn number(raw: &[u8]) -> Option<i64> {
    if raw == b"null" {
        return Some(0);
    }
    let digits = raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(raw);
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(line: &str) -> Fields<'_> {
        match parse(line.as_bytes()) {
            Ok(Parsed::Web(fields)) => fields,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fields_are_found_anywhere() {
        let fields = web(
            r#"{"kind":"web","id":5,"sessionid":7,"domain":null,"host":"a\u002eb","datetime":"2025-07-01 00:00:01","ip":"1.1.1.1","x":{"ip":"2"}}"#,
        );
        assert_eq!(fields.session, 7);
        assert_eq!(fields.host.as_deref(), Some("a.b"));
        assert_eq!(fields.ip.as_deref(), Some("1.1.1.1"));
        assert_eq!((fields.domain, fields.ipcountry), (None, None));
        assert_eq!(fields.datetime, Stamp::parse("2025-07-01 00:00:01"));
        assert_eq!(web(r#"{"kind":"web"}"#), Fields::default());
        assert_eq!(web(r#"{"kind":"web","sessionid":null}"#).session, 0);
        assert_eq!(web(r#"{"kind":"web","sessionid":"12"}"#).session, 12);
        assert_eq!(web(r#"{"kind":"web","utc_offset":-14400}"#).utc_offset, Some(-14400));
    }

    #[test]
    fn other_kinds_are_not_parsed() {
        assert_eq!(parse(br#"{"kind":"login","ip":5}"#), Ok(Parsed::Other));
        assert!(matches!(parse(br#"{"kind":"session","id":9}"#), Ok(Parsed::Session(Fields { session: 9, .. }))));
        for (success, expected) in [("1", true), ("\"1\"", true), ("0", false), ("null", false), ("true", false)] {
            let line = format!("{{\"kind\":\"toolstart\",\"success\":{success}}}");
            assert!(matches!(parse(line.as_bytes()), Ok(Parsed::Tool(fields)) if fields.success == expected));
        }
    }

    #[test]
    fn fields_of_wrong_types_have_a_reason() {
        for (line, reason) in [
            ("{}", "no field `kind`"),
            ("[]", "not a JSON object"),
            (r#"{"kind":"web","ip":5}"#, "field `ip` is not text"),
            (r#"{"kind":"web","datetime":"2025-02-30 00:00:00"}"#, "field `datetime` is not a datetime"),
            (r#"{"kind":"web","datetime":20250701}"#, "field `datetime` is not text"),
            (r#"{"kind":"web","host":["a"]}"#, "field `host` is not text"),
            (r#"{"kind":"web","sessionid":-1}"#, "the number of the session is not an integer from 0 to 4294967295"),
            (r#"{"kind":"web","host":"a"#, "not a JSON object"),
        ] {
            assert_eq!(parse(line.as_bytes()), Err(reason), "{line}");
        }
    }
}
