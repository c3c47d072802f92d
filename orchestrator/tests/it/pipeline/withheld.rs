//! Months that must not be published: future ones, and withheld ones.

use std::fs;
use std::path::Path;

use super::life;

const COUNTS: &str = "SELECT (SELECT COUNT(*) FROM summary_user_vals WHERE datetime = '2026-02-00'), \
    (SELECT COUNT(*) FROM summary_misc_vals WHERE datetime = '2026-02-00'), \
    (SELECT COUNT(*) FROM summary_simusage_vals WHERE datetime = '2026-02-00'), \
    (SELECT COUNT(*) FROM summary_andmore_vals WHERE datetime = '2026-02-00')";

#[test]
fn no_command_publishes_a_month_in_the_future() {
    let Some(life) = life() else { return };
    life.web(&["2099-01-05"]);
    for day in ["20990105", "20260606"] {
        life.access_log(day);
    }
    for line in [
        "analyze --month 2099-01",
        "analyze 2099-01",
        "analyze --month 2099-01 --force",
        "summarize --month 2099-01",
        "summarize 2026-06 --dry-run",
        "process --month 2099-01",
        "process --day 2099-01-05",
        "process --next",
        "process --next --dry-run",
        "mark-dirty 2099-01",
        "mark-dirty 2026-01 2026-06",
        "rebuild-from 2026-06",
        "rebuild-from 2026-06 --dry-run",
        "rebuild-summaries --since 2026-01 --through 2026-06",
        "rebuild-webhits --month 2026-06",
        "summarize-month 2099-01",
        "andmore-usage 2099-01",
        "logfix-session 2099-01",
        "gen-tool-stats 2099-01 --dry-run",
        "gen-tool-tops 2099-01",
        "gen-tool-toplists 2099-01",
    ] {
        let done = life.run(line).expect_code(2);
        assert!(done.stderr.contains("in the future"), "{line}: {}", done.stderr);
    }
    assert_eq!((life.list(), life.state()), (vec![], vec![]));
    // the current month has begun
    life.run("mark-dirty 2026-05").ok();
}

#[test]
fn no_stage_publishes_a_month_in_the_future() {
    let beside = |name: &str| Path::new(env!("CARGO_BIN_EXE_hzmetrics")).with_file_name(name);
    for line in [
        "summarize --db 2099-01",
        "summarize --db --dry-run --month 2099-01",
        "summarize --to db --month 2099-01",
        "summarize --db --since 2098-11 --through 2099-01",
        "summarize --db --only andmore 2099-01",
        "usage-metrics --db 2099-01",
        "usage-metrics --db --dry-run 2099-01",
        "usage-metrics --db --only sessions --date 2099-01",
        "tool-metrics --db 2099-01",
        "tool-metrics --db --dry-run --month 2099-01",
    ] {
        let (name, args) = line.split_once(' ').unwrap();
        let done = fixtures::run(beside(name)).args(args.split(' ')).finish().expect_code(2);
        assert!(done.stderr.contains("2099-01 is in the future"), "{line}: {}", done.stderr);
    }
    // a pipe may compute any month
    fixtures::run(beside("summarize")).args(["--month", "2099-01"]).stdin("").finish().ok();
    fixtures::run(beside("tool-metrics")).args(["2099-01"]).stdin("").finish().ok();
}

#[test]
fn future_rows_and_logs_are_named_and_no_backlog() {
    let Some(life) = life() else { return };
    life.web(&["2026-04-15", "2026-05-01", "2026-06-01", "2099-01-05", "2099-01-06"]);
    life.summarized(&["2026-04"]);
    life.access_log("20990105");
    life.set("analyzed", "2026-05-19");
    let done = life.run("run").ok();
    assert_eq!((done.stderr.as_str(), life.list()), ("", vec![]));
    assert!(life.state().iter().all(|line| !line.contains("2099")), "{:?}", life.state());
    let words = "3 request(s) dated 2026-06-01 .. 2099-01-06: no month in the future is published";
    assert!(life.log().contains(words), "{}", life.log());
    let text = life.run("status").ok().text();
    assert!(text.contains(&format!("  dated in future  : {words}\n")), "{text}");
    assert!(text.contains("  dated in future  : 1 log(s) named for 20990105 .. 20990105: "), "{text}");
}

