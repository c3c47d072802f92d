//! How a log is identified, whether it is understood, and what becomes of one that changes: in the
//! pipe, in tables with a ledger, and in the cron lines on tables without one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fixtures::Finished;
use fixtures::db::{SqlMode, private_server};
use schema::tables::Engine;
use serde_json::Value;

use crate::hub::{Hub, stage};
use crate::{file, gzip, import_logs, line};

const ENGINES: [Engine; 2] = [Engine::InnoDb, Engine::MyIsam];

fn day(n: u32, urls: &[&str]) -> String {
    urls.iter().map(|url| line(&format!("2025-07-{n:02}"), url, "UA")).collect()
}

fn append(path: &Path, text: &str) {
    File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn contents(hub: &Hub) -> Vec<String> {
    hub.pair.lines("SELECT content FROM web ORDER BY id")
}

fn by_name(done: &Finished) -> Vec<(String, Value)> {
    let name = |record: &Value| {
        let path = PathBuf::from(record["path"].as_str().unwrap());
        path.file_name().unwrap().to_string_lossy().into_owned()
    };
    done.records().into_iter().map(|record| (name(&record), record)).collect()
}

#[test]
fn a_receipt_says_what_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let text = day(10, &["/a", "/b"]) + "odd\n" + &day(10, &["/c"]).replace("1.2.3.4", "2001:db8::1");
    let receipts = dir.path().join("receipts");
    for log in [file(&dir, "log", &text), file(&dir, "log.gz", gzip(text.as_bytes()))] {
        import_logs().arg(&log).arg("--receipts").arg(&receipts).finish().ok();
        let receipt: Value = serde_json::from_slice(&fs::read(&receipts).unwrap()).unwrap();
        let read = logs::fingerprint::of(&log).unwrap();
        assert_eq!(serde_json::from_value::<logs::fingerprint::Fingerprint>(receipt.clone()).unwrap(), read);
        let n = |name: &str| receipt[name].as_u64().unwrap();
        assert_eq!((n("lines"), n("rows"), n("rejected"), n("unfit"), n("ipv6")), (4, 2, 2, 1, 1), "{receipt}");
        assert_eq!(receipt["dropped"], serde_json::json!({}), "a line that is rejected is not dropped");
    }
}

#[test]
fn names_that_are_not_utf8_go_through_the_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let of = |bytes: &[u8]| dir.path().join(OsStr::from_bytes(bytes));
    let logs = [(b"h-access.log-1\xfe" as &[u8], "/a"), (b"h-access.log-1\xff", "/b")];
    let mut sources = Vec::new();
    for (name, url) in logs {
        fs::write(of(name), day(10, &[url])).unwrap();
        sources.extend_from_slice(b"{\"kind\":\"source\",");
        kit::path_text::push_fields(&mut sources, &of(name));
        sources.extend_from_slice(b"}\n");
    }
    let receipts = dir.path().join("receipts");
    let done = import_logs().stdin(sources.clone()).arg("--receipts").arg(&receipts).finish().ok();
    assert_eq!(crate::texts(&done, "web", "content"), ["/a", "/b"]);
    let given: Vec<Value> =
        fs::read_to_string(&receipts).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let encoded: Vec<_> = logs.iter().map(|(name, _)| kit::path_text::encoded(&of(name)).unwrap()).collect();
    assert_eq!([&given[0]["path_bytes"], &given[1]["path_bytes"]], [&encoded[0], &encoded[1]]);
    // a forbidden path stays forbidden in another spelling
    let climbing = "{\"kind\":\"source\",\"path\":\"x\",\"path_bytes\":\"/x/%2E%2E/etc/passwd\"}\n";
    let done = import_logs().stdin(climbing).finish().expect_code(1);
    assert!(done.stderr.contains("goes up"), "{}", done.stderr);
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    for _ in 0..2 {
        hub.load(&[&of(logs[0].0), &of(logs[1].0)]).finish().ok();
    }
    assert_eq!((contents(&hub), hub.ledger().len()), (vec!["/a".to_owned(), "/b".to_owned()], 2));
    assert_eq!(hub.pair.lines("SELECT filename FROM imported_sources"), ["h-access.log-1/FE", "h-access.log-1/FF"]);
}

