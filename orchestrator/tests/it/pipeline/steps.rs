//! One step of the state machine at a time: from the stored state and the existing data to what is
//! started, in which order, and the state afterwards. In the middle of May 2026.

use super::{Life, life};

/// The current month is analyzed, April is summarized: a normal run has nothing to do.
fn idle(life: &Life) {
    life.set("analyzed", "2026-05-19");
    life.summarized(&["2026-04"]);
}

/// Runs one step; returns what it started.
fn step(life: &Life) -> Vec<String> {
    life.run("run --one-month").ok();
    life.list()
}

/// The state, without the day of the last analysis.
fn remembered(life: &Life) -> Vec<String> {
    life.state().into_iter().filter(|line| !line.starts_with("analyzed=")).collect()
}

/// The analysis of a finished month, then its own period.
fn caught_up(month: &str) -> [String; 3] {
    [format!("tools {month}"), format!("usage +{month}"), format!("summarize --month {month} OWN")]
}

/// The analysis of a finished month, then all periods.
fn rebuilt(month: &str) -> [String; 3] {
    [format!("tools {month}"), format!("usage +{month}"), format!("summarize --month {month}")]
}

/// How often months were reset.
fn n_resets(life: &Life) -> usize {
    life.log().matches("dropping stamps, sessions and cells").count()
}

/// Sets the state, replacing the old one.
fn state(life: &Life, pairs: &[(&str, &str)]) {
    life.pair.sql("DELETE FROM pipeline_state WHERE k <> 'analyzed'");
    for (key, value) in pairs {
        life.set(key, value);
    }
}

#[test]
fn a_normal_run_without_work_stays_normal() {
    let Some(life) = life() else { return };
    idle(&life);
    assert_eq!(step(&life), [""; 0]);
    assert_eq!(life.state(), ["analyzed=2026-05-19"], "nothing is stored");
    life.set("mode", "normal");
    assert_eq!(step(&life), [""; 0]);
    assert_eq!(remembered(&life), ["mode=normal"]);
}

#[test]
fn a_normal_run_imports_each_pending_day_of_the_month() {
    let Some(life) = life() else { return };
    idle(&life);
    for day in ["20260518", "20260502"] {
        life.access_log(day);
    }
    // a day with only logins, and a log in daily.holding
    life.log_file("var/log/hubzero/daily/cmsauth.log-20260510", "a line\n");
    life.log_file("var/log/httpd/daily.holding/h-access.log-20260511", "a line\n");
    let days = ["20260502", "20260510", "20260511", "20260518"].map(|day| format!("import {day}"));
    assert_eq!(step(&life), days);
    assert_eq!(life.state(), ["analyzed=2026-05-19"], "new logs of the current month make nothing stale");
    assert_eq!(step(&life), [""; 0]);
    // once a day
    life.set("analyzed", "2026-05-18");
    assert_eq!(step(&life), ["tools 2026-05", "usage 2026-05"]);
    assert_eq!(life.state(), ["analyzed=2026-05-19"]);
}

#[test]
fn an_old_log_makes_a_normal_run_catch_up() {
    let Some(life) = life() else { return };
    idle(&life);
    life.access_log("20220615");
    life.access_log("20260518");
    let mut expected = vec!["import 20220615".to_owned()];
    expected.extend(caught_up("2022-06"));
    // the log of the current month waits
    assert_eq!(step(&life), expected);
    assert!(life.has("var/log/httpd/daily/h-access.log-20260518"));
    assert_eq!(
        remembered(&life),
        ["catchup_started=2022-06", "dirty_months=", "mode=catchup", "rebuild_cascade_from=2022-06"]
    );
}

#[test]
fn catching_up_with_a_month_that_has_only_logs() {
    let Some(life) = life() else { return };
    idle(&life);
    state(&life, &[("mode", "catchup"), ("catchup_started", "2022-01")]);
    life.access_log("20220615");
    life.access_log("20220616");
    // a month without rows has nothing to drop, whatever its tool starts refer to
    life.pair.sql("INSERT INTO toolstart (datetime, sessionid) VALUES ('2022-06-11', 9)");
    let mut expected = vec!["import 20220615".to_owned(), "import 20220616".to_owned()];
    expected.extend(caught_up("2022-06"));
    assert_eq!(step(&life), expected);
    assert_eq!(n_resets(&life), 0);
    assert_eq!(life.pair.lines("SELECT sessionid FROM toolstart"), ["9"]);
    assert_eq!(
        remembered(&life),
        ["catchup_started=2022-01", "dirty_months=", "mode=catchup", "rebuild_cascade_from=2022-06"]
    );
}

