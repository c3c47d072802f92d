//! `hzmetrics config`: what holds and where it comes from, what cannot be meant, and the sample.

use crate::support::Place;

/// Stages that find nothing wrong.
const STAGES: [&str; 5] = ["import-logs", "resolve-dns", "usage-metrics", "summarize", "report"];

fn place(conf: &str) -> Place {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new(&[]);
    for stage in STAGES {
        let name = format!("the bin/{stage}");
        place.write(&name, "#!/bin/sh\nexit 0\n");
        std::fs::set_permissions(place.path(&name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    place.write("root/opt/hubzero/metrics/conf/hzmetrics.conf", conf);
    place.write("root/etc/hubzero.conf", "site = myhub\n");
    place
}

const SOUND: &str = "[db]\nhub_db = h\nmetrics_db = m\nuser = u\npassword = top secret\n[dns]\nconcurrency = 7\n";

#[test]
fn what_holds_and_where_it_comes_from() {
    let place = place(SOUND);
    let run = place.run(["--compat", "port", "config"]).env("HZMETRICS_ASSETS", "web2020");
    let text = run.env("HZMETRICS_DNS_TIMEOUT", "never").finish().ok().text();
    let line = |section: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("\n[{section}]\n")).unwrap();
        let line = rest.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ").replace(&place.path("root").display().to_string(), "")
    };
    let file = "/opt/hubzero/metrics/conf/hzmetrics.conf";
    for (section, name, expected) in [
        ("db", "password", format!("password = (not shown) ; {file}, line 5")),
        ("dns", "concurrency", format!("concurrency = 7 ; {file}, line 7")),
        ("dns", "timeout", "timeout = 2 ; default".to_owned()),
        ("logs", "assets", "assets = web2020 ; environment, HZMETRICS_ASSETS".to_owned()),
        ("hub", "site", "site = myhub ; /etc/hubzero.conf".to_owned()),
        ("compat", "options", "options = port ; option --compat".to_owned()),
        ("run", "lock_wait", "lock_wait = 600 ; default".to_owned()),
    ] {
        assert_eq!(line(section, name), expected);
    }
    assert!(!text.contains("top secret") && text.contains("; read: "), "{text}");
}

#[test]
fn keys_that_cannot_be_meant() {
    let of = |conf: &str, args: &[&str]| place(conf).run(args.iter().copied()).finish();
    assert!(of(SOUND, &["config", "--check"]).ok().text().contains("5 keys are set, all of them known"));
    let done = of(&format!("{SOUND}concurency = 9\n[log]\ngeoip = x\n"), &["config", "--check"]).expect_code(2);
    done.said(&[
        "hzmetrics.conf, line 8: [dns] concurency is not a key; did you mean `[dns] concurrency`?",
        "line 9: [log] is not a section, what is in it is not read; did you mean `[logs]`?",
    ]);
    assert_eq!(done.text(), "");
    let checks = "[check]\npending = 5,20\npendign = 2\nlock = abc\nage = -5\ndisk = off\nipv6 =\n";
    let done = of(checks, &["config", "--check"]).expect_code(2);
    done.said(&[
        "hzmetrics.conf, line 3: [check] there is no check `pendign`; did you mean `pending`?",
        "line 4: [check] lock: `abc` is not a range",
        "line 5: [check] age: `-5` is not a range",
        "line 7: [check] ipv6: no range",
    ]);
    assert_eq!(done.stderr.lines().count(), 4, "{}", done.stderr);
    let values = "[dns]\nnameserver = zzz!\nconcurrency = none\ntimeout = -1\ncache = cache\n[db]\nssl_ca = /nowhere/ca\n\
                  [logs]\ngeoip = /nowhere/x.mmdb\n[report]\npath = pages\nmode = 0777\nowner = nobody-here\n\
                  [retention]\nweb_months = 3\n[privacy]\nhash_after_days = 0\n[run]\nuser = nobody-here\n\
                  [metrics]\nstatsd = here\ntextfile = /nowhere/x.prom\n[notify]\nheartbeat_url = ftp://x/secret\n";
    let done = of(values, &["config", "--check"]).expect_code(2);
    done.said(&[
        "hzmetrics.conf, line 2: [dns] nameserver: `zzz!` is neither",
        "line 3: [dns] concurrency: `none` is not a number of lookups",
        "line 4: [dns] timeout: `-1` is not a number of seconds",
        "line 5: [dns] cache: cache is not an absolute path",
        "line 7: [db] ssl_ca: reading /nowhere/ca: ",
        "line 9: [logs] geoip: reading /nowhere/x.mmdb: ",
        "line 11: [report] path: pages is not an absolute path",
        "line 12: [report] mode: `0777` is not permissions of a file like 0644",
        "line 13: [report] owner: there is no user nobody-here",
        "line 19: [run] user: there is no user nobody-here",
        "line 21: [metrics] statsd: `here` is not HOST:PORT",
        "line 22: [metrics] textfile: there is no folder /nowhere",
        "line 24: [notify] heartbeat_url: the address begins with neither",
        "[retention] web_months is `3`, which is not 12 to 1200 months",
        "[privacy] hash_after_days is `0`, which is not 1 to 36500 days",
    ]);
    assert!(done.stderr.lines().count() == 15 && !done.stderr.contains("secret"), "{}", done.stderr);
    of("[dns]\nwhat\n", &["config"]).expect_code(2).said(&["hzmetrics.conf, line 2: "]);
    of(SOUND, &["config", "--check", "--sample"]).expect_code(2).said(&["--sample"]);
}

#[test]
fn the_sample_is_a_file_that_can_be_read() {
    let sample = place(SOUND).run(["config", "--sample"]).finish().ok().text();
    assert!(sample.contains("\n#concurrency = 100\n") && sample.contains("\n[logs]\n"), "{sample}");
    // with every key set it is still one that can be read
    let set: String = sample
        .replace("#NAME = ", "#pending = 3,10")
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let place = place(&set);
    let done = place.run(["config", "--check"]).finish().ok();
    assert!(done.text().contains("keys are set, all of them known"), "{}", done.text());
}
