//! `summarize` as an executable: the traps of the rules, streams and files, bad input.
#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod db;
#[path = "../unit/made.rs"]
mod made;
mod states;
mod table_states;
mod traps;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fixtures::contract::{Bad, Contract, Input};
use fixtures::{Finished, Run, run};
use made::{login, merge, session, toolstart, web};
use serde_json::{Value, json};

const EXE: &str = env!("CARGO_BIN_EXE_summarize");
const PERIODS: [u8; 6] = [0, 1, 3, 12, 13, 14];

fn summarize(records: &[Value]) -> Run {
    run(EXE).stdin(lines(records))
}

fn lines(records: &[Value]) -> String {
    records.iter().fold(String::new(), |mut text, record| {
        let _ = writeln!(text, "{record}");
        text
    })
}

/// The cells of one run by table, row, column, month and period.
struct Cells(BTreeMap<(String, u64, u64, String, u64), String>);

impl Cells {
    fn of(done: &Finished) -> Self {
        let mut cells = BTreeMap::new();
        for cell in done.of_kind("cell") {
            let number = |name: &str| cell[name].as_u64().unwrap();
            let text = |name: &str| cell[name].as_str().unwrap().to_owned();
            let table = text("table").trim_start_matches("summary_").trim_end_matches("_vals").to_owned();
            let key = (table, number("rowid"), number("colid"), text("datetime")[..7].to_owned(), number("period"));
            assert!(cells.insert(key, text("value")).is_none(), "a cell twice: {cell}");
        }
        Self(cells)
    }

    fn month(records: &[Value], month: &str) -> Self {
        Self::of(&summarize(records).args(["--month", month]).finish().ok())
    }

    fn get(&self, table: &str, rowid: u64, colid: u64, period: u8) -> Option<&str> {
        let is = |key: &&(String, u64, u64, String, u64)| {
            key.0 == table && (key.1, key.2, key.4) == (rowid, colid, period.into())
        };
        self.0.keys().find(is).map(|key| self.0[key].as_str())
    }

    #[track_caller]
    fn user(&self, rowid: u64, colid: u64, period: u8) -> u64 {
        self.get("user", rowid, colid, period).unwrap().parse().unwrap()
    }

    #[track_caller]
    fn sim(&self, rowid: u64, period: u8) -> u64 {
        self.get("simusage", rowid, 1, period).unwrap().parse().unwrap()
    }

    #[track_caller]
    fn misc(&self, rowid: u64, period: u8) -> &str {
        self.get("misc", rowid, 1, period).unwrap()
    }
}

fn some_of_everything() -> Vec<Value> {
    vec![
        login("2025-07-10 08:00:00", "alice", "1.1.1.1"),
        web(1, "2025-07-10 09:00:00", "/resources/7/style.css"),
        session(1, "2025-07-10 09:00:00", "2.2.2.2", 100, json!({"ipcountry": "DE", "domain": "mit.edu"})),
        session(2, "2025-06-10 09:00:00", "1.1.1.1", 1000, json!({"ipcountry": "US", "domain": "mit.edu"})),
        toolstart("2025-07-10 10:00:00", "alice"),
        json!({"kind": "hub_session", "sessnum": 1, "username": "alice", "start": "2025-07-10 10:00:00",
            "appname": "rapp_r1", "walltime": 100.5, "viewtime": 2, "cputime": 999}),
        json!({"kind": "hub_job", "sessnum": 1, "job": 1, "event": "application", "cputime": 7.25}),
        json!({"kind": "hub_profile", "uidNumber": 5, "username": "Alice", "countryresident": "US",
            "orgtype": "industry", "registerDate": "2025-07-01 00:00:01"}),
        json!({"kind": "hub_resource", "id": 1, "path": "src/main.c"}),
        json!({"kind": "hub_tool_version", "toolname": "rapp", "instance": "rapp_r1"}),
        json!({"kind": "hits", "datetime": "2025-07-01 00:00:00", "hits": 42}),
        json!({"kind": "unheard of", "x": 1}),
    ]
}

