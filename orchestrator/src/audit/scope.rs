//! Which months an audit looks at.

use schema::Stamp;

/// Which months are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) start: Stamp,
    /// Exclusive: the first of the current month.
    pub(super) end: Stamp,
    pub(super) today: Stamp,
}
