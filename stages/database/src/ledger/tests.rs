//! The ledger against a real server.

use std::collections::HashSet;

use fixtures::db::{MODES, PASSWORD, Pair, pair};

use super::repair::plan;
use super::*;
use crate::Which;

fn connect(pair: &Pair) -> Db {
    let target =
        crate::Target::at_socket(&pair.socket(), pair.mode.user(), PASSWORD).with_databases(&pair.hub, &pair.metrics);
    Db::connect(&target, Which::Metrics).unwrap()
}

const ROWS: &str = "SELECT filename, target_table, pk_start, pk_end, row_count, origin, imported_at > '2000-01-01' \
                    FROM imported_sources ORDER BY filename, target_table";

#[test]
fn a_file_is_recorded_once() {
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
fn ranges_are_computed_back_from_the_highest_id() {
    let ranges = |repair: &Repair| -> Vec<(i64, i64, i64)> {
        repair.corrections.iter().map(|c| (c.entry.id, c.range.start, c.range.end)).collect()
    };
    // newest first; an empty file and a correct one need nothing
    let entries = vec![
        made(5, Some((1, 300)), 300, false),
        made(4, None, 0, false),
        made(3, Some((501, 700)), 200, false),
        made(2, Some((400, 499)), 100, false),
    ];
    let repair = plan(entries.clone(), Some(1000), &HashSet::new());
    assert_eq!(ranges(&repair), [(5, 701, 1000), (2, 401, 500)]);
    assert_eq!((repair.considered, &repair.stopped), (3, &None));

    let mut among = entries.clone();
    among.push(made(1, Some((10, 450)), 9, true));
    let repair = plan(among, Some(1000), &HashSet::new());
    assert_eq!(ranges(&repair), [(5, 701, 1000)]);
    assert_eq!(repair.stopped, Some(Stopped::Reconstructed { up_to: 450, left: 1 }));

    let repair = plan(entries.clone(), Some(550), &HashSet::new());
    assert_eq!(ranges(&repair), [(5, 251, 550), (3, 51, 250)]);
    assert_eq!(repair.stopped, Some(Stopped::BeforeFirst { filename: "f2".to_owned() }));

    assert_eq!(plan(entries, None, &HashSet::new()).stopped, Some(Stopped::Empty));
    assert_eq!(plan(vec![made(1, None, 0, false)], None, &HashSet::new()), Repair::default());
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
        assert_eq!(forget(&mut db, &entries[0], false).unwrap(), 3);
        assert_eq!(forget(&mut db, &entries[1], false).unwrap(), 0);
        assert_eq!(pair.lines("SELECT id FROM web ORDER BY id"), ["1", "2", "6", "7", "8", "9"]);
        assert_eq!(pair.lines("SELECT filename FROM imported_sources"), ["b"]);
        assert_eq!(of_file(&mut db, "a").unwrap(), []);
        let odd = Entry { target: Target::Webhits, ..entries[0].clone() };
        assert!(forget(&mut db, &odd, true).is_err());
    }
}

fn request(time: &str, url: &str) -> String {
    format!("2025-07-01 {time} EDT 1 - \"GET {url} HTTP/1.1\" 200 12 10.0.0.1 \"-\" \"A\" T 0 1 2 J C A c v t a i\n")
}