fn contract_of_summarize() -> Contract {
    Contract {
        exe: EXE,
        name: "summarize",
        command: &[],
        main_kind: "cell",
        reads: Some("web"),
        give: |run, _, input| {
            let good = lines(&[toolstart("2025-07-10 10:00:00", "u")]);
            let run = match input {
                Input::Many => run.args(["--since", "2000-01", "--through", "2025-12"]),
                _ => run.args(["--month", "2025-07"]),
            };
            run.stdin(match input {
                Input::Nothing => String::new(),
                Input::Good => good,
                Input::Bad => good + "{\"kind\":\"session\",\"datetime\":\"never\"}\n",
                Input::Many => lines(&some_of_everything()),
            })
        },
        of_nothing: None,
        of_good: r#""table":"summary_simusage_vals","rowid":1,"colid":1,"datetime":"2025-07-00 00:00:00","period":1,"value":"1""#,
        bad: Bad::Rejected,
    }
}

fixtures::contract!(contract_of_summarize);

#[test]
fn empty_input_still_gives_every_cell() {
    let done = run(EXE).args(["--month", "2025-07"]).finish().ok();
    let cells = Cells::of(&done);
    let count = |table: &str| cells.0.keys().filter(|key| key.0 == table).count();
    // only row 1 of the simulations: nobody simulated
    assert_eq!([count("user"), count("misc"), count("simusage")], [462, 48, 6]);
    for ((table, rowid, ..), value) in &cells.0 {
        let expected = match (table.as_str(), rowid) {
            ("misc", 3 | 8) => "",
            ("misc", 7) => " users on ",
            _ => "0",
        };
        assert_eq!(value, expected, "{table} {rowid}");
    }
    assert_eq!(done.stderr, "");
}

#[test]
fn one_good_record_and_every_field_of_a_cell() {
    let done = summarize(&[toolstart("2025-07-10 10:00:00", "u")])
        .args(["--month", "2025-07", "--periods", "1", "--only", "sim-usage"])
        .finish()
        .ok();
    assert_eq!(done.records().len(), 10);
    assert_eq!(
        done.text().lines().next().unwrap(),
        r#"{"kind":"cell","table":"summary_simusage_vals","rowid":1,"colid":1,"datetime":"2025-07-00 00:00:00","period":1,"value":"1","valfmt":3}"#
    );
}

#[test]
fn every_kind_of_record_counts_somewhere() {
    let done = summarize(&some_of_everything()).args(["--month", "2025-07", "--apps", "rapp"]).finish().ok();
    let cells = Cells::of(&done);
    assert_eq!([cells.user(6, 1, 1), cells.user(6, 3, 1), cells.user(6, 9, 1)], [1, 1, 1]);
    assert_eq!([cells.user(8, 1, 1), cells.user(8, 5, 1), cells.user(8, 8, 1)], [1, 1, 1]);
    assert_eq!([cells.user(7, 1, 0), cells.user(3, 1, 0), cells.user(3, 8, 0), cells.user(3, 1, 1)], [0, 1, 1, 0]);
    assert_eq!([cells.sim(3, 1), cells.sim(4, 1), cells.sim(5, 1), cells.sim(6, 1)], [7, 101, 2, 1]);
    assert_eq!(
        [cells.misc(5, 0), cells.misc(6, 1), cells.misc(7, 1), cells.misc(8, 1)],
        ["2", "1", "1 users on 2025-07-10", "42"]
    );
    let plain = Cells::month(&some_of_everything(), "2025-07");
    assert_eq!(plain.sim(3, 1), 999, "without --apps the tool is none of Rappture's");
}

