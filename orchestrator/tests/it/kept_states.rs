//! Every command that changes rows of a closed month makes a state of it invalid; others do not.

use fixtures::Finished;
use fixtures::db::{Pair, SqlMode, pair};
use schema::tables::Engine;

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn run(pair: &Pair, line: &str) -> Finished {
    pair.run(HZMETRICS).env("HZMETRICS_ROOT", pair.home().join("root")).args(line.split(' ')).finish()
}

/// A small hub with something to do for every command in June.
fn fill(pair: &Pair) {
    pair.sql(
        "INSERT INTO web (id, datetime, ip, host, domain, content, dnload) VALUES \
         (1, '2025-06-03 10:00:00', '192.0.2.1', 'a.mit.edu', 'mit.edu', '/resources/1/download/a', 1), \
         (2, '2025-06-03 11:00:00', '192.0.2.2', 'b.mit.edu', NULL, '/', 0), \
         (3, '2025-06-04 11:00:00', '192.0.2.3', 'c.bot.org', 'bot.org', '/', NULL);\n\
         INSERT INTO web (id, datetime, ip, host, domain, content, dnload, sessionid) VALUES \
         (4, '2025-05-03 10:00:00', '192.0.2.4', 'a.mit.edu', 'mit.edu', '/', 0, 7), \
         (5, '2025-06-20 10:00:00', '192.0.2.9', 'd.bot.org', 'bot.org', '/resources/1/download/a', 1, 8);\n\
         INSERT INTO websessions (id, datetime, ip, host, domain, ipcountry, duration, jobs) VALUES \
         (7, '2025-05-03 10:00:00', '192.0.2.4', 'a.mit.edu', 'mit.edu', 'US', 5000, 0), \
         (8, '2025-06-20 10:00:00', '192.0.2.9', 'd.bot.org', 'bot.org', 'US', 5000, 0), \
         (9, '2025-06-21 10:00:00', '192.0.2.8', 'e.MIT.edu', '', 'US', 5000, 0), \
         (10, '2025-07-21 10:00:00', '192.0.2.8', 'f.mit.edu', '', 'US', 5000, 0);\n\
         INSERT INTO userlogin (id, datetime, user, ip, action) VALUES (1, '2025-06-05', 'ann', '192.0.2.1', 'login');\n\
         INSERT INTO toolstart (id, datetime, success, user, ip, tool) VALUES \
         (1, '2025-06-06', 1, 'ann', '192.0.2.1', 'x');\n\
         INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count, imported_at) VALUES \
         (1, 'cmsauth.log-20250606', 'userlogin', 1, 1, 1, NOW());\n\
         INSERT INTO exclude_list (type, filter) VALUES ('domain', 'bot.org');\n\
         INSERT INTO {hub}.jos_users (id, username) VALUES (1, 'ann');\n\
         INSERT INTO {hub}.jos_user_profiles (user_id, profile_key, profile_value) VALUES (1, 'orgtype', 'industry');\n\
         INSERT INTO {hub}.sessionlog (sessnum, username, remoteip, start, appname) VALUES \
         (1, 'bob', '192.0.2.7', '2025-06-07', 'x');\n\
         INSERT INTO {hub}.joblog (sessnum, job, event, start, walltime) VALUES (1, 1, 'x', '2025-06-07 10:00:00', 9)",
    );
}

/// A statement that does nothing: tables are divided by month before they are filled.
const DIVIDED: &str = "DO 0 /* by month */";

/// Whether the state that was made before `command` is still good for July; its cells are then those of a full scan.
fn holds_after(engine: Engine, prepare: &str, command: &str) -> Option<bool> {
    let pair = pair(engine, SqlMode::Strict)?;
    if prepare == DIVIDED {
        pair.divide_by_month("2025-05".parse().unwrap(), "2025-08".parse().unwrap());
    }
    fill(&pair);
    pair.sql(prepare);
    let state = pair.home().join("may.state");
    let log = pair.home().join("late.log");
    std::fs::write(&log, "2025-06-09 10:00:00 5 [bob] 192.0.2.1 login\n").unwrap();
    let summarize = std::path::Path::new(HZMETRICS).with_file_name("summarize");
    let look = |args: &[&str]| {
        let run = pair.run(&summarize).args(["--from", "db", "--to", "-"]).args(args);
        run.finish()
    };
    let _ = look(&["2025-06", "--state-to", state.to_str().unwrap()]).ok();
    let before = pair.lines("SELECT what, generation FROM hz_generations ORDER BY what");
    if !command.is_empty() {
        let done = run(&pair, &command.replace("LATE", log.to_str().unwrap()));
        assert_eq!(done.code, 0, "{command}: {}", done.stderr);
    }
    let after = pair.lines("SELECT what, generation FROM hz_generations ORDER BY what");
    // noticed by its own number, not as the work of a stranger
    let is_stranger = |lines: &[String]| lines.iter().find(|line| line.starts_with("tables")).cloned();
    assert_eq!(is_stranger(&before), is_stranger(&after), "{command}");
    let kept = look(&["2025-07", "--state-from", state.to_str().unwrap()]);
    if kept.code == 0 {
        assert_eq!(kept.text(), look(&["2025-07"]).ok().text(), "{engine:?} {command}");
        return Some(true);
    }
    assert!(kept.stderr.contains("is no longer valid"), "{command}: {}", kept.stderr);
    Some(false)
}

#[test]
fn commands_that_change_rows_of_closed_months_make_states_invalid() {
    let late = "INSERT INTO toolstart (datetime, success, user, ip) VALUES ('2025-06-06', 1, 'ann', '192.0.2.1')";
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        for (prepare, command, expected) in [
            ("", "logfix-session 2025-06", false),
            ("", "fill-domain metrics websessions 2025-06", false),
            ("", "fill-domain metrics websessions --all", false),
            ("", "clean-bots websessions 2025-06", false),
            ("", "clean-bots web 2025-06", false),
            ("", "fill-user-info metrics toolstart", false),
            ("", "middleware-wall", false),
            ("", "forget-import cmsauth.log-20250606", false),
            ("", "backfill-dnload", false),
            ("", "import-auth LATE", false),
            ("", "analyze --month 2025-06", false),
            ("DELETE FROM migrations WHERE id = 38", "migrate --apply", false),
            // no cell depends on these columns, on these months, or on what is read each time
            ("", "", true),
            (late, "status", true),
            ("", "fill-domain metrics web 2025-06", true),
            ("", "fill-domain metrics websessions 2025-07", true),
            ("", "import-hub-data", true),
            ("", "summarize-month 2025-06", true),
            (DIVIDED, "clean-bots web 2025-06", false),
            (DIVIDED, "import-hub-data", true),
            ("", "rebuild-webhits --month 2025-06", true),
        ] {
            let Some(holds) = holds_after(engine, prepare, command) else { return };
            assert_eq!(holds, expected, "{engine:?} `{command}`");
        }
    }
}
