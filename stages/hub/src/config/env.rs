//! The environment, which tests replace by their own.

use std::ffi::OsString;

/// The environment: looks up a variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
#[must_use]
pub fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A variable with two meanings: `json` makes the lines of our own log JSON objects, any other value is the
/// layout of access logs.
pub const LOG_FORMAT: &str = "HZMETRICS_LOG_FORMAT";

/// Whether a variable with this value is about our own log.
pub(super) fn is_of_our_log(variable: &str, value: &str) -> bool {
    variable == LOG_FORMAT && value.trim() == "json"
}
