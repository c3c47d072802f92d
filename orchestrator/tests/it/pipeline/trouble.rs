//! Other trouble on a hub: other programs running, a full disk, no database, no configuration, two
//! ticks at once. There is a message and an exit code, and nothing is broken.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use fixtures::db::private_server;
use fixtures::{Finished, Run};
use hub::lock::{Lock, LockResult};

use super::{CAUGHT_UP, CAUGHT_UP_STATE, Life, behind, caught_up_month_by_month, life};

/// A process of the hub, in the form of `/proc`.
fn process(life: &Life, pid: u32, words: &[&str]) {
    life.log_file(&format!("proc/{pid}/cmdline"), &format!("{}\0", words.join("\0")));
}

fn no_process(life: &Life, pid: u32) {
    fs::remove_dir_all(life.path(&format!("root/proc/{pid}"))).unwrap();
}

#[test]
fn doctor_finds_lines_that_still_start_the_originals_or_the_port() {
    let Some(life) = life() else { return };
    life.run("init").ok();
    let well = life.run("doctor").ok().text();
    assert!(well.contains("OK    cron: no line starts the original scripts or the port\n"), "{well}");
    life.log_file("opt/hubzero/bin/hzmetrics.py", &"# the port\n".repeat(1000));
    life.log_file("opt/ours/hzmetrics.py", "#!/bin/sh\nexec /opt/ours/hzmetrics \"$@\"\n");
    for (file, text, found) in [
        (
            "etc/crontab",
            "# x\n10 0 * * * apache /x/import/__fetch_apache_and_auth_log.sh\n",
            "__fetch_apache_and_auth_log.sh",
        ),
        (
            "etc/cron.d/hubzero",
            "15 0 * * * apache bash -c '/x/import/__import_apache_and_auth_log.sh;true'\n",
            "__import_",
        ),
        (
            "var/spool/cron/apache",
            "*/15 * * * * php -q /x/xlogfix_whoisonline.php > /dev/null\n",
            "xlogfix_whoisonline.php",
        ),
        (
            "var/spool/cron/crontabs/www-data",
            "50 1 1 * * /x/__process_usage_metrics_summary.sh\n",
            "__process_usage_metrics_summary.sh",
        ),
        (
            "etc/cron.d/port",
            "*/5 * * * * apache python3 /opt/hubzero/bin/hzmetrics.py tick\n",
            "/opt/hubzero/bin/hzmetrics.py",
        ),
    ] {
        life.log_file(file, text);
        let sick = life.run("doctor --fix").expect_code(1).text();
        let line =
            sick.lines().find(|line| line.starts_with("FAIL  cron: ")).unwrap_or_else(|| panic!("{file}\n{sick}"));
        assert!(line.contains(&format!("{file}, line ")) && line.contains(found), "{line}");
        assert!(sick.ends_with("\n1 problem(s) left\n"), "{sick}");
        fs::remove_file(life.path("root").join(file)).unwrap();
    }
    // disabled, not ours, or harmless
    fs::remove_file(life.path("root").join(super::CRON_FILE)).unwrap();
    for (file, text) in [
        ("etc/crontab", "#10 0 * * * apache /x/import/__fetch_apache_and_auth_log.sh\n"),
        ("etc/cron.d/x~", "10 0 * * * apache /x/import/__fetch_apache_and_auth_log.sh\n"),
        ("var/spool/cron/apache", "*/5 * * * * python3 /opt/ours/hzmetrics.py tick\n"),
        ("etc/systemd/system/old.service", "[Service]\nExecStart=/x/__process_tool_metrics.sh\n"),
        ("etc/systemd/system/old.timer", "[Timer]\nOnCalendar=daily\n"),
    ] {
        life.log_file(file, text);
    }
    life.run("doctor").ok();
    // the same timer, enabled
    life.log_file("etc/systemd/system/timers.target.wants/old.timer", "");
    let sick = life.run("doctor").expect_code(1).text();
    assert!(
        sick.contains("timers.target.wants/old.timer (old.service) still starts __process_tool_metrics.sh"),
        "{sick}"
    );
    life.log_file("usr/lib/systemd/system/other.service", "ExecStart=/bin/true\n");
    life.log_file("etc/systemd/system/old.timer", "[Timer]\nUnit=other.service\n");
    life.run("doctor").ok();
    // on Debian, cron ignores files with a dot
    life.log_file("etc/cron.d/old.disabled", "10 0 * * * apache /x/import/__fetch_apache_and_auth_log.sh\n");
    life.run("doctor").expect_code(1);
    life.log_file("etc/debian_version", "12\n");
    life.run("doctor").ok();
}

