//! `import-logs` as an executable.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod bounds;
mod choices;
mod every_line;
mod faults;
mod field;
mod field_lines;
mod forgotten;
mod hub;
mod identity;
mod mixtures;
mod samples;
mod settings;
mod tables;
mod terminal;
mod verdicts;

use std::fs;
use std::path::PathBuf;

use fixtures::contract::{Bad, Contract, Input};
use fixtures::{Finished, Run, gzip};
use serde_json::Value;
use tempfile::TempDir;

fn import_logs() -> Run {
    fixtures::run(env!("CARGO_BIN_EXE_import-logs"))
}

/// A line in the new layout.
fn line(date: &str, url: &str, agent: &str) -> String {
    format!(
        "{date} 08:00:01 EDT 4711 - \"GET {url} HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"{agent}\" TLSv1.3 0 12 1002 J C A com view task act item\n"
    )
}

fn raw(kind: &str, text: impl Into<Vec<u8>>) -> Run {
    import_logs().args(["--raw", kind]).stdin(text)
}

fn access(text: impl Into<Vec<u8>>) -> Finished {
    raw("access", text).finish().ok()
}

fn texts(done: &Finished, kind: &str, field: &str) -> Vec<String> {
    let text = |r: Value| r[field].as_str().map_or_else(|| r[field].to_string(), str::to_owned);
    done.of_kind(kind).into_iter().map(text).collect()
}

#[test]
fn log_lines_read_as_records_give_a_hint() {
    let log = line("2025-07-10", "/a", "Mozilla");
    for quiet in [&[][..], &["--quiet"]] {
        let said = |text: String, code| import_logs().args(quiet).stdin(text).finish().expect_code(code).stderr;
        assert!(said(log.clone(), 1).contains("no line is a record; for log lines use --raw access"));
        // one bad line among records gets no such hint
        assert!(!said(format!("{log}{{\"kind\":\"session\"}}\n"), 0).contains("--raw"));
        assert!(!said(String::new(), 0).contains("--raw"));
    }
}

fn hits(done: &Finished) -> Vec<(String, u64)> {
    done.of_kind("hits")
        .iter()
        .map(|r| (r["datetime"].as_str().unwrap()[..10].to_owned(), r["hits"].as_u64().unwrap()))
        .collect()
}