#[test]
fn cells_come_in_the_order_of_the_original() {
    let done = summarize(&some_of_everything()).args(["--since", "2025-06", "--through", "2025-07"]).finish().ok();
    let cells = done.of_kind("cell");
    let periods: Vec<_> = cells.iter().map(|c| c["period"].as_u64().unwrap()).collect();
    let mut shown = periods.clone();
    shown.dedup();
    assert_eq!(shown, [12, 1, 0, 3, 13, 14].repeat(2));
    assert!(cells.is_sorted_by_key(|c| c["datetime"].as_str().unwrap().to_owned()));
    let july: Vec<_> = cells.iter().filter(|c| c["datetime"] == "2025-07-00 00:00:00" && c["period"] == 1).collect();
    let order: Vec<_> = july.iter().map(|c| format!("{}.{}", c["rowid"], c["colid"])).collect();
    let span = |rowid: u8, colids: std::ops::RangeInclusive<u8>| colids.map(move |c| format!("{rowid}.{c}"));
    let both = |a: u8, b: u8| {
        (1..=6)
            .flat_map(move |c| [format!("{a}.{c}"), format!("{b}.{c}")])
            .chain(span(a, 7..=11))
            .chain(span(b, 7..=11))
    };
    let expected: Vec<_> = span(6, 1..=11)
        .chain(both(7, 3))
        .chain(both(8, 4))
        .chain(span(1, 1..=11))
        .chain(span(2, 1..=11))
        .chain((1..=10).map(|r| format!("{r}.1")))
        .chain((1..=8).map(|r| format!("{r}.1")))
        .collect();
    assert_eq!(order, expected);
    let formats: Vec<_> = july.iter().map(|c| c["valfmt"].as_u64().unwrap()).collect();
    assert_eq!(formats[..11], [1, 1, 2, 2, 2, 2, 1, 2, 2, 2, 2]);
    assert_eq!(formats[77..], [3, 4, 5, 5, 5, 3, 4, 5, 3, 3, 1, 1, 5, 1, 1, 1, 6, 1]);
}

#[test]
fn a_range_gives_its_months_one_after_the_other() {
    let records = some_of_everything();
    let range = summarize(&records).args(["--since", "2025-05", "--through", "2025-08"]).finish().ok();
    let alone: String = ["2025-05", "2025-06", "2025-07", "2025-08"]
        .iter()
        .map(|month| summarize(&records).arg(month).finish().ok().text())
        .collect();
    assert_eq!(range.text(), alone);
}

#[test]
fn periods_and_sections_can_be_chosen() {
    let done = summarize(&some_of_everything())
        .args(["--month", "2025-07", "--periods", "14,1,14", "--only", "misc,total"])
        .finish()
        .ok();
    let shown: Vec<_> = done.of_kind("cell").iter().map(|c| (c["period"].clone(), c["table"].clone())).collect();
    let mut blocks = shown.clone();
    blocks.dedup();
    let block = |p: u8, t: &str| (json!(p), json!(t));
    assert_eq!(
        blocks,
        [
            block(14, "summary_user_vals"),
            block(14, "summary_misc_vals"),
            block(1, "summary_user_vals"),
            block(1, "summary_misc_vals"),
        ]
    );
    assert_eq!(shown.len(), 2 * (11 + 8));
    // the total does not need the sections it is computed from
    assert_eq!(Cells::of(&done).user(1, 1, 1), 2);
}

#[test]
fn usage_errors_name_the_thing() {
    for (args, words) in [
        (&["--month", "2025-13"][..], "2025-13"),
        (&["--month", "2025-07-00"], "2025-07-00"),
        (&["--since", "2025-07"], "--through"),
        (&["--since", "2025-07", "--through", "2025-06"], "later than"),
        (&["--since", "1900-01", "--through", "2025-06"], "at most 600"),
        (&["--month", "2025-07", "--periods", "2"], "0, 1, 3, 12, 13, 14"),
        (&["--month", "2025-07", "--only", "everything"], "everything"),
        (&["--month", "2025-07", "--memory", "lots"], "300M"),
        (&["--month", "2025-07", "--db"], "there is no configuration"),
        (&["--month", "2025-07", "--from", "db"], "there is no configuration"),
        (&["--month", "2025-07", "--to", "db"], "there is no configuration"),
    ] {
        let done = run(EXE).args(args).finish().expect_code(2);
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
        assert_eq!(done.text(), "");
    }
}

