//! Field cases that administrators reported to other tools: files, compression and repeated imports. The
//! number in a name is the case's number in the list for `fixtures/field/in`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fixtures::db::{SqlMode, private_server};
use fixtures::{Finished, field, gzip};
use schema::tables::Engine;

use crate::hub::{Hub, stage};
use crate::{file, import_logs, line, texts};

const ENGINES: [Engine; 2] = [Engine::InnoDb, Engine::MyIsam];

/// Requests in combined format, one for each URL.
fn log(day: u32, urls: &[&str]) -> String {
    let line = |url: &&str| {
        format!(
            "192.0.2.1 - - [{day:02}/Jul/2025:08:00:01 +0000] \"GET {url} HTTP/1.1\" 200 12 \"-\" \"Mozilla/5.0\"\n"
        )
    };
    urls.iter().map(line).collect()
}

/// Enough URLs for a log that is longer than the first bytes by which logs are compared.
fn many(prefix: &str) -> Vec<String> {
    (0..60).map(|i| format!("/{prefix}{i}")).collect()
}

fn combined(files: &[PathBuf]) -> Finished {
    import_logs().args(["--log-format", "combined"]).args(files).finish().ok()
}

fn load(hub: &Hub, files: &[&Path]) -> Finished {
    hub.load(files).args(["--log-format", "combined"]).finish().ok()
}

fn contents(hub: &Hub) -> Vec<String> {
    hub.pair.lines("SELECT content FROM web ORDER BY id")
}

fn are_known(done: &Finished) -> Vec<bool> {
    done.records().iter().map(|receipt| receipt["already"] == 1).collect()
}

/// Makes the file look as if it had been modified some minutes ago.
fn make_old(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(300);
    File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}

fn append(path: &Path, text: &str) {
    File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn field_60_67_all_members_and_frames_are_read() {
    for (name, n) in [("60-members.log.gz", 2), ("67-frames.log.zst", 2)] {
        let done = combined(&[field(name)]);
        assert_eq!(done.of_kind("web").len(), n, "{name}: {}", done.stderr);
    }
}

#[test]
fn field_61_67_68_what_is_cut_or_damaged_is_an_error_with_its_name() {
    for (name, what) in [
        ("61-truncated.log.gz", "the gzip data is cut short"),
        ("67-truncated.log.zst", "the zstd data is cut short"),
        ("68-crc.log.gz", "the gzip data is damaged"),
    ] {
        let done = import_logs().args(["--log-format", "combined"]).arg(field(name)).finish().expect_code(1);
        assert!(done.stderr.contains(name) && done.stderr.contains(what), "{}", done.stderr);
        let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { continue };
        let log = hub.put(&format!("httpd/daily/{name}"), fs::read(field(name)).unwrap());
        let done = hub.load(&[&log]).args(["--log-format", "combined"]).finish().expect_code(1);
        assert!(done.stderr.contains(what) && hub.count("web") + hub.count("imported_sources") == 0, "{}", done.stderr);
    }
}

#[test]
fn field_63_64_empty_and_plain_files_called_gz_are_read() {
    assert_eq!(combined(&[field("63-empty.log.gz")]).of_kind("web").len(), 0);
    assert_eq!(combined(&[field("64-plain-named.log.gz")]).of_kind("web").len(), 2);
}

#[test]
fn field_65_66_bzip2_xz_and_lz4_are_read() {
    let bz2 = combined(&[field("65.log.bz2")]);
    assert_eq!(bz2.of_kind("web").len(), 2);
    assert_eq!(combined(&[field("66.log.xz")]).text(), bz2.text());
}

#[test]
fn text_behind_a_member_and_double_compression_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = log(10, &["/a"]);
    let behind = file(&dir, "behind.gz", [&gzip(text.as_bytes())[..], text.as_bytes()].concat());
    let twice = file(&dir, "twice.gz", gzip(gzip(text.as_bytes())));
    for (path, what) in [(behind, "bytes of text after the compressed data"), (twice, "it is compressed twice")] {
        let done = import_logs().args(["--log-format", "combined"]).arg(&path).finish().expect_code(1);
        assert!(done.stderr.contains(what) && done.stderr.contains(".gz"), "{}", done.stderr);
    }
    let padded = file(&dir, "padded.gz", [&gzip(text.as_bytes())[..], &[0; 5000]].concat());
    assert_eq!(texts(&combined(&[padded]), "web", "content"), ["/a"]);
}