/// What is published of January and February, here and in the hub's database.
fn published(life: &super::Life) {
    life.web(&["2026-01-15", "2026-02-15", "2026-03-15", "2026-04-15"]);
    life.summarized(&["2026-01", "2026-02", "2026-03", "2026-04"]);
    life.pair.sql(
        "INSERT INTO summary_andmore_vals (rowid, colid, datetime, period, value, valfmt) VALUES \
         (1, 1, '2026-01-00', 1, 1, 1), (1, 1, '2026-02-00', 1, 1, 1), (1, 1, '2026-03-00', 1, 1, 1);\n\
         USE hub;\n\
         INSERT INTO jos_resource_stats (id, resid, restype, datetime, period) VALUES \
         (1, 7, 7, '2026-01-00', 1), (2, 7, 7, '2026-02-00', 1), (3, 7, 7, '2026-02-01', 14), (4, 7, 7, '2026-03-00', 1);\n\
         INSERT INTO jos_resource_stats_tools (id, resid, restype, datetime, period) VALUES \
         (11, 7, 7, '2026-01-00', 1), (12, 7, 7, '2026-02-00', 1), (13, 7, 7, '2026-02-00', 14);\n\
         INSERT INTO jos_resource_stats_tools_topvals (id, top, `rank`, name, value) VALUES \
         (11, 1, 0, 'a', 1), (12, 1, 0, 'a', 1), (13, 1, 0, 'a', 1);\n\
         INSERT INTO jos_stats_topvals (id, top, datetime, period, `rank`, name, value) VALUES \
         (21, 1, '2026-01-00', 1, 1, 'a', 1), (22, 1, '2026-02-00', 1, 1, 'a', 1)",
    );
}

/// The ids of the statistics in the hub's database.
fn statistics(life: &super::Life) -> Vec<String> {
    let tables = ["resource_stats", "resource_stats_tools", "resource_stats_tools_topvals", "stats_topvals"];
    let ids = |table: &&str| life.pair.lines(&format!("SELECT id FROM {{hub}}.jos_{table} ORDER BY id")).join(" ");
    tables.iter().map(ids).collect()
}

#[test]
fn unpublish_removes_everything_readers_see_of_a_month_and_nothing_else() {
    for (engine, mode) in fixtures::db::MODES {
        let Some(life) = super::Life::new(engine, mode) else { return };
        published(&life);
        life.set("dirty_months", "2026-01,2026-02");
        let before = (life.state(), statistics(&life), life.pair.lines(COUNTS));
        let told = life.run("unpublish 2026-02 --dry-run").ok().stderr;
        assert!(told.contains("would delete 6 rows of summary_user_vals"), "{told}");
        assert!(told.contains("would delete 2 rows of jos_resource_stats_tools_topvals"), "{told}");
        assert_eq!((life.state(), statistics(&life), life.pair.lines(COUNTS)), before);

        life.run("unpublish 2026-02").ok();
        assert_eq!(life.pair.lines(COUNTS), ["0\t0\t0\t0"]);
        assert_eq!(statistics(&life), ["1 4", "11", "11", "21"]);
        let left = "SELECT DISTINCT datetime FROM summary_user_vals ORDER BY 1";
        assert_eq!(life.pair.lines(left).len(), 3);
        assert_eq!(life.pair.value("SELECT COUNT(*) FROM web").as_deref(), Some("4"), "requests stay");
        assert_eq!(life.state(), ["dirty_months=2026-01", "withheld_months=2026-02"]);
        // the second time changes nothing
        life.run("unpublish 2026-02").ok();
        assert_eq!(life.state(), ["dirty_months=2026-01", "withheld_months=2026-02"]);
        life.run("unpublish 2026-13").expect_code(2);
        life.run("unpublish").expect_code(2);
    }
}

#[test]
fn a_future_month_is_unpublished_too() {
    let Some(life) = life() else { return };
    life.summarized(&["2099-01"]);
    life.run("unpublish 2099-01").ok();
    assert_eq!(life.pair.value("SELECT COUNT(*) FROM summary_user_vals").as_deref(), Some("0"));
    let text = life.run("status").ok().text();
    assert!(text.contains("  withheld months  : 2099-01\n"), "{text}");
}

