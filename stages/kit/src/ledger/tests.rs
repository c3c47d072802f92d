//! The ledger against a real server.

use fixtures::db::{MODES, PASSWORD, Pair, pair};

use super::*;
use crate::db::{self, Which};

fn connect(pair: &Pair) -> Db {
    let target =
        db::Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics);
    Db::connect(&target, Which::Metrics).unwrap()
}

const ROWS: &str = "SELECT filename, target_table, pk_start, pk_end, row_count, origin, imported_at > '2000-01-01' \
                    FROM imported_sources ORDER BY filename, target_table";

#[test]
fn a_file_is_noted_once() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let mut db = connect(&pair);
        assert!(is_there(&mut db).unwrap());
        assert_eq!(begin(&mut db, "a.log", Target::Web).unwrap(), Begun::New);
        assert_eq!(begin(&mut db, "b.log", Target::Web).unwrap(), Begun::New);
        assert_eq!(begin(&mut db, "a.log", Target::Userlogin).unwrap(), Begun::New);
        finish(&mut db, "a.log", Target::Web, Some(7), Some(9), 3).unwrap();
        finish(&mut db, "a.log", Target::Web, Some(7), Some(9), 3).unwrap();
        finish(&mut db, "b.log", Target::Web, None, None, 0).unwrap();
        assert_eq!(begin(&mut db, "a.log", Target::Web).unwrap(), Begun::Committed);
        assert!(finish(&mut db, "c.log", Target::Web, None, None, 0).is_err());
        let expected = [
            "a.log\tweb\t7\t9\t3\timporter\t1",
            "a.log\tuserlogin\tNULL\tNULL\t0\timporter\t1",
            "b.log\tweb\tNULL\tNULL\t0\timporter\t1",
        ];
        assert_eq!(pair.lines(ROWS), expected);
    }
}

#[test]
fn an_undone_transaction_leaves_no_entry() {
    let Some(pair) = pair(MODES[0].0, MODES[0].1) else { return };
    let mut db = connect(&pair);
    let failed: Result<()> = db.transaction_with_retry("importing", &["web", TABLE], |db| {
        assert_eq!(begin(db, "a.log", Target::Web)?, Begun::New);
        anyhow::bail!("the file is cut short")
    });
    assert!(failed.is_err());
    assert_eq!(begin(&mut db, "a.log", Target::Web).unwrap(), Begun::New);
}

fn made(id: i64, range: Option<(i64, i64)>, rows: i64, is_reconstructed: bool) -> Entry {
    let range = range.map(|(start, end)| Range { start, end });
    Entry { id, filename: format!("f{id}"), target: Target::Web, range, rows, is_reconstructed }
}

#[test]
fn ranges_are_counted_back_from_the_highest_id() {
    let ranges = |repair: &Repair| -> Vec<(i64, i64, i64)> {
        repair.corrections.iter().map(|c| (c.entry.id, c.range.start, c.range.end)).collect()
    };
    // newest first; an empty file and one that is right need nothing
    let entries = vec![
        made(5, Some((1, 300)), 300, false),
        made(4, None, 0, false),
        made(3, Some((501, 700)), 200, false),
        made(2, Some((400, 499)), 100, false),
    ];
    let repair = plan(entries.clone(), Some(1000));
    assert_eq!(ranges(&repair), [(5, 701, 1000), (2, 401, 500)]);
    assert_eq!((repair.considered, &repair.stopped), (3, &None));

    let mut among = entries.clone();
    among.push(made(1, Some((10, 450)), 9, true));
    let repair = plan(among, Some(1000));
    assert_eq!(ranges(&repair), [(5, 701, 1000)]);
    assert_eq!(repair.stopped, Some(Stopped::Reconstructed { up_to: 450, left: 1 }));

    let repair = plan(entries.clone(), Some(550));
    assert_eq!(ranges(&repair), [(5, 251, 550), (3, 51, 250)]);
    assert_eq!(repair.stopped, Some(Stopped::BeforeFirst { filename: "f2".to_owned() }));

    assert_eq!(plan(entries, None).stopped, Some(Stopped::Empty));
    assert_eq!(plan(vec![made(1, None, 0, false)], None), Repair::default());
}

