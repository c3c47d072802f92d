//! `hzmetrics prune` of rows: the cells of all months stay, whatever happens on the way.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fixtures::db::{Pair, SqlMode, pair};
use fixtures::{Finished, Run};
use schema::tables::Engine;

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");
const NOW: &str = "2025-07-02T10:00";
const ALL: [&str; 4] = ["--since", "2022-07", "--through", "2025-06"];

pub(crate) fn program(pair: &Pair, name: &str) -> Run {
    // the configuration is written once: several programs read it at the same time
    static WRITING: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());
    let access = WRITING.lock().unwrap().entry(pair.home().to_owned()).or_insert_with(|| pair.config()).clone();
    let run = fixtures::run(std::path::Path::new(HZMETRICS).with_file_name(name)).env("HZMETRICS_ACCESS_CFG", access);
    let run = run.env("HZMETRICS_DB_SOCKET", pair.socket()).env("HZMETRICS_HOME", pair.home());
    let run = run.env("HZMETRICS_LOG", pair.home().join("manage.log"));
    let run = run.env("HZMETRICS_ROOT", pair.home().join("root")).env("HZMETRICS_NOW", NOW);
    run.env("HZMETRICS_CONFIG", pair.home().join("hzmetrics.conf"))
}

pub(crate) fn hzmetrics(pair: &Pair, line: &str) -> Finished {
    program(pair, "hzmetrics").args(line.split(' ')).finish()
}

pub(crate) fn configure(pair: &Pair, text: &str) {
    fs::create_dir_all(pair.home().join("root/etc")).unwrap();
    fs::write(pair.home().join("root/etc/hubzero.conf"), "site = h\n").unwrap();
    fs::write(pair.home().join("hzmetrics.conf"), text).unwrap();
}

/// Numbers that look like chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }
}

/// A time in a month, sometimes its first instant.
fn time(dice: &mut Dice, month: u64) -> String {
    let (year, of_year) = (2022 + (month + 6) / 12, (month + 6) % 12 + 1);
    match dice.below(40) {
        0 => format!("{year}-{of_year:02}-01 00:00:00"),
        // between the last day of the month before and the first
        1 => format!("{year}-{of_year:02}-00 00:00:00"),
        _ => format!("{year}-{of_year:02}-{:02} {:02}:{:02}:01", dice.below(28) + 1, dice.below(24), dice.below(60)),
    }
}

const PATHS: [&str; 8] = [
    "/resources/7/download/a.pdf",
    "/site/resources/2010/07/07/a.pdf",
    "/resources/9/x.gz",
    "/resources/9/x.zip",
    "/topics/intro",
    "/Topics/introduction",
    "/",
    "/about",
];