#[test]
fn a_withheld_month_stays_withheld_until_it_is_named() {
    let Some(life) = life() else { return };
    published(&life);
    life.set("analyzed", "2026-05-19");
    life.run("unpublish 2026-02").ok();
    life.run("run").ok();
    assert_eq!(life.list(), [""; 0]);
    // a rebuild skips it
    let said = life.run("rebuild-from 2026-01").ok().stderr;
    assert!(said.contains("2026-02 is withheld and stays so"), "{said}");
    life.run("run").ok();
    let list = life.list();
    assert!(list.iter().all(|line| !line.contains("2026-02")), "{list:?}");
    let summaries: Vec<_> = list.iter().filter(|line| line.starts_with("summarize")).collect();
    assert_eq!(summaries, ["summarize --month 2026-01", "summarize --since 2026-03 --through 2026-04"]);
    life.run("rebuild-summaries --since 2026-01 --through 2026-03").ok();
    assert_eq!(life.list(), ["summarize --month 2026-01", "summarize --month 2026-03"]);
    assert_eq!(life.pair.lines(COUNTS), ["0\t0\t0\t0"]);
    // its new logs are imported, and nothing else is done with it
    life.access_log("20260220");
    life.run("run --one-month").ok();
    assert_eq!(life.list(), ["import 20260220"]);
    assert!(life.log().contains("2026-02 is withheld: its logs are imported, nothing is published"));
    life.set("mode", "normal");

    life.run("summarize 2026-02 --dry-run").ok();
    assert!(life.state().contains(&"withheld_months=2026-02".to_owned()), "{:?}", life.state());
    life.list();
    life.run("summarize 2026-02").ok();
    assert_eq!(life.list(), ["summarize --month 2026-02"]);
    assert!(life.state().contains(&"withheld_months=".to_owned()), "{:?}", life.state());

    // once it is marked, the next run processes it
    life.run("unpublish 2026-02").ok();
    life.run("mark-dirty 2026-02").ok();
    let state = life.state();
    assert!(state.contains(&"withheld_months=".to_owned()), "{state:?}");
    assert!(state.contains(&"dirty_months=2026-02".to_owned()), "{state:?}");
    life.run("run --one-month").ok();
    assert_eq!(life.list(), ["tools 2026-02", "usage +2026-02", "summarize --month 2026-02 OWN"]);
}

#[test]
fn the_current_and_the_previous_month_can_be_withheld() {
    let Some(life) = life() else { return };
    life.log_file("var/log/httpd/imported/h-access.log-20260430.gz", "");
    for month in ["2026-04", "2026-05"] {
        life.run(&format!("unpublish {month}")).ok();
    }
    for line in ["run", "run --force", "--compat single-mode run"] {
        life.run(line).ok();
        assert_eq!(life.list(), [""; 0], "{line}");
    }
    life.run("mark-dirty 2026-05").ok();
    life.run("run").ok();
    assert_eq!(life.list(), ["tools 2026-05", "usage 2026-05"]);
}

#[test]
fn dry_runs_of_marking_change_nothing() {
    let Some(life) = life() else { return };
    life.set("dirty_months", "2026-01,2026-03");
    life.set("withheld_months", "2026-02");
    let before = life.state();
    for (line, words) in [
        ("mark-dirty --dry-run 2026-02", "[dry-run] would flag: 2026-02"),
        ("clear-dirty 2026-01 --dry-run", "[dry-run] would leave: 2026-03"),
        ("clear-dirty --all --dry-run", "[dry-run] would leave: (empty)"),
        ("rebuild-from 2026-01 --dry-run", "[dry-run] would set mode normal → rebuild"),
    ] {
        let said = life.run(line).ok().stderr;
        assert!(said.contains(words), "{line}: {said}");
        assert_eq!(life.state(), before, "{line}");
    }
    assert!(!fs::exists(life.path("state/hzmetrics.state")).unwrap(), "no copy of the state either");
}
