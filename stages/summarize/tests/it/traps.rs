//! The traps of the rules: small inputs where the obvious reading gives another number.

use serde_json::json;

use crate::{Cells, PERIODS, login, merge, session, summarize, toolstart, web};

/// Periods of July 2025 that begin with the month, and those that begin earlier.
const NEW: [u8; 2] = [1, 3];
const OLD: [u8; 4] = [0, 12, 13, 14];

#[test]
fn trap_1_the_first_instant_of_a_period_is_outside() {
    let records = [toolstart("2025-07-01 00:00:00", "u")];
    let july = Cells::month(&records, "2025-07");
    for period in NEW {
        assert_eq!(july.sim(1, period), 0);
        assert_eq!(july.get("simusage", 2, 1, period), None);
    }
    for period in OLD {
        assert_eq!([july.sim(1, period), july.sim(2, period)], [1, 1]);
    }
    let june = Cells::month(&records, "2025-06");
    assert_eq!(PERIODS.map(|p| june.sim(1, p)), [0; 6]);
}

#[test]
fn periods_of_a_month_inside_its_quarter() {
    let records = [
        toolstart("2024-12-31 23:59:59", "a"),
        toolstart("2025-01-01 00:00:00", "b"),
        toolstart("2025-01-10 08:00:00", "c"),
        toolstart("2025-02-28 23:59:59", "d"),
        toolstart("2025-03-01 00:00:00", "e"),
    ];
    let february = Cells::month(&records, "2025-02");
    assert_eq!([0, 1, 3, 12, 13, 14].map(|p| february.sim(1, p)), [2, 1, 2, 4, 4, 4]);
    let march = Cells::month(&records, "2025-03");
    assert_eq!([0, 1, 3, 12, 13, 14].map(|p| march.sim(1, p)), [3, 0, 3, 5, 5, 5]);
}

#[test]
fn trap_2_hits_of_the_first_day_count() {
    let hits =
        |day: u8, hits: u64| json!({"kind": "hits", "datetime": format!("2025-07-{day:02} 00:00:00"), "hits": hits});
    let records = [hits(1, 700), hits(10, 1000)];
    assert_eq!(Cells::month(&records, "2025-07").misc(8, 1), "1700");
    let original = summarize(&records).args(["--month", "2025-07", "--compat", "hits-start=exclusive"]).finish().ok();
    let original = Cells::of(&original);
    assert_eq!([original.misc(8, 1), original.misc(8, 0)], ["1000", "1700"]);
}

