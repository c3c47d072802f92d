//! The databases: the same cells as from records, published completely or not at all, in every
//! mode.

use std::collections::BTreeSet;
use std::time::Duration;

use fixtures::db::{MODES, Pair, SqlMode, pair, private_server};
use fixtures::random::Random;
use schema::tables::Engine;
use serde_json::{Value, json};

use super::{EXE, lines};

const TABLES: [&str; 3] = ["summary_user_vals", "summary_simusage_vals", "summary_misc_vals"];
const MONTH: &str = "2025-07";

/// The lists that are built in for the pipe.
fn insert_lists(pair: &Pair) {
    let mut sql = String::new();
    for c in schema::reference::country_continent() {
        sql += &format!("INSERT INTO country_continent VALUES ('{}', '{}');\n", c.country, c.continent);
    }
    for d in schema::reference::domainclass().filter(|d| ["mit.edu", "ibm.com", "nasa.gov"].contains(&d.domain)) {
        sql += &format!("INSERT INTO domainclass (domain, class) VALUES ('{}', {});\n", d.domain, d.class);
    }
    pair.sql(&sql);
}

/// A few years of a small hub, midnights and odd spellings included.
fn made_up(seed: u64) -> Vec<Value> {
    let mut random = Random::new(seed);
    let mut list = Vec::new();
    let ip = |random: &mut Random| format!("10.0.0.{}", random.below(12));
    let users = ["alice", "Alice", "\u{e1}lice ", "bob", "carol", "hctest1", "gridstat", "-", ""];
    let when = |random: &mut Random| {
        let (year, month) = (random.between(2023, 2025), random.between(1, 9));
        if random.chance(150) {
            return format!("{year}-{month:02}-01 00:00:00");
        }
        format!("{year}-{month:02}-{:02} {:02}:30:00", random.between(1, 28), random.below(24))
    };
    for id in 1..400 {
        let start = when(&mut random);
        let domain = random.pick(&["mit.edu", "ibm.com", "NASA.gov", "?", "example.org"]);
        let host = random.pick(&[json!("a.mit.edu"), json!("A.mit.edu"), json!("?"), Value::Null]).clone();
        list.push(json!({"kind": "session", "id": id, "datetime": start, "ip": ip(&mut random), "host": host,
            "domain": domain, "ipcountry": random.pick(&["US", "de", "CN", "-", ""]),
            "duration": random.pick(&[-5, 0, 899, 900, 5000]), "jobs": random.pick(&[0, 0, 0, 2])}));
    }
    for _ in 0..900 {
        let content = random.pick(&[
            "/resources/7/download/a.pdf",
            "/Resources/7/style.CSS",
            "/site/resources/2019/07/00007/a.pdf",
            "/topics/my-20intro/x",
            "/resources/7/about",
            "/",
        ]);
        let session = random.below(450);
        let sessionid = if session == 0 { Value::Null } else { json!(session) };
        let dnload = random.pick(&[Value::Null, json!(0), json!(0), json!(1)]).clone();
        let host = random.pick(&[json!("h"), json!("H "), json!("i"), Value::Null]).clone();
        list.push(json!({"kind": "web", "datetime": when(&mut random), "ip": ip(&mut random), "content": content,
            "sessionid": sessionid, "dnload": dnload, "host": host}));
    }
    for n in 0..150 {
        list.push(json!({"kind": "login", "datetime": when(&mut random), "uidNumber": n, "user": random.pick(&users),
            "ip": ip(&mut random), "action": random.pick(&["login", "Login", "simulation", "logout"])}));
    }
    for _ in 0..150 {
        let user = random.pick(&[json!("alice"), json!("Alice"), json!("bob"), Value::Null]).clone();
        list.push(json!({"kind": "toolstart", "datetime": when(&mut random), "success": random.pick(&[1, 1, 0]),
            "user": user, "countryresident": random.pick(&["US", "fr", ""]), "orgtype": "industry"}));
    }
    for sessnum in 1..120 {
        let (user, app) = (random.pick(&users), random.pick(&["workspace", "workspace_r2", "other", "x_dev"]));
        let secs = |random: &mut Random| f64::from(random.below(100_000)) / 7.0;
        list.push(json!({"kind": "hub_session", "sessnum": sessnum, "username": user.trim(), "start": when(&mut random),
            "appname": app, "walltime": secs(&mut random), "viewtime": secs(&mut random), "cputime": secs(&mut random)}));
        list.push(json!({"kind": "hub_job", "sessnum": sessnum, "job": random.below(3), "event": "application",
            "start": "2025-07-01 00:00:00", "cputime": secs(&mut random), "venue": ""}));
    }
    list.push(json!({"kind": "hub_tool_version", "toolname": "workspace", "instance": "workspace_r2"}));
    for (id, user, country) in [(1, "ALICE", "US"), (2, "bob", "de"), (3, "nobody", "")] {
        list.push(json!({"kind": "hub_profile", "uidNumber": id, "username": user, "countryresident": country,
            "orgtype": "universitystaff", "registerDate": when(&mut random), "emailConfirmed": id - 1}));
    }
    for (id, kind, path) in [(7, 3, "2019/07/00007/a.pdf"), (8, 3, "/topics/my intro"), (9, 2, "x.css"), (10, 5, "")] {
        list.push(json!({"kind": "hub_resource", "id": id, "type": kind, "path": path, "published": 1,
            "standalone": 1, "publish_up": format!("20{id:02}-01-01 00:00:00"), "title": "", "alias": ""}));
    }
    for day in ["2025-07-01", "2025-07-02", "2025-06-01", "2024-08-01"] {
        list.push(json!({"kind": "hits", "datetime": format!("{day} 00:00:00"), "hits": random.below(1000)}));
    }
    list
}

