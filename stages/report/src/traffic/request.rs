//! A `web` record in the fields that the section counts by.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
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
        let mut members = json::Members::new(line);
        let mut n_early = 0;
        while let Some(member) = members.next() {
            let member = member.map_err(|bad| bad.reason().to_owned())?;
            let raw = line.get(member.value.clone()).unwrap_or_default();
            request.set(member.key, raw).map_err(|_| format!("`{}`", String::from_utf8_lossy(member.key)) + WRONG)?;
            n_early += u32::from(EARLY.contains(&member.key));
            if n_early == EARLY.len() as u32 && member.key == b"useragent" {
                match late(line, member.value.end) {
                    Late::At(comma) => members = json::Members::at_comma(line, comma),
                    Late::None => break,
                    Late::Unknown => {}
                }
            }
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

/// The fields that `import-logs` writes first, the last of them last. Between them and the others that are used are
/// ten more, which are not looked at: whoever reads the records otherwise does not either.
const EARLY: [&[u8]; 5] = [b"datetime", b"ip", b"content", b"referrer", b"useragent"];

/// Where the others begin.
enum Late {
    /// At this comma.
    At(usize),
    None,
    /// Something is nested, so a name may be one of an inner object.
    Unknown,
}

/// Looks for the first of the late fields behind `from`. A quote in a text is escaped, so such a name in quotes is
/// no part of a longer text.
fn late(line: &[u8], from: usize) -> Late {
    static FINDERS: LazyLock<[Finder<'static>; 4]> =
        LazyLock::new(|| ["\"dnload\"", "\"host\"", "\"domain\"", "\"ipcountry\""].map(Finder::new));
    let rest = line.get(from..).unwrap_or_default();
    let mut first = rest.len();
    for finder in FINDERS.iter() {
        first = finder.find(rest.get(..first).unwrap_or_default()).unwrap_or(first);
    }
    let skipped = rest.get(..first).unwrap_or_default();
    if memchr::memchr2(b'{', b'[', skipped).is_some() {
        return Late::Unknown;
    }
    if first == rest.len() {
        return if rest.trim_ascii_end().ends_with(b"}") { Late::None } else { Late::Unknown };
    }
    // the whole text of another field may be such a name, which has no comma before it
    let before = skipped.trim_ascii_end();
    if before.ends_with(b",") { Late::At(from + before.len() - 1) } else { Late::Unknown }
}

/// What is wrong with a field.
const WRONG: &str = " is not what it should be";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_wherever_they_are() {
        let early = r#""datetime":"2025-07-10 11:00:00","ip":"1.2.3.4","content":"/a,\"host\":","referrer":"-","useragent":"x""#;
        let tail = r#""dnload":1,"sessionid":7,"host":"h","domain":"d","ipcountry":"US""#;
        for line in [
            format!("{{{early},{tail}}}"),
            format!(r#"{{{early},"task_name":"{{ \"dnload\":0,\"host\":\"no\"","view_name":"[",{tail}}}"#),
            format!(r#"{{{early},"task_name":"a,","uidNumber":5,{tail}}}"#),
            format!(r#"{{{early},"other":{{"x":1,"host":"no","dnload":0}},{tail}}}"#),
            format!(r#"{{{early},"task_name":"host","view_name":"a,",{tail}}}"#),
            format!("{{{tail},{early}}}"),
            format!("{{ {early} , {} }}", tail.replace(',', " , ")),
        ] {
            let request = Request::from_line(line.as_bytes()).unwrap();
            let found = (&*request.ip, &*request.content, &*request.host, &*request.domain, &*request.country);
            assert_eq!(found, ("1.2.3.4", "/a,\"host\":", "h", "d", "US"), "{line}");
            assert!(request.is_download && request.agent == "x", "{line}");
        }
        assert!(Request::from_line(format!("{{{early},\"uidNumber\":0").as_bytes()).is_err());
    }

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