#[test]
fn field_71_with_numbered_rotation_each_line_is_imported_once() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let days: Vec<String> = (1..=6).map(|day| log(day, &[&*format!("/{day}a"), &*format!("/{day}b")])).collect();
        let mut expected: Vec<String> = Vec::new();
        for n in 0..days.len() {
            // what logrotate does this night: plain first, compressed from the second on
            let files: Vec<PathBuf> = (0..=n)
                .rev()
                .map(|ago| {
                    let text = days[n - ago].as_bytes();
                    let packed = if ago > 0 { gzip(text) } else { text.to_vec() };
                    let suffix = if ago > 0 { ".gz" } else { "" };
                    hub.put(&format!("httpd/daily/access.log.{}{suffix}", ago + 1), packed)
                })
                .collect();
            let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
            let done = load(&hub, &paths);
            let mut known = vec![true; n];
            known.push(false);
            assert_eq!(are_known(&done), known, "{engine:?}, night {n}: {}", done.text());
            expected.extend([format!("/{}a", n + 1), format!("/{}b", n + 1)]);
            assert_eq!(contents(&hub), expected, "{engine:?}, night {n}");
        }
        assert_eq!(hub.count("imported_sources"), days.len());
    }
}

#[test]
fn field_73_a_log_is_known_after_it_is_compressed() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let text = log(11, &["/a", "/b"]);
    let plain = hub.put("httpd/daily/access.log-20250711", &text);
    load(&hub, &[&plain]);
    fs::remove_file(&plain).unwrap();
    for (ending, bytes) in [("gz", gzip(text.as_bytes())), ("zst", zstd::encode_all(text.as_bytes(), 1).unwrap())] {
        let packed = hub.put(&format!("httpd/daily/access.log-20250711.{ending}"), bytes);
        assert_eq!(are_known(&load(&hub, &[&packed])), [true], "{ending}");
    }
    assert_eq!(contents(&hub), ["/a", "/b"]);
    // two sites whose logs have the same name are two logs
    fs::create_dir_all(hub.at("httpd/daily/web1")).unwrap();
    fs::create_dir_all(hub.at("httpd/daily/web2")).unwrap();
    let sites = ["web1", "web2"]
        .map(|site| hub.put(&format!("httpd/daily/{site}/access.log-20250712"), log(12, &[&*format!("/{site}")])));
    for _ in 0..2 {
        load(&hub, &[&sites[0], &sites[1]]);
        assert_eq!(contents(&hub), ["/a", "/b", "/web1", "/web2"]);
    }
}

#[test]
fn a_live_log_whose_extension_stays_last_is_known_after_its_rotation() {
    for name in ["access-2025-07-11T08-15-30.123.log", "access-20250711.log", "access.1.log"] {
        let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
        let live = hub.put("httpd/daily/access.log", log(11, &["/a", "/b"]));
        load(&hub, &[&live]);
        fs::remove_file(&live).unwrap();
        let text = log(11, &["/a", "/b", "/c"]);
        let rotated = hub.put(&format!("httpd/daily/{name}"), &text);
        load(&hub, &[&rotated]);
        assert_eq!(contents(&hub), ["/a", "/b", "/c"], "{name}");
        let packed = hub.put(&format!("httpd/daily/{name}.gz"), gzip(text.as_bytes()));
        assert_eq!(are_known(&load(&hub, &[&packed])), [true], "{name}");
    }
}

