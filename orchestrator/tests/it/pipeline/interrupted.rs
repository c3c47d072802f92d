//! A run that gets a signal says so, ends with the code of the signal, and starts nothing more.

use std::io::Read as _;
use std::process::Stdio;

use super::*;
use crate::support::with_signals;

/// The program says so in a file, then waits.
fn is_slow(life: &Life, program: &str) {
    let path = life.path("bin").join(program);
    let text = fs::read_to_string(&path).unwrap().replace("exit ${ONLINE:-0}\n", "");
    let working = life.path("working");
    fs::write(path, format!("{text}touch '{0}'\nwhile [ -e '{0}' ]; do sleep 0.02; done\n", working.display()))
        .unwrap();
}

/// Starts a command, sends the signal once a slow program works; returns its exit code and its messages.
fn interrupted(life: &Life, args: &str, now: &str, signal: &str) -> (Option<i32>, String) {
    let mut command = with_signals("--default-signal", &life.path("bin/hzmetrics"));
    let mut child = close_off(&mut command, &life.path("root"))
        .args(args.split(' '))
        .env("HZMETRICS_ACCESS_CFG", life.pair.config())
        .env("HZMETRICS_DB_SOCKET", life.pair.socket())
        .env("HZMETRICS_HOME", life.pair.home())
        .env("HZMETRICS_LOG", life.path("manage.log"))
        .env("HZMETRICS_NOW", now)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let working = life.path("working");
    for _ in 0..1500 {
        if working.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(working.exists(), "`{args}` starts no slow program");
    fixtures::run("kill").args(["-s", signal, &child.id().to_string()]).finish().ok();
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    fs::remove_file(working).unwrap();
    (child.wait().unwrap().code(), words)
}

#[test]
fn a_run_that_gets_a_signal_says_so_and_ends_with_its_code() {
    let Some(life) = life() else { return };
    behind(&life);
    for (args, slow, now, started) in [
        ("run", "usage-metrics", NOW, vec!["tools 2026-01", "usage +2026-01"]),
        ("process --month 2026-01", "tool-metrics", NOW, vec!["tools 2026-01"]),
        ("analyze --month 2026-01", "tool-metrics", NOW, vec!["tools 2026-01"]),
        // a failure of whoisonline does not end a tick, a signal does
        ("tick", "whoisonline", "2026-05-19T10:30", vec!["whoisonline"]),
        ("whoisonline", "whoisonline", NOW, vec!["whoisonline"]),
    ] {
        is_slow(&life, slow);
        for (signal, name, code) in [("INT", "signal 2 (SIGINT)", 130), ("TERM", "signal 15 (SIGTERM)", 143)] {
            life.list();
            let (found, words) = interrupted(&life, args, now, signal);
            let log = life.log();
            let said = format!("interrupted by {name}");
            assert!(words.contains(&said) && log.contains(&said), "{args}: {words}\n{log}");
            assert!(!words.contains("exit code") && !words.contains("failed"), "{args}: {words}");
            assert_eq!((found, life.list()), (Some(code), started.iter().map(ToString::to_string).collect()), "{args}");
        }
        life.stages();
    }
    // what was left undone is done by the next run
    life.run("run").ok();
}
