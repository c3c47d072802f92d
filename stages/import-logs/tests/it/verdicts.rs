//! Verdicts: what became of each line of a log.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fixtures::db::SqlMode;
use fixtures::{Finished, Run, field, gzip, property};
use proptest::prelude::*;
use schema::tables::Engine;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::{file, import_logs, line, raw};

fn read(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs it with verdicts, and returns them.
fn judged(run: Run) -> (Finished, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("verdicts.ndjson");
    let done = run.arg("--verdicts").arg(&path).finish();
    (done, read(&path))
}

/// A verdict in words.
fn words(verdict: &Value) -> String {
    let more = verdict["rule"].as_str().or(verdict["reason"].as_str()).unwrap_or("-");
    format!("{} {} {} {more}", verdict["line"], verdict["offset"], verdict["verdict"].as_str().unwrap())
}

const LOG: &str = "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"Firefox\"\n\
    nonsense\n\
    2001:db8::1 - - [10/Jul/2025:08:00:02 +0000] \"GET /b HTTP/1.1\" 404 12 \"-\" \"Firefox\"\n\
    \n\
    client.example.org - - [10/Jul/2025:08:00:03 +0000] \"GET /c HTTP/1.1\" 200 12 \"-\" \"Googlebot\"\n";

#[test]
fn each_line_gets_a_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let log = file(&dir, "access.log.gz", gzip(LOG));
    let (done, verdicts) = judged(import_logs().args(["--log-format", "combined"]).arg(&log));
    assert_eq!(done.ok().of_kind("web").len(), 1, "records are on their own stream");
    let n = |at: usize| LOG.split_inclusive('\n').take(at).map(str::len).sum::<usize>();
    let path = log.display().to_string();
    assert_eq!(
        verdicts[0],
        json!({"kind": "verdict", "path": path, "line": 1, "offset": 0, "layout": "combined", "client": "192.0.2.1",
            "datetime": "2025-07-10 08:00:01", "verdict": "kept"})
    );
    assert_eq!(
        verdicts[2],
        json!({"kind": "verdict", "path": path, "line": 3, "offset": n(2), "layout": "combined",
            "client": "2001:db8::1", "datetime": "2025-07-10 08:00:02", "verdict": "dropped", "rule": "status"})
    );
    assert_eq!(
        verdicts[4],
        json!({"kind": "verdict", "path": path, "line": 5, "offset": n(4), "layout": "combined",
            "host": "client.example.org", "datetime": "2025-07-10 08:00:03", "verdict": "dropped", "rule": "robot"})
    );
    assert_eq!(words(&verdicts[1]), format!("2 {} rejected no time in brackets", n(1)));
    assert_eq!(words(&verdicts[3]), format!("4 {} dropped blank line", n(3)));
    assert_eq!(verdicts.len(), 5);
}

#[test]
fn verdicts_are_appended_to_a_separate_file() {
    let dir = tempfile::tempdir().unwrap();
    let log = file(&dir, "access.log", LOG);
    let path = dir.path().join("verdicts");
    let run = |more: &[&str]| {
        let run = import_logs().args(["--log-format", "combined"]).arg("--verdicts").arg(&path).args(more);
        run.arg(&log).finish()
    };
    run(&[]).ok();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    run(&[]).ok();
    assert_eq!(read(&path).len(), 10, "after the existing ones");
    let [link, target] = ["link", "target"].map(|name| dir.path().join(name));
    std::os::unix::fs::symlink("target", &link).unwrap();
    import_logs().arg("--verdicts").arg(&link).arg(&log).finish().ok();
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640, "behind a link too");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    run(&["--dry-run"]).ok();
    // a file that is not imported gets no verdicts
    run(&["--strict"]).expect_code(1);
    assert_eq!(read(&path).len(), 10);
    let out = dir.path().join("records");
    for to in ["--to", "--verdicts"] {
        let run = import_logs().args(["--log-format", "combined"]).arg(to).arg(&out).arg(&log);
        run.finish().ok();
    }
    let shared = import_logs().args(["--verdicts", "/dev/stdout"]).arg(&log).finish().expect_code(2);
    assert!(shared.stderr.contains("verdicts need a file of their own"), "{}", shared.stderr);
}

#[test]
fn a_request_has_its_id_and_a_login_its_client() {
    let format = "%h %l %u %t \"%r\" %>s %b %{UNIQUE_ID}e";
    let log = "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 aGVsbG8\n";
    let (done, verdicts) = judged(raw("access", log).args(["--log-format", format]));
    done.ok();
    assert_eq!((&verdicts[0]["request_id"], &verdicts[0]["path"]), (&"aGVsbG8".into(), &"-".into()));
    let login = "2025-07-10 08:00:01 1 [a] 1.1.1.1 login\n";
    let (done, verdicts) = judged(raw("auth", format!("{login}{login}x\n2025-07-10 08:00:01 1 [a] 1.1.1.1 view\n")));
    done.ok();
    let all: Vec<_> = verdicts.iter().map(words).collect();
    assert_eq!(all[0], "1 0 kept -");
    assert_eq!(all[1], format!("2 {} dropped duplicate login", login.len()));
    assert!(all[2].starts_with(&format!("3 {} rejected no date", 2 * login.len())), "{all:?}");
    assert_eq!((&verdicts[0]["layout"], &verdicts[0]["client"]), (&"auth".into(), &"1.1.1.1".into()));
}

