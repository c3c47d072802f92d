//! Every line is accounted for, whatever it is: blank lines, runs of NUL, requests with blanks in their
//! URLs, and what a log looks like that has not the layout which was asked for.

use std::fs;
use std::path::PathBuf;

use fixtures::Finished;
use fixtures::db::SqlMode;
use schema::tables::Engine;
use serde_json::Value;
use tempfile::TempDir;

use crate::hub::Hub;
use crate::{file, import_logs, line, raw, texts};

const COMBINED: &str =
    "192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"Mozilla/5.0 (X11)\"\n";
const JSON: &str = "{\"time_iso8601\":\"2025-07-10T08:00:01+00:00\",\"remote_addr\":\"192.0.2.1\",\"request\":\"GET /a HTTP/1.1\",\
    \"status\":200,\"body_bytes_sent\":12,\"http_user_agent\":\"Mozilla/5.0\"}\n";
const CADDY: &str = "{\"ts\":1752134401.5,\"request\":{\"remote_ip\":\"192.0.2.1\",\"method\":\"GET\",\"uri\":\"/a\"},\
    \"size\":12,\"status\":200}\n";
const W3C: &str = "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2025-07-10 08:00:01 192.0.2.1 GET /a 200\n";

/// The numbers of the last line, which add up: lines, rows, rejected; and what rules dropped.
fn figures(done: &Finished) -> ([u64; 3], String) {
    let last = done.stderr.lines().find(|line| line.contains(" rows, ")).unwrap_or_default();
    let numbers: Vec<u64> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    let figures = [numbers[0], numbers[1], numbers[2]];
    let dropped = last.split_once("dropped: ").map_or("", |(_, rest)| rest.split(';').next().unwrap());
    let n: u64 = dropped.split(", ").filter_map(|one| one.rsplit(' ').next()?.parse::<u64>().ok()).sum();
    assert_eq!(figures[0], figures[1] + figures[2] + n, "{last}");
    (figures, dropped.to_owned())
}

/// The same of the receipt of a file.
fn receipt(dir: &TempDir, log: &str) -> (Finished, Value) {
    let path = dir.path().join("receipts");
    let done = import_logs().arg(file(dir, "access.log", log)).arg("--receipts").arg(&path).finish().ok();
    let receipt: Value = serde_json::from_str(fs::read_to_string(&path).unwrap().trim()).unwrap();
    let n = |field: &str| receipt[field].as_u64().unwrap();
    let dropped: u64 = receipt["dropped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(n("lines"), n("rows") + n("rejected") + dropped, "{receipt}");
    (done, receipt)
}

#[test]
fn blank_lines_are_dropped_by_a_rule() {
    for (text, layout) in [(COMBINED, "combined"), (JSON, "nginx-json"), (CADDY, "caddy"), (W3C, "w3c")] {
        for blank in ["\n", "\r\n", " \t \n"] {
            let dir = tempfile::tempdir().unwrap();
            let (done, receipt) = receipt(&dir, &format!("{text}{}{blank}", blank.repeat(30)));
            let (n, dropped) = figures(&done);
            let comments = u64::from(layout == "w3c");
            assert_eq!((n, &receipt["dropped"]["blank line"]), ([32 + comments, 1, 0], &31.into()), "{layout}");
            assert!(dropped.contains("blank line 31"), "{dropped}");
            assert_eq!(done.stderr.lines().count(), 1, "no warning and no reject: {}", done.stderr);
            let log = dir.path().join("access.log");
            import_logs().args(["--strict", "--log-format", layout]).arg(log).finish().ok();
        }
    }
    // nothing else
    let (n, dropped) = figures(&raw("access", "\n \n\r\n").finish().ok());
    assert_eq!((n, &*dropped), ([3, 0, 0], "blank line 3"));
    // a file of which no line fits is refused too
    let odd = raw("access", "x\n\n\ny\n").args(["--log-format", "combined"]).finish().expect_code(1);
    assert!(odd.stderr.contains("none of its 2 lines fits"), "{}", odd.stderr);
}

#[test]
fn blank_lines_of_hubs_are_rejected_as_legacy_does() {
    let done = raw("access", line("2025-07-10", "/a", "UA") + "\n \n").finish().ok();
    assert_eq!(figures(&done), ([3, 1, 2], String::new()));
    assert!(done.stderr.contains("empty line"), "{}", done.stderr);
    let done = raw("auth", "2025-07-10 08:00:01 1 [a] 1.1.1.1 login\n\n").finish().ok();
    assert_eq!(figures(&done), ([2, 1, 1], String::new()));
}

#[test]
fn runs_of_nul_are_counted() {
    let nul = |n: usize| "\0".repeat(n);
    for (text, said) in [
        (COMBINED.to_owned(), None),
        (nul(1) + COMBINED, Some("1 run of NUL bytes skipped (1 byte)")),
        // a hole of any size at the beginning
        (nul(200_000) + COMBINED, Some("1 run of NUL bytes skipped (200,000 bytes)")),
        (format!("{COMBINED}{}{COMBINED}", nul(7)), Some("1 run of NUL bytes skipped (7 bytes)")),
        (format!("{}{COMBINED}{}\n{COMBINED}", nul(5), nul(4096)), Some("2 runs of NUL bytes skipped (4,101 bytes)")),
        // the layout of hubs
        (nul(70_000) + &line("2025-07-10", "/a", "UA"), Some("1 run of NUL bytes skipped (70,000 bytes)")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (done, receipt) = receipt(&dir, &text);
        figures(&done);
        match said {
            Some(said) => {
                assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
                assert!(receipt["nul"].as_u64().unwrap() > 0, "{receipt}");
            }
            None => assert!(!done.stderr.contains("NUL") && receipt.get("nul").is_none(), "{}", done.stderr),
        }
    }
}

#[test]
fn verdicts_behind_a_hole_say_where_the_line_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("verdicts");
    let log = file(&dir, "access.log", "\0".repeat(100_000) + COMBINED + COMBINED);
    import_logs().arg(log).arg("--verdicts").arg(&path).finish().ok();
    let verdicts = fs::read_to_string(&path).unwrap();
    let offsets: Vec<u64> =
        verdicts.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, [100_000, 100_000 + COMBINED.len() as u64]);
}

