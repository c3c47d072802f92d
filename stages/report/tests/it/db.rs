//! The databases: the same report as from the records of the same months, and nothing is written.

use std::fmt::Write as _;

use fixtures::Run;
use fixtures::db::{MODES, Pair, SqlMode, names, pair};
use schema::tables::Engine;
use serde_json::{Value, json};

use super::traffic::traffic;
use super::{cells, usual};

const EXE: &str = env!("CARGO_BIN_EXE_report");

/// Sessions, statistics of tools and resources, and titles, with groups of every size.
pub(crate) fn others() -> Vec<Value> {
    let mut list = Vec::new();
    let mut session = |datetime: &str, ip: u32, host: Value, country: &str, duration: i64, jobs: u8| {
        list.push(json!({"kind": "session", "id": list.len() + 1, "datetime": datetime, "ip": format!("10.0.0.{ip}"),
            "host": host, "ipcountry": country, "duration": duration, "jobs": jobs}));
    };
    for (first, n, country) in [(0, 9, "US"), (20, 6, "DE"), (40, 4, "FR"), (60, 7, "-"), (80, 5, "")] {
        for ip in first..first + n {
            for day in ["2024-07-03", "2025-02-09", "2025-06-30"] {
                session(&format!("{day} 10:00:00"), ip, json!("h"), country, 5, 0);
            }
        }
    }
    // outside of the twelve months, unknown, without a duration
    session("2024-06-30 23:59:59", 200, json!("h"), "DE", 5, 0);
    session("2025-07-01 00:00:00", 201, json!("h"), "DE", 5, 0);
    session("2024-07-01 00:00:00", 202, json!("h"), "DE", 5, 0);
    session("2025-06-02 10:00:00", 203, Value::Null, "DE", 5, 0);
    session("2025-06-02 10:00:00", 204, json!("h"), "DE", -5, 0);
    session("2025-06-02 10:00:00", 205, json!("h"), "DE", -5, 1);
    let mut tops = Vec::new();
    let mut id = 100;
    // tools have statistics of the running month, too
    for month in ["2025-04", "2025-05", "2025-06", "2025-07"] {
        for (tool, users) in [(7, 120), (8, 31), (9, 3), (10, 0)] {
            for period in [0, 1, 12] {
                id += 1;
                let users = if period == 1 { users / 2 } else { users };
                list.push(json!({"kind": "toolstat", "id": id, "resid": tool, "restype": 7, "users": users,
                    "sessions": users * 3, "jobs": users * 5 + 1, "tot_wall": f64::from(users) * 1234.5, "tot_cpu": 1e7,
                    "tot_view": 0.25, "avg_wait": 1.5, "avg_wall": 1_234.567, "avg_cpu": 61.25, "datetime": format!("{month}-00 00:00:00"),
                    "period": period}));
                let places = [("Total Users", users), ("UNITED STATES", users * 2 / 3), ("GERMANY", users / 4)];
                for (top, rank, (name, value)) in
                    [1, 3].into_iter().flat_map(|top| (0..).zip(places).map(move |(rank, place)| (top, rank, place)))
                {
                    tops.push(
                        json!({"kind": "toptool", "id": id, "top": top, "rank": rank, "name": name, "value": value}),
                    );
                }
            }
        }
    }
    list.append(&mut tops);
    for (resid, restype, users) in [(20, 3, 60), (21, 1, 4), (22, 3, 11), (7, 7, 120)] {
        for period in [1, 12] {
            // summarize writes the first day of a month, tool-metrics day zero
            list.push(json!({"kind": "resource_stat", "resid": resid, "restype": restype, "users": users - period,
                "datetime": "2025-06-01 00:00:00", "period": period}));
        }
    }
    for (id, title, published) in
        [(7, "Zeta \u{e9}", 1), (8, "It's \"quoted\" \\ text", 1), (9, "Not published", 0), (20, "A paper", 1)]
    {
        list.push(json!({"kind": "hub_resource", "id": id, "title": title, "type": 7, "published": published,
            "standalone": 1, "path": "", "alias": ""}));
    }
    list
}

pub(crate) fn lines(records: &[Value]) -> String {
    records.iter().fold(String::new(), |mut text, record| {
        let _ = writeln!(text, "{record}");
        text
    })
}

fn insert_cells(pair: &Pair, text: &str) {
    let mut sql = String::new();
    for cell in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let table = cell["table"].as_str().unwrap();
        let (rowid, colid, period) = (&cell["rowid"], &cell["colid"], &cell["period"]);
        let (datetime, value) = (cell["datetime"].as_str().unwrap(), cell["value"].as_str().unwrap());
        let _ = writeln!(
            sql,
            "INSERT INTO {table} (rowid, colid, datetime, period, value, valfmt) \
             VALUES ({rowid}, {colid}, '{datetime}', {period}, '{value}', 1);"
        );
    }
    pair.sql(&sql);
}

fn report(pair: &Pair, args: &[&str]) -> Run {
    pair.run(EXE).env("HZMETRICS_NOW", "2025-07-10T12:00").args(["--from", "db"]).args(args)
}

