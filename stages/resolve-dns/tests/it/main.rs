//! `resolve-dns` as an executable, with a name server on this machine.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]

mod db;
mod hostile;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fixtures::Run;
use fixtures::bounds::Bounds;
use fixtures::contract::{Bad, Contract, Input};
use fixtures::name_server::{NameServer, Reply};

fn stage() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_resolve-dns"))
}

fn ask(server: &NameServer) -> Run {
    stage().args(["--nameserver", &server.address()])
}

/// The host of each record of the output.
fn hosts(run: Run) -> Vec<String> {
    run.finish().ok().records().iter().map(|r| r["host"].as_str().unwrap_or("(none)").to_owned()).collect()
}

fn web(ip: &str) -> String {
    format!("{{\"kind\":\"web\",\"ip\":\"{ip}\"}}\n")
}

fn by_number(ip: Ipv4Addr) -> Reply {
    Reply::name(format!("h{}.example.com", u32::from(ip)))
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn contract_of_resolve_dns() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_resolve-dns"),
        name: "resolve-dns",
        command: &[],
        main_kind: "web",
        reads: Some("web"),
        give: |run, folder, input| {
            std::fs::write(folder.join("names.csv"), "ip,host\n8.0.0.1,a.b\n").unwrap();
            run.args(["--map", "names.csv"]).stdin(match input {
                Input::Nothing => String::new(),
                Input::Good => web("8.0.0.1"),
                Input::Bad => web("8.0.0.1") + "{\"kind\":\"web\",\"ip\":7}\n",
                Input::Many => web("8.0.0.1").repeat(100_000),
            })
        },
        of_nothing: Some(""),
        of_good: "\"host\":\"a.b\"",
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_resolve_dns);

/// For an IPv6 address, asked through `ip6.arpa`, the double answers with the name for its last 32
/// bits.
#[test]
fn ipv6_addresses_have_names_too() {
    let server = NameServer::start(by_number);
    let input =
        ["2001:db8::801:1", "2001:0DB8:0:0:0:0:801:1", "::ffff:8.0.0.1", "fe80::7%eth0", "2001:db8:aaaa:b", "::1"];
    let input: String = input.iter().map(|ip| web(ip)).collect();
    let named = hosts(ask(&server).stdin(input.clone()));
    let (one, other) = ("h134283265.example.com", "h134217729.example.com");
    assert_eq!(named, [one, one, other, "h7.example.com", "?", "h1.example.com"]);
    assert_eq!(server.n_asked(), 4, "two texts of one address are one question");
    // a map accepts any text of an address
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("names.csv"), "ip,host\n2001:DB8::801:1,a.b\n").unwrap();
    let mapped = hosts(stage().dir(folder.path()).args(["--map", "names.csv"]).stdin(input));
    assert_eq!(mapped, ["a.b", "a.b", "?", "?", "?", "?"]);
}

#[test]
fn only_records_without_a_host_change() {
    let server = NameServer::start(by_number);
    let input = concat!(
        "{\"kind\":\"web\",\"ip\":\"8.0.0.1\",\"content\":\"/a b\",\"dnload\":0}\n",
        "{\"kind\":\"toolstart\",\"host\":\"\",\"ip\":\"8.0.0.1\",\"x\":1}\n",
        "{\"kind\":\"tool_session\",\"ip\":\"8.0.0.2\"}\n",
        "{ \"kind\":\"web\", \"ip\":\"8.0.0.3\", \"host\":\"?\" }\n",
        "{\"kind\":\"web\",\"ip\":\"not an address\"}\n",
        "{\"kind\":\"web\",\"ip\":\"\"}\n",
        "{\"kind\":\"login\",\"ip\":\"8.0.0.4\"}\n",
        "{\"kind\":\"new\",\"ip\":5}\n",
    );
    let expected = concat!(
        "{\"kind\":\"web\",\"ip\":\"8.0.0.1\",\"content\":\"/a b\",\"dnload\":0,\"host\":\"h134217729.example.com\"}\n",
        "{\"kind\":\"toolstart\",\"host\":\"h134217729.example.com\",\"ip\":\"8.0.0.1\",\"x\":1}\n",
        "{\"kind\":\"tool_session\",\"ip\":\"8.0.0.2\",\"host\":\"h134217730.example.com\"}\n",
        "{ \"kind\":\"web\", \"ip\":\"8.0.0.3\", \"host\":\"?\" }\n",
        "{\"kind\":\"web\",\"ip\":\"not an address\",\"host\":\"?\"}\n",
        "{\"kind\":\"web\",\"ip\":\"\"}\n",
        "{\"kind\":\"login\",\"ip\":\"8.0.0.4\"}\n",
        "{\"kind\":\"new\",\"ip\":5}\n",
    );
    let done = ask(&server).stdin(input).finish().ok();
    assert_eq!(done.text(), expected);
    assert_eq!(done.stderr, "");
    assert_eq!(server.n_asked(), 2);
    // a second run finds nothing to do
    let again = ask(&server).stdin(done.stdout).finish().ok();
    assert_eq!(again.text(), expected);
    assert_eq!(server.n_asked(), 2);
}

