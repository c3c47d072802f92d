//! The daily work on a private server: `run`, `tick`, `process` and the rest, with small scripts as
//! stages. They record how they were started and write what the state machine reads.

mod interrupted;
mod pages;
mod refusals;
mod steps;
mod trouble;
mod withheld;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use fixtures::closed::close_off;
use fixtures::db::{MODES, Pair, SqlMode, pair};
use fixtures::{Finished, Run};
use hub::lock::{Lock, LockResult};
use schema::tables::Engine;

const NOW: &str = "2026-05-19T10:10";

/// The cron line of a healthy hub.
const CRON_FILE: &str = "etc/cron.d/hubzero-metrics";

struct Life {
    pair: Pair,
}

impl Life {
    fn new(engine: Engine, mode: SqlMode) -> Option<Self> {
        Some(Self::on(pair(engine, mode)?))
    }

    fn on(pair: Pair) -> Self {
        let life = Self { pair };
        let bin = life.path("bin");
        fs::create_dir_all(&bin).unwrap();
        let exe = bin.join("hzmetrics");
        if fs::hard_link(env!("CARGO_BIN_EXE_hzmetrics"), &exe).is_err() {
            fs::copy(env!("CARGO_BIN_EXE_hzmetrics"), &exe).unwrap();
        }
        life.log_file("etc/hubzero.conf", "site = h\n");
        life.log_file(CRON_FILE, "*/5 * * * * apache /opt/hubzero/bin/hzmetrics tick\n");
        fs::create_dir_all(life.path("hub/app/site/stats/maps")).unwrap();
        life.stages();
        life
    }

    fn path(&self, name: &str) -> PathBuf {
        self.pair.home().join(name)
    }