#[test]
fn rows_of_a_log_are_found_by_their_content() {
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
            // one field short: only legacy uses the line end as the last field
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

#[test]
fn ledger_names_of_contents_and_parts_have_a_base_name() {
    for (name, base) in [
        ("a.log", "a.log"),
        ("a.log#0123456789ab", "a.log"),
        ("a.log#0123456789ab@4096", "a.log"),
        ("a#b#0123456789ab", "a#b"),
        ("a#b", "a#b"),
        ("a#0123456789AB", "a#0123456789AB"),
        ("a#0123456789ab@", "a#0123456789ab@"),
        ("a#0123456789ab@1x", "a#0123456789ab@1x"),
        ("a#0123456789abc", "a#0123456789abc"),
        ("", ""),
    ] {
        assert_eq!(base_name(name), base);
        assert_eq!(is_part(name), name == "a.log#0123456789ab@4096", "{name}");
    }
}

#[test]
fn an_entry_knows_what_it_was_read_from() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let mut db = connect(&pair);
        assert!(files::is_there(&mut db).unwrap());
        pair.sql(
            "INSERT INTO imported_sources (id, filename, target_table, row_count, imported_at) VALUES \
             (3, 'a_1.log', 'web', 3, NOW()), (4, 'a_1.log#0123456789ab@40', 'web', 2, NOW()), \
             (5, 'a_1.log', 'userlogin', 1, NOW()), (6, 'aX1.log#0123456789ab', 'web', 1, NOW()), \
             (7, 'a_1.log#b', 'web', 1, NOW())",
        );
        let row = files::FileRow {
            path: Some(format!("/logs/{}", "é".repeat(1100))),
            device: Some(u64::MAX),
            inode: Some(7),
            size: Some(40),
            mtime: Some(-1),
            offset: Some(0),
            bytes: Some(40),
            hash: Some("0f".repeat(16)),
            head: Some("f0".repeat(16)),
            lines: Some(9),
            rows: Some(3),
            rejected: Some(2),
            dropped: [("ipv6".to_owned(), 3), ("suffix".to_owned(), 1)].into(),
            ipv6: Some(3),
            layout: Some("hubzero".to_owned()),
            status: files::Status::Accepted,
            run: None,
        };
        let stored =
            files::FileRow { path: row.path.as_deref().map(|p| p.chars().take(1024).collect()), ..row.clone() };
        let id = files::entry_id(&mut db, "a_1.log", Target::Web).unwrap().unwrap();
        assert_eq!(id, 3);
        files::record(&mut db, id, &files::FileRow::default()).unwrap();
        files::record(&mut db, id, &row).unwrap();
        assert_eq!(files::of_entry(&mut db, 3).unwrap(), Some(stored.clone()));
        assert_eq!(files::of_entry(&mut db, 4).unwrap(), None);
        let of_hash = files::of_hash(&mut db, Target::Web, &"0f".repeat(16)).unwrap();
        assert_eq!(of_hash.iter().map(|(entry, _)| entry.id).collect::<Vec<_>>(), [3]);
        assert_eq!(files::of_hash(&mut db, Target::Userlogin, &"0f".repeat(16)).unwrap(), []);
        let parts = files::parts_of(&mut db, "a_1.log", Target::Web).unwrap();
        assert_eq!(
            parts.iter().map(|(entry, row)| (entry.id, row.is_some())).collect::<Vec<_>>(),
            [(3, true), (4, false)]
        );

        let entry = of_file(&mut db, "a_1.log").unwrap().into_iter().find(|e| e.target == Target::Web).unwrap();
        forget(&mut db, &entry, false).unwrap();
        assert_eq!(pair.lines("SELECT COUNT(*) FROM import_files"), ["0"]);
        // a hub before migration 1001 lacks the table
        pair.sql("DROP TABLE import_files");
        let mut db = connect(&pair);
        let entry = of_file(&mut db, "a_1.log").unwrap().remove(0);
        forget(&mut db, &entry, false).unwrap();
    }
}

#[test]
fn the_shares_of_a_day_add_up_over_its_files() {
    let Some(pair) = pair(MODES[0].0, MODES[0].1) else { return };
    let mut db = connect(&pair);
    pair.sql(
        "INSERT INTO imported_sources (id, filename, target_table, row_count, imported_at) VALUES \
         (1, 'h-access.log-20250701.gz', 'web', 3, '2025-07-03'), (2, 'h-access.log-20250701.gz#0123456789ab@9', 'web', 3, '2025-07-03'), \
         (3, 'h-access.log-20250630', 'web', 3, '2025-07-03'), (4, 'cmsauth.log-20250701', 'userlogin', 3, '2025-07-03'), \
         (5, 'old', 'web', 3, '2025-07-03'), (6, 'h-access.log-20250702', 'web', 3, '2025-07-03');\n\
         INSERT INTO import_files (id, lines_read, rows_kept, rejected, dropped, ipv6) VALUES \
         (1, 90, 80, 9, '{\"ipv6\":1}', 1), (2, 10, 7, 2, '{\"suffix\":1}', 0), (3, 5, 5, 0, NULL, 0), \
         (4, 9, 1, 0, 'no json', NULL), (5, 10, 8, 1, '{\"ipv6\":1,\"x\":0}', 1)",
    );
    let found = files::shares_by_day(&mut db, "20250701").unwrap();
    let share = |lines, rows, rejected, rules: &[(&str, u64)], ipv6| {
        let dropped = rules.iter().map(|(rule, n)| ((*rule).to_owned(), *n)).collect();
        files::Share { lines, rows, rejected, dropped, ipv6 }
    };
    let first = share(100, 87, 11, &[("ipv6", 1), ("suffix", 1)], 1);
    assert_eq!(first.words(), "100 lines, 87 kept, 11 rejected (11.0%), 2 dropped (ipv6 1, suffix 1), IPv6 1.0%");
    let expected = [
        (("20250701".to_owned(), Target::Web), first),
        (("20250701".to_owned(), Target::Userlogin), share(9, 1, 0, &[], 0)),
        (("20250703".to_owned(), Target::Web), share(10, 8, 1, &[("ipv6", 1), ("x", 0)], 1)),
    ];
    assert_eq!(found, expected.into());
    let judged: Vec<_> = found.values().map(|s| (s.has_many_rejects(), s.has_much_ipv6())).collect();
    assert_eq!(judged, [(true, false), (false, false), (false, false)]);
    assert!(share(10, 0, 0, &[], 2).has_much_ipv6() && !share(0, 0, 0, &[], 0).has_many_rejects());
    assert!((share(8, 0, 1, &[], 0).percent(1) - 12.5).abs() < 1e-9);
    pair.sql("DROP TABLE import_files");
    assert!(files::shares_by_day(&mut connect(&pair), "").unwrap().is_empty());
}