fn file(dir: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn contract_of_import_logs() -> Contract {
    Contract {
        exe: env!("CARGO_BIN_EXE_import-logs"),
        name: "import-logs",
        command: &[],
        main_kind: "web",
        reads: Some("source"),
        give: |run, _, input| {
            let good = line("2025-07-10", "/a", "Mozilla/5.0");
            run.args(["--raw", "access"]).stdin(match input {
                Input::Nothing => Vec::new(),
                Input::Good => good.into_bytes(),
                Input::Bad => (good + "garbage\n").into_bytes(),
                Input::Many => good.repeat(12_000).into_bytes(),
            })
        },
        of_nothing: Some("{\"kind\":\"hits\",\"datetime\":\"0000-00-00 00:00:00\",\"hits\":0}\n"),
        of_good: "\"content\":\"/a\"",
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_import_logs);

#[test]
fn a_good_line_gives_a_web_record_and_a_hit() {
    let done = access(line("2025-07-10", "//a//b?x=1", "Mozilla/5.0"));
    let expected = concat!(
        r#"{"kind":"web","datetime":"2025-07-10 08:00:01","ip":"1.2.3.4","content":"/a/b?x=1","referrer":"-","#,
        r#""useragent":"Mozilla/5.0","uidNumber":1002,"apache_pid":"4711","joomla_sessionid":"J","site_cookie":"C","#,
        r#""auth_type":"A","component_name":"com","view_name":"view","task_name":"task","action_name":"act","#,
        r#""item_name":"item"}"#,
        "\n",
        r#"{"kind":"hits","datetime":"2025-07-10 00:00:00","hits":1}"#,
        "\n"
    );
    assert_eq!(done.text(), expected);
    assert!(done.stderr.contains("1 lines, 1 rows, 0 not recognised"), "{}", done.stderr);
}

#[test]
fn the_old_layout_has_a_cookie_and_no_process() {
    let old =
        "2025-07-10 08:00:01 EDT - \"GET /a HTTP/1.1\" 200 12 host.example.org \"-\" \"UA\" TLSv1 0 12 a=1; b=2\n";
    let row = &access(old).of_kind("web")[0];
    assert_eq!(
        (&row["site_cookie"], &row["apache_pid"], &row["uidNumber"]),
        (&"a=1; b=2".into(), &"".into(), &0.into())
    );
    assert_eq!(row["ip"], "host.example.or", "cut to the column");
}

#[test]
fn empty_input_gives_no_records() {
    assert_eq!(raw("auth", "").finish().ok().text(), "");
    assert_eq!(import_logs().finish().ok().text(), "", "no source records, no files");
    assert_eq!(raw("access", "").args(["--compat", "port"]).finish().ok().text(), "");
}

#[test]
fn a_last_line_without_a_line_feed_is_dropped_as_in_legacy() {
    let two = line("2025-07-10", "/a", "UA") + line("2025-07-10", "/b", "UA").trim_end();
    let done = raw("access", two.as_str()).arg("--strict").finish().ok();
    assert_eq!(texts(&done, "web", "content"), ["/a"], "dropped, and not reported");
    assert_eq!(hits(&done), [("2025-07-10".to_owned(), 1)]);
    let port = raw("access", two).args(["--compat", "lp_parse"]).finish().ok();
    assert_eq!(texts(&port, "web", "content"), ["/a", "/b"]);
    let auth = raw("auth", "2025-07-10 08:00:01 1 [a] 1.1.1.1 login\n2025-07-10 08:00:02 1 [a] 1.1.1.1 login");
    assert_eq!(auth.finish().ok().of_kind("login").len(), 2, "an auth log's last line counts");
}

#[test]
fn a_bad_line_is_rejected_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let rejects = dir.path().join("rejects");
    let text = [&b"gar\xffbage\n"[..], line("2025-07-10", "/a", "UA").as_bytes()].concat();
    let run = |more: &[&str]| raw("access", text.clone()).arg("--rejects").arg(&rejects).args(more).finish();
    let done = run(&[]).ok();
    assert_eq!(done.of_kind("web").len(), 1);
    assert!(done.stderr.contains("no date at the start"), "{}", done.stderr);
    let reject: Value = serde_json::from_str(&fs::read_to_string(&rejects).unwrap()).unwrap();
    assert_eq!((&reject["path"], &reject["line"]), (&"-".into(), &1.into()));
    assert_eq!(reject["hex"], "676172ff62616765");
    assert_eq!(run(&["--strict"]).expect_code(3).of_kind("web").len(), 1);
    let quiet = run(&["--quiet"]).ok();
    assert_eq!(quiet.stderr, "");
    let good = raw("access", line("2025-07-10", "/a", "UA")).arg("--rejects").arg(&rejects).finish().ok();
    assert_eq!(good.of_kind("web").len(), 1);
    assert_eq!(fs::read(&rejects).unwrap(), b"", "the file exists although it is empty");
}

#[test]
fn each_run_of_equal_dates_gives_a_hits_record() {
    let dates = ["10", "11", "10", "11", "11"].map(|day| format!("2025-07-{day}"));
    let text: String = dates.iter().map(|date| line(date, "/x.css", "Googlebot/2.1")).collect();
    let done = access(text);
    assert_eq!(hits(&done), [("10", 1), ("11", 1), ("10", 1), ("11", 2)].map(|(d, n)| (format!("2025-07-{d}"), n)));
    assert_eq!(done.of_kind("web").len(), 0, "a style sheet asked for by a bot is a hit and not a row");
    let text = line("2025-07-10", "/a", "UA") + &line("2025-07-11", "/b", "UA");
    let kinds = access(text).records().iter().map(|r| r["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(kinds, ["web", "hits", "web", "hits"], "a day's hits come before the next day's rows");
    let impossible = access(line("2025-02-30", "/a", "UA") + &line("2025-02-31", "/a", "UA"));
    assert_eq!(hits(&impossible), [("0000-00-00".to_owned(), 1), ("0000-00-00".to_owned(), 1)]);
}

/// Forms from the port's own sample: which requests give a hit, which a row.
#[test]
fn filters_decide_which_requests_are_rows_and_hits() {
    let base = line("2025-07-10", "/a", "UA");
    let check = |from: &str, to: &str, n_hits: u64, n_rows: usize| {
        assert!(base.contains(from), "{from}");
        let done = access(base.replacen(from, to, 1));
        let total: u64 = hits(&done).iter().map(|(_, n)| n).sum();
        assert_eq!((total, done.of_kind("web").len()), (n_hits, n_rows), "{to}");
    };
    check("GET", "GET", 1, 1);
    check("GET", "POST", 1, 1);
    check("GET", "HEAD", 0, 0);
    check("GET", "get", 0, 0);
    check("GET /a", " GET /a", 0, 0);
    check(" 200 ", " 0200 ", 1, 1);
    for status in ["206", "304", "404", "-", "200-", "-200"] {
        check(" 200 ", &format!(" {status} "), 0, 0);
    }
    check(" 12 1.2", " 00 1.2", 0, 0);
    check(" 12 1.2", " - 1.2", 0, 0);
    check("1.2.3.4", "2001:db8::1", 0, 0);
    check("1.2.3.4", "127.0.0.1", 1, 1);
    check("/a", "/x.css", 1, 0);
    check("/a", "/x.css?1", 1, 1);
    check("/a", "/x.css?v=1", 1, 0);
    check("/a", "/x.woff2", 1, 1);
    check("/a", "/v?f=a.css", 1, 0);
    check("/a", "/resources/x.css", 1, 1);
    check("/a", "/cron/tick", 1, 1);
    check("/a", "/cron/tick/", 1, 0);
    check("\"UA\"", "\"Googlebot/2.1\"", 1, 0);
    check("\"UA\"", "\"\"", 1, 1);
    check("GET /a HTTP/1.1", "GET 0 HTTP/1.1", 1, 1);
}

#[test]
fn values_are_those_that_the_table_stores() {
    let base = line("2025-07-10", "/a", "UA");
    let field = |from: &str, to: &str, name: &str| {
        let done = access(base.replacen(from, to, 1));
        texts(&done, "web", name).remove(0)
    };
    assert_eq!(field("08:00:01", "8:00:01", "datetime"), "2025-07-10 08:00:01");
    assert_eq!(field("08:00:01", "108:00:01", "datetime"), "0000-00-00 00:00:00");
    assert_eq!(field("2025-07-10", "2025-02-30", "datetime"), "0000-00-00 00:00:00");
    assert_eq!(field("2025-07-10", "2025-07-00", "datetime"), "2025-07-00 08:00:01");
    assert_eq!(field(" 1002 ", " -5 ", "uidNumber"), "-5");
    assert_eq!(field(" 1002 ", " 007 ", "uidNumber"), "7");
    assert_eq!(field(" 1002 ", " -- ", "uidNumber"), "0");
    assert_eq!(field(" 1002 ", " 99999999999 ", "uidNumber"), "2147483647");
    assert_eq!(field("/a", &format!("/{}", "x".repeat(300)), "content").len(), 255);
    assert_eq!(field("GET /a HTTP/1.1", "GET 0 HTTP/1.1", "content"), "GET");
    assert_eq!(field("/a", "http://h//p", "content"), "http:/h/p");
    assert_eq!(field("item\n", "item \n", "item_name"), "\n");
    assert_eq!(field("item\n", "item\r\n", "joomla_sessionid"), "J C");
    assert_eq!(field("/a", "/\u{1F600}ü", "content"), "/?ü");
    let bytes = base.replace("/a", "/\u{fffd}").into_bytes();
    let broken: Vec<u8> = bytes.split(|&b| b == 0xEF).collect::<Vec<_>>().join(&b"\xFF"[..]);
    assert_eq!(texts(&access(broken), "web", "content"), ["/???"], "each stray byte");
}

#[test]
fn bots_are_left_out_and_listed_once() {
    let agents = ["NewBot/1", "curl/8.0", "newbot/1", "My searchtool/1.0", "RSS feed/2.0", "Crawl é", "CRAWL E", "Ua"];
    let text: String = agents.iter().map(|agent| line("2025-07-10", "/a", agent)).collect();
    let done = access(text.as_str());
    assert_eq!(texts(&done, "web", "useragent"), ["curl/8.0", "My searchtool/1.0", "RSS feed/2.0", "Ua"]);
    assert_eq!(texts(&done, "bot", "useragent"), ["NewBot/1", "Crawl é"], "the first spelling, in order");
    let port = raw("access", text).args(["--compat", "port"]).finish().ok();
    assert_eq!(texts(&port, "web", "useragent"), agents, "the port searches for bots after the file");
    assert_eq!(texts(&port, "bot", "useragent"), ["NewBot/1", "curl/8.0", "Crawl é"]);
}

#[test]
fn a_bot_further_down_counts_from_the_first_line() {
    // none of these is a bot by its own words; an agent further down makes them bots
    let long = format!("{}bot", "y".repeat(255));
    let agents = ["Bòt/1", &"y".repeat(255), &"Y".repeat(255), "é 1", "bot/1", &long, "É 1"];
    let text: String = agents.iter().map(|agent| line("2025-07-10", "/a", agent)).collect();
    let done = access(text);
    assert_eq!(texts(&done, "web", "useragent"), ["é 1", &"y".repeat(255), "É 1"], "{}", done.stderr);
    assert_eq!(done.of_kind("web")[1]["useragent"].as_str().unwrap().len(), 255, "stored cut, compared in full");
    let dir = tempfile::tempdir().unwrap();
    let one = file(&dir, "one", line("2025-07-10", "/a", "bot/1"));
    let two = file(&dir, "two", line("2025-07-10", "/b", "Bòt/1") + &line("2025-07-10", "/c", "x"));
    let both = import_logs().args([&one, &two]).finish().ok();
    assert_eq!(texts(&both, "web", "content"), ["/c"], "bots of an earlier file count too");
    let reverse = import_logs().args([&two, &one]).finish().ok();
    assert_eq!(texts(&reverse, "web", "content"), ["/b", "/c"], "those of a later file do not");
}

/// JSON and CloudFront write what is beyond ASCII in ASCII; containers put lines into JSON.
#[test]
fn a_bot_whose_name_is_escaped_counts_from_the_first_line() {
    let json = |agent: &str| {
        format!(
            "{{\"time\":\"2025-07-10T08:00:01+00:00\",\"remote_addr\":\"192.0.2.1\",\"request\":\"GET /a HTTP/1.1\",\
             \"status\":\"200\",\"body_bytes_sent\":\"12\",\"http_user_agent\":\"{agent}\"}}\n"
        )
    };
    let combined = |agent: &str| {
        let line = format!("192.0.2.1 - - [10/Jul/2025:08:00:01 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"{agent}\"\n");
        let log = serde_json::to_string(&line).unwrap().replace('ö', "\\u00f6");
        format!("{{\"log\":{log},\"stream\":\"stdout\",\"time\":\"2025-07-10T08:00:01Z\"}}\n")
    };
    let fields = "#Fields: date time cs-method cs-uri-stem c-ip cs(User-Agent) sc-status\n";
    let w3c = |agent: &str| format!("2025-07-10 08:00:01 GET /a 192.0.2.1 {agent} 200\n");
    for text in [
        json("B\\u00f6t crawler") + &json("x"),
        combined("Böt crawler") + &combined("x"),
        fields.to_owned() + &w3c("B%C3%B6t%20crawler") + &w3c("x"),
    ] {
        let done = access(text);
        assert_eq!(texts(&done, "web", "useragent"), ["x"], "{}", done.stderr);
        assert_eq!(texts(&done, "bot", "useragent"), ["Böt crawler"]);
    }
}

#[test]
fn known_bots_come_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        line("2025-07-10", "/a", "Evil/1") + &line("2025-07-10", "/b", "EVIL/1 ") + &line("2025-07-10", "/c", "x");
    for list in [
        "evil/1\nother\n",
        "{\"kind\":\"bot\",\"useragent\":\"evil/1\"}\n",
        "kind,useragent\nbot,evil/1\n",
        "useragent\r\nevil/1\r\n",
    ] {
        let bots = file(&dir, "bots", list);
        let done = raw("access", text.as_str()).arg("--bots").arg(&bots).finish().ok();
        assert_eq!(texts(&done, "web", "content"), ["/c"], "{list}");
        assert_eq!(done.of_kind("bot").len(), 0, "known already");
    }
    let bots = file(&dir, "bots", "Evil/1\nxsearchtool\n");
    let spared = line("2025-07-10", "/s", "xsearchtool");
    let done = raw("access", text.clone() + &spared).arg("--bots").arg(&bots).finish().ok();
    assert_eq!(texts(&done, "web", "content"), ["/c", "/s"], "an agent taken off the list has no effect");
    let exact = raw("access", text).arg("--bots").arg(&bots).args(["--compat", "lp_bot_exact"]).finish().ok();
    assert_eq!(texts(&exact, "web", "content"), ["/b", "/c"]);
}

#[test]
fn the_exclude_list_drops_lines() {
    let dir = tempfile::tempdir().unwrap();
    let list = "id,filter,type\n1,1.2.3.4,ip\n2,%.css,url\n3,gsa,useragent\n4,task=diskusage,URL\n5,a,host\n";
    let exclude = file(&dir, "exclude.csv", list);
    let base = line("2025-07-10", "/a", "UA").replace("1.2.3.4", "9.9.9.9");
    let kept = |from: &str, to: &str| {
        let done = raw("access", base.replacen(from, to, 1)).arg("--exclude").arg(&exclude).finish().ok();
        let total: u64 = hits(&done).iter().map(|(_, n)| n).sum();
        assert_eq!(total as usize, done.of_kind("web").len());
        total == 1
    };
    assert!(kept("x", "x") || kept("UA", "UA"));
    assert!(!kept("9.9.9.9", "11.2.3.45"));
    assert!(!kept("/a", "/x%.CSS-"));
    assert!(!kept("UA", "My GSA"));
    assert!(!kept("/a", "/a?TASK=DiskUsage"));
    let done = raw("access", base.replace("UA", "gsa")).arg("--exclude").arg(&exclude).finish().ok();
    assert!(done.stderr.contains("dropped: excluded agent 1"), "{}", done.stderr);
    let without = raw("access", base).arg("--exclude").arg(file(&dir, "bad.csv", "a,b\n1,2\n")).finish();
    assert!(without.expect_code(1).stderr.contains("filter"));
}

#[test]
fn source_records_name_files_of_every_kind() {
    let dir = tempfile::tempdir().unwrap();
    let combined = "9.9.9.9 - - [10/Jul/2025:08:00:01 -0400] \"GET /c HTTP/1.1\" 200 5 \"-\" \"UA\"\n";
    let paths = [
        file(&dir, "a.gz", gzip(line("2025-07-10", "/gz", "UA").as_bytes())),
        file(&dir, "b", zstd::encode_all(line("2025-07-11", "/zst", "UA").as_bytes(), 1).unwrap()),
        file(&dir, "c", combined),
        file(&dir, "d", "2025-07-10 08:00:01 1 [alice] 1.1.1.1 login\n"),
    ];
    let more = ["", "", ",\"log_format\":\"combined\"", ""];
    let streams = ["access", "access", "access", "auth"];
    let mut sources = "{\"kind\":\"note\", \"x\":1}\n".to_owned();
    for ((path, more), stream) in paths.iter().zip(more).zip(streams) {
        let path = path.display();
        sources += &format!(
            "{{\"kind\":\"source\",\"path\":\"{path}\",\"stream\":\"{stream}\",\"date\":\"20250710\"{more}}}\n"
        );
    }
    let receipts = dir.path().join("receipts");
    let done = import_logs().stdin(sources.as_str()).arg("--receipts").arg(&receipts).finish().ok();
    assert!(done.text().starts_with("{\"kind\":\"note\", \"x\":1}\n"), "other kinds pass through unchanged");
    assert_eq!(texts(&done, "web", "content"), ["/gz", "/zst", "/c"]);
    assert_eq!(texts(&done, "login", "user"), ["alice"]);
    let receipts = fs::read_to_string(&receipts).unwrap();
    let last: Value = serde_json::from_str(receipts.lines().last().unwrap()).unwrap();
    assert_eq!(receipts.lines().count(), 4);
    assert_eq!((&last["target"], &last["rows"], &last["date"]), (&"userlogin".into(), &1.into(), &"20250710".into()));
    let csv = format!("kind,path,stream\nsource,{},access\n", paths[0].display());
    assert_eq!(texts(&import_logs().stdin(csv).finish().ok(), "web", "content"), ["/gz"]);
    let bad = "{\"kind\":\"source\"}\n{\"kind\":\"source\",\"path\":\"x\",\"stream\":\"y\"}\nnothing\n";
    let bad = import_logs().stdin(bad).finish().expect_code(1);
    assert!(bad.stderr.contains("3 of 3 lines rejected"), "{}", bad.stderr);
}

#[test]
fn files_can_be_named_as_arguments() {
    let dir = tempfile::tempdir().unwrap();
    let auth = "2025-07-10 08:00:01 1 [alice] 1.1.1.1 login\n";
    let paths = [file(&dir, "cmsauth.log-1", auth), file(&dir, "anything", line("2025-07-10", "/a", "UA"))];
    let done = import_logs().args(&paths).finish().ok();
    assert_eq!((done.of_kind("web").len(), done.of_kind("login").len()), (1, 1));
    let stdin = import_logs().args(["--raw", "access", "-"]).stdin(line("2025-07-10", "/a", "UA")).finish().ok();
    assert_eq!(stdin.of_kind("web").len(), 1);
    let missing = import_logs().arg(dir.path().join("none")).finish().expect_code(1);
    assert!(missing.stderr.contains("none"), "{}", missing.stderr);
}

#[test]
fn a_damaged_file_fails_the_run_and_leaves_no_output() {
    let dir = tempfile::tempdir().unwrap();
    let text: String = (0..5000).map(|i| line("2025-07-10", &format!("/{i}"), "UA")).collect();
    let whole = gzip(text.as_bytes());
    let cut = file(&dir, "cut.gz", &whole[..whole.len() - 9]);
    let out = dir.path().join("out");
    let done = import_logs().arg(&cut).arg("--to").arg(&out).finish().expect_code(1);
    assert!(done.stderr.contains("cut.gz"), "{}", done.stderr);
    assert!(!out.exists());
}

#[test]
fn logins_are_unique_and_filtered() {
    let text = "2025-07-10 08:00:01 1011 [user[sub]] 9.9.1.2 simulation\n\
                2025-07-10 08:00:02 1009 [] 7.7.7.1 login\n\
                2025-07-10 08:00:03 Bob 1.1.1.1 login\n\
                2025-07-10 08:00:03 bob 1.1.1.1 LOGIN\n\
                2025-07-10 08:00:03 0 [bob] 1.1.1.1 login\n\
                2025-07-10 08:00:04 1 [hubadmin] 1.1.1.1 login\n\
                2025-07-10 08:00:05 1 [a] 1.1.1.1 detect\n\
                2025-07-10 08:00:06 1 [a] 1.1.1.1 login \n";
    let done = raw("auth", text).finish().ok();
    assert_eq!(texts(&done, "login", "user"), ["user[sub", "1009 []", "Bob", "a"]);
    assert_eq!(texts(&done, "login", "uidNumber"), ["1011", "0", "0", "1"]);
    assert!(
        done.stderr.contains("1 not recognised; dropped: watching account 1, duplicate login 2"),
        "{}",
        done.stderr
    );
    let port = raw("auth", text).args(["--compat", "port"]).finish().ok();
    assert_eq!(texts(&port, "login", "action"), ["simulation", "login", "login", "login"]);
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "cmsauth.log", text);
    let twice = import_logs().args([&path, &path]).finish().ok();
    assert_eq!(twice.of_kind("login").len(), 4, "unique over the whole run");
}

#[test]
fn other_layouts_are_read() {
    let combined = "9.9.9.9 - frank [10/Jul/2025:08:00:01 -0400] \"GET /a HTTP/1.1\" 200 5 \"http://r/\" \"U\\\"A\" more\n\
                    ::1 - - [10/Jul/2025:08:00:02 -0400] \"GET /b HTTP/1.1\" 200 7\n\
                    9.9.9.9 - - [10/Jul/2025:08:00:03 -0400] \"GET /c HTTP/1.1\" 200 -\n\
                    9.9.9.9 - - [10/Jul/2025:08:00:04 -0400] \"GET /d HTTP/1.1\" 200 5 \"-\" \"cut\n";
    for name in ["combined", "common", "nginx"] {
        let done = raw("access", combined).args(["--log-format", name]).finish().ok();
        assert_eq!(texts(&done, "web", "content"), ["/a", "/b"], "{name}");
        assert_eq!(texts(&done, "web", "datetime")[0], "2025-07-10 08:00:01", "the zone is not applied");
        assert_eq!(texts(&done, "web", "useragent"), ["U\\\"A", "-"]);
        assert!(done.stderr.contains("the agent has no closing quote"), "{}", done.stderr);
    }
    let format = r#"%h %{X-Forwarded-For}i %t \"%r\" %>s %b"#;
    let proxied = "10.0.0.1 1.1.1.1, 2.2.2.2 [10/Jul/2025:08:00:01 -0400] \"GET /a HTTP/1.1\" 200 5\n";
    let ip = |from: &str| {
        let args = ["--log-format", format, "--client-from", from];
        texts(&raw("access", proxied).args(args).finish().ok(), "web", "ip").remove(0)
    };
    assert_eq!((ip("X-Forwarded-For"), ip("x-forwarded-for:last")), ("1.1.1.1".to_owned(), "2.2.2.2".to_owned()));
    let dir = tempfile::tempdir().unwrap();
    let conf = file(&dir, "httpd.conf", format!("LogFormat \"%h\" x\nLogFormat \"{format}\" mine\n"));
    let conf = format!("{}:mine", conf.display());
    let done = raw("access", proxied).args(["--httpd-conf", &conf]).finish().ok();
    assert_eq!(texts(&done, "web", "ip"), ["10.0.0.1"]);
    for wrong in [
        vec!["--log-format", "nonsense"],
        vec!["--log-format", "%h"],
        vec!["--log-format", "combined", "--client-from", "X-Real-IP"],
    ] {
        let done = raw("access", "").args(&wrong).finish();
        assert!(!done.expect_code(2).stderr.is_empty());
    }
}

#[test]
fn compat_port_gives_the_ports_results() {
    let base = line("2025-07-10", "/a", "UA");
    let dropped = |option: &str, from: &str, to: &str| {
        let text = base.replacen(from, to, 1);
        let n =
            |compat: &str| raw("access", text.as_str()).args(["--compat", compat]).finish().ok().of_kind("web").len();
        assert_eq!(n("legacy"), 1, "{to}");
        n(option) == 0
    };
    assert!(dropped("lp_cron_bare", "/a", "/cron/tick?x"));
    assert!(dropped("lp_pipermail", "/a", "/pipermail/x"));
    assert!(dropped("lp_robots", "/a", "/robots.txt"));
    assert!(dropped("lp_msie", "UA", "MSIE 9.0"));
    assert!(!dropped(
        "lp_msie",
        "2025-07-10 08:00:01 EDT 4711 - \"GET /a HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"UA",
        "2021-07-10 08:00:01 EDT 4711 - \"GET /a HTTP/1.1\" 200 12 1.2.3.4 \"-\" \"MSIE 9.0"
    ));
    assert!(dropped("lp_referer_spam", "/a", "/login?return=x"));
    assert!(dropped("lp_referer_spam", "/a", "/resources/browse?x"));
    assert!(dropped("lp_events_archive", "/a", "/events/2011/3"));
    assert!(!dropped("port", "/a", "/events/2024"));
    let text = line("2025-07-11", "/resources/1/a.pdf", "UA")
        + &line("2025-07-10", "/x.css", "UA")
        + &line("2025-07-10", "/b", "UA");
    let port = raw("access", text).args(["--compat", "port"]).finish().ok();
    assert_eq!(texts(&port, "web", "dnload"), ["1", "0"]);
    assert_eq!(hits(&port), [("2025-07-10".to_owned(), 1), ("2025-07-11".to_owned(), 1)], "kept rows, by day");
    let months: String = ["2025-05-01", "2025-06-01", "2025-07-01"].iter().map(|d| line(d, "/a", "UA")).collect();
    let port = raw("access", months).args(["--compat", "lp_spillover_warning"]).finish().ok();
    assert!(port.stderr.contains("WARNING: spillover"), "{}", port.stderr);
}

#[test]
fn with_compat_ipv6_ipv6_clients_count() {
    let of = |client: &str| line("2025-07-10", "/a", "UA").replace("1.2.3.4", client);
    let clients = [
        "2001:db8::1",
        "2001:DB8:0:0:AAAA:BBBB:CCCC:1",
        "::ffff:192.0.2.7",
        "fe80::1%eth0",
        "192.0.2.1",
        "a.long.name.example",
    ];
    let text: String = clients.iter().map(|client| of(client)).collect();
    let ips = |kind: &str, log: &str, compat: &str| {
        texts(&raw(kind, log).args(["--compat", compat]).finish().ok(), "web", "ip")
    };
    // a hub leaves them out, and cuts long addresses, unless told otherwise
    assert_eq!(ips("access", &text, "default"), ["192.0.2.1", "a.long.name.exa"]);
    let whole =
        ["2001:db8::1", "2001:db8::aaaa:bbbb:cccc:1", "192.0.2.7", "fe80::1", "192.0.2.1", "a.long.name.example"];
    for compat in ["ipv6", "port,ipv6"] {
        assert_eq!(ips("access", &text, compat), whole, "{compat}");
    }
    let logins: String = clients[..5].iter().map(|ip| format!("2025-07-10 08:00:01 7 [bob] {ip} login\n")).collect();
    let of_logins =
        |compat: &str| texts(&raw("auth", logins.as_str()).args(["--compat", compat]).finish().ok(), "login", "ip");
    assert_eq!(of_logins("default"), ["192.0.2.1"]);
    assert_eq!(of_logins("ipv6"), whole[..5]);
    // the exclude list matches the canonical text
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("exclude.csv");
    std::fs::write(&list, "filter,type\n2001:db8::aaaa:bbbb:cccc:1,ip\n").unwrap();
    let left = raw("access", text.as_str()).args(["--compat", "ipv6", "--exclude"]).arg(list).finish().ok();
    assert_eq!(texts(&left, "web", "ip").len(), 5);
}

/// A log large enough for several blocks.
fn many_lines() -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0..12_000_u32 {
        let day = 1 + i / 1000;
        let agent = ["UA", "Googlebot", "ü", "spider é", "other"][(i % 5) as usize];
        text.extend(line(&format!("2025-07-{day:02}"), &format!("/{i}\u{1}\""), agent).bytes());
        if i % 97 == 0 {
            text.extend(b"odd\n");
        }
    }
    text
}