#[test]
fn bad_records_are_rejected_and_the_rest_goes_on() {
    let server = NameServer::start(by_number);
    let input = format!("{}nonsense\n{{\"kind\":\"web\",\"ip\":7}}\n{}", web("8.0.0.1"), web("8.0.0.2"));
    let done = ask(&server).stdin(input).finish().ok();
    assert_eq!(done.of_kind("web").len(), 2);
    assert!(done.stderr.contains("-:3: field `ip` is not text"), "{}", done.stderr);
    assert!(done.stderr.contains("2 of 4 lines rejected"), "{}", done.stderr);
}

#[test]
fn every_kind_of_answer_is_handled() {
    let server = NameServer::start(|ip| match ip.octets()[3] {
        1 => Reply::NxDomain,
        2 => Reply::Names(vec!["foo_bar.example.com".into(), "second.example.com".into()]),
        3 => Reply::name("Dns.Google"),
        4 => Reply::name("host.my_net.example.com"),
        5 => Reply::ServFail,
        6 => Reply::Truncated(vec!["tcp.example.com".into()]),
        7 => Reply::Garbage,
        8 => Reply::name("8.0.0.8"),
        9 => Reply::NoData,
        10 => Reply::Refused,
        11 => Reply::Alias(vec!["alias.example.com".into()]),
        12 => Reply::Noise(vec!["noise.example.com".into()]),
        _ => Reply::Silence,
    });
    let input: String = (1..=13).map(|i| web(&format!("8.0.0.{i}"))).collect();
    let run = ask(&server).args(["--timeout", "0.8"]).stdin(input.clone()).finish().ok();
    let found: Vec<String> = run.records().iter().map(|r| r["host"].as_str().unwrap().to_owned()).collect();
    let expected = [
        "?",
        "second.example.com",
        "Dns.Google",
        "host",
        "?",
        "tcp.example.com",
        "?",
        "?",
        "?",
        "?",
        "alias.example.com",
        "noise.example.com",
        "?",
    ];
    assert_eq!(found, expected);
    assert!(run.stderr.contains("4 of 13 addresses got no answer"), "{}", run.stderr);
    let found = hosts(ask(&server).args(["--timeout", "0.8", "--compat", "lp_dns"]).stdin(input));
    assert_eq!(found[1..4], ["second.example.com", "dns.google", "host.my_net.example.com"]);
}

#[test]
fn order_is_kept_when_answers_are_not_in_order() {
    // every tenth lookup takes long: its first query is lost
    let seen = std::sync::Mutex::new(std::collections::HashSet::new());
    let server = NameServer::start(move |ip| {
        let first = seen.lock().unwrap().insert(ip);
        if first && u32::from(ip).is_multiple_of(10) { Reply::Silence } else { by_number(ip) }
    });
    let (mut input, mut expected) = (String::new(), String::new());
    for i in 0..3000_u32 {
        let ip = Ipv4Addr::from(0x0800_0000 + i * 7 % 1000);
        let _ = writeln!(input, "{{\"kind\":\"web\",\"ip\":\"{ip}\",\"n\":{i}}}\n{{\"kind\":\"hits\",\"n\":{i}}}");
        let _ = writeln!(
            expected,
            "{{\"kind\":\"web\",\"ip\":\"{ip}\",\"n\":{i},\"host\":\"h{}.example.com\"}}\n{{\"kind\":\"hits\",\"n\":{i}}}",
            u32::from(ip)
        );
    }
    for threads in ["1", "2"] {
        let done =
            ask(&server).args(["--timeout", "5"]).env("RAYON_NUM_THREADS", threads).stdin(input.clone()).finish().ok();
        assert_eq!(done.text(), expected);
    }
}

