//! The command line itself: help, exit codes, what is passed to the stages.

use crate::support::Place;

fn run(args: &[&str]) -> fixtures::Finished {
    fixtures::run(env!("CARGO_BIN_EXE_hzmetrics")).args(args).finish()
}

#[test]
fn help_groups_the_commands() {
    let help = run(&["--help"]).ok().text();
    let mut at = 0;
    for heading in
        ["Chains and records:", "The daily work:", "Looking after the numbers:", "Setup and health:", "Single steps:"]
    {
        let found = help[at..].find(heading).unwrap_or_else(|| panic!("{heading}\n{help}"));
        at += found;
    }
    for line in ["  run-chain ", "  tick ", "  audit ", "  summarize-month ", "  convert "] {
        assert!(help.contains(line), "{line}\n{help}");
    }
    assert_eq!(run(&[]).ok().text(), help);
    assert!(run(&["run-chain", "--help"]).ok().text().contains("MONTH|NAME=VALUE"));
    assert!(run(&["--version"]).ok().text().starts_with("hzmetrics "));
}

#[test]
fn wrong_usage_is_exit_2() {
    for args in [
        &["nonsense"][..],
        &["sh", "--nonsense"],
        &["tick", "more"],
        &["analyze"],
        &["analyze", "--month", "2025-13"],
        &["process", "--day", "2025-02-30"],
        &["process", "--month", "2025-02", "--day", "2025-02-01"],
        &["import", "--next", "--month", "2025-02"],
        &["forget-import", "F", "web"],
        &["forget-import", "F", "--table", "nope"],
        &["resolve-dns", "nope", "web"],
        &["resolve-dns", "metrics", "web", "2025-08..2025-07"],
        &["fill-ipcountry", "metrics", "web", "--all"],
        &["fill-ipcountry", "metrics", "users"],
        &["fill-user-info", "metrics", "users"],
        &["clean-bots", "toolstart"],
        &["fill-domain", "metrics", "users"],
        &["summarize-month", "--only", "reg,nope"],
        &["summarize-month", "--periods", "1,2"],
        &["audit", "--months", "3", "--all"],
        &["compare"],
        &["backup"],
        &["backup", "x", "--keep", "0"],
        &["restore"],
        &["compare", "x", "2025-13"],
        &["compare", "x", "--allow", "nope"],
        &["rebuild-webhits"],
        &["fill-geo"],
        &["fetch-logs", "2025-07-01"],
        &["mark-dirty"],
        &["logfix-session", "2025-7"],
        &["convert", "--format", "xml"],
        &["chains", "--chains"],
    ] {
        let done = run(args).expect_code(2);
        assert!(!done.stderr.is_empty() && done.stdout.is_empty(), "{args:?}");
        assert!(done.stderr.lines().all(|line| line.starts_with("hzmetrics: ")), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn stages_get_their_arguments_and_may_use_the_lock() {
    let place = crate::support::Place::new(&["resolve-dns", "usage-metrics"]);
    // the fake stage does not know these options and says so
    for (line, exe, code) in [
        ("resolve-dns metrics web --dry-run 2025-07", "resolve-dns", 99),
        ("resolve-dns metrics web 2025-07 -c 50", "resolve-dns", 99),
        ("fill-domain hub web ..2025", "usage-metrics", 99),
        ("gen-tool-stats 2025-07", "tool-metrics", 127),
    ] {
        let done = place.run(line.split(' ')).finish().expect_code(code);
        assert!(done.stderr.contains(exe), "{line}: {}", done.stderr);
        let log = place.read("root/var/log/hubzero/metrics/hzmetrics.log");
        let command = line.split(' ').next().unwrap();
        assert!(log.contains(&format!("=== hzmetrics {line} === run ")), "{log}");
        assert!(log.contains(&format!("[{command}] start")) && log.contains(&format!("[{command}] done in ")), "{log}");
    }
    let path = place.path("root/var/run/hzmetrics/hzmetrics.pid");
    let lock = hub::lock::Lock::ask(&path, std::time::Duration::ZERO).unwrap();
    let busy = place.run(["fill-domain", "metrics", "web"]).finish().expect_code(75);
    assert!(busy.stderr.contains("another run is in progress"), "{}", busy.stderr);
    place.run(["fill-domain", "metrics", "web", "--dry-run"]).finish().expect_code(99);
    drop(lock);
}

#[test]
fn receipts_of_single_files_are_not_printed() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = crate::support::Place::new(&[]);
    for stage in ["import-logs", "summarize"] {
        let name = format!("the bin/{stage}");
        place.write(&name, "#!/bin/sh\necho '{\"kind\":\"x\"}'; echo said >&2\n");
        std::fs::set_permissions(place.path(&name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for line in ["import-auth F", "identify-bots F", "import-auth -"] {
        let done = place.run(line.split(' ')).finish().ok();
        assert!(done.stdout.is_empty() && done.stderr.contains("said\n"), "{line}: {}", done.stderr);
    }
    // the cells are the result of a dry run
    let done = place.run(["summarize-month", "2025-02", "--dry-run"]).finish().ok();
    assert_eq!(done.text(), "{\"kind\":\"x\"}\n");
}

#[test]
fn stages_use_the_same_configuration() {
    let place = crate::support::Place::new(&["one"]);
    place.write("x.conf", "[db]\nhost = h\n");
    place.write("x.cfg", "$db_host = 'h';\n");
    let line = "one env HZMETRICS_ACCESS_CFG HZMETRICS_CONFIG";
    let run = |file: &str| {
        let run = place.run(["-c", file, "sh", "-c", line]);
        run.env("HZMETRICS_ACCESS_CFG", "a").env("HZMETRICS_CONFIG", "c").finish()
    };
    assert_eq!(run("x.conf").ok().text(), "Some(\"\")\nSome(\"x.conf\")\n");
    // the DNS settings still come from the other file, which does not exist
    let done = run("x.cfg").expect_code(1);
    assert!(done.stderr.contains("reading the configuration c: No such file"), "{}", done.stderr);
    let done = place.run(["-c", "x.cfg", "sh", "-c", line]).finish().ok();
    assert_eq!(done.text(), "Some(\"x.cfg\")\nNone\n");
    let lines = place.run(["--config", "x.conf", "explain", "pipe"]).finish().ok().text();
    assert!(lines.contains("HZMETRICS_CONFIG='x.conf'; export HZMETRICS_CONFIG"), "{lines}");
    for command in [&["chains"][..], &["status"], &["convert"]] {
        let done = place.run(["-c", "missing"].into_iter().chain(command.iter().copied())).finish().expect_code(1);
        assert!(done.stderr.contains("hzmetrics: reading the configuration missing: No such file"), "{}", done.stderr);
    }
    place.write("bad.conf", "[db]\nnothing\n");
    let done = place.run(["-c", "bad.conf", "chains"]).finish().expect_code(2);
    assert!(done.stderr.contains("bad.conf, line 2: "), "{}", done.stderr);
}

/// For a monitoring system, exit code 2 would mean that the hub is in a critical state.
#[test]
fn a_check_that_cannot_be_made_is_unknown_and_not_critical() {
    let place = Place::new(&[]);
    for (args, words) in [
        (&["check", "--pending", "abc"][..], "`abc` is not a range"),
        (&["check", "--pending", "-5,1"], "`-5` is not a range"),
        (&["check", "--pending", "NaN"], "`NaN` is not a range"),
        (&["check", "--pending", "1e999,"], "`1e999` is not a range"),
        (&["check", "--pending="], "no range"),
        (&["check", "--age", "1,2,3"], "`2,3` is not a range"),
        (&["check", "nosuch"], "there is no check `nosuch`"),
        (&["check", "--nosuch", "--json"], "--nosuch"),
        (&["--compat", "legacy", "check", "--pending", "5", "--pending", "6"], "multiple times"),
        (&["-c", "none.cfg", "check"], "none.cfg"),
    ] {
        let done = place.run(args.iter().copied()).finish().expect_code(3);
        assert!(done.text().starts_with("UNKNOWN - ") && done.text().lines().count() == 1, "{args:?}: {}", done.text());
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
    }
    // other commands, and help, as before
    let _ = place.run(["status", "--nosuch"]).finish().expect_code(2);
    let _ = place.run(["check", "--help"]).finish().ok();
    // a bound below zero
    let done = place.run(["check", "--pending", "-5:5", "pending"]).finish();
    assert!(!done.stderr.contains("unexpected argument"), "{}", done.stderr);
}
