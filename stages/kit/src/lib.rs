//! What every stage shares: the common options, record streams in and out, messages on standard
//! error, progress on a terminal, exit codes, and the door to files.
//!
//! A stage's work uses an [`Io`] and never touches standard input or output itself. Nothing here knows
//! hubs, logs or databases.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod clock;
mod complete;
mod count;
mod csv_rows;
mod decompress;
mod describe;
pub mod door;
mod exit;
mod input;
mod io;
mod lines;
pub mod list;
mod manual;
pub mod measure;
mod messages;
mod options;
mod output;
pub mod path_text;
pub mod progress;
mod rejects;
pub mod repeats;
mod run;
mod run_id;
mod seen;
pub mod signals;
pub mod steps;
mod streams;
mod table;
mod version;

pub use clock::{current_month, day_of, minute, refuse_month_to_come, seconds_since_1970, today};
pub use complete::Asked;
pub use count::{counted, grouped};
pub use decompress::{Compression, open_reader};
pub use describe::Describe;
pub use exit::{Busy, NoRecord, ReaderLeft, Usage, exit_of};
pub use input::{Batch, Input, Record};
pub use io::{Io, Outcome};
pub use lines::{Line, Lines, MAX_LINE, fill, open};
pub use manual::{exit_codes, generate};
pub use messages::{Level, Messages, copy_messages};
pub use options::{Common, Endpoint, Format, MonthArgs, StageArgs, Uses, output_file};
pub use output::{Output, WholeFile, atomic_file, named_file};
pub use progress::Progress;
pub use rejects::Rejects;
pub use run::{not_parsed, run_with};
pub use run_id::{RUN_ID, handed_run_id, run_id};
pub use seen::{is_unseen, push_seen};
pub use streams::{Stdout, is_output_closed, not_written, print, stdin};
pub use version::VERSION;