/// 36 months of a small hub, from July 2022.
pub(crate) fn fill(pair: &Pair, seed: u64, per_month: u64) {
    let mut dice = Dice(seed);
    let (mut web, mut sessions, mut logins, mut starts) = (String::new(), String::new(), String::new(), String::new());
    let (mut session, mut request) = (0, 0);
    for month in 0..36 {
        for _ in 0..per_month {
            session += 1;
            let n = dice.below(per_month * 6);
            let (ip, host) = (
                format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255),
                dice.of(&["a.mit.edu", "b.mit.edu", "x.de", "?"]),
            );
            let (domain, country) = (dice.of(&["mit.edu", "x.de", "nasa.gov", "?"]), dice.of(&["US", "DE", "CN", ""]));
            let at = time(&mut dice, month);
            let (duration, jobs) = (i64::try_from(dice.below(4000)).unwrap() - 10, dice.below(3) / 2);
            let _ = write!(sessions, ",({session},'{at}','{ip}','{host}','{domain}','{country}',{duration},{jobs})");
            for _ in 0..dice.below(4) {
                request += 1;
                let (path, flag) = (dice.of(&PATHS), dice.below(5) / 4);
                let _ = write!(web, ",({request},'{at}','{ip}','{host}','{path}',{flag},{session})");
            }
            if dice.below(3) == 0 {
                let (at, user) = (time(&mut dice, month), format!("u{}", dice.below(20)));
                let action = dice.of(&["login", "simulation", "logout"]);
                let _ = write!(logins, ",('{at}','{user}','{ip}','{action}')");
            }
            if dice.below(4) == 0 {
                // a session of day zero is of the month before
                let session = if at.contains("-00 ") { 0 } else { session };
                let (at, user) = (time(&mut dice, month), format!("u{}", dice.below(20)));
                let _ = write!(starts, ",('{at}',1,'{user}','{ip}','x',{session},'US')");
            }
        }
        let rest = |list: &mut String| std::mem::take(list).trim_start_matches(',').to_owned();
        for (table, list) in [
            ("INTO websessions (id, datetime, ip, host, domain, ipcountry, duration, jobs)", &mut sessions),
            ("INTO web (id, datetime, ip, host, content, dnload, sessionid)", &mut web),
            ("IGNORE INTO userlogin (datetime, user, ip, action)", &mut logins),
            ("INTO toolstart (datetime, success, user, ip, tool, sessionid, countryresident)", &mut starts),
        ] {
            pair.sql(&format!("INSERT {table} VALUES {}", rest(list)));
        }
    }
    pair.sql(
        "INSERT INTO country_continent VALUES ('US', 'NA'), ('DE', 'EU');\n\
         INSERT INTO domainclass (domain, class) VALUES ('mit.edu', 1), ('nasa.gov', 3);\n\
         INSERT INTO {hub}.jos_resources (id, type, path, published, standalone, publish_up) VALUES \
         (7, 1, '2010/07/07/a.pdf', 1, 1, '2020-01-01'), (8, 1, '/topics/intro', 1, 1, '2020-01-02'), \
         (9, 1, 'x/y.gz', 1, 1, '2020-01-03');\n\
         INSERT INTO webhits (datetime, hits) VALUES ('2022-08-01', 5), ('2024-09-01', 7), ('2025-06-30', 9);\n\
         INSERT INTO {hub}.sessionlog (sessnum, username, remoteip, start, appname, walltime, viewtime, cputime) VALUES \
         (1, 'u1', '192.0.2.7', '2022-09-07', 'x', 3, 4, 5), (2, 'u2', '192.0.2.8', '2025-06-07', 'x', 3, 4, 5)",
    );
    pair.sql(
        "INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count, imported_at) \
         SELECT 1, 'h-access.log-20220801', 'web', MIN(id), MAX(id), COUNT(*), NOW() FROM web WHERE id <= 40;\n\
         INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count, imported_at) \
         SELECT 2, 'h-access.log-20250630', 'web', MIN(id), MAX(id), COUNT(*), NOW() FROM web WHERE id > 40;\n\
         INSERT INTO imported_sources (id, filename, target_table, pk_start, pk_end, row_count, imported_at) \
         SELECT 3, 'cmsauth.log-20250630', 'userlogin', MIN(id), MAX(id), COUNT(*), NOW() FROM userlogin",
    );
    let _ = program(pair, "summarize").args(["--db", "--only", "summary,andmore"]).args(ALL).finish().ok();
}

fn cells(pair: &Pair) -> Finished {
    program(pair, "summarize").args(["--from", "db", "--to", "-", "--only", "summary,andmore"]).args(ALL).finish()
}

/// How many rows are of months that were to go, and of later ones.
fn counts(pair: &Pair, stop: &str) -> Vec<String> {
    let count = |table: &str| {
        pair.value(&format!("SELECT CONCAT(SUM(datetime < '{stop}'), ' ', SUM(datetime >= '{stop}')) FROM {table}"))
            .unwrap()
    };
    ["web", "websessions", "userlogin", "userlogin_lite"].map(count).to_vec()
}

fn only_later(before: &[String]) -> Vec<String> {
    before.iter().map(|counts| format!("0 {}", counts.split(' ').nth(1).unwrap())).collect()
}

