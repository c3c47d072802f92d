//! Hashes instead of the addresses of old months: by runs and by `hzmetrics hash-addresses`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use fixtures::db::{Pair, SqlMode, pair};
use fixtures::kills::Kills;
use schema::tables::Engine;

use super::prune_rows::{configure, fill, hzmetrics, program};

const TABLES: [&str; 6] = ["web", "websessions", "userlogin", "userlogin_lite", "sessionlog_metrics", "toolstart"];
/// With `HZMETRICS_NOW` in July 2025, 90 days ago was in April.
const STOP: &str = "2025-04-01";
const IS_HASH: &str = "ip REGEXP BINARY '^x[a-z2-7]{14}$'";

fn when(table: &str) -> &'static str {
    if table == "sessionlog_metrics" { "start" } else { "datetime" }
}

fn keys(pair: &Pair) -> PathBuf {
    pair.home().join("root/var/log/hubzero/metrics/_address_keys.json")
}

/// The small hub of the tests of `prune`, with more that has addresses.
fn filled(engine: Engine, seed: u64, per_month: u64, conf: &str) -> Option<Pair> {
    let pair = pair(engine, SqlMode::Strict)?;
    configure(&pair, conf);
    fill(&pair, seed, per_month);
    pair.sql(
        "INSERT IGNORE INTO sessionlog_metrics (sessnum, user, ip, start, appname, host) \
         SELECT id, IFNULL(user, ''), ip, datetime, tool, CONCAT('h-', REPLACE(ip, '.', '-'), '.example.net') FROM toolstart;
         UPDATE websessions SET host = CONCAT('h-', REPLACE(ip, '.', '-'), '.x.de') WHERE host = 'x.de';
         UPDATE web SET host = ip WHERE host = 'x.de';
         UPDATE web SET ip = '2001:db8::1' WHERE id % 40 = 1;
         UPDATE web SET ip = '127.0.0.1' WHERE id % 40 = 2;
         UPDATE web SET ip = '' WHERE id % 40 = 3",
    );
    Some(pair)
}

/// What does not change when addresses get other names: how many there are in each month, in how many rows, and who is
/// at the same address where.
fn shape(pair: &Pair) -> Vec<String> {
    let mut shape = Vec::new();
    for table in TABLES {
        let when = when(table);
        // day zero is in the month before
        let month = format!("IF(DAY({when}) = 0, CONCAT(LEFT({when}, 7), ' zero'), LEFT({when}, 7))");
        let host = if matches!(table, "userlogin" | "userlogin_lite") { "''" } else { "IFNULL(host, '')" };
        shape.extend(pair.lines(&format!(
            "SELECT '{table}', {month} m, COUNT(*), COUNT(DISTINCT ip), \
             COUNT(DISTINCT ip, {host}) FROM {table} GROUP BY m ORDER BY m"
        )));
    }
    shape.extend(pair.lines(
        "SELECT 'joined', LEFT(s.datetime, 7) m, COUNT(*) FROM websessions s JOIN web w ON w.ip = s.ip AND \
         LEFT(w.datetime, 7) = LEFT(s.datetime, 7) WHERE DAY(s.datetime) > 0 AND DAY(w.datetime) > 0 GROUP BY m ORDER BY m",
    ));
    shape
}

/// How many rows have a hash and how many do not, before and after the bound.
fn counts(pair: &Pair, stop: &str) -> Vec<String> {
    let count = |table: &&str| {
        let when = when(table);
        pair.value(&format!(
            "SELECT CONCAT(SUM({when} < '{stop}' AND {IS_HASH}), ' ', \
             SUM({when} < '{stop}' AND NOT {IS_HASH} AND ip NOT IN ('', '127.0.0.1')), ' ', \
             SUM({when} >= '{stop}' AND {IS_HASH})) FROM {table}"
        ))
        .unwrap()
    };
    TABLES.iter().map(count).collect()
}

