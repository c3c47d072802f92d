//! `hzmetrics doctor`: looks at everything that a hub's statistics rest on, and says of each thing
//! whether it is well; if not, what is wrong, where, and what mends it.
//!
//! One list of checks ([`CHECKS`]), each a function that adds its lines to a [`Report`]. A check that
//! cannot do its work says so and the next one is done. Nothing is changed without `--fix`.

mod configuration;
mod crontabs;
mod database;
mod files;
mod folders;
mod imports;
mod logs;
mod name_server;
mod others;
mod report;
mod rights;
mod schedule;
mod shares;
mod who;

use ::database::{Db, Which};
use anyhow::Result;
use schema::Opt;

use crate::hub::Hub;
use report::Report;

pub(crate) use who::name_of;

/// What a check looks at.
struct Patient<'h> {
    hub: &'h Hub,
    /// Whether folders and tables may be made.
    repairs: bool,
    /// A session in the metrics database, or why there is none.
    metrics: Result<Db, String>,
    /// The same for the hub's database.
    cms: Result<Db, String>,
}

impl<'h> Patient<'h> {
    fn new(hub: &'h Hub, fix: bool) -> Self {
        let unseen = || Err("not looked at yet".to_owned());
        // tables of ours have no business among those of the CMS
        let is_mixed = hub.config.hub_db.eq_ignore_ascii_case(&hub.config.metrics_db);
        Self { hub, repairs: fix && hub.config.site.explicit && !is_mixed, metrics: unseen(), cms: unseen() }
    }

    /// Opens the sessions that later checks need.
    fn connect(&mut self) {
        let open = |which| {
            self.hub.config.check().map_err(|error| format!("{error:#}"))?;
            Db::connect(&self.hub.config.target(), which).map_err(|error| error.to_string())
        };
        (self.metrics, self.cms) = (open(Which::Metrics), open(Which::Hub));
    }

    /// Whether the port's rules hold: what its doctor does not look at breaks nothing there.
    fn is_port(&self) -> bool {
        self.hub.compat.has(Opt::LpCli)
    }
}

/// Looks at one thing.
type Check = fn(&mut Patient<'_>, &mut Report);

/// All of them, in the order of their lines.
const CHECKS: [Check; 25] = [
    configuration::site,
    configuration::readable,
    configuration::values,
    configuration::two_databases,
    configuration::secrecy,
    configuration::geo_url,
    files::asked_as_root,
    folders::ours,
    folders::maps,
    files::ours,
    logs::names,
    logs::readable,
    imports::refused_logs,
    schedule::all,
    others::at_work,
    others::left_behind,
    database::tables,
    database::tables_of_cms,
    database::migrations,
    database::clock,
    rights::all,
    imports::left_out,
    imports::withheld,
    name_server::answers,
    shares::names_and_countries,
];

/// `hzmetrics doctor`: the text for standard output, and the exit code.
pub(crate) fn doctor(hub: &Hub, fix: bool) -> (String, u8) {
    let mut patient = Patient::new(hub, fix);
    let mut report = Report::new(patient.is_port());
    for check in CHECKS {
        check(&mut patient, &mut report);
    }
    report.end(fix)
}
