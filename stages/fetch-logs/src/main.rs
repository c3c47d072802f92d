//! `fetch-logs`: finds rotated access and auth logs and lists, prints or stages them.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