fn piped(records: &str, args: &[&str]) -> String {
    let done = super::report().args(args).stdin(records).finish().ok();
    assert_eq!(done.stderr, "");
    done.text()
}

/// What is in both databases: a checksum for each table.
fn everything(pair: &Pair) -> Vec<String> {
    let mut all = Vec::new();
    for database in [&pair.metrics, &pair.hub] {
        let tables = format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'");
        for table in pair.lines(&tables) {
            all.extend(pair.lines(&format!("CHECKSUM TABLE `{database}`.`{table}`")));
        }
    }
    all
}

fn hub_engine(pair: &Pair, engine: Engine) {
    if engine == Engine::InnoDb {
        for table in ["resource_stats_tools", "resource_stats", "resource_stats_tools_topvals", "resources"] {
            pair.sql(&format!("ALTER TABLE {{hub}}.jos_{table} ENGINE=InnoDB"));
        }
    }
}

#[test]
fn the_tables_and_the_pipe_give_the_same_report() {
    let (of_cells, others) = (cells(24, usual), others());
    let records = of_cells.clone() + &lines(&others);
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        hub_engine(&pair, engine);
        insert_cells(&pair, &of_cells);
        pair.insert(&others);
        let before = everything(&pair);
        for args in [
            &["--format", "csv"][..],
            &["--private", "--format", "csv"],
            &["--private", "--format", "csv", "2025-05"],
            &["--format", "csv", "--sections", "tools"],
            &["--format", "md"],
            &[],
        ] {
            let expected = piped(&records, args);
            let done = report(&pair, args).finish().ok();
            assert_eq!((done.text(), done.stderr.as_str()), (expected, ""), "{engine:?} {mode:?} {args:?}");
        }
        assert_eq!(everything(&pair), before, "something was written");
    }
}

#[test]
fn the_report_has_the_numbers_of_the_tables() {
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Strict) else { return };
    insert_cells(&pair, &cells(24, usual));
    pair.insert(&others());
    let csv = report(&pair, &["--private", "--format", "csv"]).finish().ok().text();
    let june = "2025-06".parse::<schema::Month>().unwrap().ordinal();
    for line in [
        format!("usage,users-year,2025-06,All users,,{},", usual("user", 1, 1, june, 12)),
        "usage,map,United States,Visitors,,9,".to_owned(),
        // with the one that started a tool, and without the one at the first midnight
        "usage,map,Germany,Visitors,,7,".to_owned(),
        "usage,map,France,Visitors,,4,".to_owned(),
        "tools,resources,A paper,Users,,48,".to_owned(),
    ] {
        assert!(csv.lines().any(|found| found == line), "{line}\n{csv}");
    }
    assert!(csv.contains("usage,headline,June 2025") || csv.contains("usage,headline,\"June 2025"), "{csv}");
    assert!(csv.contains("#9") && !csv.contains("Not published"), "{csv}");
    let public = report(&pair, &["--format", "csv"]).finish().ok().text();
    assert!(public.contains("usage,map,France,Visitors,,,fewer than 5"), "{public}");
}

