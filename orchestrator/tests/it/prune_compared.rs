//! `hzmetrics compare`, `rehearse` and `report` on a hub of which rows were pruned.

use fixtures::db::{Pair, SqlMode, pair};
use schema::tables::Engine;
use serde_json::Value;

use super::prune_rows::{configure, fill, hzmetrics, program};
use super::rehearse;

fn hub() -> Option<Pair> {
    let pair = pair(Engine::InnoDb, SqlMode::Strict)?;
    configure(&pair, "[retention]\nweb_months = 24\nlogins_months = 36\n");
    fill(&pair, 7, 20);
    Some(pair)
}

#[test]
fn rows_that_one_side_has_pruned_are_named_and_not_compared() {
    let (Some(hub), Some(other)) = (hub(), hub()) else { return };
    let compare = |more: &str| hzmetrics(&hub, format!("compare {} {more}", other.metrics).trim());
    let _ = compare("").ok();
    let _ = hzmetrics(&hub, "prune").ok();
    let text = compare("").ok().text();
    assert_eq!(text.matches("pruned: rows of the months through 2023-06 are not compared").count(), 2, "{text}");
    assert!(text.contains("no difference; not compared: ") && text.contains("rows that were pruned (through 2023-06)"));
    let report: Value = serde_json::from_str(&compare("--json").ok().text()).unwrap();
    let of = |name: &str| report["tables"].as_array().unwrap().iter().find(|table| table["table"] == name).unwrap();
    for (name, through) in [("web", "2023-06".into()), ("websessions", "2023-06".into()), ("userlogin", Value::Null)] {
        assert_eq!(of(name)["pruned_through"], through, "{name}");
    }
    assert!(!compare("2024-06").ok().text().contains("pruned:"));
    assert!(compare("2023-06 2024-06").ok().text().contains("pruned:"));
    // the other way round
    let back = hzmetrics(&other, &format!("compare {}", hub.metrics)).ok();
    assert!(back.text().contains("pruned: rows of the months through 2023-06"), "{}", back.text());
    // rows that stay are compared as before, and so are those of tables that were not pruned
    for change in [
        "UPDATE web SET dnload = 9 WHERE datetime >= '2023-07-01' ORDER BY datetime, id LIMIT 1",
        "DELETE FROM userlogin ORDER BY id LIMIT 1",
        "UPDATE websessions SET duration = duration + 1 ORDER BY datetime DESC, id LIMIT 1",
    ] {
        let _ = compare("").ok();
        other.sql(&format!("CREATE TABLE kept_web LIKE web;\nINSERT INTO kept_web SELECT * FROM web;\n{change}"));
        let done = compare("").expect_code(1);
        assert!(done.text().contains("FAIL"), "{change}: {}", done.text());
        hub.sql("DROP TABLE IF EXISTS kept_web");
        other.sql("DROP TABLE kept_web");
        for table in ["web", "websessions", "userlogin"] {
            let (from, to) = (&other.metrics, &hub.metrics);
            let condition = if table == "userlogin" { "1" } else { "datetime >= '2023-07-01'" };
            hub.sql(&format!(
                "DELETE FROM `{to}`.{table} WHERE {condition};\n\
                 INSERT INTO `{to}`.{table} SELECT * FROM `{from}`.{table} WHERE {condition}"
            ));
        }
    }
}

#[test]
fn a_report_says_what_it_leaves_out() {
    let Some(hub) = hub() else { return };
    // a section on traffic has no place for requests without a day
    hub.sql("DELETE FROM web WHERE DAYOFMONTH(datetime) = 0");
    let report = |month: &str| {
        let run = program(&hub, "report").args(["--from", "db", "--format", "text", month]);
        run.finish().ok().text()
    };
    let of_sessions = "Single sessions of the twelve months to May 2023 are no longer stored";
    let of_requests = "Requests of May 2023 are no longer stored";
    let before = report("2023-05");
    assert!(before.contains("Visitors") && !before.contains("no longer stored"), "{before}");
    let _ = hzmetrics(&hub, "prune").ok();
    let after = report("2023-05").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(after.contains(of_sessions) && after.contains(of_requests), "{after}");
    let next = report("2024-05").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!next.contains("Requests of May 2024"), "{next}");
    assert!(!report("2025-05").contains("no longer stored"));
}

#[test]
fn months_without_rows_are_not_rehearsed() {
    let Some(hub) = rehearse::Hub::empty(Engine::InnoDb, 2) else { return };
    hub.make_months();
    // one of two months that were imported together
    for month in ["2025-03", "2025-04"] {
        let done = hub.rehearse(month);
        assert_eq!((rehearse::found(&done), done.code), (vec![], 0), "{}{}", done.text(), done.stderr);
    }
    let config = hub.config("[retention]\nweb_months = 12\nlogins_months = 12\n");
    let now = "2026-04-02T10:00";
    let done =
        hub.run(env!("CARGO_BIN_EXE_hzmetrics").into()).env("HZMETRICS_CONFIG", &config).env("HZMETRICS_NOW", now);
    let done = done.arg("prune").finish().ok();
    assert!(done.stderr.contains("the state through 2025-03 gives the same cells"), "{}", done.stderr);
    for months in ["2025-03", "2025-03 2025-04"] {
        let done = hub.rehearse(months).expect_code(1);
        assert!(done.stderr.contains("2025-03 cannot be rehearsed: `hzmetrics prune`"), "{}", done.stderr);
    }
    let done = hub.rehearse("2025-04");
    assert_eq!((rehearse::found(&done), done.code), (vec![], 0), "{}{}", done.text(), done.stderr);
}