#[test]
fn in_the_pipe_a_refused_file_fails_the_run_after_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let receipts = dir.path().join("receipts");
    let odd = file(&dir, "odd", "one \u{1b}[31mred\n\ntwo\n");
    let files = [
        odd.clone(),
        file(&dir, "packed.zip", b"PK\x03\x04\n\x01\x02\n"),
        file(&dir, "wide", "2025-07-10 08:00\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
        file(&dir, "cut", "no line end"),
        file(&dir, "good", day(10, &["/a"])),
        file(&dir, "empty", ""),
        file(&dir, "blank", "\n \n"),
        file(&dir, "ipv6", day(10, &["/b"]).replace("1.2.3.4", "2001:db8::1")),
        file(&dir, "dropped", day(10, &["/x"]).replace(" 200 ", " 404 ")),
    ];
    let done = import_logs().args(&files).arg("--receipts").arg(&receipts).finish().expect_code(1);
    let told = |word: &str| assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    told("odd: not imported: not a known log format; 0 of 2 lines fit");
    told("`one \u{FFFD}[31mred`");
    told("packed.zip: not imported: it is a zip archive; unpack it first");
    told("wide: not imported: it is UTF-16 text");
    told("cut: not imported");
    told("4 files were not imported");
    assert_eq!(crate::texts(&done, "web", "content"), ["/a"]);
    let receipts = fs::read_to_string(&receipts).unwrap();
    let refused: Vec<bool> = receipts.lines().map(|line| line.contains("\"refused\"")).collect();
    assert_eq!(refused, [true, true, true, true, false, false, false, false, false]);
    // nobody wants a row of hits with the zero date
    assert_eq!(import_logs().arg(&odd).finish().expect_code(1).text(), "");
    assert!(import_logs().arg(&files[7]).finish().ok().text().contains("\"hits\":0"), "as in legacy");
}

#[test]
fn many_odd_lines_are_a_warning_and_strict_allows_none() {
    let dir = tempfile::tempdir().unwrap();
    let some = file(&dir, "some", day(10, &["/a"; 8]) + "odd\n");
    let few = file(&dir, "few", day(10, &["/a"; 9]) + "odd\n");
    let done = import_logs().arg("--quiet").args([&some, &few]).finish().ok();
    assert!(done.stderr.contains("some: 1 of 9 lines do not fit") && !done.stderr.contains("few"), "{}", done.stderr);
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let good = hub.put("httpd/daily/good", day(10, &["/good"]));
    let done = hub.load(&[&some, &few, &good]).arg("--strict").finish().expect_code(1);
    assert!(done.stderr.contains("1 of its 9 lines is rejected, and --strict allows none"), "{}", done.stderr);
    assert_eq!((contents(&hub), hub.ledger()), (vec!["/good".to_owned()], vec!["good\tweb\t1\t1".to_owned()]));
    // bots of a refused file are found again in the next one
    let bots = |odd: &str| line("2025-07-10", "/r", "NewBot/1") + odd;
    let files = [hub.put("httpd/daily/r1", bots("odd\n")), hub.put("httpd/daily/r2", bots(""))];
    hub.load(&[&files[0], &files[1]]).arg("--strict").finish().expect_code(1);
    assert_eq!(hub.pair.lines("SELECT useragent FROM bot_useragents"), ["NewBot/1"]);
}