/// Without fields that tables have and records lack.
fn piped(records: &[Value], args: &[&str]) -> String {
    let lists = tempfile::tempdir().unwrap();
    let file = lists.path().join("domains.csv");
    let mut text = "domain,class\n".to_owned();
    for d in schema::reference::domainclass().filter(|d| ["mit.edu", "ibm.com", "nasa.gov"].contains(&d.domain)) {
        text += &format!("{},{}\n", d.domain, d.class);
    }
    std::fs::write(&file, text).unwrap();
    let run = fixtures::run(EXE).stdin(lines(records)).args(args).arg("--domainclass").arg(file);
    run.finish().ok().text()
}

/// Records of cells as lines of a table.
fn cells_of(text: &str, table: &str) -> Vec<String> {
    let cells = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = |c: Value| {
        let value = c["value"].as_str().unwrap();
        let (rowid, colid, period) = (&c["rowid"], &c["colid"], &c["period"]);
        format!("{rowid}\t{colid}\t{}\t{period}\t{value}\t{}", c["datetime"].as_str().unwrap(), c["valfmt"])
    };
    cells.filter(|c| c["table"] == table).map(line).collect()
}

fn stored(pair: &Pair, table: &str) -> Vec<String> {
    pair.lines(&format!("SELECT * FROM {table}"))
}

/// The content of both databases, without the row of the writer, which every run changes.
fn everything(pair: &Pair) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for database in [&pair.metrics, &pair.hub] {
        for table in
            pair.lines(&format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'"))
        {
            if table == "hz_writer" {
                continue;
            }
            all.push([vec![table.clone()], pair.lines(&format!("SELECT * FROM `{database}`.`{table}`"))].concat());
        }
    }
    all
}

fn ready(pair: &Pair, records: &[Value]) {
    insert_lists(pair);
    pair.insert(records);
}

fn summarize(pair: &Pair, args: &[&str]) -> fixtures::Finished {
    pair.run(EXE).args(args).finish()
}

#[test]
fn the_tables_and_the_pipe_give_the_same_cells() {
    let records = made_up(1);
    let expected = piped(&records, &[MONTH]);
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        ready(&pair, &records);
        let done = summarize(&pair, &["--db", MONTH]).ok();
        assert_eq!((done.text().as_str(), done.stderr.as_str()), ("", ""), "{engine:?} {mode:?}");
        for table in TABLES {
            let cells = cells_of(&expected, table);
            assert!(cells.len() > 40);
            assert_eq!(stored(&pair, table), cells, "{engine:?} {mode:?} {table}");
        }
        let lite = "SELECT * FROM userlogin WHERE action IN ('login', 'simulation') ORDER BY id";
        assert_eq!(pair.lines("SELECT * FROM userlogin_lite ORDER BY id"), pair.lines(lite));
        assert!(!pair.lines("SELECT 1 FROM userlogin_lite WHERE BINARY action = 'Login'").is_empty());
        let before = everything(&pair);
        let shown = summarize(&pair, &["--from", "db", "--to", "-", MONTH, "--memory", "1M"]).ok();
        assert_eq!(shown.text(), expected, "{engine:?} {mode:?}");
        let table = summarize(&pair, &["--from", "db", "--to", "-", "--format", "csv", MONTH]).ok();
        assert_eq!(table.text().lines().count(), expected.lines().count() + 1);
        let dry = summarize(&pair, &["--db", "--dry-run", MONTH]).ok();
        assert!(dry.text().starts_with(&expected) && dry.of_kind("resource_stat").len() == 9, "{}", dry.text());
        assert!(dry.stderr.contains("[dry-run] 0 tool sessions to add, 2 profiles to copy"), "{}", dry.stderr);
        assert_eq!(everything(&pair), before, "something was written");
        let _ = summarize(&pair, &["--db", MONTH]).ok();
        assert_eq!(everything(&pair), before, "the second run changed something");
    }
}

/// The cells that `--why` answers for, and what the rows of each add up to.
fn listed(answer: &str) -> Vec<(Value, Vec<Value>)> {
    let mut cells: Vec<(Value, Vec<Value>)> = Vec::new();
    for line in answer.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["kind"] == "why" {
            cells.push((record, Vec::new()));
        } else {
            let (why, rows) = cells.last_mut().unwrap();
            assert!(record["cell"] == why["cell"] && record["period"] == why["period"], "{record} {why}");
            rows.push(record);
        }
    }
    cells
}

/// The cells that no sum of their rows is: a day with its users, quotients, seconds that are rounded.
const NO_SUM: [&str; 6] = [
    "misc.busiest-day",
    "simulation.runs-per-user",
    "simulation.time-between-runs",
    "simulation.cpu-time",
    "simulation.wall-time",
    "simulation.interaction-time",
];

#[test]
fn the_rows_of_every_cell_come_to_what_is_published() {
    for n in 0..u64::from(fixtures::asked("HZMETRICS_CAMPAIGN", 5u32).div_ceil(5)) {
        for (seed, (engine, mode)) in (31 + 100 * n..).zip(MODES) {
            every_cell(seed, engine, mode);
        }
    }
}

fn every_cell(seed: u64, engine: Engine, mode: SqlMode) {
    let records = made_up(seed);
    let Some(pair) = pair(engine, mode) else { return };
    ready(&pair, &records);
    let _ = summarize(&pair, &["--db", MONTH]).ok();
    let published = |why: &Value| {
        let sql = format!(
            "SELECT value FROM {} WHERE rowid = {} AND colid = {} AND period = {}",
            why["table"].as_str().unwrap(),
            why["rowid"],
            why["colid"],
            why["period"]
        );
        pair.value(&sql)
    };
    let before = everything(&pair);
    let answer = summarize(&pair, &["--from", "db", "--why", "all", MONTH]).ok().text();
    let cells = listed(&answer);
    assert_eq!(cells.len(), 95 * 6);
    let mut shown = 0;
    for (why, rows) in &cells {
        let name = why["cell"].as_str().unwrap();
        let value = published(why);
        assert_eq!(why.get("value").and_then(Value::as_str).map(str::to_owned), value, "{engine:?} {why}");
        let adds: f64 = rows.iter().map(|row| row["adds"].as_f64().unwrap()).fold(0.0, |a, b| a + b);
        let value = value.unwrap_or_default();
        if !(NO_SUM.contains(&name) || value.is_empty() && rows.is_empty()) {
            assert_eq!(adds.to_string(), value, "{engine:?} {why}");
        }
        shown += usize::from(!rows.is_empty());
    }
    assert!(shown > 250, "{shown} cells have rows");
    assert_eq!(everything(&pair), before, "something was written");
    // the pipe lists as many
    let piped = listed(&piped(&records, &["--why", "all", "--month", MONTH]));
    for ((a, _), (b, _)) in cells.iter().zip(&piped) {
        assert!(a["rows"] == b["rows"] && a["value"] == b["value"] && a["rule"] == b["rule"], "{a} {b}");
    }
}

