//! What counts, as chosen by options: lists of bots, statuses, paths, static files, double clicks,
//! virtual hosts, time zones. The number in a name is that of a field case.

use std::fs;
use std::path::Path;

use fixtures::{Finished, field};
use serde_json::Value;

use crate::{file, hits, import_logs, line, raw, texts};

/// A request in combined format.
fn request(client: &str, time: &str, what: &str, agent: &str) -> String {
    format!("{client} - - [10/Jul/2025:{time} +0000] \"GET {what} 200 12 \"-\" \"{agent}\"\n")
}

fn get(url: &str) -> String {
    request("192.0.2.1", "08:00:01", &format!("{url} HTTP/1.1\""), "Firefox")
}

fn with(args: &[&str], text: impl Into<Vec<u8>>) -> Finished {
    raw("access", text).args(args).finish().ok()
}

fn of_field(name: &str, args: &[&str]) -> Finished {
    import_logs().args(args).arg(field(name)).finish().ok()
}

fn urls(done: &Finished) -> Vec<String> {
    texts(done, "web", "content")
}

/// Three published kinds of lists and one of our own, with patterns for the agents of case 50.
fn lists(dir: &tempfile::TempDir) -> Vec<String> {
    let counter = r#"[
        {"pattern": "^.?$", "last_changed": "2017-08-08"},
        {"pattern": "python", "last_changed": "2017-08-08"},
        {"pattern": "^Go[- ]http", "description": "", "last_changed": "2017-08-08"},
        {"pattern": "^user.?agent", "last_changed": "2017-08-08"},
        {"pattern": "http.?client"}, {"pattern": "curl\\/"}, {"pattern": "drupal"}, {"pattern": "EasyBib[\\+\\s]AutoCite"},
        {"pattern": "libwww"}, {"pattern": "wordpress"}, {"pattern": "okhttp"}, {"pattern": "^axios\\/\\d"}, {"pattern": "scrapy"}
    ]"#;
    let crawlers = r#"[
        {"pattern": "[wW]get", "instances": ["Wget/1"]}, {"pattern": "^Java\\/", "instances": []},
        {"pattern": "HeadlessChrome", "url": "", "instances": []}, {"pattern": "Dataprovider\\.com", "instances": []},
        {"pattern": "check_http\\/", "instances": []}, {"pattern": "Nmap Scripting Engine", "instances": []},
        {"pattern": "zgrab", "instances": []}, {"pattern": "Expanse", "instances": []},
        {"pattern": "CensysInspect", "instances": []}, {"pattern": "WhatsApp", "instances": []},
        {"pattern": "Slack-ImgProxy", "instances": []}
    ]"#;
    let ai = r#"{
        "anthropic-ai": {"operator": "", "respect": ""}, "Claude-User": {"operator": ""}, "ChatGPT-User": {},
        "meta-externalagent": {}, "Perplexity-User": {}, "cohere-ai": {}, "Google-Extended": {}
    }"#;
    let own = "# what the published lists do not have\nSiteUptime\n\nMicrosoft Office/\n^Zotero/\n";
    [("counter.json", counter), ("crawlers.json", crawlers), ("robots.json", ai), ("own.txt", own)]
        .map(|(name, text)| file(dir, name, text).display().to_string())
        .into()
}

fn people(dir: &tempfile::TempDir) -> String {
    file(dir, "people.txt", "CUBOT\n; M bot \\d\nYaSearchBrowser\n").display().to_string()
}

