//! `hzmetrics audit` on a private server: one fault at a time in a healthy hub.

use std::fmt::Write as _;

use fixtures::Finished;
use fixtures::db::{MODES, Pair, SqlMode, pair};
use schema::tables::Engine;

const MONTHS: [(&str, u32); 3] = [("2026-02", 28), ("2026-03", 31), ("2026-04", 30)];

struct Hub {
    pair: Pair,
}

impl Hub {
    /// Three months before May 2026 with correct data: five requests and sessions a day, a login a
    /// day, a log of each stream.
    fn sound(engine: Engine, mode: SqlMode) -> Option<Self> {
        let pair = pair(engine, mode)?;
        let (mut web, mut sessions, mut logins, mut hits, mut sources, mut cells) =
            (String::new(), String::new(), String::new(), String::new(), String::new(), String::new());
        let (mut id, mut login) = (0, 0);
        for (n, (month, days)) in MONTHS.into_iter().enumerate() {
            for day in 1..=days {
                let first = id + 1;
                for hour in 0..5 {
                    id += 1;
                    let when = format!("'{month}-{day:02} {hour:02}:10:00'");
                    let _ = write!(web, ",({id},{id},{when},'US','192.0.2.1','a.example.edu','example.edu')");
                    let _ = write!(sessions, ",({id},{when},'US','192.0.2.1','a.example.edu','example.edu',10,0,1)");
                }
                login += 1;
                let _ = write!(logins, ",({login},'{month}-{day:02} 01:00:00','u',7,'192.0.2.1','login')");
                let _ = write!(hits, ",('{month}-{day:02}',5)");
                let date = format!("{}{day:02}", month.replace('-', ""));
                let _ = write!(sources, ",('h-access.log-{date}','web',{first},{id},5,'importer')");
                let _ = write!(sources, ",('cmsauth.log-{date}','userlogin',{login},{login},1,'importer')");
            }
            // the quarter begins in January, the hits in February
            let quarter = [28 * 5, (28 + 31) * 5, 30 * 5][n];
            for period in [0, 1, 3, 12, 13, 14] {
                let counted = match period {
                    1 => days * 5,
                    3 => quarter,
                    _ => 9,
                };
                for (table, row, value) in [
                    ("user", 1, (100 + n).to_string()),
                    ("user", 6, (50 + n).to_string()),
                    ("user", 7, "30".to_owned()),
                    ("user", 8, "20".to_owned()),
                    ("simusage", 1, "5".to_owned()),
                    ("misc", 1, "9".to_owned()),
                    ("misc", 7, format!("5 users on {month}-02")),
                    ("misc", 8, counted.to_string()),
                ] {
                    let _ = writeln!(
                        cells,
                        "INSERT INTO summary_{table}_vals (rowid, colid, datetime, period, value, valfmt) \
                         VALUES ({row}, 1, '{month}-00', {period}, '{value}', 1);"
                    );
                }
            }
        }
        pair.sql(&format!(
            "INSERT INTO web (id, sessionid, datetime, ipcountry, ip, host, domain) VALUES {};\n\
             INSERT INTO websessions VALUES {};\n\
             INSERT INTO userlogin (id, datetime, user, uidNumber, ip, action) VALUES {};\n\
             INSERT INTO webhits VALUES {};\n\
             INSERT INTO imported_sources (filename, target_table, pk_start, pk_end, row_count, origin) VALUES {};\n\
             INSERT INTO toolstart (datetime, user, tool, ip) VALUES ('2026-04-05', 'u', 't', '192.0.2.1');\n\
             REPLACE INTO pipeline_state (k, v) VALUES ('mode', 'normal'), ('analyzed', '2026-05-18'), \
             ('catchup_started', '2022-01'), ('dirty_months', '');\n{cells}",
            &web[1..],
            &sessions[1..],
            &logins[1..],
            &hits[1..],
            &sources[1..]
        ));
        Some(Self { pair })
    }

    fn audit(&self, args: &str) -> Finished {
        let run = self.pair.run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", self.pair.home());
        run.env("HZMETRICS_NOW", "2026-05-19T10:10").arg("audit").args(args.split_whitespace()).finish()
    }