#[test]
fn catching_up_with_a_month_that_has_logs_and_rows() {
    let Some(life) = life() else { return };
    idle(&life);
    state(&life, &[("mode", "catchup"), ("catchup_started", "2022-01")]);
    life.web(&["2023-12-10", "2023-12-11", "2024-01-01"]);
    life.pair.sql(
        "INSERT INTO websessions (id, datetime) VALUES (7, '2023-12-10'), (8, '2024-01-01');\n\
         UPDATE web SET sessionid = 7 WHERE datetime < '2024-01-01';\n\
         UPDATE web SET sessionid = 8 WHERE datetime >= '2024-01-01';\n\
         INSERT INTO userlogin (datetime, user) VALUES ('2023-12-10', 'a')",
    );
    life.summarized(&["2024-01"]);
    life.access_log("20231215");
    let mut expected = vec!["import 20231215".to_owned()];
    expected.extend(caught_up("2023-12"));
    assert_eq!(step(&life), expected);
    // derived data is rebuilt once; imported data is kept
    assert_eq!(n_resets(&life), 1);
    assert_eq!(life.pair.lines("SELECT id FROM websessions"), ["8"]);
    assert_eq!(
        life.pair.lines("SELECT DATE(datetime), COALESCE(sessionid, 'none') FROM web ORDER BY datetime"),
        ["2023-12-10\tnone", "2023-12-11\tnone", "2023-12-15\tnone", "2024-01-01\t8"]
    );
    assert_eq!(life.pair.value("SELECT COUNT(*) FROM userlogin").as_deref(), Some("1"));
    assert!(remembered(&life).contains(&"rebuild_cascade_from=2023-12".to_owned()), "{:?}", life.state());
}

#[test]
fn catching_up_with_a_month_that_has_only_rows() {
    let Some(life) = life() else { return };
    idle(&life);
    state(&life, &[("mode", "catchup"), ("catchup_started", "2022-01")]);
    life.web(&["2024-07-10"]);
    life.pair.sql(
        "INSERT INTO websessions (id, datetime) VALUES (7, '2024-07-10');\n\
         UPDATE web SET sessionid = 7",
    );
    assert_eq!(step(&life), caught_up("2024-07"));
    assert_eq!(n_resets(&life), 0);
    assert_eq!(life.pair.lines("SELECT sessionid FROM web"), ["7"]);
    // no new rows: the later months are correct
    assert_eq!(remembered(&life), ["catchup_started=2022-01", "mode=catchup"]);
}

#[test]
fn a_dirty_month_that_is_complete_is_rebuilt() {
    let Some(life) = life() else { return };
    idle(&life);
    life.web(&["2025-05-10", "2025-06-10"]);
    life.summarized(&["2025-05", "2025-06"]);
    // complete and not dirty: nothing is done
    assert_eq!(step(&life), [""; 0]);
    state(&life, &[("mode", "catchup"), ("catchup_started", "2022-01"), ("dirty_months", "2025-05,2025-06")]);
    assert_eq!(step(&life), caught_up("2025-05"));
    assert_eq!(n_resets(&life), 1);
    assert_eq!(
        remembered(&life),
        ["catchup_started=2022-01", "dirty_months=2025-06", "mode=catchup", "rebuild_cascade_from=2025-05"]
    );
    // one mark is removed at a time; the cells of its long periods are missing until the rebuild; cells of
    // other months are unchanged
    let cells = "SELECT DATE_FORMAT(datetime, '%Y-%m'), GROUP_CONCAT(DISTINCT period ORDER BY period) FROM summary_user_vals \
                 GROUP BY 1 ORDER BY 1";
    let all = "0,1,3,12,13,14";
    assert_eq!(life.pair.lines(cells), ["2025-05\t1".to_owned(), format!("2025-06\t{all}"), format!("2026-04\t{all}")]);
}

