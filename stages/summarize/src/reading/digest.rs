//! From a record line to the scan's facts. Only the fields that are needed are examined; records of
//! other kinds give nothing.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use schema::{Kind, Stamp, json};

use crate::downloads::{Verdict, judge};
use crate::row::{
    HitsRow, HubJobRow, HubSessionRow, LoginRow, Look, ProfileRow, Row, SessionRow, ToolVersionRow, ToolstartRow,
    WebRow,
};

/// The requested fields of one record.
struct Fields<'a, const N: usize> {
    line: &'a [u8],
    names: [&'static str; N],
    found: [Option<Range<usize>>; N],
}

type FieldResult<T> = Result<T, String>;

/// Why records of parts are not taken.
pub(crate) const UNJOINED: &str = "these records are parts of `usage-metrics --part` that were not joined; \
    `usage-metrics --join` makes sessions of them";

impl<'a, const N: usize> Fields<'a, N> {
    fn of(line: &'a [u8], names: [&'static str; N]) -> FieldResult<Self> {
        let mut found = [const { None }; N];
        for member in json::Members::new(line) {
            let member = member.map_err(|bad| bad.reason().to_owned())?;
            if let Some(at) = names.iter().position(|name| name.as_bytes() == member.key)
                && found[at].is_none()
            {
                found[at] = Some(member.value);
            }
        }
        Ok(Self { line, names, found })
    }

    /// The raw value; `None` if it is absent or null.
    fn raw(&self, at: usize) -> Option<&'a [u8]> {
        let raw = &self.line[self.found[at].clone()?];
        (raw != b"null").then_some(raw)
    }

    fn bad(&self, at: usize, wanted: &str) -> String {
        format!("field `{}` is not {wanted}", self.names[at])
    }

    /// For a number, its digits.
    fn text(&self, at: usize) -> FieldResult<Option<Cow<'a, str>>> {
        let Some(raw) = self.raw(at) else { return Ok(None) };
        json::text_or_digits(raw).map_err(|_| self.bad(at, "text"))
    }

    fn stamp(&self, at: usize) -> FieldResult<Option<Stamp>> {
        let Some(text) = self.text(at)? else { return Ok(None) };
        Stamp::parse(&text).map(Some).ok_or_else(|| self.bad(at, "a datetime"))
    }

    fn needed<T>(&self, at: usize, value: Option<T>) -> FieldResult<T> {
        value.ok_or_else(|| format!("no field `{}`", self.names[at]))
    }

    fn int(&self, at: usize) -> FieldResult<Option<i64>> {
        let Some(text) = self.text(at)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.bad(at, "a whole number"))
    }

    fn count(&self, at: usize) -> FieldResult<Option<i64>> {
        match self.int(at)? {
            Some(n) if n < 0 => Err(format!("field `{}` is negative", self.names[at])),
            n => Ok(n),
        }
    }

    fn float(&self, at: usize) -> FieldResult<Option<f64>> {
        let Some(text) = self.text(at)? else { return Ok(None) };
        let value: Option<f64> = text.parse().ok().filter(|x: &f64| x.is_finite());
        value.map(Some).ok_or_else(|| self.bad(at, "a number"))
    }
}

/// The facts in a record line; `Ok(None)` if no cell needs any.
///
/// # Errors
/// Why the line is unusable.
pub(crate) fn digest<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let kind = json::kind_of(line).map_err(|bad| bad.reason().to_owned())?;
    match Kind::from_name(&kind) {
        Some(Kind::Web) => web(lens, line),
        Some(Kind::Session) => session(lens, line),
        Some(Kind::Login) => login(lens, line),
        Some(Kind::Toolstart) => toolstart(lens, line),
        Some(Kind::HubSession) => hub_session(lens, line),
        Some(Kind::HubJob) => hub_job(lens, line),
        Some(Kind::HubProfile) => profile(lens, line),
        Some(Kind::HubResource) => {
            let path = Fields::of(line, ["path"])?.text(0)?;
            Ok(path.and_then(|path| lens.digest(Row::Resource(&path))))
        }
        Some(Kind::HubToolVersion) => tool_version(lens, line),
        Some(Kind::Hits) => hits(lens, line),
        Some(Kind::SessionPart | Kind::PartEnd) => Err(UNJOINED.to_owned()),
        _ => Ok(None),
    }
}

fn web<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    if is_not_download(line) {
        return Ok(None);
    }
    let fields = Fields::of(line, ["sessionid", "content", "dnload", "datetime"])?;
    let Some(sessionid) = fields.int(0)? else { return Ok(None) };
    let content = fields.text(1)?.unwrap_or_default();
    let dnload = fields.int(2)? == Some(1);
    Ok(lens.digest(Row::Web(WebRow { sessionid, datetime: fields.stamp(3)?, content: &content, dnload })))
}

