//! `hzmetrics setup-db` and `migrate` against a private server.

use std::fs;

use fixtures::db::{MODES, Pair, Shape, SqlMode, names, pair};
use schema::tables::{self, Engine};

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn setup(pair: &Pair, args: &[&str]) -> fixtures::Finished {
    pair.run(HZMETRICS).arg("setup-db").args(args).finish()
}

fn migrate(pair: &Pair, args: &[&str]) -> fixtures::Finished {
    pair.run(HZMETRICS).arg("migrate").args(args).finish()
}

/// Rows of each static table that has any.
fn seeds(pair: &Pair) -> Vec<String> {
    let tables = [
        "continents",
        "countries",
        "country_continent",
        "domainclass",
        "domainclasses",
        "classes",
        "summary_user",
        "summary_simusage",
        "summary_misc",
        "summary_andmore",
        "exclude_list",
        "bot_useragents",
    ];
    let count = |table: &&str| pair.value(&format!("SELECT COUNT(*) FROM {table}")).unwrap();
    tables.iter().map(|table| format!("{table} {}", count(table))).collect()
}

fn domains() -> usize {
    schema::reference::domainclass().count()
}

fn all_seeds() -> Vec<String> {
    let mut list: Vec<String> = ["continents 7", "countries 244", "country_continent 245"].map(str::to_owned).to_vec();
    list.push(format!("domainclass {}", domains()));
    list.extend(
        [
            "domainclasses 7",
            "classes 7",
            "summary_user 7",
            "summary_simusage 10",
            "summary_misc 8",
            "summary_andmore 12",
            "exclude_list 0",
            "bot_useragents 0",
        ]
        .map(str::to_owned),
    );
    list
}

#[test]
fn setup_twice_creates_what_the_port_creates_and_seeds_once() {
    for (engine, mode) in MODES {
        let Some(pair) = names(mode) else { return };
        let args = ["--engine", engine.name()];
        let first = setup(&pair, &args).ok();
        assert_eq!(first.text(), "");
        assert!(first.stderr.contains("39 statements done"), "{}", first.stderr);
        pair.shape(&pair.metrics).assert_is_metrics();
        let engines = format!(
            "SELECT DISTINCT engine, table_collation FROM information_schema.tables WHERE table_schema = '{}' \
             AND table_name NOT IN ('hz_generations', 'hz_pruned', 'hz_writer')",
            pair.metrics
        );
        assert_eq!(pair.lines(&engines), [format!("{}\tutf8mb3_general_ci", engine.name())]);
        assert_eq!(seeds(&pair), all_seeds());
        pair.sql(
            "UPDATE countries SET name = 'HELLAS' WHERE code = 'GR';\n\
             UPDATE summary_user SET label = 'Registered people' WHERE id = 1;\n\
             DELETE FROM continents WHERE continentSHORT = 'AN';\n\
             INSERT INTO continents VALUES ('AN', 'Antartica');\n\
             UPDATE country_continent SET continent = 'AS' WHERE country = 'TR'",
        );
        let second = setup(&pair, &args).ok();
        assert!(!second.stderr.contains(" added,"), "{}", second.stderr);
        assert_eq!(seeds(&pair), all_seeds());
        assert_eq!(pair.lines("SELECT continent FROM country_continent WHERE country = 'TR'"), ["AS"]);
        assert_eq!(pair.lines("SELECT name FROM countries WHERE code = 'GR'"), ["HELLAS"]);
        assert_eq!(pair.lines("SELECT label FROM summary_user WHERE id = 1"), ["Registered people"]);
        assert_eq!(pair.lines("SELECT continent FROM country_continent WHERE country = 'NA'"), ["AF"]);
        assert_eq!(pair.lines("SELECT COUNT(*) FROM country_continent WHERE country = 'GB'"), ["0"]);
    }
}

