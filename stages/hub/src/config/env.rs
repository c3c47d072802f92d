//! The environment, which tests replace by their own.

use std::ffi::OsString;

/// The environment: looks up a variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
#[must_use]
pub fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