#[test]
fn in_the_tables_what_nobody_understood_is_not_booked() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let odd =
            hub.put("httpd/daily/hub-access.log-20250701", "9.9.9.9 - - [x] \"GET / HTTP/1.1\" 200 5\n".repeat(9));
        let good = hub.put("httpd/daily/hub-access.log-20250702", day(2, &["/a"]) + "odd\n");
        let auth = hub.put("hubzero/daily/cmsauth.log-20250701", "nothing of ours\n");
        let done = hub.load(&[&odd, &good, &auth]).finish().expect_code(1);
        let receipts = by_name(&done);
        let refused: Vec<_> = receipts.iter().map(|(_, receipt)| receipt.get("refused").is_some()).collect();
        assert_eq!(refused, [true, false, true], "{}", done.text());
        assert_eq!(hub.ledger(), ["hub-access.log-20250702\tweb\t1\t1"], "{engine:?}");
        assert_eq!(hub.pair.lines("SELECT * FROM webhits"), ["2025-07-02 00:00:00\t1"]);
        let kept = "SELECT lines_read, rows_kept, rejected, ipv6, layout, `offset`, status FROM import_files";
        assert_eq!(hub.pair.lines(kept), ["2\t1\t1\t0\thubzero\t0\tloaded"], "{engine:?}");
        // archive leaves them in place
        let archived = hub.run(stage("archive")).stdin(done.stdout).finish().ok();
        assert!(archived.stderr.contains("was not imported: it stays"), "{}", archived.stderr);
        assert!(odd.exists() && auth.exists() && !good.exists());
    }
}

#[test]
fn the_ledger_says_which_run_imported_a_log() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let logs = [1, 2, 3].map(|n| hub.put(&format!("httpd/daily/hub-access.log-2025070{n}"), day(n, &["/a"])));
        let load = |log: &Path, run: &str| hub.load(&[log]).env("HZMETRICS_RUN_ID", run).finish().ok();
        load(&logs[0], "night-1");
        // older tables have no such column
        hub.pair.sql("ALTER TABLE import_files DROP COLUMN run");
        load(&logs[1], "night-2");
        hub.pair.sql("ALTER TABLE import_files ADD COLUMN run varchar(64) DEFAULT NULL");
        load(&logs[2], "night-3");
        let found = "SELECT s.filename, f.run FROM imported_sources s JOIN import_files f ON f.id = s.id \
                     WHERE s.target_table = 'web' ORDER BY s.id";
        let runs: Vec<String> =
            hub.pair.lines(found).iter().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect();
        assert_eq!(runs, ["NULL", "NULL", "night-3"], "{engine:?}: the column was dropped after the first");
    }
}

#[test]
fn the_ledger_knows_a_log_by_its_content() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let name = "httpd/daily/hub-access.log-20250701";
        let log = hub.put(name, day(1, &["/a", "/b"]));
        hub.load(&[&log]).finish().ok();
        // the same content, copied and compressed
        fs::create_dir_all(hub.at("httpd/daily/copies")).unwrap();
        let copy = hub.put("httpd/daily/copies/hub-access.log-20250701", day(1, &["/a", "/b"]));
        let packed = hub.put(&format!("{name}.gz"), gzip(day(1, &["/a", "/b"]).as_bytes()));
        let again = hub.load(&[&log, &copy, &packed]).finish().ok();
        assert!(again.records().iter().all(|receipt| receipt["already"] == 1), "{}", again.text());
        // other content under the same name
        let other = hub.put("httpd/daily/copies/hub-access.log-20250701", day(1, &["/c"]));
        let read = logs::fingerprint::of(&other).unwrap();
        let refused = hub.load(&[&other]).args(["--compat", "port"]).finish().expect_code(1);
        assert!(refused.stderr.contains("with another content"), "{}", refused.stderr);
        assert!(refused.records()[0].get("refused").is_some() && contents(&hub).len() == 2);
        hub.load(&[&other]).finish().ok();
        let twin = format!("hub-access.log-20250701#{}", read.hash.short());
        assert_eq!(hub.ledger(), ["hub-access.log-20250701\tweb\t2\t2".to_owned(), format!("{twin}\tweb\t1\t1")]);
        assert_eq!(hub.load(&[&other]).finish().ok().records()[0]["already"], 1);
        // an entry without fingerprint is known by its name
        hub.pair.sql("DELETE FROM import_files");
        let third = hub.put(name, day(1, &["/d"]));
        assert_eq!(hub.load(&[&third]).finish().ok().records()[0]["already"], 1, "{engine:?}");
        assert_eq!(contents(&hub), ["/a", "/b", "/c"], "{engine:?}");
    }
}