/// Programs that ask the server for the columns of a table see invisible ones too.
#[test]
fn setup_for_the_port_leaves_the_invisible_keys_to_the_migration() {
    let Some(pair) = names(SqlMode::Strict) else { return };
    pair.run(HZMETRICS).args(["--compat", "port", "setup-db"]).finish().ok();
    let hidden = format!(
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = '{}' AND column_name = 'hz_id'",
        pair.metrics
    );
    assert_eq!(pair.value(&hidden), Some("0".to_owned()));
    pair.sql("INSERT IGNORE INTO migrations (id) SELECT seq FROM seq_1_to_58");
    assert!(migrate(&pair, &[]).ok().text().contains("1004  PENDING"));
    let left_out = pair.run(HZMETRICS).args(["--compat", "port", "migrate", "--apply"]).finish().ok();
    assert!(left_out.stderr.contains("[1004] left out with --compat port"), "{}", left_out.stderr);
    assert_eq!(pair.value(&hidden), Some("0".to_owned()));
    migrate(&pair, &["--apply"]).ok();
    pair.shape(&pair.metrics).assert_is_metrics();
}

#[test]
fn seeding_can_be_skipped_or_use_other_domains() {
    let Some(pair) = names(SqlMode::Strict) else { return };
    let empty: Vec<String> = all_seeds().iter().map(|s| format!("{} 0", s.split(' ').next().unwrap())).collect();
    setup(&pair, &["--no-seed"]).ok();
    assert_eq!(seeds(&pair), empty);
    pair.run(HZMETRICS).arg("setup-db").env("HZMETRICS_COMPAT", "port").finish().ok();
    assert_eq!(seeds(&pair), empty);
    pair.run(HZMETRICS).args(["--compat", "port", "setup-db"]).finish().ok();
    assert_eq!(seeds(&pair), empty);
    pair.run(HZMETRICS).args(["--compat", "ports", "setup-db"]).finish().expect_code(2);
    let file = pair.home().join("domains.csv");
    fs::write(&file, "class,domain,country\n1,example.edu,us\n4,isp.example,\n").unwrap();
    let args = ["--domainclass", file.to_str().unwrap()];
    setup(&pair, &args).ok();
    let rows = pair.lines("SELECT * FROM domainclass ORDER BY domain");
    assert_eq!(rows, ["example.edu\t1\tus\t\t", "isp.example\t4\t\t\t"]);

    for (text, why) in [
        ("domain\nexample.edu\n", "`class`"),
        ("domain,class\nexample.edu,university\n", "line 2: `university` is not a class"),
        ("domain,class\n,1\n", "line 2: the domain is missing"),
    ] {
        fs::write(&file, text).unwrap();
        let bad = setup(&pair, &args).expect_code(2);
        assert!(bad.stderr.contains(why) && bad.stderr.contains("domains.csv"), "{}", bad.stderr);
    }
    fs::remove_file(&file).unwrap();
    assert!(setup(&pair, &args).expect_code(1).stderr.contains("domains.csv"));
    assert!(setup(&pair, &["--engine", "Aria"]).expect_code(2).stderr.contains("InnoDB"));
}

#[test]
fn a_dry_run_shows_the_statements_and_connects_to_nothing() {
    let Some(pair) = names(SqlMode::Strict) else { return };
    let run = |args: &[&str]| pair.run(HZMETRICS).env("HZMETRICS_DB_SOCKET", "/nowhere").args(args).finish();
    let bare = run(&["setup-db", "--dry-run", "--no-seed"]).ok().text();
    let lines: Vec<&str> = bare.lines().collect();
    assert_eq!(lines.len(), 39);
    let database = format!("[dry-run] CREATE DATABASE IF NOT EXISTS `{}` DEFAULT CHARACTER SET", pair.metrics);
    assert!(lines[0].starts_with(&database) || database.starts_with(lines[0]), "{}", lines[0]);
    let first = format!("[dry-run] CREATE TABLE IF NOT EXISTS `{}`.`bot_useragents` (", pair.metrics);
    assert!(first.starts_with(lines[1]), "{}", lines[1]);
    assert!(lines.iter().all(|line| line.len() <= 82), "{bare}");
    assert_eq!(run(&["setup-db", "--dry-run"]).ok().text().lines().count(), 49);
    let made = format!("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '{}'", pair.metrics);
    assert_eq!(pair.value(&made).as_deref(), Some("0"));
    let left = pair.run(HZMETRICS).args(["setup-db", "--dry-run"]).read_at_most(1);
    assert!([0, 141].contains(&left.code), "{left:?}");
}

