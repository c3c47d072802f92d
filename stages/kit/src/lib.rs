//! What every stage shares: `run`, the common options, record streams in and out, messages on
//! standard error, progress on a terminal.
//!
//! A stage's `main` is one call of [`run()`]; its work takes a [`Io`] and never touches standard
//! input or output itself.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod clock;
pub mod config;
mod csv_rows;
pub mod db;
mod describe;
pub mod discovery;
pub mod door;
pub mod fingerprint;
pub mod hits;
pub mod hub_data;
pub mod identity;
mod input;
mod io;
pub mod ledger;
mod lines;
pub mod list;
pub mod lock;
pub mod log;
mod manual;
mod messages;
mod options;
mod output;
pub mod parse;
pub mod path_text;
mod progress;
pub mod refused;
mod rejects;
pub mod roots;
mod run;
pub mod staged;
pub mod steps;
mod streams;
mod table;

pub use clock::{current_month, minute, refuse_month_to_come, today};
pub use describe::Describe;
pub use input::{Batch, Input, Record};
pub use io::{Io, Outcome};
pub use lines::{Compression, Line, Lines, MAX_LINE, open, open_reader};
pub use manual::generate;
pub use messages::{Messages, STAGE_LOG, is_unseen, push_seen};
pub use options::{Common, Endpoint, Format, StageArgs};
pub use output::{Output, WholeFile, atomic_file, named_file};
pub use progress::Progress;
pub use rejects::Rejects;
pub use run::{ReaderLeft, Usage, not_parsed, run, run_with};
pub use streams::{Stdout, is_output_closed, not_written, print, stdin};
