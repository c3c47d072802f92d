//! The databases: a session that behaves the same whatever the server's defaults are, and the tables
//! shared by several programs.
//!
//! Connecting sets every session variable that affects results, and checks that day zero can be stored.
//! Reads stream row by row, writes use prepared statements of about a thousand rows, and transactions
//! are retried after a deadlock or a lost connection. There are no named locks and no joins over two
//! databases.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod address;
pub mod address_changes;
mod addresses;
mod cells;
mod connection;
mod error;
pub mod forgotten;
pub mod generations;
pub mod hits;
pub mod hub_data;
mod insert;
mod keys;
pub mod ledger;
mod lost;
mod missing_grant;
mod partitions;
pub mod patience;
pub mod pruned;
mod rename;
mod retry;
mod statements;
mod steps;
mod tls;
mod token;
pub mod tool_starts;
mod transaction;
pub mod withheld;
pub mod writer;

pub use hub::config::{Target, Which};
pub use mysql::{Params, Value, params};

pub use address::{Address, place};
pub use addresses::is_wide;
pub use cells::Cells;
pub use connection::Db;
pub use error::{DbError, ErrorKind};
pub use insert::{Insert, Inserted, Verb};
pub use keys::{BY_KEY, KeyTable, MEMORY_ROWS, Store};
pub use retry::retry;
pub use steps::FailedSteps;
pub use token::new_token;