#[test]
fn failures_are_reported() {
    let Some(pair) = names(SqlMode::Strict) else { return };
    let gone = pair.run(HZMETRICS).arg("setup-db").env("HZMETRICS_DB_SOCKET", "/nowhere/s").finish().expect_code(1);
    assert!(gone.stderr.contains("/nowhere/s"), "{}", gone.stderr);
    let none = migrate(&pair, &[]).expect_code(1);
    assert!(none.stderr.contains("setup-db") && none.stderr.contains(&pair.metrics), "{}", none.stderr);
    let config = pair.config();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(fixtures::db::PASSWORD, "wrong-secret")).unwrap();
    let args = ["-c", config.to_str().unwrap(), "setup-db"];
    let denied = fixtures::run(HZMETRICS)
        .args(args)
        .env("HZMETRICS_DB_SOCKET", pair.socket())
        .env("HZMETRICS_HOME", pair.home())
        .finish()
        .expect_code(1);
    assert!(denied.stderr.contains("Access denied"), "{}", denied.stderr);
    assert!(!denied.stderr.contains("wrong-secret"), "{}", denied.stderr);
    // the account may not use the database with this name, so the tables cannot be created
    fs::write(&config, text.replace(&pair.metrics, "not_ours")).unwrap();
    let refused = fixtures::run(HZMETRICS)
        .args(args)
        .env("HZMETRICS_DB_SOCKET", pair.socket())
        .env("HZMETRICS_HOME", pair.home())
        .finish()
        .expect_code(1);
    assert!(
        refused.stderr.contains("denied for user") && refused.stderr.contains("missing: GRANT"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stderr.lines().count(), 1, "it stops at the first: {}", refused.stderr);
}

#[test]
fn a_running_writer_is_not_disturbed() {
    let Some(pair) = pair(Engine::MyIsam, SqlMode::Lax) else { return };
    let state = pair.home().join("state");
    fs::create_dir_all(&state).unwrap();
    let pid = fs::File::create(state.join("hzmetrics.pid")).unwrap();
    pid.lock().unwrap();
    setup(&pair, &[]).expect_code(75);
    migrate(&pair, &[]).ok();
    migrate(&pair, &["--apply"]).expect_code(75);
    pid.unlock().unwrap();
    let other = fs::File::create(state.join("hzmetrics-migrate.lock")).unwrap();
    other.lock().unwrap();
    let skipped = migrate(&pair, &["--apply"]).ok();
    assert!(skipped.stderr.contains("another migration"), "{}", skipped.stderr);
    assert_eq!(pair.lines("SELECT COUNT(*) FROM migrations WHERE id = 8"), ["0"]);
    other.unlock().unwrap();
    migrate(&pair, &["--apply"]).ok();
    assert_eq!(pair.lines("SELECT COUNT(*) FROM migrations"), ["65"]);
}

#[test]
fn setup_keeps_the_tables_of_an_old_hub() {
    for mode in SqlMode::ALL {
        let Some(pair) = names(mode) else { return };
        old_hub(&pair);
        let before = pair.shape(&pair.metrics);
        setup(&pair, &[]).ok();
        let after = pair.shape(&pair.metrics);
        for table in tables::METRICS.iter().map(|table| table.name).filter(|name| !NEW.contains(name)) {
            assert_eq!(after.of(table), before.of(table), "{table}");
        }
        for table in NEW {
            assert_eq!(after.of(table), Shape::of_metrics().of(table), "{table}");
        }
        assert_eq!(pair.lines("SELECT COUNT(*) FROM web"), ["6"]);
    }
}

/// Tables that the original package did not have.
const NEW: [&str; 7] =
    ["migrations", "pipeline_state", "imported_sources", "import_files", "hz_writer", "hz_generations", "hz_pruned"];

