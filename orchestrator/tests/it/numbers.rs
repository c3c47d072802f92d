//! `hzmetrics show` on a private server: the table of what is published.

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
        hzmetrics(&pair, "show 2025-07 --period 2").expect_code(2);
    }
}