fn rows(pair: &Pair) -> Vec<String> {
    TABLES.iter().flat_map(|table| pair.lines(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5, 6"))).collect()
}

fn published(pair: &Pair) -> Vec<String> {
    let of = |table: &str| {
        pair.lines(&format!("SELECT rowid, colid, datetime, period, value FROM {table} ORDER BY 1, 2, 3, 4, 5"))
    };
    ["summary_user_vals", "summary_misc_vals", "summary_simusage_vals"].into_iter().flat_map(of).collect()
}

fn state(pair: &Pair, key: &str) -> Option<String> {
    pair.lines(&format!("SELECT v FROM pipeline_state WHERE k = '{key}'")).into_iter().next()
}

#[test]
fn old_months_get_hashes_and_later_ones_keep_their_addresses() {
    for (engine, n_months) in [(Engine::InnoDb, 1), (Engine::MyIsam, 3)] {
        let conf = format!("[privacy]\nhash_after_days = 90\nhash_key_months = {n_months}\n");
        let Some(pair) = filled(engine, 7, 30, &conf) else { return };
        let (before, cells, untouched) = (shape(&pair), published(&pair), rows(&pair));
        let dry = hzmetrics(&pair, "hash-addresses --dry-run").ok();
        assert!(dry.stderr.contains("[dry-run] 2025-03: would hash the addresses of"), "{}", dry.stderr);
        assert!(rows(&pair) == untouched && !keys(&pair).exists() && state(&pair, "hashed_months").is_none());
        let done = hzmetrics(&pair, "hash-addresses").ok();
        assert_eq!(done.stderr.matches(" are hashed").count(), 34, "{}", done.stderr);
        for counts in counts(&pair, STOP) {
            let counts: Vec<u32> = counts.split(' ').map(|n| n.parse().unwrap()).collect();
            assert!(counts[0] > 20 && counts[1..] == [0, 0], "{engine:?} {counts:?}");
        }
        assert_eq!(shape(&pair), before, "{engine:?}");
        assert_eq!(published(&pair), cells);
        assert_eq!(
            pair.lines("SELECT COUNT(*) > 0 FROM web WHERE ip = '127.0.0.1' AND datetime < '2025-01-01'"),
            ["1"]
        );
        // an address in a host name is one too
        let spelled = "SELECT COUNT(*) FROM websessions WHERE host LIKE 'h-10-%' AND datetime < '2025-04-01'";
        assert_eq!(pair.lines(spelled), ["0"]);
        let spelled = "SELECT COUNT(*) FROM web WHERE host LIKE '10.%' AND id % 40 > 3 AND datetime < '2025-04-01'";
        assert_eq!(pair.lines(spelled), ["0"]);
        // one key for as many months as were wanted: 2001:db8::1 is there nearly every month
        let hashes = pair.lines(&format!(
            "SELECT COUNT(DISTINCT ip), COUNT(DISTINCT (YEAR(datetime) * 12 + MONTH(datetime) - 1) DIV {n_months}) FROM web \
             WHERE id % 40 = 1 AND datetime < '2025-04-01' AND DAY(datetime) > 0"
        ));
        let (n_hashes, n_keys) = hashes[0].split_once('\t').unwrap();
        assert!(n_hashes == n_keys && n_keys.parse::<u32>().unwrap() > 10, "{n_months}: {hashes:?}");
        assert!(!keys(&pair).exists(), "the keys are destroyed");
        let months = state(&pair, "hashed_months").unwrap();
        assert!(months.starts_with("2022-06,") && months.ends_with(",2025-03"), "{months}");
        assert_eq!(state(&pair, "hashing_month"), None);
        let after = rows(&pair);
        let again = hzmetrics(&pair, "hash-addresses").ok();
        assert!(again.stderr.contains("no month is due") && rows(&pair) == after, "{}", again.stderr);
        let audit = hzmetrics(&pair, "audit --all").text();
        assert!(!audit.contains("ip"), "{audit}");
    }
}

#[test]
fn without_the_setting_nothing_changes() {
    let Some(pair) = filled(Engine::InnoDb, 3, 20, "[privacy]\naddresses = keep\n") else { return };
    let _ = hzmetrics(&pair, "run").ok();
    let before = rows(&pair);
    let refused = hzmetrics(&pair, "hash-addresses").expect_code(2);
    assert!(refused.stderr.contains("set [privacy] hash_after_days"), "{}", refused.stderr);
    let run = hzmetrics(&pair, "run").ok();
    let log = fs::read_to_string(pair.home().join("manage.log")).unwrap();
    assert!(!log.contains("[addresses]"), "{} {log}", run.stderr);
    assert_eq!(rows(&pair), before);
    assert_eq!(pair.lines("SELECT k FROM pipeline_state WHERE k LIKE 'hash%' OR k LIKE 'short%'"), [""; 0]);
    for (conf, why) in [
        ("hash_after_days = 0", "hash_after_days is `0`, which is not 1 to 36500 days"),
        ("hash_after_days = 9\nhash_key_months = x", "hash_key_months is `x`"),
        ("hash_after_days = soon", "hash_after_days is `soon`"),
    ] {
        configure(&pair, &format!("[privacy]\n{conf}\n"));
        for line in ["config --check", "hash-addresses"] {
            let done = hzmetrics(&pair, line).expect_code(2);
            assert!(done.stderr.contains(why), "{line}: {}", done.stderr);
        }
    }
}

#[test]
fn a_run_hashes_after_it_has_published() {
    let Some(pair) =
        filled(Engine::InnoDb, 5, 20, "[hub]\nhubzero_ipgeo_url = none\n[privacy]\nhash_after_days = 300\n")
    else {
        return;
    };
    // 300 days ago was in September 2024
    let request = |day: &str| {
        let columns = "(datetime, ip, content) VALUES";
        pair.sql(&format!("INSERT INTO web {columns} ('{day} 10:00:00', '192.0.2.1', '/')"));
    };
    for table in ["user", "misc", "simusage"] {
        pair.sql(&format!("DELETE FROM summary_{table}_vals WHERE datetime = '2025-06-00'"));
    }
    request("2025-07-01");
    let run = program(&pair, "hzmetrics").args(["run", "--budget", "10"]).finish().ok();
    let log = || fs::read_to_string(pair.home().join("manage.log")).unwrap();
    let at = |text: &str| log().find(text).unwrap_or_else(|| panic!("{text}: {} {}", run.stderr, log()));
    assert!(at("--- summarize 2025-06 ---") < at("2024-08: the addresses of"), "{}", log());
    assert!(state(&pair, "hashed_months").unwrap().ends_with(",2024-08"));
    let cells = published(&pair);
    // months to come are published, from hashes and addresses
    request("2025-08-01");
    let later = program(&pair, "hzmetrics").env("HZMETRICS_NOW", "2025-08-02T10:00").arg("run").finish().ok();
    assert!(log().contains("2024-09: the addresses of"), "{} {}", later.stderr, log());
    let old: Vec<String> = published(&pair).into_iter().filter(|cell| !cell.contains("2025-07-00")).collect();
    assert!(old.len() > 1000 && published(&pair).len() > old.len());
    assert_eq!(old, cells.into_iter().filter(|cell| !cell.contains("2025-07-00")).collect::<Vec<_>>());
}

#[test]
fn months_that_are_not_final_keep_their_addresses() {
    let Some(pair) = filled(Engine::InnoDb, 3, 20, "[privacy]\nhash_after_days = 90\n") else { return };
    pair.sql("REPLACE INTO pipeline_state (k, v) VALUES ('dirty_months', '2022-11')");
    let done = hzmetrics(&pair, "hash-addresses").ok();
    assert!(done.stderr.contains("2022-10 is older than 90 days, and stays: the month after it"), "{}", done.stderr);
    assert_eq!(state(&pair, "hashed_months").as_deref(), Some("2022-06,2022-07,2022-08,2022-09"));
    pair.sql("DELETE FROM pipeline_state WHERE k = 'dirty_months'; DELETE FROM summary_misc_vals WHERE datetime = '2023-02-00'");
    let done = hzmetrics(&pair, "hash-addresses").ok();
    assert!(done.stderr.contains("2023-01 is older"), "{}", done.stderr);
    assert!(state(&pair, "hashed_months").unwrap().ends_with(",2022-12"));
}

#[test]
fn what_was_interrupted_is_completed_with_the_same_hashes() {
    let Some(pair) = filled(Engine::InnoDb, 9, 20, "[privacy]\nhash_after_days = 1010\n") else { return };
    // 1010 days ago was in September 2022: July and August are due
    let before = shape(&pair);
    pair.sql(
        "CREATE TRIGGER stop BEFORE UPDATE ON userlogin FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stopped'",
    );
    let failed = hzmetrics(&pair, "hash-addresses").expect_code(1);
    assert!(failed.stderr.contains("hashing addresses of 2022-07"), "{}", failed.stderr);
    let half = pair.lines("SELECT id, ip FROM web WHERE datetime < '2022-08-01' ORDER BY id");
    assert!(half.iter().any(|row| row.contains("\tx")), "{half:?}");
    assert!(state(&pair, "hashing_month").unwrap().starts_with("2022-07 "));
    assert_eq!(fs::metadata(keys(&pair)).unwrap().permissions().mode() & 0o777, 0o600);
    pair.sql("DROP TRIGGER stop");
    // without its key nothing continues, and nothing else of that month is computed
    let kept = fs::read(keys(&pair)).unwrap();
    fs::remove_file(keys(&pair)).unwrap();
    let lost = hzmetrics(&pair, "hash-addresses").expect_code(1);
    assert!(lost.stderr.contains("does not have: copy the file"), "{}", lost.stderr);
    assert_eq!(hzmetrics(&pair, "summarize 2022-07").code, 1);
    fs::write(keys(&pair), kept).unwrap();
    let _ = hzmetrics(&pair, "hash-addresses").ok();
    assert_eq!(pair.lines("SELECT id, ip FROM web WHERE datetime < '2022-08-01' ORDER BY id"), half);
    assert_eq!(shape(&pair), before);
    assert_eq!(state(&pair, "hashed_months").as_deref(), Some("2022-06,2022-07,2022-08"));
    assert!(!keys(&pair).exists());
}

#[test]
fn kills_change_nothing() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = filled(engine, 21, 20, "[privacy]\nhash_after_days = 90\n") else { return };
        let before = shape(&pair);
        let mut kills = Kills::new("hash-addresses", 5, Duration::from_millis(1500));
        let mut hashed = String::new();
        while let Some(moment) = kills.next_moment() {
            let was_killed = program(&pair, "hzmetrics").arg("hash-addresses").killed_after(moment);
            pair.wait_until_idle();
            let sql = format!(
                "SELECT COUNT(*), SUM(CRC32(CONCAT(id, ip))) FROM web WHERE datetime < '2022-08-01' AND {IS_HASH}"
            );
            let now = pair.lines(&sql).join("");
            // the hashes of the first month stay what they are once they are there
            if state(&pair, "hashed_months").is_some() {
                assert!(hashed.is_empty() || hashed == now, "{engine:?}: {hashed}, then {now}");
                hashed = now;
            }
            if !kills.hit(was_killed.was_killed) {
                break;
            }
        }
        let _ = hzmetrics(&pair, "hash-addresses").ok();
        assert_eq!(shape(&pair), before, "{engine:?}");
        assert!(counts(&pair, STOP).iter().all(|counts| counts.ends_with(" 0 0")), "{:?}", counts(&pair, STOP));
        assert!(!keys(&pair).exists() && state(&pair, "hashing_month").is_none());
    }
}

