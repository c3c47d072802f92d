//! The machine of a hub: configuration, identity, lock, log, what is remembered of runs; and [`run()`], the
//! one call of a stage's `main`.
//!
//! Finds out where the databases are, but does not connect to them.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod address_keys;
pub mod config;
pub mod forgotten;
pub mod health;
pub mod identity;
mod keyed;
pub mod lock;
pub mod log;
pub mod process;
mod run;
pub mod statsd;

pub use run::{STAGE_LOG, run};
