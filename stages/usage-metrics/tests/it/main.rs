//! `usage-metrics` as an executable.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod db;
mod parts;

use std::fmt::Write as _;
use std::path::Path;

use fixtures::contract::{Bad, Contract, Input};
use fixtures::{Run, mmdb};
use serde_json::Value;

fn stage() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_usage-metrics"))
}

/// A request of July 2025: day and time, address, host, domain; `-` is an absent field.
fn web(time: &str, ip: &str, host: &str, domain: &str) -> String {
    let mut line = format!("{{\"kind\":\"web\",\"datetime\":\"2025-07-{time}\"");
    for (name, value) in [("ip", ip), ("host", host), ("domain", domain)] {
        if value != "-" {
            let _ = write!(line, ",\"{name}\":\"{value}\"");
        }
    }
    line + "}\n"
}

/// A request of another month that closes any session open in that month's run.
fn closing(datetime: &str) -> String {
    format!("{{\"kind\":\"web\",\"datetime\":\"{datetime}\",\"ip\":\"99.99.99.99\"}}\n")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The given fields of every record of a kind, one text per record.
fn fields(done: &fixtures::Finished, kind: &str, names: &[&str]) -> Vec<String> {
    let one = |record: &Value| names.iter().map(|name| text(&record[*name])).collect::<Vec<_>>().join(" ");
    done.of_kind(kind).iter().map(one).collect()
}

const SESSION: [&str; 9] = ["id", "datetime", "ipcountry", "ip", "host", "domain", "duration", "jobs", "webevents"];

fn exclude(directory: &Path, rows: &str) -> String {
    let path = directory.join("exclude.csv");
    std::fs::write(&path, format!("filter,type\n{rows}")).unwrap();
    path.display().to_string()
}

fn contract_of_usage_metrics() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_usage-metrics"),
        name: "usage-metrics",
        command: &[],
        main_kind: "session",
        reads: Some("web"),
        give: |run, _, input| {
            let good = web("01 10:00:00", "1.1.1.1", "www.a.com", "-");
            run.stdin(match input {
                Input::Nothing => String::new(),
                Input::Good => good,
                Input::Bad => good + "{\"kind\":\"web\",\"host\":5}\n",
                Input::Many => many(60_000),
            })
        },
        of_nothing: Some(""),
        of_good: "\"domain\":\"a.com\"",
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_usage_metrics);

#[test]
fn csv_without_a_record_has_a_header() {
    let done = stage().args(["--format", "csv"]).finish().ok();
    assert_eq!(done.text(), "kind,id,datetime,ipcountry,ip,host,domain,duration,jobs,webevents\n");
}

#[test]
fn one_request_is_a_session_that_stays_open() {
    let done = stage().stdin(web("31 23:50:00", "1.1.1.1", "www.a.com", "-")).finish().ok();
    let expected = web("31 23:50:00", "1.1.1.1", "www.a.com", "-").replace("}\n", ",\"domain\":\"a.com\"}\n");
    assert_eq!(done.text(), expected);
    assert_eq!(done.stderr, "");
}

#[test]
fn unchanged_bytes_are_kept() {
    let input = concat!(
        "{ \"kind\" : \"web\", \"datetime\":\"2025-07-08 12:00:00\", \"ip\":\"1.1.1.1\", \"x\":[1, 2] }\n",
        "{\"kind\":\"login\",\"user\":\"a\\u0062\",\"ip\":5}\n",
        "{\"n\":1,\"kind\":\"unheard of\"}\n",
        "{\"kind\":\"web\"}\n",
        "{\"kind\":\"toolstart\",\"ip\":\"1.1.1.1\",\"success\":1}\n",
        "{\"kind\":\"web\",\"datetime\":\"2025-07-00 00:00:00\",\"ip\":\"1.1.1.1\",\"host\":\"?\",\"domain\":\"?\"}\n",
        "{\"kind\":\"session\",\"id\":7,\"datetime\":\"2025-07-03 00:00:00\"}\n",
    );
    assert_eq!(stage().stdin(input).finish().ok().text(), input);
}

