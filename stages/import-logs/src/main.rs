//! `import-logs`: turns access and auth logs into web, hits, bot and login records.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod agents;
mod aside;
mod auth;
mod block;
mod cli;
mod exclude;
mod fit;
mod format;
mod import;
mod known;
mod line;
mod load;
mod pieces;
mod reason;
mod receipt;
mod report;
mod request;
mod robots;
mod sink;
mod sources;
mod stored;
mod tables;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<cli::Args>(cli::stage)
}
