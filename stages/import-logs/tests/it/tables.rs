//! `--to db` and `--db` on a real server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fixtures::db::{MODES, SqlMode};
use hub::lock::{Lock, LockResult};
use schema::tables::Engine;

use crate::hub::{Hub, stage};
use crate::{gzip, line};

fn hub() -> Option<Hub> {
    Hub::new(Engine::InnoDb, SqlMode::Strict)
}

/// Lines that a table cannot store as they are.
fn odd_lines() -> Vec<u8> {
    let mut text = Vec::new();
    for (date, url) in
        [("2025-07-10", "/a//b"), ("2025-13-01", "/month"), ("2025-07-00", "/day"), ("0000-00-00", "/none")]
    {
        text.extend(line(date, url, "UA").into_bytes());
    }
    text.extend(line("2025-07-11", &format!("/{}", "é".repeat(200)), &"x".repeat(300)).into_bytes());
    text.extend(line("2025-07-11", "/bot", "MyBot/1").into_bytes());
    text.extend(line("2025-07-11", "/spared", "A searchTool").into_bytes());
    text.extend(line("2025-07-11", "/x\u{1F600}y\"z", "UA \u{1F600}").into_bytes());
    text.extend(b"2025-07-11 08:00:02 EDT 1 - \"GET /\xff\\ HTTP/1.1\" 200 12 a.long.name.example \"'\xe9\" \"U\xff\" T 0 12 99999999999 J\x01 C A c v t a i\n");
    text.extend(b"2025-07-11 08:00:03 EDT - \"GET /old HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"UA\" T 0 12 a=1; b=2\n");
    text.extend(b"no log line\n");
    text
}

const LOGINS: &str = "2025-07-10 08:00:01 1 [Bob] 1.1.1.1 login\n2025-07-10 08:00:01 1 [bob] 1.1.1.1 login\n\
     2025-07-10 08:00:02 99999999999999999999 [\u{1F600}] 1.1.1.1.1.1.1.1.1 logout\n2025-02-30 08:00:03 2 [c] 1.1.1.1 x";

