//! `usage-metrics`: fills in domains and countries, builds sessions, removes bots.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod bots;
mod cli;
mod clock;
mod db;
mod filter;
mod middleware;
mod months;
mod names;
mod parse;
mod plan;
mod sessions;
mod spool;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<cli::Args>(cli::stage)
}
