//! `resolve-dns`: fills in host names by reverse DNS.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod args;
mod lookup;
mod queue;
mod records;
mod stage;
mod tables;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