#[test]
fn field_74_a_live_log_gives_its_new_lines_through_every_rotation() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        // short logs, and logs longer than the first bytes by which they are compared
        for n in [1, 60] {
            let urls = |day: &str| -> Vec<String> { (0..n).map(|i| format!("/{n}{day}{i}")).collect() };
            let text = |day: u32, urls: &[String]| log(day, &urls.iter().map(String::as_str).collect::<Vec<_>>());
            hub.pair.sql("TRUNCATE web");
            let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(urls);
            let expect = |parts: &[&Vec<String>], when: &str| {
                let expected: Vec<String> = parts.iter().flat_map(|part| part.iter().cloned()).collect();
                assert_eq!(contents(&hub), expected, "{engine:?}, {n} lines, {when}");
            };
            let folder = format!("httpd/daily/{n}");
            fs::create_dir_all(hub.at(&folder)).unwrap();
            let name = |ending: &str| format!("{folder}/access{n}.log{ending}");
            let live = hub.put(&name(""), text(10, &a));
            load(&hub, &[&live]);
            append(&live, &text(10, &b));
            load(&hub, &[&live]);
            load(&hub, &[&live]);
            expect(&[&a, &b], "grown");
            // rotated by renaming, with lines added after the last import
            append(&live, &text(10, &c));
            let first = hub.at(&name(".1"));
            fs::rename(&live, &first).unwrap();
            hub.put(&name(""), text(11, &d));
            load(&hub, &[&first, &live]);
            expect(&[&a, &b, &c, &d], "renamed");
            load(&hub, &[&first, &live]);
            // rotated by copying and truncating, the older one compressed
            append(&live, &text(11, &e));
            let second = hub.put(&name(".2.gz"), gzip(fs::read(&first).unwrap()));
            fs::copy(&live, &first).unwrap();
            File::options().write(true).open(&live).unwrap().set_len(0).unwrap();
            let done = load(&hub, &[&second, &first, &live]);
            assert_eq!(are_known(&done), [true, true, false], "{engine:?}, what is known first: {}", done.text());
            expect(&[&a, &b, &c, &d, &e], "copied and truncated");
            let done = load(&hub, &[&second, &first, &live]);
            assert_eq!(are_known(&done), [true, true, true]);
            // finally, rotated by date
            let dated = hub.at(&name("-20250711"));
            fs::rename(&first, &dated).unwrap();
            assert_eq!(are_known(&load(&hub, &[&dated])), [true]);
            expect(&[&a, &b, &c, &d, &e], "dated");
        }
    }
}

#[test]
fn a_part_that_was_imported_under_another_name_is_forgotten_with_its_beginning() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let urls = many("a");
    let live = hub.put("httpd/daily/access.log", log(10, &urls.iter().map(String::as_str).collect::<Vec<_>>()));
    load(&hub, &[&live]);
    append(&live, &log(10, &["/b"]));
    let rotated = hub.at("httpd/daily/access.log.1");
    fs::rename(&live, &rotated).unwrap();
    load(&hub, &[&rotated]);
    let done = hub.run(stage("hzmetrics")).args(["forget-import", "access.log"]).finish().ok();
    assert!(done.stderr.contains("is a further part of access.log: it goes too"), "{}", done.stderr);
    assert_eq!(hub.count("web") + hub.count("imported_sources"), 0);
    load(&hub, &[&rotated]);
    assert_eq!(hub.count("web"), 61);
}

#[test]
fn field_70_nothing_is_booked_or_moved_of_what_was_not_understood() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    // the hubs' layout is expected, but the log is a combined one
    let log = hub.put("httpd/daily/hub-access.log-20250710", log(10, &["/a", "/b"]));
    let listed = hub.run(stage("fetch-logs")).arg("--logs").arg(hub.at("httpd")).finish().ok();
    let done =
        hub.import().args(["--to", "db", "--log-format", "hubzero"]).stdin(listed.stdout).finish().expect_code(1);
    assert!(done.stderr.contains("not imported"), "{}", done.stderr);
    let archived = hub.run(stage("archive")).stdin(done.stdout).finish();
    assert!(archived.stderr.contains("not imported") || archived.code == 0, "{}", archived.stderr);
    assert!(log.exists() && hub.count("web") + hub.count("imported_sources") == 0);
}

#[test]
fn a_folder_of_rotated_logs_is_imported_any_number_of_times() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    for (name, day) in [("access.log.2.gz", 8), ("access.log.1", 9), ("access.log", 10)] {
        let text = log(day, &[&*format!("/{day}")]);
        let bytes = if name.ends_with("gz") { gzip(text.as_bytes()) } else { text.into_bytes() };
        make_old(&hub.put(&format!("httpd/{name}"), bytes));
    }
    for _ in 0..3 {
        let listed = hub.run(stage("fetch-logs")).arg("--logs").arg(hub.at("httpd")).args(["--name", "access.log*"]);
        let listed = listed.finish().ok();
        hub.import().args(["--to", "db", "--log-format", "combined"]).stdin(listed.stdout).finish().ok();
        assert_eq!(contents(&hub), ["/8", "/9", "/10"]);
    }
}