#[test]
fn a_tick_waits_while_the_original_scripts_are_running() {
    let Some(life) = life() else { return };
    behind(&life);
    let tick = || life.start("tick").env("HZMETRICS_NOW", "2026-05-19T10:30").finish();
    process(&life, 4711, &["/bin/bash", "/x/__process_usage_metrics.sh", "2026-04"]);
    let refused = tick().expect_code(75);
    assert_eq!(
        refused.stderr,
        "hzmetrics: the original script __process_usage_metrics.sh is running (pid 4711); nothing was done, try again later\n"
    );
    assert_eq!(life.list(), ["whoisonline"]);
    for line in ["run", "process --next", "mark-dirty 2026-01", "gen-tool-stats 2026-01", "import --next"] {
        life.run(line).expect_code(75);
    }
    life.run("run --dry-run").ok();
    life.run("status").ok();
    assert!(life.run("doctor").expect_code(1).text().contains("FAIL  other programs: the original script "));
    assert_eq!((life.list(), life.state()), (vec![], vec![]));
    assert!(!life.path("state/hzmetrics.pid").exists() && life.has("var/log/httpd/daily/h-access.log-20260310"));
    no_process(&life, 4711);
    // an editor with the script open; the who-is-online map is independent
    process(&life, 4712, &["vi", "/x/__process_usage_metrics.sh"]);
    process(&life, 4713, &["/usr/bin/php", "-q", "/x/xlogfix_whoisonline.php"]);
    let done = tick().ok();
    assert_eq!(
        done.stderr,
        "hzmetrics: [tick] the original xlogfix_whoisonline.php is running — skipping whoisonline\n"
    );
    assert_eq!(life.list(), CAUGHT_UP);
}

#[test]
fn a_run_waits_while_the_port_is_running() {
    let Some(life) = life() else { return };
    behind(&life);
    // without a configured home, the port's lock is not ours
    let port = life.path("root/opt/hubzero/metrics/state/hzmetrics.pid");
    let LockResult::Held(lock) = Lock::ask(&port, Duration::ZERO).unwrap() else { panic!() };
    let run = || life.start("run --one-month").env("HZMETRICS_HOME", "").finish();
    let refused = run().expect_code(75);
    assert!(
        refused.stderr.contains("the port is running (") && refused.stderr.contains(" is locked by pid "),
        "{}",
        refused.stderr
    );
    assert_eq!(life.list(), [""; 0]);
    // released, or left by a killed process
    drop(lock);
    run().ok();
    assert_eq!(life.list().len(), 3);
    fs::write(&port, "1 2 3\n").unwrap();
    run().ok();
    assert_eq!(life.list().len(), 5);
}

#[test]
fn between_the_original_fetch_and_import_nothing_is_done() {
    let Some(life) = life() else { return };
    life.run("init").ok();
    behind(&life);
    let staged = "var/log/hubzero/metrics/_hub_apache.log";
    life.log_file(staged, "a line\n");
    let refused = life.run("run").expect_code(75);
    assert!(refused.stderr.contains("_hub_apache.log and not imported them yet"), "{}", refused.stderr);
    assert_eq!((life.list(), life.state()), (vec![], vec![]));
    // put there by `fetch-logs --stage`, which records it
    life.log_file("var/log/hubzero/metrics/_staged.ndjson", "");
    life.run("run --one-month").ok();
    assert_eq!(life.list().len(), 3);
    fs::remove_file(life.path("root/var/log/hubzero/metrics/_staged.ndjson")).unwrap();
    life.run("run").expect_code(75);
    // left long ago: the work continues, and doctor reports it
    let long_ago = SystemTime::now() - Duration::from_secs(3 * 3600 + 60);
    File::options().append(true).open(life.path("root").join(staged)).unwrap().set_modified(long_ago).unwrap();
    life.run("run").ok();
    assert!(life.state().contains(&"mode=normal".to_owned()));
    let sick = life.run("doctor").expect_code(1).text();
    assert!(sick.contains("_hub_apache.log was left there 3 hour(s) ago"), "{sick}");
}