#[test]
fn two_logs_of_one_name_in_one_run_are_both_imported() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    fs::create_dir_all(hub.at("httpd/daily/2024")).unwrap();
    let one = hub.put("httpd/daily/log", day(1, &["/a"]));
    let two = hub.put("httpd/daily/2024/log", day(1, &["/b"]));
    let done = hub.load(&[&one, &two]).finish().ok();
    assert!(done.records().iter().all(|receipt| receipt["rows"] == 1), "{}", done.text());
    assert_eq!((contents(&hub), hub.count("imported_sources")), (vec!["/a".to_owned(), "/b".to_owned()], 2));
}

#[test]
fn the_rest_of_a_grown_log_is_imported_line_by_line() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let next = day(1, &["/c"]);
        let (half, rest) = next.split_at(60);
        let log = hub.put("httpd/daily/hub-access.log-20250701", day(1, &["/a", "/b"]) + half);
        let first = hub.load(&[&log]).finish().ok();
        assert_eq!(contents(&hub), ["/a", "/b"]);
        append(&log, &(rest.to_owned() + &day(1, &["/d"])));
        // archive notices, even if the modification time is unchanged
        let archived = hub.run(stage("archive")).stdin(first.stdout.clone()).finish().ok();
        assert!(archived.stderr.contains("hub-access.log-20250701 has grown"), "{}", archived.stderr);
        assert!(log.exists());
        let second = hub.load(&[&log]).finish().ok();
        let offset = day(1, &["/a", "/b"]).len();
        assert_eq!(second.records()[0]["offset"].as_u64(), Some(offset as u64), "{}", second.text());
        assert_eq!(contents(&hub), ["/a", "/b", "/c", "/d"], "{engine:?}: no line is split or stored twice");
        let name = format!("%@{offset}");
        assert_eq!(
            hub.pair.value(&format!("SELECT COUNT(*) FROM imported_sources WHERE filename LIKE '{name}'")).unwrap(),
            "1"
        );
        assert_eq!(hub.load(&[&log]).finish().ok().records()[0]["already"], 1);
        hub.run(stage("archive")).stdin(second.stdout).finish().ok();
        assert!(!log.exists() && contents(&hub).len() == 4);
    }
}

#[test]
fn a_log_that_shrinks_under_the_reader_is_undone() {
    let Some(server) = private_server() else { return };
    let hub = Hub::on(server.names(SqlMode::Strict), Engine::InnoDb);
    hub.pair.sql("CREATE TRIGGER slow BEFORE INSERT ON web FOR EACH ROW SET @slow = SLEEP(0.002)");
    // one line in ten gives a row
    let url = |n: u32| if n.is_multiple_of(10) { format!("/{n}") } else { format!("/{n}.css") };
    let text = (0..120_000).map(|n| line("2025-07-10", &url(n), "UA")).collect::<String>();
    let log = hub.put("httpd/daily/log", &text);
    let done = std::thread::scope(|scope| {
        let run = scope.spawn(|| hub.load(&[&log]).finish());
        let modified = "SELECT IFNULL(MAX(trx_rows_modified), 0) FROM information_schema.innodb_trx";
        let begin = Instant::now();
        while hub.pair.value(modified).unwrap().parse::<u64>().unwrap() < 1500 {
            assert!(!run.is_finished(), "it ended: {:?}", run.join());
            assert!(begin.elapsed() < Duration::from_secs(120), "no such moment");
            // the server repeats its answer for 100 ms after the last query
            std::thread::sleep(Duration::from_millis(150));
        }
        File::options().write(true).open(&log).unwrap().set_len(100).unwrap();
        run.join().unwrap()
    });
    let done = done.expect_code(1);
    assert!(done.stderr.contains("shrank while it was read") && done.text().is_empty(), "{}", done.stderr);
    assert_eq!((hub.count("web"), hub.count("webhits"), hub.ledger().len()), (0, 0, 0));
    // what is there by then is read the next time
    fs::write(&log, day(10, &["/again"])).unwrap();
    hub.pair.sql("DROP TRIGGER slow");
    assert!(hub.load(&[&log]).finish().ok().records()[0].get("already").is_none());
    assert_eq!(contents(&hub), ["/again"]);
}