/// When each address was first asked for, of a server that lets every answer wait for `delay`.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn first_asked(delay: Duration, concurrency: &str, n: u32) -> Vec<Instant> {
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let server = NameServer::start_slow(delay, {
        let seen = Arc::clone(&seen);
        move |ip| {
            seen.lock().unwrap().entry(ip).or_insert_with(Instant::now);
            if u32::from(ip) % 50 == 13 { Reply::NxDomain } else { by_number(ip) }
        }
    });
    let input: String = (0..n).map(|i| web(&Ipv4Addr::from(0x0800_0000 + i).to_string())).collect();
    // whatever else the machine does, no lookup gives up
    let found = hosts(ask(&server).args(["--concurrency", concurrency, "--timeout", "60"]).stdin(input));
    let expected = (0x0800_0000..0x0800_0000 + n)
        .map(|ip| if ip % 50 == 13 { "?".to_owned() } else { format!("h{ip}.example.com") });
    assert!(found.into_iter().eq(expected));
    let mut times: Vec<Instant> = seen.lock().unwrap().values().copied().collect();
    times.sort_unstable();
    times
}

#[test]
fn no_more_lookups_at_a_time_than_allowed() {
    let delay = Duration::from_millis(60);
    for allowed in [1, 4] {
        let times = first_asked(delay, &allowed.to_string(), 40);
        assert_eq!(times.len(), 40);
        // who is asked as the fifth had to wait for an answer to the first
        for (first, last) in times.iter().zip(&times[allowed..]) {
            assert!(last.duration_since(*first) >= delay, "{allowed}: {:?}", last.duration_since(*first));
        }
        let side_by_side = times.windows(2).any(|pair| pair[1].duration_since(pair[0]) < delay);
        assert_eq!(side_by_side, allowed > 1);
    }
    // with fewer addresses than places each is asked for once
    assert_eq!(first_asked(delay, "16", 3).len(), 3);
}

#[test]
fn many_lookups_wait_side_by_side() {
    let delay = Duration::from_millis(300);
    let times = first_asked(delay, "200", 200);
    // fifty questions came before the first of them was answered
    assert!(times.iter().zip(&times[50..]).any(|(first, last)| last.duration_since(*first) < delay));
}

#[test]
fn a_dead_server_makes_everything_unknown() {
    let server = NameServer::start(|_| Reply::Silence);
    let input: String = (0..100).map(|i| web(&format!("8.0.0.{i}"))).collect();
    assert!(hosts(ask(&server).args(["-t", "0.3", "-c", "100"]).stdin(input)).iter().all(|host| host == "?"));
}

#[test]
fn field_81_a_server_that_never_answers_does_not_stop_the_run() {
    let server = NameServer::start(|_| Reply::Silence);
    let input: String = (0..2000_u32).map(|i| web(&Ipv4Addr::from(0x0800_0000 + i).to_string())).collect();
    let bounds = Bounds { processor: Duration::from_secs(60), wall: Duration::from_secs(120), megabytes: 200 };
    let (done, _) = ask(&server).args(["-t", "0.2", "-c", "100"]).stdin(input).within(bounds).unwrap();
    let hosts: Vec<_> = done.ok().records().iter().map(|record| record["host"].clone()).collect();
    assert!(hosts.len() == 2000 && hosts.iter().all(|host| host == "?"));
}

#[test]
fn a_table_needs_no_server() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("names.csv"), "ip,host\n8.0.0.1,a.b\n8.0.0.2,\n").unwrap();
    let input: String = ["8.0.0.1", "8.0.0.2", "8.0.0.3"].map(web).concat();
    let run = |run: Run| hosts(run.dir(&directory).args(["--map", "names.csv"]).stdin(input.clone()));
    assert_eq!(run(stage()), ["a.b", "?", "?"]);
    let server = NameServer::start(by_number);
    assert_eq!(run(ask(&server)), ["a.b", "?", "h134217731.example.com"]);
    assert_eq!(server.n_asked(), 1);
}