#[test]
fn requests_of_the_sessions_are_listed_on_request() {
    let records = made_up(3);
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    ready(&pair, &records);
    let ask = ["--why", "users.download,misc.hits", "--periods", "14", "--requests", MONTH];
    let with = listed(&summarize(&pair, &[&["--from", "db"], &ask[..]].concat()).ok().text());
    let [(why, rows), _] = with.as_slice() else { panic!("{with:?}") };
    let of = |source: &str| rows.iter().filter(|row| row["source"] == source).collect::<Vec<_>>();
    let ids: Vec<&Value> = of("session").iter().map(|row| &row["id"]).collect();
    let requests = |id: &Value| records.iter().filter(|r| r["kind"] == "web" && r["sessionid"] == *id).count();
    let expected: usize = ids.iter().map(|id| requests(id)).sum();
    assert!(expected > 10 && of("web").len() == expected, "{why} {expected}");
    assert!(of("web").iter().all(|row| row["content"].is_string() && row["id"].is_number() && row["adds"] == 0));
    let piped = listed(&piped(&records, &ask));
    assert_eq!(piped[0].1.iter().filter(|row| row["source"] == "web").count(), expected);
    // one row, and the cells that it counts in
    let one = format!("session:{}", ids[0]);
    let of = ["--from", "db", "--why", "all", "--periods", "14", "--of", &one, MONTH];
    let of = listed(&summarize(&pair, &of).ok().text());
    assert!(of.len() > 3 && of.iter().any(|(why, _)| why["cell"] == "users.download"), "{of:?}");
    assert!(of.iter().flat_map(|(_, rows)| rows).all(|row| row["source"] == "session" && row["id"] == *ids[0]));
    // CSV shows the rows
    let csv = summarize(&pair, &["--from", "db", "--why", "misc.hits", "--format", "csv", MONTH]).ok().text();
    assert!(csv.starts_with("kind,cell,period,part,adds,who,source,"), "{csv}");
    for (words, code) in [
        ("misc.hits --of session", 2),
        ("misc.hits --of ip:", 2),
        ("misc.hit", 2),
        ("misc.hits --db", 2),
        ("misc.hits --only misc", 2),
    ] {
        let args: Vec<&str> = ["--from", "db", MONTH, "--why"].into_iter().chain(words.split(' ')).collect();
        let done = summarize(&pair, &args).expect_code(code);
        assert!(words != "misc.hit" || done.stderr.contains("did you mean `misc.hits`?"), "{}", done.stderr);
    }
}

#[test]
fn a_range_gives_the_same_as_its_months() {
    let records = made_up(2);
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Lax) else { return };
        ready(&pair, &records);
        for month in ["2024-11", "2024-12", "2025-01", "2025-02"] {
            let _ = summarize(&pair, &["--db", month]).ok();
        }
        let before = everything(&pair);
        let wipe: String = TABLES.iter().map(|table| format!("DELETE FROM {table};\n")).collect();
        pair.sql(&(wipe + "DELETE FROM {hub}.jos_resource_stats"));
        let _ = summarize(&pair, &["--db", "--since", "2024-11", "--through", "2025-02"]).ok();
        let without_ids = |mut all: Vec<Vec<String>>| {
            for table in all.iter_mut().filter(|table| table[0] == "jos_resource_stats") {
                table.iter_mut().skip(1).for_each(|line| *line = line.split_once('\t').unwrap().1.to_owned());
            }
            all
        };
        assert_eq!(without_ids(everything(&pair)), without_ids(before), "{engine:?}");
    }
}

/// The lines of all tables of cells, and of their sources.
fn sorted_tables(pair: &Pair) -> Vec<Vec<String>> {
    let copies = ["jos_xprofiles_metrics", "userlogin_lite", "sessionlog_metrics"];
    let all = TABLES.into_iter().chain(copies).map(|table| {
        let mut lines = stored(pair, table);
        lines.sort_unstable();
        lines
    });
    all.collect()
}

#[test]
fn three_years_at_once_give_the_same_as_month_by_month() {
    let records = made_up(12);
    let (first, last): (schema::Month, schema::Month) = ("2022-12".parse().unwrap(), "2025-11".parse().unwrap());
    let months: Vec<String> = first.through(last).map(|month| month.to_string()).collect();
    assert_eq!(months.len(), 36);
    let range = ["--since", "2022-12", "--through", "2025-11"];
    let piped_range = piped(&records, &range);
    let piped_months: String = months.iter().map(|month| piped(&records, &[month])).collect();
    assert!(piped_range == piped_months, "the pipe");
    let (Some(at_once), Some(one_by_one)) = (pair(Engine::InnoDb, SqlMode::Strict), pair(Engine::MyIsam, SqlMode::Lax))
    else {
        return;
    };
    for pair in [&at_once, &one_by_one] {
        ready(pair, &records);
    }
    let _ = summarize(&at_once, &[&["--db"], &range[..]].concat()).ok();
    for month in &months {
        let _ = summarize(&one_by_one, &["--db", month]).ok();
    }
    for table in TABLES {
        assert!(stored(&at_once, table) == cells_of(&piped_range, table), "{table} and the pipe");
    }
    let (a, b) = (sorted_tables(&at_once), sorted_tables(&one_by_one));
    for (a, b) in a.iter().zip(&b) {
        assert!(!a.is_empty() && a == b, "{:?}", a.iter().zip(b).find(|(a, b)| a != b));
    }
    let user = "SELECT 1 FROM summary_user_vals WHERE rowid = 6 AND colid = 5 AND value > 0";
    assert!(at_once.lines(user).len() > 50, "profiles matter");
    let uses = "SELECT resid, restype, users, `datetime`, period FROM {hub}.jos_resource_stats ORDER BY 4, 1, 5";
    assert_eq!(at_once.lines(uses).len(), 36 * 3 * 3);
    assert!(at_once.lines(uses) == one_by_one.lines(uses), "usage");
}

