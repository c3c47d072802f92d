//! The daily work: what is due, who does it, and what is remembered of it.
//!
//! Decisions are pure functions ([`decisions`]) over what is remembered ([`state`]) and what is true
//! in the database and the log folders ([`facts`]); [`worker`] carries them out by starting stages,
//! [`importer`] loads the logs. Nothing here knows a command line.

pub(crate) mod decisions;
pub(crate) mod facts;
pub(crate) mod importer;
pub(crate) mod one_month;
pub(crate) mod pending;
pub(crate) mod refusals;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod worker;