    /// The findings of an audit of three months.
    #[track_caller]
    fn check(&self, doing: &str, expected: &[&str]) {
        let done = self.audit("--months 3");
        assert_eq!(done.stderr, "", "{doing}");
        let text = done.text();
        let findings: Vec<&str> =
            text.lines().filter(|line| line.starts_with("WARN") || line.starts_with("    ")).collect();
        assert_eq!(findings, expected, "{doing}");
        let done = done.expect_code(i32::from(!expected.is_empty()));
        let last =
            if expected.is_empty() { "all checks passed — 3 month(s) clean" } else { "finding(s).  Recommended:" };
        assert!(done.text().lines().any(|line| line.ends_with(last)), "{}", done.text());
    }

    /// Runs the SQL in `fault`, checks, and runs the SQL in `fixed`.
    #[track_caller]
    fn fault(&self, fault: &str, fixed: &str, expected: &[&str]) {
        self.sql(fault);
        self.check(fault, expected);
        self.sql(fixed);
    }

    #[track_caller]
    fn sql(&self, statements: &str) {
        self.pair.sql(&statements.replace("; ", ";\n"));
    }
}

#[test]
fn a_sound_hub_and_an_empty_one_have_no_findings() {
    for (engine, mode) in MODES {
        let Some(hub) = Hub::sound(engine, mode) else { return };
        let done = hub.audit("--months 3").ok();
        assert_eq!(
            done.text(),
            "scope: 2026-02-01 .. 2026-05-01 (a share above 5 x the median and above 5.0% is a finding)\n\
             OK    web.host       median 0.00%  (3 month(s) scanned)\n\
             OK    web.domain     median 0.00%  (3 month(s) scanned)\n\
             OK    web.ipcountry  median 0.00%  (3 month(s) scanned)\n\
             OK    websessions.host       median 0.00%  (3 month(s) scanned)\n\
             OK    websessions.domain     median 0.00%  (3 month(s) scanned)\n\
             OK    websessions.ipcountry  median 0.00%  (3 month(s) scanned)\n\
             all checks passed — 3 month(s) clean\n"
        );
        assert_eq!(done.stderr, "");
        // more hits than kept requests: as the legacy scripts count
        hub.sql(
            "UPDATE webhits SET hits = hits + 1 WHERE datetime = '2026-04-01'; \
                 UPDATE summary_misc_vals SET value = 151 WHERE rowid = 8 AND datetime = '2026-04-00'",
        );
        hub.audit("").ok();
        let log = std::fs::read_to_string(hub.pair.home().join("manage.log")).unwrap();
        assert!(log.contains("[audit] all checks passed — 24 month(s) clean"), "{log}");

        let Some(pair) = pair(engine, mode) else { return };
        let empty = Hub { pair };
        let done = empty.audit("--all").expect_code(1);
        let text = done.text();
        assert!(text.starts_with("scope: 2014-01-01 .. 2026-05-01"), "{text}");
        assert!(text.contains("\nOK    summary_simusage_vals: empty — "), "{text}");
        for table in ["user", "misc"] {
            let line = format!("\nWARN  summary_{table}_vals: no non-empty cells at all (expected at least 2026-04)\n");
            assert!(text.contains(&line), "{text}");
        }
        assert!(text.ends_with("2 finding(s).  Recommended:\n    hzmetrics summarize-month 2026-04\n    hzmetrics summarize-month 2026-04\n"), "{text}");
    }
}

/// One fault in a healthy hub.
struct Fault {
    /// What is wrong, or looks wrong.
    is: &'static str,
    sql: &'static str,
    undo: &'static str,
    /// The audit's output; nothing if all is well.
    finds: &'static [&'static str],
}

