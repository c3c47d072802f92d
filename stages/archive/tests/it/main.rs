//! `archive` as an executable.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod cron;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use fixtures::Run;
use fixtures::contract::{Bad, Contract, Input};
use tempfile::TempDir;

fn archive() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_archive"))
}

fn hub() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let daily = root.path().join("daily");
    fs::create_dir_all(daily.join("2024")).unwrap();
    for name in ["h-access.log-20250701", "h-access.log-20250702", "2024/h-access.log-20241231"] {
        fs::write(daily.join(name), name).unwrap();
    }
    (root, daily)
}

fn receipt(path: &std::path::Path) -> String {
    format!("{{\"kind\":\"receipt\",\"path\":{:?},\"rows\":1}}\n", path.to_str().unwrap())
}

fn contract_of_archive() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_archive"),
        name: "archive",
        command: &[],
        main_kind: "receipt",
        reads: Some("receipt"),
        give: |run, folder, input| {
            let log = folder.join("daily/h-access.log-20250701");
            fs::create_dir_all(folder.join("daily")).unwrap();
            fs::write(&log, "x\n").unwrap();
            run.stdin(match input {
                Input::Nothing => String::new(),
                Input::Good => receipt(&log),
                Input::Bad => receipt(&log) + "{\"kind\":\"receipt\"}\n",
                Input::Many => "{\"kind\":\"other\",\"text\":\"0123456789\"}\n".repeat(100_000),
            })
        },
        of_nothing: Some(""),
        of_good: "imported/h-access.log-20250701.gz\"",
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_archive);

#[test]
fn exactly_the_files_in_receipts_are_moved() {
    let (root, daily) = hub();
    let other = "{\"kind\":\"unheard of\",\"x\": 1}\n";
    let one = receipt(&daily.join("h-access.log-20250701"));
    let old = receipt(&daily.join("2024/h-access.log-20241231"));
    let done = archive().stdin(format!("{one}{other}{one}{old}")).finish().ok();
    let there = root.path().join("imported/h-access.log-20250701.gz");
    assert!(there.exists() && root.path().join("imported/h-access.log-20241231.gz").exists());
    assert!(daily.join("h-access.log-20250702").exists() && !daily.join("h-access.log-20250701").exists());
    assert_eq!(done.records()[0]["archived"], there.to_str().unwrap());
    assert_eq!(done.records()[0], done.records()[2], "one file, two receipts");
    assert_eq!(done.text().lines().nth(1).unwrap(), other.trim_end(), "bytes unchanged");
    let again = archive().stdin(format!("{one}{other}{one}{old}")).finish().ok();
    assert_eq!(again.stdout, done.stdout, "run twice");
    assert_eq!(fs::read_dir(root.path().join("imported")).unwrap().count(), 2);
}

#[test]
fn names_that_are_not_utf8_are_moved_each_by_its_own_receipt() {
    let (root, daily) = hub();
    let of = |folder: &Path, bytes: &[u8]| folder.join(OsStr::from_bytes(bytes));
    let (moved, left) = (of(&daily, b"h-access.log-1\xff"), of(&daily, b"h-access.log-1\xfe"));
    for log in [&moved, &left] {
        fs::write(log, "x\n").unwrap();
    }
    let text = |path: &Path| {
        let mut line = b"{\"kind\":\"receipt\",".to_vec();
        kit::path_text::push_fields(&mut line, path);
        line.extend_from_slice(b",\"rows\":1}\n");
        line
    };
    let there = of(&root.path().join("imported"), b"h-access.log-1\xff.gz");
    for _ in 0..2 {
        let done = archive().stdin(text(&moved)).finish().ok();
        assert_eq!(done.records()[0]["archived_bytes"], kit::path_text::encoded(&there).unwrap());
        assert!(there.exists() && !moved.exists() && left.exists());
    }
    // an older one keeps its name with a number
    fs::write(&moved, "y\n").unwrap();
    archive().stdin(text(&moved)).finish().ok();
    assert!(there.exists() && of(&root.path().join("imported"), b"h-access.log-1\xff.gz.~1~").exists());
    // the text for people is ignored, and a wrong encoding is not a record
    let bad = format!("{{\"kind\":\"receipt\",\"path\":{left:?},\"path_bytes\":\"%F\"}}\n");
    let done = archive().stdin(bad.replace("\\xFE", "?")).finish().expect_code(1);
    assert!(left.exists() && done.stderr.contains("1 of 1 line rejected"), "{}", done.stderr);
}

