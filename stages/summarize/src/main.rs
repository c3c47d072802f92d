//! `summarize`: computes the cells of the summary tables for the six windows of a month.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod andmore;
mod axis;
mod cells;
mod cli;
mod count;
mod db;
mod downloads;
mod finish;
#[cfg(test)]
mod model;
mod places;
mod record;
mod reference;
mod row;
mod scan;
mod spill;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<cli::Args>(cli::stage)
}