#[test]
fn the_cells_of_all_months_stay_when_rows_go() {
    for (engine, divided) in [(Engine::InnoDb, false), (Engine::MyIsam, false), (Engine::InnoDb, true)] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        if divided {
            pair.divide_by_month("2022-10".parse().unwrap(), "2025-12".parse().unwrap());
        }
        configure(&pair, "[retention]\nweb_months = 24\nlogins_months = 24\n");
        fill(&pair, 7, fixtures::asked("HZMETRICS_PRUNE", 40).into());
        let (before, rows) = (cells(&pair).ok().text(), counts(&pair, "2023-07-01"));
        assert!(before.contains("resource_stat") && before.lines().count() > 1000, "{}", before.lines().count());
        let published =
            |pair: &Pair| pair.lines("SELECT * FROM summary_user_vals ORDER BY rowid, colid, datetime, period");
        let cells_before = published(&pair);
        let dry = hzmetrics(&pair, "prune --dry-run").ok();
        assert!(dry.stderr.contains("web: [dry-run] would remove"), "{}", dry.stderr);
        assert_eq!(counts(&pair, "2023-07-01"), rows);
        let stop = AtomicBool::new(false);
        // an importer waits for its turn
        let log = pair.home().join("h-access.log-20250702");
        let line = "192.0.2.1 - - [01/Jul/2025:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n";
        fs::write(&log, line).unwrap();
        // readers see the cells of before, or are told to read again
        let done = std::thread::scope(|scope| {
            let reader = || {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    let read = cells(&pair);
                    if read.code == 0 {
                        assert!(read.text() == before, "{engine:?} a reader saw other cells");
                        n += 1;
                    } else {
                        assert!(read.stderr.contains("began to remove rows while they were read"), "{}", read.stderr);
                    }
                    assert_eq!(published(&pair), cells_before);
                }
                n
            };
            let import =
                || program(&pair, "import-logs").args(["--to", "db", "--log-format", "combined"]).arg(&log).finish();
            let readers = [scope.spawn(reader), scope.spawn(reader)];
            let stops = fixtures::Stops(&stop);
            let (done, imported) = (scope.spawn(|| hzmetrics(&pair, "prune")), scope.spawn(import));
            let (done, imported) = (done.join().unwrap(), imported.join().unwrap());
            assert_eq!(imported.code, 0, "{}", imported.stderr);
            drop(stops);
            for reader in readers {
                assert!(reader.join().unwrap() > 0);
            }
            done
        });
        // whoever came second waited or was told to come again
        let done = if done.code == 75 { hzmetrics(&pair, "prune") } else { done };
        assert_eq!(done.code, 0, "{engine:?} {divided} {}", done.stderr);
        assert_eq!(pair.lines("SELECT COUNT(*) FROM web WHERE datetime >= '2025-07-01'"), ["1"]);
        pair.sql("DELETE FROM web WHERE datetime >= '2025-07-01'");
        assert!(done.stderr.contains("gives the same cells, and is kept"), "{}", done.stderr);
        assert_eq!(counts(&pair, "2023-07-01"), only_later(&rows), "{engine:?} {divided}");
        assert!(cells(&pair).ok().text() == before, "{engine:?} {divided}: other cells");
        let again = hzmetrics(&pair, "prune").ok();
        assert!(again.stderr.contains("0 rows freed"), "{}", again.stderr);
        if divided {
            let sql = "SELECT GROUP_CONCAT(partition_name ORDER BY partition_ordinal_position) FROM \
                       information_schema.partitions WHERE table_schema = DATABASE() AND table_name = 'web'";
            let names = pair.value(sql).unwrap();
            assert!(names.starts_with("earlier,m2023_07,"), "{names}");
        }
        // with other bounds more of them go; the months of the shorter one are final
        configure(&pair, "[retention]\nweb_months = 14\nlogins_months = 12\n");
        for (now, through) in [(NOW, "2024-06"), ("2025-08-02T10:00", "2024-07")] {
            let done = program(&pair, "hzmetrics").env("HZMETRICS_NOW", now).arg("prune").finish().ok();
            assert_eq!(done.stderr.matches("gives the same cells").count(), 1, "{}", done.stderr);
            assert!(cells(&pair).ok().text() == before, "{engine:?} {divided}: other cells, {now}");
            assert_eq!(pair.lines("SELECT DISTINCT through FROM hz_pruned WHERE kind = 'months'"), [through]);
        }
        let counts = counts(&pair, "2024-06-01");
        assert!(counts[0].starts_with("0 ") && !counts[0].ends_with(" 0"), "{counts:?}");
        assert_eq!(pair.lines("SELECT MIN(datetime) >= '2024-08-01' FROM userlogin"), ["1"]);
        assert_eq!(pair.lines("SELECT MIN(datetime) < '2024-07-01' FROM web"), ["1"]);
        assert_eq!(pair.lines("SELECT COUNT(DISTINCT name) FROM hz_pruned WHERE kind = 'state'"), ["1"]);
        refusals(&pair);
    }
}

