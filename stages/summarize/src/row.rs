//! The rows that summaries are computed from: the columns that are used, borrowed from a record or
//! a table. `None` is NULL.

use std::sync::Arc;

use anyhow::Result;
use schema::Stamp;

/// The `id` of a session without one; its downloads are unknown.
pub(crate) const NO_ID: i64 = i64::MIN;

/// A request with its session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WebRow<'a> {
    pub sessionid: i64,
    pub datetime: Option<Stamp>,
    pub content: &'a str,
    pub dnload: bool,
}

/// A visit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionRow<'a> {
    pub id: Option<i64>,
    pub datetime: Stamp,
    pub ipcountry: &'a str,
    pub ip: &'a str,
    pub host: Option<&'a str>,
    pub domain: Option<&'a str>,
    pub duration: i64,
    pub jobs: i64,
}

/// A line of the auth log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoginRow<'a> {
    pub datetime: Stamp,
    pub user: Option<&'a str>,
    pub ip: &'a str,
    pub action: &'a str,
}

/// A tool that was started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToolstartRow<'a> {
    pub datetime: Stamp,
    pub success: i64,
    pub user: Option<&'a str>,
    pub countryresident: Option<&'a str>,
    pub orgtype: Option<&'a str>,
}

/// A tool session of the middleware.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HubSessionRow<'a> {
    pub sessnum: Option<i64>,
    pub username: &'a str,
    pub start: Stamp,
    pub appname: &'a str,
    pub walltime: Option<f64>,
    pub viewtime: Option<f64>,
    pub cputime: Option<f64>,
}

/// A job of a tool session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HubJobRow<'a> {
    pub sessnum: i64,
    pub job: i64,
    pub event: &'a str,
    pub cputime: Option<f64>,
}

/// A profile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProfileRow<'a> {
    pub uid: Option<i64>,
    pub username: Option<&'a str>,
    pub countryresident: Option<&'a str>,
    pub orgtype: Option<&'a str>,
    pub registered: Option<Stamp>,
}

/// A version of a tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToolVersionRow<'a> {
    pub toolname: &'a str,
    pub instance: &'a str,
}

/// The hits of a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HitsRow {
    pub datetime: Stamp,
    pub hits: i64,
}

/// A row of any kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'a> {
    Web(WebRow<'a>),
    Session(SessionRow<'a>),
    Login(LoginRow<'a>),
    Toolstart(ToolstartRow<'a>),
    HubSession(HubSessionRow<'a>),
    HubJob(HubJobRow<'a>),
    Profile(ProfileRow<'a>),
    /// The path of a resource's file.
    Resource(&'a str),
    ToolVersion(ToolVersionRow<'a>),
    Hits(HitsRow),
}

/// What rows are looked at through.
pub(crate) trait Look: Sync {
    /// What it makes of a row.
    type Fact: Send;

    /// What a row says; `None` when nobody needs it.
    fn digest(&self, row: Row<'_>) -> Option<Self::Fact>;
}

/// Keeps what rows say.
pub(crate) trait Keep: Send {
    /// What it looks at rows through.
    type Look: Look + Send;

    /// The same, with what is known by now.
    fn look(&self) -> Arc<Self::Look>;

    /// Keeps what a row said. Facts come in the order of their rows.
    fn absorb(&mut self, fact: <Self::Look as Look>::Fact);

    /// Comes after each batch of rows: hold at most `limit` bytes, or end the run.
    ///
    /// # Errors
    /// The disk is full, or the rows cannot be used.
    fn relieve(&mut self, limit: usize) -> Result<()>;
}
