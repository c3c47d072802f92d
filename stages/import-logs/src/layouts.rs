//! Layouts of web logs other than a hub's own: recognising them, and taking the fields of a line
//! from them.
//!
//! Pure code on bytes: no files, no options. The work on a line is linear in the line, and no
//! bytes make it panic.
#![allow(dead_code, reason = "the stage does not read its lines with this yet")]

pub(crate) mod client;