#[test]
fn the_example_in_the_specification_is_reproduced() {
    let q = "?";
    let mut input =
        String::from("{\"kind\":\"session\",\"id\":40,\"datetime\":\"2025-06-01 00:00:00\",\"ip\":\"4.4.4.4\"}\n");
    for (time, ip, host, domain) in [
        ("03 09:00:00", "", "alpha.example.org", "example.org"),
        ("03 09:10:00", "10.1.1.1", "alpha.example.org", ""),
        ("03 10:00:00", "10.1.1.10", "b.example.com", "example.com"),
        ("03 09:00:00", "10.1.1.10", "c.example.com", "example.net"),
        ("03 10:00:00", "10.1.1.2", q, q),
        ("03 10:30:00", "10.1.1.2", q, q),
        ("03 11:00:01", "10.1.1.2", q, q),
        ("08 12:00:00", "10.1.1.2", q, q),
        ("09 12:00:00", "10.1.1.3", "-", "-"),
        ("31 23:50:00", "10.1.9.9", "z.example.com", "example.com"),
    ] {
        input += &web(time, ip, host, domain);
    }
    for (time, success, ip, host) in [
        ("09:59:59", 1, "10.1.1.2", q),
        ("10:05:00", 1, "99.9.9.9", q),
        ("10:10:00", 0, "10.1.1.2", q),
        ("10:59:59", 1, "10.1.1.2", ""),
        ("11:00:00", 1, "10.1.1.2", q),
        ("11:20:00", 1, "77.7.7.7", q),
    ] {
        let _ = writeln!(
            input,
            "{{\"kind\":\"toolstart\",\"datetime\":\"2025-07-03 {time}\",\"success\":{success},\"ip\":\"{ip}\",\"host\":\"{host}\"}}"
        );
    }
    let done = stage().args(["--only", "sessions"]).stdin(input).finish().ok();
    assert_eq!(
        fields(&done, "session", &SESSION)[1..],
        [
            "41 2025-07-03 09:00:00  10.1.1.1 alpha.example.org example.org 600 0 0",
            "42 2025-07-03 10:00:00  10.1.1.10 b.example.com example.com -3600 0 0",
            "43 2025-07-03 10:00:00  10.1.1.2 ? ? 1800 2 0",
            "44 2025-07-03 11:00:01  10.1.1.2 ? ? 0 1 0",
            "45 2025-07-09 12:00:00  10.1.1.3   0 0 0",
        ]
    );
    assert_eq!(fields(&done, "web", &["sessionid"]), ["41", "41", "42", "42", "43", "43", "44", "-", "45", "-"]);
    assert_eq!(fields(&done, "toolstart", &["sessionid"]), ["-", "43", "-", "43", "-", "44"]);
    // a second run finds the open session again and nothing else
    let again = stage().args(["--only", "sessions"]).stdin(done.stdout.clone()).finish().ok();
    assert_eq!(again.text(), done.text());
}

/// Compares with the output of the legacy scripts for a case; see `tests/cases/README.md`.
fn check_recorded(case: &str) {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(case);
    let read = |name: &str| std::fs::read_to_string(case.join(name)).unwrap();
    let expected: Vec<Value> = read("expected.ndjson").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    for threads in ["1", "2"] {
        let run = stage().arg("--exclude").arg(case.join("exclude.csv")).env("RAYON_NUM_THREADS", threads);
        let done = run.stdin(read("input.ndjson")).finish().ok();
        for (kind, columns) in [
            ("web", &["id", "datetime", "ip", "host", "domain", "sessionid"][..]),
            ("toolstart", &["id", "datetime", "ip", "host", "domain", "sessionid"]),
            ("session", &["id", "datetime", "ip", "host", "domain", "duration", "jobs", "webevents"]),
        ] {
            let of_kind = expected.iter().filter(|record| record["kind"] == kind);
            let expected: Vec<String> =
                of_kind.map(|r| columns.iter().map(|c| text(&r[*c])).collect::<Vec<_>>().join(" ")).collect();
            assert!(expected.len() > 50);
            assert_eq!(fields(&done, kind, columns), expected, "{kind}");
        }
    }
}

