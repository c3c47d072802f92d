//! `archive`: moves imported logs to the archive directory.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod cli;
mod cron;
mod place;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<cli::Args>(cli::stage)
}
