//! `archive`: moves imported logs to the archive directory.

mod cli;
mod cron;
mod place;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
