//! What the tools of this checkout share: paths, building the executables, messages.

pub mod place;

use std::io::Write as _;

use anyhow::{Context as _, Result};

/// Prints a line for people to standard error.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a line of the result to standard output.
///
/// # Errors
/// It cannot be written.
pub fn show(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("writing the result")
}
