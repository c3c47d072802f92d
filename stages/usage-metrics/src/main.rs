//! `usage-metrics`: fills in domains and countries, builds sessions, removes bots.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