#[test]
fn field_50a_people_whose_agents_look_like_bots_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let people = people(&dir);
    let kept = |args: &[&str]| urls(&of_field("50-agents.log", args));
    let first = |urls: Vec<String>| urls.into_iter().filter(|url| url.starts_with("/H")).collect::<Vec<_>>();
    assert_eq!(first(kept(&[])), ["/H4", "/H5"], "legacy's words alone");
    assert_eq!(first(kept(&["--people", &people])), ["/H1", "/H2", "/H3", "/H4", "/H5"]);
    // it counts for more than a list of known bots
    let known = file(&dir, "known.txt", "Mozilla/5.0 (CUBOT_X)\n").display().to_string();
    let log = request("192.0.2.1", "08:00:01", "/a HTTP/1.1\"", "Mozilla/5.0 (CUBOT_X)");
    assert_eq!(urls(&with(&["--bots", &known, "--people", &people], log.clone())), ["/a"]);
    assert_eq!(urls(&with(&["--bots", &known], log)), [""; 0]);
}

#[test]
fn field_50b_agents_of_programs_are_left_out_by_published_lists() {
    let dir = tempfile::tempdir().unwrap();
    let (lists, people) = (lists(&dir), people(&dir));
    let mut args: Vec<&str> = lists.iter().flat_map(|list| ["--bots-list", list]).collect();
    args.extend(["--people", &people]);
    let done = of_field("50-agents.log", &args);
    assert_eq!(urls(&done), ["/H1", "/H2", "/H3", "/H4", "/H5"]);
    assert!(done.stderr.contains("56 lines, 5 rows") && done.stderr.contains("robot 51"), "{}", done.stderr);
    // hits are counted first, and the bots of the lists are new bots
    assert_eq!(hits(&done), [("2025-07-10".to_owned(), 56)]);
    let bots = texts(&done, "bot", "useragent");
    assert!(bots.contains(&"Zotero/6.0".to_owned()) && !bots.contains(&"-".to_owned()), "{bots:?}");
}

#[test]
fn field_50c_each_pattern_of_a_list_finds_its_text() {
    let dir = tempfile::tempdir().unwrap();
    // as in the published lists: anchors, classes, repetitions, alternatives, texts beyond ASCII
    let cases = [
        ("^Buck\\/[0-9]", "Buck/2"),
        ("^.?$", "-"),
        ("[^a]fish", "jellyfish"),
        ("^ruby$", "ruby"),
        ("^@ozilla\\/\\d", "@ozilla/5"),
        ("^\u{7834}\u{89e3}\u{540e}\u{7684}$", "\u{7834}\u{89e3}\u{540e}\u{7684}"),
        ("Alexandria(\\s|\\+)prototype(\\s|\\+)project", "Alexandria prototype+project"),
        ("^\\%?default\\%?$", "%default%"),
        ("China\\sLocal\\sBrowse\\s2\\.6", "China Local Browse 2.6"),
        ("^java\\/\\d{1,2}.\\d", "Java/17.0"),
        ("^Mozilla\\/4\\.5\\+\\[en]\\+\\(Win98;\\+I\\)$", "Mozilla/4.5+[en]+(Win98;+I)"),
        ("T\\-H\\-U\\-N\\-D\\-E\\-R\\-S\\-T\\-O\\-N\\-E", "T-H-U-N-D-E-R-S-T-O-N-E"),
        ("daum(oa)?", "daum"),
        ("lycos[_+]", "lycos_x"),
        ("Download\\+Master", "Download+Master"),
    ];
    let entries: Vec<Value> = cases.iter().map(|(pattern, _)| serde_json::json!({ "pattern": pattern })).collect();
    let list = file(&dir, "list.json", serde_json::to_string(&entries).unwrap()).display().to_string();
    let log =
        |(i, (_, agent)): (usize, &(&str, &str))| request("192.0.2.1", "08:00:01", &format!("/{i} HTTP/1.1\""), agent);
    let log: String = cases.iter().enumerate().map(log).collect();
    assert_eq!(urls(&with(&["--bots-list", &list], log.clone())), [""; 0]);
    assert_eq!(urls(&with(&[], log)).len(), cases.len());
}