/// All of them; the last one is not undone.
const FAULTS: &[Fault] = &[
    Fault {
        is: "half of the requests of a month lack a host",
        sql: "UPDATE web SET host = NULL WHERE datetime >= '2026-03-01' AND datetime < '2026-03-16'",
        undo: "UPDATE web SET host = 'a.example.edu' WHERE host IS NULL",
        finds: &[
            "WARN  web.host       median 0.00%, threshold 5.00%  — 1 anomalous month(s)",
            "            2026-03: 48.39% (75 of 155)",
            "    hzmetrics resolve-dns metrics web 2026-03",
        ],
    },
    Fault {
        is: "a third of the sessions lack a domain, but the upper median is near it",
        sql: "UPDATE websessions SET domain = '' WHERE datetime >= '2026-03-01' AND DAY(datetime) < 3; \
             UPDATE websessions SET domain = '' WHERE datetime >= '2026-03-01' AND DAY(datetime) = 9",
        undo: "UPDATE websessions SET domain = 'example.edu'",
        finds: &[],
    },
    Fault {
        is: "hosts and countries were asked for, and nobody knows them",
        sql: "UPDATE websessions SET host = '?', ipcountry = '-'",
        undo: "UPDATE websessions SET host = 'a.example.edu', ipcountry = 'US'",
        finds: &[],
    },
    Fault {
        is: "no request has a country: the service never answered",
        sql: "UPDATE web SET ipcountry = ''",
        undo: "UPDATE web SET ipcountry = 'US'",
        finds: &[
            "WARN  web.ipcountry  median 100.00%, threshold 50.00%  — 3 anomalous month(s)",
            "            2026-02: 100.00% (140 of 140)",
            "            2026-03: 100.00% (155 of 155)",
            "            2026-04: 100.00% (150 of 150)",
            "    hzmetrics fill-ipcountry metrics web 2026-02..2026-04",
        ],
    },
    Fault {
        is: "nearly all requests of a month have no name",
        sql: "UPDATE web SET host = '?' WHERE id <> 200 AND datetime >= '2026-03-01' AND datetime < '2026-04-01'",
        undo: "UPDATE web SET host = 'a.example.edu'",
        finds: &[
            "WARN  2026-03: 154 of 155 requests are from a host without a name (`?`): the name server answered nothing",
            "    (see `hzmetrics doctor` for the name server; then UPDATE web SET host = NULL, domain = NULL WHERE host = '?' \
                 in 2026-03, `hzmetrics resolve-dns metrics web 2026-03`, `hzmetrics mark-dirty 2026-03`)",
        ],
    },
    Fault {
        is: "the total of all time shrank",
        sql: "UPDATE summary_user_vals SET value = 99 WHERE rowid = 1 AND period = 14 AND datetime = '2026-04-00'; \
             UPDATE summary_user_vals SET value = 49 WHERE rowid = 6 AND period = 14 AND datetime = '2026-04-00'",
        undo: "UPDATE summary_user_vals SET value = 102 WHERE rowid = 1 AND period = 14 AND datetime = '2026-04-00'; \
             UPDATE summary_user_vals SET value = 52 WHERE rowid = 6 AND period = 14 AND datetime = '2026-04-00'",
        finds: &[
            "WARN  summary_user_vals.period=14  — 1 month-to-month drop(s) in cumulative all-time count",
            "            2026-03: 101  →  2026-04: 99  (Δ -2)",
            "WARN  2026-04: summary_user_vals[rowid=6,colid=1,valfmt=1] period-14 regressed 51 → 49",
            "    hzmetrics summarize-month 2026-04",
            "    (rows were deleted? then rebuild-from the month; summary_user_vals of all time only grows)",
        ],
    },
    Fault {
        is: "a total is not the sum of its parts",
        sql: "UPDATE summary_user_vals SET value = 31 WHERE rowid = 7 AND period = 1 AND datetime = '2026-04-00'",
        undo: "UPDATE summary_user_vals SET value = 30 WHERE rowid = 7",
        finds: &["WARN  2026-04: summary_user_vals[1] ≠ SUM([6,7,8])", "    hzmetrics summarize-month 2026-04"],
    },
    Fault {
        is: "a month lacks one period",
        sql: "DELETE FROM summary_simusage_vals WHERE period = 13 AND datetime = '2026-03-00'",
        undo: "INSERT INTO summary_simusage_vals VALUES (1, 1, '2026-03-00', 13, 5, 1)",
        finds: &["WARN  2026-03: summary exists but missing periods", "    hzmetrics summarize-month 2026-03"],
    },
    Fault {
        is: "a month has requests and no summary",
        sql: "UPDATE summary_user_vals SET datetime = '2019-03-00' WHERE datetime = '2026-03-00'",
        undo: "UPDATE summary_user_vals SET datetime = '2026-03-00' WHERE datetime = '2019-03-00'",
        finds: &["WARN  2026-03: web has data but no period-1 summary", "    hzmetrics summarize-month 2026-03"],
    },
    Fault {
        is: "stamps point to sessions that are gone",
        sql: "INSERT INTO web (id, sessionid, datetime, ipcountry, ip, host, domain) \
             VALUES (446, 999, '2026-04-30', 'US', '192.0.2.1', 'h', 'd'); \
             UPDATE imported_sources SET pk_end = 446, row_count = 6 WHERE filename = 'h-access.log-20260430'; \
             INSERT INTO toolstart (datetime, sessionid, user, tool, ip) VALUES ('2026-02-01', 998, 'u', 't', 'x'), \
             ('2026-01-31', 998, 'u', 't', 'x'), ('2026-03-01', 0, 'u', 't', 'x'), ('2026-03-01', 445, 'u', 't', 'x')",
        undo: "DELETE FROM web WHERE id = 446; DELETE FROM toolstart WHERE sessionid = 998; \
             UPDATE imported_sources SET pk_end = 445, row_count = 5 WHERE filename = 'h-access.log-20260430'",
        finds: &[
            "WARN  2026-04: 1 orphan web.sessionid stamp(s) reference missing websessions.id",
            "WARN  2026-02: 1 orphan toolstart.sessionid stamp(s) reference missing websessions.id",
            "    hzmetrics mark-dirty 2026-04",
            "    hzmetrics mark-dirty 2026-02",
        ],
    },
    Fault {
        is: "the hits cell of a month is not what the hits add up to",
        sql: "UPDATE webhits SET hits = 6 WHERE datetime = '2026-03-01'",
        undo: "UPDATE webhits SET hits = 5",
        finds: &[
            "WARN  2026-03: hits cell drift (period=1 stored=155 expected=156)",
            "    hzmetrics summarize-month 2026-03",
        ],
    },
    Fault {
        is: "a week of auth logs was not imported, two more days have logins",
        sql: "UPDATE imported_sources SET filename = CONCAT('gone ', pk_start) WHERE filename LIKE 'cmsauth%2026030_'; \
             UPDATE userlogin SET datetime = '2026-04-01' + INTERVAL id SECOND \
             WHERE datetime >= '2026-03-01' AND datetime < '2026-03-08'",
        undo: "UPDATE userlogin SET datetime = '2026-03-01' + INTERVAL id - 29 DAY WHERE id BETWEEN 29 AND 35; \
             UPDATE imported_sources SET filename = CONCAT('cmsauth.log-2026030', pk_start - 28) WHERE filename LIKE 'gone %'",
        finds: &[
            "WARN  cmsauth import gap: 2026-03-01..2026-03-07 (7 day(s), no source file)",
            "    (look into daily/ and imported/ for cmsauth logs of 2026-03-01..2026-03-07)",
        ],
    },
    Fault {
        is: "a week of access logs was not imported",
        sql: "UPDATE imported_sources SET filename = CONCAT('gone ', pk_start) \
             WHERE filename BETWEEN 'h-access.log-20260302' AND 'h-access.log-20260309'; \
             UPDATE web SET datetime = datetime + INTERVAL 10 DAY \
             WHERE datetime >= '2026-03-02' AND datetime < '2026-03-10'",
        undo: "UPDATE web SET datetime = datetime - INTERVAL 10 DAY WHERE id BETWEEN 146 AND 185; \
             UPDATE imported_sources SET filename = CONCAT('h-access.log-2026030', (pk_start - 1) DIV 5 - 27) \
             WHERE filename LIKE 'gone %'",
        finds: &[
            "WARN  apache import gap: 2026-03-02..2026-03-09 (8 day(s), no source file)",
            "    (look into daily/ and imported/ for apache logs of 2026-03-02..2026-03-09)",
        ],
    },
    Fault {
        is: "a week has no logins, but its logs were imported",
        sql: "DELETE FROM userlogin WHERE datetime >= '2026-03-02' AND datetime < '2026-03-10'",
        undo: "INSERT INTO userlogin (id, datetime, user, uidNumber, ip, action) SELECT pk_start, \
             '2026-03-01 01:00:00' + INTERVAL pk_start - 29 DAY, 'u', 7, '192.0.2.1', 'login' FROM imported_sources \
             WHERE target_table = 'userlogin' AND pk_start BETWEEN 30 AND 37",
        finds: &[],
    },
    Fault {
        is: "ids were never used, and two days have no log",
        sql: "DELETE FROM userlogin WHERE id IN (40, 41); \
             DELETE FROM imported_sources WHERE target_table = 'userlogin' AND pk_start IN (40, 41)",
        undo: "INSERT INTO userlogin (id, datetime, user, uidNumber, ip, action) VALUES \
             (40, '2026-03-12 01:00:00', 'u', 7, '192.0.2.1', 'login'), (41, '2026-03-13 01:00:00', 'u', 7, '192.0.2.1', 'login'); \
             INSERT INTO imported_sources (filename, target_table, pk_start, pk_end, row_count, origin) VALUES \
             ('cmsauth.log-20260312', 'userlogin', 40, 40, 1, 'importer'), ('cmsauth.log-20260313', 'userlogin', 41, 41, 1, 'importer')",
        finds: &[],
    },
    Fault {
        is: "a period of the hits cell lost its first day",
        sql: "UPDATE summary_misc_vals SET value = value - 5 WHERE rowid = 8 AND period IN (1, 3) AND datetime = '2026-03-00'",
        undo: "UPDATE summary_misc_vals SET value = value + 5 WHERE rowid = 8 AND period IN (1, 3) AND datetime = '2026-03-00'",
        finds: &[
            "WARN  2026-03: hits cell drift (period=1 stored=150 expected=155)",
            "    hzmetrics summarize-month 2026-03",
        ],
    },
    Fault {
        is: "a hub has no tools and no simulations",
        sql: "RENAME TABLE toolstart TO away; CREATE TABLE toolstart LIKE away; \
             UPDATE summary_simusage_vals SET value = NULL",
        undo: "DROP TABLE toolstart; RENAME TABLE away TO toolstart; UPDATE summary_simusage_vals SET value = 5",
        finds: &[],
    },
    Fault {
        is: "the ledger of imports has every fault",
        sql: "UPDATE imported_sources SET row_count = 4 WHERE pk_start = 6 AND target_table = 'web'; \
             UPDATE imported_sources SET pk_start = 10, row_count = 6 WHERE pk_start = 11 AND target_table = 'web'; \
             UPDATE imported_sources SET pk_start = NULL, pk_end = NULL, row_count = -1 \
             WHERE pk_start = 16 AND target_table = 'web'; \
             UPDATE imported_sources SET origin = 'reconstruct', row_count = 3 \
             WHERE pk_start = 4 AND target_table = 'userlogin'",
        undo: "UPDATE imported_sources SET origin = 'importer', row_count = 1 WHERE target_table = 'userlogin'; \
             UPDATE imported_sources SET pk_start = 16, pk_end = 20 WHERE pk_start IS NULL; \
             UPDATE imported_sources SET pk_start = 11 WHERE pk_start = 10 AND target_table = 'web'; \
             UPDATE imported_sources SET row_count = 5 WHERE target_table = 'web'",
        finds: &[
            "WARN  web: the import of h-access.log-20260204 never ended",
            "WARN  web: 1 imported_sources entry(ies) with span != row_count",
            "WARN  web: 1 overlapping imported_sources range(s) — possible duplicate/corrupt provenance",
            "WARN  web: 5 row(s) outside all imported_sources ranges — no import provenance",
            "WARN  userlogin: 1 origin='reconstruct' ledger row(s) where actual row-count in pk_start..pk_end <> \
                 row_count (survivor invariant broken — rows were deleted, or the ledger was changed)",
            "    hzmetrics forget-import h-access.log-20260204",
            "    hzmetrics repair-imported-sources --apply",
            "    (look at the overlapping ranges in imported_sources)",
            "    hzmetrics reconstruct-imported-sources --apply  (5 untracked web row(s))",
            "    hzmetrics reconstruct-imported-sources --apply --target userlogin  (after deleting the 1 entries: \
                 known files are skipped)",
        ],
    },
    Fault {
        is: "bots were deleted after a reconstruction, or several logs were mixed",
        sql: "UPDATE imported_sources SET origin = 'reconstruct' WHERE pk_start = 4 AND target_table = 'userlogin'; \
             UPDATE imported_sources SET origin = 'reconstruct', row_count = 3 WHERE pk_start = 6 AND target_table = 'web'; \
             UPDATE imported_sources SET origin = 'reconstruct', row_count = 7 WHERE pk_start = 11 AND target_table = 'web'",
        undo: "UPDATE imported_sources SET origin = 'importer'; \
             UPDATE imported_sources SET row_count = 5 WHERE target_table = 'web'",
        finds: &[],
    },
    Fault {
        is: "the state has values that mean nothing",
        sql: "UPDATE pipeline_state SET v = 'limbo' WHERE k = 'mode'; \
             REPLACE INTO pipeline_state (k, v) VALUES ('rebuild_cursor', 'Jun2026'), ('catchup_started', '2026-06'), \
             ('dirty_months', '2026-06,June2025')",
        undo: "UPDATE pipeline_state SET v = 'normal' WHERE k = 'mode'; UPDATE pipeline_state SET v = '' WHERE k = 'dirty_months'; \
             UPDATE pipeline_state SET v = '2022-01' WHERE k IN ('rebuild_cursor', 'catchup_started')",
        finds: &[
            "WARN  pipeline_state: mode='limbo' not in {normal,catchup,rebuild}",
            "WARN  pipeline_state: rebuild_cursor='Jun2026' not YYYY-MM",
            "WARN  pipeline_state: dirty_months contains 'June2025' (not YYYY-MM)",
            "WARN  pipeline_state: catchup_started='2026-06' > analyzed='2026-05' (orchestrator never ran the catchup it \
                 was asked for)",
            "    (correct the value: mark-dirty, clear-dirty and rebuild-from write it, or an UPDATE by hand)",
        ],
    },
    Fault {
        is: "a dirty month was not caught up for two days",
        sql: "UPDATE pipeline_state SET v = '2026-01', updated_at = '2026-01-02 03:04:05' WHERE k = 'dirty_months'",
        undo: "UPDATE pipeline_state SET v = '' WHERE k = 'dirty_months'",
        finds: &[
            "WARN  dirty_months stuck: '2026-01' unchanged since 2026-01-02 03:04:05 (>48h)",
            "    (look into the log why 2026-01 was not caught up)",
        ],
    },
    Fault {
        is: "the newest cells are missing in two tables",
        sql: "UPDATE summary_misc_vals SET value = '' WHERE datetime = '2026-04-00' AND rowid <> 8; \
             UPDATE summary_misc_vals SET datetime = '2019-04-00' WHERE datetime = '2026-04-00'; \
             DELETE FROM summary_simusage_vals",
        undo: "INSERT INTO summary_simusage_vals SELECT rowid, colid, datetime, period, value, valfmt FROM summary_user_vals \
             WHERE rowid = 6; UPDATE summary_misc_vals SET datetime = '2026-04-00' WHERE datetime = '2019-04-00'; \
             UPDATE summary_misc_vals SET value = '9' WHERE value = ''",
        finds: &[
            "WARN  2026-04: hits cell drift (period=1 stored=(empty) expected=150)",
            "WARN  summary_misc_vals: most-recent datetime 2026-03 trails prev_month 2026-04",
            "WARN  summary_simusage_vals: no non-empty cells at all (expected at least 2026-04)",
            "    hzmetrics summarize-month 2026-04",
            "    hzmetrics summarize-month 2026-04",
            "    hzmetrics summarize-month 2026-04",
        ],
    },
    Fault {
        is: "logs of one stream were lost in a whole month",
        sql: "DELETE FROM userlogin WHERE datetime >= '2026-04-01'; DELETE FROM web WHERE datetime < '2026-03-01'",
        undo: "DO 0",
        finds: &[
            "WARN  asymmetric source coverage  — 2 month(s) where one of (apache, cmsauth) logs was lost or never imported",
            "            2026-02: web=0  userlogin=28  (missing: web/apache)",
            "            2026-04: web=150  userlogin=0  (missing: userlogin/cmsauth)",
            "WARN  2026-04: web has 150 rows but userlogin has 0 — cmsauth import gap",
            "    (look for the logs of 2026-02, import them, then `hzmetrics mark-dirty 2026-02`)",
            "    (look for the logs of 2026-04, import them, then `hzmetrics mark-dirty 2026-04`)",
            "    (look for the cmsauth logs of 2026-04)",
        ],
    },
];

