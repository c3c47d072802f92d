//! `whoisonline`: notes where live sessions come from and writes the map of who is online.

mod cli;
mod domain;
mod map;
mod refresh;
mod session;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<cli::Args>(cli::stage)
}