#[test]
fn urls_with_blanks_stay_whole() {
    let of = |request: &str| COMBINED.replace("GET /a HTTP/1.1", request);
    let requests = ["GET /a b c HTTP/1.1", "GET /a  b HTTP/2.0", "GET /a b", "POST /x HTTP/1.1 y HTTP/1.1"];
    let done = raw("access", requests.map(of).concat()).finish().ok();
    assert_eq!(texts(&done, "web", "content"), ["/a b c", "/a  b", "/a b", "/x HTTP/1.1 y"]);
    // in JSON, with a log format, and where the URL has the host
    let json = JSON.replace("GET /a HTTP/1.1", "GET /a b c HTTP/1.1");
    assert_eq!(texts(&raw("access", json).finish().ok(), "web", "content"), ["/a b c"]);
    let format = ["--log-format", "%h %l %u %t \"%r\" %>s %b"];
    let done = raw("access", of("GET /a b HTTP/1.1"))
        .args(["--log-format", &format!("{} \"%{{Referer}}i\" \"%{{User-Agent}}i\"", format[1])])
        .finish()
        .ok();
    assert_eq!(texts(&done, "web", "content"), ["/a b"]);
    let alb = "http 2025-07-10T08:00:01.186641Z app/lb/50 192.0.2.39:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 \
        \"GET http://www.example.com:80/a b HTTP/1.1\" \"curl-like\" - -\n";
    assert_eq!(texts(&raw("access", alb).finish().ok(), "web", "content"), ["/a b"]);
    // a request without a URL is none
    let (n, dropped) = figures(&raw("access", of("GET HTTP/1.1") + &of("GET ")).finish().ok());
    assert_eq!((n, &*dropped), ([2, 0, 0], "method 2"));
    // hubs as legacy
    let hub = line("2025-07-10", "/a b c", "UA");
    assert_eq!(texts(&raw("access", hub).finish().ok(), "web", "content"), ["/a"]);
}

/// The lines that a refusal shows.
fn refused(done: &Finished) -> String {
    done.stderr.lines().find(|line| line.contains("not imported")).unwrap_or_default().to_owned()
}