#[test]
fn a_month_filled_in_afterwards_reaches_the_long_periods() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let hits = |windows: &str| {
        let sql = format!(
            "SELECT period, value FROM summary_misc_vals WHERE rowid = 8 AND `datetime` = '2024-06-00' AND period IN ({windows}) \
             ORDER BY period"
        );
        pair.lines(&sql)
    };
    pair.insert(&[json!({"kind": "hits", "datetime": "2024-06-15 00:00:00", "hits": 200})]);
    let _ = summarize(&pair, &["--db", "2024-06"]).ok();
    assert_eq!(hits("0,1,3,12,13,14"), ["0\t200", "1\t200", "3\t200", "12\t200", "13\t200", "14\t200"]);
    pair.insert(&[json!({"kind": "hits", "datetime": "2023-06-15 00:00:00", "hits": 100})]);
    // the later months again, only the periods that reach back
    let _ = summarize(&pair, &["--db", "--since", "2023-06", "--through", "2024-06", "--periods", "12,14"]).ok();
    assert_eq!(hits("12,14"), ["12\t200", "14\t300"]);
    assert_eq!(hits("0,1,3,13"), ["0\t200", "1\t200", "3\t200", "13\t200"]);
    let early =
        "SELECT period, value FROM summary_misc_vals WHERE rowid = 8 AND `datetime` = '2024-05-00' ORDER BY period";
    assert_eq!(pair.lines(early), ["12\t100", "14\t100"]);
}

#[test]
fn instants_around_a_month_belong_to_the_right_periods() {
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Strict) else { return };
    let instants = [
        "2025-08-15 12:34:56",
        "2025-08-31 23:59:59",
        "2025-09-01 00:00:00",
        "2025-09-01 00:00:01",
        "2025-09-15 12:34:56",
        "2025-09-30 23:59:59",
        "2025-10-01 00:00:00",
        "2025-10-01 00:00:01",
    ];
    let mut records =
        vec![json!({"kind": "hub_resource", "id": 1, "type": 3, "path": "/local/x", "published": 1, "standalone": 1,
        "title": "", "alias": ""})];
    // the numbers are chosen so that a sum shows which instants it includes
    for (i, instant) in instants.iter().enumerate() {
        for n in 0..1 << i {
            records.push(json!({"kind": "toolstart", "datetime": instant, "success": 1, "user": "u"}));
            records
                .push(json!({"kind": "web", "datetime": instant, "content": "/local/x", "ip": format!("10.0.{i}.{n}"),
                "host": "h"}));
        }
    }
    pair.insert(&records);
    let _ = summarize(&pair, &["--db", "--since", "2025-08", "--through", "2025-10"]).ok();
    let starts = "SELECT value FROM summary_simusage_vals WHERE rowid = 2 AND period = 1 ORDER BY `datetime`";
    // the very first instant of a month is in no period
    assert_eq!(pair.lines(starts), ["3", "56", "128"]);
    let visitors = "SELECT users FROM {hub}.jos_resource_stats WHERE period = 1 ORDER BY `datetime`";
    // for visitors of resources it belongs to the new month
    assert_eq!(pair.lines(visitors), ["3", "60", "192"]);
    // the longer periods include it, except one that begins with it: September ends a fiscal year,
    // October begins one and a quarter
    let long = "SELECT `datetime`, period, value FROM summary_simusage_vals WHERE rowid = 2 AND period IN (3, 12, 13) \
                AND `datetime` > '2025-09-00' ORDER BY 1, 2";
    let october = ["2025-10-00 00:00:00\t3\t128", "2025-10-00 00:00:00\t12\t255", "2025-10-00 00:00:00\t13\t128"];
    assert_eq!(pair.lines(long), october);
    let september = long.replace("> '2025-09-00'", "= '2025-09-00'");
    assert_eq!(
        pair.lines(&september),
        ["2025-09-00 00:00:00\t3\t63", "2025-09-00 00:00:00\t12\t63", "2025-09-00 00:00:00\t13\t63"]
    );
}