/// The records of the pipe in the form in which the tables' rows are printed.
fn as_rows(records: &[serde_json::Value], columns: &str) -> Vec<String> {
    let cell = |record: &serde_json::Value, column: &str| match &record[column] {
        serde_json::Value::Null => "NULL".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |record| columns.split(", ").map(|c| cell(record, c.trim())).collect::<Vec<_>>().join("\t");
    records.iter().map(row).collect()
}

#[test]
fn tables_and_pipe_agree_in_every_mode() {
    for (engine, mode) in MODES {
        let at = format!("{engine:?} {mode:?}");
        let Some(hub) = Hub::new(engine, mode) else { return };
        hub.pair.sql("INSERT INTO bot_useragents VALUES ('old'), ('a SearchTool/1')");
        hub.pair.sql("INSERT INTO exclude_list (filter, type) VALUES ('/none', 'url')");
        let access = hub.put("httpd/daily/hub-access.log-20250711", odd_lines());
        let auth = hub.put("hubzero/daily/cmsauth.log-20250711", LOGINS);
        let list = hub.put("exclude.csv", "filter,type\n/none,url\n");
        let streamed = hub.import().arg("--exclude").arg(list).args([&access, &auth]).finish().ok();
        let done = hub.load(&[&access, &auth]).finish().ok();
        let web = as_rows(&streamed.of_kind("web"), crate::hub::WEB);
        assert_eq!(web.len(), 8, "{at}");
        assert_eq!(hub.pair.lines(&format!("SELECT {} FROM web ORDER BY id", crate::hub::WEB)), web, "{at}");
        assert_eq!(
            hub.pair.lines("SELECT datetime, hits FROM webhits"),
            as_rows(&streamed.of_kind("hits"), "datetime, hits"),
            "{at}"
        );
        let columns = "datetime, uidNumber, user, ip, action";
        let logins = as_rows(&streamed.of_kind("login"), columns);
        assert_eq!(logins.len(), 3, "{at}: one of the four exists already");
        assert_eq!(hub.pair.lines(&format!("SELECT {columns} FROM userlogin ORDER BY id")), logins, "{at}");
        assert_eq!(hub.pair.lines("SELECT * FROM bot_useragents ORDER BY 1"), ["MyBot/1", "old"], "{at}");
        let receipts = done.records();
        assert_eq!(receipts.len(), 2, "{at}");
        for (receipt, path, target, rows, rejected) in
            [(&receipts[0], &access, "web", 8, 1), (&receipts[1], &auth, "userlogin", 3, 0)]
        {
            assert_eq!(receipt["kind"], "receipt");
            assert_eq!(receipt["path"], path.to_str().unwrap());
            assert_eq!((&receipt["target"], &receipt["date"]), (&target.into(), &"20250711".into()), "{at}");
            assert_eq!((&receipt["rows"], &receipt["rejected"]), (&rows.into(), &rejected.into()), "{at}");
            assert_eq!(receipt["pk_start"], 1, "{at}");
            let last = hub.pair.value(&format!("SELECT MAX(id) FROM {target}")).unwrap();
            assert_eq!(receipt["pk_end"].to_string(), last, "{at}");
        }
        let ledger = "SELECT filename, target_table, pk_start, pk_end, row_count FROM imported_sources ORDER BY id";
        let last = hub.pair.value("SELECT MAX(id) FROM userlogin").unwrap();
        assert_eq!(
            hub.pair.lines(ledger),
            [
                "hub-access.log-20250711\tweb\t1\t8\t8".to_owned(),
                format!("cmsauth.log-20250711\tuserlogin\t1\t{last}\t3")
            ],
            "{at}"
        );
        assert_eq!(done.stderr.contains("migrate --apply"), engine == Engine::MyIsam, "{at}: {}", done.stderr);
        // again: nothing new, but receipts as before
        let rows = hub.rows();
        let again = hub.load(&[&access, &auth]).finish().ok();
        assert!(again.stderr.contains("already committed by prior run"), "{}", again.stderr);
        assert!(again.records().iter().all(|r| r["rows"] == 0 && r["already"] == 1), "{}", again.text());
        assert_eq!((again.records().len(), hub.rows()), (2, rows.clone()), "{at}");
        // the cron form gives the same rows from the same lines
        let Some(other) = Hub::new(engine, mode) else { return };
        other.pair.sql("INSERT INTO bot_useragents VALUES ('old'), ('a SearchTool/1')");
        other.pair.sql("INSERT INTO exclude_list (filter, type) VALUES ('/none', 'url')");
        other.put("hubzero/metrics/_hub_apache.log", odd_lines());
        other.put("hubzero/metrics/_hub_auth.log", LOGINS);
        let cron = other.import().arg("--db").finish().ok();
        assert!(cron.stdout.is_empty() && cron.stderr.is_empty(), "{at}: {}", cron.stderr);
        assert_eq!(other.rows(), rows, "{at}");
        assert!(other.at("hubzero/metrics/_prev_hub_apache.log").exists());
        assert!(other.at("hubzero/metrics/_prev_hub_auth.log").exists());
        assert_eq!(other.ledger(), [""; 0], "no list, no ledger");
    }
}

/// What a hub stores does not depend on the width of its columns; IPv6 clients need wide ones.
#[test]
fn ipv6_clients_need_room_and_are_never_cut() {
    let of = |client: &str| line("2025-07-10", "/a", "UA").replace("1.2.3.4", client);
    let text = of("2001:DB8:0:0:AAAA:BBBB:CCCC:1") + &of("192.0.2.1") + &of("a.long.name.example");
    let logins = "2025-07-10 08:00:01 1 [bob] 2001:db8::1 login\n2025-07-10 08:00:01 1 [bob] 1.1.1.1.1.1.1.1.1 login\n";
    for (engine, mode) in MODES {
        let at = format!("{engine:?} {mode:?}");
        let Some(hub) = Hub::new(engine, mode) else { return };
        let access = hub.put("httpd/daily/hub-access.log-20250711", &text);
        let auth = hub.put("hubzero/daily/cmsauth.log-20250711", logins);
        let stored = || hub.pair.lines("SELECT ip FROM web UNION ALL SELECT ip FROM userlogin ORDER BY 1");
        let clear = "DELETE FROM web;\nDELETE FROM userlogin;\nDELETE FROM webhits;\nDELETE FROM import_files;\n\
                     DELETE FROM imported_sources";
        for is_narrow in [false, true] {
            if is_narrow {
                hub.pair.narrow_addresses();
            }
            hub.load(&[&access, &auth]).finish().ok();
            assert_eq!(stored(), ["1.1.1.1.1.1.1.1", "192.0.2.1", "a.long.name.exa"], "{at} {is_narrow}");
            hub.pair.sql(clear);
        }
        let refused = hub.load(&[&access, &auth]).args(["--compat", "ipv6"]).finish().expect_code(1);
        let said =
            "`web.ip` holds 15 characters, too few for an IPv6 address; `hzmetrics migrate --apply` (migration 1002)";
        assert!(refused.stderr.contains(said), "{at}: {}", refused.stderr);
        assert_eq!(stored(), [""; 0], "{at}");
        hub.pair.sql(
            "ALTER TABLE web MODIFY ip varchar(45) NOT NULL DEFAULT '';\n\
             ALTER TABLE userlogin MODIFY ip varchar(45) NOT NULL DEFAULT ''",
        );
        hub.load(&[&access, &auth]).args(["--compat", "ipv6"]).finish().ok();
        let whole =
            ["1.1.1.1.1.1.1.1.1", "192.0.2.1", "2001:db8::1", "2001:db8::aaaa:bbbb:cccc:1", "a.long.name.example"];
        assert_eq!(stored(), whole, "{at}");
        let left = "SELECT SUM(ipv6), SUM(rejected) FROM import_files";
        assert_eq!(hub.pair.lines(left), ["0\t0"], "{at}");
    }
}

#[test]
fn empty_files_are_entered_in_the_ledger_too() {
    let Some(hub) = hub() else { return };
    let files = [hub.put("httpd/daily/empty", ""), hub.put("hubzero/daily/cmsauth.log-1", "")];
    let done = hub.load(&[&files[0], &files[1]]).finish().ok();
    assert_eq!(done.records().len(), 2);
    assert!(done.records()[0].get("pk_start").is_none());
    assert_eq!(hub.pair.lines("SELECT * FROM webhits"), ["0000-00-00 00:00:00\t0"]);
    assert_eq!(hub.ledger(), ["empty\tweb\t0\tNULL", "cmsauth.log-1\tuserlogin\t0\tNULL"]);
    // the port writes no row with the zero date
    let third = hub.put("httpd/daily/third", "");
    hub.load(&[&third]).args(["--compat", "port"]).finish().ok();
    assert_eq!(hub.count("webhits"), 1);
}

#[test]
fn a_dry_run_writes_nothing() {
    let Some(hub) = hub() else { return };
    let access = hub.put("httpd/daily/a", odd_lines());
    hub.put("hubzero/metrics/_hub_apache.log", odd_lines());
    let before = hub.rows();
    let done = hub.load(&[&access]).arg("--dry-run").finish().ok();
    assert!(done.stdout.is_empty() && done.stderr.contains("11 lines, 9 rows, 1 not recognised"), "{}", done.stderr);
    let done = hub.import().args(["--db", "--dry-run"]).finish().ok();
    assert!(done.stderr.contains("9 rows"), "{}", done.stderr);
    assert_eq!((hub.rows(), hub.ledger().len()), (before, 0));
    assert!(hub.at("hubzero/metrics/_hub_apache.log").exists());
    let filter = crate::import_logs().arg("--dry-run").arg(&access).finish().ok();
    assert!(filter.stdout.is_empty() && filter.stderr.contains("9 rows"), "{}", filter.stderr);
}

#[test]
fn a_forgotten_file_is_imported_again() {
    let Some(hub) = hub() else { return };
    let files: Vec<_> =
        (1..=3).map(|n| hub.put(&format!("httpd/daily/{n}"), line("2025-07-10", &format!("/{n}"), "UA"))).collect();
    hub.load(&[&files[0], &files[1]]).finish().ok();
    hub.pair.sql("DELETE FROM web WHERE content = '/1';\nDELETE FROM imported_sources WHERE filename = '1'");
    // the same base name twice in one run is one file, and standard input has no name
    let twin = hub.put("hubzero/daily/3", "");
    let done = hub.load(&[&files[0], &files[1], &files[2], &twin]).finish().ok();
    let already: Vec<_> = done.records().iter().map(|r| r.get("already").is_some()).collect();
    assert_eq!(already, [true, true, false, false]);
    let raw =
        hub.import().args(["--to", "db", "--raw", "access"]).stdin(line("2025-07-10", "/raw", "UA")).finish().ok();
    assert_eq!(raw.text(), "");
    assert_eq!(hub.pair.lines("SELECT content FROM web ORDER BY id"), ["/2", "/1", "/3", "/raw"]);
    hub.load(&[&files[0]]).arg("--no-ledger").finish().ok();
    assert_eq!((hub.count("web"), hub.count("imported_sources")), (5, 3));
    hub.pair.sql("DROP TABLE imported_sources");
    assert_eq!(hub.load(&[&files[0]]).finish().ok().records()[0]["rows"], 1);
    assert_eq!(hub.count("web"), 6);
}

#[test]
fn single_steps_make_no_ledger_entry() {
    let Some(hub) = hub() else { return };
    let access = hub.put("httpd/daily/a", odd_lines());
    let auth = hub.put("hubzero/daily/cmsauth.log-1", LOGINS);
    let only = |step: &str| hub.load(&[&access, &auth]).args(["--only", step]).finish().ok().text();
    let counts = || ["web", "webhits", "userlogin"].map(|table| hub.count(table));
    assert_eq!(only("identify-bots"), "");
    assert_eq!((counts(), hub.pair.lines("SELECT * FROM bot_useragents")), ([0, 0, 0], vec!["MyBot/1".to_owned()]));
    assert_eq!(only("webhits"), "");
    let hits = hub.count("webhits");
    assert!(hits > 0 && hub.count("web") == 0);
    assert_eq!((only("web"), counts()), (String::new(), [9, hits, 0]));
    assert_eq!(hub.ledger(), [""; 0]);
    assert!(only("auth").contains("userlogin"));
    assert_eq!((counts(), hub.ledger().len()), ([9, hits, 3], 1));
    hub.put("hubzero/metrics/_hub_apache.log", odd_lines());
    hub.import().args(["--db", "--only", "webhits"]).finish().ok();
    assert!(hub.at("hubzero/metrics/_hub_apache.log").exists(), "only a part of it was imported");
    assert_eq!(hub.count("webhits"), 2 * hits);
    hub.import().args(["--db"]).arg(&access).finish().expect_code(2);
}

#[test]
fn the_port_finds_bots_after_the_requests() {
    let Some(hub) = hub() else { return };
    let text = line("2025-07-10", "/resources/1/download/a", "NewBot/1") + &line("2025-07-10", "/b", "curl/8");
    let files = [hub.put("httpd/daily/1", &text), hub.put("httpd/daily/2", &text)];
    hub.pair.sql("INSERT INTO bot_useragents VALUES ('x searchtool')");
    let empty = hub.put("httpd/daily/0", "");
    hub.load(&[&empty]).args(["--compat", "port"]).finish().ok();
    assert_eq!(hub.count("bot_useragents"), 1, "only cleaned after a file with bots");
    hub.load(&[&files[0], &files[1]]).args(["--compat", "port"]).finish().ok();
    assert_eq!(hub.pair.lines("SELECT content, dnload FROM web"), ["/resources/1/download/a\t1", "/b\t0"]);
    assert_eq!(hub.pair.lines("SELECT * FROM webhits"), ["2025-07-10 00:00:00\t2"]);
    assert_eq!(hub.pair.lines("SELECT * FROM bot_useragents ORDER BY 1"), ["curl/8", "NewBot/1"]);
}

#[test]
fn with_compat_port_staged_logs_are_imported_one_by_one() {
    // a bot is known from the log after the one that showed it, and a last line without a line end
    // is a line. Tables and ledger are the same whether logs are staged or read in place
    let text = |n: u32| {
        let day = format!("2025-07-{n:02}");
        (line(&day, "/a", "NewBot/1") + &line(&day, &format!("/b/{n}"), "UA")).trim_end().to_owned()
    };
    let hubs = [hub(), hub()];
    let [Some(staged), Some(direct)] = &hubs else { return };
    let mut names = Vec::new();
    for n in 1..=3 {
        let name = format!("httpd/daily/hub-access.log-2025070{n}");
        staged.put(&name, text(n));
        names.push(direct.put(&name, text(n)));
    }
    staged.put("hubzero/daily/cmsauth.log-20250701", LOGINS);
    names.push(direct.put("hubzero/daily/cmsauth.log-20250701", LOGINS));
    let run = || {
        staged.run(stage("fetch-logs")).args(["--stage", "--compat", "port"]).finish().ok();
        staged.import().args(["--db", "--compat", "port"]).finish().ok();
    };
    run();
    direct
        .load(&names.iter().map(std::path::PathBuf::as_path).collect::<Vec<_>>())
        .args(["--compat", "port"])
        .finish()
        .ok();
    assert_eq!(staged.pair.lines("SELECT content FROM web ORDER BY id"), ["/a", "/b/1", "/b/2", "/b/3"]);
    let sql = "SELECT filename, pk_start, pk_end, row_count FROM imported_sources ORDER BY filename";
    for sql in [sql, "SELECT id, content FROM web", "SELECT * FROM webhits", "SELECT user, action FROM userlogin"] {
        assert_eq!(staged.pair.lines(sql), direct.pair.lines(sql), "{sql}");
    }
    // known logs are left out, and only a forgotten log comes back
    staged.pair.sql("DELETE FROM imported_sources WHERE filename LIKE '%20250702'");
    run();
    assert_eq!(staged.pair.lines("SELECT content FROM web WHERE id > 4"), ["/b/2"]);
    assert_eq!((staged.count("imported_sources"), staged.count("userlogin")), (4, direct.count("userlogin")));
}

#[test]
fn each_staged_source_gets_a_ledger_entry() {
    let Some(hub) = hub() else { return };
    let day = |n: u32| (0..3).map(|i| line(&format!("2025-07-{n:02}"), &format!("/{n}/{i}"), "UA")).collect::<String>();
    // the second log lacks a final line end: its last line and the first of the third become one
    let second = day(2).trim_end().to_owned();
    for (n, text) in [(1, day(1)), (2, second.clone()), (3, day(3)), (4, String::new()), (5, day(5))] {
        hub.put(&format!("httpd/daily/hub-access.log-2025070{n}"), text);
    }
    hub.put("hubzero/daily/cmsauth.log-20250701", LOGINS);
    hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
    let import = || {
        let done = hub.import().arg("--db").finish().ok();
        assert!(done.stdout.is_empty() && done.stderr.is_empty(), "{}", done.stderr);
    };
    import();
    let booked = [
        "hub-access.log-20250701\tweb\t3\t3",
        "hub-access.log-20250702\tweb\t3\t3",
        "hub-access.log-20250703\tweb\t2\t2",
        "hub-access.log-20250704\tweb\t0\tNULL",
        "hub-access.log-20250705\tweb\t3\t3",
        "cmsauth.log-20250701\tuserlogin\t3\t4",
    ];
    let known = hub.ledger();
    assert_eq!(known[..5], booked[..5]);
    let range = "SELECT (SELECT GROUP_CONCAT(content) FROM web WHERE id BETWEEN pk_start AND pk_end) FROM imported_sources \
                 WHERE filename = 'hub-access.log-20250702'";
    assert_eq!(hub.pair.value(range).unwrap(), "/2/0,/2/1,/2/2", "a line belongs to where it begins");
    // a run killed before the renaming finds everything done
    let rows = hub.rows();
    fs::rename(hub.at("hubzero/metrics/_prev_hub_apache.log"), hub.at("hubzero/metrics/_hub_apache.log")).unwrap();
    import();
    assert_eq!((hub.rows(), hub.ledger()), (rows.clone(), known.clone()));
    assert!(!hub.at("hubzero/metrics/_hub_apache.log").exists());
    // new sources among known ones
    hub.put("httpd/daily/hub-access.log-20250706", second.replace("2025-07-02", "2025-07-06"));
    hub.pair.sql(
        "DELETE FROM web WHERE content LIKE '/2/%';\nDELETE FROM imported_sources WHERE filename LIKE '%20250702';\n\
         DELETE FROM webhits",
    );
    hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
    import();
    assert_eq!(
        hub.pair.lines("SELECT datetime, content FROM web ORDER BY id DESC LIMIT 4"),
        [
            "2025-07-06 08:00:01\t/2/1",
            "2025-07-06 08:00:01\t/2/0",
            "2025-07-02 08:00:01\t/2/1",
            "2025-07-02 08:00:01\t/2/0"
        ],
        "each is now read separately, so a last line without a line end does not count"
    );
    assert_eq!(hub.pair.lines("SELECT hits FROM webhits"), ["2", "2"]);
    assert_eq!(hub.count("imported_sources"), 7);
    // a list that describes another file
    hub.put("hubzero/metrics/_hub_apache.log", day(9));
    let done = hub.import().arg("--db").finish().ok();
    assert!(done.stdout.is_empty(), "{}", done.text());
    assert_eq!(hub.pair.lines("SELECT content FROM web ORDER BY id DESC LIMIT 1"), ["/9/2"]);
    assert_eq!(hub.count("imported_sources"), 7);
}

#[test]
fn files_that_cannot_be_read_stop_the_run_and_leave_nothing_behind() {
    let Some(hub) = hub() else { return };
    let good = hub.put("httpd/daily/1", line("2025-07-10", "/1", "UA"));
    let text: String = (0..20_000).map(|n| line("2025-07-10", &format!("/{n}"), &format!("UA {n}"))).collect();
    let whole = gzip(text.as_bytes());
    let cut = hub.put("httpd/daily/2.gz", &whole[..whole.len() - 100]);
    let after = hub.put("httpd/daily/3", line("2025-07-10", "/3", "UA"));
    let missing = hub.at("httpd/daily/none");
    let directory = hub.at("httpd/daily");
    for bad in [cut.as_path(), &missing, &directory] {
        let done = hub.load(&[&good, bad, &after]).finish().expect_code(1);
        assert_eq!(done.records().len(), 1, "the file before it is committed");
        assert!(done.stderr.contains(bad.to_str().unwrap()), "{}", done.stderr);
        assert_eq!((hub.count("web"), hub.ledger().len(), hub.count("webhits")), (1, 1, 1));
    }
    fs::write(&cut, &whole).unwrap();
    hub.load(&[&good, &cut, &after]).finish().ok();
    assert_eq!(hub.count("web"), 20_002);
}

#[test]
fn only_one_import_runs_at_a_time() {
    let Some(hub) = hub() else { return };
    let text: String = (0..5000).map(|n| line("2025-07-10", &format!("/{n}"), "UA")).collect();
    let file = hub.put("httpd/daily/1", text);
    let lock = hub.pair.home().join("state/hzmetrics.pid");
    let held = Lock::ask(&lock, Duration::ZERO).unwrap();
    assert!(matches!(held, LockResult::Held(_)));
    let busy = hub.load(&[&file]).args(["--lock-wait", "0"]).finish().expect_code(75);
    assert!(busy.stderr.contains("another run is in progress") && hub.count("web") == 0, "{}", busy.stderr);
    hub.load(&[&file]).arg("--dry-run").args(["--lock-wait", "0"]).finish().ok();
    drop(held);
    let receipts: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2).map(|_| scope.spawn(|| hub.load(&[&file]).finish().ok().records())).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    let mut rows: Vec<_> = receipts.iter().map(|r| r["rows"].as_u64().unwrap()).collect();
    rows.sort_unstable();
    assert_eq!((rows, hub.count("web")), (vec![0, 5000], 5000));
}

