//! A line of a configuration file that cannot be understood.

use std::path::Path;

use kit::Usage;

/// What is wrong with the text of a file.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) what: String,
}

impl Malformed {
    /// The error: file, line, and what is wrong there.
    pub(super) fn at(&self, path: &Path) -> anyhow::Error {
        Usage(format!("{}, line {}: {}", path.display(), self.line, self.what)).into()
    }
}