    fn log_file(&self, name: &str, text: &str) {
        let path = self.path("root").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn access_log(&self, day: &str) {
        self.log_file(&format!("var/log/httpd/daily/h-access.log-{day}"), "a line\n");
    }

    fn has(&self, name: &str) -> bool {
        self.path("root").join(name).exists()
    }

    /// Writes the scripts. A script fails if FAIL is in its command line.
    fn stages(&self) {
        let list = self.path("list").display().to_string();
        let sql = format!("mariadb --socket='{}' -uroot '{}'", self.pair.socket().display(), self.pair.metrics);
        let head = format!(
            "#!/bin/sh\nset -e\nline=\"${{0##*/}} $*\"\necho \"$line\" >> '{list}'\n\
             if [ -n \"$FAIL\" ]; then case \"$line\" in *\"$FAIL\"*) exit 7;; esac; fi\n"
        );
        // import-logs: a request on the day of the log, unless NO_ROWS is set
        let import = format!(
            "for file; do :; done\nday=${{file##*-}}\nrows=1\n\
             if [ -n \"$NO_ROWS\" ]; then rows=0; else\n\
             {sql} -e \"INSERT INTO web (datetime, ip) VALUES ('$day', '192.0.2.1')\"; fi\n\
             echo \"{{\\\"kind\\\":\\\"receipt\\\",\\\"rows\\\":$rows}}\"\n"
        );
        // summarize: a cell of each period in each table for each month, unless NO_CELLS is set
        let summarize = format!(
            "periods='0,1,3,12,13,14'\nwhile [ $# -gt 0 ]; do case $1 in\n\
             --month) since=$2; through=$2; shift;; --since) since=$2; shift;; --through) through=$2; shift;;\n\
             --periods) periods=$2; shift;; --dry-run) exit 0;; esac; shift; done\n\
             if [ -n \"$NO_CELLS\" ]; then exit 0; fi\n\
             for table in user misc simusage; do {sql} -e \"\n\
             DELETE FROM summary_${{table}}_vals WHERE DATE_FORMAT(datetime, '%Y-%m') BETWEEN '$since' AND '$through' \
             AND period IN ($periods);\n\
             INSERT INTO summary_${{table}}_vals (rowid, colid, datetime, period, value, valfmt)\n\
             WITH RECURSIVE m AS (SELECT DATE('$since-01') d UNION ALL SELECT d + INTERVAL 1 MONTH FROM m\n\
             WHERE d < '$through-01') SELECT 1, 1, DATE_FORMAT(d, '%Y-%m-00'), p, 1, 1 FROM m,\n\
             (SELECT 0 p UNION SELECT 1 UNION SELECT 3 UNION SELECT 12 UNION SELECT 13 UNION SELECT 14) p\n\
             WHERE FIND_IN_SET(p, '$periods')\"; done\n"
        );
        for (name, body) in [
            ("import-logs", import.as_str()),
            ("summarize", &summarize),
            ("tool-metrics", ""),
            ("usage-metrics", ""),
            ("whoisonline", "exit ${ONLINE:-0}\n"),
        ] {
            let path = self.path("bin").join(name);
            fs::write(&path, format!("{head}{body}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn start(&self, line: &str) -> Run {
        let run = self.pair.run(self.path("bin/hzmetrics")).env("HZMETRICS_ROOT", self.path("root"));
        run.env("HZMETRICS_NOW", NOW).args(line.split(' '))
    }

    fn run(&self, line: &str) -> Finished {
        self.start(line).finish()
    }

    /// How the stages were started since the last call, abbreviated.
    fn list(&self) -> Vec<String> {
        let path = self.path("list");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let short = |line: &str| {
            let line = line.replace(" --periods 1 --only import-hub-data,summary", " OWN").replace(" --db", "");
            match line.split_once("import-logs ").and_then(|(_, rest)| rest.rsplit_once('-')) {
                Some((_, day)) => format!("import {day}"),
                None => line.replace("--with-sessions ", "+").replace("tool-metrics", "tools").replace("-metrics", ""),
            }
        };
        text.lines().map(short).collect()
    }

    /// The state, one key per line.
    fn state(&self) -> Vec<String> {
        self.pair.lines("SELECT CONCAT(k, '=', v) FROM pipeline_state ORDER BY k")
    }

    fn set(&self, key: &str, value: &str) {
        self.pair.sql(&format!("REPLACE INTO pipeline_state (k, v) VALUES ('{key}', '{value}')"));
    }

    /// Requests on these days.
    fn web(&self, days: &[&str]) {
        let rows: Vec<String> = days.iter().map(|day| format!("('{day}', '192.0.2.9')")).collect();
        self.pair.sql(&format!("INSERT INTO web (datetime, ip) VALUES {}", rows.join(",")));
    }

    /// All periods of these months.
    fn summarized(&self, months: &[&str]) {
        for month in months {
            for table in ["user", "misc", "simusage"] {
                for period in [0, 1, 3, 12, 13, 14] {
                    self.pair.sql(&format!(
                        "INSERT INTO summary_{table}_vals (rowid, colid, datetime, period, value, valfmt) \
                         VALUES (1, 1, '{month}-00', {period}, 77, 1)"
                    ));
                }
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("manage.log")).unwrap_or_default()
    }
}

fn life() -> Option<Life> {
    Life::new(Engine::InnoDb, SqlMode::Strict)
}

/// January has requests but no summary, March has logs, and so has the current month.
fn behind(life: &Life) {
    life.web(&["2026-01-15"]);
    for day in ["20260311", "20260310", "20260512"] {
        life.access_log(day);
    }
}

const CAUGHT_UP: &[&str] = &[
    "tools 2026-01",
    "usage +2026-01",
    "summarize --month 2026-01 OWN",
    "import 20260310",
    "import 20260311",
    "tools 2026-03",
    "usage +2026-03",
    "summarize --month 2026-03 OWN",
    "tools 2026-03",
    "usage +2026-03",
    "tools 2026-04",
    "usage +2026-04",
    "summarize --since 2026-03 --through 2026-04",
    "tools 2026-01",
    "usage +2026-01",
    "summarize --month 2026-01",
    "import 20260512",
    "tools 2026-05",
    "usage 2026-05",
];

/// The same if old months are summarized one by one.
fn caught_up_month_by_month() -> Vec<&'static str> {
    let mut calls = CAUGHT_UP.to_vec();
    let by_month = [
        "tools 2026-03",
        "usage +2026-03",
        "summarize --month 2026-03",
        "tools 2026-04",
        "usage +2026-04",
        "summarize --month 2026-04",
    ];
    calls.splice(8..13, by_month);
    calls
}

const CAUGHT_UP_STATE: &[&str] = &[
    "analyzed=2026-05-19",
    "catchup_started=2026-01",
    "dirty_months=",
    "mode=normal",
    "rebuild_cascade_from=",
    "rebuild_cursor=2026-05",
];

#[test]
fn one_run_catches_up_rebuilds_and_is_normal_again() {
    for (engine, mode) in MODES {
        let Some(life) = Life::new(engine, mode) else { return };
        behind(&life);
        let done = life.run("run").ok();
        assert_eq!((done.text(), done.stderr.as_str()), (String::new(), ""), "silent under cron");
        assert_eq!(life.list(), CAUGHT_UP);
        assert_eq!(life.state(), CAUGHT_UP_STATE);
        assert_eq!(fs::read_to_string(life.path("state/hzmetrics.state")).unwrap().trim(), CAUGHT_UP_STATE.join("\n"));
        assert!(life.has("var/log/httpd/imported/h-access.log-20260512"));
        // nothing is due now, unless forced
        life.run("run").ok();
        assert_eq!(life.list(), [""; 0]);
        life.run("run --force").ok();
        assert_eq!(life.list(), ["tools 2026-05", "usage 2026-05"]);
        assert_eq!(life.state(), CAUGHT_UP_STATE);
        assert!(!life.path("state/hzmetrics.pid").exists());
        let log = life.log();
        for words in [
            "[run] start",
            "[run] done in ",
            "switching mode normal → catchup",
            "=== tick mode=catchup ===",
            "=== tick mode=rebuild done in ",
            "=== usage-metrics done in ",
            "=== import-day 20260310 ===",
            ">>> done",
        ] {
            assert!(log.contains(words), "{words}\n{log}");
        }
    }
}

#[test]
fn with_compat_port_old_months_are_done_one_by_one() {
    let Some(life) = life() else { return };
    behind(&life);
    let mut all = Vec::new();
    let mut modes = Vec::new();
    for _ in 0..8 {
        life.run("run --one-month").ok();
        all.extend(life.list());
        modes.push(life.pair.value("SELECT v FROM pipeline_state WHERE k = 'mode'").unwrap());
        if modes.last().is_some_and(|mode| mode == "normal") {
            break;
        }
    }
    assert_eq!(modes, ["catchup", "catchup", "rebuild", "rebuild", "rebuild", "rebuild", "normal"]);
    assert_eq!(all, caught_up_month_by_month());
    assert_eq!(life.state(), CAUGHT_UP_STATE);
}

#[test]
fn a_dry_run_shows_one_step_and_stores_nothing() {
    let Some(life) = life() else { return };
    behind(&life);
    let shown = life.run("run --dry-run").ok();
    for words in ["processing 2026-01", "[dry-run] would run: usage-metrics --db --with-sessions 2026-01", "OWN"] {
        let words = words.replace("OWN", "summarize --db --month 2026-01 --periods 1 --only import-hub-data,summary");
        assert!(shown.stderr.contains(&words), "{words}\n{}", shown.stderr);
    }
    assert_eq!(life.list(), [""; 0]);
    assert_eq!(life.state(), [""; 0]);
    assert!(!life.path("state").join("hzmetrics.pid").exists());
    assert!(life.has("var/log/httpd/daily/h-access.log-20260310"));
    // also if the table of the state does not exist yet
    life.pair.sql("DROP TABLE pipeline_state");
    life.run("run --dry-run").ok();
    assert_eq!(life.pair.lines("SHOW TABLES LIKE 'pipeline_state'"), [""; 0]);
}

#[test]
fn whatever_fails_the_next_run_repairs_it() {
    for fails in ["tools 2026-03", "usage 2026-03", "summarize 2026-03", "import 20260311", "import 20260310"] {
        let Some(life) = life() else { return };
        life.summarized(&["2026-03", "2026-04"]);
        life.access_log("20260310");
        life.access_log("20260311");
        let what = match fails.split_once(' ').unwrap() {
            ("tools", month) => format!("tool-metrics --db {month}"),
            ("usage", month) => format!("usage-metrics --db --with-sessions {month}"),
            ("summarize", month) => format!("summarize --db --month {month}"),
            (_, day) => format!("log-{day}"),
        };
        let failed = life.start("run").env("FAIL", &what).finish().expect_code(1);
        assert!(failed.stderr.contains("exit code 7"), "{}", failed.stderr);
        // before anything was imported, the state already recorded what would become stale
        let state = life.state();
        for line in ["dirty_months=2026-03", "rebuild_cascade_from=2026-03", "mode=catchup"] {
            assert!(state.contains(&line.to_owned()), "{fails}: {line} {state:?}");
        }
        assert!(!life.path("state/hzmetrics.pid").exists(), "{fails}: the lock is released");
        life.list();
        life.run("run").ok();
        let list = life.list();
        // the later months are rebuilt, although some runs find no new rows
        assert!(list.contains(&"summarize --since 2026-03 --through 2026-04".to_owned()), "{fails}: {list:?}");
        assert_eq!(life.pair.value("SELECT COUNT(*) FROM web").as_deref(), Some("2"), "{fails}");
        let state = life.state();
        assert!(state.contains(&"mode=normal".to_owned()) && state.contains(&"dirty_months=".to_owned()), "{state:?}");
        assert_eq!(life.pair.value("SELECT COUNT(*) FROM summary_user_vals WHERE value = 77").as_deref(), Some("0"));
    }
}

#[test]
fn a_log_without_new_rows_makes_nothing_stale() {
    let Some(life) = life() else { return };
    life.web(&["2026-02-10"]);
    life.summarized(&["2026-02", "2026-03", "2026-04"]);
    life.access_log("20260210");
    life.start("run").env("NO_ROWS", "1").finish().ok();
    // the month itself is rebuilt and swept, the others are unchanged
    assert_eq!(
        life.list(),
        [
            "import 20260210",
            "tools 2026-02",
            "usage +2026-02",
            "summarize --month 2026-02 OWN",
            "tools 2026-02",
            "usage +2026-02",
            "summarize --month 2026-02",
            "tools 2026-05",
            "usage 2026-05",
        ]
    );
    assert_eq!(life.pair.value("SELECT COUNT(*) FROM summary_user_vals WHERE value = 77").as_deref(), Some("12"));
}

#[test]
fn a_dirty_month_is_rebuilt_and_all_later_ones() {
    for (engine, mode) in MODES {
        let Some(life) = Life::new(engine, mode) else { return };
        life.web(&["2026-02-10", "2026-02-28 23:59:59", "2026-03-01", "2026-04-30"]);
        life.pair.sql(
            "UPDATE web SET sessionid = 7;\n\
             INSERT INTO toolstart (datetime, sessionid) VALUES ('2026-02-11', 7), ('2026-01-31 23:59:59', 8), ('2026-02-12', 0);\n\
             INSERT INTO websessions (id, datetime) VALUES (7, '2026-02-10'), (8, '2026-03-01');\n\
             INSERT INTO webhits (datetime, hits) VALUES ('2026-02-10', 50);\n\
             INSERT INTO summary_andmore_vals (rowid, colid, datetime, period, value, valfmt) VALUES (1, 1, '2026-02-00', 1, 'x', 1)",
        );
        life.summarized(&["2026-02", "2026-03", "2026-04"]);
        let said = life.run("mark-dirty 2026-02 2026-02").ok();
        assert!(said.stderr.contains("current dirty set: 2026-02\n"), "{}", said.stderr);
        assert_eq!(life.state(), ["dirty_months=2026-02"]);
        // before the run touches the month, it records which months are affected
        life.start("run").env("FAIL", "tool-metrics --db 2026-02").finish().expect_code(1);
        let stamps = "SELECT COALESCE(sessionid, 'none') FROM web ORDER BY datetime";
        assert_eq!(life.pair.lines(stamps), ["none", "none", "7", "7"]);
        assert_eq!(
            life.pair.lines("SELECT COALESCE(sessionid, 'none') FROM toolstart ORDER BY datetime"),
            ["8", "none", "0"]
        );
        assert_eq!(life.pair.lines("SELECT id FROM websessions"), ["8"]);
        // hits of the legacy scripts cannot be counted again
        assert_eq!(life.pair.lines("SELECT hits FROM webhits"), ["50"]);
        for table in ["user", "misc", "simusage", "andmore"] {
            let sql = format!("SELECT COUNT(*) FROM summary_{table}_vals WHERE datetime = '2026-02-00'");
            assert_eq!(life.pair.value(&sql).as_deref(), Some("0"), "{table}");
        }
        let state = life.state();
        assert!(state.contains(&"rebuild_cascade_from=2026-02".to_owned()), "{state:?}");
        // requests in March belong to the session that is now gone: that month is fixed too
        life.pair.sql("UPDATE web SET sessionid = NULL");
        life.list();
        life.run("run").ok();
        let list = life.list();
        assert_eq!(list[..3], ["tools 2026-02", "usage +2026-02", "summarize --month 2026-02 OWN"]);
        assert!(list.contains(&"summarize --since 2026-02 --through 2026-04".to_owned()), "{list:?}");
        assert!(life.state().contains(&"dirty_months=".to_owned()));
    }
}

#[test]
fn derived_hits_are_counted_again() {
    let Some(life) = life() else { return };
    life.web(&["2026-02-10", "2026-02-10 12:00:00", "2026-02-12", "2026-03-01"]);
    life.pair.sql("INSERT INTO webhits (datetime, hits) VALUES ('2026-02-10', 50), ('2026-03-01', 60)");
    life.run("mark-dirty 2026-02").ok();
    life.run("--compat derived-webhits run --one-month").ok();
    assert_eq!(
        life.pair.lines("SELECT datetime, hits FROM webhits ORDER BY datetime"),
        ["2026-02-10 00:00:00\t2", "2026-02-12 00:00:00\t1", "2026-03-01 00:00:00\t60"]
    );
}

#[test]
fn stamps_without_a_session_make_a_month_stale() {
    let Some(life) = life() else { return };
    life.web(&["2026-02-10"]);
    life.pair.sql("INSERT INTO toolstart (datetime, sessionid) VALUES ('2026-02-11', 99)");
    life.run("run --one-month").ok();
    assert_eq!(life.pair.lines("SELECT COALESCE(sessionid, 'none') FROM toolstart"), ["none"]);
    let state = life.state();
    assert!(state.contains(&"rebuild_cascade_from=2026-02".to_owned()), "{state:?}");
    assert!(state.contains(&"dirty_months=".to_owned()), "{state:?}");
}

#[test]
fn a_month_that_never_gets_better_does_not_block_the_others() {
    let Some(life) = life() else { return };
    life.web(&["2026-01-15", "2026-02-15"]);
    let done = life.start("run").env("NO_CELLS", "1").finish().ok();
    let list = life.list();
    assert_eq!(list.iter().filter(|line| line.starts_with("summarize")).count(), 2, "{list:?}");
    assert!(done.stderr.contains("2026-01 was done and still looks as before"), "{}", done.stderr);
    assert!(life.state().contains(&"mode=catchup".to_owned()));
    // a month with cells of a single period that nothing completes
    life.run("run").ok();
    life.pair.sql("DELETE FROM summary_misc_vals WHERE datetime = '2026-01-00' AND period = 14");
    life.set("mode", "rebuild");
    life.list();
    let done = life.start("run").env("NO_CELLS", "1").finish().ok();
    assert!(done.stderr.contains("2026-01 was summarized and still lacks periods"), "{}", done.stderr);
    assert_eq!(life.list(), ["tools 2026-01", "usage +2026-01", "summarize --month 2026-01"]);
    assert!(life.state().contains(&"mode=normal".to_owned()));
}

#[test]
fn a_month_is_closed_when_its_logs_have_arrived() {
    let Some(life) = life() else { return };
    life.set("analyzed", "2026-05-19");
    life.run("run").ok();
    assert_eq!(life.list(), [""; 0]);
    assert!(life.log().contains("2026-04 is not complete"), "{}", life.log());
    // only the last day counts, and only an access log
    for log in ["httpd/imported/h-access.log-20260429.gz", "hubzero/imported/cmsauth.log-20260430"] {
        life.log_file(&format!("var/log/{log}"), "");
    }
    life.run("run").ok();
    assert_eq!(life.list(), [""; 0]);
    life.log_file("var/log/httpd/imported/h-access.log-20260430.gz", "");
    life.run("run").ok();
    assert_eq!(life.list(), ["tools 2026-04", "usage +2026-04", "summarize --month 2026-04"]);
    life.run("run").ok();
    assert_eq!(life.list(), [""; 0]);

    // data of the next month proves it too
    life.pair.sql("DELETE FROM summary_user_vals");
    fs::remove_file(life.path("root/var/log/httpd/imported/h-access.log-20260430.gz")).unwrap();
    life.run("run").ok();
    assert_eq!(life.list(), [""; 0]);
    life.pair.sql("INSERT INTO userlogin (datetime, user) VALUES ('2026-05-02', 'a')");
    life.run("run").ok();
    assert_eq!(life.list(), ["tools 2026-04", "usage +2026-04", "summarize --month 2026-04"]);
}

#[test]
fn if_another_run_is_in_progress_nothing_is_done() {
    let Some(life) = life() else { return };
    behind(&life);
    let LockResult::Held(lock) = Lock::ask(&life.path("state/hzmetrics.pid"), Duration::ZERO).unwrap() else {
        panic!()
    };
    life.run("run").ok();
    assert!(life.log().contains("[run] still running — skipping."));
    for line in ["mark-dirty 2026-01", "rebuild-from 2026-01", "process --next", "analyze --month 2026-01"] {
        life.run(line).expect_code(75);
    }
    life.run("status").ok();
    assert_eq!((life.list(), life.state()), (vec![], vec![]));
    drop(lock);
    life.run("run --one-month").ok();
    assert_eq!(life.list().len(), 3);
}

#[test]
fn a_killed_run_keeps_others_out_until_its_stage_ends() {
    let Some(life) = life() else { return };
    behind(&life);
    let slow = life.path("bin/usage-metrics");
    let text = fs::read_to_string(&slow).unwrap();
    fs::write(
        &slow,
        format!("{text}touch '{0}'\nwhile [ -e '{0}' ]; do sleep 0.02; done\n", life.path("working").display()),
    )
    .unwrap();
    #[expect(clippy::disallowed_methods, reason = "to be killed")]
    let mut command = std::process::Command::new(life.path("bin/hzmetrics"));
    let mut killed = close_off(&mut command, &life.path("root"))
        .arg("run")
        .env("HZMETRICS_ACCESS_CFG", life.pair.config())
        .env("HZMETRICS_DB_SOCKET", life.pair.socket())
        .env("HZMETRICS_HOME", life.pair.home())
        .env("HZMETRICS_NOW", NOW)
        .spawn()
        .unwrap();
    let wait = |what: &dyn Fn() -> bool| {
        for _ in 0..1000 {
            if what() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nothing happens");
    };
    wait(&|| life.path("working").exists());
    killed.kill().unwrap();
    killed.wait().unwrap();
    life.list();
    life.run("run").ok();
    assert_eq!(life.list(), [""; 0], "its stage is still running");
    assert!(life.log().contains("[run] still running — skipping."));
    fs::remove_file(life.path("working")).unwrap();
    life.stages();
    wait(&|| {
        life.run("run --one-month").ok();
        life.path("list").exists()
    });
    assert_eq!(life.list(), ["tools 2026-01", "usage +2026-01", "summarize --month 2026-01 OWN"]);
}

#[test]
fn when_the_time_is_up_no_further_month_is_started() {
    let Some(life) = life() else { return };
    behind(&life);
    // not yet: one run does everything
    life.run("run --budget 10").ok();
    assert_eq!(life.list(), CAUGHT_UP);
}

#[test]
fn a_tick_runs_at_minute_30_whatever_becomes_of_whoisonline() {
    let Some(life) = life() else { return };
    life.run("tick").ok();
    assert_eq!(life.list(), ["whoisonline"]);
    let at = |minute: &str, online: &str| {
        let now = format!("2026-05-19T10:{minute}");
        life.start("tick").env("HZMETRICS_NOW", now).env("ONLINE", online).finish().ok()
    };
    at("31", "0");
    assert_eq!(life.list(), ["whoisonline"]);
    let failed = at("30:59", "1");
    assert!(failed.stderr.contains("[tick] whoisonline ended with exit code 1"), "{}", failed.stderr);
    assert_eq!(life.list(), ["whoisonline", "tools 2026-05", "usage 2026-05"]);
    let lock = life.path("state/hzmetrics.whoisonline.lock");
    let LockResult::Held(lock) = Lock::ask(&lock, Duration::ZERO).unwrap() else { panic!() };
    let busy = at("29", "0");
    assert_eq!((life.list(), busy.stderr.as_str()), (vec![], ""));
    assert!(life.log().contains("[tick] whoisonline still running from a prior tick"));
    drop(lock);
    life.start("tick --dry-run").env("HZMETRICS_NOW", "2026-05-20T10:30").finish().ok();
    assert_eq!(life.list(), ["whoisonline --dry-run"]);
}

#[test]
fn single_commands_do_their_part_of_the_work() {
    let Some(life) = life() else { return };
    behind(&life);
    life.run("process").expect_code(2);
    life.run("--compat port process").expect_code(1);
    life.run("process --next").ok();
    let march = ["import 20260310", "import 20260311", "tools 2026-03", "usage +2026-03", "summarize --month 2026-03"];
    assert_eq!(life.list(), march);
    // nothing is pending: existing data is analyzed
    life.run("process --month 2026-01").ok();
    assert_eq!(life.list(), ["tools 2026-01", "usage +2026-01", "summarize --month 2026-01"]);
    life.run("process --day 2026-03-01").expect_code(1);
    let dry = life.run("process --next --dry-run").ok();
    assert!(dry.stderr.contains("[dry-run] would process 1 day(s) for 2026-05"), "{}", dry.stderr);
    assert_eq!(life.list(), [""; 0]);
    life.run("process --next").ok();
    assert_eq!(life.list(), ["import 20260512"]);
    life.run("process --next").ok();
    assert_eq!(life.list(), [""; 0]);

    life.run("analyze --month 2026-04").ok();
    assert_eq!(life.list(), ["tools 2026-04", "usage +2026-04", "summarize --month 2026-04"]);
    life.run("summarize --month 2026-04 --dry-run").ok();
    assert_eq!(life.list(), ["summarize --dry-run --month 2026-04"]);
    for line in ["analyze --month 2026-05", "summarize --month 2026-05"] {
        life.run(line).expect_code(1);
    }
    assert_eq!(life.list(), [""; 0]);
    life.run("summarize --month 2026-05 --force").ok();
    assert_eq!(life.list(), ["summarize --month 2026-05"]);
    // with --force, sessions are built too, whatever the nightly runs do
    for line in ["analyze --month 2026-05 --force", "--compat port analyze --month 2026-05 --force"] {
        life.run(line).ok();
        assert_eq!(life.list(), ["tools 2026-05", "usage +2026-05", "summarize --month 2026-05"]);
    }
    life.run("process --month 2026-05 --force").ok();
    assert_eq!(life.list(), ["tools 2026-05", "usage +2026-05", "summarize --month 2026-05"]);

    life.run("rebuild-summaries --since 2025-12").ok();
    life.run("rebuild-summaries --since 2026-04 --periods 0,14").ok();
    let all = ["summarize --since 2025-12 --through 2026-04", "summarize --month 2026-04 --periods 0,14"];
    assert_eq!(life.list(), all);
    for line in ["--since 2026-05", "--since 2026-02 --through 2026-01", "--since 2026-02 --periods 0,2"] {
        life.run(&format!("rebuild-summaries {line}")).expect_code(2);
        life.run(&format!("--compat port rebuild-summaries {line}")).expect_code(1);
    }
    life.run("rebuild-summaries").expect_code(2);
    assert_eq!((life.list(), life.state()), (vec![], vec![]), "the state is unchanged");
}

#[test]
fn months_are_marked_and_rebuilds_requested() {
    let Some(life) = life() else { return };
    // a month that was not marked: nothing is written
    life.run("clear-dirty 2026-03").ok();
    assert_eq!(life.state(), [""; 0]);
    life.run("mark-dirty 2026-03 2025-01").ok();
    life.run("mark-dirty 2026-02").ok();
    assert_eq!(life.state(), ["dirty_months=2025-01,2026-02,2026-03"]);
    for bad in [
        "mark-dirty 2026-13 2026-04",
        "mark-dirty",
        "rebuild-from 2026-06",
        "rebuild-from 2027-01",
        "rebuild-from 2026-5",
        "rebuild-from 2022/01",
        "rebuild-from",
        "clear-dirty x",
    ] {
        life.run(bad).expect_code(2);
    }
    assert_eq!(life.state(), ["dirty_months=2025-01,2026-02,2026-03"]);
    life.run("clear-dirty 2026-02 2020-01").ok();
    assert_eq!(life.state(), ["dirty_months=2025-01,2026-03"]);
    life.run("clear-dirty --all").ok();
    assert_eq!(life.state(), ["dirty_months="]);

    life.set("catchup_started", "2025-06");
    let early = life.run("rebuild-from 2025-01").ok();
    assert!(early.stderr.contains("before the oldest month"), "{}", early.stderr);
    let current = life.run("rebuild-from 2026-05").ok();
    assert!(!current.stderr.contains("before the oldest month"), "{}", current.stderr);
    let state = ["catchup_started=2025-06", "dirty_months=", "mode=rebuild", "rebuild_cursor=2026-05"];
    assert_eq!(life.state(), state);
    assert_eq!(fs::read_to_string(life.path("state/hzmetrics.state")).unwrap().trim(), state.join("\n"));
    // another month replaces the one at which the rebuild was
    life.run("rebuild-from 2022-01").ok();
    let then = ["catchup_started=2025-06", "dirty_months=", "mode=rebuild", "rebuild_cursor=2022-01"];
    assert_eq!(life.state(), then);
    // months after new data are not forgotten
    life.set("rebuild_cascade_from", "2025-09");
    let lowered = life.run("rebuild-from 2026-01").ok();
    assert!(lowered.stderr.contains("2025-09 has new data"), "{}", lowered.stderr);
    assert_eq!(life.pair.value("SELECT v FROM pipeline_state WHERE k = 'rebuild_cursor'").as_deref(), Some("2025-09"));
}

#[test]
fn too_many_dirty_months_for_an_old_table_are_an_error() {
    let Some(life) = life() else { return };
    life.pair.sql("ALTER TABLE pipeline_state MODIFY v varchar(255) NOT NULL DEFAULT ''");
    let months = |n: u32| (0..n).map(|i| format!("{}-{:02}", 2020 + i / 12, i % 12 + 1)).collect::<Vec<_>>().join(" ");
    life.run(&format!("mark-dirty {}", months(32))).ok();
    let before = life.state();
    assert_eq!(before[0].len(), "dirty_months=".len() + 255);
    let wide = life.run(&format!("mark-dirty {}", months(33))).expect_code(1);
    assert!(wide.stderr.contains("migrate --apply"), "{}", wide.stderr);
    assert_eq!(life.state(), before);
    life.pair.sql("ALTER TABLE pipeline_state MODIFY v text NOT NULL");
    life.run(&format!("mark-dirty {}", months(60))).ok();
    assert_eq!(life.state()[0].len(), "dirty_months=".len() + 60 * 8 - 1);
}

#[test]
fn status_is_printed_to_standard_output() {
    let Some(life) = life() else { return };
    behind(&life);
    life.log_file("var/log/hubzero/imported/cmsauth.log-20260401.gz", "");
    life.set("mode", "rebuild");
    life.set("rebuild_cursor", "2022-06");
    let config = life.pair.config();
    let expected = format!(
        "=== orchestrator state ===\n  mode             : rebuild\n  last analyzed    : (never)\n  \
         rebuild phase    : walk\n  rebuild_cursor   : 2022-06  (47 month(s) remaining through 2026-04)\n\
         === pending import (all source dirs) ===\n  httpd access: 3  (20260310 .. 20260512)\n  cmsauth     : 0\n\
         === imported/ (already processed) ===\n  httpd  : 0\n  hubzero: 1  (20260401)\n\
         === config + DNS settings ===\n  config file: {}\n  nameserver : system\n  concurrency: 100\n  \
         timeout    : 2.0s\n\
         === withheld, refused, left out ===\n  withheld months  : (none)\n  refused logs     : (none)\n",
        config.display()
    );
    assert_eq!(life.run("status").ok().text(), expected);
    life.set("rebuild_cursor", "2026-06");
    life.pair.sql(
        "INSERT INTO summary_misc_vals (rowid, colid, datetime, period, value, valfmt) VALUES (1, 1, '2021-03-00', 1, 'x', 1)",
    );
    let text = life.run("status").ok().text();
    assert!(text.contains("  sweep remaining  : 1 month(s) (oldest: 2021-03)\n"), "{text}");
    // without a database the rest is shown
    let text = life.start("status").env("HZMETRICS_DB_SOCKET", "/nowhere").finish().ok().text();
    assert!(text.contains("(could not read pipeline_state: ") && text.contains("httpd access: 3"), "{text}");
    assert!(text.contains("  mode             : normal\n"), "{text}");
}

#[test]
fn single_mode_works_like_the_original_port() {
    let Some(life) = life() else { return };
    behind(&life);
    let run = || {
        life.run("--compat single-mode run").ok();
        life.list()
    };
    // only the current month's logs, then the oldest month
    let first = [
        "import 20260512",
        "import 20260310",
        "import 20260311",
        "tools 2026-03",
        "usage +2026-03",
        "summarize --month 2026-03",
    ];
    assert_eq!(run(), first);
    // late in the month the previous one is closed without its last log
    let then = ["tools 2026-05", "usage +2026-05", "tools 2026-04", "usage +2026-04", "summarize --month 2026-04"];
    assert_eq!(run(), then);
    assert_eq!(run(), [""; 0]);
    assert!(life.log().contains("[run] nothing to do"));
    assert_eq!(life.state(), ["analyzed=2026-05-19"]);
}

/// An `/etc/passwd` in which we are this user.
fn be(life: &Life, name: &str) {
    let uid = std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap());
    life.log_file("etc/passwd", &format!("{name}:x:{uid}:{uid}::/:/bin/sh\n"));
}

#[test]
fn the_web_servers_user_sets_up_what_is_missing() {
    let Some(life) = life() else { return };
    life.pair.sql("DROP DATABASE {metrics}");
    be(&life, "somebody");
    life.run("tick").ok();
    assert!(!life.has("var/log/httpd/daily") && !life.has("var/log/hubzero/daily") && !life.path("conf").exists());
    assert_eq!(databases(&life), "0");
    be(&life, "apache");
    let done = life.run("tick").ok();
    assert_eq!(done.stderr, "", "silent under cron");
    for folder in LOG_FOLDERS {
        assert!(life.has(folder), "{folder}");
    }
    for folder in ["bin", "conf", "state"] {
        assert!(life.path(folder).is_dir(), "{folder}");
    }
    assert_eq!(life.pair.value("SELECT COUNT(*) FROM migrations").as_deref(), Some("65"));
    // each folder is told once, and the database comes after them
    let log = life.log();
    for folder in LOG_FOLDERS {
        let line = format!("[bootstrap] created {}\n", life.path("root").join(folder).display());
        assert_eq!(log.matches(&line).count(), 1, "{line}{log}");
    }
    assert!(log.rfind("[bootstrap] created ") < log.find("[bootstrap] creating the tables"), "{log}");
    assert_eq!(life.list(), ["whoisonline"; 2]);
    // the second time there is nothing to report
    let before = life.log().matches("[bootstrap]").count();
    assert!(before > 0);
    life.run("tick").ok();
    assert_eq!(life.log().matches("[bootstrap]").count(), before);

    // a site without a name is not touched
    fs::write(life.path("root/etc/hubzero.conf"), "nothing\n").unwrap();
    fs::remove_dir_all(life.path("root/var/log/httpd")).unwrap();
    life.list();
    for line in ["tick", "run", "init"] {
        let refused = life.run(line).expect_code(2);
        assert!(refused.stderr.contains("site = NAME"), "{}", refused.stderr);
    }
    life.run("run --dry-run").ok();
    assert!(!life.has("var/log/httpd") && life.list().is_empty());
    life.pair.sql("DROP DATABASE {metrics}");
    life.run("tick").expect_code(2);
    assert_eq!(databases(&life), "0");
}

/// Log folders of a hub that is set up, below the root.
const LOG_FOLDERS: [&str; 5] = [
    "var/log/httpd/daily",
    "var/log/httpd/imported",
    "var/log/hubzero/daily",
    "var/log/hubzero/imported",
    "var/log/hubzero/metrics",
];

/// How many databases have the name that ours should have.
fn databases(life: &Life) -> String {
    let name = &life.pair.metrics;
    let sql = format!("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '{name}'");
    life.pair.value(&sql).unwrap_or_default()
}

#[test]
fn the_web_servers_user_sets_up_debian_and_the_original_layout() {
    let Some(life) = life() else { return };
    life.pair.sql("DROP DATABASE {metrics}");
    be(&life, "www-data");
    life.log_file("etc/apache2/apache2.conf", "");
    let tick = || life.start("tick").env("HZMETRICS_HOME", "").finish();
    tick().ok();
    for folder in LOG_FOLDERS {
        assert!(life.has(&folder.replace("/httpd/", "/apache2/")), "{folder}");
    }
    assert!(life.has("var/run/hzmetrics") && !life.has("var/log/httpd") && !life.has("opt"));
    assert_eq!(databases(&life), "1");
    // a folder that cannot be created ends the set-up before the database is touched
    life.pair.sql("DROP DATABASE {metrics}");
    fs::remove_dir_all(life.path("root/var/log/apache2")).unwrap();
    life.log_file("var/log/apache2", "in the way");
    let refused = tick().expect_code(2);
    assert!(
        refused.stderr.contains("cannot create ") && refused.stderr.contains("apache2/daily"),
        "{}",
        refused.stderr
    );
    assert_eq!(databases(&life), "0");
}

#[test]
fn doctor_fix_creates_a_hub_from_nothing() {
    let Some(life) = life() else { return };
    life.pair.sql("DROP DATABASE {metrics}");
    let sick = life.run("doctor").expect_code(1).text();
    assert_eq!(sick.matches("FAIL  folder: ").count(), LOG_FOLDERS.len() + 2, "{sick}");
    assert!(LOG_FOLDERS.iter().all(|folder| !life.has(folder)) && databases(&life) == "0");
    // without a name of the site nothing is fixed
    fs::write(life.path("root/etc/hubzero.conf"), "").unwrap();
    let nameless = life.run("doctor --fix").expect_code(1).text();
    assert!(nameless.contains("FAIL  site: "), "{nameless}");
    assert!(LOG_FOLDERS.iter().all(|folder| !life.has(folder)) && databases(&life) == "0");
    life.log_file("etc/hubzero.conf", "site = h\n");
    let well = life.run("doctor --fix").ok().text();
    assert!(!well.contains("FAIL") && well.ends_with("\nall is well\n"), "{well}");
    assert!(LOG_FOLDERS.iter().all(|folder| life.has(folder)) && databases(&life) == "1");
    // everything exists, except the name
    fs::write(life.path("root/etc/hubzero.conf"), "").unwrap();
    let nameless = life.run("doctor --fix").expect_code(1).text();
    assert!(nameless.contains("FAIL  site: ") && nameless.ends_with("\n1 problem(s) left\n"), "{nameless}");
}

#[test]
fn after_init_doctor_is_content() {
    let Some(life) = life() else { return };
    life.pair.sql("DROP DATABASE {metrics}");
    let sick = life.run("doctor").expect_code(1).text();
    for line in ["OK    site: h\n", "OK    configuration: ", "FAIL  folder: ", "FAIL  database: "] {
        assert!(sick.contains(line), "{line}\n{sick}");
    }
    assert!(!life.has("var/log/httpd/daily"), "doctor alone creates nothing");
    life.run("init").ok();
    let well = life.run("doctor").ok().text();
    assert!(!well.contains("FAIL") && well.contains("OK    migrations: up to date\n"), "{well}");
    life.run("init").ok();

    fs::remove_dir_all(life.path("root/var/log/httpd/imported")).unwrap();
    life.pair.sql("DROP TABLE imported_sources;\nDELETE FROM migrations WHERE id IN (44, 57)");
    let sick = life.run("doctor").expect_code(1).text();
    let part = ["FAIL  folder: ", "FAIL  tables: 1 missing: imported_sources\n", "FAIL  migrations: "];
    for line in part {
        assert!(sick.contains(line), "{line}\n{sick}");
    }
    let fixed = life.run("doctor --fix").ok().text();
    assert!(!fixed.contains("FAIL"), "{fixed}");

    life.pair.sql("RENAME TABLE {hub}.jos_session_geo TO {hub}.away");
    let sick = life.run("doctor --fix").expect_code(1).text();
    assert!(sick.contains("FAIL  tables of the CMS: 1 missing in "), "{sick}");
    assert!(sick.contains(": jos_session_geo (they come with the CMS"), "{sick}");
    let port = life.start("doctor").env("HZMETRICS_COMPAT", "port").finish().ok().text();
    assert!(!port.contains("tables of the CMS"), "{port}");
    life.pair.sql("RENAME TABLE {hub}.away TO {hub}.jos_session_geo");

    fs::write(life.path("root/etc/hubzero.conf"), "").unwrap();
    let nameless = life.run("doctor --fix").expect_code(1).text();
    assert!(nameless.contains("FAIL  site: "), "{nameless}");
    let dead = life.start("doctor").env("HZMETRICS_DB_SOCKET", "/nowhere").finish().expect_code(1).text();
    assert!(dead.contains("FAIL  database: "), "{dead}");
}
