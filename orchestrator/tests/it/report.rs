//! The chain `report` on a private server: the page of what the stages published, whole or not at all, and the
//! same as from the records in a pipe.

use std::fs;
use std::path::PathBuf;

use fixtures::Run;
use fixtures::db::{Pair, SqlMode, pair};
use schema::tables::Engine;
use serde_json::{Value, json};

const NOW: &str = "2025-08-12T12:00";

fn program(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(name)
}

fn piped(name: &str, args: &[&str], records: &str) -> String {
    fixtures::run(program(name)).env("HZMETRICS_NOW", NOW).args(args).stdin(records).finish().ok().text()
}

fn on(pair: &Pair, name: &str) -> Run {
    pair.run(program(name)).env("HZMETRICS_ROOT", pair.home()).env("HZMETRICS_NOW", NOW)
}

fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// Two months of a small hub: visitors of several countries, users of two tools.
fn hub() -> Vec<Value> {
    let mut list = Vec::new();
    for (n, country) in (0..40).zip(["US", "DE", "US", "FR", "US", "CN"].iter().cycle()) {
        for month in ["2025-06", "2025-07"] {
            list.push(json!({"kind": "session", "id": list.len() + 1, "datetime": format!("{month}-03 10:00:00"),
                "ip": format!("10.0.0.{n}"), "host": "a.mit.edu", "domain": "mit.edu", "ipcountry": country,
                "duration": 950 + n, "jobs": 0}));
        }
    }
    for n in 0..12 {
        list.push(json!({"kind": "hub_session", "sessnum": n + 1, "username": format!("user{n}"),
            "remoteip": "10.0.0.1", "start": "2025-07-05 10:00:00", "appname": if n < 9 { "first" } else { "second" },
            "walltime": 100.0, "viewtime": 50.5}));
    }
    for n in 0..12 {
        list.push(json!({"kind": "hub_profile", "uidNumber": n + 1, "username": format!("user{n}"),
            "orgtype": "industry", "emailConfirmed": 1}));
    }
    for (id, title) in [(7, "The first"), (8, "The second")] {
        let alias = title.rsplit(' ').next();
        list.push(json!({"kind": "hub_resource", "id": id, "title": title, "type": 7, "path": "", "published": 1,
            "standalone": 1, "alias": alias, "publish_up": "2020-01-01 00:00:00"}));
    }
    list.push(json!({"kind": "hits", "datetime": "2025-07-02 00:00:00", "hits": 4711}));
    list
}

/// The hub's tables with two published months.
fn published(engine: Engine) -> Option<Pair> {
    let pair = pair(engine, SqlMode::Strict)?;
    let mut lists = String::new();
    for place in schema::reference::country_continent() {
        lists += &format!("INSERT INTO country_continent VALUES ('{}', '{}');\n", place.country, place.continent);
    }
    for known in schema::reference::domainclass().filter(|known| known.domain == "mit.edu") {
        lists += &format!("INSERT INTO domainclass (domain, class) VALUES ('{}', {});\n", known.domain, known.class);
    }
    pair.sql(&lists);
    pair.insert(&hub());
    for month in ["2025-06", "2025-07"] {
        let _ = on(&pair, "summarize").args(["--db", month]).finish().ok();
    }
    let steps = "import-hub-data,tool-stats,tool-tops,tool-toplists";
    let _ = on(&pair, "tool-metrics").args(["--db", "--only", steps, "2025-07"]).finish().ok();
    Some(pair)
}

/// What a pipe makes of the same records.
fn expected(args: &[&str]) -> String {
    let records = lines(&hub());
    let cells = piped("summarize", &["--since", "2025-06", "--through", "2025-07"], &records);
    // the nightly job copies these from the hub's sessions
    let copies: Vec<_> = (0..12)
        .map(|n| {
            json!({"kind": "tool_session", "sessnum": n + 1, "user": format!("user{n}"), "ip": "10.0.0.1",
                "start": "2025-07-05 10:00:00", "appname": if n < 9 { "first" } else { "second" }})
        })
        .collect();
    let of_tools = records.clone() + &lines(&copies);
    let tools = piped("tool-metrics", &["--month", "2025-07", "--geo-url", "none"], &of_tools);
    piped("report", args, &(cells + &tools + &records))
}

#[test]
fn the_numbers_are_those_of_the_pipe() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = published(engine) else { return };
        let run = |args: &[&str]| {
            let csv = on(&pair, "report").args(["--from", "db"]).args(args).finish().ok().text();
            assert_eq!(csv, expected(args), "{engine:?} {args:?}");
            csv
        };
        let _ = run(&["--format", "csv"]);
        let private = run(&["--format", "csv", "--private"]);
        for number in ["Web server hits,,4711,", "tools-users,The first,Users,,9,", "map,United States,Visitors,,20,"] {
            assert!(private.contains(number), "{number}\n{private}");
        }
    }
}

#[test]
fn the_chain_writes_the_page_whole_or_not_at_all() {
    let Some(pair) = published(Engine::InnoDb) else { return };
    let folder = pair.home().join("a site");
    fs::create_dir_all(&folder).unwrap();
    let page = folder.join("usage.html");
    let page_is = format!("PAGE={}", page.display());
    let run = |args: &[&str]| on(&pair, "hzmetrics").args(args).arg(&page_is).finish();
    let of_page = || fs::read_to_string(&page).unwrap();
    let done = run(&["run-chain", "report"]).ok();
    assert_eq!((done.text().as_str(), done.stderr.as_str()), ("", ""));
    let july = expected(&[]);
    assert!(of_page() == july && july.ends_with("</html>"), "{}", of_page());
    let _ = run(&["run-chain", "report", "2025-06"]).ok();
    assert_ne!(of_page(), july);
    // the same in sh
    let script = run(&["explain", "report"]).ok().stdout;
    let _ = on(&pair, "/bin/sh").stdin(script).finish().ok();
    assert_eq!(of_page(), july);
    // a failure leaves the page as it was, and nothing beside it
    run(&["run-chain", "report", "2025-08"]).expect_code(1).said(&["2025-08 is not published", "chain report"]);
    assert_eq!(of_page(), july);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}