/// What cannot be done any more says so.
fn refusals(pair: &Pair) {
    for line in [
        "rebuild-from 2023-01",
        "mark-dirty 2023-01",
        "rebuild-webhits --month 2023-01",
        "analyze --month 2023-01",
        "forget-import h-access.log-20220801",
        "forget-import h-access.log-20250630 --force",
        "forget-import cmsauth.log-20250630 --force",
        "repair-imported-sources",
        "why 2024-01 users.registered",
        "trace --ip 192.0.2.1 --month 2023-01",
    ] {
        let done = hzmetrics(pair, line);
        assert!(done.code == 1 && done.stderr.contains("hzmetrics prune"), "{line}: {} {}", done.code, done.stderr);
    }
    assert!(hzmetrics(pair, "rebuild-from 2025-02 --dry-run").code == 0);
    let _ = hzmetrics(pair, "summarize-month 2023-01").ok();
    let audit = hzmetrics(pair, "audit --all");
    let text = audit.text();
    assert!(text.contains("requests and sessions through 2024-05 were removed; the state"), "{text}");
    for words in ["span != row_count", "no import provenance", "orphan", "2023"] {
        assert!(!text.contains(words), "{words}: {text}");
    }
    let late = pair.home().join("h-access.log-20230102");
    fs::write(&late, "192.0.2.1 - - [02/Jan/2023:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n")
        .unwrap();
    let count = || pair.value("SELECT COUNT(*) FROM web").unwrap();
    let before = count();
    let done = program(pair, "import-logs").args(["--to", "db", "--log-format", "combined"]).arg(&late).finish();
    assert!(done.code == 1 && done.stderr.contains("nothing would count them"), "{} {}", done.code, done.stderr);
    assert!(late.exists() && count() == before);
    // a run names a log that comes late once, and then continues
    let daily = pair.home().join("root/var/log/httpd/daily");
    fs::create_dir_all(&daily).unwrap();
    fs::write(daily.join("h-access.log-20230102"), "2023-01-02 10:00:00 - 192.0.2.1 GET /a\n").unwrap();
    fs::copy(&late, daily.join("h-access.log-20230103")).unwrap();
    pair.sql("REPLACE INTO pipeline_state (k, v) VALUES ('dirty_months', '2023-02')");
    let first = program(pair, "hzmetrics").env("HZMETRICS_LOG_FORMAT", "combined").arg("run").finish();
    assert!(first.stderr.contains("nothing would count them"), "{}", first.stderr);
    let second = program(pair, "hzmetrics").env("HZMETRICS_LOG_FORMAT", "combined").arg("run").finish();
    assert_eq!(second.code, 0, "{} {}", first.stderr, second.stderr);
    assert!(daily.join("h-access.log-20230103").exists() && count() == before);
    assert_eq!(pair.lines("SELECT v FROM pipeline_state WHERE k = 'dirty_months' AND v <> ''"), [""; 0]);
    let mut n_cells = 0;
    for table in ["summary_user_vals", "summary_misc_vals"] {
        n_cells += pair
            .value(&format!("SELECT COUNT(*) FROM {table} WHERE datetime = '2023-02-00'"))
            .unwrap()
            .parse::<u32>()
            .unwrap();
    }
    assert!(n_cells > 100, "the cells of a removed month stay");
    // the state is always needed
    pair.sql("UPDATE hz_pruned SET piece = 'x' WHERE kind = 'state' AND number = 0");
    let done = cells(pair).expect_code(1);
    assert!(done.stderr.contains("is damaged"), "{}", done.stderr);
    assert!(hzmetrics(pair, "audit").text().contains("is damaged"));
}

