//! HTTP in both directions: the small server that shows the health of a hub and its reports, and the
//! client that calls the heartbeat address. The orchestrator provides the answers.
//!
//! The server only reads. One thread computes the answers, at most every few seconds, whatever the number
//! of requests; requests in between get the last answers. This crate knows no database and no
//! configuration.
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
pub use ping::{check_address, ping};
pub use server::{Options, run};
