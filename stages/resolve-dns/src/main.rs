//! `resolve-dns`: fills in host names by reverse DNS.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
