//! `summarize`: computes the cells of the summary tables for the six periods of a month.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod andmore;
mod args;
mod axis;
mod cells;
mod count;
mod downloads;
mod eye;
mod finish;
#[cfg(test)]
#[path = "../tests/unit/hubs.rs"]
mod hubs;
mod kept;
#[cfg(test)]
#[path = "../tests/unit/made.rs"]
mod made;
#[cfg(test)]
#[path = "../tests/unit/model.rs"]
mod model;
mod places;
mod plan;
mod reading;
mod records;
mod reference;
mod row;
mod scan;
mod spill;
mod stage;
mod state;
mod tables;
mod tools;
mod twins;
mod why;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