#[test]
fn hashed_months_are_not_computed_again_without_force() {
    let Some(pair) = filled(Engine::InnoDb, 7, 20, "[privacy]\nhash_after_days = 90\n") else { return };
    let _ = hzmetrics(&pair, "hash-addresses").ok();
    let before = (rows(&pair), published(&pair));
    let words = "were hashed";
    fs::write(pair.home().join("admin.cnf"), "[client]\nuser = nobody\n").unwrap();
    fs::set_permissions(pair.home().join("admin.cnf"), fs::Permissions::from_mode(0o600)).unwrap();
    let rehearse = format!("rehearse 2025-03 --admin-defaults {}", pair.home().join("admin.cnf").display());
    for line in [
        "rebuild-from 2023-01",
        "rebuild-summaries --since 2025-03 --through 2025-05",
        "mark-dirty 2025-03",
        "analyze 2024-01",
        "summarize 2024-01",
        "process --month 2024-01",
        "summarize-month 2024-01",
        "andmore-usage 2024-01",
        "logfix-session 2024-01",
        "forget-import h-access.log-20220801",
        rehearse.as_str(),
    ] {
        let done = hzmetrics(&pair, line);
        assert!(done.code == 1 && done.stderr.contains(words), "{line}: {} {}", done.code, done.stderr);
    }
    let trace = hzmetrics(&pair, "trace --ip 10.0.0.1 --month 2025-03").expect_code(1);
    assert!(trace.stderr.contains("addresses of 2025-03 are hashed"), "{}", trace.stderr);
    assert_eq!((rows(&pair), published(&pair)), before);
    for line in ["rebuild-from 2025-04 --dry-run", "rebuild-summaries --since 2025-04 --dry-run", "summarize 2025-05"] {
        let _ = hzmetrics(&pair, line).ok();
    }
    for line in ["summarize 2024-01 --force", "rebuild-from 2025-02 --force", "mark-dirty 2025-03 --force"] {
        let _ = hzmetrics(&pair, line).ok();
    }
}

