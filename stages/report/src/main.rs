//! `report`: writes the usage report of a hub from records.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod accumulator;
mod amount;
mod args;
mod compose;
mod country;
mod document;
mod draw;
mod folder;
mod ground;
mod hubs;
mod margins;
mod privacy;
mod records;
mod render;
mod sections;
mod served;
mod stage;
mod tables;
mod tools;
mod traffic;
mod usage;
mod words;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
