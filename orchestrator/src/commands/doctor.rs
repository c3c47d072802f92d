//! `hzmetrics doctor`: checks everything that a hub's statistics depend on. For each fault it says what is
//! wrong, where, and how to fix it.
//!
//! There is one list of checks ([`CHECKS`]); each is a function that adds its lines to a [`Report`]. A
//! check that cannot do its work says so, and the next one runs. Nothing is changed without `--fix`.

mod checked_hub;
mod configuration;
mod crontabs;
mod database;
mod files;
mod folders;
mod imports;
mod logs;
mod name_server;
mod other_programs;

mod report;
mod rights;
mod schedule;
mod shares;

use anyhow::Result;
use kit::Uses;

use super::{HubCommand, print};
use crate::hub::Hub;
use checked_hub::CheckedHub;
use report::Report;

/// Check settings, folders and database
///
/// Prints OK, WARN or FAIL for everything that the numbers depend on, and below each finding how to fix
/// it. Exit code 1 if there is a FAIL.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Repair what can be repaired
    #[arg(long)]
    fix: bool,
}

impl HubCommand for Args {
    fn uses(&self) -> Option<Uses> {
        self.fix.then_some(Uses { setup: true, ..Uses::LOGS })
    }

    fn goes_on_without_configuration(&self) -> bool {
        true
    }

    fn run(&self, hub: &Hub) -> Result<u8> {
        let (text, code) = doctor(hub, self.fix);
        print(text.as_bytes()).map(|_| code)
    }
}

/// Looks at one thing.
type Check = fn(&mut CheckedHub<'_>, &mut Report);

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
    other_programs::at_work,
    other_programs::left_behind,
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

/// The text for standard output, and the exit code.
fn doctor(hub: &Hub, fix: bool) -> (String, u8) {
    let mut checked = CheckedHub::new(hub, fix);
    let mut report = Report::new(checked.is_port());
    for check in CHECKS {
        check(&mut checked, &mut report);
    }
    report.end(fix)
}
