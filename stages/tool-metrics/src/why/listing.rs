//! The rows that a number is made of, and the value that they give.

use crate::rows::{HubJob, HubSession, TextId, ToolSession};
use crate::stats::ToolStat;

/// Where a row of a listing comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    Session(&'a HubSession),
    /// With the user of its session.
    Job(&'a HubJob, Option<TextId>),
    /// With the organisation that the list groups it by.
    ToolSession(&'a ToolSession, Option<TextId>),
    Statistics(&'a ToolStat),
}

/// A row with what it adds.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Which number of the rule it belongs to.
    pub(super) part: &'static str,
    pub(super) adds: f64,
    pub(super) source: Source<'a>,
}

/// The rows and what they come to; no value if the number is not written.
#[derive(Debug, Default)]
pub(super) struct Listing<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) value: Option<String>,
}
