//! `import-logs`: turns access and auth logs into web, hits, bot and login records.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod addresses;
mod args;
mod auth;
mod beginning;
mod block;
mod bots;
mod check;
mod choices;
mod double_click;
mod exclude;
mod file_layouts;
mod forgotten;
#[cfg(test)]
mod hostile_lines;
mod import;
mod join;
mod layout;
mod layouts;
mod line;
mod parts;
mod pieces;
mod queue;
mod reader;
mod reason;
mod receipt;
mod records;
mod report;
mod request;
mod rows;
mod rules;
mod server_conf;
mod settings;
mod shown;
mod sink;
mod stage;
mod stored;
mod tables;
mod totals;
mod unit;
mod unit_reader;
mod verdict;
mod web;
mod writer;
mod zone;

use std::process::ExitCode;

fn main() -> ExitCode {
    hub::run::<args::Args>(stage::stage)
}