/// The metrics database as created by the original package: MyISAM, latin1 by default, no defaults
/// for texts, other indexes on `web`; with a few rows.
fn old_hub(pair: &Pair) {
    pair.create_metrics(Engine::MyIsam, true);
    let mut sql = String::new();
    for name in NEW {
        sql.push_str(&format!("DROP TABLE {name};\n"));
    }
    for table in tables::METRICS.iter().filter(|table| !NEW.contains(&table.name)) {
        for column in table.columns.iter().filter(|c| c.ty.ends_with("text") && c.default.is_some()) {
            sql.push_str(&format!("ALTER TABLE {} MODIFY `{}` {} NOT NULL;\n", table.name, column.name, column.ty));
        }
    }
    sql.push_str(
        "ALTER TABLE web DROP KEY web_sessionid_dnload, DROP KEY web_host, DROP KEY web_dt_ip, DROP KEY web_dnload_dt, \
         ADD KEY datetime (datetime), ADD KEY sessionid (sessionid), ADD KEY elementid (elementid);\n\
         ALTER TABLE websessions DROP KEY ws_datetime_jobs_dur_country, DROP KEY ws_domain, DROP KEY ws_host, \
         DROP KEY ws_jobs_country_dur;\n\
         ALTER TABLE userlogin_lite CONVERT TO CHARACTER SET latin1;\n\
         INSERT INTO web (id, sessionid, datetime, content, ip, host, domain, ipcountry) VALUES \
         (1, 1, '2024-05-01 00:00:01', '/resources/7/download/a.bin', '192.0.2.1', 'A.Example.ORG', 'example.org', 'US'), \
         (2, 9, '2024-05-02 00:00:00', '/resources/7/b.PDF?x=1', '192.0.2.1', 'a.example.org', 'example.org', 'US'), \
         (3, 0, '2024-06-30 23:59:59', '/resources/browse?tag=a,webinar', '192.0.2.2', '?', '(unknown)', '-'), \
         (4, NULL, '2024-06-30 23:59:59', '/resources/download/x', '192.0.2.2', '?', '(unknown)', '-'), \
         (5, NULL, '2024-06-30 23:59:59', '/resources/1/b.pdf.html', '192.0.2.2', '?', '(unknown)', '-'), \
         (6, NULL, '2024-07-00 00:00:00', '/site/resources/2010/f.pdf', '192.0.2.2', '?', '(unknown)', '-');\n\
         INSERT INTO websessions (id, datetime, ip, host, domain, ipcountry) VALUES \
         (1, '2024-05-01 00:00:01', '192.0.2.1', 'A.Example.ORG', 'example.org', 'US');\n\
         INSERT INTO toolstart (id, sessionid, tool) VALUES (1, 1, 't'), (2, 8, 't'), (3, NULL, 't');\n\
         INSERT INTO userlogin (id, datetime, user, uidNumber, ip, action) VALUES \
         (1, '2024-05-01', 'bob', 1, '192.0.2.1', 'login'), (2, '2024-05-01', 'bob', 1, '192.0.2.1', 'logout'), \
         (3, '2024-05-01', 'eve', 2, '192.0.2.1', 'simulation'), (4, '2024-05-01', 'eve', 2, '192.0.2.1', 'invalid')",
    );
    pair.sql(&sql);
    pair.narrow_addresses();
    pair.drop_added_keys();
}

fn all_migrations() -> Vec<u32> {
    (1..=58).chain([1001, 1002, 1003, 1004, 1005, 1006, 1009]).collect()
}

fn ledger(pair: &Pair) -> Vec<u32> {
    pair.lines("SELECT id FROM migrations ORDER BY id").iter().map(|id| id.parse().unwrap()).collect()
}