#[test]
fn recorded_months_are_reproduced() {
    check_recorded("months");
}

#[test]
fn recorded_months_after_earlier_sessions_are_reproduced() {
    check_recorded("months-after-earlier-sessions");
}

#[test]
fn the_first_midnight_is_cleaned_with_the_previous_month() {
    let directory = tempfile::tempdir().unwrap();
    let input = [
        web("05 00:00:00", "5.5.5.5", "-", "-"),
        "{\"kind\":\"web\",\"datetime\":\"2025-08-01 00:00:00\",\"ip\":\"1.1.1.1\",\"host\":\"x.bot.org\"}\n"
            .to_owned(),
        "{\"kind\":\"web\",\"datetime\":\"2025-08-01 00:10:00\",\"ip\":\"1.1.1.1\",\"host\":\"y.good.org\"}\n"
            .to_owned(),
        closing("2025-08-09 00:00:00"),
    ]
    .concat();
    let run = |rows: &str| {
        let done = stage().args(["--exclude", &exclude(directory.path(), rows)]).stdin(input.clone()).finish().ok();
        (fields(&done, "session", &["datetime", "host", "duration"]), done.of_kind("web").len())
    };
    // the cleaning of July knows the host, so the request is gone before August's sessions
    assert_eq!(run("%.bot.org,host\n"), (vec!["2025-08-01 00:10:00 y.good.org 0".to_owned()], 3));
    // it does not know its domain: it is part of the session, then removed with August
    let (sessions, n_web) = run("bot.org,domain\n");
    assert_eq!(sessions, Vec::<String>::new());
    assert_eq!(n_web, 3);
}

#[test]
fn sessions_of_bots_are_removed_and_their_numbers_reused() {
    let directory = tempfile::tempdir().unwrap();
    let list = exclude(directory.path(), "bot.org,domain\n");
    let input = [
        web("01 10:00:00", "1.1.1.1", "www.good.org", "-"),
        web("01 10:00:00", "1.1.1.2", "www.bot.org", "-"),
        closing("2025-07-09 00:00:00"),
        "{\"kind\":\"web\",\"datetime\":\"2025-08-02 00:10:00\",\"ip\":\"1.1.1.3\"}\n".to_owned(),
        closing("2025-08-09 00:00:00"),
    ]
    .concat();
    let done = stage().args(["--exclude", &list]).stdin(input.clone()).finish().ok();
    assert_eq!(fields(&done, "session", &["id", "ip"]), ["1 1.1.1.1", "2 1.1.1.3"]);
    assert_eq!(
        fields(&done, "web", &["ip", "sessionid"]),
        ["1.1.1.1 1", "99.99.99.99 -", "1.1.1.3 2", "99.99.99.99 -"]
    );
    let done = stage().args(["--first-id", "50"]).stdin(input).finish().ok();
    assert_eq!(fields(&done, "session", &["id", "ip"]), ["50 1.1.1.1", "51 1.1.1.2", "52 1.1.1.3"]);
}