/// Runs `hzmetrics` with this command line.
fn hzmetrics(hub: &Hub, line: &str) -> Finished {
    hub.run(stage("hzmetrics")).args(line.split(' ')).finish()
}

#[test]
fn a_server_that_leaves_ids_out_is_not_a_fault() {
    for engine in ENGINES {
        let Some(server) = private_server() else { return };
        let pair = server.names(SqlMode::Strict);
        pair.create_hub(true);
        pair.sql("SET GLOBAL auto_increment_increment = 3; SET GLOBAL auto_increment_offset = 2");
        let hub = Hub::on(pair, engine);
        let days: Vec<PathBuf> = (1..=3)
            .map(|day| {
                let urls: Vec<String> = (0..4).map(|i| format!("/{day}{i}")).collect();
                let text = log(day, &urls.iter().map(String::as_str).collect::<Vec<_>>());
                hub.put(&format!("httpd/daily/access.log-2025070{day}"), text)
            })
            .collect();
        load(&hub, &days.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        // a log that grows, too: each part has ids of its own
        append(&days[2], &log(3, &["/3x", "/3y"]));
        load(&hub, &[&days[2]]);
        assert_eq!(hub.count("web"), 14, "{engine:?}");
        assert!(hub.ledger()[0].ends_with("\t4\t10"), "ids have gaps: {:?}", hub.ledger());
        let ranges = "SELECT filename, pk_start, pk_end, row_count FROM imported_sources ORDER BY id";
        let before = hub.pair.lines(ranges);
        let audit = hzmetrics(&hub, "audit");
        let said = audit.text() + &audit.stderr;
        assert!(!said.contains("repair-imported-sources") && !said.contains("span"), "{engine:?}: {said}");
        let repaired = hzmetrics(&hub, "repair-imported-sources --apply").ok();
        assert!(repaired.stderr.contains("no corrections needed"), "{engine:?}: {}", repaired.stderr);
        assert_eq!(hub.pair.lines(ranges), before);
        // wrong ranges are found by looking at the rows
        hub.pair.sql("UPDATE imported_sources SET pk_end = pk_start + 2 WHERE filename LIKE '%20250702'");
        let audit = hzmetrics(&hub, "audit");
        assert!((audit.text() + &audit.stderr).contains("repair-imported-sources"), "{engine:?}: {}", audit.text());
        hzmetrics(&hub, "repair-imported-sources --apply").ok();
        assert_eq!(hub.pair.lines(ranges), before, "{engine:?}");
        // other rows between those of a day are kept unless `--force` is given
        hub.pair.sql("UPDATE imported_sources SET pk_start = pk_start - 3 WHERE filename LIKE '%20250702'");
        let refused = hzmetrics(&hub, "forget-import access.log-20250702").expect_code(1);
        assert!(refused.stderr.contains("has 5 rows, and 4 were imported"), "{engine:?}: {}", refused.stderr);
        assert_eq!(hub.count("web"), 14);
        hzmetrics(&hub, "repair-imported-sources --apply").ok();
        hzmetrics(&hub, "forget-import access.log-20250702").ok();
        assert_eq!(hub.pair.lines("SELECT content FROM web WHERE content LIKE '/2%'"), Vec::<String>::new());
        assert_eq!(hub.count("web"), 10, "{engine:?}");
        hub.pair.sql("DELETE FROM web WHERE content = '/10'");
        hzmetrics(&hub, "forget-import access.log-20250701").expect_code(1);
        hzmetrics(&hub, "forget-import --force access.log-20250701").ok();
        assert_eq!(hub.count("web"), 6, "{engine:?}");
        // all parts of a growing log go together
        hzmetrics(&hub, "forget-import access.log-20250703").ok();
        assert_eq!(hub.count("web") + hub.count("imported_sources"), 0, "{engine:?}");
    }
}

#[test]
fn field_27_in_tables_a_last_line_without_an_end_waits_for_its_rest() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let text = log(10, &["/a", "/b", "/c"]);
        let (half, rest) = text.split_at(text.len() - 40);
        let live = hub.put("httpd/daily/access.log", half);
        let done = load(&hub, &[&live]);
        let ends_at = log(10, &["/a", "/b"]).len() as u64;
        assert_eq!(done.records()[0]["bytes"].as_u64(), Some(ends_at), "what was booked: {}", done.text());
        assert_eq!(contents(&hub), ["/a", "/b"], "{engine:?}");
        // neither time nor a part of the line makes it count
        make_old(&live);
        for part in [&rest[..10], &rest[10..20]] {
            assert_eq!(are_known(&load(&hub, &[&live])), [true]);
            append(&live, part);
        }
        assert_eq!(are_known(&load(&hub, &[&live])), [true]);
        assert_eq!(hub.count("imported_sources"), 1, "no part without a line");
        append(&live, &rest[20..]);
        load(&hub, &[&live]);
        assert_eq!(contents(&hub), ["/a", "/b", "/c"], "{engine:?}");
        assert_eq!(are_known(&load(&hub, &[&live])), [true]);
        // after a rename, the unread rest is read from the rotated log
        append(&live, log(10, &["/d"]).trim_end());
        assert_eq!(are_known(&load(&hub, &[&live])), [true]);
        let rotated = hub.at("httpd/daily/access.log.1");
        fs::rename(&live, &rotated).unwrap();
        assert_eq!(are_known(&load(&hub, &[&rotated])), [true], "it may still be written to");
        make_old(&rotated);
        for _ in 0..2 {
            load(&hub, &[&rotated]);
            assert_eq!(contents(&hub), ["/a", "/b", "/c", "/d"], "{engine:?}");
        }
        // read at once: a rotated log that is no longer written to, and a compressed one
        let old = hub.put("httpd/daily/access.log-20250709", log(9, &["/e"]).trim_end());
        make_old(&old);
        let packed = hub.put("httpd/daily/access.log-20250708.gz", gzip(log(8, &["/f"]).trim_end().as_bytes()));
        load(&hub, &[&old, &packed]);
        assert_eq!(contents(&hub), ["/a", "/b", "/c", "/d", "/e", "/f"], "{engine:?}");
    }
}

