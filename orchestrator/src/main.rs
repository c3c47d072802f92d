//! `hzmetrics`: the orchestrator. It starts the stages, connects their pipes and reports what
//! failed.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod accounts;
mod audit;
mod backup;
mod chains;
mod cli;
mod colours;
mod commands;
mod compare;
mod completions;
mod doctor;
mod forget;
mod guard;
mod hashing;
mod health;
mod hub;
mod json;
mod overrides;
mod pipeline;
mod prune;
mod published;
mod record;
mod rehearse;
mod setup;
mod shell;
mod tell;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