#[test]
fn nothing_is_added_to_hashed_months() {
    let Some(pair) = filled(Engine::InnoDb, 7, 20, "[privacy]\nhash_after_days = 90\n") else { return };
    pair.sql(
        "DELETE FROM {hub}.sessionlog; DELETE FROM {hub}.joblog; DELETE FROM sessionlog_metrics; DELETE FROM toolstart;
         INSERT INTO {hub}.sessionlog (sessnum, username, remoteip, start, appname) VALUES \
         (11, 'u1', '192.0.2.7', '2025-03-07 10:00:00', 'x'), (12, 'u2', '192.0.2.8', '2025-06-07 10:00:00', 'x');
         INSERT INTO {hub}.joblog (sessnum, job, event, start, walltime) VALUES \
         (11, 1, 'x', '2025-03-07 10:00:00', 5), (12, 1, 'x', '2025-06-07 10:00:00', 6)",
    );
    let work = || {
        let steps = ["--only", "import-hub-data,middleware-wall,middleware-cpu"];
        let _ = program(&pair, "usage-metrics").arg("--db").args(steps).arg("2025-06").finish().ok();
        let jobs = pair.lines("SELECT datetime, user, ip <> '', walltime FROM toolstart ORDER BY id");
        let sessions = pair.lines("SELECT sessnum, user, ip <> '' FROM sessionlog_metrics ORDER BY sessnum");
        (jobs, sessions)
    };
    let before = work();
    assert_eq!((before.0.len(), before.1.len()), (2, 2), "{before:?}");
    let _ = hzmetrics(&pair, "hash-addresses").ok();
    assert_eq!(work(), before, "jobs are known by time and user");
    let audit = hzmetrics(&pair, "audit --all").text();
    assert!(!audit.contains("toolstart"), "{audit}");
    // what comes late has no address
    pair.sql(
        "INSERT INTO {hub}.sessionlog (sessnum, username, remoteip, start, appname) VALUES \
         (13, 'u3', '192.0.2.9', '2025-03-08 10:00:00', 'x');
         INSERT INTO {hub}.joblog (sessnum, job, event, start, walltime) VALUES (13, 1, 'x', '2025-03-08 10:00:00', 5)",
    );
    let (jobs, sessions) = work();
    assert_eq!(jobs[2], "2025-03-08 10:00:00\tu3\t0\t5");
    assert_eq!(sessions[2], "13\tu3\t0");
    assert_eq!(work(), (jobs, sessions));
    // nor is a log of such a month imported
    let log = pair.home().join("h-access.log-20250302");
    fs::write(&log, "192.0.2.1 - - [02/Mar/2025:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n")
        .unwrap();
    let done = program(&pair, "import-logs").args(["--to", "db", "--log-format", "combined"]).arg(&log).finish();
    assert!(
        done.code == 1 && done.stderr.contains("of months whose addresses are hashed"),
        "{} {}",
        done.code,
        done.stderr
    );
}