#[test]
fn trap_3_localhost_users_are_everywhere() {
    let cells = Cells::month(&[login("2019-03-03 03:03:03", "root", "127.0.0.1")], "2025-07");
    for period in PERIODS {
        for rowid in [3, 4] {
            assert_eq!(
                (1..=11).map(|c| cells.user(rowid, c, period)).collect::<Vec<_>>(),
                [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
            );
        }
        assert!([7, 8].iter().all(|&r| (1..=11).all(|c| cells.user(r, c, period) == 0)));
    }
}

#[test]
fn trap_4_logins_after_the_period_still_join() {
    let before = vec![session(1, "2024-01-15 10:00:00", "5.5.5.5", 2000, json!({}))];
    let mut after = before.clone();
    after.push(login("2025-03-01 10:00:00", "zoe", "5.5.5.5"));
    let (before, after) = (Cells::month(&before, "2024-01"), Cells::month(&after, "2024-01"));
    for period in PERIODS {
        assert_eq!([before.user(3, 1, period), after.user(3, 1, period)], [1, 2]);
    }
}

#[test]
fn trap_5_a_login_bars_only_the_periods_it_is_in() {
    let records =
        [session(1, "2025-07-05 10:00:00", "9.9.9.9", 1000, json!({})), login("2025-02-02 10:00:00", "x", "9.9.9.9")];
    let cells = Cells::month(&records, "2025-07");
    assert_eq!(NEW.map(|p| cells.user(7, 1, p)), [1, 1]);
    assert_eq!(OLD.map(|p| cells.user(7, 1, p)), [0; 4]);
}

#[test]
fn trap_6_a_visit_without_host_is_not_a_visitor() {
    let mut records: Vec<_> = (1..3).map(|id| session(id, "2025-07-05 10:00:00", "8.8.8.8", 1000, json!({}))).collect();
    records.iter_mut().for_each(|r| merge(r, json!({"host": null})));
    let cells = Cells::month(&records, "2025-07");
    assert_eq!([cells.misc(5, 1), cells.misc(4, 1)], ["2", "0"]);
    assert_eq!(cells.user(7, 1, 1), 0);
}

#[test]
fn trap_7_organisations_require_the_download_in_the_period() {
    let records = [
        session(1, "2025-06-30 23:55:00", "7.7.7.7", 480, json!({"domain": "mit.edu"})),
        web(1, "2025-07-01 00:03:00", "/resources/3/download/x.pdf"),
    ];
    let june = Cells::month(&records, "2025-06");
    for period in PERIODS {
        assert_eq!([1, 7, 8].map(|c| june.user(8, c, period)), [1, 0, 0]);
    }
    let july = Cells::month(&records, "2025-07");
    for period in NEW {
        assert_eq!([1, 7, 8].map(|c| july.user(8, c, period)), [0, 0, 0]);
    }
    for period in OLD {
        assert_eq!([1, 7, 8].map(|c| july.user(8, c, period)), [1, 1, 1]);
    }
}

#[test]
fn trap_8_long_sessions_download_too_but_only_for_users() {
    let records = [
        session(1, "2025-07-05 10:00:00", "4.4.4.4", 1500, json!({})),
        web(1, "2025-07-05 10:01:00", "/resources/3/download/x.pdf"),
        login("2011-01-01 10:00:00", "x", "4.4.4.4"),
    ];
    let cells = Cells::month(&records, "2025-07");
    assert_eq!([cells.user(8, 1, 1), cells.user(4, 1, 1)], [0, 1]);
}

#[test]
fn trap_9_a_visitor_of_two_classes_counts_twice() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("classes.csv");
    std::fs::write(&list, "domain,class\na.edu,1\nb.net,5\n").unwrap();
    let records = [
        session(1, "2025-07-05 10:00:00", "4.4.4.4", 1000, json!({"domain": "a.edu"})),
        session(2, "2025-07-06 10:00:00", "4.4.4.4", 1000, json!({"domain": "b.net"})),
    ];
    let done = summarize(&records).args(["--month", "2025-07", "--domainclass"]).arg(list).finish().ok();
    let cells = Cells::of(&done);
    assert_eq!([7, 8, 9, 10, 11, 1].map(|c| cells.user(7, c, 1)), [2, 1, 0, 0, 0, 1]);
}

#[test]
fn trap_10_any_file_of_the_hub_makes_an_extension() {
    let mut records = vec![
        session(1, "2025-07-05 10:00:00", "4.4.4.4", 10, json!({})),
        web(1, "2025-07-05 10:00:00", "/resources/7/style.css"),
    ];
    assert_eq!(Cells::month(&records, "2025-07").user(8, 1, 1), 0);
    let resource = json!({"kind": "hub_resource", "path": "src/main.c"});
    records.push(resource.clone());
    assert_eq!(Cells::month(&records, "2025-07").user(8, 1, 1), 1, "the list comes after the request");
    records.rotate_right(1);
    assert_eq!(records[0], resource);
    assert_eq!(Cells::month(&records, "2025-07").user(8, 1, 1), 1, "the list comes first");
    let flag = summarize(&records).args(["--month", "2025-07", "--compat", "downloads=flag"]).finish().ok();
    assert_eq!(Cells::of(&flag).user(8, 1, 1), 0);
    merge(&mut records[2], json!({"dnload": 1, "content": "/"}));
    let flag = summarize(&records).args(["--month", "2025-07", "--compat", "downloads=flag"]).finish().ok();
    assert_eq!(Cells::of(&flag).user(8, 1, 1), 1);
}

#[test]
fn trap_11_averages_round_half_away_from_zero() {
    let starts = |users: usize, starts: usize| {
        (0..starts).map(|i| toolstart("2025-07-05 10:00:00", &format!("u{}", i % users))).collect::<Vec<_>>()
    };
    for (n_users, n_starts, average) in [(2, 5, 3), (5, 17, 3), (5, 18, 4)] {
        assert_eq!(Cells::month(&starts(n_users, n_starts), "2025-07").sim(7, 1), average, "{n_starts} by {n_users}");
    }
    let port = summarize(&starts(2, 5)).args(["--month", "2025-07", "--compat", "port"]).finish().ok();
    assert_eq!(Cells::of(&port).sim(7, 1), 2);
}

#[test]
fn trap_12_without_a_first_start_the_day_number_is_added() {
    let records = [toolstart("2025-07-10 08:00:00", "u"), toolstart("2025-07-10 08:00:00", "u")];
    let cells = Cells::month(&records, "2025-07");
    assert_eq!([cells.sim(8, 1), cells.sim(10, 1)], [63_919_324_800, 0]);
}