#[test]
fn source_records_are_not_believed() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let good = hub.put("httpd/daily/log", day(1, &["/a"]));
    let outside = hub.put("elsewhere", day(1, &["/secret"]));
    std::os::unix::fs::symlink(&outside, hub.at("httpd/daily/link")).unwrap();
    let source = |path: &Path| format!("{{\"kind\":\"source\",\"path\":{:?}}}\n", path.to_str().unwrap());
    for bad in [outside.clone(), hub.at("httpd/daily/../../elsewhere"), hub.at("httpd/daily/link")] {
        let done = hub.import().args(["--to", "db"]).stdin(source(&good) + &source(&bad)).finish().expect_code(1);
        assert!(done.stderr.contains("-:2: ") && done.stdout.is_empty(), "{}", done.stderr);
        assert_eq!(hub.count("web"), 0);
    }
    let named = hub.import().args(["--to", "db", "--logs"]).arg(hub.at(""));
    named.stdin(source(&good) + &source(&outside)).finish().ok();
    assert_eq!(contents(&hub), ["/a", "/secret"]);
}

#[test]
fn a_staging_file_that_is_not_what_its_list_says_is_not_loaded() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    hub.put("httpd/daily/hub-access.log-20250701", day(1, &["/a", "/b"]));
    hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
    let staged = hub.at("hubzero/metrics/_hub_apache.log");
    let list = hub.at("hubzero/metrics/_staged.ndjson");
    let good = fs::read_to_string(&list).unwrap();
    let refused = |word: &str| {
        let done = hub.import().arg("--db").finish().expect_code(1);
        assert!(done.stderr.contains(word), "{}", done.stderr);
        assert!(hub.count("web") == 0 && hub.ledger().is_empty() && staged.exists(), "{word}");
    };
    let twice = good.clone() + &good;
    let other = good.replace("\"staged_offset\":0", "\"staged_offset\":7");
    for (text, word) in [
        (good.replace("/httpd/daily/", "/httpd/daily/../../"), "_staged.ndjson:1"),
        (good.replace("\"staged_offset\":0", "\"staged_offset\":-1"), "_staged.ndjson:1"),
        (other, "_staged.ndjson:1"),
        (twice, "_staged.ndjson:2"),
        (good.clone() + "\u{0}\n", "_staged.ndjson:2"),
    ] {
        fs::write(&list, text).unwrap();
        refused(word);
    }
    fs::write(&list, &good).unwrap();
    let size = fs::metadata(&staged).unwrap().len();
    File::options().write(true).open(&staged).unwrap().set_len(size - 1).unwrap();
    refused("had");
    fs::write(&staged, day(1, &["/a", "/c"])).unwrap();
    assert_eq!(fs::metadata(&staged).unwrap().len(), size);
    refused("does not hold what was staged");
    hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
    hub.import().arg("--db").finish().ok();
    assert_eq!(contents(&hub), ["/a", "/b"]);
}

#[test]
fn the_staged_rest_of_a_grown_log_that_was_written_to_is_not_loaded() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let log = hub.put("httpd/daily/hub-access.log-20250701", day(1, &["/a"]));
    hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
    hub.import().arg("--db").finish().ok();
    append(&log, &day(1, &["/b"]));
    hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
    let staged = hub.at("hubzero/metrics/_hub_apache.log");
    let text = fs::read_to_string(&staged).unwrap();
    assert!(text.contains("/b") && !text.contains("/a"), "{text}");
    fs::write(&staged, text.replace("/b", "/c")).unwrap();
    let later = fs::metadata(&staged).unwrap().modified().unwrap() + Duration::from_secs(1);
    File::options().write(true).open(&staged).unwrap().set_modified(later).unwrap();
    let done = hub.import().arg("--db").finish().expect_code(1);
    assert!(done.stderr.contains("does not hold what was staged"), "{}", done.stderr);
    assert_eq!(contents(&hub), ["/a"]);
}