#[test]
fn field_27_in_the_pipe_a_last_line_without_an_end_counts_at_once() {
    assert_eq!(combined(&[field("27-no-newline.log")]).of_kind("web").len(), 2);
}

/// The URLs of the requests in a log that is recognised without options.
fn urls(name: &str) -> Vec<String> {
    texts(&import_logs().arg(field(name)).finish().ok(), "web", "content")
}

#[test]
fn field_18_a_byte_order_mark_is_skipped() {
    assert_eq!(urls("18-bom.log").len(), 2);
}

#[test]
fn field_19_utf_16_is_named() {
    let done = import_logs().arg(field("19-utf16.log")).finish().expect_code(1);
    assert!(done.stderr.contains("19-utf16.log: not imported") && done.stderr.contains("UTF-16"), "{}", done.stderr);
}

#[test]
fn field_20_every_kind_of_line_end_is_recognised() {
    for (name, n) in [("20-crlf.log", 2), ("20-mac.log", 2), ("20-crlf-common.log", 2)] {
        assert_eq!(urls(name).len(), n, "{name}");
    }
}

#[test]
fn holes_of_zeros_that_a_crash_leaves_are_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let text = |url: &str| log(10, &[url]).into_bytes();
    // the hole replaces the beginning of a line, or comes before a complete one
    for n in [1, 4096, 300_000] {
        let bytes = [text("/a"), vec![0; n], text("/b"), text("/c")].concat();
        let done = import_logs().arg(file(&dir, "holes", bytes)).finish().ok();
        assert_eq!(texts(&done, "web", "content"), ["/a", "/b", "/c"], "{n}: {}", done.stderr);
    }
    // a program that does not notice that its log was truncated leaves a hole of any size at the start
    let path = dir.path().join("sparse");
    let sparse = File::create(&path).unwrap();
    sparse.set_len(40 << 20).unwrap();
    append(&path, &log(10, &["/a", "/b"]));
    let done = import_logs().arg(&path).finish().ok();
    assert_eq!(texts(&done, "web", "content"), ["/a", "/b"], "{}", done.stderr);
}

