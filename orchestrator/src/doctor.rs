//! The doctor: checks everything that a hub's statistics depend on. For each fault it says what is wrong,
//! where, and how to fix it.
//!
//! There is one list of checks ([`CHECKS`]); each is a function that adds its lines to a [`Report`]. A
//! check that cannot do its work says so, and the next one runs. Nothing is changed without `fix`.

mod checked_hub;
mod configuration;
mod cron_times;
mod crontabs;
mod database;
mod files;
mod folders;
mod imports;
mod logs;
mod name_server;
mod other_programs;
mod redo_log;

mod report;
mod rights;
pub(crate) mod schedule;
mod shares;

use crate::hub::Hub;
use checked_hub::CheckedHub;
pub(crate) use report::{Report, Severity};

/// Looks at one thing.
type Check = fn(&mut CheckedHub<'_>, &mut Report);

/// All of them by name, in the order of their lines.
const CHECKS: [(&str, Check); 29] = [
    ("site", configuration::site),
    ("configuration", configuration::readable),
    ("values", configuration::values),
    ("two-databases", configuration::two_databases),
    ("secrecy", configuration::secrecy),
    ("geo-url", configuration::geo_url),
    ("account", files::asked_as_root),
    ("folders", folders::ours),
    ("maps", folders::maps),
    ("files", files::ours),
    ("log-names", logs::names),
    ("log-rights", logs::readable),
    ("refused-logs", imports::refused_logs),
    (SCHEDULE, schedule::all),
    ("other-programs", other_programs::at_work),
    ("left-behind", other_programs::left_behind),
    ("tables", database::tables),
    ("tables-of-cms", database::tables_of_cms),
    ("migrations", database::migrations),
    ("clock", database::clock),
    ("one-writer", database::writer),
    ("cluster", database::cluster),
    ("memory", database::memory),
    ("redo-log", redo_log::size),
    ("rights", rights::all),
    ("left-out", imports::left_out),
    ("withheld", imports::withheld),
    (NAME_SERVER, name_server::answers),
    ("visitors", shares::names_and_countries),
];

/// What starts the programs.
pub(crate) const SCHEDULE: &str = "schedule";
/// Whether name servers answer.
pub(crate) const NAME_SERVER: &str = "name-server";

/// Runs all checks.
pub(crate) fn examine(hub: &Hub, fix: bool) -> Report {
    let mut checked = CheckedHub::new(hub, fix);
    let mut report = Report::new(checked.is_port());
    for (name, check) in CHECKS {
        report.begin(name);
        check(&mut checked, &mut report);
    }
    report
}

/// Runs one check that needs no database.
pub(crate) fn examine_one(hub: &Hub, name: &str) -> Report {
    let mut checked = CheckedHub::new(hub, false);
    let mut report = Report::new(checked.is_port());
    for (name, check) in CHECKS.into_iter().filter(|(known, _)| *known == name) {
        report.begin(name);
        check(&mut checked, &mut report);
    }
    report
}
