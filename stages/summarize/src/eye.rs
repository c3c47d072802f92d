//! What rows of tables are looked at through: for the cells the lens alone, for a listing also what keeps
//! the rows.

use database::Cells;

use crate::row::{Look as _, Row};
use crate::scan::{Fact, Lens};
use crate::state::keeper::{Fact as Kept, Glass};

/// Looks at rows.
pub(crate) trait Eye: Sync {
    /// What it makes of a row.
    type Sight: Send;

    /// What a row says, if anything. `cells` are the columns that were read: those of [`Row`], then
    /// [`Eye::more`].
    fn see(&self, row: Row<'_>, cells: &Cells<'_>) -> Option<Self::Sight>;

    /// Further columns of a table, each with a comma before it.
    fn more(&self, _table: &str) -> &'static str {
        ""
    }
}

impl Eye for Lens {
    type Sight = Fact;

    fn see(&self, row: Row<'_>, _: &Cells<'_>) -> Option<Fact> {
        self.digest(row)
    }
}

impl Eye for Glass {
    type Sight = Kept;

    fn see(&self, row: Row<'_>, _: &Cells<'_>) -> Option<Kept> {
        self.digest(row)
    }
}