#[test]
fn rows_that_are_added_to_a_hashed_month_are_hashed_by_the_next_pass() {
    for (engine, n_months) in [(Engine::InnoDb, 1), (Engine::MyIsam, 12)] {
        let conf = format!("[privacy]\nhash_after_days = 90\nhash_key_months = {n_months}\n");
        let Some(pair) = filled(engine, 7, 20, &conf) else { return };
        pair.sql("UPDATE web SET ip = '192.0.2.1' WHERE datetime > '2025-03-04' AND datetime < '2025-04-01' LIMIT 1");
        let _ = hzmetrics(&pair, "hash-addresses").ok();
        let of_month = "datetime BETWEEN '2025-03-01' AND '2025-04-00'";
        let plain = || {
            let of =
                |table: &str| pair.lines(&format!("SELECT ip FROM {table} WHERE {of_month} AND ip LIKE '192.0.2.%'"));
            [of("web"), of("userlogin")].concat()
        };
        assert_eq!(plain(), [""; 0]);
        let request = |month: &str| {
            format!("192.0.2.1 - - [02/{month}/2025:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n")
        };
        let logs = [
            ("h-access.log-20250303", format!("{}{}", request("Mar"), request("Apr"))),
            ("cmsauth.log-20250303", "2025-03-02 08:00:01 1001 [ann] 192.0.2.9 login\n".to_owned()),
        ];
        for (name, text) in logs {
            let log = pair.home().join(name);
            fs::write(&log, text).unwrap();
            let import = program(&pair, "import-logs").args(["--to", "db", "--log-format", "combined", "--accept"]);
            let done = import.arg(&log).finish().ok();
            assert!(
                done.stderr.contains("1 line is of months whose addresses are hashed: the next"),
                "{}",
                done.stderr
            );
        }
        assert_eq!(plain(), ["192.0.2.1", "192.0.2.9"]);
        assert_eq!(state(&pair, "late_addresses").as_deref(), Some("2025-03"), "{engine:?}");
        let status = hzmetrics(&pair, "status").ok().text();
        assert!(status.contains("addr. to hash    : 2025-03  (late rows"), "{status}");
        let dry = hzmetrics(&pair, "hash-addresses --dry-run").ok();
        assert!(dry.stderr.contains("2025-03: would hash the addresses of 2 late rows"), "{}", dry.stderr);
        let done = hzmetrics(&pair, "hash-addresses").ok();
        let with = if n_months == 1 { "a new key, because" } else { "the key of the month" };
        assert!(done.stderr.contains(&format!("2 late rows are hashed with {with}")), "{}", done.stderr);
        assert_eq!(plain(), [""; 0]);
        assert_eq!(pair.lines("SELECT COUNT(*) FROM web WHERE ip = '192.0.2.1'"), ["1"], "that of April stays");
        // with the key of the month a visitor stays one visitor
        let sql = format!(
            "SELECT COUNT(DISTINCT w.id) FROM web w JOIN web late ON late.ip = w.ip AND w.id < late.id \
             WHERE late.datetime = '2025-03-02 10:00:00' AND late.content = '/a' AND w.{of_month}"
        );
        assert_eq!(pair.lines(&sql), [if n_months == 1 { "0" } else { "1" }], "{engine:?}");
        assert_eq!(state(&pair, "late_addresses"), None);
        assert_eq!(keys(&pair).exists(), n_months == 12, "a new key is destroyed");
        let again = hzmetrics(&pair, "hash-addresses").ok();
        assert!(again.stderr.contains("no month is due"), "{}", again.stderr);
    }
}

