//! `import-logs`: turns access and auth logs into web, hits, bot and login records.

mod agents;
mod auth;
mod block;
mod cli;
mod exclude;
mod format;
mod import;
mod line;
mod pieces;
mod reason;
mod request;
mod stored;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
