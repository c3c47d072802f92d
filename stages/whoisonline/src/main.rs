//! `whoisonline`: records where live sessions come from and writes the map of who is online.

mod args;
mod domain;
mod map;
mod records;
mod session;
mod stage;
mod tables;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
