//! What is older than `[retention]` says, and may go.

pub(crate) mod bounds;
pub(crate) mod files;
pub(crate) mod keep;
pub(crate) mod logs;
pub(crate) mod rows;
mod state;
pub(crate) mod turns;
