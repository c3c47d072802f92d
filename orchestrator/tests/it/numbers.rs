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
        assert!(text.contains("The published 3 was left by an earlier run."), "{text}");
        let _ = hzmetrics(&pair, "why 2025-07 users.nobody").expect_code(2);
    }
}

/// A line of a hub's log.
fn log_line(time: &str, ip: &str, path: &str, agent: &str) -> String {
    format!(
        "2025-06-10 {time} EDT 4711 - \"GET {path} HTTP/1.1\" 200 48211 {ip} \"-\" \"{agent}\" TLSv1.3 0 12 0 - - - \
         resources - - - -\n"
    )
}

#[test]
fn a_request_is_followed_from_its_line_to_its_cells() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        let home = pair.home().to_owned();
        let log = home.join("var/log/httpd/daily/h-access.log-20250610");
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        std::fs::create_dir_all(home.join("etc")).unwrap();
        std::fs::write(home.join("etc/hubzero.conf"), "site = h\n").unwrap();
        let lines = [
            log_line("09:15:02", "192.0.2.17", "/resources/42/download/notes.pdf", "Mozilla/5.0 Firefox/128.0"),
            log_line("09:15:03", "192.0.2.66", "/about", "Googlebot/2.1"),
            "not a line of a log\n".to_owned(),
            log_line("09:15:03", "192.0.2.17", "/about\u{7}x", "Mozilla/5.0 Firefox/128.0"),
        ];
        std::fs::write(&log, lines.concat()).unwrap();
        let _ = hzmetrics(&pair, "import --month 2025-06").ok();
        let ids = pair.lines("SELECT id FROM web ORDER BY id");
        let [first, second] = ids.as_slice() else { panic!("{ids:?}") };
        let shown = |args: &str| hzmetrics(&pair, args).ok().text();
        let has = |text: &str, words: &[&str]| {
            words.iter().for_each(|words| assert!(text.contains(words), "{words}\n{text}"));
        };
        // before the analysis
        has(&shown(&format!("trace --request {first}")), &["line 1", "kept", "none yet", "not filled in yet"]);
        pair.sql(
            "UPDATE web SET sessionid = 7, host = 'pc.example.edu', domain = 'example.edu', ipcountry = '-';\n\
             INSERT INTO websessions (id, datetime, ip, host, duration, jobs) VALUES \
             (7, '2025-06-10 09:15:02', '192.0.2.17', 'pc.example.edu', 1000, 0);",
        );
        let imported = "var/log/httpd/imported/h-access.log-20250610";
        let text = shown(&format!("trace --request {second}"));
        has(
            &text,
            &[
                &format!("{imported}, line 4"),
                "import   kept",
                "pc.example.edu",
                "looked up, not known",
                "session  7, from 2025-06-10 09:15:02, 1000 seconds",
                "of 2025-06, period 1",
                "users.unregistered-interactive",
                "misc.visits",
                "misc.hits",
            ],
        );
        assert!(!text.contains('\u{7}') && !text.contains("users.registered"), "{text}");
        // lines that became no row
        let file = home.join(imported);
        let of_line = |n: u32| shown(&format!("trace --line {}:{n}", file.display()));
        has(&of_line(2), &["import   dropped: robot", "192.0.2.66"]);
        has(&of_line(3), &["import   rejected: "]);
        has(&of_line(1), &[&format!("row      {first} of web"), "notes.pdf", "users.interactive"]);
        let _ = hzmetrics(&pair, &format!("trace --line {}:5", file.display())).expect_code(1);
        // an address
        let text = shown("trace --ip 192.0.2.17");
        has(&text, &["Address 192.0.2.17, 2025-06", "2 rows of web", "sessions 1", "users.unregistered-interactive"]);
        has(&shown("trace --ip 192.0.2.66 --day 2025-06-10"), &["1 dropped: robot", "0 rows of web", "none"]);
        hzmetrics(&pair, "trace --ip 192.0.2.99").expect_code(1).said(&["hold nothing of 192.0.2.99"]);
        hzmetrics(&pair, "trace --request abc").expect_code(2).said(&["--day"]);
        hzmetrics(&pair, "trace --request abc --day 2025-06-10").expect_code(1).said(&["no line of the logs"]);
        hzmetrics(&pair, "trace --request abc --day 2025-06-11").expect_code(1).said(&["no access log of 2025-06-11"]);
        let _ = hzmetrics(&pair, "trace").expect_code(2);
        let _ = hzmetrics(&pair, "trace --line x").expect_code(2);
        // a log that is gone
        std::fs::remove_file(&file).unwrap();
        has(&shown(&format!("trace --request {first}")), &["h-access.log-20250610 is gone", "users.interactive"]);
        has(&shown("trace --ip 192.0.2.17 --day 2025-06-10"), &["h-access.log-20250610 is gone", "2 rows of web"]);
    }
}
