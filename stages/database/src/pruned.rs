//! Months whose rows were removed for their age, and what is kept in their place: the table `hz_pruned`.
//!
//! For each of the two groups of tables it says through which month the rows are gone, and which state of `summarize`
//! stands for them. The state is in the same table, in pieces, so that every copy of the database has it. From the
//! moment that the row is there, nobody reads the rows of these months any more: they may be removed in any order and
//! in as many steps as it takes.

mod kept;
mod rows;
mod store;

pub use kept::{Gone, Group, Pruned, load, refuse};
pub use rows::{Removal, left, removals};
pub use store::{Stored, drop_unused};