#[test]
fn every_fault_is_found_with_its_remedy() {
    for (engine, mode) in [MODES[0], MODES[3]] {
        let Some(hub) = Hub::sound(engine, mode) else { return };
        for fault in FAULTS {
            hub.sql(fault.sql);
            hub.check(fault.is, fault.finds);
            hub.sql(fault.undo);
        }
    }
}

#[test]
fn the_scope_and_the_threshold_can_be_chosen() {
    let Some(hub) = Hub::sound(MODES[0].0, MODES[0].1) else { return };
    hub.sql("UPDATE web SET host = NULL WHERE datetime >= '2026-03-01' AND datetime < '2026-03-02'");
    let findings = |args: &str, code| {
        let done = hub.audit(args).expect_code(code);
        done.text().lines().filter(|line| line.starts_with("    hzmetrics")).map(str::to_owned).collect::<Vec<_>>()
    };
    // 3.2 %
    assert_eq!(findings("--months 3", 0), [""; 0]);
    assert_eq!(findings("--months 3 --floor 0.03", 1), ["    hzmetrics resolve-dns metrics web 2026-03"]);
    assert_eq!(findings("--months 1 --floor 0", 0), [""; 0]);
    assert_eq!(findings("--months 2 --floor -1", 0), [""; 0]); // the upper median is that month itself
    assert_eq!(findings("--months 0", 0), [""; 0]);
    assert!(hub.audit("--months -5").ok().text().starts_with("scope: 2026-04-01 .. 2026-05-01"));
    hub.sql("INSERT INTO websessions (id, datetime) VALUES (9999, '2023-06-07 08:09:10'), (9998, '0000-00-00')");
    assert!(hub.audit("--all").text().starts_with("scope: 2023-06-07 .. 2026-05-01"));
    for args in ["--months 3 --all", "--months x", "--months", "--floor x", "--floor nan", "surplus"] {
        assert_eq!(hub.audit(args).expect_code(2).text(), "");
    }
}

