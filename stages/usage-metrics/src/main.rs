//! `usage-metrics`: fills in domains and countries, builds sessions, removes bots.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod args;
mod clock;
mod exclude;
mod middleware;
mod months;
mod names;
mod parse;
mod parts;
mod piece_record;
mod pieces;
mod plan;
mod records;
mod session_record;
mod sessions;
mod spool;
mod stage;
mod tables;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