#[test]
fn requests_without_their_session_rebuild_a_month() {
    let Some(life) = life() else { return };
    idle(&life);
    life.web(&["2025-06-10", "2025-06-11"]);
    life.pair.sql(
        "INSERT INTO websessions (id, datetime) VALUES (7, '2025-06-10');\n\
         UPDATE web SET sessionid = IF(datetime < '2025-06-11', 7, 8)",
    );
    assert_eq!(step(&life), caught_up("2025-06"));
    assert_eq!(n_resets(&life), 1);
    assert_eq!(life.pair.lines("SELECT COALESCE(sessionid, 'none') FROM web"), ["none", "none"]);
    assert!(remembered(&life).contains(&"rebuild_cascade_from=2025-06".to_owned()), "{:?}", life.state());
}

#[test]
fn the_rebuild_begins_at_the_oldest_new_rows() {
    for (known, month, no_rows, expected) in [
        // the oldest month with new rows; never later than the stored one
        ("", "2024-01", false, "2024-01"),
        ("2023-05", "2024-01", false, "2023-05"),
        ("2023-05", "2022-09", false, "2022-09"),
        // a log whose rows exist already changes nothing
        ("", "2022-06", true, ""),
        ("2023-05", "2022-09", true, "2023-05"),
    ] {
        let Some(life) = life() else { return };
        idle(&life);
        life.web(&[&format!("{month}-10")]);
        life.access_log(&format!("{}15", month.replace('-', "")));
        state(&life, &[("mode", "catchup"), ("catchup_started", "2022-01"), ("rebuild_cascade_from", known)]);
        let run = life.start("run --one-month");
        if no_rows { run.env("NO_ROWS", "1") } else { run }.finish().ok();
        let found = life.pair.value("SELECT v FROM pipeline_state WHERE k = 'rebuild_cascade_from'");
        assert_eq!(found.as_deref(), Some(expected), "{known} {month} {no_rows}");
    }
}

#[test]
fn the_oldest_month_ever_caught_up_is_remembered() {
    for (month, expected) in [("2020-10", "2020-10"), ("2024-06", "2022-01")] {
        let Some(life) = life() else { return };
        idle(&life);
        state(&life, &[("mode", "catchup"), ("catchup_started", "2022-01")]);
        // a log of either stream is enough
        life.log_file(&format!("var/log/hubzero/daily/cmsauth.log-{}30", month.replace('-', "")), "a line\n");
        life.run("run --one-month").ok();
        let found = life.pair.value("SELECT v FROM pipeline_state WHERE k = 'catchup_started'");
        assert_eq!(found.as_deref(), Some(expected));
    }
}

#[test]
fn once_all_is_caught_up_the_rebuild_begins() {
    let Some(life) = life() else { return };
    idle(&life);
    // nothing came in: the walk is skipped, only a sweep remains
    state(&life, &[("mode", "catchup"), ("catchup_started", "2022-01")]);
    assert_eq!(step(&life), [""; 0]);
    assert_eq!(remembered(&life), ["catchup_started=2022-01", "mode=rebuild", "rebuild_cursor=2026-06"]);
    // an empty marker does not count
    state(&life, &[("mode", "catchup"), ("rebuild_cascade_from", "")]);
    assert_eq!(step(&life), [""; 0]);
    assert_eq!(remembered(&life), ["mode=rebuild", "rebuild_cascade_from=", "rebuild_cursor=2026-06"]);
    // something came in
    state(&life, &[("mode", "catchup"), ("catchup_started", "2022-01"), ("rebuild_cascade_from", "2023-01")]);
    assert_eq!(step(&life), [""; 0]);
    assert_eq!(
        remembered(&life),
        ["catchup_started=2022-01", "mode=rebuild", "rebuild_cascade_from=2023-01", "rebuild_cursor=2023-01"]
    );
}

#[test]
fn the_walk_goes_month_by_month_with_all_periods() {
    let Some(life) = life() else { return };
    idle(&life);
    for (cursor, next) in [("2022-06", "2022-07"), ("2022-12", "2023-01"), ("2026-04", "2026-05")] {
        state(&life, &[("mode", "rebuild"), ("rebuild_cursor", cursor)]);
        assert_eq!(step(&life), rebuilt(cursor));
        assert_eq!(remembered(&life), ["mode=rebuild".to_owned(), format!("rebuild_cursor={next}")]);
    }
    // without a cursor, from where catching up began
    state(&life, &[("mode", "rebuild"), ("catchup_started", "2023-03")]);
    assert_eq!(step(&life), rebuilt("2023-03"));
    // during the walk no month is swept, and nothing is imported
    life.pair.sql("DELETE FROM summary_misc_vals WHERE datetime = '2022-06-00' AND period = 14");
    life.access_log("20260518");
    state(&life, &[("mode", "rebuild"), ("rebuild_cursor", "2024-06")]);
    assert_eq!(step(&life), rebuilt("2024-06"));
    assert_eq!(remembered(&life), ["mode=rebuild", "rebuild_cursor=2024-07"]);
}

