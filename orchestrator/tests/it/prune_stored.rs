//! The state that `hzmetrics prune` keeps gets into the database while others write, and a kill on the way changes
//! nothing.

use std::thread::sleep;
use std::time::Duration;

use fixtures::db::{Pair, SqlMode, pair};
use schema::tables::Engine;

use super::prune_beside::{cells, import, is_making, log, wait_for};
use super::prune_rows::{configure, fill, hzmetrics, program};

const PIECES: &str = "SELECT COUNT(*) FROM hz_pruned WHERE kind = 'state'";
const MONTHS: &str = "SELECT COUNT(*) FROM hz_pruned WHERE kind = 'months'";

/// A hub whose server takes its time to store a piece of a state.
fn slow_hub(seconds: u32) -> Option<Pair> {
    let pair = pair(Engine::InnoDb, SqlMode::Strict)?;
    configure(&pair, "[retention]\nweb_months = 12\nlogins_months = 12\n");
    fill(&pair, 7, 200);
    pair.sql(&format!(
        "CREATE TRIGGER slow BEFORE INSERT ON hz_pruned FOR EACH ROW DO SLEEP(IF(NEW.kind = 'state', {seconds}, 0))"
    ));
    Some(pair)
}

fn number(pair: &Pair, sql: &str) -> u32 {
    pair.value(sql).unwrap().parse().unwrap()
}

/// Whether pieces are there that no month refers to yet.
fn is_storing(pair: &Pair) -> bool {
    number(pair, PIECES) > 0 && number(pair, MONTHS) == 0
}

#[test]
fn imports_get_their_turn_while_the_state_is_stored() {
    let Some(hub) = slow_hub(3) else { return };
    let before = cells(&hub, "2025-06").ok().text();
    let n = std::thread::scope(|scope| {
        let prune = scope.spawn(|| hzmetrics(&hub, "prune"));
        wait_for(&|| prune.is_finished() || is_storing(&hub));
        let mut n = 0;
        while !prune.is_finished() && number(&hub, MONTHS) == 0 {
            let _ = import(&hub, &log(&hub, n));
            n += 1;
            if number(&hub, MONTHS) > 0 {
                n -= 1;
            }
        }
        let done = prune.join().unwrap();
        assert_eq!(done.code, 0, "{}", done.stderr);
        n
    });
    assert!(n > 0, "no import came while the state was stored");
    assert!(cells(&hub, "2025-06").ok().text() == before, "other cells than before");
    assert_eq!(hub.lines("SELECT COUNT(DISTINCT name) FROM hz_pruned WHERE kind = 'state'"), ["1"]);
}

#[test]
fn others_may_write_while_the_rows_of_each_import_are_counted() {
    let Some(hub) = slow_hub(0) else { return };
    // counting takes some seconds
    hub.sql(
        "INSERT INTO imported_sources (filename, target_table, pk_start, pk_end, row_count, imported_at) \
         SELECT CONCAT('more-access.log-', seq), 'web', 1, (SELECT MAX(id) FROM web), 0, NOW() FROM seq_1_to_4000",
    );
    let lock = hub.home().join("state/hzmetrics.pid");
    let counting = "SELECT COUNT(*) FROM information_schema.processlist \
                    WHERE info LIKE 'SELECT COUNT(*) FROM web WHERE id BETWEEN%'";
    let (n_free, n_held) = std::thread::scope(|scope| {
        let prune = scope.spawn(|| hzmetrics(&hub, "prune"));
        wait_for(&|| is_making(&hub));
        let (mut n_free, mut n_held) = (0, 0);
        while !prune.is_finished() {
            if number(&hub, counting) > 0 {
                if lock.exists() { n_held += 1 } else { n_free += 1 }
            }
            sleep(Duration::from_millis(5));
        }
        let done = prune.join().unwrap();
        assert_eq!(done.code, 0, "{}", done.stderr);
        (n_free, n_held)
    });
    assert!(n_free > 3 && n_held <= n_free / 10, "counted {n_held} times with the lock, {n_free} times without it");
    assert!(number(&hub, "SELECT COUNT(*) FROM hz_pruned WHERE kind = 'import'") > 4000);
}

#[test]
fn a_prune_that_is_killed_while_it_stores_the_state_leaves_the_old_state() {
    let Some(hub) = slow_hub(2) else { return };
    let before = cells(&hub, "2025-06").ok().text();
    for n_stored in [1, 2] {
        let is_amid = || is_storing(&hub) && number(&hub, PIECES) == n_stored;
        let killed = program(&hub, "hzmetrics").arg("prune").killed_once(|| wait_for(&is_amid));
        assert!(killed.was_killed, "it ended before {n_stored} pieces were seen: {}", killed.stderr);
        hub.wait_until_idle();
        assert!(is_storing(&hub), "the state is not valid yet");
        assert!(cells(&hub, "2025-06").ok().text() == before, "other cells after {n_stored} pieces");
    }
    hub.sql("DROP TRIGGER slow");
    let _ = hzmetrics(&hub, "prune").ok();
    assert!(cells(&hub, "2025-06").ok().text() == before, "other cells at the end");
    assert_eq!(number(&hub, "SELECT COUNT(*) FROM web WHERE datetime < '2024-07-01'"), 0);
    assert_eq!(hub.lines("SELECT COUNT(DISTINCT name) FROM hz_pruned WHERE kind = 'state'"), ["1"]);
}

#[test]
fn a_ledger_that_is_repaired_meanwhile_is_counted_again() {
    let Some(hub) = slow_hub(1) else { return };
    let done = std::thread::scope(|scope| {
        let prune = scope.spawn(|| hzmetrics(&hub, "prune"));
        wait_for(&|| prune.is_finished() || is_storing(&hub));
        hub.sql(
            "UPDATE imported_sources SET pk_end = 50, row_count = 50 WHERE id = 1;
             UPDATE imported_sources SET pk_start = 51, row_count = row_count - 10 WHERE id = 2",
        );
        prune.join().unwrap()
    });
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("the ledger of imports was changed: making the state again"), "{}", done.stderr);
    let lost = "SELECT value FROM hz_pruned WHERE kind = 'import' AND name = 'web' AND number = 1";
    assert_eq!(hub.lines(lost), ["50"]);
    let audit = hzmetrics(&hub, "audit --all").text();
    assert!(!audit.contains("span != row_count"), "{audit}");
}

#[test]
fn prune_does_not_wait_for_a_run_that_is_writing_when_it_begins() {
    let Some(hub) = slow_hub(0) else { return };
    let lock = hub.home().join("state/hzmetrics.pid");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&lock).unwrap();
    file.lock().unwrap();
    for command in ["prune", "forget-import h-access.log-20220801"] {
        let done = hzmetrics(&hub, command).expect_code(75);
        assert!(done.stderr.contains("another run is in progress"), "{command}: {}", done.stderr);
    }
    assert_eq!(number(&hub, PIECES), 0);
    assert!(hzmetrics(&hub, "prune --help").ok().text().contains("code 75"));
}