/// Whether a request is clearly not a download, as most are: its URL cannot be one, and there is no
/// field `dnload` other than 0. Reads the line up to the URL and searches for that field name;
/// `false` if in doubt.
fn is_not_download(line: &[u8]) -> bool {
    const FLAG: &[u8] = b"\"dnload\":";
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(FLAG));
    for member in json::Members::new(line) {
        let Ok(member) = member else { return false };
        if member.key != b"content" {
            continue;
        }
        let content = match &line[member.value.clone()] {
            [b'"', content @ .., b'"'] if memchr::memchr(b'\\', content).is_none() => content,
            _ => return false,
        };
        let plain = std::str::from_utf8(content).is_ok_and(|content| judge(content) == Verdict::No);
        let is_zero = |at: usize| matches!(&line[at + FLAG.len()..], [b'0', b',' | b'}', ..]);
        return plain && FINDER.find_iter(line).all(is_zero);
    }
    false
}

fn session<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let fields = Fields::of(line, ["id", "datetime", "ipcountry", "ip", "host", "domain", "duration", "jobs"])?;
    Ok(lens.digest(Row::Session(SessionRow {
        id: fields.int(0)?,
        datetime: fields.needed(1, fields.stamp(1)?)?,
        ipcountry: &fields.text(2)?.unwrap_or_default(),
        ip: &fields.text(3)?.unwrap_or_default(),
        host: fields.text(4)?.as_deref(),
        domain: fields.text(5)?.as_deref(),
        duration: fields.int(6)?.unwrap_or(0),
        jobs: fields.count(7)?.unwrap_or(0),
    })))
}

fn login<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let fields = Fields::of(line, ["datetime", "user", "ip", "action"])?;
    Ok(lens.digest(Row::Login(LoginRow {
        datetime: fields.needed(0, fields.stamp(0)?)?,
        user: fields.text(1)?.as_deref(),
        ip: &fields.text(2)?.unwrap_or_default(),
        action: &fields.text(3)?.unwrap_or_default(),
    })))
}

fn toolstart<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let fields = Fields::of(line, ["datetime", "success", "user", "countryresident", "orgtype"])?;
    Ok(lens.digest(Row::Toolstart(ToolstartRow {
        datetime: fields.needed(0, fields.stamp(0)?)?,
        success: fields.int(1)?.unwrap_or(0),
        user: fields.text(2)?.as_deref(),
        countryresident: fields.text(3)?.as_deref(),
        orgtype: fields.text(4)?.as_deref(),
    })))
}

fn hub_session<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let names = ["sessnum", "username", "start", "appname", "walltime", "viewtime", "cputime"];
    let fields = Fields::of(line, names)?;
    Ok(lens.digest(Row::HubSession(HubSessionRow {
        sessnum: fields.int(0)?,
        username: &fields.text(1)?.unwrap_or_default(),
        start: fields.needed(2, fields.stamp(2)?)?,
        appname: &fields.text(3)?.unwrap_or_default(),
        walltime: fields.float(4)?,
        viewtime: fields.float(5)?,
        cputime: fields.float(6)?,
    })))
}

fn hub_job<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let fields = Fields::of(line, ["sessnum", "job", "event", "cputime"])?;
    Ok(lens.digest(Row::HubJob(HubJobRow {
        sessnum: fields.needed(0, fields.int(0)?)?,
        job: fields.int(1)?.unwrap_or(0),
        event: &fields.text(2)?.unwrap_or_default(),
        cputime: fields.float(3)?,
    })))
}

fn profile<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let names = ["uidNumber", "username", "countryresident", "orgtype", "registerDate", "emailConfirmed"];
    let fields = Fields::of(line, names)?;
    // an address that was never confirmed: the copy of the profiles that legacy reads lacks it
    if fields.int(5)?.is_some_and(|confirmed| confirmed <= 0) {
        return Ok(None);
    }
    Ok(lens.digest(Row::Profile(ProfileRow {
        uid: fields.int(0)?,
        username: fields.text(1)?.as_deref(),
        countryresident: fields.text(2)?.as_deref(),
        orgtype: fields.text(3)?.as_deref(),
        registered: fields.stamp(4)?,
    })))
}

fn tool_version<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let fields = Fields::of(line, ["toolname", "instance"])?;
    let (Some(toolname), Some(instance)) = (fields.text(0)?, fields.text(1)?) else { return Ok(None) };
    Ok(lens.digest(Row::ToolVersion(ToolVersionRow { toolname: &toolname, instance: &instance })))
}