#[test]
fn with_compat_port_the_output_is_the_ports() {
    for (engine, mode) in [MODES[0], MODES[3]] {
        let Some(hub) = Hub::sound(engine, mode) else { return };
        // what the port fails to check, and what it compares although legacy hits differ
        hub.sql(
            "UPDATE summary_user_vals SET value = 31 WHERE rowid = 7; \
             UPDATE summary_misc_vals SET value = 1 WHERE rowid = 1 AND datetime = '2026-04-00'",
        );
        let audit = |hub: &Hub| {
            let run = hub.pair.run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", hub.pair.home());
            run.env("HZMETRICS_NOW", "2026-05-19T10:10").args(["--compat", "port", "audit", "--months", "3"]).finish()
        };
        let done = audit(&hub).ok();
        assert_eq!(done.text(), "");
        assert!(done.stderr.lines().all(|line| line.starts_with("20")), "whole log lines");
        assert!(done.stderr.contains(" INFO  [audit] all checks passed"), "{}", done.stderr);
        hub.sql("DELETE FROM web WHERE id = 3");
        let done = audit(&hub).expect_code(1);
        let text = done.stderr;
        assert!(text.contains(" WARNING [audit] WARN  2026-02: web↔webhits drift (web=139 wh_sum=140)\n"), "{text}");
        assert!(text.contains(" ERROR [audit]     hzmetrics rebuild-webhits --month 2026-02\n"), "{text}");
        hub.sql("UPDATE summary_misc_vals SET value = 150 WHERE rowid = 8 AND period = 1 AND datetime = '2026-03-00'");
        let text = audit(&hub).expect_code(1).stderr;
        let line = " WARNING [audit] WARN  2026-03: hits cell drift (period=1 stored=150 expected=155)\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains(" ERROR [audit]     hzmetrics rebuild-webhits --month 2026-03\n"), "{text}");
    }
}