#[test]
fn the_same_bytes_on_one_thread_and_many() {
    let text = many_lines();
    let run = |threads: &str| raw("access", text.clone()).env("RAYON_NUM_THREADS", threads).finish().ok();
    let (one, two, again) = (run("1"), run("2"), run("2"));
    assert!(one.stdout.len() > 2_000_000);
    assert!(one.stdout == two.stdout && two.stdout == again.stdout);
    assert_eq!(one.stderr, two.stderr);
    assert_eq!(hits(&one).len(), 12);
}

#[test]
fn by_path_by_pipe_and_compressed_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let text = many_lines();
    let piped = access(text.clone()).stdout;
    for bytes in [text.clone(), gzip(&text), zstd::encode_all(&*text, 1).unwrap()] {
        assert!(import_logs().arg(file(&dir, "log", bytes)).finish().ok().stdout == piped);
    }
}

/// Files too large to be kept in memory are read twice, with the same result.
#[test]
fn a_file_too_large_for_memory_gives_the_same_records() {
    let dir = tempfile::tempdir().unwrap();
    let css: String = (0..150_000).map(|_| line("2025-07-10", "/x.css", "UA")).collect();
    assert!(css.len() > 17 << 20);
    let text = line("2025-07-10", "/a", "Bòt/1")
        + &line("2025-07-10", "/b", "CRÀWL é")
        + &css
        + &line("2025-07-10", "/c", "bot/1")
        + &line("2025-07-10", "/d", "crawl e")
        + &line("2025-07-10", "/e", "cräwl é crawl")
        + &line("2025-07-10", "/f", "CRAWL É");
    let done = import_logs().arg(file(&dir, "big.gz", gzip(text.as_bytes()))).finish().ok();
    assert_eq!(texts(&done, "web", "content"), [""; 0], "{}", done.stderr);
    assert_eq!(hits(&done), [("2025-07-10".to_owned(), 150_006)]);
}