#[test]
fn errors_name_what_is_missing() {
    let Some(hub) = hub() else { return };
    let file = hub.put("httpd/daily/1", line("2025-07-10", "/1", "UA"));
    hub.pair.sql("ALTER TABLE web DROP COLUMN item_name");
    let done = hub.load(&[&file]).finish().expect_code(1);
    assert!(done.stderr.contains("item_name") && done.stderr.contains("httpd/daily/1"), "{}", done.stderr);
    assert_eq!((hub.count("web"), hub.ledger().len(), done.text()), (0, 0, String::new()));
    let none = fixtures::run(env!("CARGO_BIN_EXE_import-logs")).args(["--to", "db"]).arg(&file);
    none.env("HZMETRICS_ROOT", Path::new("/nowhere")).finish().expect_code(2);
    hub.import().args(["--from", "db"]).finish().expect_code(2);
}

#[test]
fn a_reader_that_leaves_stops_the_run_after_a_commit() {
    let Some(hub) = hub() else { return };
    let files: Vec<_> =
        (1..=40).map(|n| hub.put(&format!("httpd/daily/{n}"), line("2025-07-10", &format!("/{n}"), "UA"))).collect();
    let names: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    hub.load(&names).read_at_most(1).expect_code(141);
    let n = hub.count("web");
    assert!(n > 0 && n == hub.count("imported_sources"), "{n}");
    assert_eq!(hub.load(&names).finish().ok().records().len(), 40);
    assert_eq!(hub.count("web"), 40);
}