#[test]
fn missing_files_fail_the_run() {
    for args in [
        ["--from", "absent.ndjson"],
        ["--domainclass", "absent.csv"],
        ["--country-continent", "absent.csv"],
        ["--apps-root", "absent"],
    ] {
        let done = run(EXE).args(["--month", "2025-07"]).args(args).finish().expect_code(1);
        assert!(done.stderr.starts_with("summarize: ") && done.stderr.contains("absent"), "{}", done.stderr);
        assert_eq!(done.text(), "");
    }
}

#[test]
fn lists_come_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let domains = file("domains.csv", "domain,class,country\nhere.org,3,xx\n");
    let countries = file("countries.csv", "country,continent\nDE,AS\n");
    let apps = directory.path().join("apps/rapp/r1");
    std::fs::create_dir_all(&apps).unwrap();
    std::fs::write(apps.join("tool.xml"), "").unwrap();
    let more = json!({"ipcountry": "DE", "domain": "Here.ORG"});
    let mut records = some_of_everything();
    records.push(session(3, "2025-07-10 09:00:00", "3.3.3.3", 1000, more));
    let with_lists = summarize(&records)
        .args(["--month", "2025-07", "--domainclass"])
        .arg(domains)
        .arg("--country-continent")
        .arg(countries)
        .arg("--apps-root")
        .arg(directory.path().join("apps"));
    let cells = Cells::of(&with_lists.finish().ok());
    assert_eq!([cells.user(7, 4, 1), cells.user(7, 5, 1), cells.user(7, 10, 1)], [1, 0, 1]);
    assert_eq!(cells.sim(3, 1), 7, "the tool was found below the directory");
    let bad = file("bad.csv", "domain,class\nhere.org,three\n");
    let done = run(EXE).args(["--month", "2025-07", "--domainclass"]).arg(bad).finish().expect_code(1);
    assert!(done.stderr.contains("three") && done.stderr.contains("bad.csv"), "{}", done.stderr);
}

