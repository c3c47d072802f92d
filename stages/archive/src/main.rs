//! `archive`: moves imported logs to the archive directory.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod args;
mod daily;
mod move_log;
mod records;
mod stage;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
