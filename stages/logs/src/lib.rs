//! Logs: which files they are, what was read of them, what a line says.
//!
//! Knows no hub and no database. The lists beside the staging files, which three stages hand on to one
//! another, are here too.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod discovery;
pub mod fingerprint;
pub mod parse;
pub mod refused;
pub mod roots;
pub mod rotation;
pub mod staged;