#[test]
fn settings_of_the_configuration_apply_without_an_option() {
    let keeps = |text: &str, args: &[&str]| {
        let (root, daily) = hub();
        fs::create_dir(root.path().join("imported")).unwrap();
        fs::write(root.path().join("imported/h-access.log-20250701.gz"), "older").unwrap();
        let config = root.path().join("hzmetrics.conf");
        fs::write(&config, text).unwrap();
        let run = archive().env("HZMETRICS_CONFIG", config).args(args);
        run.stdin(receipt(&daily.join("h-access.log-20250701"))).finish().ok();
        fs::read(root.path().join("imported/h-access.log-20250701.gz")).unwrap() == b"older"
    };
    // who keeps the plain name: with the port, the older file
    assert!(!keeps("[hub]\n", &[]));
    assert!(keeps("[compat]\noptions = port\n", &[]));
    assert!(!keeps("[compat]\noptions = port\n", &["--compat", "legacy"]));
    assert!(keeps("[hub]\n", &["--compat", "port"]));
    let (root, _) = hub();
    let bad = root.path().join("bad.conf");
    fs::write(&bad, "[compat]\noptions = nope\n").unwrap();
    let done = archive().env("HZMETRICS_CONFIG", bad).finish().expect_code(2);
    assert!(done.stderr.contains("[compat] options: `nope`"), "{}", done.stderr);
    archive().env("HZMETRICS_CONFIG", root.path().join("none.conf")).finish().expect_code(1);
}

#[test]
fn messages_go_to_the_log_of_the_caller() {
    let (root, daily) = hub();
    let log = root.path().join("x.log");
    let run = archive().env("HZMETRICS_STAGE_LOG", &log).args(["--quiet", "--from", "-"]);
    let done = run.stdin(receipt(&daily.join("never-there"))).finish().expect_code(1);
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().map(|line| line[30..].to_owned()).collect();
    assert!(lines[0].starts_with("DEBUG === archive --quiet --from - === run "), "{}", lines[0]);
    // standard error is unchanged
    let said: Vec<_> = done.stderr.lines().map(|line| format!("ERROR {line}")).collect();
    assert!(!said.is_empty() && lines.ends_with(&said), "{lines:?} {said:?}");
    // a log that cannot be written is not a failure
    let run = archive().env("HZMETRICS_STAGE_LOG", root.path().join("x.log/x"));
    run.stdin(receipt(&daily.join("h-access.log-20250702"))).finish().ok();
}

#[test]
fn a_dry_run_says_what_it_would_do() {
    let (root, daily) = hub();
    let one = receipt(&daily.join("h-access.log-20250701"));
    let done = archive().arg("--dry-run").stdin(one.clone()).finish().ok();
    assert!(
        done.stderr.contains("would move") && done.stderr.contains("imported/h-access.log-20250701.gz"),
        "{}",
        done.stderr
    );
    assert_eq!(done.text(), one);
    assert!(!root.path().join("imported").exists() && daily.join("h-access.log-20250701").exists());
}

#[test]
fn another_directory_and_no_compression_can_be_chosen() {
    let (root, daily) = hub();
    let to = root.path().join("elsewhere");
    archive()
        .args(["--no-gzip", "--imported"])
        .arg(&to)
        .stdin(receipt(&daily.join("h-access.log-20250701")))
        .finish()
        .ok();
    assert_eq!(fs::read_to_string(to.join("h-access.log-20250701")).unwrap(), "h-access.log-20250701");
}

#[test]
fn the_port_keeps_the_older_file_under_the_plain_name() {
    for (compat, plain) in [("legacy", "new"), ("port", "old")] {
        let (root, daily) = hub();
        fs::create_dir_all(root.path().join("imported")).unwrap();
        fs::write(root.path().join("imported/x-access.log-20250701"), "old").unwrap();
        fs::write(daily.join("x-access.log-20250701"), "new").unwrap();
        archive()
            .args(["--no-gzip", "--compat", compat])
            .stdin(receipt(&daily.join("x-access.log-20250701")))
            .finish()
            .ok();
        assert_eq!(fs::read_to_string(root.path().join("imported/x-access.log-20250701")).unwrap(), plain);
        assert_eq!(fs::read_dir(root.path().join("imported")).unwrap().count(), 2);
    }
}

#[test]
fn a_file_that_cannot_be_moved_is_named_and_the_rest_is_moved() {
    let (root, daily) = hub();
    let input = receipt(&daily.join("gone")) + &receipt(root.path()) + &receipt(&daily.join("h-access.log-20250701"));
    let done = archive().stdin(input).finish().expect_code(1);
    assert!(done.stderr.contains("gone") && done.stderr.contains("--imported"), "{}", done.stderr);
    assert!(done.stderr.contains("2 of 3 logs not archived"), "{}", done.stderr);
    assert!(root.path().join("imported/h-access.log-20250701.gz").exists());
}

#[test]
fn invalid_receipts_are_rejected() {
    let done = archive()
        .stdin("{\"kind\":\"receipt\"}\nnonsense\n{\"kind\":\"receipt\",\"path\":7}\n")
        .finish()
        .expect_code(1);
    assert!(done.stdout.is_empty());
    assert!(done.stderr.contains("3 of 3 lines rejected"), "{}", done.stderr);
    archive().args(["--to", "db"]).finish().expect_code(2);
}

#[test]
fn random_bytes_move_nothing() {
    let (root, _) = hub();
    let bytes = fixtures::random::ten_megabytes(7);
    archive().arg("--quiet").dir(root.path()).stdin(bytes).finish().expect_code(1);
    assert!(!root.path().join("imported").exists());
}