#[test]
fn one_bad_record_is_rejected_and_the_rest_counts() {
    let directory = tempfile::tempdir().unwrap();
    let rejects = directory.path().join("rejects.ndjson");
    let text = format!(
        "{}{{\"kind\":\"session\",\"datetime\":\"never\"}}\nnonsense\n{}",
        lines(&[toolstart("2025-07-10 10:00:00", "u")]),
        lines(&[toolstart("2025-07-10 10:00:00", "v")])
    );
    let args = ["--month", "2025-07", "--strict", "--rejects"];
    let done = run(EXE).args(args).arg(&rejects).stdin(text).finish().expect_code(3);
    assert_eq!(Cells::of(&done).sim(1, 1), 2);
    assert!(done.stderr.contains("-:2: field `datetime` is not a datetime"), "{}", done.stderr);
    let listed = std::fs::read_to_string(rejects).unwrap();
    assert_eq!(listed.lines().count(), 2);
    assert!(listed.contains(r#""line":3,"reason":"not a JSON object","text":"nonsense""#), "{listed}");
}

#[test]
fn output_can_be_csv_or_a_table() {
    let shown = |format: &str| {
        let args = ["--month", "2025-07", "--periods", "1", "--only", "misc", "--format", format];
        summarize(&some_of_everything()).args(args).finish().ok().text()
    };
    let csv = shown("csv");
    let mut rows = csv.lines();
    assert_eq!(rows.next(), Some("kind,table,rowid,colid,datetime,period,value,valfmt"));
    assert_eq!(rows.next(), Some("cell,summary_misc_vals,1,1,2025-07-00 00:00:00,1,1,1"));
    assert_eq!(csv.lines().count(), 9);
    let table = shown("table");
    assert!(table.lines().any(|l| l.split_whitespace().any(|w| w == "2025-07-10")), "{table}");
    assert!(!table.contains("kind"));
}

#[test]
fn files_streams_and_csv_give_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let records = some_of_everything();
    let expected = summarize(&records).arg("2025-07").finish().ok().text();
    let (a, b) = records.split_at(5);
    let first = directory.path().join("a.ndjson");
    let second = directory.path().join("b.ndjson");
    std::fs::write(&first, lines(b)).unwrap();
    std::fs::write(&second, lines(a)).unwrap();
    let files = run(EXE).arg("2025-07").arg("--from").arg(&first).arg("--from").arg(&second);
    assert_eq!(files.finish().ok().text(), expected);
    let csv = directory.path().join("web.csv");
    std::fs::write(&csv, "datetime,content,sessionid\n2025-07-10 09:00:00,/resources/7/style.css,1\n").unwrap();
    let rest: Vec<_> = records.iter().filter(|r| r["kind"] != "web").cloned().collect();
    let mixed = run(EXE).arg("2025-07").arg("--from").arg(&csv).args(["--from", "-"]).stdin(lines(&rest));
    assert_eq!(mixed.finish().ok().text(), expected);
    let whole = directory.path().join("cells.ndjson");
    summarize(&records).arg("2025-07").arg("--to").arg(&whole).finish().ok();
    assert_eq!(std::fs::read_to_string(whole).unwrap(), expected);
}

/// Rows that join often, enough for several batches.
fn many() -> String {
    let mut state = 7_u64;
    let mut next = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut text = String::new();
    for id in 0..40_000_u64 {
        let datetime = format!("2025-{:02}-{:02} {:02}:00:00", 1 + next(12), 1 + next(28), next(24));
        let ip = format!("10.0.{}.{}", next(20), next(200));
        let record = match id % 4 {
            0 => session(id, &datetime, &ip, next(1200) as i64, json!({"ipcountry": "US", "domain": "mit.edu"})),
            1 => web(id - 1, &datetime, "/resources/1/download/x"),
            2 if id % 16 == 2 => login(&datetime, &format!("user{}", next(500)), &ip),
            2 => login(&datetime, &format!("user{}", next(500)), "10.1.1.1"),
            _ => json!({"kind": "hub_session", "sessnum": id, "username": format!("user{}", next(500)),
                "start": datetime, "appname": "x", "walltime": next(1_000_000) as f64 / 7.0, "viewtime": 0, "cputime": 0}),
        };
        let _ = writeln!(text, "{record}");
        if id % 8 == 3 {
            let _ = writeln!(text, "{}", toolstart(&datetime, &format!("user{}", next(500))));
        }
    }
    text
}

#[test]
fn one_core_two_cores_and_a_second_run_give_the_same_bytes() {
    let text = many();
    let with = |threads: &str| {
        let args = ["--since", "2025-01", "--through", "2025-12"];
        run(EXE).args(args).env("RAYON_NUM_THREADS", threads).stdin(text.clone()).finish().ok()
    };
    let one = with("1");
    let cells = Cells::of(&one);
    let joined = [cells.user(8, 1, 14), cells.user(4, 1, 14), cells.user(4, 7, 14)];
    assert!(joined.iter().all(|&n| n > 30), "the input joins: {joined:?}");
    assert_eq!(one.stdout, with("2").stdout);
    assert_eq!(one.stdout, with("2").stdout);
}

#[test]
fn random_bytes_do_not_panic() {
    let mut bytes = fixtures::random::ten_megabytes(1);
    bytes[0] = b'{';
    let of = |bytes: Vec<u8>| run(EXE).args(["--month", "2025-07", "-q"]).stdin(bytes).finish();
    let nothing = of(bytes.clone()).expect_code(1);
    assert_eq!(nothing.text(), "", "no cells of nothing");
    bytes.splice(0..0, *b"{\"kind\":\"web\"}\n");
    let done = of(bytes).ok();
    assert_eq!(done.records().len(), 462 + 48 + 6);
}

#[test]
fn hostile_values_do_not_panic() {
    let big = i64::MAX;
    let records = [
        json!({"kind": "session", "id": i64::MIN, "datetime": "9999-12-31 23:59:59", "duration": big, "jobs": big}),
        json!({"kind": "session", "id": i64::MIN, "datetime": "2025-07-03 23:59:59", "duration": big, "jobs": i64::MIN}),
        json!({"kind": "session", "id": 1, "datetime": "2025-07-03 23:59:59", "duration": big, "jobs": 1}),
        json!({"kind": "web", "sessionid": i64::MIN, "datetime": "0000-00-00 00:00:00", "content": "/resources/x/download/"}),
        json!({"kind": "hits", "datetime": "2025-07-03 00:00:00", "hits": big}),
        json!({"kind": "hits", "datetime": "2025-07-03 00:00:00", "hits": big}),
        json!({"kind": "hub_session", "sessnum": big, "start": "2025-07-03 00:00:00", "walltime": 1e308, "cputime": 1e308}),
        json!({"kind": "hub_session", "sessnum": big, "start": "2025-07-03 00:00:00", "cputime": 1e308}),
        toolstart("2025-07-00 00:00:00", "\u{0}\u{1F600}"),
        toolstart("2025-07-03 00:00:00", ""),
    ];
    let cells = Cells::month(&records, "2025-07");
    assert_eq!(cells.misc(8, 1), "18446744073709551614");
    assert_eq!(cells.sim(4, 1), big as u64);
    for month in ["0000-01", "9999-12", "1995-01", "1994-12"] {
        Cells::month(&records, month);
    }
}

#[test]
fn without_a_month_the_previous_one_is_computed() {
    let days = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400;
    let today = schema::Stamp::parse("1970-01-01").unwrap().plus_days(days as i64);
    let done = run(EXE).args(["--only", "misc"]).finish().ok();
    let label = done.records()[0]["datetime"].as_str().unwrap().to_owned();
    assert_eq!(label, today.month().unwrap().previous().label().to_string());
}

#[test]
fn little_memory_gives_the_same_cells() {
    let mut text = String::new();
    for id in 0..60_000_u32 {
        let (a, b) = (id % 251, id / 251);
        let _ = write!(
            text,
            "{{\"kind\":\"session\",\"id\":{id},\"datetime\":\"2025-{:02}-10 09:00:00\",\"ip\":\"10.1.{b}.{a}\",\"host\":\"h{}\",\
             \"domain\":\"mit.edu\",\"ipcountry\":\"US\",\"duration\":{},\"jobs\":0}}\n\
             {{\"kind\":\"web\",\"sessionid\":{},\"datetime\":\"2025-07-10 09:00:00\",\"content\":\"/resources/1/download/x\"}}\n",
            id % 7 + 1,
            id % 3,
            id % 2000,
            id / 2
        );
    }
    let run = |args: &[&str]| run(EXE).stdin(text.clone()).arg("2025-07").args(args).finish();
    let plenty = run(&[]).ok();
    assert_eq!(run(&["--memory", "1M"]).ok().text(), plenty.text());
    let nowhere = fixtures::run(EXE).env("TMPDIR", "/nonexistent").stdin(text.clone());
    let done = nowhere.args(["2025-07", "--memory", "1M"]).finish().expect_code(1);
    assert!(done.stderr.contains("/nonexistent") && done.stdout.is_empty(), "{}", done.stderr);
}

/// On a configured hub the tests do not touch the hub's own databases.
#[test]
fn tests_ask_no_server_except_their_own() {
    let poisoned = fixtures::poisoned::Poisoned::new();
    let tests = ["db::only_the_requested_cells_are_written", "db::without_a_month_the_previous_one_is_published"];
    poisoned.passes_in_environment(&tests);
    poisoned.passes_in_etc(&tests);
}
