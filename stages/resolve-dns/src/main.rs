//! `resolve-dns`: fills in host names by reverse DNS.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod cli;
mod db;
mod filter;
mod queue;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<cli::Args>(cli::stage)
}