/// Numbers and reasons of the lines that a run rejects.
fn rejected(name: &str) -> Vec<(u64, String)> {
    let dir = tempfile::tempdir().unwrap();
    let rejects = dir.path().join("rejects");
    import_logs().arg(field(name)).arg("--rejects").arg(&rejects).finish().ok();
    let reject = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        (record["line"].as_u64().unwrap(), record["reason"].as_str().unwrap().to_owned())
    };
    fs::read_to_string(&rejects).unwrap().lines().map(reject).collect()
}

#[test]
fn field_78_the_state_has_room_for_every_month() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let made = |hub: &Hub| hub.pair.lines("SHOW CREATE TABLE pipeline_state").join("\n");
    assert!(made(&hub).contains("`v` text"), "{}", made(&hub));
    hub.pair.create_hub(true);
    hub.pair.sql("ALTER TABLE pipeline_state MODIFY v varchar(255) NOT NULL");
    hzmetrics(&hub, "migrate --apply").ok();
    assert!(made(&hub).contains("`v` text"), "{}", made(&hub));
}

#[test]
fn field_79_lines_of_an_auth_log_that_do_not_fit_are_rejected_with_a_reason() {
    let done = import_logs().arg(field("cmsauth.log-20250710")).finish().ok();
    assert_eq!(texts(&done, "login", "user"), ["alice"]);
    let expected = [
        (2, "no IPv4 address before the action"),
        (3, "no IPv4 address before the action"),
        (4, "the time or the user does not fit"),
        (5, "no date at the start"),
        (6, "no date at the start"),
        (7, "a blank at the end"),
    ];
    assert_eq!(rejected("cmsauth.log-20250710"), expected.map(|(n, why)| (n, why.to_owned())));
    assert!(done.stderr.contains("7 lines, 1 rows, 6 not recognised"), "{}", done.stderr);
}

#[test]
fn field_80_a_zone_that_the_original_does_not_read_is_named() {
    let rejected = rejected("70-hub.log");
    let (_, reason) = rejected.iter().find(|(n, _)| *n == 4).unwrap();
    assert_eq!(reason, "zone `+0400` is not a name");
    // `-0400` is a zone that it reads
    assert!(!rejected.iter().any(|(n, _)| *n == 5));
}

#[test]
fn a_last_line_that_was_counted_is_not_counted_again() {
    for engine in ENGINES {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let put = |name: &str, text: &str| {
            let path = hub.put(&format!("httpd/daily/{name}"), text);
            make_old(&path);
            path
        };
        let load = |path: &Path| {
            make_old(path);
            let dir = tempfile::tempdir().unwrap();
            let verdicts = dir.path().join("verdicts");
            let done = hub.load(&[path]).arg("--verdicts").arg(&verdicts).finish().ok();
            let places: Vec<String> = fs::read_to_string(&verdicts)
                .unwrap()
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
                .map(|verdict| format!("{} {}", verdict["offset"], verdict["verdict"].as_str().unwrap()))
                .collect();
            let last = done.stderr.lines().find(|line| line.contains(" rows, ")).unwrap().to_owned();
            (done.stderr, last, places)
        };
        let text = log(10, &["/a", "/b"]);
        let whole = text.trim_end();
        let n = whole.len();
        // its end comes, with more lines behind it
        for (name, end) in [("one.log.1", "\n"), ("two.log.1", "\r\n")] {
            let path = put(name, whole);
            assert!(load(&path).1.contains(": 2 lines, 2 rows, 0 not"), "{engine:?}");
            append(&path, &(end.to_owned() + &log(10, &["/c"])));
            let (_, last, places) = load(&path);
            assert!(last.contains(": 1 lines, 1 rows, 0 not"), "{engine:?} {last}");
            assert_eq!(places, [format!("{} kept", n + end.len())]);
            let named = format!("SELECT filename FROM imported_sources WHERE filename LIKE '{name}#%'");
            assert!(hub.pair.value(&named).unwrap().ends_with(&format!("@{}", n + end.len())));
        }
        assert_eq!(contents(&hub), ["/a", "/b", "/c", "/a", "/b", "/c"]);
        // only its end comes
        let path = put("three.log.1", whole);
        load(&path);
        append(&path, "\n");
        assert!(load(&path).1.contains(": 0 lines, 0 rows, 0 not"), "{engine:?}");
        // the line continues: that is said and counted
        let path = put("four.log.1", whole);
        load(&path);
        append(&path, &(" 0.001 \"more\"\n".to_owned() + &log(10, &["/d"])));
        let (said, last, places) = load(&path);
        assert!(last.contains(": 2 lines, 1 rows, 1 not recognised"), "{last}");
        assert!(said.contains("four.log.1:1: the rest of a line that was imported before it had its end: "), "{said}");
        assert_eq!(places, [format!("{n} rejected"), format!("{} kept", n + 14)]);
        // what was not a request before it was whole is one now
        let path = put("five.log.1", &text[..n - 40]);
        assert!(load(&path).1.contains(": 2 lines, 1 rows, 1 not recognised"));
        append(&path, &text[n - 40..]);
        let (_, last, places) = load(&path);
        assert!(last.contains(": 1 lines, 1 rows, 0 not"), "{last}");
        assert_eq!(places, [format!("{} kept", n + 1 - text.len() / 2)]);
        let all = ["/a", "/b", "/c", "/a", "/b", "/c", "/a", "/b", "/a", "/b", "/d", "/a", "/b"];
        assert_eq!(contents(&hub), all, "{engine:?}");
    }
}