#[test]
fn answers_are_kept_between_runs() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("names.cache");
    let server = NameServer::start(|ip| if ip.octets()[3] == 2 { Reply::NxDomain } else { by_number(ip) });
    let run = || hosts(ask(&server).arg("--cache").arg(&cache).stdin([web("8.0.0.1"), web("8.0.0.2")].concat()));
    assert_eq!(run(), ["h134217729.example.com", "?"]);
    assert_eq!(run(), ["h134217729.example.com", "?"]);
    assert_eq!(server.n_asked(), 2);
    // damaged: what can be read is used, the rest is looked up again
    let text = std::fs::read_to_string(&cache).unwrap();
    std::fs::write(&cache, text.replace("8.0.0.2", "8.0.0.2\u{0}")).unwrap();
    assert_eq!(run(), ["h134217729.example.com", "?"]);
    assert_eq!(server.n_asked(), 3);
    assert_eq!(std::fs::read_to_string(&cache).unwrap().lines().count(), 3);
}

#[test]
fn a_cache_without_a_folder_is_reported_before_any_question() {
    let directory = tempfile::tempdir().unwrap();
    let server = NameServer::start(by_number);
    let run = ask(&server).arg("--cache").arg(directory.path().join("none/names.cache"));
    let done = run.stdin(web("8.0.0.1")).finish().expect_code(1);
    assert!(done.stderr.contains("none/names.cache: there is no folder "), "{}", done.stderr);
    assert_eq!((done.text(), server.n_asked()), (String::new(), 0));
    // a plain file name is in the working directory
    let run = ask(&server).dir(&directory).args(["--cache", "names.cache"]);
    assert_eq!(hosts(run.stdin(web("8.0.0.1"))), ["h134217729.example.com"]);
    assert!(directory.path().join("names.cache").exists());
}

#[test]
fn settings_come_from_the_environment() {
    let server = NameServer::start(by_number);
    let run = stage()
        .env("HZMETRICS_DNS_NAMESERVER", server.address())
        .env("HZMETRICS_DNS_CONCURRENCY", "many")
        .env("HZMETRICS_DNS_TIMEOUT", "5");
    assert_eq!(hosts(run.stdin(web("8.0.0.1"))), ["h134217729.example.com"]);
    // the option wins
    let run = ask(&server).env("HZMETRICS_DNS_NAMESERVER", "127.0.0.1:1").args(["--concurrency", "-5"]);
    assert_eq!(hosts(run.stdin(web("8.0.0.1"))), ["h134217729.example.com"]);
}

#[test]
fn unusable_options_are_usage_errors() {
    for args in
        [&["--nameserver", "dns.example"][..], &["--timeout", "0"], &["--timeout", "x"], &["--db"], &["--to", "db"]]
    {
        let _ = stage().args(args).finish().expect_code(2);
    }
    for words in [&["--db", "2025-7"][..], &["metrics", "web", "2025-07-1"], &["--db", "--date", "2025-7"]] {
        let done = stage().args(words).finish().expect_code(2);
        assert!(done.stderr.contains("is not a date"), "{}", done.stderr);
    }
    let done = stage().args(["--map", "/nowhere/names.csv"]).finish().expect_code(1);
    assert!(done.stderr.contains("/nowhere/names.csv"));
}

#[test]
fn csv_is_read_and_written() {
    let server = NameServer::start(by_number);
    let done = ask(&server)
        .args(["--format", "csv"])
        .stdin("kind,ip,datetime\nweb,8.0.0.1,2025-07-01 00:00:00\n")
        .finish()
        .ok();
    let text = done.text();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains("h134217729.example.com"), "{text}");
}

#[test]
fn random_bytes_do_no_harm() {
    let mut bytes = fixtures::random::ten_megabytes(1);
    let server = NameServer::start(by_number);
    let _ = ask(&server).stdin(bytes.clone()).finish().expect_code(1);
    bytes.splice(0..0, *b"{\"kind\":\"web\"}\n");
    let _ = ask(&server).stdin(bytes).finish().ok();
}

#[test]
fn more_records_than_may_wait_are_handled() {
    let server = NameServer::start_slow(Duration::from_millis(400), by_number);
    let mut input = web("8.0.0.1");
    for i in 0..120_000 {
        let _ = writeln!(input, "{{\"kind\":\"hits\",\"hits\":{i}}}");
    }
    let done = ask(&server).args(["--timeout", "20"]).stdin(input.clone()).finish().ok();
    let expected = input.replacen("8.0.0.1\"", "8.0.0.1\",\"host\":\"h134217729.example.com\"", 1);
    assert!(done.text() == expected);
}
