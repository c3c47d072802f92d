//! What `cargo xtask` promises about installations and manuals, in temporary folders.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod attacks;
mod circles;
mod install;
mod interrupted;
mod layout;
mod make;
mod manuals;
mod shipped;
