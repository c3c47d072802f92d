//! The months that an audit examines.

use schema::Stamp;

/// The months to examine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) start: Stamp,
    /// Exclusive: the first of the current month.
    pub(super) end: Stamp,
    pub(super) today: Stamp,
}
