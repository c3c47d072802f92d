//! The guide for the change-over, and the way back: docs/change-over.md.

use std::fs;

use fixtures::Finished;
use schema::tables::Engine;

use crate::rehearse::{Hub, MONTHS, found};

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn hzmetrics(hub: &Hub, args: &[&str]) -> Finished {
    hub.run(HZMETRICS.into()).args(args).finish()
}

/// Tables that came with our versions, and those that the port brought.
const OURS: [&str; 4] = ["hz_generations", "hz_pruned", "hz_writer", "import_files"];
const OF_THE_PORT: [&str; 3] = ["imported_sources", "pipeline_state", "migrations"];

/// The checksums, without the row of the writer, which `restore` leaves.
fn sums(hub: &Hub) -> Vec<String> {
    hub.sums().into_iter().filter(|line| !line.contains("hz_writer")).collect()
}

/// A hub of another program, or of an earlier version, goes the way of the guide, and back.
fn there_and_back(engine: Engine, compat: &'static str, absent: &[&str]) {
    let Some(mut hub) = Hub::empty(engine, 2) else { return };
    for table in absent {
        hub.pair.sql(&format!("DROP TABLE IF EXISTS {table}"));
    }
    hub.compat = compat;
    hub.make_months();
    let before = sums(&hub);
    // back up
    let folder = hub.pair.home().join("backups");
    fs::create_dir(&folder).unwrap();
    hzmetrics(&hub, &["backup", folder.to_str().unwrap()]).ok();
    let backup = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    // prove
    let done = hub.rehearse(MONTHS);
    assert_eq!((found(&done), done.code), (vec![], 0), "{}{}", done.text(), done.stderr);
    assert_eq!(sums(&hub), before);
    // change over
    hzmetrics(&hub, &["migrate", "--apply"]).ok();
    assert_ne!(sums(&hub), before);
    let cells = || hub.pair.lines("SELECT * FROM summary_user_vals ORDER BY datetime, period, rowid, colid");
    let published = cells();
    hub.stage("summarize --db 2025-04", None);
    assert_eq!(cells(), published, "numbers stay");
    // and back
    hzmetrics(&hub, &["restore", backup.to_str().unwrap(), "--replace"]).ok();
    assert_eq!(sums(&hub), before, "everything is as it was");
    hub.stage("summarize --db 2025-04", None);
    assert_eq!(cells(), published);
}

#[test]
fn from_the_original_scripts_and_back() {
    there_and_back(Engine::MyIsam, "", &[&OURS[..], &OF_THE_PORT].concat());
}

#[test]
fn from_the_port_and_back() {
    there_and_back(Engine::InnoDb, "port", &OURS);
}

#[test]
fn from_an_earlier_version_and_back() {
    there_and_back(Engine::InnoDb, "", &OURS[..3]);
}