#[test]
fn two_ticks_at_once_count_each_log_once() {
    let Some(life) = life() else { return };
    behind(&life);
    let slow = life.path("bin/usage-metrics");
    let text = fs::read_to_string(&slow).unwrap();
    let gate = life.path("gate");
    fs::write(&slow, format!("{text}touch '{0}.reached'\nwhile [ ! -e '{0}' ]; do sleep 0.02; done\n", gate.display()))
        .unwrap();
    let tick = || life.start("tick").env("HZMETRICS_NOW", "2026-05-19T10:30").finish();
    std::thread::scope(|scope| {
        let first = scope.spawn(tick);
        for _ in 0..1500 {
            if life.path("gate.reached").exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(life.list(), ["whoisonline", "tools 2026-01", "usage +2026-01"]);
        let second = tick().ok();
        assert_eq!(second.stderr, "", "silent under cron");
        assert_eq!(life.list(), ["whoisonline"]);
        assert!(life.log().contains("[run] still running — skipping."));
        fs::write(&gate, "").unwrap();
        first.join().unwrap().ok();
    });
    assert_eq!(life.list(), CAUGHT_UP[2..]);
    assert_eq!(life.state(), CAUGHT_UP_STATE);
    assert_eq!(life.pair.value("SELECT COUNT(*) FROM web").as_deref(), Some("4"), "each log once");
}

/// What `run` would start, with `folder` on a disk of 64 kB that is full after `room` more bytes.
/// `None` if we may not mount.
fn on_a_full_disk(life: &Life, folder: &Path, room: u32, line: &str) -> Option<Finished> {
    fs::create_dir_all(folder).unwrap();
    let script = "mount -t tmpfs -o size=64k,mode=755 tmpfs \"$0\" || exit 99\n\
                  head -c \"$1\" /dev/zero > \"$0/room\"; cat /dev/zero > \"$0/full\" 2> /dev/null; rm \"$0/room\"\n\
                  shift; exec \"$@\"";
    let run: Run = life.pair.run("unshare").env("HZMETRICS_ROOT", life.path("root")).env("HZMETRICS_NOW", super::NOW);
    let run = run.env("HZMETRICS_LOG", life.path("logs/x.log"));
    let run = run.args(["-m", "sh", "-c", script]).arg(folder).arg(room.to_string()).arg(life.path("bin/hzmetrics"));
    let done = run.args(line.split(' ')).finish();
    if done.code == 99 || done.stderr.contains("unshare") {
        fixtures::skip(&format!("no mount of our own: {}", done.stderr));
        return None;
    }
    Some(done)
}

#[test]
fn a_full_disk_under_the_lock_ends_the_run() {
    let Some(life) = life() else { return };
    behind(&life);
    let Some(done) = on_a_full_disk(&life, &life.path("state"), 0, "run") else { return };
    let done = done.expect_code(1);
    assert!(done.stderr.contains("the lock ") && done.stderr.contains("No space left on device"), "{}", done.stderr);
    assert_eq!((life.list(), life.state()), (vec![], vec![]));
    life.run("run").ok();
    assert_eq!(
        (life.list(), life.state()),
        (
            CAUGHT_UP.iter().map(ToString::to_string).collect(),
            CAUGHT_UP_STATE.iter().map(ToString::to_string).collect()
        )
    );
}

#[test]
fn a_full_disk_under_the_log_stops_nothing() {
    let Some(life) = life() else { return };
    behind(&life);
    let Some(done) = on_a_full_disk(&life, &life.path("logs"), 0, "run") else { return };
    done.ok();
    assert_eq!(life.list(), CAUGHT_UP);
}

#[test]
fn a_full_disk_under_the_archive_stops_nothing() {
    let Some(life) = life() else { return };
    behind(&life);
    // another file system, so that moving means copying
    let imported = life.path("root/var/log/httpd/imported");
    let large = "a line of a log\n".repeat(10_000);
    for day in ["20260310", "20260311", "20260512"] {
        life.log_file(&format!("var/log/httpd/daily/h-access.log-{day}"), &large);
    }
    let Some(done) = on_a_full_disk(&life, &imported, 1000, "run") else { return };
    // imported but not moved: the ledger keeps it from being counted again, and the work continues
    let done = done.ok();
    assert!(done.stderr.contains("No space left on device"), "{}", done.stderr);
    for day in ["20260310", "20260311", "20260512"] {
        let log = life.path(&format!("root/var/log/httpd/daily/h-access.log-{day}"));
        assert_eq!(fs::read_to_string(log).unwrap(), large, "{day}: the log is whole");
    }
}

#[test]
fn a_dead_database() {
    let Some(life) = life() else { return };
    behind(&life);
    let dead = |line: &str| life.start(line).env("HZMETRICS_DB_SOCKET", "/nowhere/mysql.sock").finish();
    for line in ["run", "mark-dirty 2026-01", "audit", "rebuild-from 2026-01"] {
        let done = dead(line).expect_code(1);
        assert!(done.stderr.contains("/nowhere/mysql.sock"), "{line}: {}", done.stderr);
        assert!(done.stderr.lines().count() <= 2, "{line}: {}", done.stderr);
        assert!(!life.path("state/hzmetrics.pid").exists(), "{line}");
    }
    let tick =
        life.start("tick").env("HZMETRICS_DB_SOCKET", "/nowhere/mysql.sock").env("HZMETRICS_NOW", "2026-05-19T10:30");
    tick.finish().expect_code(1);
    assert_eq!(life.list(), ["whoisonline"], "the stage itself says what is wrong");
    assert!(dead("status").ok().text().contains("(could not read pipeline_state: "));
    assert_eq!(life.state(), [""; 0]);
    assert!(life.has("var/log/httpd/daily/h-access.log-20260310"));
    life.run("run").ok();
    assert_eq!(life.list(), CAUGHT_UP);
}

#[test]
fn a_database_that_dies_in_the_middle() {
    let Some(server) = private_server() else { return };
    let pair = server.names(fixtures::db::SqlMode::Strict);
    pair.create_metrics(schema::tables::Engine::InnoDb, true);
    let life = Life::on(pair);
    behind(&life);
    let slow = life.path("bin/usage-metrics");
    let text = fs::read_to_string(&slow).unwrap();
    let gate = life.path("gate");
    fs::write(&slow, format!("{text}touch '{0}.reached'\nwhile [ ! -e '{0}' ]; do sleep 0.02; done\n", gate.display()))
        .unwrap();
    let done = std::thread::scope(|scope| {
        let run = scope.spawn(|| life.run("run"));
        for _ in 0..1500 {
            if life.path("gate.reached").exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        server.kill();
        fs::write(&gate, "").unwrap();
        run.join().unwrap()
    });
    assert_ne!(done.code, 0);
    assert!(!done.stderr.is_empty() && !life.path("state/hzmetrics.pid").exists(), "{}", done.stderr);
    server.restart();
    life.list();
    life.run("run").ok();
    assert_eq!(life.list(), CAUGHT_UP);
    assert_eq!(life.state(), CAUGHT_UP_STATE);
}

#[test]
fn without_configuration_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let run = fixtures::run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", folder.path());
        run.env("HZMETRICS_NOW", "2026-05-19T10:30").args(line.split(' '))
    };
    for line in [
        "run",
        "tick",
        "run --dry-run",
        "process --next",
        "analyze --month 2026-01",
        "mark-dirty 2026-01",
        "audit",
        "migrate",
    ] {
        let done = run(line).finish().expect_code(2);
        assert!(
            done.stderr.contains("no configuration") || done.stderr.contains("configuration"),
            "{line}: {}",
            done.stderr
        );
        assert_eq!(done.text(), "", "{line}");
    }
    run("status").finish().ok();
    let sick = run("doctor").finish().expect_code(1);
    assert!(sick.text().contains("FAIL  configuration: there is none"), "{}", sick.text());
    assert!(!folder.path().join("var/log/httpd").exists(), "nothing was created");
    // named, but missing
    for line in ["run", "tick", "status"] {
        let done = run(line).env("HZMETRICS_CONFIG", "/nowhere.conf").finish().expect_code(1);
        assert!(done.stderr.contains("/nowhere.conf"), "{}", done.stderr);
    }
}

