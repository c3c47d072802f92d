//! What shells offer: values from the tables and from the command line, quickly and without a word when
//! something is wrong.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use fixtures::Run;
use fixtures::db::{MODES, Pair, pair};

const EXE: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn asked(pair: &Pair, words: &[&str]) -> Run {
    let run = pair.run(EXE).env("HZMETRICS_ROOT", pair.home());
    run.arg("--complete").arg((words.len() - 1).to_string()).args(words)
}

fn offered(pair: &Pair, words: &[&str]) -> Vec<String> {
    let done = asked(pair, words).finish().ok();
    assert_eq!(done.stderr, "", "{words:?}");
    done.text().lines().map(str::to_owned).collect()
}

#[test]
fn months_and_logs_come_from_the_tables() {
    let (engine, mode) = MODES[0];
    let Some(pair) = pair(engine, mode) else { return };
    pair.sql("INSERT INTO webhits (datetime, hits) VALUES ('2025-06-30', 1), ('2025-07-01', 1), ('2025-07-02', 1);");
    pair.sql(
        "INSERT INTO summary_misc_vals (rowid, colid, datetime, period, value, valfmt) VALUES (8, 1, '2024-12-00', 1, '1', 1);",
    );
    pair.sql(
        "INSERT INTO imported_sources (filename, target_table, imported_at) VALUES \
         ('hub-access.log-20250701', 'web', NOW()), ('hub-access.log-20250701', 'webhits', NOW()), ('cmsauth.log-20250701', 'userlogin', NOW());",
    );
    let months = ["2025-07", "2025-06", "2024-12"];
    assert_eq!(offered(&pair, &["hzmetrics", "show", ""]), months);
    assert_eq!(offered(&pair, &["hzmetrics", "rebuild-summaries", "--since", "2025"]), months[..2]);
    assert_eq!(offered(&pair, &["hzmetrics", "forget-import", "hub"]), ["hub-access.log-20250701"]);
    assert_eq!(offered(&pair, &["hzmetrics", "forget-import", "h%"]), [""; 0]);
    // nothing is written, not even to the log
    assert!(!pair.home().join("var/log/hubzero/metrics/hzmetrics.log").exists());
    // in bash, values come first, then the names of the options
    let script = format!(
        "eval \"$({EXE} --generate bash)\"; c() {{ COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); \
         cur=${{@: -1}} __hzmetrics_values \"$1\" \"${{@: -1}}\" \"${{@: -2:1}}\"; echo \"${{COMPREPLY[*]}}\"; }}; \
         c {EXE} show 2025-; c {EXE} run-chain fe; c {EXE} show --per"
    );
    let done = pair.run("/bin/bash").env("HZMETRICS_ROOT", pair.home()).args(["-c", &script]).finish().ok();
    assert_eq!((done.text().as_str(), done.stderr.as_str()), ("2025-07 2025-06\nfetch\n--period\n", ""));
}

#[test]
fn a_server_that_is_down_or_hangs_is_not_waited_for() {
    let Some(pair) = pair(MODES[0].0, MODES[0].1) else { return };
    let socket = pair.home().join("hangs");
    let _hangs = UnixListener::bind(&socket).unwrap();
    for socket in [socket.as_path(), &pair.home().join("none")] {
        let begun = Instant::now();
        let done = asked(&pair, &["hzmetrics", "show", ""]).env("HZMETRICS_DB_SOCKET", socket).finish().ok();
        assert_eq!((done.text().as_str(), done.stderr.as_str()), ("", ""));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    let none = ["hzmetrics", "run-chain", "whoi"];
    let done = asked(&pair, &none).env("HZMETRICS_ACCESS_CFG", "/nowhere").finish().ok();
    assert_eq!(done.text(), "whoisonline\n");
}

#[test]
fn values_of_the_command_line_are_offered_too() {
    let offered = |words: &[&str]| {
        let run = fixtures::run(EXE).arg("--complete").arg((words.len() - 1).to_string());
        run.args(words).finish().ok().text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(offered(&["hzmetrics", "why", "2025-07", "users.download.u"]), ["users.download.us"]);
    assert_eq!(offered(&["hzmetrics", "summarize-month", "--only", "reg,si"]), ["reg,sim", "reg,sim-usage"]);
    assert_eq!(offered(&["hzmetrics", "--compat", "port,ipv"]), ["port,ipv6"]);
    assert_eq!(offered(&["hzmetrics", "check", "fut"]), ["future"]);
    assert_eq!(offered(&["hzmetrics", "show", "--period", "1"]), ["1", "12", "13", "14"]);
    let _ = fixtures::run(EXE).args(["--complete", "x"]).finish().ok();
}