#[test]
fn a_new_database_needs_no_migration() {
    let Some(pair) = names(SqlMode::Strict) else { return };
    setup(&pair, &["--no-seed"]).ok();
    let table = migrate(&pair, &[]).ok();
    let lines: Vec<String> = table.text().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "ID    STATUS     TYPE         DESCRIPTION");
    assert_eq!(lines[1], "-".repeat(80));
    assert_eq!(lines.len(), 67);
    let ids: Vec<u32> = lines[2..].iter().map(|line| line[..4].trim().parse().unwrap()).collect();
    let expected: Vec<u32> = (1..=55).chain([57, 56, 58, 1001, 1002, 1003, 1004, 1005, 1006, 1009]).collect();
    assert_eq!(ids, expected);
    let required = |line: &String| line[6..].starts_with("applied    required     ");
    assert!(lines[2..60].iter().all(required), "{}", table.text());
    assert_eq!(lines[60], "1001  applied    ours         create import_files");
    let widened = "1002  applied    ours         room for IPv6 addresses in every column ip, for --compat ipv6";
    assert_eq!(lines[61], widened);
    assert_eq!(lines[62], "1003  applied    ours         create hz_writer");
    let keys = "1004  applied    ours         a primary key for tables without one, which clusters may require";
    assert_eq!(lines[63], keys);
    assert_eq!(lines[64], "1005  applied    ours         import_files.run tells which run imported a file");
    assert_eq!(lines[65], "1006  applied    ours         create hz_generations");
    assert_eq!(lines[66], "1009  applied    ours         create hz_pruned");
    assert_eq!(ledger(&pair), all_migrations());
    let again = migrate(&pair, &["--apply"]).ok();
    assert_eq!(again.text(), table.text());
    assert_eq!(pair.shape(&pair.metrics), Shape::of_metrics());
}

#[test]
fn requests_without_a_download_verdict_get_one() {
    let Some(pair) = names(SqlMode::Strict) else { return };
    old_hub(&pair);
    pair.sql("ALTER TABLE web DROP COLUMN dnload");
    let listed = migrate(&pair, &[]).ok();
    assert!(listed.stderr.contains("60 pending: 57 required, 3 optional"), "{}", listed.stderr);
    let done = migrate(&pair, &["--apply"]).ok();
    assert_eq!(ledger(&pair), all_migrations(), "{}", done.stderr);
    assert_eq!(pair.lines("SELECT dnload FROM web ORDER BY id"), ["1", "1", "0", "0", "0", "0"]);
    assert_eq!(pair.shape(&pair.metrics).indexes, Shape::of_metrics().indexes);
}

#[test]
fn migrations_turn_an_old_hub_into_a_new_one() {
    for mode in SqlMode::ALL {
        let Some(pair) = names(mode) else { return };
        old_hub(&pair);
        // listing changes nothing except the ledger, and a dry run not even that
        let plain = migrate(&pair, &["--apply", "--dry-run"]).ok();
        assert!(plain.stderr.contains("[41] would: "), "{}", plain.stderr);
        assert!(pair.shape(&pair.metrics).of("migrations").columns.is_empty());
        let listed = migrate(&pair, &[]).ok();
        // no gaps: 53-56; nothing of that kind: 45, 49
        assert_eq!(ledger(&pair), [45, 49, 53, 54, 55]);
        assert_eq!(listed.text().matches("PENDING").count(), 60);
        assert!(listed.stderr.contains("60 pending: 57 required, 3 optional"), "{}", listed.stderr);

        let done = migrate(&pair, &["--apply"]).ok();
        assert_eq!(ledger(&pair), all_migrations(), "{}", done.stderr);
        assert!(migrate(&pair, &[]).ok().stderr.contains("nothing is pending"));

        let (old, new) = (pair.shape(&pair.metrics), Shape::of_metrics());
        assert_eq!(old.indexes, new.indexes);
        // old texts have no default, and migrations do not add one
        let bare = |shape: &Shape| -> Vec<String> {
            let cell = |line: &String| line.replace("\tNO\t<none>\t", "\tNO\t''\t");
            shape.columns.iter().map(cell).collect()
        };
        assert_eq!(bare(&old), bare(&new));
        let tables = format!(
            "SELECT DISTINCT engine, table_collation FROM information_schema.tables WHERE table_schema = '{}' AND \
             table_name <> 'exclude_list2'",
            pair.metrics
        );
        assert_eq!(pair.lines(&tables), ["InnoDB\tutf8mb3_general_ci"]);
        let database = format!(
            "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{}'",
            pair.metrics
        );
        assert_eq!(pair.lines(&database), ["utf8mb3_general_ci"]);

        assert_eq!(pair.lines("SELECT dnload FROM web ORDER BY id"), ["1", "1", "0", "0", "0", "0"]);
        assert_eq!(
            pair.lines("SELECT IFNULL(sessionid, '-') FROM web ORDER BY id"),
            ["1", "-", "0", "-", "-", "-"],
            "9 is gone"
        );
        assert_eq!(pair.lines("SELECT IFNULL(sessionid, '-') FROM toolstart ORDER BY id"), ["1", "-", "-"]);
        assert_eq!(
            pair.lines("SELECT host FROM web WHERE id = 1 UNION ALL SELECT host FROM websessions"),
            ["a.example.org", "a.example.org"]
        );
        assert_eq!(pair.lines("SELECT id FROM userlogin ORDER BY id"), ["1", "3"]);
        assert_eq!(pair.lines("SELECT datetime FROM web WHERE id = 6"), ["2024-07-00 00:00:00"]);
        assert_eq!(pair.lines("SELECT k, v FROM pipeline_state"), ["dirty_months\t2024-05,2024-06,2024-07"]);
    }
}