#[test]
fn only_the_requested_cells_are_written() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        ready(&pair, &made_up(3));
        pair.sql(
            "INSERT INTO summary_misc_vals VALUES (2, 1, '2025-07-00', 1, 'old', 9), (1, 1, '2025-06-00', 1, 'old', 1), \
             (2, 1, '2025-07-00', 1, 'old', 9), (1, 1, '2025-07-00', 3, 'old', 1);
             INSERT INTO summary_user_vals VALUES (6, 1, '2025-07-00', 1, 99, 1)",
        );
        let _ = summarize(&pair, &["--db", "--only", "import-hub-data"]).ok();
        let _ = summarize(&pair, &["--db", "--only", "misc", "--periods", "1", MONTH]).ok();
        let misc = pair.lines("SELECT rowid, `datetime`, period, value = 'old' FROM summary_misc_vals");
        let (june, quarter) = ("1\t2025-06-00 00:00:00\t1\t1".to_owned(), "1\t2025-07-00 00:00:00\t3\t1".to_owned());
        assert_eq!(misc.len(), 10, "{misc:?}");
        assert!(misc.contains(&june) && misc.contains(&quarter));
        // without transactions a cell keeps its position in the table
        let first = if engine == Engine::MyIsam { "2\t2025-07-00 00:00:00\t1\t0" } else { june.as_str() };
        assert_eq!(misc[0], first);
        assert_eq!(stored(&pair, "summary_user_vals"), ["6\t1\t2025-07-00 00:00:00\t1\t99\t1"]);
        assert_eq!(pair.value("SELECT COUNT(*) FROM {hub}.jos_resource_stats").as_deref(), Some("0"));
        let _ =
            summarize(&pair, &["--db", "--only", "summary", "--sections", "reg,sim", "--periods", "1,12", MONTH]).ok();
        assert_eq!(
            pair.lines("SELECT rowid, period, COUNT(*) FROM summary_user_vals GROUP BY 1, 2"),
            ["2\t1\t11", "2\t12\t11", "6\t1\t11", "6\t12\t11"]
        );
        assert_ne!(
            pair.value("SELECT value FROM summary_user_vals WHERE rowid = 6 AND colid = 1 AND period = 1").as_deref(),
            Some("99")
        );
        // a month filled in afterwards: its own period, no usage
        let _ = summarize(&pair, &["--db", "--periods", "1", MONTH]).ok();
        assert_eq!(pair.value("SELECT COUNT(*) FROM {hub}.jos_resource_stats").as_deref(), Some("0"));
        assert_eq!(pair.value("SELECT COUNT(*) FROM summary_user_vals WHERE period = 1").as_deref(), Some("77"));
    }
}

#[test]
fn cells_of_records_can_be_published() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    let records = made_up(4);
    let run = pair.run(EXE).stdin(lines(&records)).args(["--to", "db", MONTH]).finish().ok();
    assert_eq!(run.text(), "");
    let shown = fixtures::run(EXE).stdin(lines(&records)).arg(MONTH).finish().ok().text();
    for table in TABLES {
        assert_eq!(stored(&pair, table), cells_of(&shown, table));
    }
}

#[test]
fn without_a_month_the_previous_one_is_published() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    ready(&pair, &made_up(5));
    let _ = summarize(&pair, &["--db"]).ok();
    let labels = pair.lines("SELECT DISTINCT `datetime` FROM summary_user_vals");
    let previous = pair.value("SELECT DATE_FORMAT(NOW() - INTERVAL 1 MONTH, '%Y-%m-00 00:00:00')").unwrap();
    let current = pair.value("SELECT DATE_FORMAT(NOW(), '%Y-%m-01 00:00:00')").unwrap();
    assert_eq!(labels, [previous]);
    assert_eq!(pair.lines("SELECT DISTINCT `datetime` FROM {hub}.jos_resource_stats"), [current]);
}

#[test]
fn a_withheld_month_is_left_alone_until_it_is_named() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    ready(&pair, &made_up(17));
    let months =
        "CONCAT('1999-01,', DATE_FORMAT(NOW() - INTERVAL 1 MONTH, '%Y-%m'), ', ', DATE_FORMAT(NOW(), '%Y-%m'))";
    pair.sql(&format!("INSERT INTO pipeline_state (k, v) VALUES ('withheld_months', {months})"));
    let counts = || {
        let tables = ["summary_misc_vals", "{hub}.jos_resource_stats"];
        tables.map(|table| pair.value(&format!("SELECT COUNT(*) > 0 FROM {table}")).unwrap()).join(" ")
    };
    assert_eq!((summarize(&pair, &["--db"]).ok().stderr.as_str(), counts()), ("", "0 0".to_owned()));
    pair.run(EXE).stdin(lines(&made_up(17))).args(["--to", "db"]).finish().ok();
    assert_eq!(counts(), "0 0");
    let told = summarize(&pair, &["--db", "--dry-run"]).ok();
    assert!(told.text().is_empty() && told.stderr.matches("is withheld and left out").count() == 2, "{}", told.stderr);
    let previous = pair.value("SELECT DATE_FORMAT(NOW() - INTERVAL 1 MONTH, '%Y-%m')").unwrap();
    summarize(&pair, &["--db", &previous]).ok();
    assert_eq!(&counts()[..1], "1");
}

#[test]
fn without_a_month_a_terminal_is_told_which() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    ready(&pair, &made_up(5));
    let said = |args: &[&str]| {
        let run = pair.run(EXE).env("HZMETRICS_NOW", "2025-08-01T00:10").args(["--db"]).args(args);
        run.finish().ok().stderr
    };
    // as started by cron
    assert_eq!(said(&[]), "");
    let both =
        "summarize: no month was given: the cells are those of 2025-07, the usage of resources is that of 2025-08\n";
    let dry = said(&["--dry-run"]);
    assert!(dry.starts_with(both), "{dry}");
    let cells = "summarize: no month was given: the cells are those of 2025-07\n";
    assert_eq!(said(&["--dry-run", "--only", "misc"]), cells);
    for silent in [&["--dry-run", "--only", "misc", "2025-07"][..], &["--dry-run", "--only", "misc", "--quiet"]] {
        assert_eq!(said(silent), "", "{silent:?}");
    }
    // on a terminal
    let home = pair.home().join("typescript");
    let line = format!("{EXE} --db --only misc");
    let run = pair.run("script").env("HZMETRICS_NOW", "2025-08-01T00:10").args(["-qec", &line]).arg(&home);
    assert!(run.finish().ok().text().contains(cells.trim_end()));
}