fn hits<L: Look>(lens: &L, line: &[u8]) -> FieldResult<Option<L::Fact>> {
    let fields = Fields::of(line, ["datetime", "hits"])?;
    let datetime = fields.needed(0, fields.stamp(0)?)?;
    let Some(hits) = fields.count(1)? else { return Ok(None) };
    Ok(lens.digest(Row::Hits(HitsRow { datetime, hits })))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::axis::Axis;
    use crate::places::Places;
    use crate::scan::{Ground, Lens, Scan};

    fn lens() -> Arc<Lens> {
        let month = "2025-07".parse().unwrap();
        let scan = Scan::new(Ground {
            axis: Axis::new(month, month),
            places: Places::default(),
            apps: Vec::new(),
            compat: schema::Compat::LEGACY,
        });
        Arc::clone(scan.lens())
    }

    #[test]
    fn bad_records_have_a_reason() {
        let lens = lens();
        for (line, reason) in [
            ("nonsense", "not a JSON object"),
            ("{}", "no field `kind`"),
            (r#"{"kind":"session","ip":"1.1.1.1"}"#, "no field `datetime`"),
            (r#"{"kind":"session","datetime":"yesterday"}"#, "field `datetime` is not a datetime"),
            (r#"{"kind":"session","datetime":"2025-07-01","duration":1.5}"#, "field `duration` is not a whole number"),
            (r#"{"kind":"session","datetime":"2025-07-01","ip":[1]}"#, "field `ip` is not text"),
            (r#"{"kind":"hub_session","start":"2025-07-01","cputime":"x"}"#, "field `cputime` is not a number"),
            (r#"{"kind":"hub_session","start":"2025-07-01","cputime":"NaN"}"#, "field `cputime` is not a number"),
            (r#"{"kind":"hits","datetime":"2025-07-01","hits":1"#, "not a JSON object"),
            (r#"{"kind":"hits","datetime":"2025-07-01","hits":-1}"#, "field `hits` is negative"),
            (r#"{"kind":"session","datetime":"2025-07-01","jobs":-1}"#, "field `jobs` is negative"),
            (r#"{"kind":"hub_job","sessnum":1,"cputime":1e999}"#, "field `cputime` is not a number"),
            (r#"{"kind":"hub_job","sessnum":1,"cputime":"NaN"}"#, "field `cputime` is not a number"),
            (r#"{"kind":"hub_job","sessnum":1,"cputime":-inf}"#, "field `cputime` is not a number"),
        ] {
            assert_eq!(digest(&*lens, line.as_bytes()).unwrap_err(), reason, "{line}");
        }
    }

    #[test]
    fn a_glance_is_enough_for_most_requests() {
        let glance = |line: &str| is_not_download(line.as_bytes());
        for (line, expected) in [
            (r#"{"kind":"web","ip":"1.1.1.1","content":"/","dnload":0,"sessionid":1}"#, true),
            (r#"{"kind":"web","content":"/tools/\u0061","sessionid":1}"#, false),
            (r#"{"kind":"web","content":"/tools","sessionid":1}"#, true),
            (r#"{"kind":"web","content":"/tools","sessionid":1,"dnload":0}"#, true),
            (r#"{"kind":"web","content":"/tools","dnload":1,"sessionid":1}"#, false),
            (r#"{"kind":"web","dnload":1,"content":"/tools","sessionid":1}"#, false),
            (r#"{"kind":"web","content":"/tools","x":{"dnload":0},"dnload":1}"#, false),
            (r#"{"kind":"web","content":"/tools","dnload":"1"}"#, false),
            (r#"{"kind":"web","content":"/tools","dnload":01}"#, false),
            (r#"{"kind":"web","content":"/tools\",\"dnload\":1","sessionid":1}"#, false),
            (r#"{"kind":"web","content":"/resources/1.x","sessionid":1}"#, false),
            (r#"{"kind":"web","content":5,"sessionid":1}"#, false),
            (r#"{"kind":"web","dnload":1,"sessionid":1}"#, false),
        ] {
            assert_eq!(glance(line), expected, "{line}");
        }
    }

    #[test]
    fn other_records_give_nothing() {
        let lens = lens();
        for line in [
            r#"{"kind":"unheard of","datetime":5}"#,
            r#"{"kind":"web","content":"/resources/1/download/x"}"#,
            r#"{"kind":"web","sessionid":null,"content":"/resources/1/download/x"}"#,
            r#"{"kind":"web","sessionid":1,"content":"/","datetime":"2025-07-02 00:00:00","dnload":0}"#,
            r#"{"kind":"hub_profile","uidNumber":1,"registerDate":"2025-07-02 00:00:00","emailConfirmed":0}"#,
            r#"{"kind":"login","datetime":"2025-07-02 00:00:00","user":"x","action":"logout"}"#,
            r#"{"kind":"toolstart","datetime":"2025-07-02 00:00:00","user":"x","success":2}"#,
        ] {
            assert!(digest(&*lens, line.as_bytes()).unwrap().is_none(), "{line}");
        }
        for line in [
            r#"{"kind":"web","sessionid":"1","dnload":"1"}"#,
            r#"{"kind":"web","sessionid":1,"content":"\/resources\/1\/download\/x"}"#,
            r#"{ "ip" : "1.1.1.1" , "kind" : "session" , "datetime" : "2025-07-02 00:00:00" }"#,
        ] {
            assert!(digest(&*lens, line.as_bytes()).unwrap().is_some(), "{line}");
        }
    }
}