#[test]
fn late_rows_of_a_pass_that_was_interrupted_get_the_same_hashes() {
    let Some(pair) = filled(Engine::InnoDb, 7, 20, "[privacy]\nhash_after_days = 90\n") else { return };
    let _ = hzmetrics(&pair, "hash-addresses").ok();
    pair.sql(
        "INSERT INTO web (datetime, ip, content) VALUES ('2025-02-03 10:00:00', '192.0.2.1', '/');
         INSERT INTO userlogin (datetime, user, ip, action) VALUES ('2025-02-03 10:00:00', 'ann', '192.0.2.1', 'login');
         REPLACE INTO pipeline_state (k, v) VALUES ('late_addresses', '2025-02');
         CREATE TRIGGER stop BEFORE UPDATE ON userlogin FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stopped'",
    );
    let failed = hzmetrics(&pair, "hash-addresses").expect_code(1);
    assert!(failed.stderr.contains("hashing the addresses of late rows of 2025-02"), "{}", failed.stderr);
    assert!(keys(&pair).exists() && state(&pair, "late_addresses").is_some());
    pair.sql("DROP TRIGGER stop");
    let done = hzmetrics(&pair, "hash-addresses").ok();
    assert!(done.stderr.contains("are hashed with a new key"), "{}", done.stderr);
    let same = "SELECT COUNT(*) FROM web w JOIN userlogin u ON u.ip = w.ip AND u.user = 'ann' \
                WHERE w.datetime = '2025-02-03 10:00:00' AND w.ip LIKE 'x%'";
    assert_eq!(pair.lines(same), ["1"]);
    assert!(!keys(&pair).exists());
}

