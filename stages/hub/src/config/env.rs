//! The environment, which tests replace by one of their own.

use std::ffi::OsString;

/// The environment: the value of a variable.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
#[must_use]
pub fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