#[test]
fn the_port_cleans_first_and_clears_stamps_without_a_session() {
    let directory = tempfile::tempdir().unwrap();
    let list = exclude(directory.path(), "%.bot.org,host\n");
    let tool = "{\"kind\":\"toolstart\",\"datetime\":\"2025-07-01 10:00:01\",\"success\":1,\"ip\":\"1.1.1.1\",\"sessionid\":77}\n";
    let lone = "{\"kind\":\"toolstart\",\"datetime\":\"2025-07-02 10:00:01\",\"success\":1,\"ip\":\"3.3.3.3\",\"sessionid\":78}\n";
    let input = [
        tool.to_owned(),
        lone.to_owned(),
        web("01 10:00:00", "1.1.1.1", "a.bot.org", "-"),
        web("01 10:10:00", "1.1.1.1", "b.good.org", "-"),
        closing("2025-07-09 00:00:00"),
    ]
    .concat();
    let legacy = stage().args(["--exclude", &list]).stdin(input.clone()).finish().ok();
    // the bot's request opened the session, which is named after it and so removed
    assert!(legacy.of_kind("session").is_empty());
    assert_eq!(fields(&legacy, "toolstart", &["sessionid"]), ["1", "78"]);
    assert_eq!(fields(&legacy, "web", &["host", "sessionid"]), ["b.good.org 1", "- -"]);
    let port = stage().args(["--compat", "port", "--exclude", &list]).stdin(input).finish().ok();
    assert_eq!(fields(&port, "session", &["id", "datetime", "host", "jobs"]), ["1 2025-07-01 10:10:00 b.good.org 0"]);
    assert_eq!(fields(&port, "toolstart", &["sessionid"]), ["-", "-"]);
    assert_eq!(fields(&port, "web", &["host", "sessionid"]), ["b.good.org 1", "- -"]);
}

#[test]
fn the_port_waits_for_the_end_of_the_month() {
    let line = |day: u8, ip: u8| {
        format!("{{\"kind\":\"web\",\"datetime\":\"9998-07-{day:02} 00:00:00\",\"ip\":\"1.1.1.{ip}\"}}\n")
    };
    let input =
        [line(1, 1), line(2, 2), web("01 10:00:00", "1.1.1.1", "-", "-"), closing("2025-07-09 00:00:00")].concat();
    let n =
        |compat: &str| stage().args(["--compat", compat]).stdin(input.clone()).finish().ok().of_kind("session").len();
    assert_eq!((n("legacy"), n("sessions-at-month-close")), (2, 1));
}

#[test]
fn upper_case_hosts_have_a_domain_but_not_in_the_port() {
    let input =
        [web("01 10:00:00", "1.1.1.1", "WWW.A.com", "-"), web("01 10:00:00", "1.1.1.2", "www.b.com", "?")].concat();
    let domains = |args: &[&str]| fields(&stage().args(args).stdin(input.clone()).finish().ok(), "web", &["domain"]);
    assert_eq!(domains(&[]), ["a.com", "b.com"]);
    assert_eq!(domains(&["--compat", "lp_domain"]), ["-", "b.com"]);
    assert_eq!(domains(&["--only", "sessions"]), ["-", "?"]);
}

#[test]
fn sessions_get_the_domain_that_their_requests_lack() {
    let input = [web("01 10:00:00", "1.1.1.1", "WWW.A.com", "-"), closing("2025-07-09 00:00:00")].concat();
    let domains = |compat: &str| {
        fields(&stage().args(["--compat", compat]).stdin(input.clone()).finish().ok(), "session", &["domain"])
    };
    assert_eq!(domains("lp_domain"), [""]);
    assert_eq!(domains("lp_domain,refill-websessions"), ["a.com"]);
}

#[test]
fn a_full_disk_ends_the_run() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let done =
        stage().args(["--to", "/dev/full"]).stdin(web("01 10:00:00", "1.1.1.1", "a.b", "-")).finish().expect_code(1);
    assert!(done.stderr.contains("writing /dev/full: No space left"), "{}", done.stderr);
}