#[test]
fn databases_of_the_original_scripts_can_be_audited() {
    let Some(hub) = Hub::sound(MODES[3].0, MODES[3].1) else { return };
    hub.sql("DROP TABLE imported_sources; DROP TABLE pipeline_state; ALTER TABLE web DROP KEY web_dt_ip");
    let done = hub.audit("--months 3").ok();
    assert!(
        done.text().contains("\nthere is no ledger of imports (imported_sources) to compare with\n"),
        "{}",
        done.text()
    );
    assert!(hub.pair.lines("SHOW TABLES LIKE 'pipeline%'").is_empty(), "an audit makes nothing");
}

#[test]
fn a_reader_that_leaves_and_a_missing_server_end_the_audit() {
    let Some(hub) = Hub::sound(MODES[0].0, MODES[0].1) else { return };
    let run = |args: &[&str]| {
        let run = hub.pair.run(env!("CARGO_BIN_EXE_hzmetrics")).env("HZMETRICS_ROOT", hub.pair.home());
        run.args(args.iter().copied())
    };
    assert_eq!(run(&["audit"]).read_at_most(20).expect_code(141).stderr, "");
    hub.sql("DROP TABLE websessions");
    let done = hub.audit("").expect_code(1);
    assert!(done.stderr.contains("websessions"), "{}", done.stderr);
}