/// The address columns of a hub before migration 1002, in both engines.
#[test]
fn address_columns_are_widened_and_the_effort_is_reported() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        pair.narrow_addresses();
        pair.sql(
            "INSERT INTO userlogin (datetime, user, uidNumber, ip, action) VALUES ('2025-07-01', 'a', 1, '192.0.2.1', 'login');\n\
             ALTER TABLE toolstart MODIFY ip varchar(15) CHARACTER SET latin1 NOT NULL DEFAULT ''",
        );
        let listed = migrate(&pair, &[]).ok();
        assert!(listed.text().contains("1002  PENDING    ours         room for IPv6 addresses"), "{}", listed.text());
        let warned =
            "[1002] userlogin is not InnoDB and is copied (rows: 1, free space: 1 MB, time: about 1 min); nobody";
        assert_eq!(listed.stderr.contains(warned), engine == Engine::MyIsam, "{}", listed.stderr);
        // the port's migrations would convert it to InnoDB before
        pair.sql("INSERT IGNORE INTO migrations (id) SELECT seq FROM seq_1_to_58");
        // optional migrations are not applied
        migrate(&pair, &["--apply", "--required-only"]).ok();
        let width = |table: &str| {
            let sql = format!(
                "SELECT column_type, collation_name FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = '{table}' AND column_name = 'ip'"
            );
            pair.lines(&sql).join("")
        };
        assert_eq!(width("userlogin"), "varchar(15)\tutf8mb3_general_ci");
        migrate(&pair, &["--apply"]).ok();
        for table in ["sessionlog_metrics", "userlogin", "userlogin_lite", "web", "websessions"] {
            assert_eq!(width(table), "varchar(45)\tutf8mb3_general_ci", "{table}");
        }
        assert_eq!(width("toolstart"), "varchar(45)\tlatin1_swedish_ci", "it keeps its own character set");
        assert_eq!(pair.lines("SELECT ip FROM userlogin"), ["192.0.2.1"]);
        if engine == Engine::InnoDb {
            assert_eq!(pair.shape(&pair.metrics).indexes, Shape::of_metrics().indexes);
        }
        assert!(migrate(&pair, &["--apply"]).ok().stderr.contains("nothing is pending"));
    }
}