#[test]
fn countries_come_from_a_database_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.mmdb");
    let networks = [("8.8.8.0", 24, "US"), ("1.0.0.0", 24, "AU")];
    let networks: Vec<_> = networks.map(|(ip, bits, code)| (ip.parse().unwrap(), bits, code.to_owned())).to_vec();
    std::fs::write(&file, mmdb::country_database(&networks)).unwrap();
    let with =
        |ip: &str, country: &str| web("01 10:00:00", ip, "-", "-").replace('}', &format!(",\"ipcountry\":{country}}}"));
    let input = [
        with("8.8.8.8", "null"),
        with("8.8.8.8", "\"\""),
        with("8.8.8.8", "\"-\""),
        with("8.8.8.8", "\"XX\""),
        with("10.0.0.1", "null"),
        with("1.0.0.1", "null"),
        with("08.8.8.8", "null"),
        with("", "null"),
        with("9.9.9.9", "null"),
        "{\"kind\":\"toolstart\",\"ip\":\"1.0.0.9\"}\n".to_owned(),
        "{\"kind\":\"session\",\"id\":1,\"ip\":\"1.0.0.9\",\"ipcountry\":\"\"}\n".to_owned(),
        closing("2025-07-09 00:00:00"),
    ]
    .concat();
    let run = |args: &[&str]| stage().arg("--geoip").arg(&file).args(args).stdin(input.clone()).finish().ok();
    let legacy = run(&[]);
    assert_eq!(
        fields(&legacy, "web", &["ipcountry"]),
        ["US", "US", "-", "XX", "-", "AU", "-", "-", "-", "-"] // `-` also shows a field that is absent or null
    );
    assert!(legacy.text().contains("\"ip\":\"10.0.0.1\",\"ipcountry\":null"));
    assert_eq!(fields(&legacy, "toolstart", &["ipcountry"]), ["AU"]);
    let sessions = fields(&legacy, "session", &["ip", "ipcountry"]);
    assert_eq!(sessions, ["1.0.0.9 AU", "08.8.8.8 ", "1.0.0.1 AU", "10.0.0.1 ", "8.8.8.8 US", "9.9.9.9 "]);
    let port = run(&["--compat", "lp_ipcountry"]);
    assert!(port.text().contains("\"ip\":\"10.0.0.1\",\"ipcountry\":\"-\""));
    assert!(port.text().contains("\"ip\":\"08.8.8.8\",\"ipcountry\":\"US\""));
    assert!(port.text().contains("\"ip\":\"9.9.9.9\",\"ipcountry\":\"-\""));
    assert!(port.text().contains("\"ip\":\"\",\"ipcountry\":null"));
    let none = run(&["--only", "domains,sessions"]);
    assert!(none.text().contains("\"ip\":\"1.0.0.1\",\"ipcountry\":null"));
}

#[test]
fn field_84_files_that_are_not_databases_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let networks = [("8.0.0.0".parse().unwrap(), 8, "US".to_owned())];
    let whole = fixtures::mmdb::country_database_of_both(&networks);
    let asn = fixtures::mmdb::asn_database(&networks);
    for (name, bytes, said) in [
        ("cut.mmdb", &whole[..whole.len() / 2], "cut.mmdb"),
        ("list.csv", b"network,geoname_id\n8.0.0.0/8,1\n", "list.csv"),
        ("GeoIP.dat", &[1, 0, 0, 2, 0, 0, 255, 255, 255, 1][..], "GeoIP.dat"),
        ("asn.mmdb", &asn, "it contains no countries: it is `Made-Up-ASN`, whose records have the fields"),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let done =
            stage().arg("--geoip").arg(&path).stdin(web("01 10:00:00", "8.8.8.8", "-", "-")).finish().expect_code(1);
        assert!(done.stderr.contains(said) && done.stderr.contains(name), "{}", done.stderr);
        assert!(done.stdout.is_empty());
    }
}