/// A receipt as written by `import-logs`, with what was read.
fn full_receipt(path: &std::path::Path) -> String {
    let mut record = serde_json::to_value(logs::fingerprint::of(path).unwrap()).unwrap();
    record["kind"] = "receipt".into();
    record["path"] = path.to_str().unwrap().into();
    format!("{record}\n")
}

#[test]
fn a_log_is_moved_only_if_it_is_what_was_read() {
    let (root, daily) = hub();
    let at = |name: &str| daily.join(name);
    let [same, grown, other] = ["h-access.log-20250701", "h-access.log-20250702", "2024/h-access.log-20241231"];
    let receipts: String = [same, grown, other].map(|name| full_receipt(&at(name))).concat();
    let grown_receipt = full_receipt(&at(grown));
    // a copy with another time and inode is the same log
    fs::rename(at(same), root.path().join("old")).unwrap();
    fs::copy(root.path().join("old"), at(same)).unwrap();
    fs::write(at(grown), fs::read_to_string(at(grown)).unwrap() + "more\n").unwrap();
    fs::write(at(other), "something else").unwrap();
    let done = archive().stdin(receipts).finish().expect_code(1);
    assert!(done.stderr.contains("20250702 has grown since 21 bytes"), "{}", done.stderr);
    assert!(done.stderr.contains("20241231 is not what was imported"), "{}", done.stderr);
    assert!(done.stderr.contains("1 of 3 logs not archived"), "{}", done.stderr);
    assert!(!at(same).exists() && at(grown).exists() && at(other).exists());
    // having grown is not a failure
    let done = archive().stdin(grown_receipt).finish().ok();
    assert!(done.stderr.contains("20250702 has grown") && at(grown).exists(), "{}", done.stderr);
    // an invalid fingerprint moves nothing, and neither does a refusal
    let broken = full_receipt(&at(grown)).replace("\"size\":", "\"size\":-");
    let refused = full_receipt(&at(other)).replace("{", "{\"refused\":\"why\",");
    let done = archive().stdin(broken + &refused).finish().ok();
    assert!(done.stderr.contains("1 of 2 lines rejected") && done.stderr.contains("it stays"), "{}", done.stderr);
    assert!(at(grown).exists() && at(other).exists());
}

#[test]
fn receipts_are_not_trusted() {
    let (root, daily) = hub();
    let good = daily.join("h-access.log-20250701");
    let secret = root.path().join("secret");
    fs::create_dir_all(secret.join("daily")).unwrap();
    fs::write(secret.join("daily/key"), "x").unwrap();
    std::os::unix::fs::symlink(secret.join("daily"), daily.join("out")).unwrap();
    std::os::unix::fs::symlink(secret.join("daily/key"), daily.join("link")).unwrap();
    let run = |bad: &std::path::Path, logs: bool| {
        let mut run = archive();
        if logs {
            run = run.arg("--logs").arg(&daily);
        }
        let done = run.stdin(receipt(bad) + &receipt(&good)).finish().expect_code(1);
        assert!(done.stderr.contains("-:1: "), "{}", done.stderr);
        assert!(secret.join("daily/key").exists() && good.exists(), "{}", bad.display());
    };
    for bad in ["out/key", "link", "../secret/daily/key", "2024/../../secret/daily/key"] {
        run(&daily.join(bad), false);
        run(&daily.join(bad), true);
    }
    run(&secret.join("daily/key"), true);
    archive().arg("--logs").arg(&daily).stdin(receipt(&good)).finish().ok();
    assert!(!good.exists());
}

#[test]
fn field_77_nothing_is_lost_when_something_of_that_name_is_archived() {
    for name in ["h-access.log-20250705.gz", "h-access.log-20250705"] {
        for compat in ["legacy", "port"] {
            let (root, daily) = hub();
            let imported = root.path().join("imported");
            fs::create_dir(&imported).unwrap();
            let log = daily.join(name);
            fs::write(&log, "the log\n").unwrap();
            // another file, or the log itself with a second name
            let target = imported.join("h-access.log-20250705.gz");
            fs::write(&target, "another one\n").unwrap();
            archive().args(["--compat", compat]).stdin(receipt(&log)).finish().ok();
            assert!(!log.exists());
            let mut texts: Vec<String> = fs::read_dir(&imported)
                .unwrap()
                .map(|entry| {
                    let mut text = String::new();
                    let mut reader = kit::open(&entry.unwrap().path()).unwrap();
                    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
                    text
                })
                .collect();
            texts.sort();
            assert_eq!(texts, ["another one\n", "the log\n"], "{name}, {compat}");
            let linked = daily.join("h-access.log-20250706.gz");
            fs::write(&linked, "linked\n").unwrap();
            let second = imported.join("h-access.log-20250706.gz");
            fs::hard_link(&linked, &second).unwrap();
            archive().args(["--compat", compat]).stdin(receipt(&linked)).finish().ok();
            assert_eq!(fs::read(&second).unwrap(), b"linked\n", "{compat}");
            let again = archive().args(["--compat", compat]).stdin(receipt(&linked)).finish();
            assert!(second.exists() && again.code == 0, "{compat}: {}", again.stderr);
        }
    }
}
