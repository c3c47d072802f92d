//! `hzmetrics show` and `why` on a private server: what is published, and what it is made of.

use fixtures::Finished;
use fixtures::db::{MODES, Pair, pair};

fn hzmetrics(pair: &Pair, args: &str) -> Finished {
    let run = pair.run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", pair.home());
    run.args(args.split_whitespace()).finish()
}

fn publish(pair: &Pair, cells: &[(&str, u8, u8, &str, u8, &str)]) {
    for (table, rowid, colid, month, period, value) in cells {
        pair.sql(&format!(
            "INSERT INTO summary_{table}_vals (rowid, colid, datetime, period, value, valfmt) \
             VALUES ({rowid}, {colid}, '{month}-00', {period}, '{value}', 1);"
        ));
    }
}

#[test]
fn a_month_is_shown_beside_the_one_before_and_the_year_before() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        hzmetrics(&pair, "show").expect_code(1).said(&["no month is published"]);
        publish(
            &pair,
            &[
                ("user", 1, 1, "2025-07", 1, "150"),
                ("user", 1, 2, "2025-07", 1, "80"),
                ("user", 1, 3, "2025-07", 1, "20"),
                ("user", 1, 1, "2025-06", 1, "100"),
                ("user", 1, 1, "2024-07", 1, "200"),
                ("user", 1, 1, "2025-07", 12, "999"),
                ("simusage", 3, 1, "2025-07", 1, "5400"),
                ("misc", 8, 1, "2025-07", 1, ""),
            ],
        );
        let text = hzmetrics(&pair, "show").ok().text();
        let row = |label: &str| -> Vec<&str> {
            let line = text.lines().find(|line| line.starts_with(label)).unwrap();
            line[label.len()..].split_whitespace().collect()
        };
        assert_eq!(row("Users"), ["150", "100", "+50", "%", "200", "-25", "%"], "{text}");
        assert_eq!(row("  United States"), ["20", "25", "%", "-", "-", "-", "-"]);
        assert_eq!(row("Web server hits"), ["0", "-", "-", "-", "-"]);
        let records = hzmetrics(&pair, "show 2025-07 --format ndjson").ok().records();
        let record = |cell: &str| records.iter().find(|record| record["cell"] == cell).unwrap();
        assert_eq!(record("users.total")["change"], 50.0);
        assert_eq!(record("users.total")["year_change"], -25.0);
        assert_eq!(record("simulation.cpu-time")["value"], 1.5);
        assert!(record("misc.visits").get("value").is_none());
        let csv = hzmetrics(&pair, "show 2025-07 --period 12 --format csv").ok().text();
        assert!(csv.starts_with("kind,month,period,cell,label,unit,value,"), "{csv}");
        assert!(csv.contains("usage,2025-07,12,users.total,Users,count,999,"), "{csv}");
        hzmetrics(&pair, "show 2025-08").expect_code(1).said(&["2025-08 is not published", "2025-07"]);
        let _ = hzmetrics(&pair, "show 2025-07 --period 2").expect_code(2);
    }
}

#[test]
fn why_lists_the_rows_of_a_cell_and_says_when_they_changed() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        pair.sql(
            "INSERT INTO websessions (id, datetime, ip, host, duration, jobs) VALUES \
             (1, '2025-07-02 10:00:00', '192.0.2.1', 'a.example.edu', 1000, 0), \
             (2, '2025-07-03 10:00:00', '192.0.2.1', 'a.example.edu', 2000, 0), \
             (3, '2025-07-03 11:00:00', '192.0.2.2', '\u{1b}[2J.example.edu', 900, 0);\n\
             INSERT INTO web (datetime, ip, host, content, sessionid) VALUES \
             ('2025-07-03 10:00:05', '192.0.2.1', 'a.example.edu', '/about', 2);\n\
             INSERT INTO webhits VALUES ('2025-07-01', 40), ('2025-07-02', 2);\n\
             INSERT INTO toolstart (datetime, success, user, tool, ip) VALUES ('2025-07-04', 1, 'eve', 't', '192.0.2.9'), \
             ('2025-07-05', 1, 'eve', 't', '192.0.2.9'), ('2025-07-06', 1, 'bob', 't', '192.0.2.9');",
        );
        let text = hzmetrics(&pair, "why 2025-07 misc.hits").ok().text();
        assert!(text.contains("The cell is not published. The rows give 42 now."), "{text}");
        let _ = hzmetrics(&pair, "summarize 2025-07").ok();
        let text = hzmetrics(&pair, "why 2025-07 users.unregistered-interactive").ok().text();
        assert!(text.starts_with("users.unregistered-interactive, 2025-07, period 1: 2\nVisitors"), "{text}");
        assert!(text.contains("The rows below give this number.") && !text.contains('\u{1b}'), "{text}");
        assert!(
            text.contains("2 unregistered interactive users (3 rows)") && text.contains("2025-07-03 10:00:00"),
            "{text}"
        );
        let limited = hzmetrics(&pair, "why 2025-07 7/1 --limit 1").ok().text();
        assert!(limited.contains("… and 2 more rows") && !limited.contains("192.0.2.2"), "{limited}");
        assert!(hzmetrics(&pair, "why 2025-07 7/1 --requests").ok().text().contains("/about"));
        // both parts of a quotient
        let text = hzmetrics(&pair, "why 2025-07 simulation.runs-per-user").ok().text();
        assert!(text.contains("3 runs (3 rows)") && text.contains("2 simulation users (3 rows)"), "{text}");
        // rows that changed, a cell of another program
        pair.sql("INSERT INTO webhits VALUES ('2025-07-03', 8);");
        let done = hzmetrics(&pair, "why 2025-07 misc.hits --format csv").ok();
        assert_eq!(done.text().lines().count(), 4, "{}", done.text());
        done.said(&["Published is 42, but the rows give 50 now"]);
        let records = hzmetrics(&pair, "why 2025-07 misc.hits --format ndjson").ok().records();
        assert!(records[0]["published"] == "42" && records[0]["value"] == "50" && records.len() == 4, "{records:?}");
        // what an earlier run left
        pair.sql("DELETE FROM toolstart;");
        let text = hzmetrics(&pair, "why 2025-07 simulation.runs").ok().text();
        assert!(text.contains("Published is 3, which an earlier run left there."), "{text}");
        let _ = hzmetrics(&pair, "why 2025-07 users.nobody").expect_code(2);
    }
}
