//! `resolve-dns`: fills in host names by reverse DNS.

mod cli;
mod db;
mod filter;
mod queue;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