#[test]
fn without_simulations_old_rows_of_them_are_kept() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        ready(&pair, &[json!({"kind": "toolstart", "datetime": "2025-07-10 00:00:00", "success": 1, "user": "u"})]);
        let run = || summarize(&pair, &["--db", "--only", "import-hub-data,sim-usage", MONTH]).ok();
        let _ = run();
        let before = stored(&pair, "summary_simusage_vals");
        assert_eq!(before.len(), 60);
        pair.sql("DELETE FROM toolstart");
        let _ = run();
        let lines = |condition: &str| {
            pair.lines(&format!("SELECT rowid, period, value FROM summary_simusage_vals WHERE {condition}"))
        };
        assert_eq!(lines("rowid = 1 AND value = 0").len(), 6);
        assert_eq!(lines("rowid = 2 AND value = 1").len(), 6);
        assert_eq!(lines("rowid = 9 OR rowid = 4").len(), 12);
        if engine == Engine::MyIsam {
            let places = |rows: &[String]| {
                rows.iter().map(|r| r.split('\t').take(4).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
            };
            assert_eq!(places(&stored(&pair, "summary_simusage_vals")), places(&before));
        }
    }
}

#[test]
fn usage_of_resources_is_written() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let visit = |datetime: &str, content: &str, ip: &str| json!({"kind": "web", "datetime": datetime, "content": content, "ip": ip, "host": "h"});
        pair.insert(
            &[
                visit("2025-07-01 00:00:00", "/site/resources/123ABC.pdf ", "1.1.1.1"),
                visit("2025-07-31 23:59:59", "/resources//download/123abc.pdf", "1.1.1.1"),
                visit("2025-07-02 00:00:00", "/resources//download/123abc.pdf", "1.1.1.2"),
                visit("2024-08-01 00:00:00", "/resources//download/123abc.pdf", "1.1.1.3"),
                visit("2024-07-31 23:59:59", "/resources//download/123abc.pdf", "1.1.1.4"),
                visit("2025-08-01 00:00:00", "/resources//download/123abc.pdf", "1.1.1.5"),
                visit("2025-07-02 00:00:00", "lm/course/any", "1.1.1.6"),
                visit("2025-07-02 00:00:00", "/site/resources/lm/course/chapter.html", "1.1.1.7"),
                visit("2025-07-02 00:00:00", "/topics/my-old-20introX", "1.1.1.8"),
                json!({"kind": "web", "datetime": "2025-07-02 00:00:00", "content": "lm/course/any", "ip": "9.9.9.9", "host": null}),
            ],
        );
        let resource = |id: i64, kind: i64, path: &str| {
            json!({"kind": "hub_resource", "id": id, "type": kind, "path": path, "published": 1, "standalone": 1,
                "publish_up": format!("20{id:02}-01-01 00:00:00"), "title": "", "alias": ""})
        };
        let hidden = |id: i64, path: &str| {
            let mut record = resource(id, 1, path);
            record["standalone"] = json!(0);
            record["published"] = json!(0);
            record
        };
        pair.insert(&[
            resource(1, 3, "123abc.pdf"),
            resource(2, 4, "lm/course/chapter.html"),
            resource(3, 5, "/topics/my intro"),
            resource(4, 5, ""),
            resource(5, 5, "never asked"),
            resource(6, 7, "123abc.pdf"),
            hidden(7, "123abc.pdf"),
            resource(8, 6, "  "),
        ]);
        // 7 is below 4, through 8, in a circle
        pair.sql(
            "USE hub;
             INSERT INTO jos_resource_assoc (parent_id, child_id) VALUES (4, 8), (8, 7), (7, 4);
             INSERT INTO jos_resource_stats (resid, restype, users, jobs, `datetime`, period) VALUES
             (1, 99, 500, 5, '2025-07-01', 12), (2, 4, 500, 6, '2025-07-01', 14), (8, 1, 70, 7, '2025-06-01', 1)",
        );
        let run = |more: &[&str]| summarize(&pair, &[&["--db", "--only", "andmore", MONTH], more].concat()).ok();
        let rows = || {
            pair.lines("SELECT resid, restype, users, jobs, `datetime`, period, processed_on FROM {hub}.jos_resource_stats ORDER BY id")
        };
        let row = |resid: u8, kind: u8, users: u8, jobs: &str, period: u8| {
            format!("{resid}\t{kind}\t{users}\t{jobs}\t2025-07-01 00:00:00\t{period}\t0000-00-00 00:00:00")
        };
        let _ = run(&[]);
        let mut expected = vec![
            row(1, 99, 3, "5", 12),
            row(2, 4, 1, "6", 14),
            "8\t1\t70\t7\t2025-06-01 00:00:00\t1\t0000-00-00 00:00:00".to_owned(),
            // the latest published first
            row(8, 6, 3, "NULL", 12),
            row(8, 6, 4, "NULL", 14),
            row(8, 6, 2, "NULL", 1),
            row(5, 5, 0, "NULL", 12),
            row(5, 5, 0, "NULL", 14),
            row(5, 5, 0, "NULL", 1),
            row(4, 5, 3, "NULL", 12),
            row(4, 5, 4, "NULL", 14),
            row(4, 5, 2, "NULL", 1),
            row(3, 5, 1, "NULL", 12),
            row(3, 5, 1, "NULL", 14),
            row(3, 5, 1, "NULL", 1),
            row(2, 4, 1, "NULL", 12),
            row(2, 4, 1, "NULL", 1),
            row(1, 3, 4, "NULL", 14),
            row(1, 3, 2, "NULL", 1),
        ];
        assert_eq!(rows(), expected, "{engine:?} {mode:?}");
        let _ = run(&[]);
        assert_eq!(rows(), expected, "the second run");
        // the port also distinguishes rows by their type
        let _ = run(&["--compat", "port"]);
        expected.push(row(1, 3, 3, "NULL", 12));
        assert_eq!(rows(), expected, "the port");
        assert_eq!(pair.lines("SELECT * FROM summary_user_vals").len(), 0);
    }
}

