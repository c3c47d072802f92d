//! `tool-metrics`: statistics of the simulation tools, their top values and top lists.

mod cli;
mod db;
mod lists;
mod stats;
mod stream;
mod tables;
mod tops;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<cli::Args>(cli::stage)
}