/// The ledger in InnoDB, the rows in MyISAM: the result of an incomplete migration.
#[test]
fn tables_may_have_different_engines() {
    let Some(hub) = Hub::new(Engine::MyIsam, SqlMode::Strict) else { return };
    hub.pair.sql("ALTER TABLE imported_sources ENGINE=InnoDB");
    let log = hub.put("httpd/daily/it's", line("2025-07-11", "/a", "UA") + &line("2025-07-11", "/b", "Bot/1"));
    let auth = hub.put("hubzero/daily/cmsauth.log-1", LOGINS);
    // the rows cannot be written: only the name is in the ledger
    hub.pair.sql("CREATE TRIGGER no BEFORE INSERT ON web FOR EACH ROW SIGNAL SQLSTATE '45000'");
    hub.load(&[&log]).finish().expect_code(1);
    assert_eq!(hub.pair.lines("SELECT row_count, pk_start FROM imported_sources"), ["-1\tNULL"]);
    assert_eq!(hub.count("web"), 0);
    hub.load(&[&log]).finish().expect_code(1);
    hub.pair.sql("DROP TRIGGER no;\nDELETE FROM imported_sources;\nDELETE FROM webhits");
    hub.load(&[&log, &auth]).finish().ok();
    assert_eq!(hub.ledger(), ["it's\tweb\t1\t1", "cmsauth.log-1\tuserlogin\t3\t3"]);
    assert_eq!(hub.pair.lines("SELECT content FROM web"), ["/a"]);
    assert_eq!(hub.pair.lines("SELECT hits FROM webhits"), ["2"]);
    assert_eq!(hub.pair.lines("SELECT useragent FROM bot_useragents"), ["Bot/1"]);
    // the tables are not locked any more
    hub.pair.sql("INSERT INTO web (datetime) VALUES ('2025-07-12')");
}

