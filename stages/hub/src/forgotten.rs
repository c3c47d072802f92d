//! The people whom `hzmetrics forget-user` has forgotten, as whoever reads logs or tables of the hub needs to know
//! them: keyed hashes, and the pseudonyms that replace them.
//!
//! Two texts of one key have one hash, and nobody without the key can find out whether a name is in the list. An
//! entry holds for what happened until the day it was made: a name that a new account has later is somebody else.

mod list;
mod pseudonym;
mod scrub;
mod words;

pub use list::{Forgotten, How, What};
pub use scrub::{Kind, Scrubbed};
