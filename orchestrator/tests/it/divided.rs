//! Tables that are divided by month: how they are made, and that what looks at keys works on them.

use fixtures::Finished;
use fixtures::db::{MODES, Pair, SqlMode, names, pair};
use schema::partitions::BY_MONTH;
use schema::tables::Engine;

const HZMETRICS: &str = env!("CARGO_BIN_EXE_hzmetrics");

fn run(pair: &Pair, now: &str, line: &str) -> Finished {
    let run = pair.run(HZMETRICS).env("HZMETRICS_ROOT", pair.home().join("root")).env("HZMETRICS_NOW", now);
    run.args(line.split(' ')).finish()
}

/// Names of the partitions of a table, in their order.
fn partitions(pair: &Pair, table: &str) -> Vec<String> {
    pair.lines(&format!(
        "SELECT partition_name FROM information_schema.partitions WHERE table_schema = DATABASE() \
         AND table_name = '{table}' AND partition_name IS NOT NULL ORDER BY partition_ordinal_position"
    ))
}

#[test]
fn new_tables_are_divided_and_months_are_added() {
    for (engine, mode) in MODES {
        let Some(pair) = names(mode) else { return };
        let line = format!("setup-db --engine {} --month-partitions 2024-11", engine.name());
        let made = run(&pair, "2025-07-15T12:00", &line).ok();
        assert_eq!(made.text(), "", "nothing to divide");
        for table in BY_MONTH {
            let found = partitions(&pair, table);
            assert_eq!(found.len(), 28, "{found:?}");
            assert_eq!(found[..2], ["earlier", "m2024_11"]);
            assert_eq!(found[26..], ["m2026_12", "later"]);
            let key = pair.lines(&format!("SHOW INDEX FROM {table} WHERE Key_name = 'PRIMARY'"));
            assert_eq!(key.len(), 2, "{key:?}");
        }
        assert_eq!(partitions(&pair, "webhits"), [""; 0]);
        if engine == Engine::InnoDb {
            assert!(run(&pair, "2025-07-15T12:00", "migrate").ok().stderr.contains("nothing is pending"));
        }
        let again = run(&pair, "2026-01-01T12:00", &line).ok();
        assert!(again.stderr.contains("web: partitions added through 2027-12"), "{}", again.stderr);
        assert_eq!(partitions(&pair, "web")[38..], ["m2027_12", "later"]);
        assert!(!run(&pair, "2026-01-01T12:00", &line).ok().stderr.contains("partitions added"));
    }
}

#[test]
fn the_statement_for_tables_that_exist_is_printed() {
    let Some(pair) = pair(Engine::InnoDb, SqlMode::Strict) else { return };
    pair.sql("INSERT INTO web (datetime) VALUES ('2024-11-30'), ('2025-01-01'), ('2031-01-01')");
    let setup = || run(&pair, "2025-07-15T12:00", "setup-db --month-partitions 2024-12").ok();
    let first = setup();
    assert!(first.stderr.contains("web exists and is not divided by month"), "{}", first.stderr);
    assert_eq!(partitions(&pair, "web"), [""; 0], "nothing that exists is changed");
    assert_eq!(first.text().lines().count(), BY_MONTH.len(), "{}", first.text());
    pair.sql(&first.text());
    let rows = |name: &str| pair.value(&format!("SELECT COUNT(*) FROM web PARTITION ({name})")).unwrap();
    assert_eq!(["earlier", "m2024_12", "m2025_01", "later"].map(rows), ["1", "0", "1", "1"]);
    assert_eq!(setup().text(), "");
    for (line, words) in [
        ("setup-db --month-partitions 2027-01", "is in the future"),
        ("setup-db --month-partitions 0025-01", "too early"),
        ("setup-db --month-partitions July", "not a month"),
    ] {
        let refused = run(&pair, "2025-07-15T12:00", line).expect_code(2);
        assert!(refused.stderr.contains(words), "{line}: {}", refused.stderr);
    }
}

/// An old hub whose tables somebody divided before: migrations neither undo it nor lose rows, in either engine.
#[test]
fn old_tables_that_are_divided_are_migrated() {
    let Some(pair) = names(SqlMode::Lax) else { return };
    pair.create_hub(true);
    pair.create_metrics(Engine::MyIsam, true);
    pair.narrow_addresses();
    pair.drop_added_keys();
    pair.sql(
        "ALTER TABLE web DROP KEY web_dt_ip, DROP KEY web_dnload_dt, ADD KEY datetime (datetime);\n\
         INSERT INTO web (id, sessionid, datetime, content, ip, host, domain, ipcountry) VALUES \
         (1, 1, '2024-05-01 00:00:01', '/resources/7/download/a.bin', '192.0.2.1', 'A.Org', 'a.org', 'US'), \
         (2, 9, '2024-06-02 00:00:00', '/x', '192.0.2.1', 'a.org', 'a.org', 'US'), \
         (3, 0, '2024-08-30 23:59:59', '/y', '192.0.2.2', '?', '(unknown)', '-');\n\
         INSERT INTO websessions (id, datetime, ip, host, domain, ipcountry) VALUES \
         (1, '2024-05-01 00:00:01', '192.0.2.1', 'A.Org', 'a.org', 'US');\n\
         INSERT INTO toolstart (id, sessionid, datetime, tool) VALUES (1, 1, '2024-05-01', 't'), (2, 8, '2024-07-01', 't');\n\
         INSERT INTO userlogin (id, datetime, user, uidNumber, ip, action) VALUES \
         (1, '2024-05-01', 'bob', 1, '192.0.2.1', 'login'), (2, '2024-06-01', 'bob', 1, '192.0.2.1', 'logout')",
    );
    pair.divide_by_month("2024-05".parse().unwrap(), "2024-07".parse().unwrap());
    pair.sql("DELETE FROM migrations");
    let now = "2025-07-15T12:00";
    run(&pair, now, "migrate --apply").ok();
    assert!(run(&pair, now, "migrate").ok().stderr.contains("nothing is pending"));
    for table in BY_MONTH {
        assert_eq!(partitions(&pair, table).len(), 5, "{table}");
    }
    let engines = format!(
        "SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN ('{}')",
        BY_MONTH.join("', '")
    );
    assert_eq!(pair.lines(&engines), ["InnoDB"]);
    assert_eq!(
        pair.lines("SELECT id, IFNULL(sessionid, '-'), host, dnload FROM web ORDER BY id"),
        ["1\t1\ta.org\t1", "2\t-\ta.org\t0", "3\t0\t?\t0"]
    );
    assert_eq!(pair.lines("SELECT id, IFNULL(sessionid, '-') FROM toolstart ORDER BY id"), ["1\t1", "2\t-"]);
    assert_eq!(pair.lines("SELECT id FROM userlogin"), ["1"]);
    let width = "SELECT DISTINCT column_type FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND column_name = 'ip'";
    assert_eq!(pair.lines(width), ["varchar(45)"]);
}