#[test]
fn random_bytes_are_rejected() {
    let bytes = fixtures::random::ten_megabytes(1);
    for args in [
        vec!["--raw", "access"],
        vec!["--raw", "auth"],
        vec!["--raw", "access", "--compat", "port"],
        vec!["--raw", "access", "--log-format", "combined"],
    ] {
        let done = import_logs().args(&args).stdin(bytes.clone()).finish().expect_code(1);
        assert!(done.stdout.is_empty(), "{args:?}: not even a hit");
        assert!(done.stderr.contains("lines rejected"), "{}", done.stderr);
    }
    // read as records they give nothing, and a message says so
    let done = import_logs().stdin(bytes).finish().expect_code(1);
    assert!(done.stdout.is_empty());
}

#[test]
fn csv_holds_one_kind() {
    let text = line("2025-07-10", "/a,\"b", "UA") + &line("2025-07-11", "/b", "Googlebot");
    let csv = raw("access", text.as_str()).args(["--format", "csv"]).finish().ok().text();
    assert_eq!(csv.lines().count(), 2);
    assert!(csv.lines().next().unwrap().starts_with("kind,datetime,ip,content,"), "{csv}");
    assert!(csv.contains("\"/a,\"\"b\""), "{csv}");
    let bots = raw("access", text).args(["--format", "csv", "--kind", "bot"]).finish().ok().text();
    assert_eq!(bots, "kind,useragent\nbot,Googlebot\n");
    let empty = raw("auth", "").args(["--format", "csv", "--kind", "login"]).finish().ok().text();
    assert!(empty.starts_with("kind,datetime,uidNumber,user,ip,action"), "{empty}");
}

#[test]
fn databases_that_cannot_be_reached_are_an_error() {
    for args in [["--to", "db"], ["--from", "db"]] {
        let done = import_logs().args(args).finish().expect_code(2);
        assert!(done.stderr.starts_with("import-logs: "), "{}", done.stderr);
    }
}