#[test]
fn a_list_that_cannot_be_used_is_named_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    for (text, what) in [
        ("bot\n\nfine\n(odd\n", "line 4: `(odd` is not a regular expression: "),
        (r#"[{"pattern": "a"}, {"pattern": "(?<!cu)bot"}]"#, "entry 2: `(?<!cu)bot` is not a regular expression: "),
        (r#"[{"pattern": "a"}, {"url": "b"}]"#, "entry 2 has no `pattern`"),
        (r#"[{"pattern": "a""#, "line 1 column"),
        (r#"{"a": "b"}"#, "`a` is not described by an object"),
    ] {
        let list = file(&dir, "odd.txt", text);
        for option in ["--bots-list", "--people"] {
            let done = raw("access", "").arg(option).arg(&list).finish().expect_code(1);
            assert!(done.stderr.contains("odd.txt") && done.stderr.contains(what), "{}", done.stderr);
        }
    }
    raw("access", "").args(["--bots-list", "/nowhere/list"]).finish().expect_code(1).said(&["/nowhere/list"]);
}

#[test]
fn a_report_says_what_each_bot_asked_for_and_what_decided() {
    let dir = tempfile::tempdir().unwrap();
    let (list, known) = (file(&dir, "list.txt", "curl\n"), file(&dir, "known.txt", "evil\n"));
    let of = |client: &str, what: &str, agent: &str| request(client, "08:00:01", what, agent);
    let log = [
        of("192.0.2.1", "/a HTTP/1.1\"", "curl/8"),
        of("192.0.2.1", "/a.css HTTP/1.1\"", "curl/8"),
        of("192.0.2.2", "/b HTTP/1.1\"", "curl/8").replace(" 200 12 ", " 404 900 "),
        of("192.0.2.3", "/c HTTP/1.1\"", "Googlebot"),
        of("192.0.2.3", "/d HTTP/1.1\"", "EVIL"),
        of("192.0.2.4", "/e HTTP/1.1\"", "Firefox"),
    ]
    .concat();
    let report = dir.path().join("report.ndjson");
    let args = |report: &Path| {
        let run = import_logs().arg("--bots-list").arg(&list).arg("--bots").arg(&known);
        run.arg("--bots-report").arg(report)
    };
    // a visitor in both files counts once
    let (one, two) = (file(&dir, "one.log", &log), file(&dir, "two.log", &log));
    let done = args(&report).arg(&one).arg(&two).finish().ok();
    assert_eq!(urls(&done), ["/e", "/e"]);
    let lines: Vec<Value> =
        fs::read_to_string(&report).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let path = list.display().to_string();
    assert_eq!(
        lines,
        [
            serde_json::json!({"kind": "bot_report", "useragent": "curl/8", "requests": 6, "hits": 4, "visitors": 2,
                "bytes": 1848, "list": path, "pattern": "curl"}),
            serde_json::json!({"kind": "bot_report", "useragent": "EVIL", "requests": 2, "hits": 2, "visitors": 1,
                "bytes": 24, "list": "known bots"}),
            serde_json::json!({"kind": "bot_report", "useragent": "Googlebot", "requests": 2, "hits": 2, "visitors": 1,
                "bytes": 24, "list": "words", "pattern": "googlebot"}),
        ]
    );
    let csv = dir.path().join("report.csv");
    args(&csv).arg(&one).finish().ok();
    let text = fs::read_to_string(&csv).unwrap();
    assert!(
        text.starts_with("kind,useragent,requests,hits,visitors,bytes,list,pattern\nbot_report,curl/8,3,2,2,924,"),
        "{text}"
    );
    // a file that is not imported is not in it
    let odd = file(&dir, "odd.log", "x\n");
    args(&report).arg(&odd).finish().expect_code(1);
    assert_eq!(fs::read_to_string(&report).unwrap(), "");
}

#[test]
fn only_the_chosen_statuses_count() {
    let log = ["200", "206", "304", "404", "301"]
        .map(|status| get(&format!("/{status}")).replace(" 200 12 ", &format!(" {status} 12 ")));
    let not_modified = get("/none").replace(" 200 12 ", " 304 - ");
    let log = log.concat() + &not_modified;
    let done = with(&["--keep-status", "200,206,304"], log.as_str());
    assert_eq!(urls(&done), ["/200", "/206", "/304", "/none"]);
    assert!(done.stderr.contains("dropped: status 2"), "{}", done.stderr);
    assert_eq!(urls(&with(&[], log.as_str())), ["/200"]);
    assert_eq!(urls(&with(&["--keep-status", "404", "--keep-status", "301"], log)), ["/404", "/301"]);
    raw("access", "").args(["--keep-status", "2xx"]).finish().expect_code(2).said(&["`2xx` is not a status"]);
}

/// What the configuration sets counts where no option says otherwise, and the environment comes between.
#[test]
fn choices_of_the_configuration() {
    let place = tempfile::tempdir().unwrap();
    let conf = place.path().join("hzmetrics.conf");
    let people = place.path().join("people");
    fs::write(&people, "Firefox\n").unwrap();
    let log =
        ["200", "206", "404"].map(|status| get(&format!("/{status}")).replace(" 200 12 ", &format!(" {status} 12 ")));
    let run = |text: &str, args: &[&str], variables: &[(&str, &str)]| {
        fs::write(&conf, text).unwrap();
        let run = raw("access", log.concat()).args(args).env("HZMETRICS_CONFIG", &conf);
        variables.iter().fold(run, |run, (name, value)| run.env(name, value)).finish()
    };
    let keeps = |text: &str, args: &[&str], variables: &[(&str, &str)]| urls(&run(text, args, variables).ok());
    let both = "[logs]\nkeep_status = 200, 206\n";
    assert_eq!(keeps("", &[], &[]), ["/200"]);
    assert_eq!(keeps(both, &[], &[]), ["/200", "/206"]);
    assert_eq!(keeps(both, &["--keep-status", "404"], &[]), ["/404"]);
    assert_eq!(keeps(both, &[], &[("HZMETRICS_KEEP_STATUS", "404")]), ["/404"]);
    assert_eq!(keeps(both, &["--keep-status=206"], &[("HZMETRICS_KEEP_STATUS", "404")]), ["/206"]);
    assert_eq!(keeps("[logs]\ndrop_path = 0\n", &[], &[]), [""; 0]);
    let lists = format!("[logs]\nbots_list = {0}\npeople =\n", people.display());
    assert_eq!(keeps(&lists, &[], &[]), [""; 0]);
    let lists = format!("[logs]\nbots_list = {0}\npeople = {0}\n", people.display());
    assert_eq!(keeps(&lists, &[], &[]), ["/200"]);
    // `--describe` needs no configuration
    let described = run("[logs]\nassets = none\n", &["--describe"], &[]).ok().text();
    assert!(described.starts_with('{'), "{described}");
    let bad = run("[logs]\nassets = none\n", &[], &[]).expect_code(2);
    bad.said(&["hzmetrics.conf, line 2: [logs] assets cannot be used", "possible values: legacy, web2020"]);
}

#[test]
fn chosen_paths_are_kept_or_dropped() {
    let log = ["/api/x", "/private/a", "/docs/a.css", "/docs/b", "/c"].map(get).concat();
    let kept = |args: &[&str]| urls(&with(args, log.as_str()));
    assert_eq!(kept(&[]), ["/private/a", "/docs/b", "/c"]);
    assert_eq!(kept(&["--drop-path", "^/private/"]), ["/docs/b", "/c"]);
    assert_eq!(kept(&["--keep-path", "^/api/"]), ["/api/x", "/private/a", "/docs/b", "/c"]);
    assert_eq!(kept(&["--drop-path", ".", "--keep-path", "^/docs/"]), ["/docs/a.css", "/docs/b"]);
    let done = with(&["--drop-path", "^/private/", "--drop-path", "b$"], log.as_str());
    assert!(done.stderr.contains("dropped path 2, path 2"), "{}", done.stderr);
    raw("access", "").args(["--drop-path", "("]).finish().expect_code(2).said(&["`(` is not a regular expression"]);
}

#[test]
fn field_51_static_files_of_today_can_be_left_out() {
    let done = of_field("51-static.log", &["--assets", "web2020"]);
    assert_eq!(urls(&done), ["/f1.html", "/f10.mp4", "/f11.json"]);
    assert!(done.stderr.contains("path 2, static file 11"), "{}", done.stderr);
    assert_eq!(urls(&of_field("51-static.log", &[])).len(), 14, "legacy's set is the default");
}

#[test]
fn field_53_double_clicks_count_once() {
    let done = of_field("53-doubleclick.log", &["--double-click"]);
    assert_eq!(texts(&done, "web", "datetime"), ["2025-07-10 08:00:31", "2025-07-10 08:00:40"]);
    assert!(done.stderr.contains("4 lines, 2 rows, 0 not recognised; dropped: double click 2"), "{}", done.stderr);
    assert_eq!(hits(&done), [("2025-07-10".to_owned(), 4)], "hits are counted first");
    let done = of_field("53-doubleclick.log", &["--double-click=9"]);
    assert_eq!(texts(&done, "web", "datetime"), ["2025-07-10 08:00:02", "2025-07-10 08:00:40"]);
    assert_eq!(urls(&of_field("53-doubleclick.log", &[])).len(), 4);
}

#[test]
fn double_clicks_do_not_change_the_order() {
    let of = |client: &str, time: &str, url: &str| request(client, time, &format!("{url} HTTP/1.1\""), "Firefox");
    let next_day = |line: String| line.replace("10/Jul", "11/Jul");
    let log = [
        of("192.0.2.1", "23:59:50", "/a"),
        of("192.0.2.2", "23:59:51", "/a"),
        of("192.0.2.1", "23:59:52", "/b"),
        next_day(of("192.0.2.1", "00:00:10", "/a")),
        next_day(of("192.0.2.1", "00:00:11", "/c")),
    ]
    .concat();
    let done = with(&["--double-click"], log.as_str());
    let kept: Vec<_> =
        done.records().iter().map(|r| format!("{} {}{}", r["kind"], r["ip"], r["content"]).replace('"', "")).collect();
    assert_eq!(
        kept,
        ["web 192.0.2.2/a", "web 192.0.2.1/b", "hits nullnull", "web 192.0.2.1/a", "web 192.0.2.1/c", "hits nullnull"]
    );
    // other agents and other URLs are other clicks; hub layouts have double clicks too
    let hub = line("2025-07-10", "/a", "A") + &line("2025-07-10", "/a", "B") + &line("2025-07-10", "/a", "A");
    assert_eq!(texts(&with(&["--double-click"], hub), "web", "useragent"), ["B", "A"]);
    // the boundaries of blocks do not matter
    let many = get("/a").repeat(20_000) + &get("/b");
    let done = with(&["--double-click"], many);
    assert_eq!(urls(&done), ["/a", "/b"]);
    raw("access", "").arg("--double-click=0").finish().expect_code(2);
}

#[test]
fn a_virtual_host_may_be_chosen_with_its_port() {
    let of = |name: &str| of_field("06-vhost.log", &["--vhost", name]).of_kind("web").len();
    assert!(of("www.example.org") > 0 && of("www.example.org") == of("WWW.example.org.:443"));
}

#[test]
fn field_47_only_the_chosen_virtual_host_counts() {
    let one = fs::read_to_string(field("06-vhost.log")).unwrap();
    let both = one.clone() + &one.replace("www.example.org:443", "Other.example.org:80").replace("/a", "/b");
    let kept = |args: &[&str]| with(args, both.as_str());
    let done = kept(&["--vhost", "other.EXAMPLE.org"]);
    assert_eq!(urls(&done), ["/b"; 3]);
    assert!(done.stderr.contains("6 lines, 3 rows, 0 not recognised; dropped: other site 3"), "{}", done.stderr);
    assert_eq!(hits(&done), [("2025-07-10".to_owned(), 3)]);
    assert_eq!(urls(&kept(&["--vhost", "other.example.org,www.example.org"])).len(), 6);
    assert_eq!(urls(&kept(&["--vhost", "example.org"])).len(), 0);
    assert_eq!(urls(&of_field("06-vhost.log", &["--vhost", "www.example.org"])).len(), 3);
    let without = import_logs().args(["--vhost", "a"]).arg(field("53-doubleclick.log")).finish().expect_code(2);
    assert!(without.stderr.contains("have no virtual host (layout combined)"), "{}", without.stderr);
    let hub = raw("access", line("2025-07-10", "/a", "A")).args(["--vhost", "a"]).finish().expect_code(2);
    assert!(hub.stderr.contains("layout hubzero"), "{}", hub.stderr);
}

#[test]
fn times_are_written_in_the_chosen_zone() {
    let log = get("/a").replace("10/Jul/2025:08:00:01 +0000", "10/Jul/2025:23:30:00 -0400") + &get("/b");
    let times = |args: &[&str], log: &str| texts(&with(args, log), "web", "datetime");
    assert_eq!(times(&[], &log), ["2025-07-10 23:30:00", "2025-07-10 08:00:01"]);
    assert_eq!(times(&["--timezone", "as-written"], &log), ["2025-07-10 23:30:00", "2025-07-10 08:00:01"]);
    let done = with(&["--timezone", "UTC"], log.as_str());
    assert_eq!(texts(&done, "web", "datetime"), ["2025-07-11 03:30:00", "2025-07-10 08:00:01"]);
    assert_eq!(hits(&done), [("2025-07-11".to_owned(), 1), ("2025-07-10".to_owned(), 1)], "days change too");
    assert_eq!(times(&["--timezone", "Europe/Berlin"], &log), ["2025-07-11 05:30:00", "2025-07-10 10:00:01"]);
    // a hub's log gives its zone as letters, which are ambiguous
    assert_eq!(times(&["--timezone", "UTC"], &line("2025-07-10", "/a", "A")), ["2025-07-10 08:00:01"]);
    let done = raw("access", "").args(["--timezone", "Mars/Olympus"]).finish().expect_code(2);
    assert!(done.stderr.contains("`Mars/Olympus` is not a known time zone"), "{}", done.stderr);
}

#[test]
fn field_24b_times_that_clocks_show_twice_are_told_apart() {
    let done = of_field("24-fall-back.log", &["--timezone", "America/New_York"]);
    assert_eq!(texts(&done, "web", "utc_offset"), ["-14400", "-14400", "-18000", "-18000", "null"]);
    let utc = of_field("24-fall-back.log", &["--timezone", "UTC"]);
    assert_eq!(
        texts(&utc, "web", "datetime")[..4],
        ["2025-11-02 05:20:00", "2025-11-02 05:50:00", "2025-11-02 06:05:00", "2025-11-02 06:30:00"]
    );
    let spring = of_field("24-spring.log", &["--timezone", "America/New_York"]);
    assert_eq!(texts(&spring, "web", "datetime")[..2], ["2025-03-09 01:50:00", "2025-03-09 03:05:00"]);
}

#[test]
fn the_zone_may_come_from_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let run = |text: &str, args: &[&str]| {
        fs::create_dir_all(dir.path().join("etc")).unwrap();
        let conf = file(&dir, "etc/hzmetrics.conf", text);
        let run = raw("access", get("/a")).env("HZMETRICS_CONFIG", &conf).args(args);
        run.finish()
    };
    let times = |done: &Finished| texts(done, "web", "datetime");
    assert_eq!(times(&run("[logs]\ntimezone = Europe/Berlin\n", &[]).ok()), ["2025-07-10 10:00:01"]);
    assert_eq!(
        times(&run("[logs]\ntimezone = Europe/Berlin\n", &["--timezone", "as-written"]).ok()),
        ["2025-07-10 08:00:01"]
    );
    let odd = run("[logs]\ntimezone = Mars\n", &[]).expect_code(2);
    assert!(odd.stderr.contains("[logs] timezone: `Mars` is not a known time zone"), "{}", odd.stderr);
}

#[test]
fn one_file_for_two_outputs_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let log = file(&dir, "access.log", line("2025-07-10", "/a", "UA"));
    let options = ["--to", "--rejects", "--verdicts", "--receipts", "--bots-report"];
    for (i, one) in options.iter().enumerate() {
        for other in &options[i + 1..] {
            let run = import_logs().dir(&dir).arg(&log).args([*one, "out", *other, "./out"]);
            let done = run.finish();
            assert_eq!(done.code, 2, "{one} {other}: {}", done.stderr);
            assert!(done.stderr.contains("each of them needs a file of its own"), "{}", done.stderr);
        }
    }
    let nowhere = ["--to", "/dev/null", "--verdicts", "/dev/null"];
    import_logs().dir(&dir).arg(&log).args(nowhere).finish().ok();
}

#[test]
fn endless_lists_and_configurations_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let log = file(&dir, "access.log", line("2025-07-10", "/a", "UA"));
    for (option, most) in
        [("--bots-list", 64), ("--people", 64), ("--server-conf", 64), ("--exclude", 1024), ("--bots", 1024)]
    {
        let done = import_logs().arg(&log).args([option, "/dev/zero"]).finish();
        let why = format!("it is longer than {most} MB");
        assert!(done.code != 0 && done.stderr.contains(&why), "{option}: {}", done.stderr);
    }
}

