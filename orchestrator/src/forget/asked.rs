//! What the user asked `forget-user` for.

use std::path::PathBuf;

use hub::forgotten::How;

/// What the user asked for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// A name or a number; `None` to finish what was begun.
    pub(crate) who: Option<&'a str>,
    pub(crate) how: How,
    pub(crate) emails: &'a [String],
    /// Further files to rewrite.
    pub(crate) also: &'a [PathBuf],
    pub(crate) is_dry: bool,
}
