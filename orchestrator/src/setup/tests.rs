//! The migrations that run a stage, with a substitute for the stage.

use std::cell::RefCell;

use database::{Db, Target, Which};
use fixtures::db::{PASSWORD, Pair, SqlMode, pair};
use kit::Messages;
use schema::tables::Engine;

use super::changes;

fn connect(pair: &Pair) -> Db {
    let target = Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics);
    Db::connect(&target, Which::Metrics).unwrap()
}

/// Runs migration `id`; the substitute runs the statement `fills` for its table and month.
fn check(id: u16, fills: &str, commands: &[&str], dirty: &[&str]) {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(
        "INSERT INTO web (id, datetime, ip, host, domain, ipcountry) VALUES \
         (1, '2024-05-01', '192.0.2.1', NULL, NULL, NULL), (2, '2024-05-31 23:59:59', '192.0.2.1', '', '', ''), \
         (3, '2024-06-01', '192.0.2.2', 'h', '?', '-'), (4, '2024-08-01', '192.0.2.3', '?', '(unknown)', NULL), \
         (5, NOW(), '192.0.2.4', NULL, NULL, NULL), (6, '0000-00-00', '192.0.2.4', NULL, NULL, NULL);\n\
         INSERT INTO websessions (id, datetime, ip, host, domain, ipcountry) VALUES \
         (1, '2024-09-01', '192.0.2.1', NULL, NULL, ''), (2, '2024-10-01', '192.0.2.1', 'h', NULL, 'US');\n\
         INSERT INTO pipeline_state (k, v) VALUES ('dirty_months', '2024-12,,2023-01')",
    );
    let mut db = connect(&pair);
    let migration = changes::all().into_iter().find(|migration| migration.id == id).unwrap();
    assert_eq!(migration.is_done(&mut db).unwrap(), Some(false));
    let ran = RefCell::new(Vec::new());
    let mut stage = |args: &[&str]| {
        ran.borrow_mut().push(args.join(" "));
        let month = format!("{}-01", args[3]);
        pair.sql(&format!("{} WHERE LAST_DAY(datetime) = LAST_DAY('{month}')", fills.replace("TABLE", args[2])));
        Ok(0)
    };
    migration.apply(&mut db, Messages::new("test", true), &mut stage).unwrap();
    assert_eq!(*ran.borrow(), commands);
    let mut wanted = vec!["2023-01", "2024-12"];
    wanted.extend(dirty);
    wanted.sort_unstable();
    let wanted = if dirty.is_empty() { "2024-12,,2023-01".to_owned() } else { wanted.join(",") };
    assert_eq!(pair.lines("SELECT v FROM pipeline_state"), [wanted]);
}

#[test]
fn only_months_with_changes_are_marked() {
    check(
        53,
        "UPDATE TABLE SET host = IF(ip = '192.0.2.1', 'h', host)",
        &["resolve-dns metrics web 2024-05", "resolve-dns metrics websessions 2024-09"],
        &["2024-05", "2024-09"],
    );
    // no domain for `h`: examined, but not changed
    check(
        54,
        "UPDATE TABLE SET domain = '?'",
        &["fill-domain metrics web 2024-06", "fill-domain metrics websessions 2024-10"],
        &[],
    );
    check(
        55,
        "UPDATE TABLE SET ipcountry = '-'",
        &[
            "fill-ipcountry metrics web 2024-05",
            "fill-ipcountry metrics web 2024-08",
            "fill-ipcountry metrics websessions 2024-09",
        ],
        &["2024-05", "2024-08", "2024-09"],
    );
}

#[test]
fn numbers_are_unique_57_comes_before_56_and_ours_come_last() {
    let ids: Vec<u16> = changes::all().iter().map(|migration| migration.id).collect();
    let expected: Vec<u16> = (1..=55).chain([57, 56, 58, 1001, 1002, 1003, 1004, 1005, 1006, 1009]).collect();
    assert_eq!(ids, expected);
    for migration in changes::all() {
        assert!((10..=100).contains(&migration.about().len()), "{}", migration.about());
    }
}
