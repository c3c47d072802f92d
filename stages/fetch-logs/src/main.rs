//! `fetch-logs`: finds rotated access and auth logs; lists them, prints them, or stages them.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod cli;
mod find;
mod list;
mod pattern;
mod stage;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<cli::Args>(cli::stage)
}