/// What programs see of a table is the same with the key as without: legacy and the CMS name no such column.
#[test]
fn invisible_keys_change_nothing_that_programs_see() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let Some(pair) = pair(engine, SqlMode::Strict) else { return };
        pair.drop_added_keys();
        let add = |n: u32| {
            pair.sql(&format!(
                "INSERT INTO summary_user_vals VALUES ({n}, 9, '2025-07-00 00:00:00', 1, 5, 0), (1, 1, '2025-07-00 00:00:00', 1, 7, 0);\n\
                 INSERT INTO webhits VALUES ('2025-07-{n:02} 00:00:00', {n})"
            ));
        };
        pair.sql("INSERT INTO summary_user (id, label) VALUES (1, 'b'), (2, 'a')");
        let seen = || {
            ["summary_user_vals", "webhits", "summary_user"].map(|table| pair.lines(&format!("SELECT * FROM {table}")))
        };
        add(7);
        add(3);
        let before = seen();
        pair.sql("ALTER TABLE import_files DROP COLUMN run");
        pair.sql("INSERT IGNORE INTO migrations (id) SELECT seq FROM seq_1_to_58");
        let listed = migrate(&pair, &[]).ok();
        assert!(listed.text().contains("1005  PENDING    ours         import_files.run"), "{}", listed.text());
        assert!(listed.text().contains("1004  PENDING    ours         a primary key"), "{}", listed.text());
        migrate(&pair, &["--apply", "--required-only"]).ok();
        assert_eq!(pair.lines("SHOW COLUMNS FROM webhits").len(), 2, "it is optional");
        migrate(&pair, &["--apply"]).ok();
        for table in ["webhits", "import_files"] {
            assert_eq!(pair.shape(&pair.metrics).of(table), Shape::of_metrics().of(table));
        }
        assert_eq!(seen(), before, "{engine:?}");
        add(5);
        assert_eq!(pair.lines("SELECT hits, hz_id FROM webhits ORDER BY hz_id"), ["7\t1", "3\t2", "5\t3"]);
        assert_eq!(pair.lines("SELECT rowid FROM summary_user_vals"), ["7", "1", "3", "1", "5", "1"], "{engine:?}");
    }
}

/// A MyISAM key has at most 1,000 bytes: that of `userlogin` keeps a prefix of the name. Servers from
/// 10.4 on would turn it into a hash, unless the table says that it is a tree; then they refuse it with
/// error 1071, as earlier ones do.
#[test]
fn a_key_that_is_too_long_keeps_a_prefix_of_the_name() {
    for is_refused in [false, true] {
        let Some(pair) = pair(Engine::MyIsam, SqlMode::Strict) else { return };
        pair.narrow_addresses();
        if is_refused {
            pair.sql(
                "ALTER TABLE userlogin DROP KEY userlogin, \
                 ADD UNIQUE KEY userlogin (datetime, user, uidNumber, ip, action) USING BTREE",
            );
            let widened = "ALTER TABLE userlogin MODIFY ip varchar(45) NOT NULL DEFAULT ''";
            let said = pair.refusal(widened).unwrap_or_default();
            assert!(said.contains("1071"), "{said}");
        }
        the_key_is_shortened(&pair);
    }
}

fn the_key_is_shortened(pair: &Pair) {
    pair.sql("INSERT IGNORE INTO migrations (id) SELECT seq FROM seq_1_to_58");
    migrate(pair, &["--apply"]).ok();
    let key = "SELECT column_name, sub_part, index_type FROM information_schema.statistics WHERE table_schema = DATABASE() AND \
               table_name = 'userlogin' AND index_name = 'userlogin' ORDER BY seq_in_index";
    let expected = ["datetime\tNULL", "user\t240", "uidNumber\tNULL", "ip\tNULL", "action\tNULL"]
        .map(|column| format!("{column}\tBTREE"));
    assert_eq!(pair.lines(key), expected);
    // its size: 8 + (240 × 3 + 2) + 9 + (45 × 3 + 2) + (40 × 3 + 2) = 998 bytes
    let login = |ip: &str| {
        format!(
            "INSERT IGNORE INTO userlogin (datetime, user, uidNumber, ip, action) VALUES ('2025-07-01', 'a', 1, '{ip}', 'login')"
        )
    };
    let last = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:fff";
    pair.sql(&[1, 2, 1].map(|n| login(&format!("{last}{n}"))).join(";\n"));
    assert_eq!(pair.lines("SELECT COUNT(*) FROM userlogin"), ["2"], "the whole address is in it");
}