#[test]
fn a_budget_ends_a_run_between_two_units_and_the_next_continues() {
    let Some(life) = life() else { return };
    behind(&life);
    let mut all = Vec::new();
    let mut n_runs = 0;
    loop {
        n_runs += 1;
        assert!(n_runs < 12, "{all:?}");
        // 60 microseconds: over after the first unit, whatever it is
        let done = life.run("run --budget 0.000001").ok();
        assert_eq!(done.stderr, "");
        assert!(!life.path("state/hzmetrics.pid").exists());
        let list = life.list();
        assert!(list.len() <= 5, "one unit per run: {list:?}");
        all.extend(list);
        if life.state().contains(&"mode=normal".to_owned()) {
            break;
        }
        assert!(life.log().contains("[run] the time is up; the next run continues here"));
    }
    // each unit once, in the order of an unlimited run; the walk now goes month by month
    assert_eq!(all, caught_up_month_by_month());
    assert_eq!(life.state(), CAUGHT_UP_STATE);
    assert_eq!(life.pair.value("SELECT COUNT(*) FROM web").as_deref(), Some("4"));
    for budget in ["0", "-1", "x", "inf", "nan"] {
        life.run(&format!("run --budget {budget}")).expect_code(2);
    }
}

#[test]
fn stages_write_to_the_same_log() {
    let Some(life) = life() else { return };
    let script = life.path("bin/tool-metrics");
    fs::write(&script, format!("#!/bin/sh\necho \"$HZMETRICS_STAGE_LOG\" > '{}'\n", life.path("told").display()))
        .unwrap();
    life.run("gen-tool-stats 2026-01").ok();
    assert_eq!(fs::read_to_string(life.path("told")).unwrap().trim(), life.path("manage.log").to_str().unwrap());
}