#[test]
fn a_repeated_hour_counts_in_the_time_zone() {
    // 00:45 to 01:10 local time: an hour and 25 minutes if the later 01:10 counts
    let line = |time: &str| format!("{{\"kind\":\"web\",\"datetime\":\"2025-11-02 {time}\",\"ip\":\"1.1.1.1\"}}\n");
    let input = [line("00:45:00"), line("01:10:00"), closing("2025-11-09 00:00:00")].concat();
    let n = |run: Run| run.stdin(input.clone()).finish().ok().of_kind("session").len();
    assert_eq!(n(stage()), 1);
    assert_eq!(n(stage().args(["--timezone", "America/New_York"])), 2);
    assert_eq!(n(stage().env("TZ", "America/New_York")), 2);
    assert_eq!(n(stage().env("TZ", "America/New_York").args(["--timezone", "UTC"])), 1);
    let _ = stage().args(["--timezone", "Nowhere/Land"]).finish().expect_code(2);
}

#[test]
fn bad_records_are_rejected_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let rejects = directory.path().join("rejects.ndjson");
    let input = [
        web("01 10:00:00", "1.1.1.1", "-", "-").as_str(),
        "nonsense\n",
        "{\"kind\":\"web\",\"datetime\":\"yesterday\"}\n",
        "{\"kind\":\"web\",\"host\":5}\n",
        "{\"no\":\"kind\"}\n",
        &closing("2025-07-09 00:00:00"),
    ]
    .concat();
    let done = stage().arg("--rejects").arg(&rejects).stdin(input.clone()).finish().ok();
    assert_eq!((done.of_kind("web").len(), done.of_kind("session").len()), (2, 1));
    assert!(done.stderr.contains("-:3: field `datetime` is not a datetime"), "{}", done.stderr);
    let listed = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(listed.lines().count(), 4);
    let _ = stage().arg("--strict").stdin(input).finish().expect_code(3);
}

#[test]
fn unusable_options_end_the_run() {
    for args in [&["--db"][..], &["--from", "db"], &["--to", "db"], &["--only", "nonsense"], &["--first-id", "0"]] {
        let _ = stage().args(args).finish().expect_code(2);
    }
    for words in
        [&["2025-7"][..], &["--month", "2025-13"], &["--date", "2025-7"], &["--only", "sessions", "--date", "2025"]]
    {
        let done = stage().arg("--db").args(words).finish().expect_code(2);
        let why = ["is not a month", "is not a date", "need a whole month"];
        assert!(why.iter().any(|why| done.stderr.contains(why)), "{words:?}: {}", done.stderr);
    }
    for args in [["--geoip", "/nowhere/c.mmdb"], ["--exclude", "/nowhere/e.csv"]] {
        let done = stage().args(args).finish().expect_code(1);
        assert!(done.stderr.contains(args[1]), "{}", done.stderr);
    }
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("c.mmdb");
    std::fs::write(&garbage, b"no database").unwrap();
    let _ = stage().arg("--geoip").arg(&garbage).finish().expect_code(1);
    let done = stage().env("TMPDIR", "/nowhere").finish().expect_code(1);
    assert!(done.stderr.contains("/nowhere"), "{}", done.stderr);
}

/// Requests of some thousand visitors over two months, in time order.
fn many(n: u32) -> String {
    let mut input = String::new();
    for i in 0..n {
        let minute = (u64::from(i) * (61 * 1440) / u64::from(n)) as u32;
        let (day, minute) = (minute / 1440, minute % 1440);
        let (month, day) = if day < 31 { (7, day + 1) } else { (8, day - 30) };
        let visitor = i.wrapping_mul(2_654_435_761) >> 20;
        let _ = writeln!(
            input,
            "{{\"kind\":\"web\",\"datetime\":\"2025-{month:02}-{day:02} {:02}:{:02}:00\",\"ip\":\"10.0.{}.{}\",\"content\":\"/resources/{i}\",\"host\":\"h{visitor}.example.com\"}}",
            minute / 60,
            minute % 60,
            visitor / 256,
            visitor % 256
        );
    }
    input
}

