//! What one scan knows, kept in a file and put together again: `--state-to`, `--state-from`.
//!
//! A state does not know which months will be asked for: of an instant it keeps the month and whether it
//! is the first instant of it. It knows no lists and no profiles either that could have changed when it
//! is used: domains and countries are kept as hashes.

pub(crate) mod chunks;
pub(crate) mod file;
pub(crate) mod keeper;
pub(crate) mod origin;
pub(crate) mod record;
pub(crate) mod requested;
pub(crate) mod tables;
pub(crate) mod unite;
pub(crate) mod when;