/// The rebuilt table has the columns of `userlogin`, whatever it had before: the next night does not undo
/// migration 1002.
#[test]
fn userlogin_lite_is_as_wide_as_userlogin() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        ready(&pair, &made_up(6));
        let long = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff";
        pair.sql(&format!(
            "ALTER TABLE userlogin_lite MODIFY ip varchar(15) NOT NULL DEFAULT '';\n\
             INSERT INTO userlogin (datetime, user, uidNumber, ip, action) VALUES ('2025-07-01', 'six', 6, '{long}', 'login')"
        ));
        let _ = summarize(&pair, &["--db", MONTH, "--compat", "ipv6"]).ok();
        assert_eq!(pair.lines("SELECT ip FROM userlogin_lite WHERE user = 'six'"), [long], "{engine:?}");
        let width = "SELECT column_type FROM information_schema.columns WHERE table_schema = DATABASE() AND \
                     table_name = 'userlogin_lite' AND column_name = 'ip'";
        assert_eq!(pair.lines(width), ["varchar(45)"]);
    }
}

#[test]
fn userlogin_lite_has_the_indexes_of_the_original_or_of_the_port() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        ready(&pair, &made_up(6));
        let _ = summarize(&pair, &["--db", MONTH]).ok();
        let keys = || {
            pair.shape(&pair.metrics)
                .of("userlogin_lite")
                .indexes
                .iter()
                .map(|l| l.split('\t').nth(4).unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(), ["hz_id", "datetime", "uidNumber", "user"]);
        let _ = summarize(&pair, &["--db", MONTH, "--compat", "port"]).ok();
        assert_eq!(keys(), ["hz_id", "datetime", "user", "uidNumber"]);
        let columns = pair.shape(&pair.metrics).of("userlogin_lite").columns;
        assert_eq!(columns, fixtures::db::Shape::of_metrics().of("userlogin_lite").columns);
        let left = pair.lines(&format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' AND table_name LIKE '%\\_\\_%'",
            pair.metrics
        ));
        assert_eq!(left, Vec::<String>::new());
    }
}

#[test]
fn a_failed_step_does_not_stop_the_others() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Lax) else { return };
    ready(&pair, &made_up(7));
    pair.sql("DROP TABLE {hub}.jos_resource_assoc");
    let done = summarize(&pair, &["--db", MONTH]).expect_code(1);
    assert!(done.stderr.contains("there is no table `jos_resource_assoc`"), "{}", done.stderr);
    assert!(done.stderr.contains("not done: andmore"), "{}", done.stderr);
    assert_eq!(stored(&pair, "summary_user_vals").len(), 462);
    pair.sql("DROP TABLE summary_misc_vals");
    let before = stored(&pair, "summary_user_vals");
    let done = summarize(&pair, &["--db", "--only", "summary", "2025-06"]).expect_code(1);
    assert!(done.stderr.contains("there is no table `summary_misc_vals`"), "{}", done.stderr);
    assert_eq!(stored(&pair, "summary_user_vals"), before);
    pair.sql("CREATE TABLE {hub}.jos_resource_assoc (parent_id int, child_id int)");
    for table in ["websessions", "userlogin"] {
        pair.sql(&format!("DELETE FROM {{hub}}.jos_resource_stats;\nRENAME TABLE {table} TO gone"));
        let done = summarize(&pair, &["--db", MONTH]).expect_code(1);
        assert!(done.stderr.contains(&format!("there is no table `{table}`")), "{}", done.stderr);
        assert!(done.stderr.ends_with("not done: summary; everything else is\n"), "{}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 2, "said once: {}", done.stderr);
        assert_eq!(pair.value("SELECT COUNT(*) FROM {hub}.jos_resource_stats").as_deref(), Some("9"), "{table}");
        pair.sql(&format!("RENAME TABLE gone TO {table}"));
    }
    pair.sql("DROP TABLE websessions");
    let done = summarize(&pair, &["--from", "db", MONTH]).expect_code(1);
    assert!(done.stderr.contains("there is no table `websessions`"), "{}", done.stderr);
    assert_eq!(done.text(), "");
}

#[test]
fn wrong_usage_of_steps_is_reported() {
    let done = fixtures::run(EXE).args(["--only", "andmore"]).finish().expect_code(2);
    assert!(done.stderr.contains("the step andmore reads tables only"), "{}", done.stderr);
    let done = fixtures::run(EXE).args(["--from", "db", "--only", "import-hub-data"]).finish().expect_code(2);
    assert!(done.stderr.contains("add --db"), "{}", done.stderr);
    let _ = fixtures::run(EXE).args(["--db", "--only", "nonsense"]).finish().expect_code(2);
}

