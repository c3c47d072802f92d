//! How addresses are hashed: what the configuration and the command say.

use hub::config::Hashing;

/// How a run hashes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) choice: Hashing,
    pub(crate) is_dry: bool,
    /// Draw another key where that of a month that was begun is lost.
    pub(crate) new_key: bool,
}
