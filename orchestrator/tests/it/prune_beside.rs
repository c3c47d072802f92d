//! `hzmetrics prune` while others read and import: nobody waits for its end, and no number changes.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fixtures::Finished;
use fixtures::db::{Pair, SqlMode, pair};
use schema::tables::Engine;

use super::prune_rows::{configure, fill, hzmetrics, program};

/// Later rows, which stay as they are.
const LATER: &str = "SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM web WHERE datetime >= '2024-07-01' AND datetime < \
                     '2025-07-01'), (SELECT COUNT(*) FROM websessions WHERE datetime >= '2024-07-01' AND datetime < \
                     '2025-07-01'))";

/// Rows that go in any case.
const OLD: &str = "SELECT COUNT(*) FROM web WHERE datetime < '2023-06-01'";

pub(crate) fn cells(pair: &Pair, through: &str) -> Finished {
    let run = program(pair, "summarize").args(["--from", "db", "--to", "-", "--only", "summary,andmore"]);
    run.args(["--since", "2022-07", "--through", through]).finish()
}

/// A log of some requests of July 2025.
pub(crate) fn log(pair: &Pair, n: usize) -> PathBuf {
    let mut text = String::new();
    for at in 0..20 {
        let _ = writeln!(
            text,
            "192.0.2.{} - - [01/Jul/2025:{:02}:{at:02}:00 +0000] \"GET /resources/7/download/a.pdf HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"",
            n * 7 % 250 + 1,
            n % 24,
        );
    }
    let path = pair.home().join(format!("h-access.log-2025{:04}", 702 + n));
    fs::write(&path, text).unwrap();
    path
}

/// Imports it without waiting for another run, and looks for its sessions.
pub(crate) fn import(pair: &Pair, log: &PathBuf) -> Duration {
    let begin = Instant::now();
    let now = ["--lock-wait", "0"];
    let done =
        program(pair, "import-logs").args(["--to", "db", "--log-format", "combined"]).args(now).arg(log).finish();
    assert_eq!(done.code, 0, "{}", done.stderr);
    let took = begin.elapsed();
    let map = pair.home().join("names.csv");
    fs::write(&map, "ip,host\n").unwrap();
    let run = program(pair, "usage-metrics").args(["--db", "--geo-url", "none", "2025-07", "--map"]).arg(&map);
    let done = run.args(now).finish();
    assert_eq!(done.code, 0, "{}", done.stderr);
    took
}

fn begun(pair: &Pair) -> bool {
    pair.value("SELECT COUNT(*) FROM hz_pruned WHERE kind = 'months'").as_deref() != Some("0")
}

fn left(pair: &Pair) -> bool {
    pair.value("SELECT COUNT(*) FROM web WHERE datetime < '2024-07-01'").as_deref() != Some("0")
}

/// Whether `prune` has begun to make a state.
pub(crate) fn is_making(pair: &Pair) -> bool {
    let messages = fs::read_to_string(pair.home().join("manage.log"));
    messages.is_ok_and(|text| text.contains("making the state that stands"))
}

pub(crate) fn wait_for(is_there: &dyn Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_there() {
        assert!(Instant::now() < end, "it does not come");
        sleep(Duration::from_millis(10));
    }
}

/// A hub whose server takes its time to delete.
fn slow_hub(engine: Engine) -> Option<Pair> {
    let pair = pair(engine, SqlMode::Strict)?;
    configure(&pair, "[retention]\nweb_months = 12\nlogins_months = 12\n");
    let per_month = fixtures::asked("HZMETRICS_PRUNE", 40);
    fill(&pair, 7, per_month.into());
    // some fifteen seconds for all
    let pause = 0.4 / f64::from(per_month);
    pair.sql(&format!("CREATE TRIGGER slow BEFORE DELETE ON web FOR EACH ROW DO SLEEP({pause})"));
    Some(pair)
}

