//! `fetch-logs`: finds rotated access and auth logs; lists them, prints them, or stages them.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod args;
mod find;
mod left;
mod named;
mod opener;
mod pattern;
mod records;
mod stage;
mod staging;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
