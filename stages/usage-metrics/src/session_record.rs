//! A session as a record line, from memory or from tables.

use schema::json;

use crate::names::Names;
use crate::sessions::Session;

/// Writes a session as a record.
pub(crate) fn session_record(names: &Names, country: &str, session: &Session, out: &mut Vec<u8>) {
    let text = |out: &mut Vec<u8>, name: &str, text: &str| {
        out.extend_from_slice(name.as_bytes());
        json::push_str(out, text);
    };
    let number = |out: &mut Vec<u8>, name: &str, number: i64| {
        out.extend_from_slice(name.as_bytes());
        json::push_int(out, number);
    };
    number(out, "{\"kind\":\"session\",\"id\":", session.id.into());
    out.extend_from_slice(b",\"datetime\":\"");
    out.extend_from_slice(&session.start.to_ascii());
    out.push(b'"');
    text(out, ",\"ipcountry\":", country);
    text(out, ",\"ip\":", names.text(session.ip));
    text(out, ",\"host\":", names.text(session.host));
    text(out, ",\"domain\":", names.text(session.domain));
    number(out, ",\"duration\":", session.duration);
    number(out, ",\"jobs\":", session.jobs.into());
    out.extend_from_slice(b",\"webevents\":0}");
}
