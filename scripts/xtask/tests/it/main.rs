//! What `cargo xtask` promises about installations and manuals, on temporary folders.

mod install;
mod manuals;