/// Waits until a statement of the stage waits for a lock.
fn wait_for_lock(pair: &Pair) {
    for _ in 0..600 {
        let waiting = "SELECT 1 FROM information_schema.processlist WHERE user IN ('strict', 'lax') AND time_ms > 300 \
                       AND info IS NOT NULL AND (state LIKE '%lock%' OR state LIKE 'Updating%' OR info LIKE 'DELETE%')";
        if !pair.lines(waiting).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody waits: {:?}", pair.lines("SHOW FULL PROCESSLIST"));
}

#[test]
fn a_run_that_dies_leaves_the_old_month_complete() {
    let Some(server) = private_server() else { return };
    for (engine, hold) in [
        (Engine::InnoDb, "START TRANSACTION; SELECT * FROM {m}.summary_user_vals FOR UPDATE"),
        (Engine::MyIsam, "LOCK TABLES {m}.summary_user_vals WRITE"),
    ] {
        let pair = server.names(SqlMode::Strict);
        pair.create_hub(true);
        pair.create_metrics(engine, true);
        ready(&pair, &made_up(8));
        let _ = summarize(&pair, &["--db", MONTH]).ok();
        let before: Vec<_> = TABLES.map(|table| stored(&pair, table)).into();
        // flushed: data written to such tables just before a power cut would need a repair
        pair.sql("DELETE FROM websessions;\nDELETE FROM toolstart;\nDELETE FROM webhits;\nFLUSH TABLES");
        for kill_server in [false, true] {
            let mut holder = pair.admin();
            for statement in hold.replace("{m}", &pair.metrics).split("; ") {
                mysql::prelude::Queryable::query_drop(&mut holder, statement).unwrap();
            }
            // two tables are done once it waits, the third is not
            let waits = || wait_for_lock(&pair);
            let run = pair.run(EXE).args(["--db", "--only", "summary", MONTH]);
            let died = if kill_server {
                std::thread::scope(|scope| {
                    let died = scope.spawn(|| run.finish());
                    waits();
                    server.kill();
                    died.join().unwrap()
                })
            } else {
                run.killed_once(waits)
            };
            if kill_server {
                let died = died.expect_code(1);
                assert!(died.stderr.contains("server"), "{}", died.stderr);
                drop(holder);
                server.restart();
            } else {
                assert!(died.was_killed, "{}", died.stderr);
                drop(holder);
                // the dead stage's statement ends by itself
                for _ in 0..100 {
                    let left = "SELECT 1 FROM information_schema.processlist WHERE user = 'strict'";
                    if pair.lines(left).is_empty() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            let after: Vec<_> = TABLES.map(|table| stored(&pair, table)).into();
            assert_eq!(after, before, "{engine:?}, server killed: {kill_server}");
        }
        let _ = summarize(&pair, &["--db", "--only", "summary", MONTH]).ok();
        let after: Vec<_> = TABLES.map(|table| stored(&pair, table)).into();
        assert_ne!(after, before, "{engine:?}");
        assert_eq!(after[0].len(), 462);
        let left = pair.lines(&format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' AND table_name LIKE '%\\_\\_%'",
            pair.metrics
        ));
        assert_eq!(left, Vec::<String>::new());
    }
}

/// A month with cells counts as done: a run killed before its last work must not have written them.
#[test]
fn cells_are_written_last() {
    let Some(server) = private_server() else { return };
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let pair = server.names(SqlMode::Strict);
        pair.create_hub(true);
        pair.create_metrics(engine, true);
        ready(&pair, &made_up(8));
        let mut holder = pair.admin();
        let lock = format!("LOCK TABLES {}.jos_resource_stats WRITE", pair.hub);
        mysql::prelude::Queryable::query_drop(&mut holder, lock).unwrap();
        let uses = "SELECT COUNT(*) FROM {hub}.jos_resource_stats WHERE restype <> 7 OR restype IS NULL";
        std::thread::scope(|scope| {
            let run = scope.spawn(|| summarize(&pair, &["--db", MONTH]));
            wait_for_lock(&pair);
            assert_eq!(stored(&pair, TABLES[0]), [""; 0], "{engine:?}");
            drop(holder);
            let _ = run.join().unwrap().ok();
        });
        assert_eq!(stored(&pair, TABLES[0]).len(), 462, "{engine:?}");
        assert_ne!(pair.lines(uses), ["0"], "{engine:?}");
    }
}

#[test]
fn readers_see_whole_months_only() {
    let times: u32 = fixtures::asked("HZMETRICS_CAMPAIGN", 5);
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        ready(&pair, &made_up(9));
        let _ = summarize(&pair, &["--db", MONTH]).ok();
        let sums = TABLES.map(|table| {
            format!(
                "SELECT COUNT(*), SUM(CRC32(CONCAT_WS(',', rowid, colid, period, value))) FROM {}.{table}",
                pair.metrics
            )
        });
        // the pages read each table separately, but this reads all three at one time; locked in the
        // order of their names, as the server does, to avoid constant deadlocks
        let begin = match engine {
            Engine::InnoDb => "START TRANSACTION WITH CONSISTENT SNAPSHOT".to_owned(),
            _ => format!(
                "LOCK TABLES {}",
                ["summary_misc_vals", "summary_simusage_vals", "summary_user_vals"]
                    .map(|table| format!("{}.{table} READ", pair.metrics))
                    .join(", ")
            ),
        };
        let look = |conn: &mut mysql::Conn| {
            use mysql::prelude::Queryable as _;
            conn.query_drop(&begin).unwrap();
            let seen: Vec<(u64, Option<u64>)> =
                sums.iter().map(|sql| conn.query_first::<(u64, Option<u64>), _>(sql).unwrap().unwrap()).collect();
            conn.query_drop("COMMIT").unwrap();
            conn.query_drop("UNLOCK TABLES").unwrap();
            seen
        };
        let over = std::sync::atomic::AtomicBool::new(false);
        let (published, seen) = std::thread::scope(|scope| {
            let reader = || {
                let mut conn = pair.admin();
                let mut seen = BTreeSet::new();
                let mut looks = 0;
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    seen.insert(look(&mut conn));
                    looks += 1;
                }
                (seen, looks)
            };
            let readers = [scope.spawn(reader), scope.spawn(reader)];
            let stops = fixtures::Stops(&over);
            let mut conn = pair.admin();
            let mut published = BTreeSet::from([look(&mut conn)]);
            for n in 0..times {
                pair.sql(&format!(
                    "INSERT INTO webhits VALUES ('2025-07-03', {n} + 1);\n\
                     INSERT INTO toolstart (`datetime`, success, user) VALUES ('2025-07-03', 1, 'new{n}');\n\
                     INSERT INTO userlogin (`datetime`, user, action) VALUES ('2025-07-03', 'new{n}', 'login')"
                ));
                let _ = summarize(&pair, &["--db", "--only", "summary", MONTH]).ok();
                published.insert(look(&mut conn));
            }
            drop(stops);
            (published, readers.map(|reader| reader.join().unwrap()))
        });
        assert_eq!(published.len() as u32, times + 1, "every run publishes something new");
        for (seen, looks) in seen {
            assert!(looks > times, "{looks} looks at {times} months");
            assert!(seen.is_subset(&published), "{engine:?}: {:?}", seen.difference(&published).collect::<Vec<_>>());
        }
    }
}
