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

/// A tool with sessions and jobs, a resource with requests, and what the stages make of them.
fn numbers_of_tools_and_resources(pair: &Pair) {
    pair.sql(
        "INSERT INTO {hub}.jos_resources (id, title, type, alias, path, published, standalone) VALUES \
         (42, 'Tool', 7, 'tool', '', 1, 1), (43, 'Other', 7, 'other', '', 1, 1), (7, 'Talk', 1, '', '2019/01/00007/talk.pdf', 1, 1);\n\
         INSERT INTO {hub}.jos_users (id, username, email) VALUES (1, 'ann', 'a@x'), (2, 'bob', 'b@x');\n\
         INSERT INTO {hub}.sessionlog (sessnum, username, appname, start, walltime, viewtime) VALUES \
         (1, 'ann', 'tool', '2025-07-02 10:00:00', 977.5, 30), (2, 'ann', 'tool', '2025-07-03 10:00:00', 10, 5), \
         (3, 'bob', 'tool', '2025-07-04 10:00:00', 20.25, 1), (4, 'bob', 'other', '2025-06-04 10:00:00', 5, 1);\n\
         INSERT INTO {hub}.joblog (sessnum, job, superjob, event, start, walltime, cputime, ncpus) VALUES \
         (1, 1, 0, 'simulation', '2025-07-02 10:00:00', 100, 33.5, 2), (1, 2, 0, '[waiting]', '2025-07-02 10:00:00', 7, 0, 1), \
         (3, 1, 0, 'simulation', '2025-07-04 10:00:00', 9, 8.25, 4);\n\
         INSERT INTO sessionlog_metrics (sessnum, user, appname, start, domain, countryresident) VALUES \
         (1, 'ann', 'tool', '2025-07-02 10:00:00', 'a.org', 'US'), (2, 'ann', 'tool', '2025-07-03 10:00:00', 'b.org', 'US'), \
         (3, 'bob', 'tool', '2025-07-04 10:00:00', 'a.org', NULL);\n\
         INSERT INTO web (datetime, ip, host, content) VALUES \
         ('2025-07-01 00:00:00', '192.0.2.1', 'a', '/resources/7/download/talk.pdf'), \
         ('2025-07-09 10:00:00', '192.0.2.1', 'a', '/site/resources/2019/01/00007/talk.pdf'), \
         ('2025-07-10 10:00:00', '192.0.2.2', 'b', '/resources/7/download/talk.pdf'), \
         ('2025-07-10 10:00:00', '192.0.2.3', NULL, '/resources/7/download/talk.pdf'), \
         ('2024-09-10 10:00:00', '192.0.2.4', 'd', '/resources/7/download/talk.pdf');",
    );
    for step in
        ["gen-tool-stats 2025-07", "gen-tool-tops 2025-07", "gen-tool-toplists 2025-07", "andmore-usage 2025-07"]
    {
        let _ = hzmetrics(pair, step).ok();
    }
}

#[test]
fn why_explains_every_number_of_the_tables_of_tools_and_resources() {
    for (engine, mode) in MODES {
        let Some(pair) = pair(engine, mode) else { return };
        numbers_of_tools_and_resources(&pair);
        let mut all: Vec<(String, String, &str)> = Vec::new();
        for (table, columns) in [
            ("resource_stats_tools", &schema::asked::TOOL_COLUMNS[..]),
            ("resource_stats", &schema::asked::COPIED_COLUMNS),
        ] {
            for column in columns {
                let sql = format!("SELECT {column} FROM {{hub}}.jos_{table} WHERE resid = 42 AND period = 1");
                all.push((format!("{table}.42.{column}"), pair.value(&sql).unwrap(), "1"));
            }
        }
        for period in ["1", "12", "14"] {
            let sql = format!("SELECT users FROM {{hub}}.jos_resource_stats WHERE resid = 7 AND period = {period}");
            all.push(("resource_stats.7".to_owned(), pair.value(&sql).unwrap(), period));
        }
        let places = pair.lines(
            "SELECT CONCAT(v.top, '.', v.`rank`, ' ', v.value) FROM {hub}.jos_resource_stats_tools_topvals v \
             JOIN {hub}.jos_resource_stats_tools t USING (id) WHERE t.resid = 42 AND t.period = 1",
        );
        assert!(places.len() > 6, "{places:?}");
        for place in &places {
            let (place, value) = place.split_once(' ').unwrap();
            all.push((format!("resource_stats_tools_topvals.42.{place}"), value.to_owned(), "1"));
        }
        let lists = "SELECT CONCAT(top, '.', `rank`, ' ', value) FROM {hub}.jos_stats_topvals WHERE period = 1";
        for place in pair.lines(lists) {
            let (place, value) = place.split_once(' ').unwrap();
            all.push((format!("jos_stats_topvals.{place}"), value.to_owned(), "1"));
        }
        assert!(all.len() > 40, "{all:?}");
        for (name, value, period) in &all {
            let text = hzmetrics(&pair, &format!("why 2025-07 {name} --period {period}")).ok().text();
            assert!(text.contains("The rows below give this number."), "{engine:?} {name} {value}: {text}");
            let published = text.lines().next().unwrap().rsplit_once(": ").unwrap().1.parse::<f64>().unwrap();
            assert_eq!(published, value.parse::<f64>().unwrap(), "{name}: {text}");
        }
        let text = hzmetrics(&pair, "why 2025-07 resource_stats_tools.42.avg_cpu").ok().text();
        assert!(text.contains("41.75 tot_cpu (2 rows)") && text.contains("simulations (3 rows)"), "{text}");
        let text = hzmetrics(&pair, "why 2025-07 resource_stats.7 --limit 1").ok().text();
        assert!(text.contains("2 visitors (3 rows)") && text.contains("… and 2 more rows"), "{text}");
        // rows that changed, numbers that are not there, and questions that make no sense
        pair.sql("DELETE FROM {hub}.sessionlog WHERE sessnum = 3");
        let text = hzmetrics(&pair, "why 2025-07 resource_stats_tools.42").ok().text();
        assert!(text.contains("Published is 2, but the rows give 1 now"), "{text}");
        let text = hzmetrics(&pair, "why 2025-07 resource_stats_tools.99").ok().text();
        assert!(text.contains("The rows give no such number, and it is not published."), "{text}");
        hzmetrics(&pair, "why 2025-07 resource_stats.7.jobs").expect_code(2).said(&["is not a tool"]);
        hzmetrics(&pair, "why 2025-07 resource_stats.7.color").expect_code(2).said(&["a column of users, jobs"]);
        hzmetrics(&pair, "why 2025-07 summary_andmore_vals.1.1").expect_code(2).said(&["none of the programs writes"]);
    }
}
