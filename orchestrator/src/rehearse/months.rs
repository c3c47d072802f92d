//! The months of a rehearsal.

use schema::{Month, Stamp};

/// Months that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Months {
    pub(crate) first: Month,
    pub(crate) last: Month,
}

impl Months {
    pub(crate) fn all(self) -> impl Iterator<Item = Month> {
        self.first.through(self.last)
    }

    pub(super) fn has(self, month: Month) -> bool {
        self.first <= month && month <= self.last
    }

    /// From the label of the first to that of the month after the last.
    pub(super) const fn bounds(self) -> (Stamp, Stamp) {
        (self.first.label(), self.last.next().label())
    }
}