#[test]
fn a_refusal_says_what_the_log_looks_like() {
    let docker = "{\"log\":\"192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \\\"GET /a HTTP/1.1\\\" 200 12\\n\",\"stream\":\"stdout\",\
        \"time\":\"2025-07-10T08:00:01Z\"}\n";
    for (text, n, like) in [
        (JSON.repeat(1200), "1,200", "nginx-json"),
        (CADDY.repeat(3), "3", "caddy"),
        (COMBINED.repeat(2), "2", "combined"),
        (docker.repeat(2), "2", "common with Docker in front"),
        (format!("app: {COMBINED}").repeat(2), "2", "combined with `app:` in front"),
    ] {
        let said = format!("not imported: looks like {like}; 0 of {n} lines fit hubzero; its first such line: `");
        let dir = tempfile::tempdir().unwrap();
        let log = file(&dir, "access.log", &text);
        let done = import_logs().args(["--log-format", "hubzero"]).arg(&log).finish().expect_code(1);
        assert!(refused(&done).contains(&said), "{}", done.stderr);
        // the hub's own log, in the pipe, into the tables and in the cron form
        let Some(hub) = Hub::new(Engine::InnoDb, SqlMode::Strict) else { continue };
        let path: PathBuf = hub.put("httpd/daily/hub-access.log-20250710", &text);
        let piped = hub.import().arg(&path).finish().expect_code(1);
        assert!(refused(&piped).contains(&said), "{}", piped.stderr);
        let loaded = hub.load(&[&path]).finish().expect_code(1);
        assert!(refused(&loaded).contains(&said), "{}", loaded.stderr);
        hub.run(crate::hub::stage("fetch-logs")).arg("--stage").finish().ok();
        let cron = hub.import().arg("--db").finish().expect_code(1);
        assert!(refused(&cron).contains(&said), "{}", cron.stderr);
        assert_eq!((hub.count("web"), hub.ledger().len()), (0, 0));
    }
}

/// How a container runtime writes a line, cut into `n` parts.
#[derive(Debug, Clone, Copy)]
enum Runtime {
    Docker,
    Cri,
}

impl Runtime {
    const ALL: [Self; 2] = [Self::Docker, Self::Cri];

    fn entry(self, stream: &str, text: &str, is_last: bool) -> String {
        match self {
            Self::Docker => {
                let text = if is_last { format!("{text}\n") } else { text.to_owned() };
                let text = serde_json::to_string(&text).unwrap();
                format!("{{\"log\":{text},\"stream\":\"{stream}\",\"time\":\"2025-07-10T08:00:01.5Z\"}}\n")
            }
            Self::Cri => {
                format!("2025-07-10T08:00:01.5Z {stream} {} {text}\n", if is_last { "F" } else { "P" })
            }
        }
    }

    fn parts(self, stream: &str, line: &str, n: usize) -> Vec<String> {
        let line = line.trim_end();
        let size = line.len().div_ceil(n);
        let text = |i: usize| &line[(i * size).min(line.len())..((i + 1) * size).min(line.len())];
        (0..n).map(|i| self.entry(stream, text(i), i + 1 == n)).collect()
    }
}

/// A combined line with this URL.
fn request(url: &str) -> String {
    COMBINED.replace("/a", url)
}

