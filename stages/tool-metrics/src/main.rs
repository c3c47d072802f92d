//! `tool-metrics`: statistics of the simulation tools, their top values and top lists.

mod args;
mod lists;
mod records;
mod rows;
mod stage;
mod stats;
mod tables;
mod tops;
mod why;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