#[test]
fn counts_of_the_lines_of_an_auth_log_add_up() {
    let login = |second: u32, user: &str| format!("2025-07-01 08:00:0{second} 1 [{user}] 1.1.1.1 login\n");
    let first = [login(1, "a"), login(1, "A"), login(2, "hubadmin"), "odd\n\n".to_owned(), login(3, "b")].concat();
    let second = [login(3, "b"), login(4, "c")].concat();
    for engine in ENGINES {
        for is_staged in [true, false] {
            let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
            let logs = [("20250701", &first), ("20250702", &second)]
                .map(|(day, text)| hub.put(&format!("hubzero/daily/cmsauth.log-{day}"), text));
            if is_staged {
                hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
                hub.import().arg("--db").finish().ok();
            } else {
                let done = hub.load(&[&logs[0], &logs[1]]).finish().ok();
                let dropped = &done.records()[0]["dropped"];
                assert_eq!(dropped.to_string(), r#"{"duplicate login":1,"watching account":1}"#);
            }
            let rows = hub.pair.rows("SELECT lines_read, rows_kept, rejected, dropped FROM import_files ORDER BY id");
            let of_row = |row: &Vec<Option<String>>| {
                let number = |at: usize| row[at].as_ref().unwrap().parse::<u64>().unwrap();
                let dropped: BTreeMap<String, u64> = serde_json::from_str(row[3].as_ref().unwrap()).unwrap();
                let n_dropped: u64 = dropped.values().sum();
                assert_eq!(number(0), number(1) + number(2) + n_dropped, "{engine:?} {is_staged} {row:?}");
                (number(1), dropped.get("duplicate login").copied())
            };
            assert_eq!(rows.iter().map(of_row).collect::<Vec<_>>(), [(2, Some(1)), (1, Some(1))], "{engine:?}");
        }
    }
}

/// Runs the cron lines for logs; returns the standard error and exit code of each.
fn night(hub: &Hub, between: impl FnOnce()) -> [(i32, String); 3] {
    let run = |name: &str, option: &str| {
        let done = hub.run(stage(name)).arg(option).finish();
        assert!(done.stdout.is_empty(), "{}", done.text());
        (done.code, done.stderr)
    };
    let fetched = run("fetch-logs", "--stage");
    let imported = run("import-logs", "--db");
    between();
    [fetched, imported, run("archive", "--db")]
}

#[test]
fn on_tables_without_a_ledger_nothing_is_imported_twice_in_two_nights() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Lax) else { return };
        hub.pair.sql("DROP TABLE import_files;\nDROP TABLE imported_sources");
        let log = |n: u32| format!("httpd/daily/hub-access.log-2025070{n}");
        let last = day(9, &["/9/c"]);
        let (half, rest) = last.split_at(70);
        hub.put(&log(1), day(1, &["/1/a", "/1/b"]));
        let odd = hub.put(&log(2), "garbage\n".repeat(5));
        let replaced = hub.put(&log(3), day(3, &["/3/a"]));
        let vanished = hub.put(&log(4), day(4, &["/4/a"]));
        let grown = hub.put(&log(9), day(9, &["/9/a", "/9/b"]) + half);
        hub.put("hubzero/daily/cmsauth.log-20250701", "2025-07-01 08:00:01 1 [a] 1.1.1.1 login\n");
        let [fetched, imported, archived] = night(&hub, || {
            append(&grown, &(rest.to_owned() + &day(9, &["/9/d"])));
            fs::write(&replaced, day(3, &["/3/b", "/3/c"])).unwrap();
            fs::remove_file(&vanished).unwrap();
        });
        assert_eq!(fetched, (0, String::new()));
        assert!(imported.0 == 1 && imported.1.contains("20250702: not imported: none of its 5 lines"), "{imported:?}");
        assert_eq!(contents(&hub), ["/1/a", "/1/b", "/3/a", "/4/a", "/9/a", "/9/b"], "{engine:?}");
        for word in ["20250702 was not imported", "20250703 is not what was", "20250704 is gone", "20250709 has grown"]
        {
            assert!(archived.0 == 1 && archived.1.contains(word), "{word}: {archived:?}");
        }
        let files = |hub: &Hub| hub.files().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            files(&hub),
            [
                "httpd/daily/hub-access.log-20250702",
                "httpd/daily/hub-access.log-20250703",
                "httpd/daily/hub-access.log-20250709",
                "httpd/imported/hub-access.log-20250701.gz",
                "hubzero/imported/cmsauth.log-20250701.gz",
            ]
        );
        let [fetched, imported, archived] = night(&hub, || {});
        assert_eq!(fetched, (0, String::new()));
        assert!(imported.0 == 1 && imported.1.contains("20250702: not imported"), "{imported:?}");
        assert_eq!(
            contents(&hub)[6..],
            ["/3/b", "/3/c", "/9/c", "/9/d"],
            "{engine:?}: only the rest, in complete lines"
        );
        assert!(archived.0 == 1 && archived.1.lines().count() == 2, "{archived:?}");
        assert_eq!(hub.count("userlogin"), 1);
        let hits = hub.pair.value("SELECT SUM(hits) FROM webhits").unwrap();
        assert_eq!(hits, "10");
        assert!(odd.exists() && !replaced.exists() && !grown.exists());
        // a log that is finally understood is imported, and a good night is silent
        fs::write(&odd, day(2, &["/2/a"])).unwrap();
        assert_eq!(night(&hub, || {}), [const { (0, String::new()) }; 3]);
        assert_eq!((contents(&hub).len(), files(&hub).iter().any(|name| name.contains("/daily/"))), (11, false));
    }
}

