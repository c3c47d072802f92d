//! `fetch-logs`: finds rotated access and auth logs; lists them, prints them, or stages them.

mod cli;
mod find;
mod list;
mod stage;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
