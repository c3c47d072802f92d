//! `summarize`: computes the cells of the summary tables for the six windows of a month.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::run::<cli::Args>(cli::stage)
}