#[test]
fn the_sweep_starts_with_the_oldest_month_that_lacks_periods() {
    let Some(life) = life() else { return };
    idle(&life);
    life.summarized(&["2020-10", "2021-03", "2021-11"]);
    for (table, month, period) in [("user", "2021-11", 14), ("misc", "2020-10", 0), ("simusage", "2021-03", 13)] {
        let sql = format!("DELETE FROM summary_{table}_vals WHERE datetime = '{month}-00' AND period = {period}");
        life.pair.sql(&sql);
    }
    // after the walk, or if there was none
    let passed: &[&[(&str, &str)]] = &[
        &[("mode", "rebuild"), ("rebuild_cursor", "2026-05")],
        &[("mode", "rebuild"), ("rebuild_cursor", "2026-06"), ("catchup_started", "2020-01")],
        &[("mode", "rebuild")],
    ];
    for (pairs, month) in passed.iter().zip(["2020-10", "2021-03", "2021-11"]) {
        state(&life, pairs);
        let before = remembered(&life);
        assert_eq!(step(&life), rebuilt(month));
        assert_eq!(remembered(&life), before, "the work continues while a month is left");
    }
    assert_eq!(step(&life), [""; 0]);
    assert!(remembered(&life).contains(&"mode=normal".to_owned()));
}

#[test]
fn after_a_rebuild_the_normal_work_continues() {
    let Some(life) = life() else { return };
    idle(&life);
    life.set("analyzed", "2026-05-18");
    state(&life, &[("mode", "rebuild"), ("rebuild_cursor", "2026-05"), ("rebuild_cascade_from", "2023-01")]);
    life.access_log("20260518");
    assert_eq!(step(&life), ["import 20260518", "tools 2026-05", "usage 2026-05"]);
    assert_eq!(remembered(&life), ["mode=normal", "rebuild_cascade_from=", "rebuild_cursor=2026-05"]);
}

#[test]
fn a_month_has_ended_if_its_last_log_or_later_data_arrived() {
    let Some(life) = life() else { return };
    let at = |now: &str| {
        life.start("run").env("HZMETRICS_NOW", now).finish().ok();
        life.pair.sql("DELETE FROM pipeline_state");
        life.list().into_iter().filter(|line| line.starts_with("summarize")).collect::<Vec<_>>()
    };
    // late in the next month, nothing has arrived
    assert_eq!(at("2026-05-31T23:10"), [""; 0]);
    // neither its own rows prove it, nor those of any month but the next
    life.pair.sql("INSERT INTO userlogin (datetime, user) VALUES ('2026-04-30 23:59:59', 'a'), ('2026-07-01', 'b')");
    assert_eq!(at("2026-05-31T23:10"), [""; 0]);
    life.pair.sql("INSERT INTO web (datetime, ip) VALUES ('2026-05-01', '192.0.2.1')");
    assert_eq!(at("2026-05-02T10:10"), ["summarize --month 2026-04"]);
    // the month after December is January
    life.pair.sql("INSERT INTO userlogin (datetime, user) VALUES ('2026-01-02', 'a')");
    assert_eq!(at("2026-01-05T10:10"), ["summarize --month 2025-12"]);
    assert_eq!(at("2025-01-31T10:10"), [""; 0]);
    // the last day of a short month, with only the log and with both proofs
    life.log_file("var/log/httpd/imported/h-access.log-20240228.gz", "");
    assert_eq!(at("2024-03-20T10:10"), [""; 0]);
    life.log_file("var/log/httpd/imported/h-access.log-20240229.gz", "");
    assert_eq!(at("2024-03-20T10:10"), ["summarize --month 2024-02"]);
    life.pair.sql("DELETE FROM summary_user_vals;\nINSERT INTO userlogin (datetime, user) VALUES ('2024-03-01', 'a')");
    assert_eq!(at("2024-03-20T10:10"), ["summarize --month 2024-02"]);
}