#[test]
fn a_prune_that_was_killed_is_completed_by_the_next() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        configure(&pair, "[retention]\nweb_months = 12\n");
        fill(&pair, 11, 60);
        let (before, rows) = (cells(&pair).ok().text(), counts(&pair, "2024-07-01"));
        for moment in [60, 250, 500, 900, 1200] {
            let _ = program(&pair, "hzmetrics").arg("prune").killed_after(Duration::from_millis(moment));
            pair.wait_until_idle();
            assert!(cells(&pair).ok().text() == before, "{engine:?} after {moment} ms: other cells");
        }
        let _ = hzmetrics(&pair, "prune").ok();
        assert!(cells(&pair).ok().text() == before);
        let after = counts(&pair, "2024-07-01");
        assert_eq!(after[..2], only_later(&rows)[..2]);
        assert_eq!(after[2..], rows[2..], "logins have no bound");
        assert_eq!(pair.lines("SELECT COUNT(DISTINCT name) FROM hz_pruned WHERE kind = 'state'"), ["1"]);
    }
}

/// A dry run says what the real one would.
#[test]
fn the_newest_row_of_a_table_stays() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    configure(&pair, "[retention]\nweb_months = 12\n");
    fill(&pair, 3, 20);
    pair.sql("UPDATE web SET datetime = '2022-07-07' ORDER BY id DESC LIMIT 1");
    for line in ["prune --dry-run", "prune"] {
        let done = hzmetrics(&pair, line).expect_code(1);
        assert!(done.stderr.contains("the newest row of web is of"), "{line}: {}", done.stderr);
    }
}

#[test]
fn rows_of_months_that_are_not_final_stay() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    configure(&pair, "[retention]\nweb_months = 12\n");
    fill(&pair, 3, 20);
    for (spoil, mend, why) in [
        (
            "DELETE FROM summary_misc_vals WHERE datetime = '2023-03-00' AND period = 3",
            "",
            "2023-03 on stay: it is not published",
        ),
        (
            "REPLACE INTO pipeline_state (k, v) VALUES ('dirty_months', '2022-12')",
            "DELETE FROM pipeline_state",
            "2022-12 on stay: it is dirty",
        ),
        (
            "REPLACE INTO pipeline_state (k, v) VALUES ('mode', 'rebuild')",
            "DELETE FROM pipeline_state",
            "2022-07 on stay",
        ),
        (
            "REPLACE INTO pipeline_state (k, v) VALUES ('withheld_months', '2022-08')",
            "DELETE FROM pipeline_state",
            "2022-08 on stay: it is withheld",
        ),
    ] {
        pair.sql(spoil);
        let done = hzmetrics(&pair, "prune --dry-run").ok();
        assert!(done.stderr.contains(why), "{why}: {}", done.stderr);
        if !mend.is_empty() {
            pair.sql(mend);
        }
    }
    let done = hzmetrics(&pair, "prune").ok();
    assert!(done.stderr.contains("2023-03 on stay"), "{}", done.stderr);
    assert_eq!(pair.lines("SELECT through FROM hz_pruned WHERE kind = 'months'"), ["2023-02"]);
    pair.sql("UPDATE web SET datetime = '2023-02-07' ORDER BY id DESC LIMIT 1; DROP TABLE hz_pruned");
    let _ = program(&pair, "summarize").args(["--db", "--only", "summary"]).args(ALL).finish().ok();
    let failed = hzmetrics(&pair, "prune").expect_code(1);
    assert!(failed.stderr.contains("migrate --apply"), "{}", failed.stderr);
}
