//! Layouts of web logs other than a hub's own: recognising them, and extracting the fields of a
//! line.
//!
//! Pure code on bytes: no files, no options. The work is linear in the length of the line, and no
//! bytes make it panic.

pub(crate) mod aws;
pub(crate) mod clf;
pub(crate) mod client;
pub(crate) mod cursor;
pub(crate) mod entry;
pub(crate) mod fault;
pub(crate) mod haproxy;
pub(crate) mod json;
pub(crate) mod logformat;
pub(crate) mod named;
pub(crate) mod nginx_format;
pub(crate) mod no_requests;
pub(crate) mod pattern;
pub(crate) mod prefix;
pub(crate) mod programs;
pub(crate) mod proxies;
pub(crate) mod recognise;
pub(crate) mod time;
pub(crate) mod url;
pub(crate) mod w3c;
pub(crate) mod wide;
pub(crate) mod writing;

#[cfg(test)]
mod tests;

pub(crate) use entry::{Entry, Fields, Text};
pub(crate) use fault::{Fault, What};