#[test]
fn forgetting_deletes_the_range_and_the_entry() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let mut db = connect(&pair);
        let rows: Vec<String> = (1..=9).map(|i| format!("({i}, '2025-07-01', '/{i}')")).collect();
        pair.sql(&format!("INSERT INTO web (id, datetime, content) VALUES {}", rows.join(",")));
        pair.sql(
            "INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count, imported_at) VALUES \
             (1, 'a', 'web', 3, 5, 3, NOW()), (2, 'a', 'webhits', NULL, NULL, 0, NOW()), (3, 'b', 'web', 6, 9, 4, NOW())",
        );
        let entries = of_file(&mut db, "a").unwrap();
        assert_eq!(entries.iter().map(|e| e.target).collect::<Vec<_>>(), [Target::Web, Target::Webhits]);
        assert_eq!(forget(&mut db, &entries[0]).unwrap(), 3);
        assert_eq!(forget(&mut db, &entries[1]).unwrap(), 0);
        assert_eq!(pair.lines("SELECT id FROM web ORDER BY id"), ["1", "2", "6", "7", "8", "9"]);
        assert_eq!(pair.lines("SELECT filename FROM imported_sources"), ["b"]);
        assert_eq!(of_file(&mut db, "a").unwrap(), []);
        let odd = Entry { target: Target::Webhits, ..entries[0].clone() };
        assert!(forget(&mut db, &odd).is_err());
    }
}

fn request(time: &str, url: &str) -> String {
    format!("2025-07-01 {time} EDT 1 - \"GET {url} HTTP/1.1\" 200 12 10.0.0.1 \"-\" \"A\" T 0 1 2 J C A c v t a i\n")
}

#[test]
fn rows_of_a_log_are_found_by_what_they_keep() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let mut db = connect(&pair);
        let long = format!("/{}", "x".repeat(300));
        pair.sql(&format!(
            "INSERT INTO web (id, datetime, ip, content) VALUES (3, '2025-07-01 08:00:01', '10.0.0.1', '/a'), \
             (4, '2025-07-01 08:00:02', '10.0.0.1', '/other'), (6, '2025-07-01 09:00:00', '10.0.0.1', '{}'), \
             (9, '2025-07-01 23:59:59', '10.0.0.1', '/é'), (10, '2025-07-01 08:00:01', '10.0.0.1', '/A'), \
             (11, '2025-07-02 08:00:01', '10.0.0.1', '/a')",
            &long[..255]
        ));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let lines = [
            request("8:00:01", "//a"),
            request("09:00:00", &long),
            request("23:59:59", "/é"),
            request("10:00:00", "/filtered.css"),
            "garbage\n".to_owned(),
            // one field short: only the original scripts take the line end for the last one
            request("08:00:02", "/other").replace("a i\n", "a \n"),
        ];
        std::fs::write(&path, lines.concat()).unwrap();
        let found = Keys::read(&path, Target::Web).unwrap().find(&mut db).unwrap();
        assert_eq!(found, Some(Derived { range: Range { start: 3, end: 9 }, rows: 4 }));
        assert_eq!(found.unwrap().gaps(), 3);
        std::fs::write(&path, "garbage\n").unwrap();
        assert!(Keys::read(&path, Target::Web).unwrap().is_empty());
        std::fs::write(&path, request("08:00:09", "/a")).unwrap();
        assert_eq!(Keys::read(&path, Target::Web).unwrap().find(&mut db).unwrap(), None);
        std::fs::write(&path, [0x1F, 0x8B, 8, 0]).unwrap();
        assert!(format!("{:#}", Keys::read(&path, Target::Web).unwrap_err()).contains("/x"));

        pair.sql(
            "INSERT INTO userlogin (id, datetime, user, uidNumber, ip, action) VALUES \
             (5, '2025-07-01 08:00:01', 'bob', 7, '10.0.0.1', 'login'), (6, '2025-07-01 08:00:01', 'bob', 7, '10.0.0.1', 'logout'), \
             (8, '2025-07-01 08:00:02', '-', 0, '10.0.0.1', 'login')",
        );
        std::fs::write(
            &path,
            "2025-07-01 08:00:01 7 [bob] 10.0.0.1 login \n[2025-07-01 08:00:02] production.INFO: 0 10.0.0.1 login [] []\n",
        )
        .unwrap();
        let found = Keys::read(&path, Target::Userlogin).unwrap().find(&mut db).unwrap();
        assert_eq!(found, Some(Derived { range: Range { start: 5, end: 8 }, rows: 2 }));
    }
}
