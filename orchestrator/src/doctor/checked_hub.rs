//! What the checks examine: the hub, and a session in each of its databases.

use database::{Db, Which};
use schema::Opt;

use crate::hub::Hub;

/// The subject of a check.
pub(super) struct CheckedHub<'h> {
    pub(super) hub: &'h Hub,
    /// Whether folders and tables may be created.
    pub(super) repairs: bool,
    /// A session in the metrics database, or why there is none.
    pub(super) metrics: Result<Db, String>,
    /// The same for the hub's database.
    pub(super) cms: Result<Db, String>,
}

impl<'h> CheckedHub<'h> {
    pub(super) fn new(hub: &'h Hub, fix: bool) -> Self {
        let unseen = || Err("not looked at yet".to_owned());
        // our own tables must not be in the CMS's database
        let is_mixed = hub.config.hub_db.eq_ignore_ascii_case(&hub.config.metrics_db);
        Self { hub, repairs: fix && hub.config.site.explicit && !is_mixed, metrics: unseen(), cms: unseen() }
    }

    /// Opens the sessions for later checks.
    pub(super) fn connect(&mut self) {
        let open = |which| {
            self.hub.config.check().map_err(|error| format!("{error:#}"))?;
            Db::connect(&self.hub.config.target(), which).map_err(|error| error.to_string())
        };
        (self.metrics, self.cms) = (open(Which::Metrics), open(Which::Hub));
    }

    /// Whether the port's rules apply: there, only what its doctor checks counts as a fault.
    pub(super) fn is_port(&self) -> bool {
        self.hub.compat.has(Opt::LpCli)
    }
}
