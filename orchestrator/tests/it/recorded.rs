//! The recorded cases in tables: what the original scripts wrote is what ours write, on both engines, whether
//! the columns of addresses have room for IPv6 or not, and with `--compat ipv6` too, since no visitor of
//! these cases has such an address.

use std::fs;
use std::path::{Path, PathBuf};

use fixtures::Run;
use fixtures::db::{Pair, SqlMode, pair};
use schema::tables::Engine;
use serde_json::Value;

/// A database on which the cases are tried, and what the programs are told.
#[derive(Debug, Clone, Copy)]
struct Ground {
    engine: Engine,
    /// Whether migration 1002 was applied.
    is_wide: bool,
    compat: &'static str,
}

const GROUNDS: [Ground; 6] = {
    use Engine::{InnoDb, MyIsam};
    [
        Ground { engine: InnoDb, is_wide: false, compat: "legacy" },
        Ground { engine: InnoDb, is_wide: true, compat: "legacy" },
        Ground { engine: InnoDb, is_wide: true, compat: "ipv6" },
        Ground { engine: MyIsam, is_wide: false, compat: "legacy" },
        Ground { engine: MyIsam, is_wide: true, compat: "legacy" },
        Ground { engine: MyIsam, is_wide: true, compat: "ipv6" },
    ]
};

impl Ground {
    /// As the hubs were on which the cases were recorded: not strict.
    fn pair(self) -> Option<Pair> {
        let pair = pair(self.engine, SqlMode::Lax)?;
        if !self.is_wide {
            pair.narrow_addresses();
        }
        Some(pair)
    }

    fn run(self, pair: &Pair, stage: &str) -> Run {
        let exe = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(stage);
        pair.run(exe).env("HZMETRICS_COMPAT", self.compat)
    }
}

fn case(name: &str) -> PathBuf {
    fixtures::folder().join("cases").join(name)
}

fn records(path: PathBuf) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a table in the columns that a recorded record has, in the order of their ids, and the recorded
/// ones.
fn check(pair: &Pair, table: &str, order: &str, recorded: &[Value], ground: Ground) {
    let names: Vec<&String> = recorded[0].as_object().unwrap().keys().filter(|name| *name != "kind").collect();
    let text = |value: &Value| match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |record: &Value| names.iter().map(|name| text(&record[name.as_str()])).collect::<Vec<_>>().join("\t");
    let expected: Vec<String> = recorded.iter().map(line).collect();
    let columns: Vec<String> = names.iter().map(|name| schema::tables::quote(name)).collect();
    let found = pair.lines(&format!("SELECT {} FROM {table} {order}", columns.join(", ")));
    let differs = found.iter().zip(&expected).find(|(a, b)| a != b);
    assert!(
        differs.is_none() && found.len() == expected.len(),
        "{table}, {ground:?}: {} rows, {} expected, {differs:?}",
        found.len(),
        expected.len()
    );
}

/// The logs in a folder of the case, oldest first.
fn logs(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(case("import-two-layouts/logs").join(folder)).unwrap();
    let mut logs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    logs.sort();
    logs
}

#[test]
fn five_days_of_logs() {
    let expected = |name: &str| records(case("import-two-layouts").join(format!("expected.{name}")));
    let excluded = fs::read_to_string(case("import-two-layouts/exclude.csv")).unwrap();
    for ground in GROUNDS {
        let Some(pair) = ground.pair() else { return };
        for (filter, of) in excluded.lines().skip(1).filter_map(|line| line.split_once(',')) {
            pair.sql(&format!("INSERT INTO exclude_list (filter, type) VALUES ('{filter}', '{of}')"));
        }
        let files = [logs("httpd/daily"), logs("hubzero/daily")].concat();
        ground.run(&pair, "import-logs").args(["--to", "db"]).args(files).finish().ok();
        check(&pair, "web", "ORDER BY id", &expected("web"), ground);
        check(&pair, "webhits", "", &expected("hits"), ground);
        check(&pair, "userlogin", "ORDER BY id", &expected("login"), ground);
        check(&pair, "bot_useragents", "ORDER BY BINARY useragent", &expected("bot"), ground);
    }
}

#[test]
fn sessions_of_two_months() {
    let case = case("sessions-two-months");
    let input = records(case.join("input.ndjson"));
    for ground in GROUNDS {
        let Some(pair) = ground.pair() else { return };
        pair.insert(&input);
        for month in ["2025-02", "2025-03"] {
            let run = ground.run(&pair, "usage-metrics").args(["--db", "--only", "sessions,countries", month]);
            run.args(["--geo-url", "none", "--geoip"]).arg(case.join("countries.mmdb")).finish().ok();
        }
        for (table, kind) in [("websessions", "session"), ("web", "web"), ("toolstart", "toolstart")] {
            check(&pair, table, "ORDER BY id", &records(case.join(format!("expected.{kind}"))), ground);
        }
    }
}

#[test]
fn cells_of_two_months() {
    let case = case("cells-two-months");
    let input = records(case.join("input.ndjson"));
    for ground in GROUNDS {
        let Some(pair) = ground.pair() else { return };
        pair.insert(&input);
        let continents =
            schema::reference::country_continent().map(|c| format!("('{}', '{}')", c.country, c.continent));
        let classes = schema::reference::domainclass().map(|d| format!("('{}', {})", d.domain, d.class));
        let (continents, classes) = (continents.collect::<Vec<_>>().join(","), classes.collect::<Vec<_>>().join(","));
        pair.sql(&format!("INSERT INTO country_continent VALUES {continents}"));
        pair.sql(&format!("INSERT INTO domainclass (domain, class) VALUES {classes}"));
        for month in ["2025-02", "2025-03"] {
            ground.run(&pair, "summarize").args(["--db", month]).finish().ok();
            for table in ["summary_user_vals", "summary_simusage_vals", "summary_misc_vals"] {
                let mut expected = records(case.join(format!("expected.{month}")));
                expected.retain(|cell| cell["table"] == table);
                for cell in &mut expected {
                    cell.as_object_mut().unwrap().remove("table");
                }
                let order = format!("WHERE datetime = '{month}-00 00:00:00' ORDER BY rowid, colid, period");
                let key = |cell: &Value| ["rowid", "colid", "period"].map(|name| cell[name].as_i64());
                expected.sort_by_key(key);
                check(&pair, table, &order, &expected, ground);
            }
        }
    }
}
