//! `whoisonline`: writes the map of who is online.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