#[test]
fn trap_13_fourteen_digits_before_rounding() {
    // 1279 users with one start; one user with two, seven days apart
    let mut records: Vec<_> = (0..1280).map(|i| toolstart("2025-07-05 10:00:00", &format!("u{i}"))).collect();
    records.push(toolstart("2025-07-12 09:00:00", "u0"));
    assert_eq!(Cells::month(&records, "2025-07").sim(8, 1), 473);
    let port = summarize(&records).args(["--month", "2025-07", "--compat", "port"]).finish().ok();
    assert_eq!(Cells::of(&port).sim(8, 1), 472);
}

#[test]
fn trap_14_without_users_the_other_rows_are_not_written() {
    let mut failed = toolstart("2025-07-10 08:00:00", "u");
    merge(&mut failed, json!({"success": 0}));
    let records =
        [failed, json!({"kind": "hub_session", "start": "2025-07-10 08:00:00", "walltime": 5, "username": "u"})];
    let cells = Cells::month(&records, "2025-07");
    for period in PERIODS {
        assert_eq!(cells.sim(1, period), 0);
        assert!((2..=10).all(|r| cells.get("simusage", r, 1, period).is_none()));
    }
}

#[test]
fn trap_15_empty_periods_have_empty_cells() {
    let records = [
        session(1, "2025-06-05 10:00:00", "4.4.4.4", 1000, json!({})),
        login("2025-06-05 10:00:00", "x", "4.4.4.4"),
        json!({"kind": "hits", "datetime": "2025-06-05 00:00:00", "hits": 0}),
    ];
    let cells = Cells::month(&records, "2025-07");
    assert_eq!((1..=8).map(|r| cells.misc(r, 1)).collect::<Vec<_>>(), ["0", "0", "", "0", "0", "0", " users on ", ""]);
    // rows that add up to zero are not the same as no rows
    assert_eq!([cells.misc(3, 0), cells.misc(7, 0), cells.misc(8, 0)], ["1000", "1 users on 2025-06-05", "0"]);
}

#[test]
fn trap_16_spellings_are_one_user() {
    let records = [login("2025-07-10 01:00:00", "Bob", "4.4.4.4"), login("2025-07-10 02:00:00", "bob ", "5.5.5.5")];
    let cells = Cells::month(&records, "2025-07");
    assert_eq!(cells.user(6, 1, 1), 1);
    assert_eq!(cells.misc(7, 1), "1 users on 2025-07-10");
}

#[test]
fn the_busiest_day_on_a_tie_and_at_the_first_midnight() {
    let records = [
        login("2025-07-01 00:00:00", "a", "4.4.4.4"),
        login("2025-07-01 00:00:00", "b", "4.4.4.4"),
        login("2025-07-01 00:00:01", "c", "4.4.4.4"),
        login("2025-07-20 10:00:00", "a", "4.4.4.4"),
        login("2025-07-20 10:00:00", "b", "4.4.4.4"),
        login("2025-07-09 10:00:00", "c", "4.4.4.4"),
        login("2025-07-09 10:00:00", "d", "4.4.4.4"),
    ];
    let cells = Cells::month(&records, "2025-07");
    assert_eq!(cells.misc(7, 1), "2 users on 2025-07-09");
    assert_eq!(cells.misc(7, 0), "3 users on 2025-07-01");
}

#[test]
fn trap_17_time_of_system_users_counts_only_where_sessions_do() {
    let hub = |num: u64, user: &str, app: &str| {
        json!({"kind": "hub_session", "sessnum": num, "username": user, "start": "2025-07-10 10:00:00", "appname": app,
            "walltime": 100, "viewtime": 10, "cputime": 999})
    };
    let job = |num: u64, job: u64, event: &str, cpu: f64| json!({"kind": "hub_job", "sessnum": num, "job": job, "event": event, "cputime": cpu});
    let records = [
        toolstart("2025-07-10 10:00:00", "u"),
        hub(1, "gridstat", "plain"),
        hub(2, "HCtest9", "workspace"),
        hub(3, "u", "workspace"),
        job(1, 1, "application", 10_000.0),
        job(2, 1, "application", 20_000.0),
        job(3, 1, "application", 1.25),
        job(3, 0, "application", 40_000.0),
        job(3, 2, "[Waiting]", 80_000.0),
        job(3, 3, "x", 1.25),
    ];
    let cells = Cells::month(&records, "2025-07");
    // 999 of the plain tool, 2.5 of jobs: half away from zero
    assert_eq!([3, 4, 5, 6].map(|r| cells.sim(r, 1)), [1002, 100, 10, 1]);
}