#[test]
fn a_failing_stage_leaves_its_migration_pending() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql(
        "INSERT INTO web (id, datetime, ip, host, domain, ipcountry, dnload) VALUES \
         (1, '2024-05-01', '192.0.2.1', 'h', 'd', NULL, 0)",
    );
    // the stages next to the executable cannot do anything
    let here = pair.home().join("bin");
    fs::create_dir_all(&here).unwrap();
    let exe = here.join("hzmetrics");
    fs::copy(HZMETRICS, &exe).unwrap();
    let stage = here.join("usage-metrics");
    fs::write(&stage, "#!/bin/sh\nexit 7\n").unwrap();
    fs::set_permissions(&stage, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let failed = pair.run(&exe).args(["migrate", "--apply"]).finish().expect_code(1);
    let said = "migration 55 failed: `hzmetrics fill-ipcountry metrics web 2024-05` failed with code";
    assert!(failed.stderr.contains(said), "{}", failed.stderr);
    let missing: Vec<u32> = all_migrations().into_iter().filter(|id| !ledger(&pair).contains(id)).collect();
    assert_eq!(missing, [55]);
    assert_eq!(pair.lines("SELECT COUNT(*) FROM pipeline_state"), ["0"]);
    pair.sql("UPDATE web SET ipcountry = '-'");
    migrate(&pair, &[]).ok();
    assert_eq!(ledger(&pair), all_migrations());
}

#[test]
fn an_interrupted_migration_continues_where_it_was() {
    let Some(pair) = names(SqlMode::Lax) else { return };
    old_hub(&pair);
    migrate(&pair, &["--apply"]).ok();
    // killed after web was converted and before its indexes were added, after the rows of 52 were
    // marked and only some filled, after 44 and before 57, and before the last entries were written
    pair.sql(
        "DELETE FROM migrations WHERE id IN (41, 52, 57, 58);\n\
         ALTER TABLE web DROP KEY content, DROP KEY ip, DROP KEY ipcountry, DROP KEY web_host;\n\
         UPDATE web SET dnload = NULL WHERE id > 3;\n\
         ALTER TABLE imported_sources DROP COLUMN origin;\n\
         ALTER TABLE pipeline_state MODIFY v varchar(255) NOT NULL",
    );
    migrate(&pair, &["--apply"]).ok();
    assert_eq!(ledger(&pair), all_migrations());
    assert_eq!(pair.shape(&pair.metrics).indexes, Shape::of_metrics().indexes);
    assert_eq!(pair.shape(&pair.metrics).of("imported_sources"), Shape::of_metrics().of("imported_sources"));
    assert_eq!(pair.lines("SELECT dnload FROM web ORDER BY id"), ["1", "1", "0", "0", "0", "0"]);
    assert_eq!(pair.lines("SELECT v FROM pipeline_state"), ["2024-05,2024-06,2024-07"]);
}

#[test]
fn a_missing_table_is_named() {
    let Some(pair) = names(SqlMode::Strict) else { return };
    pair.create_metrics(Engine::InnoDb, false);
    let failed = migrate(&pair, &["--apply"]).expect_code(1);
    let said = "migration 1 failed (`hzmetrics setup-db` creates missing tables): ";
    assert!(failed.stderr.contains(said) && failed.stderr.contains(".web' "), "{}", failed.stderr);
    // the rest is done nevertheless: nothing to convert, nothing to drop
    assert_eq!(ledger(&pair), [45, 46, 48, 49, 50, 51]);
}

/// Tables copied from the hub's database would be copied onto themselves.
#[test]
fn one_database_for_both_is_refused_before_connecting() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("access.cfg");
    let text = "$hub_db = 'hub';\n$metrics_db = '`hub`';\n$db_host = '/nowhere/s';\n$db_user = 'u';\n$db_pass = 'p';\n";
    fs::write(&config, text).unwrap();
    for line in [
        "setup-db",
        "setup-db --grants u@localhost",
        "migrate --apply",
        "tick",
        "run",
        "process --month 2025-01",
        "import-hub-data",
        "mark-dirty 2025-01",
        "rebuild-summaries --since 2025-01",
        "summarize --month 2025-01",
        "fill-domain metrics web 2025-07",
    ] {
        let run = fixtures::run(HZMETRICS).env("HZMETRICS_ACCESS_CFG", &config);
        let run = run.env("HZMETRICS_ROOT", folder.path()).env("HZMETRICS_HOME", folder.path());
        let refused = run.args(line.split(' ')).finish();
        assert_eq!(refused.code, 2, "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains("hub_db and metrics_db are both `hub`"), "{line}: {}", refused.stderr);
    }
}