#[test]
fn future_months_and_days_with_many_rejects_are_found() {
    for (engine, mode) in [MODES[0], MODES[3]] {
        let Some(hub) = Hub::sound(engine, mode) else { return };
        hub.fault(
            "INSERT INTO summary_user_vals (rowid, colid, datetime, period, value, valfmt) VALUES (1, 1, '2099-01-00', 1, 0, 1)",
            "DELETE FROM summary_user_vals WHERE datetime = '2099-01-00'",
            &[
                "WARN  2099-01: 1 published row(s) of a month in the future",
                "    hzmetrics unpublish 2099-01",
            ],
        );
        // only the statistics of tools
        hub.fault(
            "USE {hub}; INSERT INTO jos_resource_stats (resid, restype, datetime, period) VALUES (1, 7, '2026-06-00', 1)",
            "USE {hub}; DELETE FROM jos_resource_stats",
            &[
                "WARN  2026-06: 1 published row(s) of a month in the future",
                "    hzmetrics unpublish 2026-06",
            ],
        );
        let done = hub.audit("--months 4").ok();
        assert!(!done.text().contains("published row"), "{}", done.text());
        hub.sql("INSERT INTO summary_misc_vals (rowid, colid, datetime, period, value, valfmt) VALUES (1, 1, '2026-01-00', 1, '0', 1)");
        let text = hub.audit("--months 4").expect_code(1).text();
        let words = "WARN  2026-01: 1 published row(s) of a month without requests, logins, sessions, hits or logs\n";
        assert!(text.contains(words) && text.contains("    hzmetrics unpublish 2026-01\n"), "{text}");
        // a log in the ledger counts as a source, even if it gave no rows
        hub.sql("INSERT INTO imported_sources (filename, target_table, row_count) VALUES ('h-access.log-20260115#0123456789ab', 'web', 0)");
        assert!(!hub.audit("--months 4").text().contains("published row"));
        hub.sql("DELETE FROM summary_misc_vals WHERE datetime = '2026-01-00'; DELETE FROM imported_sources WHERE filename LIKE '%#%'");

        // a withheld month needs no summary
        hub.sql(
            "DELETE FROM summary_user_vals WHERE datetime = '2026-04-00'; DELETE FROM summary_misc_vals WHERE datetime = '2026-04-00'; \
             DELETE FROM summary_simusage_vals WHERE datetime = '2026-04-00'",
        );
        assert!(
            hub.audit("--months 3").expect_code(1).text().contains("2026-04: web has data but no period-1 summary")
        );
        hub.sql("INSERT INTO pipeline_state (k, v) VALUES ('withheld_months', '2026-04')");
        let text = hub.audit("--months 3").ok().text();
        assert!(text.contains("withheld: 2026-04 "), "{text}");

        hub.sql(
            "INSERT INTO import_files (id, lines_read, rows_kept, rejected, ipv6) SELECT id, 100, 5, \
             IF(filename = 'h-access.log-20260301', 11, 10), IF(filename = 'h-access.log-20260302', 11, 10) \
             FROM imported_sources WHERE target_table = 'web'",
        );
        let text = hub.audit("--months 3").expect_code(1).text();
        let found: Vec<&str> = text.lines().filter(|line| line.starts_with("WARN")).collect();
        let expected = [
            "WARN  20260301 web: more than a tenth of the lines does not fit: 100 lines, 5 kept, 11 rejected (11.0%), \
             0 dropped, IPv6 10.0%",
            "WARN  20260302 web: more than a tenth of the lines is of IPv6 clients and left out: 100 lines, 5 kept, \
             10 rejected (10.0%), 0 dropped, IPv6 11.0%",
        ];
        assert_eq!(found, expected);
    }
}