#[test]
fn cron_lines_killed_between_two_steps_lose_and_repeat_nothing() {
    for has_ledger in [true, false] {
        let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
        if !has_ledger {
            hub.pair.sql("DROP TABLE import_files;\nDROP TABLE imported_sources");
        }
        let metrics = |name: &str| hub.at(&format!("hubzero/metrics/{name}"));
        hub.put("httpd/daily/hub-access.log-20250701", day(1, &["/a"]));
        hub.put("httpd/daily/hub-access.log-20250702", day(2, &["/b"]));
        hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
        hub.import().arg("--db").finish().ok();
        // after the list of outcomes, before the renaming
        fs::rename(metrics("_prev_hub_apache.log"), metrics("_hub_apache.log")).unwrap();
        hub.import().arg("--db").finish().ok();
        // the same, and the next night begins before the archive line runs
        hub.run(stage("fetch-logs")).arg("--stage").finish().ok();
        hub.import().arg("--db").finish().ok();
        if has_ledger {
            // after the commit, before the list of outcomes
            fs::rename(metrics("_prev_hub_apache.log"), metrics("_hub_apache.log")).unwrap();
            fs::remove_file(metrics("_imported.ndjson")).unwrap();
            let early = hub.run(stage("archive")).arg("--db").finish().expect_code(1);
            assert!(early.stderr.contains("was not imported yet"), "{}", early.stderr);
            hub.import().arg("--db").finish().ok();
        }
        assert_eq!(contents(&hub), ["/a", "/b"], "ledger: {has_ledger}");
        // an archive line killed halfway
        fs::rename(
            hub.at("httpd/daily/hub-access.log-20250701"),
            hub.at("httpd/daily/.hub-access.log-20250701.archiving"),
        )
        .unwrap();
        hub.run(stage("archive")).arg("--db").finish().ok();
        let names: Vec<_> = hub.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["httpd/imported/hub-access.log-20250701.gz", "httpd/imported/hub-access.log-20250702.gz"]);
    }
}
