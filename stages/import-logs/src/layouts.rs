//! Layouts of web logs other than a hub's own: recognising them, and taking the fields of a line
//! from them.
//!
//! Pure code on bytes: no files, no options. The work on a line is linear in the line, and no
//! bytes make it panic.
#![allow(dead_code, reason = "the stage does not read its lines with this yet")]

pub(crate) mod clf;
pub(crate) mod client;
pub(crate) mod cursor;
pub(crate) mod entry;
pub(crate) mod fault;
pub(crate) mod json;
pub(crate) mod prefix;
pub(crate) mod time;

pub(crate) use entry::{Entry, Fields, Text};
pub(crate) use fault::{Fault, What};

/// A URL with its query, from a layout that has them apart. A dash is no query.
fn with_query<'a>(url: Text<'a>, query: Text<'a>, made: &mut Vec<u8>) -> Text<'a> {
    let has_query = url.look(made).contains(&b'?');
    if has_query || matches!(query.look(made), b"" | b"-") {
        return url;
    }
    let start = made.len();
    url.append_to(made);
    if !query.look(made).starts_with(b"?") {
        made.push(b'?');
    }
    query.append_to(made);
    Text::Made(start, made.len())
}