#[test]
fn field_53_a_double_click_says_so() {
    let (done, verdicts) = judged(import_logs().arg("--double-click").arg(field("53-doubleclick.log")));
    done.ok();
    let all: Vec<_> = verdicts.iter().map(|verdict| words(verdict)[2..].to_owned()).collect();
    let size = fs::metadata(field("53-doubleclick.log")).unwrap().len() / 4;
    let expected = [("dropped double click", 0), ("dropped double click", 1), ("kept -", 2), ("kept -", 3)];
    assert_eq!(all, expected.map(|(words, n)| format!("{} {words}", n * size)));
}

#[test]
fn verdicts_of_a_grown_log_continue_where_they_ended() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(hub) = Hub::new(engine, SqlMode::Strict) else { return };
        let lines = |urls: &[&str]| urls.iter().map(|url| line("2025-07-10", url, "UA")).collect::<String>();
        let first = lines(&["/a", "/b.css"]);
        let log = hub.put("httpd/daily/access.log", &first);
        let verdicts = hub.at("verdicts");
        let load = || hub.load(&[&log]).arg("--verdicts").arg(&verdicts).finish().ok();
        load();
        load();
        assert_eq!(read(&verdicts).len(), 2, "once");
        fs::write(&log, first.clone() + &lines(&["/c"])).unwrap();
        load();
        let all: Vec<_> = read(&verdicts).iter().map(words).collect();
        let n = first.len();
        // lines are counted from the start of this import
        assert_eq!(all[2], format!("1 {n} kept -"));
        let second = lines(&["/a"]).len();
        assert_eq!(all[..2], ["1 0 kept -".to_owned(), format!("2 {second} dropped path")]);
    }
}

/// A line of a log, by its number.
fn sample(kind: u8, second: u8) -> String {
    let second = second % 60;
    let of = |client: &str, url: &str, rest: &str, agent: &str| {
        format!("{client} - - [10/Jul/2025:08:00:{second:02} +0000] \"GET {url} HTTP/1.1\" {rest} \"-\" \"{agent}\"\n")
    };
    match kind % 9 {
        0 | 1 => of("192.0.2.1", "/a", "200 12", "Firefox"),
        2 => of("2001:db8::1", "/b", "200 12", "Firefox"),
        3 => of("192.0.2.1", "/a.css", "200 12", "Firefox"),
        4 => of("192.0.2.1", "/a", "404 12", "Firefox"),
        5 => of("name.example.org", "/a", "200 12", "Googlebot é"),
        6 => "nonsense\n".to_owned(),
        7 => "\n".to_owned(),
        _ => of("-", "/x", "200 12", "Firefox"),
    }
}

#[test]
fn verdicts_are_as_many_as_lines_and_add_up_to_the_last_line() {
    let lines = proptest::collection::vec((any::<u8>(), any::<u8>()), 1..60);
    let values = (lines, any::<bool>(), any::<bool>(), any::<bool>());
    property::check(property::slow_cases(24), &values, |(lines, double_clicks, twice, hub)| {
        let mut log: String = lines.iter().map(|(kind, second)| sample(*kind, *second)).collect();
        if hub {
            log.insert_str(0, &line("2025-07-10", "/a", "UA").repeat(2));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = file(&dir, "access.log", &log);
        let mut run = import_logs().args(["--accept", "--bots-report", "/dev/null"]).arg(&path);
        if twice {
            run = run.arg(&path);
        }
        if double_clicks {
            run = run.arg("--double-click");
        }
        if !hub {
            run = run.args(["--log-format", "combined"]);
        }
        let (done, verdicts) = judged(run);
        let said = done.ok().stderr;
        let said = said.lines().find(|line| line.contains(" lines, ")).unwrap_or_default().to_owned();
        let mut counts = BTreeMap::<String, usize>::new();
        for verdict in &verdicts {
            let key = verdict["rule"].as_str().or(verdict["verdict"].as_str()).unwrap();
            *counts.entry(key.to_owned()).or_default() += 1;
        }
        let of = |key: &str| counts.get(key).copied().unwrap_or_default();
        let begin = format!("{} lines, {} rows, {} not recognised", verdicts.len(), of("kept"), of("rejected"));
        prop_assert!(said.contains(&begin), "{said} {counts:?}");
        for (rule, n) in counts.iter().filter(|(key, _)| !["kept", "rejected"].contains(&key.as_str())) {
            prop_assert!(said.contains(&format!("{rule} {n}")), "{said} {counts:?}");
        }
        // places are those of the lines
        let starts: Vec<usize> =
            log.split_inclusive('\n').scan(0, |at, line| Some(std::mem::replace(at, *at + line.len()))).collect();
        for (i, verdict) in verdicts.iter().enumerate() {
            let i = i % starts.len();
            prop_assert_eq!(&verdict["line"], &json!(i + 1));
            prop_assert_eq!(&verdict["offset"], &json!(starts[i]));
        }
        Ok(())
    });
}
