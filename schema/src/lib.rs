//! What crosses a process boundary: record kinds and their codecs, table and column names, months,
//! dates and periods, the column collation, compatibility options and exit codes.
//!
//! Every other crate depends on this one; it depends on no other and does no input or output.

pub mod address;
pub mod answer;
pub mod asked;
pub mod cells;
pub mod collation;
pub mod compat;
pub mod csv;
pub mod dates;
pub mod domain;
pub mod exit;
pub mod json;
pub mod keys;
pub mod kind;
pub mod month;
pub mod near;
pub mod number;
pub mod part;
pub mod partitions;
pub mod reference;
pub mod rights;
pub mod stamp;
pub mod tables;
pub mod text;
pub mod usage;

pub use cells::Place;
pub use compat::{Compat, Opt};
pub use dates::Dates;
pub use exit::Exit;
pub use kind::{Column, IMPORTED_WEB_COLUMNS, Kind, KindSpec, Type};
pub use month::{Month, Period};
pub use part::Part;
pub use stamp::Stamp;
