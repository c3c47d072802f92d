//! `hzmetrics`: the orchestrator. It starts the stages, joins their pipes and says what failed.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod accounts;
mod chains;
mod cli;
mod commands;
mod guard;
mod hub;
mod overrides;
mod pipeline;
mod published;
mod setup;
mod shell;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
