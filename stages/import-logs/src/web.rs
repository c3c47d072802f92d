//! The row of `web` for a request.

use database::Value;
use logs::parse;
use schema::{Compat, Opt, Stamp, json};

use crate::line::Line;
use crate::rows::Rows;
use crate::stored;

/// The width of legacy's column for addresses, in characters.
pub(crate) const ADDRESS: usize = 15;

/// The longest text of an address.
const LONGEST: usize = 45;

/// How much of an address is stored: those of hubs are cut as in legacy, others are stored whole, and
/// all of them if IPv6 counts.
const fn width(line: &Line<'_>, compat: Compat) -> usize {
    if line.host.is_some() || compat.has(Opt::Ipv6) { LONGEST } else { ADDRESS }
}

/// What a row has besides the fields of its line.
struct Row<'a> {
    stamp: Stamp,
    /// How many characters of the client are stored.
    width: usize,
    url: &'a [u8],
    agent: &'a [u8],
    uid: i64,
    download: Option<bool>,
}

/// Appends the row of a line. Returns its time as stored.
pub(crate) fn push(rows: &mut Rows, line: &Line<'_>, url: &[u8], agent: &[u8], compat: Compat) -> Stamp {
    let uid = if compat.has(Opt::LpParse) { port_uid(line.uid) } else { uid(line.uid) };
    let download = compat.has(Opt::LpDnloadInline).then(|| parse::is_download(url));
    let stamp = parse::datetime(&line.date, line.time.bytes());
    let row = Row { stamp, width: width(line, compat), url, agent, uid, download };
    match rows {
        Rows::Records(out) => push_record(out, line, &row),
        Rows::Values(values) => push_values(values, line, &row),
    }
    stamp
}

fn uid(digits: &[u8]) -> i64 {
    stored::integer(digits, i32::MIN.into(), i32::MAX.into())
}

/// The port reads anything but an integer as 0.
fn port_uid(digits: &[u8]) -> i64 {
    let number = digits.strip_prefix(b"-").unwrap_or(digits);
    if number.is_empty() || !number.iter().all(u8::is_ascii_digit) { 0 } else { uid(digits) }
}

/// The width of the columns that the CMS fills.
const NARROW: usize = 120;

/// The additional column if downloads are recognised during the import.
pub(crate) const DOWNLOAD_COLUMN: &str = "dnload";

/// The additional column for layouts other than those of hubs.
pub(crate) const HOST_COLUMN: &str = "host";

/// Appends the values of a row of `web`.
fn push_values(rows: &mut Vec<Value>, line: &Line<'_>, row: &Row<'_>) {
    let Row { stamp, width, url, agent, uid, download } = *row;
    rows.extend([
        stored::date(stamp),
        stored::varchar(line.client, width),
        stored::tinytext(url),
        stored::tinytext(line.referrer),
        Value::Bytes(agent.to_vec()),
        Value::Int(uid),
        stored::varchar(line.pid, NARROW),
    ]);
    rows.extend(line.tail.iter().map(|text| stored::varchar(text, NARROW)));
    rows.extend(download.map(|is| Value::Int(is.into())));
    rows.extend(line.host.map(|name| if name.is_empty() { Value::NULL } else { stored::tinytext(name) }));
}

/// The names of the fields that only hubs have.
const TAIL: [&[u8]; 8] = [
    b",\"joomla_sessionid\":",
    b",\"site_cookie\":",
    b",\"auth_type\":",
    b",\"component_name\":",
    b",\"view_name\":",
    b",\"task_name\":",
    b",\"action_name\":",
    b",\"item_name\":",
];

/// The same without values.
const NO_TAIL: &[u8] = b",\"joomla_sessionid\":\"\",\"site_cookie\":\"\",\"auth_type\":\"\",\
    \"component_name\":\"\",\"view_name\":\"\",\"task_name\":\"\",\"action_name\":\"\",\"item_name\":\"\"";

/// Appends a `web` record, line feed included.
fn push_record(out: &mut Vec<u8>, line: &Line<'_>, row: &Row<'_>) {
    let Row { stamp, width, url, agent, uid, download } = *row;
    out.extend_from_slice(b"{\"kind\":\"web\",\"datetime\":\"");
    out.extend_from_slice(&stamp.to_ascii());
    out.extend_from_slice(b"\",\"ip\":");
    stored::push_varchar(out, line.client, width);
    out.extend_from_slice(b",\"content\":");
    stored::push_tinytext(out, url);
    out.extend_from_slice(b",\"referrer\":");
    stored::push_tinytext(out, line.referrer);
    out.extend_from_slice(b",\"useragent\":");
    out.extend_from_slice(agent);
    out.extend_from_slice(b",\"uidNumber\":");
    json::push_int(out, uid);
    out.extend_from_slice(b",\"apache_pid\":");
    stored::push_varchar(out, line.pid, NARROW);
    if line.tail.iter().all(|text| text.is_empty()) {
        out.extend_from_slice(NO_TAIL);
    } else {
        for (name, text) in TAIL.iter().zip(line.tail) {
            out.extend_from_slice(name);
            stored::push_varchar(out, text, NARROW);
        }
    }
    if let Some(download) = download {
        out.extend_from_slice(if download { b",\"dnload\":1" } else { b",\"dnload\":0" });
    }
    if let Some(name) = line.host.filter(|name| !name.is_empty()) {
        out.extend_from_slice(b",\"host\":");
        stored::push_tinytext(out, name);
    }
    if let Some(offset) = line.twice {
        out.extend_from_slice(b",\"utc_offset\":");
        json::push_int(out, offset.into());
    }
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_only_hubs_have_are_empty_elsewhere() {
        let one_by_one = TAIL.map(|name| [name, b"\"\""].concat()).concat();
        assert_eq!(String::from_utf8_lossy(NO_TAIL), String::from_utf8_lossy(&one_by_one));
    }

    #[test]
    fn user_ids_are_read_as_legacy_and_the_port_read_them() {
        assert_eq!((uid(b"5-"), port_uid(b"5-"), port_uid(b"-5"), port_uid(b"--"), uid(b"-5")), (5, 0, -5, 0, -5));
    }
}
