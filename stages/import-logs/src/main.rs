//! `import-logs`: turns access and auth logs into web, hits, bot and login records.

mod cli;
mod import;
mod pieces;
mod block;
mod line;
mod grammar;
mod format;
mod auth;
mod request;
mod exclude;
mod agents;
mod stored;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