#[test]
fn a_half_loaded_myisam_file_is_neither_lost_nor_repeated() {
    let Some(hub) = Hub::new(Engine::MyIsam, SqlMode::Lax) else { return };
    let log = hub.put("httpd/daily/hub-access.log-20250711", line("2025-07-11", "/a", "UA"));
    hub.load(&[&log]).finish().ok();
    assert_eq!(hub.pair.lines("SELECT row_count, pk_start, pk_end FROM imported_sources"), ["1\t1\t1"]);
    // as left by a server that dies between its first and its last row
    hub.pair.sql("UPDATE imported_sources SET row_count = -1, pk_start = NULL, pk_end = NULL");
    for _ in 0..2 {
        let refused = hub.load(&[&log]).finish().expect_code(1);
        assert!(refused.stderr.contains("hub-access.log-20250711: the server died"), "{}", refused.stderr);
        assert!(refused.stdout.is_empty(), "no receipt, so the log stays where it is");
        assert_eq!(hub.pair.lines("SELECT COUNT(*) FROM web"), ["1"]);
    }
    hub.pair.sql("DELETE FROM web");
    hub.pair.sql("DELETE FROM imported_sources");
    hub.load(&[&log]).finish().ok();
    assert_eq!(hub.pair.lines("SELECT COUNT(*) FROM web"), ["1"]);
}
