//! Logs: finding them, recognising them again, parsing their lines.
//!
//! This crate knows nothing of hubs and databases. The lists beside the staging files, which three stages
//! share, are here too.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod discovery;
pub mod fingerprint;
pub mod parse;
pub mod refused;
pub mod roots;
pub mod rotation;
pub mod staged;
