//! `hzmetrics`: the orchestrator. It starts the stages, joins their pipes and says what failed.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod audit;
mod chains;
mod cli;
mod commands;
mod convert;
mod dates;
mod doctor;
mod explain;
mod hub;
mod import;
mod mend;
mod pending;
mod pipeline;
mod refusals;
mod setup;
mod shell;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