#[test]
fn imports_get_their_turn_while_rows_go() {
    for engine in [Engine::InnoDb, Engine::MyIsam] {
        let (Some(hub), Some(other)) = (slow_hub(engine), slow_hub(engine)) else { return };
        let (before, later) = (cells(&hub, "2025-06").ok().text(), hub.value(LATER));
        let stop = AtomicBool::new(false);
        let (n, n_between) = std::thread::scope(|scope| {
            let of_cells = || {
                while !stop.load(Ordering::Relaxed) {
                    let read = cells(&hub, "2025-06");
                    let is_told = read.stderr.contains("began to remove rows while they were read");
                    assert!(read.code == 1 && is_told || read.text() == before, "{engine:?}: {}", read.stderr);
                }
            };
            let of_rows = || {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(hub.value(LATER), later, "{engine:?}");
                    sleep(Duration::from_millis(20));
                }
            };
            let readers = [scope.spawn(of_cells), scope.spawn(of_rows)];
            let stops = fixtures::Stops(&stop);
            let prune = scope.spawn(|| hzmetrics(&hub, "prune"));
            let (mut n, mut n_between) = (0, 0);
            wait_for(&|| prune.is_finished() || is_making(&hub));
            while !prune.is_finished() {
                let took = import(&hub, &log(&hub, n));
                n += 1;
                n_between += usize::from(begun(&hub) && left(&hub));
                assert!(took < Duration::from_secs(90), "{engine:?}: an import took {took:?}");
            }
            let done = prune.join().unwrap();
            drop(stops);
            readers.into_iter().for_each(|reader| reader.join().unwrap());
            assert_eq!(done.code, 0, "{engine:?} {}", done.stderr);
            (n, n_between)
        });
        assert!(n_between > 0, "{engine:?}: none of {n} imports came while rows were removed");
        assert!(!left(&hub));
        for n in 0..n {
            let _ = import(&other, &log(&other, n));
        }
        let [ours, others] = [&hub, &other].map(|pair| cells(pair, "2025-07").ok().text());
        assert!(ours == others, "{engine:?}: other cells than without prune");
        assert!(ours.lines().count() > before.lines().count());
        assert!(hzmetrics(&hub, "audit --all").text().contains("were removed"));
    }
}

#[test]
fn what_others_change_in_between_is_looked_at_before_rows_go() {
    let Some(hub) = slow_hub(Engine::InnoDb) else { return };
    // a late log while the state is made: its month is no longer final
    let late = hub.home().join("h-access.log-20230602");
    let line = "192.0.2.1 - - [02/Jun/2023:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"Mozilla/5.0\"\n";
    fs::write(&late, line).unwrap();
    let done = std::thread::scope(|scope| {
        let prune = scope.spawn(|| hzmetrics(&hub, "prune"));
        wait_for(&|| is_making(&hub));
        let run = program(&hub, "import-logs").args(["--to", "db", "--log-format", "combined"]).arg(&late);
        let _ = run.args(["--lock-wait", "0"]).finish().ok();
        hub.sql("REPLACE INTO pipeline_state (k, v) VALUES ('dirty_months', '2023-06')");
        // the table says something else while rows go, as when a backup is brought back
        let (count, n) = (|| hub.value(OLD), hub.value(OLD));
        wait_for(&|| begun(&hub) && count() != n);
        hub.sql("UPDATE hz_pruned SET through = '2023-04' WHERE kind = 'rows'");
        prune.join().unwrap()
    });
    assert!(done.stderr.contains("making the state again"), "{}", done.stderr);
    assert!(done.code == 1 && done.stderr.contains("hz_pruned was changed by another program"), "{}", done.stderr);
    assert_eq!(hub.lines("SELECT DISTINCT through FROM hz_pruned WHERE kind = 'months'"), ["2023-05"]);
    assert_ne!(hub.value(OLD).as_deref(), Some("0"));
}