#[test]
fn lines_that_a_container_runtime_has_cut_are_joined() {
    for runtime in Runtime::ALL {
        let long = request(&format!("/{}", "x".repeat(40_000)));
        let plain = raw("access", long.repeat(2)).finish().ok();
        // a line of 40 KB is three of Docker's entries; most lines of the log are parts
        let cut = runtime.parts("stdout", &long, 3).concat();
        let done = raw("access", cut.repeat(2)).finish().ok();
        assert_eq!(figures(&done), ([6, 2, 0], "joined part 4".to_owned()), "{runtime:?}");
        assert!(done.stderr.contains("; layout combined\n"), "{}", done.stderr);
        assert_eq!(done.stdout, plain.stdout, "{runtime:?}");
        // parts of the two streams come in between each other
        let (out, err) = (runtime.parts("stdout", &request("/out"), 3), runtime.parts("stderr", &request("/err"), 2));
        let mixed = [&out[0], &err[0], &out[1], &err[1], &out[2]].map(String::as_str).concat();
        let named =
            ["--log-format", "combined", "--prefix", if matches!(runtime, Runtime::Cri) { "cri" } else { "docker" }];
        for args in [&[][..], &named] {
            let done = raw("access", mixed.clone()).args(args).finish().ok();
            assert_eq!(figures(&done), ([5, 2, 0], "joined part 3".to_owned()), "{runtime:?}");
            assert_eq!(texts(&done, "web", "content"), ["/out", "/err"], "in the order of the first parts");
        }
        // one without a last part, and one that is not a request
        let odd = runtime.parts("stdout", "no request at all", 2).concat() + &runtime.entry("stderr", "open", false);
        let done = raw("access", mixed + &odd).finish().ok();
        assert_eq!(figures(&done), ([8, 2, 2], "joined part 4".to_owned()), "{runtime:?}");
        assert!(done.stderr.contains("-:6: no time in brackets: "), "{}", done.stderr);
        assert!(done.stderr.contains("-:8: a part of a longer line: "), "{}", done.stderr);
    }
}

#[test]
fn parts_stay_together_in_a_long_log() {
    for runtime in Runtime::ALL {
        let urls: Vec<String> = (0..6000).map(|n| format!("/{n}/{}", "y".repeat(n % 200))).collect();
        let log: String =
            urls.iter().zip(0..).map(|(url, n)| runtime.parts("stdout", &request(url), 1 + n % 4).concat()).collect();
        let dir = tempfile::tempdir().unwrap();
        let (done, receipt) = receipt(&dir, &log);
        assert!(texts(&done, "web", "content") == urls, "{runtime:?}: {}", done.stderr);
        assert_eq!((figures(&done).0, &receipt["dropped"]["joined part"]), ([15_000, 6000, 0], &9000.into()));
        let check = import_logs().arg("--check").arg(dir.path().join("access.log")).finish().ok();
        assert!(check.text().contains("6000 of 6000 lines fit"), "{}", check.text());
    }
}

#[test]
fn a_verdict_names_the_first_part() {
    for runtime in Runtime::ALL {
        let (out, err) = (runtime.parts("stdout", &request("/out"), 2), runtime.parts("stderr", "no request", 2));
        let lines = [&out[0], &err[0], &out[1], &err[1]];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("verdicts");
        let log = file(&dir, "access.log", lines.map(String::as_str).concat());
        import_logs().arg(log).arg("--verdicts").arg(&path).finish().ok();
        let text = fs::read_to_string(&path).unwrap();
        let verdicts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut offset = 0;
        for ((verdict, line), (n, what)) in
            verdicts.iter().zip(lines).zip([(1, "kept"), (2, "rejected"), (3, "dropped"), (4, "dropped")])
        {
            assert_eq!((&verdict["line"], &verdict["verdict"]), (&n.into(), &what.into()), "{verdict}");
            assert_eq!(verdict["offset"], offset, "{verdict}");
            assert_eq!(verdict["rule"] == "joined part", what == "dropped", "{verdict}");
            offset += line.len();
        }
        assert_eq!((verdicts.len(), &verdicts[0]["client"]), (4, &"192.0.2.1".into()));
        assert!(verdicts[1]["reason"].as_str().unwrap().contains("no time"), "{}", verdicts[1]);
    }
}

/// Where a log begins with a thousand messages of a server, its first request comes later.
#[test]
fn options_hold_where_the_first_lines_are_messages() {
    let dir = tempfile::tempdir().unwrap();
    let message = "{\"level\":\"info\",\"ts\":1752134400.1,\"msg\":\"started\"}\n";
    let request = r#"{"ts":1752134401.5,"request":{"remote_ip":"10.0.0.1","method":"GET","uri":"/a","headers":{"X-Forwarded-For":["192.0.2.7"]}},"size":12,"status":200}"#;
    let log = file(&dir, "access.log", message.repeat(1100) + request + "\n");
    let done = import_logs().args(["--client-from", "X-Forwarded-For"]).arg(log).finish().ok();
    assert_eq!(texts(&done, "web", "ip"), ["192.0.2.7"], "{}", done.stderr);
    done.said(&["dropped: message 1100", "layout caddy"]);
}