#[test]
fn status_and_compare_name_months_whose_addresses_were_changed() {
    let conf = "[privacy]\nhash_after_days = 90\n";
    let (Some(pair), Some(other)) = (filled(Engine::InnoDb, 7, 20, conf), filled(Engine::InnoDb, 7, 20, conf)) else {
        return;
    };
    let compare = |more: &str| hzmetrics(&pair, format!("compare {} {more}", other.metrics).trim());
    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let before = hzmetrics(&pair, "status").ok().text();
    assert!(!before.contains("addr"), "{before}");
    assert!(!compare("").ok().text().contains("addresses"));
    let none = json(hzmetrics(&pair, "status --json").text());
    assert_eq!(none["pipeline"]["hashed_months"], serde_json::json!([]));
    let _ = hzmetrics(&pair, "hash-addresses").ok();
    other.sql("REPLACE INTO pipeline_state (k, v) VALUES ('shortened_months', '2025-01,2025-02,2025-05')");
    pair.sql("REPLACE INTO pipeline_state (k, v) VALUES ('shortened_months', '2025-06')");
    let status = hzmetrics(&pair, "status").ok().text();
    assert!(status.contains("addresses hashed : 2022-06..2025-03\n"), "{status}");
    assert!(status.contains("addr. shortened  : 2025-06\n"), "{status}");
    let health = json(hzmetrics(&pair, "status --json").text());
    assert_eq!(health["pipeline"]["hashed_months"].as_array().unwrap().len(), 34);
    assert_eq!(health["pipeline"]["shortened_months"], serde_json::json!(["2025-06"]));
    let text = compare("").expect_code(1).text();
    for line in [
        "addresses that are hashed here: those of 2022-06..2025-03\n",
        "addresses that are shortened here: those of 2025-06\n",
        "addresses that are shortened there: those of 2025-01..2025-02, 2025-05\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let report = json(compare("2025-02 --json").expect_code(1).text());
    let expected = serde_json::json!({
    "hashed_here": ["2025-02"], "hashed_there": [], "shortened_here": [], "shortened_there": ["2025-02"]
    });
    assert_eq!(report["addresses"], expected);
}

#[test]
fn months_with_shortened_addresses_are_noted() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        let line = |month: &str| {
            format!("192.0.2.1 - - [02/{month}/2025:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n")
        };
        let import = |conf: &str, name: &str, text: String| {
            configure(&pair, conf);
            let log = pair.home().join(name);
            fs::write(&log, text).unwrap();
            program(&pair, "import-logs").args(["--to", "db", "--log-format", "combined"]).arg(&log).finish().ok()
        };
        let _ = import("[privacy]\n", "h-access.log-20250403", line("Apr"));
        assert_eq!(state(&pair, "shortened_months"), None);
        let shorten = "[privacy]\naddresses = shorten\nhash_after_days = 400\n";
        let done = import(shorten, "h-access.log-20250603", format!("{}{}", line("May"), line("Jun")));
        let receipt = done.text();
        assert!(receipt.contains("\"addresses\":\"shorten\",\"hash_after_days\":400,"), "{receipt}");
        assert_eq!(state(&pair, "shortened_months").as_deref(), Some("2025-05,2025-06"), "{engine:?}");
        let refused = hzmetrics(&pair, "rebuild-from 2025-04").expect_code(1);
        assert!(refused.stderr.contains("addresses of 2025-05 to 2025-06 were shortened"), "{}", refused.stderr);
        // what was not published may be, and then no more
        let _ = hzmetrics(&pair, "analyze 2025-06").ok();
        let refused = hzmetrics(&pair, "analyze 2025-06").expect_code(1);
        assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
        let _ = hzmetrics(&pair, "rebuild-from 2025-04 --force").ok();
    }
}

