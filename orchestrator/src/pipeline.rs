//! The daily work: deciding what is due, doing it, and remembering the state.
//!
//! Decisions are pure functions ([`decisions`]) of the stored state ([`state`]) and of facts about the
//! database and the log folders ([`facts`]). [`worker`] carries them out by starting stages, and
//! [`importer`] loads the logs. Nothing here knows the command line.

pub(crate) mod decisions;
pub(crate) mod facts;
pub(crate) mod finality;
pub(crate) mod importer;
pub(crate) mod one_month;
pub(crate) mod pages;
pub(crate) mod pending;
pub(crate) mod refusals;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod worker;