#[test]
fn a_dash_names_no_file_beside_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let log = file(&dir, "access.log", line("2025-07-10", "/a", "UA"));
    for option in ["--rejects", "--verdicts", "--receipts", "--bots-report"] {
        let done = import_logs().dir(&dir).arg(&log).args([option, "-"]).finish().expect_code(2);
        assert!(done.stderr.contains("records go to standard output; name a file"), "{option}: {}", done.stderr);
        assert!(!dir.path().join("-").exists(), "{option}");
        import_logs().dir(&dir).arg(&log).args([option, "./-"]).finish().ok();
        let _ = fs::remove_file(dir.path().join("-"));
    }
}

/// A client may ask for a URL of any host, as at a proxy.
#[test]
fn a_url_with_its_host_is_a_path_on_that_host() {
    let log = "www.example.org:443 192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET http://Other.example:8080/x?a=b HTTP/1.1\" 200 12 \"-\" \"UA\"\n\
        www.example.org:443 192.0.2.1 - - [10/Jul/2025:08:00:02 +0000] \"GET /y?u=http://a/b HTTP/1.1\" 200 12 \"-\" \"UA\"\n";
    assert_eq!(urls(&with(&[], log)), ["/x?a=b", "/y?u=http:/a/b"]);
    assert_eq!(urls(&with(&["--vhost", "other.example"], log)), ["/x?a=b"]);
    assert_eq!(urls(&with(&["--vhost", "www.example.org"], log)), ["/y?u=http:/a/b"]);
    assert_eq!(urls(&with(&[], log.replace("www.example.org:443 ", "").as_str())), ["/x?a=b", "/y?u=http:/a/b"]);
    let hub = raw("access", line("2025-07-10", "http://other.example/x", "UA")).finish().ok();
    assert_eq!(urls(&hub), ["http:/other.example/x"], "as legacy has it");
}
