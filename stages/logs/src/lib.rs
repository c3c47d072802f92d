//! Logs: finding them, identifying them, parsing their lines.
//!
//! This crate knows nothing about hubs and databases. It also has the lists next to the staging files,
//! which three stages share.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod discovery;
pub mod fingerprint;
pub mod parse;
pub mod refused;
pub mod roots;
pub mod rotation;
pub mod staged;
