//! A `web` record in the fields that the section counts by.

use std::borrow::Cow;

use schema::{Stamp, json};

/// One request. Texts that are absent are empty.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) when: Stamp,
    pub(super) ip: Cow<'a, str>,
    pub(super) content: Cow<'a, str>,
    pub(super) referrer: Cow<'a, str>,
    pub(super) agent: Cow<'a, str>,
    pub(super) host: Cow<'a, str>,
    pub(super) domain: Cow<'a, str>,
    pub(super) country: Cow<'a, str>,
    pub(super) is_download: bool,
}

impl<'a> Request<'a> {
    /// # Errors
    /// The line is not a record, a field is not text, or there is no day.
    pub(super) fn from_line(line: &'a [u8]) -> Result<Self, String> {
        let mut request = Self {
            when: Stamp::ZERO,
            ip: Cow::default(),
            content: Cow::default(),
            referrer: Cow::default(),
            agent: Cow::default(),
            host: Cow::default(),
            domain: Cow::default(),
            country: Cow::default(),
            is_download: false,
        };
        for member in json::Members::new(line) {
            let member = member.map_err(|bad| bad.reason().to_owned())?;
            let raw = line.get(member.value).unwrap_or_default();
            request.set(member.key, raw).map_err(|_| format!("`{}`", String::from_utf8_lossy(member.key)) + WRONG)?;
        }
        let has_day = request.when.is_calendar_day();
        if has_day { Ok(request) } else { Err("`datetime` is not a day".to_owned()) }
    }

    fn set(&mut self, key: &[u8], raw: &'a [u8]) -> Result<(), json::OtherType> {
        let text = || json::text(raw).map(Option::unwrap_or_default);
        match key {
            b"datetime" => self.when = Stamp::parse(&text()?).ok_or(json::OtherType)?,
            b"ip" => self.ip = text()?,
            b"content" => self.content = text()?,
            b"referrer" => self.referrer = text()?,
            b"useragent" => self.agent = text()?,
            b"host" => self.host = text()?,
            b"domain" => self.domain = text()?,
            b"ipcountry" => self.country = text()?,
            b"dnload" => self.is_download = matches!(raw, b"1" | b"\"1\""),
            _ => {}
        }
        Ok(())
    }
}

/// What is wrong with a field.
const WRONG: &str = " is not what it should be";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_bad_ones_refused() {
        let line =
            br#"{"kind":"web","datetime":"2025-07-10 11:00:00","ip":"1.2.3.4","content":"\/a","dnload":1,"x":[1]}"#;
        let request = Request::from_line(line).unwrap();
        assert_eq!((&*request.ip, &*request.content, request.is_download), ("1.2.3.4", "/a", true));
        for bad in [
            r#"{"kind":"web"}"#,
            r#"{"kind":"web","datetime":"2025-07-00 00:00:00"}"#,
            r#"{"kind":"web","datetime":"soon"}"#,
            r#"{"kind":"web","datetime":"2025-07-10 11:00:00","ip":5}"#,
            r#"{"kind":"web","datetime":"2025-07-10 11:00:00""#,
        ] {
            assert!(Request::from_line(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
