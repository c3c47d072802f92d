//! What the tools of this checkout share: where things lie, how the executables are built, words.

pub mod place;

use std::io::Write as _;

use anyhow::{Context as _, Result};

/// A line for people, on standard error.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A line of the result, on standard output.
///
/// # Errors
/// It cannot be written.
pub fn show(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("writing the result")
}
