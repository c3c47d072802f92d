//! `tool-metrics`: computes tool statistics, top values and top lists.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
