//! `import-logs`: turns access and auth logs into web, hits, bot and login records.

mod agents;
mod auth;
mod cli;
mod exclude;
mod grammar;
mod request;
mod stored;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
