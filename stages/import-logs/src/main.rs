//! `import-logs`: turns access and auth logs into web, hits, bot and login records.

mod cli;
mod grammar;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