#[test]
fn a_person_is_forgotten_in_hashed_months_too() {
    let Some(pair) = filled(Engine::InnoDb, 7, 20, "[privacy]\nhash_after_days = 90\n") else { return };
    pair.sql(
        "INSERT INTO userlogin (datetime, user, uidNumber, ip, action) VALUES \
         ('2024-05-03 10:00:00', 'jdoe', 4711, '198.51.100.7', 'login'), ('2025-06-03 10:00:00', 'jdoe', 4711, '198.51.100.8', 'login');
         INSERT INTO web (datetime, ip, content) VALUES ('2024-05-03 10:00:01', '198.51.100.7', '/'), \
         ('2025-06-03 10:00:01', '198.51.100.8', '/'), ('2023-05-03 10:00:01', '198.51.100.7', '/')",
    );
    let _ = hzmetrics(&pair, "hash-addresses").ok();
    let ours = "SELECT COUNT(*) FROM web w JOIN userlogin u ON w.ip = u.ip WHERE u.user LIKE ";
    assert_eq!(pair.lines(&format!("{ours} 'jdoe'")), ["2"]);
    let done = hzmetrics(&pair, "forget-user jdoe");
    assert!(done.stderr.contains("2 addresses used by nobody else"), "{}", done.stderr);
    assert_eq!(pair.lines("SELECT COUNT(*) FROM userlogin WHERE user = 'jdoe' OR uidNumber = 4711"), ["0"]);
    // what is at the same hash or address has another name now; nobody knows of the third request whose it was
    assert_eq!(pair.lines(&format!("{ours} 'forgotten%' AND w.ip REGEXP '^2[45]'")), ["2"]);
}