#[test]
fn the_traffic_of_a_month_is_that_of_its_records() {
    let of_cells = cells(3, usual);
    let requests: Vec<Value> = traffic().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut others = requests.clone();
    for request in &mut others {
        let day = request["datetime"].as_str().unwrap().replace("2025-06", "2025-05");
        request["datetime"] = day.into();
    }
    let bots = [json!({"kind": "bot", "useragent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})];
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        insert_cells(&pair, &of_cells);
        pair.insert(&requests);
        pair.insert(others.get(..50).unwrap());
        pair.sql("DELETE FROM bot_useragents");
        pair.insert(&bots);
        for (month, of_month) in [("2025-06", &requests[..]), ("2025-05", others.get(..50).unwrap())] {
            let records = of_cells.clone() + &lines(of_month) + &lines(&bots);
            for more in [&["--private", "--format", "csv"][..], &["--format", "csv"], &["--sections", "traffic"]] {
                let args = [more, &[month]].concat();
                let done = report(&pair, &args).finish().ok();
                assert_eq!((done.text(), done.stderr.as_str()), (piped(&records, &args), ""), "{engine:?} {args:?}");
            }
        }
        let csv = report(&pair, &["--format", "csv"]).finish().ok().text();
        assert!(csv.contains("traffic,traffic-countries,United States,Requests,,64,"), "{csv}");
        // the running month has traffic before it has users
        let running = report(&pair, &["--running", "--format", "csv"]).finish().ok().text();
        assert!(!running.contains("traffic,traffic-days"), "{running}");
        pair.sql("UPDATE web SET datetime = '2025-07-02 10:00:00' WHERE datetime >= '2025-06-01'");
        let running = report(&pair, &["--running", "--format", "csv"]).finish().ok().text();
        assert!(running.contains("traffic,traffic-days,2025-07-02,Requests,,98,incomplete"), "{running}");
        // without the table there is no section
        pair.sql("DROP TABLE web");
        assert!(!report(&pair, &["--format", "csv"]).finish().ok().text().contains("traffic-countries"));
    }
}

#[test]
fn requests_without_a_day_are_left_out_of_the_traffic_and_counted() {
    let of_cells = cells(3, usual);
    let requests: Vec<Value> = traffic().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        insert_cells(&pair, &of_cells);
        pair.insert(&requests);
        let csv = |args: &[&str]| report(&pair, args).finish().ok();
        let before = csv(&["--format", "csv", "2025-06"]).text();
        pair.sql(
            "SET sql_mode = '';
             INSERT INTO web (datetime, ip, host, content) VALUES ('2025-07-00 00:00:00', '192.0.2.1', 'a.example', '/'), \
             ('2025-07-00 23:59:59', '192.0.2.1', 'a.example', '/'), ('2025-06-00 00:00:00', '192.0.2.1', 'a.example', '/'), \
             ('0000-00-00 00:00:00', '192.0.2.1', 'a.example', '/');
             INSERT INTO websessions (id, datetime, ip, host, domain, ipcountry, duration, jobs) VALUES \
             (900001, '2025-07-00 00:00:00', '192.0.2.1', 'a.example', 'a', 'US', 5, 0), \
             (900002, '0000-00-00 00:00:00', '192.0.2.1', 'a.example', 'a', 'US', 5, 0)",
        );
        let done = csv(&["--format", "csv", "2025-06"]);
        assert!(done.stderr.contains("leaves out 2 requests of 2025-06 without a valid day"), "{}", done.stderr);
        let of_traffic = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with("traffic,")).map(str::to_owned).collect()
        };
        assert_eq!(of_traffic(&done.text()), of_traffic(&before), "{engine:?}");
        let page = csv(&["--format", "text", "2025-06"]).text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains("2 requests of June 2025 have no valid day."), "{page}");
        let quiet = csv(&["--format", "csv", "--sections", "usage", "2025-06"]);
        assert_eq!(quiet.stderr, "");
    }
}

#[test]
fn of_rows_that_are_there_twice_the_last_one_counts() {
    let (of_cells, others) = (cells(24, usual), others());
    let args = ["--private", "--format", "csv"];
    let expected = piped(&(of_cells.clone() + &lines(&others)), &args);
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        hub_engine(&pair, engine);
        // as programs before this one left them
        pair.sql(
            "INSERT INTO summary_user_vals (rowid, colid, datetime, period, value, valfmt) VALUES
             (1, 1, '2025-06-00', 1, '77', 1), (1, 1, '2025-06-01', 1, '78', 1);
             INSERT INTO {hub}.jos_resource_stats (id, resid, restype, users, datetime, period) VALUES
             (1, 20, 2, 5, '2025-06-00', 12);
             INSERT INTO {hub}.jos_resource_stats_tools (id, resid, restype, users, datetime, period) VALUES
             (1, 7, 7, 5, '2025-06-00', 12);",
        );
        pair.sql("INSERT INTO {hub}.jos_resource_stats_tools_topvals VALUES (1, 1, 1, 'old', 5), (1, 1, 9, 'old', 5);");
        insert_cells(&pair, &of_cells);
        pair.insert(&others);
        pair.sql("INSERT INTO summary_user_vals VALUES (1, 1, '2025-06-01', 1, '79', 1);");
        assert_eq!(report(&pair, &args).finish().ok().text(), expected, "{engine:?} {mode:?}");
    }
}

#[test]
fn a_hub_without_tables_of_tools_has_no_section_of_them() {
    let of_cells = cells(3, usual);
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        insert_cells(&pair, &of_cells);
        for table in ["resources", "resource_stats", "resource_stats_tools", "resource_stats_tools_topvals"] {
            pair.sql(&format!("DROP TABLE {{hub}}.jos_{table}"));
        }
        let done = report(&pair, &["--format", "csv"]).finish().ok();
        assert_eq!((done.text(), done.stderr.as_str()), (piped(&of_cells, &["--format", "csv"]), ""));
    }
}

#[test]
fn without_a_published_month_there_is_no_report() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        let page = pair.home().join("usage.html");
        let run = |args: &[&str]| report(&pair, args).arg("--to").arg(&page).finish().expect_code(1);
        run(&[]).said(&["no month is published"]);
        run(&["2025-06"]).said(&["no month is published"]);
        insert_cells(&pair, &cells(3, usual));
        run(&["2025-07"]).said(&["2025-07 is not published", "2025-06"]);
        pair.sql("DROP TABLE summary_misc_vals");
        run(&[]).said(&["no table `summary_misc_vals`", "setup-db"]);
        assert!(!page.exists());
    }
    let Some(pair) = names(SqlMode::Strict) else { return };
    pair.create_hub(false);
    pair.create_metrics(Engine::InnoDb, false);
    report(&pair, &[]).finish().expect_code(1).said(&["no table `summary_user_vals`", "setup-db"]);
}
