//! HTTP in both directions: the small server that shows the health of a hub and its reports, and the
//! sign of life that a hub gives. The orchestrator says what the answers are.
//!
//! The server reads and never writes. Answers are made by one thread, at most every few seconds, whatever
//! the number of requests; who asks in between gets the last ones. Knows no database and no configuration.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod answers;
mod listen;
mod ping;
mod report;
mod routes;
mod server;
mod supervisor;

pub use answers::Snapshot;
pub use listen::Listen;
pub use ping::ping;
pub use server::{Options, run};