#[test]
fn one_core_or_two_give_the_same_bytes() {
    let input = many(60_000);
    let run = |threads: &str| stage().env("RAYON_NUM_THREADS", threads).stdin(input.clone()).finish().ok();
    let (one, two) = (run("1"), run("2"));
    assert!(one.stdout == two.stdout);
    assert!(one.of_kind("session").len() > 1000);
    assert_eq!(one.of_kind("web").len(), 60_000);
}

#[test]
fn random_bytes_do_no_harm() {
    let mut bytes = fixtures::random::ten_megabytes(1);
    let _ = stage().stdin(bytes.clone()).finish().expect_code(1);
    bytes.splice(0..0, *b"{\"kind\":\"web\"}\n");
    assert_eq!(stage().stdin(bytes).finish().ok().text(), "{\"kind\":\"web\"}\n");
}

#[test]
fn csv_can_have_sessions_or_requests() {
    let input = [web("01 10:00:00", "1.1.1.1", "www.a.com", "-"), closing("2025-07-09 00:00:00")].concat();
    let done = stage().args(["--format", "csv"]).stdin(input.clone()).finish().ok();
    assert_eq!(done.text().lines().nth(1), Some("session,1,2025-07-01 10:00:00,,1.1.1.1,www.a.com,a.com,0,0,0"));
    let done = stage().args(["--format", "csv", "--kind", "web"]).stdin(input).finish().ok();
    assert_eq!(done.text().lines().count(), 3);
}

/// On a configured hub the tests do not touch the hub's own databases.
#[test]
fn tests_ask_no_server_except_their_own() {
    let poisoned = fixtures::poisoned::Poisoned::new();
    let tests = ["db::a_month_has_the_same_values_in_every_mode", "db::sessions_can_wait_for_the_end_of_the_month"];
    poisoned.passes_in_environment(&tests);
    poisoned.passes_in_etc(&tests);
}

/// The records of import-logs for a field case, counted in the zone of the web server.
fn sessions_of(log: &str) -> Vec<String> {
    let zone = ["--timezone", "America/New_York"];
    let importer = Path::new(env!("CARGO_BIN_EXE_usage-metrics")).with_file_name("import-logs");
    let records = fixtures::run(importer).args(zone).arg(fixtures::field(log)).finish();
    let done = stage().args(["--only", "sessions"]).args(zone).stdin(records.ok().stdout).finish().ok();
    fields(&done, "session", &["datetime", "ip", "duration"])
}

#[test]
fn field_24b_changes_of_clocks_do_not_split_sessions() {
    assert_eq!(sessions_of("24-fall-back.log"), ["2025-11-02 01:20:00 192.0.2.1 4200"]);
    assert_eq!(sessions_of("24-spring.log"), ["2025-03-09 01:50:00 192.0.2.1 900"]);
}

#[test]
fn a_time_that_clocks_show_twice_may_have_an_offset() {
    let request = |time: &str, offset: &str| {
        format!("{{\"kind\":\"web\",\"datetime\":\"2025-11-02 {time}\",\"ip\":\"1.1.1.1\"{offset}}}\n")
    };
    let sessions = |lines: &[String]| {
        let records = lines.concat() + &closing("2025-11-02 23:00:00");
        let args = ["--only", "sessions", "--timezone", "America/New_York"];
        fields(&stage().args(args).stdin(records).finish().ok(), "session", &["datetime", "duration"])
    };
    let (first, second) = (",\"utc_offset\":-14400", ",\"utc_offset\":-18000");
    let lines = [request("01:50:00", first), request("01:05:00", second), request("01:59:00", second)];
    assert_eq!(sessions(&lines), ["2025-11-02 01:50:00 900", "2025-11-02 01:59:00 0"]);
    // without it the later of the two counts
    let lines = [request("01:50:00", ""), request("01:05:00", ""), request("01:30:00", "")];
    assert_eq!(sessions(&lines), ["2025-11-02 01:05:00 2700"]);
}
