//! A hub's database with rows written to do harm: every text ends statements, lines and markup, and every
//! number and date is at an end of its range. The stages count what they can and touch nothing else.

use std::path::Path;

use fixtures::db::{Pair, SqlMode, pair};
use fixtures::geo::{GeoServer, Says};
use schema::tables::Engine;

use fixtures::name_server::{NameServer, Reply};

const TEXTS: [&str; 10] = [
    "'; DROP TABLE web; -- ",
    "\\' OR 1=1 -- ",
    "`x`; DELETE FROM jos_users; #",
    "<script>alert(1)</script>\"&]]>",
    "\u{1b}[31m\u{7}\r\n",
    "\u{202e}\u{200b}",
    "%",
    "_(.*)+[a-z",
    "../../../etc/passwd",
    "",
];
const INTEGERS: [&str; 6] = ["0", "1", "-1", "2147483647", "-2147483648", "1000"];
const NUMBERS: [&str; 5] = ["0", "-1.5", "1e308", "-1e308", "3600"];
const TIMES: [&str; 5] =
    ["0000-00-00 00:00:00", "9999-12-31 23:59:59", "2025-07-10 10:00:00", "2025-07-10 10:00:01", "2025-07-00 00:00:00"];

fn pick<'a>(of: &[&'a str], n: usize) -> &'a str {
    of[n % of.len()]
}

/// A value for a column of this type, as SQL.
fn value(kind: &str, n: usize) -> String {
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    match kind {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => pick(&INTEGERS, n).to_owned(),
        "float" | "double" | "decimal" => pick(&NUMBERS, n).to_owned(),
        "date" | "datetime" | "timestamp" => format!("'{}'", pick(&TIMES, n)),
        _ => match hex(pick(&TEXTS, n)) {
            empty if empty.is_empty() => "''".to_owned(),
            digits => format!("0x{digits}"),
        },
    }
}

/// Fills every table of a database with forty such rows; the server adjusts or rejects what it cannot store.
fn fill(pair: &Pair, database: &str, only: impl Fn(&str) -> bool) {
    let columns = format!(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = '{database}' \
         AND extra NOT LIKE '%GENERATED%' ORDER BY table_name, ordinal_position"
    );
    let mut tables = std::collections::BTreeMap::<String, Vec<(String, String)>>::new();
    for line in pair.lines(&columns) {
        let cells: Vec<&str> = line.split('\t').collect();
        tables.entry(cells[0].to_owned()).or_default().push((cells[1].to_owned(), cells[2].to_owned()));
    }
    for (table, columns) in tables.iter().filter(|(table, _)| only(table)) {
        let names: Vec<String> = columns.iter().map(|(name, _)| format!("`{name}`")).collect();
        for row in 0..40 {
            // adjacent columns use different positions in their lists
            let cells: Vec<String> =
                columns.iter().enumerate().map(|(at, (_, kind))| value(kind, row + at * (1 + row / 10))).collect();
            let (names, cells) = (names.join(", "), cells.join(", "));
            pair.sql(&format!("INSERT IGNORE INTO `{database}`.`{table}` ({names}) VALUES ({cells})"));
        }
    }
}

/// What no stage may change: the structure of all tables, and the rows of those that are only read.
fn untouched(pair: &Pair) -> Vec<String> {
    let read_only = ["jos_users", "jos_xprofiles", "jos_user_profiles", "jos_session", "jos_tool_version"];
    let sums = read_only.iter().map(|table| pair.lines(&format!("CHECKSUM TABLE {{hub}}.`{table}`")).join(""));
    let (hub, metrics) = (pair.shape(&pair.hub), pair.shape(&pair.metrics));
    let shapes = hub.columns.into_iter().chain(hub.indexes).chain(metrics.columns).chain(metrics.indexes);
    // two copies that are created again each time
    let is_copy = |line: &String| line.starts_with("jos_xprofiles_metrics\t") || line.starts_with("userlogin_lite\t");
    sums.chain(shapes.filter(|line| !is_copy(line))).collect()
}

#[test]
fn rows_of_a_hub_are_values_and_nothing_else() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        let hub = pair.hub.clone();
        fill(&pair, &hub, |_| true);
        let metrics = pair.metrics.clone();
        fill(&pair, &metrics, |table| {
            ["exclude_list", "domainclass", "domainclasses", "web", "toolstart", "userlogin"].contains(&table)
        });
        // an empty or one-letter filter would exclude everything
        pair.sql("DELETE FROM exclude_list WHERE CHAR_LENGTH(filter) < 3");
        let before = untouched(&pair);
        let names = NameServer::start(|_| Reply::NxDomain);
        let places = GeoServer::start(|_| Says::NotFound);
        let proxy = places.url().split_once("/ipinfo").unwrap().0.to_owned();
        for words in ["tool-metrics --db 2025-07", "usage-metrics --db 2025-07", "summarize --db 2025-07"] {
            let (name, words) = words.split_once(' ').unwrap();
            let stage = Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(name);
            let run = pair.run(stage).args(words.split(' ')).env("HZMETRICS_DNS_NAMESERVER", names.address());
            let done =
                ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].iter().fold(run, |run, name| run.env(name, &proxy)).finish();
            // it succeeds, or says in words what it cannot use
            let words = done.stderr.trim();
            assert!(
                done.code == 0 || (done.code == 1 && !words.is_empty()),
                "{engine:?} {name}: {} {words}",
                done.code
            );
            let steers = |c: char| (c.is_control() && c != '\n' && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!done.stderr.contains("panicked") && !done.stderr.chars().any(steers), "{name}: {:?}", done.stderr);
        }
        let after = untouched(&pair);
        let changed: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
        assert!(changed.is_empty() && after.len() == before.len(), "{engine:?}: {changed:?}");
    }
}