#[test]
fn a_grown_log_whose_lines_carriage_returns_end() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let text = log(10, &["/a", "/b"]).replace('\n', "\r");
    let path = hub.put("httpd/daily/mac.log.1", &text);
    make_old(&path);
    load_auto(&hub, &path);
    append(&path, &log(10, &["/c"]).replace('\n', "\r"));
    make_old(&path);
    load_auto(&hub, &path);
    assert_eq!(contents(&hub), ["/a", "/b", "/c"]);
}

fn load_auto(hub: &Hub, path: &Path) {
    hub.load(&[path]).finish().ok();
}

#[test]
fn field_86_bad_lines_are_skipped_and_listed() {
    let dir = tempfile::tempdir().unwrap();
    let good = "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12\n";
    let text = format!("{good}nonsense\n{good}{}", good.replace("Jul", "Juli"));
    let rejects = dir.path().join("rejects.ndjson");
    let done = import_logs().arg(file(&dir, "access.log", text)).arg("--rejects").arg(&rejects).finish().ok();
    assert_eq!(done.of_kind("web").len(), 2);
    done.said(&["4 lines, 2 rows, 2 not recognised"]);
    let listed = fs::read_to_string(rejects).unwrap();
    let listed: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> = listed.iter().map(|reject| (reject["line"].as_u64(), reject["text"].as_str())).collect();
    assert_eq!(found, [(Some(2), Some("nonsense")), (Some(4), Some(good.replace("Jul", "Juli").trim_end()))]);
}

#[test]
fn field_87_an_import_that_failed_goes_on_by_itself() {
    let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { return };
    let log = |day: u32| line(&format!("2025-07-{day:02}"), &format!("/{day}"), "UA").repeat(50);
    let names = [1, 2, 3].map(|day| format!("httpd/daily/hub-access.log-2025070{day}.gz"));
    let whole = [1, 2, 3].map(|day| gzip(log(day).as_bytes()));
    let put = |n: usize, bytes: &[u8]| hub.put(&names[n], bytes);
    let files = [put(0, &whole[0]), put(1, &whole[1][..whole[1].len() / 2]), put(2, &whole[2])];
    let files: Vec<_> = files.iter().map(|path| path.as_path()).collect();
    let failed = hub.load(&files).finish();
    assert!(failed.code == 1 && failed.stderr.contains("20250702"), "{}", failed.stderr);
    assert_eq!(hub.count("web"), 50, "what was complete stays");
    put(1, &whole[1]);
    hub.load(&files).finish().ok().said(&["20250701.gz: already committed by prior run"]);
    assert_eq!(hub.count("web"), 150);
    let days = hub.pair.lines("SELECT DATE(datetime), COUNT(*) FROM web GROUP BY 1 ORDER BY 1");
    assert_eq!(days, ["2025-07-01\t50", "2025-07-02\t50", "2025-07-03\t50"]);
}
